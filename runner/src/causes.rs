//! Failures by their cause: the same failure in many tables and scopes is told once.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use headwater_sdk::unit::{PANIC, PARENT_FAILED};
use headwater_sdk::{Class, Error};

use crate::text::{count, plural, shorten};

/// Names beyond this many are counted only.
const MOST_NAMES: usize = 1000;
/// Causes beyond this many are told as one.
const MOST_CAUSES: usize = 500;

/// Names, of which only so many are kept.
#[derive(Debug, Default)]
struct Names {
    kept: BTreeSet<Arc<str>>,
    /// How many more there were, each counted as often as it came.
    more: usize,
}

impl Names {
    fn insert(&mut self, name: &Arc<str>) {
        if self.kept.contains(name) {
            return;
        }
        if self.kept.len() < MOST_NAMES {
            self.kept.insert(Arc::clone(name));
        } else {
            self.more += 1;
        }
    }

    fn len(&self) -> usize {
        self.kept.len() + self.more
    }

    /// A few of them, and how many more there are.
    fn shown(&self, noun: &str) -> String {
        const SHOWN: usize = 4;
        let shown: Vec<&str> = self.kept.iter().take(SHOWN).map(|name| &**name).collect();
        match self.len().saturating_sub(SHOWN) {
            0 => shown.join(", "),
            more => format!("{} and {}", shown.join(", "), plural(more, &format!("more {noun}"))),
        }
    }
}

/// One cause.
#[derive(Debug)]
struct Cause {
    class: Class,
    code: Option<String>,
    /// The first failure of it, as it is shown.
    first: Error,
    /// Whether others of it say the same about something else.
    alike: bool,
    /// Whether others of it came from another call.
    several_calls: bool,
    /// The permissions that are missing.
    permissions: Names,
    tables: Names,
    scopes: Names,
    times: u64,
}

/// Failures by cause.
#[derive(Debug, Default)]
pub struct Causes {
    causes: HashMap<Key, Cause>,
    /// Tables that lack rows because their parent table does.
    orphans: Names,
    /// Failures of causes beyond those that are kept.
    others: u64,
}

/// A cause's key: where failures agree in it, they are told as one.
type Key = (Class, Option<String>, String);

impl Causes {
    /// Adds a failure of a table in a scope.
    pub fn add(&mut self, table: &Arc<str>, scope: &Arc<str>, error: &Error) {
        if error.has_code(&[PARENT_FAILED]) {
            self.orphans.insert(table);
            return;
        }
        let key = (error.class, error.code.clone(), essence(&error.message, scope));
        let many = self.causes.len() >= MOST_CAUSES;
        let cause = match self.causes.entry(key) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(_) if many => {
                self.others += 1;
                return;
            }
            Entry::Vacant(entry) => entry.insert(Cause {
                class: error.class,
                code: error.code.clone(),
                first: error.clone(),
                alike: false,
                several_calls: false,
                permissions: Names::default(),
                tables: Names::default(),
                scopes: Names::default(),
                times: 0,
            }),
        };
        cause.alike |= cause.first.message != error.message;
        cause.several_calls |= cause.first.context != error.context;
        if let Some(permission) = &error.permission {
            cause.permissions.insert(&permission.as_str().into());
        }
        cause.tables.insert(table);
        cause.scopes.insert(scope);
        cause.times += 1;
    }

    /// The lines that tell them, most frequent first; `most` is how many causes are told in full.
    pub fn lines(&self, most: usize) -> Vec<String> {
        let mut causes: Vec<&Cause> = self.causes.values().collect();
        causes.sort_by(|a, b| b.times.cmp(&a.times).then_with(|| a.tables.kept.cmp(&b.tables.kept)));
        let mut lines = Vec::new();
        for cause in causes.iter().take(most) {
            lines.extend(cause.lines());
        }
        if causes.len() > most {
            let more = plural(causes.len() - most, "other cause");
            lines.push(format!("failed  for {more}: -v shows them all, --report FILE writes them down"));
        }
        if self.others > 0 {
            lines.push(format!("failed  {} times for yet other causes", count(self.others)));
        }
        if self.orphans.len() > 0 {
            let noun = if self.orphans.len() == 1 { "table lacks" } else { "tables lack" };
            let tables = self.orphans.shown("table");
            lines.push(format!("{} {noun} rows because their parent table does: {tables}", self.orphans.len()));
        }
        lines
    }
}

impl Cause {
    fn lines(&self) -> Vec<String> {
        // What was being done is part of the message where it is the same for all of them.
        let message = if self.several_calls { without_context(&self.first) } else { self.first.to_string() };
        let alike = if self.alike { " (and alike)" } else { "" };
        let mut lines = vec![
            format!("failed  {}", self.tables.shown("table")),
            format!("   why  {}{alike}", shorten(&message, 300)),
        ];
        let scopes = self.scopes.kept.iter().filter(|scope| !scope.is_empty()).count() + self.scopes.more;
        let times = if self.times > self.scopes.len() as u64 * self.tables.len() as u64 {
            format!(" ({} times)", count(self.times))
        } else {
            String::new()
        };
        match scopes {
            0 if times.is_empty() => {}
            0 => lines.push(format!("       {times}")),
            1 => lines.push(format!("    in  {}{times}", self.scopes.shown("scope"))),
            many => lines.push(format!("    in  {many} scopes: {}{times}", self.scopes.shown("scope"))),
        }
        if self.permissions.len() > 0 {
            let permissions = self.permissions.shown("permission");
            lines.push(format!("    do  allow {permissions}, or leave the tables out with `skip_tables`"));
        } else if let Some(advice) = advice(self.class, self.code.as_deref()) {
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
        Class::Rejected => Some("mend the row or the table, or have such rows put aside: `rejected_rows: {to: table}`"),
        Class::NotFound | Class::Fatal => None,
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
