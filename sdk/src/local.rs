//! The local file system, asked without changing it.

use std::io::ErrorKind;
use std::path::Path;

use crate::error::{Error, Result};

/// Whether this process may write to a file, or create files in a folder; nothing is written to find out.
fn may_write(path: &Path, folder: bool) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use rustix::fs::Access;
        let wanted = if folder { Access::WRITE_OK | Access::EXEC_OK } else { Access::WRITE_OK };
        Ok(rustix::fs::access(path, wanted)?)
    }
    #[cfg(not(unix))]
    {
        if !folder && std::fs::metadata(path)?.permissions().readonly() {
            return Err(ErrorKind::PermissionDenied.into());
        }
        Ok(())
    }
}

/// A path that can be opened: an empty one is what is left of a relative one, the working folder.
pub fn openable(path: &Path) -> &Path {
    if path.as_os_str().is_empty() { Path::new(".") } else { path }
}

/// Checks that a folder exists and that files can be created in it.
pub fn check_folder(folder: &Path) -> Result<()> {
    let folder = openable(folder);
    let name = folder.display();
    match std::fs::metadata(folder) {
        Ok(found) if !found.is_dir() => Err(Error::destination(format!("{name} is a file, not a folder"))),
        Ok(_) => may_write(folder, true)
            .map_err(|error| Error::destination(format!("nothing can be written to the folder {name}: {error}"))),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(Error::destination(format!("the folder {name} does not exist; create it")))
        }
        Err(error) => Err(Error::destination(format!("the folder {name} cannot be read: {error}"))),
    }
}

/// Checks that a folder can be written to, or created where it does not exist: the nearest folder above it that
/// exists decides.
pub fn check_folder_or_above(folder: &Path) -> Result<()> {
    // Without its trailing slash, with which a file of that name would not be found.
    for above in folder.components().as_path().ancestors() {
        match std::fs::symlink_metadata(openable(above)) {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
            _ => return check_folder(above),
        }
    }
    check_folder(Path::new("/"))
}

/// Checks that an existing file can be written to.
pub fn check_file(file: &Path) -> Result<()> {
    may_write(file, false)
        .map_err(|error| Error::destination(format!("{} cannot be written to: {error}", file.display())))
}
