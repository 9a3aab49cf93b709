//! Connecting to sources: each is waited for until it has opened a first place, or nothing.

use std::collections::VecDeque;
use std::sync::Arc;

use futures::future::join_all;
use futures::stream::{BoxStream, StreamExt};
use headwater_sdk::unit::Unit;
use headwater_sdk::{Class, Found};

use super::Common;
use super::outcome::{SourceOutcome, SyncOutcome};
use super::panics::caught;
use crate::config::source::Source;

/// A source whose first place is open, or that has none.
pub struct Opening {
    /// Units that are found and wait for their turn.
    pub units: VecDeque<Unit>,
    /// What is still to be found.
    pub found: Option<BoxStream<'static, Found>>,
}

impl Common {
    /// Connects to every source; `None` for one that cannot be. Without an answer, the sync was stopped.
    pub async fn open(&self, sources: &[Source], outcome: &mut SyncOutcome) -> Option<Vec<Option<Opening>>> {
        let opened =
            sources.iter().zip(&mut outcome.sources).enumerate().map(|(index, (source, outcome))| async move {
                let opened = self.open_one(index, source, outcome).await;
                if opened.is_none() {
                    outcome.all_planned = true;
                }
                opened
            });
        tokio::select! {
            biased;
            () = self.stop.stopped() => None,
            opened = join_all(opened) => Some(opened),
        }
    }

    async fn open_one(&self, index: usize, source: &Source, outcome: &mut SourceOutcome) -> Option<Opening> {
        let tables = source.tables.iter().cloned().map(Arc::new).collect();
        let mut opening = Opening { units: VecDeque::new(), found: None };
        let mut found = Arc::clone(&source.connector).plan(tables, self.wanted(&source.spec.name));
        loop {
            match caught(Class::Fatal, found.next()).await {
                Err(panic) => {
                    outcome.failure = Some(panic);
                    return None;
                }
                Ok(Some(step)) => {
                    let units = self.note(index, step, outcome);
                    if !units.is_empty() {
                        opening.units.extend(units);
                        opening.found = Some(found);
                        return Some(opening);
                    }
                }
                Ok(None) => break,
            }
        }
        self.all_found(index, outcome);
        // Where the only place could not be opened, that is the source's own failure.
        if outcome.unopened.len() == 1
            && outcome.more_unopened == 0
            && let Some((place, error)) = outcome.unopened.pop()
        {
            outcome.failure = Some(if place.is_empty() { error } else { error.while_doing(place) });
        }
        (outcome.failure.is_none() && outcome.unopened.is_empty()).then_some(opening)
    }

    /// Notes that all units of a source are known.
    pub fn all_found(&self, index: usize, outcome: &mut SourceOutcome) {
        let unopened = outcome.unopened.len() + outcome.more_unopened;
        tracing::info!(source = outcome.name, units = outcome.planned, unopened, "planned");
        outcome.all_planned = true;
        self.progress.all_found(index);
    }

    /// Notes a step of planning, and answers the units that it has found.
    pub fn note(&self, index: usize, step: Found, outcome: &mut SourceOutcome) -> Vec<Unit> {
        match step {
            Found::Places(count) => {
                self.progress.places(index, count);
                Vec::new()
            }
            Found::Open(units) => {
                outcome.planned += units.len();
                self.progress.found(index, &units);
                units
            }
            Found::Failed(place, error) => {
                tracing::info!(source = outcome.name, place, %error, "could not be opened");
                self.progress.not_opened(index);
                outcome.not_opened(place, error);
                if self.options.fail_fast {
                    self.stop.stop_at_failure();
                }
                Vec::new()
            }
        }
    }
}
