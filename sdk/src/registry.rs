//! Every derived table registers itself, so that no list of tables is kept by hand.

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use futures::future::BoxFuture;

use crate::batch::Columns;
use crate::read::{Job, run_table};
use crate::schema::TableSchema;
use crate::selection::matches;
use crate::table::{self, Row, Table};

/// A table with its Rust types erased.
pub trait AnyTable: Send + Sync {
    /// The table's schema.
    fn schema(&self) -> TableSchema;
    /// The type of its rows.
    fn row_type(&self) -> TypeId;
    /// The type of the rows it hangs from; that of `()` for a root.
    fn parent_type(&self) -> TypeId;
    /// Reads the table for one scope and one parent row, with its children.
    fn run(&self, job: Job) -> BoxFuture<'static, ()>;
}

/// The columns are made once for all units.
struct Erased<T: Table>(OnceLock<Columns<T>>);

impl<T: Table> AnyTable for Erased<T> {
    fn schema(&self) -> TableSchema {
        table::schema::<T>()
    }
    fn row_type(&self) -> TypeId {
        TypeId::of::<Row<T>>()
    }
    fn parent_type(&self) -> TypeId {
        TypeId::of::<T::Parent>()
    }
    fn run(&self, job: Job) -> BoxFuture<'static, ()> {
        let columns = Arc::clone(self.0.get_or_init(|| T::columns().into()));
        Box::pin(run_table::<T>(job, columns))
    }
}

/// What the derive submits for each table.
pub struct TableEntry {
    /// The package that the table is written in: its service or connector.
    pub package: &'static str,
    new: fn() -> Arc<dyn AnyTable>,
}

impl TableEntry {
    /// The entry of a table.
    pub const fn of<T: Table>(package: &'static str) -> Self {
        Self { package, new: || Arc::new(Erased::<T>(OnceLock::new())) }
    }
}

inventory::collect!(TableEntry);

/// A table in the tree of tables, with those that hang from it.
#[derive(Clone)]
pub struct Node {
    /// The package that the table is written in.
    pub package: &'static str,
    /// What it looks like.
    pub schema: Arc<TableSchema>,
    /// How it is read; none for a table that its connector reads itself.
    pub table: Option<Arc<dyn AnyTable>>,
    /// Other names that a pattern may mean it by, such as the one that it has in its database.
    pub also: Vec<String>,
    /// The tables that hang from it, by name.
    pub children: Vec<Arc<Node>>,
}

impl Node {
    /// A table without children that its connector reads itself.
    pub fn own(package: &'static str, schema: TableSchema, also: Vec<String>) -> Self {
        Self { package, schema: Arc::new(schema), table: None, also, children: Vec::new() }
    }

    /// Whether a pattern means this table.
    pub fn is_meant(&self, pattern: &str) -> bool {
        self.names().any(|name| matches(pattern, name))
    }

    /// All names of the table.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.schema.name.as_str()).chain(self.also.iter().map(String::as_str))
    }

    /// This table and all below it, parents first.
    pub fn flatten(&self) -> Vec<&Node> {
        let mut all = vec![self];
        for child in &self.children {
            all.extend(child.flatten());
        }
        all
    }
}

/// The trees of all tables that `packages` define, roots and children by name.
pub fn tables_of(packages: &[&str]) -> Vec<Node> {
    let mut by_parent: HashMap<TypeId, Vec<Node>> = HashMap::new();
    for entry in inventory::iter::<TableEntry>.into_iter().filter(|entry| packages.contains(&entry.package)) {
        let table = (entry.new)();
        let schema = Arc::new(table.schema());
        by_parent.entry(table.parent_type()).or_default().push(Node {
            package: entry.package,
            schema,
            table: Some(table),
            also: Vec::new(),
            children: Vec::new(),
        });
    }
    attach(TypeId::of::<()>(), &mut by_parent)
}

fn attach(parent: TypeId, by_parent: &mut HashMap<TypeId, Vec<Node>>) -> Vec<Node> {
    let mut nodes = by_parent.remove(&parent).unwrap_or_default();
    nodes.sort_by(|a, b| a.schema.name.cmp(&b.schema.name));
    for node in &mut nodes {
        if let Some(table) = &node.table {
            node.children = attach(table.row_type(), by_parent).into_iter().map(Arc::new).collect();
        }
    }
    nodes
}
