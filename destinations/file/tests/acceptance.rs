//! The acceptance suite on real folders, whose files are read by other means than the destination's.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{Read, Rows, csv, is_name, json, parquet};
use headwater_file::{Format, Spec, destination};
use headwater_sdk::testing::Subject;
use headwater_sdk::{Destination, TableSchema, async_trait};
use tempfile::TempDir;

struct Folder {
    folder: TempDir,
    name: &'static str,
    format: Format,
    read: Read,
}

impl Folder {
    fn new(name: &'static str, format: Format, read: Read) -> Self {
        Self { folder: TempDir::new().unwrap(), name, format, read }
    }
}

#[async_trait]
impl Subject for Folder {
    fn name(&self) -> &'static str {
        self.name
    }

    fn open(&self) -> Box<dyn Destination> {
        let path = self.folder.path().display().to_string();
        destination(Spec { path, format: self.format, ..Spec::default() }).unwrap()
    }

    async fn rows(&self, table: &TableSchema) -> Rows {
        files(self.folder.path(), table)
            .iter()
            .flat_map(|file| (self.read)(fs::read(file).unwrap().into(), table))
            .collect()
    }

    fn keeps_schemas(&self) -> bool {
        false
    }
}

/// The files of a table: the name of the folder may be another where the table's cannot be that of a folder.
fn files(folder: &Path, table: &TableSchema) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !name.starts_with('_') && is_name(&name, &table.name) {
            files.extend(
                fs::read_dir(&path)
                    .unwrap()
                    .map(|file| file.unwrap().path())
                    .filter(|file| !file.file_name().unwrap().to_string_lossy().starts_with(['.', '_'])),
            );
        }
    }
    files
}

mod in_csv {
    use super::*;
    headwater_sdk::acceptance!(Folder::new("file csv", Format::Csv, csv));
}

mod in_parquet {
    use super::*;
    headwater_sdk::acceptance!(Folder::new("file parquet", Format::Parquet, parquet));
}

mod in_json_lines {
    use super::*;
    headwater_sdk::acceptance!(Folder::new("file json", Format::Json, json));
}
