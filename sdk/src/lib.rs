//! The contract between connectors, destinations and the runner: tables, records, columns, batches, units of work
//! and errors.
//!
//! A connector describes its tables with `#[derive(Table)]`; the traits here say what a column's Arrow type is and
//! how a value is appended, [`unit`] runs a table for one scope, and [`destination`] is what a target implements.

// The derives name this crate by its own name, also in its own tests.
extern crate self as headwater_sdk;

mod admission;
pub mod api;
pub mod batch;
pub mod calls;
pub mod column;
pub mod connector;
pub mod cq_id;
pub mod destination;
pub mod divide;
pub mod error;
pub mod fetch;
pub mod fidelity;
pub mod json;
pub mod local;
pub mod memory;
pub mod path;
pub mod plain;
pub mod plan;
pub mod pool;
pub mod range;
mod read;
pub mod record;
pub mod registry;
pub mod rejects;
pub mod schema;
pub mod scope;
pub mod selection;
pub mod spec;
pub mod sql;
pub mod state;
pub mod table;
pub mod task;
pub mod testing;
pub mod text;
pub mod transform;
pub mod type_names;
pub mod types;
pub mod unit;
pub mod value;

pub use arrow;
pub use async_trait::async_trait;
pub use futures;
pub use headwater_derive::{Record, Table};
pub use inventory;
pub use uuid::Uuid;

pub use api::{Api, ApiConnector, Opened, WantedScopes};
pub use calls::{CallLimits, Calls};
pub use column::{ColumnDef, ColumnWriter};
pub use connector::{Connector, Found, Undiscovered, Wanted, Wrong};
pub use destination::{Committed, Destination, Outcome, Part, PartWriter, Removed, WriteMode};
pub use error::{Class, Error, Result};
pub use fetch::{Get, List};
pub use fidelity::Stored;
pub use json::WriteJson;
pub use memory::Budget;
pub use plan::TablePlan;
pub use range::{Bound, Range};
pub use record::Record;
pub use registry::{AnyTable, TableEntry};
pub use rejects::Rejects;
pub use schema::{Column, ColumnType, Extension, TableSchema};
pub use scope::{Scope, ScopeColumn, Scopes};
pub use selection::Selection;
pub use state::{SavedRun, StateStore, UnitHash};
pub use table::{Context, Parent, Row, Table};
pub use transform::{Fixed, TableTransform, Transformed, Transformer};
pub use types::{Binary, Enum, Inet, KeyValues, Mac, RawJson, Timestamp};
pub use unit::{Message, Unit};
pub use value::Value;
