//! Scopes: where a table is read, such as one region of one account.

/// A column that tells a scope's rows from another's, such as `account_id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScopeColumn {
    /// The column's name.
    pub name: &'static str,
    /// One line of Markdown.
    pub description: &'static str,
}

/// Which scopes a table is read for. Every table has the scope's columns, and a unit's rows are told by their values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scopes {
    /// The kind's name: `regional`, `global` ….
    pub name: &'static str,
    /// The columns, in the order in which they stand in the table.
    pub columns: &'static [ScopeColumn],
}

impl Scopes {
    /// One scope for the whole source, with no columns of its own.
    pub const SINGLE: Scopes = Scopes { name: "single", columns: &[] };

    /// Whether a name is one of the columns. Usable in constants.
    pub const fn has(&self, name: &str) -> bool {
        let mut index = 0;
        while index < self.columns.len() {
            if crate::text::same(self.columns[index].name, name) {
                return true;
            }
            index += 1;
        }
        false
    }
}

/// One place that tables are read from.
pub trait Scope: Send + Sync + 'static {
    /// A short name that is the same in every run, such as `123456789012/eu-west-1`; empty for a single scope.
    fn id(&self) -> String;

    /// The value of a scope column, or `None` where this scope has no such column.
    fn value(&self, column: &str) -> Option<&str>;
}

/// The scope of a source that has just one.
#[derive(Debug, Clone, Copy, Default)]
pub struct Single;

impl Scope for Single {
    fn id(&self) -> String {
        String::new()
    }
    fn value(&self, _column: &str) -> Option<&str> {
        None
    }
}
