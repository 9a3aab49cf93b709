//! What a sync shows while it runs: a live table on a terminal, plain lines elsewhere, or nothing.

pub mod board;
pub mod live;
pub mod log;
pub mod plain;

use std::sync::Arc;
use std::time::Duration;

use headwater_sdk::registry::Node;
use headwater_sdk::unit::Unit;

use crate::sync::outcome::UnitOutcome;

/// A table that will be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// The source's place in the configuration.
    pub source: usize,
    /// The source's name.
    pub source_name: Arc<str>,
    /// The table.
    pub table: Arc<str>,
}

impl Planned {
    /// The tables that a source reads.
    pub fn of(source: usize, source_name: &str, tables: &[Node]) -> Vec<Planned> {
        let source_name: Arc<str> = source_name.into();
        let planned = |node: &Node| Planned {
            source,
            source_name: Arc::clone(&source_name),
            table: node.schema.name.as_str().into(),
        };
        tables.iter().flat_map(Node::flatten).map(planned).collect()
    }
}

/// How the process fares.
#[derive(Debug, Clone, Copy, Default)]
pub struct Vitals {
    /// Memory of the budget that is in use, in bytes.
    pub memory: u64,
    /// The budget, in bytes.
    pub budget: u64,
    /// Calls made, each try counted.
    pub calls: u64,
    /// Calls that were throttled.
    pub throttled: u64,
}

/// Is told what happens, from several tasks at once.
pub trait Progress: Send + Sync {
    /// What will be read.
    fn planned(&self, _tables: Vec<Planned>) {}
    /// So many more places of a source, such as accounts, are going to be opened.
    fn places(&self, _source: usize, _count: usize) {}
    /// A place was opened, and has these units.
    fn found(&self, _source: usize, _units: &[Unit]) {}
    /// A place could not be opened.
    fn not_opened(&self, _source: usize) {}
    /// All units of a source are known.
    fn all_found(&self, _source: usize) {}
    /// A unit has begun.
    fn started(&self, _source: usize, _root: &str) {}
    /// Rows of a table have been handed to the destinations.
    fn rows(&self, _source: usize, _table: &str, _rows: u64) {}
    /// A unit has ended.
    fn finished(&self, _source: usize, _unit: &UnitOutcome) {}
    /// A unit was given up because the sync is to stop.
    fn dropped(&self, _source: usize, _root: &str) {}
    /// How often [`Progress::tick`] is wanted.
    fn interval(&self) -> Option<Duration> {
        None
    }
    /// Time has passed.
    fn tick(&self, _vitals: &Vitals) {}
    /// The sync has ended.
    fn end(&self) {}
}

/// Shows nothing.
pub struct Quiet;

impl Progress for Quiet {}
