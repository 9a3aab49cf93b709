//! The transaction that makes a part visible: its rows come in, stale ones go, and what an earlier attempt of the same
//! sync left is replaced.

use std::collections::{HashMap, HashSet};

use headwater_sdk::arrow::datatypes::TimeUnit;
use headwater_sdk::plain::{TimeStyle, time_text, write_base64};
use headwater_sdk::{Committed, Part, TableSchema};
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior, params_from_iter};

use crate::ddl::{Statements, delete_unit, units_of_sync};
use crate::store::Rows;

/// A part that is about to be made visible.
pub struct Publish<'a> {
    /// Which part.
    pub part: &'a Part,
    /// Its rows.
    pub rows: Rows,
    /// Its table's statements; none without a row.
    pub statements: Option<&'a Statements>,
    /// Whether what was there and was not seen again is removed.
    pub removes: bool,
}

impl Publish<'_> {
    /// Does it, as a whole or not at all.
    pub fn run(&self, db: &mut Connection, left: &mut Left) -> rusqlite::Result<Committed> {
        let mut done = Committed::default();
        // The lock is taken at the start, where waiting for it is possible.
        let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if self.part.resumed && self.part.adds() && left.holds(&transaction, self.part)? {
            self.delete(&transaction, "=", None)?;
        }
        if let Some(statements) = self.statements {
            done.written = self.publish(&transaction, statements)?;
            // The statement counts a row for each of its duplicates.
            if let Some(distinct) = statements.distinct.as_ref().filter(|_| self.rows.count > 1) {
                let keys: i64 = transaction.prepare_cached(distinct)?.query_row(self.rows.range(), |row| row.get(0))?;
                done.written = done.written.min(keys.unsigned_abs());
            }
        }
        // What is missing because it was put aside is not known to be gone.
        if self.removes && self.part.rejects.as_ref().is_none_or(|rejects| rejects.count() == 0) {
            done.deleted = if self.part.resumed && !self.part.adds() {
                // Rows of the earlier attempt have the same time, so only the key tells which of them are gone.
                let unseen = self.statements.and_then(|statements| statements.unseen.as_deref());
                self.delete(&transaction, "<=", unseen)?
            } else {
                self.delete(&transaction, "<", None)?
            };
        }
        if let Some(statements) = self.statements {
            transaction.prepare_cached(&statements.clear)?.execute(self.rows.range())?;
        }
        transaction.commit()?;
        Ok(done)
    }

    /// Moves the rows into the table. Where one of them is refused and may be put aside, the halves are tried, in order,
    /// so that the last of equal keys stays.
    fn publish(&self, transaction: &Transaction<'_>, statements: &Statements) -> rusqlite::Result<u64> {
        let [first, last] = self.rows.range();
        let last = first.saturating_add_unsigned(self.rows.count.saturating_sub(1)).min(last);
        let (mut ranges, mut written) = (vec![(first, last)], 0);
        while let Some((first, last)) = ranges.pop() {
            let refused = match transaction.prepare_cached(&statements.publish)?.execute([first, last]) {
                Ok(more) => {
                    written += more as u64;
                    continue;
                }
                Err(error) => error,
            };
            let constraint = refused.sqlite_error_code() == Some(ErrorCode::ConstraintViolation);
            // A trigger may have ended the transaction.
            let rejects = self.part.rejects.as_ref().filter(|_| constraint && !transaction.is_autocommit());
            let Some(rejects) = rejects else { return Err(refused) };
            if first < last {
                let half = first + (last - first) / 2;
                ranges.extend([(half + 1, last), (first, half)]);
                continue;
            }
            let row = staged_row(transaction, &self.part.table, statements, first)?;
            if rejects.add_text(row, &refused).is_err() {
                return Err(refused);
            }
            transaction.prepare_cached(&statements.clear)?.execute([first, first])?;
        }
        Ok(written)
    }

    /// Deletes rows of the unit by how their sync's time compares to this one's.
    fn delete(&self, transaction: &Transaction<'_>, compared: &str, unseen: Option<&str>) -> rusqlite::Result<u64> {
        let mut sql = delete_unit(&self.part.table.name, &self.part.predicate, compared);
        let mut values: Vec<Value> = unit_of(self.part).into_iter().map(Value::from).collect();
        values.push(time(self.part).into());
        if let Some(unseen) = unseen {
            sql.push_str(" AND ");
            sql.push_str(unseen);
            values.extend(self.rows.range().map(Value::from));
        }
        Ok(transaction.prepare_cached(&sql)?.execute(params_from_iter(values))? as u64)
    }
}

/// A row of the temporary table as a JSON object.
fn staged_row(
    transaction: &Transaction<'_>,
    table: &TableSchema,
    statements: &Statements,
    number: i64,
) -> rusqlite::Result<String> {
    transaction.prepare_cached(&statements.row)?.query_row([number], |row| {
        let mut object = serde_json::Map::new();
        for (index, column) in table.columns.iter().enumerate() {
            let value = match row.get_ref(index)? {
                ValueRef::Null => serde_json::Value::Null,
                ValueRef::Integer(number) => number.into(),
                ValueRef::Real(number) => number.into(),
                ValueRef::Text(text) => String::from_utf8_lossy(text).into(),
                ValueRef::Blob(bytes) => {
                    let mut text = Vec::new();
                    write_base64(bytes, &mut text);
                    String::from_utf8_lossy(&text).into()
                }
            };
            object.insert(column.name.clone(), value);
        }
        Ok(serde_json::Value::Object(object).to_string())
    })
}

/// The source and the values of the predicate.
fn unit_of(part: &Part) -> Vec<String> {
    std::iter::once(&part.source).chain(part.predicate.iter().map(|(_, value)| value)).cloned().collect()
}

/// The sync's time as it is stored, so that the texts compare like the times.
fn time(part: &Part) -> String {
    time_text(part.sync_time.0, TimeUnit::Microsecond, TimeStyle::Sql)
}

/// The units of which an earlier attempt of a sync left rows, read once for each table: a table that is only added to
/// has no index, and is not searched again for each of its units.
#[derive(Default)]
pub struct Left(HashMap<(String, String), HashSet<Vec<String>>>);

impl Left {
    fn holds(&mut self, transaction: &Transaction<'_>, part: &Part) -> rusqlite::Result<bool> {
        let columns: Vec<&str> = part.predicate.iter().map(|(column, _)| column.as_str()).collect();
        let sql = units_of_sync(&part.table.name, &columns);
        let units = match self.0.entry((sql, time(part))) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => {
                let (sql, time) = entry.key();
                let mut query = transaction.prepare(sql)?;
                let units = query.query_map([time], |row| {
                    // A value that is no text is of no unit that has a predicate.
                    (0..=columns.len()).map(|index| Ok(row.get(index).unwrap_or_default())).collect()
                })?;
                let units = units.collect::<rusqlite::Result<_>>()?;
                drop(query);
                entry.insert(units)
            }
        };
        Ok(units.contains(&unit_of(part)))
    }
}
