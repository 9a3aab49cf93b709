//! The rules for the values of one column.

use std::collections::{BTreeMap, HashSet};

use headwater_sdk::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Scalar, StringArray};
use headwater_sdk::arrow::compute::kernels::cmp::{eq, gt, lt};
use headwater_sdk::arrow::compute::{cast, or_kleene};
use headwater_sdk::arrow::datatypes::DataType;
use headwater_sdk::transform::wrong;
use headwater_sdk::{Column, Error, Result, Wrong};
use regex::Regex;

use super::{ColumnSpec, is_ordered};
use crate::scalar::one;

/// A rule.
pub enum Rule {
    NotNull,
    Min(String, Scalar<ArrayRef>),
    Max(String, Scalar<ArrayRef>),
    Regex(Regex),
    Texts(HashSet<String>),
    OneOf(Vec<Scalar<ArrayRef>>),
}

/// Notes what is wrong with the rows for which `holds`.
pub fn mark(holds: &BooleanArray, reasons: &mut BTreeMap<usize, String>, reason: impl Fn(usize) -> String) {
    if holds.true_count() == 0 {
        return;
    }
    for row in (0..holds.len()).filter(|row| holds.is_valid(*row) && holds.value(*row)) {
        let all = reasons.entry(row).or_default();
        if !all.is_empty() {
            all.push_str("; ");
        }
        all.push_str(&reason(row));
    }
}

fn texts(array: &ArrayRef) -> Result<StringArray> {
    let texts = cast(array, &DataType::Utf8).map_err(Error::fatal)?;
    Ok(texts.as_string::<i32>().clone())
}

impl Rule {
    /// The rules for a column; notes what is wrong with them.
    pub fn of(said: &ColumnSpec, column: &Column, wrongs: &mut Vec<Wrong>) -> Vec<Self> {
        let (name, kind) = (&column.name, &column.kind);
        let mut rules = Vec::new();
        let mut tell = |key: &str, message: String, help: Option<&str>| {
            wrongs.push(wrong(&["columns", name, key], message, help.map(str::to_owned)));
        };
        if said.nullable == Some(false) {
            rules.push(Self::NotNull);
        }
        let not_here = |key: &str| format!("`{key}` is not for `{name}`, which is {}", kind.name());
        let mut value = |key: &str, text: &str| {
            if !is_ordered(column) {
                tell(key, not_here(key), None);
                return None;
            }
            let found = one(text, kind);
            if found.is_none() {
                tell(key, format!("`{text}` is no value of `{name}`, which is {}", kind.name()), None);
            }
            found
        };
        if let Some(text) = &said.min {
            rules.extend(value("min", text).map(|value| Self::Min(text.clone(), value)));
        }
        if let Some(text) = &said.max {
            rules.extend(value("max", text).map(|value| Self::Max(text.clone(), value)));
        }
        let is_text = kind.extension.is_none() && kind.data_type.is_string();
        if let Some(all) = &said.one_of {
            match is_text {
                true => rules.push(Self::Texts(all.iter().cloned().collect())),
                false => {
                    let values: Option<Vec<_>> = all.iter().map(|text| value("one_of", text)).collect();
                    rules.extend(values.map(Self::OneOf));
                }
            }
        }
        if let Some(text) = &said.regex {
            match Regex::new(text) {
                _ if !is_text => tell("regex", not_here("regex"), Some("it is for text")),
                Ok(regex) => rules.push(Self::Regex(regex)),
                Err(error) => {
                    let last = error.to_string();
                    let last = last.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                    tell("regex", format!("`{text}` is no regular expression: {last}"), None);
                }
            }
        }
        if said.one_of.as_ref().is_some_and(Vec::is_empty) {
            tell("one_of", format!("`one_of` of `{name}` allows no value"), None);
        }
        rules
    }

    /// Notes what is wrong with a column, which was `array` before it became of the contract's type.
    pub fn check(
        &self,
        name: &str,
        array: &ArrayRef,
        made: &ArrayRef,
        reasons: &mut BTreeMap<usize, String>,
    ) -> Result<()> {
        // Values may be personal, and are in the row that is put aside; the reason tells the rule.
        match self {
            Self::NotNull => {
                let missing = BooleanArray::from_iter((0..array.len()).map(|row| Some(array.is_null(row))));
                mark(&missing, reasons, |_| format!("`{name}` is missing"));
            }
            Self::Min(text, least) => {
                let below = lt(made, least).map_err(Error::fatal)?;
                mark(&below, reasons, |_| format!("`{name}` is below {text}"));
            }
            Self::Max(text, most) => {
                let above = gt(made, most).map_err(Error::fatal)?;
                mark(&above, reasons, |_| format!("`{name}` is above {text}"));
            }
            Self::Regex(regex) => {
                let other = texts(made)?.iter().map(|text| text.map(|text| !regex.is_match(text))).collect();
                mark(&other, reasons, |_| format!("`{name}` does not match {regex}"));
            }
            Self::Texts(all) => {
                let other = texts(made)?.iter().map(|text| text.map(|text| !all.contains(text))).collect();
                mark(&other, reasons, |_| format!("`{name}` is not one of those agreed on"));
            }
            Self::OneOf(all) => {
                let mut found = BooleanArray::from(vec![false; made.len()]);
                for value in all {
                    let same = eq(made, value).map_err(Error::fatal)?;
                    found = or_kleene(&found, &same).map_err(Error::fatal)?;
                }
                let other = found.iter().map(|found| found.map(|found| !found)).collect();
                mark(&other, reasons, |_| format!("`{name}` is not one of those agreed on"));
            }
        }
        Ok(())
    }
}
