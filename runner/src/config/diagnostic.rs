//! What is wrong with a configuration: where, what, and what to do about it.

use std::fmt;
use std::sync::Arc;

use super::text::{File, Span, is_secret_key, secret_within};
use crate::text::plural;

/// Something wrong at a place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The place.
    pub span: Span,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Whether the file was not understood so far that secrets in it are known.
    pub bare: bool,
    /// Whether the place is a key that nobody knows: it may be the misspelt name of a secret.
    pub unknown_key: bool,
    /// Whether the file is not to blame: a source could not be asked.
    pub failure: bool,
}

impl Problem {
    /// Something wrong at a place.
    pub fn new(span: Span, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), help: None, bare: false, unknown_key: false, failure: false }
    }

    /// The same with what to do about it.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same with the name that was most likely meant, if there is one.
    pub fn nearest(self, nearest: Option<&str>) -> Self {
        match nearest {
            Some(name) => self.help(format!("did you mean `{name}`?")),
            None => self,
        }
    }
}

/// A problem as it is shown: at most eight lines.
#[derive(Clone)]
pub struct Diagnostic {
    /// The file and the secrets in it, or only the path of one that could not be read.
    file: Option<(Arc<File>, Arc<Vec<Span>>)>,
    problem: Problem,
}

impl Diagnostic {
    /// A problem in a file. `secrets` are places in it that are never shown.
    pub fn new(file: &Arc<File>, secrets: &Arc<Vec<Span>>, problem: Problem) -> Self {
        Self { file: Some((Arc::clone(file), Arc::clone(secrets))), problem }
    }

    /// A problem that has no place in a file.
    pub fn plain(message: impl Into<String>) -> Self {
        Self { file: None, problem: Problem::new(Span::default(), message) }
    }

    /// Where it comes among the others: by file and place, what has no place at the end.
    pub fn order(&self) -> (usize, usize) {
        let file = self.file.as_ref().map_or(usize::MAX, |(file, _)| file.order);
        (file, self.problem.span.start)
    }

    /// The same with what to do about it.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.problem.help = Some(help.into());
        self
    }
}

/// As it is shown: the file's text may hold secrets.
impl fmt::Debug for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How much of a long line is shown on either side.
const AROUND: usize = 60;

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Problem { span, message, help, bare, .. } = &self.problem;
        let Some((file, secrets)) = &self.file else {
            write!(f, "error: {message}")?;
            return match help {
                Some(help) => write!(f, "\n  = {help}"),
                None => Ok(()),
            };
        };
        let (line, column) = file.position(*span);
        let range = file.line(*span);
        let masked = mask(range.start, &file.text[range.clone()], secrets, *bare);
        let start = span.start.clamp(range.start, range.end);
        let before = file.text[range.start..start].chars().count();
        let width = file.text[start..span.end.clamp(start, range.end)].chars().count().max(1);
        let from = before.saturating_sub(AROUND);
        let shown: String =
            masked.iter().skip(from).take(2 * AROUND).map(|char| if *char == '\t' { ' ' } else { *char }).collect();
        let width = width.min((2 * AROUND).saturating_sub(before - from)).max(1);
        let gutter = " ".repeat(line.to_string().len());
        writeln!(f, "error: {}:{line}:{column}: {message}", file.name)?;
        writeln!(f, "{gutter} |")?;
        writeln!(f, "{line} | {}", shown.trim_end())?;
        write!(f, "{gutter} | {}{}", " ".repeat(before - from), "^".repeat(width))?;
        match help {
            Some(help) => write!(f, "\n{gutter} = {help}"),
            None => Ok(()),
        }
    }
}

/// The line's characters with every secret replaced, each character by one, so that columns stay.
fn mask(start: usize, line: &str, secrets: &[Span], bare: bool) -> Vec<char> {
    let hidden_from = if bare { secret_part(line) } else { line.len() };
    line.char_indices()
        .map(|(index, char)| {
            let secret = secrets.iter().any(|span| span.range().contains(&(start + index)));
            if (secret || index >= hidden_from) && !char.is_whitespace() { '*' } else { char }
        })
        .collect()
}

/// Where the secrets of a line begin that could not be parsed: after the first key that sounds like one, or at a
/// value that looks like one.
fn secret_part(line: &str) -> usize {
    let after_key =
        line.match_indices(':').find(|(colon, _)| is_secret_key(&line[..*colon])).map(|(colon, _)| colon + 1);
    after_key.into_iter().chain(secret_within(line)).min().unwrap_or(line.len())
}

/// All that is wrong with a configuration.
#[derive(Debug, Clone, Default)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl Diagnostics {
    /// Whether the files may be right, and only what they name could not be asked.
    pub fn are_failures(&self) -> bool {
        self.0.iter().all(|diagnostic| diagnostic.problem.failure)
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for diagnostic in &self.0 {
            writeln!(f, "{diagnostic}\n")?;
        }
        match self.are_failures() {
            true => f.write_str("nothing was done"),
            false => write!(f, "{} in the configuration; nothing was done", plural(self.0.len(), "problem")),
        }
    }
}

impl std::error::Error for Diagnostics {}
