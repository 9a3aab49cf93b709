//! The connector: finds tables, and reads each file as a unit of its own.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::stream::{self, BoxStream, StreamExt};
use headwater_sdk::arrow::array::ArrayRef;
use headwater_sdk::connector::{Connector, Found as Step, Undiscovered, Wanted};
use headwater_sdk::registry::Node;
use headwater_sdk::schema::UNIT;
use headwater_sdk::unit::{Unit, UnitRun};
use headwater_sdk::{CallLimits, Error, Range, Result, Selection, async_trait};

use crate::discover::{All, caught, discover, named};
use crate::format::{Batches, read};
use crate::spec::Spec;
use crate::table::{DataFile, Found, Mapping};

/// The package that the tables are of.
pub const PACKAGE: &str = "file";
/// So many files are read at once at least.
const FILES: usize = 4;

struct Folder {
    spec: Arc<Spec>,
    all: Mutex<All>,
}

/// The connector that a spec describes. Nothing is looked at yet.
///
/// # Errors
/// If the spec says what cannot be.
pub fn connector(spec: Spec) -> Result<Arc<dyn Connector>> {
    spec.check()?;
    Ok(Arc::new(Folder { spec: Arc::new(spec), all: Mutex::default() }))
}

/// What a unit reads.
struct Reading {
    found: Arc<Found>,
    file: Arc<DataFile>,
}

/// A file that is open.
struct Open {
    batches: Batches,
    mapping: Mapping,
}

impl Open {
    fn new(reading: &Reading) -> Result<Self> {
        let Reading { found, file } = reading;
        let (schema, batches) = read(&file.path, file.kind, &found.options, &found.wanted(file))?;
        Ok(Self { batches, mapping: found.mapping(file, &schema)? })
    }

    /// The next rows that there are.
    fn next(&mut self) -> Result<Option<(usize, Vec<ArrayRef>)>> {
        for batch in &mut self.batches {
            let batch = batch?;
            if batch.num_rows() > 0 {
                return Ok(Some((batch.num_rows(), self.mapping.apply(&batch)?)));
            }
        }
        Ok(None)
    }
}

/// Runs what waits for the disk on a thread of its own.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(move || caught(work)).await {
        Ok(result) => result,
        Err(error) => Err(Error::fatal(format!("a thread ended early: {error}"))),
    }
}

impl Folder {
    fn all(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn look(&self, selection: Selection) -> Result<All, Undiscovered> {
        let spec = Arc::clone(&self.spec);
        blocking(move || Ok(discover(&spec, &selection))).await?
    }
}

async fn read_unit(reading: Arc<Reading>, unit: &Unit, run: &UnitRun) -> Result<()> {
    let bytes = reading.found.options.bytes as u64;
    let mut open = blocking(move || Open::new(&reading)).await?;
    loop {
        let (lease, _) = run.calls.memory().admit(bytes, 0, std::future::ready(())).await;
        let (next, left) = blocking(move || open.next().map(|next| (next, open))).await?;
        open = left;
        let Some((rows, columns)) = next else { return Ok(()) };
        drop(lease);
        run.send(&unit.node.schema, run.framed(unit, rows, columns)?).await;
    }
}

#[async_trait]
impl Connector for Folder {
    fn tables(&self) -> Vec<Node> {
        let all = self.all();
        let found = all.found.values().map(|found| found.schema.clone());
        let others = all.others.iter().map(|name| named(name));
        let mut nodes: Vec<Node> = found.chain(others).map(|schema| Node::own(PACKAGE, schema, Vec::new())).collect();
        nodes.sort_by(|a, b| a.schema.name.cmp(&b.schema.name));
        nodes
    }

    async fn discover(&self, selection: &Selection) -> Result<Vec<Node>, Undiscovered> {
        let all = self.look(selection.clone()).await?;
        *self.all() = all;
        Ok(self.tables())
    }

    async fn check(&self) -> Result<Vec<String>> {
        let all = match self.look(Selection::all()).await {
            Ok(all) => all,
            Err(Undiscovered::Failed(error)) => return Err(error),
            Err(Undiscovered::Wrong(wrong)) => {
                let wrong = wrong.iter().map(|wrong| format!("{}: {}", wrong.at.join("."), wrong.message));
                return Err(Error::fatal(wrong.collect::<Vec<_>>().join("; ")));
            }
        };
        if let Some((_, error)) = all.broken.into_iter().next() {
            return Err(error);
        }
        let files: usize = all.found.values().map(|found| found.files.len()).sum();
        Ok(vec![format!("{files} files of {} tables", all.found.len())])
    }

    fn plan(self: Arc<Self>, tables: Vec<Arc<Node>>, wanted: Wanted) -> BoxStream<'static, Step> {
        let mut steps = vec![Step::Places(1)];
        let all = self.all();
        for node in tables {
            let name = &node.schema.name;
            let Some(found) = all.found.get(name) else {
                let error = Error::fatal(format!("the table {name} was not found before"));
                steps.push(Step::Failed(String::new(), error));
                continue;
            };
            let files = found.files.iter().filter(|file| wanted(name, &file.unit));
            let unit = |file: &Arc<DataFile>| Unit {
                node: Arc::clone(&node),
                scope: file.unit.clone(),
                predicate: vec![(UNIT.to_owned(), file.unit.clone())],
                ranges: Vec::new(),
                handle: Arc::new(Reading { found: Arc::clone(found), file: Arc::clone(file) }),
            };
            steps.push(Step::Open(files.map(unit).collect()));
        }
        steps.extend(all.broken.iter().map(|(name, error)| Step::Failed(name.clone(), error.clone())));
        drop(all);
        stream::iter(steps).boxed()
    }

    async fn run(&self, unit: &Unit, run: Arc<UnitRun>) {
        let Ok(reading) = Arc::clone(&unit.handle).downcast::<Reading>() else {
            let error = Error::fatal("a unit of another connector was handed to this one");
            return run.fail(&unit.node.schema, error).await;
        };
        let path = reading.file.path.clone();
        if let Err(error) = read_unit(reading, unit, &run).await {
            run.fail(&unit.node.schema, error.while_doing(path.display())).await;
        }
    }

    /// Rows of files that are no more go.
    fn extent(&self, table: &str) -> Option<Vec<Vec<Range>>> {
        self.all().found.contains_key(table).then(|| vec![Vec::new()])
    }

    fn limits(&self) -> CallLimits {
        let processors = std::thread::available_parallelism().map_or(FILES, usize::from);
        let concurrency = self.spec.concurrency.unwrap_or(processors.max(FILES));
        CallLimits { concurrency, ..CallLimits::default() }
    }
}
