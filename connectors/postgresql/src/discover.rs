//! The tables that are found in a database, and what the `spec` says of them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use headwater_postgresql_client::errors::explain;
use headwater_sdk::divide::{Axis, Step};
use headwater_sdk::registry::Node;
use headwater_sdk::schema::PARTS;
use headwater_sdk::selection::matches;
use headwater_sdk::text::nearest;
use headwater_sdk::{Bound, Column, Error, Scopes, Selection, TableSchema, Undiscovered, Wrong};
use tokio_postgres::Client;

use crate::catalog::columns;
use crate::relations::{Relation, relations};
use crate::replication::{Attributes, Publication};
use crate::spec::{By, CursorSpec, DivideSpec, PeriodsSpec, Spec, TableSpec};
use crate::types::{Mapped, Rules, base, map};

/// The package that the tables are of.
pub const PACKAGE: &str = "postgresql";

/// A table that is read, as it was found.
pub struct Found {
    /// What it is called in messages about the server.
    pub shown: Arc<str>,
    /// What it is in the database.
    pub relation: Relation,
    /// What it is in destinations.
    pub schema: TableSchema,
    /// How each column is read, in the order of the schema's own columns.
    pub columns: Vec<Mapped>,
    /// Which rows are read.
    pub only: Option<String>,
    /// How it is divided.
    pub division: Option<Division>,
    /// Which periods are read.
    pub periods: Option<Periods>,
    /// By what only new rows are read.
    pub cursor: Option<Cursor>,
    /// What is to be known of it where its changes are read.
    pub tracked: Option<Attributes>,
}

/// What the values of a column are that ranges are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Whole numbers, or decimals.
    Number,
    /// Dates.
    Date,
    /// Points in time without a time zone.
    Local,
    /// Points in time with one.
    Zoned,
}

/// A column that ranges are made of.
#[derive(Debug, Clone)]
pub struct Cut {
    /// Its name in the database.
    pub column: String,
    /// Its name in destinations.
    pub name: String,
    /// What its values are.
    pub kind: Kind,
    /// Whether it is `numeric`.
    pub is_numeric: bool,
}

/// How a table is divided.
#[derive(Debug, Clone)]
pub struct Division {
    /// By what.
    pub by: By,
    /// The column, for ranges.
    pub cut: Option<Cut>,
    /// The column, for a list.
    pub listed: Option<String>,
    /// The columns, for a hash.
    pub columns: Vec<String>,
    /// How far a range reaches.
    pub step: Option<Step>,
    /// Where ranges begin.
    pub bounds: Vec<Bound>,
    /// The values of a list.
    pub values: Vec<String>,
    /// How many parts.
    pub parts: u32,
}

/// Which periods of a table are read.
#[derive(Debug, Clone)]
pub struct Periods {
    /// The column.
    pub cut: Cut,
    /// How long a period is.
    pub every: Step,
    /// The beginning of the first.
    pub from: Option<Bound>,
    /// The end of the last.
    pub until: Option<Bound>,
    /// How many.
    pub last: Option<u32>,
}

/// By what only new rows are read.
#[derive(Debug, Clone)]
pub struct Cursor {
    /// The column's name in the database.
    pub column: String,
    /// Its type, as SQL has it.
    pub kind: String,
    /// What is looked through again, as SQL that is taken from a value.
    pub lag: Option<String>,
}

impl Kind {
    /// What its values are along.
    pub fn axis(self) -> Axis {
        match self {
            Kind::Number => Axis::Number,
            Kind::Date => Axis::Date,
            Kind::Local | Kind::Zoned => Axis::Time,
        }
    }
}

impl Found {
    /// The condition of the rows that are read.
    pub fn filter(&self) -> String {
        self.only.as_ref().map_or("true".to_owned(), |only| format!("({only}\n)"))
    }

    /// An error of the server about the table.
    pub fn explain(&self, error: &tokio_postgres::Error) -> Error {
        explain(error, &self.shown).while_doing(format_args!("table {}", self.relation.sql()))
    }
}

/// Finds the tables that may be read, with what the `spec` says of each.
pub async fn discover(
    client: &Client,
    shown: &Arc<str>,
    spec: &Spec,
    selection: &Selection,
) -> Result<(Vec<Found>, Publication), Undiscovered> {
    let explained = |error: tokio_postgres::Error| Undiscovered::Failed(explain(&error, shown));
    let mut wrong = Vec::new();
    let publication = match &spec.replication {
        Some(replication) => Publication::find(client, replication, &mut wrong).await.map_err(explained)?,
        None => Publication::default(),
    };
    let mut all = relations(client).await.map_err(explained)?;
    all.retain(|relation| spec.schemas.iter().any(|pattern| matches(pattern, &relation.schema)));
    for (at, pattern) in spec.schemas.iter().enumerate() {
        if pattern != "*" && !all.iter().any(|relation| matches(pattern, &relation.schema)) {
            wrong.push(Wrong {
                at: vec!["schemas".to_owned(), at.to_string()],
                message: format!("there is no schema `{pattern}` with a table that the user may read"),
                help: nearest(pattern, all.iter().map(|relation| relation.schema.as_str())).map(did_you_mean),
            });
        }
    }
    if let Some(replication) = &spec.replication {
        if !wrong.is_empty() {
            return Err(Undiscovered::Wrong(wrong));
        }
        publication.check_named(&all, replication, selection, &mut wrong);
        all.retain(|relation| publication.may_have(relation, replication));
    }
    let specs = by_relation(&all, spec, &mut wrong);
    // The names must not depend on what is selected, but only what is selected is looked at.
    let meant: Vec<bool> =
        all.iter().zip(&specs).map(|(relation, table)| is_meant(relation, *table, selection)).collect();
    let mut kept: Vec<Relation> = Vec::new();
    let mut kept_specs = Vec::new();
    let mut others = Vec::new();
    for ((relation, table), meant) in all.into_iter().zip(specs).zip(meant) {
        if meant {
            kept.push(relation);
            kept_specs.push(table);
        } else {
            others.push((relation, table));
        }
    }
    let mut found: Vec<Found> = Vec::new();
    for (mut relation, table) in kept.into_iter().zip(kept_specs) {
        relation.columns = columns(client, relation.oid).await.map_err(explained)?;
        let mut tracked = None;
        if let Some(replication) = &spec.replication {
            let key = table.and_then(|(_, table)| table.key.as_ref()).unwrap_or(&relation.key).clone();
            let attributes = publication.attributes(client, replication, &mut relation, &key, &mut wrong);
            tracked = Some(attributes.await.map_err(explained)?);
        }
        let mut reader = Reader { spec, table, at: Vec::new(), wrong: &mut wrong };
        found.extend(reader.read(shown, relation).map(|found| Found { tracked, ..found }));
    }
    check_names(&found, &mut wrong);
    if !wrong.is_empty() {
        return Err(Undiscovered::Wrong(wrong));
    }
    // What is not read is known by its name only, so that a misspelt name is told with the right one.
    for (relation, table) in others {
        let name = name_of(&relation, table.map(|(_, table)| table));
        found.push(Found {
            shown: Arc::clone(shown),
            schema: TableSchema::of_database(&name, &relation.comment, Scopes::SINGLE, Vec::new()),
            relation,
            columns: Vec::new(),
            only: None,
            division: None,
            periods: None,
            cursor: None,
            tracked: None,
        });
    }
    found.sort_by(|a, b| a.schema.name.cmp(&b.schema.name));
    Ok((found, publication))
}

/// The tables as the engine knows them.
pub fn nodes(found: &BTreeMap<String, Arc<Found>>) -> Vec<Node> {
    let node = |found: &Arc<Found>| {
        let Relation { schema, name, .. } = &found.relation;
        Node::own(PACKAGE, found.schema.clone(), vec![format!("{schema}.{name}")])
    };
    found.values().map(node).collect()
}

fn did_you_mean(name: &str) -> String {
    format!("did you mean `{name}`?")
}

/// What a table is called in destinations.
fn name_of(relation: &Relation, table: Option<&TableSpec>) -> String {
    match (table.and_then(|table| table.name.as_ref()), relation.schema.as_str()) {
        (Some(name), _) => name.clone(),
        (None, "public") => relation.name.clone(),
        (None, schema) => format!("{schema}_{}", relation.name),
    }
}

fn names_of(relation: &Relation, table: Option<&TableSpec>) -> [String; 2] {
    [name_of(relation, table), format!("{}.{}", relation.schema, relation.name)]
}

fn is_meant(relation: &Relation, table: Option<(&str, &TableSpec)>, selection: &Selection) -> bool {
    let names = names_of(relation, table.map(|(_, table)| table));
    let any = |patterns: &[String]| patterns.iter().any(|pattern| names.iter().any(|name| matches(pattern, name)));
    any(&selection.tables) && !any(&selection.skip)
}

type OfTable<'a> = Option<(&'a str, &'a TableSpec)>;

/// What the `spec` says of each of the relations, with the key that it stands under.
fn by_relation<'a>(all: &[Relation], spec: &'a Spec, wrong: &mut Vec<Wrong>) -> Vec<OfTable<'a>> {
    let mut places: HashMap<String, usize> = HashMap::new();
    for (at, relation) in all.iter().enumerate() {
        let [name, full] = names_of(relation, None);
        places.entry(name).or_insert(at);
        places.insert(full, at);
    }
    let mut specs: Vec<OfTable<'a>> = vec![None; all.len()];
    for (key, table) in &spec.tables {
        let at = || vec!["tables".to_owned(), key.clone()];
        let Some(place) = places.get(key) else {
            let in_schema = places.keys().find(|name| name.rsplit('.').next() == Some(key));
            let meant = in_schema.map(String::as_str).or_else(|| nearest(key, places.keys().map(String::as_str)));
            let help = meant.map(did_you_mean);
            wrong.push(Wrong { at: at(), message: format!("there is no table `{key}`"), help });
            continue;
        };
        match &mut specs[*place] {
            Some((first, _)) => wrong.push(Wrong {
                at: at(),
                message: format!("`{key}` is the table of which `{first}` says something already"),
                help: Some("put both into one".to_owned()),
            }),
            none => *none = Some((key, table)),
        }
    }
    specs
}

/// Two tables must not have one name in destinations.
fn check_names(found: &[Found], wrong: &mut Vec<Wrong>) {
    let mut seen: HashMap<&str, &Relation> = HashMap::new();
    for Found { schema, relation, .. } in found {
        if let Some(first) = seen.insert(&schema.name, relation) {
            wrong.push(Wrong {
                at: vec!["tables".to_owned()],
                message: format!(
                    "the tables {}.{} and {}.{} would both be called `{}`",
                    first.schema, first.name, relation.schema, relation.name, schema.name
                ),
                help: Some(format!(
                    "name one: `tables: {{ {}.{}: {{ name: … }} }}`, or leave one out with `skip_tables` or `schemas`",
                    relation.schema, relation.name
                )),
            });
        }
    }
}

/// Reads what is said of one table.
struct Reader<'a> {
    spec: &'a Spec,
    table: OfTable<'a>,
    at: Vec<String>,
    wrong: &'a mut Vec<Wrong>,
}

impl Reader<'_> {
    /// Notes that something is wrong at the end of a way below the table.
    fn wrong(&mut self, way: &[&str], message: String, help: Option<String>) {
        let at = self.at.iter().cloned().chain(way.iter().map(|step| (*step).to_owned())).collect();
        self.wrong.push(Wrong { at, message, help });
    }

    fn read(&mut self, shown: &Arc<str>, relation: Relation) -> Option<Found> {
        let nothing = TableSpec::default();
        let (key, table) = self.table.unwrap_or(("", &nothing));
        self.at = if self.table.is_some() { vec!["tables".to_owned(), key.to_owned()] } else { Vec::new() };
        let before = self.wrong.len();
        let name = name_of(&relation, Some(table));
        for column in table.columns.keys().filter(|column| relation.column(column).is_none()) {
            self.no_column(&relation, column, &["columns", column]);
        }
        let columns = self.columns(&relation, table);
        let columns = self.with_key(&relation, table, columns);
        let division = table.divide.as_ref().and_then(|divide| self.division(&relation, &columns, divide));
        let periods = table.periods.as_ref().and_then(|periods| self.periods(&relation, &columns, periods));
        let cursor = table.cursor.as_ref().and_then(|cursor| self.cursor(&relation, cursor));
        if columns.is_empty() && self.wrong.len() == before {
            tracing::debug!(table = name, "it has no columns that can be read");
        }
        if self.wrong.len() > before {
            return None;
        }
        let is_told = table.divide.as_ref().is_none_or(DivideSpec::is_told);
        let scopes = if is_told { Scopes::SINGLE } else { PARTS };
        let all = columns.iter().zip(&relation.columns).map(|(mapped, column)| Column {
            incremental: cursor.as_ref().is_some_and(|cursor| cursor.column == column.name),
            ..mapped.column.clone()
        });
        let all = all.collect();
        let mut schema = TableSchema::of_database(&name, &relation.comment, scopes, all);
        schema.origin = format!("`{}.{}`", relation.schema, relation.name);
        let cuts = [division.as_ref().and_then(|division| division.cut.as_ref()), periods.as_ref().map(|of| &of.cut)];
        let cuts = cuts.into_iter().flatten().map(|cut| cut.name.clone());
        schema.divided_by.extend(cuts);
        let only = table.r#where.clone();
        Some(Found {
            shown: Arc::clone(shown),
            relation,
            schema,
            columns,
            only,
            division,
            periods,
            cursor,
            tracked: None,
        })
    }

    fn no_column(&mut self, relation: &Relation, column: &str, way: &[&str]) {
        let names = relation.columns.iter().map(|column| column.name.as_str());
        let help = nearest(column, names).map(did_you_mean);
        self.wrong(way, format!("{}.{} has no column `{column}`", relation.schema, relation.name), help);
    }

    fn columns(&mut self, relation: &Relation, table: &TableSpec) -> Vec<Mapped> {
        let numeric = match self.spec.numeric.as_deref().map(str::parse).transpose() {
            Ok(numeric) => numeric.unwrap_or_default(),
            Err(message) => {
                self.wrong.push(Wrong { at: vec!["numeric".to_owned()], message, help: None });
                return Vec::new();
            }
        };
        let rules = Rules { numeric };
        let mut columns: Vec<Mapped> = Vec::new();
        for column in &relation.columns {
            let said = table.columns.get(&column.name).cloned().unwrap_or_default();
            match map(column, &said, &rules) {
                Ok(mapped) => {
                    let name = &mapped.column.name;
                    if columns.iter().any(|other| other.column.name == *name) {
                        let message = format!("two columns would be called `{name}`");
                        self.wrong(&["columns", &column.name, "name"], message, None);
                    }
                    columns.push(mapped);
                }
                Err(refused) => self.wrong(&["columns", &column.name, refused.key], refused.message, refused.help),
            }
        }
        columns
    }

    /// Marks the columns of the key.
    fn with_key(&mut self, relation: &Relation, table: &TableSpec, mut columns: Vec<Mapped>) -> Vec<Mapped> {
        let key = table.key.as_ref().unwrap_or(&relation.key);
        for name in key {
            let Some(at) = relation.columns.iter().position(|column| column.name == *name) else {
                if table.key.is_some() {
                    self.no_column(relation, name, &["key"]);
                    continue;
                }
                // A column of the primary key that the user may not read: then there is none.
                for mapped in &mut columns {
                    mapped.column.key = false;
                }
                return columns;
            };
            if let Some(mapped) = columns.get_mut(at) {
                mapped.column.key = true;
                mapped.column.nullable = false;
            }
        }
        columns
    }

    fn cut(&mut self, relation: &Relation, columns: &[Mapped], name: &str, way: &[&str]) -> Option<Cut> {
        let Some(at) = relation.columns.iter().position(|column| column.name == name) else {
            self.no_column(relation, name, way);
            return None;
        };
        let column = &relation.columns[at];
        let kind = match base(&column.pg_type).name.as_str() {
            "smallint" | "integer" | "bigint" => Kind::Number,
            name if name.starts_with("numeric") => Kind::Number,
            "date" => Kind::Date,
            name if name.starts_with("timestamp") && name.ends_with("with time zone") => Kind::Zoned,
            name if name.starts_with("timestamp") => Kind::Local,
            other => {
                let message = format!("`{name}` is of type {other}, of which there are no ranges");
                let help = "choose a column of numbers, dates or points in time, or divide by `hash` or `list`";
                self.wrong(way, message, Some(help.to_owned()));
                return None;
            }
        };
        let mapped = columns.get(at)?;
        Some(Cut {
            column: name.to_owned(),
            name: mapped.column.name.clone(),
            kind,
            is_numeric: base(&column.pg_type).name.as_str().starts_with("numeric"),
        })
    }

    fn step(&mut self, cut: &Cut, text: &str, way: &[&str]) -> Option<Step> {
        let axis = cut.kind.axis();
        let step = axis.step(text);
        if step.is_none() {
            let message = format!("`{text}` is no step of `{}`", cut.column);
            self.wrong(way, message, Some(format!("it is {}", axis.steps())));
        }
        step
    }

    fn bound(&mut self, cut: &Cut, text: &str, way: &[&str]) -> Option<Bound> {
        let axis = cut.kind.axis();
        let bound = axis.bound(text);
        if bound.is_none() {
            let message = format!("`{text}` is no value of `{}`", cut.column);
            self.wrong(way, message, Some(format!("it is {}", axis.values())));
        }
        bound
    }

    fn division(&mut self, relation: &Relation, columns: &[Mapped], said: &DivideSpec) -> Option<Division> {
        let mut division = Division {
            by: said.by,
            cut: None,
            listed: None,
            columns: Vec::new(),
            step: None,
            bounds: Vec::new(),
            values: said.values.clone().unwrap_or_default(),
            parts: said.parts.unwrap_or(1),
        };
        match said.by {
            By::Range => {
                let cut = self.cut(relation, columns, said.column.as_deref()?, &["divide", "column"])?;
                if let Some(step) = &said.step {
                    division.step = self.step(&cut, step, &["divide", "step"]);
                }
                for (at, text) in said.bounds.iter().flatten().enumerate() {
                    match self.bound(&cut, text, &["divide", "bounds", &at.to_string()]) {
                        Some(bound) if division.bounds.last().is_none_or(|last| *last < bound) => {
                            division.bounds.push(bound)
                        }
                        Some(_) => self.wrong(
                            &["divide", "bounds", &at.to_string()],
                            format!("`{text}` is not greater than the bound before it"),
                            None,
                        ),
                        None => break,
                    }
                }
                division.cut = Some(cut);
            }
            By::List => {
                let column = said.column.as_deref()?;
                if relation.column(column).is_none() {
                    self.no_column(relation, column, &["divide", "column"]);
                }
                division.listed = Some(column.to_owned());
            }
            By::Hash => {
                let key = columns.iter().zip(&relation.columns).filter(|(mapped, _)| mapped.column.key);
                let key = key.map(|(_, column)| column.name.clone());
                division.columns = said.columns.clone().unwrap_or_else(|| key.collect());
                for column in division.columns.clone() {
                    if relation.column(&column).is_none() {
                        self.no_column(relation, &column, &["divide", "columns"]);
                    }
                }
                if division.columns.is_empty() {
                    let message = "`hash` has no columns, because the table has no key".to_owned();
                    self.wrong(&["divide"], message, Some("name them in `columns`".to_owned()));
                }
            }
            By::Ctid | By::Partition => {
                let fits = match said.by {
                    By::Ctid => matches!(relation.kind, 'r' | 'p' | 'm'),
                    _ => relation.kind == 'p' || relation.is_parent,
                };
                if !fits {
                    let (what, help) = match said.by {
                        By::Ctid => ("its rows have no place in a file", "divide by `range` or `hash`"),
                        _ => ("it has no partitions", "divide by `ctid`, `range` or `hash`"),
                    };
                    let message = format!("{}.{} cannot be divided so: {what}", relation.schema, relation.name);
                    self.wrong(&["divide", "by"], message, Some(help.to_owned()));
                }
            }
        }
        Some(division)
    }

    fn periods(&mut self, relation: &Relation, columns: &[Mapped], said: &PeriodsSpec) -> Option<Periods> {
        let cut = self.cut(relation, columns, &said.column, &["periods", "column"])?;
        if cut.kind == Kind::Number {
            let message = format!("`{}` is a column of numbers, which have no periods", cut.column);
            self.wrong(&["periods", "column"], message, Some("divide by `range` with `step`".to_owned()));
        }
        let every = self.step(&cut, &said.every, &["periods", "every"])?;
        let mut ends = [None, None];
        for (end, (key, text)) in ends.iter_mut().zip([("from", &said.from), ("until", &said.until)]) {
            *end = text.as_ref().and_then(|text| self.bound(&cut, text, &["periods", key]));
        }
        let [from, until] = ends;
        if let (Some(from), Some(until)) = (from, until)
            && from >= until
        {
            self.wrong(&["periods", "until"], "the end is not after the beginning".to_owned(), None);
        }
        if relation.column(&said.column).is_some_and(|column| !column.not_null) {
            let message = format!("`{}` may be null, and a row without a time is of no period", said.column);
            let help = "declare it NOT NULL in the database, or leave `periods` out";
            self.wrong(&["periods", "column"], message, Some(help.to_owned()));
        }
        Some(Periods { cut, every, from, until, last: said.last })
    }

    fn cursor(&mut self, relation: &Relation, said: &CursorSpec) -> Option<Cursor> {
        let Some(column) = relation.column(&said.column) else {
            self.no_column(relation, &said.column, &["cursor", "column"]);
            return None;
        };
        let (kind, number) = match base(&column.pg_type).name.as_str() {
            "smallint" | "integer" | "bigint" => ("bigint", true),
            name if name.starts_with("numeric") => ("numeric", true),
            "date" => ("date", false),
            name if name.starts_with("timestamp") && name.ends_with("with time zone") => ("timestamptz", false),
            name if name.starts_with("timestamp") => ("timestamp", false),
            other => {
                let message = format!("`{}` is of type {other}, which does not grow", said.column);
                let help = "a cursor is a column of numbers, dates or points in time";
                self.wrong(&["cursor", "column"], message, Some(help.to_owned()));
                return None;
            }
        };
        if !column.not_null && !matches!(relation.kind, 'v' | 'm') {
            let message = format!("`{}` may be null, and a row without a value would never be read", said.column);
            let help = "declare it NOT NULL in the database, or leave `cursor` out";
            self.wrong(&["cursor", "column"], message, Some(help.to_owned()));
        }
        let lag = match &said.lag {
            None => None,
            Some(lag) => match lag_sql(lag, number) {
                Some(sql) => Some(sql),
                None => {
                    let example = if number { "1000" } else { "10m" };
                    let message = format!("`{lag}` is no lag of this column");
                    self.wrong(&["cursor", "lag"], message, Some(format!("say something like {example}")));
                    None
                }
            },
        };
        Some(Cursor { column: said.column.clone(), kind: kind.to_owned(), lag })
    }
}

/// A lag as SQL: a number, or `10m`, of seconds, minutes, hours and days.
fn lag_sql(text: &str, number: bool) -> Option<String> {
    let text = text.trim();
    if number {
        return text.parse::<u64>().ok().map(|lag| lag.to_string());
    }
    let (count, unit) = text.split_at(text.len().checked_sub(1)?);
    let unit = match unit {
        "s" => "seconds",
        "m" => "minutes",
        "h" => "hours",
        "d" => "days",
        _ => return None,
    };
    count.trim().parse::<u32>().ok().map(|count| format!("interval '{count} {unit}'"))
}
