//! A configuration file's text: its name, places in it, and which of them hold secrets.

use std::ops::Range;

/// A place in a file, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// Where it starts.
    pub start: usize,
    /// Where it ends, exclusive.
    pub end: usize,
}

impl Span {
    /// The place as a range of bytes.
    pub fn range(self) -> Range<usize> {
        self.start..self.end
    }
}

/// A configuration file. It has no `Debug`, since its text may hold secrets.
pub struct File {
    /// The path as the user wrote it.
    pub name: String,
    /// What is in the file.
    pub text: String,
    /// Its place among the files.
    pub order: usize,
}

impl File {
    /// The line and column (both from 1, in characters) at which a place starts.
    pub fn position(&self, span: Span) -> (usize, usize) {
        let start = self.line_start(span);
        let line = self.text[..start].matches('\n').count() + 1;
        (line, self.text[start..self.floor(span.start)].chars().count() + 1)
    }

    /// The place of a line and column (both from 1, in characters).
    pub fn at(&self, line: usize, column: usize) -> Span {
        let line_start = match line {
            0 | 1 => 0,
            _ => self.text.match_indices('\n').nth(line - 2).map_or(self.text.len(), |(newline, _)| newline + 1),
        };
        let in_line = self.text[line_start..].char_indices().nth(column.saturating_sub(1));
        let start = in_line.map_or(self.text.len(), |(offset, _)| line_start + offset);
        Span { start, end: start }
    }

    /// The bytes of the line in which a place starts, without its end of line.
    pub fn line(&self, span: Span) -> Range<usize> {
        let start = self.line_start(span);
        let end = self.text[start..].find('\n').map_or(self.text.len(), |length| start + length);
        start..start + self.text[start..end].trim_end_matches('\r').len()
    }

    /// The text at a place.
    pub fn slice(&self, span: Span) -> &str {
        self.text.get(self.floor(span.start)..self.floor(span.end)).unwrap_or_default()
    }

    fn line_start(&self, span: Span) -> usize {
        let start = self.floor(span.start);
        // At the end of the file there may be no line left: then the last one that has text is shown.
        let start = if start == self.text.len() { self.text.trim_end().len() } else { start };
        self.text[..start].rfind('\n').map_or(0, |newline| newline + 1)
    }

    fn floor(&self, byte: usize) -> usize {
        self.text.floor_char_boundary(byte.min(self.text.len()))
    }
}

/// Words in a key's name that mark its value as a secret.
const SECRET_WORDS: [&str; 12] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "credential",
    "private_key",
    "access_key",
    "api_key",
    "apikey",
    "dsn",
    "connection_string",
];

/// Whether a key's value is to be kept out of messages.
pub fn is_secret_key(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('-', "_");
    SECRET_WORDS.iter().any(|word| name.contains(word))
}

/// Whether a value carries a password on its face, as `scheme://user:password@host` does.
pub fn is_secret_value(text: &str) -> bool {
    text.split_once("://")
        .and_then(|(_, rest)| rest.split('/').next()?.split_once('@'))
        .is_some_and(|(user, _)| user.contains(':'))
}
