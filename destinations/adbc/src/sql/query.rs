//! The query, as DuckDB's own parser reads it: refused where it is more than a look at one row, and split into columns that
//! pass and columns that are computed.

use std::collections::HashSet;

use headwater_sdk::{Result, TableSchema};
use serde_json::{Value, json};

use crate::dialect::literal;
use crate::session::Session;

/// The column that numbers the rows of `input`.
pub const ROW: &str = "__headwater_row";

/// Words that are functions without parentheses, beside those that DuckDB lists.
const NOW: [&str; 4] = ["current_timestamp", "current_time", "localtime", "localtimestamp"];

/// Why a query is not taken.
#[derive(Debug)]
pub struct Refused {
    pub message: String,
    pub help: Option<&'static str>,
}

fn refused<T>(message: impl Into<String>, help: &'static str) -> Result<T, Refused> {
    Err(Refused { message: message.into(), help: Some(help) })
}

/// A column of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item {
    /// A column of the table, by its place.
    Passed(usize),
    /// One that DuckDB computes.
    Computed,
}

/// What is done with a batch.
pub struct Plan {
    /// The columns by name, in their order.
    pub items: Vec<(String, Item)>,
    /// The columns of the table that the query speaks of, where they do not only pass.
    pub needed: Vec<usize>,
    /// The query of the rows' numbers and the computed columns.
    pub sql: String,
    /// Whether there is nothing to ask.
    pub only_passes: bool,
}

/// Functions that look at more than a row.
struct Functions {
    aggregates: HashSet<String>,
    /// Their values are others each time.
    volatile: HashSet<String>,
}

impl Functions {
    fn of(session: &mut Session) -> Result<Self> {
        let found = session.query(
            "SELECT function_name, function_type = 'aggregate' FROM duckdb_functions() \
             WHERE stability IN ('VOLATILE', 'CONSISTENT_WITHIN_QUERY') OR (function_type = 'aggregate' AND function_name \
             NOT IN (SELECT function_name FROM duckdb_functions() WHERE function_type = 'scalar'))",
        )?;
        let mut functions = Self { aggregates: HashSet::new(), volatile: NOW.map(str::to_owned).into() };
        for row in found {
            if let [Some(name), Some(aggregate)] = row.as_slice() {
                let to = if aggregate == "true" { &mut functions.aggregates } else { &mut functions.volatile };
                to.insert(name.to_ascii_lowercase());
            }
        }
        Ok(functions)
    }
}

fn text<'a>(node: &'a Value, key: &str) -> &'a str {
    node[key].as_str().unwrap_or_default()
}

fn list<'a>(node: &'a Value, key: &str) -> &'a [Value] {
    node[key].as_array().map(Vec::as_slice).unwrap_or_default()
}

impl Plan {
    /// Reads a query over a table.
    ///
    /// # Errors
    /// The outer one where DuckDB could not be asked, the inner one where the query is refused.
    pub fn read(session: &mut Session, query: &str, table: &TableSchema) -> Result<Result<Self, Refused>> {
        let tree = session.query(&format!("SELECT json_serialize_sql({})", literal(query)))?;
        let tree = tree.into_iter().flatten().flatten().next().unwrap_or_default();
        let tree: Value = serde_json::from_str(&tree).map_err(headwater_sdk::Error::fatal)?;
        let functions = Functions::of(session)?;
        let mut plan = match Self::of(&tree, table, &functions) {
            Ok(plan) => plan,
            Err(refused) => return Ok(Err(refused)),
        };
        let sql = session.query(&format!("SELECT json_deserialize_sql({})", literal(&plan.sql)))?;
        plan.sql = sql.into_iter().flatten().flatten().next().unwrap_or_default();
        Ok(Ok(plan))
    }

    /// Of the tree, whose own text is in the place of the query.
    fn of(tree: &Value, table: &TableSchema, functions: &Functions) -> Result<Self, Refused> {
        if tree["error"] == true {
            return match text(tree, "error_type") {
                "parser" => refused(format!("it is no SQL: {}", text(tree, "error_message")), "it is DuckDB's SQL"),
                _ => refused("it is not a SELECT", "write `SELECT … FROM input WHERE …`"),
            };
        }
        let [statement] = list(tree, "statements") else {
            return refused("there is more than one statement", "write one SELECT, or several transformers");
        };
        let node = &statement["node"];
        check_shape(node)?;
        let source = &node["from_table"];
        let aliases = [text(source, "alias"), if text(source, "alias").is_empty() { "input" } else { "" }];
        let named = |name: &str| aliases.iter().any(|alias| !alias.is_empty() && alias.eq_ignore_ascii_case(name));
        let place = |name: &str| table.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name));
        let (mut items, mut computed) = (Vec::new(), Vec::new());
        for item in list(node, "select_list") {
            if text(item, "class") == "STAR" {
                star(item, table, &named, &mut items, &mut computed)?;
                continue;
            }
            let alias = text(item, "alias");
            let names: Vec<&str> = list(item, "column_names").iter().filter_map(Value::as_str).collect();
            let own = match names.as_slice() {
                [name] => Some(*name),
                [of, name] if named(of) => Some(*name),
                _ => None,
            };
            if let Some(at) = own.and_then(place) {
                let name = if alias.is_empty() { &table.columns[at].name } else { alias };
                items.push((name.to_owned(), Item::Passed(at)));
                continue;
            }
            let name = if alias.is_empty() { names.last().copied().unwrap_or_default() } else { alias };
            if name.is_empty() {
                return refused("a column that is computed has no name", "give it one: `price * 2 AS twice`");
            }
            items.push((name.to_owned(), Item::Computed));
            computed.push(item.clone());
        }
        let mut needed = HashSet::new();
        for part in computed.iter().chain([&node["where_clause"]]) {
            check_expression(part, table, functions, &mut needed)?;
        }
        let mut needed: Vec<usize> = needed.into_iter().collect();
        needed.sort_unstable();
        let only_passes = computed.is_empty() && node["where_clause"].is_null();
        for (number, item) in computed.iter_mut().enumerate() {
            item["alias"] = json!(format!("e{number}"));
        }
        computed.insert(0, json!({ "class": "COLUMN_REF", "type": "COLUMN_REF", "alias": "", "column_names": [ROW] }));
        let mut asked = tree.clone();
        asked["statements"][0]["node"]["select_list"] = computed.into();
        Ok(Self { items, needed, sql: asked.to_string(), only_passes })
    }
}

/// What is around the columns and the condition.
fn check_shape(node: &Value) -> Result<(), Refused> {
    const ONE: &str = "a transformer sees one batch at a time, and each row by itself";
    let source = &node["from_table"];
    let is_input = text(source, "type") == "BASE_TABLE"
        && text(source, "table_name").eq_ignore_ascii_case("input")
        && ["schema_name", "catalog_name"].iter().all(|key| text(source, key).is_empty());
    if text(node, "type") != "SELECT_NODE" {
        return refused("UNION, EXCEPT and the like are not supported", ONE);
    }
    if text(source, "type") == "JOIN" {
        return refused("there is a join", "only the table `input` is here");
    }
    if !is_input || !list(source, "column_name_alias").is_empty() || !source["at_clause"].is_null() {
        return refused("it does not read `FROM input`", "`input` is the batch, and no other table is here");
    }
    if !list(&node["cte_map"], "map").is_empty() {
        return refused("WITH is not supported", "write several transformers, one after the other");
    }
    if let [modifier, ..] = list(node, "modifiers") {
        return match text(modifier, "type") {
            "ORDER_MODIFIER" => refused("ORDER BY has no meaning here", ONE),
            "DISTINCT_MODIFIER" => refused("DISTINCT would be of one batch only", ONE),
            _ => refused("LIMIT would be of one batch only", ONE),
        };
    }
    let grouped =
        !list(node, "group_expressions").is_empty() || text(node, "aggregate_handling") != "STANDARD_HANDLING";
    if grouped || !node["having"].is_null() {
        return refused("GROUP BY would be of one batch only", ONE);
    }
    if !node["qualify"].is_null() || !node["sample"].is_null() || !source["sample"].is_null() {
        return refused("QUALIFY and SAMPLE would be of one batch only", ONE);
    }
    Ok(())
}

/// `*`, with what is excluded, replaced and renamed.
fn star(
    item: &Value,
    table: &TableSchema,
    named: &dyn Fn(&str) -> bool,
    items: &mut Vec<(String, Item)>,
    computed: &mut Vec<Value>,
) -> Result<(), Refused> {
    if item["columns"] == true || !item["expr"].is_null() || !list(item, "qualified_exclude_list").is_empty() {
        return refused("COLUMNS(…) and patterns of columns are not supported", "name the columns");
    }
    let relation = text(item, "relation_name");
    if !relation.is_empty() && !named(relation) {
        return refused(format!("there is no table `{relation}`"), "only the table `input` is here");
    }
    let is = |name: &str, other: &str| name.eq_ignore_ascii_case(other);
    let excluded: Vec<&str> = list(item, "exclude_list").iter().filter_map(Value::as_str).collect();
    let replaced = list(item, "replace_list");
    let renamed = list(item, "rename_list");
    let from = |entry: &Value| entry["key"]["column"].as_str().unwrap_or_default().to_owned();
    let names = excluded.iter().map(|name| (*name).to_owned());
    let names = names.chain(replaced.iter().map(|entry| text(entry, "key").to_owned())).chain(renamed.iter().map(from));
    for name in names {
        if !table.columns.iter().any(|column| is(&column.name, &name)) {
            return refused(format!("there is no column `{name}`"), "`headwater tables` shows the columns");
        }
    }
    for (at, column) in table.columns.iter().enumerate() {
        let name = &column.name;
        if excluded.iter().any(|other| is(name, other)) {
            continue;
        }
        if let Some(entry) = replaced.iter().find(|entry| is(name, text(entry, "key"))) {
            items.push((name.clone(), Item::Computed));
            computed.push(entry["value"].clone());
            continue;
        }
        let new = renamed.iter().find(|entry| is(name, &from(entry))).and_then(|entry| entry["value"].as_str());
        items.push((new.unwrap_or(name).to_owned(), Item::Passed(at)));
    }
    Ok(())
}

/// Refuses what looks at more than a row, and notes the columns that are spoken of.
fn check_expression(
    node: &Value,
    table: &TableSchema,
    functions: &Functions,
    needed: &mut HashSet<usize>,
) -> Result<(), Refused> {
    const TIME: &str = "`_cq_sync_time` is the time of the sync, the same for all rows";
    const ROWS: &str = "each row must come of one row, and of that alone";
    match node {
        Value::Array(items) => items.iter().try_for_each(|item| check_expression(item, table, functions, needed)),
        Value::Object(members) => {
            match text(node, "class") {
                "SUBQUERY" => return refused("there is a query within it", ROWS),
                "WINDOW" => return refused("there is a window function", ROWS),
                "STAR" => return refused("there is a `*` within an expression", "name the columns"),
                "PARAMETER" => return refused("there is a parameter", "write the value"),
                "FUNCTION" => {
                    let name = text(node, "function_name").to_ascii_lowercase();
                    if functions.aggregates.contains(&name) {
                        let shown = if name == "count_star" { "count(*)" } else { &name };
                        return refused(format!("`{shown}` is an aggregate"), ROWS);
                    }
                    if functions.volatile.contains(&name) {
                        return refused(format!("`{name}` has another value each time"), TIME);
                    }
                    if ["unnest", "unlist", "generate_subscripts"].contains(&name.as_str()) {
                        return refused(format!("`{name}` makes several rows of one"), ROWS);
                    }
                }
                "COLUMN_REF" => {
                    let names: Vec<&str> = list(node, "column_names").iter().filter_map(Value::as_str).collect();
                    let is = |at: &usize| names.iter().any(|name| table.columns[*at].name.eq_ignore_ascii_case(name));
                    let found: Vec<usize> = (0..table.columns.len()).filter(is).collect();
                    let word = names.first().map(|name| name.to_ascii_lowercase()).unwrap_or_default();
                    if found.is_empty() && names.len() == 1 && functions.volatile.contains(&word) {
                        return refused(format!("`{word}` has another value each time"), TIME);
                    }
                    needed.extend(found);
                }
                _ => {}
            }
            members.values().try_for_each(|member| check_expression(member, table, functions, needed))
        }
        _ => Ok(()),
    }
}
