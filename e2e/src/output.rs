//! The last lines of what a program wrote, for whoever has to find out why it failed.

use std::path::Path;

/// How much of a log is worth showing.
const LINES: usize = 20;

/// The last lines of a file, or why there are none.
pub fn tail(path: &Path) -> String {
    let text = match std::fs::read(path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => return format!("({} cannot be read: {error})", path.display()),
    };
    last_lines(&text)
}

/// The last lines of a text.
pub fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}
