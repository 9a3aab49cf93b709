//! Values that Rust's own types do not say: points in time, bytes, JSON text, addresses, enumerations and tags.

use std::ops::Deref;

use serde::{Deserialize, Deserializer};
use serde_json::Value as Shape;

use crate::error::{Error, Result};
use crate::json::{Object, WriteJson, write_str};

/// A point in time in microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The present moment.
    pub fn now() -> Self {
        Self(jiff::Timestamp::now().as_microsecond())
    }

    /// Reads an RFC 3339 text such as `2026-11-21T08:59:02Z`.
    pub fn parse(text: &str) -> Result<Self> {
        text.parse::<jiff::Timestamp>()
            .map(|time| Self(time.as_microsecond()))
            .map_err(|error| Error::fatal(format!("{text:?} is not a point in time (RFC 3339): {error}")))
    }

    /// The RFC 3339 text in UTC, or the bare number of microseconds where it is beyond the calendar.
    pub fn to_rfc3339(self) -> String {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(time) => time.to_string(),
            Err(_) => self.0.to_string(),
        }
    }
}

impl WriteJson for Timestamp {
    fn write_json(&self, out: &mut Vec<u8>) {
        write_str(&self.to_rfc3339(), out);
    }
    fn shape(_: usize) -> Shape {
        Shape::from("timestamp[us, tz=UTC]")
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// Bytes, stored as a binary column (a `Vec<u8>` would be a list of numbers). In JSON: base64.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Binary(pub Vec<u8>);

impl WriteJson for Binary {
    fn write_json(&self, out: &mut Vec<u8>) {
        out.push(b'"');
        crate::plain::write_base64(&self.0, out);
        out.push(b'"');
    }
    fn shape(_: usize) -> Shape {
        Shape::from("binary")
    }
}

/// JSON text, known to be well formed, stored as a `json` column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawJson(String);

impl RawJson {
    /// Takes JSON text after checking that it is well formed. White space stays as it is.
    pub fn parse(text: impl Into<String>) -> Result<Self> {
        let text = text.into();
        match serde_json::from_str::<serde::de::IgnoredAny>(&text) {
            Ok(_) => Ok(Self(text)),
            Err(error) => Err(Error::fatal(format!("not JSON: {error}"))),
        }
    }

    /// Takes JSON text; text that is not JSON becomes a JSON string, so that nothing is lost.
    pub fn parse_or_string(text: &str) -> Self {
        Self::parse(text).unwrap_or_else(|_| Self::of(text))
    }

    /// The JSON text of a value.
    pub fn of<T: WriteJson + ?Sized>(value: &T) -> Self {
        let mut out = Vec::new();
        value.write_json(&mut out);
        Self(String::from_utf8_lossy(&out).into_owned())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl WriteJson for RawJson {
    fn write_json(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.0.as_bytes());
    }
    fn shape(_: usize) -> Shape {
        Shape::from("json")
    }
}

/// An IP address or network in CIDR notation, such as `10.0.0.0/16`, stored as an `inet` column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inet(String);

impl Inet {
    /// Reads an address with or without a prefix length; an address alone is its own network (`/32`, `/128`).
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = || Error::fatal(format!("{text:?} is not an IP address or network"));
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse::<u8>().map_err(|_| wrong())?)),
            None => (text, None),
        };
        let address: std::net::IpAddr = address.parse().map_err(|_| wrong())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(most);
        if prefix > most {
            return Err(wrong());
        }
        Ok(Self(format!("{address}/{prefix}")))
    }

    /// The CIDR text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl WriteJson for Inet {
    fn write_json(&self, out: &mut Vec<u8>) {
        write_str(&self.0, out);
    }
    fn shape(_: usize) -> Shape {
        Shape::from("inet")
    }
}

/// A hardware address of 6 or 8 bytes, stored as a `mac` column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mac(Vec<u8>);

impl Mac {
    /// Reads hexadecimal pairs separated by `:` or `-`.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = || Error::fatal(format!("{text:?} is not a hardware address"));
        let bytes = text
            .split([':', '-'])
            .map(|pair| u8::from_str_radix(pair, 16).ok().filter(|_| pair.len() == 2))
            .collect::<Option<Vec<u8>>>()
            .ok_or_else(wrong)?;
        if bytes.len() == 6 || bytes.len() == 8 { Ok(Self(bytes)) } else { Err(wrong()) }
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl WriteJson for Mac {
    fn write_json(&self, out: &mut Vec<u8>) {
        out.push(b'"');
        crate::plain::write_mac(&self.0, out);
        out.push(b'"');
    }
    fn shape(_: usize) -> Shape {
        Shape::from("mac")
    }
}

/// A client's enumeration, kept as it is and stored as its text, so that no string is made between the wire and the
/// column.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct Enum<T>(pub T);

impl<T> Deref for Enum<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> From<T> for Enum<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T: AsRef<str>> WriteJson for Enum<T> {
    fn write_json(&self, out: &mut Vec<u8>) {
        write_str(self.0.as_ref(), out);
    }
    fn shape(_: usize) -> Shape {
        Shape::from("utf8")
    }
}

/// An item that is a key and a value, such as a tag.
pub trait KeyValue {
    /// The key; an item without one is left out.
    fn key(&self) -> Option<&str>;
    /// The value.
    fn value(&self) -> Option<&str>;
}

/// A list of keys and values (tags), stored as one JSON object. Where a key comes twice, the last one counts.
#[derive(Debug, Clone, PartialEq)]
#[repr(transparent)]
pub struct KeyValues<T>(pub Vec<T>);

impl<T> Deref for KeyValues<T> {
    type Target = Vec<T>;
    fn deref(&self) -> &Vec<T> {
        &self.0
    }
}

impl<T: KeyValue> KeyValues<T> {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().rev().find(|item| item.key() == Some(key)).and_then(KeyValue::value)
    }
}

impl<T: KeyValue> WriteJson for KeyValues<T> {
    fn write_json(&self, out: &mut Vec<u8>) {
        let mut object = Object::begin(out);
        for (index, item) in self.0.iter().enumerate() {
            let Some(key) = item.key() else { continue };
            // Tag lists are short (AWS allows 50), so looking ahead costs less than a map.
            if self.0[index + 1..].iter().any(|later| later.key() == Some(key)) {
                continue;
            }
            object.member(key, item.value().unwrap_or_default());
        }
        object.end();
    }
    fn shape(depth: usize) -> Shape {
        serde_json::json!({ "*": String::shape(depth) })
    }
}
