//! The real binary: what it prints where, its exit codes, and that it leaves no traces.

#![allow(clippy::expect_used, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The binary, whose state is not kept where the user's is.
fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_headwater"));
    command.env("XDG_STATE_HOME", env!("CARGO_TARGET_TMPDIR"));
    command
}

fn headwater(folder: &Path, arguments: &[&str]) -> Output {
    binary()
        .args(arguments)
        .current_dir(folder)
        .env_remove("RUST_LOG")
        .env_remove("NOWHERE_TO_BE_FOUND")
        .output()
        .unwrap()
}

/// Exit code, standard output, standard error.
fn run(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = headwater(folder, arguments);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// The exit code where whoever was to read the output has gone.
fn unread(folder: &Path, arguments: &[&str]) -> i32 {
    let mut command = binary();
    command.args(arguments).current_dir(folder).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    child.wait().unwrap().code().unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn version_and_help() {
    let folder = tempfile::tempdir().unwrap();
    let (code, out, err) = run(folder.path(), &["--version"]);
    assert_eq!((code, out.as_str(), err.as_str()), (0, concat!("headwater ", env!("CARGO_PKG_VERSION"), "\n"), ""));
    let (code, out, _) = run(folder.path(), &["--help"]);
    assert_eq!(code, 0);
    for command in ["sync", "plan", "migrate", "tables", "check", "init", "schema"] {
        assert!(out.contains(&format!("\n  {command} ")), "{out}");
    }
    assert!(out.contains("Exit codes: 0 all well, 1 failed, 2 wrong configuration"), "{out}");
    let (code, out, err) = run(folder.path(), &["snyc"]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains("sync"), "{err}");
}

#[test]
fn a_wrong_configuration_is_exit_code_2_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let text = "kind: source\nspec:\n  name: x\n  path: xkcd\n  tabels: [\"*\"]\n  destinations: [local]\n\
                ---\nkind: destination\nspec:\n  name: local\n  path: sqlite\n  spec:\n    \
                connection_string: ${NOWHERE_TO_BE_FOUND}\n";
    std::fs::write(folder.path().join("sync.yaml"), text).unwrap();
    for arguments in
        [&["sync", "sync.yaml", "--report", "report.json"][..], &["check", "sync.yaml"], &["tables", "sync.yaml"]]
    {
        let (code, out, err) = run(folder.path(), arguments);
        assert_eq!((code, out.as_str()), (2, ""), "{err}");
        assert!(err.contains("error: sync.yaml:5:3: unknown key `tabels`"), "{err}");
        assert!(err.contains("did you mean `tables`?"), "{err}");
        assert!(
            err.contains("error: sync.yaml:13:24: the environment variable `NOWHERE_TO_BE_FOUND` is not set"),
            "{err}"
        );
        assert!(err.ends_with("2 problems in the configuration; nothing was done\n"), "{err}");
        assert_eq!(names(folder.path()), ["sync.yaml"]);
    }
    let (code, _, err) = run(folder.path(), &["sync", "missing.yaml"]);
    assert_eq!(code, 2);
    assert!(err.contains("missing.yaml: the file cannot be read"), "{err}");
}

#[test]
fn a_report_that_cannot_be_written_is_told_first() {
    let folder = tempfile::tempdir().unwrap();
    let (code, out, err) = run(folder.path(), &["sync", "sync.yaml", "--report", "nowhere/report.json"]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains("the folder nowhere is not there"), "{err}");
    let (code, _, err) = run(folder.path(), &["sync", "sync.yaml", "--report", "."]);
    assert_eq!(code, 2);
    assert!(err.contains("it is a folder"), "{err}");
}

#[test]
fn init_writes_a_configuration_once() {
    let folder = tempfile::tempdir().unwrap();
    for source in ["aws", "xkcd"] {
        let file = format!("{source}.yaml");
        let (code, out, err) = run(folder.path(), &["init", source, &file]);
        assert_eq!((code, err.as_str()), (0, ""));
        assert!(out.contains(&format!("headwater check {file}")) && out.contains(&format!("headwater sync {file}")));
        let text = std::fs::read_to_string(folder.path().join(&file)).unwrap();
        let (code, out, err) = run(folder.path(), &["init", source, &file]);
        assert_eq!((code, out.as_str()), (2, ""));
        assert!(err.contains("is there already and was left as it is"), "{err}");
        assert_eq!(std::fs::read_to_string(folder.path().join(&file)).unwrap(), text);
    }
    assert_eq!(run(folder.path(), &["init", "xkcd"]).0, 0);
    assert_eq!(names(folder.path()), ["aws.yaml", "headwater.yaml", "xkcd.yaml"]);
    let (code, _, err) = run(folder.path(), &["init", "azure"]);
    assert_eq!(code, 2);
    assert!(err.contains("only for aws, xkcd"), "{err}");
}

#[test]
fn what_init_writes_is_a_good_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let mut sources = vec!["xkcd"];
    if cfg!(feature = "aws") {
        sources.push("aws");
    }
    for source in sources {
        let file = format!("{source}.yaml");
        run(folder.path(), &["init", source, &file]);
        let (code, out, err) = run(folder.path(), &["tables", &file, "--filter", "spec"]);
        assert_eq!((code, err.as_str()), (0, ""));
        assert!(out.starts_with("# "), "{out}");
        // With every choice taken, it is still one.
        let text = std::fs::read_to_string(folder.path().join(&file)).unwrap();
        let all: String = text.lines().filter_map(uncommented).map(|line| line + "\n").collect();
        assert!(all.contains("format: parquet"), "{all}");
        std::fs::write(folder.path().join("all.yaml"), &all).unwrap();
        let output = binary()
            .args(["tables", "all.yaml"])
            .current_dir(folder.path())
            .env("AUDIT_EXTERNAL_ID", "x")
            .env("DATABASE_PASSWORD", "x")
            .output()
            .unwrap();
        assert!(output.status.success(), "{}\n{all}", String::from_utf8_lossy(&output.stderr));
    }
}

/// A line with its comment's choice taken; a comment that is prose is left out.
fn uncommented(line: &str) -> Option<String> {
    let Some((indent, rest)) = line.split_once('#') else { return Some(line.to_owned()) };
    if !indent.trim().is_empty() {
        return Some(line.to_owned());
    }
    let choice = rest.strip_prefix(' ')?;
    let key = choice.trim_start().trim_start_matches("- ").split(':').next().unwrap_or_default();
    let is_choice = choice == "---"
        || choice.contains(':') && !key.is_empty() && key.chars().all(|char| char.is_ascii_lowercase() || char == '_');
    // The modes are explained in prose of the same form.
    let prose = choice.ends_with('.') && choice.contains(' ');
    (is_choice && !prose).then(|| format!("{indent}{choice}"))
}

#[test]
fn the_schema_knows_every_path_and_key() {
    let folder = tempfile::tempdir().unwrap();
    let (code, out, err) = run(folder.path(), &["schema"]);
    assert_eq!((code, err.as_str()), (0, ""));
    let schema: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    let source = &schema["$defs"]["SourceSpec"]["properties"];
    for key in [
        "name",
        "path",
        "tables",
        "skip_tables",
        "destinations",
        "skip_dependent_tables",
        "columns",
        "hash_key",
        "rows",
        "spec",
    ] {
        assert!(source[key].is_object() || source[key] == true, "{key}: {source}");
    }
    let paths = &schema["allOf"][0]["then"]["properties"]["spec"]["allOf"][1]["properties"]["path"]["enum"];
    for path in ["xkcd", "cloudquery/xkcd", "headwater/xkcd"] {
        assert!(paths.as_array().unwrap().contains(&path.into()), "{paths}");
    }
    assert!(out.contains("connection_string") && out.contains("overwrite-delete-stale"));
}

#[test]
fn tables_in_both_formats() {
    let folder = tempfile::tempdir().unwrap();
    let (code, out, err) = run(folder.path(), &["tables", "xkcd"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains("| `_cq_id` | `uuid` |"), "{out}");
    let (code, all, _) = run(folder.path(), &["tables", "--format", "json"]);
    assert_eq!(code, 0);
    let all: serde_json::Value = serde_json::from_str(&all).unwrap();
    let table = &all.as_array().unwrap()[0];
    for key in ["name", "description", "key", "parent", "calls", "columns"] {
        assert!(table.get(key).is_some(), "{key}: {table}");
    }
    for key in ["name", "type", "description", "key", "nullable"] {
        assert!(table["columns"][0].get(key).is_some(), "{key}");
    }
    assert_eq!(names(folder.path()), [""; 0]);
    let (code, out, _) = run(folder.path(), &["tables", "xkcd", "--output-dir", "docs"]);
    assert_eq!((code, out.as_str()), (0, ""));
    assert!(!names(&folder.path().join("docs")).is_empty());
    let (code, _, err) = run(folder.path(), &["tables", "xkdc"]);
    assert_eq!(code, 2);
    assert!(err.contains("`xkdc` is neither a connector nor a file") && err.contains("did you mean `xkcd`?"), "{err}");
}

/// What the server answers for a comic.
#[derive(Clone)]
enum Answer {
    Comic(&'static str),
    Status(u16),
    Never,
}

/// An xkcd of our own: a real HTTP server on a free port, whose comics can be changed while it runs.
struct Server {
    url: String,
    comics: Arc<Mutex<BTreeMap<u32, Answer>>>,
}

impl Server {
    fn start(comics: &[(u32, Answer)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let comics = Arc::new(Mutex::new(comics.iter().cloned().collect()));
        let shared = Arc::clone(&comics);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let comics = Arc::clone(&shared);
                std::thread::spawn(move || answer(stream, &comics));
            }
        });
        Self { url, comics }
    }

    fn set(&self, number: u32, answer: Answer) {
        self.comics.lock().unwrap().insert(number, answer);
    }

    /// A configuration that reads it into a database.
    fn configuration(&self) -> String {
        configuration(&self.url)
    }
}

fn configuration(url: &str) -> String {
    format!(
        "kind: source\nspec:\n  name: comics\n  path: xkcd\n  tables: [\"*\"]\n  destinations: [local]\n  spec:\n    \
         url: {url}\n---\nkind: destination\nspec:\n  name: local\n  path: sqlite\n  spec:\n    \
         connection_string: comics.db\n"
    )
}

/// Answers the requests of one connection. Comic 0 stands for no comic at all.
fn answer(mut stream: TcpStream, comics: &Mutex<BTreeMap<u32, Answer>>) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    while let Some(Ok(request)) = lines.next() {
        while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
        let path = request.split(' ').nth(1).unwrap().to_owned();
        let asked = path.trim_start_matches('/').split('/').next().and_then(|number| number.parse::<u32>().ok());
        let (number, answer) = {
            let comics = comics.lock().unwrap();
            let newest = comics.keys().max().copied().unwrap_or_default();
            let number = asked.unwrap_or(newest);
            let found = comics.get(&number).cloned();
            // The newest comic is asked for to learn its number, and that always works.
            let newest = Answer::Comic("newest");
            (number, if asked.is_none() { newest } else { found.unwrap_or(Answer::Status(404)) })
        };
        let (status, body) = match answer {
            Answer::Comic(title) => {
                let (text, empty) = (serde_json::json!(title), "");
                let comic = serde_json::json!({
                    "num": number, "title": text, "safe_title": text, "alt": empty, "img": empty, "link": empty,
                    "news": empty, "transcript": empty, "year": "2026", "month": "11", "day": "21",
                });
                (200, comic.to_string())
            }
            Answer::Status(status) => (status, "{}".to_owned()),
            Answer::Never => return std::thread::sleep(Duration::from_secs(60)),
        };
        let head =
            format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
        if stream.write_all(format!("{head}{body}").as_bytes()).is_err() {
            return;
        }
    }
}

fn titles(folder: &Path) -> Vec<String> {
    let connection = rusqlite::Connection::open(folder.join("comics.db")).unwrap();
    let mut query = connection.prepare("SELECT num || '=' || title FROM xkcd_comics ORDER BY num").unwrap();
    query.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

fn report(folder: &Path) -> serde_json::Value {
    serde_json::from_str(&std::fs::read_to_string(folder.join("report.json")).unwrap()).unwrap()
}

#[test]
fn a_sync_from_start_to_exit() {
    let server = Server::start(&[(1, Answer::Comic("one")), (2, Answer::Comic("two")), (4, Answer::Comic("four"))]);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("sync.yaml"), server.configuration()).unwrap();

    let (code, out, err) = run(folder.path(), &["check", "sync.yaml"]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert_eq!(out.lines().filter(|line| line.starts_with("✓ ")).count(), 3, "{out}");
    assert_eq!(names(folder.path()), ["sync.yaml"]);

    let (code, out, err) = run(folder.path(), &["sync", "sync.yaml"]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains("\n  xkcd_comics     3"), "{out}");
    assert!(out.contains("complete: 1 table, 3 rows to local, in "), "{out}");
    assert!(err.contains("Z ✓ xkcd_comics          3 rows"), "{err}");
    assert_eq!(titles(folder.path()), ["1=one", "2=two", "4=four"]);
    assert_eq!(names(folder.path()), ["comics.db", "sync.yaml"], "nothing else is left behind");

    server.set(1, Answer::Comic("uno"));
    server.set(2, Answer::Status(404));
    let (code, out, err) = run(folder.path(), &["sync", "sync.yaml", "--quiet", "--report", "report.json"]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.contains("2 rows to local (1 deleted)"), "{out}");
    assert_eq!(titles(folder.path()), ["1=uno", "4=four"]);
    assert_eq!(report(folder.path())["sources"][0]["tables"][0]["deleted"]["local"], 1);

    // A failure half way: the earlier rows stay, and nothing new was written.
    server.set(2, Answer::Status(500));
    server.set(1, Answer::Comic("eins"));
    let (code, out, _) = run(folder.path(), &["sync", "sync.yaml", "--log-format", "json", "--report", "report.json"]);
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("HTTP500") && out.contains("failed: nothing was written"), "{out}");
    assert_eq!(titles(folder.path()), ["1=uno", "4=four"]);
    assert_eq!(report(folder.path())["exit_code"], 1);
    assert_eq!(names(folder.path()), ["comics.db", "report.json", "sync.yaml"]);
}

#[test]
fn an_endpoint_that_does_not_answer_leaves_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    // A port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    std::fs::write(folder.path().join("sync.yaml"), configuration(&format!("http://127.0.0.1:{port}"))).unwrap();
    let (code, out, err) = run(folder.path(), &["sync", "sync.yaml", "--report", "report.json"]);
    assert_eq!((code, err.as_str()), (1, ""), "{out}");
    assert!(out.contains("failed  source comics\n   why  "), "{out}");
    assert!(out.contains("failed: nothing was written"), "{out}");
    assert_eq!(names(folder.path()), ["report.json", "sync.yaml"]);
    assert_eq!(report(folder.path())["sources"][0]["error"]["class"], "transient");
    let (code, out, _) = run(folder.path(), &["check", "sync.yaml"]);
    assert_eq!(code, 1);
    assert!(out.contains("✗ source comics: ") && out.contains("✓ destination local: "), "{out}");
    assert_eq!(unread(folder.path(), &["check", "sync.yaml"]), 1, "also where nobody reads on");
}

#[test]
fn progress_as_json_lines() {
    let server = Server::start(&[(1, Answer::Comic("one"))]);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("sync.yaml"), server.configuration()).unwrap();
    let (code, _, err) = run(folder.path(), &["sync", "sync.yaml", "--log-format", "json", "-v"]);
    assert_eq!(code, 0);
    let lines: Vec<serde_json::Value> =
        err.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    assert!(lines.iter().all(|line| line["timestamp"].is_string() && line["level"].is_string()), "{err}");
    let table = lines.iter().find(|line| line["message"] == "table finished").expect("a line for the table");
    assert_eq!((&table["table"], &table["rows"]), (&"xkcd_comics".into(), &1.into()));
    let log = lines.iter().find(|line| line["fields"]["message"] == "planned").expect("a line of the log");
    assert_eq!(log["fields"]["units"], 1);
}

#[cfg(unix)]
#[test]
fn a_signal_ends_a_sync_in_good_order() {
    let server = Server::start(&[(1, Answer::Comic("one")), (2, Answer::Never)]);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("sync.yaml"), server.configuration()).unwrap();
    for signal in ["INT", "TERM"] {
        let child = binary()
            .args(["sync", "sync.yaml", "--report", "report.json"])
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The tables are made before the comic that is never answered is asked for.
        let start = Instant::now();
        while !folder.path().join("comics.db").exists() && start.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(10));
        }
        std::thread::sleep(Duration::from_millis(100));
        let kill = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status().unwrap();
        assert!(kill.success());
        let output = child.wait_with_output().unwrap();
        let out = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(1), "{out}");
        assert!(out.contains("stopped 1 of 1 unit of source comics"), "{out}");
        assert!(out.contains("interrupted, failed: nothing was written"), "{out}");
        assert!(start.elapsed() < Duration::from_secs(10), "it did not wait for the call");
        assert_eq!(report(folder.path())["interrupted"], true);
        assert!(titles(folder.path()).is_empty());
        std::fs::remove_file(folder.path().join("comics.db")).unwrap();
    }
}

#[test]
fn an_empty_sync_is_quick() {
    let server = Server::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("sync.yaml"), server.configuration()).unwrap();
    let quickest = (0..5)
        .map(|_| {
            let start = Instant::now();
            assert_eq!(run(folder.path(), &["sync", "sync.yaml"]).0, 0);
            start.elapsed()
        })
        .min()
        .unwrap();
    // An optimised build takes a fraction of this; a sleep or a fixed tail would not fit into it.
    assert!(quickest < Duration::from_millis(if cfg!(debug_assertions) { 400 } else { 100 }), "{quickest:?}");
}

/// What a plan shows is what a migration does; what would lose rows is not done unasked.
#[test]
fn plan_and_migrate() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let write = |mode: &str| {
        let text = format!(
            "kind: source\nspec:\n  name: x\n  path: xkcd\n  tables: [\"*\"]\n  destinations: [local, files]\n\
             ---\nkind: destination\nspec:\n  name: local\n  path: sqlite\n  migrate_mode: {mode}\n  spec:\n    \
             connection_string: a.db\n\
             ---\nkind: destination\nspec:\n  name: files\n  path: file\n  spec:\n    path: out\n"
        );
        std::fs::write(folder.join("sync.yaml"), text).unwrap();
    };
    write("safe");
    let files = "destination files\n  = nothing is to be done: 1 table as it has to be\n";
    let (code, out, err) = run(folder, &["plan", "sync.yaml"]);
    let made = "  + xkcd_comics  (16 columns, key num)\n";
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(out, format!("destination local\n{made}  = to be done: 1 table created\n{files}"));
    assert_eq!(names(folder), ["sync.yaml"], "nothing was touched");
    let (_, out, _) = run(folder, &["plan", "-v", "sync.yaml"]);
    assert!(out.contains("\n      + num              INTEGER\n"), "{out}");
    let (code, out, _) = run(folder, &["migrate", "sync.yaml"]);
    assert_eq!(code, 0);
    assert!(out.starts_with(&format!("destination local\n{made}  ✓ done: 1 table created\n")), "{out}");
    let (code, out, _) = run(folder, &["plan", "sync.yaml"]);
    assert_eq!(code, 0);
    assert!(out.starts_with("destination local\n  = nothing is to be done: 1 table as it has to be\n"), "{out}");

    let database = rusqlite::Connection::open(folder.join("a.db")).unwrap();
    database.execute_batch("ALTER TABLE xkcd_comics DROP COLUMN alt").unwrap();
    let (code, out, _) = run(folder, &["plan", "sync.yaml"]);
    assert_eq!(code, 0);
    assert!(out.contains("\n  ~ xkcd_comics\n      + alt  TEXT\n  = to be done: 1 table changed\n"), "{out}");
    let other =
        "DROP TABLE xkcd_comics; CREATE TABLE xkcd_comics (num TEXT PRIMARY KEY); INSERT INTO xkcd_comics VALUES (1)";
    database.execute_batch(other).unwrap();
    let (code, out, _) = run(folder, &["plan", "sync.yaml"]);
    assert_eq!(code, 1);
    let why = "column num: TEXT in the database, INTEGER in the source";
    let forced = "`migrate_mode: forced` drops the table with its rows and creates it anew";
    assert!(out.contains(&format!("  ! xkcd_comics  ({why})\n      {forced}\n")), "{out}");
    assert!(out.contains("  = to be done: 1 table blocked\n"), "{out}");
    assert_eq!(unread(folder, &["plan", "sync.yaml"]), 1);
    let (code, out, _) = run(folder, &["migrate", "sync.yaml"]);
    assert_eq!(code, 1);
    assert!(out.contains("  ✗ nothing was changed: 1 table blocked\n"), "{out}");
    let rows = |sql: &str| database.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(rows("SELECT count(*) FROM xkcd_comics"), 1);

    write("forced");
    let (code, out, _) = run(folder, &["plan", "sync.yaml", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &json[0]["tables"][0]["changes"][0]["change"]), (0, &"replace".into()), "{out}");
    let (code, out, _) = run(folder, &["migrate", "sync.yaml"]);
    assert_eq!(code, 0);
    let dropped = format!("  - xkcd_comics  (dropped with its rows: {why})\n  + xkcd_comics  (16 columns)\n");
    assert!(out.contains(&dropped) && out.contains("  ✓ done: 1 table dropped and created anew\n"), "{out}");
    assert_eq!(rows("SELECT count(*) FROM xkcd_comics"), 0);
    std::fs::remove_dir_all(folder.join("out")).unwrap();
    std::fs::write(folder.join("out"), "no folder").unwrap();
    let (code, out, _) = run(folder, &["migrate", "sync.yaml"]);
    assert_eq!(code, 1);
    assert!(out.contains("destination files\n  ✗ out is a file, not a folder"), "{out}");
    std::fs::write(folder.join("b.db"), "no database at all, but a text of some length").unwrap();
    let text = std::fs::read_to_string(folder.join("sync.yaml")).unwrap().replace("a.db", "b.db");
    std::fs::write(folder.join("sync.yaml"), text).unwrap();
    let (code, out, _) = run(folder, &["plan", "sync.yaml"]);
    assert_eq!(code, 1);
    assert!(out.starts_with("destination local\n  ✗ b.db is not a SQLite database"), "{out}");
}
