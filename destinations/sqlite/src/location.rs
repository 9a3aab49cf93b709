//! Where the database is: a path or a `file:` URI, and what can be said about it without changing anything.
//!
//! Source of the URI's form: <https://www.sqlite.org/uri.html>.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use headwater_sdk::{Error, Result, local};
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use crate::explain::explain;

/// The first bytes of every database (<https://www.sqlite.org/fileformat.html>, section 1.3).
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// How long a unit waits until another program lets go of the database.
const LOCK_WAIT: Duration = Duration::from_secs(300);

/// A database file.
#[derive(Debug, Clone)]
pub struct Location {
    /// What SQLite is given to open.
    target: String,
    /// Whether that is a URI.
    uri: bool,
    /// The file.
    path: PathBuf,
    /// Whether the file may be created.
    create: bool,
}

const KEPT_NOWHERE: &str = "is a database in memory, whose tables would be gone when the sync ends; name a file";

impl Location {
    /// Reads a connection string; nothing is opened.
    pub fn parse(text: &str) -> Result<Self> {
        let refuse = |why: &str| Err(Error::fatal(format!("`connection_string: {text}` {why}, such as ./cloud.db")));
        if text.trim().is_empty() {
            return Err(Error::fatal("`connection_string` is empty; name the database file, such as ./cloud.db"));
        }
        if text.contains('\0') {
            return Err(Error::fatal("`connection_string` holds a zero byte; name a file, such as ./cloud.db"));
        }
        let Some(rest) = text.strip_prefix("file:") else {
            if text == ":memory:" {
                return refuse(KEPT_NOWHERE);
            }
            let path = PathBuf::from(text);
            return Ok(Self { target: text.to_owned(), uri: false, path, create: true });
        };
        let rest = rest.split_once('#').map_or(rest, |(rest, _)| rest);
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let path = match path.strip_prefix("//") {
            None => path,
            Some(path) => {
                let (host, path) = path.split_at(path.find('/').unwrap_or(path.len()));
                if !matches!(host, "" | "localhost") {
                    return refuse(&format!("names the host {host}; SQLite opens local files only: file:///PATH"));
                }
                path
            }
        };
        let Some(path) = percent_decoded(path) else {
            return refuse("has a % that two hexadecimal digits do not follow, or is not UTF-8; write %25 for a %");
        };
        if matches!(path.as_str(), "" | ":memory:") {
            return refuse(KEPT_NOWHERE);
        }
        let mut create = true;
        for pair in query.split('&') {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            match (key, value) {
                ("mode", "memory") | ("vfs", "memdb") => return refuse(KEPT_NOWHERE),
                ("mode", "ro") => return refuse("opens the database for reading only; leave `mode=ro` out"),
                ("immutable", value) if !matches!(value, "" | "0" | "no" | "false" | "off") => {
                    return refuse("opens the database for reading only; leave `immutable` out");
                }
                ("mode", "rw") => create = false,
                _ => {}
            }
        }
        Ok(Self { target: text.to_owned(), uri: true, path: PathBuf::from(path), create })
    }

    /// The database file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the database for writing, and creates it where that is allowed.
    pub fn open(&self) -> Result<Connection> {
        let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        if self.create {
            flags |= OpenFlags::SQLITE_OPEN_CREATE;
        }
        if self.uri {
            flags |= OpenFlags::SQLITE_OPEN_URI;
        }
        // A path is opened as one even if SQLite were built to take every name for a URI.
        let target = if self.uri { PathBuf::from(&self.target) } else { self.path.clone() };
        Connection::open_with_flags(target, flags).map_err(|error| explain(&error, &self.path).while_doing("open"))
    }

    /// Begins a transaction that writes. For another program's lock it waits: a sync would have to fetch again what is
    /// only about to be written.
    pub fn begin<'a>(&self, db: &'a Connection) -> rusqlite::Result<Transaction<'a>> {
        let began = Instant::now();
        loop {
            match Transaction::new_unchecked(db, TransactionBehavior::Immediate) {
                Err(error)
                    if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && began.elapsed() < LOCK_WAIT =>
                {
                    let (name, waited) = (self.path.display(), began.elapsed().as_secs());
                    tracing::warn!("{name} has been locked by another program for {waited} s; the sync waits for it");
                }
                answered => return answered,
            }
        }
    }

    /// Checks that the database can be written, or created, without changing or creating anything.
    pub fn check(&self) -> Result<()> {
        let name = self.path.display();
        let folder = self.path.parent().unwrap_or(Path::new(""));
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                local::check_folder(folder)?;
                if self.create {
                    return Ok(());
                }
                return Err(Error::destination(format!("{name} does not exist, and `mode=rw` does not create it")));
            }
            Err(error) if error.kind() == ErrorKind::NotADirectory => return local::check_folder(folder),
            Err(error) => return Err(Error::destination(format!("{name} cannot be read: {error}"))),
        };
        let unreadable = |error: std::io::Error| Error::destination(format!("{name} cannot be read: {error}"));
        let found = file.metadata().map_err(unreadable)?;
        if !found.is_file() {
            return Err(Error::destination(format!("{name} is not a file; name the database file itself")));
        }
        let mut start = Vec::with_capacity(MAGIC.len());
        file.by_ref().take(MAGIC.len() as u64).read_to_end(&mut start).map_err(unreadable)?;
        if !start.is_empty() && start != MAGIC {
            return Err(not_a_database(&self.path));
        }
        local::check_file(&self.path)?;
        // The write-ahead log is made beside the database.
        local::check_folder(folder)?;
        // With a log beside it, of a program that writes or was killed, the file alone may be half changed.
        let logged = std::fs::metadata(self.log()).is_ok_and(|log| log.len() > 0);
        if logged { Ok(()) } else { self.read_schema() }
    }

    /// The write-ahead log's path.
    pub fn log(&self) -> PathBuf {
        let mut log = self.path.as_os_str().to_owned();
        log.push("-wal");
        log.into()
    }

    /// Opens the database for reading alone; none where there is no file. Where no other program writes, no lock is taken
    /// and no file made beside the database.
    pub fn open_to_read(&self) -> Result<Option<Connection>> {
        if !self.path.exists() {
            return Ok(None);
        }
        let logged = std::fs::metadata(self.log()).is_ok_and(|log| log.len() > 0);
        self.read_only(!logged).map(Some).map_err(|error| explain(&error, &self.path))
    }

    /// Reads the list of tables.
    fn read_schema(&self) -> Result<()> {
        self.read_only(true)
            .and_then(|db| db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0)))
            .map(|_| ())
            .map_err(|error| explain(&error, &self.path))
    }

    /// An immutable connection takes no lock and makes no file beside the database.
    fn read_only(&self, immutable: bool) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let path = self.path.to_str().filter(|_| immutable);
        let Some(path) = path else { return Connection::open_with_flags(&self.path, flags) };
        let mut uri = String::from("file:");
        for part in path.chars() {
            match part {
                '%' => uri.push_str("%25"),
                '?' => uri.push_str("%3f"),
                '#' => uri.push_str("%23"),
                '\\' if cfg!(windows) => uri.push('/'),
                other => uri.push(other),
            }
        }
        uri.push_str("?immutable=1");
        Connection::open_with_flags(uri, flags)
    }
}

/// The error for a file that is something else.
pub fn not_a_database(path: &Path) -> Error {
    Error::destination(format!(
        "{} is not a SQLite database (or it is encrypted or damaged); nothing was changed: name another file",
        path.display()
    ))
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'%' {
            out.push(*first);
            continue;
        }
        let (pair, after) = rest.split_at_checked(2)?;
        let digit = |byte: u8| char::from(byte).to_digit(16);
        out.push((digit(pair[0])? * 16 + digit(pair[1])?) as u8);
        rest = after;
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_uris() {
        let path = |text: &str| Location::parse(text).map(|location| location.path.display().to_string()).ok();
        assert_eq!(path("./a.db").as_deref(), Some("./a.db"));
        assert_eq!(path("100%.db").as_deref(), Some("100%.db"));
        assert_eq!(path("file:a.db").as_deref(), Some("a.db"));
        assert_eq!(path("file:/x/a%20b.db?cache=private#c").as_deref(), Some("/x/a b.db"));
        assert_eq!(path("file:///x/a.db?mode=rw").as_deref(), Some("/x/a.db"));
        assert_eq!(path("file://localhost/x/a.db").as_deref(), Some("/x/a.db"));
        for wrong in [
            "",
            " ",
            ":memory:",
            "a\0b",
            "file:",
            "file::memory:",
            "file:a.db?mode=memory",
            "file:a.db?mode=ro",
            "file:a.db?vfs=memdb",
            "file:a.db?immutable=1",
            "file://host/a.db",
            "file:a%2",
            "file:a%zz.db",
            "file:%ff.db",
        ] {
            let error = Location::parse(wrong).err().map(|error| error.to_string());
            assert!(error.is_some_and(|error| error.contains("connection_string")), "{wrong:?}");
        }
    }
}
