//! One mistake found while a struct is read, before it is known where it stands and whether it may be shown.

use std::fmt;

use headwater_sdk::text::nearest;
use serde::de::{self, Expected, Unexpected};

use super::diagnostic::Problem;
use super::parse::Node;
use super::text::Span;

/// What is wrong, in serde's terms.
#[derive(Debug)]
pub enum Kind {
    /// A value of another kind than is asked for.
    Invalid { found: Found, expected: String },
    /// A key that the struct does not have.
    UnknownKey { name: String, known: &'static [&'static str] },
    /// A word that is not one of those allowed.
    UnknownWord { name: String, known: &'static [&'static str] },
    /// A key without which the struct cannot be.
    Missing(&'static str),
    /// What the type itself says.
    Custom(String),
}

/// What was found instead.
#[derive(Debug)]
pub enum Found {
    /// A description that gives nothing away, such as `a list`.
    Described(&'static str),
    /// The value itself: what it is and its text.
    Value(&'static str, String),
}

/// Where a mistake stands, and what may be shown of it.
#[derive(Debug)]
pub struct Place {
    /// Where the key or value stands.
    pub span: Span,
    /// The node without which the rest can still be read.
    pub id: Option<usize>,
    /// Whether the value must not be shown.
    pub secret: bool,
    /// What may be shown in its stead.
    pub written: Option<String>,
    /// Whether the mistake is only the consequence of one that is known.
    pub consequence: bool,
}

/// One mistake.
#[derive(Debug)]
pub struct Failure {
    /// What is wrong.
    pub kind: Kind,
    /// Where, once that is known.
    pub place: Option<Box<Place>>,
}

impl Failure {
    /// A mistake whose place is not known yet.
    pub fn new(kind: Kind) -> Self {
        Self { kind, place: None }
    }

    /// The mistake as it is shown. `what` names the struct, such as `this source`.
    pub fn problem(&self, owner: Span, what: &str) -> Problem {
        let (span, secret, written) = match &self.place {
            Some(place) => (place.span, place.secret, place.written.as_deref()),
            None => (owner, true, None),
        };
        let value = |text: &str| match (secret, written) {
            (true, Some(written)) => format!("the value of `{written}`"),
            (true, None) => "the value (not shown, as it may be a secret)".to_owned(),
            (false, _) => format!("`{text}`"),
        };
        match &self.kind {
            Kind::Invalid { found, expected } => {
                let expected = plain_words(expected);
                let message = match found {
                    Found::Described(found) => format!("expected {expected}, found {found}"),
                    Found::Value(_, text) if secret => format!("{} is not {expected}", value(text)),
                    Found::Value(kind, text) => format!("expected {expected}, found {kind} `{text}`"),
                };
                let problem = Problem::new(span, message);
                match found {
                    Found::Value(_, text) if expected == "a list" && !secret => {
                        problem.help(format!("write it as a list: [\"{text}\"]"))
                    }
                    _ => problem,
                }
            }
            Kind::UnknownKey { name, known } => unknown_key(name, known, span),
            Kind::UnknownWord { name, known } if secret => {
                Problem::new(span, format!("{} is not one of {}", value(name), list(known)))
            }
            Kind::UnknownWord { name, known } => unknown("value", &format!("`{name}`"), name, known, span),
            Kind::Missing(key) => missing(span, key, what),
            Kind::Custom(_) if secret => Problem::new(span, format!("{} is not accepted here", value(""))),
            Kind::Custom(message) => Problem::new(span, message.clone()),
        }
    }
}

/// Makes one problem of all keys that must be there and are not.
pub fn missing_keys(node: &Node, owner: Span, keys: &[&str], what: &str, problems: &mut Vec<Problem>) {
    let absent = |key: &&str| node.entry(key).is_none() && !is_misspelt(key, problems);
    let absent: Vec<&str> = keys.iter().copied().filter(absent).collect();
    problems.retain(|problem| !absent.iter().any(|key| *problem == missing(owner, key, what)));
    match absent.as_slice() {
        [] => {}
        [one] => problems.push(missing(owner, one, what)),
        several => problems.push(Problem::new(owner, format!("the keys {} are missing in {what}", list(several)))),
    }
}

/// Whether a key is missing only because it is misspelt, which is a known problem.
pub fn is_misspelt(key: &str, problems: &[Problem]) -> bool {
    let help = Problem::new(Span::default(), "").nearest(Some(key)).help;
    problems.iter().any(|problem| problem.help == help)
}

/// A key that must be there is not.
pub fn missing(span: Span, key: &str, what: &str) -> Problem {
    Problem::new(span, format!("the key `{key}` is missing in {what}"))
}

/// A key that is not known. What stands behind it is not shown.
pub fn unknown_key(name: &str, known: &[&str], span: Span) -> Problem {
    Problem { unknown_key: true, ..unknown("key", &format!("`{name}`"), name, known, span) }
}

/// A name that is not known, with the nearest one that is, or all of them where there are few.
pub fn unknown(noun: &str, shown: &str, name: &str, known: &[&str], span: Span) -> Problem {
    let problem = Problem::new(span, format!("unknown {noun} {shown}"));
    match nearest(name, known.iter().copied()) {
        Some(nearest) => problem.nearest(Some(nearest)),
        None if known.is_empty() => problem.help("there are no keys here"),
        None => problem.help(format!("known are {}", list(known))),
    }
}

fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// What a Rust type is called by someone who writes YAML.
fn plain_words(expected: &str) -> String {
    let range = |least: i128, most: i128| format!("a whole number from {least} to {most}");
    let (base, least) = match expected.strip_prefix("a nonzero ") {
        Some(base) => (base, 1),
        None => (expected, 0),
    };
    match base {
        "u8" => range(least, u8::MAX.into()),
        "u16" => range(least, u16::MAX.into()),
        "u32" => range(least, u32::MAX.into()),
        "u64" | "usize" if least == 1 => "a whole number above 0".to_owned(),
        "u64" | "usize" => "a whole number that is not negative".to_owned(),
        "i8" => range(i8::MIN.into(), i8::MAX.into()),
        "i16" => range(i16::MIN.into(), i16::MAX.into()),
        "i32" => range(i32::MIN.into(), i32::MAX.into()),
        "i64" | "isize" => "a whole number".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "a string" | "str" => "text".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a map" => "keys and values".to_owned(),
        _ if base.starts_with("struct ") => "keys and values".to_owned(),
        _ => expected.to_owned(),
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem(Span::default(), "this place").message)
    }
}

impl std::error::Error for Failure {}

impl de::Error for Failure {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(Kind::Custom(message.to_string()))
    }
    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let found = match found {
            Unexpected::Bool(value) => Found::Value("the truth value", value.to_string()),
            Unexpected::Unsigned(value) => Found::Value("the number", value.to_string()),
            Unexpected::Signed(value) => Found::Value("the number", value.to_string()),
            Unexpected::Float(value) => Found::Value("the number", value.to_string()),
            Unexpected::Char(value) => Found::Value("the text", value.to_string()),
            Unexpected::Str(value) => Found::Value("the text", value.to_owned()),
            Unexpected::Unit | Unexpected::Option => Found::Described("nothing"),
            Unexpected::Seq => Found::Described("a list"),
            Unexpected::Map => Found::Described("keys and values"),
            _ => Found::Described("something else"),
        };
        Self::new(Kind::Invalid { found, expected: expected.to_string() })
    }
    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }
    fn unknown_field(name: &str, known: &'static [&'static str]) -> Self {
        Self::new(Kind::UnknownKey { name: name.to_owned(), known })
    }
    fn unknown_variant(name: &str, known: &'static [&'static str]) -> Self {
        Self::new(Kind::UnknownWord { name: name.to_owned(), known })
    }
    fn missing_field(key: &'static str) -> Self {
        Self::new(Kind::Missing(key))
    }
}
