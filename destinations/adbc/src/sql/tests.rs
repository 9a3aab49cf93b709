#![allow(clippy::unwrap_used)]
use headwater_sdk::arrow::array::{BinaryArray, FixedSizeBinaryArray, StringArray, TimestampNanosecondArray};
use headwater_sdk::arrow::datatypes::TimeUnit;
use headwater_sdk::{Scopes, plain};

use super::*;

fn table() -> Arc<TableSchema> {
    let column = |name: &str, kind: ColumnType| Column::new(name, kind, "");
    let mut columns = vec![
        column("id", ColumnType::plain(DataType::Int64)),
        column("Name", ColumnType::plain(DataType::Utf8)),
        column("info", ColumnType::of(Extension::Json)),
        column("uuid", ColumnType::of(Extension::Uuid)),
        column("at", ColumnType::plain(DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())))),
    ];
    columns[0].key = true;
    let table = TableSchema::of_database("things", "", Scopes::SINGLE, columns);
    // The tests say nothing of the sync's columns.
    let mut columns = table.columns.clone();
    columns.iter_mut().for_each(|column| column.nullable = true);
    Arc::new(table.with_columns(columns))
}

const NANOS: i64 = 1_700_000_000_123_456_789;

fn batch(table: &TableSchema) -> RecordBatch {
    let columns = table.columns.iter().map(|column| -> ArrayRef {
        match column.name.as_str() {
            "id" => Arc::new(Int64Array::from(vec![1, 2, 3])),
            "Name" => Arc::new(StringArray::from(vec![Some("ann"), None, Some("cid")])),
            "info" => Arc::new(BinaryArray::from(vec![Some(br#"{"a": 5}"#.as_slice()), Some(b"{}"), None])),
            "uuid" => Arc::new(FixedSizeBinaryArray::try_from_iter([[1_u8; 16], [2; 16], [3; 16]].iter()).unwrap()),
            "at" => Arc::new(TimestampNanosecondArray::from(vec![NANOS, NANOS + 1, NANOS + 2]).with_timezone("UTC")),
            _ => headwater_sdk::arrow::array::new_null_array(&column.kind.data_type, 3),
        }
    });
    RecordBatch::try_new(table.arrow(), columns.collect()).unwrap()
}

fn made_of(query: &str, table: &Arc<TableSchema>) -> Result<Arc<dyn TableTransform>, String> {
    let library = Some(headwater_e2e::drivers::libduckdb().unwrap());
    let sql = transformer(Spec { query: query.to_owned(), library }).unwrap();
    match sql.table(table) {
        Ok(made) => {
            let made = made.unwrap();
            table.check_transformed(made.schema()).map_err(|wrong| wrong.message)?;
            Ok(made)
        }
        Err(Undiscovered::Wrong(wrongs)) => Err(wrongs[0].message.clone()),
        Err(Undiscovered::Failed(error)) => Err(error.to_string()),
    }
}

fn texts(batch: &RecordBatch, name: &str) -> Vec<String> {
    let at = batch.schema().index_of(name).unwrap();
    let field = Arc::new(batch.schema().field(at).clone());
    let texts = plain::text(&field, batch.column(at)).unwrap();
    texts.iter().map(|text| text.unwrap_or("-").to_owned()).collect()
}

#[test]
fn columns_are_computed_and_others_pass_as_they_are() {
    let table = table();
    let query = "SELECT * EXCLUDE (info) REPLACE (upper(name) AS \"Name\"), info ->> 'a' AS a, (info -> 'a')::JSON AS j, \
                 uuid AS again, uuid::text::uuid AS other, id * 1.5 AS more, \"at\" + INTERVAL 1 DAY AS later, \
                 CAST(id AS DECIMAL(9,2)) AS d, [id] AS list, id::hugeint AS huge FROM input t WHERE t.id <> 2";
    let made = made_of(query, &table).unwrap();
    let kinds = made.schema().columns.iter().map(|column| format!("{} {}", column.name, column.kind.name()));
    assert_eq!(
        kinds.skip(2).collect::<Vec<_>>(),
        [
            "id int64",
            "Name utf8",
            "uuid uuid",
            "at timestamp[ns, UTC]",
            "a utf8",
            "j json",
            "again uuid",
            "other uuid",
            "more decimal128(21, 1)",
            "later timestamp[us, UTC]",
            "d decimal128(9, 2)",
            "list list<int64>",
            "huge decimal128(38, 0)"
        ]
    );
    assert_eq!(made.schema().key(), ["id"]);
    let done = made.apply(&batch(&table)).unwrap().batch;
    assert_eq!(texts(&done, "Name"), ["ANN", "CID"]);
    assert_eq!(texts(&done, "a"), ["5", "-"]);
    assert_eq!(texts(&done, "j"), ["5", "-"]);
    assert_eq!(texts(&done, "other"), texts(&done, "uuid"));
    assert_eq!(texts(&done, "again")[1], "03030303-0303-0303-0303-030303030303");
    assert_eq!(texts(&done, "at")[1], "2023-11-14T22:13:20.123456791Z", "what passes keeps its nanoseconds");
    assert_eq!(texts(&done, "later")[0], "2023-11-15T22:13:20.123456Z");
    assert_eq!(texts(&done, "more"), ["1.5", "4.5"]);
    assert_eq!(made.apply(&batch(&table).slice(1, 1)).unwrap().batch.num_rows(), 0);
    let all = made_of("FROM input", &table).unwrap().apply(&batch(&table)).unwrap().batch;
    assert_eq!(all.columns(), batch(&table).columns());
}

#[test]
fn it_is_called_from_several_threads() {
    let table = table();
    let made = made_of("SELECT *, id + 1 AS next FROM input WHERE id > 1", &table).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5 {
                    let done = made.apply(&batch(&table)).unwrap().batch;
                    assert_eq!(texts(&done, "next"), ["3", "4"]);
                }
            });
        }
    });
}

#[test]
fn queries_that_look_at_more_than_a_row_are_refused() {
    let table = table();
    for (query, expected) in [
        ("SELEC 1", "it is no SQL: syntax error"),
        ("DELETE FROM input", "it is not a SELECT"),
        ("SELECT * FROM input; SELECT 1", "more than one statement"),
        ("SELECT * FROM other", "it does not read `FROM input`"),
        ("SELECT * FROM input, input i", "there is a join"),
        ("SELECT * FROM read_csv('x')", "it does not read `FROM input`"),
        ("WITH i AS (SELECT 1) SELECT * FROM input", "WITH is not supported"),
        ("SELECT * FROM input UNION ALL SELECT * FROM input", "UNION, EXCEPT"),
        ("SELECT * FROM input ORDER BY id", "ORDER BY has no meaning here"),
        ("SELECT * FROM input LIMIT 3", "LIMIT would be of one batch only"),
        ("SELECT DISTINCT * FROM input", "DISTINCT would be"),
        ("SELECT id FROM input GROUP BY id", "GROUP BY would be"),
        ("SELECT *, sum(id) OVER () AS s FROM input", "there is a window function"),
        ("SELECT count(*) AS n FROM input", "`count(*)` is an aggregate"),
        ("SELECT *, (SELECT 1) AS s FROM input", "there is a query within it"),
        ("SELECT *, random() AS r FROM input", "`random` has another value each time"),
        ("SELECT *, now() AS r FROM input", "`now` has another value each time"),
        ("SELECT * FROM input WHERE \"at\" < current_date", "`current_date` has another value each time"),
        ("SELECT *, unnest([1, 2]) AS u FROM input", "`unnest` makes several rows of one"),
        ("SELECT *, id + 1 FROM input", "a column that is computed has no name"),
        ("SELECT COLUMNS('i.*') FROM input", "COLUMNS(…)"),
        ("SELECT * EXCLUDE (nmae) FROM input", "there is no column `nmae`"),
        ("SELECT *, nmae || 'x' AS n FROM input", "\"nmae\" not found"),
        ("SELECT * EXCLUDE (id) FROM input", "`id` is part of the key, and is left out"),
        ("SELECT * REPLACE (id + 1 AS id) FROM input", "`id` is part of the key, and is computed"),
        ("SELECT * RENAME (id AS number) FROM input", "`id` is part of the key, and is left out"),
        ("SELECT *, id AS name FROM input", "two columns would be named `name`"),
    ] {
        let message = made_of(query, &table).err().unwrap_or_else(|| panic!("{query} was taken"));
        assert!(message.contains(expected), "{query}: {message}");
    }
}

#[test]
fn a_library_that_is_missing_is_told() {
    let spec = Spec { query: "SELECT * FROM input".to_owned(), library: Some("/nowhere/libduckdb.so".into()) };
    match transformer(spec).unwrap().table(&table()) {
        Err(Undiscovered::Failed(error)) => assert!(error.message.contains("`library` names /nowhere"), "{error}"),
        _ => panic!("it was taken"),
    }
}
