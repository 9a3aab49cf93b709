//! `headwater test`: runs a pipeline on rows in files, without servers, and compares what comes of it with what should.
//!
//! A folder has the configuration, `input/SOURCE/TABLE.jsonl` (or any format of source `file`) for what each source reads,
//! and `expected/DESTINATION/TABLE.jsonl` for what each destination gets. All that lies between them is what a sync does:
//! the selection of tables, columns and rows, and transformers.

mod collect;
mod compare;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use headwater_file_source::{ColumnSpec, Spec, TableSpec};
use headwater_sdk::registry::Node;
use headwater_sdk::{Connector, Destination, TableSchema, Timestamp};
use serde_json::Value;

use crate::builtin::{Registry, StandIn};
use crate::config;
use crate::progress::Quiet;
use crate::state::Run;
use crate::summary;
use crate::sync::stop::Stop;
use crate::sync::{self, Keeping};
use crate::text::plural;
use collect::{Collect, Rows};
use compare::difference;

/// What stands for a variable that is not set: long enough for a key of hashes.
const VARIABLE: &str = "a value for tests of 34 characters";

/// The folders of tests at a path: itself, or those below it.
pub fn folders(path: &Path) -> Result<Vec<PathBuf>> {
    if path.join("input").is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let shown = path.display();
    let entries = fs::read_dir(path).with_context(|| format!("{shown}: the folder cannot be read"))?;
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.with_context(|| format!("{shown}: the folder cannot be read"))?.path();
        if entry.join("input").is_dir() {
            found.push(entry);
        }
    }
    found.sort();
    if found.is_empty() {
        bail!(
            "{shown}: there is no folder `input` in it, nor in the folders in it\n  = put the rows that a source reads into `input/SOURCE/TABLE.jsonl`"
        );
    }
    Ok(found)
}

/// What came of a test.
pub struct Verdict {
    /// What is said about it.
    pub text: String,
    /// Whether all is as it should be.
    pub passed: bool,
}

/// Runs the test of a folder. The configuration is `pipeline`, or in the folder itself. With `update`, what comes is what is
/// expected from now on.
///
/// # Errors
/// If the configuration or the files cannot be read.
pub async fn run(folder: &Path, pipeline: &[PathBuf], registry: Registry, update: bool) -> Result<Verdict> {
    let collected: Arc<Mutex<BTreeMap<String, Arc<Collect>>>> = Arc::default();
    let registry = Registry { stand_in: Some(stand_in(folder, &collected)), ..registry };
    let own = [folder.to_owned()];
    let files = if pipeline.is_empty() { &own[..] } else { pipeline };
    let variable = |name: &str| Some(std::env::var(name).unwrap_or_else(|_| VARIABLE.to_owned()));
    let configuration = config::load(files, &registry, &variable)?;
    let keeping = Keeping { run: Arc::new(Run::unkept(Timestamp::now())), spool: None };
    let outcome = sync::run(configuration, sync::Options::default(), keeping, Arc::new(Quiet), Stop::default()).await;
    let shown = folder.display();
    if outcome.verdict().exit_code() != 0 {
        let telling = summary::Telling { verbose: false, slow: false };
        return Ok(Verdict { text: format!("✗ {shown}\n{}\n", summary::summary(&outcome, telling)), passed: false });
    }
    let collected = collected.lock().unwrap_or_else(PoisonError::into_inner);
    let mut differences = String::new();
    let (mut tables, mut rows, mut wrong) = (0, 0, 0);
    for (name, destination) in &*collected {
        let expected_in = folder.join("expected").join(name);
        let found = destination.rows();
        if update {
            write(&expected_in, &found)?;
        }
        let expected = read(&expected_in)?;
        for table in found.keys().chain(expected.keys()).collect::<BTreeSet<_>>() {
            let (found, expected) = (found.get(table), expected.get(table));
            tables += 1;
            rows += found.map_or(0, Vec::len);
            let differs = difference(expected.map_or(&[], Vec::as_slice), found.map_or(&[], Vec::as_slice));
            if let Some(differs) = differs {
                wrong += 1;
                differences.push_str(&format!("  {name}, {table}\n{differs}"));
            }
        }
    }
    if wrong == 0 {
        let text = format!("✓ {shown}  {}, {}\n", plural(tables, "table"), plural(rows, "row"));
        return Ok(Verdict { text, passed: true });
    }
    let text = format!(
        "✗ {shown}  {wrong} of {} differ: - is expected, + is what came\n{differences}  = `headwater test --update {shown}` \
         writes what came as what is expected\n",
        plural(tables, "table")
    );
    Ok(Verdict { text, passed: false })
}

/// What takes the place of sources and destinations.
fn stand_in(folder: &Path, collected: &Arc<Mutex<BTreeMap<String, Arc<Collect>>>>) -> StandIn {
    let (input, collected) = (folder.join("input"), Arc::clone(collected));
    StandIn {
        source: Box::new(move |name, tables| source(&input, name, tables)),
        destination: Box::new(move |name| {
            let mut collected = collected.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(collected.entry(name.to_owned()).or_default()) as Arc<dyn Destination>
        }),
    }
}

/// A source of what stands in the files for another. `known` are the tables that that one has, where it knows them.
fn source(input: &Path, name: &str, known: &[Node]) -> Result<Arc<dyn Connector>, String> {
    let folder = input.join(name);
    if !folder.is_dir() {
        let shown = folder.display();
        return Err(format!("there are no rows for the source `{name}`: the folder {shown} is missing"));
    }
    let mut tables: BTreeMap<String, TableSpec> = match fs::read_to_string(input.join(format!("{name}.yml"))) {
        Ok(text) => serde_saphyr::from_str(&text).map_err(|error| format!("input/{name}.yml: {error}"))?,
        Err(error) if error.kind() == ErrorKind::NotFound => BTreeMap::new(),
        Err(error) => return Err(format!("input/{name}.yml: {error}")),
    };
    for node in known.iter().flat_map(Node::flatten) {
        let file = folder.join(format!("{}.jsonl", node.schema.name));
        if let Ok(text) = fs::read_to_string(&file)
            && !tables.contains_key(&node.schema.name)
        {
            tables.insert(node.schema.name.clone(), typed(&node.schema, &text));
        }
    }
    let spec = Spec { path: Some(folder.display().to_string()), tables, ..Spec::default() };
    headwater_file_source::connector(spec).map_err(|error| error.to_string())
}

/// The types that a table's columns have, of those columns that rows have a value for.
fn typed(schema: &TableSchema, rows: &str) -> TableSpec {
    let rows: Vec<Value> = rows.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let is_there = |name: &str| rows.iter().any(|row| row.get(name).is_some());
    let columns = schema.columns.iter().filter(|column| !column.name.starts_with("_cq_") && is_there(&column.name));
    let said = |kind: String| ColumnSpec { kind: Some(kind), ..ColumnSpec::default() };
    let key = schema.key().into_iter().filter(|name| is_there(name)).map(str::to_owned).collect();
    TableSpec {
        columns: columns.map(|column| (column.name.clone(), said(column.kind.name()))).collect(),
        key: Some(key),
        ..TableSpec::default()
    }
}

/// What is expected of a destination.
fn read(folder: &Path) -> Result<Rows> {
    let mut tables = Rows::new();
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(tables),
        Err(error) => return Err(error).with_context(|| format!("{}: the folder cannot be read", folder.display())),
    };
    for entry in entries {
        let path = entry.with_context(|| format!("{}: the folder cannot be read", folder.display()))?.path();
        let shown = path.display();
        let (Some(name), Some("jsonl")) =
            (path.file_stem().and_then(|stem| stem.to_str()), path.extension().and_then(|ending| ending.to_str()))
        else {
            bail!("{shown}: expected rows are in files TABLE.jsonl");
        };
        let text = fs::read_to_string(&path).with_context(|| format!("{shown}: the file cannot be read"))?;
        let mut rows = Vec::new();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let row = serde_json::from_str(line);
            rows.push(row.with_context(|| format!("{shown}:{}: this is no JSON", number + 1))?);
        }
        tables.insert(name.to_owned(), rows);
    }
    Ok(tables)
}

/// Writes what is expected from now on, in an order of its own.
fn write(folder: &Path, tables: &Rows) -> Result<()> {
    for path in read(folder)?.keys().filter(|name| !tables.contains_key(*name)) {
        fs::remove_file(folder.join(format!("{path}.jsonl")))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("{}: the folder cannot be made", folder.display()))?;
    for (table, rows) in tables {
        let mut lines: Vec<String> = rows.iter().map(compare::plain).collect();
        lines.sort();
        let path = folder.join(format!("{table}.jsonl"));
        let text = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        fs::write(&path, text).with_context(|| format!("{}: the file cannot be written", path.display()))?;
    }
    Ok(())
}
