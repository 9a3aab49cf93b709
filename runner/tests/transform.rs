//! Transformers between the shops and what is made of them: what they do, what is put aside, and what is refused.

#![allow(clippy::unwrap_used)]

mod common;

use common::town::{Town, code, ids, read_report, row, told};
use headwater::{config, plan, tables};

const TO_TABLE: &str = "  rejected_rows: { to: table }\n";

fn transformer(name: &str, path: &str, tables: &str, spec: &str) -> String {
    format!("kind: transformer\nspec:\n  name: {name}\n  path: {path}\n{tables}  spec: {spec}\n---\n")
}

/// What is wrong with a configuration.
fn problems(town: &Town, configuration: &str) -> String {
    let file = town.path("sync.yaml");
    std::fs::write(&file, configuration).unwrap();
    let found = config::load(&[file], &common::registry(), &|_| None).err().expect("there is a mistake");
    found.to_string().replace(&format!("{}/", town.folder.path().display()), "")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_a_contract_is_put_aside_and_counted() {
    let town = Town::new();
    town.write("north", "shop_customers", &ids(0..3));
    town.write("south", "shop_customers", &[row(1, "Ann"), row(2, "bob"), row(300, "Cid")]);
    let agreed = r#"{ mode: discard_row, columns: { id: { min: 1 }, name: { regex: "^[A-Zx]" }, info: {} } }"#;
    let small = "{ mode: discard_value, columns: { id: {}, name: { one_of: [x, Ann] }, info: {} } }";
    let tables = "  tables: [shop_customers]\n";
    let configuration = town.source("town", "", "local, plain")
        + &town.sqlite("local", &format!("  transformers: [agreed, small]\n{TO_TABLE}"))
        + &town.sqlite("plain", "")
        + &transformer("agreed", "contract", tables, agreed)
        + &transformer("small", "contract", tables, small);
    let outcome = town.run(&configuration).await;
    let shown = told(&outcome, true);
    assert_eq!(code(&outcome), 0, "{shown}");
    let rows = ["north/1=x", "north/2=x", "south/1=Ann", "south/300="];
    assert_eq!(town.rows("local", "shop_customers"), rows);
    assert_eq!(town.rows("plain", "shop_customers").len(), 6, "the other destination gets all rows as they are");
    assert!(shown.contains("aside   local did not take 2 rows: shop_customers 2"), "{shown}");
    assert!(shown.contains("aside   local took 1 row without all values: shop_customers 1"), "{shown}");
    let connection = town.open("local");
    let mut query = connection.prepare("SELECT reason, row FROM headwater_rejected_rows ORDER BY reason, row").unwrap();
    let aside: Vec<(String, String)> =
        query.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect();
    let reasons: Vec<&str> = aside.iter().map(|(reason, _)| reason.as_str()).collect();
    assert_eq!(
        reasons,
        [
            "transformer agreed: `id` is below 1",
            "transformer agreed: `name` does not match ^[A-Zx]",
            "transformer small: `name` is not one of those agreed on"
        ]
    );
    assert!(aside[2].1.contains(r#""name":"Cid""#), "{}", aside[2].1);
    let report = read_report(&town, &outcome);
    let tables = report["sources"][0]["tables"].as_array().unwrap();
    let customers = tables.iter().find(|table| table["table"] == "shop_customers").unwrap();
    let sum = |key: &str| -> i64 {
        let units = customers["units"].as_array().unwrap().iter();
        units.map(|unit| unit["destinations"][0][key].as_i64().unwrap()).sum()
    };
    assert_eq!((sum("rejected"), sum("without_value"), sum("written")), (2, 1, 4), "{customers}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_earlier_syncs_stay_where_rows_are_put_aside() {
    let town = Town::new();
    let agreed = "{ mode: discard_row, columns: { id: { max: 5 } } }";
    let configuration = town.source("town", "", "local")
        + &town.sqlite("local", &format!("  transformers: [agreed]\n{TO_TABLE}"))
        + &transformer("agreed", "contract", "  tables: [shop_customers]\n", agreed);
    let numbers = |town: &Town| -> Vec<i64> {
        let connection = town.open("local");
        let mut query = connection.prepare("SELECT id FROM shop_customers ORDER BY 1").unwrap();
        query.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    town.write("north", "shop_customers", &ids(1..4));
    assert_eq!(code(&town.run(&configuration).await), 0);
    town.write("north", "shop_customers", &ids(3..7));
    assert_eq!(code(&town.run(&configuration).await), 0);
    assert_eq!(numbers(&town), [1, 2, 3, 4, 5], "what is missing may be what was put aside");
    town.write("north", "shop_customers", &ids(3..6));
    assert_eq!(code(&town.run(&configuration).await), 0);
    assert_eq!(numbers(&town), [3, 4, 5]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_rule_of_a_frozen_contract_fails_its_unit() {
    let town = Town::new();
    town.write("north", "shop_customers", &ids(0..3));
    town.write("south", "shop_customers", &ids(1..3));
    let agreed = "{ columns: { name: {}, info: {}, id: { min: 1 } } }";
    let configuration = town.source("town", "", "local")
        + &town.sqlite("local", "  transformers: [agreed]\n")
        + &transformer("agreed", "contract", "  tables: [shop_customers]\n", agreed);
    let outcome = town.run(&configuration).await;
    let shown = told(&outcome, true);
    assert_eq!(code(&outcome), 3, "{shown}");
    assert!(
        shown.contains("transformer agreed, table shop_customers: `id` is below 1, which breaks the contract"),
        "{shown}"
    );
    assert_eq!(town.rows("local", "shop_customers"), ["south/1=x", "south/2=x"]);
}

#[test]
fn what_cannot_work_is_refused_before_anything_is_written() {
    let town = Town::new();
    town.write("north", "shop_customers", &ids(1..3));
    let base = town.source("town", "", "local");
    let tables = "  tables: [shop_customers]\n";
    let cases = [
        (
            base.clone()
                + &town.sqlite("local", "  transformers: [agred]\n")
                + &transformer("agreed", "contract", "", "{columns: {id: {}}}"),
            &[
                "there is no transformer named `agred`",
                "did you mean `agreed`?",
                "no destination names the transformer `agreed`",
            ][..],
        ),
        (
            base.clone() + &town.sqlite("local", "  transformers: [a]\n"),
            &["there is no transformer named `a`", "add a document with `kind: transformer`"],
        ),
        (
            base.clone()
                + &town.sqlite("local", "  transformers: [a, a]\n")
                + &transformer("a", "contact", "", "{columns: {id: {}}}"),
            &["the transformer `a` is listed twice", "there is no transformer `contact`", "did you mean `contract`?"],
        ),
        (
            base.clone()
                + &town.sqlite("local", "  transformers: [a]\n")
                + &transformer("a", "contract", "  tables: [shop_customer]\n", "{columns: {id: {}}}"),
            &[
                "there is no table `shop_customer` on the way through this transformer",
                "did you mean `shop_customers`?",
            ],
        ),
        (
            base.clone()
                + &town.sqlite("local", "  transformers: [a]\n")
                + &transformer("a", "contract", tables, "{columns: {id: {type: utf8}, nmae: {}}}"),
            &[
                "`id` of `shop_customers` is int64, and utf8 is agreed",
                "it is part of the key, and keeps its type",
                "there is no column `nmae` in `shop_customers`",
                "did you mean `name`?",
                "`name`, `info` of `shop_customers` are not in the contract",
                "sync.yaml:24:31",
            ],
        ),
        (
            base.clone()
                + &town.sqlite("local", "  transformers: [a]\n")
                + &transformer("a", "contract", tables, "{mode: discard_row, columns: {id: {}}}"),
            &[
                "`a` puts rows of `shop_customers` aside, and it is not said where they go",
                "rejected_rows: { to: table }",
            ],
        ),
    ];
    for (configuration, expected) in cases {
        let found = problems(&town, &configuration);
        for text in expected {
            assert!(found.contains(text), "{text:?} is not in:\n{found}");
        }
    }
    assert!(!town.path("local.db").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn plans_and_tables_show_what_comes_of_it() {
    let town = Town::new();
    let agreed = "{ mode: discard_value, columns: { id: {}, name: { type: int32 } } }";
    let configuration = town.source("town", "", "local, plain")
        + &town.sqlite("local", &format!("  transformers: [agreed]\n{TO_TABLE}"))
        + &town.sqlite("plain", "")
        + &transformer("agreed", "contract", "  tables: [shop_customers]\n", agreed);
    let file = town.path("sync.yaml");
    std::fs::write(&file, &configuration).unwrap();
    let load = || {
        config::load(std::slice::from_ref(&file), &common::registry(), &|_| None)
            .unwrap_or_else(|found| panic!("{found}"))
    };
    let plans = plan::plan(load(), false).await;
    let columns = |at: usize| -> Vec<String> {
        let plan = plans[at].json();
        let tables = plan["tables"].as_array().unwrap();
        let customers = tables.iter().find(|table| table["table"] == "shop_customers").unwrap();
        let columns = customers["changes"][0]["columns"].as_array().unwrap();
        columns.iter().map(|column| column["name"].as_str().unwrap().to_owned()).skip(4).collect()
    };
    assert_eq!(columns(0), ["shop", "id", "name"]);
    assert_eq!(columns(1), ["shop", "id", "name", "info"]);
    let loaded = load();
    let source = &loaded.sources[0];
    let docs = tables::transformed(source, &source.tables, &loaded.destinations);
    assert_eq!(docs.len(), 1);
    let shown = docs[0].markdown();
    assert!(shown.contains("- As transformed for: local") && shown.contains("| `name` | `int32` |"), "{shown}");
    let other = configuration.replace("int32", "int64");
    let before = loaded.fingerprint();
    std::fs::write(&file, &other).unwrap();
    assert_ne!(load().fingerprint(), before, "a sync is not resumed with other transformers");
}

/// The examples of the documentation, each as it stands there.
fn example(name: &str) -> String {
    let text = include_str!("../../docs/transformers.md");
    let start = format!("```yaml\n# {name}\n");
    let (_, rest) = text.split_once(&start).unwrap_or_else(|| panic!("there is no example of {name}"));
    let lines = rest.split("```").next().unwrap_or_default().lines();
    format!("\n{}", lines.map(|line| format!("    {line}\n")).collect::<String>())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_of_the_documentation() {
    let town = Town::new();
    let line = |id: i64, name: &str, info: &str| format!(r#"{{"id": {id}, "name": "{name}", "info": {info}}}"#);
    town.write(
        "north",
        "shop_customers",
        &[
            line(7, "Ann", r#"{"note": "a", "card": {"year": 2031}, "tags": [1]}"#),
            line(12, "bob", r#"{"note": "b", "card": {"year": "soon"}}"#),
            line(120, "Cid", "{}"),
        ],
    );
    let library = headwater_e2e::drivers::libduckdb().unwrap();
    let sql = format!("{}    library: {}\n", example("sql"), library.display());
    let last = format!(
        "\n    query: SELECT * EXCLUDE (tags), upper(note) AS loud FROM input WHERE id < 100\n    library: {}\n",
        library.display()
    );
    let tables = "  tables: [shop_customers]\n";
    let through = |name: &str| format!("  transformers: [{name}]\n{TO_TABLE}");
    let keep = "  columns: [{keep: ['*']}]\n";
    let source = town.source("town", "", "agreed, flat, asked, both").replace("  spec:\n", &format!("{keep}  spec:\n"));
    let configuration = source
        + &town.sqlite("agreed", &through("contract"))
        + &town.sqlite("flat", &through("flatten"))
        + &town.sqlite("asked", &through("sql"))
        + &town.sqlite("both", &through("flatten, last"))
        + &transformer("contract", "contract", tables, &example("contract"))
        + &transformer("flatten", "flatten", tables, &example("flatten"))
        + &transformer("sql", "sql", tables, &sql)
        + &transformer("last", "sql", tables, &last);
    let outcome = town.run(&configuration).await;
    let shown = told(&outcome, true);
    assert_eq!(code(&outcome), 0, "{shown}");
    let rows = |database: &str, columns: &str| -> Vec<String> {
        let connection = town.open(database);
        let sql = format!("SELECT concat_ws('|', {columns}) FROM shop_customers ORDER BY id");
        let mut query = connection.prepare(&sql).unwrap();
        query.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    assert_eq!(rows("agreed", "id, name"), ["7|Ann", "120|Cid"]);
    assert_eq!(rows("flat", "id, note, card_year, tags"), ["7|a|2031|[1]", "120"]);
    assert_eq!(rows("asked", "id, name, note, last_digit"), ["7|ANN|a|7", "12|BOB|b|2"]);
    assert!(shown.contains("left    out by the transformers of asked, 1 row: shop_customers 1"), "{shown}");
    assert!(shown.contains("aside   flat did not take 1 row: shop_customers 1"), "{shown}");
    assert_eq!(rows("both", "id, name, card_year, loud"), ["7|Ann|2031|A"]);
}

#[test]
fn queries_that_cannot_work_are_refused_at_their_place() {
    let town = Town::new();
    let library = headwater_e2e::drivers::libduckdb().unwrap();
    for (query, library, expected) in [
        (
            "SELECT count(*) AS n FROM input",
            library.as_path(),
            "sync.yaml:24:17: `shop_customers`: `count(*)` is an aggregate",
        ),
        ("SELECT id FROM input", library.as_path(), "`_cq_sync_time` is Headwater's own, and is left out"),
        (
            "SELECT * FROM input",
            "/nowhere/libduckdb.so".as_ref(),
            "`library` names /nowhere/libduckdb.so, which is no file",
        ),
    ] {
        let spec = format!("{{query: \"{query}\", library: {}}}", library.display());
        let configuration = town.source("town", "", "local")
            + &town.sqlite("local", "  transformers: [asked]\n")
            + &transformer("asked", "sql", "  tables: [shop_customers]\n", &spec);
        let found = problems(&town, &configuration);
        assert!(found.contains(expected), "{found}");
    }
}
