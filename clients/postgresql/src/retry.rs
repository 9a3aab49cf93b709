//! How long something is tried again that failed for a passing reason.

use std::time::Duration;

use headwater_sdk::Error;
use tokio::time::Instant;

use crate::errors::{Passing, passing};

/// How often something is tried, where the server can be reached.
const TRIES: u32 = 6;
/// How long a server that cannot be reached is waited for: it may restart, or another take its place.
const PATIENCE: Duration = Duration::from_secs(180);
/// The pause before the first try but one is at most twice this; each one after that is twice as long.
const PAUSE: Duration = Duration::from_millis(250);
/// No pause is longer.
const LONGEST: Duration = Duration::from_secs(10);

/// The failures of one thing that is tried again.
#[derive(Default)]
pub struct Retry {
    tries: u32,
    pauses: u32,
    away: Option<Instant>,
}

impl Retry {
    /// Whether to try once more; where that is so, it waits for a while.
    pub async fn again(&mut self, error: &Error) -> bool {
        let again = match passing(error) {
            None => false,
            Some(Passing::InTheWay) => {
                self.tries += 1;
                self.tries < TRIES
            }
            Some(Passing::Away) => self.away.get_or_insert_with(Instant::now).elapsed() < PATIENCE,
        };
        if again {
            self.pauses += 1;
            let pause = PAUSE.saturating_mul(1 << self.pauses.min(10)).min(LONGEST);
            tracing::debug!(%error, ?pause, "it is tried again");
            tokio::time::sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
        }
        again
    }
}
