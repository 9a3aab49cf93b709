//! The machine that it all runs on.

use std::fs;

use crate::usage::kib;

/// How many ticks of `/proc/stat` a second has, on every Linux there is.
pub(crate) const TICKS: f64 = 100.0;

/// How many processors there are.
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The kind of machine: what matters of it.
pub fn shown() -> String {
    let processors = processors();
    let plural = if processors == 1 { "" } else { "s" };
    let memory = fs::read_to_string("/proc/meminfo").ok().and_then(|text| kib(&text, "MemTotal:"));
    match memory {
        Some(memory) => {
            format!("a machine with {processors} processor{plural} and {} GiB of memory", (memory + (1 << 19)) >> 20)
        }
        None => format!("a machine with {processors} processor{plural}"),
    }
}

/// Processor seconds that all programs have used since the machine began.
pub fn busy_s() -> Option<f64> {
    busy(&fs::read_to_string("/proc/stat").ok()?)
}

fn busy(stat: &str) -> Option<f64> {
    let numbers = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace();
    let ticks: Vec<f64> = numbers.map(str::parse).collect::<Result<_, _>>().ok()?;
    let [user, nice, system, _idle, _waiting, irq, softirq, ..] = ticks[..] else { return None };
    Some((user + nice + system + irq + softirq) / TICKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_processors_are_not_busy() {
        assert_eq!(busy("cpu  100 10 50 9000 800 5 35 0 0 0\ncpu0 1 2 3\n"), Some(2.0));
        assert_eq!(busy("none"), None);
    }
}
