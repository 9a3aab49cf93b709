//! The rows that a pipeline makes beside those that it should.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value};

/// So many rows of a difference are shown.
const SHOWN: usize = 10;

/// A row without what is another in every sync, and without values that are missing, as text that sorts.
pub fn plain(row: &Value) -> String {
    fn number(value: &Value) -> Value {
        match value {
            Value::Number(number) => match number.as_f64() {
                // 1 and 1.0 are one number.
                Some(float) if float.fract() == 0.0 && float.abs() < 1e15 && !number.is_i64() => {
                    Value::from(float as i64)
                }
                _ => value.clone(),
            },
            Value::Array(items) => items.iter().map(number).collect(),
            Value::Object(fields) => {
                fields.iter().map(|(name, value)| (name.clone(), number(value))).collect::<Map<_, _>>().into()
            }
            other => other.clone(),
        }
    }
    // A row that was put aside is text, in which its own sync columns stand.
    let whole = |value: &Value| match value.as_str().filter(|text| text.contains(headwater_sdk::schema::SYNC_TIME)) {
        Some(text) => serde_json::from_str(text).map_or_else(|_| value.clone(), |row| Value::from(plain(&row))),
        None => number(value),
    };
    let Value::Object(fields) = row else { return row.to_string() };
    let own = |name: &str| name.starts_with("_cq_") || name == headwater_sdk::schema::UNIT;
    let kept = fields.iter().filter(|(name, value)| !own(name) && !value.is_null());
    // A map of this kind has its keys in order.
    let kept: BTreeMap<&String, Value> = kept.map(|(name, value)| (name, whole(value))).collect();
    serde_json::to_string(&kept).unwrap_or_default()
}

/// What differs, a line for each row; none where nothing does. The order of rows does not matter.
pub fn difference(expected: &[Value], found: &[Value]) -> Option<String> {
    let mut counts: BTreeMap<String, i64> = BTreeMap::new();
    for row in expected {
        *counts.entry(plain(row)).or_default() -= 1;
    }
    for row in found {
        *counts.entry(plain(row)).or_default() += 1;
    }
    counts.retain(|_, count| *count != 0);
    if counts.is_empty() {
        return None;
    }
    let mut text = String::new();
    for (row, count) in counts.iter().take(SHOWN) {
        let sign = if *count < 0 { '-' } else { '+' };
        let times = if count.abs() > 1 { format!("  ({} times)", count.abs()) } else { String::new() };
        let _ = writeln!(text, "    {sign} {row}{times}");
    }
    if counts.len() > SHOWN {
        let _ = writeln!(text, "    and {} more", counts.len() - SHOWN);
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn order_missing_values_and_the_time_of_the_sync_do_not_matter() {
        let expected = [json!({"id": 1, "a": 1.0}), json!({"id": 2, "a": null, "b": {"x": 1}})];
        let found = [json!({"b": {"x": 1.0}, "id": 2, "_cq_sync_time": "now"}), json!({"a": 1, "id": 1})];
        assert_eq!(difference(&expected, &found), None);
    }

    #[test]
    fn what_differs_is_shown_with_its_side() {
        let text = difference(&[json!({"id": 1}), json!({"id": 1})], &[json!({"id": 2})]);
        assert_eq!(text.as_deref(), Some("    - {\"id\":1}  (2 times)\n    + {\"id\":2}\n"));
    }
}
