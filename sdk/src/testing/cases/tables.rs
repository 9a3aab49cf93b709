//! Tables with odd names, many columns and large cells.

use std::sync::Arc;

use super::super::things::{HERE, Item, array, at, batch_of, column, part, table, things};
use super::{good, many, ready, rows, write};
use crate::destination::{MigrateMode, Outcome, WriteMode};
use crate::testing::Subject;

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
