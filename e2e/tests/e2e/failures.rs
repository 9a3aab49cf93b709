//! What goes wrong between here and AWS: rows of earlier syncs stay, and the user is told what it was.

use std::net::TcpListener;

use headwater_e2e::{Headwater, LocalAws, Run, Settings};
use serde_json::{Value, json};

use crate::support::{Configuration, DATABASE, Database, errors_of, local_aws, sync};

const HOME: &str = "us-east-1";
const TABLES: [&str; 4] = ["aws_ec2_vpcs", "aws_ec2_subnets", "aws_ec2_route_tables", "aws_iam_users"];

/// A local AWS with something of every table in it.
fn inhabited() -> LocalAws {
    let aws = local_aws(Settings::default());
    for name in ["one", "two"] {
        aws.call("iam", HOME, "create_user", &json!({ "UserName": name })).unwrap();
    }
    aws.call("ec2", HOME, "create_vpc", &json!({ "CidrBlock": "10.1.0.0/16" })).unwrap();
    aws
}

fn nothing_was_written(headwater: &Headwater, run: &Run) {
    let folder = headwater.folder();
    if folder.join(DATABASE).exists() {
        let tables = Database::open(folder).tables();
        assert!(tables.is_empty(), "{tables:?} were made, though nothing could be read: {}", run.output());
    }
    let left: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    let expected = ["sync.yml", "report.json", DATABASE];
    assert!(left.iter().all(|name| expected.iter().any(|known| name == known)), "{left:?}");
}

/// One clear message: it says what is wrong, and is short.
fn says(run: &Run, words: &[&str]) {
    let text = format!("{}{}", run.stdout, run.stderr);
    for word in words {
        assert!(text.contains(word), "`{word}` is not in:\n{}", run.output());
    }
    assert!(!text.contains("testing") && !text.contains("SECRET"), "a secret was shown:\n{}", run.output());
    assert!(text.lines().count() < 40, "too much was said:\n{}", run.output());
}

#[test]
fn a_server_that_dies_half_way_leaves_the_earlier_rows() {
    let aws = inhabited();
    let headwater = Headwater::new().unwrap();
    let mut configuration = Configuration::new(aws.endpoint(), &TABLES);
    configuration.spec.push_str("\nconcurrency: 1");
    let calls = aws.calls().unwrap();
    sync(&headwater, &configuration, 0);
    let needed = aws.calls().unwrap() - calls;
    assert!(needed >= 8, "{needed} calls for four tables, three of them in two regions");
    let database = Database::open(headwater.folder());
    let before: Vec<Vec<String>> = TABLES.iter().map(|table| database.snapshot(table)).collect();
    assert!(before.iter().all(|rows| !rows.is_empty()));

    // The server answers all but the last three calls of a sync, and then is gone in the middle of one.
    aws.order(&format!("die-after {}", needed - 3)).unwrap();
    let run = headwater.sync(&configuration.text()).unwrap();
    assert!(matches!(run.code, Some(1 | 3)), "{}", run.output());
    let mut failed = 0;
    for (table, before) in TABLES.iter().zip(&before) {
        let after = database.snapshot(table);
        assert_eq!(after.len(), before.len(), "{table} has lost rows:\n{}", run.output());
        let scopes = errors_of(&run, table).len();
        failed += scopes;
        let same = after.iter().filter(|row| before.contains(row)).count();
        if scopes == 0 {
            assert_eq!(same, 0, "{table} was read, and its rows are of this sync");
        } else {
            assert!(same > 0, "{table} failed, and its earlier rows stay as they were");
        }
    }
    assert!(failed > 0, "the server died and nothing failed:\n{}", run.output());
    let report = run.report.as_ref().unwrap();
    assert_eq!(report["exit_code"], json!(run.code), "{report:#}");
}

#[test]
fn an_endpoint_that_cannot_be_reached_is_named() {
    // A port that was free a moment ago, and that nobody listens on.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let headwater = Headwater::new().unwrap();
    let configuration = Configuration::new(&format!("http://127.0.0.1:{port}"), &TABLES);
    let run = sync(&headwater, &configuration, 1);
    says(&run, &[&format!("127.0.0.1:{port}")]);
    nothing_was_written(&headwater, &run);
    let report = run.report.as_ref().unwrap();
    assert_eq!(report["outcome"], "failed", "{report:#}");
}

#[test]
fn wrong_credentials_are_told_from_everything_else() {
    let aws = inhabited();
    aws.order("check-credentials").unwrap();
    let headwater = Headwater::new().unwrap();
    let run = sync(&headwater, &Configuration::new(aws.endpoint(), &TABLES), 1);
    says(&run, &["credential"]);
    nothing_was_written(&headwater, &run);
}

/// A key of a user with a policy.
fn user_with(aws: &LocalAws, policy: &Value) -> (String, String) {
    aws.call("iam", HOME, "create_user", &json!({ "UserName": "reader" })).unwrap();
    let text = policy.to_string();
    let policy = json!({ "UserName": "reader", "PolicyName": "reads", "PolicyDocument": text });
    aws.call("iam", HOME, "put_user_policy", &policy).unwrap();
    let key = aws.call("iam", HOME, "create_access_key", &json!({ "UserName": "reader" })).unwrap();
    let part = |name: &str| key["AccessKey"][name].as_str().unwrap().to_owned();
    (part("AccessKeyId"), part("SecretAccessKey"))
}

#[test]
fn a_call_that_is_not_allowed_fails_its_table_alone() {
    let aws = inhabited();
    let allowed = ["ec2:DescribeVpcs", "ec2:DescribeSubnets", "ec2:DescribeRegions", "iam:*", "sts:*"];
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": allowed, "Resource": "*" }]
    });
    let (id, secret) = user_with(&aws, &policy);
    let headwater = Headwater::new()
        .unwrap()
        .with_environment("AWS_ACCESS_KEY_ID", &id)
        .with_environment("AWS_SECRET_ACCESS_KEY", &secret);
    let configuration = Configuration::new(aws.endpoint(), &TABLES);
    sync(&headwater, &configuration, 0);
    let database = Database::open(headwater.folder());
    let before = database.snapshot("aws_ec2_route_tables");

    aws.order("check-credentials").unwrap();
    let run = sync(&headwater, &configuration, 3);
    let errors = errors_of(&run, "aws_ec2_route_tables");
    assert_eq!(errors.len(), 2, "one for each region: {errors:?}");
    assert!(errors.iter().all(|error| error["class"] == "denied"), "{errors:?}");
    assert_eq!(database.snapshot("aws_ec2_route_tables"), before);
    for table in ["aws_ec2_vpcs", "aws_ec2_subnets", "aws_iam_users"] {
        assert!(errors_of(&run, table).is_empty(), "{}", run.output());
        assert_eq!(database.number(&format!("SELECT count(DISTINCT _cq_sync_time) FROM {table}")), 1);
    }
    says(&run, &["aws_ec2_route_tables", "DescribeRouteTables"]);
    assert!(!run.output().contains(&secret), "the secret key was shown");
}

#[test]
fn the_profile_that_is_named_counts_before_the_environment() {
    let aws = inhabited();
    let everything = json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": "*", "Resource": "*" }]
    });
    let (id, secret) = user_with(&aws, &everything);
    let headwater = Headwater::new().unwrap();
    let profiles = format!("[profile named]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n");
    let file = headwater.write("profiles", &profiles).unwrap();
    let headwater = headwater.with_environment("AWS_CONFIG_FILE", &file.to_string_lossy());
    let mut configuration = Configuration::new(aws.endpoint(), &TABLES);
    aws.order("check-credentials").unwrap();
    // The environment's key is nobody's.
    sync(&headwater, &configuration, 1);
    configuration.spec.push_str("\naccounts: [{ id: home, local_profile: named }]");
    sync(&headwater, &configuration, 0);
    assert!(Database::open(headwater.folder()).number("SELECT count(*) FROM aws_ec2_vpcs") > 0);
}

#[test]
fn a_throttled_call_is_tried_again() {
    let aws = inhabited();
    let headwater = Headwater::new().unwrap();
    let configuration = Configuration::new(aws.endpoint(), &TABLES);
    aws.order("fail 503 RequestLimitExceeded 2 Action=DescribeSubnets").unwrap();
    let run = sync(&headwater, &configuration, 0);
    assert!(errors_of(&run, "aws_ec2_subnets").is_empty());
    let database = Database::open(headwater.folder());
    assert_eq!(database.number("SELECT count(DISTINCT region) FROM aws_ec2_subnets"), 2);

    // More often than `max_retries` allows.
    aws.order("fail 503 RequestLimitExceeded 100 Action=DescribeSubnets").unwrap();
    let run = sync(&headwater, &configuration, 3);
    let errors = errors_of(&run, "aws_ec2_subnets");
    assert!(!errors.is_empty() && errors.iter().all(|error| error["class"] == "throttled"), "{errors:?}");
    assert_eq!(database.number("SELECT count(DISTINCT region) FROM aws_ec2_subnets"), 2, "earlier rows stay");
}
