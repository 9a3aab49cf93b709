//! The units of a source: as many at once as calls and memory allow, while more of them are found.

use std::sync::Arc;
use std::time::Instant;

use futures::stream::StreamExt;
use headwater_sdk::calls::meter::Counts;
use headwater_sdk::unit::Unit;
use headwater_sdk::{Class, Range};
use tokio::task::{JoinError, JoinSet};

use super::Common;
use super::open::Opening;
use super::outcome::{SourceOutcome, TableOutcome, UnitOutcome};
use super::panics::caught;
use super::unit::{self, SourceRun};

/// A unit that runs takes about this much beside its rows: tasks, connections, builders.
const UNIT_MEMORY: u64 = 512 << 10;

/// Runs a source to its end, or until the sync is stopped.
pub async fn run(common: Arc<Common>, run: Arc<SourceRun>, opening: Opening, outcome: &mut SourceOutcome) {
    let Opening { mut units, mut found } = opening;
    let by_memory = usize::try_from(common.options.memory.total() / UNIT_MEMORY).unwrap_or(usize::MAX);
    let most = run.calls.concurrency().min(by_memory).max(1);
    let mut running: JoinSet<Option<UnitOutcome>> = JoinSet::new();
    loop {
        while running.len() < most
            && !common.stop.is_stopped()
            && let Some(unit) = units.pop_front()
        {
            start(&mut running, &run, unit);
        }
        if running.is_empty() && found.is_none() && (units.is_empty() || common.stop.is_stopped()) {
            break;
        }
        tokio::select! {
            biased;
            // What is not open yet is not opened any more.
            () = common.stop.stopped(), if found.is_some() => found = None,
            Some(ended) = running.join_next() => take(&common, &run, ended, outcome).await,
            // Places are opened no faster than their units can run, but for as many as may run at once: a place takes
            // calls to open, and nobody is to wait for them.
            step = async { caught(Class::Fatal, found.as_mut()?.next()).await.transpose() },
                if found.is_some() && units.len() < most =>
            {
                match step {
                    Some(Ok(step)) => units.extend(common.note(run.index, step, outcome)),
                    None => {
                        found = None;
                        common.all_found(run.index, outcome);
                    }
                    Some(Err(panic)) => {
                        found = None;
                        outcome.failure = Some(panic);
                    }
                }
            }
        }
        outcome.took = common.start.elapsed();
        outcome.counts = run.calls.source_meter().counts();
    }
    // A shard does not know how the units of others have ended.
    let whole = outcome.is_whole() && !outcome.has_failed();
    if whole && common.options.shard.is_none() && !common.stop.is_stopped() {
        for table in &run.tables {
            if let Some(extents) = run.connector.extent(table) {
                prune(&common, &run, table, &extents, outcome).await;
            }
        }
        outcome.took = common.start.elapsed();
    }
}

/// Removes what is left of units that are no more. It counts as a unit where there was something to do.
async fn prune(
    common: &Common,
    run: &SourceRun,
    table: &Arc<str>,
    extents: &[Vec<Range>],
    outcome: &mut SourceOutcome,
) {
    let began = Instant::now();
    let mut parts = Vec::new();
    for target in &run.targets {
        parts.extend(target.prune(&run.name, table, extents, run.sync_time).await);
    }
    parts.retain(|part| part.committed.is_some() || part.error.is_some());
    if parts.is_empty() {
        return;
    }
    let rows = TableOutcome {
        table: Arc::clone(table),
        rows: 0,
        left_out: 0,
        complete: true,
        errors: Vec::new(),
        more_errors: 0,
        parts,
    };
    let unit = UnitOutcome {
        table: Arc::clone(table),
        scope: "units that are no more".into(),
        after: began.duration_since(run.start),
        took: began.elapsed(),
        tables: vec![rows],
        checkpoint: None,
        counts: Counts::default(),
    };
    outcome.planned += 1;
    outcome.add(&unit);
    if let Some(spool) = &common.keeping.spool {
        spool.add(run.index, &unit);
    }
}

fn start(running: &mut JoinSet<Option<UnitOutcome>>, run: &Arc<SourceRun>, unit: Unit) {
    running.spawn(unit::run(Arc::clone(run), unit));
}

async fn take(
    common: &Common,
    run: &SourceRun,
    ended: Result<Option<UnitOutcome>, JoinError>,
    outcome: &mut SourceOutcome,
) {
    let mut unit = match ended {
        Ok(Some(unit)) => unit,
        Ok(None) => return,
        // Panics of connectors and destinations are caught inside; one of the runner itself is not hidden.
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => return,
        },
    };
    // Only when the rows are there is it said how far they reach.
    if !unit.failed()
        && run.all_targets
        && let Some(checkpoint) = unit.checkpoint.take()
    {
        let id = unit::id(&run.name, &unit.table, &unit.scope);
        let kept = async {
            common.keeping.run.reached(&id, checkpoint.clone()).await?;
            caught(Class::Fatal, run.connector.kept(&checkpoint)).await?
        };
        if let (Err(error), Some(table)) = (kept.await, unit.tables.first_mut()) {
            table.fail(error);
        }
    }
    let (table, scope) = (&*unit.table, &*unit.scope);
    tracing::debug!(table, scope, took = ?unit.took, failed = unit.failed(), "unit finished");
    outcome.add(&unit);
    if let Some(spool) = &common.keeping.spool {
        spool.add(run.index, &unit);
    }
    if unit.failed() {
        if common.options.fail_fast {
            common.stop.stop_at_failure();
        }
    } else if run.all_targets {
        common.keeping.run.committed(&unit::id(&run.name, table, scope)).await;
    }
}
