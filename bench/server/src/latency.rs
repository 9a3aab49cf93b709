//! Chance that can be repeated, and the latency that is drawn from it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::rules::Latency;

/// The quantile of the standard normal distribution at 0.99.
const Z99: f64 = 2.326_347_874;

/// Numbers that are different each time and the same in each run.
pub struct Chance(AtomicU64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(AtomicU64::new(mixed(seed)))
    }

    /// Any number.
    pub fn number(&self) -> u64 {
        mixed(self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed))
    }

    /// A number between 0 and 1, without 1.
    pub fn share(&self) -> f64 {
        (self.number() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Spreads the bits of a number (splitmix64).
pub fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

impl Latency {
    /// How long the next request takes.
    pub(crate) fn draw(self, chance: &Chance) -> Duration {
        let ms = match self {
            Self::None => 0.0,
            Self::Constant { ms } => ms,
            Self::Uniform { min_ms, max_ms } => min_ms + (max_ms - min_ms) * chance.share(),
            Self::Lognormal { median_ms, p99_ms } => {
                let sigma = (p99_ms / median_ms).ln() / Z99;
                let radius = (-2.0 * (1.0 - chance.share()).ln()).sqrt();
                let normal = radius * (std::f64::consts::TAU * chance.share()).cos();
                // A wait of many minutes is no latency any more.
                (median_ms * (sigma * normal).exp()).min(600_000.0)
            }
        };
        Duration::from_secs_f64(ms / 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lognormal_latency_has_its_median_and_its_tail() {
        let chance = Chance::new(7);
        let latency = Latency::Lognormal { median_ms: 30.0, p99_ms: 200.0 };
        let mut drawn: Vec<f64> = (0..20_000).map(|_| latency.draw(&chance).as_secs_f64() * 1000.0).collect();
        drawn.sort_by(f64::total_cmp);
        assert!((28.0..32.0).contains(&drawn[10_000]), "{}", drawn[10_000]);
        assert!((170.0..230.0).contains(&drawn[19_800]), "{}", drawn[19_800]);
    }
}
