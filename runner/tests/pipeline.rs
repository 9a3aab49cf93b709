//! `headwater test`: pipelines on rows in files.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use headwater::builtin::Registry;
use headwater::pipeline::{Verdict, folders, run};
use tempfile::TempDir;

const PIPELINE: &str = r#"
kind: source
spec:
  name: shop
  path: postgresql
  tables: [orders, customers]
  destinations: [lake]
  columns: [{ tables: [orders], exclude: [secret], rename: { amount: price } }]
  rows: [{ tables: [orders], where: "amount > 2" }]
  spec: { connection_string: "${NO_SUCH_VARIABLE}" }
---
kind: destination
spec:
  name: lake
  path: sqlite
  write_mode: append
  transformers: [rules]
  rejected_rows: { to: file, path: aside }
  spec: { connection_string: /nowhere/at/all.db }
---
kind: transformer
spec:
  name: rules
  path: contract
  tables: [orders]
  spec: { mode: discard_row, columns: { id: { type: int64 }, price: { type: float64, max: 100 } } }
"#;

fn written(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn test() -> TempDir {
    let folder = TempDir::new().unwrap();
    written(folder.path(), "pipeline.yml", PIPELINE);
    let rows = r#"{"id":1,"amount":5.5,"secret":"x"}
{"id":2,"amount":1.0,"secret":"y"}
{"id":3,"amount":500.5,"secret":"z"}
"#;
    written(folder.path(), "input/shop/orders.jsonl", rows);
    folder
}

async fn verdict(folder: &TempDir, update: bool) -> Verdict {
    run(folder.path(), &[], Registry::builtin(), update).await.unwrap()
}

#[tokio::test]
async fn what_comes_is_compared_with_what_should() {
    let folder = test();
    let first = verdict(&folder, false).await;
    assert!(!first.passed && first.text.contains(r#"    + {"id":1,"price":5.5}"#), "{}", first.text);

    let update = verdict(&folder, true).await;
    assert!(update.passed, "{}", update.text);
    let expected = fs::read_to_string(folder.path().join("expected/lake/orders.jsonl")).unwrap();
    assert_eq!(expected, "{\"id\":1,\"price\":5.5}\n");
    let aside = fs::read_to_string(folder.path().join("expected/lake/headwater_rejected_rows.jsonl")).unwrap();
    assert!(aside.contains("`price` is above 100") && !aside.contains("_cq_sync_time"), "{aside}");
    let again = verdict(&folder, false).await;
    assert!(again.passed && again.text.ends_with("2 tables, 2 rows\n"), "{}", again.text);

    written(folder.path(), "expected/lake/orders.jsonl", "{\"price\": 6, \"id\": 1.0}\n");
    let differs = verdict(&folder, false).await;
    let lines = "    + {\"id\":1,\"price\":5.5}\n    - {\"id\":1,\"price\":6}\n";
    assert!(!differs.passed && differs.text.contains(lines), "{}", differs.text);
    assert!(!folder.path().join("aside").exists(), "nothing is written but what is expected");
}

#[tokio::test]
async fn a_table_that_should_come_and_does_not_fails() {
    let folder = test();
    verdict(&folder, true).await;
    written(folder.path(), "expected/lake/customers.jsonl", "{\"id\": 1}\n");
    let verdict = verdict(&folder, false).await;
    assert!(!verdict.passed && verdict.text.contains("lake, customers"), "{}", verdict.text);
}

#[tokio::test]
async fn rows_that_are_missing_or_broken_are_told() {
    let folder = TempDir::new().unwrap();
    written(folder.path(), "pipeline.yml", PIPELINE);
    let error = folders(folder.path()).unwrap_err();
    assert!(error.to_string().contains("there is no folder `input`"), "{error:#}");
    fs::create_dir(folder.path().join("input")).unwrap();
    let error = run(folder.path(), &[], Registry::builtin(), false).await.err().unwrap();
    assert!(error.to_string().contains("there are no rows for the source `shop`"), "{error:#}");
    let folder = test();
    written(folder.path(), "expected/lake/orders.jsonl", "{\"id\":1}\nno json\n");
    let error = run(folder.path(), &[], Registry::builtin(), false).await.err().unwrap();
    assert!(format!("{error:#}").contains("orders.jsonl:2: this is no JSON"), "{error:#}");
}
