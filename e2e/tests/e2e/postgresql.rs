//! Syncs into a PostgreSQL server: what it holds is what SQLite holds of the same sync, also where headwater is killed.

use std::time::Duration;

use headwater_bench_server::Server;
use headwater_e2e::{Headwater, LocalPostgresql};

use crate::support::{ORGANIZATION_TABLES, organization, rows_of};

/// How often a sync is killed.
const KILLS: u32 = 10;

fn configuration(server: &Server) -> String {
    format!(
        "kind: source\nspec:\n  name: aws\n  path: aws\n  tables: [{}]\n  destinations: [warehouse]\n  \
         spec:\n    regions: [us-east-1, eu-west-1]\n    custom_endpoint_url: {}\n    concurrency: 24\n    \
         org:\n      member_role_name: reader\n---\n\
         kind: destination\nspec:\n  name: warehouse\n  path: postgresql\n  spec:\n    \
         connection_string: ${{DATABASE_URL}}\n",
        ORGANIZATION_TABLES.join(", "),
        server.url(),
    )
}

/// Every row of every table as JSON, but for when it was synced.
fn rows(database: &LocalPostgresql) -> Vec<String> {
    let mut all = Vec::new();
    for table in ORGANIZATION_TABLES {
        let sql = format!("SELECT to_jsonb(t) - '_cq_sync_time' FROM {table} t ORDER BY 1");
        all.extend(database.query(&sql).unwrap().lines().map(|row| format!("{table} {row}")));
    }
    all
}

#[test]
fn killed_ten_times_it_holds_what_one_sync_writes() {
    let (server, database) = (organization(30), LocalPostgresql::start().unwrap());
    let whole = Headwater::new().unwrap().with_environment("DATABASE_URL", &database.url());
    let run = whole.sync(&configuration(&server)).unwrap();
    assert_eq!(run.code, Some(0), "{}", run.output());
    assert!(!run.output().contains("a%20pass"), "the password is not shown: {}", run.output());
    let expected = rows(&database);
    assert_eq!(expected.len() as u64, rows_of(&server));
    let types = "SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attname) FROM pg_attribute \
                 WHERE attrelid = 'aws_ec2_instances'::regclass AND attname IN ('_cq_id', '_cq_sync_time', 'tags', 'ebs_optimized')";
    assert_eq!(
        database.query(types).unwrap().trim(),
        "_cq_id uuid, _cq_sync_time timestamp with time zone, ebs_optimized boolean, tags jsonb"
    );

    let database = LocalPostgresql::start().unwrap();
    let killed = Headwater::new().unwrap().with_environment("DATABASE_URL", &database.url());
    killed.write("sync.yml", &configuration(&server)).unwrap();
    let took = Duration::from_millis(run.report.unwrap()["duration_ms"].as_u64().unwrap());
    // What is done is noted in the database itself.
    let arguments = ["sync", "sync.yml", "--resume", "--state", "@warehouse"];
    for kill in 0..KILLS {
        let mut child = killed.start(&arguments).unwrap();
        std::thread::sleep(took.mul_f64(0.1 + f64::from(kill * 7 % KILLS) / f64::from(KILLS) * 0.5));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let last = killed.run(&arguments).unwrap();
    assert_eq!(last.code, Some(0), "{}", last.output());
    assert!(expected == rows(&database), "the database holds the same");
    assert_eq!(database.query("SELECT count(*) FROM headwater_runs").unwrap().trim(), "0", "all is done");
}

#[test]
fn a_server_that_is_killed_in_the_middle_loses_nothing() {
    let (server, mut database) = (organization(30), LocalPostgresql::start().unwrap());
    let whole = Headwater::new().unwrap().with_environment("DATABASE_URL", &database.url());
    let run = whole.sync(&configuration(&server)).unwrap();
    assert_eq!(run.code, Some(0), "{}", run.output());
    let expected = rows(&database);
    let took = Duration::from_millis(run.report.unwrap()["duration_ms"].as_u64().unwrap());

    database = LocalPostgresql::start().unwrap();
    let killed = Headwater::new().unwrap().with_environment("DATABASE_URL", &database.url());
    killed.write("sync.yml", &configuration(&server)).unwrap();
    // The second sync replaces the rows of the first.
    for sync in 0..2_u32 {
        let mut child = killed.start(&["sync", "sync.yml", "--resume"]).unwrap();
        for kill in 0..3_u32 {
            std::thread::sleep(took.mul_f64(0.2 + f64::from((sync * 3 + kill) * 5 % 7) / 20.0));
            database.kill();
            database.run().unwrap();
        }
        let code = child.wait().unwrap().code();
        // What found no server for too long has failed, and was told; nothing else can have.
        assert!(matches!(code, Some(0 | 1 | 3)), "{code:?}");
        let last = killed.run(&["sync", "sync.yml", "--resume"]).unwrap();
        assert_eq!(last.code, Some(0), "{}", last.output());
        assert!(expected == rows(&database), "sync {sync}: the database holds what an undisturbed sync writes");
    }
}

#[test]
fn a_database_that_refuses_is_told_in_one_line() {
    let (server, database) = (organization(30), LocalPostgresql::start().unwrap());
    let wrong = database.url().replace("pass%2Fword", "hunter2");
    let headwater = Headwater::new().unwrap().with_environment("DATABASE_URL", &wrong);
    let run = headwater.sync(&configuration(&server)).unwrap();
    assert_eq!(run.code, Some(1), "{}", run.output());
    assert!(run.output().contains("password authentication failed"), "{}", run.output());
    assert!(!run.output().contains("hunter2"), "{}", run.output());
}
