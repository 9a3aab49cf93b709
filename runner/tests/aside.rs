//! Rows that a destination does not take, where they are to be put aside: also where that fails, and in a sync that is
//! resumed. And batches that nobody can take.

#![allow(clippy::unwrap_used)]

mod common;

use common::town::{Town, code, ids, read_report, row, told};
use headwater::state::Run;
use headwater::sync::stop::Stop;
use headwater::{check, config, sync};
use headwater_e2e::LocalPostgresql;
use headwater_sdk::Timestamp;

const TO_TABLE: &str = "  rejected_rows: { to: table }\n";

/// The first number is not taken.
const PICKY: &str = "CREATE TRIGGER picky BEFORE INSERT ON shop_customers WHEN NEW.id = 0 \
                     BEGIN SELECT RAISE(ABORT, 'this number is taken'); END";

/// A town whose database refuses a row.
async fn picky() -> (Town, String) {
    let town = Town::new();
    let configuration = town.source("town", "", "picky") + &town.sqlite("picky", TO_TABLE);
    town.write("north", "shop_customers", &ids(1..3));
    assert_eq!(code(&town.run(&configuration).await), 0);
    town.open("picky").execute_batch(PICKY).unwrap();
    town.write("north", "shop_customers", &ids(0..3));
    (town, configuration)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_postgresql_has_no_place_for_is_put_aside_in_it() {
    let (town, server) = (Town::new(), LocalPostgresql::start().unwrap());
    let nul = r#"{"id": 1, "name": "a\u0000b"}"#.to_owned();
    let within = r#"{"id": 2, "name": "Bob", "info": {"note": "a\u0000b"}}"#.to_owned();
    town.write("north", "shop_customers", &[nul, within, row(3, "Cid")]);
    let configuration = town.source("town", "", "pg")
        + &format!(
            "kind: destination\nspec:\n  name: pg\n  path: postgresql\n{TO_TABLE}  spec:\n    connection_string: \"{}\"\n",
            server.url()
        );
    let outcome = town.run(&configuration).await;
    let shown = told(&outcome, false);
    assert_eq!(code(&outcome), 0, "{shown}");
    assert!(shown.contains("pg did not take 2 rows: shop_customers 2\n"), "{shown}");
    assert_eq!(server.query("SELECT id, name FROM shop_customers").unwrap().trim(), "3|Cid");
    let aside = "SELECT row, reason <> '' FROM headwater_rejected_rows ORDER BY strpos(row, 'Bob')";
    let aside = server.query(aside).unwrap();
    assert_eq!(aside.matches("\\u0000").count(), 2, "{aside}");
    assert!(aside.lines().all(|line| line.ends_with("|t")), "{aside}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_committed_is_told_where_rows_cannot_be_put_aside() {
    let (town, configuration) = picky().await;
    town.open("picky")
        .execute_batch(
            "CREATE TRIGGER full BEFORE INSERT ON headwater_rejected_rows \
             BEGIN SELECT RAISE(ABORT, 'there is no room'); END",
        )
        .unwrap();
    let outcome = town.run(&configuration).await;
    let shown = told(&outcome, true);
    assert_eq!(code(&outcome), 3, "{shown}");
    assert!(shown.contains("headwater_rejected_rows") && shown.contains("there is no room"), "{shown}");
    assert!(!shown.contains("nothing was written"), "{shown}");
    let report = read_report(&town, &outcome);
    let customers = &report["sources"][0]["tables"][0];
    let part = &customers["units"][0]["destinations"][0];
    assert_eq!((&part["committed"], &part["written"], &part["rejected"]), (&true.into(), &2.into(), &0.into()));
    assert_eq!(part["error"]["class"], "destination", "{part}");
    assert_eq!((&customers["outcome"], &customers["written"]["picky"]), (&"failed".into(), &2.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resumed_unit_leaves_no_rows_aside_that_are_taken_now() {
    let (town, configuration) = picky().await;
    let aside = || {
        let count = "SELECT count(*) FROM headwater_rejected_rows";
        town.open("picky").query_row(count, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    let now = Timestamp::now();
    let run = |resumed: bool| {
        let mut run = Run::unkept(now);
        run.resumed = resumed;
        town.run_as(&configuration, sync::Options::default(), run, Stop::default())
    };
    assert_eq!((code(&run(false).await), aside()), (0, 1));
    assert_eq!((code(&run(true).await), aside()), (0, 1), "the same row again");
    town.open("picky").execute_batch("DROP TRIGGER picky").unwrap();
    assert_eq!((code(&run(true).await), aside()), (0, 0));
    assert_eq!(town.rows("picky", "shop_customers").len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_for_rows_that_cannot_be_used_is_found_by_checking() {
    let town = Town::new();
    town.write("north", "shop_customers", &ids(0..1));
    std::fs::write(town.path("file"), "no folder").unwrap();
    let aside = format!("  rejected_rows: {{ to: file, path: {} }}\n", town.path("file/aside").display());
    let file = town.path("sync.yaml");
    std::fs::write(&file, town.source("town", "", "local") + &town.sqlite("local", &aside)).unwrap();
    let configuration = config::load(&[file], &common::registry(), &|_| None).unwrap_or_else(|found| panic!("{found}"));
    let mut out = Vec::new();
    assert!(!check::check(&configuration, &mut out).await.unwrap());
    let out = String::from_utf8(out).unwrap();
    assert!(out.contains("✗ destination local: rows that were not taken, to headwater_rejected_rows: "), "{out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_in_another_order_are_refused_however_they_are_written() {
    let town = Town::new();
    town.write("north", "shop_customers", &[r#"{"swap": true}"#.to_owned(), row(1, "Ann")]);
    let (keep, appending) = ("  columns: [{keep: ['*']}]\n", "  write_mode: append\n");
    for (rules, mode, name) in [("", "", "a"), ("", appending, "b"), (keep, "", "c"), (keep, appending, "d")] {
        let source = town.source("town", "", name).replace("  spec:\n", &format!("{rules}  spec:\n"));
        let outcome = town.run(&(source + &town.sqlite(name, mode))).await;
        let shown = told(&outcome, true);
        assert_ne!(code(&outcome), 0, "{shown}");
        assert!(
            shown.contains(
                "a batch of shop_customers has other columns than its table, name (utf8) instead of shop (utf8)"
            ),
            "{rules}{mode}{shown}"
        );
        assert!(town.rows(name, "shop_customers").is_empty());
    }
}
