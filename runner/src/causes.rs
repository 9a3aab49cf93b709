//! Failures by their cause: the same failure in many tables and scopes is told once.

use std::collections::{BTreeMap, BTreeSet};

use headwater_sdk::unit::{PANIC, PARENT_FAILED};
use headwater_sdk::{Class, Error};

use crate::sync::outcome::SyncOutcome;
use crate::text::{count, plural, shorten};

/// One cause.
struct Cause<'a> {
    class: Class,
    code: Option<&'a str>,
    /// The first failure of it, as it is shown.
    first: &'a Error,
    /// Whether others of it say the same about something else.
    alike: bool,
    /// Whether others of it came from another call.
    several_calls: bool,
    tables: BTreeSet<&'a str>,
    scopes: BTreeSet<&'a str>,
    times: u64,
}

/// All failures of a sync by cause, most frequent first.
pub struct Causes<'a> {
    causes: Vec<Cause<'a>>,
    /// Tables that lack rows because their parent table does.
    orphans: BTreeSet<&'a str>,
}

/// A cause's key: where failures agree in it, they are told as one.
type Key<'a> = (Class, Option<&'a str>, String);

impl<'a> Causes<'a> {
    /// Collects the failures of the units.
    pub fn of(outcome: &'a SyncOutcome) -> Self {
        let mut causes: BTreeMap<Key<'a>, Cause<'a>> = BTreeMap::new();
        let mut orphans = BTreeSet::new();
        for unit in outcome.units() {
            for table in &unit.tables {
                for error in table.all_errors() {
                    if error.has_code(&[PARENT_FAILED]) {
                        orphans.insert(&*table.table);
                        continue;
                    }
                    let code = error.code.as_deref();
                    let key = (error.class, code, essence(&error.message, &unit.scope));
                    let cause = causes.entry(key).or_insert_with(|| Cause {
                        class: error.class,
                        code,
                        first: error,
                        alike: false,
                        several_calls: false,
                        tables: BTreeSet::new(),
                        scopes: BTreeSet::new(),
                        times: 0,
                    });
                    cause.alike |= cause.first.message != error.message;
                    cause.several_calls |= cause.first.context != error.context;
                    cause.tables.insert(&table.table);
                    cause.scopes.insert(&unit.scope);
                    cause.times += 1;
                }
            }
        }
        let mut causes: Vec<Cause<'a>> = causes.into_values().collect();
        causes.sort_by_key(|cause| std::cmp::Reverse(cause.times));
        Self { causes, orphans }
    }

    /// The lines that tell them; `most` is how many causes are told in full.
    pub fn lines(&self, most: usize) -> Vec<String> {
        let mut lines = Vec::new();
        for cause in self.causes.iter().take(most) {
            lines.extend(cause.lines());
        }
        if self.causes.len() > most {
            let more = plural(self.causes.len() - most, "other cause");
            lines.push(format!("failed  for {more}: -v shows them all, --report FILE writes them down"));
        }
        if !self.orphans.is_empty() {
            let noun = if self.orphans.len() == 1 { "table lacks" } else { "tables lack" };
            let tables = names(&self.orphans, "table");
            lines.push(format!("{} {noun} rows because their parent table does: {tables}", self.orphans.len()));
        }
        lines
    }
}

impl Cause<'_> {
    fn lines(&self) -> Vec<String> {
        // What was being done is part of the message where it is the same for all of them.
        let message = if self.several_calls { without_context(self.first) } else { self.first.to_string() };
        let alike = if self.alike { " (and alike)" } else { "" };
        let mut lines = vec![
            format!("failed  {}", names(&self.tables, "table")),
            format!("   why  {}{alike}", shorten(&message, 300)),
        ];
        let scopes: BTreeSet<&str> = self.scopes.iter().copied().filter(|scope| !scope.is_empty()).collect();
        let times = if self.times > self.scopes.len() as u64 * self.tables.len() as u64 {
            format!(" ({} times)", count(self.times))
        } else {
            String::new()
        };
        match scopes.len() {
            0 if times.is_empty() => {}
            0 => lines.push(format!("       {times}")),
            1 => lines.push(format!("    in  {}{times}", names(&scopes, "scope"))),
            many => lines.push(format!("    in  {many} scopes: {}{times}", names(&scopes, "scope"))),
        }
        if let Some(advice) = advice(self.class, self.code) {
            lines.push(format!("    do  {advice}"));
        }
        lines
    }
}

fn without_context(error: &Error) -> String {
    Error { context: Vec::new(), ..error.clone() }.to_string()
}

/// What can be done about a failure of a class.
pub fn advice(class: Class, code: Option<&str>) -> Option<&'static str> {
    if code == Some(PANIC) {
        return Some("this is a bug in Headwater: please report it with the lines above");
    }
    match class {
        Class::Throttled => Some("run it again, or lower `concurrency` in the source's `spec`"),
        Class::Transient => Some("run it again: rows of earlier syncs were kept"),
        Class::Denied => Some("give these credentials the permission, or leave the tables out with `skip_tables`"),
        Class::Unsupported => Some("leave the tables out with `skip_tables`"),
        Class::Destination => Some("mend the destination and run it again: rows of earlier syncs were kept"),
        Class::NotFound | Class::Fatal => None,
    }
}

/// A few names, and how many more there are.
fn names(names: &BTreeSet<&str>, noun: &str) -> String {
    const SHOWN: usize = 4;
    let shown: Vec<&str> = names.iter().take(SHOWN).copied().collect();
    match names.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {}", shown.join(", "), plural(more, &format!("more {noun}"))),
    }
}

/// A message without what differs from scope to scope and from call to call: accounts, regions, resources, actions
/// and request identifiers.
fn essence(message: &str, scope: &str) -> String {
    let parts: Vec<&str> = scope.split('/').filter(|part| part.len() >= 3).collect();
    let words = message.split_whitespace().map(|word| {
        let differs = parts.iter().any(|part| word.contains(part))
            || word.starts_with("arn:")
            || is_action(word)
            || is_identifier(word);
        if differs { "*" } else { word }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// `ec2:DescribeInstances`.
fn is_action(word: &str) -> bool {
    word.split_once(':').is_some_and(|(service, action)| {
        !service.is_empty()
            && service.chars().all(|char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '-')
            && action.starts_with(|char: char| char.is_ascii_uppercase())
    })
}

/// A long number or hexadecimal text, such as a request's identifier.
fn is_identifier(word: &str) -> bool {
    let digits = word.chars().filter(char::is_ascii_digit).count();
    let other = |char: char| !char.is_ascii_hexdigit() && !matches!(char, '-' | ',' | '.' | ')' | '(' | ']' | '[');
    word.len() >= 12 && digits >= 4 && !word.contains(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_that_differ_by_scope_and_call_are_one_cause() {
        let one = "User: arn:aws:iam::111122223333:user/a is not authorized to perform: ec2:DescribeVpcs in eu-west-1";
        let other = "User: arn:aws:iam::444455556666:user/a is not authorized to perform: s3:ListBuckets in us-east-1";
        assert_eq!(essence(one, "111122223333/eu-west-1"), essence(other, "444455556666/us-east-1"));
        let expired = "the token has expired";
        assert_eq!(essence(expired, "111122223333/eu-west-1"), expired);
        let request = "internal error (request 0a1b2c3d-1111-2222-3333-444455556666)";
        assert_eq!(essence(request, ""), "internal error (request *");
    }
}
