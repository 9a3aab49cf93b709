//! Transformer sql: a SELECT over each batch, by DuckDB in memory, whose library is loaded at run time.
//!
//! The query is a plain one over `input`, which sees one row at a time, as far as that can be told ([`query`]). A column
//! that it only passes on, renamed or not, never goes through DuckDB: its values are taken from the batch by the rows that
//! are answered, so that all types, also those that DuckDB does not have, stay as they are.

mod engine;
mod query;

use std::path::PathBuf;
use std::sync::Arc;

use headwater_sdk::arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, RecordBatch, RecordBatchOptions, UInt64Array, make_array,
};
use headwater_sdk::arrow::compute::{cast, concat_batches, take};
use headwater_sdk::arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use headwater_sdk::sql::quote;
use headwater_sdk::transform::wrong;
use headwater_sdk::{
    Column, ColumnType, Error, Extension, Result, TableSchema, TableTransform, Transformed, Transformer, Undiscovered,
    Uuid,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::convert::convert;
use crate::dialect::Dialect;
use engine::Engine;
use query::{Item, Plan, ROW};

/// The query, and where DuckDB is.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The query, in DuckDB's SQL: `SELECT * REPLACE (upper(name) AS name), price * 2 AS twice FROM input WHERE price > 0`.
    #[schemars(length(min = 1))]
    pub query: String,
    /// The library of DuckDB (`libduckdb.so`, `.dylib` or `duckdb.dll`), or the folder that it is in. By default the
    /// environment's HEADWATER_LIBDUCKDB, then beside the binary, then where the system has libraries.
    #[serde(default)]
    pub library: Option<PathBuf>,
}

/// The transformer of a spec. Nothing is loaded yet.
///
/// # Errors
/// If there is no query.
pub fn transformer(spec: Spec) -> Result<Arc<dyn Transformer>> {
    if spec.query.trim().is_empty() {
        return Err(Error::fatal("`query` is empty; write such as `SELECT * FROM input WHERE price > 0`"));
    }
    Ok(Arc::new(Sql { query: spec.query, engine: Arc::new(Engine::new(spec.library)) }))
}

struct Sql {
    query: String,
    engine: Arc<Engine>,
}

impl Transformer for Sql {
    fn table(&self, table: &Arc<TableSchema>) -> Result<Option<Arc<dyn TableTransform>>, Undiscovered> {
        let plan = self.engine.with(|session| Plan::read(session, &self.query, table))?;
        let plan = plan.map_err(|refused| {
            let help = refused.help.map(str::to_owned);
            Undiscovered::Wrong(vec![wrong(&["query"], format!("`{}`: {}", table.name, refused.message), help)])
        })?;
        let input = Input::new(table, &plan.needed);
        let empty = RecordBatch::new_empty(table.arrow());
        let answered = self.engine.with(|session| {
            input.fill(session, &empty)?;
            let (schema, batches) = session.batches(&plan.sql)?;
            // Arrow's types do not tell JSON and UUID from text.
            Ok((schema, batches, session.query(&format!("DESCRIBE {}", plan.sql))?))
        });
        let refused = |message: String, help: &str| {
            Err(Undiscovered::Wrong(vec![wrong(&["query"], message, Some(help.to_owned()))]))
        };
        let (found, batches, described) = match answered {
            Ok(answered) => answered,
            Err(error) => return refused(format!("`{}`: {}", table.name, error.message), "look into the query"),
        };
        if batches.iter().any(|batch| batch.num_rows() > 0) {
            let message =
                format!("`{}`: the query answers a row where there is none, as an aggregate does", table.name);
            return refused(message, "each row must come of one row");
        }
        let mut columns = Vec::new();
        // The first column is the row's number.
        let described = described.into_iter().map(|row| row.into_iter().nth(1).flatten().unwrap_or_default());
        let mut computed = found.fields().iter().zip(described).skip(1);
        for (name, item) in &plan.items {
            columns.push(match item {
                Item::Passed(at) => renamed(&table.columns[*at], name),
                Item::Computed => match computed.next() {
                    Some((field, told)) => {
                        let kind = kind_of(field, &told);
                        Column { origin: "sql".to_owned(), ..Column::new(name, kind, "By a query.") }
                    }
                    None => return Err(Error::fatal("a column of the answer is missing").into()),
                },
            });
        }
        for (column, (_, item)) in columns.iter().zip(&plan.items) {
            let fixed = table.column(&column.name).and_then(|was| table.fixed(was));
            if let (Some(fixed), Item::Computed) = (fixed, item) {
                let message = format!("`{}`: `{}` {}, and is computed", table.name, column.name, fixed.what());
                return refused(message, "let it pass as it is, and give what is computed another name");
            }
        }
        let schema = Arc::new(table.with_columns(columns));
        let engine = Arc::clone(&self.engine);
        Ok(Some(Arc::new(Query { schema, plan, input, engine })))
    }
}

/// A column that passes, under its own name or another.
fn renamed(column: &Column, name: &str) -> Column {
    let mut passed = column.clone();
    if passed.name != name {
        name.clone_into(&mut passed.name);
        (passed.key, passed.incremental, passed.field_id) = (false, false, None);
    }
    passed
}

/// The type of an answer's column, which DuckDB calls `told`.
fn kind_of(field: &Field, told: &str) -> ColumnType {
    match told {
        "JSON" => return ColumnType::of(Extension::Json),
        "UUID" => return ColumnType::of(Extension::Uuid),
        _ => {}
    }
    ColumnType::plain(match field.data_type() {
        DataType::LargeUtf8 | DataType::Utf8View | DataType::Dictionary(..) | DataType::Null => DataType::Utf8,
        DataType::LargeBinary | DataType::BinaryView => DataType::Binary,
        DataType::Timestamp(unit, Some(_)) => DataType::Timestamp(*unit, Some("UTC".into())),
        other => other.clone(),
    })
}

/// A column of an answer as one of its table's type.
fn made(array: &ArrayRef, kind: &ColumnType) -> Result<ArrayRef> {
    let wanted = &kind.data_type;
    if array.data_type() == wanted {
        return Ok(Arc::clone(array));
    }
    if kind.extension == Some(Extension::Uuid) {
        let texts = cast(array, &DataType::Utf8).map_err(Error::fatal)?;
        let ids = texts.as_string::<i32>().iter().map(|text| text.and_then(|text| Uuid::parse_str(text).ok()));
        let ids = ids.map(|id| id.map(Uuid::into_bytes));
        let ids = headwater_sdk::arrow::array::FixedSizeBinaryArray::try_from_sparse_iter_with_size(ids, 16);
        return Ok(Arc::new(ids.map_err(Error::fatal)?));
    }
    if let (DataType::Timestamp(from, Some(_)), DataType::Timestamp(to, Some(_))) = (array.data_type(), wanted)
        && from == to
    {
        // A point in time is the same in every zone.
        let data = array.to_data().into_builder().data_type(wanted.clone()).build();
        return data.map(make_array).map_err(Error::fatal);
    }
    cast(array, wanted).map_err(Error::fatal)
}

/// The table `input`, with those columns only that the query speaks of.
struct Input {
    /// Their places in the batch.
    from: Vec<usize>,
    wire: SchemaRef,
    create: String,
}

impl Input {
    fn new(table: &TableSchema, needed: &[usize]) -> Self {
        let (mut fields, mut sql) = (Vec::new(), Vec::new());
        for at in needed {
            let column = &table.columns[*at];
            let kind = Dialect::Duckdb.kind(&column.kind);
            sql.push(format!("{} {}", quote(&column.name), kind.stage));
            let field = Field::new(&column.name, kind.wire.data_type().clone(), true);
            fields.push(field.with_metadata(kind.wire.metadata().clone()));
        }
        sql.push(format!("{ROW} BIGINT"));
        fields.push(Field::new(ROW, DataType::Int64, true));
        let create = format!("CREATE OR REPLACE TEMPORARY TABLE input ({})", sql.join(", "));
        Self { from: needed.to_vec(), wire: Arc::new(Schema::new(fields)), create }
    }

    /// Puts a batch there, in the place of what was there.
    fn fill(&self, session: &mut crate::session::Session, batch: &RecordBatch) -> Result<()> {
        let schema = batch.schema();
        let columns = self.from.iter().zip(self.wire.fields());
        let columns = columns.map(|(at, to)| convert(schema.field(*at), to, batch.column(*at)));
        let mut columns = columns.collect::<Result<Vec<ArrayRef>>>()?;
        columns.push(Arc::new(Int64Array::from_iter_values(0..batch.num_rows() as i64)));
        let wired = RecordBatch::try_new(SchemaRef::clone(&self.wire), columns).map_err(Error::fatal)?;
        session.execute(&self.create)?;
        match batch.num_rows() {
            0 => Ok(()),
            _ => session.ingest(crate::session::Target::Temporary("input"), &self.wire, &[wired]),
        }
    }
}

/// A query over one table.
struct Query {
    schema: Arc<TableSchema>,
    plan: Plan,
    input: Input,
    engine: Arc<Engine>,
}

impl TableTransform for Query {
    fn schema(&self) -> &Arc<TableSchema> {
        &self.schema
    }

    fn apply(&self, batch: &RecordBatch) -> Result<Transformed> {
        let answer = match self.plan.only_passes {
            true => None,
            false => Some(self.engine.with(|session| {
                self.input.fill(session, batch)?;
                let (schema, batches) = session.batches(&self.plan.sql)?;
                concat_batches(&schema, &batches).map_err(Error::fatal)
            })?),
        };
        let rows = answer.as_ref().map(|answer| self.rows(answer, batch.num_rows())).transpose()?;
        let rows = rows.filter(|rows| rows.len() < batch.num_rows());
        let mut computed = answer.iter().flat_map(|answer| answer.columns().iter().skip(1));
        let mut columns = Vec::with_capacity(self.plan.items.len());
        for ((_, item), column) in self.plan.items.iter().zip(&self.schema.columns) {
            columns.push(match item {
                Item::Passed(at) => match &rows {
                    Some(rows) => take(batch.column(*at), rows, None).map_err(Error::fatal)?,
                    None => Arc::clone(batch.column(*at)),
                },
                Item::Computed => {
                    let array = computed.next().ok_or_else(|| Error::fatal("a column of the answer is missing"))?;
                    made(array, &column.kind)?
                }
            });
        }
        let count = answer.as_ref().map_or(batch.num_rows(), RecordBatch::num_rows);
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        let batch = RecordBatch::try_new_with_options(self.schema.arrow(), columns, &options).map_err(Error::fatal)?;
        Ok(Transformed::whole(batch))
    }
}

impl Query {
    /// The rows of the batch that an answer has, each once and in their order.
    fn rows(&self, answer: &RecordBatch, most: usize) -> Result<UInt64Array> {
        let numbers = answer.column(0).as_primitive_opt::<Int64Type>();
        let numbers = numbers.ok_or_else(|| Error::fatal("the rows of the answer have no numbers"))?;
        let in_order = numbers.values().windows(2).all(|pair| pair[0] < pair[1]);
        let within = numbers.values().iter().all(|row| usize::try_from(*row).is_ok_and(|row| row < most));
        match in_order && within && numbers.null_count() == 0 {
            true => Ok(UInt64Array::from_iter_values(numbers.values().iter().map(|row| *row as u64))),
            false => Err(Error::fatal("the query answers a row more than once, or in another order")),
        }
    }
}

#[cfg(test)]
mod tests;
