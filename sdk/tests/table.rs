//! A derived table, from its columns to its rows.

mod api;

use std::collections::BTreeMap;
use std::sync::Arc;

use api::{Client, Detail, Part, SCOPES, Scope, Thing};
use arrow::array::{Array, AsArray, RecordBatch};
use headwater_sdk::json::Secrets;
use headwater_sdk::registry::{Node, tables_of};
use headwater_sdk::unit::{PARENT_FAILED, UnitRun, run_unit};
use headwater_sdk::{Budget, CallLimits, Calls};
use headwater_sdk::{ColumnDef, Message, RawJson, Record, Selection, Table, Timestamp, Unit};

/// Things of every kind.
#[derive(Table)]
#[table(name = "things", of = Thing, list = client.list_things(), key = arn, skip = [parts])]
pub struct Things {
    #[column(value = row.thing_id.as_ref().map(|id| format!("arn:{}:{id}", scope.region)))]
    arn: Option<String>,
    /// The size, under another name.
    #[column(rename = "length")]
    size: i64,
    #[column(get = client.get_detail(&row.thing_id), flatten, prefix = "detail_", ignore = "NoDetail")]
    detail: Option<Detail>,
    /// The detail as JSON.
    #[column(get = client.get_detail(&row.thing_id), ignore = "NoDetail")]
    whole: Option<Detail>,
    /// Twice the size.
    #[column(value = RawJson::of(&(row.size * 2)))]
    double: RawJson,
}

/// Parts of each thing.
#[derive(Table)]
#[table(name = "thing_parts", of = Part, parent = Things, list = client.list_parts(parent), key = [thing_arn, sku])]
pub struct Parts {
    #[column(value = parent.columns.arn.clone())]
    thing_arn: Option<String>,
}

fn tree() -> Vec<Node> {
    tables_of(&[env!("CARGO_PKG_NAME")])
}

async fn run(client: Client) -> (Vec<(String, RecordBatch)>, Vec<(String, String)>) {
    run_with(client, 4).await
}

async fn run_with(client: Client, concurrency: usize) -> (Vec<(String, RecordBatch)>, Vec<(String, String)>) {
    let node = tree().remove(0);
    let scope = Arc::new(Scope { region: "north".to_owned() });
    let unit =
        Unit { node: node.into(), scope: "north".to_owned(), handle: scope, predicate: Vec::new(), ranges: Vec::new() };
    let (sender, mut receiver) = tokio::sync::mpsc::channel(16);
    let run = UnitRun::new(
        "test",
        Timestamp(1),
        Calls::new(CallLimits { concurrency, ..CallLimits::default() }, Budget::default()),
        sender,
    );
    let task = tokio::spawn(async move { run_unit(run, &unit, Arc::new(client)).await });
    let (mut batches, mut failures) = (Vec::new(), Vec::new());
    while let Some(message) = receiver.recv().await {
        match message {
            Message::Batch(table, batch, _lease) => batches.push((table.name.clone(), batch)),
            Message::Failure(table, error) => {
                failures.push((table.name.clone(), error.code.clone().unwrap_or_default()))
            }
            Message::Removed(schema, ..) => panic!("nobody has removed rows of {}", schema.name),
            Message::Checkpoint(checkpoint) => panic!("nobody has said {checkpoint}"),
        }
    }
    assert!(task.await.is_ok());
    (batches, failures)
}

fn texts(batch: &RecordBatch, column: &str) -> Vec<Option<String>> {
    let array = batch.column_by_name(column).unwrap_or_else(|| panic!("no column {column}"));
    if array.data_type() == &arrow::datatypes::DataType::Binary {
        return array.as_binary::<i32>().iter().map(|v| v.map(|v| String::from_utf8_lossy(v).into_owned())).collect();
    }
    array.as_string::<i32>().iter().map(|value| value.map(str::to_owned)).collect()
}

fn some(values: &[&str]) -> Vec<Option<String>> {
    values.iter().map(|value| Some((*value).to_owned())).collect()
}

#[test]
fn columns_in_their_order() {
    let tree = tree();
    assert_eq!(tree.len(), 1, "the child hangs from its parent");
    let described = |node: &Node| -> Vec<String> {
        let columns = node.schema.columns.iter().map(|column| {
            let null = if column.nullable { " null" } else { "" };
            let key = if column.key { " key" } else { "" };
            format!("{} {}{key}{null}", column.name, column.kind.name())
        });
        columns.skip(4).collect()
    };
    assert_eq!(
        described(&tree[0]),
        [
            "region utf8",
            "arn utf8 key",
            "length int64",
            "detail_color utf8 null",
            "detail_weight float64 null",
            "whole json null",
            "double json",
            "thing_id utf8 null"
        ]
    );
    assert_eq!(
        described(&tree[0].children[0]),
        ["region utf8", "thing_arn utf8 key", "name utf8 null", "sku utf8 key", "secret utf8 null"]
    );
    let secret = tree[0].children[0].schema.column("secret").map(|column| column.sensitive);
    assert_eq!(secret, Some(true));
    let arrow = tree[0].children[0].schema.arrow();
    assert_eq!(arrow.metadata().get("cq:table_depends_on").map(String::as_str), Some("things"));
    assert_eq!(arrow.metadata().get("cq:table_sensitive_columns").map(String::as_str), Some("[\"secret\"]"));
}

/// A record that holds itself, and a secret.
#[derive(Clone, Record)]
struct Folder {
    #[record(sensitive)]
    code: Option<String>,
    name: String,
    inner: Option<Box<Folder>>,
    by_name: BTreeMap<String, Part>,
    #[record(rename = "a b")]
    spaced: Vec<Part>,
}

#[test]
fn secrets_within_json_are_known() {
    assert_eq!(Secrets::of::<Option<Vec<Part>>>(), ["[*].Secret"]);
    assert_eq!(Secrets::of::<Thing>(), ["Parts[*].Secret"]);
    assert_eq!(Secrets::of::<BTreeMap<String, Part>>(), ["*.Secret"]);
    assert_eq!(Secrets::of::<Detail>(), [""; 0]);
    let found = Secrets::of::<Folder>();
    let once = ["code", "by_name.*.Secret", "\"a b\"[*].Secret"];
    assert!(once.iter().all(|place| found.contains(&(*place).to_owned())), "{found:?}");
    assert!(found.contains(&"inner.inner.code".to_owned()) && found.len() == 9, "{found:?}");
    let column = ColumnDef::<Holder>::field("parts", "", "", |holder| &holder.0).column;
    assert_eq!((column.sensitive, column.secrets), (false, vec!["[*].Secret".to_owned()]));
}

struct Holder(Vec<Part>);

#[tokio::test]
async fn rows_and_children() {
    let (batches, failures) = run(Client { bare: vec!["b".to_owned()], ..Client::default() }).await;
    assert_eq!(failures, []);
    assert_eq!(batches.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["things", "thing_parts"]);
    let things = &batches[0].1;
    assert_eq!(texts(things, "arn"), some(&["arn:north:a", "arn:north:b"]));
    assert_eq!(texts(things, "double"), some(&["2", "4"]));
    assert_eq!(texts(things, "detail_color"), [Some("red".to_owned()), None], "an ignored error is a missing value");
    assert_eq!(texts(things, "whole"), [Some(r#"{"color":"red"}"#.to_owned()), None]);
    assert_eq!(texts(things, "_cq_source_name"), some(&["test", "test"]));
    let parts = &batches[1].1;
    assert_eq!(texts(parts, "thing_arn"), some(&["arn:north:a"]));
    let id = |batch: &RecordBatch, column: &str| {
        batch.column_by_name(column).map(|array| array.as_fixed_size_binary().value(0).to_vec())
    };
    assert_eq!(id(parts, "_cq_parent_id"), id(things, "_cq_id"));
    let (again, _) = run(Client::default()).await;
    assert_eq!(id(&again[0].1, "_cq_id"), id(things, "_cq_id"), "the identifier is the same in every sync");
}

#[tokio::test]
async fn one_call_at_a_time_is_enough() {
    // Rows, their columns and their children all wait for the same single turn; none may hold it while it waits.
    let all = tokio::time::timeout(std::time::Duration::from_secs(20), run_with(Client::default(), 1));
    let (batches, failures) = all.await.expect("every call gets its turn");
    assert_eq!((batches.len(), failures.len()), (2, 0));
}

#[tokio::test]
async fn a_page_that_fails_is_told_for_the_table_and_its_children() {
    let (batches, failures) = run(Client { broken: true, ..Client::default() }).await;
    let told: Vec<(&str, &str)> = failures.iter().map(|(table, code)| (table.as_str(), code.as_str())).collect();
    assert_eq!(told, [("things", "Broken"), ("thing_parts", PARENT_FAILED)]);
    assert_eq!(texts(&batches[0].1, "thing_id"), some(&["a"]), "rows of earlier pages are handed on");
}

#[test]
fn selection_of_tables() {
    let select = |tables: &[&str], skip: &[&str], skip_dependent| {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let selection = Selection { tables: owned(tables), skip: owned(skip), skip_dependent };
        let nodes = selection.apply(tree());
        let names: Vec<String> = nodes.iter().flat_map(Node::flatten).map(|node| node.schema.name.clone()).collect();
        (names, selection.unmatched(&tree()))
    };
    assert_eq!(select(&["*"], &[], true).0, ["things", "thing_parts"]);
    assert_eq!(select(&["things"], &[], false).0, ["things", "thing_parts"]);
    assert_eq!(select(&["things"], &[], true).0, ["things"], "dependents come only when they are asked for");
    assert_eq!(select(&["thing_parts"], &[], true).0, ["things", "thing_parts"], "a parent is read for its child");
    assert_eq!(select(&["*"], &["thing_parts"], false).0, ["things"]);
    assert!(select(&["*"], &["things"], false).0.is_empty(), "what is skipped goes with all below it");
    let unmatched = select(&["thinks"], &["thing_part"], false).1;
    let told: Vec<_> = unmatched.iter().map(|one| (one.skip, one.nearest.as_deref())).collect();
    assert_eq!(told, [(false, Some("things")), (true, Some("thing_parts"))]);
}
