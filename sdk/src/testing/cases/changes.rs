//! Tables that have changed: what is planned, done, refused and forced.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Decimal128Array};
use arrow::compute::cast;
use arrow::datatypes::DataType;

use super::super::fidelity::{same, texts};
use super::super::things::{HERE, Item, array, at, batch_of, column, part, table, things};
use super::{good, many, ready, rows, write};
use crate::destination::{MigrateMode, Outcome, WriteMode};
use crate::plan::Change;
use crate::schema::{Column, ColumnType, TableSchema};
use crate::testing::Subject;

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

/// Where a column's type gets wider, the rows that are there keep their values and wide values are taken; or it is
/// planned that this cannot be, and nothing is changed.
pub async fn a_column_is_widened(subject: &dyn Subject) {
    if !subject.keeps_schemas() {
        return;
    }
    let decimals = |digits: u8, scale: i8, values: [Option<i128>; 3]| -> ArrayRef {
        match Decimal128Array::from_iter(values).with_precision_and_scale(digits, scale) {
            Ok(array) => Arc::new(array),
            Err(error) => panic!("{error}"),
        }
    };
    let cases: [(ArrayRef, ArrayRef); 4] = [
        (array([Some(i32::MIN), Some(7), None]), array([Some(i64::MIN), Some(i64::MAX), None])),
        (array([Some(u16::MAX), Some(7), None]), array([Some(u32::MAX), Some(1 << 16), None])),
        (array([Some(f32::MAX), Some(0.1), None]), array([Some(f64::MAX), Some(0.1), None])),
        (
            decimals(10, 2, [Some(9_999_999_999), Some(-5), None]),
            decimals(20, 2, [Some(99_999_999_999_999_999_999), Some(-10_i128.pow(19)), None]),
        ),
    ];
    for (number, (narrow, wide)) in cases.into_iter().enumerate() {
        let of = |array: &ArrayRef| {
            let kind = ColumnType::plain(array.data_type().clone());
            table(&format!("widened_{number}"), vec![Column::new("value", kind, "A value.")])
        };
        let (before, after) = (of(&narrow), of(&wide));
        let name = format!("{} to {}", narrow.data_type(), wide.data_type());
        let mode = WriteMode::Overwrite;
        let put = async |table: &TableSchema, sync: i64, values: &ArrayRef| {
            let destination = ready(subject, table, mode).await;
            let names: Vec<String> = (0..values.len()).map(|row| format!("{sync}{row}")).collect();
            let mut writer = good(destination.begin(part(table, HERE, at(sync), mode)).await, "begin");
            good(writer.write(batch_of(table, HERE, at(sync), &names, vec![Arc::clone(values)])).await, &name);
            good(writer.commit(Outcome::Complete).await, &name);
            good(destination.close().await, "close");
        };
        put(&before, 0, &narrow).await;
        let plans = good(subject.open().plan(&[Arc::new(after.clone())], MigrateMode::Safe).await, "plan");
        let kept = match &plans[0].changes[..] {
            [Change::Blocked { .. }] => {
                let refused = subject.open().migrate(&[Arc::new(after.clone())], MigrateMode::Safe).await;
                assert!(refused.is_err(), "{name}: it is planned to be refused");
                holds(subject, &before, &[&narrow], &name).await;
                continue;
            }
            [] | [Change::Widen { .. }] => good(cast(&narrow, wide.data_type()).map_err(crate::Error::fatal), "cast"),
            other => panic!("{name}: {other:?}"),
        };
        put(&after, 1, &wide).await;
        holds(subject, &after, &[&kept, &wide], &name).await;
        let plans = good(subject.open().plan(&[Arc::new(after.clone())], MigrateMode::Safe).await, "plan");
        assert_eq!(plans[0].changes, [], "{name}: it has been widened");
    }
}

/// Whether the column `value` of all rows, by their names, has these values.
async fn holds(subject: &dyn Subject, table: &TableSchema, expected: &[&ArrayRef], what: &str) {
    let field = Arc::new(table.columns[table.columns.len() - 1].field());
    let expected = expected.iter().flat_map(|values| good(texts(&field, values), "text"));
    let mut rows = subject.rows(table).await;
    rows.sort_by(|a, b| a[6].cmp(&b[6]));
    let seen: Vec<Option<String>> = rows.into_iter().map(|mut row| row.pop().flatten()).collect();
    let expected: Vec<Option<String>> = expected.collect();
    let kind: &DataType = field.data_type();
    let all = seen.len() == expected.len()
        && expected.iter().zip(&seen).all(|(expected, seen)| same(kind, expected.as_deref(), seen.as_deref()));
    assert!(all, "{what}: {seen:?} where {expected:?} was written");
}
