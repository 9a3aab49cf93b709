//! What a process used, as it says itself when it is done.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::machine::TICKS;

/// The program that runs another one and writes what it took, as [`Measured`]: `python MEASURED RESULT PROGRAM ARGUMENTS…`.
pub const MEASURED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/measured.py");

/// What a program took, from its start to its end.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Measured {
    /// Time.
    pub seconds: f64,
    /// Processor seconds of it and its children.
    pub cpu_s: f64,
    /// The most memory that was resident, of the largest of its processes.
    pub peak_bytes: u64,
}

/// What a process used since it began.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Usage {
    /// Processor seconds of all its threads.
    pub cpu_s: f64,
    /// The most memory that was resident at once.
    pub peak_bytes: u64,
}

impl Usage {
    /// What this process used so far.
    pub fn now() -> Result<Self> {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        let status = fs::read_to_string("/proc/self/status").context("cannot read /proc/self/status")?;
        Ok(Self {
            cpu_s: time.tv_sec as f64 + time.tv_nsec as f64 / 1e9,
            peak_bytes: kib(&status, "VmHWM:").context("/proc/self/status has no VmHWM")? << 10,
        })
    }
}

/// Processor seconds that a process has used, its children that have ended, and those that it has.
pub fn of_family(process: u32) -> Option<f64> {
    let of = |process: u32, fields: usize| {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        // Behind the name: user and system time of its own, and of its children.
        let numbers = stat.rsplit(") ").next()?.split(' ').skip(11).take(fields);
        Some(numbers.map(|number| number.parse::<f64>().unwrap_or_default()).sum::<f64>() / TICKS)
    };
    let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    let children = children.split_whitespace().filter_map(|child| of(child.parse().ok()?, 2));
    Some(of(process, 4)? + children.sum::<f64>())
}

/// The number of kibibytes in the line of a file below `/proc` that begins with a word.
pub fn kib(text: &str, word: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(word))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// Writes a value as JSON.
pub fn write(file: &Path, value: &impl Serialize) -> Result<()> {
    fs::write(file, serde_json::to_vec(value)?).with_context(|| format!("cannot write {}", file.display()))
}

/// Reads a value that is JSON.
pub fn read<T: DeserializeOwned>(file: &Path) -> Result<T> {
    let text = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} is not what was to be written", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_known() -> Result<()> {
        assert_eq!(kib("VmPeak:\t 10 kB\nVmHWM:\t    7 kB\n", "VmHWM:"), Some(7));
        let usage = Usage::now()?;
        assert!(usage.peak_bytes > 1 << 20 && usage.cpu_s > 0.0, "{usage:?}");
        assert!(of_family(std::process::id()).is_some() && of_family(u32::MAX).is_none());
        Ok(())
    }
}
