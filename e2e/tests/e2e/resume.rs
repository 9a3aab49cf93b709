//! A sync that is killed at any moment and resumed ends like one that was left alone.

use std::time::Duration;

use headwater_bench_server::{Kind, Server};
use headwater_e2e::Headwater;
use rusqlite::{Connection, OpenFlags};

use crate::support::{ORGANIZATION_TABLES, organization, rows_of};

/// How often a sync is killed.
const KILLS: u64 = 10;

fn configuration(server: &Server, mode: &str) -> String {
    format!(
        "kind: source\nspec:\n  name: aws\n  path: aws\n  \
         tables: [aws_ec2_instances, aws_ec2_vpcs, aws_iam_users, aws_iam_user_access_keys]\n  destinations: [database, files]\n  \
         spec:\n    regions: [us-east-1, eu-west-1]\n    custom_endpoint_url: {}\n    concurrency: 24\n    \
         org:\n      member_role_name: reader\n---\n\
         kind: destination\nspec:\n  name: database\n  path: sqlite\n  write_mode: {mode}\n  spec:\n    \
         connection_string: aws.db\n---\n\
         kind: destination\nspec:\n  name: files\n  path: file\n  write_mode: {mode}\n  spec:\n    path: files\n    \
         format: json\n",
        server.url(),
    )
}

/// Every row of every table, but for when it was synced.
fn rows(headwater: &Headwater) -> Vec<String> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let database = Connection::open_with_flags(headwater.folder().join("aws.db"), flags).unwrap();
    let mut all = Vec::new();
    for table in ORGANIZATION_TABLES {
        let mut names = database.prepare(&format!("SELECT name FROM pragma_table_info('{table}')")).unwrap();
        let names: Vec<String> = names.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        let row: Vec<String> =
            names.iter().filter(|name| *name != "_cq_sync_time").map(|name| format!("quote(\"{name}\")")).collect();
        let mut query = database.prepare(&format!("SELECT {} FROM \"{table}\"", row.join(" || ' ' || "))).unwrap();
        let rows = query.query_map([], |row| row.get::<_, String>(0)).unwrap();
        all.extend(rows.map(|row| format!("{table} {}", row.unwrap())));
    }
    all.sort();
    all
}

/// The lines of all JSON files, but for when they were synced.
fn lines(headwater: &Headwater) -> Vec<String> {
    let mut all = Vec::new();
    let mut folders = vec![headwater.folder().join("files")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.path().is_dir() {
                if !name.starts_with('_') {
                    folders.push(entry.path());
                }
                continue;
            }
            for line in std::fs::read_to_string(entry.path()).unwrap().lines() {
                let mut row: serde_json::Value = serde_json::from_str(line).unwrap();
                row["_cq_sync_time"] = serde_json::Value::Null;
                all.push(row.to_string());
            }
        }
    }
    all.sort();
    all
}

/// How many rows of the table of VPCs can be seen.
fn vpcs(headwater: &Headwater) -> i64 {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    Connection::open_with_flags(headwater.folder().join("aws.db"), flags)
        .and_then(|open| open.query_row("SELECT count(*) FROM aws_ec2_vpcs", [], |row| row.get(0)))
        .unwrap_or_default()
}

fn killed_and_resumed(mode: &str, state: &[&str]) {
    let server = organization(40);
    let estate = server.estate();
    let left_alone = Headwater::new().unwrap();
    let run = left_alone.sync(&configuration(&server, mode)).unwrap();
    assert_eq!(run.code, Some(0), "{}", run.output());
    let whole = (rows(&left_alone), lines(&left_alone));
    assert_eq!(whole.0.len() as u64, rows_of(&server));
    let all = server.stats().apis["ec2:DescribeVpcs"].calls;

    let headwater = Headwater::new().unwrap();
    headwater.write("sync.yml", &configuration(&server, mode)).unwrap();
    let mut arguments = vec!["sync", "sync.yml", "--resume"];
    arguments.extend(state);
    let took = Duration::from_millis(run.report.unwrap()["duration_ms"].as_u64().unwrap());
    let mut ended = false;
    for kill in 0..KILLS {
        let mut child = headwater.start(&arguments).unwrap();
        // From right after the start to well within the run, and the last time when half is committed for sure, which is
        // more than may be under way.
        if kill + 1 == KILLS {
            while vpcs(&headwater) < estate.rows(Kind::Vpcs) as i64 / 2 && child.try_wait().unwrap().is_none() {
                std::thread::sleep(Duration::from_millis(20));
            }
        } else {
            std::thread::sleep(took.mul_f64(0.02 + (kill * 7 % KILLS) as f64 / KILLS as f64 * 0.2));
        }
        // One that was quicker than expected has nothing left to resume.
        ended = child.try_wait().unwrap().is_some();
        child.kill().unwrap();
        child.wait().unwrap();
        if ended {
            break;
        }
    }
    if !ended {
        server.reset();
        let last = headwater.run(&arguments).unwrap();
        assert_eq!(last.code, Some(0), "{}", last.output());
        assert!(last.stdout.contains("resumed"), "{}", last.output());
        let calls = server.stats().apis["ec2:DescribeVpcs"].calls;
        assert!(calls < all, "what was committed is not fetched again: {calls} calls of {all}");
    }
    let resumed = (rows(&headwater), lines(&headwater));
    assert_eq!(whole.0.len(), resumed.0.len());
    assert!(whole == resumed, "the destinations hold the same");

    // Nothing is left to resume.
    let again = headwater.run(&arguments).unwrap();
    assert_eq!(again.code, Some(0), "{}", again.output());
    assert!(!again.stdout.contains("resumed"), "{}", again.output());
}

#[test]
fn killed_ten_times_while_rows_are_replaced() {
    killed_and_resumed("overwrite-delete-stale", &[]);
}

#[test]
fn killed_ten_times_while_rows_are_added() {
    killed_and_resumed("append", &["--state", "run.state"]);
}

#[test]
fn killed_ten_times_with_the_state_in_the_destination() {
    killed_and_resumed("overwrite-delete-stale", &["--state", "@database"]);
}

#[test]
fn another_configuration_is_not_resumed() {
    let server = organization(40);
    let headwater = Headwater::new().unwrap();
    let text = configuration(&server, "append");
    headwater.write("sync.yml", &text).unwrap();
    let mut child = headwater.start(&["sync", "sync.yml"]).unwrap();
    std::thread::sleep(Duration::from_millis(700));
    child.kill().unwrap();
    child.wait().unwrap();
    headwater.write("sync.yml", &text.replace("aws_ec2_vpcs, ", "")).unwrap();
    let run = headwater.run(&["sync", "sync.yml", "--resume"]).unwrap();
    assert_eq!(run.code, Some(2), "{}", run.output());
    assert!(run.stderr.contains("has changed since the interrupted run"), "{}", run.output());
}
