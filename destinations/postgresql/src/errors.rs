//! What PostgreSQL's errors mean to the person who reads them.

use std::error::Error as _;

use headwater_sdk::Error;
use tokio_postgres::error::SqlState;

/// The server's error, with the place and what to do.
pub fn explain(error: &tokio_postgres::Error, shown: &str) -> Error {
    let Some(db) = error.as_db_error() else {
        let cause = error.source().map_or_else(|| error.to_string(), |cause| cause.to_string());
        if error.is_closed() {
            return Error::destination(format!("{shown}: the connection was lost")).with_code("Connection");
        }
        return Error::destination(format!("{shown}: {cause}")).with_code("Connection");
    };
    let (code, message) = (db.code(), db.message());
    let advice = match *code {
        SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
            "check the user in `connection_string`, and `password` or `password_file`"
        }
        SqlState::INVALID_CATALOG_NAME => "create the database, or name another in `connection_string`",
        SqlState::INVALID_SCHEMA_NAME => "create the schema, or name another in `schema`",
        SqlState::INSUFFICIENT_PRIVILEGE => "grant it to the user of `connection_string`",
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
    // Classes 22 (data exception) and 23 (integrity constraint violation) are about single rows.
    let of_a_row = code.code().starts_with("22") || code.code().starts_with("23");
    let error = if of_a_row { Error::rejected(text) } else { Error::destination(text) };
    error.with_code(code.code())
}

/// Whether the same may go well a moment later: the connection was lost, the server restarts, or another transaction
/// was in the way.
pub fn passes(error: &Error) -> bool {
    // Classes 08 (connection) and 57P (shutdown, crash), 40 (rollback), 53300 (connections), 55P03 (locks).
    error.code.as_deref().is_some_and(|code| {
        code == "Connection"
            || code.starts_with("08")
            || code.starts_with("57P")
            || code.starts_with("40")
            || matches!(code, "53300" | "55P03")
    })
}
