//! JSON text written straight from a value into a column's buffer, without a tree of JSON values in between.

use std::collections::{BTreeMap, HashMap};

/// The documented shape of a value: a type's name, an object of shapes, or an array of one.
pub use serde_json::Value as Shape;

/// The members of an object's shape, in their order by name. For the derive.
#[derive(Default)]
pub struct Members(serde_json::Map<String, Shape>);

impl Members {
    /// No members yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a member.
    pub fn add(&mut self, name: &str, shape: Shape) {
        self.0.insert(name.to_owned(), shape);
    }
}

impl From<Members> for Shape {
    fn from(members: Members) -> Self {
        Shape::Object(members.0)
    }
}

/// How deep a column's documented shape goes before it says only `any`.
pub const SHAPE_DEPTH: usize = 4;

/// A value that can write itself as JSON text.
///
/// `#[derive(Record)]` implements it for structs and unions, so that nested structures become JSON columns.
pub trait WriteJson {
    /// Appends the value as JSON text (UTF-8, no white space).
    fn write_json(&self, out: &mut Vec<u8>);

    /// Whether an object leaves this member out: true for what is absent in the API's answer.
    fn is_absent(&self) -> bool {
        false
    }

    /// The shape for the documentation: a type name, an object of them, or an array of one. `depth` is how many more
    /// levels of objects may be shown.
    fn shape(depth: usize) -> Shape;

    /// Tells the places below at which the API says that a value is secret.
    fn secrets(_found: &mut Secrets) {}
}

/// A type's own account of its secrets.
type SecretsOf = fn(&mut Secrets);

/// Collects the places of secrets within a JSON column: `UserData`, `TunnelOptions[*].PreSharedKey`, `[*].Value`.
#[derive(Default)]
pub struct Secrets {
    path: String,
    /// The records that lead to where the search is.
    within: Vec<&'static str>,
    found: Vec<String>,
}

/// A record that holds itself is looked into this often.
const SAME_RECORD: usize = 3;

impl Secrets {
    /// The places of a type.
    pub fn of<T: WriteJson + ?Sized>() -> Vec<String> {
        let mut secrets = Self::default();
        T::secrets(&mut secrets);
        secrets.found
    }

    /// Looks into the members of a record: each with its name, whether it is secret, and what its type says. For the
    /// derive.
    pub fn members(&mut self, record: &'static str, members: &[(&'static str, bool, SecretsOf)]) {
        if self.within.iter().filter(|outer| **outer == record).count() >= SAME_RECORD {
            return;
        }
        self.within.push(record);
        for (name, secret, inner) in members {
            let length = self.path.len();
            if length > 0 {
                self.path.push('.');
            }
            match name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)) {
                true => self.path.push_str(name),
                false => self.path.push_str(&format!("{name:?}")),
            }
            match secret {
                true => self.found.push(self.path.clone()),
                false => inner(self),
            }
            self.path.truncate(length);
        }
        self.within.pop();
    }

    /// Looks further in by a step such as `[*]`.
    fn below(&mut self, step: &str, inner: SecretsOf) {
        let length = self.path.len();
        let step = if length == 0 { step.trim_start_matches('.') } else { step };
        self.path.push_str(step);
        inner(self);
        self.path.truncate(length);
    }
}

/// Writes one JSON object, member by member; absent members are left out.
pub struct Object<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

impl<'a> Object<'a> {
    /// Opens the object.
    pub fn begin(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, first: true }
    }

    /// Appends one member unless its value is absent.
    pub fn member<V: WriteJson + ?Sized>(&mut self, name: &str, value: &V) -> &mut Self {
        if value.is_absent() {
            return self;
        }
        if !self.first {
            self.out.push(b',');
        }
        self.first = false;
        write_str(name, self.out);
        self.out.push(b':');
        value.write_json(self.out);
        self
    }

    /// Closes the object.
    pub fn end(self) {
        self.out.push(b'}');
    }
}

/// Appends a JSON string.
pub fn write_str(text: &str, out: &mut Vec<u8>) {
    write_plain(text, out);
}

/// Appends anything that serialises to a JSON scalar. Writing to a vector does not fail, and a scalar always
/// serialises, so there is no error to hand on.
fn write_plain<T: serde::Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) {
    let start = out.len();
    if serde_json::to_writer(&mut *out, value).is_err() {
        out.truncate(start);
        out.extend_from_slice(b"null");
    }
}

macro_rules! plain {
    ($($type:ty => $name:literal),* $(,)?) => {$(
        impl WriteJson for $type {
            fn write_json(&self, out: &mut Vec<u8>) {
                write_plain(self, out);
            }
            fn shape(_: usize) -> Shape {
                Shape::from($name)
            }
        }
    )*};
}

plain! {
    bool => "bool", i8 => "int8", i16 => "int16", i32 => "int32", i64 => "int64",
    u8 => "uint8", u16 => "uint16", u32 => "uint32", u64 => "uint64",
    f32 => "float32", f64 => "float64", String => "utf8", str => "utf8",
}

impl<T: WriteJson + ?Sized> WriteJson for &T {
    fn write_json(&self, out: &mut Vec<u8>) {
        (**self).write_json(out);
    }
    fn is_absent(&self) -> bool {
        (**self).is_absent()
    }
    fn shape(depth: usize) -> Shape {
        T::shape(depth)
    }
    fn secrets(found: &mut Secrets) {
        T::secrets(found);
    }
}

impl<T: WriteJson> WriteJson for Option<T> {
    fn write_json(&self, out: &mut Vec<u8>) {
        match self {
            Some(value) => value.write_json(out),
            None => out.extend_from_slice(b"null"),
        }
    }
    fn is_absent(&self) -> bool {
        self.as_ref().is_none_or(WriteJson::is_absent)
    }
    fn shape(depth: usize) -> Shape {
        T::shape(depth)
    }
    fn secrets(found: &mut Secrets) {
        T::secrets(found);
    }
}

impl<T: WriteJson> WriteJson for Box<T> {
    fn write_json(&self, out: &mut Vec<u8>) {
        (**self).write_json(out);
    }
    fn shape(depth: usize) -> Shape {
        T::shape(depth)
    }
    fn secrets(found: &mut Secrets) {
        T::secrets(found);
    }
}

/// Appends a JSON array.
pub fn write_array<T: WriteJson>(items: &[T], out: &mut Vec<u8>) {
    out.push(b'[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        item.write_json(out);
    }
    out.push(b']');
}

impl<T: WriteJson> WriteJson for Vec<T> {
    fn write_json(&self, out: &mut Vec<u8>) {
        write_array(self, out);
    }
    fn shape(depth: usize) -> Shape {
        Shape::Array(vec![T::shape(depth)])
    }
    fn secrets(found: &mut Secrets) {
        found.below("[*]", T::secrets);
    }
}

fn write_map<'a, T: WriteJson + 'a>(entries: impl Iterator<Item = (&'a String, &'a T)>, out: &mut Vec<u8>) {
    let mut object = Object::begin(out);
    for (key, value) in entries {
        object.member(key, value);
    }
    object.end();
}

impl<T: WriteJson> WriteJson for BTreeMap<String, T> {
    fn write_json(&self, out: &mut Vec<u8>) {
        write_map(self.iter(), out);
    }
    fn shape(depth: usize) -> Shape {
        serde_json::json!({ "*": T::shape(depth.saturating_sub(1)) })
    }
    fn secrets(found: &mut Secrets) {
        found.below(".*", T::secrets);
    }
}

impl<T: WriteJson> WriteJson for HashMap<String, T> {
    /// The members are sorted by key, so that the same map is the same text in every run.
    fn write_json(&self, out: &mut Vec<u8>) {
        let mut entries: Vec<_> = self.iter().collect();
        entries.sort_unstable_by_key(|(key, _)| *key);
        write_map(entries.into_iter(), out);
    }
    fn shape(depth: usize) -> Shape {
        serde_json::json!({ "*": T::shape(depth.saturating_sub(1)) })
    }
    fn secrets(found: &mut Secrets) {
        found.below(".*", T::secrets);
    }
}
