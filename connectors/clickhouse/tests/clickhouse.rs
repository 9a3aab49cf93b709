//! Finding, dividing and reading tables, on ClickHouse's own engine.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use common::{Clickhouse, Read, TIME, discover, read, read_one, selection, wrong};
use headwater_clickhouse_source::{By, ColumnSpec, Compression, Divide, Spec, TableSpec, connector};
use headwater_sdk::arrow::array::AsArray;
use headwater_sdk::destination::MigrateMode;
use headwater_sdk::schema::UNIT;
use headwater_sdk::{Class, Outcome, Part, WriteMode};

const DIVIDE: Divide = Divide { by: By::Partition, column: None, columns: None, step: None, bounds: None, parts: None };

fn divided(divide: Divide) -> TableSpec {
    TableSpec { divide: Some(divide), ..TableSpec::default() }
}

fn range(column: &str, step: &str) -> Divide {
    Divide { by: By::Range, column: Some(column.to_owned()), step: Some(step.to_owned()), ..DIVIDE }
}

fn texts(items: &[&str]) -> Vec<String> {
    items.iter().map(|item| (*item).to_owned()).collect()
}

async fn numbers(server: &Clickhouse, rows: u32) {
    server
        .run(
            "CREATE TABLE n (id UInt32, big UInt64, small Int16, day Date, wide Date32, at DateTime('Asia/Tokyo'), \
             fine DateTime64(6, 'UTC'), name String, maybe Nullable(String)) \
             ENGINE = MergeTree PARTITION BY (toYYYYMM(day), id % 2) ORDER BY id",
        )
        .await;
    server
        .run(&format!(
            "INSERT INTO n SELECT number, if(number = 5, 18446744073709551615, number * 1000), number % 700 - 350, \
             toDate('2024-01-31') + number % 60, toDate32('1969-11-15') + number % 90, \
             toDateTime('2024-03-30 20:00:00', 'UTC') + number * 7, \
             toDateTime64('1969-12-31 12:00:00', 6, 'UTC') + number * 10.000001, toString(cityHash64(number)), \
             if(number % 3 = 0, NULL, toString(number % 5)) FROM numbers({rows})"
        ))
        .await;
}

/// The ids of all rows, each of which must be there once.
fn ids(all: &[Read]) -> BTreeSet<u32> {
    let mut ids = BTreeSet::new();
    for read in all {
        assert!(read.failures.is_empty(), "{:?}", read.failures);
        for batch in &read.batches {
            let column =
                batch.column_by_name("id").unwrap().as_primitive::<headwater_sdk::arrow::datatypes::UInt32Type>();
            for id in column.values() {
                assert!(ids.insert(*id), "{id} came twice");
            }
        }
    }
    ids
}

#[tokio::test]
async fn divisions_add_up_to_the_table() {
    let server = Clickhouse::start();
    numbers(&server, 10_000).await;
    let whole = read_one(server.spec(), "n").await;
    let all: BTreeSet<u32> = (0..10_000).collect();
    assert_eq!(ids(&[whole]), all);
    let hash = |columns: &[&str]| Divide { by: By::Hash, columns: Some(texts(columns)), parts: Some(7), ..DIVIDE };
    let bounds = |column: &str, bounds: &[&str]| Divide {
        by: By::Range,
        column: Some(column.to_owned()),
        bounds: Some(texts(bounds)),
        ..DIVIDE
    };
    for (divide, units, first) in [
        (DIVIDE, 5, "202401-0"),
        (range("id", "3000"), 4, "..3000"),
        (range("big", "4000000000000000000"), 3, "..4000000000000000000"),
        (range("small", "100"), 8, "..-300"),
        (range("day", "1 month"), 3, "..2024-02-01"),
        (range("wide", "2 weeks"), 8, "..1969-11-20"),
        (range("at", "6 hours"), 4, "..2024-03-31T00:00:00"),
        (range("fine", "1 day"), 2, "..1970-01-01T00:00:00"),
        (bounds("id", &["10", "9999"]), 3, "..10"),
        (bounds("day", &["2024-02-15", "2100-01-01"]), 3, "..2024-02-15"),
        (bounds("at", &["2024-03-31T00:00:00"]), 2, "..2024-03-31T00:00:00"),
        (hash(&["id"]), 7, "1-7"),
        (hash(&["maybe"]), 7, "1-7"),
        (hash(&["name", "maybe", "day"]), 7, "1-7"),
    ] {
        let column = divide.column.clone();
        let all_read = read(server.spec_of("n", divided(divide)), &["n"]).await;
        let scopes: Vec<&str> = all_read.iter().map(|read| read.unit.scope.as_str()).collect();
        let begins = match all_read[0].unit.ranges.first().map(|range| (&range.column, range.until)) {
            // A range goes by where it begins, and the first one begins nowhere.
            Some((column, until)) if scopes[0] == format!("{column}=..") => format!("..{}", until.unwrap()),
            Some(_) => String::new(),
            None => scopes[0].to_owned(),
        };
        assert!(scopes.len() == units && begins.starts_with(first), "{column:?}: {scopes:?}");
        assert_eq!(ids(&all_read), all, "{column:?}");
        let (first, last) = (&all_read[0].unit, &all_read[units - 1].unit);
        match column {
            Some(column) => {
                assert_eq!((first.ranges[0].column.as_str(), first.ranges[0].from), (column.as_str(), None));
                assert_eq!(last.ranges[0].until, None);
                let met = all_read.windows(2).all(|pair| pair[0].unit.ranges[0].until == pair[1].unit.ranges[0].from);
                assert!(met && first.predicate.is_empty());
            }
            // The rows say which unit they are of.
            None => {
                for read in &all_read {
                    assert_eq!(read.unit.predicate, [(UNIT.to_owned(), read.unit.scope.clone())]);
                    let of = |batch: &headwater_sdk::arrow::array::RecordBatch| {
                        let column = batch.column_by_name(UNIT).unwrap().as_string::<i32>().clone();
                        column.iter().all(|value| value == Some(read.unit.scope.as_str()))
                    };
                    assert!(read.batches.iter().all(of));
                }
            }
        }
    }
    // Rows that a range is said to be of are told by it also where the column has another name here.
    let columns =
        BTreeMap::from([("id".to_owned(), ColumnSpec { name: Some("no.".to_owned()), ..ColumnSpec::default() })]);
    let spec = server.spec_of("n", TableSpec { columns, ..divided(range("id", "5000")) });
    assert_eq!(read(spec, &["n"]).await[1].unit.ranges[0].column, "no.");
}

#[tokio::test]
async fn tables_without_rows_are_read_too() {
    let server = Clickhouse::start();
    numbers(&server, 0).await;
    for divide in [None, Some(range("id", "10")), Some(range("fine", "1 month"))] {
        let spec = server.spec_of("n", TableSpec { divide, ..TableSpec::default() });
        let read = read_one(spec, "n").await;
        assert_eq!((read.rows(), read.batches.len()), (0, 0));
    }
    assert!(read(server.spec_of("n", divided(DIVIDE)), &["n"]).await.is_empty());
}

#[tokio::test]
async fn strange_names_are_names() {
    let server = Clickhouse::start();
    let table = "we`ird \\ 'name' \"x\" ü.😀";
    let quoted = table.replace('\\', "\\\\").replace('`', "\\`");
    server
        .run(&format!(
            "CREATE TABLE `{quoted}` (`a``b` Int32, `c\\\\d` Enum8('x' = 1), `e'f` Nullable(Date), `c0` String, `g.h` \
             Array(Int8), ` ` Int8, `select` Int8) ENGINE = MergeTree ORDER BY `a``b` PARTITION BY `e'f` SETTINGS \
             allow_nullable_key = 1"
        ))
        .await;
    server.run(&format!("INSERT INTO `{quoted}` VALUES (1, 'x', NULL, 'y', [3], 4, 5)")).await;
    let hash = Divide { by: By::Hash, columns: Some(texts(&["a`b", "e'f"])), parts: Some(1), ..DIVIDE };
    for divide in [None, Some(DIVIDE), Some(hash), Some(range("a`b", "5"))] {
        let marked = divide.as_ref().is_some_and(|divide| divide.column.is_none());
        let read = read_one(server.spec_of(table, TableSpec { divide, ..TableSpec::default() }), table).await;
        let schema = &read.unit.node.schema;
        let names: Vec<&str> =
            schema.columns[2 + usize::from(marked)..].iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, ["a`b", "c\\d", "e'f", "c0", "g.h", " ", "select"]);
        let row = read.texts()[0][usize::from(marked)..].to_vec();
        let row: Vec<&str> = row.iter().map(|text| text.as_deref().unwrap_or("-")).collect();
        assert_eq!(row, ["1", "x", "-", "y", "[3]", "4", "5"]);
    }
}

#[tokio::test]
async fn tables_and_views_are_found_by_patterns() {
    let server = Clickhouse::start();
    server.run("CREATE DATABASE `other db`").await;
    for sql in [
        "CREATE TABLE orders (id Int64, twice Int64 ALIAS id * 2, half Int64 MATERIALIZED id / 2, _cq_source_name String, \
         _headwater_unit String) ENGINE = MergeTree ORDER BY id",
        "CREATE VIEW fresh AS SELECT id FROM orders WHERE id > 1",
        "CREATE MATERIALIZED VIEW sums ENGINE = SummingMergeTree ORDER BY id AS SELECT id, 1 AS n FROM orders",
        "CREATE TABLE `other db`.items (id Int64) ENGINE = Memory",
        "CREATE TABLE `other db`.things (id Int64) ENGINE = Memory",
        "INSERT INTO orders (id, _cq_source_name) VALUES (1, 'x'), (2, 'x')",
        "INSERT INTO `other db`.items VALUES (3)",
    ] {
        server.run(sql).await;
    }
    for (patterns, expected) in [
        (&["*"][..], &["fresh", "orders", "sums"][..]),
        (&["inventory.o*"], &["orders"]),
        (&["f*", "other db.i*"], &["fresh", "other db_items"]),
        (&["other db.*"], &["other db_items", "other db_things"]),
        (&["items"], &[]),
    ] {
        let mut found: Vec<String> =
            discover(server.spec(), patterns).await.unwrap().iter().map(|table| table.name.clone()).collect();
        found.sort();
        assert_eq!(found, expected, "{patterns:?}");
    }
    let orders = read_one(server.spec(), "orders").await;
    let names: Vec<&str> = orders.unit.node.schema.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["_cq_sync_time", "_cq_source_name", "id", "half"]);
    assert_eq!(orders.batches[0].column(1).as_string::<i32>().value(0), "source");
    assert!(orders.unit.node.schema.key().is_empty());
    assert_eq!(read_one(server.spec(), "fresh").await.rows(), 1);
    assert_eq!(read_one(server.spec(), "sums").await.rows(), 2);
    assert_eq!(read_one(server.spec(), "other db.items").await.rows(), 1);
    let keyed = server.spec_of("inventory.orders", TableSpec { key: texts(&["id"]), ..TableSpec::default() });
    assert_eq!(read_one(keyed, "orders").await.unit.node.schema.key(), ["id"]);
}

#[tokio::test]
async fn mistakes_are_told_with_their_places() {
    let server = Clickhouse::start();
    numbers(&server, 0).await;
    let columns = |name: &str, column: ColumnSpec| TableSpec {
        columns: BTreeMap::from([(name.to_owned(), column)]),
        ..TableSpec::default()
    };
    let keyed = |key: &[&str]| TableSpec { key: texts(key), ..TableSpec::default() };
    let named = |name: &str| ColumnSpec { name: Some(name.to_owned()), ..ColumnSpec::default() };
    let typed = |kind: &str| ColumnSpec { kind: Some(kind.to_owned()), ..ColumnSpec::default() };
    let bounds = |column: &str, bounds: &[&str]| {
        divided(Divide { by: By::Range, column: Some(column.to_owned()), bounds: Some(texts(bounds)), ..DIVIDE })
    };
    let hash =
        |columns: &[&str], parts| divided(Divide { by: By::Hash, columns: Some(texts(columns)), parts, ..DIVIDE });
    for (spec, at, message, help) in [
        (columns("nam", named("x")), "columns.nam", "there is no column `nam`", "did you mean `name`?"),
        (columns("id", named("name")), "columns.name.name", "there is a column `name` already", ""),
        (columns("id", named("_cq_sync_time")), "columns.id.name", "`_cq_sync_time` already", ""),
        (columns("id", typed("integer")), "columns.id.type", "`integer` is no type", "int8 to int64"),
        (columns("name", typed("date32")), "columns.name.type", "String cannot all be `date32`", "`utf8`"),
        (keyed(&["id", "di"]), "key.1", "there is no column `di`", ""),
        (keyed(&["id", "id"]), "key.1", "named twice", ""),
        (keyed(&["maybe"]), "key.0", "values of `maybe` may be missing", "nullable: false"),
        (divided(range("ids", "1")), "divide.column", "there is no column `ids`", "did you mean `id`?"),
        (divided(range("name", "1")), "divide.column", "`name` is String, which has no ranges", "`by: hash`"),
        (divided(range("maybe", "1")), "divide.column", "whose values may be missing", "`by: hash`"),
        (divided(range("id", "1 day")), "divide.step", "`1 day` is no step of UInt32", "a whole number"),
        (divided(range("day", "0 days")), "divide.step", "no step of Date", "`7 days`"),
        (divided(Divide { step: None, ..range("id", "1") }), "divide", "either a `step` or `bounds`", ""),
        (bounds("id", &["1", "x"]), "divide.bounds.1", "`x` is no value of UInt32", "a whole number"),
        (bounds("day", &["2024-01-02", "2024-01-01"]), "divide.bounds.1", "not more than the one before", ""),
        (bounds("day", &["1960-01-01"]), "divide.bounds.0", "no value of Date", "from 1970"),
        (hash(&["id", "nme"], Some(2)), "divide.columns.1", "there is no column `nme`", "`name`"),
        (hash(&["id"], None), "divide", "needs `parts`", ""),
        (hash(&[], Some(2)), "divide", "needs a `column` or `columns`", ""),
        (divided(Divide { parts: Some(2), ..DIVIDE }), "divide.parts", "does not go with this `by`", ""),
        (
            TableSpec {
                columns: BTreeMap::from([("day".to_owned(), typed("utf8"))]),
                ..divided(range("day", "1 day"))
            },
            "divide.column",
            "`day` is utf8, which has no ranges",
            "",
        ),
    ] {
        let wrong = wrong(server.spec_of("n", spec)).await;
        let first = wrong.first().unwrap_or_else(|| panic!("{at}: {message}"));
        assert_eq!(first.at.join("."), format!("tables.n.{at}"), "{first:?}");
        assert!(first.message.contains(message), "{first:?}");
        assert!(first.help.as_deref().unwrap_or_default().contains(help), "{first:?}");
    }
    server.run("CREATE VIEW v AS SELECT id FROM n").await;
    let view = wrong(server.spec_of("v", divided(DIVIDE))).await;
    assert_eq!((view[0].at.join("."), view[0].help.is_some()), ("tables.v.divide.by".to_owned(), true), "{view:?}");
    let lacking = wrong(server.spec_of("inventory.m", TableSpec::default())).await;
    assert_eq!(lacking[0].at, ["tables", "inventory.m"]);
    assert!(lacking[0].message.contains("no table `inventory.m`"), "{lacking:?}");
    let other = Spec { settings: BTreeMap::from([("limit".to_owned(), "5".to_owned())]), ..server.spec() };
    assert!(connector(other).err().unwrap().to_string().contains("`limit` cannot be set"));
}

#[tokio::test]
async fn an_answer_that_is_cut_short_is_a_failure() {
    let server = Clickhouse::start();
    server.run("CREATE TABLE t (n UInt64) ENGINE = MergeTree ORDER BY n").await;
    server.run("INSERT INTO t SELECT number FROM numbers(300000)").await;
    server.run("CREATE VIEW v AS SELECT n, throwIf(n = 250000, 'it is a quarter') AS x FROM t").await;
    let spec = || Spec { rows_per_batch: Some(10_000), ..server.spec() };
    let fails = async |spec: Spec, table: &str, part: &str| {
        let all = read(spec, &[table]).await;
        assert!(all[0].rows() < 300_000, "{}", all[0].rows());
        assert_eq!(all[0].failures.len(), 1, "{table}");
        let error = all[0].failures[0].to_string();
        assert!(error.contains(part) && error.contains("reading `inventory`"), "{error}");
        all[0].failures[0].class
    };
    assert_eq!(fails(spec(), "v", "it is a quarter").await, Class::Fatal);
    // As versions before 25.11 write it, with a good end of the answer.
    server.0.order("plain-exceptions").unwrap();
    fails(spec(), "v", "it is a quarter").await;
    server.0.order("fail-after ArrowStream 1").unwrap();
    assert_eq!(fails(spec(), "t", "after ").await, Class::Transient);
    // Limits that a profile may have end a query early and call it good.
    for limit in ["max_result_rows=1000&result_overflow_mode=break", "max_rows_to_read=1000&read_overflow_mode=break"] {
        let limited = Spec { connection_string: format!("{}?{limit}", server.0.url()), ..spec() };
        fails(limited, "t", "imit").await;
    }
    let limited = Spec { connection_string: format!("{}?limit=5", server.0.url()), ..spec() };
    assert_eq!(read_one(limited, "t").await.rows(), 300_000);
    // What fails before there are rows is asked for again.
    server.0.order("never").unwrap();
    server.0.order("fail-before ArrowStream 2").unwrap();
    assert_eq!(read_one(spec(), "t").await.rows(), 300_000);
}

#[tokio::test]
async fn batches_are_bounded_by_rows_and_bytes() {
    let server = Clickhouse::start();
    server.run("CREATE TABLE t (n UInt64, s String) ENGINE = MergeTree ORDER BY n").await;
    server.run("INSERT INTO t SELECT number, repeat('x', 1000) FROM numbers(50000)").await;
    server.run("CREATE VIEW one AS SELECT arrayJoin(groupArray(n)) AS n FROM t").await;
    for compression in [Compression::None, Compression::Zstd] {
        let spec = Spec { rows_per_batch: Some(700), compression, ..server.spec() };
        for table in ["t", "one"] {
            let read = read_one(spec.clone(), table).await;
            assert_eq!(read.rows(), 50_000);
            assert!(read.batches.iter().all(|batch| batch.num_rows() <= 700), "{table}");
        }
    }
    let read = read_one(Spec { bytes_per_batch: Some(1 << 20), ..server.spec() }, "t").await;
    assert_eq!(read.rows(), 50_000);
    let most = read.batches.iter().map(|batch| batch.num_rows()).max().unwrap();
    assert!((100..2500).contains(&most), "{most}");
}

#[tokio::test]
async fn a_user_who_may_not_is_told_so() {
    let server = Clickhouse::start();
    let denied = Spec { password: Some("no".to_owned()), ..server.spec() };
    let error = connector(denied).unwrap().discover(&selection(&["*"])).await.err().unwrap();
    let headwater_sdk::Undiscovered::Failed(error) = error else { panic!("{error:?}") };
    assert_eq!(error.class, Class::Denied);
    assert!(error.to_string().contains("check the user"), "{error}");
    assert!(connector(server.spec()).unwrap().check().await.unwrap()[0].contains("answers"));
}

#[tokio::test]
async fn what_is_written_to_clickhouse_is_read_again() {
    let server = Clickhouse::start();
    numbers(&server, 1000).await;
    server
        .run(
            "CREATE TABLE more ENGINE = MergeTree ORDER BY id AS SELECT id, small / 3 AS ratio, toDecimal64(small, 3) AS \
             price, toDecimal256(big, 5) AS large, generateUUIDv4(id) AS token, toFixedString(leftPad(toString(small), 4), \
             4) AS code, [maybe, NULL] AS list, toBool(id % 2) AS flag, toUInt128(big) AS wide FROM n",
        )
        .await;
    let destination = headwater_clickhouse::destination(headwater_clickhouse::Spec {
        connection_string: server.0.url(),
        ..headwater_clickhouse::Spec::default()
    })
    .unwrap();
    for name in ["n", "more"] {
        let source =
            read_one(server.spec_of(name, TableSpec { key: texts(&["id"]), ..TableSpec::default() }), name).await;
        let mut table = source.unit.node.schema.with_columns(source.unit.node.schema.columns.clone());
        table.name = format!("copy_of_{name}");
        let table = Arc::new(table);
        destination.migrate(&[Arc::clone(&table)], MigrateMode::Safe).await.unwrap();
        let part = Part {
            table,
            source: "source".to_owned(),
            scope: source.unit.scope.clone(),
            predicate: source.unit.predicate.clone(),
            ranges: source.unit.ranges.clone(),
            sync_time: TIME,
            mode: WriteMode::OverwriteDeleteStale,
            resumed: false,
            rejects: None,
        };
        let mut writer = destination.begin(part).await.unwrap();
        for batch in &source.batches {
            writer.write(batch.clone()).await.unwrap();
        }
        assert_eq!(writer.commit(Outcome::Complete).await.unwrap().written, 1000);
        let copy = read_one(server.spec(), &format!("copy_of_{name}")).await;
        let sorted = |read: &Read| {
            let mut rows = read.texts();
            rows.sort();
            rows
        };
        assert_eq!(sorted(&copy), sorted(&source));
    }
}
