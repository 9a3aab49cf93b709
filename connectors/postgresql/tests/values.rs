//! Values of every type, those at the edges and random ones: what is read is what the server says.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Server, cell, said};
use headwater_postgresql_source::copy::select;
use headwater_postgresql_source::decode::Decoder;
use headwater_postgresql_source::types::Override;
use headwater_sdk::arrow::array::Array;
use headwater_sdk::arrow::compute::concat;

/// A number of so many digits at most, some of them behind the point.
fn number(rng: &mut fastrand::Rng, whole: usize, behind: usize) -> String {
    let mut digits = |most: usize| -> String {
        let zeros = rng.u8(0..4) == 0;
        (0..rng.usize(0..=most)).map(|_| if zeros { '0' } else { rng.char('0'..='9') }).collect()
    };
    let (front, back) = (digits(whole), digits(behind));
    format!("{}0{front}.{back}0", if rng.bool() { "-" } else { "" })
}

fn text(rng: &mut fastrand::Rng, most: usize) -> String {
    let letters = ['a', 'Z', '0', ' ', '\'', '"', '\\', '\n', '\t', '|', 'é', '中', '😀', ',', '{', '}'];
    (0..rng.usize(0..=most)).map(|_| *rng.choice(&letters).unwrap()).collect()
}

/// An SQL expression of a value.
fn value(rng: &mut fastrand::Rng, kind: &str) -> String {
    let quoted = |text: String| format!("'{}'", text.replace('\'', "''"));
    let hex = |rng: &mut fastrand::Rng, bytes| (0..bytes).map(|_| format!("{:02x}", rng.u8(..))).collect::<String>();
    if let Some(item) = kind.strip_suffix("[]") {
        let items: Vec<String> = (0..rng.usize(0..5))
            .map(|_| if rng.u8(0..5) == 0 { "NULL".to_owned() } else { value(rng, item) })
            .collect();
        return format!("ARRAY[{}]::{kind}", items.join(", "));
    }
    let edges: &[&str] = match kind {
        "smallint" => &["-32768", "32767"],
        "integer" => &["-2147483648", "2147483647"],
        "bigint" => &["-9223372036854775808", "9223372036854775807"],
        "oid" => &["0", "4294967295"],
        "real" | "double precision" => &["'NaN'", "'-Infinity'", "'Infinity'", "'-0'", "1e-30", "3.4e38"],
        "numeric" => &["'NaN'", "'Infinity'", "'-Infinity'", "1e1000", "1e-1000", "0", "0.000"],
        "numeric(38,10)" => {
            &["9999999999999999999999999999.9999999999", "-9999999999999999999999999999.9999999999", "0.0000000001"]
        }
        "numeric(76,37)" => &["999999999999999999999999999999999999999.9999999999999999999999999999999999999", "1e-37"],
        "numeric(75,35)" => &["-9999999999999999999999999999999999999999.99999999999999999999999999999999999"],
        "numeric(3,5)" => &["0.00999", "-0.00001"],
        "numeric(2,-3)" => &["99000", "-1000", "499"],
        "date" => &["'infinity'", "'-infinity'", "'4713-01-01 BC'", "'5874897-12-31'"],
        "time" => &["'00:00'", "'24:00'", "'23:59:59.999999'"],
        "timestamp" | "timestamptz" => &[
            "'infinity'",
            "'-infinity'",
            "'4713-01-01 BC'",
            "'294246-12-31 23:59:59.999999'",
            "'1969-12-31 23:59:59.999999'",
        ],
        "interval" => &["'178000000 years'", "'-178000000 years -3 days'", "'2562047 hours'", "'-1 microsecond'"],
        "inet" => &["'0.0.0.0/0'", "'::1'", "'::ffff:1.2.3.4/96'", "'fe80::1/64'"],
        "text" => &["''"],
        "bytea" => &["''", r"'\x00'"],
        "json" => &[r#"'{"a" : 1, "a":null}'"#, "'null'"],
        "jsonb" => &[r#"'{"é": [1.10, "😀"]}'"#, "'null'"],
        "tsvector" => &["'a:1 b:2,3'"],
        "money" => &["'-92233720368547758.08'", "1.5"],
        _ => &[],
    };
    if !edges.is_empty() && rng.u8(0..4) == 0 {
        return format!("CAST({} AS {kind})", rng.choice(edges).unwrap());
    }
    let value = match kind {
        "boolean" => rng.bool().to_string(),
        "smallint" => rng.i16(..).to_string(),
        "integer" => rng.i32(..).to_string(),
        "bigint" => (rng.i64(..) >> rng.u32(0..64)).to_string(),
        "oid" => rng.u32(..).to_string(),
        "real" => f32::from_bits(rng.u32(..)).to_string(),
        "double precision" => f64::from_bits(rng.u64(..)).to_string(),
        "numeric" => number(rng, 60, 60),
        "numeric(15,2)" => number(rng, 13, 2),
        "numeric(38,10)" => number(rng, 28, 10),
        "numeric(76,37)" => number(rng, 39, 37),
        "numeric(75,35)" => number(rng, 40, 35),
        "numeric(38,0)" => number(rng, 38, 0),
        "numeric(3,5)" => format!("{}e-5", rng.i16(-999..=999)),
        "numeric(2,-3)" => format!("{}e3", rng.i16(-99..=99)),
        "text" | "name" => text(rng, 12),
        "char(5)" | "varchar(5)" => text(rng, 5),
        "\"char\"" => rng.char('\u{1}'..='\u{7f}').to_string(),
        "bytea" => {
            let length = rng.usize(0..20);
            format!("\\x{}", hex(rng, length))
        }
        "json" | "jsonb" => format!("[{}, {{\"{}\": true}}]", rng.i64(..), rng.u8(..)),
        "uuid" => hex(rng, 16),
        "date" => return format!("DATE '2000-01-01' + ({})", rng.i32(-2_400_000..2_000_000)),
        "time" => return format!("TIME '00:00' + {} * INTERVAL '1 microsecond'", rng.i64(0..86_400_000_000)),
        "timestamp" | "timestamptz" => {
            let micros = rng.i64(-200_000_000_000_000_000..9_000_000_000_000_000_000) >> rng.u32(0..20);
            return format!(
                "'2000-01-01'::{kind} + INTERVAL '{} seconds {} microseconds'",
                micros / 1_000_000,
                micros % 1_000_000
            );
        }
        "interval" => {
            format!("{} months {} days {} microseconds", rng.i32(-99999..99999), rng.i32(..), rng.i64(..) / 1000)
        }
        "inet" if rng.bool() => format!("{}.{}.1.2/{}", rng.u8(..), rng.u8(..), rng.u8(0..=32)),
        "inet" => format!("{:x}::{:x}:0:{:x}/{}", rng.u16(1..), rng.u16(1..), rng.u16(..), rng.u8(0..=128)),
        "cidr" => format!("{}.{}.0.0/16", rng.u8(..), rng.u8(..)),
        "macaddr" => hex(rng, 6),
        "macaddr8" => hex(rng, 8),
        "mood" | "calm" => (*rng.choice(&["ok", "so, so", "ü"]).unwrap()).to_owned(),
        "small" => rng.i32(0..100).to_string(),
        "word" => text(rng, 7),
        "pair" => format!("({},\"{}\")", rng.i32(..), rng.u8(..)),
        "int4range" => format!("[{},{})", rng.i32(-99..0), rng.i32(1..99)),
        "money" => format!("{}.{:02}", rng.i32(..), rng.u8(0..100)),
        "timetz" => format!("{:02}:00:00.000001+{:02}:30", rng.u8(0..24), rng.u8(0..15)),
        "bit(5)" | "varbit" => (0..5).map(|_| if rng.bool() { '1' } else { '0' }).collect(),
        "point" => format!("({},{})", rng.i16(..), rng.f32()),
        "tsvector" => "fat:2 cat:3".to_owned(),
        "xml" => format!("<a b=\"{}\"/>", rng.u8(..)),
        other => panic!("{other}"),
    };
    format!("{}::{kind}", quoted(value))
}

const TYPES: [&str; 45] = [
    "boolean",
    "smallint",
    "integer",
    "bigint",
    "oid",
    "real",
    "double precision",
    "numeric",
    "numeric(15,2)",
    "numeric(38,10)",
    "numeric(38,0)",
    "numeric(76,37)",
    "numeric(75,35)",
    "numeric(3,5)",
    "numeric(2,-3)",
    "text",
    "name",
    "char(5)",
    "varchar(5)",
    "\"char\"",
    "bytea",
    "json",
    "jsonb",
    "uuid",
    "date",
    "time",
    "timestamp",
    "timestamptz",
    "interval",
    "inet",
    "cidr",
    "macaddr",
    "macaddr8",
    "mood",
    "calm",
    "small",
    "word",
    "pair",
    "int4range",
    "money",
    "timetz",
    "bit(5)",
    "varbit",
    "point",
    "tsvector",
];

#[tokio::test]
async fn what_is_read_is_what_the_server_says() {
    let server = Server::start().await;
    server
        .run(
            "CREATE TYPE mood AS ENUM ('ok', 'so, so', 'ü'); CREATE DOMAIN calm AS mood; \
                CREATE DOMAIN small AS integer CHECK (VALUE < 100); CREATE DOMAIN word AS varchar(7); \
                CREATE TYPE pair AS (a integer, b text)",
        )
        .await;
    let mut rng = fastrand::Rng::with_seed(11);
    // An array of a composite type cannot be taken apart as one column.
    let arrays = TYPES.iter().filter(|kind| !matches!(**kind, "char(5)" | "varchar(5)" | "pair"));
    let kinds = TYPES.iter().map(|kind| (*kind).to_owned()).chain(arrays.map(|kind| format!("{kind}[]")));
    for kind in kinds {
        let mut values: Vec<String> = (0..250).map(|_| value(&mut rng, &kind)).collect();
        values.extend(["NULL".to_owned(), "NULL".to_owned()]);
        rng.shuffle(&mut values);
        let values: Vec<String> = values.iter().enumerate().map(|(row, value)| format!("({row}, {value})")).collect();
        server
            .run(&format!(
                "DROP TABLE IF EXISTS t; CREATE TABLE t (n integer, c {kind}); INSERT INTO t VALUES {}",
                values.join(", ")
            ))
            .await;
        let mapped = server.mapped("t", &Override::default()).await;
        let columns = server.rows("t", "ORDER BY n", &mapped).await.unwrap();
        let native = mapped[1].column.native.clone().unwrap_or_default();
        let as_text = !matches!(kind.trim_end_matches("[]"), "bytea" | "macaddr" | "macaddr8");
        let expected = server.texts(&format!("SELECT {} FROM t ORDER BY n", said("c", &kind))).await;
        let is_float = matches!(kind.trim_end_matches("[]"), "real" | "double precision");
        for (row, expected) in expected.iter().enumerate() {
            let read = cell(&columns[1], row, as_text);
            if is_float && let (Some(read), Some(expected)) = (&read, expected) {
                let bits = |text: &str| -> Vec<Option<u64>> {
                    let items = text.trim_matches(['[', ']']).split('|');
                    match kind.starts_with("real") {
                        true => items.map(|item| Some(item.parse::<f32>().ok()?.to_bits().into())).collect(),
                        false => items.map(|item| Some(item.parse::<f64>().ok()?.to_bits())).collect(),
                    }
                };
                assert_eq!(bits(read), bits(expected), "{kind}: {read} {expected}");
                continue;
            }
            assert_eq!(&read, expected, "{kind} {native}, row {row}: {}", values[row]);
        }
        // The same, wherever the stream is cut.
        let mut wire = server.connector.connect_wire().await.unwrap();
        wire.query(&format!("COPY ({} FROM t ORDER BY n) TO STDOUT (FORMAT binary)", select(&mapped))).await.unwrap();
        let mut bytes = Vec::new();
        while let Some(piece) = wire.next().await.unwrap() {
            bytes.extend_from_slice(piece);
        }
        let mut decoder = Decoder::new(&mapped).unwrap();
        let (mut rest, mut batches) = (&bytes[..], Vec::new());
        while !rest.is_empty() {
            let most = if rng.bool() { 5 } else { 500 };
            let piece = rng.usize(1..=rest.len().min(most));
            decoder.feed(&rest[..piece]).unwrap();
            rest = &rest[piece..];
            if decoder.rows() >= 100 {
                batches.push(decoder.take().unwrap());
            }
        }
        assert!(decoder.is_done());
        batches.push(decoder.take().unwrap());
        for (index, whole) in columns.iter().enumerate() {
            let pieces: Vec<&dyn Array> = batches.iter().map(|columns| &*columns[index]).collect();
            assert_eq!(&concat(&pieces).unwrap(), whole, "{kind}");
        }
    }
}
