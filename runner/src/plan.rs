//! `headwater plan` and `headwater migrate`: what a sync does to the destinations' tables before it writes a row, shown
//! or done. Sources are not connected to: their tables are known without.

use futures::future::join_all;
use headwater_sdk::plan::Change;
use headwater_sdk::{Budget, Error, Result, TablePlan};
use serde::Serialize;

use crate::config::Configuration;
use crate::sync::target::{Target, targets};
use crate::text::plural;

/// What was planned for one destination, or why it could not be.
pub struct DestinationPlan {
    name: String,
    plans: Result<Vec<TablePlan>>,
    /// Whether it was carried out, where that was asked for.
    done: Option<Result<(), NotDone>>,
}

/// Why a plan was not carried out to its end.
enum NotDone {
    /// A table stands in the way, or a table could not be made ready; others may have been.
    Migrate(Error),
    /// The tables were made ready, but that they stay so is not known.
    Close(Error),
}

impl NotDone {
    fn error(&self) -> &Error {
        match self {
            NotDone::Migrate(error) | NotDone::Close(error) => error,
        }
    }
}

/// Finds out what has to be done, and does it where that is asked for.
pub async fn plan(configuration: Configuration, carry_out: bool) -> Vec<DestinationPlan> {
    let budget = Budget::default();
    let plan = |target: Target| {
        target.use_memory(&budget);
        async move {
            let name = target.name.clone();
            let plans = target.plan().await;
            let mut done = None;
            if carry_out && plans.is_ok() {
                // Also where all tables fit: a folder may have to be made.
                done = Some(match target.migrate().await {
                    Ok(()) => target.close().await.map_err(NotDone::Close),
                    Err(error) => Err(NotDone::Migrate(error)),
                });
            }
            DestinationPlan { name, plans, done }
        }
    };
    let Configuration { sources, destinations, .. } = configuration;
    join_all(targets(destinations, &sources).into_iter().filter(Target::is_used).map(plan)).await
}

/// How many tables there are of each kind.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Counts {
    created: usize,
    changed: usize,
    replaced: usize,
    blocked: usize,
    fit: usize,
}

impl Counts {
    fn of(plans: &[TablePlan]) -> Self {
        let mut counts = Self::default();
        for plan in plans {
            let count = match plan.changes.first() {
                None => &mut counts.fit,
                Some(Change::Create { .. }) => &mut counts.created,
                Some(Change::Replace { .. }) => &mut counts.replaced,
                Some(Change::Blocked { .. }) => &mut counts.blocked,
                Some(Change::Add { .. } | Change::Widen { .. } | Change::Relax { .. }) => &mut counts.changed,
            };
            *count += 1;
        }
        counts
    }
}

impl DestinationPlan {
    /// Whether it can be, or was, carried out.
    pub fn is_well(&self) -> bool {
        let can = self.plans.as_ref().is_ok_and(|plans| Counts::of(plans).blocked == 0);
        can && self.done.as_ref().is_none_or(Result::is_ok)
    }

    /// The plan as lines, in the manner of a diff: `+` is made, `~` changed, `-` dropped, `!` blocked.
    pub fn text(&self, verbose: bool) -> String {
        let name = &self.name;
        let plans = match &self.plans {
            Ok(plans) => plans,
            Err(error) => return format!("destination {name}\n  ✗ {error}\n"),
        };
        let mut text = format!("destination {name}\n");
        for plan in plans.iter().filter(|plan| !plan.changes.is_empty()) {
            for line in table_lines(plan, verbose) {
                text.push_str(&format!("  {line}\n"));
            }
        }
        let Counts { created, changed, replaced, blocked, fit } = Counts::of(plans);
        let counted = [
            (created, "created"),
            (changed, "changed"),
            (replaced, "dropped and created anew"),
            (blocked, "blocked"),
            (fit, "as it has to be"),
        ];
        let counted = counted.iter().filter(|(number, _)| *number > 0);
        let counted = counted.map(|(number, what)| format!("{} {what}", plural(*number, "table")));
        let counted = counted.collect::<Vec<_>>().join(", ");
        text.push_str(&match &self.done {
            // What is blocked has been told, and keeps all else from being done.
            Some(Err(NotDone::Migrate(_))) if blocked > 0 => format!("  ✗ nothing was changed: {counted}\n"),
            Some(Err(NotDone::Migrate(error))) => format!("  ✗ not all was done: {}\n", indented(error)),
            Some(Err(NotDone::Close(error))) => {
                format!("  ✗ all was done, but it may not last, since the end failed: {}\n", indented(error))
            }
            Some(Ok(())) => format!("  ✓ done: {counted}\n"),
            None if fit == plans.len() => format!("  = nothing is to be done: {counted}\n"),
            None => format!("  = to be done: {counted}\n"),
        });
        text
    }

    /// The plan for programs.
    pub fn json(&self) -> serde_json::Value {
        let error = self.plans.as_ref().err().or_else(|| self.done.as_ref()?.as_ref().err().map(NotDone::error));
        let error = error.map(ToString::to_string);
        let plans = self.plans.as_deref().unwrap_or_default();
        serde_json::json!({
            "destination": self.name,
            "counts": Counts::of(plans),
            "tables": plans.iter().map(|plan| serde_json::json!({
                "table": plan.table,
                "changes": plan.changes.iter().map(change_json).collect::<Vec<_>>(),
            })).collect::<Vec<_>>(),
            "carried_out": matches!(self.done, Some(Ok(()))),
            "error": error,
        })
    }
}

fn indented(error: &Error) -> String {
    error.to_string().replace('\n', "\n    ")
}

/// The lines of one table.
fn table_lines(plan: &TablePlan, verbose: bool) -> Vec<String> {
    let table = &plan.table;
    let typed = |columns: &[(String, String)]| -> Vec<String> {
        let width = columns.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        columns.iter().filter(|_| verbose).map(|(name, kind)| format!("    + {name:width$}  {kind}")).collect()
    };
    let mut lines = Vec::new();
    for change in &plan.changes {
        match change {
            Change::Create { columns, key } => {
                let key = if key.is_empty() { "no key".to_owned() } else { format!("key {}", key.join(", ")) };
                lines.push(format!("+ {table}  ({}, {key})", plural(columns.len(), "column")));
                lines.extend(typed(columns));
            }
            Change::Replace { why, columns } => {
                lines.push(format!("- {table}  (dropped with its rows: {})", without_table(why, table)));
                lines.push(format!("+ {table}  ({})", plural(columns.len(), "column")));
                lines.extend(typed(columns));
            }
            Change::Blocked { why, forceable } => {
                lines.push(format!("! {table}  ({})", without_table(why, table)));
                if *forceable {
                    lines.push(
                        "    `migrate_mode: forced` drops the table with its rows and creates it anew".to_owned(),
                    );
                }
            }
            other => {
                if lines.is_empty() {
                    lines.push(format!("~ {table}"));
                }
                lines.push(match other {
                    Change::Add { column, kind } => format!("    + {column}  {kind}"),
                    Change::Widen { column, from, to } => format!("    ~ {column}  {from} → {to}"),
                    Change::Relax { column } => format!("    ~ {column}  may be null"),
                    _ => continue,
                });
            }
        }
    }
    lines
}

/// A reason behind the table's name, which does not have to come twice.
fn without_table<'a>(why: &'a str, table: &str) -> &'a str {
    let rest = why.strip_prefix("table ").and_then(|rest| rest.strip_prefix(table));
    rest.map_or(why, |rest| rest.trim_start_matches([',', ':', ' ']))
}

fn change_json(change: &Change) -> serde_json::Value {
    let columns = |columns: &[(String, String)]| -> Vec<serde_json::Value> {
        columns.iter().map(|(name, kind)| serde_json::json!({ "name": name, "type": kind })).collect()
    };
    match change {
        Change::Create { columns: all, key } => {
            serde_json::json!({ "change": "create", "columns": columns(all), "key": key })
        }
        Change::Add { column, kind } => serde_json::json!({ "change": "add", "column": column, "type": kind }),
        Change::Widen { column, from, to } => {
            serde_json::json!({ "change": "widen", "column": column, "from": from, "to": to })
        }
        Change::Relax { column } => serde_json::json!({ "change": "relax", "column": column }),
        Change::Replace { why, columns: all } => {
            serde_json::json!({ "change": "replace", "why": why, "columns": columns(all) })
        }
        Change::Blocked { why, forceable } => {
            serde_json::json!({ "change": "blocked", "why": why, "forceable": forceable })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_that_fails_is_told_from_a_migration_that_fails() {
        let told = |done: NotDone| {
            let plans = Ok(vec![TablePlan::fits("a")]);
            let plan = DestinationPlan { name: "d".to_owned(), plans, done: Some(Err(done)) };
            assert!(!plan.is_well() && plan.json()["error"] == "it broke", "{}", plan.json());
            plan.text(false)
        };
        let error = || Error::destination("it broke");
        assert_eq!(told(NotDone::Migrate(error())), "destination d\n  ✗ not all was done: it broke\n");
        let closed = told(NotDone::Close(error()));
        assert!(closed.contains("✗ all was done, but it may not last, since the end failed: it broke"), "{closed}");
    }
}
