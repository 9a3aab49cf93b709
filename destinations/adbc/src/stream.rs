//! A part of many rows that are only added, in DuckDB: they go into the table itself as they come, in a transaction of a
//! connection of their own, instead of waiting in a temporary table and being written a second time.

use std::sync::Arc;

use headwater_sdk::arrow::array::RecordBatch;
use headwater_sdk::arrow::datatypes::{Field, Schema, SchemaRef};
use headwater_sdk::{Committed, Error, Part, Result};

use crate::dialect::{Dialect, literal};
use crate::publish::of_unit;
use crate::session::{Session, Target};
use crate::store::{Store, Waiting};

/// So many of them are open at once; each has the rows of a row group in memory.
const MOST: usize = 4;

/// An open transaction into which rows go. Where it is dropped, nothing of it stays.
pub struct Stream {
    session: Session,
    table: String,
    wire: SchemaRef,
    /// For each column of the table, which of the part's it is.
    order: Vec<usize>,
    /// How many rows the table had, as this transaction sees it.
    before: u64,
    rows: u64,
}

impl Stream {
    /// Begins; none where the rows have to wait, because too many parts do this already, or the table is not the part's.
    pub fn begin(store: &mut Store, part: &Part, columns: &Waiting) -> Result<Option<Self>> {
        let dialect = store.dialect;
        if dialect != Dialect::Duckdb || store.streams() >= MOST {
            return Ok(None);
        }
        let Some(order) = order(store.session(), part)? else { return Ok(None) };
        let mut session = store.connect()?;
        session.begin()?;
        let table = dialect.table(&part.table.name);
        if part.resumed {
            session.delete(&table, &of_unit(part, dialect, "=")?)?;
        }
        let named = |at: &usize| {
            let field: &Field = columns.wire.field(*at);
            field.clone().with_name(&part.table.columns[*at].name)
        };
        let wire = Arc::new(Schema::new(order.iter().map(named).collect::<Vec<_>>()));
        let before = session.number(&format!("SELECT count(*) FROM {table}"))?;
        Ok(Some(Self { session, table: part.table.name.clone(), wire, order, before, rows: 0 }))
    }

    /// Adds converted batches.
    pub fn add(&mut self, batches: &[RecordBatch]) -> Result<()> {
        let arranged = batches.iter().map(|batch| {
            self.rows += batch.num_rows() as u64;
            let columns = self.order.iter().map(|at| Arc::clone(batch.column(*at))).collect();
            RecordBatch::try_new(SchemaRef::clone(&self.wire), columns).map_err(Error::destination)
        });
        let batches = arranged.collect::<Result<Vec<_>>>()?;
        self.session.ingest(Target::Table(&self.table), &self.wire, &batches)
    }

    /// Makes the rows visible.
    pub fn commit(mut self) -> Result<Committed> {
        let all = self.before + self.rows;
        self.session.ensure_rows(&Dialect::Duckdb.table(&self.table), all)?;
        self.session.commit()?;
        Ok(Committed { written: self.rows, ..Committed::default() })
    }
}

/// For each column of the table, which of the part's it is; none where they are not the same. DuckDB's driver goes by their
/// places, and casts nothing.
fn order(session: &mut Session, part: &Part) -> Result<Option<Vec<usize>>> {
    let found = session.query(&format!(
        "SELECT column_name, data_type FROM duckdb_columns() WHERE database_name = current_database() \
         AND schema_name = current_schema() AND lower(table_name) = lower({}) ORDER BY column_index",
        literal(&part.table.name)
    ))?;
    if found.len() != part.table.columns.len() {
        return Ok(None);
    }
    let place = |row: Vec<Option<String>>| {
        let [Some(name), Some(kind)] = <[Option<String>; 2]>::try_from(row).ok()? else { return None };
        let same = |name: &str, other: &str| name.eq_ignore_ascii_case(other);
        let at = part.table.columns.iter().position(|column| same(&column.name, &name))?;
        let wanted = Dialect::Duckdb.kind(&part.table.columns[at].kind).sql;
        Dialect::Duckdb.same_type(&kind, &wanted).then_some(at)
    };
    Ok(found.into_iter().map(place).collect())
}
