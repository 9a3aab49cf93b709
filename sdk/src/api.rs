//! A connector for any API whose tables are derived: what is left to write is how to open scopes and clients.

use std::sync::Arc;

use async_trait::async_trait;

use crate::connector::{Connector, Plan};
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

    /// The scopes of each kind that is asked for, and what could not be opened.
    async fn scopes(&self, kinds: &[Scopes]) -> Result<ApiScopes<Self::Scope>>;

    /// The client of a package for a scope.
    async fn client(&self, package: &'static str, scope: &Self::Scope) -> Result<Anything>;

    /// How many calls may be under way at once.
    fn concurrency(&self) -> usize {
        64
    }
}

/// The scopes that were opened.
pub struct ApiScopes<S> {
    /// Each scope with the name of its kind.
    pub open: Vec<(&'static str, Arc<S>)>,
    /// What could not be opened, and why.
    pub failures: Vec<(String, Error)>,
}

/// The connector of an API.
pub struct ApiConnector<A>(pub A);

#[async_trait]
impl<A: Api> Connector for ApiConnector<A> {
    fn tables(&self) -> Vec<Node> {
        tables_of(&self.0.packages())
    }

    async fn check(&self) -> Result<Vec<String>> {
        self.0.check().await
    }

    async fn plan(&self, tables: &[Node]) -> Result<Plan> {
        let mut kinds: Vec<Scopes> = tables.iter().map(|node| node.schema.scopes).collect();
        kinds.sort_by_key(|kind| kind.name);
        kinds.dedup_by_key(|kind| kind.name);
        let mut scopes = self.0.scopes(&kinds).await?;
        if scopes.open.is_empty()
            && scopes.failures.len() == 1
            && let Some((what, error)) = scopes.failures.pop()
        {
            return Err(error.while_doing(what));
        }
        let mut units = Vec::new();
        // Scope by scope within a table would hit one API with all of a sync's calls at once; table by table within a
        // scope spreads them.
        for (kind, scope) in &scopes.open {
            for node in tables.iter().filter(|node| node.schema.scopes.name == *kind) {
                let columns = node.schema.scopes.columns.iter();
                units.push(Unit {
                    node: node.clone(),
                    scope: scope.id(),
                    predicate: columns
                        .filter_map(|column| Some((column.name.to_owned(), scope.value(column.name)?.to_owned())))
                        .collect(),
                    handle: Arc::clone(scope) as Anything,
                });
            }
        }
        Ok(Plan { units, failures: scopes.failures })
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

    fn concurrency(&self) -> usize {
        self.0.concurrency()
    }
}
