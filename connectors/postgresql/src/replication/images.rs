//! Rows that came as text, as they would be read from their table: the server itself makes them what the table's `SELECT`
//! makes of its rows, so that a value is the same whichever way it came.

use headwater_sdk::sql::quote;
use headwater_sdk::{Error, Result};

use super::message::Cell;
use super::tables::Tracked;
use super::window::Image;
use crate::copy::select;
use crate::divide::literal;
use crate::types::Mapped;

/// The values of a column as an array of texts, in SQL.
struct Texts(String);

impl Texts {
    fn push(&mut self, cell: Cell<'_>) -> Result<()> {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        let Cell::Text(bytes) = cell else {
            self.0.push_str("NULL");
            return Ok(());
        };
        let text = std::str::from_utf8(bytes).map_err(|_| {
            Error::fatal("a changed value is not UTF-8, which a database in SQL_ASCII may hold; it cannot be read")
        })?;
        self.0.push('"');
        for letter in text.chars() {
            if matches!(letter, '"' | '\\') {
                self.0.push('\\');
            }
            self.0.push(letter);
        }
        self.0.push('"');
        Ok(())
    }

    fn sql(mut self) -> String {
        if self.0.is_empty() {
            self.0.push('{');
        }
        self.0.push('}');
        format!("{}::text[]", literal(&self.0))
    }
}

/// The query whose rows are these: their values are those of the columns at `places`. What is not told at `unchanged`,
/// numbers within `places`, is taken from the table as it is now; a row that is not there any more is left out.
///
/// # Errors
/// If a value is not text.
pub fn query<'a>(
    table: &Tracked,
    places: &[usize],
    unchanged: &[usize],
    rows: impl Iterator<Item = &'a Image>,
    selected: &[Mapped],
) -> Result<String> {
    let columns = &table.found.relation.columns;
    let mut texts: Vec<Texts> = places.iter().map(|_| Texts(String::new())).collect();
    for row in rows {
        for (texts, cell) in texts.iter_mut().zip(row.cells()) {
            texts.push(cell)?;
        }
    }
    let typed = |at: usize| format!("h.c{at}::{}", columns[places[at]].pg_type.name);
    let is_told = |at: &usize| !unchanged.contains(at);
    let values: Vec<String> = (0..places.len())
        .map(|at| {
            let name = quote(&columns[places[at]].name);
            if is_told(&at) { format!("{} AS {name}", typed(at)) } else { format!("t.{name}") }
        })
        .collect();
    let told: Vec<usize> = (0..places.len()).filter(is_told).collect();
    let arrays = texts.into_iter().enumerate().filter(|(at, _)| is_told(at)).map(|(_, texts)| texts.sql());
    let arrays: Vec<String> = arrays.collect();
    let names: Vec<String> = told.iter().map(|at| format!("c{at}")).collect();
    let mut from =
        format!("SELECT {} FROM unnest({}) AS h ({})", values.join(", "), arrays.join(", "), names.join(", "));
    if !unchanged.is_empty() {
        let key = table.found.schema.key();
        let mapped = &table.found.columns;
        let same = told.iter().filter(|at| key.contains(&mapped[places[**at]].column.name.as_str()));
        let same: Vec<String> =
            same.map(|at| format!("t.{} = {}", quote(&columns[places[*at]].name), typed(*at))).collect();
        from.push_str(&format!(" JOIN {} AS t ON {}", table.found.relation.sql(), same.join(" AND ")));
    }
    let generated = table.generated();
    if places.len() > table.found.schema.key().len() && !generated.is_empty() {
        let computed = generated.iter().map(|(at, expression)| {
            format!("({expression})::{} AS {}", columns[*at].pg_type.name, quote(&columns[*at].name))
        });
        from = format!(
            "SELECT headwater_told.*, {} FROM ({from}) AS headwater_told",
            computed.collect::<Vec<_>>().join(", ")
        );
    }
    Ok(format!("{} FROM ({from}) AS headwater_row", select(selected)))
}
