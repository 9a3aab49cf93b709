//! What texts look like: the type that all of a column's values are of.

use headwater_sdk::arrow::datatypes::{DataType, TimeUnit};
use headwater_sdk::{ColumnType, Extension};

/// What a column's values were seen to be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Inferred(u16);

const TEXT: u16 = 1;
const BOOL: u16 = 1 << 1;
const INT: u16 = 1 << 2;
/// A whole number of up to 38 digits.
const BIG: u16 = 1 << 3;
const FLOAT: u16 = 1 << 4;
const DATE: u16 = 1 << 5;
const LOCAL: u16 = 1 << 6;
const ZONED: u16 = 1 << 7;
/// A list or an object of JSON.
const NESTED: u16 = 1 << 8;
/// That it is JSON, where a value may be one of several kinds.
const JSON: u16 = 1 << 9;

/// Whether digits stand where `0` does in a form, and otherwise what does.
fn has_form(text: &str, form: &str) -> bool {
    text.len() == form.len()
        && text.bytes().zip(form.bytes()).all(|(byte, form)| match form {
            b'0' => byte.is_ascii_digit(),
            b'T' => byte == b'T' || byte == b' ',
            form => byte == form,
        })
}

fn number(text: &str) -> Option<u16> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let end = digits.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
    // A number that begins with zeros is a code.
    if end == 0 || (digits.starts_with('0') && end > 1) {
        return None;
    }
    if end == digits.len() {
        return match text.parse::<i64>() {
            Ok(_) => Some(INT),
            Err(_) => (end <= 38).then_some(BIG),
        };
    }
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'));
    (plain && text.parse::<f64>().is_ok_and(f64::is_finite)).then_some(FLOAT)
}

fn time(text: &str) -> Option<u16> {
    if has_form(text, "0000-00-00") {
        return text.parse::<jiff::civil::Date>().is_ok().then_some(DATE);
    }
    let (moment, rest) = text.split_at_checked(19)?;
    if !has_form(moment, "0000-00-00T00:00:00") {
        return None;
    }
    let digits = rest.strip_prefix('.').map_or(0, |part| part.bytes().take_while(u8::is_ascii_digit).count());
    if digits > 6 {
        return None;
    }
    if rest.len() == digits + usize::from(digits > 0) {
        return text.parse::<jiff::civil::DateTime>().is_ok().then_some(LOCAL);
    }
    text.parse::<jiff::Timestamp>().is_ok().then_some(ZONED)
}

impl Inferred {
    /// What a field of CSV looks like.
    pub fn see_text(&mut self, text: &str) {
        // What was seen to be text stays so.
        if self.0 & TEXT == 0 {
            self.0 |= match text {
                "true" | "false" | "True" | "False" | "TRUE" | "FALSE" => BOOL,
                text => number(text).or_else(|| time(text)).unwrap_or(TEXT),
            };
        }
    }

    /// What a value of JSON is.
    pub fn see_json(&mut self, value: &str) {
        self.0 |= JSON
            | match value.as_bytes().first() {
                Some(b'n') | None => 0,
                Some(b't' | b'f') => BOOL,
                Some(b'"') => TEXT,
                Some(b'[' | b'{') => NESTED,
                _ => number(value).unwrap_or(NESTED),
            };
    }

    /// What values of both look like.
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The type that all the values are of.
    pub fn kind(self) -> ColumnType {
        let json = self.0 & JSON != 0;
        let kind = match self.0 & !JSON {
            BOOL => DataType::Boolean,
            INT => DataType::Int64,
            seen if seen & !(INT | BIG) == 0 && seen != 0 => DataType::Decimal128(38, 0),
            seen if seen & !(INT | FLOAT) == 0 && seen != 0 => DataType::Float64,
            DATE => DataType::Date32,
            seen if seen & !(DATE | LOCAL) == 0 && seen != 0 => DataType::Timestamp(TimeUnit::Microsecond, None),
            ZONED => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            TEXT | 0 => DataType::Utf8,
            _ if json => return ColumnType::of(Extension::Json),
            _ => DataType::Utf8,
        };
        ColumnType::plain(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_look_like_types() {
        for (texts, expected) in [
            (&["1", "-2"][..], "int64"),
            (&["1", "2.5", "-1e3"], "float64"),
            (&["007"], "utf8"),
            (&["0", "0.5"], "float64"),
            (&["18446744073709551615", "1"], "decimal128(38, 0)"),
            (&["18446744073709551615", "1.5"], "utf8"),
            (&["true", "False"], "bool"),
            (&["true", "1"], "utf8"),
            (&["2026-11-21"], "date32"),
            (&["2026-02-30"], "utf8"),
            (&["2026-11-21", "2026-11-21 08:00:00"], "timestamp[us]"),
            (&["2026-11-21T08:00:00.123456"], "timestamp[us]"),
            (&["2026-11-21T08:00:00.1234567"], "utf8"),
            (&["2026-11-21T08:00:00.5Z", "2026-11-21 08:00:00+02:00"], "timestamp[us, UTC]"),
            (&["2026-11-21T08:00:00Z", "2026-11-21T08:00:00"], "utf8"),
            (&["NaN"], "utf8"),
            (&["-"], "utf8"),
            (&[], "utf8"),
        ] {
            let mut seen = Inferred::default();
            texts.iter().for_each(|text| seen.see_text(text));
            assert_eq!(seen.kind().name(), expected, "{texts:?}");
        }
        for (values, expected) in [
            (&["1", "null"][..], "int64"),
            (&["\"2026-11-21\""], "utf8"),
            (&["{}", "[1]"], "json"),
            (&["1", "\"1\""], "json"),
            (&["1", "1.5"], "float64"),
            (&["null"], "utf8"),
        ] {
            let mut seen = Inferred::default();
            values.iter().for_each(|value| seen.see_json(value));
            assert_eq!(seen.kind().name(), expected, "{values:?}");
        }
    }
}
