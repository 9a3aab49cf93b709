//! DuckDB's file, and what can be said about it without changing anything.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use headwater_sdk::{Error, Result, local};

/// Where the first bytes of a database say what it is
/// (<https://github.com/duckdb/duckdb/blob/main/src/include/duckdb/storage/storage_info.hpp>): behind a checksum.
const MAGIC: (usize, &[u8; 4]) = (8, b"DUCK");

/// A database file.
#[derive(Debug, Clone)]
pub struct Location(PathBuf);

impl Location {
    /// Reads a connection string: a path, and options behind a question mark, as DuckDB's driver for Go has them and so
    /// CloudQuery.
    pub fn parse(text: &str) -> Result<(Self, Vec<(String, String)>)> {
        let refuse = |why: &str| {
            let shown: String = text.split('?').next().unwrap_or_default().chars().take(80).collect();
            Err(Error::fatal(format!("`connection_string` ({shown}) {why}; name a file, such as ./cloud.duckdb")))
        };
        if text.trim().is_empty() {
            return Err(Error::fatal("`connection_string` is empty; name the database file, such as ./cloud.duckdb"));
        }
        if text.contains('\0') {
            return refuse("holds a zero byte");
        }
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        if path.is_empty() || path.starts_with(":memory:") {
            return refuse("is a database in memory, whose tables would be gone when the sync ends");
        }
        if ["md:", "motherduck:"].iter().any(|start| path.starts_with(start)) {
            return refuse("is a database of MotherDuck, for which DuckDB would have to download an extension");
        }
        if ["http:", "https:", "s3:", "gcs:", "ducklake:", "quack:"].iter().any(|start| path.starts_with(start)) {
            return refuse("is no file of this machine");
        }
        let mut options = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("access_mode", mode)) if !mode.eq_ignore_ascii_case("read_write") => {
                    return refuse("has an access_mode in which nothing can be written");
                }
                Some((key, value)) if !key.is_empty() => options.push((key.to_owned(), value.to_owned())),
                _ => return refuse("has something behind the question mark that is not `option=value`"),
            }
        }
        Ok((Self(PathBuf::from(path)), options))
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// What is the same for all names of the file.
    pub fn identity(&self) -> PathBuf {
        if let Ok(path) = self.0.canonicalize() {
            return path;
        }
        let folder = local::openable(self.0.parent().unwrap_or(Path::new("")));
        match (folder.canonicalize(), self.0.file_name()) {
            (Ok(folder), Some(name)) => folder.join(name),
            _ => self.0.clone(),
        }
    }

    /// Checks that the file is a database that can be written, or can be created, without changing or creating anything;
    /// answers whether it is there.
    pub fn check(&self) -> Result<bool> {
        let name = self.0.display();
        let folder = self.0.parent().unwrap_or(Path::new(""));
        let mut file = match File::open(&self.0) {
            Ok(file) => file,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return local::check_folder(folder).map(|()| false);
            }
            Err(error) => return Err(Error::destination(format!("{name} cannot be read: {error}"))),
        };
        let unreadable = |error: std::io::Error| Error::destination(format!("{name} cannot be read: {error}"));
        if !file.metadata().map_err(unreadable)?.is_file() {
            return Err(Error::destination(format!("{name} is not a file; name the database file itself")));
        }
        let mut start = Vec::new();
        file.by_ref().take((MAGIC.0 + MAGIC.1.len()) as u64).read_to_end(&mut start).map_err(unreadable)?;
        if !start.is_empty() && start.get(MAGIC.0..) != Some(MAGIC.1) {
            return Err(Error::destination(format!(
                "{name} is not a DuckDB database; nothing was changed: name another file"
            )));
        }
        local::check_file(&self.0)?;
        // The write-ahead log is made beside the database.
        local::check_folder(folder)?;
        Ok(!start.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connection_strings() {
        let parse = |text: &str| Location::parse(text).map_err(|error| error.to_string());
        let (location, options) =
            parse("./a.duckdb?threads=2&memory_limit=1GB").unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(location.path(), Path::new("./a.duckdb"));
        assert_eq!(options, [("threads", "2"), ("memory_limit", "1GB")].map(|(k, v)| (k.to_owned(), v.to_owned())));
        for wrong in
            ["", " ", ":memory:", "?a=1", "md:db", "s3://b/x.db", "a\0b", "x.db?access_mode=READ_ONLY", "x.db?a"]
        {
            let error = parse(wrong).err().unwrap_or_default();
            assert!(error.contains("connection_string"), "{wrong:?}: {error}");
        }
    }
}
