//! One snapshot per table, one line per column: name, Arrow type, key or null, where it comes from.
//!
//! A column that appears or vanishes is one line in a diff. `cargo insta review` finds what changed; a snapshot whose
//! table is gone fails.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use headwater_sdk::Connector;
use headwater_sdk::registry::Node;
use headwater_sdk::schema::sync_columns;

/// Every connector with its name.
fn connectors() -> Vec<(&'static str, Arc<dyn Connector>)> {
    let aws = headwater_aws::connector(headwater_aws::Spec::default()).expect("an empty spec is a spec");
    let xkcd = headwater_xkcd::connector(headwater_xkcd::Spec::default()).expect("an empty spec is a spec");
    vec![("aws", aws), ("xkcd", xkcd)]
}

fn all() -> Vec<(&'static str, Node)> {
    connectors()
        .into_iter()
        .flat_map(|(name, connector)| {
            let roots = connector.tables();
            let nodes: Vec<Node> = roots.iter().flat_map(Node::flatten).cloned().collect();
            nodes.into_iter().map(move |node| (name, node))
        })
        .collect()
}

fn folder(connector: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tables").join(connector)
}

/// The table as text. The columns that every table begins with are left out unless they are the key.
fn describe(node: &Node) -> String {
    let schema = &node.schema;
    let mut text = format!("{}\n{}", schema.name, schema.scopes.name);
    let _ = write!(text, ", from {}", schema.origin);
    if let Some(parent) = &schema.parent {
        let _ = write!(text, " of each {parent}");
    }
    let _ = writeln!(text, "\nkey: {}\n", schema.key().join(", "));
    let own: Vec<_> = schema.columns.iter().skip(sync_columns().len()).collect();
    let name_width = own.iter().map(|column| column.name.len()).max().unwrap_or_default();
    let type_width = own.iter().map(|column| column.kind.name().len()).max().unwrap_or_default();
    for column in own {
        let state = match (column.key, column.nullable) {
            (true, _) => "key",
            (false, true) => "null",
            (false, false) => "",
        };
        let secret = match (column.sensitive, column.secrets.as_slice()) {
            (true, _) => " (sensitive)".to_owned(),
            (false, []) => String::new(),
            (false, places) => format!(" (sensitive: {})", places.join(", ")),
        };
        let (name, kind) = (&column.name, column.kind.name());
        let line = format!("{name:name_width$}  {kind:type_width$}  {state:4}  {}{secret}", column.origin);
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

#[test]
fn tables() {
    for (connector, node) in all() {
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(folder(connector));
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.set_description(node.schema.description.clone());
        settings.bind(|| insta::assert_snapshot!(node.schema.name.clone(), describe(&node)));
    }
}

#[test]
fn every_snapshot_has_its_table() {
    let tables: BTreeSet<PathBuf> = all()
        .into_iter()
        .map(|(connector, node)| folder(connector).join(format!("{}.snap", node.schema.name)))
        .collect();
    let mut orphans = Vec::new();
    for connector in ["aws", "xkcd"] {
        for entry in std::fs::read_dir(folder(connector)).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.extension().is_some_and(|extension| extension == "snap") && !tables.contains(&path) {
                orphans.push(path);
            }
        }
    }
    assert!(orphans.is_empty(), "no table has these snapshots any more, so delete them: {orphans:#?}");
    let folders = std::fs::read_dir(folder("")).into_iter().flatten().flatten().count();
    assert_eq!(folders, connectors().len(), "a folder of snapshots for each connector, and no other");
}

#[test]
fn every_table_is_sound() {
    for (connector, node) in all() {
        let schema = &node.schema;
        let names: BTreeSet<&str> = schema.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names.len(), schema.columns.len(), "{}: two columns have one name", schema.name);
        assert!(schema.name.starts_with(connector), "{}: a table begins with its connector's name", schema.name);
        let key = schema.key();
        assert!(!key.is_empty() && key != ["_cq_id"], "{}: a table has a key", schema.name);
        if connector == "aws" {
            assert!(names.contains("account_id"), "{}: account_id", schema.name);
            assert!(names.contains("region") || schema.scopes.name != "regional", "{}: region", schema.name);
        }
        if let Some(tags) = schema.column("tags") {
            assert_eq!(tags.shape, Some(serde_json::json!({"*": "utf8"})), "{}: tags are a map", schema.name);
        }
        assert_eq!(schema.arrow().fields().len(), schema.columns.len());
    }
}
