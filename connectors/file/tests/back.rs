//! What destination `file` writes is read back: values of every type, in every format.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;
use std::sync::Arc;

use common::{Synced, sync};
use headwater_file::Format;
use headwater_sdk::arrow::array::{Array, ArrayRef, AsArray};
use headwater_sdk::arrow::compute::{CastOptions, cast_with_options};
use headwater_sdk::destination::MigrateMode;
use headwater_sdk::testing::fidelity::texts;
use headwater_sdk::testing::samples::samples;
use headwater_sdk::testing::things::{HERE, at, batch_of, part, table};
use headwater_sdk::{Column, ColumnType, Extension, Outcome, TableSchema, WriteMode, plain, type_names};
use serde_json::json;

async fn write(folder: &Path, format: Format, tables: &[(TableSchema, ArrayRef)]) {
    let path = folder.display().to_string();
    let spec = headwater_file::Spec { path, format, ..headwater_file::Spec::default() };
    let destination = headwater_file::destination(spec).unwrap();
    for (schema, values) in tables {
        destination.migrate(&[Arc::new(schema.clone())], MigrateMode::Safe).await.unwrap();
        let names: Vec<String> = (0..values.len()).map(|row| format!("{row:04}")).collect();
        let mut writer = destination.begin(part(schema, HERE, at(0), WriteMode::OverwriteDeleteStale)).await.unwrap();
        writer.write(batch_of(schema, HERE, at(0), &names, vec![Arc::clone(values)])).await.unwrap();
        writer.commit(Outcome::Complete).await.unwrap();
    }
    destination.close().await.unwrap();
}

fn tables(wanted: impl Fn(&ColumnType) -> bool) -> Vec<(TableSchema, ArrayRef)> {
    let all = samples(7).into_iter().enumerate().filter(|(_, (kind, _))| wanted(kind));
    all.map(|(number, (kind, values))| {
        (table(&format!("Type {number}"), vec![Column::new("value", kind, "A value.")]), values)
    })
    .collect()
}

fn check_names(synced: &Synced, table: &TableSchema, values: &ArrayRef) {
    let names: Vec<String> = (0..values.len()).map(|row| format!("{row:04}")).collect();
    assert_eq!(synced.texts(&table.name, "name"), names);
}

#[tokio::test]
async fn parquet_is_read_back_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let tables = tables(|_| true);
    write(folder.path(), Format::Parquet, &tables).await;
    let synced = sync(json!({ "path": folder.path() })).await.unwrap();
    assert!(synced.errors.is_empty() && synced.failed.is_empty(), "{:?} {:?}", synced.errors, synced.failed);
    assert!(synced.prunes);
    assert_eq!(synced.tables.len(), tables.len());
    let mut others = Vec::new();
    for (table, values) in &tables {
        check_names(&synced, table, values);
        let read = synced.column(&table.name, "value");
        let (column, written) = (synced.schema(&table.name).column("value").unwrap(), table.column("value").unwrap());
        assert_eq!(column.kind.extension, written.kind.extension);
        if column.kind == written.kind {
            assert_eq!(&read, values, "{}", written.kind.name());
            continue;
        }
        let strict = CastOptions { safe: false, ..CastOptions::default() };
        let field = Arc::new(written.field());
        let same = match cast_with_options(&read, values.data_type(), &strict) {
            Ok(read) => texts(&field, &read).unwrap() == texts(&field, values).unwrap(),
            Err(_) => texts(&Arc::new(column.field()), &read).unwrap() == texts(&field, values).unwrap(),
        };
        assert!(same, "{} is read as {}", written.kind.name(), column.kind.name());
        others.push(format!("{} → {}", written.kind.name(), column.kind.name()));
    }
    // The same values, in the types that the files have them in, or in plain ones.
    let expected = [
        "date64 → date32",
        "time32(s) → time32(ms)",
        "timestamp[s] → timestamp[ms]",
        "timestamp[s, UTC] → timestamp[ms, UTC]",
        "utf8view → utf8",
        "binaryview → binary",
        "list<date64> → list<date32>",
        "list<time32(s)> → list<time32(ms)>",
        "list<timestamp[s]> → list<timestamp[ms]>",
        "list<timestamp[s, UTC]> → list<timestamp[ms, UTC]>",
        "list<utf8view> → list<utf8>",
        "list<binaryview> → list<binary>",
        "listview<int64> → list<int64>",
        "largelistview<int64> → largelist<int64>",
        "listview<uuid> → list<uuid>",
        "largelistview<uuid> → largelist<uuid>",
        "struct<uuid: uuid, inet: inet, mac: mac, time: timestamp[s]> → struct<uuid: uuid, inet: inet, mac: mac, time: timestamp[ms]>",
    ];
    assert_eq!(others, expected);
    // The key and the other columns come back, and what is of a sync is of this one.
    let schema = synced.schema("Type 0");
    assert_eq!(schema.key(), ["name"]);
    assert!(schema.column("_cq_id").is_some());
    assert_eq!(synced.texts("Type 0", "_cq_source_name")[0], "files");
    assert!(synced.texts("Type 0", "_headwater_unit")[0].ends_with(".parquet"));
}

async fn read_back_as_declared(format: Format, lost: impl Fn(&ColumnType, &str) -> bool) {
    let folder = tempfile::tempdir().unwrap();
    let tables = tables(|kind| type_names::parse(&kind.name()).as_ref() == Ok(kind));
    assert!(tables.len() > 40);
    write(folder.path(), format, &tables).await;
    // Only Parquet has the names of tables in it.
    let found = common::found(json!({ "path": folder.path() })).await.unwrap();
    let names: Vec<String> = found.tables().iter().map(|node| node.schema.name.clone()).collect();
    for (table, values) in &tables {
        let kind = &table.column("value").unwrap().kind;
        let start = format!("{}~", table.name.replace(' ', "-").to_lowercase());
        let name = names.iter().find(|name| name.to_lowercase().starts_with(&start)).unwrap();
        let spec = json!({
            "tables": { &table.name: {
                "path": folder.path().join(name),
                "key": ["name"],
                "columns": { "value": { "type": kind.name() }, "name": { "type": "utf8" } },
            } }
        });
        let synced = sync(spec).await.unwrap();
        assert!(synced.errors.is_empty(), "{}: {:?}", kind.name(), synced.errors);
        check_names(&synced, table, values);
        let column = synced.schema(&table.name).column("value").unwrap();
        assert_eq!(column.kind, *kind);
        let read = synced.column(&table.name, "value");
        let field = Arc::new(table.column("value").unwrap().field());
        let read = plain::text(&field, &read).unwrap();
        let written = plain::text(&field, values).unwrap();
        for (read, written) in read.iter().zip(&written) {
            if read.is_none() && written.is_some_and(|written| lost(kind, written)) {
                continue;
            }
            // A line has no line breaks, so there are other spaces in JSON.
            let json = |text: Option<&str>| serde_json::from_str::<serde_json::Value>(text.unwrap_or("null")).unwrap();
            let same = read == written || kind.extension == Some(Extension::Json) && json(read) == json(written);
            assert!(same, "{}: {written:?} is read as {read:?}", kind.name());
        }
    }
}

#[tokio::test]
async fn csv_is_read_back_as_it_is_declared() {
    read_back_as_declared(Format::Csv, |_, written| written.is_empty()).await;
}

#[tokio::test]
async fn json_lines_are_read_back_as_they_are_declared() {
    let lost = |kind: &ColumnType, written: &str| match kind.extension {
        Some(Extension::Json) => written == "null",
        _ => kind.data_type.is_floating() && ["NaN", "inf", "-inf"].contains(&written),
    };
    read_back_as_declared(Format::Json, lost).await;
}

#[tokio::test]
async fn json_lines_without_declared_types_lose_no_value() {
    let folder = tempfile::tempdir().unwrap();
    let tables = tables(|kind| kind.extension.is_none() && !kind.data_type.is_floating());
    write(folder.path(), Format::Jsonl, &tables).await;
    let synced = sync(json!({ "path": folder.path() })).await.unwrap();
    assert!(synced.errors.is_empty(), "{:?}", synced.errors);
    for (schema, _) in synced.tables.values() {
        let column = synced.column(&schema.name, "value");
        assert!(column.len() - column.null_count() > 0);
        assert!(column.as_string_opt::<i64>().is_none());
    }
}
