//! Running other programs, and saying where the time went.

use std::process::{Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// A command as one would type it.
pub fn shown(command: &Command) -> String {
    let mut text = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    text
}

/// Runs a command whose output the user sees.
pub fn status_of(command: &mut Command) -> Result<ExitStatus> {
    command.status().with_context(|| format!("cannot run {}", shown(command)))
}

/// The same, and an error unless it succeeds.
pub fn checked(command: &mut Command) -> Result<()> {
    let status = status_of(command)?;
    if status.success() { Ok(()) } else { bail!("`{}` failed ({status})", shown(command)) }
}

/// Runs a command silently, and answers with its output; what it said is in the error.
pub fn output_of(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {}", shown(command)))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    bail!("`{}` failed ({}):\n{}{}", shown(command), output.status, text(&output.stdout), text(&output.stderr))
}

/// Measures steps, some of which may run at the same time.
pub struct Steps {
    began: Instant,
    taken: Mutex<Vec<(String, Duration)>>,
}

impl Steps {
    /// Begins to measure.
    pub fn begin() -> Self {
        Self { began: Instant::now(), taken: Mutex::default() }
    }

    /// Does a step.
    pub fn step<T>(&self, name: &str, act: impl FnOnce() -> Result<T>) -> Result<T> {
        let began = Instant::now();
        let result = act();
        let mut taken = self.taken.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        taken.push((name.to_owned(), began.elapsed()));
        result
    }

    /// One line per step in the order in which they ended, and the whole.
    pub fn report(&self) -> String {
        let taken = self.taken.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let whole = ("in all".to_owned(), self.began.elapsed());
        let width = taken.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
        let lines = taken.iter().chain([&whole]);
        lines.map(|(name, time)| format!("  {name:width$}  {:>6.1} s\n", time.as_secs_f64())).collect()
    }
}

/// Does two things at the same time; the first error of the two is the answer, once both have ended.
pub fn both<A: Send, B: Send>(
    one: impl FnOnce() -> Result<A> + Send,
    other: impl FnOnce() -> Result<B> + Send,
) -> Result<(A, B)> {
    std::thread::scope(|scope| {
        let one = scope.spawn(one);
        let other = other();
        match one.join() {
            Ok(one) => Ok((one?, other?)),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}
