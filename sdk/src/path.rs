//! Where a rule applies: a column, or places within it, such as `spec.env[*].value`.
//!
//! The steps are those of SQL/JSON paths (ISO/IEC 9075-2) in their lax mode: a key looks into each item of an array,
//! and `[*]` takes what is no array for an array of one. So `Statement[*].Principal` and `Statement.Principal` both
//! find the principals of a policy, whether its statement is one object or a list of them.

use std::ops::Range;

use crate::selection::matches;

/// One step into a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The members of an object whose names fit.
    Key(Name),
    /// The item of an array at an index, counted from 0.
    Item(usize),
    /// All items of an array.
    Items,
    /// Everything below, at any depth: what `..` stands for before the key that follows.
    Below,
}

/// A name, or a pattern of names in which `*` stands for any text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// The text.
    pub text: String,
    /// Whether it has a `*`.
    pub pattern: bool,
}

impl Name {
    /// Whether a name fits.
    pub fn fits(&self, name: &str) -> bool {
        if self.pattern { matches(&self.text, name) } else { self.text == name }
    }
}

/// A column, or places within it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The column.
    pub column: Name,
    /// The way into it; empty where the whole column is meant.
    pub steps: Vec<Step>,
}

/// A text that is no path: where, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// The place in the text, in bytes.
    pub at: Range<usize>,
    /// What is wrong.
    pub message: &'static str,
}

impl Target {
    /// A column with nothing said of what is within it.
    pub fn whole(column: &str) -> Self {
        Self { column: Name { text: column.to_owned(), pattern: false }, steps: Vec::new() }
    }

    /// A place within a column, as a schema says it.
    pub fn parse_within(column: &str, place: &str) -> Option<Self> {
        let dot = if place.starts_with('[') { "" } else { "." };
        let steps = Target::parse(&format!("column{dot}{place}")).ok()?.steps;
        Some(Self { steps, ..Self::whole(column) })
    }

    /// Whether what these steps lead to is at or below this place.
    pub fn covers(&self, steps: &[Step]) -> bool {
        steps.starts_with(&self.steps)
    }

    /// Reads a whole text.
    pub fn parse(text: &str) -> Result<Self, Wrong> {
        let mut reader = Reader { text, at: 0 };
        let target = reader.target()?;
        match reader.rest() {
            "" => Ok(target),
            _ => {
                Err(reader.wrong("a key goes on with `.key`, `[*]` or `[0]`; other characters stand in double quotes"))
            }
        }
    }

    /// The steps as they are written after the column: `env[*].value`.
    pub fn shown_steps(&self) -> String {
        let mut shown = String::new();
        for step in &self.steps {
            match step {
                Step::Key(name) => {
                    if !shown.is_empty() && !shown.ends_with("..") {
                        shown.push('.');
                    }
                    match name.text.chars().all(is_plain) && (name.pattern || !name.text.contains('*')) {
                        true => shown.push_str(&name.text),
                        false => shown.push_str(&format!("{:?}", name.text)),
                    }
                }
                Step::Item(index) => shown.push_str(&format!("[{index}]")),
                Step::Items => shown.push_str("[*]"),
                Step::Below => shown.push_str(".."),
            }
        }
        shown
    }

    /// Reads a text up to where no path goes on; answers how long that is.
    pub fn parse_start(text: &str) -> Result<(Self, usize), Wrong> {
        let mut reader = Reader { text, at: 0 };
        let target = reader.target()?;
        Ok((target, reader.at))
    }
}

/// Whether a character may stand in a key that has no quotes.
pub fn is_plain(char: char) -> bool {
    char.is_alphanumeric() || matches!(char, '_' | '-' | ':' | '/' | '@' | '$' | '*' | '+')
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn wrong(&self, message: &'static str) -> Wrong {
        let length = self.rest().chars().next().map_or(0, char::len_utf8);
        Wrong { at: self.at..self.at + length, message }
    }

    fn take(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    fn target(&mut self) -> Result<Target, Wrong> {
        let column = self.name("the name of a column is missing")?;
        let mut steps = Vec::new();
        loop {
            if self.take("..") {
                steps.push(Step::Below);
                steps.push(Step::Key(self.name("a key is missing after `..`")?));
            } else if self.take(".") {
                steps.push(Step::Key(self.name("a key is missing after `.`")?));
            } else if self.take("[") {
                steps.push(self.bracket()?);
            } else {
                return Ok(Target { column, steps });
            }
        }
    }

    fn bracket(&mut self) -> Result<Step, Wrong> {
        const INSIDE: &str = "between brackets stands `*`, an index from 0, or a key in quotes";
        let step = if self.take("*") {
            Step::Items
        } else if self.rest().starts_with(['"', '\'']) {
            Step::Key(self.name(INSIDE)?)
        } else {
            let digits = self.rest().len() - self.rest().trim_start_matches(|char: char| char.is_ascii_digit()).len();
            let Ok(index) = self.rest()[..digits].parse() else { return Err(self.wrong(INSIDE)) };
            self.at += digits;
            Step::Item(index)
        };
        if self.take("]") { Ok(step) } else { Err(self.wrong("the bracket is not closed with `]`")) }
    }

    fn name(&mut self, missing: &'static str) -> Result<Name, Wrong> {
        if let Some(quote) = self.rest().chars().next().filter(|char| matches!(char, '"' | '\'')) {
            return self.quoted(quote);
        }
        let length = self.rest().find(|char| !is_plain(char)).unwrap_or(self.rest().len());
        if length == 0 {
            return Err(self.wrong(missing));
        }
        let text = self.rest()[..length].to_owned();
        self.at += length;
        Ok(Name { pattern: text.contains('*'), text })
    }

    /// A name in quotes, in which a backslash takes the next character as it is.
    fn quoted(&mut self, quote: char) -> Result<Name, Wrong> {
        let start = self.at;
        let mut text = String::new();
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((offset, char)) = chars.next() {
            if char == quote {
                self.at = start + offset + 1;
                return match text.is_empty() {
                    true => Err(Wrong { at: start..self.at, message: "a name is not empty" }),
                    false => Ok(Name { text, pattern: false }),
                };
            }
            match char {
                '\\' => text.extend(chars.next().map(|(_, char)| char)),
                _ => text.push(char),
            }
        }
        Err(Wrong { at: start..self.text.len(), message: "the quotes are not closed" })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn shown(text: &str) -> String {
        let target = Target::parse(text).unwrap();
        let name = |name: &Name| if name.pattern { format!("~{}", name.text) } else { name.text.clone() };
        let steps = target.steps.iter().map(|step| match step {
            Step::Key(key) => name(key),
            Step::Item(index) => format!("#{index}"),
            Step::Items => "[]".to_owned(),
            Step::Below => "..".to_owned(),
        });
        std::iter::once(name(&target.column)).chain(steps).collect::<Vec<_>>().join("|")
    }

    #[test]
    fn paths() {
        for (text, parts) in [
            ("name", "name"),
            ("*_id", "~*_id"),
            ("tags.Owner", "tags|Owner"),
            ("tags.aws:cloudformation:stack-name", "tags|aws:cloudformation:stack-name"),
            ("spec.env[*].value", "spec|env|[]|value"),
            ("spec.env[0].value", "spec|env|#0|value"),
            ("spec..password", "spec|..|password"),
            ("spec.*.key", "spec|~*|key"),
            ("tags.secret_*", "tags|~secret_*"),
            ("tags.\"a.b [*]\"", "tags|a.b [*]"),
            ("tags[\"a\\\"b\"].c", "tags|a\"b|c"),
            ("tags['it''s']", ""),
            ("\"a.b\".c", "a.b|c"),
            ("größe.ключ", "größe|ключ"),
            ("a[*][*]", "a|[]|[]"),
        ] {
            if !parts.is_empty() {
                assert_eq!(shown(text), parts, "{text}");
            }
        }
    }

    #[test]
    fn mistakes_have_a_place() {
        for (text, at, part) in [
            ("", 0..0, "name of a column"),
            (".a", 0..1, "name of a column"),
            ("a.", 2..2, "missing after `.`"),
            ("a...b", 3..4, "missing after `..`"),
            ("a[", 2..2, "between brackets"),
            ("a[x]", 2..3, "between brackets"),
            ("a[-1]", 2..3, "between brackets"),
            ("a[1", 3..3, "not closed with"),
            ("a[99999999999999999999999]", 2..3, "between brackets"),
            ("a.\"b", 2..4, "quotes are not closed"),
            ("a.\"\"", 2..4, "not empty"),
            ("a b", 1..2, "goes on with"),
            ("a]", 1..2, "goes on with"),
            ("tags['it''s']", 9..10, "not closed with"),
        ] {
            let wrong = Target::parse(text).unwrap_err();
            assert_eq!(wrong.at, at, "{text}");
            assert!(wrong.message.contains(part), "{text}: {}", wrong.message);
        }
    }
}
