//! `cargo xtask stats`: how much of each connector is generated.
//!
//! Columns are counted in the snapshots, where each says where it comes from, so that no connector is compiled.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};

use crate::regenerate::Project;

/// What is counted of a connector.
#[derive(Default, Clone, Copy)]
struct Count {
    tables: usize,
    columns: usize,
    by_hand: usize,
    annotated_lines: usize,
    other_lines: usize,
    generated_lines: usize,
}

impl Count {
    fn add(&mut self, other: Self) {
        self.tables += other.tables;
        self.columns += other.columns;
        self.by_hand += other.by_hand;
        self.annotated_lines += other.annotated_lines;
        self.other_lines += other.other_lines;
        self.generated_lines += other.generated_lines;
    }

    fn row(&self, name: &str) -> String {
        let generated = self.columns - self.by_hand;
        let share = 100.0 * generated as f64 / self.columns.max(1) as f64;
        let per_table = self.annotated_lines as f64 / self.tables.max(1) as f64;
        format!(
            "{name:10} {:>7} {:>8} {:>10} {:>9} {share:>9.1} % {:>11} {per_table:>10.1} {:>11} {:>10}",
            self.tables,
            self.columns,
            generated,
            self.by_hand,
            self.annotated_lines,
            self.other_lines,
            self.generated_lines,
        )
    }
}

/// Prints the table.
#[allow(clippy::print_stdout)]
pub fn run() -> Result<()> {
    let project = Project::open()?;
    let snapshots = columns_by_table(&project.root.join("snapshots/tables"))?;
    let mut text = format!(
        "{:10} {:>7} {:>8} {:>10} {:>9} {:>11} {:>11} {:>10} {:>11} {:>10}\n",
        "connector",
        "tables",
        "columns",
        "generated",
        "by hand",
        "generated",
        "annotated",
        "per table",
        "other",
        "generated"
    );
    let _ = writeln!(
        text,
        "{:10} {:>7} {:>8} {:>10} {:>9} {:>11} {:>11} {:>10} {:>11} {:>10}",
        "", "", "", "columns", "columns", "share", "lines", "(lines)", "hand lines", "lines"
    );
    let mut total = Count::default();
    for connector in project.connectors()? {
        let source = project.root.join("connectors").join(&connector.id).join("src");
        let lines = |path: &Path| -> Result<usize> {
            let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
            Ok(text.lines().filter(|line| !line.trim().is_empty()).count())
        };
        let mut count = Count { tables: connector.service.tables.len(), ..Count::default() };
        let mut hand_lines = 0;
        for entry in std::fs::read_dir(&source)? {
            let path = entry?.path();
            let generated = path.file_name().is_some_and(|name| name == "generated.rs");
            *(if generated { &mut count.generated_lines } else { &mut hand_lines }) += lines(&path)?;
        }
        for table in &connector.service.tables {
            count.annotated_lines += table.lines;
            let (columns, by_hand) = snapshots.get(&table.name).with_context(|| {
                format!("{} has no snapshot yet: run `cargo insta test --accept -p headwater-snapshots`", table.name)
            })?;
            count.columns += columns;
            count.by_hand += by_hand;
        }
        count.other_lines = hand_lines.saturating_sub(count.annotated_lines);
        let _ = writeln!(text, "{}", count.row(&connector.id));
        total.add(count);
    }
    let _ = writeln!(text, "{}", total.row("all"));
    println!("{text}");
    Ok(())
}

/// Of each table how many columns it has, and how many of them were written by hand.
fn columns_by_table(folder: &Path) -> Result<BTreeMap<String, (usize, usize)>> {
    let mut tables = BTreeMap::new();
    for family in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        for entry in std::fs::read_dir(family?.path())? {
            let path = entry?.path();
            let text = std::fs::read_to_string(&path)?;
            let Some(name) = path.file_stem().map(|name| name.to_string_lossy().into_owned()) else { continue };
            // The columns stand after the blank line that ends the snapshot's heading.
            let rows = text.split("\n\n").nth(1).unwrap_or_default();
            let origins: Vec<&str> = rows.lines().filter_map(origin).collect();
            let by_hand = origins.iter().filter(|origin| !is_generated(origin)).count();
            tables.insert(name, (origins.len(), by_hand));
        }
    }
    Ok(tables)
}

/// What stands in the last column of a snapshot's line.
fn origin(line: &str) -> Option<&str> {
    let at = line.rfind("  ")?;
    Some(line[at..].trim())
}

/// Whether a column comes from a record's field, directly or flattened, from the
/// scope or the parent's key, or is a hash of the row.
fn is_generated(origin: &str) -> bool {
    let origin = origin.split_once(" (sensitive").map_or(origin, |(origin, _)| origin);
    let origin = match origin.strip_prefix("get ") {
        Some(flattened) => flattened.split_once(": ").map_or("", |(_, field)| field),
        None => origin,
    };
    let field = |text: &str| {
        let (record, field) = text.split_once('.')?;
        let plain = |text: &str| text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
        (record.starts_with(|letter: char| letter.is_ascii_uppercase()) && plain(record) && plain(field)).then_some(())
    };
    ["scope", "hash of the row"].contains(&origin)
        || origin.strip_prefix("parent.").is_some_and(|key| !key.contains(['.', '(']))
        || field(origin).is_some()
}

#[cfg(test)]
mod tests {
    use super::{is_generated, origin};

    #[test]
    fn origins() {
        assert_eq!(
            origin("arn  utf8  key   scope.arn(\"ec2\", \"vpc\", &row.vpc_id)"),
            Some("scope.arn(\"ec2\", \"vpc\", &row.vpc_id)")
        );
        assert!(is_generated("scope") && is_generated("Vpc.vpc_id") && is_generated("Vpc.secret (sensitive)"));
        assert!(is_generated("Vpn.options (sensitive: Tunnels[*].Key, Other)"));
        assert!(is_generated("get get_bucket_logging: LoggingEnabled.target_bucket"));
        assert!(!is_generated("get get_bucket_policy_status") && !is_generated("parent.columns.arn.clone()"));
    }
}
