//! Tables as they are here, of what the server has and the spec says.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use headwater_clickhouse_client::sql::{literal, quote};
use headwater_clickhouse_client::{Server, of_source};
use headwater_sdk::registry::Node;
use headwater_sdk::schema::{PARTS, SOURCE_NAME, SYNC_TIME, UNIT};
use headwater_sdk::selection::matches;
use headwater_sdk::text::nearest;
use headwater_sdk::{Column, Error, Scopes, Selection, TableSchema, Undiscovered, Wrong};

use crate::catalog::{self, Found};
use crate::divide::{Division, division};
use crate::kind::{CHOICES, Kind, can_become, chosen, map};
use crate::spec::{ColumnSpec, Options, TableSpec};
use crate::types::Type;

/// Columns that every row gets here; those of an earlier sync, which another of these has written, are left out.
const OURS: [&str; 3] = [SYNC_TIME, SOURCE_NAME, UNIT];

/// How a table is read.
pub struct Readable {
    /// The database and the name as SQL.
    pub from: String,
    /// The columns, in their order.
    pub columns: Vec<ReadColumn>,
    /// How it is divided.
    pub division: Division,
}

/// How a column is read.
pub struct ReadColumn {
    /// The name in ClickHouse.
    pub own: String,
    /// The name here.
    pub name: String,
    /// The type in ClickHouse.
    pub own_kind: Type,
    /// What stands in the `SELECT`.
    pub sql: String,
    pub kind: Kind,
    /// Whether a value may be missing.
    pub nullable: bool,
}

/// Something that is wrong, and where.
pub struct Mistakes {
    at: Vec<String>,
    pub found: Vec<Wrong>,
}

impl Mistakes {
    pub fn add(&mut self, at: &[&str], message: impl Into<String>, help: Option<String>) {
        let at = self.at.iter().cloned().chain(at.iter().map(|step| (*step).to_owned())).collect();
        self.found.push(Wrong { at, message: message.into(), help });
    }
}

/// The help that names what is most likely meant.
pub fn meant<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(name, candidates).map(|nearest| format!("did you mean `{nearest}`?"))
}

/// Finds the tables, and how each is read, by its name here.
pub async fn discover(
    server: &Server,
    options: &Options,
    selection: &Selection,
) -> Result<(Vec<Node>, HashMap<String, Arc<Readable>>), Undiscovered> {
    server.abilities().await.map_err(of_source)?;
    let dotted = |text: &String| text.contains('.');
    let all = selection.tables.iter().any(dotted) || options.tables.keys().any(dotted);
    let found = catalog::tables(server, all).await.map_err(of_source)?;
    let own = &server.settings.database;
    let mut mistakes = Mistakes { at: vec!["tables".to_owned()], found: Vec::new() };
    let said = said(&found, own, &options.tables, &mut mistakes);
    let (mut nodes, mut readable) = (Vec::new(), HashMap::new());
    for (index, table) in found.iter().enumerate() {
        let full = format!("{}.{}", table.database, table.name);
        // Tables of other databases are there for patterns that name a database.
        let named = || selection.tables.iter().any(|pattern| dotted(pattern) && matches(pattern, &full));
        let name = match table.database == *own {
            true => table.name.clone(),
            false if said.contains_key(&index) || named() => format!("{}_{}", table.database, table.name),
            false => continue,
        };
        let nothing = TableSpec::default();
        let (key, spec) = said.get(&index).map_or(("", &nothing), |(key, spec)| (key.as_str(), *spec));
        mistakes.at = vec!["tables".to_owned(), key.to_owned()];
        let Some((schema, how)) = self::table(table, &name, spec, options, &mut mistakes) else { continue };
        if readable.insert(name.clone(), Arc::new(how)).is_some() {
            return Err(Error::fatal(format!(
                "two tables are `{name}` here, one of them `{full}`; name only one of them"
            ))
            .into());
        }
        nodes.push(Node::own(env!("CARGO_PKG_NAME"), schema, vec![full]));
    }
    match mistakes.found.is_empty() {
        true => Ok((nodes, readable)),
        false => Err(Undiscovered::Wrong(mistakes.found)),
    }
}

/// What the spec says about tables, by their places in the list.
fn said<'a>(
    found: &[Found],
    own: &str,
    tables: &'a BTreeMap<String, TableSpec>,
    mistakes: &mut Mistakes,
) -> HashMap<usize, (&'a String, &'a TableSpec)> {
    let mut said = HashMap::new();
    for (key, spec) in tables {
        let is = |table: &Found| {
            table.database == own && table.name == *key || format!("{}.{}", table.database, table.name) == *key
        };
        match found.iter().position(is) {
            None => {
                let names = found.iter().map(|table| match table.database == own {
                    true => table.name.clone(),
                    false => format!("{}.{}", table.database, table.name),
                });
                let names: Vec<String> = names.collect();
                let help = meant(key, names.iter().map(String::as_str));
                mistakes.add(&[key], format!("there is no table `{key}` in database {own} that can be read"), help);
            }
            Some(index) => {
                if let Some((other, _)) = said.insert(index, (key, spec)) {
                    mistakes.add(&[key], format!("`{other}` is the same table"), Some("leave one out".to_owned()));
                }
            }
        }
    }
    said
}

/// A table as it is here; nothing where it has no columns that could be read.
fn table(
    found: &Found,
    name: &str,
    spec: &TableSpec,
    options: &Options,
    mistakes: &mut Mistakes,
) -> Option<(TableSchema, Readable)> {
    for column in spec.columns.keys().filter(|name| !found.columns.iter().any(|column| column.name == **name)) {
        unknown(found, &["columns", column], column, mistakes);
    }
    let nothing = ColumnSpec::default();
    let (mut columns, mut read) = (Vec::new(), Vec::new());
    let (mut names, mut ids) = (HashSet::from(OURS), HashSet::new());
    for column in &found.columns {
        let said = spec.columns.get(&column.name).unwrap_or(&nothing);
        let called = said.name.as_deref().unwrap_or(&column.name);
        if said.name.is_none() && OURS.contains(&called) {
            continue;
        }
        let at = ["columns", column.name.as_str()];
        if called.is_empty() || !names.insert(called) {
            let message = match called {
                "" => "a column must have a name".to_owned(),
                _ => format!("there is a column `{called}` already"),
            };
            mistakes.add(&[at[0], at[1], "name"], message, None);
        }
        if said.field_id.is_some_and(|id| !ids.insert(id)) {
            mistakes.add(&[at[0], at[1], "field_id"], "another column has this `field_id`", None);
        }
        let own_kind = Type::parse(&column.kind);
        let mut mapped = map(&own_kind, options.strings);
        let sql = match said.kind.as_deref().map(|text| (text, chosen(text))) {
            Some((text, None)) => {
                let help = Some(format!("the types are {CHOICES}"));
                mistakes.add(&[at[0], at[1], "type"], format!("`{text}` is no type that can be asked for"), help);
                continue;
            }
            Some((text, Some((kind, _)))) if !can_become(&own_kind, &kind) => {
                let help = "choose `utf8`, or a type that has room for all of its values";
                let message = format!("values of {} cannot all be `{text}`", own_kind.text);
                mistakes.add(&[at[0], at[1], "type"], message, Some(help.to_owned()));
                continue;
            }
            Some((_, Some((kind, target)))) => {
                mapped.kind = kind;
                let target = if mapped.nullable { format!("Nullable({target})") } else { target };
                format!("accurateCast({}, {})", quote(&column.name), literal(&target))
            }
            None => match &mapped.target {
                Some(target) => format!("CAST({}, {})", quote(&column.name), literal(target)),
                None => quote(&column.name),
            },
        };
        let nullable = said.nullable.unwrap_or(mapped.nullable);
        let mut made = Column::new(called, mapped.kind.column_type(), line(&column.comment));
        made.nullable = nullable;
        made.key = spec.key.contains(&column.name);
        made.origin = format!("{}.{}", found.name, column.name);
        made.native = said.kind.is_none().then(|| format!("clickhouse {}", column.kind));
        made.field_id = said.field_id;
        columns.push(made);
        let (own, name) = (column.name.clone(), called.to_owned());
        read.push(ReadColumn { own, name, own_kind, sql, kind: mapped.kind, nullable });
    }
    check_key(found, spec, &read, mistakes);
    let division = division(found, spec.divide.as_ref(), &read, mistakes);
    if columns.is_empty() {
        tracing::debug!(table = name, "it has no columns that could be read");
        return None;
    }
    let scopes = if division.is_by_value() { Scopes::SINGLE } else { PARTS };
    let from = format!("{}.{}", quote(&found.database), quote(&found.name));
    let schema = TableSchema::of_database(name, &line(&found.comment), scopes, columns);
    Some((schema, Readable { from, columns: read, division }))
}

/// A column that the table does not have.
pub fn unknown(found: &Found, at: &[&str], column: &str, mistakes: &mut Mistakes) {
    let help = meant(column, found.columns.iter().map(|column| column.name.as_str()));
    mistakes.add(at, format!("there is no column `{column}` in table {} that can be read", found.name), help);
}

fn check_key(found: &Found, spec: &TableSpec, read: &[ReadColumn], mistakes: &mut Mistakes) {
    for (index, key) in spec.key.iter().enumerate() {
        let place = index.to_string();
        let at = ["key", place.as_str()];
        match read.iter().find(|column| column.own == *key) {
            _ if spec.key[..index].contains(key) => mistakes.add(&at, format!("`{key}` is named twice"), None),
            None => unknown(found, &at, key, mistakes),
            Some(column) if column.nullable => {
                let help =
                    format!("say `nullable: false` for the column, if none is missing; it is {}", column.own_kind.text);
                mistakes.add(&at, format!("values of `{key}` may be missing, and a key's may not"), Some(help));
            }
            Some(column) if column.kind.column_type().data_type.is_nested() => {
                mistakes.add(&at, format!("`{key}` is {}, which cannot be part of a key", column.own_kind.text), None);
            }
            Some(_) => {}
        }
    }
}

/// A comment in one line.
fn line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
