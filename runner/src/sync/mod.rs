//! A sync: every source is planned, then every destination is made ready, then the units run.
//!
//! Nothing is written before all sources have been connected to, so that wrong credentials leave no trace.

pub mod outcome;
pub mod panics;
pub mod stop;
mod target;
mod unit;

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use futures::stream::{self, StreamExt};
use headwater_sdk::fetch::Calls;
use headwater_sdk::unit::Unit;
use headwater_sdk::{Class, Plan, Result, Timestamp};
use tokio::sync::Semaphore;

use crate::config::Configuration;
use crate::config::source::Source;
use crate::progress::{Planned, Progress};
use outcome::{DestinationOutcome, SourceOutcome, SyncOutcome, UnitOutcome};
use panics::caught;
use stop::Stop;
use target::Target;
use unit::SourceRun;

/// How many units run at the same time: each of them holds rows in memory.
const MOST_UNITS: usize = 32;

/// What the command line says about a sync.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Whether the destinations' tables are taken as they are.
    pub no_migrate: bool,
}

/// Runs a sync to its end, or until it is stopped.
pub async fn run(
    configuration: Configuration,
    options: Options,
    progress: Arc<dyn Progress>,
    stop: Stop,
) -> SyncOutcome {
    let started = Timestamp::now();
    let start = Instant::now();
    let Configuration { sources, destinations, .. } = configuration;
    let mut outcome = SyncOutcome {
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
        interrupted: false,
    };
    let targets: Vec<Target> = destinations
        .into_iter()
        .enumerate()
        .map(|(index, destination)| {
            let spec = destination.spec;
            Target::new(index, &spec.name, spec.write_mode, spec.migrate_mode, destination.target)
        })
        .collect();
    let common = Common { started, start, options, progress: Arc::clone(&progress), stop };
    let planned = common.run(sources, targets, &mut outcome).await;
    // A signal that came when all was done has interrupted nothing.
    let whole = planned && outcome.sources.iter().all(|source| source.units.len() == source.planned);
    outcome.interrupted = common.stop.is_stopped() && !whole;
    outcome.ended = Timestamp::now();
    outcome.took = start.elapsed();
    progress.end();
    outcome
}

fn not_run(source: &Source) -> SourceOutcome {
    SourceOutcome {
        name: source.spec.name.clone(),
        path: source.spec.path.clone(),
        failure: None,
        unopened: Vec::new(),
        planned: 0,
        units: Vec::new(),
        took: Duration::ZERO,
    }
}

/// What the whole sync shares.
struct Common {
    started: Timestamp,
    start: Instant,
    options: Options,
    progress: Arc<dyn Progress>,
    stop: Stop,
}

impl Common {
    /// Answers whether the sync came as far as to have planned its units.
    async fn run(&self, sources: Vec<Source>, mut targets: Vec<Target>, outcome: &mut SyncOutcome) -> bool {
        let Some(plans) = self.plan(&sources).await else { return false };
        let mut planned = Vec::new();
        for (index, (source, plan)) in sources.into_iter().zip(plans).enumerate() {
            match plan {
                Ok(plan) => {
                    let (units, unopened) = (plan.units.len(), plan.failures.len());
                    tracing::info!(source = source.spec.name, units, unopened, "planned");
                    outcome.sources[index].planned = plan.units.len();
                    outcome.sources[index].unopened = plan.failures;
                    // Where nothing could be opened, nothing is touched.
                    if !plan.units.is_empty() || outcome.sources[index].unopened.is_empty() {
                        add_tables(&source, &mut targets);
                        planned.push((index, source, plan.units));
                    }
                }
                Err(error) => outcome.sources[index].failure = Some(error),
            }
        }
        let targets: Vec<Arc<Target>> = targets.into_iter().map(Arc::new).collect();
        let used: Vec<&Arc<Target>> = targets.iter().filter(|target| target.is_used()).collect();
        if !self.options.no_migrate {
            for target in &used {
                tracing::info!(destination = target.name, "tables are made ready");
            }
            let migrated = join_all(used.iter().map(|target| target.migrate())).await;
            for (target, result) in used.iter().zip(migrated) {
                outcome.destinations[target.index].failure = result.err();
            }
        }
        self.run_units(planned, &targets, outcome).await;
        for target in used {
            if let Err(error) = target.close().await {
                outcome.destinations[target.index].failure.get_or_insert(error);
            }
        }
        true
    }

    /// Connects to every source. Without an answer, the sync was stopped.
    async fn plan(&self, sources: &[Source]) -> Option<Vec<Result<Plan>>> {
        let plans = sources.iter().map(|source| async move {
            caught(Class::Fatal, source.connector.plan(&source.tables)).await.and_then(|plan| plan)
        });
        tokio::select! {
            biased;
            () = self.stop.stopped() => None,
            plans = join_all(plans) => Some(plans),
        }
    }

    async fn run_units(
        &self,
        planned: Vec<(usize, Source, Vec<Unit>)>,
        targets: &[Arc<Target>],
        outcome: &mut SyncOutcome,
    ) {
        let mut tables = Vec::new();
        let mut runs = Vec::new();
        for (index, source, units) in planned {
            // A destination that could not be made ready has its failure already; the others go on.
            let live = |target: &&Arc<Target>| {
                source.spec.destinations.contains(&target.name) && outcome.destinations[target.index].failure.is_none()
            };
            let live: Vec<Arc<Target>> = targets.iter().filter(live).cloned().collect();
            if live.is_empty() {
                continue;
            }
            tables.extend(Planned::of(index, &source.spec.name, &units));
            let concurrency = source.connector.concurrency();
            let run = Arc::new(SourceRun {
                index,
                name: source.spec.name.as_str().into(),
                calls: Calls::new(concurrency),
                connector: source.connector,
                targets: live,
                sync_time: self.started,
                start: self.start,
                stop: self.stop.clone(),
                progress: Arc::clone(&self.progress),
            });
            runs.push((run, units, concurrency.clamp(1, MOST_UNITS)));
        }
        self.progress.planned(tables);
        let slots = Arc::new(Semaphore::new(MOST_UNITS));
        let streams = runs.into_iter().map(|(run, units, most)| {
            let slots = Arc::clone(&slots);
            let started = stream::iter(units).map(move |unit| run_one(Arc::clone(&run), unit, Arc::clone(&slots)));
            started.buffer_unordered(most).boxed()
        });
        let mut finished = stream::select_all(streams);
        let units = async {
            while let Some((index, unit)) = finished.next().await {
                if let Some(unit) = &unit {
                    let (table, scope) = (&*unit.table, &*unit.scope);
                    tracing::debug!(table, scope, took = ?unit.took, failed = unit.failed(), "unit finished");
                }
                let source = &mut outcome.sources[index];
                source.took = self.start.elapsed();
                source.units.extend(unit);
            }
        };
        // The progress is redrawn while units run, and not a moment longer.
        let redraw = async {
            match self.progress.interval() {
                None => std::future::pending().await,
                Some(every) => {
                    let mut ticks = tokio::time::interval(every);
                    loop {
                        ticks.tick().await;
                        self.progress.tick();
                    }
                }
            }
        };
        tokio::select! {
            biased;
            () = units => {}
            () = redraw => {}
        }
    }
}

async fn run_one(run: Arc<SourceRun>, unit: Unit, slots: Arc<Semaphore>) -> (usize, Option<UnitOutcome>) {
    let index = run.index;
    // The semaphore is never closed, so a permit always comes.
    let _permit = slots.acquire().await;
    if run.stop.is_stopped() {
        return (index, None);
    }
    let task = tokio::spawn(unit::run(run, unit));
    // Panics of connectors and destinations are caught inside; one of the runner itself is not hidden.
    match task.await {
        Ok(unit) => (index, unit),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => (index, None),
        },
    }
}

fn add_tables(source: &Source, targets: &mut [Target]) {
    for target in targets.iter_mut().filter(|target| source.spec.destinations.contains(&target.name)) {
        for node in source.tables.iter().flat_map(headwater_sdk::registry::Node::flatten) {
            target.add(&node.schema);
        }
    }
}
