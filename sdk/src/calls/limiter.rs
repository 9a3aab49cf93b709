//! How fast one API may be called in one place: a token bucket whose rate follows the service's answers.
//!
//! The rate begins low and doubles while all is well. The first throttled answer ends that: from then on the rate is
//! cut to what the service has let through, and grows again slowly, faster where nothing was throttled for a while
//! (additive increase, multiplicative decrease). The rate grows only while someone waits for it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

/// Calls per second at first.
const FIRST_RATE: f64 = 50.0;
/// Calls that may be made at once at first.
const FIRST_BURST: f64 = 20.0;
/// While nothing was throttled yet, the rate doubles this often.
const DOUBLES_EVERY: Duration = Duration::from_millis(250);
/// Throttled answers within this time are of one episode: the calls were under way already.
const EPISODE: Duration = Duration::from_millis(100);
/// What is left of the rate that the service has let through.
const CUT: f64 = 0.9;
/// What is left of the rate that was tried, where too few calls were let through to measure it.
const HALF: f64 = 0.5;
/// A rate is measured by at least so many calls.
const ENOUGH: f64 = 10.0;
/// How much the rate grows in a second after it was cut, and when nothing was throttled for [`CALM`].
const GROWTH: f64 = 0.02;
const GROWTH_WHEN_CALM: f64 = 0.10;
const CALM: Duration = Duration::from_secs(10);
/// The lowest rate: one call in five seconds.
const LOWEST: f64 = 0.2;
/// Beyond this nothing is held back.
const HIGHEST: f64 = 100_000.0;
/// The successes that a rate is measured by are counted over at most this.
const MEASURED: Duration = Duration::from_secs(1);

/// A limit that the user has set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fixed {
    /// Calls per second.
    pub per_second: f64,
    /// Calls that may be made at once.
    pub burst: f64,
}

/// The limiter of one API in one place.
#[derive(Debug)]
pub struct Limiter {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Whoever waits, in order.
    queue: VecDeque<oneshot::Sender<()>>,
    /// Whether a task lets them through.
    is_served: bool,
    fixed: Option<Fixed>,
    rate: f64,
    tokens: f64,
    filled: Instant,
    grown: Instant,
    /// When the rate was cut last; `None` before the first throttled answer.
    cut: Option<Instant>,
    /// No call is made before this: the service has said so.
    not_before: Option<Instant>,
    /// Successes since `measured_since`.
    successes: f64,
    measured_since: Instant,
}

impl Limiter {
    /// A limiter that knows nothing yet, or only what the user has set.
    pub fn new(fixed: Option<Fixed>) -> Self {
        let now = Instant::now();
        let state = State {
            queue: VecDeque::new(),
            is_served: false,
            fixed,
            rate: fixed.map_or(FIRST_RATE, |fixed| fixed.per_second.max(LOWEST)),
            tokens: fixed.map_or(FIRST_BURST, |fixed| fixed.burst.max(1.0)),
            filled: now,
            grown: now,
            cut: None,
            not_before: None,
            successes: 0.0,
            measured_since: now,
        };
        Self { state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a call may be made, and answers how long that took.
    pub async fn acquire(self: &Arc<Self>) -> Duration {
        let turn = {
            let mut state = self.state();
            if state.queue.is_empty() && state.take(Instant::now()).is_none() {
                return Duration::ZERO;
            }
            let (turn, waits) = oneshot::channel();
            state.queue.push_back(turn);
            if !std::mem::replace(&mut state.is_served, true) {
                tokio::spawn(Arc::clone(self).serve());
            }
            waits
        };
        let began = Instant::now();
        // The task that serves ends only when nobody waits, or with the runtime.
        let _ = turn.await;
        began.elapsed()
    }

    /// Lets those who wait through, one task for all of them: if each of them had a timer, or handed its turn to the
    /// next, a busy machine would make fewer calls than are allowed.
    async fn serve(self: Arc<Self>) {
        loop {
            let wait = self.state().let_through(Instant::now());
            match wait {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return,
            }
        }
    }

    /// A call was answered, well or with an error that has nothing to do with how many there are.
    pub fn answered(&self) {
        self.state().answered(Instant::now());
    }

    /// A call was throttled. `retry_after` is what the service has said about the next one.
    pub fn throttled(&self, retry_after: Option<Duration>) {
        self.state().throttled(Instant::now(), retry_after);
    }

    /// Calls per second that are let through at present.
    pub fn rate(&self) -> f64 {
        self.state().rate
    }
}

impl State {
    /// Lets through as many as there are tokens, and says how long to wait for the next; nobody waits any more where it
    /// says nothing.
    fn let_through(&mut self, now: Instant) -> Option<Duration> {
        while !self.queue.is_empty() {
            if let Some(wait) = self.take(now) {
                return Some(wait);
            }
            // Whoever has given up waiting has left the token.
            if self.queue.pop_front().is_some_and(|turn| turn.send(()).is_err()) {
                self.tokens += 1.0;
            }
        }
        self.is_served = false;
        None
    }

    /// Takes a token, or says how long to wait before the next try.
    fn take(&mut self, now: Instant) -> Option<Duration> {
        if let Some(wait) =
            self.not_before.map(|time| time.saturating_duration_since(now)).filter(|wait| !wait.is_zero())
        {
            return Some(wait);
        }
        self.not_before = None;
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.filled = now;
        self.tokens = (self.tokens + passed * self.rate).min(self.burst());
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return None;
        }
        self.grow(now);
        Some(Duration::from_secs_f64(((1.0 - self.tokens) / self.rate).max(0.001)))
    }

    fn burst(&self) -> f64 {
        match (self.fixed, self.cut) {
            (Some(fixed), None) => fixed.burst.max(1.0),
            (_, None) => FIRST_BURST.max(self.rate / 4.0),
            // A timer is late by a millisecond or two; what it misses is made up for.
            (_, Some(_)) => (self.rate / 50.0).max(1.0),
        }
    }

    /// Someone waits, so the rate is what holds calls back.
    fn grow(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.grown);
        match self.cut {
            None if self.fixed.is_some() => {}
            None => {
                if passed >= DOUBLES_EVERY {
                    self.rate *= 2.0;
                    self.grown = now;
                }
            }
            Some(cut) => {
                let calm = now.saturating_duration_since(cut) >= CALM;
                let growth = if calm { GROWTH_WHEN_CALM } else { GROWTH };
                self.rate += self.rate * growth * passed.as_secs_f64().min(1.0);
                self.grown = now;
            }
        }
        let most = self.fixed.map_or(HIGHEST, |fixed| fixed.per_second);
        self.rate = self.rate.clamp(LOWEST, most.max(LOWEST));
    }

    fn answered(&mut self, now: Instant) {
        if now.saturating_duration_since(self.measured_since) > MEASURED * 2 {
            // Half of an older measure is kept, so that the rate of a long time does not hide that of now.
            self.successes /= 2.0;
            self.measured_since = now - MEASURED;
        }
        self.successes += 1.0;
    }

    fn throttled(&mut self, now: Instant, retry_after: Option<Duration>) {
        if let Some(wait) = retry_after {
            let until = now + wait;
            self.not_before = Some(self.not_before.map_or(until, |earlier| earlier.max(until)));
        }
        if self.cut.is_some_and(|cut| now.saturating_duration_since(cut) < EPISODE) {
            return;
        }
        let measured_over = now.saturating_duration_since(self.measured_since).max(EPISODE / 2);
        // What was let through before the first throttled answer was in part a reserve that is used up.
        let measured = self.cut.is_some() && self.successes >= ENOUGH;
        let let_through = self.successes / measured_over.as_secs_f64();
        let rate = if measured { (let_through * CUT).min(self.rate * CUT) } else { self.rate * HALF };
        self.rate = rate.max(LOWEST);
        self.tokens = self.tokens.min(0.0);
        self.cut = Some(now);
        self.grown = now;
        self.successes = 0.0;
        self.measured_since = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A service with a token bucket, in simulated time: answers the share that it throttled and the time it took.
    fn simulate(calls: usize, rate: f64, burst: f64, latency: Duration) -> (f64, f64) {
        let mut limiter = State { ..Limiter::new(None).state.into_inner().expect("no panic") };
        let start = limiter.filled;
        let (mut now, mut tokens, mut filled) = (start, burst, start);
        let (mut left, mut throttled, mut made) = (calls, 0_usize, 0_usize);
        let mut answers: VecDeque<(Instant, bool)> = VecDeque::new();
        while left > 0 || !answers.is_empty() {
            while let Some((at, well)) = answers.front().copied().filter(|(at, _)| *at <= now) {
                answers.pop_front();
                if well {
                    limiter.answered(at);
                } else {
                    limiter.throttled(at, None);
                    left += 1;
                }
            }
            let wait = if left > 0 && answers.len() < 256 { limiter.take(now) } else { Some(Duration::from_millis(1)) };
            if wait.is_none() {
                left -= 1;
                made += 1;
                tokens = (tokens + now.duration_since(filled).as_secs_f64() * rate).min(burst);
                filled = now;
                let well = tokens >= 1.0;
                tokens -= if well { 1.0 } else { 0.0 };
                throttled += usize::from(!well);
                answers.push_back((now + latency, well));
            } else {
                now += Duration::from_millis(1);
            }
        }
        (throttled as f64 / made as f64, now.duration_since(start).as_secs_f64())
    }

    #[test]
    fn a_throttled_service_is_used_to_its_limit_with_few_calls_too_many() {
        for (calls, rate, burst, latency) in
            [(6000, 100.0, 200.0, 20), (3000, 20.0, 100.0, 50), (20_000, 1000.0, 1000.0, 20), (1000, 5.0, 20.0, 100)]
        {
            let (share, time) = simulate(calls, rate, burst, Duration::from_millis(latency));
            let ideal = (calls as f64 - burst) / rate;
            assert!(share < 0.03, "{rate}/s: {share} throttled");
            assert!(time < ideal * 1.1, "{rate}/s: {time} s where {ideal} s would do");
        }
    }

    #[test]
    fn a_service_that_throttles_nothing_is_soon_called_at_full_speed() {
        let (share, time) = simulate(100_000, 1e9, 1e9, Duration::from_millis(20));
        assert_eq!(share, 0.0);
        // 256 calls of 20 ms at once are 12 800 a second.
        assert!(time < 100_000.0 / 12_800.0 + 2.0, "{time} s");
    }

    #[tokio::test]
    async fn what_the_service_and_the_user_say_is_kept_to() {
        let limiter = Arc::new(Limiter::new(Some(Fixed { per_second: 10.0, burst: 2.0 })));
        let mut waited = Duration::ZERO;
        for _ in 0..2 {
            waited += limiter.acquire().await;
        }
        assert_eq!(waited, Duration::ZERO);
        limiter.throttled(Some(Duration::from_secs(3)));
        let before = limiter.state().not_before.expect("it was said");
        assert!(before > Instant::now() + Duration::from_millis(2900));
        assert!(limiter.rate() <= 10.0);
    }
}
