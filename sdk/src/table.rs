//! Tables: what `#[derive(Table)]` implements, and the rows that it makes.

use std::any::Any;
use std::ops::Deref;
use std::sync::Arc;

use crate::admission::{Admission, ITEM, PAGE, ROW, level};
use crate::calls::Calls;
use crate::column::{ColumnDef, HASH, Way};
use crate::error::{Error, Result};
use crate::fetch::Pages;
use crate::memory::Lease;
use crate::record::Record;
use crate::schema::{Column, ColumnType, TableSchema};
use crate::scope::{Scope, Scopes};

/// What a table hangs from: the row of another table, or nothing.
pub trait Parent: Send + Sync + 'static {
    /// The parent table's name.
    const NAME: Option<&'static str>;
}

impl Parent for () {
    const NAME: Option<&'static str> = None;
}

impl<T: Table> Parent for Row<T> {
    const NAME: Option<&'static str> = Some(T::NAME);
}

/// A row: what the API returned, the columns that the table adds, and the row it hangs from. The record's fields can
/// be named directly.
pub struct Row<T: Table> {
    /// What the API returned.
    pub record: T::Record,
    /// What the table adds.
    pub columns: T::Columns,
    /// The row of the parent table.
    pub parent: Arc<T::Parent>,
}

impl<T: Table> Deref for Row<T> {
    type Target = T::Record;
    fn deref(&self) -> &T::Record {
        &self.record
    }
}

/// What a table's calls and expressions have at hand.
pub struct Context<T: Table> {
    /// The API's client for the scope.
    pub client: T::Client,
    /// Where the table is read.
    pub scope: Arc<T::Scope>,
    /// The row of the parent table.
    pub parent: Arc<T::Parent>,
    /// The unit's calls.
    pub calls: Calls,
    /// What the memory of a page is admitted by.
    pub admission: Admission,
}

impl<T: Table> Clone for Context<T> {
    fn clone(&self) -> Self {
        Self {
            client: self.client.clone(),
            scope: Arc::clone(&self.scope),
            parent: Arc::clone(&self.parent),
            calls: self.calls.clone(),
            admission: self.admission.clone(),
        }
    }
}

impl<T: Table> Context<T> {
    /// The level of a step of the table.
    pub(crate) fn level(&self, step: usize) -> usize {
        level(self.admission.depth, step)
    }

    /// Waits until there is room for a page.
    pub(crate) async fn admit_page(&self) -> Lease {
        self.admission.admit(&self.calls, PAGE, self.admission.size.page()).await
    }

    /// Waits until there is room for an item of a page, which is looked up on its own.
    pub(crate) async fn admit_item(&self) -> Lease {
        self.admission.admit(&self.calls, ITEM, self.admission.size.row()).await
    }

    /// Waits until there is room for a row that takes calls of its own.
    pub(crate) async fn admit_row(&self) -> Lease {
        self.admission.admit(&self.calls, ROW, self.admission.size.row()).await
    }
}

/// A table. Derived from an annotated struct, never written by hand.
#[diagnostic::on_unimplemented(message = "`{Self}` is no table", note = "a table is a struct with `#[derive(Table)]`")]
pub trait Table: Sized + Send + Sync + 'static {
    /// The API's client.
    type Client: Clone + Send + Sync + 'static;
    /// Where it is read.
    type Scope: Scope;
    /// The row of the parent table, or `()`.
    type Parent: Parent;
    /// What the API returns for a row.
    type Record: Record;
    /// What the table adds to it.
    type Columns: Send + Sync + 'static;
    /// The table's name, such as `aws_ec2_instances`.
    const NAME: &'static str;
    /// One line of Markdown.
    const DESCRIPTION: &'static str;
    /// The names of the key's columns.
    const KEY: &'static [&'static str];
    /// The scopes that it is read for.
    const SCOPES: Scopes;
    /// The calls that the rows come from, for the documentation.
    const ORIGIN: &'static str;
    /// Whether a row takes calls of its own.
    const GETS: bool;

    /// The columns beside those of the scope.
    fn columns() -> Vec<ColumnDef<Row<Self>>>;

    /// The records, page by page.
    fn pages(cx: &Context<Self>) -> Pages<Self::Record>;

    /// Makes the row of a record. The errors beside it are of columns that the service refused; without a row there
    /// is an error.
    fn row(cx: &Context<Self>, record: Self::Record) -> impl Future<Output = Result<(Row<Self>, Vec<Error>)>> + Send;
}

/// A table's columns as the derive puts them together: its own, then the
/// record's without those that are left out or replaced.
pub fn assemble<T: Table>(left_out: &[&str], own: Vec<ColumnDef<T::Columns>>) -> Vec<ColumnDef<Row<T>>> {
    let own = own.into_iter().map(|column| column.through(Way::Always(|row: &Row<T>| &row.columns)));
    let record = T::Record::columns().into_iter().filter(|column| !left_out.contains(&column.column.name.as_str()));
    own.chain(record.map(|column| column.through(Way::Always(|row: &Row<T>| &row.record)))).collect()
}

/// Adds the key columns that a child table takes over from its parent, each by its own name and the parent's. For the
/// derive. A column that the child has itself stays.
pub fn inherit<T, P>(mut columns: Vec<ColumnDef<Row<T>>>, inherited: &[(&str, &str)]) -> Vec<ColumnDef<Row<T>>>
where
    T: Table<Parent = Row<P>>,
    P: Table,
{
    let mut at = 0;
    for (name, of_parent) in inherited {
        if columns.iter().any(|column| column.column.name == *name) {
            continue;
        }
        let parents = P::columns().into_iter().find(|column| column.column.name == *of_parent);
        if let Some(column) = parents {
            let mut column = column.through(Way::Always(|row: &Row<T>| &*row.parent));
            column.column.name = (*name).to_owned();
            column.column.description = format!("`{of_parent}` of the row of `{}`.", P::NAME);
            column.column.origin = format!("parent.{of_parent}");
            columns.insert(at, column);
            at += 1;
        }
    }
    columns
}

/// Adds the hash of the record that a key asks for, unless there is a column of that name. For the derive.
pub fn hashed<T: Table>(mut columns: Vec<ColumnDef<Row<T>>>) -> Vec<ColumnDef<Row<T>>>
where
    T::Record: crate::WriteJson,
{
    if !columns.iter().any(|column| column.column.name == HASH) {
        columns.insert(0, ColumnDef::<T::Record>::hash().through(Way::Always(|row: &Row<T>| &row.record)));
    }
    columns
}

/// The columns of a flattened field, for the derive.
pub fn flattened<O: 'static, R: Record>(prefix: &str, origin: &str, way: Way<O, R>) -> Vec<ColumnDef<O>> {
    let columns = R::columns().into_iter().map(|column| {
        let mut column = column.through(way);
        column.column.name.insert_str(0, prefix);
        column.column.origin = format!("{origin}: {}", column.column.origin);
        column
    });
    columns.collect()
}

/// A table's schema: the scope's columns, then the table's.
pub fn schema<T: Table>() -> TableSchema {
    let mut columns: Vec<Column> = Vec::new();
    for scope in T::SCOPES.columns {
        let text = ColumnType::plain(arrow::datatypes::DataType::Utf8);
        let mut column = Column::new(scope.name, text, scope.description);
        column.nullable = false;
        column.origin = "scope".to_owned();
        columns.push(column);
    }
    columns.extend(T::columns().into_iter().map(|definition| definition.column));
    for column in &mut columns {
        column.key = T::KEY.contains(&column.name.as_str());
        column.nullable &= !column.key;
    }
    let mut schema = TableSchema::new(T::NAME, T::DESCRIPTION, T::Parent::NAME, T::SCOPES, columns);
    schema.origin = T::ORIGIN.to_owned();
    schema
}

/// Anything whose type only the table knows: its client, scope or parent row.
pub type Anything = Arc<dyn Any + Send + Sync>;
