//! Columns of tables that come from a PostgreSQL: they become the type that they have there, where it is one of those that
//! every PostgreSQL has, and the Arrow type holds its values.

use headwater_sdk::arrow::datatypes::Field;
use headwater_sdk::schema::NATIVE;
use headwater_sdk::{Column, ColumnType, Extension};

use crate::types::Kind;

/// The types whose binary form is known: the name without what stands in brackets, its number, what the column would be
/// without it, and how its values are written.
const KNOWN: [(&str, u32, Kind, Kind); 13] = [
    ("character varying", 1043, Kind::Text, Kind::Text),
    ("character", 1042, Kind::Text, Kind::Text),
    ("name", 19, Kind::Text, Kind::Text),
    ("xml", 142, Kind::Text, Kind::Text),
    ("numeric", 1700, Kind::Text, Kind::AnyNumeric),
    ("json", 114, Kind::Jsonb, Kind::Json),
    ("cidr", 650, Kind::Inet, Kind::Inet),
    ("macaddr8", 774, Kind::Macaddr, Kind::Macaddr8),
    ("oid", 26, Kind::Int8, Kind::Oid),
    ("time without time zone", 1083, Kind::Time, Kind::Time),
    ("timestamp without time zone", 1114, Kind::Timestamp, Kind::Timestamp),
    ("timestamp with time zone", 1184, Kind::Timestamptz, Kind::Timestamptz),
    ("interval", 1186, Kind::Interval, Kind::Interval),
];

/// The types whose values come as text, and are cast by the server.
const CAST: [&str; 33] = [
    "\"char\"",
    "bit",
    "bit varying",
    "box",
    "circle",
    "datemultirange",
    "daterange",
    "int4multirange",
    "int4range",
    "int8multirange",
    "int8range",
    "jsonpath",
    "line",
    "lseg",
    "money",
    "nummultirange",
    "numrange",
    "path",
    "pg_lsn",
    "pg_snapshot",
    "point",
    "polygon",
    "tid",
    "time with time zone",
    "tsmultirange",
    "tsquery",
    "tsrange",
    "tstzmultirange",
    "tstzrange",
    "tsvector",
    "txid_snapshot",
    "xid",
    "xid8",
];

/// What a column is stored as.
pub fn of_column(column: &Column) -> Kind {
    of(&column.kind, column.native_of("postgresql"))
}

/// The same by its field.
pub fn of_field(field: &Field) -> Kind {
    let kind = ColumnType { data_type: field.data_type().clone(), extension: Extension::of(field) };
    let native = field.metadata().get(NATIVE).and_then(|native| native.strip_prefix("postgresql "));
    of(&kind, native)
}

fn of(column: &ColumnType, native: Option<&str>) -> Kind {
    let kind = Kind::of(column);
    match native {
        Some(name) => named(&kind, name).unwrap_or(kind),
        None => kind,
    }
}

/// A type by its name as `format_type` writes it, for a column that would be `kind` without it.
fn named(kind: &Kind, name: &str) -> Option<Kind> {
    match (kind, name.strip_suffix("[]")) {
        (Kind::Array(item), Some(name)) => return Some(Kind::Array(Box::new(named(item, name)?))),
        (Kind::Array(_), None) | (_, Some(_)) => return None,
        _ => {}
    }
    // A name comes from a file, too, so nothing but letters, digits and what types are written with is taken over.
    let plain = |c: char| c.is_ascii_alphanumeric() || " _,()-\"".contains(c);
    let bare = bare(name).filter(|_| name.chars().all(plain))?;
    let sql = name.to_owned();
    if CAST.contains(&bare.as_str()) {
        return (*kind == Kind::Text).then_some(Kind::Cast { sql });
    }
    if bare == "numeric" && matches!(kind, Kind::Numeric { .. }) {
        return Some(Kind::Named { sql, oid: kind.oid(), of: Box::new(kind.clone()) });
    }
    let (_, oid, _, form) = KNOWN.into_iter().find(|(known, _, of, _)| *known == bare && of == kind)?;
    Some(Kind::Named { sql, oid, of: Box::new(form) })
}

/// A name without what stands in brackets: numbers that are separated by commas.
fn bare(name: &str) -> Option<String> {
    let Some((before, rest)) = name.split_once('(') else { return Some(name.to_owned()) };
    let (inside, behind) = rest.split_once(')')?;
    let numbers = inside.chars().all(|c| c.is_ascii_digit() || matches!(c, ',' | '-'));
    (numbers && !behind.contains(['(', ')'])).then(|| format!("{before}{behind}"))
}

#[cfg(test)]
mod tests {
    use headwater_sdk::arrow::datatypes::DataType;

    use super::*;

    #[test]
    fn only_known_names_are_taken_over() {
        let text = ColumnType::plain(DataType::Utf8);
        for (name, sql) in [
            ("character varying(9)", "character varying(9)"),
            ("numeric", "numeric"),
            ("numeric(99,2)", "numeric(99,2)"),
            ("bit(3)", "bit(3)"),
            ("time(3) with time zone", "time(3) with time zone"),
            ("mood", "text"),
            ("json", "text"),
            ("numeric[]", "text"),
            ("numeric(1); DROP TABLE x", "text"),
            ("bit(3))", "text"),
            ("timestamp(3) without time zone", "text"),
        ] {
            assert_eq!(of(&text, Some(name)).sql(), sql);
        }
        let json = ColumnType::of(Extension::Json);
        assert_eq!((of(&json, Some("json")).sql(), of(&json, None).sql()), ("json".to_owned(), "jsonb".to_owned()));
    }
}
