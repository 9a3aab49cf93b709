//! What cannot work is refused at its place, before anything is done.

use crate::support::Pair;

const TABLES: &str = "
    CREATE TABLE orders (id int PRIMARY KEY, at timestamptz, sure timestamptz NOT NULL, price numeric(10, 2), name text);
    CREATE SCHEMA sales;
    CREATE TABLE sales.invoices (id int);
    CREATE VIEW latest AS SELECT * FROM orders;";

/// Has a configuration checked, and expects a problem at a place of it.
fn refused(pair: &Pair, tables: &str, mode: &str, at: &str, why: &str) {
    let text = pair.configuration(tables, mode);
    pair.headwater.write("wrong.yml", &text).unwrap();
    let run = pair.headwater.run(&["check", "wrong.yml"]).unwrap();
    let line = 1 + text.lines().position(|line| line.contains(at)).unwrap();
    assert_eq!(run.code, Some(2), "{tables}: {}", run.output());
    assert!(run.stderr.contains(&format!("wrong.yml:{line}:")), "{at} is in line {line}: {}", run.output());
    assert!(run.stderr.contains(why), "{why}: {}", run.output());
    assert!(run.stderr.lines().count() <= 12, "{}", run.output());
}

#[test]
fn each_mistake_is_told_at_its_place() {
    let pair = Pair::new(TABLES);
    let stale = "overwrite-delete-stale";
    for (tables, at, why) in [
        ("ordrs: { key: [id] }", "ordrs", "did you mean `orders`?"),
        ("invoices: { key: [id] }", "invoices", "did you mean `sales.invoices`?"),
        ("orders: { divide: { by: range, column: prise, step: 5 } }", "prise", "did you mean `price`?"),
        ("orders: { divide: { by: range, column: name, step: 5 } }", "column: name", "there are no ranges"),
        ("orders: { divide: { by: range, column: id, step: 1 day } }", "step", "is no step of `id`"),
        ("orders: { divide: { by: range, column: id } }", "divide", "needs either a `step` or `bounds`"),
        ("orders: { divide: { by: ctid, column: id, parts: 3 } }", "column", "has no meaning with `by: ctid`"),
        ("orders: { divide: { by: partition } }", "partition", "it has no partitions"),
        ("latest: { divide: { by: ctid, parts: 3 } }", "ctid", "its rows have no place in a file"),
        ("orders: { divide: { by: range, column: id, bounds: [5, 5] } }", "bounds", "not greater"),
        ("orders: { divide: { by: range, column: sure, bounds: [soon] } }", "bounds", "`soon` is no value of `sure`"),
        ("orders: { periods: { column: at, every: 1 day, last: 1 } }", "periods", "may be null"),
        ("orders: { periods: { column: sure, every: 1 day } }", "periods", "needs `from`"),
        ("orders: { cursor: { column: at } }", "cursor", "may be null"),
        ("orders: { cursor: { column: name } }", "column: name", "does not grow"),
        ("orders: { cursor: { column: sure, lag: often } }", "lag", "is no lag"),
        ("orders: { key: [idd] }", "key", "did you mean `id`?"),
        ("orders: { columns: { price: { type: date32 } } }", "type", "cannot be read as"),
        ("orders: { columns: { prize: { name: x } } }", "prize", "did you mean `price`?"),
        ("orders: { columns: { price: { name: id } } }", "name: id", "two columns would be called `id`"),
        ("sales.invoices: { name: orders }", "    tables:", "would both be called `orders`"),
    ] {
        refused(&pair, tables, stale, at, why);
    }
    let cursor = "orders: { cursor: { column: sure } }";
    refused(&pair, cursor, stale, "destinations: [copy]", "only new rows are read, by the cursor `sure`");
    assert_eq!(
        pair.in_database("SELECT count(*) FROM pg_class WHERE relname = 'orders'", true),
        "0",
        "nothing was done"
    );
}

#[test]
fn a_source_that_cannot_be_asked_is_a_failure_and_no_mistake() {
    let mut pair = Pair::new(TABLES);
    let configuration = pair.configuration("", "append");
    pair.headwater.write("sync.yml", &configuration).unwrap();
    pair.server.kill();
    let run = pair.headwater.run(&["sync", "sync.yml"]).unwrap();
    assert_eq!(run.code, Some(1), "{}", run.output());
    assert!(run.stderr.contains("cannot be found") && !run.output().contains("a%20pass"), "{}", run.output());
}
