//! Tables arrive whole, whatever they are divided by, and again when they have changed.

use crate::support::Pair;

const TABLES: &str = r#"
    CREATE TABLE numbers (id bigint PRIMARY KEY, what text);
    INSERT INTO numbers SELECT i, md5(i::text) FROM generate_series(-500, 20000) i;
    CREATE TABLE days (id int NOT NULL, day date, price numeric(10, 2));
    INSERT INTO days SELECT i, date '2026-01-01' + i % 50, i FROM generate_series(1, 3000) i;
    INSERT INTO days VALUES (0, NULL, NULL), (-1, NULL, 1), (7, date '1999-12-31', 3);
    CREATE TABLE moments (id int PRIMARY KEY, at timestamptz NOT NULL, local timestamp);
    INSERT INTO moments SELECT i, timestamptz '2026-03-01 00:00Z' + i * interval '47 minutes', timestamp '2026-03-01'
        FROM generate_series(1, 2000) i;
    CREATE TABLE lists (id int, region text);
    INSERT INTO lists SELECT i, (ARRAY['eu', 'us', 'it''s', 'back\slash', NULL])[1 + i % 5] FROM generate_series(1, 1000) i;
    CREATE TABLE hashed (a int, b text, PRIMARY KEY (a, b));
    INSERT INTO hashed SELECT i, i % 7 FROM generate_series(1, 5000) i;
    CREATE TABLE placed (id int, filler text);
    INSERT INTO placed SELECT i, repeat('x', 200) FROM generate_series(1, 20000) i;
    DELETE FROM placed WHERE id % 3 = 0;
    CREATE TABLE parts (id int, at date NOT NULL) PARTITION BY RANGE (at);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
    CREATE TABLE parts_2 PARTITION OF parts DEFAULT;
    INSERT INTO parts SELECT i, date '2026-01-15' + i % 40 FROM generate_series(1, 1000) i;
    CREATE TABLE whole (id int, what text);
    INSERT INTO whole SELECT i % 3, 'the same' FROM generate_series(1, 10) i;
    CREATE TABLE empty (id int PRIMARY KEY);
    CREATE TABLE "a strange ""name"".x" ("a.b" int PRIMARY KEY, "sp ace" text, "ünï" text);
    INSERT INTO "a strange ""name"".x" VALUES (1, 'x', 'ü'), (2, NULL, '');
    CREATE SCHEMA other;
    CREATE TABLE other.whole (id int PRIMARY KEY, what text);
    INSERT INTO other.whole VALUES (1, 'of another schema');
    CREATE VIEW seen AS SELECT id, upper(what) AS what FROM numbers WHERE id < 10;
"#;

const DIVIDED: &str = "
    numbers: { divide: { by: range, column: id, step: 3000 } }
    days: { divide: { by: range, column: day, step: 1 month } }
    moments: { divide: { by: range, column: at, bounds: ['2026-03-10', '2026-04-01T12:00:00Z'] } }
    lists: { divide: { by: list, column: region, values: [eu, \"it's\", 'back\\slash'] } }
    hashed: { divide: { by: hash, parts: 3 } }
    placed: { divide: { by: ctid, parts: 5 } }
    parts: { divide: { by: partition } }
    empty: { divide: { by: range, column: id, step: 10 } }";

const NAMES: [&str; 10] =
    ["numbers", "days", "moments", "lists", "hashed", "placed", "parts", "whole", "empty", r#""a strange ""name"".x""#];

fn all_same(pair: &Pair) {
    for name in NAMES {
        pair.same(name, name);
    }
    pair.same("other.whole", "other_whole");
    pair.same("seen", "seen");
}

#[test]
fn tables_arrive_whole_whatever_they_are_divided_by() {
    let pair = Pair::new(TABLES);
    let configuration = pair.configuration(DIVIDED, "overwrite-delete-stale");
    let run = pair.sync(&configuration);
    all_same(&pair);
    let units = "SELECT string_agg(DISTINCT _headwater_unit, ' ' ORDER BY _headwater_unit) FROM ";
    assert_eq!(pair.in_database(&format!("{units} placed"), true), "ctid=0 ctid=1 ctid=2 ctid=3 ctid=4");
    assert_eq!(pair.in_database(&format!("{units} parts"), true), "parts_1 parts_2");
    assert!(run.output().contains("numbers"), "{}", run.output());

    // Rows go, come, change, and move from one unit to another; a partition and a range are no more.
    pair.server
        .query(
            "DELETE FROM numbers WHERE id > 15000 OR id % 5 = 0;
             UPDATE days SET day = day + 20 WHERE id % 4 = 0;
             UPDATE days SET day = NULL WHERE id % 100 = 3;
             UPDATE moments SET at = at + interval '20 days' WHERE id % 2 = 0;
             UPDATE lists SET region = 'eu' WHERE region = 'us' AND id % 2 = 0;
             DELETE FROM hashed WHERE a > 100;
             DELETE FROM placed WHERE id > 3000;
             ALTER TABLE parts DETACH PARTITION parts_1;
             INSERT INTO whole VALUES (99, 'new');
             DELETE FROM whole WHERE id = 1;
             INSERT INTO empty VALUES (1), (1000);",
        )
        .unwrap();
    pair.server.query("VACUUM FULL placed").unwrap();
    pair.server.query("DROP TABLE parts_1").unwrap();
    pair.sync(&configuration);
    all_same(&pair);

    // Nothing changes where nothing has changed.
    let before: Vec<Vec<String>> = NAMES.iter().map(|name| pair.rows(name, true)).collect();
    pair.sync(&configuration);
    let after: Vec<Vec<String>> = NAMES.iter().map(|name| pair.rows(name, true)).collect();
    assert!(before == after);
}

#[test]
fn only_the_periods_that_are_named_are_touched() {
    let pair = Pair::new(TABLES);
    let tables = |rest: &str| {
        format!(
            "moments: {{ periods: {{ column: at, every: 1 day, {rest} }}, divide: {{ by: range, column: id, step: 50 }} }}"
        )
    };
    let only = |configuration: String| configuration.replace("tables: ['*']", "tables: [moments]");
    let first = only(pair.configuration(&tables("from: 2026-03-02, until: 2026-03-05"), "overwrite-delete-stale"));
    pair.sync(&first);
    let days = "SELECT string_agg(DISTINCT (at AT TIME ZONE 'UTC')::date::text, ' ') FROM moments";
    assert_eq!(pair.in_database(days, true), "2026-03-02 2026-03-03 2026-03-04");

    pair.server
        .query("DELETE FROM moments WHERE at < '2026-03-03 12:00Z'; UPDATE moments SET local = NULL WHERE id % 2 = 0")
        .unwrap();
    let second = only(pair.configuration(&tables("from: 2026-03-03, until: 2026-03-04"), "overwrite-delete-stale"));
    pair.sync(&second);
    let count = |day: &str, written: bool| {
        let sql = format!("SELECT count(*), count(local) FROM moments WHERE (at AT TIME ZONE 'UTC')::date = '{day}'");
        pair.in_database(&sql, written)
    };
    assert_eq!(count("2026-03-03", true), count("2026-03-03", false));
    assert_ne!(count("2026-03-02", true), count("2026-03-02", false), "another day is as it was");
    assert_ne!(count("2026-03-04", true), count("2026-03-04", false), "and so is the next");
}

#[test]
fn killed_at_any_moment_a_divided_table_is_whole_in_the_end() {
    let pair = Pair::new(TABLES);
    pair.server
        .query(
            "INSERT INTO numbers SELECT i, repeat(md5(i::text), 5) FROM generate_series(30000, 300000) i;
             INSERT INTO placed SELECT i, repeat('y', 300) FROM generate_series(30000, 200000) i",
        )
        .unwrap();
    let configuration = pair.configuration(DIVIDED, "overwrite-delete-stale");
    pair.headwater.write("sync.yml", &configuration).unwrap();
    for kill in 0..8_u64 {
        let mut child = pair.headwater.start(&["sync", "sync.yml", "--resume"]).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(150 + kill * 577 % 2500));
        child.kill().unwrap();
        child.wait().unwrap();
        // What is visible of a unit without a key is one attempt's.
        let twice = "SELECT count(*) FROM (SELECT id FROM placed GROUP BY id HAVING count(*) > 1) t";
        if pair.in_database("SELECT to_regclass('placed') IS NOT NULL", true) == "t" {
            assert_eq!(pair.in_database(twice, true), "0");
        }
    }
    let last = pair.headwater.run(&["sync", "sync.yml", "--resume"]).unwrap();
    assert_eq!(last.code, Some(0), "{}", last.output());
    all_same(&pair);
}

#[test]
fn a_server_that_is_killed_in_the_middle_fails_no_unit() {
    let mut pair = Pair::new(TABLES);
    pair.server
        .query("INSERT INTO numbers SELECT i, repeat(md5(i::text), 10) FROM generate_series(30000, 300000) i")
        .unwrap();
    let tables = "numbers: { divide: { by: range, column: id, step: 50000 } }";
    let configuration =
        pair.configuration(tables, "overwrite-delete-stale").replace("tables: ['*']", "tables: [numbers]");
    pair.headwater.write("sync.yml", &configuration).unwrap();
    for kill in 0..3_u64 {
        let mut child = pair.headwater.start(&["sync", "sync.yml"]).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(400 + kill * 400));
        pair.server.kill();
        pair.server.run().unwrap();
        let code = child.wait().unwrap().code();
        assert!(matches!(code, Some(0 | 1 | 3)), "{code:?}");
        if pair.in_database("SELECT to_regclass('numbers') IS NOT NULL", true) == "t" {
            let twice = "SELECT count(*) FROM (SELECT id FROM numbers GROUP BY id HAVING count(*) > 1) t";
            assert_eq!(pair.in_database(twice, true), "0");
        }
    }
    pair.sync(&configuration);
    pair.same("numbers", "numbers");
}
