//! What a driver's errors mean to the person who reads them.

use headwater_sdk::Error;
use secrecy::{ExposeSecret, SecretString};

/// More lines of a driver's message are not shown.
const LINES: usize = 4;
/// Shorter texts are no secrets, and to replace them would spoil other words.
const SHORTEST: usize = 4;

/// What is said about a database, and what is not.
pub struct Shown {
    /// What it is called.
    pub place: String,
    secrets: Vec<SecretString>,
}

/// What stands for a password in the values of an option: all of it, and where it is a URI or a list of settings, the
/// parts of it that are secret.
fn secrets(key: &str, value: &str) -> Vec<String> {
    let key = key.to_ascii_lowercase();
    let named = |name: &str| {
        let name = name.to_ascii_lowercase();
        ["pass", "pwd", "token", "secret", "key", "credential", "auth"].iter().any(|word| name.contains(word))
    };
    let mut found = Vec::new();
    if named(&key) {
        found.push(value.to_owned());
    }
    // `scheme://user:password@host`, or the same without a scheme.
    let rest = value.split_once("://").map_or(value, |(_, rest)| rest);
    if let Some((user, _)) = rest.rsplit_once('@')
        && let Some((_, password)) = user.split_once(':')
    {
        found.push(password.to_owned());
        found.extend(decoded(password));
    }
    for setting in value.split(['&', '?', ';', ' ']) {
        if let Some((name, value)) = setting.split_once('=')
            && named(name)
        {
            let value = value.trim_matches('\'');
            found.push(value.to_owned());
            found.extend(decoded(value));
        }
    }
    found
}

/// A text with `%XX` replaced.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        match (first, after) {
            (b'%', [high, low, after @ ..]) => {
                let digit = |byte: &u8| char::from(*byte).to_digit(16);
                bytes.push((digit(high)? * 16 + digit(low)?) as u8);
                rest = after;
            }
            _ => bytes.push(*first),
        }
    }
    String::from_utf8(bytes).ok()
}

impl Shown {
    /// Of a place that is reached with these options.
    pub fn new<'a>(place: String, options: impl Iterator<Item = (&'a String, &'a SecretString)>) -> Self {
        let mut all: Vec<String> = options.flat_map(|(key, value)| secrets(key, value.expose_secret())).collect();
        all.retain(|secret| secret.len() >= SHORTEST);
        // The whole is replaced before its parts.
        all.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self { place, secrets: all.into_iter().map(SecretString::from).collect() }
    }

    /// A text without what is secret, and of a few lines.
    pub fn clean(&self, text: &str) -> String {
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).take(LINES).collect();
        let mut text = lines.join(" ");
        for secret in &self.secrets {
            text = text.replace(secret.expose_secret(), "***");
        }
        text
    }

    /// A driver's error, with the place and what to do.
    pub fn explain(&self, error: &adbc_core::error::Error) -> Error {
        let message = self.clean(&error.message);
        let mut text = format!("{}: {message}", self.place);
        let has = |part: &str| message.contains(part);
        let advice = if has("Could not set lock") || has("being used by another process") {
            "another program has the file open, and DuckDB lets one program at a time write; close it, and sync again"
        } else if has("Trying to read a database file with version number") || has("storage version") {
            "the file was written by another version of DuckDB than this library; name a newer libduckdb in `library`, \
             or another file"
        } else if has("Out of Memory") {
            "raise the run's memory, or `options: {memory_limit: …}` of the destination"
        } else if has("No space left") || has("database or disk is full") {
            "free some space"
        } else {
            ""
        };
        if !advice.is_empty() {
            text.push_str("; ");
            text.push_str(advice);
        }
        let code: String = error.sqlstate.iter().map(|byte| char::from(*byte as u8)).collect();
        let error = Error::destination(text);
        match code.chars().all(|digit| digit.is_ascii_alphanumeric()) && code != "00000" {
            true => error.with_code(code),
            false => error,
        }
    }
}

/// Whether the connection, or the whole database, is of no use any more.
pub fn loses(error: &Error) -> bool {
    // SQL's class 08 is a lost connection; 57P is PostgreSQL that stops or starts. DuckDB has no codes.
    error.code.as_deref().is_some_and(|code| code.starts_with("08") || code.starts_with("57P"))
        || ["database has been invalidated", "no connection to the server", "server closed the connection"]
            .iter()
            .any(|part| error.message.contains(part))
}

/// Whether another transaction was in the way, so that the same may go well a moment later.
pub fn passes(error: &Error) -> bool {
    // SQL's class 40 is a rollback; DuckDB has no codes.
    error.code.as_deref().is_some_and(|code| code.starts_with("40"))
        || ["TransactionContext Error", "Transaction conflict", "Conflict on ", "write-write conflict", "is locked"]
            .iter()
            .any(|part| error.message.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_shown() {
        let cases = [
            ("password", "hunter2", "hunter2"),
            ("uri", "postgresql://me:a%20pass@host/db", "a pass"),
            ("uri", "postgresql://me:a%20pass@host/db", "a%20pass"),
            ("uri", "me:hunter2@account/db", "hunter2"),
            ("uri", "host=x user=me password='hunter2'", "hunter2"),
            ("adbc.snowflake.sql.client_option.auth_token", "abcdef", "abcdef"),
            ("motherduck_token", "eyJhbGci", "eyJhbGci"),
        ];
        for (key, value, secret) in cases {
            let options = [(key.to_owned(), SecretString::from(value))];
            let shown = Shown::new("x".to_owned(), options.iter().map(|(key, value)| (key, value)));
            assert_eq!(shown.clean(&format!("cannot log in with {secret}!")), "cannot log in with ***!", "{key}");
        }
    }
}
