//! Client crates of the smithy family (aws-sdk-*): shapes, operations and paging, read from their source.
//!
//! Nothing is compiled and no model file is needed: the generated Rust holds it all. Source of the layout: the crates
//! themselves, `src/types/_*.rs`, `src/operation/<name>/*.rs`, `src/protocol_serde/shape_*.rs`.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

use syn::ext::IdentExt;
use syn::{GenericArgument, Item, PathArguments, Type, Visibility};

use crate::docs::{doc_comment, markdown};
use crate::names::{folded, pascal, snake};
use crate::paging::{Paging, paging};
use crate::source::{self, CrateSource, Result, SourceError};

/// What a field of the client holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// `bool`, a number or `String`, by its name.
    Scalar(String),
    /// A string enumeration of the client.
    Enum(String),
    /// A struct or a union of the client.
    Shape(String),
    /// A point in time.
    Timestamp,
    /// Bytes.
    Blob,
    /// A document of any form.
    Document,
    /// A list.
    List(Box<Kind>),
    /// A map; whether its keys are an enumeration, and what it holds.
    Map(bool, Box<Kind>),
    /// A value that may be missing.
    Optional(Box<Kind>),
    /// A value on the heap, for recursion.
    Boxed(Box<Kind>),
    /// Something that is no value, such as a stream.
    Other(String),
}

/// A field of a struct, or a variant of a union.
#[derive(Debug, Clone)]
pub struct Member {
    /// The name in the client's Rust, without `r#`.
    pub name: String,
    /// The member's own name in the API's model, such as `SSEAlgorithm`.
    pub api_name: String,
    /// What it holds; a unit variant holds nothing.
    pub kind: Option<Kind>,
    /// One line of Markdown.
    pub doc: String,
    /// Whether the API marks it as secret.
    pub sensitive: bool,
}

/// A struct or a union.
#[derive(Debug, Clone)]
pub struct Shape {
    /// The type's name.
    pub name: String,
    /// Its path in code.
    pub path: String,
    /// One line of Markdown.
    pub doc: String,
    /// Whether it is a union.
    pub union: bool,
    /// The fields or variants.
    pub members: Vec<Member>,
}

/// An operation.
#[derive(Debug, Clone)]
pub struct Operation {
    /// The method on the client, such as `describe_vpcs`.
    pub name: String,
    /// The API's own name, such as `DescribeVpcs`.
    pub api_name: String,
    /// What it answers.
    pub output: Rc<Shape>,
    /// How it is continued.
    pub paging: Paging,
}

/// A client crate being read; what was read once is kept.
pub struct Client {
    /// The crate.
    pub source: CrateSource,
    shapes: RefCell<HashMap<String, Option<Rc<Shape>>>>,
    enums: RefCell<HashMap<String, bool>>,
}

impl Client {
    /// A client whose source is at hand.
    pub fn new(source: CrateSource) -> Self {
        Self { source, shapes: RefCell::default(), enums: RefCell::default() }
    }

    /// A type of the client, or nothing where it has none of that name or it is a string enumeration. The name of an
    /// operation's output works too.
    pub fn shape(&self, name: &str) -> Result<Option<Rc<Shape>>> {
        if let Some(known) = self.shapes.borrow().get(name) {
            return Ok(known.clone());
        }
        let shape = self.read_shape(name)?.map(Rc::new);
        self.shapes.borrow_mut().insert(name.to_owned(), shape.clone());
        Ok(shape)
    }

    fn read_shape(&self, name: &str) -> Result<Option<Shape>> {
        let crate_name = &self.source.name;
        let (file, path) = if let Some(file) = self.source.type_file(name) {
            (file.to_owned(), format!("{crate_name}::types::{name}"))
        } else {
            let operation = snake(name.strip_suffix("Output").unwrap_or(name));
            match self.source.operation(&operation).filter(|_| name.ends_with("Output")) {
                Some(folder) => (
                    folder.join(format!("_{operation}_output.rs")),
                    format!("{crate_name}::operation::{operation}::{name}"),
                ),
                None => return Ok(None),
            }
        };
        let text = source::read(&file)?;
        let parsed = source::parse_text(&file, &text)?;
        let secret = redacted(&text);
        let model_names = self.model_names(name);
        for item in &parsed.items {
            let (attributes, union, members) = match item {
                Item::Struct(item) if item.ident == name => {
                    let fields = item.fields.iter().filter(|field| matches!(field.vis, Visibility::Public(_)));
                    let members = fields.filter_map(|field| {
                        let field_name = field.ident.as_ref()?.unraw().to_string();
                        (!field_name.starts_with('_')).then(|| Member {
                            api_name: model_names
                                .get(&folded(&field_name))
                                .cloned()
                                .unwrap_or_else(|| pascal(&field_name)),
                            kind: Some(self.kind(&field.ty)),
                            doc: markdown(&doc_comment(&field.attrs)),
                            sensitive: secret.contains(&field_name),
                            name: field_name,
                        })
                    });
                    (&item.attrs, false, members.collect())
                }
                Item::Enum(item) if item.ident == name && !self.is_string_enum(&parsed, name) => {
                    let variants = item.variants.iter().filter(|variant| variant.ident != "Unknown");
                    let members = variants.map(|variant| Member {
                        name: variant.ident.to_string(),
                        api_name: variant.ident.to_string(),
                        kind: variant.fields.iter().next().map(|field| self.kind(&field.ty)),
                        doc: markdown(&doc_comment(&variant.attrs)),
                        sensitive: false,
                    });
                    (&item.attrs, true, members.collect())
                }
                _ => continue,
            };
            let doc = markdown(&doc_comment(attributes));
            return Ok(Some(Shape { name: name.to_owned(), path, doc, union, members }));
        }
        Ok(None)
    }

    /// The members' names as the API's model spells them, by their folded form: they stand in the comments and in the
    /// literals of the shape's deserialiser.
    fn model_names(&self, shape: &str) -> BTreeMap<String, String> {
        let file = self.source.root.join("protocol_serde").join(format!("shape_{}.rs", snake(shape)));
        let Ok(text) = std::fs::read_to_string(file) else { return BTreeMap::new() };
        let mut names = BTreeMap::new();
        let mut keep = |name: &str| {
            if name.chars().all(|letter| letter.is_ascii_alphanumeric()) && !name.is_empty() {
                let mut letters = name.chars();
                let capital: String = letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect();
                names.insert(folded(name), capital);
            }
        };
        // A literal is what stands on the wire; `…$Member */` in a comment is the model's name, so it comes last.
        text.split('"').skip(1).step_by(2).for_each(&mut keep);
        for comment in text.split('$').skip(1) {
            keep(comment.split(|letter: char| !letter.is_ascii_alphanumeric()).next().unwrap_or_default());
        }
        names
    }

    fn is_string_enum(&self, file: &syn::File, name: &str) -> bool {
        file.items.iter().any(|item| match item {
            Item::Impl(item) if item.trait_.is_none() => {
                let of_it = matches!(&*item.self_ty, Type::Path(path) if path.path.is_ident(name));
                of_it
                    && item
                        .items
                        .iter()
                        .any(|item| matches!(item, syn::ImplItem::Fn(function) if function.sig.ident == "as_str"))
            }
            _ => false,
        })
    }

    fn is_enum(&self, name: &str) -> bool {
        if let Some(known) = self.enums.borrow().get(name) {
            return *known;
        }
        let parsed = self.source.type_file(name).and_then(|file| source::parse(file).ok());
        let answer = parsed.is_some_and(|file| self.is_string_enum(&file, name));
        self.enums.borrow_mut().insert(name.to_owned(), answer);
        answer
    }

    /// Resolves by path, not by the last name alone: a service may well have a type that is called `Option`.
    fn kind(&self, ty: &Type) -> Kind {
        let Type::Path(path) = ty else { return Kind::Other(quote::quote!(#ty).to_string()) };
        let names: Vec<String> = path.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let items = match path.path.segments.last().map(|segment| &segment.arguments) {
            Some(PathArguments::AngleBracketed(arguments)) => arguments.args.iter().collect(),
            _ => Vec::new(),
        };
        let item = |index: usize| match items.get(index) {
            Some(GenericArgument::Type(ty)) => self.kind(ty),
            _ => Kind::Other(names.join("::")),
        };
        match names.as_slice() {
            ["crate", "types", name] if self.is_enum(name) => Kind::Enum((*name).to_owned()),
            ["crate", "types", name] => Kind::Shape((*name).to_owned()),
            ["std", "option", "Option"] => Kind::Optional(Box::new(item(0))),
            ["std", "vec", "Vec"] => Kind::List(Box::new(item(0))),
            ["std", "boxed", "Box"] => Kind::Boxed(Box::new(item(0))),
            ["std", "collections", "HashMap"] => Kind::Map(matches!(item(0), Kind::Enum(_)), Box::new(item(1))),
            ["std", "string", "String"] => Kind::Scalar("String".to_owned()),
            ["aws_smithy_types", "DateTime"] => Kind::Timestamp,
            ["aws_smithy_types", "Blob"] => Kind::Blob,
            ["aws_smithy_types", "Document"] => Kind::Document,
            [scalar @ ("bool" | "i8" | "i16" | "i32" | "i64" | "f32" | "f64")] => Kind::Scalar((*scalar).to_owned()),
            other => Kind::Other(other.join("::")),
        }
    }

    /// An operation by its method on the client.
    pub fn operation(&self, name: &str) -> Result<Option<Operation>> {
        let Some(folder) = self.source.operation(name) else { return Ok(None) };
        let file = folder.join(format!("_{name}_output.rs"));
        let parsed = source::parse(&file)?;
        let output = parsed.items.iter().find_map(|item| match item {
            Item::Struct(item) if item.ident.to_string().ends_with("Output") => Some(item.ident.to_string()),
            _ => None,
        });
        let missing = || SourceError::Missing(format!("{}: no output struct", file.display()));
        let output = output.ok_or_else(missing)?;
        // The request builder is named with the API's own spelling, such as `ListMFADevices`; the output is not.
        let builders = source::read(&folder.join("builders.rs"))?;
        let api_name = builders.split("pub struct ").find_map(|text| {
            let name = text.split(|letter: char| !letter.is_ascii_alphanumeric()).next()?;
            name.strip_suffix("FluentBuilder").map(str::to_owned)
        });
        let api_name = api_name.unwrap_or_else(|| output.trim_end_matches("Output").to_owned());
        let output = self.shape(&output)?.ok_or_else(missing)?;
        let paging = paging(&self.source.root, &folder, name, &output)?;
        Ok(Some(Operation { name: name.to_owned(), api_name, output, paging }))
    }
}

/// The members that a hand-written `Debug` hides.
fn redacted(text: &str) -> HashSet<String> {
    let hidden = text.lines().filter(|line| line.contains("*** Sensitive Data Redacted ***"));
    hidden.filter_map(|line| line.split('"').nth(1).map(str::to_owned)).collect()
}
