//! What ClickHouse's errors mean to the person who reads them.

use headwater_sdk::{Class, Error};

/// Longer messages are cut: the rest repeats the statement, or lists what the grammar would have taken.
const LONGEST: usize = 400;

/// The server's answer that is an error, with the place and what to do. `code` is ClickHouse's number, where it said one.
pub fn explain(status: u16, code: Option<u32>, body: &str, shown: &str) -> Error {
    let Some(code) = code else {
        let hint = match status {
            502..=504 | 429 => "",
            _ => "; is this the HTTP interface of ClickHouse?",
        };
        return Error::destination(format!("{shown}: HTTP status {status}{hint}")).with_code(format!("HTTP {status}"));
    };
    let advice = match code {
        // AUTHENTICATION_FAILED, REQUIRED_PASSWORD, WRONG_PASSWORD, UNKNOWN_USER
        516 | 194 | 193 | 192 => "check the user in `connection_string`, and `password` or `password_file`",
        // UNKNOWN_DATABASE
        81 => "create the database, or name another in `connection_string`",
        // ACCESS_DENIED
        497 => "grant it to the user of `connection_string`",
        // READONLY
        164 => "the user may only read, or may set nothing (`readonly = 1`); name another in `connection_string`",
        // NOT_ENOUGH_SPACE
        243 => "free some space on the server",
        // TIMEOUT_EXCEEDED
        159 => "raise max_execution_time of the user, or in `connection_string`",
        // MEMORY_LIMIT_EXCEEDED
        241 => "raise the memory of the server or max_memory_usage, or lower `connections`",
        // TOO_MANY_PARTS
        252 => "the server does not keep up with merging; write fewer units at once",
        // UNKNOWN_SETTING
        115 => "the server is older than 25.8, or `connection_string` names a setting that it does not know",
        _ => "",
    };
    let mut text = format!("{shown}: {}", message(body));
    if !advice.is_empty() {
        text.push_str(&format!("; {advice}"));
    }
    // VIOLATED_CONSTRAINT and CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN are about single rows.
    let error = if matches!(code, 469 | 349) { Error::rejected(text) } else { Error::destination(text) };
    error.with_code(code.to_string())
}

/// A request that got no answer.
pub fn lost(error: reqwest::Error, shown: &str) -> Error {
    let mut cause: &dyn std::error::Error = &error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    // The address of a request holds its statement's settings, and the cause does not.
    let text = match std::ptr::eq(cause, &error) {
        true => error.without_url().to_string(),
        false => cause.to_string(),
    };
    Error::destination(format!("{shown}: {text}")).with_code("Connection")
}

/// What an exception says, without what only its own log needs: `Code: 60. DB::Exception: Table x does not exist.
/// (UNKNOWN_TABLE) (version 26.9.2.1 (official build))`.
fn message(body: &str) -> String {
    let mut text = body.trim();
    while let Some((head, rest)) = text.split_once(". DB::Exception: ").filter(|(head, _)| head.starts_with("Code: ")) {
        debug_assert!(head.len() < 20, "{head}");
        text = rest;
    }
    for end in [" (version ", "Stack trace:", "Expected one of:", "Expected end of"] {
        if let Some((head, _)) = text.split_once(end) {
            text = head;
        }
    }
    let mut short: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((at, _)) = short.char_indices().nth(LONGEST) {
        short.truncate(at);
        short.push('…');
    }
    short.trim_end_matches(['.', ' ']).to_owned()
}

/// Whether the same may go well a moment later: the connection was lost, the server restarts or has too much to do.
pub fn passes(error: &Error) -> bool {
    error.code.as_deref().is_some_and(|code| match code.parse::<u32>() {
        // TOO_MANY_SIMULTANEOUS_QUERIES, SOCKET_TIMEOUT, NETWORK_ERROR, QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING, ABORTED,
        // MEMORY_LIMIT_EXCEEDED, TABLE_IS_READ_ONLY, TOO_MANY_PARTS, UNKNOWN_STATUS_OF_INSERT, PART_IS_TEMPORARILY_LOCKED,
        // CANNOT_ASSIGN_OPTIMIZE, QUERY_WAS_CANCELLED, DEADLOCK_AVOIDED, TOO_MANY_MUTATIONS, KEEPER_EXCEPTION
        Ok(code) => {
            matches!(code, 202 | 209 | 210 | 216 | 236 | 241 | 242 | 252 | 319 | 384 | 388 | 394 | 473 | 692 | 999)
        }
        Err(_) => code == "Connection" || matches!(code, "HTTP 429" | "HTTP 502" | "HTTP 503" | "HTTP 504"),
    })
}

/// The exception at the end of an answer that began well, which is where ClickHouse writes what goes wrong after that; none
/// where there is none.
pub fn told(end: &[u8], shown: &str) -> Option<Error> {
    let text = String::from_utf8_lossy(end);
    let (at, code) = text.match_indices("Code: ").find_map(|(at, word)| {
        let (code, rest) = text[at + word.len()..].split_once(". DB::Exception: ")?;
        (!rest.is_empty()).then_some((at, code.parse::<u32>().ok()?))
    })?;
    Some(explain(200, Some(code), &text[at..], shown))
}

/// The same error as one of a source.
pub fn of_source(mut error: Error) -> Error {
    error.class = match error.code.as_deref() {
        // AUTHENTICATION_FAILED, REQUIRED_PASSWORD, WRONG_PASSWORD, UNKNOWN_USER, ACCESS_DENIED, READONLY
        Some("516" | "194" | "193" | "192" | "497" | "164") => Class::Denied,
        // UNKNOWN_TABLE, UNKNOWN_DATABASE
        Some("60" | "81") => Class::NotFound,
        _ if passes(&error) => Class::Transient,
        _ => Class::Fatal,
    };
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exception_is_one_line_of_what_matters() {
        let body = "Code: 62. DB::Exception: Code: 62. DB::Exception: Syntax error: failed at position 1 ('x'):\n x.\n \
                    Expected one of: SELECT, INSERT. (SYNTAX_ERROR) (version 26.9.2.1 (official build))\n";
        let error = explain(400, Some(62), body, "ClickHouse at h:8123, database d").to_string();
        assert_eq!(error, "62: ClickHouse at h:8123, database d: Syntax error: failed at position 1 ('x'): x");
        let error = explain(404, None, "<html>", "ClickHouse at h:80, database d").to_string();
        assert!(error.contains("HTTP interface"), "{error}");
    }

    #[test]
    fn an_exception_at_the_end_of_an_answer_is_found() {
        let tagged =
            b"\x01rows\r\n__exception__\r\nabcdefgh\r\nCode: 395. DB::Exception: It is seven. (X) (version 26.9)\n\r\n\
                       52 abcdefgh\r\n__exception__\r\n";
        let plain = b"Code: 7 rowsCode: 395. DB::Exception: It is seven. (X) (version 26.9)\n";
        for end in [&tagged[..], plain] {
            let error = told(end, "ClickHouse at h:8123").map(|error| error.to_string());
            assert_eq!(error.as_deref(), Some("395: ClickHouse at h:8123: It is seven. (X)"));
        }
        assert!(told(b"rows Code: 7", "ClickHouse").is_none());
    }
}
