//! The destination: a folder of files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use headwater_sdk::destination::MigrateMode;
use headwater_sdk::{Destination, Error, Part, PartWriter, Result, TableSchema, WriteMode, async_trait, local};
use tokio::sync::Semaphore;

use crate::encode::{self, Buffers};
use crate::part::Writer;
use crate::seen::Remembered;
use crate::spec::Settings;
use crate::temporary;

/// What all parts share.
pub struct Shared {
    /// The checked spec.
    pub settings: Settings,
    /// What open Parquet files hold in memory.
    pub buffers: Buffers,
    /// How many rows are remembered in order to find those that come twice.
    pub remembered: Remembered,
    /// How many files may be encoded at once.
    pub turns: Arc<Semaphore>,
    /// The folders in which a name has changed; those are not safe from a power cut yet.
    touched: Mutex<BTreeSet<PathBuf>>,
}

impl Shared {
    /// Takes note that a file has appeared or vanished.
    pub fn touched(&self, file: &Path) {
        let folder = local::openable(file.parent().unwrap_or(Path::new("")));
        let mut touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
        if !touched.contains(folder) {
            touched.insert(folder.to_owned());
        }
    }
}

/// The destination.
pub struct Folder(Arc<Shared>);

impl Folder {
    /// A destination that has touched nothing yet.
    pub fn new(settings: Settings) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self(Arc::new(Shared {
            settings,
            buffers: Buffers::default(),
            remembered: Remembered::default(),
            turns: Arc::new(Semaphore::new(processors)),
            touched: Mutex::default(),
        }))
    }

    async fn blocking(&self, work: impl FnOnce(&Shared) -> Result<()> + Send + 'static) -> Result<()> {
        let shared = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || work(&shared)).await.map_err(Error::destination)?
    }
}

#[async_trait]
impl Destination for Folder {
    async fn check(&self) -> Result<()> {
        self.blocking(|shared| local::check_folder_or_above(&shared.settings.template.root())).await
    }

    fn supports(&self, mode: WriteMode) -> Result<()> {
        self.0.settings.template.check(mode)
    }

    async fn migrate(&self, tables: &[Arc<TableSchema>], _mode: MigrateMode) -> Result<()> {
        let tables = tables.to_vec();
        self.blocking(move |shared| {
            for table in &tables {
                encode::check(shared.settings.encoding, table)
                    .map_err(|error| error.while_doing(format!("table {}", table.name)))?;
            }
            let root = shared.settings.template.root();
            local::check_folder_or_above(&root)?;
            let root = local::openable(&root);
            std::fs::create_dir_all(root).map_err(temporary::failed(root))?;
            temporary::clean(root, shared.settings.template.depth());
            Ok(())
        })
        .await
    }

    async fn begin(&self, part: Part) -> Result<Box<dyn PartWriter>> {
        self.supports(part.mode)?;
        Ok(Box::new(Writer::new(Arc::clone(&self.0), part)))
    }

    async fn close(&self) -> Result<()> {
        self.blocking(|shared| {
            let folders = std::mem::take(&mut *shared.touched.lock().unwrap_or_else(PoisonError::into_inner));
            // Other systems than Unix make a new name safe by themselves, and open no folders.
            for folder in folders.iter().filter(|_| cfg!(unix)) {
                std::fs::File::open(folder).and_then(|open| open.sync_all()).map_err(temporary::failed(folder))?;
            }
            Ok(())
        })
        .await
    }
}
