//! The engine, from a real folder of rows to real databases and files.

#![allow(clippy::expect_used, clippy::unwrap_used)]

mod common;

use std::time::Duration;

use headwater::config;
use headwater::sync::outcome::{Stopped, Verdict};
use headwater::sync::stop::Stop;
use headwater::{check, sync};
use rusqlite::Connection;

use common::town::{Town, code, ids, lines, read_report, row, told};

#[tokio::test(flavor = "multi_thread")]
async fn a_second_sync_replaces_and_deletes() {
    let town = Town::new();
    town.write("north", "shop_customers", &[row(1, "Ann"), row(2, "Bob")]);
    town.write("south", "shop_customers", &[row(1, "Cid")]);
    town.write("north", "shop_orders", &ids(0..250));
    town.write("north", "shop_order_lines", &ids(0..7));
    let configuration = town.source("town", "", "local") + &town.sqlite("local", "");
    let outcome = town.run(&configuration).await;
    assert_eq!(outcome.verdict(), Verdict::Complete, "{}", told(&outcome, true));
    assert_eq!(town.rows("local", "shop_customers"), ["north/1=Ann", "north/2=Bob", "south/1=Cid"]);
    assert_eq!(town.rows("local", "shop_orders").len(), 250);
    assert_eq!(town.rows("local", "shop_order_lines").len(), 7);

    town.write("north", "shop_customers", &[row(2, "Bea"), row(3, "Dan")]);
    let outcome = town.run(&configuration).await;
    assert_eq!(outcome.verdict(), Verdict::Complete);
    assert_eq!(town.rows("local", "shop_customers"), ["north/2=Bea", "north/3=Dan", "south/1=Cid"]);
    assert_eq!(town.rows("local", "shop_orders").len(), 250, "nothing is there twice");
    let report = read_report(&town, &outcome);
    let customers = &report["sources"][0]["tables"][0];
    assert_eq!(customers["table"], "shop_customers");
    assert_eq!(customers["deleted"]["local"], 1);
    assert_eq!(customers["written"]["local"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_rows_of_a_unit_are_deleted_too() {
    let town = Town::new();
    town.write("north", "shop_customers", &[row(1, "Ann")]);
    town.write("south", "shop_customers", &[row(1, "Cid")]);
    let configuration = town.source("town", "", "local") + &town.sqlite("local", "");
    town.run(&configuration).await;
    std::fs::remove_file(town.path("shops/north/shop_customers.jsonl")).unwrap();
    let outcome = town.run(&configuration).await;
    assert_eq!(code(&outcome), 0);
    assert_eq!(town.rows("local", "shop_customers"), ["south/1=Cid"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_half_way_keeps_earlier_rows() {
    let town = Town::new();
    town.write("north", "shop_customers", &[row(1, "Ann"), row(2, "Bob"), row(3, "Cid")]);
    town.write("south", "shop_customers", &[row(1, "Eve"), row(2, "Fay")]);
    let configuration = town.source("town", "", "local") + &town.sqlite("local", "");
    town.run(&configuration).await;
    let denied = r#"{"fail": "AccessDenied", "message": "shop north does not let you read customers"}"#.to_owned();
    town.write("north", "shop_customers", &[row(1, "Ada"), denied]);
    town.write("south", "shop_customers", &[row(2, "Fay")]);
    let outcome = town.run(&configuration).await;
    assert_eq!(code(&outcome), 3);
    let rows = town.rows("local", "shop_customers");
    assert_eq!(rows, ["north/1=Ada", "north/2=Bob", "north/3=Cid", "south/2=Fay"], "only the good unit lost its rows");
    let text = told(&outcome, false);
    assert!(text.contains("AccessDenied: shop north does not let you read customers"), "{text}");
    assert!(text.contains("skip_tables"), "what to do: {text}");
    assert!(text.contains("1 of 2"), "scopes: {text}");

    let report = read_report(&town, &outcome);
    assert_eq!(report["outcome"], "partial");
    assert_eq!(report["exit_code"], 3);
    let source = &report["sources"][0];
    assert_eq!(
        (&source["units_planned"], &source["units_run"], &source["units_failed"]),
        (&6.into(), &6.into(), &1.into())
    );
    let units = source["tables"][0]["units"].as_array().unwrap();
    assert_eq!(units[0]["scope"], "north");
    assert_eq!(units[0]["outcome"], "failed");
    assert_eq!(units[0]["rows"], 1);
    assert_eq!(units[0]["destinations"][0]["written"], 1);
    assert_eq!(units[0]["destinations"][0]["deleted"], 0);
    let error = &units[0]["errors"][0];
    assert_eq!(
        (&error["class"], &error["code"], &error["scope"]),
        (&"denied".into(), &"AccessDenied".into(), &"north".into())
    );
    assert_eq!(error["context"][0], "shops Read");
    assert_eq!(units[1]["outcome"], "complete");
    assert_eq!(units[1]["destinations"][0]["deleted"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_child_leaves_its_parent_alone() {
    let town = Town::new();
    town.write("north", "shop_orders", &[row(1, "a"), row(2, "b")]);
    town.write("north", "shop_order_lines", &[row(1, "a"), row(2, "b")]);
    let configuration = town.source("town", "", "local") + &town.sqlite("local", "");
    town.run(&configuration).await;
    town.write("north", "shop_orders", &[row(1, "a")]);
    town.write("north", "shop_order_lines", &[r#"{"fail": "Broken"}"#.to_owned()]);
    let outcome = town.run(&configuration).await;
    assert_eq!(code(&outcome), 3);
    assert_eq!(town.rows("local", "shop_orders"), ["north/1=a"]);
    assert_eq!(town.rows("local", "shop_order_lines"), ["north/1=a", "north/2=b"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_is_one_units_failure() {
    let town = Town::new();
    for shop in ["east", "north", "south", "west"] {
        town.write(shop, "shop_customers", &[row(1, "old"), row(2, "old")]);
    }
    let configuration = town.source("town", "", "local") + &town.sqlite("local", "");
    town.run(&configuration).await;
    for shop in ["east", "south", "west"] {
        town.write(shop, "shop_customers", &[row(1, "new")]);
    }
    town.write("north", "shop_customers", &[row(1, "new"), r#"{"panic": "out of stock"}"#.to_owned()]);
    let outcome = town.run(&configuration).await;
    assert_eq!(code(&outcome), 3);
    let rows = town.rows("local", "shop_customers");
    assert_eq!(rows, ["east/1=new", "north/1=old", "north/2=old", "south/1=new", "west/1=new"]);
    let text = told(&outcome, false);
    assert!(text.contains("out of stock") && text.contains("this is a bug"), "{text}");
    assert!(text.contains("common/mod.rs:"), "the place: {text}");

    // So is one in a task of the unit.
    town.write("north", "shop_customers", &[r#"{"panic_in_call": "out of reach"}"#.to_owned()]);
    let outcome = town.run(&configuration).await;
    assert_eq!(code(&outcome), 3);
    let text = told(&outcome, false);
    assert!(text.contains("out of reach") && text.contains("common/mod.rs:"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_touched_when_the_source_cannot_be_reached() {
    let town = Town::new();
    let configuration = town.source("town", "", "local") + &town.sqlite("local", "");
    let outcome = town.run(&configuration).await;
    assert_eq!(code(&outcome), 1);
    assert!(!town.path("local.db").exists());
    let text = told(&outcome, false);
    assert!(text.contains("failed  source town") && text.contains("cannot be reached"), "{text}");
    assert!(text.ends_with("failed: nothing was written, in 0.0 s"), "{text}");
    let report = read_report(&town, &outcome);
    assert_eq!(report["outcome"], "failed");
    assert_eq!(report["sources"][0]["error"]["class"], "transient");

    // So it is when all of it is locked.
    town.write("locked-1", "shop_customers", &[row(1, "Ann")]);
    let outcome = town.run(&configuration).await;
    assert_eq!(code(&outcome), 1);
    assert!(!town.path("local.db").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_opened_is_told_and_the_rest_goes_on() {
    let town = Town::new();
    town.write("locked-1", "shop_customers", &[row(1, "Ann")]);
    town.write("north", "shop_customers", &[row(1, "Bob")]);
    let configuration = town.source("town", "", "local") + &town.sqlite("local", "");
    let outcome = town.run(&configuration).await;
    assert_eq!(code(&outcome), 3);
    assert_eq!(town.rows("local", "shop_customers"), ["north/1=Bob"]);
    let text = told(&outcome, false);
    assert!(text.contains("failed  locked-1 of source town could not be opened"), "{text}");
    assert_eq!(read_report(&town, &outcome)["sources"][0]["not_opened"][0]["scope"], "locked-1");
}

#[tokio::test(flavor = "multi_thread")]
async fn append_adds() {
    let town = Town::new();
    town.write("north", "shop_customers", &[row(1, "Ann")]);
    let configuration = town.source("town", "", "local") + &town.sqlite("local", "  write_mode: append\n");
    assert_eq!(code(&town.run(&configuration).await), 0);
    assert_eq!(code(&town.run(&configuration).await), 0);
    assert_eq!(town.rows("local", "shop_customers"), ["north/1=Ann", "north/1=Ann"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn overwrite_replaces_and_deletes_nothing() {
    let town = Town::new();
    town.write("north", "shop_customers", &[row(1, "Ann"), row(2, "Bob")]);
    let configuration = town.source("town", "", "local") + &town.sqlite("local", "  write_mode: overwrite\n");
    assert_eq!(code(&town.run(&configuration).await), 0);
    town.write("north", "shop_customers", &[row(1, "Ada")]);
    assert_eq!(code(&town.run(&configuration).await), 0);
    assert_eq!(town.rows("local", "shop_customers"), ["north/1=Ada", "north/2=Bob"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_can_be_taken_as_they_are() {
    let town = Town::new();
    town.write("north", "shop_customers", &[row(1, "Ann")]);
    let configuration = town.source("town", "", "local") + &town.sqlite("local", "");
    let options = sync::Options { no_migrate: true, ..sync::Options::default() };
    let outcome = town.run_with(&configuration, options.clone(), Stop::default()).await;
    assert_eq!(code(&outcome), 1, "there are no tables yet");
    assert_eq!(code(&town.run(&configuration).await), 0);
    town.write("north", "shop_customers", &[row(1, "Ada")]);
    let outcome = town.run_with(&configuration, options, Stop::default()).await;
    assert_eq!(code(&outcome), 0, "{}", told(&outcome, true));
    assert_eq!(town.rows("local", "shop_customers"), ["north/1=Ada"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_sources_into_one_destination() {
    let town = Town::new();
    town.write("north", "shop_customers", &[row(1, "Ann")]);
    town.write("north", "shop_visits", &[row(1, "Ann"), row(2, "Bob")]);
    let both = town.source("one", "", "local") + &town.source("two", "", "local") + &town.sqlite("local", "");
    let visits = || -> Vec<(String, i64)> {
        let open = town.open("local");
        let mut query =
            open.prepare("SELECT _cq_source_name, count(*) FROM shop_visits GROUP BY 1 ORDER BY 1").unwrap();
        query.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
    };
    let outcome = town.run(&both).await;
    assert_eq!(code(&outcome), 0, "{}", told(&outcome, true));
    assert_eq!(visits(), [("one".to_owned(), 2), ("two".to_owned(), 2)]);
    let text = told(&outcome, false);
    assert!(text.contains("one: shop_customers") && text.contains("two: shop_customers"), "{text}");

    // What is stale for one source is not for the other.
    let one = town.source("one", "", "local") + &town.sqlite("local", "");
    town.write("north", "shop_visits", &[row(3, "Cid")]);
    assert_eq!(code(&town.run(&one).await), 0);
    assert_eq!(visits(), [("one".to_owned(), 1), ("two".to_owned(), 2)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_sources_fails() {
    let town = Town::new();
    town.write("north", "shop_customers", &[row(1, "Ann")]);
    let broken = town.source("broken", "", "local").replace("/shops\n", "/nowhere\n");
    let outcome = town.run(&(broken + &town.source("good", "", "local") + &town.sqlite("local", ""))).await;
    assert_eq!(code(&outcome), 3);
    assert_eq!(town.rows("local", "shop_customers"), ["north/1=Ann"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_source_into_two_destinations_of_which_one_cannot_be_made_ready() {
    let town = Town::new();
    town.write("north", "shop_customers", &[row(1, "Ann")]);
    std::fs::write(
        town.path("broken.db"),
        "this is no database, and it is longer than a database's first page".repeat(20),
    )
    .unwrap();
    let before = std::fs::read(town.path("broken.db")).unwrap();
    let configuration = town.source("town", "", "good, broken") + &town.sqlite("good", "") + &town.sqlite("broken", "");
    let outcome = town.run(&configuration).await;
    assert_eq!(code(&outcome), 3);
    assert_eq!(town.rows("good", "shop_customers"), ["north/1=Ann"]);
    assert_eq!(std::fs::read(town.path("broken.db")).unwrap(), before);
    let text = told(&outcome, false);
    assert!(text.contains("failed  destination broken"), "{text}");
    assert_eq!(read_report(&town, &outcome)["destinations"][1]["error"]["class"], "destination");

    // When it is the only one, no unit runs and the sync has failed.
    let outcome = town.run(&(town.source("town", "", "broken") + &town.sqlite("broken", ""))).await;
    assert_eq!(code(&outcome), 1);
    assert_eq!(outcome.sources.iter().map(|source| source.done).sum::<usize>(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_refuses_rows_fails_its_own_part_only() {
    let town = Town::new();
    town.write("north", "shop_customers", &ids(0..150));
    town.write("south", "shop_customers", &ids(0..3));
    let configuration = town.source("town", "", "good, picky") + &town.sqlite("good", "") + &town.sqlite("picky", "");
    assert_eq!(code(&town.run(&configuration).await), 0);
    town.open("picky")
        .execute_batch(
            "CREATE TRIGGER picky BEFORE INSERT ON shop_customers WHEN NEW.id = 149 \
             BEGIN SELECT RAISE(ABORT, 'no 149 here'); END",
        )
        .unwrap();
    let renamed: Vec<String> = (0..150).map(|id| row(id, "y")).collect();
    town.write("north", "shop_customers", &renamed);
    town.write("south", "shop_customers", &[row(0, "y")]);
    let outcome = town.run(&configuration).await;
    assert_eq!(code(&outcome), 3);
    let good = town.rows("good", "shop_customers");
    assert_eq!(good.len(), 151);
    assert!(good.iter().all(|row| row.ends_with("=y")));
    let picky = town.rows("picky", "shop_customers");
    assert_eq!(picky.iter().filter(|row| row.ends_with("=x")).count(), 150, "the failed part is as it was");
    assert!(picky.contains(&"south/0=y".to_owned()), "the other unit went on");
    assert_eq!(picky.len(), 151);
    let text = told(&outcome, false);
    assert!(text.contains("destination picky") && text.contains("no 149 here"), "{text}");
    let report = read_report(&town, &outcome);
    let part = &report["sources"][0]["tables"][0]["units"][0]["destinations"][1];
    assert_eq!((&part["name"], &part["committed"]), (&"picky".into(), &false.into()));
    assert_eq!(part["error"]["class"], "rejected");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_refused_are_put_aside_where_that_is_asked_for() {
    let town = Town::new();
    let town_of = |more: &str| town.source("town", "", "picky") + &town.sqlite("picky", more);
    town.write("north", "shop_customers", &ids(0..150));
    assert_eq!(code(&town.run(&town_of("")).await), 0);
    town.open("picky")
        .execute_batch(
            "CREATE TRIGGER picky BEFORE INSERT ON shop_customers WHEN NEW.id IN (7, 99) \
             BEGIN SELECT RAISE(ABORT, 'this number is taken'); END",
        )
        .unwrap();
    let renamed: Vec<String> = (0..149).map(|id| row(id, "y")).collect();
    town.write("north", "shop_customers", &renamed);
    let failed = town.run(&town_of("")).await;
    assert_eq!(code(&failed), 3);
    assert!(told(&failed, false).contains("rejected_rows"), "{}", told(&failed, false));

    let outcome = town.run(&town_of("  rejected_rows: { to: table }\n")).await;
    let shown = told(&outcome, false);
    assert_eq!(code(&outcome), 0, "{shown}");
    assert!(shown.contains("aside   picky did not take 2 rows: shop_customers 2\n"), "{shown}");
    assert!(shown.contains("look into headwater_rejected_rows"), "{shown}");
    let rows = town.rows("picky", "shop_customers");
    assert_eq!(rows.iter().filter(|row| row.ends_with("=y")).count(), 147);
    // What was put aside is there as it was, and the row that is gone too: none is known to be stale.
    assert_eq!(rows.iter().filter(|row| row.ends_with("=x")).count(), 3);
    let sql = "SELECT group_concat(destination || ' ' || table_name || ' ' || scope || ' ' || (row ->> 'id') || ' ' || \
               reason, '; ' ORDER BY row ->> 'id') FROM headwater_rejected_rows";
    let aside: String = town.open("picky").query_row(sql, [], |row| row.get(0)).unwrap();
    let picky = town.path("picky.db").display().to_string();
    assert_eq!(
        aside.replace(&picky, "DB"),
        "picky shop_customers north 7 DB: this number is taken; picky shop_customers north 99 DB: this number is taken"
    );
    let report = read_report(&town, &outcome);
    assert_eq!(report["sources"][0]["tables"][0]["units"][0]["destinations"][0]["rejected"], 2);

    let folder = town.path("aside");
    let to_file = format!("  rejected_rows: {{ to: file, path: {} }}\n", folder.display());
    assert_eq!(code(&town.run(&town_of(&to_file)).await), 0);
    let written = lines(&folder.join("headwater_rejected_rows"));
    assert_eq!(written.len(), 2, "{written:?}");
    let line: serde_json::Value = serde_json::from_str(&written[0]).unwrap();
    let aside: serde_json::Value = serde_json::from_str(line["row"].as_str().unwrap()).unwrap();
    assert_eq!((&line["table_name"], &aside["shop"]), (&"shop_customers".into(), &"north".into()));
    let few = town.run(&town_of("  rejected_rows: { to: table, most: 1 }\n")).await;
    assert_eq!(code(&few), 3);
    assert!(told(&few, false).contains("more than 1 rows were not taken"), "{}", told(&few, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_without_rows_are_made_and_counted() {
    let town = Town::new();
    town.write("north", "shop_customers", &[row(1, "Ann")]);
    let configuration = town.source("town", "", "local") + &town.sqlite("local", "");
    let outcome = town.run(&configuration).await;
    assert!(town.rows("local", "shop_visits").is_empty());
    let text = told(&outcome, false);
    assert!(text.contains("3 tables without rows") && !text.contains("shop_visits"), "{text}");
    assert!(told(&outcome, true).contains("shop_visits"));
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_drops_what_runs_and_keeps_what_is_done() {
    let town = Town::new();
    let wait = format!(r#"{{"wait_for": "{}"}}"#, town.path("never").display());
    town.write("a", "shop_customers", &[row(1, "Ann")]);
    town.write("b", "shop_customers", &[row(1, "Bob"), wait]);
    town.write("c", "shop_customers", &[row(1, "Cid")]);
    // One unit at a time, so that the third shop's turn never comes.
    let configuration = town.source("town", "    concurrency: 1\n", "local") + &town.sqlite("local", "");
    let configuration = configuration.replace("tables: [\"*\"]", "tables: [shop_customers]");
    let stop = Stop::default();
    let (running, asked) = (town.run_until(&configuration, stop.clone()), stop.clone());
    let database = town.path("local.db");
    let watch = async move {
        // The first unit is committed before the second one waits.
        loop {
            tokio::time::sleep(Duration::from_millis(10)).await;
            let rows = Connection::open(&database)
                .and_then(|open| open.query_row("SELECT count(*) FROM shop_customers", [], |row| row.get::<_, i64>(0)));
            if rows.is_ok_and(|rows| rows > 0) {
                // The third one is found while the second one waits.
                tokio::time::sleep(Duration::from_millis(500)).await;
                break asked.stop();
            }
        }
    };
    let (outcome, ()) = tokio::join!(running, watch);
    assert_eq!(outcome.stopped, Some(Stopped::Signal));
    assert_eq!(code(&outcome), 3);
    assert_eq!(town.rows("local", "shop_customers"), ["a/1=Ann"]);
    let text = told(&outcome, false);
    assert!(text.contains("stopped 2 of at least 3 units"), "{text}");
    assert!(text.contains("interrupted, partial"), "{text}");
    let report = read_report(&town, &outcome);
    assert_eq!((&report["interrupted"], &report["outcome"]), (&true.into(), &"partial".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_before_anything_was_committed() {
    let town = Town::new();
    town.write("a", "shop_customers", &[row(1, "Ann")]);
    let stop = Stop::default();
    stop.stop();
    let configuration = town.source("town", "", "local") + &town.sqlite("local", "");
    let outcome = town.run_until(&configuration, stop).await;
    assert_eq!(code(&outcome), 1);
    assert!(!town.path("local.db").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_errors_of_one_unit_are_counted_but_not_kept() {
    let town = Town::new();
    let lines: Vec<String> =
        (0..1000).map(|id| format!(r#"{{"fail": "Row", "message": "row {id} is bad"}}"#)).collect();
    town.write("north", "shop_customers", &lines);
    let configuration = town.source("town", "", "local") + &town.sqlite("local", "");
    let outcome = town.run(&configuration).await;
    let report = read_report(&town, &outcome);
    let unit = &report["sources"][0]["tables"][0]["units"][0];
    assert_eq!((unit["errors"].as_array().unwrap().len(), &unit["more_errors"]), (20, &980.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_failure_in_many_scopes_is_told_once() {
    let town = Town::new();
    for shop in ["alpha", "bravo", "charlie"] {
        let line = format!(r#"{{"fail": "AccessDenied", "message": "the door of {shop} is locked"}}"#);
        town.write(shop, "shop_customers", std::slice::from_ref(&line));
        town.write(shop, "shop_visits", &[line]);
    }
    let configuration = town.source("town", "", "local") + &town.sqlite("local", "");
    let text = told(&town.run(&configuration).await, false);
    assert_eq!(text.matches("why").count(), 1, "{text}");
    assert!(text.contains("failed  shop_customers, shop_visits"), "{text}");
    assert!(text.contains("in  3 scopes: alpha, bravo, charlie"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn checking_changes_nothing() {
    let town = Town::new();
    town.write("north", "shop_customers", &[row(1, "Ann")]);
    let file = town.path("sync.yaml");
    let check = async |configuration: String| {
        std::fs::write(&file, configuration).unwrap();
        let configuration =
            config::load(std::slice::from_ref(&file), &common::registry(), &|_| None).expect("a good configuration");
        let mut out = Vec::new();
        let well = check::check(&configuration, &mut out).await.unwrap();
        (well, String::from_utf8(out).unwrap().replace(&town.folder.path().display().to_string(), "."))
    };
    let (well, text) = check(town.source("town", "", "local") + &town.sqlite("local", "")).await;
    assert!(well);
    assert_eq!(
        text,
        "✓ configuration ./sync.yaml: 1 source, 1 destination, 4 tables\n\
         ✓ source town: 1 shops\n\
         ✓ destination local: can be written to\n"
    );
    assert!(!town.path("local.db").exists());
    let broken = town.sqlite("local", "").replace("local.db", "nowhere/local.db");
    let (well, text) = check(town.source("town", "", "local").replace("/shops\n", "/gone\n") + &broken).await;
    assert!(!well);
    assert!(text.contains("✗ source town: ./gone cannot be reached"), "{text}");
    assert!(text.contains("✗ destination local: "), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_source_into_a_database_and_into_files() {
    let town = Town::new();
    town.write("north", "shop_customers", &[row(1, "Ann"), row(2, "Bob")]);
    town.write("south", "shop_customers", &[row(1, "Cid")]);
    let configuration = town.source("town", "", "local, files") + &town.sqlite("local", "") + &town.files("files", "");
    let outcome = town.run(&configuration).await;
    assert_eq!(code(&outcome), 0, "{}", told(&outcome, true));
    assert_eq!(town.rows("local", "shop_customers").len(), 3);
    let written = lines(&town.path("files/shop_customers"));
    assert_eq!(written.len(), 3, "{written:?}");

    // Once more, with a failure: the database replaces what it got, the file of the unit stays as it was.
    town.write("north", "shop_customers", &[row(1, "Ada"), r#"{"fail": "Broken"}"#.to_owned()]);
    town.write("south", "shop_customers", &[row(1, "Cyd")]);
    let outcome = town.run(&configuration).await;
    assert_eq!(code(&outcome), 3);
    assert_eq!(town.rows("local", "shop_customers"), ["north/1=Ada", "north/2=Bob", "south/1=Cyd"]);
    let text = lines(&town.path("files/shop_customers")).join("\n");
    assert!(text.contains("Ann") && text.contains("Bob") && text.contains("Cyd") && !text.contains("Cid"), "{text}");
    let shown = told(&outcome, false);
    assert!(shown.contains("kept the rows of an earlier sync"), "{shown}");
    assert!(shown.contains("rows: local") && shown.contains("rows: files"), "{shown}");
}
