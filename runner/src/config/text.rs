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

    /// The place of a part of a value's text, `at` in bytes of that text. Where it cannot be told from how the value is
    /// written, it is the place of the value.
    pub fn within(&self, span: Span, text: &str, at: &Range<usize>) -> Span {
        let written = self.slice(span);
        let mut file = written.char_indices().skip(usize::from(written.starts_with(['"', '\''])));
        // For each byte of the text, where it stands in the file.
        let mut places = Vec::with_capacity(text.len());
        for (offset, char) in text.char_indices() {
            let found = loop {
                match file.next() {
                    Some((place, found)) if found == char || found.is_whitespace() && char.is_whitespace() => {
                        break place;
                    }
                    // Escapes, indentation and the signs before a block are in the file only.
                    Some((_, found)) if found.is_whitespace() || "'\\\"|>-".contains(found) => {}
                    _ => return span,
                }
            };
            places.resize(offset, found);
            places.push(found);
        }
        let last = text.chars().next_back().map_or(0, char::len_utf8);
        let end = span.start + places.last().map_or(0, |place| place + last);
        let place = |offset: usize| places.get(offset).map_or(end, |place| span.start + place);
        Span { start: place(at.start), end: place(at.end).max(place(at.start)) }
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

/// Words in a key's name that mark its value as a secret, without what stands between their parts.
const SECRET_WORDS: [&str; 13] = [
    "password",
    "passwd",
    "pwd",
    "passphrase",
    "secret",
    "token",
    "credential",
    "privatekey",
    "accesskey",
    "apikey",
    "dsn",
    "hashkey",
    "connectionstring",
];

/// Whether a key's value is to be kept out of messages.
pub fn is_secret_key(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace(['-', '_'], "");
    SECRET_WORDS.iter().any(|word| name.contains(word))
}

/// Whether a value carries a password on its face, as `scheme://user:password@host` and `host=db password=word` do.
pub fn is_secret_value(text: &str) -> bool {
    secret_within(text).is_some()
}

/// Where the part of a text begins that carries a password on its face.
pub fn secret_within(text: &str) -> Option<usize> {
    // A password may have any sign in it, also those that end the name of a host.
    let has_password = |rest: &str| rest.rfind('@').is_some_and(|end| rest[..end].contains(':'));
    let url = text.find("://").filter(|at| has_password(&text[at + 3..]));
    let named = |(at, _): &(usize, &str)| {
        let name = text[..*at].trim_end();
        let name = name.rsplit(|char: char| !(char.is_alphanumeric() || matches!(char, '_' | '-'))).next();
        name.is_some_and(is_secret_key)
    };
    let setting = text.match_indices('=').find(named).map(|(at, _)| at + 1);
    url.into_iter().chain(setting).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_their_keys_and_on_their_face() {
        for key in
            ["password", "hashKey", "hash-key", "HASH_KEY", "db_pwd", "api-key", "aws_secret_access_key", "apiKey"]
        {
            assert!(is_secret_key(key), "{key}");
        }
        for key in ["name", "key", "path", "skip_tables", "region"] {
            assert!(!is_secret_key(key), "{key}");
        }
        for (value, at) in [
            ("postgresql://me:hunter2@db/x", 10),
            ("postgresql://me:hun/ter2@db/x", 10),
            ("postgresql://me:hun@ter2/@db/x", 10),
            ("host=db password=hunter2", 17),
            ("host=db  PASSWORD = 'hunter 2'", 19),
            ("Server=db;Pwd=hunter2;", 14),
            ("https://x/?a=1&api_key=5", 23),
            ("sslpassword=x", 12),
        ] {
            assert_eq!(secret_within(value), Some(at), "{value}");
        }
        for value in ["postgresql://me@db:5432/x", "host=db user=me", "a = 1", "s3://bucket/path", "", "password", "=x"]
        {
            assert_eq!(secret_within(value), None, "{value}");
        }
    }

    #[test]
    fn a_part_of_a_text_has_its_place_however_it_is_written() {
        for (written, text) in [
            ("a = 'é' or b", "a = 'é' or b"),
            ("\"a = 'é' or b\"", "a = 'é' or b"),
            ("'a = ''é'' or b'", "a = 'é' or b"),
            (">-\n    a = 'é'\n    or b", "a = 'é' or b"),
            ("|\n    a = 'é'\n    or b\n", "a = 'é'\nor b\n"),
            ("a = 'é'\n    or b", "a = 'é' or b"),
        ] {
            let file = File { name: String::new(), text: format!("where: {written}\nnext: b"), order: 0 };
            let span = Span { start: 7, end: 7 + written.len() };
            let at = text.find('b').unwrap_or_default();
            let found = file.within(span, text, &(at..at + 1));
            assert_eq!(file.slice(found), "b", "{written}");
            assert_eq!(found.end, 7 + written.trim_end_matches(['"', '\'', '\n']).len(), "{written}");
            let at = text.find('é').unwrap_or_default();
            assert_eq!(file.slice(file.within(span, text, &(at..at + 2))), "é", "{written}");
        }
        let file = File { name: String::new(), text: "\"\\x61 = b\"".to_owned(), order: 0 };
        let span = Span { start: 0, end: file.text.len() };
        assert_eq!(file.within(span, "a = b", &(4..5)), span, "an escape that is not looked into");
    }
}
