//! What PostgreSQL's errors mean: to the person who reads them, to a row, and to whoever may try again.

use std::error::Error as _;
use std::io;

use headwater_sdk::{Class, Error};
use tokio_postgres::error::SqlState;

/// The code of an error by which an established connection was lost.
const LOST: &str = "Connection";
/// The code of an error by which none came about.
const UNREACHABLE: &str = "Unreachable";

/// The server's error, with the place and what to do.
pub fn explain(error: &tokio_postgres::Error, shown: &str) -> Error {
    let Some(db) = error.as_db_error() else {
        if error.is_closed() {
            return Error::destination(format!("{shown}: the connection was lost")).with_code(LOST);
        }
        let cause = error.source().map_or_else(|| error.to_string(), |cause| cause.to_string());
        let explained = Error::destination(format!("{shown}: {cause}"));
        return if of_the_network(error) { explained.with_code(LOST) } else { explained };
    };
    let (code, message) = (db.code(), db.message());
    let advice = match *code {
        SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
            "check the user in `connection_string`, and `password` or `password_file`"
        }
        SqlState::INVALID_CATALOG_NAME => "create the database, or name another in `connection_string`",
        SqlState::INVALID_SCHEMA_NAME => "create the schema, or name another in `schema`",
        SqlState::INSUFFICIENT_PRIVILEGE if of_a_row(error).is_none() => "grant it to the user of `connection_string`",
        SqlState::READ_ONLY_SQL_TRANSACTION => "the database takes no changes now; is it a standby?",
        SqlState::TOO_MANY_CONNECTIONS => "lower `connections`, or raise max_connections of the server",
        SqlState::DISK_FULL => "free some space on the server",
        SqlState::QUERY_CANCELED => "raise `statement_timeout`, or leave it out",
        _ => "",
    };
    let mut text = format!("{shown}: {message}");
    if let Some(detail) = db
        .detail()
        .filter(|_| matches!(*code, SqlState::FEATURE_NOT_SUPPORTED | SqlState::DEPENDENT_OBJECTS_STILL_EXIST))
    {
        text.push_str(&format!(" ({})", detail.replace('\n', "; ")));
    }
    if !advice.is_empty() {
        text.push_str(&format!("; {advice}"));
    }
    Error::destination(text).with_code(code.code())
}

/// The same for an error of connecting.
pub fn explain_connecting(error: &tokio_postgres::Error, shown: &str) -> Error {
    let explained = explain(error, shown);
    if explained.has_code(&[LOST]) { explained.with_code(UNREACHABLE) } else { explained }
}

/// The same for an error of writing rows, which may be about single ones.
pub fn explain_rows(error: &tokio_postgres::Error, shown: &str) -> Error {
    let explained = explain(error, shown);
    if of_a_row(error).is_some() { Error { class: Class::Rejected, ..explained } } else { explained }
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
    let code = error.code.as_deref()?;
    if matches!(code, UNREACHABLE | "57P03" | "53300") {
        return Some(Passing::Away);
    }
    // Classes 08 (connection), 57P (shutdown, crash) and 40 (rollback), 55P03 (locks).
    let passes = code == LOST || ["08", "57P", "40"].iter().any(|class| code.starts_with(class)) || code == "55P03";
    passes.then_some(Passing::InTheWay)
}
