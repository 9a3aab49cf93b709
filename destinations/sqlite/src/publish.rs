//! The transaction that makes a part visible: its rows come in, stale ones go, and what an earlier attempt of the same
//! sync left is replaced.

use std::collections::{HashMap, HashSet};

use headwater_sdk::arrow::datatypes::TimeUnit;
use headwater_sdk::plain::{TimeStyle, time_text};
use headwater_sdk::{Committed, Part};
use rusqlite::types::Value;
use rusqlite::{Connection, Transaction, TransactionBehavior, params_from_iter};

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
            done.written = transaction.prepare_cached(&statements.publish)?.execute(self.rows.range())? as u64;
            // The statement counts a row for each of its duplicates.
            if let Some(distinct) = statements.distinct.as_ref().filter(|_| self.rows.count > 1) {
                let keys: i64 = transaction.prepare_cached(distinct)?.query_row(self.rows.range(), |row| row.get(0))?;
                done.written = done.written.min(keys.unsigned_abs());
            }
        }
        if self.removes {
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
