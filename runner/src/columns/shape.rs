//! Paths beside the documented shape of a JSON column, so that a misspelt key is found when the configuration is read.

use headwater_sdk::text::nearest;
use serde_json::Value;

use super::change::Nowhere;
use super::path::{Name, Step};

/// Whether a path leads somewhere in a shape. What a shape leaves open may be there.
pub fn check(shape: &Value, steps: &[Step]) -> Result<(), Nowhere> {
    let Some((step, rest)) = steps.split_first() else { return Ok(()) };
    match (shape, step) {
        (Value::Array(items), Step::Items | Step::Item(_)) => check_all(items.iter(), rest),
        (Value::Array(items), Step::Key(_) | Step::Below) => check_all(items.iter(), steps),
        (Value::String(kind), _) if ["any", "json"].contains(&kind.as_str()) => Ok(()),
        (_, Step::Items | Step::Item(0)) => check(shape, rest),
        (Value::Object(members), Step::Key(name)) => {
            let fitting: Vec<&Value> = fitting(members, name);
            if fitting.is_empty() {
                let message = format!("there is no key `{}`", name.text);
                return Err(Nowhere::new(message).nearest(nearest_key(members, name)));
            }
            check_all(fitting.into_iter(), rest)
        }
        (Value::Object(members), Step::Below) => {
            check(shape, rest).or_else(|first| check_all(members.values(), steps).map_err(|_| first))
        }
        (Value::String(kind), Step::Key(_) | Step::Below) => {
            Err(Nowhere::new(format!("there is nothing within a {kind}")))
        }
        (Value::Object(_) | Value::String(_), Step::Item(_)) => Err(Nowhere::new("there is no list of items")),
        _ => Ok(()),
    }
}

/// Whether any of several shapes has the path; else what is wrong with the first of them.
fn check_all<'a>(mut shapes: impl Iterator<Item = &'a Value>, steps: &[Step]) -> Result<(), Nowhere> {
    let Some(first) = shapes.next() else { return Ok(()) };
    check(first, steps).or_else(|wrong| match shapes.any(|shape| check(shape, steps).is_ok()) {
        true => Ok(()),
        false => Err(wrong),
    })
}

/// The shape of the values of a map, whose keys are anything.
fn of_map(members: &serde_json::Map<String, Value>) -> Option<&Value> {
    members.get("*").filter(|_| members.len() == 1)
}

fn fitting<'a>(members: &'a serde_json::Map<String, Value>, name: &Name) -> Vec<&'a Value> {
    match of_map(members) {
        Some(values) => vec![values],
        None => members.iter().filter(|(key, _)| name.fits(key)).map(|(_, shape)| shape).collect(),
    }
}

fn nearest_key<'a>(members: &'a serde_json::Map<String, Value>, name: &Name) -> Option<&'a str> {
    // In another case it is the same word, however short it is.
    let same = members.keys().find(|key| key.eq_ignore_ascii_case(&name.text)).map(String::as_str);
    same.or_else(|| nearest(&name.text, members.keys().map(String::as_str)))
}

/// Notes in a shape that texts stand at the end of a path. A map is left as it is where only some of its keys are
/// meant.
pub fn mark(shape: &mut Value, steps: &[Step]) {
    let Some((step, rest)) = steps.split_first() else {
        *shape = Value::from("utf8");
        return;
    };
    match (shape, step) {
        (Value::Array(items), Step::Items) => items.iter_mut().for_each(|item| mark(item, rest)),
        (Value::Array(items), Step::Key(_) | Step::Below) => items.iter_mut().for_each(|item| mark(item, steps)),
        (Value::Array(_), Step::Item(_)) => {}
        (shape, Step::Items | Step::Item(0)) => mark(shape, rest),
        (Value::Object(members), Step::Key(name)) => {
            let all = of_map(members).is_some();
            for (key, shape) in members.iter_mut() {
                if if all { name.pattern && name.text == "*" } else { name.fits(key) } {
                    mark(shape, rest);
                }
            }
        }
        (shape @ Value::Object(_), Step::Below) => {
            if let Value::Object(members) = shape {
                members.values_mut().for_each(|shape| mark(shape, steps));
            }
            mark(shape, rest);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::path::Target;
    use super::*;
    use serde_json::json;

    fn shape() -> Value {
        json!({
            "Name": "utf8",
            "Tunnels": [{ "Key": "utf8", "Size": "int32" }],
            "Tags": { "*": "utf8" },
            "Inner": { "Deep": "any", "Raw": "json", "Other": { "Key": "bool" } },
        })
    }

    fn checked(path: &str) -> Result<(), Nowhere> {
        check(&shape(), &Target::parse(&format!("c{path}")).unwrap().steps)
    }

    #[test]
    fn paths_are_checked() {
        for path in [
            ".Name",
            ".Tunnels",
            ".Tunnels[*].Key",
            ".Tunnels.Key",
            ".Tunnels[3].Size",
            ".Tags.anything",
            ".Tags.*",
            ".Inner.Deep.what[*].ever",
            ".Inner.Raw..x",
            "..Key",
            ".N*",
            ".Name[*]",
            "[*].Name",
            ".Inner[0].Other.Key",
            ".*.Key",
        ] {
            assert_eq!(checked(path), Ok(()), "{path}");
        }
        let closed = json!({ "Name": "utf8", "Inner": [{ "Size": "int32" }] });
        let wrong = check(&closed, &Target::parse("c..Nmae").unwrap().steps).unwrap_err();
        assert_eq!((wrong.message.as_str(), wrong.nearest.as_deref()), ("there is no key `Nmae`", Some("Name")));
        assert_eq!(check(&closed, &Target::parse("c..Size").unwrap().steps), Ok(()));
        for (path, message, nearest) in [
            (".Nmae", "there is no key `Nmae`", Some("Name")),
            (".name", "there is no key `name`", Some("Name")),
            (".Tunnels[*].key", "there is no key `key`", Some("Key")),
            (".Zzz", "there is no key `Zzz`", None),
            (".Name.x", "there is nothing within a utf8", None),
            (".Tags.a.b", "there is nothing within a utf8", None),
            (".Inner[1]", "there is no list of items", None),
        ] {
            let wrong = checked(path).unwrap_err();
            assert_eq!((wrong.message.as_str(), wrong.nearest.as_deref()), (message, nearest), "{path}");
        }
    }

    #[test]
    fn what_is_changed_is_text() {
        let marked = |path: &str| {
            let mut shape = shape();
            mark(&mut shape, &Target::parse(&format!("c{path}")).unwrap().steps);
            shape
        };
        assert_eq!(marked(".Tunnels[*].Size")["Tunnels"], json!([{ "Key": "utf8", "Size": "utf8" }]));
        assert_eq!(marked(".Inner")["Inner"], json!("utf8"));
        assert_eq!(marked("..Key")["Inner"]["Other"], json!({ "Key": "utf8" }));
        assert_eq!(marked(".Tags.*")["Tags"], json!({ "*": "utf8" }));
        assert_eq!(marked(".Tunnels[1].Size"), shape());
    }
}
