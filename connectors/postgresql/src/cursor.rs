//! Reading only what is new, by a column whose values grow.
//!
//! What was read is known by the greatest value of the column, and by the rows that are less than the lag below it: they
//! are looked through again the next time, and those that were read already are left out. So a row that became visible
//! late is read, and none is read twice.

use headwater_sdk::sql::quote;
use headwater_sdk::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::discover::{Cursor, Found};
use crate::divide::literal;
use crate::snapshot::Snapshot;

/// So many rows at most can be known one by one.
const MOST_SEEN: usize = 100_000;

/// How far a table was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reached {
    /// The column, so that a checkpoint of another is not taken for this one's.
    column: String,
    /// Its greatest value, as text.
    at: String,
    /// The hashes of the rows that were read and are looked through again.
    seen: Vec<String>,
}

/// What is read now.
pub struct Step {
    /// The conditions, as SQL; none where there is nothing new.
    pub conditions: Option<Vec<String>>,
    /// How far it will have been read.
    pub reached: Option<Reached>,
}

impl Reached {
    /// Reads a checkpoint.
    ///
    /// # Errors
    /// If it is none of this column's.
    pub fn parse(text: &str, cursor: &Cursor) -> Result<Self> {
        let reached: Self = serde_json::from_str(text).map_err(|error| {
            Error::fatal(format!("what is kept of how far the table was read cannot be understood: {error}"))
        })?;
        if reached.column != cursor.column {
            return Err(Error::fatal(format!(
                "the table was read by the cursor `{}` until now, and `{}` is another; name the old one, or begin anew with \
                 another `--state`",
                reached.column, cursor.column
            )));
        }
        Ok(reached)
    }

    /// As a checkpoint.
    ///
    /// # Errors
    /// Never, with what is in it.
    pub fn text(&self) -> Result<String> {
        serde_json::to_string(self).map_err(Error::fatal)
    }
}

/// The hash of a row. It is of all of its columns, so that a row that was changed is a new one.
const HASH: &str = "md5((headwater_row.*)::text)";

fn lagging(cursor: &Cursor, value: &str) -> String {
    let value = format!("{}::{}", literal(value), cursor.kind);
    cursor.lag.as_ref().map_or(value.clone(), |lag| format!("({value} - {lag})"))
}

/// Finds out what is new at a moment.
///
/// # Errors
/// If the server cannot be asked, or too many rows would have to be known one by one.
pub async fn step(snapshot: &Snapshot, found: &Found, cursor: &Cursor, before: Option<&Reached>) -> Result<Step> {
    let column = quote(&cursor.column);
    let (from, only, kind) = (found.relation.sql(), found.filter(), &cursor.kind);
    let explained = |error| found.explain(&error);
    let greatest = match kind.as_str() {
        "numeric" => format!(
            "SELECT max({column})::text, bool_or({column}::text IN ('NaN', 'Infinity')) FROM {from} WHERE {only}"
        ),
        "bigint" => format!("SELECT max({column})::text, false FROM {from} WHERE {only}"),
        _ => format!("SELECT max({column})::text, bool_or(NOT isfinite({column})) FROM {from} WHERE {only}"),
    };
    let row = snapshot.client.query_one(&greatest, &[]).await.map_err(explained)?;
    let (greatest, endless): (Option<String>, Option<bool>) = (row.get(0), row.get(1));
    let Some(greatest) = greatest else { return Ok(Step { conditions: None, reached: None }) };
    if endless == Some(true) {
        return Err(Error::fatal(format!(
            "table {}: the cursor `{}` has a value that is infinite or no number, after which nothing is new",
            found.schema.name, cursor.column
        )));
    }
    let upper = format!("{column} <= {}::{kind}", literal(&greatest));
    let mut conditions = vec![upper.clone()];
    if let Some(before) = before {
        conditions.push(format!("{column} >= {}", lagging(cursor, &before.at)));
        if !before.seen.is_empty() {
            let seen = before.seen.join(",");
            conditions.push(format!(
                "NOT ({column} <= {}::{kind} AND {HASH} = ANY ('{{{seen}}}'::text[]))",
                literal(&before.at)
            ));
        }
    }
    let sql = format!(
        "SELECT {HASH} FROM {from} AS headwater_row WHERE {only} AND {upper} AND {column} >= {} LIMIT {}",
        lagging(cursor, &greatest),
        MOST_SEEN + 1
    );
    let rows = snapshot.client.query(&sql, &[]).await.map_err(explained)?;
    if rows.len() > MOST_SEEN {
        return Err(Error::fatal(format!(
            "table {}: more than {MOST_SEEN} rows have a `{}` at or shortly before the newest, and have to be known one by \
             one to be read once; lower `lag`, or choose a finer column",
            found.schema.name, cursor.column
        )));
    }
    let mut seen: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    seen.sort_unstable();
    let reached = Reached { column: cursor.column.clone(), at: greatest, seen };
    Ok(Step { conditions: Some(conditions), reached: Some(reached) })
}
