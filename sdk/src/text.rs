//! Text comparison, in constants and at run time: equal names, the nearest name.

/// Whether two texts are the same, in a constant.
pub const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut index = 0;
    while index < a.len() {
        if a[index] != b[index] {
            return false;
        }
        index += 1;
    }
    true
}

/// Whether a name is in a list, in a constant.
pub const fn contains(names: &[&str], name: &str) -> bool {
    let mut index = 0;
    while index < names.len() {
        if same(names[index], name) {
            return true;
        }
        index += 1;
    }
    false
}

/// Fails the build where a key names no column. For the derive. `inherited` is the parent's column that the name may
/// stand for, and the parent's key.
///
/// # Panics
/// In a constant, with the message that the compiler shows.
pub const fn check_key(
    name: &str,
    fields: &[&str],
    own: &[&str],
    scopes: &crate::Scopes,
    inherited: Option<(&str, &[&str])>,
) {
    if contains(fields, name) || scopes.has(name) {
        return;
    }
    if let Some((column, key)) = inherited
        && contains(key, column)
    {
        return;
    }
    let mut message = Message::new();
    message.add("this table has no column `");
    message.add(name);
    message.add("`");
    let mut best = (usize::MAX, "");
    let mut index = 0;
    while index < fields.len() + own.len() + scopes.columns.len() {
        let candidate = if index < fields.len() {
            fields[index]
        } else if index < fields.len() + own.len() {
            own[index - fields.len()]
        } else {
            scopes.columns[index - fields.len() - own.len()].name
        };
        let distance = edits(name, candidate);
        if distance < best.0 {
            best = (distance, candidate);
        }
        index += 1;
    }
    if best.0 <= 2 + name.len() / 4 {
        message.add("; did you mean `");
        message.add(best.1);
        message.add("`?");
    } else {
        message.add(": `key` takes a field of the record, a field of this struct, or a column of the scope");
    }
    panic!("{}", message.as_str());
}

/// How many letters must change to make one name of the other; names beyond 64 letters are taken as unlike.
const fn edits(a: &str, b: &str) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() > 64 || b.len() > 64 {
        return usize::MAX;
    }
    let mut row = [0_usize; 65];
    let mut j = 0;
    while j <= b.len() {
        row[j] = j;
        j += 1;
    }
    let mut i = 0;
    while i < a.len() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        let mut j = 0;
        while j < b.len() {
            let replaced = if a[i] == b[j] { diagonal } else { diagonal + 1 };
            diagonal = row[j + 1];
            let inserted = row[j] + 1;
            let deleted = row[j + 1] + 1;
            let least = if inserted < deleted { inserted } else { deleted };
            row[j + 1] = if replaced < least { replaced } else { least };
            j += 1;
        }
        i += 1;
    }
    row[b.len()]
}

/// A text put together in a constant.
struct Message {
    bytes: [u8; 256],
    length: usize,
}

impl Message {
    const fn new() -> Self {
        Self { bytes: [0; 256], length: 0 }
    }

    const fn add(&mut self, text: &str) {
        let text = text.as_bytes();
        let mut index = 0;
        while index < text.len() && self.length < self.bytes.len() {
            self.bytes[self.length] = text[index];
            self.length += 1;
            index += 1;
        }
    }

    const fn as_str(&self) -> &str {
        match std::str::from_utf8(self.bytes.split_at(self.length).0) {
            Ok(text) => text,
            Err(_) => "this table has no such column",
        }
    }
}

/// The candidate that a misspelt name most likely means, if any is near enough to be worth saying.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// FNV-1a, 64 bits (<http://www.isthe.com/chongo/tech/comp/fnv/>): short, and the same in every version.
pub fn fnv1a(bytes: impl IntoIterator<Item = u8>) -> u64 {
    bytes.into_iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
