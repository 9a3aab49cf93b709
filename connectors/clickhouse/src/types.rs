//! ClickHouse's types as the server writes them: `Map(LowCardinality(String), Array(Nullable(Decimal(10, 2))))`.

/// A type that was read from its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Type {
    /// The whole of it, as the server writes it.
    pub text: String,
    /// What stands before the bracket: `Decimal`.
    pub name: String,
    /// What stands in the brackets, between its commas.
    pub arguments: Vec<String>,
}

impl Type {
    /// Reads a type. Whatever cannot be taken apart is a name as a whole.
    pub fn parse(text: &str) -> Self {
        let text = text.trim();
        let whole = |text: &str| Self { text: text.to_owned(), name: text.to_owned(), arguments: Vec::new() };
        let Some((name, rest)) = text.split_once('(') else { return whole(text) };
        let Some(inside) = rest.strip_suffix(')') else { return whole(text) };
        Self { text: text.to_owned(), name: name.trim().to_owned(), arguments: split(inside) }
    }

    /// The type that stands in the brackets at a place.
    pub fn inner(&self, index: usize) -> Option<Type> {
        self.arguments.get(index).map(|text| Self::parse(text))
    }

    /// A number that stands in the brackets at a place.
    pub fn number<T: std::str::FromStr>(&self, index: usize) -> Option<T> {
        self.arguments.get(index)?.parse().ok()
    }

    /// The fields of a tuple: their names, where they have one, and types.
    pub fn fields(&self) -> Vec<(Option<String>, Type)> {
        self.arguments.iter().map(|text| field(text)).collect()
    }
}

/// Splits at the commas that are in no bracket and no quotes.
fn split(text: &str) -> Vec<String> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0_usize);
    let mut quote: Option<char> = None;
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match (quote, letter) {
            (Some(_), '\\') => drop(letters.next()),
            (Some(open), _) if letter == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '`' | '"') => quote = Some(letter),
            (None, '(') => depth += 1,
            (None, ')') => depth = depth.saturating_sub(1),
            (None, ',') if depth == 0 => {
                parts.push(text[start..at].trim().to_owned());
                start = at + 1;
            }
            _ => {}
        }
    }
    let last = text[start..].trim();
    if !last.is_empty() {
        parts.push(last.to_owned());
    }
    parts
}

/// A field of a tuple: a type, or a name and a type.
fn field(text: &str) -> (Option<String>, Type) {
    if let Some(rest) = text.strip_prefix('`') {
        let (mut name, mut letters) = (String::new(), rest.char_indices());
        while let Some((at, letter)) = letters.next() {
            match letter {
                '\\' => name.extend(letters.next().map(|(_, letter)| letter)),
                '`' => return (Some(name), Type::parse(&rest[at + 1..])),
                _ => name.push(letter),
            }
        }
    }
    let bracket = text.find('(').unwrap_or(text.len());
    match text[..bracket].find(char::is_whitespace) {
        Some(space) => (Some(text[..space].to_owned()), Type::parse(&text[space..])),
        None => (None, Type::parse(text)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn types_are_taken_apart() {
        let map = Type::parse("Map(LowCardinality(String), Array(Nullable(Decimal(10, 2))))");
        assert_eq!(map.name, "Map");
        let decimal = map.inner(1).unwrap().inner(0).unwrap().inner(0).unwrap();
        assert_eq!((decimal.name.as_str(), decimal.number(0), decimal.number(1)), ("Decimal", Some(10), Some(2)));
        let tuple = Type::parse("Tuple(\n    a UInt8,\n    `b, \\` )` Nullable(String), DateTime64(3, 'UTC'))");
        let fields: Vec<_> = tuple.fields().into_iter().map(|(name, kind)| (name, kind.text)).collect();
        let named = |name: &str, kind: &str| (Some(name.to_owned()), kind.to_owned());
        let last = (None, "DateTime64(3, 'UTC')".to_owned());
        assert_eq!(fields, [named("a", "UInt8"), named("b, ` )", "Nullable(String)"), last]);
        let tricky = Type::parse("Enum8('a,(' = 1, '\\'' = 2)");
        assert_eq!(tricky.arguments, ["'a,(' = 1", "'\\'' = 2"]);
        assert_eq!(Type::parse("IntervalDay").name, "IntervalDay");
    }
}
