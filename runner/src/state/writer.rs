//! Writes the units that are done, many at a time.

use std::time::Duration;

use headwater_sdk::{Result, Timestamp, UnitHash};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use super::{Kept, StateError};

/// How many units are written together at most.
const MOST: usize = 1000;
/// How long a unit waits for others to be written with.
const WAIT: Duration = Duration::from_millis(100);

/// What there is to write.
pub enum Note {
    /// The run is to be kept from now on. Answered when it is.
    Start {
        /// The answer.
        done: oneshot::Sender<std::result::Result<(), StateError>>,
    },
    /// A unit is done.
    Unit(UnitHash),
    /// How far a unit was read. Answered when it is kept.
    Reached {
        /// The unit's id.
        unit: String,
        /// How far, in its connector's words.
        checkpoint: String,
        /// The answer.
        done: oneshot::Sender<Result<()>>,
    },
    /// The run has ended. Answered when all is written.
    End {
        /// Whether nothing is left to resume.
        all_well: bool,
        /// The answer.
        done: oneshot::Sender<()>,
    },
}

/// How a run begins.
pub enum Beginning {
    /// In place of an older one.
    New {
        /// The rows' `_cq_sync_time`.
        sync_time: Timestamp,
        /// What is configured, in short.
        fingerprint: String,
    },
    /// As one that is kept.
    Resumed {
        /// The rows' `_cq_sync_time`.
        sync_time: Timestamp,
    },
}

/// Whoever writes, and the only one who does.
pub struct Keeper {
    kept: Kept,
    /// Gone when the run is kept.
    beginning: Option<Beginning>,
    /// Whether writing has failed.
    lost: bool,
}

impl Keeper {
    /// Nothing is written yet.
    pub fn new(kept: Kept, beginning: Beginning) -> Self {
        Self { kept, beginning: Some(beginning), lost: false }
    }

    /// Writes until the run has ended, or nobody is left who could say so.
    pub async fn run(mut self, mut notes: mpsc::Receiver<Note>) {
        let mut units = Vec::new();
        let mut read_on = None;
        while let Some(note) = match read_on.take() {
            Some(note) => Some(note),
            None => notes.recv().await,
        } {
            match note {
                Note::Start { done } => {
                    let started = self.start().await;
                    self.lost |= started.is_err();
                    let started = started.or_else(|error| self.kept.failed(&error));
                    // Whoever asked may have been stopped meanwhile.
                    let _ = done.send(started);
                }
                Note::Unit(unit) => {
                    units.push(unit);
                    read_on = collect(&mut units, &mut notes).await;
                    self.add(&units).await;
                    units.clear();
                }
                Note::Reached { unit, checkpoint, done } => {
                    let kept = match self.start().await {
                        Ok(()) => self.kept.store.reached(&unit, &checkpoint).await,
                        Err(error) => Err(error),
                    };
                    let _ = done.send(kept);
                }
                Note::End { all_well, done } => {
                    self.end(all_well).await;
                    let _ = done.send(());
                    return;
                }
            }
        }
    }

    async fn start(&mut self) -> Result<()> {
        let store = &self.kept.store;
        match self.beginning.take() {
            None => Ok(()),
            Some(Beginning::New { sync_time, fingerprint }) => store.start(sync_time, &fingerprint).await,
            Some(Beginning::Resumed { sync_time }) => store.resume(sync_time).await,
        }
    }

    async fn add(&mut self, units: &[UnitHash]) {
        if self.lost {
            return;
        }
        let added = match self.start().await {
            Ok(()) => self.kept.store.add(units).await,
            Err(error) => Err(error),
        };
        if let Err(error) = added {
            // Units that are not noted are only run again.
            self.lost = true;
            let shown = &self.kept.shown;
            tracing::warn!(
                "the state of the sync is no longer kept in {shown}, so not all of it can be resumed: {error}"
            );
        }
    }

    async fn end(mut self, all_well: bool) {
        if all_well {
            let cleared = match self.start().await {
                Ok(()) => self.kept.store.clear().await,
                Err(error) => Err(error),
            };
            if let Err(error) = cleared {
                let shown = &self.kept.shown;
                tracing::warn!(
                    "{shown} does not say that this sync has ended; start the next one without --resume: {error}"
                );
            }
        }
        let Kept { store, local, .. } = self.kept;
        drop(store);
        if let Some(local) = local {
            local.close().await;
        }
    }
}

/// Takes units until there are enough, or it took long enough. Answers another note that came, which ends it too.
async fn collect(units: &mut Vec<UnitHash>, notes: &mut mpsc::Receiver<Note>) -> Option<Note> {
    let until = Instant::now() + WAIT;
    while units.len() < MOST {
        match timeout_at(until, notes.recv()).await {
            Ok(Some(Note::Unit(unit))) => units.push(unit),
            Ok(Some(note)) => return Some(note),
            Ok(None) | Err(_) => break,
        }
    }
    None
}
