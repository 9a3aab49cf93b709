//! A connector for the tests of the engine: it reads folders of JSON lines, one folder for each scope.
//!
//! `ROOT/SCOPE/TABLE.jsonl` holds a row in each line. A line can also say what is to happen at its place:
//! `{"fail": "CODE", "message": "…"}`, `{"panic": "…"}`, `{"panic_in_call": "…"}`, `{"wait_for": "FILE"}`, or `{"swap": true}`, after
//! which two columns are sent in each other's place. A folder whose name begins with
//! `locked` cannot be opened, and a root that is not there cannot be reached.

#![allow(dead_code, clippy::expect_used, reason = "each test binary uses a part of it")]

pub mod town;

use std::any::TypeId;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{BoxStream, StreamExt};
use headwater::builtin::{Builtin, Registry};
use headwater_sdk::arrow::array::{
    BinaryArray, FixedSizeBinaryBuilder, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use headwater_sdk::arrow::datatypes::DataType;
use headwater_sdk::cq_id::CqId;
use headwater_sdk::registry::Node;
use headwater_sdk::scope::{ScopeColumn, Scopes};
use headwater_sdk::unit::{Job, Unit, UnitRun};
use headwater_sdk::{
    AnyTable, CallLimits, Class, Column, ColumnType, Connector, Error, Extension, Found, Result, TableSchema, Wanted,
    async_trait,
};
use serde::Deserialize;

/// Where the shops are.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The folder with a folder for each shop.
    pub root: PathBuf,
    /// Calls under way at once.
    #[serde(default = "four")]
    pub concurrency: u8,
    /// The key to the shops.
    #[serde(default)]
    pub token: Option<u32>,
    /// Who may be asked.
    #[serde(default)]
    pub contacts: Vec<Contact>,
}

fn four() -> u8 {
    4
}

/// Who may be asked.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    /// The name.
    pub name: String,
    /// How.
    pub by: By,
}

/// How someone is asked.
#[derive(Debug, Clone, Copy, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// By post.
    Post,
    /// By telephone.
    Telephone,
}

/// The shops' connector.
pub fn connector(spec: Spec) -> Result<Arc<dyn Connector>> {
    if spec.concurrency == 0 {
        return Err(Error::fatal("`concurrency` must be at least 1"));
    }
    Ok(Arc::new(Shops(spec)))
}

/// A connector with a table of the same name and other columns.
fn other_connector(spec: Spec) -> Result<Arc<dyn Connector>> {
    Ok(Arc::new(OtherShops(Arc::new(Shops(spec)))))
}

struct OtherShops(Arc<Shops>);

#[async_trait]
impl Connector for OtherShops {
    fn tables(&self) -> Vec<Node> {
        vec![node("shop_customers", "Who orders.", None, false, Vec::new())]
    }
    async fn check(&self) -> Result<Vec<String>> {
        self.0.check().await
    }
    fn plan(self: Arc<Self>, tables: Vec<Arc<Node>>, wanted: Wanted) -> BoxStream<'static, Found> {
        Arc::clone(&self.0).plan(tables, wanted)
    }
    async fn run(&self, unit: &Unit, run: Arc<UnitRun>) {
        self.0.run(unit, run).await;
    }
}

/// What is built in, and the shops.
pub fn registry() -> Registry {
    let mut registry = Registry::builtin();
    // Not every build has it.
    registry.destinations.retain(|builtin| builtin.name != "s3");
    registry.sources.push(Builtin::new("shops", connector));
    registry.sources.push(Builtin::new("other-shops", other_connector));
    registry
}

struct Shops(Spec);

const SCOPES: Scopes =
    Scopes { name: "shop", columns: &[ScopeColumn { name: "shop", description: "The shop's name." }] };

fn node(name: &str, description: &str, parent: Option<&str>, key: bool, children: Vec<Node>) -> Node {
    let column = |name: &str, kind: ColumnType, description: &str, key: bool| {
        let mut column = Column::new(name, kind, description);
        column.nullable = !key;
        column.key = key;
        column.origin = format!("Line.{name}");
        column
    };
    let mut info = column("info", ColumnType::of(Extension::Json), "Anything else | with a bar.", false);
    info.shape = Some(serde_json::json!({ "note": "utf8", "card": { "number": "utf8" } }));
    info.secrets = vec!["card.number".to_owned()];
    let columns = vec![
        column("shop", ColumnType::plain(DataType::Utf8), "The shop's name.", key),
        column("id", ColumnType::plain(DataType::Int64), "The number.", key),
        column("name", ColumnType::plain(DataType::Utf8), "The name.", false),
        info,
    ];
    let mut schema = TableSchema::new(name, description, parent, SCOPES, columns);
    schema.origin = format!("`{name}.jsonl`");
    let schema = Arc::new(schema);
    Node {
        package: "shops",
        table: Some(Arc::new(Lines(Arc::clone(&schema)))),
        also: Vec::new(),
        schema,
        children: children.into_iter().map(Arc::new).collect(),
    }
}

#[async_trait]
impl Connector for Shops {
    fn tables(&self) -> Vec<Node> {
        let lines = node("shop_order_lines", "What was ordered.", Some("shop_orders"), true, Vec::new());
        vec![
            node("shop_customers", "Who orders.", None, true, Vec::new()),
            node("shop_orders", "Orders.", None, true, vec![lines]),
            node("shop_visits", "Visits, which have no key.", None, false, Vec::new()),
        ]
    }

    async fn check(&self) -> Result<Vec<String>> {
        let (open, closed) = self.shops()?;
        match closed.into_iter().next() {
            Some((_, error)) => Err(error),
            None => Ok(vec![format!("{} shops", open.len())]),
        }
    }

    fn plan(self: Arc<Self>, nodes: Vec<Arc<Node>>, wanted: Wanted) -> BoxStream<'static, Found> {
        let (open, failures) = match self.shops() {
            Ok(shops) => shops,
            Err(error) => (Vec::new(), vec![(String::new(), error)]),
        };
        let root = self.0.root.clone();
        let unit = move |shop: &String, node: &Arc<Node>| Unit {
            node: Arc::clone(node),
            scope: shop.clone(),
            handle: Arc::new(root.join(shop)),
            predicate: vec![("shop".to_owned(), shop.clone())],
            ranges: Vec::new(),
        };
        let failed = failures.into_iter().map(|(shop, error)| Found::Failed(shop, error));
        let places = Found::Places(open.len());
        let opened = open.into_iter().map(move |shop| {
            let wanted = nodes.iter().filter(|node| wanted(&node.schema.name, &shop));
            Found::Open(wanted.map(|node| unit(&shop, node)).collect())
        });
        futures::stream::iter(std::iter::once(places).chain(failed).chain(opened)).boxed()
    }

    async fn run(&self, unit: &Unit, run: Arc<UnitRun>) {
        for node in unit.node.flatten() {
            let job = Job {
                run: Arc::clone(&run),
                node: Arc::new(node.clone()),
                client: Arc::new(()),
                scope: Arc::clone(&unit.handle),
                parent: Arc::new(()),
                parent_id: None,
                depth: 0,
                held: None,
            };
            let table = node.table.clone().expect("a table that is read here");
            table.run(job).await;
        }
    }

    fn limits(&self) -> CallLimits {
        CallLimits { concurrency: self.0.concurrency.into(), ..CallLimits::default() }
    }
}

impl Shops {
    #[allow(clippy::type_complexity)]
    fn shops(&self) -> Result<(Vec<String>, Vec<(String, Error)>)> {
        let root = &self.0.root;
        let unreachable =
            |error| Error::new(Class::Transient, format!("{} cannot be reached: {error}", root.display()));
        let mut names: Vec<String> = std::fs::read_dir(root)
            .map_err(unreachable)?
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .collect();
        names.sort();
        let (closed, open): (Vec<String>, Vec<String>) = names.into_iter().partition(|name| name.starts_with("locked"));
        let denied = |name: String| {
            let error = Error::new(Class::Denied, format!("the door of {name} is locked")).with_code("Locked");
            (name, error)
        };
        Ok((open, closed.into_iter().map(denied).collect()))
    }
}

/// A table of JSON lines.
struct Lines(Arc<TableSchema>);

impl AnyTable for Lines {
    fn schema(&self) -> TableSchema {
        (*self.0).clone()
    }
    fn row_type(&self) -> TypeId {
        TypeId::of::<()>()
    }
    fn parent_type(&self) -> TypeId {
        TypeId::of::<()>()
    }
    fn run(&self, job: Job) -> BoxFuture<'static, ()> {
        let schema = Arc::clone(&self.0);
        Box::pin(async move {
            let Ok(folder) = Arc::clone(&job.scope).downcast::<PathBuf>() else { return };
            read(&schema, &folder, &job.run).await;
        })
    }
}

/// Rows that make a batch.
const BATCH: usize = 100;

async fn read(schema: &Arc<TableSchema>, folder: &Path, run: &UnitRun) {
    let shop = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let path = folder.join(format!("{}.jsonl", schema.name));
    let text = match run.calls.call("shops", tokio::fs::read_to_string(path)).await {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
        Err(error) => return run.fail(schema, Error::fatal(error)).await,
    };
    let mut rows = Vec::new();
    let mut swap = false;
    for line in text.lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
        if let Some(text) = line["panic"].as_str() {
            panic!("{text}");
        } else if let Some(text) = line["panic_in_call"].as_str() {
            let text = text.to_owned();
            run.calls.call("shops", async move { panic!("{text}") }).await
        } else if let Some(code) = line["fail"].as_str() {
            // What was read before the failure is handed on, as a connector does.
            send(schema, &shop, std::mem::take(&mut rows), run).await;
            let class = if code == "AccessDenied" { Class::Denied } else { Class::Fatal };
            let message = line["message"].as_str().unwrap_or("it broke");
            run.fail(schema, Error::new(class, message).with_code(code).while_doing("shops Read")).await;
        } else if let Some(file) = line["wait_for"].as_str() {
            send(schema, &shop, std::mem::take(&mut rows), run).await;
            while !Path::new(file).exists() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        } else if line["swap"] == true {
            swap = true;
        } else {
            rows.push(line);
            if rows.len() == BATCH {
                send(schema, &shop, std::mem::take(&mut rows), run).await;
            }
        }
    }
    match swap {
        false => send(schema, &shop, rows, run).await,
        true => run.send(schema, swapped(batch(schema, &shop, &rows, run))).await,
    }
}

/// The same with the columns `shop` and `name`, both of text, in each other's place.
fn swapped(batch: RecordBatch) -> RecordBatch {
    let mut order: Vec<usize> = (0..batch.num_columns()).collect();
    order.swap(4, 6);
    batch.project(&order).expect("the same columns")
}

async fn send(schema: &Arc<TableSchema>, shop: &str, rows: Vec<serde_json::Value>, run: &UnitRun) {
    if !rows.is_empty() {
        run.send(schema, batch(schema, shop, &rows, run)).await;
    }
}

fn batch(schema: &TableSchema, shop: &str, rows: &[serde_json::Value], run: &UnitRun) -> RecordBatch {
    let keyed = schema.column("id").is_some_and(|column| column.key);
    let mut ids = FixedSizeBinaryBuilder::new(16);
    let mut parents = FixedSizeBinaryBuilder::new(16);
    for row in rows {
        let id = match keyed {
            true => {
                let mut id = CqId::default();
                id.add("id", row["id"].to_string().as_bytes());
                id.add("shop", shop.as_bytes());
                id.finish()
            }
            false => uuid::Uuid::new_v4(),
        };
        ids.append_value(id.as_bytes()).expect("16 bytes");
        parents.append_null();
    }
    let infos: Vec<Option<String>> = rows.iter().map(|row| row.get("info").map(serde_json::Value::to_string)).collect();
    let count = rows.len();
    let batch = RecordBatch::try_new(
        schema.arrow(),
        vec![
            Arc::new(TimestampMicrosecondArray::from_value(run.sync_time.0, count).with_timezone("UTC")),
            Arc::new(StringArray::from_iter_values(std::iter::repeat_n(&run.source, count))),
            Arc::new(ids.finish()),
            Arc::new(parents.finish()),
            Arc::new(StringArray::from_iter_values(std::iter::repeat_n(shop, count))),
            Arc::new(Int64Array::from_iter(rows.iter().map(|row| row["id"].as_i64()))),
            Arc::new(StringArray::from_iter(rows.iter().map(|row| row["name"].as_str()))),
            Arc::new(BinaryArray::from_iter(infos.iter().map(|info| info.as_ref().map(String::as_bytes)))),
        ],
    );
    batch.expect("the table's columns")
}
