//! A folder of shops, what is made of it, and what is told of that.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use headwater::config;
use headwater::progress::Quiet;
use headwater::state::Run;
use headwater::sync::outcome::SyncOutcome;
use headwater::sync::stop::Stop;
use headwater::{report, summary, sync};
use headwater_sdk::Timestamp;
use rusqlite::Connection;

/// A folder of shops, and what is made of it.
pub struct Town {
    pub folder: tempfile::TempDir,
    /// The units of the last sync, for its report.
    spool: Mutex<Option<Arc<report::Spool>>>,
}

impl Town {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), spool: Mutex::default() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes the rows of a shop's table: ids, each with a name.
    pub fn write(&self, shop: &str, table: &str, lines: &[String]) {
        let folder = self.path("shops").join(shop);
        std::fs::create_dir_all(&folder).unwrap();
        let mut text = lines.join("\n");
        text.push('\n');
        std::fs::write(folder.join(format!("{table}.jsonl")), text).unwrap();
    }

    pub fn source(&self, name: &str, more: &str, destinations: &str) -> String {
        format!(
            "kind: source\nspec:\n  name: {name}\n  path: shops\n  tables: [\"*\"]\n  skip_dependent_tables: false\n  \
             destinations: [{destinations}]\n  spec:\n    root: {}\n{more}---\n",
            self.path("shops").display()
        )
    }

    pub fn sqlite(&self, name: &str, more: &str) -> String {
        format!(
            "kind: destination\nspec:\n  name: {name}\n  path: sqlite\n{more}  spec:\n    connection_string: {}\n---\n",
            self.path(&format!("{name}.db")).display()
        )
    }

    pub fn files(&self, name: &str, more: &str) -> String {
        format!(
            "kind: destination\nspec:\n  name: {name}\n  path: file\n{more}  spec:\n    path: {}\n    format: json\n---\n",
            self.path(name).display()
        )
    }

    pub async fn run(&self, configuration: &str) -> SyncOutcome {
        self.run_until(configuration, Stop::default()).await
    }

    pub async fn run_until(&self, configuration: &str, stop: Stop) -> SyncOutcome {
        self.run_with(configuration, sync::Options::default(), stop).await
    }

    pub async fn run_with(&self, configuration: &str, options: sync::Options, stop: Stop) -> SyncOutcome {
        self.run_as(configuration, options, Run::unkept(Timestamp::now()), stop).await
    }

    pub async fn run_as(&self, configuration: &str, options: sync::Options, run: Run, stop: Stop) -> SyncOutcome {
        let file = self.path("sync.yaml");
        std::fs::write(&file, configuration).unwrap();
        let configuration = config::load(&[file], &super::registry(), &|_| None).expect("a good configuration");
        let names = configuration.destinations.iter().map(|destination| destination.spec.name.clone()).collect();
        let spool = Arc::new(report::Spool::new(names).unwrap());
        *self.spool.lock().unwrap() = Some(Arc::clone(&spool));
        let keeping = sync::Keeping { run: Arc::new(run), spool: Some(spool) };
        sync::run(configuration, options, keeping, Arc::new(Quiet), stop).await
    }

    pub fn open(&self, name: &str) -> Connection {
        Connection::open(self.path(&format!("{name}.db"))).unwrap()
    }

    /// `shop/id=name` of every row of a table, in order.
    pub fn rows(&self, database: &str, table: &str) -> Vec<String> {
        let connection = self.open(database);
        let mut query = connection
            .prepare(&format!("SELECT shop || '/' || id || '=' || coalesce(name, '') FROM {table} ORDER BY 1"))
            .unwrap();
        query.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }
}

pub fn row(id: i64, name: &str) -> String {
    format!("{{\"id\": {id}, \"name\": \"{name}\", \"info\": {{\"note\": \"{name}\"}}}}")
}

pub fn ids(ids: std::ops::Range<i64>) -> Vec<String> {
    ids.map(|id| row(id, "x")).collect()
}

pub fn told(outcome: &SyncOutcome, verbose: bool) -> String {
    summary::summary(outcome, summary::Telling { verbose, slow: false })
}

pub fn code(outcome: &SyncOutcome) -> u8 {
    outcome.verdict().exit_code()
}

pub fn read_report(town: &Town, outcome: &SyncOutcome) -> serde_json::Value {
    let path = town.path("report.json");
    let spool = town.spool.lock().unwrap().clone().unwrap();
    report::write(&path, outcome, &spool).unwrap();
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Lines of all files below a folder, in order.
pub fn lines(folder: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.path().is_dir() {
            lines.extend(self::lines(&entry.path()));
        } else {
            lines.extend(std::fs::read_to_string(entry.path()).unwrap().lines().map(str::to_owned));
        }
    }
    lines.sort();
    lines
}
