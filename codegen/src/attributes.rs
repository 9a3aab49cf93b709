//! The grammar of the annotations, shared by the derive and the generator.
//!
//! `#[table(name, of, list, get, key, parent, skip, ignore)]`, `#[column(value, get, flatten, prefix, rename,
//! ignore)]` and, in generated code, `#[record(rename_all, rename, sensitive)]`. Attributes hold Rust: expressions,
//! types and identifiers. Every mistake is collected, so that a contributor sees all of them at once.

use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, Error, Expr, Field, Ident, LitStr, Path, Result, Token, Type, bracketed};

use crate::names::{did_you_mean, is_column_name};

/// Mistakes found so far.
#[derive(Default)]
pub struct Mistakes(Option<Error>);

impl Mistakes {
    /// Adds one.
    pub fn add(&mut self, error: Error) {
        match &mut self.0 {
            Some(all) => all.combine(error),
            None => self.0 = Some(error),
        }
    }

    /// Adds one at a place.
    pub fn at(&mut self, span: Span, message: impl std::fmt::Display) {
        self.add(Error::new(span, message));
    }

    /// All of them, if there are any.
    pub fn finish(self) -> Result<()> {
        self.0.map_or(Ok(()), Err)
    }

    fn keep<T>(&mut self, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.add(error)).ok()
    }
}

/// One `word` or `word = value` of an attribute; the value is looked at by whoever knows the word.
struct Word {
    name: Ident,
    value: Option<Value>,
}

enum Value {
    List(Span, Punctuated<Expr, Token![,]>),
    One(Expr),
}

impl Parse for Word {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let name = input.call(Ident::parse_any)?;
        if !input.peek(Token![=]) {
            return Ok(Self { name, value: None });
        }
        input.parse::<Token![=]>()?;
        let value = if input.peek(syn::token::Bracket) {
            let content;
            let bracket = bracketed!(content in input);
            Value::List(bracket.span.join(), content.parse_terminated(Expr::parse, Token![,])?)
        } else {
            Value::One(input.parse()?)
        };
        Ok(Self { name, value: Some(value) })
    }
}

/// The words of all attributes called `attribute`, unknown and repeated ones reported.
fn words(attributes: &[Attribute], attribute: &str, known: &[&str], mistakes: &mut Mistakes) -> Vec<Word> {
    let mut all: Vec<Word> = Vec::new();
    for found in attributes.iter().filter(|found| found.path().is_ident(attribute)) {
        let parsed = found.parse_args_with(Punctuated::<Word, Token![,]>::parse_terminated);
        for word in mistakes.keep(parsed).into_iter().flatten() {
            let name = word.name.to_string();
            if !known.contains(&name.as_str()) {
                let hint = did_you_mean(&name, known.iter().copied());
                let known = known.join(", ");
                mistakes.at(word.name.span(), format!("`{attribute}` has no word `{name}`{hint}\nit has: {known}"));
            } else if all.iter().any(|earlier| earlier.name == word.name) {
                mistakes.at(word.name.span(), format!("`{name}` stands here twice"));
            } else {
                all.push(word);
            }
        }
    }
    all
}

impl Word {
    fn wants(&self, what: &str) -> Error {
        Error::new(self.name.span(), format!("`{0}` needs a value: `{0} = {what}`", self.name))
    }

    fn expr(self) -> Result<Expr> {
        match self.value {
            Some(Value::One(expr)) => Ok(expr),
            Some(Value::List(span, _)) => {
                Err(Error::new(span, format!("`{}` takes one expression, not a list", self.name)))
            }
            None => Err(self.wants("…")),
        }
    }

    fn text(self) -> Result<LitStr> {
        let name = self.name.clone();
        text_of(self.expr()?, &name)
    }

    fn texts(self) -> Result<Vec<LitStr>> {
        let name = self.name.clone();
        match self.value {
            None => Err(self.wants("\"…\"")),
            Some(Value::One(expr)) => Ok(vec![text_of(expr, &name)?]),
            Some(Value::List(_, items)) => items.into_iter().map(|item| text_of(item, &name)).collect(),
        }
    }

    fn path(self) -> Result<Path> {
        let name = self.name.clone();
        match self.expr()? {
            Expr::Path(path) if path.qself.is_none() => Ok(path.path),
            other => Err(Error::new(other.span(), format!("`{name}` takes the name of a struct"))),
        }
    }

    fn idents(self) -> Result<Vec<Ident>> {
        let name = self.name.clone();
        let ident = |expr: Expr| match expr {
            Expr::Path(path) if path.path.get_ident().is_some() => Ok(path.path.require_ident()?.clone()),
            other => {
                Err(Error::new(other.span(), format!("`{name}` takes names of columns, such as `{name} = [vpc_id]`")))
            }
        };
        match self.value {
            None => Err(self.wants("[…]")),
            Some(Value::One(expr)) => Ok(vec![ident(expr)?]),
            Some(Value::List(span, items)) if items.is_empty() => {
                Err(Error::new(span, format!("`{name}` is empty: leave it out, or name a column")))
            }
            Some(Value::List(_, items)) => items.into_iter().map(ident).collect(),
        }
    }

    fn flag(&self) -> Result<bool> {
        match &self.value {
            None => Ok(true),
            Some(_) => Err(Error::new(self.name.span(), format!("`{}` takes no value", self.name))),
        }
    }
}

fn text_of(expr: Expr, word: &Ident) -> Result<LitStr> {
    match expr {
        Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Ok(text),
        other => Err(Error::new(other.span(), format!("`{word}` takes text in double quotes"))),
    }
}

/// `#[table(…)]`.
#[derive(Debug, Clone, Default)]
pub struct TableAttribute {
    /// The table's name.
    pub name: Option<LitStr>,
    /// The record that the API returns for a row; without it the annotated struct is the row.
    pub of: Option<Path>,
    /// The call that yields rows.
    pub list: Option<Expr>,
    /// The call that yields the record of a listed item or, without `list`, the only row.
    pub get: Option<Expr>,
    /// The columns that make a row's key.
    pub key: Vec<Ident>,
    /// The table whose rows this one hangs from.
    pub parent: Option<Path>,
    /// Fields of the record that are no columns.
    pub skip: Vec<Ident>,
    /// Codes of errors that mean "no rows".
    pub ignore: Vec<LitStr>,
}

impl TableAttribute {
    const WORDS: [&'static str; 8] = ["name", "of", "list", "get", "key", "parent", "skip", "ignore"];

    /// Reads the attribute; what is missing or does not go together is checked where the whole struct is known.
    pub fn read(attributes: &[Attribute], mistakes: &mut Mistakes) -> Self {
        let mut table = Self::default();
        for word in words(attributes, "table", &Self::WORDS, mistakes) {
            match word.name.to_string().as_str() {
                "name" => table.name = mistakes.keep(word.text()),
                "of" => table.of = mistakes.keep(word.path()),
                "list" => table.list = mistakes.keep(word.expr()),
                "get" => table.get = mistakes.keep(word.expr()),
                "key" => table.key = mistakes.keep(word.idents()).unwrap_or_default(),
                "parent" => table.parent = mistakes.keep(word.path()),
                "skip" => table.skip = mistakes.keep(word.idents()).unwrap_or_default(),
                _ => table.ignore = mistakes.keep(word.texts()).unwrap_or_default(),
            }
        }
        for list in [&table.key, &table.skip] {
            for (index, name) in list.iter().enumerate() {
                if list[..index].contains(name) {
                    mistakes.at(name.span(), format!("`{name}` stands here twice"));
                }
            }
        }
        if let Some(name) = table.name.as_ref().filter(|name| !is_column_name(&name.value())) {
            mistakes.at(
                name.span(),
                "a table's name is of lower-case letters, digits and underscores, such as \"aws_ec2_vpcs\"",
            );
        }
        table
    }
}

/// `#[column(…)]`.
#[derive(Debug, Clone, Default)]
pub struct ColumnAttribute {
    /// The expression that makes the value.
    pub value: Option<Expr>,
    /// The call that yields it.
    pub get: Option<Expr>,
    /// Whether the value's own fields are the columns.
    pub flatten: bool,
    /// What the names of flattened columns begin with.
    pub prefix: Option<LitStr>,
    /// The column's name, where it is not the field's.
    pub rename: Option<LitStr>,
    /// Codes of errors of `get` that mean "no value".
    pub ignore: Vec<LitStr>,
}

impl ColumnAttribute {
    const WORDS: [&'static str; 6] = ["value", "get", "flatten", "prefix", "rename", "ignore"];

    fn read(attributes: &[Attribute], mistakes: &mut Mistakes) -> Self {
        let mut column = Self::default();
        for word in words(attributes, "column", &Self::WORDS, mistakes) {
            let span = word.name.span();
            match word.name.to_string().as_str() {
                "value" => column.value = mistakes.keep(word.expr()),
                "get" => column.get = mistakes.keep(word.expr()),
                "flatten" => column.flatten = mistakes.keep(word.flag()).unwrap_or_default(),
                "prefix" => column.prefix = mistakes.keep(word.text()),
                "rename" => column.rename = mistakes.keep(word.text()),
                _ => column.ignore = mistakes.keep(word.texts()).unwrap_or_default(),
            }
            if column.value.is_some() && column.get.is_some() {
                mistakes.at(span, "a column has a `value` or a `get`, not both");
                column.get = None;
            }
        }
        column.check(mistakes);
        column
    }

    fn check(&self, mistakes: &mut Mistakes) {
        if let Some(prefix) = self.prefix.as_ref().filter(|_| !self.flatten) {
            mistakes
                .at(prefix.span(), "`prefix` is for the names of flattened columns: add `flatten`, or use `rename`");
        }
        if let Some(rename) = self.rename.as_ref().filter(|_| self.flatten) {
            mistakes.at(rename.span(), "a flattened field has no column of its own to rename: use `prefix`");
        }
        if let Some(ignore) = self.ignore.first().filter(|_| self.get.is_none()) {
            mistakes.at(ignore.span(), "`ignore` names errors of a call: it needs `get`");
        }
        for name in [&self.rename, &self.prefix].into_iter().flatten().filter(|name| !is_column_name(&name.value())) {
            mistakes.at(name.span(), "a column's name is of lower-case letters, digits and underscores");
        }
    }
}

/// A field of an annotated struct.
#[derive(Debug, Clone)]
pub struct ColumnField {
    /// The field's name.
    pub ident: Ident,
    /// Its type.
    pub ty: Type,
    /// Its doc comment.
    pub doc: String,
    /// Its annotation.
    pub attribute: ColumnAttribute,
}

impl ColumnField {
    /// Reads a named field.
    pub fn read(field: &Field, mistakes: &mut Mistakes) -> Option<Self> {
        let ident = field.ident.clone()?;
        let attribute = ColumnAttribute::read(&field.attrs, mistakes);
        Some(Self { ident, ty: field.ty.clone(), doc: crate::docs::doc_comment(&field.attrs), attribute })
    }

    /// The column's name.
    pub fn name(&self) -> String {
        self.attribute.rename.as_ref().map_or_else(|| self.ident.unraw().to_string(), LitStr::value)
    }
}

/// The type inside an `Option`, if it is one.
pub fn option_item(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last().filter(|last| last.ident == "Option")?;
    match &last.arguments {
        syn::PathArguments::AngleBracketed(arguments) => match arguments.args.first() {
            Some(syn::GenericArgument::Type(item)) => Some(item),
            _ => None,
        },
        _ => None,
    }
}

/// `#[record(…)]` of a struct or a field.
#[derive(Debug, Clone, Default)]
pub struct RecordAttribute {
    /// Whether members of the JSON form are named in Pascal case.
    pub pascal: bool,
    /// The name of a member of the JSON form.
    pub rename: Option<LitStr>,
    /// Whether the API marks the values as secret.
    pub sensitive: bool,
}

impl RecordAttribute {
    /// Reads the attribute of a struct or of a field.
    pub fn read(attributes: &[Attribute], mistakes: &mut Mistakes) -> Self {
        let mut record = Self::default();
        for word in words(attributes, "record", &["rename_all", "rename", "sensitive"], mistakes) {
            match word.name.to_string().as_str() {
                "rename_all" => {
                    let text = mistakes.keep(word.text());
                    record.pascal = text.as_ref().is_some_and(|text| text.value() == "PascalCase");
                    if let Some(text) = text.filter(|_| !record.pascal) {
                        mistakes.at(text.span(), "`rename_all` knows \"PascalCase\"");
                    }
                }
                "rename" => record.rename = mistakes.keep(word.text()),
                _ => record.sensitive = mistakes.keep(word.flag()).unwrap_or_default(),
            }
        }
        record
    }
}
