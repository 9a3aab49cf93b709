//! The cases of the acceptance suite, each on a place of its own. They panic where something is not as it must be.

use std::sync::Arc;

use arrow::array::{Array, RecordBatch};

pub use super::history::random_histories;

use super::Subject;
use super::samples::samples;
use super::things::{HERE, Item, OTHER, Origin, THERE, array, at, batch, batch_of, column, part, table, thing, things};
use crate::destination::{Committed, Destination, MigrateMode, Outcome, Part, WriteMode};
use crate::error::Result;
use crate::plan::Change;
use crate::rejects::Rejects;
use crate::schema::{Column, TableSchema};
use crate::state::{SavedRun, UnitHash};

const MODES: [WriteMode; 3] = [WriteMode::OverwriteDeleteStale, WriteMode::Overwrite, WriteMode::Append];

fn good<T>(result: Result<T>, what: &str) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{what}: {error}"),
    }
}

/// Opens the destination and makes a table ready for a mode.
async fn ready(subject: &dyn Subject, table: &TableSchema, mode: WriteMode) -> Box<dyn Destination> {
    let destination = subject.open();
    good(destination.check().await, "check");
    let table = if mode == WriteMode::Append { table.without_key() } else { table.clone() };
    good(destination.migrate(&[Arc::new(table)], MigrateMode::Safe).await, "migrate");
    destination
}

async fn write(destination: &dyn Destination, part: Part, from: Origin, batches: &[Vec<Item>]) -> Committed {
    good(try_write(destination, part, from, batches, Outcome::Complete).await, "write")
}

async fn try_write(
    destination: &dyn Destination,
    part: Part,
    from: Origin,
    batches: &[Vec<Item>],
    outcome: Outcome,
) -> Result<Committed> {
    let (table, time) = (Arc::clone(&part.table), part.sync_time);
    let mut writer = destination.begin(part).await?;
    for rows in batches {
        writer.write(batch(&table, from, time, rows)).await?;
    }
    writer.commit(outcome).await
}

/// The rows that can be seen, as source, region, time and row.
pub(super) async fn seen(subject: &dyn Subject, table: &TableSchema) -> Vec<(String, String, Option<String>, Item)> {
    let rows = subject.rows(table).await;
    let of = |row: &[Option<String>], name: &str| -> Option<String> {
        let index = table.columns.iter().position(|column| column.name == name);
        index.and_then(|index| row.get(index)).cloned().flatten()
    };
    let mut all: Vec<_> = rows
        .iter()
        .map(|row| {
            let thing = Item {
                name: of(row, "name").unwrap_or_default(),
                text: of(row, "text"),
                number: of(row, "number").and_then(|number| number.parse().ok()),
            };
            let unit = (of(row, "_cq_source_name").unwrap_or_default(), of(row, "region").unwrap_or_default());
            (unit.0, unit.1, of(row, "_cq_sync_time"), thing)
        })
        .collect();
    all.sort();
    all
}

/// The rows that can be seen, whatever unit they are of.
async fn rows(subject: &dyn Subject, table: &TableSchema) -> Vec<Item> {
    let mut rows: Vec<Item> = seen(subject, table).await.into_iter().map(|(_, _, _, row)| row).collect();
    rows.sort();
    rows
}

pub(super) fn modes(destination: &dyn Destination) -> Vec<WriteMode> {
    MODES.into_iter().filter(|mode| destination.supports(*mode).is_ok()).collect()
}

fn many(range: std::ops::Range<i64>) -> Vec<Item> {
    range.map(|number| thing(&format!("n{number:06}"), number)).collect()
}

/// Nothing of a part is seen before its commit, and nothing at all of one that is dropped.
pub async fn a_part_is_seen_when_it_is_committed(subject: &dyn Subject) {
    for (index, mode) in modes(&*subject.open()).into_iter().enumerate() {
        let table = things(&format!("seen_{index}"));
        let destination = ready(subject, &table, mode).await;
        let (first, second) = (many(0..3), many(3..5));
        let part = |from| part(&table, from, at(0), mode);
        let batch = |from, rows: &[Item]| batch(&part(from).table, from, at(0), rows);
        let mut writer = good(destination.begin(part(HERE)).await, "begin");
        good(writer.write(batch(HERE, &first)).await, "write");
        let mut dropped = good(destination.begin(part(THERE)).await, "begin");
        good(dropped.write(batch(THERE, &many(10..12))).await, "write");
        drop(dropped);
        good(writer.write(batch(HERE, &[])).await, "an empty batch");
        good(writer.write(batch(HERE, &second)).await, "write");
        assert_eq!(rows(subject, &table).await, [], "{mode:?}: nothing is committed");
        let committed = good(writer.commit(Outcome::Complete).await, "commit");
        assert_eq!((committed.written, committed.deleted), (5, 0), "{mode:?}");
        assert_eq!(rows(subject, &table).await, many(0..5), "{mode:?}");
        good(destination.close().await, "close");
        assert_eq!(rows(subject, &table).await, many(0..5), "{mode:?}");
    }
}

/// In both modes with keys, a row that is there is replaced as a whole.
pub async fn rows_with_a_key_are_replaced(subject: &dyn Subject) {
    let keyed = |mode: &WriteMode| *mode != WriteMode::Append;
    for (index, mode) in modes(&*subject.open()).into_iter().filter(keyed).enumerate() {
        let table = things(&format!("replaced_{index}"));
        let destination = ready(subject, &table, mode).await;
        write(&*destination, part(&table, HERE, at(0), mode), HERE, &[many(0..4)]).await;
        let mut next = many(2..6);
        next[0] = Item { name: next[0].name.clone(), text: None, number: Some(-1) };
        write(&*destination, part(&table, HERE, at(1), mode), HERE, &[next.clone()]).await;
        let mut expected = next;
        if mode == WriteMode::Overwrite {
            expected.splice(0..0, many(0..2));
        }
        assert_eq!(rows(subject, &table).await, expected, "{mode:?}");
        good(destination.close().await, "close");
    }
}

/// Of rows with one key in a part, in one batch or in several, the last one stays.
pub async fn the_last_of_equal_keys_stays(subject: &dyn Subject) {
    let keyed = |mode: &WriteMode| *mode != WriteMode::Append;
    for (index, mode) in modes(&*subject.open()).into_iter().filter(keyed).enumerate() {
        let table = things(&format!("equal_{index}"));
        let destination = ready(subject, &table, mode).await;
        let batches = [vec![thing("a", 1), thing("b", 1), thing("a", 2)], vec![thing("c", 1)], vec![thing("b", 2)]];
        let committed = write(&*destination, part(&table, HERE, at(0), mode), HERE, &batches).await;
        assert_eq!(committed.written, 3, "{mode:?}");
        assert_eq!(rows(subject, &table).await, [thing("a", 2), thing("b", 2), thing("c", 1)], "{mode:?}");
        good(destination.close().await, "close");
    }
}

/// In write mode `append` every row is a row more, also one that came before.
pub async fn added_rows_are_added(subject: &dyn Subject) {
    let mode = WriteMode::Append;
    if subject.open().supports(mode).is_err() {
        return;
    }
    let table = things("added");
    let destination = ready(subject, &table, mode).await;
    let rows_of = vec![thing("a", 1), thing("a", 1), thing("b", 1)];
    for sync in 0..2 {
        let committed =
            write(&*destination, part(&table, HERE, at(sync), mode), HERE, std::slice::from_ref(&rows_of)).await;
        assert_eq!((committed.written, committed.deleted), (3, 0));
    }
    let mut expected = [rows_of.clone(), rows_of].concat();
    expected.sort();
    assert_eq!(rows(subject, &table).await, expected);
    good(destination.close().await, "close");
}

/// Rows that were not seen again are removed in the unit that was synced, and in no other.
pub async fn stale_rows_go_with_their_unit(subject: &dyn Subject) {
    let mode = WriteMode::OverwriteDeleteStale;
    if subject.open().supports(mode).is_err() {
        return;
    }
    let table = things("stale");
    let destination = ready(subject, &table, mode).await;
    for (from, range) in [(HERE, 0..4), (THERE, 10..14), (OTHER, 20..24)] {
        write(&*destination, part(&table, from, at(0), mode), from, &[many(range)]).await;
    }
    write(&*destination, part(&table, HERE, at(1), mode), HERE, &[many(1..3)]).await;
    let expected = [many(1..3), many(10..14), many(20..24)].concat();
    assert_eq!(rows(subject, &table).await, expected);
    let times: Vec<Option<String>> = seen(subject, &table).await.into_iter().map(|(_, _, time, _)| time).collect();
    assert_eq!(times.iter().collect::<std::collections::BTreeSet<_>>().len(), 2, "the rows say when they were synced");
    good(destination.close().await, "close");
}

/// A unit that has no rows any more leaves none; a table that never had a row is there all the same.
pub async fn a_unit_without_rows_is_all_stale(subject: &dyn Subject) {
    let mode = WriteMode::OverwriteDeleteStale;
    if subject.open().supports(mode).is_err() {
        return;
    }
    let table = things("none");
    let destination = ready(subject, &table, mode).await;
    let committed = write(&*destination, part(&table, HERE, at(0), mode), HERE, &[]).await;
    assert_eq!((committed.written, committed.deleted), (0, 0));
    write(&*destination, part(&table, HERE, at(1), mode), HERE, &[many(0..3)]).await;
    write(&*destination, part(&table, HERE, at(2), mode), HERE, &[vec![]]).await;
    assert_eq!(rows(subject, &table).await, []);
    good(destination.close().await, "close");
}

/// What is missing in a unit that failed is not known to be gone.
pub async fn a_partial_unit_removes_nothing(subject: &dyn Subject) {
    for (index, mode) in modes(&*subject.open()).into_iter().enumerate() {
        let table = things(&format!("partial_{index}"));
        let destination = ready(subject, &table, mode).await;
        write(&*destination, part(&table, HERE, at(0), mode), HERE, &[many(0..4)]).await;
        let partial = part(&table, HERE, at(1), mode);
        let committed = try_write(&*destination, partial, HERE, &[vec![thing("n000001", -1)]], Outcome::Partial).await;
        let committed = good(committed, "a partial part");
        assert_eq!(committed.deleted, 0, "{mode:?}");
        let names: std::collections::BTreeSet<String> =
            rows(subject, &table).await.into_iter().map(|row| row.name).collect();
        let expected = many(0..4).into_iter().map(|row| row.name).collect();
        assert_eq!(names, expected, "{mode:?}");
        good(destination.close().await, "close");
    }
}

/// A part that was left open by a process that is gone, or was committed but not noted, is written again by the sync
/// that goes on: in the end there is what one attempt would have written.
pub async fn a_unit_written_half_is_written_again(subject: &dyn Subject) {
    for (index, mode) in modes(&*subject.open()).into_iter().enumerate() {
        let table = things(&format!("half_{index}"));
        let first = ready(subject, &table, mode).await;
        let part = part(&table, HERE, at(0), mode);
        let mut half = good(first.begin(part.clone()).await, "begin");
        good(half.write(batch(&part.table, HERE, at(0), &many(0..2))).await, "write");
        drop((half, first));
        let second = ready(subject, &table, mode).await;
        write(&*second, part.clone(), HERE, &[many(0..3)]).await;
        drop(second);
        let third = ready(subject, &table, mode).await;
        let again = Part { resumed: true, ..part };
        write(&*third, again, HERE, &[many(0..4)]).await;
        assert_eq!(rows(subject, &table).await, many(0..4), "{mode:?}");
        good(third.close().await, "close");
    }
}

/// What is acknowledged is there at once, for everyone, and stays when the process goes away without a close.
pub async fn what_is_committed_needs_no_close(subject: &dyn Subject) {
    let mode = WriteMode::OverwriteDeleteStale;
    let table = things("acknowledged");
    for sync in 0..6 {
        let destination = ready(subject, &table, mode).await;
        let expected = many(sync * 10..sync * 10 + 50);
        write(&*destination, part(&table, HERE, at(sync), mode), HERE, std::slice::from_ref(&expected)).await;
        assert_eq!(rows(subject, &table).await, expected, "sync {sync}");
        drop(destination);
        assert_eq!(rows(subject, &table).await, expected, "sync {sync}, the process is gone");
    }
}

/// Whoever opens the target after the close finds all that was committed.
pub async fn what_was_committed_is_there_after_the_close(subject: &dyn Subject) {
    let mode = WriteMode::OverwriteDeleteStale;
    let table = things("flushed");
    let destination = ready(subject, &table, mode).await;
    for unit in 0..20 {
        let from = [HERE, THERE, OTHER][unit % 3];
        let part =
            Part { scope: format!("{unit}"), ..part(&table, from, at(unit as i64), WriteMode::OverwriteDeleteStale) };
        write(&*destination, part, from, &[many(unit as i64 % 3 * 1000..unit as i64 % 3 * 1000 + 500)]).await;
    }
    let before = rows(subject, &table).await;
    good(destination.close().await, "close");
    drop(destination);
    let reopened = subject.open();
    good(reopened.check().await, "check");
    assert_eq!(rows(subject, &table).await, before);
    assert!(before.len() >= 1500, "{}", before.len());
}

/// Many units of many tables are open at once.
pub async fn tables_are_written_at_once(subject: &dyn Subject) {
    let mode = WriteMode::OverwriteDeleteStale;
    let tables: Vec<TableSchema> = (0..8).map(|number| things(&format!("at_once_{number}"))).collect();
    let destination = subject.open();
    let all: Vec<Arc<TableSchema>> = tables.iter().cloned().map(Arc::new).collect();
    good(destination.migrate(&all, MigrateMode::Safe).await, "migrate");
    let writes = tables.iter().flat_map(|table| {
        let destination = &destination;
        [(HERE, 0), (THERE, 5000), (OTHER, 10_000)].map(|(from, first)| async move {
            let batches: Vec<Vec<Item>> =
                (0..5).map(|batch| many(first + batch * 100..first + batch * 100 + 100)).collect();
            write(&**destination, part(table, from, at(0), mode), from, &batches).await
        })
    });
    for committed in futures::future::join_all(writes).await {
        assert_eq!(committed.written, 500);
    }
    for table in &tables {
        let expected = [many(0..500), many(5000..5500), many(10_000..10_500)].concat();
        assert_eq!(rows(subject, table).await, expected, "{}", table.name);
    }
    good(destination.close().await, "close");
}

/// Names of tables and columns may be words of SQL, and hold quotes, capitals, spaces and other letters.
pub async fn names_that_need_quotes(subject: &dyn Subject) {
    let mode = WriteMode::OverwriteDeleteStale;
    let odd = ["select", "an \"odd\", na'me", "Größe", "UPPER", "a.b", "with space", "$1", "back\\slash", "{brace}"];
    for name in odd {
        let columns = odd.map(|name| column::<String>(name, true)).to_vec();
        let table = table(name, columns);
        let destination = ready(subject, &table, mode).await;
        let names = vec!["a".to_owned()];
        let values = odd.map(|name| array([Some(format!("value of {name}"))])).to_vec();
        let mut writer = good(destination.begin(part(&table, HERE, at(0), mode)).await, "begin");
        good(writer.write(batch_of(&table, HERE, at(0), &names, values)).await, name);
        good(writer.commit(Outcome::Complete).await, name);
        let seen = subject.rows(&table).await;
        assert_eq!(seen.len(), 1, "{name}");
        let expected = odd.map(|name| Some(format!("value of {name}")));
        assert_eq!(seen[0][seen[0].len() - odd.len()..], expected, "{name}");
        good(destination.close().await, "close");
    }
}

/// As many columns as PostgreSQL allows, which allows the fewest.
pub async fn many_columns(subject: &dyn Subject) {
    let mode = WriteMode::OverwriteDeleteStale;
    let more = 1600 - table("wide", Vec::new()).columns.len();
    let columns = (0..more).map(|number| column::<bool>(&format!("c{number}"), true)).collect();
    let table = table("wide", columns);
    let destination = ready(subject, &table, mode).await;
    let names: Vec<String> = (0..3).map(|number| format!("n{number}")).collect();
    let values = (0..more)
        .map(|column| array((0..3).map(|row| (row != 1).then_some((column + row).is_multiple_of(2)))))
        .collect();
    let mut writer = good(destination.begin(part(&table, HERE, at(0), mode)).await, "begin");
    good(writer.write(batch_of(&table, HERE, at(0), &names, values)).await, "write");
    good(writer.commit(Outcome::Complete).await, "commit");
    let mut seen = subject.rows(&table).await;
    seen.sort_by(|a, b| a[6].cmp(&b[6]));
    for (row, values) in seen.iter().enumerate() {
        assert_eq!(values.len(), 1600);
        let expected = |column: usize| (row != 1).then(|| (column + row).is_multiple_of(2).to_string());
        assert!((0..more).all(|column| values[7 + column] == expected(column)), "row {row}");
    }
    assert_eq!(seen.len(), 3);
    good(destination.close().await, "close");
}

/// Cells of a megabyte.
pub async fn large_cells(subject: &dyn Subject) {
    let mode = WriteMode::OverwriteDeleteStale;
    let table = things("large");
    let destination = ready(subject, &table, mode).await;
    let large = |number: i64| Item {
        name: format!("n{number}"),
        text: Some(format!("{number:04}é").repeat(180_000)),
        number: Some(number),
    };
    let batches: Vec<Vec<Item>> = (0..6).map(|number| vec![large(number)]).collect();
    write(&*destination, part(&table, HERE, at(0), mode), HERE, &batches).await;
    assert!(rows(subject, &table).await == batches.concat(), "the cells are those that were written");
    good(destination.close().await, "close");
}

/// A table that fits is left as it is, with its rows.
pub async fn a_table_is_made_ready_twice(subject: &dyn Subject) {
    let mode = WriteMode::OverwriteDeleteStale;
    let table = things("twice");
    let destination = ready(subject, &table, mode).await;
    write(&*destination, part(&table, HERE, at(0), mode), HERE, &[many(0..3)]).await;
    good(destination.close().await, "close");
    for how in [MigrateMode::Safe, MigrateMode::Forced] {
        let destination = subject.open();
        good(destination.migrate(&[Arc::new(table.clone())], how).await, "migrate");
        good(destination.close().await, "close");
        assert_eq!(rows(subject, &table).await, many(0..3), "{how:?}");
    }
}

/// Where that is asked for, rows with a value that the target cannot store are put aside with the reason, and the others
/// are written; else they fail the part. What was not seen because it was put aside is not stale.
pub async fn what_is_refused_is_put_aside(subject: &dyn Subject) {
    let mode = WriteMode::OverwriteDeleteStale;
    for (number, (kind, values)) in samples(7).into_iter().enumerate() {
        if subject.open().stores(&kind).refused.is_none() {
            continue;
        }
        let table = table(&format!("refused_{number}"), vec![Column::new("value", kind.clone(), "A value.")]);
        let destination = ready(subject, &table, mode).await;
        let names: Vec<String> = (0..values.len()).map(|row| format!("{row:04}")).collect();
        let batch = batch_of(&table, HERE, at(0), &names, vec![values]);
        let write = |rejects: Option<Rejects>, sync, batch: RecordBatch| {
            let part = Part { rejects, ..part(&table, HERE, at(sync), mode) };
            let destination = &destination;
            async move {
                let mut writer = destination.begin(part).await?;
                writer.write(batch).await?;
                writer.commit(Outcome::Complete).await
            }
        };
        assert!(write(None, 0, batch.clone()).await.is_err(), "{}", kind.name());
        assert_eq!(subject.rows(&table).await.len(), 0, "{}", kind.name());
        let rejects = Rejects::new(names.len());
        let committed = good(write(Some(rejects.clone()), 0, batch.clone()).await, "with rows put aside");
        let (aside, there) = (rejects.take(), subject.rows(&table).await.len());
        assert!(!aside.is_empty() && there > 0, "{}", kind.name());
        assert_eq!((there + aside.len(), committed.written), (names.len(), there as u64), "{}", kind.name());
        for rejected in aside {
            assert!(!rejected.reason.is_empty());
            let row: serde_json::Value = good(serde_json::from_str(&rejected.row).map_err(crate::Error::fatal), "JSON");
            assert!(row["name"].is_string(), "{row}");
        }
        // A second sync with nothing but rows that are put aside leaves what is there.
        let name = table.columns.iter().position(|column| column.name == "name").unwrap_or_default();
        let kept: Vec<String> = subject.rows(&table).await.into_iter().filter_map(|mut row| row[name].take()).collect();
        let refused = names.iter().position(|name| !kept.contains(name)).unwrap_or_default();
        let rejects = Rejects::new(1);
        let committed = good(write(Some(rejects.clone()), 1, batch.slice(refused, 1)).await, "one row put aside");
        assert_eq!((committed.written, committed.deleted, rejects.count()), (0, 0, 1), "{}", kind.name());
        assert_eq!(subject.rows(&table).await.len(), there, "{}", kind.name());
        let too_many = write(Some(Rejects::new(0)), 0, batch).await;
        assert!(too_many.is_err_and(|error| error.to_string().contains("more than 0 rows")), "{}", kind.name());
        good(destination.close().await, "close");
    }
}

/// Where the target can keep the state of syncs, what is noted is there for the next process, and never for two at once.
pub async fn the_state_of_a_sync_is_kept(subject: &dyn Subject) {
    let (first, second) = (subject.open(), subject.open());
    let state = |destination: Box<dyn Destination>, key: &'static str| async move {
        good(destination.state(key).await, "state").map(|state| (state, destination))
    };
    let Some((old, first)) = state(first, "a").await else { return };
    let hashes = |numbers: std::ops::Range<u32>| -> Vec<UnitHash> {
        let mut hashes: Vec<UnitHash> = numbers.map(|number| UnitHash::of(&number.to_string())).collect();
        hashes.sort_by_key(|unit| unit.0);
        hashes
    };
    let units = |saved: Result<Option<SavedRun>>| {
        let saved = good(saved, "load").map(|mut saved| {
            saved.units.sort_by_key(|unit| unit.0);
            saved.units.dedup();
            saved.units
        });
        saved.unwrap_or_else(|| panic!("no run is kept"))
    };
    assert_eq!(good(old.load().await, "load"), None);
    good(old.start(at(0), "f").await, "start");
    good(old.add(&hashes(0..1000)).await, "add");
    good(old.add(&hashes(1000..1500)).await, "add");
    // Nothing is closed or finished: the process is gone.
    drop((old, first));
    let Some((new, second)) = state(second, "a").await else { return };
    let saved = good(new.load().await, "load");
    assert_eq!(saved.as_ref().map(|saved| (saved.sync_time, saved.fingerprint.as_str())), Some((at(0), "f")));
    assert_eq!(units(new.load().await), hashes(0..1500));
    good(new.resume(at(0)).await, "resume");
    good(new.add(&hashes(1500..1501)).await, "add");
    let Some((other, _second)) = state(second, "b").await else { return };
    assert_eq!(good(other.load().await, "load"), None, "another key");
    good(other.start(at(1), "g").await, "start");
    good(other.add(&hashes(7..8)).await, "add");
    assert_eq!(units(new.load().await), hashes(0..1501));

    // Another process either cannot begin while this one runs, or takes the run over, and this one can add no more.
    let Some((rival, _third)) = state(subject.open(), "a").await else { return };
    match rival.start(at(2), "f").await {
        Ok(()) => {
            assert!(new.add(&hashes(1..2)).await.is_err() && new.clear().await.is_err());
            assert_eq!(units(rival.load().await), []);
            assert!(new.resume(at(0)).await.is_err(), "it is not the run that was loaded");
            good(rival.clear().await, "clear");
        }
        Err(_) => {
            good(new.add(&hashes(1..2)).await, "add");
            good(new.clear().await, "clear");
        }
    }
    drop(new);
    assert_eq!(good(rival.load().await, "load"), None);
    assert_eq!(units(other.load().await), hashes(7..8), "of another key");
}

/// Rows are deleted by the values of some of their columns, of which null equals null, where the target can.
pub async fn single_rows_are_deleted(subject: &dyn Subject) {
    let mode = WriteMode::OverwriteDeleteStale;
    let table = Arc::new(things("deleted"));
    let destination = ready(subject, &table, mode).await;
    let mut all = many(0..8);
    all[6].number = None;
    all[7].number = None;
    write(&*destination, part(&table, HERE, at(0), mode), HERE, std::slice::from_ref(&all)).await;
    let rows_of = |columns: &[&str], items: &[Item]| {
        let batch = batch(&table, HERE, at(0), items);
        let indices: Vec<usize> = columns.iter().filter_map(|name| batch.schema().index_of(name).ok()).collect();
        good(batch.project(&indices).map_err(crate::Error::fatal), "project")
    };
    let by_name = destination.delete(&table, rows_of(&["name"], &[thing("n000001", -1), thing("nobody", 0)])).await;
    if matches!(&by_name, Err(error) if error.class == crate::Class::Unsupported) {
        assert_eq!(rows(subject, &table).await, all, "nothing is touched");
        return;
    }
    assert_eq!(good(by_name, "delete"), 1);
    // A row is meant only if all columns are as in one row of the batch.
    let other = Item { number: Some(3), ..all[2].clone() };
    let both = rows_of(&["name", "number", "region"], &[all[0].clone(), other, all[6].clone()]);
    assert_eq!(good(destination.delete(&table, both).await, "delete"), 2);
    assert_eq!(rows(subject, &table).await, [&all[2..6], &all[7..]].concat());
    let twice = Item { name: String::new(), text: None, number: None };
    let both = rows_of(&["number"], &[twice.clone(), twice]);
    assert_eq!(good(destination.delete(&table, both).await, "delete"), 1);
    let none = rows_of(&["name"], &[]);
    assert_eq!(good(destination.delete(&table, none).await, "delete"), 0);
    assert_eq!(rows(subject, &table).await, all[2..6]);
    good(destination.close().await, "close");
    assert_eq!(rows(subject, &table).await, all[2..6]);
}

/// A plan says what is made, added and in the way, and touches nothing.
pub async fn a_plan_is_what_a_migration_does(subject: &dyn Subject) {
    if !subject.keeps_schemas() {
        return;
    }
    let before = things("planned");
    let plan = |table: TableSchema, mode| async move {
        let plans = good(subject.open().plan(&[Arc::new(table)], mode).await, "plan");
        assert_eq!(plans.len(), 1);
        plans[0].changes.clone()
    };
    let (safe, forced) = (MigrateMode::Safe, MigrateMode::Forced);
    let made = plan(before.clone(), safe).await;
    assert!(matches!(&made[..], [Change::Create { columns, .. }] if columns.len() == before.columns.len()), "{made:?}");
    assert_eq!(plan(before.clone(), safe).await, made, "a plan makes nothing");
    let destination = ready(subject, &before, WriteMode::OverwriteDeleteStale).await;
    good(destination.close().await, "close");
    assert_eq!(plan(before.clone(), safe).await, []);
    let more = vec![column::<String>("text", true), column::<i64>("number", true), column::<bool>("flag", false)];
    let added = plan(table("planned", more), safe).await;
    assert!(matches!(&added[..], [Change::Add { column, .. }] if column == "flag"), "{added:?}");
    let other = table("planned", vec![column::<i64>("text", true), column::<i64>("number", true)]);
    let blocked = plan(other.clone(), safe).await;
    assert!(matches!(&blocked[..], [Change::Blocked { forceable: true, .. }]), "{blocked:?}");
    let replaced = plan(other.clone(), forced).await;
    assert!(matches!(&replaced[..], [Change::Replace { .. }]), "{replaced:?}");
    let destination = subject.open();
    good(destination.migrate(&[Arc::new(other.clone())], forced).await, "migrate");
    good(destination.close().await, "close");
    assert_eq!(plan(other, safe).await, []);
}

/// A column that the source does not have any more stays, and its rows get no value, even where it could not be null.
pub async fn a_column_is_removed(subject: &dyn Subject) {
    if !subject.keeps_schemas() {
        return;
    }
    let mode = WriteMode::Overwrite;
    let before = table("shrinks", vec![column::<String>("text", true), column::<i64>("number", false)]);
    let destination = ready(subject, &before, mode).await;
    write(&*destination, part(&before, HERE, at(0), mode), HERE, &[many(0..2)]).await;
    good(destination.close().await, "close");
    let after = table("shrinks", vec![column::<String>("text", true)]);
    let destination = ready(subject, &after, mode).await;
    let mut writer = good(destination.begin(part(&after, HERE, at(1), mode)).await, "begin");
    let new = batch_of(
        &after,
        HERE,
        at(1),
        &["n000001".to_owned(), "n000002".to_owned()],
        vec![array([Some("x".to_owned()), None])],
    );
    good(writer.write(new).await, "write");
    good(writer.commit(Outcome::Complete).await, "commit");
    good(destination.close().await, "close");
    let item = |number: i64, text: Option<&str>, kept: Option<i64>| Item {
        name: format!("n{number:06}"),
        text: text.map(str::to_owned),
        number: kept,
    };
    let seen = rows(subject, &before).await;
    // Whether a row that is replaced keeps what the source does not know any more is the target's.
    let second = seen.get(1).and_then(|row| row.number);
    let expected = [item(0, Some("text of n000000"), Some(0)), item(1, Some("x"), second), item(2, None, None)];
    assert_eq!(seen, expected);
}

/// A column that is new is added; the rows that are there have no value for it, even where the source always has one.
pub async fn a_column_is_added(subject: &dyn Subject) {
    if !subject.keeps_schemas() {
        return;
    }
    let mode = WriteMode::OverwriteDeleteStale;
    let before = things("grows");
    let destination = ready(subject, &before, mode).await;
    write(&*destination, part(&before, HERE, at(0), mode), HERE, &[many(0..3)]).await;
    good(destination.close().await, "close");
    let more = vec![
        column::<String>("text", true),
        column::<i64>("number", true),
        column::<i64>("size", true),
        column::<bool>("flag", false),
    ];
    let after = table("grows", more);
    let destination = ready(subject, &after, mode).await;
    let old: Vec<Vec<Option<String>>> = subject.rows(&after).await;
    assert_eq!(old.len(), 3);
    assert!(old.iter().all(|row| row[row.len() - 2..] == [None, None]));
    let names = vec!["new".to_owned()];
    let values = vec![array([Some("t".to_owned())]), array([Some(1_i64)]), array([Some(2_i64)]), array([Some(true)])];
    let mut writer = good(destination.begin(part(&after, HERE, at(1), mode)).await, "begin");
    good(writer.write(batch_of(&after, HERE, at(1), &names, values)).await, "write");
    good(writer.commit(Outcome::Complete).await, "commit");
    let new = subject.rows(&after).await;
    assert_eq!(new.len(), 1);
    assert_eq!(new[0][new[0].len() - 2..], [Some("2".to_owned()), Some("true".to_owned())]);
    good(destination.close().await, "close");
}

/// Where a column's type or the key changes so that values would be lost, nothing is changed unless it is forced.
pub async fn a_changed_column_is_refused_or_forced(subject: &dyn Subject) {
    if !subject.keeps_schemas() {
        return;
    }
    let mode = WriteMode::OverwriteDeleteStale;
    let another_key = {
        let mut columns = things("changes").columns.split_off(4);
        for column in &mut columns {
            (column.key, column.nullable) = (column.name == "text", column.name != "text" && column.nullable);
        }
        let scopes = things("changes").scopes;
        TableSchema::new("changes", "Things.", None, scopes, columns)
    };
    let another_type = table("changes", vec![column::<i64>("text", true), column::<i64>("number", true)]);
    for changed in [another_type, another_key] {
        let before = things("changes");
        let destination = subject.open();
        good(destination.migrate(&[Arc::new(before.clone())], MigrateMode::Forced).await, "migrate");
        write(&*destination, part(&before, HERE, at(0), mode), HERE, &[many(0..3)]).await;
        good(destination.close().await, "close");
        let new = Arc::new(things("changes_beside"));
        let tables = [Arc::new(changed.clone()), Arc::clone(&new)];

        let refused = subject.open();
        let error = match refused.migrate(&tables, MigrateMode::Safe).await {
            Ok(()) => panic!("a change that loses values is not refused"),
            Err(error) => error.to_string(),
        };
        assert!(error.contains("changes"), "it says which table: {error}");
        assert_eq!(rows(subject, &before).await, many(0..3), "nothing was changed");
        drop(refused);

        let forced = subject.open();
        good(forced.migrate(&tables, MigrateMode::Forced).await, "forced");
        assert_eq!(subject.rows(&changed).await.len(), 0, "what did not fit is gone");
        good(forced.close().await, "close");
    }
}
