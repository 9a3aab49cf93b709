//! Changes of tables arrive, whatever they are and wherever a sync is ended, and nothing twice.

use std::time::{Duration, Instant};

use headwater_e2e::{Headwater, LocalPostgresql, Run};

use crate::support::Pair;

const TABLES: &str = r#"
    CREATE TYPE mood AS ENUM ('sad', 'it''s ok', 'back\slash');
    CREATE TABLE orders (id bigint PRIMARY KEY, what text, price numeric, at timestamptz DEFAULT now());
    INSERT INTO orders SELECT i, md5(i::text), i / 7.0 FROM generate_series(1, 3000) i;
    CREATE TABLE pairs (a int, b text, c int, PRIMARY KEY (a, b));
    INSERT INTO pairs SELECT i % 10, i::text, i FROM generate_series(1, 500) i;
    CREATE TABLE long (id int PRIMARY KEY, n int, body text, other text);
    ALTER TABLE long ALTER body SET STORAGE EXTERNAL, ALTER other SET STORAGE EXTERNAL;
    INSERT INTO long SELECT i, 0, repeat(md5(i::text), 200), repeat('x', 5000) FROM generate_series(1, 50) i;
    CREATE TABLE "a strange ""name""" ("k'ey" text PRIMARY KEY, m mood, l text[], j jsonb, b bytea, r int4range,
        t time, d date, i interval, u uuid, n inet, f float8, c char(4), "double" numeric(10, 2), x boolean,
        g int GENERATED ALWAYS AS (length("k'ey")) STORED, o text);
    INSERT INTO "a strange ""name""" VALUES ('first', 'it''s ok', '{a,NULL,"b\"c"}', '{"a": [1, null]}', '\x00ff5c', '[1,5)',
        '12:34:56.789', '2026-01-01', '1 mon 2 days', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '10.0.0.1/8', 0.1, 'ab', 1.50,
        true);
    CREATE TABLE whole (id int, what text, more text);
    ALTER TABLE whole REPLICA IDENTITY FULL;
    ALTER TABLE whole ALTER more SET STORAGE EXTERNAL;
    INSERT INTO whole SELECT i, i::text, repeat('y', 4000) FROM generate_series(1, 20) i;
    CREATE TABLE parts (id int, at date, what text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
    CREATE TABLE parts_2 PARTITION OF parts DEFAULT;
    INSERT INTO parts SELECT i, date '2026-01-15' + i % 40, 'x' FROM generate_series(1, 200) i;"#;

const NAMES: [&str; 6] = ["orders", "pairs", "long", r#""a strange ""name""""#, "whole", "parts"];

/// All kinds of changes, several tables in a transaction.
const CHANGES: &[&str] = &[
    "BEGIN; UPDATE orders SET price = -1, what = NULL WHERE id % 7 = 0; DELETE FROM orders WHERE id % 5 = 0;
     INSERT INTO orders SELECT i, 'new ' || i, i FROM generate_series(10001, 10500) i;
     DELETE FROM pairs WHERE c < 100; COMMIT",
    "UPDATE orders SET id = id + 100000 WHERE id BETWEEN 1 AND 50",
    "UPDATE pairs SET b = b || 'x' WHERE c % 3 = 0; INSERT INTO pairs VALUES (1, 'gone', 0);
     DELETE FROM pairs WHERE b = 'gone'",
    "UPDATE long SET n = n + 1 WHERE id < 20; UPDATE long SET n = n + 1, other = 'short' WHERE id BETWEEN 5 AND 25;
     UPDATE long SET id = id + 1000 WHERE id IN (7, 8); UPDATE long SET n = 9 WHERE id = 30; DELETE FROM long WHERE id = 30",
    r#"INSERT INTO "a strange ""name""" SELECT E'k\\''"{},' || i, 'back\slash', ARRAY['\', '"', '', NULL, i::text], 'null',
         '\x5c', 'empty', '00:00', '0001-01-01', '-1 year', gen_random_uuid(), '::1', 'NaN', '', i, NULL FROM generate_series(1, 9) i;
       UPDATE "a strange ""name""" SET o = E'tab\tline\nü''\\N', f = '-Infinity', "k'ey" = 'other' WHERE "k'ey" = 'first'"#,
    "UPDATE whole SET what = 'changed' WHERE id < 10; UPDATE whole SET id = id + 100 WHERE id = 3;
     DELETE FROM whole WHERE id = 5",
    "UPDATE parts SET at = at + 20 WHERE id % 3 = 0; DELETE FROM parts WHERE id < 20",
    "BEGIN; INSERT INTO orders VALUES (77777, 'x'); SAVEPOINT a; UPDATE orders SET what = 'rolled back'; ROLLBACK TO a; COMMIT",
    "BEGIN; DELETE FROM orders; ROLLBACK",
];

fn server() -> LocalPostgresql {
    LocalPostgresql::start_set(&["wal_level=logical"]).unwrap()
}

/// A configuration with both destinations.
fn configuration(slot: &str, more: &str) -> String {
    format!(
        "kind: source\nspec:\n  name: pg\n  path: postgresql\n  tables: ['*']\n  destinations: [copy, file]\n  spec:\n    \
         connection_string: ${{FROM}}\n    replication: {{ slot: {slot}, publication: all of it, create: true{more} }}\n    \
         tables: {{ whole: {{ key: [id] }} }}\n---\nkind: destination\nspec:\n  name: copy\n  path: postgresql\n  write_mode: \
         overwrite\n  spec: {{ connection_string: '${{TO}}' }}\n---\nkind: destination\nspec:\n  name: file\n  path: \
         sqlite\n  write_mode: overwrite\n  spec: {{ connection_string: copy.db }}\n"
    )
}

fn start() -> Pair {
    Pair::on(server(), TABLES)
}

fn count_in_sqlite(headwater: &Headwater, table: &str) -> i64 {
    let db = rusqlite::Connection::open(headwater.folder().join("copy.db")).unwrap();
    let sql = format!("SELECT count(*) FROM {table}");
    db.query_row(&sql, [], |row| row.get(0)).unwrap()
}

/// Makes sure that a table is the same in both databases; a number may be a text there.
fn same(pair: &Pair, name: &str) {
    let sql = format!(
        "SELECT (SELECT jsonb_object_agg(key, value #>> '{{}}') FROM jsonb_each(to_jsonb(this_row) - '_cq_sync_time' - \
         '_cq_source_name')) FROM {name} AS this_row ORDER BY 1"
    );
    let (from, to) = (pair.in_database(&sql, false), pair.in_database(&sql, true));
    let only = |of: &str, other: &str| {
        let other: std::collections::HashSet<&str> = other.lines().collect();
        of.lines().filter(|row| !other.contains(row)).take(3).map(|row| format!("{row:.300}\n")).collect::<String>()
    };
    assert!(from == to, "{name}: missing\n{}and too many\n{}", only(&from, &to), only(&to, &from));
}

fn all_same(pair: &Pair) {
    for name in NAMES {
        same(pair, name);
        let count = pair.in_database(&format!("SELECT count(*) FROM {name}"), false);
        assert_eq!(count_in_sqlite(&pair.headwater, name).to_string(), count, "{name} in SQLite");
    }
    let db = rusqlite::Connection::open(pair.headwater.folder().join("copy.db")).unwrap();
    let sql = "SELECT coalesce(group_concat(id || ' ' || coalesce(what, '-') || ' ' || coalesce(price, '-'), '|'), '') \
               FROM (SELECT * FROM orders ORDER BY id)";
    let in_sqlite: String = db.query_row(sql, [], |row| row.get(0)).unwrap();
    let sql = "SELECT coalesce(string_agg(id || ' ' || coalesce(what, '-') || ' ' || coalesce(price::text, '-'), '|' \
               ORDER BY id), '') FROM orders";
    assert!(in_sqlite == pair.in_database(sql, false), "orders in SQLite");
}

fn change(pair: &Pair) {
    for sql in CHANGES {
        pair.server.query(sql).unwrap();
    }
}

#[test]
fn all_kinds_of_changes_arrive() {
    let pair = start();
    let configuration = configuration("kinds", "");
    pair.sync(&configuration);
    all_same(&pair);

    change(&pair);
    let run = pair.sync(&configuration);
    all_same(&pair);
    assert!(!run.output().contains("anew"), "{}", run.output());
    let nothing = pair.sync(&configuration);
    assert!(nothing.output().contains("0 rows"), "{}", nothing.output());
    all_same(&pair);

    // All rows go, and others come, in one transaction and in several.
    pair.server
        .query("BEGIN; TRUNCATE pairs, whole; INSERT INTO pairs VALUES (5, 'after', 5); COMMIT; TRUNCATE orders")
        .unwrap();
    pair.server.query("INSERT INTO orders VALUES (1, 'after', 1)").unwrap();
    pair.sync(&configuration);
    all_same(&pair);
    assert_eq!(pair.in_database("SELECT count(*) FROM orders", true), "1");

    // What the slot holds back has gone with it.
    let lag = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn) < 1000000 FROM pg_replication_slots";
    assert_eq!(pair.in_database(lag, false), "t");
    pair.headwater.write("sync.yml", &configuration).unwrap();
    let check = pair.headwater.run(&["check", "sync.yml"]).unwrap();
    assert!(check.code == Some(0) && check.output().contains("slot kinds: holds back"), "{}", check.output());
}

#[test]
fn columns_and_tables_come_and_go() {
    let pair = start();
    let configuration = configuration("columns", "");
    pair.sync(&configuration);
    pair.server
        .query(
            "INSERT INTO orders VALUES (5001, 'before'); ALTER TABLE orders ADD more int; UPDATE orders SET more = 1 WHERE id = 5;
             INSERT INTO orders VALUES (5002, 'behind', 1, now(), 2); ALTER TABLE orders ADD filled text DEFAULT 'full';
             ALTER TABLE pairs ADD empty date; UPDATE pairs SET empty = '2026-01-01' WHERE c = 7;
             CREATE TABLE later (id int PRIMARY KEY, what text); INSERT INTO later VALUES (1, 'x'), (2, NULL)",
        )
        .unwrap();
    let run = pair.sync(&configuration);
    all_same(&pair);
    same(&pair, "later");
    assert!(run.output().contains("column filled is new"), "{}", run.output());
    assert!(!run.output().contains("column empty"), "{}", run.output());

    pair.server
        .query(
            "UPDATE later SET what = 'changed' WHERE id = 2; DELETE FROM later WHERE id = 1; ALTER TABLE later RENAME what TO that;
             UPDATE later SET that = 'renamed'; ALTER TABLE orders DROP filled; INSERT INTO orders VALUES (5003);
             ALTER TABLE pairs ALTER c TYPE bigint; INSERT INTO pairs VALUES (1, 'large', 5000000000)",
        )
        .unwrap();
    pair.sync(&configuration);
    let columns = |columns: &str, table: &str, written| {
        pair.in_database(&format!("SELECT {columns} FROM {table} ORDER BY 1, 2"), written)
    };
    for (names, table) in [("id, that", "later"), ("id, what, price, more", "orders"), ("b, a, c, empty", "pairs")] {
        assert_eq!(columns(names, table, true), columns(names, table, false), "{table}");
    }

    // A table that was made anew has other rows.
    pair.server.query("DROP TABLE whole; CREATE TABLE whole (id int PRIMARY KEY, what text, more text)").unwrap();
    pair.server.query("INSERT INTO whole VALUES (4711, 'new', NULL)").unwrap();
    pair.sync(&configuration);
    same(&pair, "whole");

    // What the destination does not change unasked is an error that names it.
    pair.server.query("ALTER TABLE whole ALTER what TYPE int USING 1").unwrap();
    let run = pair.headwater.sync(&configuration).unwrap();
    assert!(run.code != Some(0) && run.output().contains("what"), "{}", run.output());
}

/// Runs a sync that is ended after a while, as by `kill -9`; answers whether it had ended by itself.
fn killed(pair: &Pair, configuration: &str, after: Duration) -> bool {
    pair.headwater.write("sync.yml", configuration).unwrap();
    let mut child = pair.headwater.start(&["sync", "sync.yml"]).unwrap();
    let began = Instant::now();
    loop {
        if child.try_wait().unwrap().is_some() {
            return true;
        }
        if began.elapsed() >= after {
            child.kill().unwrap();
            child.wait().unwrap();
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_sync_that_is_killed_is_repeated_by_the_next() {
    let pair = start();
    pair.server
        .query("INSERT INTO orders SELECT i, repeat(md5(i::text), 3), i FROM generate_series(120001, 190000) i")
        .unwrap();
    let configuration = configuration("killed", "");
    let (mut after, mut ended, mut number) = (40, 0, 300_000);
    while ended < 3 {
        // The tables change all the time, also while they are copied.
        let change = format!(
            "INSERT INTO orders SELECT i, 'n' || i FROM generate_series({number}, {number} + 999) i;
             DELETE FROM orders WHERE id % 97 = {} ; UPDATE orders SET price = {number} WHERE id % 89 = {};
             UPDATE long SET n = {number}; DELETE FROM pairs WHERE c = {}; INSERT INTO pairs VALUES (3, 'p{number}', 1);
             UPDATE orders SET id = -id WHERE id BETWEEN {number} AND {number} + 9",
            number / 1000 % 97,
            number / 1000 % 89,
            number / 1000,
        );
        number += 1000;
        std::thread::scope(|scope| {
            let changing = scope.spawn(|| pair.server.query(&change).unwrap());
            ended += usize::from(killed(&pair, &configuration, Duration::from_millis(after)));
            changing.join().unwrap();
        });
        after += 60 + after / 4;
    }
    pair.sync(&configuration);
    all_same(&pair);
    // And what comes behind.
    change(&pair);
    pair.sync(&configuration);
    all_same(&pair);
}

#[test]
fn a_publication_leaves_out_rows_and_columns() {
    let pair = start();
    pair.server
        .query(
            "ALTER TABLE pairs REPLICA IDENTITY FULL; CREATE PUBLICATION \"all of it\" FOR TABLE orders (id, price), \
             pairs WHERE (c % 2 = 0)",
        )
        .unwrap();
    let some = configuration("some", "").replace("create: true", "create: false").replace(", file]", "]");
    let some = some.replace("tables: { whole: { key: [id] } }", "");
    let publish = "SELECT pg_create_logical_replication_slot('some', 'pgoutput')";
    pair.server.query(publish).unwrap();
    let same = || {
        for sql in
            ["SELECT a, b, c FROM pairs WHERE c % 2 = 0 ORDER BY b, a", "SELECT id, price FROM orders ORDER BY id"]
        {
            assert!(pair.in_database(sql, false) == pair.in_database(sql, true), "{sql}");
        }
        assert_eq!(pair.in_database("SELECT count(*) FROM pairs WHERE c % 2 = 1", true), "0");
        let columns = "SELECT count(*) FROM pg_attribute WHERE attrelid = 'orders'::regclass AND attnum > 0";
        assert_eq!(pair.in_database(columns, true), "4");
    };
    pair.sync(&some);
    same();
    pair.server
        .query("UPDATE pairs SET c = c + 1 WHERE c < 50; UPDATE orders SET what = 'x', price = 3 WHERE id < 9; DELETE FROM pairs WHERE c > 400")
        .unwrap();
    pair.sync(&some);
    same();
}

/// All is committed in the destinations, and the place in the log is not kept yet: the changes are read once more.
#[test]
fn what_is_committed_and_not_kept_is_read_again() {
    let pair = start();
    let configuration = configuration("unkept", "");
    pair.headwater.write("sync.yml", &configuration).unwrap();
    let arguments = ["sync", "sync.yml", "--state", "state.db"];
    let sync = || {
        let run = pair.headwater.run(&arguments).unwrap();
        assert_eq!(run.code, Some(0), "{}", run.output());
    };
    sync();
    change(&pair);
    pair.server.query("INSERT INTO orders SELECT i, 'many' FROM generate_series(500001, 600000) i").unwrap();
    let state = rusqlite::Connection::open(pair.headwater.folder().join("state.db")).unwrap();
    state.busy_timeout(Duration::from_secs(10)).unwrap();
    let text = |sql: &str| state.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap_or_default();
    let run = "SELECT coalesce(max(sync_time_us), 0) || '' FROM headwater_runs";
    let kept = "SELECT checkpoint FROM headwater_checkpoints";
    let (run_before, kept_before) = (text(run), text(kept));
    let mut child = pair.headwater.start(&arguments).unwrap();
    let began = Instant::now();
    while text(run) == run_before {
        assert!(began.elapsed() < Duration::from_secs(60));
    }
    state.execute_batch("BEGIN IMMEDIATE").unwrap();
    let committed = "SELECT count(*) FROM orders WHERE id > 500000";
    while pair.in_database(committed, true) != "100000" || count_in_sqlite(&pair.headwater, "orders") < 100_000 {
        assert!(began.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(500));
    child.kill().unwrap();
    child.wait().unwrap();
    state.execute_batch("ROLLBACK").unwrap();
    assert_eq!(text(kept), kept_before, "nothing is kept");
    // What was committed is deleted, changed, and comes again under the same key.
    pair.server
        .query(
            "DELETE FROM orders WHERE id % 2 = 0; UPDATE orders SET id = id - 400000 WHERE id > 590000;
             UPDATE long SET n = 77; INSERT INTO pairs VALUES (0, 'back', 1); TRUNCATE whole",
        )
        .unwrap();
    sync();
    all_same(&pair);
    assert_ne!(text(kept), kept_before);
}

/// Transactions that run while tables are copied are neither missed nor doubled.
#[test]
fn a_copy_waits_for_those_that_began_before_it() {
    let pair = start();
    let configuration = configuration("waits", "");
    std::thread::scope(|scope| {
        let long = scope.spawn(|| {
            let sql = "BEGIN; INSERT INTO pairs VALUES (42, 'long', 1); UPDATE orders SET what = 'long' WHERE id < 9; \
                       SELECT pg_sleep(4); COMMIT";
            pair.server.query(sql).unwrap();
        });
        std::thread::sleep(Duration::from_millis(500));
        let began = Instant::now();
        pair.sync(&configuration);
        assert!(began.elapsed() > Duration::from_secs(2), "it waits");
        long.join().unwrap();
    });
    all_same(&pair);
    pair.sync(&configuration);
    all_same(&pair);
}

#[test]
fn changes_are_read_in_pieces() {
    let pair = start();
    let whole = configuration("pieces", "");
    pair.sync(&whole);
    for batch in 0..10 {
        let sql = format!("INSERT INTO pairs SELECT 99, '{batch}/' || i, i FROM generate_series(1, 100) i");
        pair.server.query(&sql).unwrap();
    }
    let count = || pair.in_database("SELECT count(*) FROM pairs WHERE a = 99", true);
    let few = configuration("pieces", ", max_changes: 250");
    let mut counts = Vec::new();
    for _ in 0..6 {
        pair.sync(&few);
        counts.push(count());
    }
    assert_eq!(counts, ["300", "600", "900", "1000", "1000", "1000"]);
    all_same(&pair);
    pair.server.query("DELETE FROM pairs WHERE a = 99 AND c % 2 = 0").unwrap();
    let few = configuration("pieces", ", max_bytes: 20000");
    let mut syncs = 0;
    while count() != "500" {
        pair.sync(&few);
        syncs += 1;
        assert!(syncs < 200, "{}", count());
    }
    assert!(syncs > 1, "{syncs}");
}

fn refused(run: &Run, why: &str) {
    assert!(run.code != Some(0) && run.output().contains(why), "{why}: {}", run.output());
}

#[test]
fn what_cannot_work_is_told() {
    let pair = start();
    let text = configuration("wrong", "");
    let check = |text: &str, why: &str| {
        pair.headwater.write("wrong.yml", text).unwrap();
        refused(&pair.headwater.run(&["check", "wrong.yml"]).unwrap(), why);
    };
    check(&text.replace("write_mode: overwrite", "write_mode: append"), "cannot take changes in write mode `append`");
    check(&text.replace("write_mode: overwrite", ""), "cannot take changes in write mode `overwrite-delete-stale`");
    check(&text.replace("create: true", "create: false"), "there is no publication `all of it`");
    check(&text.replace("{ key: [id] }", "{ key: [] }"), "public.whole has no key");
    check(&text.replace("key: [id]", "key: [id], where: 'true'"), "has no meaning with `replication`");
    check(&text.replace("slot: wrong", "slot: Wrong"), "small letters");
    pair.server.query("CREATE TABLE hidden (id int PRIMARY KEY, what text)").unwrap();
    check(
        &text.replace("whole: { key: [id] }", "whole: { key: [id] }, hidden: { key: [what] }"),
        "public.hidden does not tell the key",
    );

    // A slot that another process uses, one that something else has read, and one that is gone.
    pair.sync(&text);
    pair.server.query("UPDATE pairs SET c = 1; UPDATE pairs SET c = 2; SELECT pg_switch_wal()").unwrap();
    let small = configuration("wrong", ", max_lag: 1000");
    pair.headwater.write("wrong.yml", &small).unwrap();
    refused(&pair.headwater.run(&["check", "wrong.yml"]).unwrap(), "more than `max_lag` allows");
    pair.sync(&text);
    pair.server.query("UPDATE pairs SET c = 3").unwrap();
    pair.server
        .query("SELECT count(*) FROM pg_logical_slot_get_binary_changes('wrong', NULL, NULL, 'proto_version', '1', 'publication_names', '\"all of it\"')")
        .unwrap();
    refused(&pair.headwater.sync(&text).unwrap(), "something else has read it");
    pair.server.query("SELECT pg_drop_replication_slot('wrong')").unwrap();
    refused(&pair.headwater.sync(&text).unwrap(), "the slot `wrong` is gone");
    // Another slot copies all anew, and leaves nothing that is no more.
    pair.server.query("DELETE FROM pairs WHERE b > '5'").unwrap();
    pair.sync(&configuration("another", ""));
    all_same(&pair);

    let other = LocalPostgresql::start().unwrap();
    let headwater =
        Headwater::new().unwrap().with_environment("FROM", &other.url()).with_environment("TO", &other.url());
    headwater.write("wrong.yml", &text).unwrap();
    refused(&headwater.run(&["check", "wrong.yml"]).unwrap(), "its wal_level is replica");
}
