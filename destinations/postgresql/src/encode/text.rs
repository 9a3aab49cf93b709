//! What is bytes or text on its way: text, JSON, addresses.

use std::net::IpAddr;

use headwater_sdk::arrow::array::{ArrayRef, AsArray, StringArray};
use headwater_sdk::arrow::compute::cast;
use headwater_sdk::arrow::datatypes::{DataType, FieldRef};
use headwater_sdk::{Error, Result, plain};

use super::{Write, wrong};

/// Bytes of any layout.
pub fn bytes(array: &ArrayRef) -> Result<Write> {
    if let Some(array) = array.as_fixed_size_binary_opt().cloned() {
        return Ok(Box::new(move |row, out| {
            out.extend_from_slice(array.value(row));
            Ok(())
        }));
    }
    let array = cast(array, &DataType::LargeBinary).map_err(wrong)?.as_binary::<i64>().clone();
    Ok(Box::new(move |row, out| {
        out.extend_from_slice(array.value(row));
        Ok(())
    }))
}

fn put_text(text: &str, out: &mut Vec<u8>) -> Result<(), String> {
    if text.as_bytes().contains(&0) {
        return Err("a text holds U+0000, which PostgreSQL cannot store".to_owned());
    }
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

/// A column as text. Where that fails, it is because of single values, such as one that is not UTF-8.
pub fn plain_text(field: &FieldRef, array: &ArrayRef) -> Result<StringArray> {
    plain::text(field, array).map_err(|error| Error::rejected(error.message))
}

/// Text of any type.
pub fn text(field: &FieldRef, array: &ArrayRef) -> Result<Write> {
    if let Some(array) = array.as_string_opt::<i64>().cloned() {
        return Ok(Box::new(move |row, out| put_text(array.value(row), out)));
    }
    let array = match array.as_string_opt::<i32>() {
        Some(array) => array.clone(),
        None => plain_text(field, array)?,
    };
    Ok(Box::new(move |row, out| put_text(array.value(row), out)))
}

/// JSON text.
pub fn json(array: StringArray) -> Write {
    Box::new(move |row, out| {
        let text = array.value(row);
        if names_nul(text) {
            return Err("JSON names U+0000, which PostgreSQL's `jsonb` cannot store".to_owned());
        }
        // The version of the form.
        out.push(1);
        out.extend_from_slice(text.as_bytes());
        Ok(())
    })
}

/// JSON text for a column of `json`, which keeps it as it is.
pub fn json_as_it_is(array: StringArray) -> Write {
    Box::new(move |row, out| put_text(array.value(row), out))
}

/// Whether JSON has the escape of U+0000, rather than an escaped backslash before `u0000`.
fn names_nul(text: &str) -> bool {
    let backslashes = |end: usize| text.as_bytes()[..end].iter().rev().take_while(|byte| **byte == b'\\').count();
    text.match_indices("\\u0000").any(|(at, _)| backslashes(at) % 2 == 0)
}

/// Addresses with the length of their prefix.
pub fn inet(array: StringArray) -> Write {
    Box::new(move |row, out| {
        let text = array.value(row);
        let parsed = text
            .split_once('/')
            .and_then(|(address, bits)| Some((address.parse::<IpAddr>().ok()?, bits.parse::<u8>().ok()?)))
            .filter(|(address, bits)| *bits <= if address.is_ipv4() { 32 } else { 128 });
        let Some((address, bits)) = parsed else { return Err(format!("{text} is not an address with a prefix")) };
        // The families of PostgreSQL, the bits of the prefix, not a `cidr`, and the length.
        match address {
            IpAddr::V4(address) => {
                out.extend_from_slice(&[2, bits, 0, 4]);
                out.extend_from_slice(&address.octets());
            }
            IpAddr::V6(address) => {
                out.extend_from_slice(&[3, bits, 0, 16]);
                out.extend_from_slice(&address.octets());
            }
        }
        Ok(())
    })
}

/// Hardware addresses.
pub fn mac(array: &ArrayRef) -> Result<Write> {
    let array = array.as_binary_opt::<i32>().ok_or_else(|| wrong("a hardware address is not binary"))?.clone();
    Ok(Box::new(move |row, out| match array.value(row) {
        bytes if bytes.len() == 6 => {
            out.extend_from_slice(bytes);
            Ok(())
        }
        bytes => Err(format!("a hardware address of {} bytes, where PostgreSQL's `macaddr` has 6", bytes.len())),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_escape_of_nul_is_told_from_text() {
        for (text, names) in [
            ("\"\\u0000\"", true),
            ("\"\\\\u0000\"", false),
            ("\"\\\\\\u0000\"", true),
            ("\"u0000\"", false),
            ("\"\\\\u0000 \\u0000\"", true),
        ] {
            assert_eq!(names_nul(text), names, "{text}");
        }
    }
}
