//! Calls to an API: how many at once, how fast, how often again, and what came of them.
//!
//! Every call goes through [`attempts`]: it waits for the limiter of its API and place, then for a turn, is made, and is
//! made again where that may help. What it belongs to is known from the task that it runs in ([`Calls::call`]).

mod gates;
pub mod limiter;
mod limits;
pub mod meter;
mod refusals;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use crate::admission::{Size, Sizes};
use crate::error::{Class, Error, Result};
use crate::memory::Budget;
use crate::task;
use gates::{Gates, Passed, Running};
use limits::{Limits, Place};
use meter::{Meter, Wait};
use refusals::Refusals;

pub use limits::{CallLimits, Rate};

/// A call that was answered by throttling waits this long at most before it is made again the first time; each time
/// after that twice as long.
const THROTTLED_PAUSE: Duration = Duration::from_millis(200);
/// The same after another failure that may pass.
const FAILED_PAUSE: Duration = Duration::from_millis(100);
/// How often an answer that is none of the service's own is asked for again: it may be a proxy's, or a server's that
/// does not know the call.
const FOREIGN_RETRIES: u32 = 2;

tokio::task_local! {
    static CURRENT: Current;
}

/// What a call that is being made belongs to.
#[derive(Clone)]
struct Current {
    calls: Calls,
    table: &'static str,
}

/// The calls of one unit. Clones share everything; the units of a source share the limits.
#[derive(Clone)]
pub struct Calls {
    source: Arc<Source>,
    place: Arc<Place>,
    meter: Arc<Meter>,
    refusals: Arc<Refusals>,
    gates: Arc<Gates>,
}

/// What a call is made for.
#[derive(Clone, Copy)]
pub(crate) struct Asked {
    /// The table.
    pub table: &'static str,
    /// The table's part that is asked for.
    pub what: &'static str,
    /// Whether a task of its own is needed.
    pub polled: Polled,
}

/// Whether whoever waits for a call polls it until it is done.
#[derive(Clone, Copy)]
pub(crate) enum Polled {
    /// It does nothing else meanwhile.
    Always,
    /// It may wait for something else first: see [`Calls::call`].
    Perhaps,
}

/// What all units of a source share.
struct Source {
    limits: Limits,
    turns: Arc<Semaphore>,
    concurrency: usize,
    running: Arc<Running>,
    meter: Meter,
    memory: Budget,
    sizes: Sizes,
}

impl Calls {
    /// The calls of a source, for no unit yet.
    pub fn new(limits: CallLimits, memory: Budget) -> Self {
        let concurrency = limits.concurrency.clamp(1, Semaphore::MAX_PERMITS);
        let limits = Limits::new(limits);
        let running = Running::new(concurrency);
        Self {
            place: limits.place(""),
            meter: Arc::default(),
            refusals: Arc::default(),
            gates: Gates::new(&running),
            source: Arc::new(Source {
                limits,
                turns: Arc::new(Semaphore::new(concurrency)),
                concurrency,
                running,
                meter: Meter::default(),
                memory,
                sizes: Sizes::default(),
            }),
        }
    }

    /// The calls of a unit. `place` is where its calls are counted by the service, such as an account's region.
    pub fn of_unit(&self, place: &str) -> Self {
        Self {
            source: Arc::clone(&self.source),
            place: self.source.limits.place(place),
            meter: Arc::default(),
            refusals: Arc::default(),
            gates: Gates::new(&self.source.running),
        }
    }

    /// How many calls of the source may be under way at once.
    pub fn concurrency(&self) -> usize {
        self.source.concurrency
    }

    /// Waits until another row of the unit may be resolved. What passed may wait at a deeper level, never at its own.
    pub(crate) async fn pass(&self, level: usize) -> Passed {
        self.gates.pass(level).await
    }

    /// What the unit did and waited for.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// What all units of the source did and waited for.
    pub fn source_meter(&self) -> &Meter {
        &self.source.meter
    }

    /// What pages of a table were seen to take.
    pub(crate) fn size(&self, table: &'static str) -> Arc<Size> {
        self.source.sizes.of(table)
    }

    /// The memory of the run.
    pub fn memory(&self) -> &Budget {
        &self.source.memory
    }

    /// Makes the calls of a future, for a table.
    ///
    /// It runs in a task of its own: whoever waits for it may be kept from being polled, by a slow destination or by
    /// rows that wait for their own turn, and a turn that is held without being polled would stop all others. Dropping
    /// the returned future ends the call.
    pub async fn call<T: Send + 'static>(
        &self,
        table: &'static str,
        call: impl Future<Output = T> + Send + 'static,
    ) -> T {
        task::own(self.call_here(table, call)).await
    }

    /// The same without a task of its own, for whoever polls for nothing else meanwhile.
    fn call_here<F: Future>(&self, table: &'static str, call: F) -> impl Future<Output = F::Output> + use<F> {
        CURRENT.scope(Current { calls: self.clone(), table }, call)
    }

    /// Makes the calls of a future that yields a result: where the service has refused it often and never let it
    /// through, it is not made any more, and the answer is the last refusal.
    pub(crate) async fn call_unless_refused<T: Send + 'static>(
        &self,
        asked: Asked,
        call: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let Asked { table, what, polled } = asked;
        if let Some(error) = self.refusals.standing(table, what) {
            return Err(error);
        }
        let answer = match polled {
            Polled::Always => self.call_here(table, call).await,
            Polled::Perhaps => self.call(table, call).await,
        };
        self.refusals.note(table, what, answer.as_ref().err());
        answer
    }

    fn waited(&self, what: Wait, time: Duration) {
        if !time.is_zero() {
            self.meter.waited(what, time);
            self.source.meter.waited(what, time);
        }
    }

    /// Notes a wait of the unit.
    pub fn note_wait(&self, what: Wait, time: Duration) {
        self.waited(what, time);
    }
}

/// Makes a call, and makes it again where that may help. `api` is the service and the operation, such as
/// `ec2 DescribeInstances`; `send` makes one try. Outside of [`Calls::call`] nothing is limited, and a failed call is
/// tried three times.
pub async fn attempts<T, F: Future<Output = Result<T>>>(api: &'static str, mut send: impl FnMut() -> F) -> Result<T> {
    let current = CURRENT.try_with(Current::clone).ok();
    let (most, longest) = match &current {
        Some(current) => (current.calls.source.limits.retries(), current.calls.source.limits.max_backoff()),
        None => (2, Duration::from_secs(2)),
    };
    let limiters = current.as_ref().map(|current| {
        let Calls { source, place, .. } = &current.calls;
        (place.api(api, &source.limits), place.table(current.table, &source.limits))
    });
    let mut retries = 0;
    loop {
        let turn = match (&current, &limiters) {
            (Some(current), Some((limiter, of_table))) => {
                let mut waited = limiter.acquire().await;
                if let Some(of_table) = of_table {
                    waited += of_table.acquire().await;
                }
                current.calls.waited(Wait::Limiter, waited);
                let began = Instant::now();
                // The semaphore is never closed, so a permit always comes.
                let turn = Arc::clone(&current.calls.source.turns).acquire_owned().await.ok();
                current.calls.waited(Wait::Turn, began.elapsed());
                turn
            }
            _ => None,
        };
        let began = Instant::now();
        let answer = send().await;
        drop(turn);
        let throttled = matches!(&answer, Err(error) if error.class == Class::Throttled);
        if let Some(current) = &current {
            current.calls.waited(Wait::Api, began.elapsed());
            for meter in [&current.calls.meter, &current.calls.source.meter as &Meter] {
                meter.called(throttled, retries > 0);
            }
        }
        if let Some((limiter, _)) = &limiters {
            match &answer {
                Err(error) if throttled => limiter.throttled(error.retry_after),
                _ => limiter.answered(),
            }
        }
        let error = match answer {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let allowed = match error.class {
            Class::Throttled | Class::Transient => most,
            Class::Unsupported if error.code.as_deref().is_some_and(|code| code.starts_with("HTTP5")) => {
                most.min(FOREIGN_RETRIES)
            }
            _ => 0,
        };
        if retries >= allowed {
            return Err(error);
        }
        tracing::debug!(api, retries, %error, "a call is made again");
        let pause = pause(&error, retries, longest);
        if let Some(current) = &current {
            current.calls.waited(Wait::Limiter, pause);
        }
        tokio::time::sleep(pause).await;
        retries += 1;
    }
}

/// Exponential backoff with full jitter, and not less than what the service has said.
fn pause(error: &Error, retries: u32, longest: Duration) -> Duration {
    let first = if error.class == Class::Throttled { THROTTLED_PAUSE } else { FAILED_PAUSE };
    let most = first.saturating_mul(1_u32 << retries.min(16)).min(longest);
    most.mul_f64(fastrand::f64()).max(error.retry_after.unwrap_or_default())
}
