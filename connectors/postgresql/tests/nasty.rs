//! A table of all that is strange, what columns become, and what is refused.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Server, cell, said};
use headwater_postgresql_source::types::{Mapped, Nan, Override, Rules, Unbounded, map};
use headwater_sdk::ColumnType;
use headwater_sdk::arrow::array::Array;

const NASTY: &str = r#"
CREATE TYPE mood AS ENUM ('ok', 'so, so');
CREATE TYPE pair AS (a integer, b text);
CREATE DOMAIN positive AS numeric(12,3) CHECK (VALUE > 0);
CREATE DOMAIN tags AS text[];
CREATE TABLE "na.sty "" täble" (
    id uuid PRIMARY KEY,
    "quo""ted" integer,
    gone text,
    "dot.ted name" interval,
    "größe" numeric,
    "select" numeric(10,2) NOT NULL,
    wide numeric(60,20),
    list integer[],
    words text[],
    ids uuid[],
    labels tags,
    address inet,
    net cidr,
    feeling mood,
    feelings mood[],
    "bytes" bytea,
    at timestamp,
    att timestamptz,
    precise timestamp(3),
    day date,
    of_day time,
    zoned timetz,
    pair pair,
    span int4range,
    place point,
    price money,
    bits bit(3),
    fixed char(4),
    short varchar(9),
    one "char",
    raw json,
    doc jsonb,
    hw macaddr8,
    good positive,
    object oid,
    twice integer GENERATED ALWAYS AS ("quo""ted" * 2) STORED
);
ALTER TABLE "na.sty "" täble" DROP COLUMN gone;
COMMENT ON COLUMN "na.sty "" täble"."größe" IS 'How large it is.';
INSERT INTO "na.sty "" täble" VALUES
    ('00000000-0000-0000-0000-000000000001', 7, '1 mon -2 days 03:04:05.000006', 'NaN', 1.50, -1e-20,
     '{1,NULL,3}', '{}', '{NULL}', '{"a,b",NULL,"c\"d"}', '10.0.0.1/8', '10.0.0.0/8', 'so, so', '{ok,NULL}', '\x00ff',
     '-infinity', 'infinity', '2026-11-21 08:00:00.123', '-infinity', '24:00', '08:00+05:30', '(1,"x,y")', '[1,5)', '(1,2)',
     '-12.34', '101', 'ab', 'ab ', 'x', '{"b": 1, "b":2}', '{"b": 1.10}', '08:00:2b:01:02:03:04:05', 0.001, 4294967295),
    ('00000000-0000-0000-0000-000000000002', NULL, '-178000000 years', '1e500', -0.01, 9e39,
     '[5:6]={1,2}', NULL, '{00000000-0000-0000-0000-000000000003}', '{}', '::1', '2001:db8::/32', 'ok', NULL, '',
     '294246-12-31 23:59:59.999999', '4713-01-01 00:00:00+00 BC', NULL, '5874897-12-31', '00:00', NULL, NULL, 'empty', NULL,
     NULL, NULL, '', '', NULL, 'null', 'null', NULL, NULL, NULL);
"#;

const TABLE: &str = "na.sty \" täble";

fn shown(mapped: &Mapped) -> String {
    let column = &mapped.column;
    let native = column.native.as_deref().unwrap_or("-");
    format!("{} | {} | {} | {native}", column.name, mapped.select, column.kind.name())
}

#[tokio::test]
async fn a_nasty_table_is_read_as_it_is() {
    let server = Server::start().await;
    server.run(NASTY).await;
    let mapped = server.mapped(TABLE, &Override::default()).await;
    let lines: Vec<String> = mapped.iter().map(shown).collect();
    assert_eq!(
        lines.join("\n"),
        r#"id | "id" | uuid | -
quo"ted | "quo""ted" | int32 | -
dot.ted name | "dot.ted name" | interval(monthdaynano) | -
größe | "größe"::text | utf8 | postgresql numeric
select | "select" | decimal128(10, 2) | -
wide | "wide" | decimal256(60, 20) | -
list | "list" | list<int32> | -
words | "words" | list<utf8> | -
ids | "ids" | list<uuid> | -
labels | "labels" | list<utf8> | -
address | "address" | inet | -
net | "net" | inet | postgresql cidr
feeling | "feeling" | utf8 | postgresql mood
feelings | "feelings" | list<utf8> | postgresql mood[]
bytes | "bytes" | binary | -
at | "at" | timestamp[us] | -
att | "att" | timestamp[us, UTC] | -
precise | "precise" | timestamp[us] | postgresql timestamp(3) without time zone
day | "day" | date32 | -
of_day | "of_day" | time64(µs) | -
zoned | "zoned"::text | utf8 | postgresql time with time zone
pair | "pair"::text | utf8 | postgresql pair
span | "span"::text | utf8 | postgresql int4range
place | "place"::text | utf8 | postgresql point
price | "price"::text | utf8 | postgresql money
bits | "bits"::text | utf8 | postgresql bit(3)
fixed | "fixed" | utf8 | postgresql character(4)
short | "short" | utf8 | postgresql character varying(9)
one | "one"::text | utf8 | postgresql "char"
raw | "raw" | json | postgresql json
doc | "doc" | json | -
hw | "hw" | mac | postgresql macaddr8
good | "good" | decimal128(12, 3) | -
object | "object" | int64 | postgresql oid
twice | "twice" | int32 | -"#
    );
    assert_eq!(mapped[3].column.description, "How large it is.");
    let not_null: Vec<&str> =
        mapped.iter().filter(|mapped| !mapped.column.nullable).map(|mapped| mapped.column.name.as_str()).collect();
    assert_eq!(not_null, ["id", "select"]);

    let columns = server.rows(TABLE, "ORDER BY id", &mapped).await.unwrap();
    let pg = server.columns(TABLE).await;
    for ((column, mapped), pg) in columns.iter().zip(&mapped).zip(&pg) {
        let as_text = !matches!(mapped.column.name.as_str(), "bytes" | "hw");
        let kind = match pg.pg_type.name.as_str() {
            "timestamp without time zone" | "timestamp(3) without time zone" => "timestamp",
            "timestamp with time zone" => "timestamptz",
            "time without time zone" => "time",
            "character(4)" => "char(4)",
            "tags" => "text[]",
            other => other,
        };
        let name = &mapped.column.name;
        let value = said(&headwater_sdk::sql::quote(name), kind);
        let sql = format!("SELECT {value} FROM {} ORDER BY id", headwater_sdk::sql::quote(TABLE));
        let read: Vec<Option<String>> = (0..2).map(|row| cell(column, row, as_text)).collect();
        assert_eq!(read, server.texts(&sql).await, "{name}");
    }
}

/// What reading a column as a type ends in.
async fn reading(server: &Server, kind: &str, value: &str, said: &Override) -> Result<String, String> {
    server
        .run(&format!("DROP TABLE IF EXISTS one; CREATE TABLE one (c {kind}); INSERT INTO one VALUES ({value})"))
        .await;
    let columns = server.columns("one").await;
    let mapped = map(&columns[0], said, &Rules::default())
        .map_err(|refused| format!("{}: {}; {}", refused.key, refused.message, refused.help.unwrap_or_default()))?;
    let columns = server.rows("one", "", std::slice::from_ref(&mapped)).await.map_err(|error| error.to_string())?;
    let value = cell(&columns[0], 0, true).unwrap_or_else(|| "null".to_owned());
    Ok(format!("{} {value}", mapped.column.kind.name()))
}

fn as_type(kind: &str) -> Override {
    Override { kind: Some(kind.to_owned()), ..Override::default() }
}

#[tokio::test]
async fn columns_are_read_as_what_is_said() {
    let server = Server::start().await;
    for (kind, value, to, expected) in [
        ("numeric(20,0)", "12345678901", "int64", "int64 12345678901"),
        ("numeric", "1.50", "decimal(10, 3)", "decimal128(10, 3) 1.500"),
        ("numeric", "1.5", "float64", "float64 1.5"),
        ("integer", "5", "int16", "int16 5"),
        ("integer", "5", "decimal(38, 9)", "decimal128(38, 9) 5.000000000"),
        ("money", "'1.5'", "decimal(19, 2)", "decimal128(19, 2) 1.50"),
        ("text", "'15'", "int64", "int64 15"),
        ("varchar(40)", "'{\"a\": 1}'", "json", "json {\"a\": 1}"),
        ("text", "'a0eebc999c0b4ef8bb6d6bb9bd380a11'", "uuid", "uuid a0eebc999c0b4ef8bb6d6bb9bd380a11"),
        ("timestamp", "'2026-11-21 08:00'", "timestamp[us, UTC]", "timestamp[us, UTC] 1795248000000000"),
        ("date", "'1970-01-02'", "timestamp[us]", "timestamp[us] 86400000000"),
        ("int[]", "'{{1,2},{3,4}}'", "json", "json [[1, 2], [3, 4]]"),
        ("int[]", "'{{1,2},{3,4}}'", "utf8", "utf8 {{1,2},{3,4}}"),
        ("numeric[]", "'{1.5,NULL}'", "list<decimal(10, 2)>", "list<decimal128(10, 2)> [1.50|null]"),
        ("int4range", "'[1,3)'", "json", "json \"[1,3)\""),
        ("interval", "'3000000 hours'", "utf8", "utf8 3000000:00:00"),
        ("real", "0.5", "float64", "float64 0.5"),
    ] {
        assert_eq!(reading(&server, kind, value, &as_type(to)).await.as_deref(), Ok(expected), "{kind} as {to}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_said_with_its_column() {
    let server = Server::start().await;
    for (kind, value, said, expected) in [
        (
            "uuid",
            "NULL",
            as_type("int64"),
            "type: uuid cannot be read as int64; it can be read as utf8, json, uuid, say",
        ),
        ("text", "NULL", as_type("varchar(3)"), "\"varchar(3)\" is no type"),
        ("bigint", "NULL", as_type("float64"), "bigint cannot be read as float64"),
        ("text", "NULL", Override { nan: Some(Nan::Null), ..Override::default() }, "nan: text is read as utf8"),
        (
            "numeric(9,2)",
            "NULL",
            Override { nan: Some(Nan::Null), nullable: Some(false), ..Override::default() },
            "`nan: null` makes missing values",
        ),
        ("numeric(9,2)", "'NaN'", Override::default(), "column c: NaN is no decimal number; say `type: text`"),
        ("numeric", "'-Infinity'", as_type("decimal(9, 2)"), "column c: -Infinity is no decimal number"),
        ("numeric", "1.005", as_type("decimal(9, 2)"), "column c: a number has more digits than decimal(9, 2)"),
        ("numeric", "1e9", as_type("decimal(9, 2)"), "column c: a number has more digits than decimal(9, 2)"),
        ("numeric", "1e40", as_type("decimal(38, 0)"), "column c: a number has more digits than decimal(38, 0)"),
        ("numeric", "1.5", as_type("int64"), "column c: a number has more digits"),
        ("integer", "70000", as_type("int16"), "column c: 70000 is beyond int16"),
        ("int[]", "'{{1,2},{3,4}}'", Override::default(), "column c: an array has 2 dimensions, where a list has one"),
        (
            "interval",
            "'3000000 hours'",
            Override::default(),
            "column c: the interval of 0 months, 0 days and 10800000000000000 micro",
        ),
        ("timestamp", "'294276-01-01'", Override::default(), "column c: a time is beyond what its type can say"),
        ("timestamp", "'2300-01-01'", as_type("timestamp[ns]"), "column c: a time is beyond"),
        (
            "timestamp",
            "'2026-01-01 00:00:00.0005'",
            as_type("timestamp[ms]"),
            "column c: a time has parts of less than",
        ),
        (
            "text",
            "NULL",
            Override { nullable: Some(false), ..Override::default() },
            "column c: a value is missing, and it is said never to be",
        ),
        ("text", "'x'", as_type("int64"), "invalid input syntax for type numeric: \"x\""),
    ] {
        let error = reading(&server, kind, value, &said).await.unwrap_err();
        assert!(error.contains(expected), "{kind} {value} {said:?}: {error}");
    }
    let missing = Override { nan: Some(Nan::Null), ..Override::default() };
    assert_eq!(reading(&server, "numeric(9,2)", "'NaN'", &missing).await.as_deref(), Ok("decimal128(9, 2) null"));
    assert_eq!(
        reading(&server, "numeric(9,2)[]", "'{NaN,1}'", &missing).await.as_deref(),
        Ok("list<decimal128(9, 2)> [null|1.00]")
    );
}

#[tokio::test]
async fn numbers_without_bounds_go_by_the_rule() {
    let server = Server::start().await;
    server.run("CREATE TABLE n (a numeric, b numeric(10,2), c numeric(99,2), d numeric[])").await;
    for (rule, expected) in [
        ("text", ["utf8", "decimal128(10, 2)", "utf8", "list<utf8>"]),
        ("double", ["float64", "decimal128(10, 2)", "float64", "list<float64>"]),
        ("decimal(38, 9)", ["decimal128(38, 9)", "decimal128(10, 2)", "decimal128(38, 9)", "list<decimal128(38, 9)>"]),
    ] {
        let rules = Rules { numeric: rule.parse().unwrap() };
        let kinds =
            server.columns("n").await.into_iter().map(|column| map(&column, &Override::default(), &rules).unwrap());
        let kinds: Vec<ColumnType> = kinds.map(|mapped| mapped.column.kind).collect();
        assert_eq!(kinds.iter().map(ColumnType::name).collect::<Vec<_>>(), expected);
    }
    assert!("money".parse::<Unbounded>().is_err());
}

#[tokio::test]
async fn a_query_that_fails_or_is_dropped_leaves_the_connection_usable() {
    let server = Server::start().await;
    let mut wire = server.connector.connect_wire().await.unwrap();
    let error = wire.execute("SELECT 1/0").await.unwrap_err();
    assert_eq!(error.code.as_deref(), Some("22012"));
    let error = wire.execute("COPY (SELECT * FROM nowhere) TO STDOUT").await.unwrap_err();
    assert_eq!(error.class, headwater_sdk::Class::NotFound);
    wire.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; CREATE TABLE t AS SELECT 1 AS c; COMMIT").await.unwrap();
    // Rows that are larger than what is read at once.
    server
        .run("INSERT INTO t VALUES (2); ALTER TABLE t ADD big text; UPDATE t SET big = repeat('é', c * 1000000)")
        .await;
    let mapped = server.mapped("t", &Override::default()).await;
    let columns = server.rows("t", "ORDER BY c", &mapped).await.unwrap();
    assert_eq!(cell(&columns[1], 1, true).map(|text| text.len()), Some(4_000_000));
    assert_eq!(columns[1].len(), 2);
    // One that is dropped in the middle is cancelled.
    let mut wire = server.connector.connect_wire().await.unwrap();
    wire.query("COPY (SELECT pg_sleep(60)) TO STDOUT").await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    drop(wire);
    let sql = "SELECT count(*)::text FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND state = 'active' \
               AND pid <> pg_backend_pid()";
    let mut left = 50;
    while server.texts(sql).await[0].as_deref() != Some("0") {
        left -= 1;
        assert!(left > 0, "the statement still runs");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}
