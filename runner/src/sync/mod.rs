//! A sync: sources are connected to, destinations are made ready, then units run while more of them are found.
//!
//! Nothing is written before every source has opened a first place, so that wrong credentials leave no trace.

mod open;
pub mod outcome;
pub mod panics;
pub mod quarantine;
mod schedule;
pub mod stop;
pub mod target;
mod unit;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::future::join_all;
use headwater_sdk::calls::meter::Counts;
use headwater_sdk::{Budget, Calls, Error, Timestamp, Wanted};

use crate::config::Configuration;
use crate::config::source::Source;
use crate::progress::{Planned, Progress, Vitals};
use crate::report::Spool;
use crate::shard::Shard;
use crate::state::Run;
use open::Opening;
use outcome::{DestinationOutcome, SourceOutcome, Stopped, SyncOutcome};
use stop::Stop;
use target::{Target, add_tables, without_tables};
use unit::SourceRun;

/// After a signal, what is being committed is waited for this long, and then each destination's end.
const COMMITS_WAIT: Duration = Duration::from_millis(3000);
const CLOSE_WAIT: Duration = Duration::from_millis(1200);

/// What the command line says about a sync.
#[derive(Clone, Default)]
pub struct Options {
    /// Whether the destinations' tables are taken as they are.
    pub no_migrate: bool,
    /// The memory budget.
    pub memory: Budget,
    /// The part of the units that this process reads.
    pub shard: Option<Shard>,
    /// Whether the first failure ends the sync.
    pub fail_fast: bool,
}

/// What a sync keeps of itself.
pub struct Keeping {
    /// The run, new or resumed, in which committed units are noted.
    pub run: Arc<Run>,
    /// Where units are noted for the report.
    pub spool: Option<Arc<Spool>>,
}

/// Runs a sync to its end, or until it is stopped.
pub async fn run(
    configuration: Configuration,
    options: Options,
    keeping: Keeping,
    progress: Arc<dyn Progress>,
    stop: Stop,
) -> SyncOutcome {
    let started = Timestamp::now();
    let start = Instant::now();
    let Configuration { sources, destinations, .. } = configuration;
    let sync_time = keeping.run.sync_time;
    let mut outcome = SyncOutcome {
        sync_time,
        started,
        ended: started,
        took: Duration::ZERO,
        sources: sources.iter().map(not_run).collect(),
        destinations: destinations
            .iter()
            .map(|destination| DestinationOutcome {
                name: destination.spec.name.clone(),
                path: destination.spec.path.clone(),
                mode: destination.spec.write_mode.as_str(),
                failure: None,
            })
            .collect(),
        stopped: None,
        resumed: keeping.run.resumed.then(|| keeping.run.done()),
        memory: (0, options.memory.total()),
    };
    let targets = without_tables(destinations);
    let common = Arc::new(Common {
        sync_time,
        start,
        options,
        keeping,
        progress: Arc::clone(&progress),
        stop,
        calls: Mutex::default(),
    });
    // The progress is redrawn while units run, and not a moment longer.
    let redraw = async {
        match progress.interval() {
            None => std::future::pending().await,
            Some(every) => {
                let mut ticks = tokio::time::interval(every);
                loop {
                    ticks.tick().await;
                    progress.tick(&common.vitals());
                }
            }
        }
    };
    let planned = tokio::select! {
        biased;
        planned = common.run(sources, targets, &mut outcome) => planned,
        () = redraw => false,
    };
    // A signal that came when all was done has interrupted nothing.
    let whole = planned && outcome.sources.iter().all(SourceOutcome::is_whole);
    outcome.stopped = common.stop.reason().filter(|reason| !whole || *reason == Stopped::FirstFailure);
    outcome.ended = Timestamp::now();
    outcome.took = start.elapsed();
    outcome.memory.0 = common.options.memory.peak();
    progress.end();
    outcome
}

fn not_run(source: &Source) -> SourceOutcome {
    SourceOutcome {
        name: source.spec.name.clone(),
        path: source.spec.path.clone(),
        redacted: source.shapes.redacted.clone(),
        ..SourceOutcome::default()
    }
}

/// What the whole sync shares.
struct Common {
    sync_time: Timestamp,
    start: Instant,
    options: Options,
    keeping: Keeping,
    progress: Arc<dyn Progress>,
    stop: Stop,
    /// The calls of each source that runs.
    calls: Mutex<Vec<Calls>>,
}

impl Common {
    fn vitals(&self) -> Vitals {
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = calls.iter().fold(Counts::default(), |all, calls| all.plus(&calls.source_meter().counts()));
        Vitals {
            memory: self.options.memory.used(),
            budget: self.options.memory.total(),
            calls: counts.calls,
            throttled: counts.throttled,
        }
    }

    /// Which units of a source are read: those of the shard that are not committed yet.
    fn wanted(&self, source: &str) -> Wanted {
        let (source, shard) = (source.to_owned(), self.options.shard);
        let run = Arc::clone(&self.keeping.run);
        Arc::new(move |table, scope| {
            let id = unit::id(&source, table, scope);
            shard.is_none_or(|shard| shard.has(&id)) && !run.is_done(&id)
        })
    }

    /// Answers whether the sync came as far as to have connected to its sources.
    async fn run(self: &Arc<Self>, sources: Vec<Source>, mut targets: Vec<Target>, outcome: &mut SyncOutcome) -> bool {
        let mut tables = Vec::new();
        for (index, source) in sources.iter().enumerate() {
            tables.extend(Planned::of(index, &source.spec.name, &source.tables));
        }
        self.progress.planned(tables);
        let Some(opened) = self.open(&sources, outcome).await else { return false };
        let mut openings = Vec::new();
        for (index, (source, opening)) in sources.into_iter().zip(opened).enumerate() {
            // Where nothing could be opened, nothing is touched.
            if let Some(opening) = opening {
                add_tables(&source, &mut targets);
                openings.push((index, source, opening));
            }
        }
        // From here on something may be written.
        if let Err(error) = self.keeping.run.start().await {
            for (index, ..) in &openings {
                outcome.sources[*index].failure = Some(Error::fatal(&error));
            }
            return true;
        }
        let targets: Vec<Arc<Target>> = targets.into_iter().map(Arc::new).collect();
        let used: Vec<&Arc<Target>> = targets.iter().filter(|target| target.is_used()).collect();
        for target in &used {
            target.use_memory(&self.options.memory);
            for loss in target.losses() {
                tracing::warn!("{loss}");
            }
        }
        if !self.options.no_migrate {
            for target in &used {
                tracing::info!(destination = target.name, "tables are made ready");
            }
            let migrated = join_all(used.iter().map(|target| target.migrate())).await;
            for (target, result) in used.iter().zip(migrated) {
                outcome.destinations[target.index].failure = result.err();
            }
        }
        let runs = openings.into_iter().filter_map(|(index, source, opening)| {
            let run = self.source_run(index, source, &targets, outcome)?;
            Some((Arc::new(run), opening))
        });
        let runs: Vec<(Arc<SourceRun>, Opening)> = runs.collect();
        self.run_units(runs, outcome).await;
        let unused = outcome.destinations.iter().any(|destination| destination.failure.is_some());
        let whole = outcome.sources.iter().all(|source| source.is_whole() && !source.has_failed());
        self.keeping.run.finish(whole && !unused).await;
        let closed = join_all(used.iter().map(|target| async {
            let closed = self.until_late(CLOSE_WAIT, target.close()).await;
            closed.unwrap_or_else(|| Err(Error::destination("did not end in time after the signal")))
        }))
        .await;
        for (target, closed) in used.iter().zip(closed) {
            if let Err(error) = closed {
                outcome.destinations[target.index].failure.get_or_insert(error);
            }
        }
        true
    }

    /// What a source's units share; nothing, where none of its destinations could be made ready.
    fn source_run(
        &self,
        index: usize,
        source: Source,
        targets: &[Arc<Target>],
        outcome: &SyncOutcome,
    ) -> Option<SourceRun> {
        // A destination that could not be made ready has its failure already; the others go on.
        let live = |target: &&Arc<Target>| {
            source.spec.destinations.contains(&target.name) && outcome.destinations[target.index].failure.is_none()
        };
        let live: Vec<Arc<Target>> = targets.iter().filter(live).cloned().collect();
        let calls = Calls::new(source.connector.limits(), self.options.memory.clone());
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(calls.clone());
        (!live.is_empty()).then(|| SourceRun {
            index,
            name: source.spec.name.as_str().into(),
            calls,
            connector: source.connector,
            tables: source.tables.iter().map(|table| table.schema.name.as_str().into()).collect(),
            shapes: source.shapes,
            all_targets: live.len() == source.spec.destinations.len(),
            targets: live,
            sync_time: self.sync_time,
            resumed: self.keeping.run.resumed,
            run: Arc::clone(&self.keeping.run),
            start: self.start,
            stop: self.stop.clone(),
            progress: Arc::clone(&self.progress),
        })
    }

    async fn run_units(self: &Arc<Self>, runs: Vec<(Arc<SourceRun>, Opening)>, outcome: &mut SyncOutcome) {
        let mut sources: Vec<Option<&mut SourceOutcome>> = outcome.sources.iter_mut().map(Some).collect();
        let running = runs.into_iter().filter_map(|(run, opening)| {
            let source = sources[run.index].take()?;
            Some(schedule::run(Arc::clone(self), run, opening, source))
        });
        self.until_late(COMMITS_WAIT, join_all(running)).await;
    }

    /// Waits for the end of something, but after a stop no longer than `wait`.
    async fn until_late<T>(&self, wait: Duration, end: impl Future<Output = T>) -> Option<T> {
        let late = async {
            self.stop.stopped().await;
            tokio::time::sleep(wait).await;
        };
        tokio::select! {
            biased;
            ended = end => Some(ended),
            () = late => None,
        }
    }
}
