//! The units of a table: what each of them reads.

use headwater_sdk::divide::{Axis, covering, unit_name};
use headwater_sdk::schema::UNIT;
use headwater_sdk::sql::quote;
use headwater_sdk::{Bound, Error, Range, Result, Timestamp};
use tokio_postgres::Client;

use crate::discover::{Cut, Division, Found, Kind, Periods};
use crate::relations::{Leaf, leaves};
use crate::spec::By;

/// More units than this are a mistake.
const MOST: usize = 100_000;

/// What one unit reads.
#[derive(Debug, Clone, Default)]
pub struct Piece {
    /// What it is called, apart from the table.
    pub name: String,
    /// The ranges that its rows are in, by the columns' names in the destination.
    pub ranges: Vec<Range>,
    /// Whether it is told by its name, which its rows carry.
    pub is_named: bool,
    /// What is read, where it is not the whole table: a partition.
    pub from: Option<String>,
    /// Conditions of SQL.
    pub conditions: Vec<String>,
}

impl Piece {
    /// The column values by which its rows are told.
    pub fn predicate(&self) -> Vec<(String, String)> {
        if self.is_named { vec![(UNIT.to_owned(), self.name.clone())] } else { Vec::new() }
    }
}

/// Text as SQL.
pub fn literal(text: &str) -> String {
    // Whether backslashes mean something is a setting of the server.
    match text.contains('\\') {
        true => format!(" E'{}'", text.replace('\\', "\\\\").replace('\'', "''")),
        false => format!("'{}'", text.replace('\'', "''")),
    }
}

/// A bound as SQL, for a column of a kind.
fn bound_sql(bound: Bound, kind: Kind) -> String {
    match kind {
        Kind::Number => bound.to_string(),
        Kind::Date => format!("date '{bound}'"),
        Kind::Local => format!("timestamp '{bound}'"),
        Kind::Zoned => format!("timestamptz '{bound}Z'"),
    }
}

fn condition(cut: &Cut, range: &Range) -> String {
    range.sql(&quote(&cut.column), |bound| bound_sql(bound, cut.kind))
}

/// The least and the greatest value of a column; none where there is no value, or none that is finite.
async fn extent(client: &Client, found: &Found, cut: &Cut) -> Result<Option<(i64, i64)>, tokio_postgres::Error> {
    let column = quote(&cut.column);
    let (number, finite) = match cut.kind {
        Kind::Number if cut.is_numeric => ("floor({})::bigint", "{} <> 'NaN'"),
        Kind::Number => ("{}::bigint", "true"),
        Kind::Date => ("({} - date '1970-01-01')::bigint", "isfinite({})"),
        Kind::Local | Kind::Zoned => ("floor(extract(epoch FROM {}) * 1000000)::bigint", "isfinite({})"),
    };
    let of = |what: &str, aggregate: &str| what.replace("{}", &format!("{aggregate}({column})"));
    let sql = format!(
        "SELECT {}, {} FROM {} WHERE {} AND {}",
        of(number, "min"),
        of(number, "max"),
        found.relation.sql(),
        finite.replace("{}", &column),
        found.filter()
    );
    let row = client.query_one(&sql, &[]).await?;
    let (Some(least), Some(greatest)) = (row.get::<_, Option<i64>>(0), row.get::<_, Option<i64>>(1)) else {
        return Ok(None);
    };
    Ok(Some((least, greatest)))
}

/// The ranges that a table is divided into, which have every row.
async fn ranges(client: &Client, found: &Found, division: &Division, cut: &Cut) -> Result<Vec<Range>> {
    let Some(step) = division.step else { return Ok(covering(&cut.name, &division.bounds)) };
    let extent = extent(client, found, cut).await.map_err(|error| found.explain(&error))?;
    let Some((least, greatest)) = extent else { return Ok(covering(&cut.name, &[])) };
    let axis = cut.kind.axis();
    let bounds: Vec<Bound> = step.within(least, greatest).take(MOST).map(|at| axis.of_number(at)).collect();
    if bounds.len() == MOST {
        return Err(Error::fatal(format!(
            "table {}: the `step` of `divide` makes more than {MOST} units of the values from {} to {} of `{}`; choose a \
             longer one",
            found.schema.name,
            axis.of_number(least),
            axis.of_number(greatest),
            cut.column
        )));
    }
    Ok(covering(&cut.name, &bounds))
}

/// The periods that are read, as ranges that have an end.
fn chosen_periods(found: &Found) -> Result<Vec<(Cut, Range)>> {
    let Some(Periods { cut, every, from, until, last }) = &found.periods else { return Ok(Vec::new()) };
    let axis = cut.kind.axis();
    let now = Timestamp::now().0;
    let now = if axis == Axis::Date { now.div_euclid(86_400_000_000) } else { now };
    let beyond = || Error::fatal(format!("table {}: `periods` is beyond the calendar", found.schema.name));
    let around = |at: i64, later: i64| every.around(at, later).ok_or_else(beyond);
    let (mut at, end) = match (last, from, until) {
        (Some(last), ..) => (around(now, -i64::from(*last))?, around(now, 0)?),
        (None, Some(from), Some(until)) => (around(from.number(), 0)?, until.number()),
        (None, Some(from), None) => (around(from.number(), 0)?, around(now, 1)?),
        (None, None, _) => return Err(Error::fatal("`periods` has no beginning")),
    };
    let mut periods = Vec::new();
    // Where the end is within a period, that is read as a whole.
    while at < end {
        if periods.len() == MOST {
            return Err(Error::fatal(format!("table {}: `periods` are more than {MOST}", found.schema.name)));
        }
        let next = around(at, 1)?;
        let [from, until] = [at, next].map(|at| Some(axis.of_number(at)));
        periods.push((cut.clone(), Range { column: cut.name.clone(), from, until }));
        at = next;
    }
    Ok(periods)
}

/// The units of a table. `None` where it is read as a whole, as one unit.
pub async fn pieces(client: &Client, found: &Found) -> Result<Vec<Piece>> {
    let parts = match &found.division {
        None => vec![Piece::default()],
        Some(division) => parts(client, found, division).await?,
    };
    let periods = chosen_periods(found)?;
    if periods.is_empty() {
        return Ok(parts);
    }
    if periods.len().saturating_mul(parts.len()) > MOST {
        return Err(Error::fatal(format!("table {}: it would be read in more than {MOST} units", found.schema.name)));
    }
    let mut all = Vec::new();
    for (cut, range) in &periods {
        for part in &parts {
            let mut piece = part.clone();
            piece.conditions.insert(0, condition(cut, range));
            piece.ranges.insert(0, range.clone());
            let period = unit_name(std::slice::from_ref(range));
            piece.name = if part.name.is_empty() { period } else { format!("{period}/{}", part.name) };
            all.push(piece);
        }
    }
    Ok(all)
}

async fn parts(client: &Client, found: &Found, division: &Division) -> Result<Vec<Piece>> {
    let named = |name: String, conditions: Vec<String>| Piece { name, is_named: true, conditions, ..Piece::default() };
    Ok(match division.by {
        By::Range => {
            let Some(cut) = &division.cut else { return Err(Error::fatal("a division by ranges has no column")) };
            let ranges = ranges(client, found, division, cut).await?;
            let piece = |range: Range| Piece {
                name: unit_name(std::slice::from_ref(&range)),
                conditions: vec![condition(cut, &range)],
                ranges: vec![range],
                ..Piece::default()
            };
            ranges.into_iter().map(piece).collect()
        }
        By::List => {
            let Some(cut) = &division.listed else { return Err(Error::fatal("a division by a list has no column")) };
            let column = quote(cut);
            let value =
                |value: &String| named(format!("{cut}={value}"), vec![format!("{column} = {}", literal(value))]);
            let all: Vec<String> = division.values.iter().map(|value| literal(value)).collect();
            let others = format!("({column} IS NULL OR {column} NOT IN ({}))", all.join(", "));
            division.values.iter().map(value).chain([named(format!("{cut}=.."), vec![others])]).collect()
        }
        By::Hash => {
            let columns: Vec<String> =
                division.columns.iter().map(|column| format!("{}::text", quote(column))).collect();
            let parts = division.parts;
            // The same row is of the same part in every version of the server.
            let hash = format!("('x' || left(md5(ROW({})::text), 7))::bit(28)::int % {parts}", columns.join(", "));
            (0..parts).map(|part| named(format!("hash={part}/{parts}"), vec![format!("{hash} = {part}")])).collect()
        }
        By::Ctid | By::Partition => {
            let leaves = leaves(client, &found.relation).await.map_err(|error| found.explain(&error))?;
            let several = found.relation.is_parent || found.relation.kind == 'p';
            let mut all = Vec::new();
            if leaves.is_empty() {
                return Ok(vec![named("empty".to_owned(), Vec::new())]);
            }
            let pages: u64 = leaves.iter().map(|leaf| leaf.pages).sum();
            for leaf in &leaves {
                for (name, conditions) in by_place(leaf, division, pages) {
                    let name = match (several, name.is_empty()) {
                        (true, true) => leaf.name.clone(),
                        (true, false) => format!("{}/{name}", leaf.name),
                        (false, _) => name,
                    };
                    all.push(Piece { from: Some(format!("ONLY {}", leaf.sql)), ..named(name, conditions) });
                }
            }
            all
        }
    })
}

/// The parts of a table with a file of its own: each has as many of the pages as its share of the whole.
fn by_place(leaf: &Leaf, division: &Division, pages: u64) -> Vec<(String, Vec<String>)> {
    if division.by == By::Partition || !leaf.has_pages {
        return vec![(String::new(), Vec::new())];
    }
    let each = pages.div_ceil(u64::from(division.parts)).max(1);
    let count = leaf.pages.div_ceil(each).max(1);
    let part = |at: u64| {
        let mut conditions = Vec::new();
        if at > 0 {
            conditions.push(format!("ctid >= '({},0)'::tid", at * each));
        }
        // The last one has what was added since the pages were counted.
        if at + 1 < count {
            conditions.push(format!("ctid < '({},0)'::tid", (at + 1) * each));
        }
        (format!("ctid={at}"), conditions)
    };
    (0..count).map(part).collect()
}
