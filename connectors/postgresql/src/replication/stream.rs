//! A sync of changes: what is new is copied, then the changes are read up to where the log was when the sync began.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use futures::stream::{self, TryStreamExt};
use headwater_postgresql_client::errors::explain;
use headwater_postgresql_client::{Connector as Connect, Wire};
use headwater_sdk::arrow::array::{AsArray, RecordBatch};
use headwater_sdk::arrow::datatypes::{DataType, Schema};
use headwater_sdk::sql::quote;
use headwater_sdk::unit::{Unit, UnitRun};
use headwater_sdk::{Column, ColumnType, Error, Removed, Result};
use tokio_postgres::Client;

use super::images::query;
use super::message::{Cell, Lsn, Message, Tuple, parse};
use super::reached::{Copied, Moment, Reached};
use super::slot::{Slot, Status};
use super::spec::ReplicationSpec;
use super::tables::{Publication, Tracked};
use super::window::{Image, Last, Window};
use crate::copy::{Limits, Rows, select};
use crate::divide::literal;
use crate::snapshot::Snapshot;
use crate::types::{Mapped, Wire as Form};

/// Messages are handed over in batches of so many bytes.
const MESSAGES: Limits = Limits { rows: 8192, bytes: 1 << 20 };

/// What a change takes beside its values, while it waits.
const OVERHEAD: usize = 120;

/// What is read.
pub struct Changes {
    /// Where.
    pub connect: Arc<Connect>,
    /// The server, for messages.
    pub shown: Arc<str>,
    /// What the configuration says.
    pub spec: ReplicationSpec,
    /// The publication as it was found.
    pub publication: Publication,
    /// The tables.
    pub tables: Vec<Tracked>,
    /// How large batches get.
    pub limits: Limits,
    /// Tables that are copied at once.
    pub connections: usize,
}

/// Reads a unit of changes.
///
/// # Errors
/// If any of it fails; then nothing of it is to be kept.
pub async fn read(changes: &Changes, unit: &Unit, run: &UnitRun) -> Result<()> {
    let before = run.checkpoint.as_deref().map(Reached::parse).transpose()?;
    let client = changes.connect.connect().await?;
    let slot = Slot { client: &client, spec: &changes.spec, shown: &changes.shown };
    changes.publish(&client).await?;
    let from = changes.begin(&slot, before.as_ref()).await?;
    let (mut tables, new) = changes.known(before.map(|before| before.tables).unwrap_or_default());
    if !new.is_empty() {
        slot.wait_for_running().await?;
        let moment = changes.copy(&new, unit, run).await?;
        tables.extend(new.iter().map(|table| (table.schema.name.clone(), Copied::new(table, Some(moment.clone())))));
    }
    let until = changes.spec.max_bytes.map_or(Lsn(u64::MAX), |most| Lsn(from.0.saturating_add(most)));
    let until = changes.publication.until.min(until).max(from);
    let lsn = if until > from { Reader::new(changes, &tables, unit, run).read(from, until).await? } else { from };
    for copied in tables.values_mut() {
        copied.moment = copied.moment.take().filter(|moment| moment.lsn > lsn);
    }
    run.reached(Reached { lsn, tables }.text()?).await;
    Ok(())
}

/// Has the server forget what lies before a checkpoint.
///
/// # Errors
/// If it cannot be told, or holds back too much all the same.
pub async fn kept(connect: &Connect, shown: &str, spec: &ReplicationSpec, checkpoint: &str) -> Result<()> {
    let reached = Reached::parse(checkpoint)?;
    let client = connect.connect().await?;
    let slot = Slot { client: &client, spec, shown };
    let status = slot.advance(reached.lsn).await?;
    tracing::info!(slot = spec.slot, held_back = status.lag_text, "changes are read up to {}", reached.lsn);
    slot.check_lag(&status)
}

impl Changes {
    fn explained(&self, error: &tokio_postgres::Error) -> Error {
        explain(error, &self.shown)
    }

    /// Makes the publication have the tables, where that is asked for.
    async fn publish(&self, client: &Client) -> Result<()> {
        let absent = self.tables.iter().filter(|table| !table.found.tracked.as_ref().is_some_and(|of| of.published));
        let absent: Vec<String> = absent.map(|table| table.found.relation.sql()).collect();
        if !self.spec.create || absent.is_empty() {
            return Ok(());
        }
        let (name, tables) = (quote(&self.spec.publication), absent.join(", "));
        let sql = match self.publication.exists {
            false => format!("CREATE PUBLICATION {name} FOR TABLE {tables} WITH (publish_via_partition_root = true)"),
            true => format!("ALTER PUBLICATION {name} ADD TABLE {tables}"),
        };
        tracing::info!(publication = self.spec.publication, tables, "tables are added to the publication");
        let done = client.batch_execute(&sql).await;
        done.map_err(|error| self.explained(&error).while_doing(format_args!("publication {}", self.spec.publication)))
    }

    /// Makes sure that the slot goes on where the last sync has ended, and answers where that is.
    async fn begin(&self, slot: &Slot<'_>, before: Option<&Reached>) -> Result<Lsn> {
        let name = &self.spec.slot;
        let status = match (slot.free().await?, before) {
            (Some(status), _) => status,
            (None, None) if self.spec.create => slot.create().await?,
            (None, None) => {
                let why = format!(
                    "{}: there is no slot `{name}`; SELECT pg_create_logical_replication_slot('{name}', 'pgoutput'), or say \
                     `create: true`",
                    self.shown
                );
                return Err(Error::fatal(why));
            }
            (None, Some(_)) => {
                let why = format!(
                    "{}: the slot `{name}` is gone, and with it changes that have not been read; to copy all tables anew, \
                     name another one in `slot`",
                    self.shown
                );
                return Err(Error::fatal(why));
            }
        };
        self.tell(&status);
        let Some(before) = before else { return Ok(status.confirmed) };
        if status.confirmed > before.lsn {
            let why = format!(
                "{}: the slot `{name}` is at {}, and changes were read up to {} only: something else has read it, or it was \
                 made anew; to copy all tables anew, name another one in `slot`",
                self.shown, status.confirmed, before.lsn
            );
            return Err(Error::fatal(why));
        }
        // The sync before this one may have been ended before it could say so.
        slot.advance(before.lsn).await?;
        Ok(before.lsn)
    }

    fn tell(&self, status: &Status) {
        tracing::info!(slot = self.spec.slot, held_back = status.lag_text, "the slot is at {}", status.confirmed);
        if self.spec.max_lag.is_some_and(|most| status.lag > most) {
            let (slot, lag) = (&self.spec.slot, &status.lag_text);
            tracing::warn!("the slot {slot} holds back {lag} of the server's log, more than `max_lag` allows");
        }
    }

    /// Of the tables those that were copied, as they are now, and those that are to be copied.
    fn known(&self, before: BTreeMap<String, Copied>) -> (BTreeMap<String, Copied>, Vec<&Tracked>) {
        let (mut known, mut new) = (BTreeMap::new(), Vec::new());
        for table in &self.tables {
            let name = &table.schema.name;
            match before.get(name).map(|copied| (copied, copied.differs(table))) {
                Some((copied, None)) => {
                    known.insert(name.clone(), Copied::new(table, copied.moment.clone()));
                }
                Some((_, Some(why))) => {
                    tracing::warn!(table = name, "the table is copied anew: {why}");
                    new.push(table);
                }
                None => new.push(table),
            }
        }
        (known, new)
    }

    /// Copies tables as they are at one moment.
    async fn copy(&self, tables: &[&Tracked], unit: &Unit, run: &UnitRun) -> Result<Moment> {
        let snapshot = Snapshot::take(&self.connect, &self.shown).await?;
        // The place is looked up behind the moment: what was committed before that is before the place.
        let sql = "SELECT txid_current_snapshot()::text, pg_current_wal_insert_lsn()::text";
        let row = snapshot.client.query_one(sql, &[]).await.map_err(|error| self.explained(&error))?;
        let lsn: String = row.get(1);
        let moment = Moment::parse(row.get(0), lsn.parse()?)?;
        let copies = tables.iter().map(|table| Ok((*table, Arc::clone(&snapshot))));
        let copies = stream::iter(copies).try_for_each_concurrent(self.connections, |(table, snapshot)| async move {
            let mut wire = self.connect.connect_wire().await?;
            snapshot.enter(&mut wire).await?;
            run.remove(&table.schema, Removed::All).await;
            let columns = &table.found.columns;
            let filter = table.filter().map_or(String::new(), |filter| format!(" WHERE {filter}"));
            let text = format!("{} FROM {} AS headwater_row{filter}", select(columns), table.found.relation.sql());
            let copied = send(&mut wire, &text, table, self.limits, unit, run).await;
            copied.map_err(|error| error.while_doing(format_args!("table {}", table.found.relation.sql())))
        });
        copies.await?;
        Ok(moment)
    }
}

/// Sends the rows of a query, which are those of a table.
async fn send(wire: &mut Wire, text: &str, table: &Tracked, limits: Limits, unit: &Unit, run: &UnitRun) -> Result<()> {
    let mut rows = Rows::begin(wire, text, &table.found.columns, limits).await?;
    loop {
        let (lease, _) = run.calls.memory().admit(limits.bytes as u64, 0, std::future::ready(())).await;
        let Some((count, columns)) = rows.next().await? else { return Ok(()) };
        drop(lease);
        run.send(&table.schema, run.framed_of(&table.schema, unit, count, columns)?).await;
    }
}

/// A table while its changes are read.
struct Table<'a> {
    tracked: &'a Tracked,
    /// The places of the columns that changes tell.
    told: Vec<usize>,
    /// Those of the key's.
    key: Vec<usize>,
    moment: Option<&'a Moment>,
    window: Window,
}

/// Where the columns of a table are among those of its changes.
struct Places {
    table: usize,
    of: Vec<Option<usize>>,
}

/// Reads changes.
struct Reader<'a> {
    changes: &'a Changes,
    unit: &'a Unit,
    run: &'a UnitRun,
    tables: Vec<Table<'a>>,
    /// By the number that a relation has in changes.
    places: HashMap<u32, Places>,
    /// Where changes are read from.
    from: Lsn,
    /// The transaction whose changes come: where it was committed, and its number. None that was read before.
    transaction: Option<(Lsn, u32)>,
    open: bool,
    /// The end of the last transaction.
    end: Option<Lsn>,
}

impl<'a> Reader<'a> {
    fn new(changes: &'a Changes, copied: &'a BTreeMap<String, Copied>, unit: &'a Unit, run: &'a UnitRun) -> Self {
        let tables = changes.tables.iter().map(|tracked| {
            let told = tracked.told();
            let key: Vec<usize> = told.iter().copied().filter(|at| tracked.found.columns[*at].column.key).collect();
            let within = key.iter().filter_map(|at| told.iter().position(|told| told == at)).collect();
            let moment = copied.get(&tracked.schema.name).and_then(|copied| copied.moment.as_ref());
            Table { tracked, told, key, moment, window: Window::new(within) }
        });
        let tables = tables.collect();
        let (places, from) = (HashMap::new(), Lsn(0));
        Self { changes, unit, run, tables, places, from, transaction: None, open: false, end: None }
    }

    /// Reads what was committed from a place up to another, and answers up to where all is read.
    async fn read(mut self, from: Lsn, until: Lsn) -> Result<Lsn> {
        self.from = from;
        let spec = &self.changes.spec;
        let mut wire = self.changes.connect.connect_wire().await?;
        // Who is gone is noticed also while nothing is sent, or the slot would stay in use.
        wire.execute(
            "SELECT set_config('client_connection_check_interval', '2s', false) \
             FROM pg_settings WHERE name = 'client_connection_check_interval'",
        )
        .await?;
        let mut other = self.changes.connect.connect_wire().await?;
        let peek = format!(
            "SELECT data FROM pg_logical_slot_peek_binary_changes({}, '{until}', {}, 'proto_version', '1', \
             'publication_names', {})",
            literal(&spec.slot),
            spec.max_changes.map_or("NULL".to_owned(), |most| most.to_string()),
            literal(&quote(&spec.publication)),
        );
        let column = Column::new("data", ColumnType::plain(DataType::Binary), "");
        let column = [Mapped { column, select: "data".to_owned(), wire: Form::Bytes, nan_is_null: false }];
        let mut messages = Rows::begin(&mut wire, &peek, &column, MESSAGES).await?;
        let (mut read, mut waiting) = (0_u64, 0);
        while let Some((count, columns)) = messages.next().await? {
            read += count as u64;
            let data = columns.first().and_then(|data| data.as_binary_opt::<i32>());
            let data = data.ok_or_else(|| Error::fatal("changes did not come as bytes"))?;
            for message in data.iter().flatten() {
                self.take(parse(message)?)?;
                waiting += message.len() + OVERHEAD;
                if waiting >= self.changes.limits.bytes {
                    self.flush(&mut other).await?;
                    waiting = 0;
                }
            }
        }
        if self.open {
            return Err(Error::fatal("the server ended the changes within a transaction"));
        }
        self.flush(&mut other).await?;
        let cut = spec.max_changes.is_some_and(|most| read >= most.unsigned_abs().into());
        tracing::info!(slot = spec.slot, changes = read, "changes up to {until}");
        Ok(match (cut, self.end) {
            (true, Some(end)) => end.max(from),
            (_, end) => end.unwrap_or(from).max(until),
        })
    }

    fn take(&mut self, message: Message<'_>) -> Result<()> {
        match message {
            Message::Begin { commit, xid } => {
                self.open = true;
                self.transaction = (commit >= self.from).then_some((commit, xid));
            }
            Message::Commit { end } => {
                self.open = false;
                self.end = self.end.max(Some(end));
            }
            Message::Relation { relation, columns } => {
                self.places.remove(&relation);
                let table = self.tables.iter().position(|table| table.tracked.found.relation.oid == relation);
                if let Some(at) = table {
                    let Table { tracked, told, .. } = &self.tables[at];
                    let names = told.iter().map(|told| &tracked.found.relation.columns[*told].name);
                    let of = names.map(|name| columns.iter().position(|column| column == name)).collect();
                    self.places.insert(relation, Places { table: at, of });
                }
            }
            Message::Insert { relation, new } => {
                if let Some((table, places)) = self.table(relation) {
                    table.window.insert(&placed(places, &new)).map_err(|error| table.named(error))?;
                }
            }
            Message::Update { relation, old, new } => {
                if let Some((table, places)) = self.table(relation) {
                    let old = old.map(|mut old| {
                        old.values = placed(places, &old.values);
                        old
                    });
                    table.window.update(old.as_ref(), &placed(places, &new)).map_err(|error| table.named(error))?;
                }
            }
            Message::Delete { relation, mut old } => {
                if let Some((table, places)) = self.table(relation) {
                    old.values = placed(places, &old.values);
                    table.window.delete(&old).map_err(|error| table.named(error))?;
                }
            }
            Message::Truncate { relations } => {
                for relation in relations {
                    if let Some((table, _)) = self.table(relation) {
                        table.window.clear();
                    }
                }
            }
            Message::Other => {}
        }
        Ok(())
    }

    /// The table of a change, unless it has the change already.
    fn table(&mut self, relation: u32) -> Option<(&mut Table<'a>, &[Option<usize>])> {
        let (commit, xid) = self.transaction?;
        let places = self.places.get(&relation)?;
        let table = self.tables.get_mut(places.table)?;
        let copied = table.moment.is_some_and(|moment| moment.has(xid, commit));
        (!copied).then_some((table, places.of.as_slice()))
    }

    /// Hands on all that has come.
    async fn flush(&mut self, wire: &mut Wire) -> Result<()> {
        let (unit, run, limits) = (self.unit, self.run, self.changes.limits);
        for table in self.tables.iter_mut().filter(|table| !table.window.is_empty()) {
            let (cleared, rows) = table.window.take();
            let flushed = table.flush(wire, cleared, rows, limits, unit, run).await;
            flushed.map_err(|error| table.named(error))?;
        }
        Ok(())
    }
}

/// Values in the order of a table's columns. What a change does not have was not there when it was made.
fn placed<'a>(places: &[Option<usize>], values: &Tuple<'a>) -> Tuple<'a> {
    let value = |place: &Option<usize>| place.and_then(|at| values.get(at)).copied().unwrap_or(Cell::Null);
    places.iter().map(value).collect()
}

impl Table<'_> {
    fn named(&self, error: Error) -> Error {
        error.while_doing(format_args!("changes of {}", self.tracked.found.relation.sql()))
    }

    async fn flush(
        &self,
        wire: &mut Wire,
        cleared: bool,
        rows: HashMap<Image, Last>,
        limits: Limits,
        unit: &Unit,
        run: &UnitRun,
    ) -> Result<()> {
        let schema = &self.tracked.schema;
        if cleared {
            run.remove(schema, Removed::All).await;
        }
        let mut gone = Vec::new();
        // By what is not told of them.
        let mut there: BTreeMap<Vec<usize>, Vec<Image>> = BTreeMap::new();
        for (key, last) in rows {
            match last {
                Last::Gone => gone.push(key),
                Last::There(row) => {
                    let unchanged = row.cells().enumerate().filter(|(_, cell)| *cell == Cell::Unchanged);
                    let unchanged = unchanged.map(|(at, _)| at).collect();
                    there.entry(unchanged).or_default().push(row);
                }
            }
        }
        if !gone.is_empty() {
            let columns: Vec<Mapped> = self.key.iter().map(|at| self.tracked.found.columns[*at].clone()).collect();
            let text = query(self.tracked, &self.key, &[], gone.iter(), &columns)?;
            let fields: Vec<_> = columns.iter().map(|mapped| mapped.column.field()).collect();
            let fields = Arc::new(Schema::new(fields));
            let mut rows = Rows::begin(wire, &text, &columns, limits).await?;
            while let Some((_, columns)) = rows.next().await? {
                let keys = RecordBatch::try_new(Arc::clone(&fields), columns).map_err(Error::fatal)?;
                run.remove(schema, Removed::Keys(keys)).await;
            }
        }
        for (unchanged, rows) in there {
            let text = query(self.tracked, &self.told, &unchanged, rows.iter(), &self.tracked.found.columns)?;
            drop(rows);
            send(wire, &text, self.tracked, limits, unit, run).await?;
        }
        Ok(())
    }
}
