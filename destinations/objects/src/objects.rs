//! The destination over any store.

use std::sync::{Arc, OnceLock};

use headwater_sdk::destination::MigrateMode;
use headwater_sdk::{
    Budget, ColumnType, Destination, Part, PartWriter, Range, Result, StateStore, Stored, TablePlan, TableSchema,
    Timestamp, WriteMode, async_trait,
};

use crate::encode;
use crate::format::Settings;
use crate::held::Open;
use crate::memory::Memory;
use crate::part::Writer;
use crate::prune::{Written, prune};
use crate::seen::Remembered;
use crate::spill::Disk;
use crate::store::{Scratch, Store};

/// What all parts share.
pub struct Shared<S> {
    /// Where objects go.
    pub store: Arc<S>,
    /// The objects' names and contents.
    pub settings: Settings,
    /// The open parts, once the memory for them is known.
    open: OnceLock<Arc<Open>>,
    /// How many rows are remembered in order to find those that come twice.
    pub remembered: Remembered,
    /// What was written in this process.
    pub written: Written,
}

impl<S: Store> Shared<S> {
    /// The open parts.
    pub fn open(&self) -> &Arc<Open> {
        self.open_in(Memory::default)
    }

    fn open_in(&self, memory: impl FnOnce() -> Memory) -> &Arc<Open> {
        self.open.get_or_init(|| {
            let (memory, store) = (memory(), Arc::clone(&self.store));
            self.store.use_memory(&memory);
            let disk = Disk::new(move || Ok(Box::new(store.scratch(None)?) as Box<dyn Scratch>));
            Arc::new(Open::new(memory, disk))
        })
    }
}

/// A destination whose parts are objects of a store.
pub struct Objects<S>(Arc<Shared<S>>);

impl<S: Store> Objects<S> {
    /// A destination that has touched nothing yet.
    pub fn new(store: S, settings: Settings) -> Self {
        Self(Arc::new(Shared {
            store: Arc::new(store),
            settings,
            open: OnceLock::new(),
            remembered: Remembered::default(),
            written: Written::default(),
        }))
    }

    /// Whether a table can be written at all.
    fn check_table(&self, table: &TableSchema) -> Result<()> {
        let checked = encode::check(&self.0.settings.encoding, table);
        checked.map_err(|error| error.while_doing(format!("table {}", table.name)))
    }
}

#[async_trait]
impl<S: Store> Destination for Objects<S> {
    async fn check(&self) -> Result<()> {
        self.0.store.check().await
    }

    fn supports(&self, mode: WriteMode) -> Result<()> {
        self.0.settings.template.check(mode)
    }

    fn stores(&self, kind: &ColumnType) -> Stored {
        encode::stored(&self.0.settings.encoding, kind)
    }

    fn use_memory(&self, budget: &Budget) {
        self.0.open_in(|| Memory::new(budget));
    }

    /// There are no tables to be changed, but some that cannot be written, and places where nothing can.
    async fn plan(&self, tables: &[Arc<TableSchema>], _mode: MigrateMode) -> Result<Vec<TablePlan>> {
        self.0.store.check().await?;
        let plan = |table: &Arc<TableSchema>| match self.check_table(table) {
            Ok(()) => TablePlan::fits(&table.name),
            Err(error) => TablePlan::blocked(&table.name, error.to_string()),
        };
        Ok(tables.iter().map(plan).collect())
    }

    async fn migrate(&self, tables: &[Arc<TableSchema>], _mode: MigrateMode) -> Result<()> {
        tables.iter().try_for_each(|table| self.check_table(table))?;
        self.0.store.prepare(&self.0.settings.template).await
    }

    async fn begin(&self, part: Part) -> Result<Box<dyn PartWriter>> {
        self.supports(part.mode)?;
        part.check_unit()?;
        Ok(Box::new(Writer::new(Arc::clone(&self.0), part)))
    }

    async fn prune(
        &self,
        table: &Arc<TableSchema>,
        source: &str,
        within: &[Range],
        sync_time: Timestamp,
    ) -> Result<u64> {
        let pruned = prune(&self.0, table, source, within, sync_time).await;
        pruned.map_err(|error| error.while_doing(format!("table {}", table.name)))
    }

    async fn state(&self, key: &str) -> Result<Option<Box<dyn StateStore>>> {
        Ok(Some(Arc::clone(&self.0.store).state(&self.0.settings.template, key)))
    }

    async fn close(&self) -> Result<()> {
        self.0.store.close().await
    }
}
