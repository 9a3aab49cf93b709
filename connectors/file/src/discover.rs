//! The tables that are found in folders, and what the `spec` says of them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use headwater_sdk::schema::PARTS;
use headwater_sdk::selection::matches;
use headwater_sdk::text::nearest;
use headwater_sdk::{Error, Selection, TableSchema, Undiscovered, Wrong};

use crate::format::{Kind, Options, Told, look};
use crate::paths::{Files, Fit, below, common, partitions};
use crate::spec::{Spec, TableSpec};
use crate::table::{self, DataFile, Found, NAME};

/// Rows and bytes of a batch, where nothing else is said.
const BATCH: (usize, usize) = (64 << 10, 8 << 20);

/// What was found.
#[derive(Default)]
pub struct All {
    /// The tables that are read.
    pub found: BTreeMap<String, Arc<Found>>,
    /// The names of the others.
    pub others: Vec<String>,
    /// Tables of which no file could be read.
    pub broken: Vec<(String, Error)>,
}

/// The files of a table, before they are looked at.
struct Listed {
    /// The way to what says where they are.
    at: Vec<String>,
    files: Vec<DataFile>,
}

fn tables(name: &str, steps: &[&str]) -> Vec<String> {
    ["tables", name].iter().chain(steps).map(|step| (*step).to_owned()).collect()
}

/// Finds the tables, and looks at the files of those that are selected.
///
/// # Errors
/// If folders cannot be read, or the `spec` does not fit what is in them.
pub fn discover(spec: &Spec, selection: &Selection) -> Result<All, Undiscovered> {
    let mut wrong = Vec::new();
    let mut listed = BTreeMap::new();
    beside(spec, &mut listed, &mut wrong)?;
    for (name, table) in &spec.tables {
        match &table.path {
            Some(paths) => {
                let listed_here = of_table(spec, name, table, paths.all(), &mut wrong)?;
                listed.extend(listed_here.map(|listed| (name.clone(), listed)));
            }
            None if listed.contains_key(name) => {}
            None => wrong.push(Wrong {
                at: tables(name, &[]),
                message: format!("no files of a table `{name}` are found"),
                help: Some(match nearest(name, listed.keys().map(String::as_str)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "say `path` where they are".to_owned(),
                }),
            }),
        }
    }
    let mut all = All::default();
    for (name, listed) in listed {
        let any = |patterns: &[String]| patterns.iter().any(|pattern| matches(pattern, &name));
        if !any(&selection.tables) || any(&selection.skip) {
            all.others.push(name);
            continue;
        }
        match read(spec, &name, listed, &mut wrong) {
            Ok(Some(found)) => {
                all.found.insert(name, Arc::new(found));
            }
            Ok(None) => {}
            Err(error) if selection.tables.contains(&name) => return Err(error.into()),
            Err(error) => all.broken.push((name, error)),
        }
    }
    if !wrong.is_empty() {
        return Err(Undiscovered::Wrong(wrong));
    }
    match all.broken.first() {
        Some((_, error)) if all.found.is_empty() => Err(error.clone().into()),
        _ => Ok(all),
    }
}

/// The tables that `path` finds.
fn beside(spec: &Spec, listed: &mut BTreeMap<String, Listed>, wrong: &mut Vec<Wrong>) -> Result<(), Undiscovered> {
    let Some(path) = &spec.path else { return Ok(()) };
    let at = || vec!["path".to_owned()];
    let patterns = match Files::of_tables(path) {
        Ok(patterns) => patterns,
        Err(message) => {
            wrong.push(Wrong { at: at(), message, help: None });
            return Ok(());
        }
    };
    let mut fits: BTreeMap<String, Vec<Fit>> = BTreeMap::new();
    for pattern in &patterns {
        for fit in pattern.find(spec.format.is_some()).map_err(Error::fatal)? {
            fits.entry(fit.table.clone().unwrap_or_default()).or_default().push(fit);
        }
    }
    if fits.is_empty() {
        let message = format!("there are no files of tables in `{path}`");
        let help = "it is a folder with a folder of files for each table, or a pattern with {{TABLE}}";
        wrong.push(Wrong { at: at(), message, help: Some(help.to_owned()) });
    }
    let base = common(patterns.iter().map(Files::base));
    for (told, fits) in fits {
        let name = own_name(spec, &told, &fits);
        let table = spec.tables.get(&name).cloned().unwrap_or_default();
        if table.path.is_none() {
            let files = files(spec, &told, &table, &base, fits, &at(), wrong);
            listed.insert(name, Listed { at: at(), files });
        }
    }
    Ok(())
}

/// The name of a table whose folder could not be called so: its files tell it.
fn own_name(spec: &Spec, told: &str, fits: &[Fit]) -> String {
    let from_file = || {
        let fit = fits.first()?;
        let kind = Kind::of(fit.path.file_name()?.to_str()?, spec.format).filter(|kind| !kind.is_text())?;
        let told = look(&fit.path, kind, &options(spec, &TableSpec::default()).ok()?).ok()?;
        told.schema.metadata().get(NAME).cloned()
    };
    let has_hash = told.rsplit_once('~').is_some_and(|(_, hash)| hash.len() == 16);
    has_hash.then(from_file).flatten().unwrap_or_else(|| told.to_owned())
}

/// The files that a table's own `path` finds.
fn of_table(
    spec: &Spec,
    name: &str,
    table: &TableSpec,
    paths: &[String],
    wrong: &mut Vec<Wrong>,
) -> Result<Option<Listed>, Undiscovered> {
    let at = tables(name, &["path"]);
    let said = table.format.or(spec.format).is_some();
    let mut patterns = Vec::new();
    let mut fits = Vec::new();
    for (index, path) in paths.iter().enumerate() {
        let mut at = at.clone();
        if paths.len() > 1 {
            at.push(index.to_string());
        }
        let pattern = match Files::parse(path) {
            Ok(pattern) if pattern.tells_tables() => {
                let message = format!("`{path}` is of one table, so it has no {{{{TABLE}}}}");
                wrong.push(Wrong { at, message, help: Some("say * instead".to_owned()) });
                continue;
            }
            Ok(pattern) => pattern,
            Err(message) => {
                wrong.push(Wrong { at, message, help: None });
                continue;
            }
        };
        let found = pattern.find(said).map_err(Error::fatal)?;
        if found.is_empty() {
            let message = format!("no file fits `{}`", pattern.written());
            wrong.push(Wrong { at, message, help: None });
        }
        fits.extend(found);
        patterns.push(pattern);
    }
    fits.sort();
    fits.dedup();
    if fits.is_empty() {
        return Ok(None);
    }
    let base = common(patterns.iter().map(Files::base));
    let files = files(spec, name, table, &base, fits, &at, wrong);
    Ok(Some(Listed { at, files }))
}

fn files(
    spec: &Spec,
    told: &str,
    table: &TableSpec,
    base: &Path,
    fits: Vec<Fit>,
    at: &[String],
    wrong: &mut Vec<Wrong>,
) -> Vec<DataFile> {
    let has_partitions = table.hive.or(spec.hive).unwrap_or(true);
    let mut files = Vec::new();
    for Fit { path, .. } in fits {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let Some(kind) = Kind::of(name, table.format.or(spec.format)) else {
            let message = format!("the name of {} does not tell its format", path.display());
            let help = "say `format`, or a pattern that this file does not fit";
            wrong.push(Wrong { at: at.to_vec(), message, help: Some(help.to_owned()) });
            continue;
        };
        let unit = below(base, &path);
        let mut partitions = if has_partitions { partitions(&unit) } else { Vec::new() };
        // That of the table itself.
        partitions.retain(|(_, value)| value.as_deref() != Some(told));
        files.push(DataFile { path, unit, kind, partitions });
    }
    files
}

fn options(spec: &Spec, table: &TableSpec) -> headwater_sdk::Result<Options> {
    Ok(Options {
        csv: table.csv.as_ref().unwrap_or(&spec.csv).checked()?,
        infer_rows: table.infer_rows.or(spec.infer_rows),
        rows: spec.rows_per_batch.unwrap_or(BATCH.0),
        bytes: spec.bytes_per_batch.unwrap_or(BATCH.1),
    })
}

/// Looks at a table's files. Those that cannot be read are left to their units, which will tell; where there are no others,
/// the first one's error is the table's.
fn read(spec: &Spec, name: &str, listed: Listed, wrong: &mut Vec<Wrong>) -> headwater_sdk::Result<Option<Found>> {
    let nothing = TableSpec::default();
    let table = spec.tables.get(name).unwrap_or(&nothing);
    let options = options(spec, table)?;
    let mut all = Vec::new();
    let mut good: Vec<(Arc<DataFile>, Told)> = Vec::new();
    let mut first = None;
    for mut file in listed.files {
        let told = caught(|| look(&file.path, file.kind, &options));
        if let Ok(told) = &told {
            file.partitions.retain(|(name, _)| told.schema.column_with_name(name).is_none());
        }
        let file = Arc::new(file);
        all.push(Arc::clone(&file));
        match told {
            Ok(told) => good.push((file, told)),
            Err(error) => first = first.or_else(|| Some(error.while_doing(file.path.display()))),
        }
    }
    if let Some(error) = first.filter(|_| good.is_empty()) {
        return Err(error.while_doing(format_args!("table {name}")));
    }
    if good.is_empty() {
        return Ok(None);
    }
    match table::table(name, &good, all, table, options) {
        Ok(found) => Ok(Some(found)),
        Err(problems) => {
            for (way, message, help) in problems {
                // What is said of no table in the spec is wrong with where its files are.
                let at = match spec.tables.contains_key(name) {
                    true => tables(name, &way.iter().map(String::as_str).collect::<Vec<_>>()),
                    false => listed.at.clone(),
                };
                wrong.push(Wrong { at, message, help });
            }
            Ok(None)
        }
    }
}

/// A file that makes a library panic is broken.
pub fn caught<T>(read: impl FnOnce() -> headwater_sdk::Result<T>) -> headwater_sdk::Result<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(read))
        .unwrap_or_else(|_| Err(Error::fatal("the file is broken: the library that reads it gave up")))
}

/// A table of which only the name is known.
pub fn named(name: &str) -> TableSchema {
    TableSchema::of_database(name, "", PARTS, Vec::new())
}
