//! Tests of shapes: what becomes of a table and of its batches.

#![allow(clippy::unwrap_used)]

use headwater_sdk::arrow::array::{
    BinaryArray, Int64Array, ListArray, StringArray, StructArray, TimestampMicrosecondArray, new_null_array,
};
use headwater_sdk::arrow::datatypes::{DataType, Field, Int64Type};
use headwater_sdk::registry::Node as Table;
use headwater_sdk::scope::ScopeColumn;
use headwater_sdk::unit::Job;
use headwater_sdk::{AnyTable, Column, ColumnType, Extension, Scopes};
use secrecy::SecretString;

use super::compile::{Source, compile};
use super::*;
use crate::config::parse::parse;
use crate::config::text::File;

struct Nothing;

impl AnyTable for Nothing {
    fn schema(&self) -> TableSchema {
        (*table("things", None).schema).clone()
    }
    fn row_type(&self) -> std::any::TypeId {
        std::any::TypeId::of::<()>()
    }
    fn parent_type(&self) -> std::any::TypeId {
        std::any::TypeId::of::<()>()
    }
    fn run(&self, _: Job) -> futures::future::BoxFuture<'static, ()> {
        Box::pin(async {})
    }
}

fn table(name: &str, parent: Option<&str>) -> Table {
    const SCOPES: Scopes = Scopes { name: "place", columns: &[ScopeColumn { name: "place", description: "" }] };
    let column = |name: &str, kind: ColumnType, key: bool| {
        let mut column = Column::new(name, kind, "");
        (column.key, column.nullable) = (key, !key);
        column
    };
    let mut secret = column("secret", ColumnType::plain(DataType::Utf8), false);
    secret.sensitive = true;
    let mut info = column("info", ColumnType::of(Extension::Json), false);
    info.secrets = vec!["Login.Password".to_owned()];
    info.shape = Some(serde_json::json!({ "Login": { "User": "utf8", "Password": "utf8" }, "Size": "int64" }));
    let columns = vec![
        column("place", ColumnType::plain(DataType::Utf8), false),
        column("email", ColumnType::plain(DataType::Utf8), true),
        column("size", ColumnType::plain(DataType::Int64), false),
        secret,
        info,
    ];
    let schema = Arc::new(TableSchema::new(name, "", parent, SCOPES, columns));
    Table { package: "test", schema, table: Some(Arc::new(Nothing)), also: Vec::new(), children: Vec::new() }
}

fn tables() -> Vec<Table> {
    let mut things = table("things", None);
    things.children.push(Arc::new(table("thing_parts", Some("things"))));
    vec![things, table("aws_lambda_things", None)]
}

/// The shapes that rules make; `rules` are lines of a source's spec.
fn shapes(rules: &str) -> Shapes {
    let (shapes, problems) = compiled(rules, &tables());
    assert_eq!(problems, [] as [String; 0], "{rules}");
    shapes
}

fn compiled(rules: &str, tables: &[Table]) -> (Shapes, Vec<String>) {
    let file = File { name: "x.yaml".to_owned(), text: format!("name: x\n{rules}"), order: 0 };
    let spec = parse(&file).unwrap().remove(0);
    let key = SecretString::from("0123456789abcdef");
    let source = Source { spec: &spec, file: &file, hash_key: Some(&key), all: tables, selected: tables };
    let mut problems = Vec::new();
    let shapes = compile(&source, &mut problems);
    (shapes, problems.into_iter().map(|problem| problem.message).collect())
}

/// A table with a column `s`, and a row of it.
fn with(name: &str, s: ArrayRef) -> (Table, RecordBatch) {
    let mut node = table(name, None);
    let mut columns = vec![Column::new("s", ColumnType::plain(s.data_type().clone()), "")];
    let schema = TableSchema::new(name, "", None, Scopes::SINGLE, columns.clone());
    columns.splice(0..0, schema.columns[..4].iter().cloned().map(|column| Column { nullable: true, ..column }));
    node.schema = Arc::new(schema.with_columns(columns));
    let mut arrays: Vec<ArrayRef> =
        node.schema.columns[..4].iter().map(|column| new_null_array(&column.kind.data_type, 1)).collect();
    arrays.push(s);
    let batch = RecordBatch::try_new(node.schema.arrow(), arrays).unwrap();
    (node, batch)
}

/// A row of a struct, whose fields are given.
fn row_of(fields: &[(&str, ArrayRef)]) -> ArrayRef {
    let fields = fields
        .iter()
        .map(|(name, array)| (Arc::new(Field::new(*name, array.data_type().clone(), true)), Arc::clone(array)));
    Arc::new(StructArray::from(fields.collect::<Vec<_>>()))
}

fn one(text: &str) -> ArrayRef {
    Arc::new(StringArray::from(vec![text]))
}

#[test]
fn a_pattern_redacts_whatever_it_fits_in_structs() {
    let deep = |text: &str| row_of(&[("x", one(text))]);
    let (first, batch) = with("first", row_of(&[("n", one("n")), ("a", deep("hunter1")), ("b", deep("hunter2"))]));
    let (second, other) = with("second", row_of(&[("a", deep("hunter3")), ("n", one("n"))]));
    let tables = [with("third", row_of(&[("a", deep("hunter4"))])).0, first, second];
    let shown = |made: &Shapes, table: &str, batch: &RecordBatch| {
        let batch = made.of(table).unwrap().apply(batch).unwrap();
        format!("{:?}", batch.column_by_name("s").unwrap())
    };
    for order in ["hash: [s.a], redact: ['s.*.x']", "redact: ['s.*.x'], hash: [s.a]"] {
        let (made, problems) = compiled(&format!("columns: [{{{order}}}]"), &tables);
        assert_eq!(problems, [] as [String; 0], "{order}");
        for (table, batch) in [("first", &batch), ("second", &other)] {
            let shown = shown(&made, table, batch);
            assert!(!shown.contains("hunter"), "{order}: {shown}");
            assert_eq!(shown.matches(rewrite::REDACTED).count(), usize::from(table == "first"), "{shown}");
        }
    }
    // What such a path cannot reach in one of the tables is told, though it reaches something in another.
    let list: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>([Some([Some(1)])]));
    for (path, of) in [("s[0]", Arc::clone(&list)), ("s.*[0]", row_of(&[("a", one("x")), ("l", list)]))] {
        let tables = [with("first", row_of(&[("a", deep("x"))])).0, with("second", of).0];
        let (_, problems) = compiled(&format!("columns: [{{redact: ['{path}']}}]"), &tables);
        assert_eq!(problems.len(), 1, "{path}");
        assert!(problems[0].contains("only all items can be reached"), "{problems:?}");
    }
}

fn batch(schema: &TableSchema) -> RecordBatch {
    let ids = |byte: u8| FixedSizeBinaryArray::try_from_iter([[byte; 16], [byte + 1; 16]].into_iter()).unwrap();
    let info = br#"{"Login":{"User":"ann","Password":"hunter2"},"Size":1}"#;
    let columns: Vec<ArrayRef> = vec![
        Arc::new(TimestampMicrosecondArray::from(vec![1, 1]).with_timezone("UTC")),
        Arc::new(StringArray::from(vec!["x", "x"])),
        Arc::new(ids(1)),
        Arc::new(ids(7)),
        Arc::new(StringArray::from(vec!["here", "here"])),
        Arc::new(StringArray::from(vec!["a@b", "c@d"])),
        Arc::new(Int64Array::from(vec![Some(5), None])),
        Arc::new(StringArray::from(vec!["hunter2", "hunter3"])),
        Arc::new(BinaryArray::from(vec![Some(&info[..]), None])),
    ];
    RecordBatch::try_new(schema.arrow(), columns).unwrap()
}

fn applied(shapes: &Shapes, table: &str) -> RecordBatch {
    let schema = tables()[0].schema.clone();
    shapes.of(table).unwrap().apply(&batch(&schema)).unwrap()
}

fn names(schema: &TableSchema) -> Vec<&str> {
    schema.columns.iter().skip(4).map(|column| column.name.as_str()).collect()
}

fn text<'a>(batch: &'a RecordBatch, column: &str) -> Vec<Option<&'a str>> {
    batch.column_by_name(column).unwrap().as_string::<i32>().iter().collect()
}

#[test]
fn secrets_are_redacted_unless_asked_for() {
    let made = shapes("");
    let places = |table: &str| [format!("{table}.secret"), format!("{table}.info.Login.Password")];
    assert_eq!(made.redacted, [places("things"), places("thing_parts"), places("aws_lambda_things")].concat());
    let batch = applied(&made, "things");
    assert_eq!(text(&batch, "secret"), [Some("[redacted]"); 2]);
    let info = batch.column_by_name("info").unwrap().as_binary::<i32>().value(0);
    assert_eq!(info, br#"{"Login":{"User":"ann","Password":"[redacted]"},"Size":1}"#);
    let schema = &made.of("things").unwrap().schema;
    let (secret, info) = (schema.column("secret").unwrap(), schema.column("info").unwrap());
    assert_eq!((secret.sensitive, secret.description.as_str()), (false, "Redacted."));
    assert_eq!((info.secrets.len(), info.description.as_str()), (0, "Redacted: `Login.Password`."));
    assert!(!schema.arrow().metadata().contains_key("cq:table_sensitive_columns"));

    // What is asked for is as it is, and so is a table of which nothing else is said.
    let kept = shapes("columns: [{keep: [secret, info.Login]}]");
    assert!(kept.of("things").is_none() && kept.redacted.is_empty());
    assert!(shapes("columns: [{keep: ['*']}]").of("things").is_none());
    let some = shapes("columns: [{tables: [things], keep: [secret]}]");
    assert_eq!(text(&applied(&some, "things"), "secret"), [Some("hunter2"), Some("hunter3")]);
    assert_eq!(some.redacted.len(), 5);
    // A hash that is asked for takes the place of the redaction.
    let hashed = shapes("columns: [{hash: [secret, info.Login.Password]}]");
    assert_eq!(hashed.redacted, [""; 0]);
    assert_eq!(text(&applied(&hashed, "things"), "secret")[0].map(str::len), Some(64));
    // What is left out needs no word about it.
    assert_eq!(shapes("columns: [{exclude: [secret, info]}]").redacted, [""; 0]);
}

#[test]
fn columns_are_selected_and_excluded() {
    let schema = |rules: &str| Arc::clone(&shapes(rules).of("things").unwrap().schema);
    assert_eq!(names(&schema("columns: [{select: [size]}]")), ["place", "email", "size"]);
    assert_eq!(names(&schema("columns: [{select: ['s*'], exclude: [secret]}]")), ["place", "email", "size"]);
    assert_eq!(names(&schema("columns: [{select: ['s*']}, {select: ['*e']}]")), ["place", "email", "size"]);
    assert_eq!(names(&schema("columns: [{exclude: ['info', size]}]")), ["place", "email", "secret"]);
    let made = shapes("columns: [{select: [size]}]");
    let batch = applied(&made, "things");
    assert_eq!(batch.schema(), made.of("things").unwrap().schema.arrow());
    assert_eq!(batch.num_columns(), 7);
}

#[test]
fn columns_are_renamed_and_untouched_ones_are_shared() {
    let made = shapes("columns: [{rename: {email: mail, size: email}, keep: ['*']}]");
    let shape = made.of("things").unwrap();
    assert_eq!(names(&shape.schema), ["place", "mail", "email", "secret", "info"]);
    assert_eq!(shape.schema.key(), ["mail"]);
    let before = batch(&tables()[0].schema);
    let after = shape.apply(&before).unwrap();
    for (before, after) in before.columns().iter().zip(after.columns()) {
        assert!(Arc::ptr_eq(before, after), "no column is copied");
    }
    // A name becomes free when its column is left out.
    let made = shapes("columns: [{rename: {size: info}, exclude: [info]}]");
    assert_eq!(names(&made.of("things").unwrap().schema), ["place", "email", "info", "secret"]);
}

#[test]
fn a_hashed_key_hashes_the_identifiers_that_are_made_of_it() {
    let made = shapes("columns: [{tables: [things], hash: [email]}]");
    let schema = &made.of("things").unwrap().schema;
    assert_eq!((schema.key(), schema.column("email").unwrap().nullable), (vec!["email"], false));
    let before = batch(&tables()[0].schema);
    let parent = applied(&made, "things");
    let child = applied(&made, "thing_parts");
    let ids = |batch: &RecordBatch, name: &str| batch.column_by_name(name).unwrap().as_fixed_size_binary().clone();
    assert_ne!(ids(&parent, "_cq_id"), ids(&before, "_cq_id"));
    assert_eq!(ids(&parent, "_cq_parent_id"), ids(&before, "_cq_parent_id"));
    assert_eq!(ids(&child, "_cq_id"), ids(&before, "_cq_id"));
    let hasher = Hasher::new(&SecretString::from("0123456789abcdef")).unwrap();
    assert_eq!(ids(&child, "_cq_parent_id").value(0), hasher.uuid(&[7; 16]), "of the parent's, by the same function");
    assert_eq!(ids(&parent, "_cq_id").value(1), hasher.uuid(&[2; 16]));
    assert_eq!(text(&parent, "email")[0].map(str::len), Some(64));
    assert_eq!(text(&child, "email")[0], Some("a@b"), "another table has its own rules");
}

#[test]
fn redacted_numbers_are_missing_and_hashed_ones_are_text() {
    let made = shapes("columns: [{redact: [size, info.Size]}]");
    let batch = applied(&made, "things");
    assert_eq!(batch.column_by_name("size").unwrap().null_count(), 2);
    let shape = made.of("things").unwrap().schema.column("info").unwrap().shape.clone().unwrap();
    assert_eq!(shape["Size"], "utf8");
    let made = shapes("columns: [{hash: [size]}, {redact: [secret], hash: [secret]}]");
    let schema = &made.of("things").unwrap().schema;
    assert_eq!(schema.column("size").unwrap().kind.name(), "utf8");
    let batch = applied(&made, "things");
    assert_eq!(text(&batch, "size").iter().map(|cell| cell.map(str::len)).collect::<Vec<_>>(), [Some(64), None]);
    assert_eq!(text(&batch, "secret")[0], Some("[redacted]"), "to redact is more than to hash");
}

#[test]
fn rows_pass_by_columns_of_the_source() {
    let made = shapes(
        "columns: [{exclude: [size], rename: {email: mail}}]\nrows: [{tables: [things], where: size = 5 and email like '%@b'}]",
    );
    assert_eq!(text(&applied(&made, "things"), "mail"), [Some("a@b")]);
    assert_eq!(applied(&made, "thing_parts").num_rows(), 2);
    let made = shapes("rows: [{where: size = 5}, {tables: ['thing*'], where: \"email = 'c@d'\"}]");
    assert_eq!(applied(&made, "things").num_rows(), 0, "all filters must hold");
    assert_eq!(applied(&made, "aws_lambda_things").num_rows(), 1);
    let made = shapes("columns: [{keep: ['*']}]\nrows: [{where: email is not null}]");
    let before = batch(&tables()[0].schema);
    let after = made.of("things").unwrap().apply(&before).unwrap();
    assert!(Arc::ptr_eq(before.column(5), after.column(5)), "where all rows pass, nothing is copied");
}

#[test]
fn a_batch_of_another_table_is_an_error() {
    let made = shapes("columns: [{redact: [size]}]");
    let schema = tables()[0].schema.clone();
    let short = batch(&schema).project(&[0, 1]).unwrap();
    let error = made.of("things").unwrap().apply(&short).unwrap_err();
    assert_eq!(error.to_string(), "columns of things: a column is missing");
}

#[test]
fn the_list_of_known_places_can_be_read() {
    for (_, path) in known::KNOWN.into_iter().chain(known::HARMLESS) {
        path::Target::parse(path).unwrap();
    }
}
