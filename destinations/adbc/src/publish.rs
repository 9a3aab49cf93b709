//! The transaction that makes a part visible: its rows come in, those with the same key and stale ones go, and what an
//! earlier attempt of the same sync left is replaced.

use std::time::Duration;

use headwater_sdk::arrow::array::RecordBatch;
use headwater_sdk::arrow::datatypes::{Schema, TimeUnit};
use headwater_sdk::plain::{TimeStyle, time_text};
use headwater_sdk::schema::{SOURCE_NAME, SYNC_TIME};
use headwater_sdk::sql::{named_columns, quote};
use headwater_sdk::{Committed, Outcome, Part, Result, TableSchema, WriteMode};

use crate::dialect::{Dialect, literal, staged_key};
use crate::errors::passes;
use crate::session::Session;
use crate::store::{Stage, Store, Waiting};

/// How often a transaction is run again that another was in the way of.
const TRIES: u32 = 8;
/// The pause before it is run again the first time; each time after that it is twice as long.
const PAUSE: Duration = Duration::from_millis(5);

/// Makes a part visible, and removes its stale rows where that is asked for, in one transaction. Rows are in `stage`, and
/// those of `held` after them.
pub fn publish(
    store: &mut Store,
    part: &Part,
    columns: &Waiting,
    stage: Option<Stage>,
    held: &[RecordBatch],
    rows: u64,
    outcome: Outcome,
) -> Result<Committed> {
    let complete = outcome == Outcome::Complete;
    // What is missing because it was put aside is not known to be gone.
    let aside = part.rejects.as_ref().is_some_and(|rejects| !rejects.are_none());
    let removes = complete && !aside && part.mode == WriteMode::OverwriteDeleteStale;
    part.check_unit()?;
    let waiting = match stage {
        Some(Stage::Stream(stream)) => return store.commit(stream, held),
        None if rows == 0 && !removes && !(complete && part.resumed) => return Ok(Committed::default()),
        None if rows == 0 => None,
        None => Some(store.stage(columns, held)?),
        Some(Stage::Waiting(name)) => {
            store.add(&Stage::Waiting(name.clone()), columns, held)?;
            Some(name)
        }
    };
    let done = again(|| {
        let stage = waiting.as_deref().map(|name| store.dialect.temporary(name));
        Publish { part, rows, removes, stage }.run(store)
    });
    if let Some(name) = waiting {
        store.forget(&Stage::Waiting(name));
    }
    done
}

/// Does something again where another transaction was in the way.
pub fn again<T>(mut work: impl FnMut() -> Result<T>) -> Result<T> {
    let mut tries = 0;
    loop {
        match work() {
            Err(error) if tries < TRIES && passes(&error) => {
                tracing::debug!(%error, "a transaction is run again");
                std::thread::sleep(PAUSE.saturating_mul(1 << tries));
                tries += 1;
            }
            done => return done,
        }
    }
}

struct Publish<'a> {
    part: &'a Part,
    rows: u64,
    removes: bool,
    /// The temporary table in which the rows wait; none without a row.
    stage: Option<String>,
}

impl Publish<'_> {
    fn run(&self, store: &mut Store) -> Result<Committed> {
        let dialect = store.dialect;
        let table = dialect.table(&self.part.table.name);
        let key = staged_key(&self.part.table);
        store.session().transaction(|session| {
            let mut done = Committed::default();
            if self.part.resumed && self.part.adds() {
                session.delete(&table, &of_unit(self.part, dialect, "=")?)?;
            }
            let resumed = self.part.resumed && !self.part.adds();
            // Rows of an earlier attempt have the same time; which of them are gone is told by the key.
            let compared = if resumed { "<=" } else { "<" };
            let stale = of_unit(self.part, dialect, compared)?;
            let mut insert = None;
            if let Some(stage) = &self.stage {
                session.ensure_rows(stage, self.rows)?;
                done.written = self.rows;
                if !key.is_empty() && self.rows > 1 {
                    done.written = self.keys(session, dialect, stage, &key.join(", "))?;
                }
                insert = Some(dialect.insert(&self.part.table, stage, done.written < self.rows));
            }
            if dialect.upserts() {
                if let Some(insert) = insert {
                    session.execute(&insert)?;
                }
                if self.removes {
                    let unseen = self.stage.as_ref().filter(|_| resumed);
                    let unseen = unseen.map(|stage| format!(" AND NOT {}", self.seen(dialect, &table, stage)));
                    done.deleted = session.delete(&table, &(stale + unseen.as_deref().unwrap_or_default()))?;
                }
                return Ok(done);
            }
            if let Some(stage) = self.stage.as_ref().filter(|_| !key.is_empty()) {
                session.delete(&table, &self.seen(dialect, &table, stage))?;
            }
            if self.removes {
                done.deleted = session.delete(&table, &stale)?;
            }
            if let Some(insert) = insert {
                session.execute(&insert)?;
            }
            Ok(done)
        })
    }

    /// How many different keys wait.
    fn keys(&self, session: &mut Session, dialect: Dialect, stage: &str, key: &str) -> Result<u64> {
        if let Some(sql) = dialect.about_keys(stage, key)
            && session.number(&sql)? == self.rows
        {
            return Ok(self.rows);
        }
        session.number(&format!("SELECT count(*) FROM (SELECT 1 FROM {stage} GROUP BY {key}) AS k"))
    }

    /// The condition that a row of the table has the key of one that waits.
    fn seen(&self, dialect: Dialect, table: &str, stage: &str) -> String {
        let columns = self.part.table.columns.iter().enumerate().filter(|(_, column)| column.key);
        let equal = columns.map(|(index, column)| {
            let staged = dialect.staged("s.", index, &column.kind);
            format!("{staged} = {table}.{}", quote(&column.name))
        });
        format!("EXISTS (SELECT 1 FROM {stage} s WHERE {})", equal.collect::<Vec<_>>().join(" AND "))
    }
}

/// The condition that a row is of a part's unit, and of a sync whose time compares to the part's.
pub fn of_unit(part: &Part, dialect: Dialect, compared: &str) -> Result<String> {
    let time = time_text(part.sync_time.0, TimeUnit::Microsecond, TimeStyle::Sql);
    let mut condition = format!("{} {compared} {}", quote(SYNC_TIME), dialect.time(&time));
    let source = (SOURCE_NAME, &part.source);
    let predicate = part.predicate.iter().map(|(column, value)| (column.as_str(), value));
    for (column, value) in std::iter::once(source).chain(predicate) {
        condition.push_str(&format!(" AND {} = {}", quote(column), literal(value)));
    }
    for range in &part.ranges {
        condition.push_str(&format!(" AND {}", dialect.range(range, &part.table)?));
    }
    Ok(condition)
}

/// Removes what earlier syncs than this one have left of a source.
pub fn prune(store: &mut Store, all: &Part) -> Result<u64> {
    let (table, condition) = (store.dialect.table(&all.table.name), of_unit(all, store.dialect, "<")?);
    again(|| store.session().transaction(|session| session.delete(&table, &condition)))
}

/// Removes the rows of a table that are equal to a row of `matching` in its columns.
pub fn delete(store: &mut Store, table: &TableSchema, matching: &RecordBatch) -> Result<u64> {
    let columns = named_columns(table, matching)?;
    if matching.num_rows() == 0 {
        return Ok(0);
    }
    let dialect = store.dialect;
    let waiting = Waiting::new(dialect, columns.iter().copied(), false);
    let fields: Vec<_> = columns.iter().map(|column| column.field()).collect();
    let batch = waiting.convert(&Schema::new(fields), matching, 0)?;
    let stage = store.stage(&waiting, &[batch])?;
    let named = dialect.table(&table.name);
    let equal = columns.iter().enumerate().map(|(index, column)| {
        let staged = dialect.staged("s.", index, &column.kind);
        let name = format!("{named}.{}", quote(&column.name));
        match dialect.not_null(column) {
            true => format!("{name} = {staged}"),
            false => format!("({name} = {staged} OR {name} IS NULL AND {staged} IS NULL)"),
        }
    });
    let from = dialect.temporary(&stage);
    let condition = format!("EXISTS (SELECT 1 FROM {from} s WHERE {})", equal.collect::<Vec<_>>().join(" AND "));
    let deleted = again(|| {
        store.session().transaction(|session| {
            session.ensure_rows(&from, matching.num_rows() as u64)?;
            session.delete(&named, &condition)
        })
    });
    store.forget(&Stage::Waiting(stage));
    deleted
}
