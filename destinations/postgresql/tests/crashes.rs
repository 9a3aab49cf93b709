//! What a server that crashes, restarts or is cut off does to units: nothing is lost without a word, and nothing comes
//! twice.
#![allow(clippy::unwrap_used)]

mod common;

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use common::Postgresql;
use common::relay::{Cut, Relay};
use headwater_postgresql::{Spec, destination};
use headwater_sdk::destination::MigrateMode;
use headwater_sdk::testing::{HERE, Item, Subject, at, batch, part, thing, things};
use headwater_sdk::{
    Budget, Committed, Destination, Outcome, PartWriter, Rejects, TableSchema, Timestamp, UnitHash, WriteMode,
};

const MODE: WriteMode = WriteMode::OverwriteDeleteStale;

/// Many enough that they wait in a table.
const MANY: i64 = 30_000;

fn rows(from: i64, to: i64) -> Vec<Item> {
    (from..to).map(|number| thing(&format!("n{number:07}"), number)).collect()
}

/// A destination whose parts send their rows soon, with a table that is ready.
async fn open(spec: Spec, table: &TableSchema) -> Box<dyn Destination> {
    let destination = destination(spec).unwrap();
    destination.use_memory(&Budget::new(4 << 20));
    destination.migrate(&[Arc::new(table.clone())], MigrateMode::Safe).await.unwrap();
    destination
}

async fn send(writer: &mut dyn PartWriter, table: &TableSchema, time: Timestamp, rows: &[Item]) {
    for rows in rows.chunks(3000) {
        writer.write(batch(table, HERE, time, rows)).await.unwrap();
    }
}

async fn write(destination: &dyn Destination, table: &TableSchema, time: Timestamp, rows: &[Item]) -> Committed {
    let mut writer = destination.begin(part(table, HERE, time, MODE)).await.unwrap();
    send(&mut *writer, table, time, rows).await;
    writer.commit(Outcome::Complete).await.unwrap()
}

/// Kills one process of the server, upon which it ends all others, and waits until it is there again.
async fn crash(server: &Postgresql) {
    let client = server.client().await;
    let pid: i32 = client.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
    assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
    for _ in 0..500 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        if client.is_closed() && server.0.query("SELECT 1").is_ok() {
            return;
        }
    }
    panic!("the server does not come back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_waited_and_are_lost_fail_their_unit() {
    let server = Postgresql::start();
    for rejects in [None, Some(Rejects::new(10))] {
        let table = things(if rejects.is_some() { "sifted" } else { "plain" });
        let destination = open(server.spec(), &table).await;
        assert_eq!(write(&*destination, &table, at(0), &rows(0, 100)).await.written, 100);
        let part = headwater_sdk::Part { rejects, ..part(&table, HERE, at(1), MODE) };
        let mut writer = destination.begin(part).await.unwrap();
        send(&mut *writer, &table, at(1), &rows(0, MANY)).await;
        crash(&server).await;
        send(&mut *writer, &table, at(1), &rows(MANY, MANY + 9000)).await;
        let error = writer.commit(Outcome::Complete).await.unwrap_err().to_string();
        assert!(error.contains("lost in a crash of the server"), "{error}");
        assert_eq!(server.rows(&table).await.len(), 100, "nothing is removed");
        destination.close().await.unwrap();
        let left = server.0.query("SELECT count(*) FROM pg_class WHERE relname LIKE 'headwater_waiting%'").unwrap();
        assert_eq!(left.trim(), "0");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_unit_whose_server_is_killed_is_there_as_a_whole_or_not_at_all() {
    let mut server = Postgresql::start();
    let table = things("t");
    let destination = open(server.spec(), &table).await;
    let mut kept = 0;
    assert_eq!(write(&*destination, &table, at(0), &rows(0, MANY)).await.written, MANY as u64);
    for (sync, delay) in [(1, 0), (2, 40), (3, 120), (4, 250), (5, 500), (6, 900)] {
        let mut writer = destination.begin(part(&table, HERE, at(sync), MODE)).await.unwrap();
        send(&mut *writer, &table, at(sync), &rows(sync, MANY + sync)).await;
        let committing = tokio::spawn(async move { writer.commit(Outcome::Complete).await });
        tokio::time::sleep(Duration::from_millis(delay)).await;
        server.0.kill();
        server.0.run().unwrap();
        let committed = committing.await.unwrap();
        if committed.is_ok() {
            kept = sync;
        }
        let seen = server.0.query("SELECT count(*), min(number), count(DISTINCT _cq_sync_time) FROM t").unwrap();
        assert_eq!(seen.trim(), format!("{MANY}|{kept}|1"), "{delay} ms: {committed:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_for_a_while_is_waited_for() {
    let mut server = Postgresql::start();
    let table = things("t");
    let destination = open(server.spec(), &table).await;
    assert_eq!(write(&*destination, &table, at(0), &rows(0, 10)).await.written, 10);
    let state = destination.state("key").await.unwrap().unwrap();
    state.start(at(1), "f").await.unwrap();
    let mut writer = destination.begin(part(&table, HERE, at(1), MODE)).await.unwrap();
    writer.write(batch(&table, HERE, at(1), &rows(0, 20))).await.unwrap();
    server.0.kill();
    let committing = tokio::spawn(async move {
        let committed = writer.commit(Outcome::Complete).await;
        (committed, state.add(&[UnitHash::of("a")]).await, state)
    });
    tokio::time::sleep(Duration::from_secs(16)).await;
    server.0.run().unwrap();
    let (committed, added, state) = committing.await.unwrap();
    assert_eq!(committed.unwrap().written, 20);
    added.unwrap();
    assert_eq!(state.load().await.unwrap().unwrap().units.len(), 1);
    assert_eq!(server.rows(&table).await.len(), 20);
}

/// A server, and a relay in front of it.
async fn relayed() -> (Postgresql, Relay, Spec) {
    let server = Postgresql::start();
    let url = server.0.url();
    let port = url.rsplit_once(':').unwrap().1.split_once('/').unwrap().0.to_owned();
    let relay = Relay::start(port.parse().unwrap()).await;
    let connection_string = url.replace(&format!(":{port}/"), &format!(":{}/", relay.port));
    (server, relay, Spec { connection_string, ..Spec::default() })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_lost_loses_and_doubles_nothing() {
    let (server, relay, spec) = relayed().await;
    // With one connection no rows go into the table as they come.
    for (name, mode, spec) in
        [("t", MODE, spec.clone()), ("added", WriteMode::Append, Spec { connections: Some(1), ..spec })]
    {
        let table = if mode == WriteMode::Append { things(name).without_key() } else { things(name) };
        let destination = open(spec, &table).await;
        let mut sync = 0;
        for cut in [Cut::Before, Cut::After(300)] {
            // Where rows wait, where they are moved, and what is small.
            for (words, count) in [("COMMIT\0", MANY), ("; COMMIT\0", MANY), ("COMMIT\0", 50)] {
                sync += 1;
                let part = headwater_sdk::Part {
                    rejects: (sync % 2 == 0).then(|| Rejects::new(5)),
                    ..part(&table, HERE, at(sync), mode)
                };
                let mut writer = destination.begin(part).await.unwrap();
                relay.cut(words, cut);
                send(&mut *writer, &table, at(sync), &rows(0, count)).await;
                let committed = writer.commit(Outcome::Complete).await.unwrap();
                assert!(relay.has_cut(), "{name}, {words:?}");
                assert_eq!(committed.written, count as u64, "{name}, {words}");
                let sql = format!(
                    "SELECT count(*), count(DISTINCT name) FROM {name} WHERE _cq_sync_time = \
                     '2026-11-21T08:59:02.123456Z'::timestamptz + interval '{sync} hours'"
                );
                assert_eq!(server.0.query(&sql).unwrap().trim(), format!("{count}|{count}"), "{name}, {words}");
            }
        }
        let state = destination.state(name).await.unwrap().unwrap();
        for cut in [Cut::Before, Cut::After(300)] {
            for step in 0..3 {
                relay.cut("COMMIT\0", cut);
                match step {
                    0 => state.start(at(1), "f").await.unwrap(),
                    1 => state.add(&[UnitHash::of("a")]).await.unwrap(),
                    _ => state.clear().await.unwrap(),
                }
                assert!(relay.has_cut());
                let units = state.load().await.unwrap().map(|run| run.units.len());
                assert_eq!(units, [Some(0), Some(1), None][step]);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attempt_waits_for_the_one_before_it() {
    let (server, relay, spec) = relayed().await;
    let table = things("t").without_key();
    let destination = open(spec, &table).await;
    // A commit takes two seconds.
    let slow = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(2); RETURN NULL; END'; \
                CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW \
                EXECUTE FUNCTION slow()";
    server.client().await.batch_execute(slow).await.unwrap();
    let mut writer = destination.begin(part(&table, HERE, at(0), WriteMode::Append)).await.unwrap();
    writer.write(batch(&table, HERE, at(0), &rows(0, 1))).await.unwrap();
    relay.cut("COMMIT\0", Cut::After(3000));
    assert_eq!(writer.commit(Outcome::Complete).await.unwrap().written, 1);
    assert!(relay.has_cut());
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(server.rows(&table).await.len(), 1);
}
