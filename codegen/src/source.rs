//! Source code as data: the calls in an expression, the files of a client crate, and mistakes with their place.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use syn::visit::Visit;
use syn::{Expr, Ident};

/// What goes wrong while source is read, with the place and what to do.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A file could not be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not Rust.
    #[error("{}:{line}:{column}: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What the parser says, or what is wrong with an annotation.
        message: String,
    },
    /// The client's crate has no such thing.
    #[error("{0}")]
    Missing(String),
}

impl SourceError {
    /// A mistake at a place in a file.
    pub fn at(path: &Path, error: &syn::Error) -> Self {
        let start = error.span().start();
        Self::Syntax { path: path.to_owned(), line: start.line, column: start.column + 1, message: error.to_string() }
    }
}

/// The result of reading source.
pub type Result<T> = std::result::Result<T, SourceError>;

/// Reads a file.
pub fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|source| SourceError::Read { path: path.to_owned(), source })
}

/// Reads and parses a file of Rust.
pub fn parse(path: &Path) -> Result<syn::File> {
    parse_text(path, &read(path)?)
}

/// Parses what was read from a file of Rust.
pub fn parse_text(path: &Path, text: &str) -> Result<syn::File> {
    syn::parse_file(text).map_err(|error| SourceError::at(path, &error))
}

/// The names of the methods called in an expression, in the order of the calls: `client.list_users()` has
/// `list_users`; `home(client, row).get_bucket_cors().bucket(x)` has `get_bucket_cors`, then `bucket`. Calls within
/// the arguments do not count.
pub fn calls(expr: &Expr) -> Vec<Ident> {
    struct Calls(Vec<Ident>);
    impl<'ast> Visit<'ast> for Calls {
        fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
            self.visit_expr(&call.receiver);
            self.0.push(call.method.clone());
        }
    }
    let mut calls = Calls(Vec::new());
    calls.visit_expr(expr);
    calls.0
}

/// The source of a client crate.
pub struct CrateSource {
    /// The crate's name in code, such as `aws_sdk_ec2`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The folder with its `lib.rs`.
    pub root: PathBuf,
    /// Type name to module file, from the re-exports of `types.rs`.
    types: HashMap<String, PathBuf>,
}

impl CrateSource {
    /// Opens the source of a crate of the smithy family.
    pub fn open(name: &str, version: &str, root: &Path) -> Result<Self> {
        let index = parse(&root.join("types.rs"))?;
        let mut types = HashMap::new();
        for item in &index.items {
            let syn::Item::Use(item) = item else { continue };
            let mut found = Vec::new();
            leaves(&item.tree, &mut Vec::new(), &mut found);
            for path in found {
                // `crate::types::_vpc::Vpc`: the last is the type, the one before it the file.
                if let [.., module, name] = path.as_slice() {
                    types.insert(name.clone(), root.join("types").join(format!("{module}.rs")));
                }
            }
        }
        Ok(Self { name: name.to_owned(), version: version.to_owned(), root: root.to_owned(), types })
    }

    /// The file that defines a type of the crate's `types` module.
    pub fn type_file(&self, name: &str) -> Option<&Path> {
        self.types.get(name).map(PathBuf::as_path)
    }

    /// The folder of an operation, if the client has it.
    pub fn operation(&self, name: &str) -> Option<PathBuf> {
        let folder = self.root.join("operation").join(name);
        folder.join("builders.rs").exists().then_some(folder)
    }

    /// The names of all operations.
    pub fn operation_names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.root.join("operation")).into_iter().flatten().flatten();
        let folders = entries.filter(|entry| entry.path().is_dir());
        folders.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }
}

fn leaves(tree: &syn::UseTree, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    match tree {
        syn::UseTree::Path(step) => {
            path.push(step.ident.to_string());
            leaves(&step.tree, path, found);
            path.pop();
        }
        syn::UseTree::Name(name) => {
            let mut path = path.clone();
            path.push(name.ident.to_string());
            found.push(path);
        }
        syn::UseTree::Group(group) => group.items.iter().for_each(|tree| leaves(tree, path, found)),
        syn::UseTree::Rename(_) | syn::UseTree::Glob(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::calls;

    #[test]
    fn calls_in_their_order_without_those_in_arguments() {
        let expr = syn::parse_quote!(home(client, row).get_bucket_cors().set_bucket(parent.name.clone()));
        let names: Vec<String> = calls(&expr).iter().map(ToString::to_string).collect();
        assert_eq!(names, ["get_bucket_cors", "set_bucket"]);
    }
}
