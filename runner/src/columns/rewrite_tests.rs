//! Tests of the rewriting of JSON text: cases by hand, and random texts beside a slow and simple rewriter.

#![allow(clippy::unwrap_used)]

use secrecy::SecretString;
use serde_json::{Value, json};

use super::super::path::Target;
use super::*;

fn steps(path: &str) -> Vec<Step> {
    Target::parse(&format!("column{path}")).unwrap().steps
}

fn hasher() -> Hasher {
    Hasher::new(&SecretString::from("0123456789abcdef")).unwrap()
}

fn rewritten(paths: &[(&str, Act)], text: &str) -> String {
    let mut rewrite = Rewrite::default();
    for (path, act) in paths {
        rewrite.add(steps(path), *act);
    }
    let mut out = b"before".to_vec();
    rewrite.apply(text.as_bytes(), Some(&hasher()), &mut Vec::new(), &mut out);
    let out = String::from_utf8(out).unwrap();
    out.strip_prefix("before").unwrap().to_owned()
}

fn redacted_at(path: &str, text: &str) -> String {
    rewritten(&[(path, Act::Redact)], text)
}

fn hex(text: &str) -> String {
    let mut out = Vec::new();
    hasher().hex(text.as_bytes(), &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn values_are_redacted_in_place() {
    const R: &str = "\"[redacted]\"";
    for (path, text, expected) in [
        (".a", r#"{"a":1}"#, r#"{"a":R}"#),
        (".a", r#" { "a" : 1 , "b" : 1.50 } "#, r#" { "a" : R , "b" : 1.50 } "#),
        (".a", r#"{"a":{"b":[1,"]}"]},"c":2}"#, r#"{"a":R,"c":2}"#),
        (".a", r#"{"a":null}"#, r#"{"a":null}"#),
        (".a", r#"{"b":1}"#, r#"{"b":1}"#),
        (".a", r#"{}"#, r#"{}"#),
        (".a", r#"[]"#, r#"[]"#),
        (".a", r#""a""#, r#""a""#),
        (".a", r#"12"#, r#"12"#),
        (".a", r#"{"a":1,"a":2}"#, r#"{"a":R,"a":R}"#),
        (".a", r#"{"\u0061":1,"\"a":2}"#, r#"{"\u0061":R,"\"a":2}"#),
        (".\"a\\\"b\"", r#"{"a\"b":1,"a":2}"#, r#"{"a\"b":R,"a":2}"#),
        (".\"a.b\"", r#"{"a.b":1,"a":{"b":2}}"#, r#"{"a.b":R,"a":{"b":2}}"#),
        (".a.b", r#"{"a.b":1,"a":{"b":2,"c":"\"}"}}"#, r#"{"a.b":1,"a":{"b":R,"c":"\"}"}}"#),
        (".a.b", r#"{"a":[{"b":1},{"c":1},[{"b":2}]]}"#, r#"{"a":[{"b":R},{"c":1},[{"b":R}]]}"#),
        (".a[*].b", r#"{"a":[{"b":1},{"b":2},3]}"#, r#"{"a":[{"b":R},{"b":R},3]}"#),
        (".a[*].b", r#"{"a":{"b":1}}"#, r#"{"a":{"b":R}}"#),
        (".a[1]", r#"{"a":[1,2,3]}"#, r#"{"a":[1,R,3]}"#),
        (".a[0]", r#"{"a":[1,2]}"#, r#"{"a":[R,2]}"#),
        (".a[0]", r#"{"a":"x"}"#, r#"{"a":R}"#),
        (".a[1]", r#"{"a":"x"}"#, r#"{"a":"x"}"#),
        ("[*]", r#"[1,{"a":2},null]"#, r#"[R,R,null]"#),
        ("[*][*]", r#"[[1,2],3]"#, r#"[[R,R],R]"#),
        (".*", r#"{"a":1,"b":{"c":2}}"#, r#"{"a":R,"b":R}"#),
        (".*.c", r#"{"a":1,"b":{"c":2}}"#, r#"{"a":1,"b":{"c":R}}"#),
        (".secret_*", r#"{"secret_a":1,"a_secret_":2}"#, r#"{"secret_a":R,"a_secret_":2}"#),
        ("..p", r#"{"p":1,"a":{"p":{"p":2}},"b":[[{"p":3}]]}"#, r#"{"p":R,"a":{"p":R},"b":[[{"p":R}]]}"#),
        (".a..p", r#"{"p":1,"a":{"b":{"p":2}}}"#, r#"{"p":1,"a":{"b":{"p":R}}}"#),
        (".größe", r#"{"größe":"ü"}"#, r#"{"größe":R}"#),
        (".a", "{\"a\":\"x\\\\\"}\n", "{\"a\":R}\n"),
    ] {
        assert_eq!(redacted_at(path, text), expected.replace('R', R), "{path} in {text}");
    }
}

#[test]
fn hashes_are_of_what_is_meant() {
    let hashed = |text: &str| rewritten(&[(".a", Act::Hash)], text);
    assert_eq!(hashed(r#"{"a":"x\"\u00e9"}"#), format!("{{\"a\":\"{}\"}}", hex("x\"é")));
    assert_eq!(hashed(r#"{"a":1.50}"#), format!("{{\"a\":\"{}\"}}", hex("1.50")));
    assert_eq!(hashed(r#"{"a":{"b": 1}}"#), format!("{{\"a\":\"{}\"}}", hex("{\"b\": 1}")));
    assert_eq!(hashed(r#"{"a":null}"#), r#"{"a":null}"#);
    let both = [(".a", Act::Hash), (".*", Act::Redact)];
    assert_eq!(rewritten(&both, r#"{"a":1}"#), r#"{"a":"[redacted]"}"#, "to redact is more than to hash");
}

#[test]
fn what_is_no_json_is_gone() {
    for text in [
        "",
        " ",
        "{",
        "[",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,",
        "{\"a\":1,}",
        "{a:1}",
        "{\"a\" 1}",
        "[1",
        "[1,",
        "[1 2]",
        "\"a",
        "\"a\\",
        "{\"a\":1}}",
        "{\"a\":1} x",
        "{\"b\":[}",
        "\u{1}",
        "{\"a\":\"\\",
        "{\"\\ud800\":1}",
    ] {
        assert_eq!(redacted_at(".a", text), "\"[redacted]\"", "{text:?}");
    }
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(redacted_at("..a", &deep), "\"[redacted]\"", "deeper than is looked into");
    assert_eq!(redacted_at("[*][0]", &deep).len(), "[[\"[redacted]\"]]".len());
}

/// What [`Rewrite`] does, the slow way: a redacted value is `true`.
fn slow(value: &mut Value, steps: &[Step]) {
    let Some((step, rest)) = steps.split_first() else {
        if !value.is_null() {
            *value = Value::from(true);
        }
        return;
    };
    match (step, value) {
        (Step::Key(name), Value::Object(members)) => {
            members.iter_mut().filter(|(key, _)| name.fits(key)).for_each(|(_, value)| slow(value, rest));
        }
        (Step::Key(_), Value::Array(items)) => items.iter_mut().for_each(|item| slow(item, steps)),
        (Step::Key(_), _) => {}
        (Step::Items, Value::Array(items)) => items.iter_mut().for_each(|item| slow(item, rest)),
        (Step::Item(at), Value::Array(items)) => items.iter_mut().skip(*at).take(1).for_each(|item| slow(item, rest)),
        (Step::Items | Step::Item(0), value) => slow(value, rest),
        (Step::Item(_), _) => {}
        (Step::Below, value) => {
            // Below first: what is redacted here has nothing below it any more.
            match &mut *value {
                Value::Object(members) => members.values_mut().for_each(|value| slow(value, steps)),
                Value::Array(items) => items.iter_mut().for_each(|item| slow(item, steps)),
                _ => {}
            }
            slow(value, rest);
        }
    }
}

fn random_value(random: &mut fastrand::Rng, depth: usize) -> Value {
    let keys = ["a", "b", "c", "a b", "\"", "\\", "é", "\u{1F600}"];
    match random.usize(0..if depth == 0 { 5 } else { 9 }) {
        0 => Value::Null,
        1 => json!(random.i64(-1000..1000)),
        2 => json!(random.i32(..) as f64 / 8.0),
        3 => json!(keys[random.usize(0..keys.len())].repeat(random.usize(0..4))),
        4 => json!("]}[{,:\""),
        5 | 6 => (0..random.usize(0..4)).map(|_| random_value(random, depth - 1)).collect(),
        _ => {
            let member = |random: &mut fastrand::Rng| {
                (keys[random.usize(0..keys.len())].to_owned(), random_value(random, depth - 1))
            };
            (0..random.usize(0..5)).map(|_| member(random)).collect::<serde_json::Map<_, _>>().into()
        }
    }
}

#[test]
fn random_texts_are_rewritten_as_by_the_slow_rewriter() {
    let parts = [".a", ".b", ".c", ".*", "[*]", "[0]", "[1]", "..a", "..b", ".\"a b\"", ".\"\\\"\"", ".é"];
    let seed = 20_261_121;
    let mut random = fastrand::Rng::with_seed(seed);
    let mut changed = 0;
    for round in 0..20_000 {
        let value = random_value(&mut random, 5);
        let text = match round % 2 {
            0 => value.to_string(),
            _ => serde_json::to_string_pretty(&value).unwrap(),
        };
        let path: String = (0..random.usize(1..4)).map(|_| parts[random.usize(0..parts.len())]).collect();
        let mut expected = value.clone();
        slow(&mut expected, &steps(&path));
        let found: Value = serde_json::from_str(&redacted_at(&path, &text)).unwrap();
        let expected = expected.to_string().replace("true", "\"[redacted]\"");
        assert_eq!(found.to_string(), expected, "seed {seed}, round {round}: {path} in {text}");
        changed += usize::from(found != value);
    }
    assert!(changed > 1_000, "only {changed} of the texts had anything to redact");
}

#[test]
fn random_rubbish_is_no_trouble() {
    let mut random = fastrand::Rng::with_seed(7);
    let alphabet = b"{}[]:,\"\\ab01 \n-.enull";
    for _ in 0..50_000 {
        let text: Vec<u8> = (0..random.usize(0..24)).map(|_| alphabet[random.usize(0..alphabet.len())]).collect();
        let text = String::from_utf8(text).unwrap();
        let out = redacted_at("..a", &text);
        // Whatever is JSON stays JSON; what is not may get through only where nothing in it could be meant.
        if serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok() {
            assert!(serde_json::from_str::<serde::de::IgnoredAny>(&out).is_ok(), "{text:?} became {out:?}");
        }
        let _ = find(text.as_bytes(), &steps(".a[0].b"));
    }
}

#[test]
fn values_are_found() {
    let text = r#" {"a":{"b":["x\"y",2.50,true,null,{"c":1}]},"z":"" } "#;
    let found = |path: &str| {
        let mut out = Vec::new();
        let is_there = find(text.as_bytes(), &steps(path)).unwrap().write_text(&mut out).unwrap();
        is_there.then(|| String::from_utf8(out).unwrap())
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(found(".a.b[0]"), some("x\"y"));
    assert_eq!(found(".a.b[1]"), some("2.50"));
    assert_eq!(found(".a.b[2]"), some("true"));
    assert_eq!(found(".a.b[3]"), None);
    assert_eq!(found(".a.b[4]"), some("{\"c\":1}"));
    assert_eq!(found(".a.b[4].c"), some("1"));
    assert_eq!(found(".a.b[5]"), None);
    assert_eq!(found(".z"), some(""));
    assert_eq!(found(".z[0]"), some(""));
    assert_eq!(found(".z.a"), None);
    assert_eq!(found(".y"), None);
    assert_eq!(find(b"{\"a\"", &steps(".a")), Err(NotJson));
}
