//! What SQLite's errors mean to the person who reads them.

use std::path::Path;

use headwater_sdk::Error;
use rusqlite::ErrorCode;

/// SQLite's error, with the file and what to do.
pub fn explain(error: &rusqlite::Error, path: &Path) -> Error {
    let name = path.display();
    let Some(code) = error.sqlite_error_code() else {
        return Error::destination(format!("{name}: {error}"));
    };
    let text = match code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => format!(
            "{name} is locked by another program, which did not let go of it in time. It may be another sync, a browser \
             of databases or a shell with an open transaction, or a backup; `lsof {name}` names it. End its transaction \
             or the program, and sync again"
        ),
        ErrorCode::NotADatabase => return crate::location::not_a_database(path),
        ErrorCode::DatabaseCorrupt => {
            format!("{name} is damaged ({error}); restore it, or move it away and sync again")
        }
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied => {
            format!("{name} cannot be written to ({error}); check the rights on the file and on its folder")
        }
        ErrorCode::CannotOpen => {
            format!("{name} cannot be opened or created ({error}); check that its folder exists and can be written to")
        }
        ErrorCode::DiskFull => format!(
            "no space is left for {name} or for SQLite's temporary files; free some, or set SQLITE_TMPDIR to a larger \
             folder"
        ),
        ErrorCode::TooBig => return Error::rejected(format!("{name}: a value is larger than SQLite's limit of 1 GB")),
        ErrorCode::ConstraintViolation => return Error::rejected(format!("{name}: {error}")),
        _ => format!("{name}: {error}"),
    };
    Error::destination(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rusqlite::Connection;

    use super::explain;

    #[test]
    fn a_lock_is_said_with_who_may_hold_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.db");
        let (one, other) = (Connection::open(&path).unwrap(), Connection::open(&path).unwrap());
        one.execute_batch("BEGIN IMMEDIATE").unwrap();
        other.busy_timeout(std::time::Duration::ZERO).unwrap();
        let error = explain(&other.execute_batch("BEGIN IMMEDIATE").unwrap_err(), &path).to_string();
        assert!(error.contains("x.db is locked by another program") && error.contains("a backup"), "{error}");
        assert!(error.contains(&format!("`lsof {}`", path.display())), "{error}");
    }
}
