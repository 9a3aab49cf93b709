//! `${NAME}` and `${file:path}` in values: replaced after parsing, so that what a variable holds is always one value
//! and never another line of the configuration.
//!
//! CloudQuery replaces in the text before it parses; for a value that stands alone the result is the same.

use super::diagnostic::Problem;
use super::parse::{Node, Scalar, Value};
use super::text::{File, Span};

/// Where variables come from.
pub type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The largest file that `${file:…}` reads.
const MOST_BYTES: u64 = 1 << 20;

/// Replaces the references in all values below a node. Keys stay as they are.
pub fn interpolate(node: &mut Node, file: &File, variables: Variables<'_>, problems: &mut Vec<Problem>) {
    match &mut node.value {
        Value::Null => {}
        Value::Scalar(scalar) => replace(scalar, node.span, file, variables, problems),
        Value::List(items) => {
            for item in items {
                interpolate(item, file, variables, problems);
            }
        }
        Value::Map(entries) => {
            for entry in entries {
                interpolate(&mut entry.value, file, variables, problems);
            }
        }
    }
}

fn replace(scalar: &mut Scalar, span: Span, file: &File, variables: Variables<'_>, problems: &mut Vec<Problem>) {
    if !scalar.text.contains("${") {
        return;
    }
    let mut replaced = String::new();
    let mut rest = scalar.text.as_str();
    // Where the search in the file's own text goes on: the same reference may stand in a value twice.
    let mut from = span.start;
    while let Some(start) = rest.find("${") {
        replaced.push_str(&rest[..start]);
        let Some(length) = rest[start..].find('}') else {
            let at = locate("${", &mut from, span, file);
            scalar.broken = true;
            problems.push(
                Problem::new(at, "`${` has no closing `}`").help("a reference is ${NAME} or ${file:path}, in braces"),
            );
            rest = "";
            break;
        };
        let reference = &rest[start..=start + length];
        let at = locate(reference, &mut from, span, file);
        match look_up(&reference[2..length], variables) {
            Ok(value) => replaced.push_str(&value),
            Err((message, help)) => {
                scalar.broken = true;
                problems.push(Problem::new(at, message).help(help));
            }
        }
        rest = &rest[start + length + 1..];
    }
    replaced.push_str(rest);
    scalar.written = Some(std::mem::replace(&mut scalar.text, replaced));
}

/// The place of a reference within the value it stands in.
fn locate(reference: &str, from: &mut usize, span: Span, file: &File) -> Span {
    let rest = Span { start: *from, end: span.end };
    match file.slice(rest).find(reference) {
        Some(offset) => {
            let start = *from + offset;
            *from = start + reference.len();
            Span { start, end: *from }
        }
        // Escapes within quotes can hide it; the value as a whole is near enough.
        None => span,
    }
}

fn look_up(name: &str, variables: Variables<'_>) -> Result<String, (String, String)> {
    let name = name.trim();
    if let Some(path) = name.strip_prefix("file:") {
        return read(path.trim()).map_err(|error| {
            let help = "the path is relative to the folder that the command runs in";
            (format!("cannot read the file `{path}`: {error}"), help.to_owned())
        });
    }
    if name.starts_with("time:") {
        let help = "leave it out, or set an environment variable to the time and refer to it as ${NAME}";
        return Err(("`${time:…}` is not supported yet".to_owned(), help.to_owned()));
    }
    if name.is_empty() || name.contains(|char: char| !char.is_ascii_alphanumeric() && char != '_') {
        let help = "write ${NAME} for an environment variable, or ${file:path} for what a file holds";
        return Err((format!("`${{{name}}}` is no reference"), help.to_owned()));
    }
    variables(name).ok_or_else(|| {
        let help = format!("set it before the command: {name}=… headwater …");
        (format!("the environment variable `{name}` is not set"), help)
    })
}

/// A file's text without the line ends that editors put after the last line.
fn read(path: &str) -> Result<String, String> {
    let size = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if size.is_dir() {
        return Err("it is a folder".to_owned());
    }
    if size.len() > MOST_BYTES {
        return Err("it is larger than 1 MiB".to_owned());
    }
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    let text = String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".to_owned())?;
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}
