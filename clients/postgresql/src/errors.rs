//! What PostgreSQL's errors mean: to the person who reads them, to a row, and to whoever may try again.

use std::error::Error as _;
use std::io;

use headwater_sdk::{Class, Error};

/// The code of an error by which an established connection was lost.
const LOST: &str = "Connection";
/// The code of an error by which none came about.
const UNREACHABLE: &str = "Unreachable";

/// What a server says about a failure.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    /// The code, five letters and digits.
    pub code: &'a str,
    /// The message.
    pub message: &'a str,
    /// More about it.
    pub detail: Option<&'a str>,
}

impl Said<'_> {
    /// An error of it, with the place and what to do. `of_a_row` is whether single rows are at fault.
    pub fn explain(&self, shown: &str, of_a_row: bool) -> Error {
        let advice = match self.code {
            "28P01" | "28000" => "check the user in `connection_string`, and `password` or `password_file`",
            "3D000" => "create the database, or name another in `connection_string`",
            "3F000" => "create the schema, or name another in `schema`",
            "42501" if !of_a_row => "grant it to the user of `connection_string`",
            "25006" => "the database takes no changes now; is it a standby?",
            "53300" => "lower `connections`, or raise max_connections of the server",
            "53100" => "free some space on the server",
            "57014" => "raise `statement_timeout`, or leave it out",
            _ => "",
        };
        let mut text = format!("{shown}: {}", self.message);
        // What is not supported, and what others depend on.
        if let Some(detail) = self.detail.filter(|_| matches!(self.code, "0A000" | "2BP01")) {
            text.push_str(&format!(" ({})", detail.replace('\n', "; ")));
        }
        if !advice.is_empty() {
            text.push_str(&format!("; {advice}"));
        }
        let class = match self.code {
            "42501" | "28P01" | "28000" => Class::Denied,
            "42P01" | "3D000" | "3F000" => Class::NotFound,
            code if passing_code(code).is_some() => Class::Transient,
            _ => Class::Fatal,
        };
        Error::new(class, text).with_code(self.code)
    }
}

/// The loss of an established connection.
pub fn lost(shown: &str, why: &dyn std::fmt::Display) -> Error {
    Error::new(Class::Transient, format!("{shown}: {why}")).with_code(LOST)
}

/// A connection that did not come about.
pub fn unreachable(shown: &str, why: &dyn std::fmt::Display) -> Error {
    Error::new(Class::Transient, format!("{shown}: {why}")).with_code(UNREACHABLE)
}

/// The server's error, with the place and what to do.
pub fn explain(error: &tokio_postgres::Error, shown: &str) -> Error {
    let Some(db) = error.as_db_error() else {
        if error.is_closed() {
            return lost(shown, &"the connection was lost");
        }
        let cause = error.source().map_or_else(|| error.to_string(), |cause| cause.to_string());
        return if of_the_network(error) { lost(shown, &cause) } else { Error::fatal(format!("{shown}: {cause}")) };
    };
    let said = Said { code: db.code().code(), message: db.message(), detail: db.detail() };
    said.explain(shown, of_a_row(error).is_some())
}

/// The same for an error of connecting.
pub fn explain_connecting(error: &tokio_postgres::Error, shown: &str) -> Error {
    let explained = explain(error, shown);
    if explained.has_code(&[LOST]) { explained.with_code(UNREACHABLE) } else { explained }
}

/// What an error says that is about single rows, where it is met while rows are written.
pub fn of_a_row(error: &tokio_postgres::Error) -> Option<String> {
    let error = error.as_db_error()?;
    let code = error.code().code();
    // Classes 22 (data exception), 23 (integrity constraint violation) and P0 (what PL/pgSQL raises, in a trigger say);
    // 54000 and 54001 are of rows that are too large for a page or an index, and of JSON that is nested too deeply.
    let refused = ["22", "23", "P0"].iter().any(|class| code.starts_with(class)) || matches!(code, "54000" | "54001");
    // The policy of a table has the code of a privilege that is missing, which is about all rows.
    let forbidden = code == "42501" && error.routine() == Some("ExecWithCheckOptions");
    (refused || forbidden).then(|| format!("{code}: {}", error.message()))
}

/// Whether the network is among the causes of an error, rather than what was said over it.
fn of_the_network(error: &tokio_postgres::Error) -> bool {
    let mut cause = error.source();
    let mut found = None;
    while let (Some(error), None) = (cause, found) {
        found = error.downcast_ref::<io::Error>();
        cause = error.source();
    }
    // A certificate that is refused is invalid data.
    found.is_some_and(|error| !matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput))
}

/// Why the same may go well a moment later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passing {
    /// The server cannot be reached, or takes no connections.
    Away,
    /// The connection was lost, or another transaction was in the way.
    InTheWay,
}

/// Whether the same may go well a moment later.
pub fn passing(error: &Error) -> Option<Passing> {
    passing_code(error.code.as_deref()?)
}

fn passing_code(code: &str) -> Option<Passing> {
    if matches!(code, UNREACHABLE | "57P03" | "53300") {
        return Some(Passing::Away);
    }
    // Classes 08 (connection), 57P (shutdown, crash) and 40 (rollback), 55P03 (locks).
    let passes = code == LOST || ["08", "57P", "40"].iter().any(|class| code.starts_with(class)) || code == "55P03";
    passes.then_some(Passing::InTheWay)
}
