//! File-name-safe names of tables, sources and units. Two different things never get one name, also where the file
//! system does not tell case.

use headwater_sdk::arrow::datatypes::TimeUnit;
use headwater_sdk::cq_id::CqId;
use headwater_sdk::plain::{TimeStyle, time_text};
use headwater_sdk::text::fnv1a;
use headwater_sdk::{Part, Timestamp, Uuid};

/// Longer names are cut; file systems allow 255 bytes, of which the template and the extension need some.
const LONGEST: usize = 120;

/// The text with what is not safe replaced, and whether anything was.
fn safe(text: &str) -> (String, bool) {
    let mut changed = text.is_empty();
    let safe = text
        .chars()
        .map(|letter| match letter {
            'a'..='z' | '0'..='9' | '_' | '-' => letter,
            other => {
                changed = true;
                if other.is_alphanumeric() { other } else { '-' }
            }
        })
        .collect();
    (safe, changed)
}

fn hash(parts: &[&str]) -> u64 {
    fnv1a(parts.iter().flat_map(|part| part.bytes().chain([0])))
}

/// The parts joined by dots. Where a letter had to be replaced, or the name be cut, the parts' hash follows a `~`, which
/// no other name holds.
fn joined(parts: &[&str]) -> String {
    let mut name = String::new();
    let mut changed = false;
    for part in parts {
        let (part, unsafe_part) = safe(part);
        changed |= unsafe_part;
        if !name.is_empty() {
            name.push('.');
        }
        name.push_str(&part);
    }
    // Hive, Spark and Athena take no notice of files and folders with a `_` or a dot in front.
    if name.starts_with('_') {
        changed = true;
        name.replace_range(..1, "-");
    }
    if name.len() > LONGEST {
        changed = true;
        let cut = (0..=LONGEST).rev().find(|at| name.is_char_boundary(*at)).unwrap_or(0);
        name.truncate(cut);
    }
    if changed {
        name.push_str(&format!("~{:016x}", hash(parts)));
    }
    name
}

/// The name of a table or a source.
pub fn plain(name: &str) -> String {
    joined(&[name])
}

/// The name of a table with hyphens for underscores, which CloudQuery has. A table that has hyphens of its own is told
/// apart by the hash of its name.
pub fn hyphenated(name: &str) -> String {
    let hash = if name.contains('-') { format!("~{:016x}", hash(&[name])) } else { String::new() };
    plain(name).replace('_', "-") + &hash
}

/// The name of a unit: its source and its scope, such as `aws.123456789012.eu-west-1`; the source alone where it has
/// only one scope.
pub fn unit(source: &str, scope: &str) -> String {
    let mut parts = vec![source];
    if !scope.is_empty() {
        parts.extend(scope.split('/'));
    }
    joined(&parts)
}

/// With what the names of all units of a source begin.
pub fn start_of_unit(source: &str) -> String {
    let mut name = plain(source);
    name.truncate(name.find('~').unwrap_or(name.len()));
    name
}

/// A part's identifier: another one in each sync, and the same when an interrupted sync is continued, so that the
/// part's file is replaced.
pub fn id(part: &Part) -> Uuid {
    let mut id = CqId::default();
    for text in [&part.table.name, &part.source, &part.scope, &part.sync_time.0.to_string()] {
        id.add(text, &[0]);
    }
    id.finish()
}

/// The digits of a sync's start in UTC: year, month, day, hour and minute.
pub fn moment(time: Timestamp) -> [String; 5] {
    let text = text(time);
    let (date, clock) = text.split_once('T').unwrap_or_default();
    // A year beyond 9999 has a sign, which is not a separator.
    let (rest, day) = date.rsplit_once('-').unwrap_or_default();
    let (year, month) = rest.rsplit_once('-').unwrap_or_default();
    let mut clock = clock.split(':');
    [year, month, day, clock.next().unwrap_or_default(), clock.next().unwrap_or_default()].map(str::to_owned)
}

/// A sync's name: its start, such as `20261121T085902_123456Z`.
pub fn sync(time: Timestamp) -> String {
    text(time).replace([':', '-'], "").replace('.', "_")
}

fn text(time: Timestamp) -> String {
    time_text(time.0, TimeUnit::Microsecond, TimeStyle::Rfc3339)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn units_are_readable_and_all_different() {
        assert_eq!(unit("aws", "123456789012/eu-west-1"), "aws.123456789012.eu-west-1");
        assert_eq!(unit("xkcd", ""), "xkcd");
        assert_eq!(plain("aws_ec2_instances"), "aws_ec2_instances");
        assert_eq!(hyphenated("aws_ec2_instances"), "aws-ec2-instances");
        assert_ne!(hyphenated("a-b"), hyphenated("a_b"));
        assert!(plain("_a_table").starts_with("-a_table~") && plain(".a").starts_with("-a~"));
        assert!(hyphenated("_a_table").starts_with("-a-table~"));
        let pairs = [
            ("aws", "a/b"),
            ("aws", "a.b"),
            ("aws", "a/b/"),
            ("aws", "a//b"),
            ("aws.a", "b"),
            ("aws", "A/b"),
            ("AWS", "a/b"),
            ("aws/a", "b"),
            ("aws", "a-b"),
            ("aws", "a b"),
            ("..", ".."),
            ("a", "\0"),
            ("ä", "b"),
            ("a\u{308}", "b"),
            ("_a", "b"),
            ("-a", "b"),
        ];
        let names: HashSet<String> = pairs.iter().map(|(source, scope)| unit(source, scope).to_lowercase()).collect();
        assert_eq!(names.len(), pairs.len(), "{names:?}");
        for name in &names {
            assert!(!name.starts_with(['.', '_']) && !name.contains(['/', '\\', ':', '\0', ' ']), "{name}");
        }
        let long = "x".repeat(500);
        assert!(unit(&long, "a").len() < 150);
        assert_ne!(unit(&long, "a"), unit(&long, "b"));
    }

    #[test]
    fn times_of_a_sync() {
        let time = Timestamp(1_795_251_542_123_456);
        assert_eq!(sync(time), "20261121T085902_123456Z");
        assert_eq!(moment(time), ["2026", "11", "21", "08", "59"].map(str::to_owned));
    }
}
