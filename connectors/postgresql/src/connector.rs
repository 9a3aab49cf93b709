//! The connector: finds tables, divides them into units, and reads each over a connection of its own.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::stream::{self, BoxStream, StreamExt};
use headwater_postgresql_client::{Connector as Connect, Wire};
use headwater_sdk::connector::{Connector, Found as Step, Undiscovered, Wanted};
use headwater_sdk::registry::Node;
use headwater_sdk::unit::{Unit, UnitRun};
use headwater_sdk::{CallLimits, Error, Range, Result, Scopes, Selection, TableSchema, async_trait};

use crate::copy::{Limits, Rows, select};
use crate::cursor::{self, Reached};
use crate::discover::{Found, PACKAGE, discover, nodes};
use crate::divide::{Piece, pieces};
use crate::replication::{self, Changes, Publication, ReplicationSpec, Slot, Tracked};
use crate::snapshot::Snapshot;
use crate::spec::{By, Spec};

/// How often a unit is read whose connection was lost.
const TRIES: u32 = 4;
/// The longest pause between two tries.
const PAUSE: Duration = Duration::from_secs(10);
/// Rows and bytes of a batch, where nothing else is said.
const BATCH: Limits = Limits { rows: 64 << 10, bytes: 8 << 20 };

struct Postgresql {
    spec: Spec,
    connect: Arc<Connect>,
    /// The server, for messages.
    shown: Arc<str>,
    limits: Limits,
    /// The tables that were found, by their names in destinations.
    found: Mutex<BTreeMap<String, Arc<Found>>>,
    /// The publication, where changes are read.
    publication: Mutex<Publication>,
    /// What the units of divided tables have together.
    extents: Mutex<HashMap<String, Vec<Vec<Range>>>>,
    /// Connections that wait for a unit.
    idle: Mutex<Vec<Wire>>,
}

/// The connector that a spec describes. Nothing is connected to yet.
///
/// # Errors
/// If the spec says what cannot be.
pub fn connector(spec: Spec) -> Result<Arc<dyn Connector>> {
    spec.check()?;
    let settings = spec.place().settings()?;
    let shown = settings.shown.as_str().into();
    let limits =
        Limits { rows: spec.rows_per_batch.unwrap_or(BATCH.rows), bytes: spec.bytes_per_batch.unwrap_or(BATCH.bytes) };
    let connect = Arc::new(Connect::new(settings)?);
    Ok(Arc::new(Postgresql {
        spec,
        connect,
        shown,
        limits,
        found: Mutex::default(),
        publication: Mutex::default(),
        extents: Mutex::default(),
        idle: Mutex::default(),
    }))
}

/// What a unit reads.
struct Reading {
    found: Arc<Found>,
    piece: Piece,
    snapshot: Option<Arc<Snapshot>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Postgresql {
    /// A connection, new or one that has read another unit.
    async fn wire(&self) -> Result<Wire> {
        let idle = lock(&self.idle).pop();
        match idle {
            Some(wire) => Ok(wire),
            None => self.connect.connect_wire().await,
        }
    }

    /// The unit of all changes. One slot has those of all tables, so they are one unit, whose name is the slot's.
    fn changes(&self, spec: &ReplicationSpec, tables: Vec<Arc<Node>>, wanted: &Wanted) -> Result<Vec<Unit>> {
        let name = format!("replication of slot {}", spec.slot);
        if tables.is_empty() || !wanted(&name, "") {
            return Ok(Vec::new());
        }
        let tracked = |node: &Arc<Node>| {
            let schema = Arc::clone(&node.schema);
            let found = lock(&self.found).get(&schema.name).cloned();
            let found = found.ok_or_else(|| Error::fatal(format!("the table {} was not found before", schema.name)))?;
            Ok(Tracked { found, schema })
        };
        let changes = Changes {
            connect: Arc::clone(&self.connect),
            shown: Arc::clone(&self.shown),
            spec: spec.clone(),
            publication: lock(&self.publication).clone(),
            tables: tables.iter().map(tracked).collect::<Result<_>>()?,
            limits: self.limits,
            connections: self.spec.connections(),
        };
        // It has no columns, because it is no table.
        let root = TableSchema::of_database(&name, "", Scopes::SINGLE, Vec::new()).with_columns(Vec::new());
        let mut root = Node::own(PACKAGE, root, Vec::new());
        root.children = tables;
        let unit = Unit {
            node: Arc::new(root),
            scope: String::new(),
            predicate: Vec::new(),
            ranges: Vec::new(),
            handle: Arc::new(changes),
        };
        Ok(vec![unit])
    }

    async fn read(&self, reading: &Reading, unit: &Unit, run: &UnitRun) -> Result<()> {
        let found = &reading.found;
        // What is new is found out at the moment at which it is read.
        let snapshot = match (&reading.snapshot, &found.cursor) {
            (None, Some(_)) => Some(Snapshot::take(&self.connect, &self.shown).await?),
            (snapshot, _) => snapshot.clone(),
        };
        let mut conditions = vec![found.filter()];
        conditions.extend(reading.piece.conditions.iter().cloned());
        let mut reached = None;
        if let (Some(cursor), Some(snapshot)) = (&found.cursor, &snapshot) {
            let before = run.checkpoint.as_deref().map(|text| Reached::parse(text, cursor)).transpose()?;
            let step = cursor::step(snapshot, found, cursor, before.as_ref()).await?;
            let Some(new) = step.conditions else { return Ok(()) };
            conditions.extend(new);
            reached = step.reached;
        }
        let mut wire = self.wire().await?;
        if let Some(snapshot) = &snapshot {
            snapshot.enter(&mut wire).await?;
        }
        let from = reading.piece.from.clone().unwrap_or_else(|| found.relation.sql());
        // A column of this name would hide the whole row, which a cursor looks at.
        let query =
            format!("{} FROM {from} AS headwater_row WHERE {}", select(&found.columns), conditions.join(" AND "));
        self.copy(&mut wire, &query, found, unit, run).await?;
        if snapshot.is_some() {
            wire.execute("COMMIT").await?;
        }
        lock(&self.idle).push(wire);
        if let Some(reached) = reached {
            run.reached(reached.text()?).await;
        }
        Ok(())
    }

    async fn copy(&self, wire: &mut Wire, query: &str, found: &Found, unit: &Unit, run: &UnitRun) -> Result<()> {
        let mut rows = Rows::begin(wire, query, &found.columns, self.limits).await?;
        loop {
            let (lease, _) = run.calls.memory().admit(self.limits.bytes as u64, 0, std::future::ready(())).await;
            let Some((count, columns)) = rows.next().await? else { return Ok(()) };
            drop(lease);
            run.send(&unit.node.schema, run.framed(unit, count, columns)?).await;
        }
    }
}

#[async_trait]
impl Connector for Postgresql {
    fn tables(&self) -> Vec<Node> {
        nodes(&lock(&self.found))
    }

    async fn discover(&self, selection: &Selection) -> Result<Vec<Node>, Undiscovered> {
        let client = self.connect.connect().await?;
        let (found, publication) = discover(&client, &self.shown, &self.spec, selection).await?;
        *lock(&self.publication) = publication;
        *lock(&self.found) = found.into_iter().map(|found| (found.schema.name.clone(), Arc::new(found))).collect();
        Ok(self.tables())
    }

    async fn check(&self) -> Result<Vec<String>> {
        let client = self.connect.connect().await?;
        let row = client.query_one("SELECT current_setting('server_version'), current_user::text", &[]).await;
        let row = row.map_err(|error| headwater_postgresql_client::errors::explain(&error, &self.shown))?;
        let (version, user): (String, String) = (row.get(0), row.get(1));
        let mut lines = vec![format!("{}, version {version}, as {user}", self.shown)];
        if let Some(spec) = &self.spec.replication {
            lines.push(Slot { client: &client, spec, shown: &self.shown }.check().await?);
        }
        Ok(lines)
    }

    fn plan(self: Arc<Self>, tables: Vec<Arc<Node>>, wanted: Wanted) -> BoxStream<'static, Step> {
        if let Some(spec) = &self.spec.replication {
            let step = match self.changes(spec, tables, &wanted) {
                Ok(units) => Step::Open(units),
                Err(error) => Step::Failed(String::new(), error),
            };
            return stream::iter([Step::Places(1), step]).boxed();
        }
        let planner = Planner { tables: tables.into(), wanted, snapshot: None, asking: None, connector: self };
        let first = stream::once(async { Step::Places(1) });
        let rest = stream::unfold(Some(planner), |planner| async {
            let mut planner = planner?;
            match planner.next().await {
                Ok(Some(units)) => Some((Step::Open(units), Some(planner))),
                Ok(None) => None,
                // What was found until then is read, and the failure told.
                Err(error) => Some((Step::Failed(String::new(), error), None)),
            }
        });
        first.chain(rest).boxed()
    }

    async fn run(&self, unit: &Unit, run: Arc<UnitRun>) {
        if let Ok(changes) = Arc::clone(&unit.handle).downcast::<Changes>() {
            if let Err(error) = replication::read(&changes, unit, &run).await {
                for table in &unit.node.children {
                    run.fail(&table.schema, error.clone()).await;
                }
            }
            return;
        }
        let Ok(reading) = Arc::clone(&unit.handle).downcast::<Reading>() else {
            let error = Error::fatal("a unit of another connector was handed to this one");
            return run.fail(&unit.node.schema, error).await;
        };
        if let Err(error) = self.read(&reading, unit, &run).await {
            run.fail(&unit.node.schema, error).await;
        }
    }

    fn removes(&self) -> bool {
        self.spec.replication.is_some()
    }

    async fn kept(&self, checkpoint: &str) -> Result<()> {
        match &self.spec.replication {
            Some(spec) => replication::kept(&self.connect, &self.shown, spec, checkpoint).await,
            None => Ok(()),
        }
    }

    fn extent(&self, table: &str) -> Option<Vec<Vec<Range>>> {
        lock(&self.extents).get(table).cloned()
    }

    fn limits(&self) -> CallLimits {
        CallLimits {
            concurrency: self.spec.connections(),
            unit_tries: TRIES,
            max_backoff: PAUSE,
            ..CallLimits::default()
        }
    }
}

/// Finds the units of one table after another.
struct Planner {
    connector: Arc<Postgresql>,
    tables: VecDeque<Arc<Node>>,
    wanted: Wanted,
    /// The moment at which everything is read that has to be of one.
    snapshot: Option<Arc<Snapshot>>,
    /// What asks about tables that are not of that moment.
    asking: Option<tokio_postgres::Client>,
}

impl Planner {
    /// The units of the next table; none when there are no more tables.
    async fn next(&mut self) -> Result<Option<Vec<Unit>>> {
        let Some(node) = self.tables.pop_front() else { return Ok(None) };
        let name = &node.schema.name;
        let found = lock(&self.connector.found).get(name).cloned();
        let Some(found) = found else { return Err(Error::fatal(format!("the table {name} was not found before"))) };
        let by_place = found.division.as_ref().is_some_and(|division| division.by != By::Range);
        let snapshot = match self.connector.spec.consistent || by_place {
            true => Some(self.snapshot().await?),
            false => None,
        };
        let pieces = match &snapshot {
            Some(snapshot) => pieces(&snapshot.client, &found).await?,
            None if found.division.is_none() && found.periods.is_none() => vec![Piece::default()],
            None => pieces(self.client().await?, &found).await?,
        };
        if found.division.is_some() {
            // Outside of the periods nothing is known.
            let mut periods: Vec<Vec<Range>> = Vec::new();
            for piece in &pieces {
                let period: Vec<Range> =
                    piece.ranges.iter().take(usize::from(found.periods.is_some())).cloned().collect();
                if periods.last() != Some(&period) {
                    periods.push(period);
                }
            }
            lock(&self.connector.extents).insert(name.clone(), periods);
        }
        let wanted = pieces.into_iter().filter(|piece| (self.wanted)(name, &piece.name));
        let unit = |piece: Piece| Unit {
            node: Arc::clone(&node),
            scope: piece.name.clone(),
            predicate: piece.predicate(),
            ranges: piece.ranges.clone(),
            handle: Arc::new(Reading { found: Arc::clone(&found), piece, snapshot: snapshot.clone() }),
        };
        Ok(Some(wanted.map(unit).collect()))
    }

    async fn snapshot(&mut self) -> Result<Arc<Snapshot>> {
        if let Some(snapshot) = &self.snapshot {
            return Ok(Arc::clone(snapshot));
        }
        let snapshot = Snapshot::take(&self.connector.connect, &self.connector.shown).await?;
        Ok(Arc::clone(self.snapshot.insert(snapshot)))
    }

    async fn client(&mut self) -> Result<&tokio_postgres::Client> {
        if self.asking.is_none() {
            self.asking = Some(self.connector.connect.connect().await?);
        }
        self.asking.as_ref().ok_or_else(|| Error::fatal("a connection that was made is not there"))
    }
}
