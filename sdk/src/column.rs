//! A column's definition over a row type, and the writer that collects its values.

use std::sync::Arc;

use arrow::array::{ArrayBuilder, ArrayRef};

use crate::json::{SHAPE_DEPTH, Secrets};
use crate::schema::{Column, Extension};
use crate::value::Value;

/// Collects one column of rows `R`.
pub trait ColumnWriter<R>: Send {
    /// Appends the row's value and tells about how many bytes it took.
    fn push(&mut self, row: &R) -> usize;
    /// Appends a missing value.
    fn push_null(&mut self);
    /// Appends the text by which the value stands in a key, or answers false where it is missing.
    fn key_text(&self, row: &R, out: &mut Vec<u8>) -> bool;
    /// Hands over what was collected and starts anew. Where every value was missing, there is nothing to hand over.
    fn finish(&mut self) -> Option<ArrayRef>;
}

type NewWriter<R> = Arc<dyn Fn(usize) -> Box<dyn ColumnWriter<R>> + Send + Sync>;

/// What a column is, and how to get it from a row.
pub struct ColumnDef<R> {
    /// The column as the schema shows it.
    pub column: Column,
    writer: NewWriter<R>,
}

impl<R: 'static> ColumnDef<R> {
    /// The column of a field. `origin` says where the value comes from.
    pub fn field<V: Value + 'static>(name: &str, description: &str, origin: &str, get: fn(&R) -> &V) -> Self
    where
        V::Builder: Send,
    {
        let kind = V::column_type();
        let json = kind.extension == Some(Extension::Json);
        let mut column = Column::new(name, kind, description);
        column.nullable = V::NULLABLE;
        column.origin = origin.to_owned();
        column.shape = json.then(|| V::shape(SHAPE_DEPTH)).filter(serde_json::Value::is_object_or_array);
        column.secrets = if json { Secrets::of::<V>() } else { Vec::new() };
        Self { column, writer: Arc::new(move |rows| Box::new(FieldWriter { get, collected: Lazy::new(rows) })) }
    }

    /// The same column, marked as holding secrets.
    pub fn sensitive(mut self) -> Self {
        self.column.sensitive = true;
        self
    }

    /// The same column of an outer row, by the way to the inner one. Where the way may lead nowhere, the column
    /// becomes nullable.
    pub fn through<O: 'static>(self, way: Way<O, R>) -> ColumnDef<O> {
        let Self { mut column, writer } = self;
        column.nullable |= matches!(way, Way::Maybe(_));
        ColumnDef { column, writer: Arc::new(move |rows| Box::new(ThroughWriter { way, inner: writer(rows) })) }
    }

    /// An empty writer with room for about so many rows.
    pub fn writer(&self, rows: usize) -> Box<dyn ColumnWriter<R>> {
        (self.writer)(rows)
    }
}

impl<R: crate::WriteJson + 'static> ColumnDef<R> {
    /// A hash of the whole row, by which rows that have no name of their own are told apart.
    pub fn hash() -> Self {
        let mut column = Column::new(HASH, uuid::Uuid::column_type(), "A hash of all that the row holds.");
        column.nullable = false;
        column.origin = "hash of the row".to_owned();
        Self { column, writer: Arc::new(|rows| Box::new(HashWriter { collected: Lazy::new(rows) })) }
    }
}

/// The name of the column that holds a hash of the row, where a key asks for one.
pub const HASH: &str = "hash";

/// The values of a column. Most columns of most tables are empty, so there is no builder before the first value.
struct Lazy<V: Value> {
    builder: Option<V::Builder>,
    /// Missing values before the first one that is not.
    nulls: usize,
    /// About how many rows there will be.
    rows: usize,
}

impl<V: Value> Lazy<V> {
    fn new(rows: usize) -> Self {
        Self { builder: None, nulls: 0, rows }
    }

    fn push(&mut self, value: &V) -> usize {
        if self.builder.is_none() && value.is_null() {
            self.nulls += 1;
            return 1;
        }
        value.append(self.builder())
    }

    fn push_null(&mut self) {
        match &mut self.builder {
            Some(builder) => V::append_null(builder),
            None => self.nulls += 1,
        }
    }

    fn builder(&mut self) -> &mut V::Builder {
        let nulls = &mut self.nulls;
        self.builder.get_or_insert_with(|| {
            let mut builder = V::builder(self.rows.max(*nulls));
            for _ in 0..std::mem::take(nulls) {
                V::append_null(&mut builder);
            }
            builder
        })
    }

    fn finish(&mut self) -> Option<ArrayRef> {
        self.nulls = 0;
        // The next batch is likely to be like this one.
        let array = self.builder.take()?.finish();
        self.rows = array.len();
        Some(array)
    }
}

struct HashWriter {
    collected: Lazy<uuid::Uuid>,
}

impl<R: crate::WriteJson> ColumnWriter<R> for HashWriter {
    fn push(&mut self, row: &R) -> usize {
        self.collected.push(&crate::cq_id::hash_of(row))
    }
    fn push_null(&mut self) {
        self.collected.push_null();
    }
    fn key_text(&self, row: &R, out: &mut Vec<u8>) -> bool {
        crate::cq_id::hash_of(row).key_text(out)
    }
    fn finish(&mut self) -> Option<ArrayRef> {
        self.collected.finish()
    }
}

/// Whether a shape says more than the name of a type.
trait ShapeKind {
    fn is_object_or_array(&self) -> bool;
}

impl ShapeKind for serde_json::Value {
    fn is_object_or_array(&self) -> bool {
        self.is_object() || self.is_array()
    }
}

struct FieldWriter<R, V: Value> {
    get: fn(&R) -> &V,
    collected: Lazy<V>,
}

impl<R, V: Value> ColumnWriter<R> for FieldWriter<R, V>
where
    V::Builder: Send,
{
    fn push(&mut self, row: &R) -> usize {
        self.collected.push((self.get)(row))
    }
    fn push_null(&mut self) {
        self.collected.push_null();
    }
    fn key_text(&self, row: &R, out: &mut Vec<u8>) -> bool {
        (self.get)(row).key_text(out)
    }
    fn finish(&mut self) -> Option<ArrayRef> {
        self.collected.finish()
    }
}

/// The way from an outer row to an inner one.
pub enum Way<O, I> {
    /// It is always there.
    Always(fn(&O) -> &I),
    /// It may be missing.
    Maybe(fn(&O) -> Option<&I>),
}

impl<O, I> Clone for Way<O, I> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<O, I> Copy for Way<O, I> {}

impl<O, I> Way<O, I> {
    fn follow(self, row: &O) -> Option<&I> {
        match self {
            Way::Always(get) => Some(get(row)),
            Way::Maybe(get) => get(row),
        }
    }
}

struct ThroughWriter<O, I> {
    way: Way<O, I>,
    inner: Box<dyn ColumnWriter<I>>,
}

impl<O, I> ColumnWriter<O> for ThroughWriter<O, I> {
    fn push(&mut self, row: &O) -> usize {
        match self.way.follow(row) {
            Some(inner) => self.inner.push(inner),
            None => {
                self.inner.push_null();
                1
            }
        }
    }
    fn push_null(&mut self) {
        self.inner.push_null();
    }
    fn key_text(&self, row: &O, out: &mut Vec<u8>) -> bool {
        self.way.follow(row).is_some_and(|inner| self.inner.key_text(inner, out))
    }
    fn finish(&mut self) -> Option<ArrayRef> {
        self.inner.finish()
    }
}
