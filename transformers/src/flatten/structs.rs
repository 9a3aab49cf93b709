//! Members of structs.

use std::sync::Arc;

use headwater_sdk::arrow::array::{Array, ArrayRef, AsArray};
use headwater_sdk::arrow::compute::{is_null, nullif};
use headwater_sdk::arrow::datatypes::{DataType, Field, FieldRef, Fields};
use headwater_sdk::path::Step;
use headwater_sdk::text::nearest;
use headwater_sdk::transform::wrong;
use headwater_sdk::{ColumnType, Error, Extension, Result, Wrong, plain};

use super::{Misfits, Place};
use crate::scalar::{convert, converts};

/// A member that becomes a column.
struct Member {
    /// The place of each struct's member on the way.
    way: Vec<usize>,
    field: FieldRef,
    name: String,
    kind: ColumnType,
}

/// The members of a struct that become columns.
pub struct Members(Vec<Member>);

/// The name and the type of a new column.
type Named = (String, ColumnType);

fn kind_of(field: &Field) -> ColumnType {
    ColumnType { data_type: field.data_type().clone(), extension: Extension::of(field) }
}

/// What is nested becomes JSON.
fn column_kind(field: &Field) -> ColumnType {
    let kind = kind_of(field);
    if kind.data_type.is_nested() { ColumnType::of(Extension::Json) } else { kind }
}

impl Members {
    /// The members at the places, or all of them to a depth.
    pub fn plan(
        column: &str,
        fields: &Fields,
        places: Option<Vec<Place>>,
        prefix: &str,
        depth: usize,
    ) -> Result<(Self, Vec<Named>), Vec<Wrong>> {
        let mut members = Vec::new();
        match places {
            None => all(fields, &[], prefix, depth, &mut members),
            Some(places) => {
                let mut wrongs = Vec::new();
                for place in places {
                    match one(column, fields, &place, prefix) {
                        Ok(member) => members.push(member),
                        Err(wrong) => wrongs.push(wrong),
                    }
                }
                if !wrongs.is_empty() {
                    return Err(wrongs);
                }
            }
        }
        let columns = members.iter().map(|member| (member.name.clone(), member.kind.clone())).collect();
        Ok((Self(members), columns))
    }

    /// The columns of a column, and which values are not of their type.
    pub fn apply(&self, array: &ArrayRef) -> Result<(Vec<ArrayRef>, Misfits)> {
        let (mut made, mut misfits) = (Vec::with_capacity(self.0.len()), Vec::new());
        for member in &self.0 {
            let mut at = Arc::clone(array);
            for index in &member.way {
                let within = at.as_struct_opt().ok_or_else(|| Error::fatal("a struct is something else"))?;
                let below = within.columns().get(*index).ok_or_else(|| Error::fatal("a member is missing"))?;
                // What is within nothing is nothing.
                at = match within.null_count() {
                    0 => Arc::clone(below),
                    _ => nullif(below, &is_null(&at).map_err(Error::fatal)?).map_err(Error::fatal)?,
                };
            }
            let from = kind_of(&member.field);
            let values = match from.data_type.is_nested() {
                true => {
                    let field = Arc::new(member.field.as_ref().clone().with_nullable(true));
                    let texts = plain::text(&field, &at)?;
                    let json = ColumnType::of(Extension::Json);
                    crate::scalar::read(&texts, if member.kind == json { &json } else { &member.kind })?
                }
                false => convert(&at, &from, &member.kind)?,
            };
            let lost = (0..at.len()).filter(|row| at.is_valid(*row) && values.is_null(*row));
            misfits.extend(lost.map(|row| (row, format!("`{}` does not fit {}", member.name, member.kind.name()))));
            made.push(values);
        }
        misfits.sort_by_key(|(row, _)| *row);
        Ok((made, misfits))
    }
}

/// All members to a depth.
fn all(fields: &Fields, way: &[usize], prefix: &str, depth: usize, members: &mut Vec<Member>) {
    for (index, field) in fields.iter().enumerate() {
        let way: Vec<usize> = way.iter().copied().chain([index]).collect();
        let name = format!("{prefix}{}", field.name());
        match field.data_type() {
            DataType::Struct(within) if depth > 1 && !within.is_empty() => {
                all(within, &way, &format!("{name}_"), depth - 1, members);
            }
            _ => members.push(Member { way, field: Arc::clone(field), name, kind: column_kind(field) }),
        }
    }
}

/// The member at a place.
fn one(column: &str, fields: &Fields, place: &Place, prefix: &str) -> Result<Member, Wrong> {
    let number = place.at.to_string();
    let tell =
        |key: &str, message: String, help| Err(wrong(&["columns", column, "paths", &number, key], message, help));
    let (mut within, mut way, mut found) = (fields, Vec::new(), None);
    for step in &place.steps {
        let Step::Key(name) = step else {
            return tell("path", "a struct has members, and no items".to_owned(), None);
        };
        if let Some(last) = found.replace(name) {
            let DataType::Struct(fields) = within[*way.last().unwrap_or(&0)].data_type() else {
                return tell("path", format!("there are no members within `{}`", last.text), None);
            };
            within = fields;
        }
        let Some((index, _)) = within.find(&name.text) else {
            let near = nearest(&name.text, within.iter().map(|field| field.name().as_str()));
            let help = near.map(|near| format!("did you mean `{near}`?"));
            return tell("path", format!("there is no member `{}` in `{column}`", name.text), help);
        };
        way.push(index);
    }
    let Some(field) = way.last().and_then(|index| within.get(*index)) else {
        return tell("path", "the path leads nowhere".to_owned(), None);
    };
    let own = column_kind(field);
    let kind = place.kind.clone().unwrap_or_else(|| own.clone());
    let text = kind.extension.is_none() && kind.data_type == DataType::Utf8;
    let fits = if field.data_type().is_nested() { kind == own || text } else { converts(&own, &kind) };
    match fits {
        true => Ok(Member { way, field: Arc::clone(field), name: place.name(prefix), kind }),
        false => tell("type", format!("{} cannot be converted to {}", own.name(), kind.name()), None),
    }
}
