//! `List` and `Get` for the client's request builders: the way from an answer to its rows, and how it is continued.

use std::collections::HashSet;
use std::fmt::Write;

use crate::names::folded;
use crate::paging::Paging;
use crate::smithy::{Client, Kind, Operation, Shape};
use crate::source::{Result, SourceError};

/// One step from an answer towards its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The member to go to.
    pub member: String,
    /// Whether it may be missing.
    pub optional: bool,
    /// Whether it is a list.
    pub list: bool,
    /// Whether it is on the heap.
    pub boxed: bool,
}

impl Step {
    fn new(member: &str, kind: &Kind) -> (Self, Kind) {
        let mut step = Self { member: member.to_owned(), optional: false, list: false, boxed: false };
        let mut kind = kind.clone();
        loop {
            kind = match kind {
                Kind::Optional(inner) if !step.list => {
                    step.optional = true;
                    *inner
                }
                Kind::Boxed(inner) if !step.list => {
                    step.boxed = true;
                    *inner
                }
                Kind::List(inner) if !step.list => {
                    step.list = true;
                    *inner
                }
                other => return (step, other),
            };
        }
    }
}

/// The shortest way from an operation's answer to a record; of several as short, the one whose member is named like
/// the call.
pub fn way(client: &Client, operation: &Operation, target: &Shape) -> Result<Vec<Step>> {
    if operation.output.path == target.path {
        return Ok(Vec::new());
    }
    let mut seen = HashSet::from([operation.output.name.clone()]);
    let mut level = vec![(operation.output.clone(), Vec::<Step>::new())];
    while !level.is_empty() {
        let (mut found, mut next) = (Vec::new(), Vec::new());
        for (shape, steps) in &level {
            for member in shape.members.iter().filter(|_| !shape.union) {
                let Some(kind) = &member.kind else { continue };
                let (step, inner) = Step::new(&member.name, kind);
                let mut steps = steps.clone();
                steps.push(step);
                match inner {
                    Kind::Shape(name) if name == target.name => found.push(steps),
                    Kind::Shape(name) => {
                        if let Some(inner) = client.shape(&name)?.filter(|inner| !seen.contains(&inner.name)) {
                            next.push((inner, steps));
                        }
                    }
                    _ => {}
                }
            }
        }
        if !found.is_empty() {
            return choose(operation, &target.name, found);
        }
        seen.extend(next.iter().map(|(shape, _)| shape.name.clone()));
        level = next;
    }
    Err(SourceError::Missing(format!("`{}` does not answer with `{}`", operation.name, target.name)))
}

fn choose(operation: &Operation, what: &str, mut found: Vec<Vec<Step>>) -> Result<Vec<Step>> {
    if found.len() > 1 {
        let call = folded(&operation.name);
        let named = |steps: &Vec<Step>| steps.iter().any(|step| call.ends_with(&folded(&step.member)));
        if found.iter().filter(|steps| named(steps)).count() == 1 {
            found.retain(named);
        }
    }
    if found.len() > 1 {
        let ways: Vec<String> = found
            .iter()
            .map(|steps| steps.iter().map(|step| step.member.as_str()).collect::<Vec<_>>().join("."))
            .collect();
        let (call, ways) = (&operation.name, ways.join(", "));
        return Err(SourceError::Missing(format!("`{call}` answers with `{what}` in several places: {ways}")));
    }
    found.pop().ok_or_else(|| SourceError::Missing(format!("`{}` answers with no `{what}`", operation.name)))
}

/// The way to the one list of an answer, and what it holds.
pub fn only_list(operation: &Operation) -> Result<(Vec<Step>, Kind)> {
    let lists = operation.output.members.iter().filter_map(|member| {
        let (step, item) = Step::new(&member.name, member.kind.as_ref()?);
        step.list.then_some((vec![step], item))
    });
    let lists: Vec<(Vec<Step>, Kind)> = lists.collect();
    let steps = choose(operation, "list", lists.iter().map(|(steps, _)| steps.clone()).collect())?;
    lists
        .into_iter()
        .find(|(candidate, _)| *candidate == steps)
        .ok_or_else(|| SourceError::Missing(format!("`{}` answers with no list", operation.name)))
}

/// The statements that follow the steps from `output` and do `last` with what is found.
fn follow(steps: &[Step], last: impl Fn(&str) -> String) -> String {
    let (mut open, mut close) = (String::new(), String::new());
    let mut from = "output".to_owned();
    for (index, step) in steps.iter().enumerate() {
        let to = if index + 1 == steps.len() { "row".to_owned() } else { format!("level{index}") };
        let value = value(step, &from);
        let _ = match (step.list, step.optional) {
            (true, true) => writeln!(open, "for {to} in {value}.into_iter().flatten() {{"),
            (true, false) => writeln!(open, "for {to} in {value} {{"),
            (false, true) => writeln!(open, "if let Some({to}) = {value} {{"),
            (false, false) => writeln!(open, "let {to} = {value};"),
        };
        if step.list || step.optional {
            close.push_str("}\n");
        }
        from = to;
    }
    format!("{open}{}\n{close}", last(&from))
}

/// The statements that append a call's records to `rows`, with room made for them beforehand: a record may have
/// kilobytes.
fn collect(steps: &[Step], record: &str) -> String {
    let Some((last, outer)) = steps.split_last().filter(|(last, _)| last.list) else {
        return follow(steps, |row| format!("rows.push({row}.into());"));
    };
    let (mut open, mut close) = (String::new(), String::new());
    let mut from = "output".to_owned();
    for (index, step) in outer.iter().enumerate() {
        let (to, value) = (format!("level{index}"), value(step, &from));
        let _ = match (step.list, step.optional) {
            (true, true) => writeln!(
                open,
                "let {to} = {value}.unwrap_or_default();\nrows.reserve({to}.len());\nfor {to} in {to} {{"
            ),
            (true, false) => writeln!(open, "rows.reserve({value}.len());\nfor {to} in {value} {{"),
            (false, true) => writeln!(open, "if let Some({to}) = {value} {{"),
            (false, false) => writeln!(open, "let {to} = {value};"),
        };
        if step.list || step.optional {
            close.push_str("}\n");
        }
        from = to;
    }
    let list = format!("{}{}", value(last, &from), if last.optional { ".unwrap_or_default()" } else { "" });
    format!("{open}rows.extend({list}.into_iter().map({record}::from));\n{close}")
}

/// What a step leads to.
fn value(step: &Step, from: &str) -> String {
    format!("{}{from}.{}", if step.boxed { "*" } else { "" }, step.member)
}

fn builder(operation: &Operation, client: &Client) -> String {
    let (name, api, krate) = (&operation.name, &operation.api_name, &client.source.name);
    format!("{krate}::operation::{name}::builders::{api}FluentBuilder")
}

/// The expression that finds the next token in `output`, if there is one.
fn next_token(way: &[(String, bool)], truncated: Option<&str>) -> String {
    let mut token = "output".to_owned();
    for (index, (member, optional)) in way.iter().enumerate() {
        token = match (index + 1 == way.len(), optional) {
            (false, true) => format!("{token}.{member}.as_ref()?"),
            (false, false) => format!("{token}.{member}"),
            (true, true) => format!("{token}.{member}.clone()"),
            (true, false) => format!("Some({token}.{member}.clone())"),
        };
    }
    match truncated {
        Some(truncated) => format!("{token}.filter(|_| {truncated})"),
        None => token,
    }
}

/// The `List` impl of a call.
pub fn list(operation: &Operation, record: &str, steps: &[Step], id: &str, client: &Client) -> String {
    let (builder, output) = (builder(operation, client), &operation.output.path);
    let label = format!("{id} {}", operation.api_name);
    let rows = format!("|output: {output}, rows| {{ {} }}", collect(steps, record));
    let pages = match &operation.paging {
        Paging::Token { input, output: way, truncated } => {
            let next = next_token(way, truncated.as_deref());
            format!(
                "by_token({label:?}, self, |call, token| Box::pin(call.set_{input}(token).send()), |output: &{output}| {next}, {rows})"
            )
        }
        Paging::Once => format!("once({label:?}, self, |call| Box::pin(call.send()), {rows})"),
    };
    format!("impl List<{record}> for {builder} {{\nfn pages(self) -> PageStream<{record}> {{\n{pages}\n}}\n}}\n")
}

/// The `Get` impl of a call.
pub fn get(operation: &Operation, record: &str, steps: &[Step], id: &str, client: &Client) -> String {
    let (builder, output) = (builder(operation, client), &operation.output.path);
    let label = format!("{id} {}", operation.api_name);
    let pick = match steps {
        steps if steps.iter().all(|step| !step.list && !step.optional) => {
            follow(steps, |row| format!("Some({row}.into())"))
        }
        [step] if !step.list && !step.boxed => format!("output.{}.map({record}::from)", step.member),
        steps => format!("{} None", follow(steps, |row| format!("return Some({row}.into());"))),
    };
    format!(
        "impl Get<{record}> for {builder} {{\nfn get(self) -> RecordFuture<{record}> {{\n\
         record({label:?}, self, |call| Box::pin(call.send()), |output: {output}| {{ {pick} }})\n}}\n}}\n"
    )
}
