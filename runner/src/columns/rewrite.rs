//! JSON text with some of its values redacted or hashed: one pass over the text, in which all else is copied as it
//! stands.
//!
//! No value is made of the text. A text that is not JSON is replaced as a whole, so that nothing of it gets through.

use super::hash::Hasher;
use super::path::{Name, Step};

/// What stands in the place of a redacted text.
pub const REDACTED: &str = "[redacted]";

/// What is done with a value. Where several rules meet, the greater one is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Act {
    /// Another text stands for it, always the same for the same value and key.
    Hash,
    /// It is gone.
    Redact,
}

/// The values of a JSON text that are replaced.
#[derive(Debug, Clone, Default)]
pub struct Rewrite {
    paths: Vec<(Vec<Step>, Act)>,
}

/// Where the search is on one path: the path, and the step that comes next.
type State = (usize, usize);

/// The text is not JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotJson;

/// Deeper than this, a text is not looked into, and is replaced as a whole.
const MOST_DEPTH: usize = 512;

impl Rewrite {
    /// Adds the places of a path.
    pub fn add(&mut self, steps: Vec<Step>, act: Act) {
        self.paths.push((steps, act));
    }

    /// Appends a text with its values replaced. `states` is only room that is used again for each text.
    pub fn apply(&self, text: &[u8], hasher: Option<&Hasher>, states: &mut Vec<State>, out: &mut Vec<u8>) {
        let start = out.len();
        states.clear();
        states.extend((0..self.paths.len()).map(|path| (path, 0)));
        let mut writer = Writer { scan: Scan { text, at: 0 }, rewrite: self, hasher, states, copied: 0, out };
        let written = writer.value(0, 0).and_then(|()| {
            writer.scan.space();
            if writer.scan.at == text.len() { Ok(writer.copied) } else { Err(NotJson) }
        });
        match written {
            Ok(copied) => out.extend_from_slice(text.get(copied..).unwrap_or_default()),
            Err(NotJson) => {
                out.truncate(start);
                redacted(out);
            }
        }
    }
}

fn redacted(out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(REDACTED.as_bytes());
    out.push(b'"');
}

/// A place in a JSON text.
struct Scan<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Scan<'a> {
    fn peek(&self) -> Result<u8, NotJson> {
        self.text.get(self.at).copied().ok_or(NotJson)
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.text.get(self.at) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), NotJson> {
        if self.peek()? != byte {
            return Err(NotJson);
        }
        self.at += 1;
        Ok(())
    }

    /// Goes past a string, and answers what is between its quotes.
    fn string(&mut self) -> Result<&'a [u8], NotJson> {
        self.expect(b'"')?;
        let start = self.at;
        loop {
            match self.peek()? {
                b'"' => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        Ok(&self.text[start..self.at - 1])
    }

    /// Goes past a value of any kind, and answers its text.
    fn skip(&mut self) -> Result<&'a [u8], NotJson> {
        let start = self.at;
        match self.peek()? {
            b'"' => drop(self.string()?),
            b'{' | b'[' => {
                let mut open = 0_usize;
                loop {
                    match self.peek()? {
                        b'"' => {
                            self.string()?;
                            continue;
                        }
                        b'{' | b'[' => open += 1,
                        b'}' | b']' => open -= 1,
                        _ => {}
                    }
                    self.at += 1;
                    if open == 0 {
                        break;
                    }
                }
            }
            _ => {
                let rest = &self.text[start..];
                let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
                self.at += rest.iter().position(|byte| !plain(byte)).unwrap_or(rest.len());
                if self.at == start {
                    return Err(NotJson);
                }
            }
        }
        Ok(&self.text[start..self.at])
    }

    /// Goes into an object or array; answers whether there is anything in it.
    fn enter(&mut self, close: u8) -> Result<bool, NotJson> {
        self.at += 1;
        self.space();
        let empty = self.peek()? == close;
        if empty {
            self.at += 1;
        }
        Ok(!empty)
    }

    /// Goes past a comma, or past the end.
    fn more(&mut self, close: u8) -> Result<bool, NotJson> {
        self.space();
        let more = match self.peek()? {
            b',' => true,
            byte if byte == close => false,
            _ => return Err(NotJson),
        };
        self.at += 1;
        self.space();
        Ok(more)
    }

    /// The key of a member, up to the value.
    fn key(&mut self) -> Result<&'a [u8], NotJson> {
        let key = self.string()?;
        self.space();
        self.expect(b':')?;
        self.space();
        Ok(key)
    }
}

/// What a string's text between its quotes stands for, given to a function.
fn unescaped<T>(raw: &[u8], with: impl FnOnce(&str) -> T) -> Result<T, NotJson> {
    if !raw.contains(&b'\\') {
        return std::str::from_utf8(raw).map(with).map_err(|_| NotJson);
    }
    // Rare enough to take memory of its own.
    let quoted: Vec<u8> = [b"\"", raw, b"\""].concat();
    serde_json::from_slice::<String>(&quoted).map(|text| with(&text)).map_err(|_| NotJson)
}

/// Whether a key, as it stands between its quotes, fits a name.
fn fits(name: &Name, raw: &[u8]) -> Result<bool, NotJson> {
    match name.pattern || raw.contains(&b'\\') {
        false => Ok(name.text.as_bytes() == raw),
        true => unescaped(raw, |key| name.fits(key)),
    }
}

struct Writer<'a, 'b> {
    scan: Scan<'a>,
    rewrite: &'b Rewrite,
    hasher: Option<&'b Hasher>,
    states: &'b mut Vec<State>,
    /// How much of the text is in `out`.
    copied: usize,
    out: &'b mut Vec<u8>,
}

impl Writer<'_, '_> {
    fn step(&self, (path, step): State) -> Option<&Step> {
        self.rewrite.paths.get(path).and_then(|(steps, _)| steps.get(step))
    }

    /// Goes past the value at the present place, on which the states from `from` on are.
    fn value(&mut self, from: usize, depth: usize) -> Result<(), NotJson> {
        if depth > MOST_DEPTH {
            return Err(NotJson);
        }
        self.scan.space();
        let first = self.scan.peek()?;
        // What needs no step to get on is got on with first.
        let mut index = from;
        let mut act = None;
        while index < self.states.len() {
            let (path, step) = self.states[index];
            match self.step((path, step)) {
                Some(Step::Below) => self.push(from, (path, step + 1)),
                Some(Step::Items | Step::Item(0)) if first != b'[' => self.push(from, (path, step + 1)),
                Some(_) => {}
                None => act = act.max(Some(self.rewrite.paths[path].1)),
            }
            index += 1;
        }
        match (act, first) {
            (Some(act), _) => self.replace(act)?,
            (None, b'{') => self.object(from, depth)?,
            (None, b'[') => self.array(from, depth)?,
            (None, _) => drop(self.scan.skip()?),
        }
        Ok(())
    }

    /// Adds a state to those from `from` on, once.
    fn push(&mut self, from: usize, state: State) {
        if !self.states[from..].contains(&state) {
            self.states.push(state);
        }
    }

    fn object(&mut self, from: usize, depth: usize) -> Result<(), NotJson> {
        let end = self.states.len();
        let mut more = self.scan.enter(b'}')?;
        while more {
            let key = self.scan.key()?;
            for index in from..end {
                let (path, step) = self.states[index];
                match self.step((path, step)) {
                    Some(Step::Key(name)) if fits(name, key)? => self.push(end, (path, step + 1)),
                    Some(Step::Below) => self.push(end, (path, step)),
                    _ => {}
                }
            }
            more = self.inner(end, depth, b'}')?;
        }
        Ok(())
    }

    fn array(&mut self, from: usize, depth: usize) -> Result<(), NotJson> {
        let end = self.states.len();
        let mut more = self.scan.enter(b']')?;
        let mut at = 0;
        while more {
            for index in from..end {
                let (path, step) = self.states[index];
                match self.step((path, step)) {
                    Some(Step::Items) => self.push(end, (path, step + 1)),
                    Some(Step::Item(item)) if *item == at => self.push(end, (path, step + 1)),
                    Some(Step::Key(_) | Step::Below) => self.push(end, (path, step)),
                    _ => {}
                }
            }
            at += 1;
            more = self.inner(end, depth, b']')?;
        }
        Ok(())
    }

    /// Goes past one member or item, on which the states from `end` on are; answers whether there are more.
    fn inner(&mut self, end: usize, depth: usize, close: u8) -> Result<bool, NotJson> {
        if self.states.len() == end {
            self.scan.skip()?;
        } else {
            self.value(end, depth + 1)?;
            self.states.truncate(end);
        }
        self.scan.more(close)
    }

    fn replace(&mut self, act: Act) -> Result<(), NotJson> {
        let start = self.scan.at;
        let value = self.scan.skip()?;
        // What is missing stays missing.
        if value == b"null" {
            return Ok(());
        }
        self.out.extend_from_slice(&self.scan.text[self.copied..start]);
        self.copied = self.scan.at;
        match (act, self.hasher) {
            (Act::Hash, Some(hasher)) => {
                self.out.push(b'"');
                // A text has the hash that it would have in a text column.
                match value {
                    [b'"', inner @ .., b'"'] => unescaped(inner, |text| hasher.hex(text.as_bytes(), self.out))?,
                    _ => hasher.hex(value, self.out),
                }
                self.out.push(b'"');
            }
            _ => redacted(self.out),
        }
        Ok(())
    }
}

/// A value found in a JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found<'a> {
    /// Nothing, or `null`.
    Missing,
    /// What stands between the quotes of a string, with its escapes.
    Text(&'a [u8]),
    /// A number, `true` or `false`.
    Plain(&'a [u8]),
    /// An object or array.
    Nested(&'a [u8]),
}

/// The value at the end of a path of keys and indexes. Of keys that come twice, the first one counts.
pub fn find<'a>(text: &'a [u8], steps: &[Step]) -> Result<Found<'a>, NotJson> {
    let mut scan = Scan { text, at: 0 };
    scan.space();
    for step in steps {
        let found = match (step, scan.peek()?) {
            (Step::Key(name), b'{') => enter(&mut scan, b'}', |scan, _| fits(name, scan.key()?))?,
            (Step::Item(index), b'[') => enter(&mut scan, b']', |_, at| Ok(at == *index))?,
            (Step::Item(0), _) => true,
            _ => false,
        };
        if !found {
            return Ok(Found::Missing);
        }
    }
    let value = scan.skip()?;
    Ok(match value {
        b"null" => Found::Missing,
        [b'"', inner @ .., b'"'] => Found::Text(inner),
        [b'{' | b'[', ..] => Found::Nested(value),
        _ => Found::Plain(value),
    })
}

/// The value that a whole text is.
pub fn whole(text: &[u8]) -> Result<Found<'_>, NotJson> {
    let text = text.trim_ascii();
    let found = find(text, &[])?;
    let length = match found {
        Found::Missing => b"null".len(),
        Found::Text(inner) => inner.len() + 2,
        Found::Plain(value) | Found::Nested(value) => value.len(),
    };
    if length == text.len() { Ok(found) } else { Err(NotJson) }
}

/// Goes to the first member or item that is wanted; answers whether there is one.
fn enter(
    scan: &mut Scan<'_>,
    close: u8,
    mut wanted: impl FnMut(&mut Scan<'_>, usize) -> Result<bool, NotJson>,
) -> Result<bool, NotJson> {
    let mut more = scan.enter(close)?;
    let mut at = 0;
    while more {
        if wanted(scan, at)? {
            return Ok(true);
        }
        scan.skip()?;
        at += 1;
        more = scan.more(close)?;
    }
    Ok(false)
}

impl Found<'_> {
    /// Appends the value as text: a string's own, else its JSON. Answers false where there is none.
    pub fn write_text(self, out: &mut Vec<u8>) -> Result<bool, NotJson> {
        match self {
            Found::Missing => return Ok(false),
            Found::Text(raw) => unescaped(raw, |text| out.extend_from_slice(text.as_bytes()))?,
            Found::Plain(value) | Found::Nested(value) => out.extend_from_slice(value),
        }
        Ok(true)
    }
}

#[cfg(test)]
#[path = "rewrite_tests.rs"]
mod tests;
