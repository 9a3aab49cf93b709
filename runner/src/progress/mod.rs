//! What a sync shows while it runs: a live table on a terminal, plain lines elsewhere, or nothing.

pub mod board;
pub mod live;
pub mod log;
pub mod plain;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

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
    /// How many units have it.
    pub units: usize,
}

impl Planned {
    /// The tables of a source's units, by name.
    pub fn of(source: usize, source_name: &str, units: &[Unit]) -> Vec<Planned> {
        let source_name: Arc<str> = source_name.into();
        let mut tables: BTreeMap<&str, usize> = BTreeMap::new();
        for node in units.iter().flat_map(|unit| unit.node.flatten()) {
            *tables.entry(&node.schema.name).or_default() += 1;
        }
        let planned = |(table, units): (&str, usize)| Planned {
            source,
            source_name: Arc::clone(&source_name),
            table: table.into(),
            units,
        };
        tables.into_iter().map(planned).collect()
    }
}

/// Is told what happens, from several tasks at once.
pub trait Progress: Send + Sync {
    /// What will be read.
    fn planned(&self, _tables: Vec<Planned>) {}
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
    fn tick(&self) {}
    /// The sync has ended.
    fn end(&self) {}
}

/// Shows nothing.
pub struct Quiet;

impl Progress for Quiet {}
