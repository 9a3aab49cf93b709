//! The units of a table.

use std::sync::Arc;

use headwater_clickhouse_client::sql::{literal, quote};
use headwater_clickhouse_client::{Server, of_source};
use headwater_sdk::divide::{Step, covering, unit_name};
use headwater_sdk::registry::Node;
use headwater_sdk::schema::UNIT;
use headwater_sdk::{Bound, Error, Range, Result, Unit};

use crate::axis::Axis;
use crate::catalog::Found;
use crate::discover::{Mistakes, ReadColumn, Readable, unknown};
use crate::spec::{By, Divide};
use crate::types::Type;

/// More units than these of one table are taken for a mistake.
const MOST: usize = 10_000;

/// How a table is divided.
pub enum Division {
    /// It is one unit.
    Whole,
    /// Each of ClickHouse's own partitions is one.
    Partition,
    /// Ranges of a column's values.
    Range { own: String, name: String, axis: Axis, cuts: Cuts },
    /// So many parts by a hash of columns, in SQL.
    Hash { hash: String, parts: u32 },
}

/// Where one range ends and the next begins.
pub enum Cuts {
    Step(Step),
    At(Vec<Bound>),
}

impl Division {
    /// Whether the unit of a row can be told by the row's own values.
    pub fn is_by_value(&self) -> bool {
        matches!(self, Division::Whole | Division::Range { .. })
    }
}

/// What a unit reads.
pub struct Piece {
    pub table: Arc<Readable>,
    /// What stands behind `WHERE`, if anything.
    pub condition: Option<String>,
}

/// The division that the spec asks for. What is wrong with it is said, and then it is of no matter.
pub fn division(found: &Found, divide: Option<&Divide>, columns: &[ReadColumn], mistakes: &mut Mistakes) -> Division {
    let Some(divide) = divide else { return Division::Whole };
    let only = match divide.by {
        By::Partition => &[][..],
        By::Range => &["column", "step", "bounds"],
        By::Hash => &["column", "columns", "parts"],
    };
    for (name, is_there) in [
        ("column", divide.column.is_some()),
        ("columns", divide.columns.is_some()),
        ("step", divide.step.is_some()),
        ("bounds", divide.bounds.is_some()),
        ("parts", divide.parts.is_some()),
    ] {
        if is_there && !only.contains(&name) {
            mistakes.add(&["divide", name], format!("`{name}` does not go with this `by`"), None);
        }
    }
    match divide.by {
        By::Partition => {
            if !found.engine.ends_with("MergeTree") {
                let message = format!("{} is of engine {}, which has no partitions", found.name, found.engine);
                let help = "tables of the MergeTree family have; others can be divided `by: range` or `by: hash`";
                mistakes.add(&["divide", "by"], message, Some(help.to_owned()));
            }
            Division::Partition
        }
        By::Range => range(found, divide, columns, mistakes).unwrap_or(Division::Whole),
        By::Hash => hash(found, divide, columns, mistakes).unwrap_or(Division::Whole),
    }
}

fn range(found: &Found, divide: &Divide, columns: &[ReadColumn], mistakes: &mut Mistakes) -> Option<Division> {
    let Some(named) = &divide.column else {
        mistakes.add(&["divide"], "`by: range` needs a `column`", None);
        return None;
    };
    let at = ["divide", "column"];
    let Some(column) = columns.iter().find(|column| column.own == *named) else {
        unknown(found, &at, named, mistakes);
        return None;
    };
    let nullable = column.nullable || column.own_kind.text.contains("Nullable(");
    let Some(axis) = Axis::of(&column.own_kind).filter(|axis| !nullable && axis.goes_with(&column.kind)) else {
        let why = if nullable { "whose values may be missing" } else { "which has no ranges" };
        let kind = match Axis::of(&column.own_kind) {
            Some(_) if !nullable => column.kind.column_type().name(),
            _ => column.own_kind.text.clone(),
        };
        let help =
            "ranges are of whole numbers, dates and times that are never missing; others can be divided `by: hash`";
        mistakes.add(&at, format!("`{named}` is {kind}, {why}"), Some(help.to_owned()));
        return None;
    };
    let cuts = match (&divide.step, &divide.bounds) {
        (Some(step), None) => match axis.plain().step(step) {
            Some(step) => Cuts::Step(step),
            None => {
                let help = format!("it is {}", axis.plain().steps());
                mistakes.add(
                    &["divide", "step"],
                    format!("`{step}` is no step of {}", column.own_kind.text),
                    Some(help),
                );
                return None;
            }
        },
        (None, Some(bounds)) => Cuts::At(self::bounds(bounds, axis, column, mistakes)?),
        _ => {
            mistakes.add(&["divide"], "`by: range` needs either a `step` or `bounds`", None);
            return None;
        }
    };
    Some(Division::Range { own: column.own.clone(), name: column.name.clone(), axis, cuts })
}

fn bounds(texts: &[String], axis: Axis, column: &ReadColumn, mistakes: &mut Mistakes) -> Option<Vec<Bound>> {
    let mut bounds: Vec<Bound> = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        let place = index.to_string();
        let at = ["divide", "bounds", place.as_str()];
        match axis.bound(text) {
            None => {
                let message = format!("`{text}` is no value of {}", column.own_kind.text);
                mistakes.add(&at, message, Some(format!("it is {}", axis.values())));
                return None;
            }
            Some(bound) if bounds.last().is_some_and(|last| *last >= bound) => {
                mistakes.add(&at, "it is not more than the one before it", None);
                return None;
            }
            Some(bound) => bounds.push(bound),
        }
    }
    if bounds.is_empty() || bounds.len() >= MOST {
        mistakes.add(&["divide", "bounds"], format!("there must be between 1 and {} of them", MOST - 1), None);
        return None;
    }
    Some(bounds)
}

fn hash(found: &Found, divide: &Divide, columns: &[ReadColumn], mistakes: &mut Mistakes) -> Option<Division> {
    let named: Vec<(Vec<String>, &String)> = match (&divide.column, &divide.columns) {
        (Some(column), None) => vec![(vec!["divide".to_owned(), "column".to_owned()], column)],
        (None, Some(columns)) if !columns.is_empty() => {
            let at = |index: usize| vec!["divide".to_owned(), "columns".to_owned(), index.to_string()];
            columns.iter().enumerate().map(|(index, column)| (at(index), column)).collect()
        }
        _ => {
            mistakes.add(&["divide"], "`by: hash` needs a `column` or `columns`", None);
            return None;
        }
    };
    let before = mistakes.found.len();
    for (at, name) in &named {
        if !columns.iter().any(|column| column.own == **name) {
            let at: Vec<&str> = at.iter().map(String::as_str).collect();
            unknown(found, &at, name, mistakes);
        }
    }
    let parts = divide.parts.unwrap_or_default();
    if !(1..=MOST).contains(&(parts as usize)) {
        let message = format!("`by: hash` needs `parts`, of which there are 1 to {MOST}");
        mistakes.add(&["divide"], message, None);
    }
    let texts: Vec<String> = columns
        .iter()
        .filter(|column| named.iter().any(|(_, name)| **name == column.own))
        .map(|column| match !column.nullable && is_hashed(&column.own_kind) {
            true => quote(&column.own),
            // A text is there for every value of every type, and a hash of a missing one would be missing.
            false => format!("ifNull(toString({}), '')", quote(&column.own)),
        })
        .collect();
    let hash = format!("cityHash64({})", texts.join(", "));
    (mistakes.found.len() == before).then_some(Division::Hash { hash, parts })
}

/// Whether values of a type, none of which are missing, have a hash as they are.
fn is_hashed(kind: &Type) -> bool {
    matches!(kind.name.as_str(), "String" | "UUID") || Axis::of(kind).is_some_and(|_| !kind.text.contains("Nullable("))
}

/// The units of a table.
pub async fn units(server: &Server, node: &Arc<Node>, table: &Arc<Readable>) -> Result<Vec<Unit>> {
    let unit = |scope: String, condition: Option<String>, ranges: Vec<Range>| {
        let predicate = match table.division.is_by_value() {
            true => Vec::new(),
            false => vec![(UNIT.to_owned(), scope.clone())],
        };
        let handle = Arc::new(Piece { table: Arc::clone(table), condition });
        Unit { node: Arc::clone(node), scope, handle, predicate, ranges }
    };
    let units: Vec<Unit> = match &table.division {
        Division::Whole => vec![unit(String::new(), None, Vec::new())],
        Division::Partition => {
            let sql = format!("SELECT DISTINCT _partition_id FROM {} ORDER BY 1", table.from);
            let ids = server.rows(&sql).await.map_err(of_source)?.into_iter().flatten();
            ids.map(|id| {
                let condition = format!("_partition_id = {}", literal(&id));
                unit(id, Some(condition), Vec::new())
            })
            .collect()
        }
        Division::Hash { hash, parts } => (0..*parts)
            .map(|part| unit(format!("{}-{parts}", part + 1), Some(format!("{hash} % {parts} = {part}")), Vec::new()))
            .collect(),
        Division::Range { own, name, axis, cuts } => {
            let cuts = match cuts {
                Cuts::At(bounds) => bounds.clone(),
                Cuts::Step(step) => self::cuts(server, table, own, *axis, *step).await?,
            };
            let of_range = |range: Range| {
                let condition = range.sql(&quote(own), |bound| axis.literal(bound));
                unit(unit_name(std::slice::from_ref(&range)), Some(condition), vec![range])
            };
            covering(name, &cuts).into_iter().map(of_range).collect()
        }
    };
    Ok(units)
}

/// Where ranges end between the least and the greatest value that there is.
async fn cuts(server: &Server, table: &Readable, own: &str, axis: Axis, step: Step) -> Result<Vec<Bound>> {
    let [least, most] =
        ["min", "max"].map(|end| format!("toString({})", axis.number(&format!("{end}({})", quote(own)))));
    let rows = server.rows(&format!("SELECT {least}, {most}, toString(count()) FROM {}", table.from)).await;
    let rows = rows.map_err(of_source)?;
    let numbers: Vec<i64> = rows.iter().flatten().filter_map(|text| text.parse().ok()).collect();
    let [least, most, count] = numbers[..] else {
        return Err(Error::fatal(format!("the ends of `{own}` cannot be read: {rows:?}")));
    };
    if count == 0 {
        return Ok(Vec::new());
    }
    let cuts: Vec<i64> = step.within(least, most).take(MOST).collect();
    if cuts.len() == MOST {
        return Err(Error::fatal(format!("the `step` of `divide` makes more than {MOST} units; choose a longer one")));
    }
    Ok(cuts.into_iter().map(|cut| axis.plain().of_number(cut)).collect())
}
