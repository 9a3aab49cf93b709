//! Log lines: to standard error, above the live table where there is one.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use clap::ValueEnum;
use indicatif::ProgressBar;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// The live table that lines are drawn above.
static ABOVE: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// From now on, log lines are drawn above a live table, or written as they are.
pub fn draw_above(bar: Option<ProgressBar>) {
    *ABOVE.lock().unwrap_or_else(PoisonError::into_inner) = bar;
}

/// Does something that writes to the terminal itself, with the live table out of its way.
pub fn suspend<T>(write: impl FnOnce() -> T) -> T {
    match above() {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}

fn above() -> Option<ProgressBar> {
    ABOVE.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Starts logging. `verbose` is how many times `-v` was given: warnings only, then what Headwater does, then in more
/// detail, then everything. `RUST_LOG` overrides it.
pub fn start(format: LogFormat, verbose: u8) {
    let level = match verbose {
        0 => "error,headwater=warn",
        1 => "warn,headwater=info",
        2 => "info,headwater=debug",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(Lines);
    // A second start, in a test, keeps the first.
    let _ = match format {
        LogFormat::Text => builder.with_ansi(console::colors_enabled_stderr()).with_target(false).try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
}

struct Lines;

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line(Vec::new())
    }
}

/// One event's text, written as a whole when the event is.
struct Line(Vec<u8>);

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let text = String::from_utf8_lossy(&self.0);
        let text = text.trim_end_matches('\n');
        if text.is_empty() {
            return;
        }
        match above() {
            Some(bar) => bar.println(text),
            None => eprintln!("{text}"),
        }
    }
}
