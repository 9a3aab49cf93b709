//! Files of units that are no more, among others that are nobody's business.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use headwater_file::{Compression, Format, FormatSpec, Spec, destination};
use headwater_sdk::destination::MigrateMode;
use headwater_sdk::testing::things::{Item, batch, thing, things};
use headwater_sdk::testing::{HERE, OTHER, Origin, THERE, at, part};
use headwater_sdk::{Class, Outcome, WriteMode};
use tempfile::TempDir;

const STALE: WriteMode = WriteMode::OverwriteDeleteStale;

fn names(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

async fn write(spec: &Spec, from: Origin, sync: i64, rows: &[Item]) {
    let table = things("things");
    let destination = destination(spec.clone()).unwrap();
    destination.migrate(&[Arc::new(table.clone())], MigrateMode::Safe).await.unwrap();
    let mut writer = destination.begin(part(&table, from, at(sync), STALE)).await.unwrap();
    writer.write(batch(&table, from, at(sync), rows)).await.unwrap();
    writer.commit(Outcome::Complete).await.unwrap();
    destination.close().await.unwrap();
}

/// Also where the first row is larger than what is read of a file at first.
#[tokio::test]
async fn only_what_says_that_it_is_of_the_source_goes() {
    let no_header = FormatSpec { skip_header: Some(true), delimiter: Some(";".to_owned()), ..FormatSpec::default() };
    let large = Item { text: Some("\"a\r\n".repeat(50_000)), ..thing("large", 1) };
    for (format, compression, format_spec) in [
        (Format::Parquet, Compression::Default, FormatSpec::default()),
        (Format::Jsonl, Compression::None, FormatSpec::default()),
        (Format::Jsonl, Compression::Gzip, FormatSpec::default()),
        (Format::Csv, Compression::None, FormatSpec::default()),
        (Format::Csv, Compression::Gzip, no_header),
    ] {
        let folder = TempDir::new().unwrap();
        let path = folder.path().display().to_string();
        let spec = Spec { path, format, compression, format_spec, ..Spec::default() };
        for from in [HERE, THERE, OTHER] {
            write(&spec, from, 0, std::slice::from_ref(&large)).await;
        }
        let table = folder.path().join("things");
        let [here, there, other] = <[String; 3]>::try_from(names(&table)).unwrap();
        assert!(here.contains("eu-west") && other.starts_with("other"), "{here} {other}");
        let like = |name: &str| there.replace("us-east-1", name);
        // A copy of another source's under a name of this one's, text, and nothing at all.
        fs::copy(table.join(&other), table.join(like("a"))).unwrap();
        fs::write(table.join(like("b")), "a note\n").unwrap();
        fs::write(table.join(like("c")), "").unwrap();
        fs::write(table.join("aws.README"), "mine").unwrap();
        write(&spec, HERE, 1, &[thing("a", 1)]).await;
        let mut expected = names(&table);
        expected.retain(|name| *name != there);
        let destination = destination(spec).unwrap();
        destination.prune(&Arc::new(things("things")), "aws", &[], at(1)).await.unwrap();
        assert_eq!(names(&table), expected, "{format:?} {compression:?}");
        // A table of which there is no file.
        assert_eq!(destination.prune(&Arc::new(things("none")), "aws", &[], at(1)).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn where_each_sync_adds_files_none_is_of_a_unit_that_is_no_more() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("{{TABLE}}/{{UUID}}.{{FORMAT}}").display().to_string();
    let destination = destination(Spec { path, ..Spec::default() }).unwrap();
    let error = destination.prune(&Arc::new(things("things")), "aws", &[], at(1)).await.unwrap_err();
    assert!(error.class == Class::Unsupported && error.to_string().contains("{{UUID}}"), "{error}");
}
