//! SQLite's types, as destination `sqlite` and CloudQuery's plugin declare them, so that a database of theirs can be taken
//! over.

use headwater_sdk::arrow::datatypes::DataType;
use headwater_sdk::plain::{is_bytes, stored_as_json};
use headwater_sdk::{ColumnType, Stored};

use super::Kind;

pub const COLUMNS: &str = "\
    SELECT t.name, t.type, c.name, c.type, c.\"notnull\", c.dflt_value IS NOT NULL, c.pk > 0, NULL \
    FROM main.sqlite_schema t LEFT JOIN pragma_table_info(t.name, 'main') c ON t.type = 'table' \
    WHERE t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY t.name, c.cid";

pub fn kind(column: &ColumnType) -> Kind {
    if column.extension.is_some() {
        return Kind::of("TEXT", DataType::Utf8);
    }
    match &column.data_type {
        DataType::Boolean => Kind::of("BOOLEAN", DataType::Int64),
        kind if kind.is_integer() => Kind::of("INTEGER", DataType::Int64),
        kind if kind.is_floating() => Kind::of("REAL", DataType::Float64),
        DataType::Timestamp(..) => Kind::of("TIMESTAMP", DataType::Utf8),
        kind if is_bytes(kind) => Kind::of("BLOB", DataType::Binary),
        _ => Kind::of("TEXT", DataType::Utf8),
    }
}

pub fn stored(column: &ColumnType) -> Stored {
    if column.extension.is_some() {
        return Stored::whole("");
    }
    match &column.data_type {
        DataType::UInt64 => Stored::refusing("", "numbers beyond 9223372036854775807"),
        kind if kind.is_floating() => Stored::losing("", "NaN becomes NULL, and zero has no sign"),
        kind if kind.is_nested() => stored_as_json("", kind),
        _ => Stored::whole(""),
    }
}
