//! Tests of filters: what is read, what is refused and where, and which rows pass.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use headwater_sdk::arrow::array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, FixedSizeBinaryArray, Float32Array,
    Float64Array, Int32Array, ListBuilder, RecordBatch, StringArray, StringBuilder, TimestampMicrosecondArray,
    TimestampSecondArray, UInt64Array,
};
use headwater_sdk::arrow::compute::cast;
use headwater_sdk::arrow::datatypes::DataType;
use headwater_sdk::{Column, ColumnType, Extension, Scopes, TableSchema};

use super::bind::bind;
use super::evaluate::evaluate;
use super::parse::parse;

/// Four rows of every type; the last one is empty.
fn batch() -> (TableSchema, RecordBatch) {
    let uuid = |byte: u8| Some([byte; 16]);
    let uuids = [uuid(1), uuid(2), uuid(3), None];
    let uuids = FixedSizeBinaryArray::try_from_sparse_iter_with_size(uuids.into_iter(), 16).unwrap();
    let times = [Some(1_767_225_600_000_000), Some(0), Some(-1), None];
    let mut lists = ListBuilder::new(StringBuilder::new());
    (0..4).for_each(|_| lists.append(true));
    let json =
        [r#"{"state":"on","n":1.50,"ok":true,"ids":["x"]}"#, r#"{"state":"off","n":-2,"ok":false}"#, r#"{"n":"3"}"#];
    let json =
        BinaryArray::from(vec![Some(json[0].as_bytes()), Some(json[1].as_bytes()), Some(json[2].as_bytes()), None]);
    let text = |texts: [&str; 3]| StringArray::from(vec![Some(texts[0]), Some(texts[1]), Some(texts[2]), None]);
    let decimal = Decimal128Array::from(vec![Some(150), Some(-5), Some(0), None]);
    let columns: Vec<(&str, Option<Extension>, ArrayRef)> = vec![
        ("flag", None, Arc::new(BooleanArray::from(vec![Some(true), Some(false), Some(true), None]))),
        ("small", None, Arc::new(Int32Array::from(vec![Some(1), Some(-2), Some(3), None]))),
        ("large", None, Arc::new(UInt64Array::from(vec![Some(u64::MAX), Some(0), Some(7), None]))),
        ("ratio", None, Arc::new(Float64Array::from(vec![Some(-0.0), Some(f64::NAN), Some(1.5), None]))),
        ("price", None, Arc::new(decimal.with_precision_and_scale(10, 2).unwrap())),
        ("name", None, Arc::new(text(["Ann", "bob%", "it's"]))),
        ("note", None, Arc::new(text(["Ann", "x", "IT"]))),
        ("time", None, Arc::new(TimestampMicrosecondArray::from(times.to_vec()).with_timezone("UTC"))),
        ("local", None, Arc::new(TimestampSecondArray::from(vec![Some(1_767_225_601), Some(0), Some(-1), None]))),
        ("day", None, Arc::new(Date32Array::from(vec![Some(20_454), Some(0), Some(-1), None]))),
        ("id", Some(Extension::Uuid), Arc::new(uuids)),
        (
            "net",
            Some(Extension::Inet),
            Arc::new(BinaryArray::from(vec![Some(&b"10.0.0.0/8"[..]), Some(b"::1/128"), Some(b"10.0.0.1/32"), None])),
        ),
        ("mac", Some(Extension::Mac), Arc::new(BinaryArray::from(vec![Some(&[1_u8; 6][..]), None, None, None]))),
        ("info", Some(Extension::Json), Arc::new(json)),
        ("raw", None, Arc::new(BinaryArray::from(vec![Some(&b"x"[..]), None, None, None]))),
        ("list", None, Arc::new(lists.finish())),
        ("and", None, Arc::new(text(["a", "b", "c"]))),
    ];
    let described = columns.iter().map(|(name, extension, array)| {
        let kind = ColumnType { data_type: array.data_type().clone(), extension: *extension };
        Column::new(*name, kind, "")
    });
    let mut table = TableSchema::new("things", "", None, Scopes::SINGLE, Vec::new());
    table = table.with_columns(described.collect());
    let batch = RecordBatch::try_new(table.arrow(), columns.into_iter().map(|(_, _, array)| array).collect());
    (table, batch.unwrap())
}

/// The rows that pass, counted from 0.
fn passing(text: &str) -> Vec<usize> {
    let (table, batch) = batch();
    let bound = parse(text).and_then(|expr| bind(&expr, &table)).unwrap_or_else(|wrong| panic!("{text}: {wrong:?}"));
    let holds = evaluate(&bound, &batch).unwrap();
    (0..4).filter(|row| holds.is_valid(*row) && holds.value(*row)).collect()
}

#[test]
fn rows_pass_as_in_sql() {
    const ALL: [usize; 3] = [0, 1, 2];
    let cases: &[(&str, &[usize])] = &[
        ("flag", &[0, 2]),
        ("not flag", &[1]),
        ("flag = false", &[1]),
        ("flag is null", &[3]),
        ("flag is not null", &ALL),
        ("not flag is null", &ALL),
        ("small = 1", &[0]),
        ("small == 1", &[0]),
        ("small != 1", &[1, 2]),
        ("small <> 1", &[1, 2]),
        ("1 < small", &[2]),
        ("small >= -2", &ALL),
        ("small < +3", &[0, 1]),
        ("small between -2 and 1", &[0, 1]),
        ("small not between -2 and 1", &[2]),
        ("large = 18446744073709551615", &[0]),
        ("large > 0", &[0, 2]),
        ("ratio = 0", &[0]),
        ("ratio = -0.0", &[0]),
        ("ratio < 1e300", &[0, 2]),
        ("ratio > 1e300", &[1]),
        ("price = 1.5", &[0]),
        ("price < 0", &[1]),
        ("price in (1.50, 0.00)", &[0, 2]),
        ("name = 'Ann'", &[0]),
        ("name = 'it''s'", &[2]),
        ("name > 'Z'", &[1, 2]),
        ("\"name\" = 'Ann'", &[0]),
        ("\"and\" = 'b'", &[1]),
        ("name in ('Ann', 'it''s')", &[0, 2]),
        ("name not in ('Ann')", &[1, 2]),
        ("name like 'A%'", &[0]),
        ("name like '%\\%'", &[1]),
        ("name like '_nn'", &[0]),
        ("name not like '%n'", &[1, 2]),
        ("name = note", &[0]),
        ("name != note", &[1, 2]),
        ("time >= '2026-01-01T00:00:00Z'", &[0]),
        ("time >= '2026-01-01T01:00:00+01:00'", &[0]),
        ("time < '1970-01-01'", &[2]),
        ("time in ('1970-01-01')", &[1]),
        ("local = '2026-01-01T00:00:01'", &[0]),
        ("local <= '1970-01-01'", &[1, 2]),
        ("day = '2026-01-01'", &[0]),
        ("day < '1970-01-01'", &[2]),
        ("id = '01010101-0101-0101-0101-010101010101'", &[0]),
        ("id > '01010101-0101-0101-0101-010101010101'", &[1, 2]),
        ("id in ('02020202020202020202020202020202')", &[1]),
        ("net = '10.0.0.0/8'", &[0]),
        ("net != '::1'", &[0, 2]),
        ("net in ('10.0.0.1', '::1')", &[1, 2]),
        ("mac = '01:01:01:01:01:01'", &[0]),
        ("info.state = 'on'", &[0]),
        ("info.state != 'on'", &[1]),
        ("info.state is null", &[2, 3]),
        ("info[\"state\"] like 'o%'", &[0, 1]),
        ("info.n > 0", &[0]),
        ("info.n = 1.5", &[0]),
        ("info.n = '1.50'", &[0]),
        ("info.n = '3'", &[2]),
        ("info.ok", &[0]),
        ("info.ok = false", &[1]),
        ("info.ids[0] = 'x'", &[0]),
        ("info.ids = '[\"x\"]'", &[0]),
        ("info.state = name", &[]),
        ("info is null", &[3]),
        ("raw is null", &[1, 2, 3]),
        ("list is not null", &[0, 1, 2, 3]),
        // What is not known does not pass, and its opposite does not either.
        ("small = 1 or name = 'it''s'", &[0, 2]),
        ("small = 1 and name = 'it''s'", &[]),
        ("small = 1 or flag is null", &[0, 3]),
        ("not (small = 1 or name = 'it''s')", &[1]),
        ("not (small = 1 and flag is null)", &[0, 1, 2]),
        ("not not flag", &[0, 2]),
        ("small = 1 or small = 3 and flag = false", &[0]),
        ("(small = 1 or small = 3) and flag", &[0, 2]),
        ("SMALL = 1", &[]),
    ];
    for (text, rows) in cases.iter().filter(|(text, _)| !text.starts_with("SMALL")) {
        assert_eq!(passing(text), *rows, "{text}");
    }
    assert_eq!(passing("small IN (1) AND NOT flag IS NULL"), [0]);
}

#[test]
fn mistakes_have_their_place() {
    let (table, _) = batch();
    for (text, at, message) in [
        ("", "", "expected a column, but the filter ends here"),
        ("name", "name", "`name` is utf8, and is compared with nothing"),
        ("name =", "", "expected a value, but the filter ends here"),
        ("name = ", "", "expected a value, but the filter ends here"),
        ("= 'x'", "=", "expected a column, found `=`"),
        ("name = 'x", "'x", "the text is not closed with `'`"),
        ("name ~ 'x'", "~", "unexpected `~`"),
        ("name = Ann", "Ann", "`things` has no column `Ann`"),
        ("nmae = 'x'", "nmae", "`things` has no column `nmae`"),
        ("name = null", "null", "expected a value, found `null`"),
        ("name is 'x'", "'x'", "expected `null` or `not null`, found `'x'`"),
        ("name = 'x' name", "name", "expected `and`, `or`, or the end, found `name`"),
        ("(name = 'x'", "", "expected `)`, but the filter ends here"),
        ("name = 'x')", ")", "expected `and`, `or`, or the end, found `)`"),
        ("name in 'x'", "'x'", "expected `(`, found `'x'`"),
        ("name in ()", ")", "expected a value, found `)`"),
        ("name in ('x' 'y')", "'y'", "expected `)`, found `'y'`"),
        ("name not = 'x'", "=", "expected `in`, `like` or `between` after `not`, found `=`"),
        ("name + 'x'", "+", "unexpected `+`"),
        ("name 'x'", "'x'", "expected a comparison, such as `=`, `<`, `in`, `like` or `is null`, found `'x'`"),
        ("name = 1", "1", "`name` is utf8, and cannot be compared with a number"),
        ("name = true", "true", "`name` is utf8, and cannot be compared with a truth value"),
        ("small = '1'", "'1'", "`small` is int32, and cannot be compared with a text"),
        ("small = 1.5", "1.5", "`1.5` is no value of type int32"),
        ("small = 9999999999", "9999999999", "`9999999999` is no value of type int32"),
        ("large = -1", "-1", "`-1` is no value of type uint64"),
        ("small = 1x", "1x", "`1x` is no number"),
        ("flag = 1", "1", "`flag` is bool, and cannot be compared with a number"),
        ("flag = 'true'", "'true'", "`flag` is bool, and cannot be compared with a text"),
        ("price = 1.555", "1.555", "`1.555` is no value of type decimal128(10, 2)"),
        ("time > 2026-01-01", "2026-01-01", "`2026-01-01` is no number"),
        (
            "time > '2026-01-01T00:00:00'",
            "'2026-01-01T00:00:00'",
            "`2026-01-01T00:00:00` is no value of type timestamp[us, UTC]",
        ),
        (
            "time > '2026-01-01T00:00:00.0000001Z'",
            "'2026-01-01T00:00:00.0000001Z'",
            "`2026-01-01T00:00:00.0000001Z` is no value of type timestamp[us, UTC]",
        ),
        (
            "local > '2026-01-01T00:00:00Z'",
            "'2026-01-01T00:00:00Z'",
            "`2026-01-01T00:00:00Z` is no value of type timestamp[s]",
        ),
        ("time > 'yesterday'", "'yesterday'", "`yesterday` is no value of type timestamp[us, UTC]"),
        ("time > 2026", "2026", "`time` is timestamp[us, UTC], and cannot be compared with a number"),
        ("day = '2026-13-01'", "'2026-13-01'", "`2026-13-01` is no value of type date32"),
        ("id = 'x'", "'x'", "`x` is no value of type uuid"),
        ("net = 'x'", "'x'", "`x` is no value of type inet"),
        ("net < '::1'", "'::1'", "`net` is inet, which has no order here"),
        ("mac = 'x'", "'x'", "`x` is no value of type mac"),
        ("info = '{}'", "'{}'", "`info` is json, which cannot be compared as a whole"),
        ("name.x = '1'", "name.x", "`name` is utf8, and there is no path into it"),
        ("info..x = '1'", "info..x", "a filter compares one value: `*` and `..` cannot stand in its paths"),
        ("info.* = '1'", "info.*", "a filter compares one value: `*` and `..` cannot stand in its paths"),
        ("info. = '1'", " ", "a key is missing after `.`"),
        ("info.n in (1, 'x')", "'x'", "expected values of one kind, found a text"),
        ("raw = 'x'", "'x'", "`raw` is binary, which cannot be compared"),
        ("list = 'x'", "'x'", "`list` is list<utf8>, which cannot be compared"),
        ("small like '1'", "small", "`like` compares texts, and `small` is int32"),
        ("name like 1", "1", "`like` takes a text, found a number"),
        ("'a' = 'b'", "'a' = 'b'", "there is no column in this comparison"),
        ("name = small", "name = small", "utf8 and int32 cannot be compared with each other"),
        ("raw = raw", "raw", "`raw` is binary, which cannot be compared"),
        ("1 is null", "1", "expected a column, found a number"),
        ("größe = 'é' or ß", "größe", "`things` has no column `größe`"),
    ] {
        let wrong = parse(text).and_then(|expr| bind(&expr, &table)).err().unwrap_or_else(|| panic!("{text} is read"));
        assert_eq!((&text[wrong.at.clone()], wrong.message.as_str()), (at, message), "{text}");
        let helps = ["cannot be compared", "no path into", "`like`", "no column", "of one kind", "no value of type"];
        assert!(
            wrong.help.is_some()
                || message.starts_with("expected `")
                || message.starts_with("expected a comp")
                || !helps.iter().any(|part| message.contains(part)),
            "{text}: what to do?"
        );
    }
    let deep = format!("{}flag{}", "(".repeat(10_000), ")".repeat(10_000));
    assert_eq!(parse(&deep).unwrap_err().message, "the filter is nested too deeply");
}

#[test]
fn numbers_within_json_compare_as_they_are_written() {
    let column = |name: &str, kind: ColumnType| Column::new(name, kind, "");
    let columns =
        vec![column("info", ColumnType::of(Extension::Json)), column("ratio", ColumnType::plain(DataType::Float64))];
    let table = TableSchema::new("t", "", None, Scopes::SINGLE, Vec::new()).with_columns(columns);
    let texts: [&[u8]; 4] =
        [b"{\"id\":9007199254740992}", b"{\"id\":9007199254740993}", b"{\"id\":-0.0}", b"{\"id\":0.1}"];
    let ratio = Float64Array::from(vec![9007199254740992.0, 1.0, 0.0, 0.1]);
    let batch = RecordBatch::try_new(
        table.arrow(),
        vec![Arc::new(BinaryArray::from(texts.to_vec())) as ArrayRef, Arc::new(ratio)],
    );
    let batch = batch.unwrap();
    for (text, rows) in [
        ("info.id = 9007199254740993", &[1][..]),
        ("info.id < 9007199254740993", &[0, 2, 3]),
        ("info.id in (9007199254740992, 0)", &[0, 2]),
        ("info.id >= 9007199254740992.5", &[1]),
        ("info.id between -1 and 1e-1", &[2, 3]),
        ("info.id = ratio", &[0, 2, 3]),
        ("ratio < info.id", &[1]),
    ] {
        let holds = evaluate(&bind(&parse(text).unwrap(), &table).unwrap(), &batch).unwrap();
        let found: Vec<usize> = (0..4).filter(|row| holds.is_valid(*row) && holds.value(*row)).collect();
        assert_eq!(found, rows, "{text}");
    }
}

#[test]
fn half_floats_compare_as_numbers() {
    let halves: ArrayRef = Arc::new(Float32Array::from(vec![0.0, -0.0, 0.5, f32::NAN, -f32::NAN]));
    let halves = cast(&halves, &DataType::Float16).unwrap();
    let column = Column::new("half", ColumnType::plain(DataType::Float16), "");
    let table = TableSchema::new("t", "", None, Scopes::SINGLE, Vec::new()).with_columns(vec![column]);
    let batch = RecordBatch::try_new(table.arrow(), vec![halves]).unwrap();
    for (text, rows) in [("half = 0", &[0, 1][..]), ("half >= 0 and half < 1", &[0, 1, 2]), ("half < 0", &[])] {
        let holds = evaluate(&bind(&parse(text).unwrap(), &table).unwrap(), &batch).unwrap();
        let found: Vec<usize> = (0..5).filter(|row| holds.is_valid(*row) && holds.value(*row)).collect();
        assert_eq!(found, rows, "{text}");
    }
}

/// A random filter over `small`, `flag` and `name`, and what it answers for a row: nothing where it is not known.
fn random(random: &mut fastrand::Rng, depth: usize, row: usize) -> (String, Option<bool>) {
    let small = [Some(1), Some(-2), Some(3), None][row];
    let flag = [Some(true), Some(false), Some(true), None][row];
    let name = ["Ann", "bob%", "it's"].get(row).copied();
    match random.usize(0..if depth == 0 { 4 } else { 7 }) {
        0 => {
            let number = random.i64(-3..4);
            let (sign, compare): (&str, fn(i64, i64) -> bool) = [
                ("=", (|a, b| a == b) as fn(i64, i64) -> bool),
                ("!=", |a, b| a != b),
                ("<", |a, b| a < b),
                ("<=", |a, b| a <= b),
                (">", |a, b| a > b),
                (">=", |a, b| a >= b),
            ][random.usize(0..6)];
            (format!("small {sign} {number}"), small.map(|small| compare(small, number)))
        }
        1 => ("flag".to_owned(), flag),
        2 => {
            let names = ["Ann", "bob%", "x"];
            let chosen: Vec<&str> = names.into_iter().filter(|_| random.bool()).chain(["y"]).collect();
            let list: Vec<String> = chosen.iter().map(|name| format!("'{name}'")).collect();
            (format!("name in ({})", list.join(", ")), name.map(|name| chosen.contains(&name)))
        }
        3 => ("name is null".to_owned(), Some(name.is_none())),
        4 => {
            let (text, holds) = self::random(random, depth - 1, row);
            (format!("not ({text})"), holds.map(|holds| !holds))
        }
        both => {
            let ((left, a), (right, b)) = (self::random(random, depth - 1, row), self::random(random, depth - 1, row));
            let and = both == 5;
            let holds = match (a, b) {
                (Some(decided), _) | (_, Some(decided)) if decided != and => Some(decided),
                (Some(_), Some(_)) => Some(and),
                _ => None,
            };
            (format!("({left} {} {right})", if and { "and" } else { "or" }), holds)
        }
    }
}

#[test]
fn random_filters_answer_as_three_valued_logic_says() {
    let (table, batch) = batch();
    let seed = 4;
    let mut source = fastrand::Rng::with_seed(seed);
    for round in 0..2_000 {
        for row in 0..4 {
            // The same filter for each row.
            let mut rng = source.clone();
            let (text, expected) = random(&mut rng, 4, row);
            let found = evaluate(&bind(&parse(&text).unwrap(), &table).unwrap(), &batch).unwrap();
            let found = found.is_valid(row).then(|| found.value(row));
            assert_eq!(found, expected, "seed {seed}, round {round}, row {row}: {text}");
            if row == 3 {
                source = rng;
            }
        }
    }
}

#[test]
fn types_of_columns_that_are_compared_are_told() {
    let column = Column::new(
        "x",
        ColumnType::plain(DataType::Interval(headwater_sdk::arrow::datatypes::IntervalUnit::DayTime)),
        "",
    );
    let table = TableSchema::new("t", "", None, Scopes::SINGLE, vec![column]);
    for filter in ["x = 'never'", "x = x", "x in ('never')"] {
        let wrong = parse(filter).and_then(|expr| bind(&expr, &table)).unwrap_err();
        assert!(wrong.message.contains("cannot be compared here") && wrong.help.is_some(), "{filter}: {wrong:?}");
    }
}
