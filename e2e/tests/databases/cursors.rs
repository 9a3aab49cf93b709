//! Only new rows are read: none is lost, and none comes twice.

use crate::support::Pair;

const TABLES: &str = "
    CREATE TABLE events (id int, at timestamptz NOT NULL, what text);
    INSERT INTO events SELECT i, timestamptz '2026-01-01 00:00Z' + i / 10 * interval '1 minute', 'first'
        FROM generate_series(1, 1000) i;
    CREATE TABLE keyed (id bigint PRIMARY KEY, version int NOT NULL, what text);
    INSERT INTO keyed SELECT i, i, 'first' FROM generate_series(1, 500) i;";

const CURSORS: &str = "
    events: { cursor: { column: at, lag: 10m } }
    keyed: { cursor: { column: version } }";

#[test]
fn late_rows_are_read_and_none_twice() {
    let pair = Pair::new(TABLES);
    let configuration = pair.configuration(CURSORS, "append");
    pair.sync(&configuration);
    pair.same("events", "events");

    let nothing = pair.sync(&configuration);
    assert!(nothing.output().contains("0 rows"), "{}", nothing.output());
    pair.same("events", "events");

    // One that is as new as the newest, one that is late, and one that is new; a row that was there is changed.
    pair.server
        .query(
            "INSERT INTO events SELECT 5001, max(at), 'tie' FROM events;
             INSERT INTO events SELECT 5002, max(at) - interval '9 minutes', 'late' FROM events;
             INSERT INTO events SELECT 5003, max(at) + interval '1 hour', 'new' FROM events;
             UPDATE keyed SET version = 1000, what = 'changed' WHERE id = 3;
             INSERT INTO keyed VALUES (501, 500, 'tie')",
        )
        .unwrap();
    pair.sync(&configuration);
    pair.same("events", "events");
    assert_eq!(pair.in_database("SELECT count(*), count(*) FILTER (WHERE id = 3) FROM keyed", true), "502|2");
    pair.sync(&configuration);
    assert_eq!(pair.in_database("SELECT count(*) FROM keyed", true), "502");

    // What is later than the lag allows is not read: that is what the lag says.
    pair.server.query("INSERT INTO events VALUES (6000, '2026-01-01 00:00Z', 'too late')").unwrap();
    pair.sync(&configuration);
    assert_eq!(pair.in_database("SELECT count(*) FROM events WHERE id = 6000", true), "0");
}

#[test]
fn changed_rows_replace_those_with_their_key() {
    let pair = Pair::new(TABLES);
    let tables = "keyed: { cursor: { column: version } }\nevents: { key: [id] }";
    let configuration = pair.configuration(tables, "overwrite");
    pair.sync(&configuration);
    pair.server
        .query(
            "UPDATE keyed SET version = 1000 + id, what = 'changed' WHERE id % 7 = 0; DELETE FROM keyed WHERE id = 1",
        )
        .unwrap();
    let run = pair.sync(&configuration);
    assert!(run.output().contains("71"), "only those that have changed: {}", run.output());
    let changed = "SELECT count(*), count(*) FILTER (WHERE what = 'changed') FROM keyed";
    assert_eq!(pair.in_database(changed, true), "500|71", "what was deleted stays in this mode");
}
