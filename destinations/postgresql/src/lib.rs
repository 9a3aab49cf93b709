//! Destination postgresql: tables of a PostgreSQL database (from version 12 on).
//!
//! The rows of a unit become visible in one transaction: they are copied in binary form into a temporary table, and from
//! there inserted, replacing those with the same key; in `overwrite-delete-stale` the unit's rows of earlier syncs go in
//! the same transaction. In `append` they are copied into the table itself, those of a unit of many rows as they come, in a
//! transaction that is open as long as the unit; half of the connections may be used so at once. Another unit of many rows
//! waits in an unlogged table of its own until it has finished, so that neither memory nor a connection is held for it; what
//! waited is counted, because a crash of the server empties that table. Where connections are free, the rows of a very large
//! unit are moved while more come, from one such table after the other, in the transaction that the commit ends. A transaction that fails for a passing reason,
//! such as a lost connection or a deadlock, is run again, but for one into which rows have gone as they came. An attempt
//! waits for the end of the one before it, whose answer may have been lost, and finds out whether that was committed.
//!
//! Tables are created with a primary key `NAME_cqpk` and an index over the columns by which a unit's rows are told. A
//! column that the source no longer has loses its NOT NULL; a new one is added; a type is widened in place
//! (`smallint` to `integer` to `bigint`, `real` to `double precision`, `numeric` to one of more digits). Anything else
//! needs `migrate_mode: forced`, which drops the table. What types are stored as is in `docs/type-fidelity.md`.
//!
//! Where the state of syncs is kept here, it stands in the tables `headwater_runs` and `headwater_done`.

mod buffer;
mod copy;
mod ddl;
mod delete;
mod encode;
mod left;
mod migrate;
mod moving;
mod native;
mod part;
mod publish;
mod removal;
mod server;
mod sift;
mod spec;
mod state;
mod stream;
mod types;
mod waiting;

use std::sync::{Arc, OnceLock};

use headwater_postgresql_client::{errors, retry};
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

pub use spec::Spec;

struct Postgresql {
    server: Arc<Server>,
    pool: OnceLock<Pool>,
}

/// The destination that a spec describes. Nothing is connected to yet.
pub fn destination(spec: Spec) -> Result<Box<dyn Destination>> {
    let server = Server::new(spec.settings()?)?;
    Ok(Box::new(Postgresql { server, pool: OnceLock::new() }))
}

#[async_trait]
impl Destination for Postgresql {
    async fn check(&self) -> Result<()> {
        let lent = self.server.connection().await?;
        let shown = &self.server.settings.shown;
        let sql = "SELECT current_schema(), has_schema_privilege(current_schema(), 'CREATE'), \
                   current_setting('server_version_num')::int, has_database_privilege(current_database(), 'TEMP'), \
                   current_setting('transaction_read_only') = 'on'";
        let row = lent.connection.client.query_one(sql, &[]).await.map_err(|error| self.server.explain(error))?;
        let (schema, may, version): (Option<String>, Option<bool>, i32) = (row.get(0), row.get(1), row.get(2));
        let (may_stage, read_only): (bool, bool) = (row.get(3), row.get(4));
        lent.give_back();
        let problem = match schema {
            _ if version < 120_000 => format!("version {version} is older than 12"),
            None => {
                "the schema that tables are to be in does not exist; create it, or name another in `schema`".to_owned()
            }
            Some(schema) if may != Some(true) => {
                format!("the user may not create tables in the schema {schema}; grant it with `GRANT CREATE ON SCHEMA`")
            }
            Some(_) if !may_stage => {
                "the user may not create temporary tables; grant it with `GRANT TEMPORARY ON DATABASE`".to_owned()
            }
            Some(_) if read_only => "the database takes no changes now; is it a standby?".to_owned(),
            Some(_) => return Ok(()),
        };
        Err(Error::destination(format!("{shown}: {problem}")))
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

    fn removes(&self) -> bool {
        true
    }

    async fn prune(
        &self,
        table: &Arc<TableSchema>,
        source: &str,
        within: &[Range],
        sync_time: Timestamp,
    ) -> Result<u64> {
        let all = Part::of_source(table, source, within, sync_time);
        all.check_unit()?;
        delete::prune(&self.server, &all).await
    }

    async fn state(&self, key: &str) -> Result<Option<Box<dyn StateStore>>> {
        Ok(Some(Box::new(State::new(Arc::clone(&self.server), key))))
    }

    async fn close(&self) -> Result<()> {
        self.server.close().await;
        Ok(())
    }
}
