//! A tree of the file into a typed struct, with all that is wrong in it found at once.
//!
//! Serde stops at the first mistake. So a mistake is noted, the key or item that it stands in is left out, and the
//! struct is read again, until nothing new comes up.

use std::collections::HashSet;

use serde::de::{
    self, DeserializeOwned, DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::diagnostic::Problem;
use super::failure::{Failure, Found, Kind, Place, is_misspelt};
use super::parse::{Entry, Node, Scalar, Value};
use super::scalar::Inferred;
use super::text::{Span, is_secret_key, is_secret_value};

/// More mistakes than this in one struct are not looked for.
const MOST_PROBLEMS: usize = 20;

/// Reads a node as a `T`. `owner` is the place of the key that leads to the node, and `what` names the struct in
/// messages, such as `this source`. Where there is no `T`, there is a problem.
pub fn decode<T: DeserializeOwned>(node: &Node, owner: Span, what: &str, problems: &mut Vec<Problem>) -> Option<T> {
    let mut left_out = HashSet::new();
    for _ in 0..MOST_PROBLEMS {
        let reader = Reader { node, owner, id: None, secret: false, left_out: &left_out };
        let failure = match T::deserialize(reader) {
            Ok(value) => return Some(value).filter(|_| left_out.is_empty()),
            Err(failure) => failure,
        };
        let problem = failure.problem(owner, what);
        let place = failure.place.as_ref();
        let misspelt = matches!(failure.kind, Kind::Missing(key) if is_misspelt(key, problems));
        if !misspelt && !place.is_some_and(|place| place.consequence) && !problems.contains(&problem) {
            problems.push(problem);
        }
        if !place.and_then(|place| place.id).is_some_and(|id| left_out.insert(id)) {
            break;
        }
    }
    None
}

/// Reads one node.
#[derive(Clone, Copy)]
struct Reader<'a> {
    node: &'a Node,
    /// The key that leads here.
    owner: Span,
    /// What can be left out when something is wrong here.
    id: Option<usize>,
    /// Whether the key that leads here says that its value is secret.
    secret: bool,
    left_out: &'a HashSet<usize>,
}

type Outcome<T> = Result<T, Failure>;

impl<'a> Reader<'a> {
    /// Notes where a mistake stands, unless that is known from further inside.
    fn locate<T>(&self, outcome: Outcome<T>) -> Outcome<T> {
        outcome.map_err(|failure| self.place(failure))
    }

    fn place(&self, mut failure: Failure) -> Failure {
        if failure.place.is_some() {
            return failure;
        }
        let missing = match failure.kind {
            Kind::Missing(key) => Some(key),
            _ => None,
        };
        if let Kind::Custom(message) = &mut failure.kind {
            hide_secrets(self.node, self.secret, message);
        }
        let scalar = match &self.node.value {
            Value::Scalar(scalar) => Some(scalar),
            _ => None,
        };
        failure.place = Some(Box::new(Place {
            span: if missing.is_some() || matches!(self.node.value, Value::Null) { self.owner } else { self.node.span },
            id: self.id,
            secret: scalar.is_some_and(|scalar| is_secret(scalar, self.secret)),
            written: scalar.and_then(|scalar| scalar.written.clone()),
            consequence: scalar.is_some_and(|scalar| scalar.broken)
                || missing.and_then(|key| self.node.get(key)).is_some_and(|value| self.left_out.contains(&value.id)),
        }));
        failure
    }

    fn of_entry(&self, entry: &'a Entry) -> Reader<'a> {
        Reader {
            node: &entry.value,
            owner: entry.span,
            id: Some(entry.value.id),
            secret: self.secret || is_secret_key(&entry.key),
            left_out: self.left_out,
        }
    }

    fn invalid<T>(&self, expected: &str) -> Outcome<T> {
        let found = match &self.node.value {
            Value::Null => Found::Described("nothing"),
            Value::Scalar(scalar) => Found::Value(scalar.kind(), scalar.text.clone()),
            Value::List(_) => Found::Described("a list"),
            Value::Map(_) => Found::Described("keys and values"),
        };
        Err(self.place(Failure::new(Kind::Invalid { found, expected: expected.to_owned() })))
    }

    fn scalar(&self, expected: &str) -> Outcome<&'a Scalar> {
        match &self.node.value {
            Value::Scalar(scalar) if !scalar.broken => Ok(scalar),
            _ => self.invalid(expected),
        }
    }

    fn list<V: Visitor<'static>>(&self, items: &'a [Node], visitor: V) -> Outcome<V::Value> {
        visitor.visit_seq(Items { reader: *self, items: items.iter() })
    }

    fn map<V: Visitor<'static>>(&self, entries: &'a [Entry], visitor: V) -> Outcome<V::Value> {
        visitor.visit_map(Entries { reader: *self, entries: entries.iter(), value: None })
    }
}

/// The place of a key that is wrong itself.
fn key_place(entry: &Entry) -> Place {
    Place { span: entry.span, id: Some(entry.value.id), secret: false, written: None, consequence: false }
}

/// Whether a scalar must not be shown.
fn is_secret(scalar: &Scalar, by_key: bool) -> bool {
    by_key || scalar.written.is_some() || is_secret_value(&scalar.text)
}

/// Takes the secret values below a node out of a message that a type has written. `by_key` says that the key which
/// leads to the node marks them as such.
pub fn hide_secrets(node: &Node, by_key: bool, message: &mut String) {
    node.scalars(by_key, &mut |_, scalar, by_key| {
        // Shorter texts are no secrets, and to replace them would spoil other words.
        if is_secret(scalar, by_key) && scalar.text.len() >= 4 {
            let shown = scalar.written.as_deref().unwrap_or("***");
            let escaped = scalar.text.escape_debug().to_string();
            *message = message.replace(&scalar.text, shown).replace(&escaped, shown);
        }
    });
}

/// Numbers go to the visitor in the narrowest of serde's types, and it says whether they fit its own.
fn visit_int<V: Visitor<'static>>(number: i128, visitor: V) -> Outcome<V::Value> {
    if let Ok(number) = u64::try_from(number) {
        visitor.visit_u64(number)
    } else if let Ok(number) = i64::try_from(number) {
        visitor.visit_i64(number)
    } else {
        visitor.visit_i128(number)
    }
}

macro_rules! ints {
    ($($name:ident)*) => {$(
        fn $name<V: Visitor<'static>>(self, visitor: V) -> Outcome<V::Value> {
            match self.scalar("i64")?.int() {
                Some(number) => self.locate(visit_int(number, visitor)),
                None => self.invalid("i64"),
            }
        }
    )*};
}

impl de::Deserializer<'static> for Reader<'_> {
    type Error = Failure;

    fn deserialize_any<V: Visitor<'static>>(self, visitor: V) -> Outcome<V::Value> {
        let outcome = match &self.node.value {
            Value::Null => visitor.visit_unit(),
            Value::Scalar(scalar) if scalar.broken => self.invalid("a value"),
            Value::Scalar(scalar) => match scalar.infer() {
                Inferred::Bool(value) => visitor.visit_bool(value),
                Inferred::Int(number) => visit_int(number, visitor),
                Inferred::Float(number) => visitor.visit_f64(number),
                Inferred::Text => visitor.visit_str(&scalar.text),
            },
            Value::List(items) => self.list(items, visitor),
            Value::Map(entries) => self.map(entries, visitor),
        };
        self.locate(outcome)
    }

    ints! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
    }

    fn deserialize_bool<V: Visitor<'static>>(self, visitor: V) -> Outcome<V::Value> {
        match self.scalar("a boolean")?.bool() {
            Some(value) => visitor.visit_bool(value),
            None => self.invalid("a boolean"),
        }
    }

    fn deserialize_f32<V: Visitor<'static>>(self, visitor: V) -> Outcome<V::Value> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'static>>(self, visitor: V) -> Outcome<V::Value> {
        match self.scalar("f64")?.infer() {
            Inferred::Int(number) => self.locate(visitor.visit_f64(number as f64)),
            Inferred::Float(number) => self.locate(visitor.visit_f64(number)),
            _ => self.invalid("f64"),
        }
    }

    fn deserialize_char<V: Visitor<'static>>(self, visitor: V) -> Outcome<V::Value> {
        self.deserialize_str(visitor)
    }

    fn deserialize_str<V: Visitor<'static>>(self, visitor: V) -> Outcome<V::Value> {
        // Names and account numbers may look like numbers; they are taken as they are written.
        let scalar = self.scalar("a string")?;
        self.locate(visitor.visit_str(&scalar.text))
    }

    fn deserialize_string<V: Visitor<'static>>(self, visitor: V) -> Outcome<V::Value> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'static>>(self, visitor: V) -> Outcome<V::Value> {
        match self.node.value {
            Value::Null => visitor.visit_none(),
            _ => self.locate(visitor.visit_some(self)),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'static>>(self, _: &'static str, visitor: V) -> Outcome<V::Value> {
        self.locate(visitor.visit_newtype_struct(self))
    }

    fn deserialize_seq<V: Visitor<'static>>(self, visitor: V) -> Outcome<V::Value> {
        match &self.node.value {
            Value::List(items) => self.locate(self.list(items, visitor)),
            _ => self.invalid("a sequence"),
        }
    }

    fn deserialize_tuple<V: Visitor<'static>>(self, _: usize, visitor: V) -> Outcome<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'static>>(self, _: &'static str, _: usize, visitor: V) -> Outcome<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'static>>(self, visitor: V) -> Outcome<V::Value> {
        match &self.node.value {
            // `spec:` with nothing after it is an empty one.
            Value::Null => self.locate(self.map(&[], visitor)),
            Value::Map(entries) => self.locate(self.map(entries, visitor)),
            _ => self.invalid("a map"),
        }
    }

    fn deserialize_struct<V: Visitor<'static>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Outcome<V::Value> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'static>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Outcome<V::Value> {
        let entries = self.node.entries();
        match (&self.node.value, entries) {
            (Value::Scalar(scalar), _) if !scalar.broken => {
                self.locate(visitor.visit_enum(Variant { reader: self, entry: None }))
            }
            (Value::Map(_), [entry]) => {
                self.locate(visitor.visit_enum(Variant { reader: self.of_entry(entry), entry: Some(entry) }))
            }
            _ => self.invalid("one word, or one key with its value"),
        }
    }

    fn deserialize_identifier<V: Visitor<'static>>(self, visitor: V) -> Outcome<V::Value> {
        self.deserialize_str(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'static>>(self, visitor: V) -> Outcome<V::Value> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! { <V: Visitor<'static>> bytes byte_buf unit unit_struct }
}

struct Items<'a> {
    reader: Reader<'a>,
    items: std::slice::Iter<'a, Node>,
}

impl SeqAccess<'static> for Items<'_> {
    type Error = Failure;

    fn next_element_seed<T: DeserializeSeed<'static>>(&mut self, seed: T) -> Outcome<Option<T::Value>> {
        let left_out = self.reader.left_out;
        let Some(node) = self.items.find(|item| !left_out.contains(&item.id)) else { return Ok(None) };
        seed.deserialize(Reader { node, owner: node.span, id: Some(node.id), ..self.reader }).map(Some)
    }
}

struct Entries<'a> {
    reader: Reader<'a>,
    entries: std::slice::Iter<'a, Entry>,
    value: Option<&'a Entry>,
}

impl MapAccess<'static> for Entries<'_> {
    type Error = Failure;

    fn next_key_seed<K: DeserializeSeed<'static>>(&mut self, seed: K) -> Outcome<Option<K::Value>> {
        let left_out = self.reader.left_out;
        let Some(entry) = self.entries.find(|entry| !left_out.contains(&entry.value.id)) else { return Ok(None) };
        self.value = Some(entry);
        let key = seed.deserialize(entry.key.as_str().into_deserializer());
        key.map(Some).map_err(|mut failure: Failure| {
            failure.place.get_or_insert_with(|| Box::new(key_place(entry)));
            failure
        })
    }

    fn next_value_seed<V: DeserializeSeed<'static>>(&mut self, seed: V) -> Outcome<V::Value> {
        match self.value.take() {
            Some(entry) => seed.deserialize(self.reader.of_entry(entry)),
            None => Err(de::Error::custom("a value was asked for before its key")),
        }
    }
}

struct Variant<'a> {
    /// Of the value; of the word itself where there is no value.
    reader: Reader<'a>,
    entry: Option<&'a Entry>,
}

impl<'a> EnumAccess<'static> for Variant<'a> {
    type Error = Failure;
    type Variant = Content<'a>;

    fn variant_seed<V: DeserializeSeed<'static>>(self, seed: V) -> Outcome<(V::Value, Content<'a>)> {
        let word = match self.entry {
            Some(entry) => entry.key.as_str(),
            None => self.reader.node.text().unwrap_or_default(),
        };
        let variant = seed.deserialize(word.into_deserializer());
        let variant = variant.map_err(|mut failure: Failure| {
            if let (Some(entry), None) = (self.entry, &failure.place) {
                failure.place = Some(Box::new(key_place(entry)));
            }
            self.reader.place(failure)
        })?;
        Ok((variant, Content(self.reader, self.entry.is_some())))
    }
}

/// What a word of an enumeration holds.
struct Content<'a>(Reader<'a>, bool);

impl VariantAccess<'static> for Content<'_> {
    type Error = Failure;

    fn unit_variant(self) -> Outcome<()> {
        if self.1 { self.0.invalid("nothing") } else { Ok(()) }
    }
    fn newtype_variant_seed<T: DeserializeSeed<'static>>(self, seed: T) -> Outcome<T::Value> {
        if self.1 { seed.deserialize(self.0) } else { self.0.invalid("a key with its value") }
    }
    fn tuple_variant<V: Visitor<'static>>(self, _: usize, visitor: V) -> Outcome<V::Value> {
        if self.1 { de::Deserializer::deserialize_seq(self.0, visitor) } else { self.0.invalid("a key with its value") }
    }
    fn struct_variant<V: Visitor<'static>>(self, _: &'static [&'static str], visitor: V) -> Outcome<V::Value> {
        if self.1 { de::Deserializer::deserialize_map(self.0, visitor) } else { self.0.invalid("a key with its value") }
    }
}
