//! YAML text to a tree whose every node knows its place in the file. The YAML library is known here only.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{DefaultMessageFormatter, Location, MessageFormatter, Spanned};

use super::diagnostic::Problem;
use super::text::{File, Span, is_secret_key};

/// A value in the file.
#[derive(Debug, Clone)]
pub struct Node {
    /// A number of its own within the file, by which the decoder leaves it out.
    pub id: usize,
    /// Where it stands.
    pub span: Span,
    /// What it is.
    pub value: Value,
}

/// What a node is.
#[derive(Debug, Clone)]
pub enum Value {
    /// Nothing: an empty value, `~` or `null`.
    Null,
    /// Text, a number or a truth value; which one is decided by what is asked for.
    Scalar(Scalar),
    /// A list.
    List(Vec<Node>),
    /// Keys and values in the file's order.
    Map(Vec<Entry>),
}

/// A scalar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scalar {
    /// The text, without quotes.
    pub text: String,
    /// Whether it stands without quotes, so that it may be a number or a truth value.
    pub plain: bool,
    /// The text as written, where a reference such as `${NAME}` was replaced: what may be shown of it.
    pub written: Option<String>,
    /// Whether a reference in it could not be replaced, so that there is nothing more to say about it.
    pub broken: bool,
}

/// A key with its value.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub span: Span,
    /// The value.
    pub value: Node,
}

impl Node {
    /// Where the thing stands that a way leads to: at a key, or at an item of a list. Where the way leads beyond what is
    /// there, the last thing on it.
    pub fn place(&self, way: &[String]) -> Option<Span> {
        let (step, rest) = way.split_first()?;
        let (span, node) = match &self.value {
            Value::List(items) => {
                let item = items.get(step.parse::<usize>().ok()?)?;
                (item.span, item)
            }
            _ => {
                let entry = self.entry(step)?;
                // A single value is shown itself.
                let value = &entry.value;
                (if rest.is_empty() && value.text().is_some() { value.span } else { entry.span }, value)
            }
        };
        Some(node.place(rest).unwrap_or(span))
    }

    /// All that it says, as a text that is another where something else is said.
    pub fn to_text(&self) -> String {
        fn json(node: &Node) -> serde_json::Value {
            match &node.value {
                Value::Null => serde_json::Value::Null,
                Value::Scalar(scalar) => scalar.text.as_str().into(),
                Value::List(items) => items.iter().map(json).collect(),
                Value::Map(entries) => entries.iter().map(|entry| (entry.key.clone(), json(&entry.value))).collect(),
            }
        }
        json(self).to_string()
    }

    /// The keys and values, if that is what the node is.
    pub fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list, if that is what the node is.
    pub fn items(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// The entry of a key.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// Visits every scalar below, with its place and whether a key that leads to it says that it is secret; `by_key`
    /// says so of this node.
    pub fn scalars(&self, by_key: bool, visit: &mut dyn FnMut(Span, &Scalar, bool)) {
        match &self.value {
            Value::Null => {}
            Value::Scalar(scalar) => visit(self.span, scalar, by_key),
            Value::List(items) => items.iter().for_each(|item| item.scalars(by_key, visit)),
            Value::Map(entries) => {
                for entry in entries {
                    entry.value.scalars(by_key || is_secret_key(&entry.key), visit);
                }
            }
        }
    }

    /// Visits every entry below.
    pub fn entries_below(&self, visit: &mut dyn FnMut(&Entry)) {
        self.items().iter().for_each(|item| item.entries_below(visit));
        for entry in self.entries() {
            visit(entry);
            entry.value.entries_below(visit);
        }
    }

    /// The text of a scalar, if all of it is known.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(scalar) if !scalar.broken => Some(&scalar.text),
            _ => None,
        }
    }
}

/// The documents of a file; empty ones are left out.
pub fn parse(file: &File) -> Result<Vec<Node>, Problem> {
    let options = serde_saphyr::options! {
        with_snippet: false,
        reject_unsupported_tags: true,
        budget: serde_saphyr::budget! { max_nodes: 100_000, max_depth: 64 },
    };
    let trees: Vec<Tree> =
        serde_saphyr::from_multiple_with_options(&file.text, options).map_err(|error| syntax_problem(file, &error))?;
    let mut next = 0;
    Ok(trees.into_iter().map(|tree| tree.into_node(file, &mut next)).collect())
}

fn syntax_problem(file: &File, error: &serde_saphyr::Error) -> Problem {
    let error = error.without_snippet();
    let end = Span { start: file.text.len(), end: file.text.len() };
    let span = error.location().map_or(end, |location| match location.span().byte_offset() {
        Some(_) => place(location),
        None => file.at(location.line() as usize, location.column() as usize),
    });
    if let serde_saphyr::Error::DuplicateMappingKey { key, .. } = error {
        let key = key.as_deref().map(|key| format!(" `{key}`")).unwrap_or_default();
        return Problem { bare: true, ..Problem::new(span, format!("the key{key} is there twice")) };
    }
    let message = DefaultMessageFormatter.format_message(error).into_owned();
    let line = &file.text[file.line(span)];
    // Mistakes with brackets are noticed after the line that they are in.
    let before = &file.text[..file.line(span).end];
    let help = Some(if line.trim_start_matches(' ').starts_with('\t') {
        "YAML is indented with spaces, never with tabs"
    } else if before.lines().any(|line| line.contains("[${") || line.contains("{${") || line.contains(", ${")) {
        "within [ ] and { }, a reference must stand in quotes: \"${NAME}\""
    } else {
        "a bracket, a quote or a colon is missing or out of place, here or in the lines above"
    });
    let help = help.map(str::to_owned);
    Problem { help, bare: true, ..Problem::new(span, format!("not valid YAML: {message}")) }
}

fn place(location: Location) -> Span {
    let span = location.span();
    let start = span.byte_offset().unwrap_or_default() as usize;
    Span { start, end: start + span.byte_len().unwrap_or_default() as usize }
}

/// A node as the library hands it over.
struct Tree(Spanned<Raw>);

enum Raw {
    Null,
    /// A truth value or a number, whose text is taken from the file as it was written there.
    Literal,
    Text(String),
    List(Vec<Tree>),
    Map(Vec<(Spanned<String>, Tree)>),
}

impl Tree {
    fn into_node(self, file: &File, next: &mut usize) -> Node {
        // An alias is shown where its value was defined: that is where the value can be mended.
        let span = place(self.0.defined);
        let id = *next;
        *next += 1;
        let value = match self.0.value {
            Raw::Null => Value::Null,
            Raw::Literal => {
                let text = file.slice(span).trim().to_owned();
                Value::Scalar(Scalar { text, plain: true, written: None, broken: false })
            }
            Raw::Text(text) => {
                // What is neither quoted nor a block stands in the file as it is.
                let plain = file.slice(span).trim_end() == text;
                Value::Scalar(Scalar { text, plain, written: None, broken: false })
            }
            Raw::List(items) => Value::List(items.into_iter().map(|item| item.into_node(file, next)).collect()),
            Raw::Map(entries) => Value::Map(
                entries
                    .into_iter()
                    .map(|(key, value)| Entry {
                        span: place(key.defined),
                        key: key.value,
                        value: value.into_node(file, next),
                    })
                    .collect(),
            ),
        };
        Node { id, span, value }
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Spanned::deserialize(deserializer).map(Tree)
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }
    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }
    fn visit_bool<E>(self, _: bool) -> Result<Raw, E> {
        Ok(Raw::Literal)
    }
    fn visit_i64<E>(self, _: i64) -> Result<Raw, E> {
        Ok(Raw::Literal)
    }
    fn visit_i128<E>(self, _: i128) -> Result<Raw, E> {
        Ok(Raw::Literal)
    }
    fn visit_u64<E>(self, _: u64) -> Result<Raw, E> {
        Ok(Raw::Literal)
    }
    fn visit_u128<E>(self, _: u128) -> Result<Raw, E> {
        Ok(Raw::Literal)
    }
    fn visit_f64<E>(self, _: f64) -> Result<Raw, E> {
        Ok(Raw::Literal)
    }
    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }
    fn visit_string<E>(self, text: String) -> Result<Raw, E> {
        Ok(Raw::Text(text))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(text: &str) -> (File, Vec<Node>) {
        let file = File { name: "x.yaml".to_owned(), text: text.to_owned(), order: 0 };
        let nodes = parse(&file).expect("valid YAML");
        (file, nodes)
    }

    fn scalar(node: &Node) -> (&str, bool) {
        match &node.value {
            Value::Scalar(scalar) => (&scalar.text, scalar.plain),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn keeps_text_and_place() {
        let text = "# é\na: 0123\nb: \"5\"\nc: yes\nd: |\n  two\n  lines\ne: [1.50, 'x', ~]\nf:\n---\ng: ${X}y\n";
        let (file, documents) = nodes(text);
        assert_eq!(documents.len(), 2);
        let first = &documents[0];
        let get = |key| first.get(key).expect("key");
        assert_eq!(scalar(get("a")), ("0123", true));
        assert_eq!(scalar(get("b")), ("5", false));
        assert_eq!(scalar(get("c")), ("yes", true));
        assert_eq!(scalar(get("d")), ("two\nlines\n", false));
        let items = get("e").items();
        assert_eq!(scalar(&items[0]), ("1.50", true));
        assert_eq!(scalar(&items[1]), ("x", false));
        assert!(matches!(items[2].value, Value::Null));
        assert!(matches!(get("f").value, Value::Null));
        assert_eq!(file.position(get("b").span), (3, 4));
        assert_eq!(file.position(items[1].span), (8, 11));
        let second = documents[1].entry("g").expect("key");
        assert_eq!(file.position(second.span), (11, 1));
        assert_eq!(file.slice(second.value.span), "${X}y");
    }

    #[test]
    fn aliases_and_merges_are_shown_where_they_are_defined() {
        let (file, documents) = nodes("base: &base\n  x: 1\nother:\n  <<: *base\n  y: *base\n");
        let other = documents[0].get("other").expect("key");
        assert_eq!(scalar(other.get("x").expect("merged")), ("1", true));
        assert_eq!(file.position(other.get("x").expect("merged").span), (2, 6));
        assert_eq!(file.position(other.get("y").expect("alias").get("x").expect("x").span), (2, 6));
    }

    #[test]
    fn a_bomb_of_aliases_is_refused() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let items = vec![format!("*a{}", level - 1); 10].join(", ");
            text.push_str(&format!("a{level}: &a{level} [{items}]\n"));
        }
        assert!(parse(&File { name: "x.yaml".to_owned(), text, order: 0 }).is_err());
    }
}
