//! The text of a filter into an expression, by recursive descent.
//!
//! `or` binds least, then `and`, then `not`. Words are the same in any case; a column of such a name stands in double
//! quotes, and so does one with other characters than letters, digits and `_`.

use std::ops::Range;

use super::super::path::{Step, Target};
use super::{Compare, Expr, Operand, Value, Wrong};

/// Parentheses and `not` within each other beyond this are refused.
const MOST_DEPTH: usize = 100;

/// Words that are no columns.
const WORDS: [&str; 11] = ["and", "between", "false", "ilike", "in", "is", "like", "not", "null", "or", "true"];

/// Reads a filter.
pub fn parse(text: &str) -> Result<Expr, Wrong> {
    let tokens = tokens(text)?;
    let mut parser = Parser { tokens: &tokens, at: 0, end: text.len(), depth: 0 };
    let expr = parser.any()?;
    match parser.peek() {
        None => Ok(expr),
        Some(_) => Err(parser.unexpected("`and`, `or`, or the end")),
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    /// A word of the language, in lower case.
    Word(&'static str),
    Sign(&'static str),
    Value(Value),
}

struct Placed {
    token: Token,
    at: Range<usize>,
    shown: String,
}

const SIGNS: [&str; 11] = ["<=", ">=", "<>", "!=", "==", "=", "<", ">", "(", ")", ","];

fn tokens(text: &str) -> Result<Vec<Placed>, Wrong> {
    let mut tokens = Vec::new();
    let mut at = 0;
    loop {
        at += text[at..].len() - text[at..].trim_start().len();
        let rest = &text[at..];
        let Some(first) = rest.chars().next() else { return Ok(tokens) };
        let (token, length) = if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            (Token::Sign(sign), sign.len())
        } else if first == '\'' {
            let (text, length) = quoted(rest).ok_or_else(|| {
                Wrong::new(at..text.len(), "the text is not closed with `'`")
                    .help("a `'` within a text is written twice: 'it''s'")
            })?;
            (Token::Value(Value::Text(text)), length)
        } else if starts_number(rest) {
            number(rest, at)?
        } else if first.is_alphanumeric() || matches!(first, '_' | '"') {
            name(rest, at)?
        } else {
            let help = "a filter is made of columns, 'texts', numbers, comparisons, `and`, `or`, `not` and parentheses";
            return Err(Wrong::new(at..at + first.len_utf8(), format!("unexpected `{first}`")).help(help));
        };
        tokens.push(Placed { token, at: at..at + length, shown: text[at..at + length].to_owned() });
        at += length;
    }
}

/// A text in single quotes, and how long it is with them.
fn quoted(rest: &str) -> Option<(String, usize)> {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((offset, char)) = chars.next() {
        if char != '\'' {
            text.push(char);
        } else if chars.next_if(|(_, next)| *next == '\'').is_some() {
            text.push('\'');
        } else {
            return Some((text, offset + 1));
        }
    }
    None
}

fn starts_number(rest: &str) -> bool {
    rest.trim_start_matches(['+', '-']).trim_start_matches('.').starts_with(|char: char| char.is_ascii_digit())
        && rest.len() - rest.trim_start_matches(['+', '-']).len() <= 1
}

fn number(rest: &str, at: usize) -> Result<(Token, usize), Wrong> {
    // More than a number may have, so that a date without quotes is shown as a whole.
    let part = |char: char| char.is_alphanumeric() || matches!(char, '.' | '+' | '-' | ':');
    let length = rest.find(|char| !part(char)).unwrap_or(rest.len());
    let text = &rest[..length];
    match text.parse::<f64>() {
        Ok(_) => Ok((Token::Value(Value::Number(text.trim_start_matches('+').to_owned())), length)),
        Err(_) => Err(Wrong::new(at..at + length, format!("`{text}` is no number"))
            .help("a text, and also a date, stands in single quotes: '2026-01-01'")),
    }
}

/// A word, or a column with a path into it.
fn name(rest: &str, at: usize) -> Result<(Token, usize), Wrong> {
    let length = rest.find(|char: char| !(char.is_alphanumeric() || char == '_')).unwrap_or(rest.len());
    if let Some(word) = WORDS.iter().find(|word| word.eq_ignore_ascii_case(&rest[..length])) {
        return Ok((
            match *word {
                "true" => Token::Value(Value::Truth(true)),
                "false" => Token::Value(Value::Truth(false)),
                word => Token::Word(word),
            },
            length,
        ));
    }
    let (target, length) =
        Target::parse_start(rest).map_err(|wrong| Wrong::new(at + wrong.at.start..at + wrong.at.end, wrong.message))?;
    let one = |step: &Step| matches!(step, Step::Item(_)) || matches!(step, Step::Key(name) if !name.pattern);
    if target.column.pattern || !target.steps.iter().all(one) {
        let message = "a filter compares one value: `*` and `..` cannot stand in its paths";
        return Err(
            Wrong::new(at..at + length, message).help("name a key, as in `tags.Owner`, or an item, as in `ids[0]`")
        );
    }
    Ok((Token::Value(Value::Column(target)), length))
}

struct Parser<'a> {
    tokens: &'a [Placed],
    at: usize,
    /// The length of the text.
    end: usize,
    depth: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|placed| &placed.token)
    }

    fn place(&self) -> Range<usize> {
        self.tokens.get(self.at).map_or(self.end..self.end, |placed| placed.at.clone())
    }

    fn unexpected(&self, expected: &str) -> Wrong {
        match self.tokens.get(self.at) {
            Some(placed) => Wrong::new(placed.at.clone(), format!("expected {expected}, found `{}`", placed.shown)),
            None => Wrong::new(self.end..self.end, format!("expected {expected}, but the filter ends here")),
        }
    }

    fn take(&mut self, token: &Token) -> bool {
        let found = self.peek() == Some(token);
        self.at += usize::from(found);
        found
    }

    fn word(&mut self, word: &'static str) -> bool {
        self.take(&Token::Word(word))
    }

    fn sign(&mut self, sign: &'static str) -> Result<(), Wrong> {
        if self.take(&Token::Sign(sign)) { Ok(()) } else { Err(self.unexpected(&format!("`{sign}`"))) }
    }

    fn any(&mut self) -> Result<Expr, Wrong> {
        self.joined("or", Self::all, Expr::Or)
    }

    fn all(&mut self) -> Result<Expr, Wrong> {
        self.joined("and", Self::not, Expr::And)
    }

    fn joined(
        &mut self,
        word: &'static str,
        inner: fn(&mut Self) -> Result<Expr, Wrong>,
        join: fn(Vec<Expr>) -> Expr,
    ) -> Result<Expr, Wrong> {
        let first = inner(self)?;
        let mut all = vec![first];
        while self.word(word) {
            all.push(inner(self)?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { join(all) })
    }

    fn not(&mut self) -> Result<Expr, Wrong> {
        self.depth += 1;
        if self.depth > MOST_DEPTH {
            return Err(Wrong::new(self.place(), "the filter is nested too deeply"));
        }
        let expr = if self.word("not") {
            Expr::Not(Box::new(self.not()?))
        } else if self.take(&Token::Sign("(")) {
            let inner = self.any()?;
            self.sign(")")?;
            inner
        } else {
            self.comparison()?
        };
        self.depth -= 1;
        Ok(expr)
    }

    fn operand(&mut self, expected: &str) -> Result<Operand, Wrong> {
        let wrong = match self.peek() {
            Some(Token::Value(value)) => {
                let operand = Operand { value: value.clone(), at: self.place() };
                self.at += 1;
                return Ok(operand);
            }
            Some(Token::Word("null")) => {
                self.unexpected(expected).help("whether a value is missing is asked with `is null` or `is not null`")
            }
            _ => self.unexpected(expected),
        };
        Err(wrong)
    }

    fn comparison(&mut self) -> Result<Expr, Wrong> {
        let left = self.operand("a column")?;
        if self.word("is") {
            let negated = self.word("not");
            if !self.word("null") {
                return Err(self.unexpected("`null` or `not null`"));
            }
            return Ok(negate(Expr::IsNull(left), negated));
        }
        let negated = self.word("not");
        if self.word("in") {
            self.sign("(")?;
            let mut values = vec![self.operand("a value")?];
            while self.take(&Token::Sign(",")) {
                values.push(self.operand("a value")?);
            }
            self.sign(")")?;
            return Ok(negate(Expr::In(left, values), negated));
        }
        if self.word("like") {
            let pattern = self.operand("a text in single quotes")?;
            return Ok(negate(Expr::Like(left, pattern), negated));
        }
        if self.word("between") {
            let least = self.operand("a value")?;
            if !self.word("and") {
                return Err(self.unexpected("`and`"));
            }
            let most = self.operand("a value")?;
            let both =
                vec![Expr::Compare(left.clone(), Compare::AtLeast, least), Expr::Compare(left, Compare::AtMost, most)];
            return Ok(negate(Expr::And(both), negated));
        }
        if negated {
            return Err(self.unexpected("`in`, `like` or `between` after `not`"));
        }
        let compare = match self.peek() {
            Some(Token::Sign("=" | "==")) => Compare::Equal,
            Some(Token::Sign("!=" | "<>")) => Compare::NotEqual,
            Some(Token::Sign("<")) => Compare::Less,
            Some(Token::Sign("<=")) => Compare::AtMost,
            Some(Token::Sign(">")) => Compare::Greater,
            Some(Token::Sign(">=")) => Compare::AtLeast,
            Some(Token::Word("and" | "or") | Token::Sign(")")) | None => return Ok(Expr::Is(left)),
            Some(_) => return Err(self.unexpected("a comparison, such as `=`, `<`, `in`, `like` or `is null`")),
        };
        self.at += 1;
        let right = self.operand("a value")?;
        Ok(Expr::Compare(left, compare, right))
    }
}

fn negate(expr: Expr, negated: bool) -> Expr {
    if negated { Expr::Not(Box::new(expr)) } else { expr }
}
