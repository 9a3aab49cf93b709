//! The state of a sync: which of its units are done, so that `--resume` continues a sync that was interrupted, even by
//! `kill -9`.
//!
//! A run keeps its `_cq_sync_time` when it is continued, so that in the end the destinations hold what one undisturbed
//! run would have written. A unit is noted once all of its destinations have committed it; what was committed but not
//! noted is run again, and its parts replace what is there ([`headwater_sdk::Part::resumed`]).

pub mod key;
pub mod local;
mod writer;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use headwater_sdk::text::nearest;
use headwater_sdk::{Destination, Error, SavedRun, StateStore, Timestamp, UnitHash};
use tokio::sync::{mpsc, oneshot};

use local::Local;
use writer::{Beginning, Keeper, Note};

/// How many units may wait to be noted; more would only be memory.
const WAITING: usize = 4096;

/// Where the state is kept, as `--state` says it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Place {
    /// Nowhere: `none`.
    None,
    /// In a file of its own in the user's folder for such files.
    #[default]
    Default,
    /// In this SQLite file, which is created where it does not exist.
    File(PathBuf),
    /// In the destination of this name: `@NAME`.
    Destination(String),
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix('@') {
            Some("") => Err("the name of a destination is missing behind the @, such as @warehouse".to_owned()),
            Some(name) => Ok(Self::Destination(name.to_owned())),
            None if text.is_empty() => Err("name a file, a destination such as @warehouse, or none".to_owned()),
            None if text == "none" => Ok(Self::None),
            None => Ok(Self::File(PathBuf::from(text))),
        }
    }
}

/// Why there is no state to work with.
#[derive(Debug)]
pub enum StateError {
    /// The command line asks for what cannot be done.
    Misuse(String),
    /// Another process is using it.
    Busy(String),
    /// It cannot be read or written.
    Failed(String),
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (StateError::Misuse(text) | StateError::Busy(text) | StateError::Failed(text)) = self;
        f.write_str(text)
    }
}

impl std::error::Error for StateError {}

/// Where the state of a sync is kept, and nobody else's; nothing is written yet.
pub struct State(Option<Kept>);

struct Kept {
    store: Box<dyn StateStore>,
    local: Option<Local>,
    /// What the user calls it.
    shown: String,
    /// Whether the user did not ask for it, so that the sync goes on without it.
    optional: bool,
}

impl State {
    /// Finds the place, and locks it where it is a file. `key` tells the configuration from others ([`key::key`]), and
    /// `destinations` are the configuration's, by their names.
    pub async fn open(place: &Place, key: &str, destinations: &[(&str, &dyn Destination)]) -> Result<Self, StateError> {
        let kept = match place {
            Place::None => return Ok(Self(None)),
            Place::Destination(name) => {
                let store = in_destination(name, key, destinations).await?;
                Kept { store, local: None, shown: format!("destination {name}"), optional: false }
            }
            Place::File(file) => {
                let (local, store) = Local::open(file, key).await?;
                Kept { store, local: Some(local), shown: file.display().to_string(), optional: false }
            }
            Place::Default => match Local::open_default(key).await? {
                Ok((local, store)) => {
                    let shown = local.file().display().to_string();
                    Kept { store, local: Some(local), shown, optional: true }
                }
                Err(why) => {
                    unkept(&why);
                    return Ok(Self(None));
                }
            },
        };
        Ok(Self(Some(kept)))
    }

    /// Whether a run of this configuration was interrupted, and is kept.
    pub async fn is_interrupted(&self, fingerprint: &str) -> bool {
        let Some(kept) = &self.0 else { return false };
        let saved = kept.store.load().await.ok().flatten();
        saved.is_some_and(|saved| saved.fingerprint == fingerprint)
    }

    /// A new run of `now`, or with `resume` the one that is kept, if there is one. What is kept does not change before
    /// [`Run::start`].
    pub async fn begin(self, now: Timestamp, fingerprint: &str, resume: bool) -> Result<Run, StateError> {
        let Some(kept) = self.0 else { return Ok(Run::unkept(now)) };
        let loaded = if resume { kept.store.load().await } else { Ok(None) };
        let saved = match loaded {
            Ok(saved) => saved,
            Err(error) => return kept.failed(&error).map(|()| Run::unkept(now)),
        };
        if let Some(saved) = saved.as_ref().filter(|saved| saved.fingerprint != fingerprint) {
            return Err(StateError::Misuse(format!(
                "the configuration has changed since the interrupted run of {}: run it without --resume to start anew",
                saved.sync_time.to_rfc3339()
            )));
        }
        let beginning = match &saved {
            None => Beginning::New { sync_time: now, fingerprint: fingerprint.to_owned() },
            Some(saved) => Beginning::Resumed { sync_time: saved.sync_time },
        };
        let checkpoints = match kept.store.checkpoints().await {
            Ok(checkpoints) => checkpoints,
            // Without them everything would be read again, and perhaps doubled, without a word.
            Err(error) => {
                let shown = &kept.shown;
                return Err(StateError::Failed(format!("the state of the sync cannot be read in {shown}: {error}")));
            }
        };
        let (notes, waiting) = mpsc::channel(WAITING);
        tokio::spawn(Keeper::new(kept, beginning).run(waiting));
        let notes = Some(notes);
        Ok(match saved {
            None => Run { notes, checkpoints, ..Run::unkept(now) },
            Some(SavedRun { sync_time, units, .. }) => {
                Run { sync_time, resumed: true, done: units.into_iter().collect(), notes, checkpoints }
            }
        })
    }
}

impl Kept {
    /// What an error means: where the user did not ask for a state, only that there is none.
    fn failed(&self, error: &Error) -> Result<(), StateError> {
        let why = format!("the state of the sync cannot be kept in {}: {error}", self.shown);
        if !self.optional {
            return Err(StateError::Failed(why));
        }
        unkept(&why);
        Ok(())
    }
}

fn unkept(why: &str) {
    tracing::warn!("{why}; so this sync cannot be resumed (name another file with --state, or say --state none)");
}

async fn in_destination(
    name: &str,
    key: &str,
    destinations: &[(&str, &dyn Destination)],
) -> Result<Box<dyn StateStore>, StateError> {
    let mut able = Vec::new();
    let mut found = None;
    for (other, destination) in destinations {
        let store = destination.state(key).await;
        if *other == name {
            found = Some(store);
        } else if matches!(store, Ok(Some(_))) {
            able.push(*other);
        }
    }
    let able = match able.as_slice() {
        [] => "keep it in a file instead: --state FILE".to_owned(),
        able => format!("these can: {}; or keep it in a file: --state FILE", able.join(", ")),
    };
    match found {
        Some(Ok(Some(store))) => Ok(store),
        Some(Ok(None)) => {
            Err(StateError::Misuse(format!("destination {name} cannot keep the state of syncs\n  = {able}")))
        }
        Some(Err(error)) => Err(StateError::Failed(format!("destination {name}: {error}"))),
        None => {
            let help = match nearest(name, destinations.iter().map(|(name, _)| *name)) {
                Some(nearest) => format!("did you mean @{nearest}?"),
                None => able,
            };
            Err(StateError::Misuse(format!("--state @{name}: there is no destination of this name\n  = {help}")))
        }
    }
}

/// A run of a sync: a new one, or one that is continued.
pub struct Run {
    /// The rows' `_cq_sync_time`.
    pub sync_time: Timestamp,
    /// Whether it continues an interrupted run.
    pub resumed: bool,
    done: HashSet<UnitHash>,
    checkpoints: HashMap<String, String>,
    notes: Option<mpsc::Sender<Note>>,
}

impl Run {
    /// A new run whose state is kept nowhere.
    pub fn unkept(now: Timestamp) -> Self {
        Self { sync_time: now, resumed: false, done: HashSet::new(), checkpoints: HashMap::new(), notes: None }
    }

    /// Whether a unit was done before the run was interrupted. An id is `SOURCE:TABLE@SCOPE`.
    pub fn is_done(&self, unit_id: &str) -> bool {
        // What was kept of how far this very run has read it was kept after its rows: they must not be replaced by those that
        // have come since.
        self.of_checkpoint(unit_id).is_some_and(|(time, _)| time == self.sync_time.0)
            || !self.done.is_empty() && self.done.contains(&UnitHash::of(unit_id))
    }

    /// How many units were done before the run was interrupted.
    pub fn done(&self) -> usize {
        self.done.len()
    }

    /// Keeps the run, in place of an older one. To be called when the sources have answered, because a destination may
    /// be written to; without the call it is done for the first unit.
    pub async fn start(&self) -> Result<(), StateError> {
        let Some(notes) = &self.notes else { return Ok(()) };
        let (done, started) = oneshot::channel();
        match notes.send(Note::Start { done }).await {
            Ok(()) => started.await.unwrap_or(Ok(())),
            Err(_) => Ok(()),
        }
    }

    /// Notes that a unit ended without an error and is committed in all of its destinations. It is written a moment
    /// later, with others; only where very many wait does this wait too.
    pub async fn committed(&self, unit_id: &str) {
        if let Some(notes) = &self.notes {
            // Whoever writes them has said why, if nobody does any more.
            let _ = notes.send(Note::Unit(UnitHash::of(unit_id))).await;
        }
    }

    /// How far earlier syncs have read a unit.
    pub fn checkpoint(&self, unit_id: &str) -> Option<&str> {
        self.of_checkpoint(unit_id).map(|(_, checkpoint)| checkpoint)
    }

    /// By which run, told by its time, a unit was read how far.
    fn of_checkpoint(&self, unit_id: &str) -> Option<(i64, &str)> {
        let (time, checkpoint) = self.checkpoints.get(unit_id)?.split_once(' ')?;
        Some((time.parse().ok()?, checkpoint))
    }

    /// Keeps how far a unit was read, whose rows all of its destinations have committed.
    pub async fn reached(&self, unit_id: &str, checkpoint: String) -> headwater_sdk::Result<()> {
        let lost = || Error::fatal("how far the table was read is not kept: there is no state; see --state");
        let Some(notes) = &self.notes else { return Err(lost()) };
        let (done, kept) = oneshot::channel();
        let checkpoint = format!("{} {checkpoint}", self.sync_time.0);
        let note = Note::Reached { unit: unit_id.to_owned(), checkpoint, done };
        notes.send(note).await.map_err(|_| lost())?;
        kept.await.unwrap_or_else(|_| Err(lost()))
    }

    /// Ends the run: all notes are written, and where all went well the run is forgotten, so that nothing is left to
    /// resume. Where it was not started and did not go well, what is kept stays as it is. To be called before the
    /// destinations are closed.
    pub async fn finish(&self, all_well: bool) {
        let Some(notes) = &self.notes else { return };
        let (done, finished) = oneshot::channel();
        if notes.send(Note::End { all_well, done }).await.is_ok() {
            let _ = finished.await;
        }
    }
}
