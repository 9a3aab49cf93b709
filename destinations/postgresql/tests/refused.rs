//! Values and rows that the server does not take, and what becomes of those that are at the edge of its types.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;

use common::Postgresql;
use headwater_postgresql::{Spec, destination};
use headwater_sdk::arrow::array::{
    ArrayRef, BinaryArray, Date64Array, Decimal128Array, RecordBatch, Time64MicrosecondArray,
};
use headwater_sdk::arrow::datatypes::{DataType, TimeUnit};
use headwater_sdk::destination::MigrateMode;
use headwater_sdk::testing::things::{batch_of, table};
use headwater_sdk::testing::{HERE, Item, Subject, at, batch, part, thing, things};
use headwater_sdk::{
    Budget, Class, Column, ColumnType, Committed, Destination, Extension, Outcome, Part, Rejects, Result, TableSchema,
    WriteMode,
};

const MODE: WriteMode = WriteMode::OverwriteDeleteStale;

async fn ready(spec: Spec, table: &TableSchema) -> Box<dyn Destination> {
    let destination = destination(spec).unwrap();
    destination.use_memory(&Budget::new(4 << 20));
    destination.migrate(&[Arc::new(table.clone())], MigrateMode::Safe).await.unwrap();
    destination
}

async fn write(
    destination: &dyn Destination,
    table: &TableSchema,
    mode: WriteMode,
    rejects: Option<&Rejects>,
    batches: &[RecordBatch],
) -> Result<Committed> {
    let mut writer = destination.begin(Part { rejects: rejects.cloned(), ..part(table, HERE, at(0), mode) }).await?;
    for batch in batches {
        writer.write(batch.clone()).await?;
    }
    writer.commit(Outcome::Complete).await
}

/// Which rows were put aside, by the number in their key, and why.
fn aside(rejects: &Rejects) -> Vec<(i64, String)> {
    let number = |row: &str| -> i64 {
        // What is not JSON in the row is not in its text either.
        row.split_once("\"name\":\"n").and_then(|(_, name)| name.split_once('"')?.0.parse().ok()).unwrap()
    };
    let mut aside: Vec<_> = rejects.take().into_iter().map(|aside| (number(&aside.row), aside.reason)).collect();
    aside.sort();
    aside
}

/// One column beside the key's, of a type.
fn of_kind(name: &str, kind: ColumnType) -> TableSchema {
    table(name, vec![Column::new("value", kind, "A value.")])
}

fn extension(extension: Extension) -> ColumnType {
    ColumnType { data_type: extension.storage(), extension: Some(extension) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_that_cannot_be_read_are_put_aside() {
    let server = Postgresql::start();
    for (name, mode, count) in [
        ("few", MODE, 50),
        ("many", MODE, 40_000),
        ("added", WriteMode::Append, 50),
        ("much", WriteMode::Append, 40_000),
    ] {
        let table = of_kind(name, extension(Extension::Json));
        let table = if mode == WriteMode::Append { table.without_key() } else { table };
        let destination = ready(server.spec(), &table).await;
        let batches: Vec<_> = (0..count)
            .step_by(1000)
            .map(|first| {
                let numbers = first..count.min(first + 1000);
                let names: Vec<_> = numbers.clone().map(|number| format!("n{number:07}")).collect();
                let values = numbers.map(|number| match number {
                    3 => b"{\"open\":".to_vec(),
                    30 => b"\"\\ud800\"".to_vec(),
                    number if number == count - 1 => b"[1e999999]".to_vec(),
                    number => format!("{{\"a\": [{number}]}}").into_bytes(),
                });
                let values: ArrayRef = Arc::new(BinaryArray::from_iter_values(values));
                batch_of(&table, HERE, at(0), &names, vec![values])
            })
            .collect();
        let error = write(&*destination, &table, mode, None, &batches).await.unwrap_err();
        assert_eq!(error.class, Class::Rejected, "{error}");
        let rejects = Rejects::new(10);
        let committed = write(&*destination, &table, mode, Some(&rejects), &batches).await.unwrap();
        let aside = aside(&rejects);
        assert_eq!(aside.iter().map(|(row, _)| *row).collect::<Vec<_>>(), [3, 30, count - 1], "{name}: {aside:?}");
        assert!(aside.iter().all(|(_, why)| why.starts_with("22")), "{aside:?}");
        assert_eq!(committed.written, count as u64 - 3);
        let seen = server.0.query(&format!("SELECT count(*), count(DISTINCT name) FROM {name}")).unwrap();
        assert_eq!(seen.trim(), format!("{0}|{0}", count - 3));
        let error = write(&*destination, &table, mode, Some(&Rejects::new(2)), &batches).await.unwrap_err().to_string();
        assert!(error.contains("more than 2 rows were not taken"), "{error}");
    }
}

#[tokio::test]
async fn a_cell_that_is_not_utf8_is_the_rows_fault() {
    let server = Postgresql::start();
    for kind in [Extension::Json, Extension::Inet] {
        let table = of_kind(kind.name(), extension(kind));
        let destination = ready(server.spec(), &table).await;
        let values: ArrayRef = Arc::new(BinaryArray::from_iter_values([b"\"\xff\""]));
        let batch = batch_of(&table, HERE, at(0), &["n1".to_owned()], vec![values]);
        let error = write(&*destination, &table, MODE, None, &[batch]).await.unwrap_err();
        assert_eq!(error.class, Class::Rejected);
        assert!(error.to_string().contains("column value") && error.to_string().contains("UTF-8"), "{error}");
    }
}

/// Writes values of a type, the last of which have to be refused, and answers the others as the server shows them.
async fn shown(server: &Postgresql, kind: ColumnType, values: ArrayRef, refused: usize) -> Vec<String> {
    let table = of_kind("edge", kind);
    server.0.query("DROP TABLE IF EXISTS edge").unwrap();
    let destination = ready(server.spec(), &table).await;
    let count = values.len();
    let names: Vec<_> = (0..count).map(|number| format!("n{number}")).collect();
    let rejects = Rejects::new(10);
    let batch = batch_of(&table, HERE, at(0), &names, vec![values]);
    write(&*destination, &table, MODE, Some(&rejects), &[batch]).await.unwrap();
    let aside = aside(&rejects);
    let expected: Vec<_> = (count - refused..count).map(|number| number as i64).collect();
    assert_eq!(aside.iter().map(|(row, _)| *row).collect::<Vec<_>>(), expected, "{aside:?}");
    // What the encoder finds has no code of the server's.
    assert!(aside.iter().all(|(_, why)| !why.starts_with("22")), "{aside:?}");
    server.0.query("SELECT value FROM edge ORDER BY name").unwrap().lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn values_at_the_edge_of_a_type_are_kept_or_refused() {
    let server = Postgresql::start();
    let inet: ArrayRef = Arc::new(BinaryArray::from_iter_values(["10.0.0.1/32", "::1/128", "10.0.0.1/33", "::1/129"]));
    assert_eq!(shown(&server, extension(Extension::Inet), inet, 2).await, ["10.0.0.1", "::1"]);
    let day = 86_400_000;
    let dates: ArrayRef = Arc::new(Date64Array::from_iter_values([0, -1, day - 1, -day - 1, i64::MAX, i64::MIN]));
    assert_eq!(
        shown(&server, ColumnType::plain(DataType::Date64), dates, 2).await,
        ["1970-01-01", "1969-12-31", "1970-01-01", "1969-12-30"]
    );
    let times: ArrayRef = Arc::new(Time64MicrosecondArray::from_iter_values([0, 86_399_999_999, 86_400_000_001, -1]));
    let kind = DataType::Time64(TimeUnit::Microsecond);
    assert_eq!(shown(&server, ColumnType::plain(kind), times, 2).await, ["00:00:00", "23:59:59.999999"]);
    let decimals = Decimal128Array::from_iter_values([99_999, -99_999, 100_000, -100_000]);
    let decimals: ArrayRef = Arc::new(decimals.with_precision_and_scale(5, 2).unwrap());
    let kind = ColumnType::plain(DataType::Decimal128(5, 2));
    assert_eq!(shown(&server, kind, decimals, 2).await, ["999.99", "-999.99"]);
}

#[tokio::test]
async fn rows_that_a_trigger_a_policy_or_an_index_refuses_are_put_aside() {
    let server = Postgresql::start();
    let client = server.client().await;
    client.batch_execute("CREATE ROLE writer LOGIN PASSWORD 'w'").await.unwrap();
    client.batch_execute("GRANT CREATE ON SCHEMA public TO writer").await.unwrap();
    let place = server.0.url().rsplit_once('@').unwrap().1.to_owned();
    let writer = Spec { connection_string: format!("postgresql://writer:w@{place}"), ..Spec::default() };
    for (name, sql, code) in [
        (
            "triggered",
            "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS \
             'BEGIN IF NEW.number = 5 THEN RAISE EXCEPTION ''not five''; END IF; RETURN NEW; END'; \
             CREATE TRIGGER no BEFORE INSERT ON triggered FOR EACH ROW EXECUTE FUNCTION no()",
            "P0001: not five",
        ),
        (
            "guarded",
            "ALTER TABLE guarded ENABLE ROW LEVEL SECURITY; ALTER TABLE guarded FORCE ROW LEVEL SECURITY; \
             CREATE POLICY p ON guarded USING (true) WITH CHECK (number <> 5)",
            "42501: ",
        ),
        ("indexed", "CREATE INDEX ON indexed (text)", "54000: "),
        ("late", "ALTER TABLE late ADD UNIQUE (text) DEFERRABLE INITIALLY DEFERRED", "23505: "),
    ] {
        let table = things(name);
        let destination = ready(writer.clone(), &table).await;
        client.batch_execute(sql).await.unwrap();
        let mut items: Vec<_> = (0..20).map(|number| thing(&format!("n{number:07}"), number)).collect();
        let long = letters(40_000);
        match name {
            "indexed" => items[5].text = Some(long),
            "late" => items[5].text = items[2].text.clone(),
            _ => {}
        }
        let batches = [batch(&table, HERE, at(0), &items)];
        let error = write(&*destination, &table, MODE, None, &batches).await.unwrap_err();
        assert_eq!(error.class, Class::Rejected, "{name}: {error}");
        let rejects = Rejects::new(10);
        assert_eq!(write(&*destination, &table, MODE, Some(&rejects), &batches).await.unwrap().written, 19, "{name}");
        let aside = aside(&rejects);
        assert!(matches!(&aside[..], [(5, why)] if why.starts_with(code)), "{name}: {aside:?}");
        assert_eq!(server.rows(&table).await.len(), 19);
    }
    // A privilege that is missing is about the table, and puts nothing aside.
    let table = things("closed");
    ready(server.spec(), &table).await;
    client.batch_execute("GRANT SELECT, DELETE ON closed TO writer").await.unwrap();
    let rejects = Rejects::new(10);
    let batches = [batch(&table, HERE, at(0), &[thing("n1", 1)])];
    let error = write(&*destination(writer).unwrap(), &table, MODE, Some(&rejects), &batches).await.unwrap_err();
    assert!(error.to_string().contains("permission denied for table closed; grant it"), "{error}");
    assert_eq!(rejects.count(), 0);
}

/// Letters that cannot be made much shorter.
fn letters(length: usize) -> String {
    let mut state = 88_172_645_463_325_252_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..length).map(|_| char::from(b'!' + (next() % 90) as u8)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_of_equal_keys_stays_whatever_place_it_has_on_disk() {
    let server = Postgresql::start();
    let table = things("t");
    let destination = ready(server.spec(), &table).await;
    let text = letters(4000);
    // Rows that fit into no page that has been begun make room for small ones in earlier pages.
    for count in [3000, 12_000] {
        let item = |number: i64| {
            let mixed = (number.unsigned_abs().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize;
            let (key, length) = (mixed % 700, [20, 1900, 300, 1200, 700][mixed / 700 % 5]);
            let text = text[mixed % 2000..][..length].to_owned();
            Item { name: format!("n{key:07}"), text: Some(text), number: Some(number) }
        };
        let items: Vec<_> = (0..count).map(item).collect();
        let batches: Vec<_> = items.chunks(500).map(|items| batch(&table, HERE, at(0), items)).collect();
        write(&*destination, &table, MODE, None, &batches).await.unwrap();
        let last: BTreeMap<_, _> = items.iter().map(|item| (item.name.as_str(), item.number.unwrap())).collect();
        let seen = server.0.query("SELECT name, number FROM t").unwrap();
        assert_eq!(seen.lines().count(), last.len());
        for (name, number) in seen.lines().filter_map(|line| line.split_once('|')) {
            assert_eq!(number, last[name].to_string(), "{name}");
        }
    }
}
