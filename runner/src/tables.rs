//! `headwater tables`: the documentation of tables, from the same schemas that a sync writes.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use headwater_sdk::registry::Node;
use headwater_sdk::{Column, TableSchema};
use serde::Serialize;
use serde_json::Value;

use crate::columns::Shapes;
use crate::config::destination::Destination;
use crate::config::source::Source;

/// A table with what is around it.
pub struct TableDoc {
    /// The connector that reads it, or the source's name in the configuration.
    pub source: String,
    /// The destination that it is for, where transformers make another table of it on the way there.
    pub destination: Option<String>,
    /// The table.
    pub schema: TableSchema,
    /// The tables that hang from it.
    pub children: Vec<String>,
}

/// The documentation of a connector's tables, parents before their children, with what is done with their columns.
pub fn docs(source: &str, roots: &[Node], shapes: &Shapes) -> Vec<TableDoc> {
    let doc = |node: &Node| TableDoc {
        source: source.to_owned(),
        destination: None,
        schema: (*shapes.schema(&node.schema)).clone(),
        children: node.children.iter().map(|child| child.schema.name.clone()).collect(),
    };
    roots.iter().flat_map(Node::flatten).map(doc).collect()
}

/// The documentation of a source's tables as transformers make them for its destinations.
pub fn transformed(source: &Source, roots: &[Node], destinations: &[Destination]) -> Vec<TableDoc> {
    let of = destinations.iter().filter(|of| source.spec.destinations.contains(&of.spec.name));
    of.flat_map(|destination| {
        let docs = docs(&source.spec.name, roots, &source.shapes).into_iter();
        docs.filter_map(|doc| {
            let schema = (**destination.chains.get(&doc.schema.name)?.schema()).clone();
            Some(TableDoc { destination: Some(destination.spec.name.clone()), schema, ..doc })
        })
    })
    .collect()
}

#[derive(Serialize)]
struct TableJson<'a> {
    source: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    destination: Option<&'a str>,
    name: &'a str,
    description: &'a str,
    parent: Option<&'a str>,
    children: &'a [String],
    scopes: &'a str,
    calls: &'a str,
    key: Vec<&'a str>,
    columns: Vec<ColumnJson<'a>>,
}

#[derive(Serialize)]
struct ColumnJson<'a> {
    name: &'a str,
    r#type: String,
    description: &'a str,
    key: bool,
    nullable: bool,
    sensitive: bool,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    secrets: &'a [String],
    origin: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    shape: Option<&'a Value>,
}

impl TableDoc {
    fn json(&self) -> TableJson<'_> {
        let schema = &self.schema;
        TableJson {
            source: &self.source,
            destination: self.destination.as_deref(),
            name: &schema.name,
            description: &schema.description,
            parent: schema.parent.as_deref(),
            children: &self.children,
            scopes: schema.scopes.name,
            calls: &schema.origin,
            key: schema.key(),
            columns: schema.columns.iter().map(column_json).collect(),
        }
    }

    /// The table as Markdown.
    pub fn markdown(&self) -> String {
        let schema = &self.schema;
        let mut out = format!("# {}\n\n{}\n\n", schema.name, schema.description.trim());
        let mut fact = |name: &str, value: String| {
            if !value.is_empty() {
                out.push_str(&format!("- {name}: {value}\n"));
            }
        };
        fact("Source", self.source.clone());
        fact("As transformed for", self.destination.clone().unwrap_or_default());
        fact("Key", code(schema.key().into_iter()));
        fact("Read for", scopes(schema));
        fact("Calls", schema.origin.clone());
        fact("Parent table", code(schema.parent.as_deref().into_iter()));
        fact("Child tables", code(self.children.iter().map(String::as_str)));
        out.push_str("\n| Column | Type | | Description |\n| --- | --- | --- | --- |\n");
        for column in &schema.columns {
            let secret = column.sensitive || !column.secrets.is_empty();
            let flags = [(column.key, "key"), (column.nullable, "nullable"), (secret, "secret")];
            let flags: Vec<&str> = flags.iter().filter(|(on, _)| *on).map(|(_, word)| *word).collect();
            let (name, kind, description) = (&column.name, column.kind.name(), cell(&column.description));
            // Writing to a string does not fail.
            let _ = writeln!(out, "| `{name}` | `{kind}` | {} | {description} |", flags.join(", "));
        }
        for column in &schema.columns {
            if let Some(shape) = &column.shape {
                let shape = serde_json::to_string_pretty(shape).unwrap_or_else(|_| shape.to_string());
                let _ = write!(out, "\nWhat is in `{}`:\n\n```json\n{shape}\n```\n", column.name);
            }
        }
        out
    }
}

fn column_json(column: &Column) -> ColumnJson<'_> {
    ColumnJson {
        name: &column.name,
        r#type: column.kind.name(),
        description: &column.description,
        key: column.key,
        nullable: column.nullable,
        sensitive: column.sensitive,
        secrets: &column.secrets,
        origin: &column.origin,
        shape: column.shape.as_ref(),
    }
}

fn code<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn scopes(schema: &TableSchema) -> String {
    let columns: Vec<&str> = schema.scopes.columns.iter().map(|column| column.name).collect();
    match columns.as_slice() {
        [] => String::new(),
        [one] => format!("each `{one}`"),
        several => format!("each {}", several.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" and ")),
    }
}

/// A text that stays within one cell of a Markdown table.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

/// All tables as one Markdown text.
pub fn markdown(docs: &[TableDoc]) -> String {
    docs.iter().map(TableDoc::markdown).collect::<Vec<_>>().join("\n")
}

/// All tables as one JSON array.
pub fn json(docs: &[TableDoc]) -> Result<String> {
    let tables: Vec<TableJson<'_>> = docs.iter().map(TableDoc::json).collect();
    serde_json::to_string_pretty(&tables).context("the tables cannot be written as JSON")
}

/// Writes each table to a file of its own, `TABLE.md` or `TABLE.json` (`TABLE.DESTINATION.md` as transformed), in a folder that is made when it is not there.
pub fn write_files(docs: &[TableDoc], folder: &Path, as_json: bool) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("the folder {} cannot be made", folder.display()))?;
    for doc in docs {
        let (ending, text) = match as_json {
            true => ("json", serde_json::to_string_pretty(&doc.json()).context("a table cannot be written as JSON")?),
            false => ("md", doc.markdown()),
        };
        let destination = doc.destination.iter().map(|name| format!(".{name}")).collect::<String>();
        let path = folder.join(format!("{}{destination}.{ending}", doc.schema.name));
        std::fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(())
}
