//! Records: structs whose fields are columns.

use crate::column::ColumnDef;

/// A struct whose fields are columns. Derived, not written: `#[derive(Record)]` for a transcribed struct,
/// `#[derive(Table)]` for a struct that is itself the row.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no record",
    note = "a record is a struct with `#[derive(Record)]`; a transcribed one comes from `cargo xtask regenerate`"
)]
pub trait Record: Sized + Send + Sync + 'static {
    /// The struct's name.
    const NAME: &'static str;
    /// The fields' names, for checks at compile time.
    const FIELDS: &'static [&'static str];
    /// The columns in the struct's order.
    fn columns() -> Vec<ColumnDef<Self>>;
}

/// Nothing: the record of a table whose annotation is mistaken.
impl Record for () {
    const NAME: &'static str = "()";
    const FIELDS: &'static [&'static str] = &[];
    fn columns() -> Vec<ColumnDef<Self>> {
        Vec::new()
    }
}
