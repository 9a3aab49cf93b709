//! Destination clickhouse: tables of a ClickHouse database (from version 25.8 on), over its HTTP interface.
//!
//! Rows are sent as Arrow streams. ClickHouse has no transactions over several statements, but some statements are
//! carried out as a whole: an `INSERT` of one block, and `ATTACH PARTITION ALL FROM`, which takes over the rows of another
//! table. By one of the two all rows of a unit become visible: a unit that is small by the first, and one of many rows, that
//! has waited in a table of its own, by the second. In `overwrite-delete-stale` its stale rows are deleted after that.
//!
//! Tables with a key are of the engine `ReplacingMergeTree(_cq_sync_time)`, sorted by the key: of rows with the same key
//! the latest is seen by whoever reads with `FINAL`, or with the setting `final = 1`. Tables of the write mode `append` are
//! of `MergeTree`. What types are stored as is in `docs/type-fidelity.md`.
//!
//! Where the state of syncs is kept here, it stands in tables `headwater_state_…`.

mod convert;
mod ddl;
mod delete;
mod migrate;
mod part;
mod publish;
mod rows;
mod server;
mod spec;
mod state;
mod types;

use std::sync::{Arc, OnceLock};

use headwater_sdk::arrow::array::RecordBatch;
use headwater_sdk::destination::MigrateMode;
use headwater_sdk::pool::Pool;
use headwater_sdk::{
    Budget, ColumnType, Destination, Error, Part, PartWriter, Range, Result, StateStore, Stored, TablePlan,
    TableSchema, Timestamp, async_trait,
};

use crate::part::Writer;
use crate::server::Server;
use crate::state::State;

pub use spec::{Compression, Engine, Order, Partition, Spec};

struct Clickhouse {
    server: Arc<Server>,
    pool: OnceLock<Pool>,
}

/// The destination that a spec describes. Nothing is connected to yet.
pub fn destination(spec: Spec) -> Result<Box<dyn Destination>> {
    let server = Server::new(spec.settings()?)?;
    Ok(Box::new(Clickhouse { server, pool: OnceLock::new() }))
}

#[async_trait]
impl Destination for Clickhouse {
    async fn check(&self) -> Result<()> {
        self.server.abilities().await?;
        let shown = &self.server.settings.shown;
        // Each right is asked for by itself, so that the answer can name it.
        for right in ["SELECT", "INSERT", "CREATE TABLE", "DROP TABLE", "ALTER TABLE", "OPTIMIZE"] {
            let sql = format!("CHECK GRANT {right} ON {}.*", ddl::quote(&self.server.settings.database));
            if self.server.run(sql).await?.trim() == "0" {
                return Err(Error::destination(format!(
                    "{shown}: the user has no right to {right}; grant it with `GRANT {right} ON` the database"
                )));
            }
        }
        Ok(())
    }

    fn stores(&self, kind: &ColumnType) -> Stored {
        types::stored(kind)
    }

    fn use_memory(&self, budget: &Budget) {
        // Only the first call counts.
        let _ = self.pool.set(Pool::new(budget));
    }

    async fn plan(&self, tables: &[Arc<TableSchema>], mode: MigrateMode) -> Result<Vec<TablePlan>> {
        migrate::plan(&self.server, tables, mode).await
    }

    async fn migrate(&self, tables: &[Arc<TableSchema>], mode: MigrateMode) -> Result<()> {
        migrate::migrate(&self.server, tables, mode).await
    }

    async fn begin(&self, part: Part) -> Result<Box<dyn PartWriter>> {
        part.check_unit()?;
        let pool = self.pool.get_or_init(Pool::default);
        Ok(Box::new(Writer::new(Arc::clone(&self.server), pool, part)))
    }

    async fn delete(&self, table: &Arc<TableSchema>, matching: RecordBatch) -> Result<u64> {
        delete::delete(&self.server, table, &matching).await
    }

    async fn prune(
        &self,
        table: &Arc<TableSchema>,
        source: &str,
        within: &[Range],
        sync_time: Timestamp,
    ) -> Result<u64> {
        delete::prune(&self.server, &Part::of_source(table, source, within, sync_time)).await
    }

    async fn state(&self, key: &str) -> Result<Option<Box<dyn StateStore>>> {
        Ok(Some(Box::new(State::new(Arc::clone(&self.server), key))))
    }
}
