//! The transaction that makes a part visible: its rows come in, stale ones go, and what an earlier attempt of the same
//! sync left is replaced.

use std::collections::{HashMap, HashSet};

use headwater_sdk::arrow::array::{Array, RecordBatch};
use headwater_sdk::arrow::datatypes::TimeUnit;
use headwater_sdk::plain::{TimeStyle, time_text};
use headwater_sdk::rejects::sift;
use headwater_sdk::{Class, Committed, Error, Part, Result};
use rusqlite::types::Value;
use rusqlite::{CachedStatement, Connection, Transaction, params_from_iter};

use crate::cells::Cells;
use crate::changes::{Change, Changes};
use crate::ddl::{OfUnit, Seen, Statements, units_of_sync};
use crate::explain::explain;
use crate::location::Location;
use crate::store::delete_named;

/// A part that is about to be made visible.
pub struct Publish<'a> {
    /// Which part.
    pub part: &'a Part,
    /// How its rows are told from those of other units.
    pub of_unit: &'a OfUnit,
    /// Its table's statements.
    pub statements: &'a Statements,
    /// Whether what was there and was not seen again is removed.
    pub removes: bool,
    /// Where the database is.
    pub location: &'a Location,
}

impl Publish<'_> {
    /// Does it, as a whole or not at all.
    pub fn run(&self, db: &Connection, changes: Changes, left: &mut Left) -> Result<Committed> {
        let failed = |error: rusqlite::Error| explain(&error, self.location.path());
        // The lock is taken at the start, where waiting for it is possible.
        let transaction = self.location.begin(db).map_err(failed)?;
        if self.part.resumed && self.part.adds() && left.holds(&transaction, self.part).map_err(failed)? {
            self.delete(&transaction, "=", None).map_err(failed)?;
        }
        let mut done = Committed::default();
        // Rows of an earlier attempt have the same time, so only the key tells which of them are gone.
        let seen = self.statements.seen.as_ref().filter(|_| self.removes && self.part.resumed && !self.part.adds());
        if let Some(seen) = seen {
            transaction.execute_batch(&seen.create).map_err(failed)?;
        }
        let some = changes.rows.rows > 0;
        if changes.all {
            let mut delete = transaction.prepare_cached(&self.of_unit.delete_all()).map_err(failed)?;
            done.deleted += delete.execute(params_from_iter(unit_of(self.part))).map_err(failed)? as u64;
        }
        for change in changes.in_order()? {
            match change? {
                Change::Rows(batch) => done.written += self.insert(&transaction, &batch, seen)?,
                Change::Keys(keys) => {
                    done.deleted += delete_named(&transaction, &self.part.table, &keys, &failed)?;
                }
            }
        }
        // What is missing because it was put aside is not known to be gone.
        if self.removes && self.part.rejects.as_ref().is_none_or(|rejects| rejects.are_none()) {
            let compared = if seen.is_some() { "<=" } else { "<" };
            let unseen = seen.filter(|_| some).map(|seen| seen.unseen.as_str());
            done.deleted += self.delete(&transaction, compared, unseen).map_err(failed)?;
        }
        if some && !self.part.adds() {
            // Some of the rows may have replaced others of the part.
            let mut count = transaction.prepare_cached(&self.of_unit.count()).map_err(failed)?;
            let rows: i64 = count.query_row(params_from_iter(unit_at(self.part)), |row| row.get(0)).map_err(failed)?;
            done.written = done.written.min(rows.unsigned_abs());
        }
        transaction.commit().map_err(failed)?;
        Ok(done)
    }

    /// Brings in the rows of a batch, and answers how many they were. A row that is refused is put aside, where that is
    /// asked for: batches whose values cannot all be converted are halved, rows that SQLite refuses are known.
    fn insert(&self, transaction: &Transaction<'_>, batch: &RecordBatch, seen: Option<&Seen>) -> Result<u64> {
        let mut written = 0;
        sift(self.part.rejects.as_ref(), batch, &mut |batch| {
            written += self.insert_cells(transaction, batch, &self.cells(batch)?, seen)?;
            Ok(())
        })?;
        Ok(written)
    }

    fn insert_cells(
        &self,
        transaction: &Transaction<'_>,
        batch: &RecordBatch,
        cells: &[Cells],
        seen: Option<&Seen>,
    ) -> Result<u64> {
        let failed = |error: rusqlite::Error| explain(&error, self.location.path());
        let mut insert = transaction.prepare_cached(&self.statements.insert).map_err(failed)?;
        let mut note = seen.map(|seen| transaction.prepare_cached(&seen.insert)).transpose().map_err(failed)?;
        let key: Vec<&Cells> = self
            .part
            .table
            .columns
            .iter()
            .zip(cells)
            .filter(|(column, _)| column.key)
            .map(|(_, cells)| cells)
            .collect();
        let (mut scratch, mut written, mut bound) = (Vec::new(), 0, false);
        for row in 0..batch.num_rows() {
            let inserted = bind(&mut insert, cells, row, bound, &mut scratch).and_then(|()| insert.raw_execute());
            // A row that was refused may not have been bound to its end.
            bound = inserted.is_ok();
            if let Err(error) = inserted {
                let error = failed(error);
                let Some(rejects) = &self.part.rejects else { return Err(error) };
                // A trigger may have ended the transaction, and then this is not about the row alone.
                if error.class != Class::Rejected || transaction.is_autocommit() {
                    return Err(Error { class: Class::Destination, ..error });
                }
                rejects.add(batch, row, &error)?;
                continue;
            }
            written += 1;
            if let Some(note) = &mut note {
                for (index, cells) in key.iter().enumerate() {
                    cells.bind(note, index + 1, row, &mut scratch).map_err(failed)?;
                }
                note.raw_execute().map_err(failed)?;
            }
        }
        Ok(written)
    }

    /// The columns of a batch, ready to be bound.
    fn cells(&self, batch: &RecordBatch) -> Result<Vec<Cells>> {
        let schema = batch.schema();
        let columns = self.part.table.columns.iter().zip(schema.fields()).zip(batch.columns());
        let cells = columns.map(|((column, field), array)| {
            if column.key && array.null_count() > 0 {
                let name = &column.name;
                return Err(Error::rejected(format!("a row came without `{name}`, which is part of the key")));
            }
            Cells::new(field, array)
        });
        cells.collect()
    }

    /// Deletes rows of the unit by how their sync's time compares to this one's.
    fn delete(&self, transaction: &Transaction<'_>, compared: &str, unseen: Option<&str>) -> rusqlite::Result<u64> {
        let mut sql = self.of_unit.delete(compared);
        if let Some(unseen) = unseen {
            sql.push_str(" AND ");
            sql.push_str(unseen);
        }
        Ok(transaction.prepare_cached(&sql)?.execute(params_from_iter(unit_at(self.part)))? as u64)
    }
}

/// Binds a row. Where the row before is `bound`, what is as there is bound already: a text is copied each time.
fn bind(
    statement: &mut CachedStatement<'_>,
    cells: &[Cells],
    row: usize,
    bound: bool,
    scratch: &mut Vec<u8>,
) -> rusqlite::Result<()> {
    for (index, column) in cells.iter().enumerate() {
        if !bound || !column.is_as_before(row) {
            column.bind(statement, index + 1, row, scratch)?;
        }
    }
    Ok(())
}

/// The source and the values of the predicate.
fn unit_of(part: &Part) -> Vec<String> {
    std::iter::once(&part.source).chain(part.predicate.iter().map(|(_, value)| value)).cloned().collect()
}

/// The source, the values of the predicate, and the sync's time as it is stored.
pub fn unit_at(part: &Part) -> Vec<Value> {
    unit_of(part).into_iter().chain([time(part)]).map(Value::from).collect()
}

/// The sync's time as it is stored, so that the texts compare like the times.
fn time(part: &Part) -> String {
    time_text(part.sync_time.0, TimeUnit::Microsecond, TimeStyle::Sql)
}

/// The units of which an earlier attempt of a sync left rows, read once for each table: a table that is only added to
/// has no index, and is not searched again for each of its units. Those that are told by ranges too are one here.
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use headwater_sdk::destination::MigrateMode;
    use headwater_sdk::pool::Pool;
    use headwater_sdk::testing::HERE;
    use headwater_sdk::testing::things::{Item, at, batch, part, thing, things};
    use headwater_sdk::{Outcome, Part, Rejects, WriteMode};
    use rusqlite::limits::Limit;

    use super::*;
    use crate::store::Store;

    #[test]
    fn a_value_that_is_too_large_is_put_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.db");
        let mut store = Store::open(Location::parse(path.to_str().unwrap()).unwrap(), 1 << 20).unwrap();
        let table = things("t");
        store.migrate(&[Arc::new(table.clone())], MigrateMode::Safe).unwrap();
        // 1 GB else.
        store.db.set_limit(Limit::SQLITE_LIMIT_LENGTH, 10_000).unwrap();
        let large = |name, bytes| Item { text: Some("x".repeat(bytes)), number: None, ..thing(name, 0) };
        // One that cannot be bound, one of which the row is too large, and rows behind them that share values with others.
        let rows = [
            thing("a", 1),
            large("b", 10_001),
            Item { text: None, ..thing("c", 1) },
            large("d", 9_999),
            Item { number: Some(1), ..thing("e", 1) },
        ];
        let mut commit = |rejects| {
            let part = Part { rejects, ..part(&table, HERE, at(0), WriteMode::OverwriteDeleteStale) };
            let mut changes = Changes::new(folder.path().to_owned(), &Pool::default());
            changes.write(batch(&table, HERE, at(0), &rows));
            store.commit(&part, changes, Outcome::Complete)
        };
        let error = commit(None).unwrap_err();
        assert!(error.message.contains("larger than SQLite's limit of 1 GB"), "{error}");
        let rejects = Rejects::new(5);
        assert_eq!(commit(Some(rejects.clone())).unwrap().written, 3);
        let aside: Vec<String> = rejects.take().into_iter().map(|rejected| rejected.row).collect();
        assert!(aside.len() == 2 && aside[0].contains("\"b\"") && aside[1].contains("\"d\""), "{}", aside.len());
        let mut query = store.db.prepare("SELECT concat_ws(' ', name, text, number) FROM t ORDER BY 1").unwrap();
        let found = query.query_map([], |row| row.get(0)).unwrap().collect::<Result<Vec<String>, _>>().unwrap();
        assert_eq!(found, ["a text of a 1", "c 1", "e text of e 1"]);
    }
}
