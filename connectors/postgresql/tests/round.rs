//! What is read from one PostgreSQL and written to another is the same there, type by type and byte by byte.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;

use common::Server;
use headwater_postgresql::{Spec, destination};
use headwater_postgresql_source::types::Override;
use headwater_sdk::arrow::array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray};
use headwater_sdk::destination::MigrateMode;
use headwater_sdk::sql::quote;
use headwater_sdk::{Outcome, Part, Scopes, TableSchema, Timestamp, WriteMode};

const TABLE: &str = r#"
CREATE TYPE mood AS ENUM ('ok');
CREATE TABLE source (
    id integer PRIMARY KEY, b boolean, i2 smallint, i8 bigint, o oid, f4 real, f8 double precision,
    n numeric, n2 numeric(10,2), n3 numeric(60,20), n4 numeric(99,3), n5 numeric(3,5), t text, v varchar(9), c char(5), nm name,
    x xml, ch "char", j json, jb jsonb, u uuid, by bytea, d date, ti time, ti3 time(3), tz timetz, ts timestamp, ts3 timestamp(3),
    tt timestamptz, iv interval, iv3 interval(3), ip inet, net cidr, m macaddr, m8 macaddr8, mo money, bi bit(3), vb bit varying,
    r int4range, mr datemultirange, po point, pg polygon, tv tsvector, tq tsquery, lsn pg_lsn, jp jsonpath,
    ai integer[], an numeric[], at text[], av varchar(3)[], au uuid[], aj json[], ajb jsonb[], ar int4range[], ab bit(2)[], ats timestamptz[],
    "dot.ted ""name" integer
);
INSERT INTO source VALUES
    (1, true, -1, 9223372036854775807, 4294967295, 'NaN', '-Infinity', 'NaN', 1.50, -1e-20, 0.001, 0.00999, E'é\n', 'ab ', 'ab', 'nm',
     '<a b="1"/>', 'x', '{"b": 1,  "b":2}', '{"b": 1.10}', '00000000-0000-0000-0000-000000000001', '\x00ff', 'infinity', '24:00', '01:02:03.456',
     '08:00+05:30', '-infinity', '2026-11-21 08:00:00.123', 'infinity', '1 mon -2 days 03:04:05.000006', '00:00:00.123',
     '10.0.0.1/8', '10.0.0.0/8', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05', '-12.34', '101', '1', '[1,5)', '{[2026-01-01,2026-02-01)}',
     '(1,2.5)', '((0,0),(1,1))', 'a:1 b:2', 'a & b', '16/B374D848', '$.a[*]',
     '{1,NULL,3}', '{NaN,1.50,NULL,1e40}', '{"a,b",NULL,""}', '{abc,NULL}', '{NULL}', ARRAY['{"a" :1}'::json], ARRAY['{"a":1}'::jsonb],
     '{"[1,2)",empty}', '{10,01}', '{infinity,"2026-01-01 00:00:00+00"}', 7);
INSERT INTO source VALUES
    (2, NULL, NULL, NULL, NULL, NULL, NULL, '-Infinity', NULL, 9e39, NULL, NULL, '', '', '', NULL, NULL, '', 'null', 'null', NULL, '', '-infinity', '00:00');
INSERT INTO source VALUES
    (3, false, 1, 0, 0, '-0', 1e-300, 1e500, 0, 0, -999, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '5874897-12-31', NULL, NULL, NULL,
     '294246-12-31 23:59:59.999999', NULL, '4713-01-01 00:00:00+00 BC', '-178000000 years');
INSERT INTO source (id, n) VALUES (4, 1e-500), (5, 0.000), (6, 12345678901234567890.5), (7, -0.00010);
"#;

/// Writes rows in a mode, and compares what is there then.
async fn same(server: &Server, mode: WriteMode, keyed: bool) {
    let name = format!("target_{}_{keyed}", mode.as_str());
    let mapped = server.mapped("source", &Override::default()).await;
    let read = server.rows("source", "ORDER BY id", &mapped).await.unwrap();
    let mut columns: Vec<_> = mapped.iter().map(|mapped| mapped.column.clone()).collect();
    columns[0].key = keyed;
    let table = Arc::new(TableSchema::of_database(&name, "", Scopes::SINGLE, columns));
    let rows = read[0].len();
    let batch = |time| {
        let time: ArrayRef = Arc::new(TimestampMicrosecondArray::from_value(time, rows).with_timezone("UTC"));
        let source: ArrayRef = Arc::new(StringArray::new_repeated("here", rows));
        let all = [time, source].into_iter().chain(read.iter().cloned());
        RecordBatch::try_new(table.arrow(), all.collect()).unwrap()
    };
    let target = destination(Spec { connection_string: server.postgresql.url(), ..Spec::default() }).unwrap();
    target.migrate(std::slice::from_ref(&table), MigrateMode::Safe).await.unwrap();
    for time in [1, 2] {
        let part = Part {
            table: Arc::clone(&table),
            source: "here".to_owned(),
            scope: String::new(),
            predicate: Vec::new(),
            ranges: Vec::new(),
            sync_time: Timestamp(time),
            mode,
            resumed: false,
            rejects: None,
        };
        if mode == WriteMode::Append && time == 2 {
            break;
        }
        let mut writer = target.begin(part).await.unwrap();
        writer.write(batch(time)).await.unwrap();
        assert_eq!(writer.commit(Outcome::Complete).await.unwrap().written, rows as u64);
    }
    // The table that was made fits, and stays as it is.
    assert!(target.plan(std::slice::from_ref(&table), MigrateMode::Safe).await.unwrap()[0].changes.is_empty());
    target.close().await.unwrap();
    for (column, theirs) in server.columns("source").await.iter().zip(server.columns(&name).await.iter().skip(2)) {
        assert_eq!(column.pg_type.name, theirs.pg_type.name, "{}", column.name);
        // As text, and as the bytes that are sent.
        let column = quote(&column.name);
        let text = |table: &str| format!("SELECT row({column})::text FROM {} ORDER BY id", quote(table));
        assert_eq!(server.texts(&text("source")).await, server.texts(&text(&name)).await, "{column}");
        let sent =
            |table: &str| format!("SELECT encode(record_send(row({column})), 'hex') FROM {} ORDER BY id", quote(table));
        assert_eq!(server.texts(&sent("source")).await, server.texts(&sent(&name)).await, "{column}");
    }
}

#[tokio::test]
async fn a_table_comes_out_of_another_server_as_it_went_in() {
    let server = Server::start().await;
    server.run(TABLE).await;
    same(&server, WriteMode::Append, false).await;
    same(&server, WriteMode::OverwriteDeleteStale, true).await;
}
