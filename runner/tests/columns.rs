//! `columns` and `rows` of a source, from the configuration to what is in the database.

#![allow(clippy::expect_used, clippy::unwrap_used)]

mod common;

use std::path::PathBuf;
use std::sync::Arc;

use headwater::config::{self, Configuration};
use headwater::progress::Quiet;
use headwater::state::Run;
use headwater::sync::outcome::{SyncOutcome, Verdict};
use headwater::sync::stop::Stop;
use headwater::{report, summary, sync, tables};
use headwater_sdk::Timestamp;
use rusqlite::Connection;
use serde_json::Value;

const KEY: &str = "5d9c68c6c50ed3d02a2fcf54f63993b6";

/// A folder of shops and a database.
struct Town(tempfile::TempDir);

impl Town {
    /// Two shops with two customers each, an order, and its lines.
    fn new() -> Self {
        let town = Self(tempfile::tempdir().unwrap());
        for shop in ["north", "south"] {
            town.write(shop, "shop_customers", &[customer(1, "Ann", "vip"), customer(2, "Bob", "new")]);
        }
        town.write("north", "shop_orders", &[customer(7, "paid", "x")]);
        town.write("north", "shop_order_lines", &[customer(8, "nail", "x")]);
        town
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, shop: &str, table: &str, lines: &[String]) {
        let folder = self.path("shops").join(shop);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{table}.jsonl")), lines.join("\n")).unwrap();
    }

    /// A configuration with rules, which are lines of the source's spec.
    fn load(&self, rules: &str) -> Configuration {
        let rules = rules.replace('\n', "\n  ");
        let text = format!(
            "kind: source\nspec:\n  name: town\n  path: shops\n  tables: [\"*\"]\n  skip_dependent_tables: false\n  \
             destinations: [local]\n  hash_key: {KEY}\n  {rules}\n  spec:\n    root: {}\n---\nkind: destination\n\
             spec:\n  name: local\n  path: sqlite\n  migrate_mode: forced\n  spec:\n    connection_string: {}\n",
            self.path("shops").display(),
            self.path("local.db").display(),
        );
        let file = self.path("sync.yaml");
        std::fs::write(&file, text).unwrap();
        config::load(&[file], &common::registry(), &|_| None).unwrap_or_else(|found| panic!("{found}"))
    }

    async fn sync(&self, rules: &str) -> (SyncOutcome, Value) {
        let configuration = self.load(rules);
        let spool = Arc::new(report::Spool::new(vec!["local".to_owned()]).unwrap());
        let keeping = sync::Keeping { run: Arc::new(Run::unkept(Timestamp::now())), spool: Some(Arc::clone(&spool)) };
        let options = sync::Options::default();
        let outcome = sync::run(configuration, options, keeping, Arc::new(Quiet), Stop::default()).await;
        assert_eq!(outcome.verdict(), Verdict::Complete, "{}", told(&outcome));
        let path = self.path("report.json");
        report::write(&path, &outcome, &spool).unwrap();
        let report = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        (outcome, report)
    }

    /// What a query answers, a text for each row, columns apart by `|`.
    fn query(&self, columns: &str, table: &str) -> Vec<String> {
        let connection = Connection::open(self.path("local.db")).unwrap();
        let columns: Vec<String> =
            columns.split(", ").map(|column| format!("coalesce(CAST({column} AS TEXT), '-')")).collect();
        let sql = format!("SELECT {} FROM {table} ORDER BY 1", columns.join(" || '|' || "));
        let mut query = connection.prepare(&sql).unwrap();
        query.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    fn columns(&self, table: &str) -> Vec<String> {
        self.query("name", &format!("pragma_table_info('{table}')"))
    }
}

fn customer(id: i64, name: &str, note: &str) -> String {
    serde_json::json!({ "id": id, "name": name, "info": { "note": note, "card": { "number": "4111" } } }).to_string()
}

fn told(outcome: &SyncOutcome) -> String {
    summary::summary(outcome, summary::Telling::default())
}

/// HMAC-SHA-256 of a text, from the `hmac` crate by another way than the runner's.
fn hashed(text: &str) -> String {
    use hmac::{Mac, SimpleHmac};
    let mut mac = <SimpleHmac<sha2::Sha256> as hmac::KeyInit>::new_from_slice(KEY.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_are_shaped_on_their_way() {
    let town = Town::new();
    let (outcome, report) = town
        .sync(
            "columns:\n- tables: [shop_customers]\n  hash: [name]\n  redact: [info.note]\n  rename: {info: about}\n\
             - tables: [shop_order*]\n  select: [name]\n- {tables: [shop_visits], keep: [info.card]}",
        )
        .await;
    let about = r#"{"card":{"number":"[redacted]"},"note":"[redacted]"}"#;
    let expected = [format!("1|{}|{about}", hashed("Ann")), format!("2|{}|{about}", hashed("Bob"))];
    let found = town.query("id, name, about", "shop_customers");
    assert_eq!(found, [&expected[0], &expected[0], &expected[1], &expected[1]].map(String::clone));
    let mut selected = ["_cq_id", "_cq_parent_id", "_cq_source_name", "_cq_sync_time", "id", "name", "shop"];
    selected.sort_unstable();
    assert_eq!(town.columns("shop_orders"), selected);
    assert_eq!(town.columns("shop_order_lines"), selected);

    // What was redacted without a rule is told once.
    let redacted = &report["sources"][0]["redacted_by_default"];
    assert_eq!(*redacted, serde_json::json!(["shop_customers.info.card.number"]));
    let text = told(&outcome);
    assert_eq!(text.matches("known to hold secrets").count(), 1, "{text}");
    let line = "redacted 1 place of source town known to hold secrets (`keep` asks for them): \
                shop_customers.info.card.number";
    assert!(text.contains(line), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_no_longer_pass_are_removed_as_stale() {
    let town = Town::new();
    let (outcome, report) = town.sync("rows: []").await;
    assert_eq!(town.query("shop, id", "shop_customers").len(), 4);
    assert!(!told(&outcome).contains("left out"));
    assert_eq!(report["sources"][0]["tables"][0]["left_out"], 0);

    let rules = "rows:\n- tables: [shop_customers]\n  where: >-\n    info.note = 'vip'\n    and shop != 'nowhere'";
    let (outcome, report) = town.sync(rules).await;
    assert_eq!(town.query("shop, id, name", "shop_customers"), ["north|1|Ann", "south|1|Ann"]);
    let customers = &report["sources"][0]["tables"][0];
    assert_eq!((&customers["rows"], &customers["left_out"]), (&4.into(), &2.into()));
    assert_eq!((&customers["written"]["local"], &customers["deleted"]["local"]), (&2.into(), &2.into()));
    assert_eq!(customers["units"][0]["left_out"], 1);
    assert!(told(&outcome).contains("left out"), "{}", told(&outcome));
    assert_eq!(town.query("id", "shop_orders"), ["7"], "the filter is for another table");

    // A row that changes is left out, and then a whole unit.
    town.write("south", "shop_customers", &[customer(1, "Ann", "gone"), customer(2, "Bob", "vip")]);
    town.write("north", "shop_customers", &[customer(1, "Ann", "gone")]);
    town.sync(rules).await;
    assert_eq!(town.query("shop, id", "shop_customers"), ["south|2"]);

    // Rows of a child stay where those of its parent are left out.
    town.sync("rows: [{tables: [shop_orders], where: \"name = 'open'\"}]").await;
    assert!(town.query("id", "shop_orders").is_empty());
    assert_eq!(town.query("id", "shop_order_lines"), ["8"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_a_hashed_and_renamed_key_are_replaced_and_deleted() {
    let town = Town::new();
    let rules = "columns: [{tables: [shop_customers], hash: [id], rename: {id: who}}]";
    town.sync(rules).await;
    let mut expected = vec![format!("north|{}", hashed("1")), format!("north|{}", hashed("2"))];
    expected.sort();
    let north = |town: &Town| {
        let mut rows = town.query("shop, who", "shop_customers");
        rows.retain(|row| row.starts_with("north"));
        rows
    };
    assert_eq!(north(&town), expected);
    let ids = town.query("_cq_id", "shop_customers");
    town.sync(rules).await;
    assert_eq!(town.query("_cq_id", "shop_customers"), ids, "the same key and value, the same row");
    town.write("north", "shop_customers", &[customer(2, "Bob", "x")]);
    town.sync(rules).await;
    assert_eq!(north(&town), [format!("north|{}", hashed("2"))]);
    // Without a hash the identifiers are others.
    let plain = Town::new();
    plain.sync("columns: []").await;
    assert!(plain.query("_cq_id", "shop_customers").iter().all(|id| !ids.contains(id)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_a_filter_cannot_read_fails_its_table() {
    let town = Town::new();
    let rules =
        "columns: [{tables: [shop_customers], exclude: [info]}]\nrows: [{tables: [shop_visits], where: id = 1}]";
    town.sync(rules).await;
    assert!(!town.columns("shop_customers").contains(&"info".to_owned()));
}

#[test]
fn another_run_is_not_resumed_with_other_rules() {
    let town = Town::new();
    let of = |rules: &str| town.load(rules).fingerprint();
    let base = of("columns: []");
    assert_eq!(base, of("rows: []"));
    let rules = [
        "columns: [{tables: [shop_customers], exclude: [info]}]",
        "columns: [{tables: [shop_orders], exclude: [info]}]",
        "columns: [{tables: [shop_customers], redact: [info]}]",
        "columns: [{tables: [shop_customers], rename: {info: x}}]",
        "rows: [{where: id = 1}]",
        "rows: [{where: id = 2}]",
    ];
    let mut all: Vec<String> = rules.iter().map(|rules| of(rules)).chain([base]).collect();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), rules.len() + 1);
}

#[test]
fn the_tables_of_a_configuration_are_those_that_are_written() {
    let town = Town::new();
    let configuration =
        town.load("columns: [{tables: [shop_customers], redact: [name], rename: {name: who}, exclude: [info]}]");
    let source = &configuration.sources[0];
    let docs = tables::docs("town", &source.tables, &source.shapes);
    let text = tables::markdown(&docs);
    let customers = text.split("\n# ").next().unwrap();
    assert!(customers.contains("| `who` | `utf8` | nullable | The name. Redacted. |"), "{customers}");
    assert!(!customers.contains("`info`"), "{customers}");
    assert!(text.contains("Redacted: `card.number`."), "{text}");
}
