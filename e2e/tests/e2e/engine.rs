//! The engine against a fast AWS that throttles, fails and stalls as it is told.

use std::time::{Duration, Instant};

use headwater_bench_server::{Config, Fault, FaultKind, Kind, Latency, Server, Throttle};
use headwater_e2e::{Headwater, Run};
use rusqlite::Connection;
use serde_json::Value;

fn start(config: Config) -> Server {
    Server::start_blocking(config, 1).unwrap()
}

/// `aws` to SQLite; `spec` is more lines of the source's own spec.
fn configuration(server: &Server, tables: &str, spec: &str) -> String {
    format!(
        "kind: source\nspec:\n  name: aws\n  path: aws\n  tables: [{tables}]\n  destinations: [database]\n  spec:\n    \
         regions: [us-east-1]\n    custom_endpoint_url: {}\n    {}\n---\n\
         kind: destination\nspec:\n  name: database\n  path: sqlite\n  spec:\n    connection_string: aws.db\n",
        server.url(),
        spec.replace('\n', "\n    "),
    )
}

const ORG: &str = "org:\n  member_role_name: reader";

fn number(headwater: &Headwater, sql: &str) -> i64 {
    let database = Connection::open(headwater.folder().join("aws.db")).unwrap();
    database.query_row(sql, [], |row| row.get(0)).unwrap()
}

fn report(run: &Run) -> &Value {
    run.report.as_ref().unwrap_or_else(|| panic!("no report: {}", run.output()))
}

fn fault(kind: FaultKind) -> Fault {
    Fault { kind, ..Fault::default() }
}

#[test]
fn calls_that_fail_lose_and_double_no_row() {
    let mut config = Config::default().with_accounts(30).with(Kind::Instances, 40).with_page("DescribeInstances", 10);
    config.page_limits.insert("DescribeInstances".into(), 10);
    for kind in [
        FaultKind::InternalError,
        FaultKind::Unavailable,
        FaultKind::BadGateway,
        FaultKind::Reset,
        FaultKind::Truncate,
        FaultKind::Throttled,
    ] {
        config = config.with_fault(Fault { probability: Some(0.02), ..fault(kind) });
    }
    let server = start(config);
    let headwater = Headwater::new().unwrap();
    let run = headwater.sync(&configuration(&server, "aws_ec2_instances", ORG)).unwrap();
    assert_eq!(run.code, Some(0), "{}", run.output());
    assert_eq!(number(&headwater, "SELECT count(*) FROM aws_ec2_instances"), 30 * 40);
    assert!(server.stats().faults.values().sum::<u64>() > 5, "{:?}", server.stats().faults);
    assert!(report(&run)["sources"][0]["calls"]["retried"].as_u64().unwrap() > 0);
}

#[test]
fn shards_are_the_whole_and_share_nothing() {
    let server = start(Config::default().with_accounts(20).with(Kind::Vpcs, 3).with(Kind::Users, 2));
    let mut counts = [0; 2];
    for index in 0..3 {
        let headwater = Headwater::new().unwrap().with_environment("JOB_COMPLETION_INDEX", &index.to_string());
        headwater.write("sync.yml", &configuration(&server, "aws_ec2_vpcs, aws_iam_users", ORG)).unwrap();
        let shard = format!("{}/3", index + 1);
        let shard = if index == 2 { "3" } else { &shard };
        let run = headwater.run(&["sync", "sync.yml", "--shard", shard]).unwrap();
        assert_eq!(run.code, Some(0), "{}", run.output());
        for (table, count) in ["aws_ec2_vpcs", "aws_iam_users"].into_iter().zip(&mut counts) {
            let rows = number(&headwater, &format!("SELECT count(*) FROM {table}"));
            assert!(rows > 0 && rows < 60, "shard {shard} has {rows} rows of {table}");
            *count += rows;
        }
    }
    assert_eq!(counts, [60, 40]);
}

#[test]
fn a_denied_call_is_told_once_with_its_permission_and_soon_not_made() {
    let denied = Fault { service: "iam".into(), api: "ListAccessKeys".into(), ..fault(FaultKind::Denied) };
    let config =
        Config::default().with(Kind::Users, 2000).with_latency(Latency::Constant { ms: 10.0 }).with_fault(denied);
    let server = start(config);
    let headwater = Headwater::new().unwrap();
    let run = headwater.sync(&configuration(&server, "aws_iam_users, aws_iam_user_access_keys", "")).unwrap();
    assert_eq!(run.code, Some(3), "{}", run.output());
    assert!(run.stdout.contains("allow iam:ListAccessKeys"), "{}", run.output());
    assert_eq!(number(&headwater, "SELECT count(*) FROM aws_iam_users"), 2000);
    let calls = server.stats().apis["iam:ListAccessKeys"].calls;
    assert!(calls < 300, "{calls} calls of which the first was denied");
    let tables = report(&run)["sources"][0]["tables"].as_array().unwrap();
    let keys = tables.iter().find(|table| table["table"] == "aws_iam_user_access_keys").unwrap();
    let errors = keys["units"][0]["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 1, "{errors:#?}");
    assert_eq!(errors[0]["permission"], "iam:ListAccessKeys");
}

#[test]
fn a_throttled_api_is_called_at_its_limit() {
    let throttle = Throttle {
        service: "iam".into(),
        api: "ListAccessKeys".into(),
        rate: 100.0,
        burst: 50.0,
        ..Throttle::default()
    };
    let server = start(Config::default().with(Kind::Users, 500).with_throttle(throttle));
    let headwater = Headwater::new().unwrap();
    let run = headwater.sync(&configuration(&server, "aws_iam_users, aws_iam_user_access_keys", "")).unwrap();
    assert_eq!(run.code, Some(0), "{}", run.output());
    let stats = server.stats().apis["iam:ListAccessKeys"].clone();
    assert_eq!(stats.calls - stats.throttled, 500);
    // A busy machine is allowed for, without a limit they would be thousands; the bench measures how close it comes.
    assert!(stats.throttled < 250, "{stats:?}");
    assert!(report(&run)["sources"][0]["calls"]["throttled"].as_u64().unwrap() >= stats.throttled);
}

#[test]
fn limits_of_the_spec_are_kept_to() {
    let server = start(Config::default().with(Kind::Users, 60));
    let headwater = Headwater::new().unwrap();
    let spec = "limits:\n  \"iam:ListAccessKeys\": {calls_per_second: 25, burst: 10}\n  aws_ec2_*: 100";
    let text = configuration(&server, "aws_iam_users, aws_iam_user_access_keys", spec);
    headwater.write("sync.yml", &text).unwrap();
    let began = Instant::now();
    let run = headwater.run(&["sync", "sync.yml", "--explain-slow"]).unwrap();
    assert_eq!(run.code, Some(0), "{}", run.output());
    assert!(began.elapsed() > Duration::from_millis(1900), "50 calls beyond the burst at 25 a second");
    assert!(run.stdout.contains("slowest units of aws") && run.stdout.contains("limiter"), "{}", run.output());
    let wrong = headwater
        .sync(&text.replace("ListAccessKeys\": {calls_per_second: 25", "ListAccessKeys\": {calls_per_second: 0"))
        .unwrap();
    assert_eq!(wrong.code, Some(2), "{}", wrong.output());
}

#[test]
fn rows_come_while_other_accounts_are_still_being_opened() {
    let slow = Fault {
        service: "sts".into(),
        api: "AssumeRole".into(),
        accounts: vec![1, 3, 5, 7, 9, 11],
        delay_ms: 3000,
        ..fault(FaultKind::Slow)
    };
    let server = start(Config::default().with_accounts(12).with(Kind::Vpcs, 2).with_fault(slow));
    let headwater = Headwater::new().unwrap();
    let run = headwater.sync(&configuration(&server, "aws_ec2_vpcs", ORG)).unwrap();
    assert_eq!(run.code, Some(0), "{}", run.output());
    let units = report(&run)["sources"][0]["tables"][0]["units"].as_array().unwrap();
    assert_eq!(units.len(), 12);
    let early = units.iter().filter(|unit| unit["start_ms"].as_u64().unwrap() < 2500).count();
    assert!((4..12).contains(&early), "{early} of 12 accounts were read before the slow ones were open");
}

#[test]
fn an_account_that_cannot_be_opened_fails_alone() {
    let config = Config { accounts_denied: vec![3, 5], ..Config::default().with_accounts(8).with(Kind::Vpcs, 2) };
    let server = start(config);
    let headwater = Headwater::new().unwrap();
    let text = configuration(&server, "aws_ec2_vpcs", ORG);
    let run = headwater.sync(&text).unwrap();
    assert_eq!(run.code, Some(3), "{}", run.output());
    assert!(run.stdout.contains("100000000003") && run.stdout.contains("100000000005"), "{}", run.output());
    assert_eq!(number(&headwater, "SELECT count(*) FROM aws_ec2_vpcs"), 12);
    assert_eq!(report(&run)["sources"][0]["not_opened"].as_array().unwrap().len(), 2);

    let run = headwater.run(&["sync", "sync.yml", "--fail-fast"]).unwrap();
    assert!(matches!(run.code, Some(1 | 3)), "{}", run.output());
    assert!(run.stdout.contains("stopped at the first failure"), "{}", run.output());
}

#[test]
fn little_memory_is_enough() {
    let config = Config { row_bytes: 20_000, ..Config::default().with_accounts(6).with(Kind::Instances, 200) };
    let server = start(config);
    let headwater = Headwater::new().unwrap();
    headwater.write("sync.yml", &configuration(&server, "aws_ec2_instances", ORG)).unwrap();
    let run = headwater.run(&["sync", "sync.yml", "--memory", "4MiB", "--report", "report.json"]).unwrap();
    assert_eq!(run.code, Some(0), "{}", run.output());
    assert_eq!(number(&headwater, "SELECT count(*) FROM aws_ec2_instances"), 1200);
    let run = headwater.run(&["sync", "sync.yml", "--memory", "none"]).unwrap();
    assert_eq!(run.code, Some(2), "{}", run.output());
}

#[cfg(unix)]
#[test]
fn a_signal_ends_it_within_five_seconds_whatever_hangs() {
    use rustix::process::{Pid, Signal, kill_process};
    let hang =
        Fault { service: "ec2".into(), api: "DescribeVpcs".into(), account_every: Some(2), ..fault(FaultKind::Hang) };
    let server = start(Config::default().with_accounts(6).with(Kind::Vpcs, 2).with_fault(hang));
    let headwater = Headwater::new().unwrap();
    headwater.write("sync.yml", &configuration(&server, "aws_ec2_vpcs", ORG)).unwrap();
    let mut child = headwater.start(&["sync", "sync.yml", "--report", "report.json"]).unwrap();
    let arrived = |headwater: &Headwater| {
        Connection::open(headwater.folder().join("aws.db"))
            .and_then(|open| open.query_row("SELECT count(*) FROM aws_ec2_vpcs", [], |row| row.get::<_, i64>(0)))
            .is_ok_and(|rows| rows >= 6)
    };
    let began = Instant::now();
    while !arrived(&headwater) {
        assert!(began.elapsed() < Duration::from_secs(30), "no row came");
        std::thread::sleep(Duration::from_millis(20));
    }
    let signalled = Instant::now();
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let status = child.wait().unwrap();
    assert!(signalled.elapsed() < Duration::from_secs(5), "{:?}", signalled.elapsed());
    assert_eq!(status.code(), Some(3));
    let report: Value =
        serde_json::from_str(&std::fs::read_to_string(headwater.folder().join("report.json")).unwrap()).unwrap();
    assert_eq!(report["interrupted"], true);
    assert_eq!(report["sources"][0]["units_run"], 3);

    // What was not read is read when it is resumed, and nothing else.
    server.set_config(Config { faults: Vec::new(), ..server.config() }).unwrap();
    server.reset();
    let run = headwater.run(&["sync", "sync.yml", "--resume"]).unwrap();
    assert_eq!(run.code, Some(0), "{}", run.output());
    assert_eq!(server.stats().apis["ec2:DescribeVpcs"].calls, 3);
    assert_eq!(number(&headwater, "SELECT count(*) FROM aws_ec2_vpcs"), 12);
}
