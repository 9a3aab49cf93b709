//! Row filters: simple comparisons in SQL's words, with SQL's meaning of missing values.
//!
//! A text is read into an [`Expr`] ([`parse`]), which is bound to the columns of a table and their types ([`bind`]) and
//! then evaluated on whole batches with Arrow's kernels ([`evaluate`]).

pub mod bind;
pub mod evaluate;
mod number;
pub mod parse;

use std::ops::Range;

use super::path::Target;

/// A filter as it is written.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// All of them.
    And(Vec<Expr>),
    /// Any of them.
    Or(Vec<Expr>),
    /// The opposite.
    Not(Box<Expr>),
    /// A comparison of two values.
    Compare(Operand, Compare, Operand),
    /// Whether a value is one of several.
    In(Operand, Vec<Operand>),
    /// Whether a text fits a pattern, in which `%` stands for any text and `_` for any character.
    Like(Operand, Operand),
    /// Whether a value is missing.
    IsNull(Operand),
    /// A column of truth values.
    Is(Operand),
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compare {
    /// `=`
    Equal,
    /// `!=` or `<>`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
}

impl Compare {
    /// The same with both sides swapped.
    pub fn swapped(self) -> Self {
        match self {
            Compare::Less => Compare::Greater,
            Compare::AtMost => Compare::AtLeast,
            Compare::Greater => Compare::Less,
            Compare::AtLeast => Compare::AtMost,
            same => same,
        }
    }
}

/// One side of a comparison, and its place in the text.
#[derive(Debug, Clone, PartialEq)]
pub struct Operand {
    /// What it is.
    pub value: Value,
    /// Its place, in bytes.
    pub at: Range<usize>,
}

/// What a side of a comparison is.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A column, or a place within it.
    Column(Target),
    /// A text in single quotes.
    Text(String),
    /// A number as it is written.
    Number(String),
    /// `true` or `false`.
    Truth(bool),
}

impl Value {
    /// What it is called in messages.
    pub fn noun(&self) -> &'static str {
        match self {
            Value::Column(_) => "a column",
            Value::Text(_) => "a text",
            Value::Number(_) => "a number",
            Value::Truth(_) => "a truth value",
        }
    }
}

/// What is wrong with a filter, and where in its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// The place, in bytes.
    pub at: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Wrong {
    /// Something wrong at a place.
    pub fn new(at: Range<usize>, message: impl Into<String>) -> Self {
        Self { at, message: message.into(), help: None }
    }

    /// The same with what to do about it.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

#[cfg(test)]
mod tests;
