//! State in a local SQLite file: where the file is, and the lock by which two runs of one configuration are kept apart.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use headwater_sdk::{Destination, StateStore};

use super::StateError;

/// A state file in use.
pub struct Local {
    file: PathBuf,
    database: Box<dyn Destination>,
    /// Released when the process ends, however it ends.
    _lock: File,
}

type Opened = (Local, Box<dyn StateStore>);

impl Local {
    /// Locks what is under the key in a file. The file itself is made when a run begins.
    pub async fn open(file: &Path, key: &str) -> Result<Opened, StateError> {
        let shown = file.display();
        let failed =
            |why: String| StateError::Failed(format!("the state of the sync cannot be kept in {shown}: {why}"));
        let wrong = |why: &str| StateError::Misuse(format!("--state {shown}: {why}"));
        // From the root, so that no name is taken for a URI.
        let file = std::path::absolute(file).map_err(|error| failed(error.to_string()))?;
        let Some(connection_string) = file.to_str().map(str::to_owned) else {
            return Err(wrong("the path is not UTF-8; name another one"));
        };
        let spec = headwater_sqlite::Spec { connection_string, batch_size: None, batch_size_bytes: None };
        let database = headwater_sqlite::destination(spec).map_err(|error| wrong(&error.to_string()))?;
        database.check().await.map_err(|error| failed(error.to_string()))?;
        let lock = lock(&lock_file(&file, key), &failed)?;
        match database.state(key).await {
            Ok(Some(store)) => Ok((Self { file, database, _lock: lock }, store)),
            Ok(None) => Err(failed("it is no place for it".to_owned())),
            Err(error) => Err(failed(error.to_string())),
        }
    }

    /// Opens the file that is used where the user names none. Where that does not work, the answer says why; only that
    /// another process is using it is an error.
    pub async fn open_default(key: &str) -> Result<Result<Opened, String>, StateError> {
        let Some(folder) = default_folder(|name| std::env::var_os(name)) else {
            return Ok(Err(
                "there is no folder for the state of syncs: neither XDG_STATE_HOME nor HOME is set".to_owned()
            ));
        };
        if let Err(error) = std::fs::create_dir_all(&folder) {
            let folder = folder.display();
            return Ok(Err(format!("the folder {folder} for the state of syncs cannot be created: {error}")));
        }
        match Self::open(&folder.join(format!("{key}.sqlite")), key).await {
            Ok(opened) => Ok(Ok(opened)),
            Err(error @ StateError::Busy(_)) => Err(error),
            Err(error) => Ok(Err(error.to_string())),
        }
    }

    /// The file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Closes the file, and then lets go of the lock.
    pub async fn close(self) {
        if let Err(error) = self.database.close().await {
            tracing::warn!("the state of the sync: {error}");
        }
    }
}

/// The folder for state files (XDG Base Directory Specification), if the environment says where it is.
pub fn default_folder(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    // The specification has relative paths ignored.
    let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME").or_else(|| {
        let home = absolute("HOME").or_else(std::env::home_dir)?;
        Some(home.join(".local/state"))
    })?;
    Some(state.join("headwater"))
}

/// Beside the file, and one for each key where a file is named that several runs may share.
fn lock_file(file: &Path, key: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    if file.file_stem().is_none_or(|stem| stem != key) {
        name.push(".");
        name.push(key);
    }
    name.push(".lock");
    name.into()
}

fn lock(path: &Path, failed: &dyn Fn(String) -> StateError) -> Result<File, StateError> {
    let shown = path.display();
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(|error| failed(format!("{shown} cannot be opened: {error}")))?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(StateError::Busy(format!(
            "another sync of this configuration is running, and has locked {shown}; wait until it has ended, or name \
             another file with --state"
        ))),
        // Some file systems have no locks; the database does without.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(file),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_where_the_environment_says() {
        let folder = |state: Option<&str>, home: &str| {
            default_folder(|name| match name {
                "XDG_STATE_HOME" => state.map(OsString::from),
                "HOME" => Some(home.into()),
                _ => None,
            })
        };
        assert_eq!(folder(Some("/s"), "/h"), Some(PathBuf::from("/s/headwater")));
        assert_eq!(folder(None, "/h"), Some(PathBuf::from("/h/.local/state/headwater")));
        assert_eq!(folder(Some("relative"), "/h"), Some(PathBuf::from("/h/.local/state/headwater")));
    }

    #[test]
    fn each_key_of_a_file_has_a_lock() {
        let shown = |file: &str| lock_file(Path::new(file), "aws-1f2e3d4c").display().to_string();
        assert_eq!(shown("/s/aws-1f2e3d4c.sqlite"), "/s/aws-1f2e3d4c.sqlite.lock");
        assert_eq!(shown("/s/my.db"), "/s/my.db.aws-1f2e3d4c.lock");
    }
}
