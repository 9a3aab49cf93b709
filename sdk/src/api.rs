//! A connector for any API whose tables are derived: what is left to write is how to open scopes and clients.

use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::{BoxStream, StreamExt};

use crate::calls::CallLimits;
use crate::connector::{Connector, Found, Wanted};
use crate::error::{Error, Result};
use crate::registry::{Node, tables_of};
use crate::scope::{Scope, Scopes};
use crate::table::Anything;
use crate::unit::{Unit, UnitRun, run_unit};

/// An API: its packages of tables, its scopes and its clients.
#[async_trait]
pub trait Api: Send + Sync + 'static {
    /// Where tables are read.
    type Scope: Scope;

    /// The packages in which the tables are derived.
    fn packages(&self) -> Vec<&'static str>;

    /// Tries the credentials; a line for each thing that was checked.
    async fn check(&self) -> Result<Vec<String>>;

    /// Opens the scopes that are asked for, as fast as the stream is read but for a few ahead.
    fn scopes(self: Arc<Self>, wanted: WantedScopes) -> BoxStream<'static, Opened<Self::Scope>>;

    /// Whether a package's tables can be read in a scope: not every service is everywhere.
    fn offers(&self, package: &'static str, scope: &Self::Scope) -> bool {
        let _ = (package, scope);
        true
    }

    /// The client of a package for a scope.
    async fn client(&self, package: &'static str, scope: &Self::Scope) -> Result<Anything>;

    /// How calls are limited.
    fn limits(&self) -> CallLimits {
        CallLimits::default()
    }
}

/// One step of opening scopes.
pub enum Opened<S> {
    /// So many more places, such as accounts, are going to be opened.
    Places(usize),
    /// A place is open: its scopes, each with the name of its kind.
    Open(Vec<(&'static str, Arc<S>)>),
    /// A place could not be opened: its name and why.
    Failed(String, Error),
}

/// Which scopes are asked for.
#[derive(Clone)]
pub struct WantedScopes {
    tables: Vec<Arc<Node>>,
    wanted: Wanted,
}

impl WantedScopes {
    /// The scopes of tables, as far as their units are wanted.
    pub fn new(tables: Vec<Arc<Node>>, wanted: Wanted) -> Self {
        Self { tables, wanted }
    }

    /// Whether any table is read for a kind of scope.
    pub fn kind(&self, kind: Scopes) -> bool {
        self.tables.iter().any(|node| node.schema.scopes.name == kind.name)
    }

    /// Whether any table is read for the scope of a kind and an id. A scope of which this is not so need not be opened.
    pub fn scope(&self, kind: Scopes, id: &str) -> bool {
        let mut tables = self.tables.iter().filter(|node| node.schema.scopes.name == kind.name);
        tables.any(|node| (self.wanted)(&node.schema.name, id))
    }
}

/// The connector of an API.
pub struct ApiConnector<A>(Arc<A>);

impl<A: Api> ApiConnector<A> {
    /// The connector of an API.
    pub fn new(api: A) -> Self {
        Self(Arc::new(api))
    }
}

/// The units of a place that was opened. Scope by scope and table by table within it, so that the calls of a sync are
/// spread over places and APIs.
fn units<A: Api>(api: &A, scopes: &WantedScopes, open: Vec<(&'static str, Arc<A::Scope>)>) -> Vec<Unit> {
    let mut units = Vec::new();
    for (kind, scope) in open {
        let id = scope.id();
        for node in scopes.tables.iter().filter(|node| node.schema.scopes.name == kind) {
            if !(scopes.wanted)(&node.schema.name, &id) {
                continue;
            }
            if !api.offers(node.package, &scope) {
                tracing::debug!(table = node.schema.name, scope = id, "the service is not offered there");
                continue;
            }
            let columns = node.schema.scopes.columns.iter();
            units.push(Unit {
                node: Arc::clone(node),
                scope: id.clone(),
                ranges: Vec::new(),
                predicate: columns
                    .filter_map(|column| Some((column.name.to_owned(), scope.value(column.name)?.to_owned())))
                    .collect(),
                handle: Arc::clone(&scope) as Anything,
            });
        }
    }
    units
}

#[async_trait]
impl<A: Api> Connector for ApiConnector<A> {
    fn tables(&self) -> Vec<Node> {
        tables_of(&self.0.packages())
    }

    async fn check(&self) -> Result<Vec<String>> {
        self.0.check().await
    }

    fn plan(self: Arc<Self>, tables: Vec<Arc<Node>>, wanted: Wanted) -> BoxStream<'static, Found> {
        let api = Arc::clone(&self.0);
        let scopes = WantedScopes::new(tables, wanted);
        let opened = Arc::clone(&api).scopes(scopes.clone());
        opened
            .map(move |opened| match opened {
                Opened::Places(count) => Found::Places(count),
                Opened::Open(open) => Found::Open(units(&*api, &scopes, open)),
                Opened::Failed(what, error) => Found::Failed(what, error),
            })
            .boxed()
    }

    async fn run(&self, unit: &Unit, run: Arc<UnitRun>) {
        let Ok(scope) = Arc::clone(&unit.handle).downcast::<A::Scope>() else {
            let error = Error::fatal("a unit of another connector was handed to this one");
            return run.fail(&unit.node.schema, error).await;
        };
        match self.0.client(unit.node.package, &scope).await {
            Ok(client) => run_unit(run, unit, client).await,
            Err(error) => run.fail_all(&unit.node, error).await,
        }
    }

    fn limits(&self) -> CallLimits {
        self.0.limits()
    }
}
