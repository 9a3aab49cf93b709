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

#[test]
fn killed_at_any_moment_no_row_is_lost_or_comes_twice() {
    let pair = Pair::new(TABLES);
    pair.server
        .query("INSERT INTO events SELECT i, timestamptz '2026-01-02 00:00Z' + i * interval '1 second', repeat('x', 300) FROM generate_series(1, 300000) i")
        .unwrap();
    let configuration = pair.configuration(CURSORS, "append");
    pair.headwater.write("sync.yml", &configuration).unwrap();
    let mut refused = 0;
    for kill in 0..12_u64 {
        let mut child = pair.headwater.start(&["sync", "sync.yml", "--resume"]).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(100 + kill * 311 % 1900));
        child.kill().unwrap();
        child.wait().unwrap();
        // Whoever forgets to go on is told.
        let forgotten = pair.headwater.run(&["sync", "sync.yml"]).unwrap();
        match forgotten.code {
            Some(2) => {
                assert!(forgotten.stderr.contains("--resume"), "{}", forgotten.output());
                refused += 1;
            }
            Some(0) => {}
            _ => panic!("{}", forgotten.output()),
        }
        pair.server
            .query(&format!("INSERT INTO events SELECT 1000000 + {kill}, max(at), 'while killed' FROM events"))
            .unwrap();
    }
    let last = pair.headwater.run(&["sync", "sync.yml", "--resume"]).unwrap();
    assert_eq!(last.code, Some(0), "{}", last.output());
    let new = pair.headwater.run(&["sync", "sync.yml"]).unwrap();
    assert_eq!(new.code, Some(0), "{}", new.output());
    pair.same("events", "events");
    assert!(refused > 0, "a kill came in the middle");
}
