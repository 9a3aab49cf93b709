//! Two databases of one server: what is read, and what is written.

use std::fmt::Write as _;

use headwater_e2e::{Headwater, LocalPostgresql, Run};

/// A server, and the binary.
pub struct Pair {
    pub server: LocalPostgresql,
    pub headwater: Headwater,
}

impl Pair {
    /// A server with tables, which `sql` makes.
    pub fn new(sql: &str) -> Self {
        Self::on(LocalPostgresql::start().unwrap(), sql)
    }

    /// The same on a server that is there.
    pub fn on(server: LocalPostgresql, sql: &str) -> Self {
        server.query("CREATE DATABASE copy").unwrap();
        server.query(sql).unwrap();
        let headwater = Headwater::new().unwrap();
        let headwater = headwater.with_environment("FROM", &server.url());
        let copy = server.url().replace("/postgres", "/copy");
        let headwater = headwater.with_environment("TO", &copy);
        Self { server, headwater }
    }

    /// A configuration: what the source's own `spec` says of its tables, and the write mode.
    pub fn configuration(&self, tables: &str, mode: &str) -> String {
        let mut text =
            "kind: source\nspec:\n  name: pg\n  path: postgresql\n  tables: ['*']\n  destinations: [copy]\n  \
                        spec:\n    connection_string: ${FROM}\n"
                .to_owned();
        if !tables.is_empty() {
            text.push_str("    tables:\n");
            for line in tables.lines() {
                let _ = writeln!(text, "      {}", line.trim());
            }
        }
        let _ = write!(
            text,
            "---\nkind: destination\nspec:\n  name: copy\n  path: postgresql\n  write_mode: {mode}\n  \
             spec: {{ connection_string: '${{TO}}' }}\n"
        );
        text
    }

    /// Syncs, and expects that all goes well.
    pub fn sync(&self, configuration: &str) -> Run {
        let run = self.headwater.sync(configuration).unwrap();
        assert_eq!(run.code, Some(0), "{}", run.output());
        assert!(!run.output().contains("a%20pass"), "the password is not shown: {}", run.output());
        run
    }

    /// The rows of a table that was read, or of one that was written, in an order of their own.
    pub fn rows(&self, table: &str, written: bool) -> Vec<String> {
        let own = "- '_cq_sync_time' - '_cq_source_name' - '_headwater_unit'";
        let sql = format!("SELECT (to_jsonb(t) {own})::text FROM {table} t ORDER BY 1");
        self.in_database(&sql, written).lines().map(str::to_owned).collect()
    }

    /// What a query answers.
    pub fn in_database(&self, sql: &str, written: bool) -> String {
        let database = if written { "copy" } else { "postgres" };
        self.server.query_in(database, sql).unwrap().trim_end().to_owned()
    }

    /// Makes sure that a table was copied.
    pub fn same(&self, from: &str, to: &str) {
        let (from_rows, to_rows) = (self.rows(from, false), self.rows(to, true));
        assert_eq!(from_rows.len(), to_rows.len(), "rows of {from}");
        assert!(from_rows == to_rows, "{from} is not {to}");
    }
}
