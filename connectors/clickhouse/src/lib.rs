//! Source clickhouse: tables and views of a ClickHouse server (from version 25.8 on), over its HTTP interface.
//!
//! Rows come as Arrow streams, whose columns are taken over as they are where ClickHouse's type is one of Arrow's; what is
//! not, such as an enumeration or a value of type JSON, the server makes text of. A table is one unit, or is divided by
//! ClickHouse's own partitions, by ranges of a column's values, or by a hash. A unit is read by one query, which sees the
//! table as it was when the query began.

mod axis;
mod catalog;
mod convert;
mod discover;
mod divide;
mod kind;
mod read;
mod spec;
mod types;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures::stream::{BoxStream, StreamExt};
use headwater_clickhouse_client::{Server, Settings, of_source};
use headwater_sdk::registry::Node;
use headwater_sdk::unit::UnitRun;
use headwater_sdk::{
    CallLimits, Connector, Error, Found, Range, Result, Selection, Undiscovered, Unit, Wanted, async_trait,
};

use crate::discover::Readable;
use crate::divide::{Division, Piece};
use crate::spec::{ALWAYS, Options};

pub use headwater_clickhouse_client::Compression;
pub use spec::{By, ColumnSpec, Divide, Spec, Strings, TableSpec};

/// How often a unit is read whose connection was lost.
const TRIES: u32 = 4;

struct Clickhouse {
    settings: Settings,
    options: Options,
    /// What units are planned and read with.
    server: Server,
    /// The tables that were discovered, by their names here.
    tables: Mutex<HashMap<String, Arc<Readable>>>,
}

/// The connector of a spec. Nothing is connected to yet; a spec that cannot work is an error.
pub fn connector(spec: Spec) -> Result<Box<dyn Connector>> {
    let (settings, options) = spec.settings()?;
    let server = Server::new(settings.clone(), &ALWAYS)?;
    Ok(Box::new(Clickhouse { settings, options, server, tables: Mutex::default() }))
}

impl Clickhouse {
    /// A server of one's own, of which nothing stays open.
    fn apart(&self) -> Result<Server> {
        Server::new(self.settings.clone(), &ALWAYS)
    }

    fn table(&self, name: &str) -> Option<Arc<Readable>> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    async fn units(&self, node: &Arc<Node>, wanted: &Wanted) -> Result<Vec<Unit>> {
        let name = &node.schema.name;
        let Some(table) = self.table(name) else {
            return Err(Error::fatal("it was not discovered; this is a bug"));
        };
        let mut units = divide::units(&self.server, node, &table).await?;
        units.retain(|unit| wanted(name, &unit.scope));
        Ok(units)
    }
}

#[async_trait]
impl Connector for Clickhouse {
    fn tables(&self) -> Vec<Node> {
        Vec::new()
    }

    async fn discover(&self, selection: &Selection) -> Result<Vec<Node>, Undiscovered> {
        let (nodes, tables) = discover::discover(&self.apart()?, &self.options, selection).await?;
        *self.tables.lock().unwrap_or_else(PoisonError::into_inner) = tables;
        Ok(nodes)
    }

    async fn check(&self) -> Result<Vec<String>> {
        let server = self.apart()?;
        server.abilities().await.map_err(of_source)?;
        Ok(vec![format!("{} answers", self.settings.shown)])
    }

    fn plan(self: Arc<Self>, tables: Vec<Arc<Node>>, wanted: Wanted) -> BoxStream<'static, Found> {
        let places = futures::stream::iter([Found::Places(tables.len())]);
        let opened = futures::stream::iter(tables).then(move |node| {
            let (this, wanted) = (Arc::clone(&self), Arc::clone(&wanted));
            async move {
                match this.units(&node, &wanted).await {
                    Ok(units) => Found::Open(units),
                    Err(error) => Found::Failed(node.schema.name.clone(), error),
                }
            }
        });
        places.chain(opened).boxed()
    }

    async fn run(&self, unit: &Unit, run: Arc<UnitRun>) {
        let Ok(piece) = Arc::clone(&unit.handle).downcast::<Piece>() else {
            let error = Error::fatal("a unit of another connector was handed to this one");
            return run.fail(&unit.node.schema, error).await;
        };
        if let Err(error) = read::read(&self.server, &self.options, &piece, unit, &run).await {
            let error = read::failed(error).while_doing(read::place(&piece.table));
            run.fail(&unit.node.schema, error).await;
        }
    }

    fn extent(&self, table: &str) -> Option<Vec<Vec<Range>>> {
        let table = self.table(table)?;
        // A partition or a range may be gone; all that is left of it is this table's.
        (!matches!(table.division, Division::Whole)).then(|| vec![Vec::new()])
    }

    fn limits(&self) -> CallLimits {
        CallLimits { concurrency: self.settings.connections, unit_tries: TRIES, ..CallLimits::default() }
    }
}
