//! The annotated file of a service, read for what has to be transcribed and for the lists of tables.

use std::path::Path;

use syn::ext::IdentExt;
use syn::{Expr, Item, LitStr, Type};

use crate::attributes::{ColumnField, Mistakes, TableAttribute, option_item};
use crate::docs::{doc_comment, one_line};
use crate::source::{self, Result, SourceError, calls};

/// A table as it is annotated.
#[derive(Debug, Clone)]
pub struct AnnotatedTable {
    /// The struct's name.
    pub ident: String,
    /// The table's name.
    pub name: String,
    /// One line of Markdown.
    pub description: String,
    /// The line in the file, from 1.
    pub line: usize,
    /// How many lines the annotated struct has, its doc comment and attributes included.
    pub lines: usize,
    /// The annotation.
    pub attribute: TableAttribute,
    /// The struct's fields.
    pub columns: Vec<ColumnField>,
}

/// What a service's file says.
#[derive(Debug, Clone)]
pub struct Service {
    /// The client crate's name in code, such as `aws_sdk_ec2`; nothing for an API of our own.
    pub client: Option<String>,
    /// Whether the file has a function `client` that opens the client.
    pub opens_client: bool,
    /// The tables in the file's order.
    pub tables: Vec<AnnotatedTable>,
}

/// What the annotations of a service ask to be transcribed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wanted {
    /// A record.
    Record(String),
    /// A call that yields records page by page: the operation, the record.
    List(String, String),
    /// A call whose items are looked up one by one: the operation.
    Items(String),
    /// A call that yields one record: the operation, the record.
    Get(String, String),
}

impl Service {
    /// Reads the files of a service's `src` folder, `lib.rs` first, without `generated.rs`.
    pub fn read(folder: &Path) -> Result<Self> {
        let mut files: Vec<_> = std::fs::read_dir(folder)
            .map_err(|source| SourceError::Read { path: folder.to_owned(), source })?
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
            .filter(|path| path.file_name().is_some_and(|name| name != "generated.rs"))
            .collect();
        files.sort_by_key(|path| (path.file_name().is_none_or(|name| name != "lib.rs"), path.clone()));
        let mut service = Self { client: None, opens_client: false, tables: Vec::new() };
        for file in files {
            service.add(&file, &source::parse(&file)?)?;
        }
        Ok(service)
    }

    fn add(&mut self, path: &Path, file: &syn::File) -> Result<()> {
        for item in &file.items {
            match item {
                Item::Use(item) => {
                    // `use aws_sdk_ec2::Client;` says which crate is transcribed.
                    if let syn::UseTree::Path(step) = &item.tree
                        && imports_client(&step.tree)
                    {
                        self.client.get_or_insert_with(|| step.ident.to_string());
                    }
                }
                Item::Fn(function) if function.sig.ident == "client" => self.opens_client = true,
                Item::Struct(item) if derives_table(&item.attrs) => {
                    let mut mistakes = Mistakes::default();
                    let attribute = TableAttribute::read(&item.attrs, &mut mistakes);
                    let columns =
                        item.fields.iter().filter_map(|field| ColumnField::read(field, &mut mistakes)).collect();
                    mistakes.finish().map_err(|error| SourceError::at(path, &error))?;
                    let (start, end) = (first_line(item), syn::spanned::Spanned::span(item).end().line);
                    self.tables.push(AnnotatedTable {
                        ident: item.ident.to_string(),
                        name: attribute.name.as_ref().map(LitStr::value).unwrap_or_default(),
                        description: one_line(&doc_comment(&item.attrs)),
                        line: start,
                        lines: end + 1 - start,
                        attribute,
                        columns,
                    });
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// What has to be transcribed, each thing once and in a stable order. `is_operation` tells the client's calls
    /// from other methods.
    pub fn wanted(&self, is_operation: impl Fn(&str) -> bool) -> Vec<Wanted> {
        let call = |expr: &Expr| {
            let found = calls(expr).into_iter().map(|call| call.unraw().to_string());
            found.into_iter().find(|name| is_operation(name))
        };
        let mut wanted = Vec::new();
        for table in &self.tables {
            let Some(of) = table.attribute.of.as_ref().and_then(|of| of.segments.last()) else { continue };
            let of = of.ident.to_string();
            wanted.push(Wanted::Record(of.clone()));
            let list = table.attribute.list.as_ref().and_then(&call);
            let get = table.attribute.get.as_ref().and_then(&call);
            match (list, get, &table.attribute.get) {
                (Some(list), _, None) => wanted.push(Wanted::List(list, of)),
                (Some(list), Some(get), _) => wanted.extend([Wanted::Items(list), Wanted::Get(get, of)]),
                (Some(list), None, Some(_)) => wanted.push(Wanted::Items(list)),
                (None, Some(get), _) => wanted.push(Wanted::Get(get, of)),
                (None, None, _) => {}
            }
            for column in &table.columns {
                let ty = option_item(&column.ty).unwrap_or(&column.ty);
                if let Some(call) = column.attribute.get.as_ref().and_then(&call)
                    && let Type::Path(path) = ty
                    && let Some(name) = path.path.segments.last()
                {
                    wanted.push(Wanted::Record(name.ident.to_string()));
                    wanted.push(Wanted::Get(call, name.ident.to_string()));
                }
            }
        }
        wanted.sort();
        wanted.dedup();
        wanted
    }
}

fn imports_client(tree: &syn::UseTree) -> bool {
    match tree {
        syn::UseTree::Name(name) => name.ident == "Client",
        syn::UseTree::Group(group) => group.items.iter().any(imports_client),
        _ => false,
    }
}

fn derives_table(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().filter(|attribute| attribute.path().is_ident("derive")).any(|attribute| {
        let paths =
            attribute.parse_args_with(syn::punctuated::Punctuated::<syn::Path, syn::Token![,]>::parse_terminated);
        paths.is_ok_and(|paths| paths.iter().any(|path| path.segments.last().is_some_and(|last| last.ident == "Table")))
    })
}

fn first_line(item: &syn::ItemStruct) -> usize {
    let attributes = item.attrs.iter().map(|attribute| syn::spanned::Spanned::span(attribute).start().line);
    attributes.min().unwrap_or_else(|| item.ident.span().start().line)
}
