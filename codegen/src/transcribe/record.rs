//! Record structs and unions, and the conversions from the client's own types.

use std::fmt::Write;

use super::Transcript;
use crate::names::{folded, pascal};
use crate::smithy::{Kind, Member, Shape};

/// Words that Rust keeps for itself and that APIs use as names.
const KEYWORDS: [&str; 12] =
    ["type", "match", "ref", "static", "mod", "move", "use", "where", "final", "in", "loop", "virtual"];

/// Names of Rust's prelude and of the contract crate that a transcribed struct must not take.
const TAKEN: [&str; 12] =
    ["Option", "Vec", "String", "Box", "From", "Some", "None", "Ok", "Err", "Result", "Service", "Enum"];

/// The name of the struct that a shape becomes.
pub fn type_name(shape: &str) -> String {
    if TAKEN.contains(&shape) { format!("{shape}Record") } else { shape.to_owned() }
}

/// A member's name as a Rust identifier.
fn ident(name: &str) -> String {
    match name {
        "self" => "self_".to_owned(),
        name if KEYWORDS.contains(&name) => format!("r#{name}"),
        name => name.to_owned(),
    }
}

/// A kind as a Rust type of the transcription.
pub fn rust_type(kind: &Kind) -> String {
    match kind {
        Kind::Scalar(name) => name.clone(),
        Kind::Enum(name) => format!("Enum<CLIENT::types::{name}>"),
        Kind::Shape(name) => type_name(name),
        Kind::Timestamp => "Timestamp".to_owned(),
        Kind::Blob => "Binary".to_owned(),
        Kind::Document => "RawJson".to_owned(),
        Kind::List(inner) => format!("Vec<{}>", rust_type(inner)),
        Kind::Map(_, inner) => format!("HashMap<String, {}>", rust_type(inner)),
        Kind::Optional(inner) => format!("Option<{}>", rust_type(inner)),
        Kind::Boxed(inner) => format!("Box<{}>", rust_type(inner)),
        Kind::Other(name) => name.clone(),
    }
}

/// The function that turns the client's value into the record's, or nothing where they are the same.
fn conversion(kind: &Kind) -> Option<String> {
    match kind {
        Kind::Scalar(_) | Kind::Other(_) => None,
        Kind::Enum(_) => Some("Enum".to_owned()),
        Kind::Shape(name) => Some(format!("{}::from", type_name(name))),
        Kind::Timestamp => Some("timestamp".to_owned()),
        Kind::Blob => Some("binary".to_owned()),
        Kind::Document => Some("document".to_owned()),
        Kind::List(inner) => conversion(inner).map(|each| format!("|items| items.into_iter().map({each}).collect()")),
        Kind::Map(enum_keys, inner) => {
            let key = if *enum_keys { "key.as_str().to_owned()" } else { "key" };
            let value = conversion(inner).map(|each| apply(&each, "value"));
            (*enum_keys || value.is_some()).then(|| {
                let value = value.as_deref().unwrap_or("value");
                format!("|items| items.into_iter().map(|(key, value)| ({key}, {value})).collect()")
            })
        }
        Kind::Optional(inner) => conversion(inner).map(|each| format!("|value| value.map({each})")),
        Kind::Boxed(inner) => conversion(inner).map(|each| format!("|value| Box::new({})", apply(&each, "*value"))),
    }
}

/// A call of a conversion; a closure is put in parentheses.
fn apply(conversion: &str, value: &str) -> String {
    if conversion.starts_with('|') { format!("({conversion})({value})") } else { format!("{conversion}({value})") }
}

/// A conversion of a struct's field, without a closure that is called on the spot where the field is optional or a
/// list.
fn convert(kind: &Kind, value: &str) -> String {
    match kind {
        Kind::Optional(inner) => match conversion(inner) {
            Some(each) => format!("{value}.map({each})"),
            None => value.to_owned(),
        },
        Kind::List(inner) => match conversion(inner) {
            Some(each) => format!("{value}.into_iter().map({each}).collect()"),
            None => value.to_owned(),
        },
        kind => match conversion(kind) {
            Some(conversion) => apply(&conversion, value),
            None => value.to_owned(),
        },
    }
}

/// Whether a member can be stored.
fn storable(kind: &Kind) -> bool {
    match kind {
        Kind::Other(_) => false,
        Kind::List(inner) | Kind::Map(_, inner) | Kind::Optional(inner) | Kind::Boxed(inner) => storable(inner),
        Kind::Scalar(_) | Kind::Enum(_) | Kind::Shape(_) | Kind::Timestamp | Kind::Blob | Kind::Document => true,
    }
}

fn doc(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("#[doc = {:?}]\n", format!(" {text}")) }
}

/// The text of a shape's struct or enum with its conversion.
pub fn structure(transcript: &Transcript<'_>, shape: &Shape) -> String {
    let text = if shape.union { union(shape) } else { record(transcript, shape) };
    text.replace("CLIENT::", &format!("{}::", transcript.client.source.name))
}

fn record(transcript: &Transcript<'_>, shape: &Shape) -> String {
    let name = type_name(&shape.name);
    let (mut fields, mut values) = (String::new(), String::new());
    let mut left_out = Vec::new();
    for member in &shape.members {
        let Some(kind) = member.kind.as_ref().filter(|kind| storable(kind)) else {
            left_out.push(format!("`{}`", member.name));
            continue;
        };
        let from = format!("value.{}", ident(&member.name));
        fields.push_str(&doc(&member.doc));
        if let Some(item) = transcript.tag_item(shape, &member.name, kind) {
            let item_name = type_name(&item.name);
            let (ty, made) = match kind {
                Kind::Optional(_) => (
                    format!("Option<KeyValues<{item_name}>>"),
                    format!("{from}.map(|items| KeyValues(items.into_iter().map({item_name}::from).collect()))"),
                ),
                _ => (
                    format!("KeyValues<{item_name}>"),
                    format!("KeyValues({from}.into_iter().map({item_name}::from).collect())"),
                ),
            };
            let _ = writeln!(fields, "pub tags: {ty},");
            let _ = writeln!(values, "tags: {made},");
            continue;
        }
        let column = transcript.column_name(shape, &member.name);
        fields.push_str(&attribute(member, column));
        let _ = writeln!(fields, "pub {}: {},", ident(column), rust_type(kind));
        let _ = writeln!(values, "{}: {},", ident(column), convert(kind, &from));
    }
    let mut text = doc(&shape.doc);
    if shape.doc.is_empty() {
        text.push_str(&doc(&format!("`{}`.", shape.name)));
    }
    if !left_out.is_empty() {
        text.push_str("#[doc = \"\"]\n");
        text.push_str(&doc(&format!("Left out, because they are no values: {}.", left_out.join(", "))));
    }
    let value = if values.is_empty() { "_" } else { "value" };
    let _ = write!(
        text,
        "#[derive(Clone, Record)]\n#[record(rename_all = \"PascalCase\")]\npub struct {name} {{\n{fields}}}\n\
         impl From<{path}> for {name} {{\nfn from({value}: {path}) -> Self {{\nSelf {{\n{values}}}\n}}\n}}\n",
        path = shape.path,
    );
    // A tag type may serve several rows; its impl belongs to its own struct and is written there.
    if transcript.is_tag(&shape.name) {
        text.push_str(&key_value(shape));
    }
    text
}

impl Transcript<'_> {
    /// The name of a member's column: a row's own ARN is called `arn`, whatever the API calls it.
    fn column_name<'m>(&self, shape: &Shape, member: &'m str) -> &'m str {
        let own_arn = self.rows.contains(&shape.name)
            && !shape.members.iter().any(|other| other.name == "arn")
            && member.strip_suffix("_arn").is_some_and(|noun| {
                // Some types repeat the service's name, as `Ec2InstanceConnectEndpoint` does.
                [shape.name.as_str(), shape.name.trim_start_matches("Ec2")]
                    .iter()
                    .any(|name| folded(name) == folded(noun))
            });
        if own_arn { "arn" } else { member }
    }

    /// Whether a shape is the item of some row's tags.
    fn is_tag(&self, name: &str) -> bool {
        self.shapes.values().any(|shape| {
            shape.members.iter().any(|member| {
                let item = member.kind.as_ref().and_then(|kind| self.tag_item(shape, &member.name, kind));
                item.is_some_and(|item| item.name == name)
            })
        })
    }
}

fn key_value(shape: &Shape) -> String {
    let name = type_name(&shape.name);
    let body = |ends: &str| {
        shape.members.iter().find(|member| member.name.ends_with(ends)).map_or_else(String::new, |member| {
            let field = ident(&member.name);
            match &member.kind {
                Some(Kind::Optional(_)) => format!("self.{field}.as_deref()"),
                _ => format!("Some(&self.{field})"),
            }
        })
    };
    format!(
        "impl KeyValue for {name} {{\nfn key(&self) -> Option<&str> {{ {} }}\nfn value(&self) -> Option<&str> {{ {} }}\n}}\n",
        body("key"),
        body("value")
    )
}

/// What the record's derive must be told of a field.
fn attribute(member: &Member, column: &str) -> String {
    let mut words = Vec::new();
    if member.api_name != pascal(column) {
        words.push(format!("rename = {:?}", member.api_name));
    }
    if member.sensitive {
        words.push("sensitive".to_owned());
    }
    if words.is_empty() { String::new() } else { format!("#[record({})]\n", words.join(", ")) }
}

fn union(shape: &Shape) -> String {
    let name = type_name(&shape.name);
    let path = &shape.path;
    let (mut variants, mut arms) = (String::new(), String::new());
    for member in &shape.members {
        let variant = &member.name;
        match member.kind.as_ref().filter(|kind| storable(kind)) {
            Some(kind) => {
                variants.push_str(&doc(&member.doc));
                let _ = writeln!(variants, "{variant}({}),", rust_type(kind));
                let _ = writeln!(arms, "{path}::{variant}(value) => Self::{variant}({}),", convert(kind, "value"));
            }
            None => {
                let _ = writeln!(variants, "{variant},");
                let _ = writeln!(arms, "{path}::{variant} {{ .. }} => Self::{variant},");
            }
        }
    }
    format!(
        "{}#[derive(Clone, Record)]\npub enum {name} {{\n{variants}/// A variant that this version does not know.\nUnknown,\n}}\n\
         impl From<{path}> for {name} {{\nfn from(value: {path}) -> Self {{\nmatch value {{\n{arms}_ => Self::Unknown,\n}}\n}}\n}}\n",
        doc(&shape.doc)
    )
}
