//! The destination: a folder of files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use headwater_sdk::destination::MigrateMode;
use headwater_sdk::{
    Budget, ColumnType, Destination, Error, Part, PartWriter, Result, StateStore, Stored, TableSchema, WriteMode,
    async_trait, local,
};

use crate::encode;
use crate::held::Open;
use crate::memory::Memory;
use crate::part::Writer;
use crate::seen::Remembered;
use crate::spec::Settings;
use crate::spill::Disk;
use crate::state::State;
use crate::temporary;

/// What all parts share.
pub struct Shared {
    /// The checked spec.
    pub settings: Settings,
    /// The open parts, once the memory for them is known.
    open: OnceLock<Arc<Open>>,
    /// How many rows are remembered in order to find those that come twice.
    pub remembered: Remembered,
    /// The folders in which a name has changed; those are not safe from a power cut yet.
    touched: Mutex<BTreeSet<PathBuf>>,
}

impl Shared {
    /// The open parts.
    pub fn open(&self) -> &Arc<Open> {
        self.open.get_or_init(|| self.parts_in(Memory::default()))
    }

    fn parts_in(&self, memory: Memory) -> Arc<Open> {
        let folder = self.settings.template.root();
        Arc::new(Open::new(memory, Disk::new(local::openable(&folder).to_owned())))
    }

    /// Takes note that a file has appeared or vanished.
    pub fn touched(&self, file: &Path) {
        let folder = local::openable(file.parent().unwrap_or(Path::new("")));
        let mut touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
        if !touched.contains(folder) {
            touched.insert(folder.to_owned());
        }
    }

    /// Makes the names that have changed safe from a power cut.
    pub fn settle(&self) -> Result<()> {
        let folders = std::mem::take(&mut *self.touched.lock().unwrap_or_else(PoisonError::into_inner));
        // Other systems than Unix make a new name safe by themselves, and open no folders.
        for folder in folders.iter().filter(|_| cfg!(unix)) {
            std::fs::File::open(folder).and_then(|open| open.sync_all()).map_err(temporary::failed(folder))?;
        }
        Ok(())
    }
}

/// The destination.
pub struct Folder(Arc<Shared>);

impl Folder {
    /// A destination that has touched nothing yet.
    pub fn new(settings: Settings) -> Self {
        Self(Arc::new(Shared {
            settings,
            open: OnceLock::new(),
            remembered: Remembered::default(),
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

    fn stores(&self, kind: &ColumnType) -> Stored {
        encode::stored(self.0.settings.encoding, kind)
    }

    fn use_memory(&self, budget: &Budget) {
        self.0.open.get_or_init(|| self.0.parts_in(Memory::new(budget)));
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

    async fn state(&self, key: &str) -> Result<Option<Box<dyn StateStore>>> {
        Ok(Some(Box::new(State::new(Arc::clone(&self.0), key))))
    }

    async fn close(&self) -> Result<()> {
        self.blocking(Shared::settle).await
    }
}
