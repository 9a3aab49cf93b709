//! What becomes of ClickHouse's types, on its own engine.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;

use common::{Clickhouse, read, read_one};
use headwater_clickhouse_source::{ColumnSpec, Spec, Strings, TableSpec};

/// ClickHouse's type, two values in SQL, what the type is here, and the values' texts.
const TYPES: &[(&str, [&str; 2], &str, [&str; 2])] = &[
    ("Bool", ["true", "false"], "bool", ["true", "false"]),
    ("Int8", ["-128", "127"], "int8", ["-128", "127"]),
    (
        "Int64",
        ["-9223372036854775808", "9223372036854775807"],
        "int64",
        ["-9223372036854775808", "9223372036854775807"],
    ),
    ("UInt64", ["0", "18446744073709551615"], "uint64", ["0", "18446744073709551615"]),
    (
        "Int128",
        ["'-170141183460469231731687303715884105728'", "'170141183460469231731687303715884105727'"],
        "decimal256(39, 0)",
        ["-170141183460469231731687303715884105728", "170141183460469231731687303715884105727"],
    ),
    (
        "UInt128",
        ["0", "'340282366920938463463374607431768211455'"],
        "decimal256(39, 0)",
        ["0", "340282366920938463463374607431768211455"],
    ),
    (
        "Int256",
        ["-1", "toInt256('57896044618658097711785492504343953926634992332820282019728792003956564819967')"],
        "utf8",
        ["-1", "57896044618658097711785492504343953926634992332820282019728792003956564819967"],
    ),
    ("Float32", ["1.5", "nan"], "float32", ["1.5", "NaN"]),
    ("Float64", ["-0.1", "-inf"], "float64", ["-0.1", "-inf"]),
    ("BFloat16", ["1.5", "-2"], "float32", ["1.5", "-2.0"]),
    ("Decimal(9, 2)", ["'-1234567.89'", "'0.01'"], "decimal128(9, 2)", ["-1234567.89", "0.01"]),
    (
        "Decimal(38, 10)",
        ["'-1.5'", "'9999999999999999999999999999.9999999999'"],
        "decimal128(38, 10)",
        ["-1.5000000000", "9999999999999999999999999999.9999999999"],
    ),
    (
        "Decimal(76, 3)",
        ["'-1.5'", "'1e60'"],
        "decimal256(76, 3)",
        ["-1.500", "1000000000000000000000000000000000000000000000000000000000000.000"],
    ),
    ("String", ["''", "'a\\n\\t\\'ü😀'"], "utf8", ["", "a\n\t'ü😀"]),
    ("LowCardinality(String)", ["'a'", "'b'"], "utf8", ["a", "b"]),
    ("LowCardinality(UInt8)", ["1", "2"], "uint8", ["1", "2"]),
    ("FixedString(3)", ["'ab'", "'abc'"], "fixedsizebinary(3)", ["YWIA", "YWJj"]),
    (
        "UUID",
        ["'00112233-4455-6677-8899-aabbccddeeff'", "'00000000-0000-0000-0000-000000000001'"],
        "uuid",
        ["00112233-4455-6677-8899-aabbccddeeff", "00000000-0000-0000-0000-000000000001"],
    ),
    ("Date", ["'1970-01-01'", "'2149-06-06'"], "date32", ["1970-01-01", "2149-06-06"]),
    ("Date32", ["'1900-01-01'", "'2299-12-31'"], "date32", ["1900-01-01", "2299-12-31"]),
    (
        "DateTime('Europe/Berlin')",
        ["'2024-07-01 12:00:00'", "toDateTime(4294967295)"],
        "timestamp[s, UTC]",
        ["2024-07-01T10:00:00Z", "2106-02-07T06:28:15Z"],
    ),
    (
        "DateTime64(0, 'UTC')",
        ["'2024-07-01 12:00:00'", "'1900-01-01 00:00:00'"],
        "timestamp[s, UTC]",
        ["2024-07-01T12:00:00Z", "1900-01-01T00:00:00Z"],
    ),
    (
        "DateTime64(1, 'Asia/Tokyo')",
        ["'2024-07-01 12:00:00.5'", "'1969-12-31 23:59:59.9'"],
        "timestamp[ms, UTC]",
        ["2024-07-01T03:00:00.500Z", "1969-12-31T14:59:59.900Z"],
    ),
    (
        "DateTime64(6, 'UTC')",
        ["'2024-07-01 12:00:00.000001'", "'1969-12-31 23:59:59.999999'"],
        "timestamp[us, UTC]",
        ["2024-07-01T12:00:00.000001Z", "1969-12-31T23:59:59.999999Z"],
    ),
    (
        "DateTime64(9, 'UTC')",
        ["'2024-07-01 12:00:00.000000001'", "'1900-01-01 00:00:00'"],
        "timestamp[ns, UTC]",
        ["2024-07-01T12:00:00.000000001Z", "1900-01-01T00:00:00.000000000Z"],
    ),
    ("Time", ["'12:13:14'", "'00:00:00'"], "time32(s)", ["12:13:14", "00:00:00"]),
    ("Time64(6)", ["'12:13:14.000001'", "'23:59:59.999999'"], "time64(µs)", ["12:13:14.000001", "23:59:59.999999"]),
    ("Enum8('a' = -1, 'b, \\'' = 2)", ["'a'", "2"], "utf8", ["a", "b, '"]),
    ("Nullable(Enum16('x' = 1000))", ["NULL", "'x'"], "utf8", ["-", "x"]),
    ("Nullable(Int32)", ["NULL", "1"], "int32", ["-", "1"]),
    ("LowCardinality(Nullable(String))", ["NULL", "''"], "utf8", ["-", ""]),
    ("IPv4", ["'0.0.0.1'", "'255.255.255.255'"], "inet", ["0.0.0.1/32", "255.255.255.255/32"]),
    ("Nullable(IPv6)", ["'2001:db8::1'", "NULL"], "inet", ["2001:db8::1/128", "-"]),
    ("Array(Nullable(Int32))", ["[]", "[1, NULL]"], "list<int32>", ["[]", "[1,null]"]),
    ("Array(Array(LowCardinality(String)))", ["[['a'], []]", "[]"], "list<list<utf8>>", ["[[\"a\"],[]]", "[]"]),
    ("Array(Enum8('a' = 1))", ["['a']", "[]"], "list<utf8>", ["[\"a\"]", "[]"]),
    ("Array(UInt128)", ["[1]", "[]"], "list<decimal256(39, 0)>", ["[\"1\"]", "[]"]),
    (
        "Tuple(a UInt8, `b c` Nullable(IPv4), d Array(UUID))",
        ["(1, '1.2.3.4', ['00112233-4455-6677-8899-aabbccddeeff'])", "(2, NULL, [])"],
        "struct<a: uint8, b c: inet, d: list<uuid>>",
        [
            "{\"a\":1,\"b c\":\"1.2.3.4/32\",\"d\":[\"00112233-4455-6677-8899-aabbccddeeff\"]}",
            "{\"a\":2,\"b c\":null,\"d\":[]}",
        ],
    ),
    (
        "Tuple(UInt8, DateTime('UTC'))",
        ["(1, '2024-01-01 00:00:00')", "(2, 0)"],
        "struct<1: uint8, 2: timestamp[s, UTC]>",
        ["{\"1\":1,\"2\":\"2024-01-01T00:00:00Z\"}", "{\"1\":2,\"2\":\"1970-01-01T00:00:00Z\"}"],
    ),
    ("Map(LowCardinality(String), Enum8('x' = 1))", ["map('k', 'x')", "map()"], "", ["{\"k\":\"x\"}", "{}"]),
    ("Nested(a UInt8, b Enum8('x' = 1))", ["[(1, 'x')]", "[]"], "", ["[{\"a\":1,\"b\":\"x\"}]", "[]"]),
    (
        "Point",
        ["(1, 2)", "(0, 0)"],
        "struct<1: float64, 2: float64>",
        ["{\"1\":1.0,\"2\":2.0}", "{\"1\":0.0,\"2\":0.0}"],
    ),
    ("Polygon", ["[[(1, 2)]]", "[]"], "", ["[[{\"1\":1.0,\"2\":2.0}]]", "[]"]),
    ("JSON", ["'{\"a\":{\"b\":[1,\"x\"]},\"c\":1.5}'", "'{}'"], "json", ["{\"a\":{\"b\":[1,\"x\"]},\"c\":1.5}", "{}"]),
    ("Nullable(JSON)", ["NULL", "'{}'"], "json", ["-", "{}"]),
    ("Array(JSON)", ["['{\"a\":1}']", "[]"], "list<json>", ["[{\"a\":1}]", "[]"]),
    ("Variant(String, UInt64)", ["1::UInt64", "NULL"], "utf8", ["1", "-"]),
    ("Dynamic", ["'x'", "NULL"], "utf8", ["x", "-"]),
    ("SimpleAggregateFunction(sum, UInt64)", ["1", "2"], "uint64", ["1", "2"]),
    ("AggregateFunction(max, UInt8)", ["maxState(7::UInt8)", "maxState(8::UInt8)"], "binary", ["AQc=", "AQg="]),
];

async fn create(server: &Clickhouse) {
    let columns: Vec<String> = TYPES.iter().enumerate().map(|(index, (kind, ..))| format!("c{index} {kind}")).collect();
    server.run(&format!("CREATE TABLE types (n UInt8, {}) ENGINE = MergeTree ORDER BY n", columns.join(", "))).await;
    for row in 0..2 {
        let values: Vec<&str> = TYPES.iter().map(|(_, values, ..)| values[row]).collect();
        let values = values.join(", ");
        server.run(&format!("INSERT INTO types SELECT {row} AS n, {values} GROUP BY n")).await;
    }
}

#[tokio::test]
async fn every_type_arrives_as_it_is() {
    let server = Clickhouse::start();
    create(&server).await;
    let read = read_one(server.spec(), "types").await;
    let schema = &read.unit.node.schema;
    let mut texts = read.texts();
    texts.sort();
    assert_eq!(texts.len(), 2);
    let mut others = Vec::new();
    for (index, (kind, _, name, expected)) in TYPES.iter().enumerate() {
        let column = schema.column(&format!("c{index}")).unwrap();
        if !name.is_empty() {
            others.extend((column.kind.name() != *name).then(|| format!("{kind} is {}", column.kind.name())));
        }
        assert_eq!(column.native.as_deref(), Some(format!("clickhouse {kind}").as_str()));
        let place = schema.columns.iter().position(|other| other.name == column.name).unwrap() - 2;
        let found: Vec<&str> = texts.iter().map(|row| row[place].as_deref().unwrap_or("-")).collect();
        others.extend((found != expected).then(|| format!("{kind}: {found:?}")));
        let nullable = kind.contains("Nullable(") && !kind.starts_with("Array(") && !kind.starts_with("Tuple(");
        assert_eq!(column.nullable, nullable || kind.starts_with("Variant") || *kind == "Dynamic", "{kind}");
    }
    assert!(others.is_empty(), "{}", others.join("\n"));
}

#[tokio::test]
async fn a_text_that_is_not_utf8_is_an_error_or_bytes() {
    let server = Clickhouse::start();
    server.run("CREATE TABLE t (a String, b Array(String)) ENGINE = MergeTree ORDER BY a").await;
    server.run("INSERT INTO t VALUES ('good', ['\\xff'])").await;
    let error = read(server.spec(), &["t"]).await[0].failures[0].to_string();
    assert!(error.contains("column b: a text is not UTF-8; say `type: binary`"), "{error}");
    let all = read_one(Spec { strings: Strings::Binary, ..server.spec() }, "t").await;
    assert_eq!(all.texts(), [[Some("Z29vZA==".to_owned()), Some("[\"/w==\"]".to_owned())]]);
}

fn column(kind: &str) -> ColumnSpec {
    ColumnSpec { kind: Some(kind.to_owned()), ..ColumnSpec::default() }
}

#[tokio::test]
async fn columns_are_what_the_spec_says() {
    let server = Clickhouse::start();
    server
        .run(
            "CREATE TABLE t (id Int64, price Decimal(10, 4), at DateTime64(3, 'UTC'), code FixedString(4), number String, \
             maybe Nullable(Int64)) ENGINE = MergeTree ORDER BY id COMMENT 'Some \\n things.'",
        )
        .await;
    server.run("INSERT INTO t VALUES (1, 1.5, '2024-01-01 00:00:00.123', 'ab', '17', 5)").await;
    let columns = BTreeMap::from([
        (
            "id".to_owned(),
            ColumnSpec { name: Some("ID".to_owned()), field_id: Some(7), nullable: Some(true), ..column("int32") },
        ),
        ("price".to_owned(), column("decimal(8, 6)")),
        ("at".to_owned(), column("timestamp[us]")),
        ("code".to_owned(), column("utf8")),
        ("number".to_owned(), column("uint16")),
        ("maybe".to_owned(), ColumnSpec { nullable: Some(false), ..ColumnSpec::default() }),
    ]);
    let spec = server.spec_of("t", TableSpec { columns, ..TableSpec::default() });
    let all = read_one(spec.clone(), "t").await;
    let schema = &all.unit.node.schema;
    assert_eq!(schema.description, "Some things.");
    let shown: Vec<String> = schema.columns[2..]
        .iter()
        .map(|column| {
            let null = if column.nullable { " null" } else { "" };
            format!("{} {}{null}", column.name, column.kind.name())
        })
        .collect();
    assert_eq!(
        shown,
        ["ID int32 null", "price decimal128(8, 6)", "at timestamp[us]", "code utf8", "number uint16", "maybe int64"]
    );
    assert_eq!(schema.column("ID").unwrap().field_id, Some(7));
    let texts: Vec<String> = all.texts()[0].iter().flatten().cloned().collect();
    assert_eq!(texts, ["1", "1.500000", "2024-01-01T00:00:00.123000", "ab", "17", "5"]);
    // What does not fit is an error, and nothing is made of it.
    for (row, part) in [
        ("(3000000000, 1, 0, 'ab', '1', 5)", "t"),
        ("(1, 1, 0, 'ab', '70000', 5)", "t"),
        ("(1, 1, 0, 'ab', 'x', 5)", "x"),
        ("(1, 123, 0, 'ab', '1', 5)", "column price: a number has more digits"),
        ("(1, 1, 0, 'ab', '1', NULL)", "column maybe: 1 of 1 values are missing"),
    ] {
        server.run("TRUNCATE TABLE t").await;
        server.run(&format!("INSERT INTO t VALUES {row}")).await;
        let all = read(spec.clone(), &["t"]).await;
        assert_eq!((all[0].rows(), all[0].failures.len()), (0, 1), "{row}: {:?}", all[0].texts());
        assert!(all[0].failures[0].to_string().contains(part), "{row}: {}", all[0].failures[0]);
    }
}
