//! Several accounts, each opened by a role.

use headwater_e2e::{ACCOUNT, Headwater, Settings};
use serde_json::json;

use crate::support::{Configuration, Database, local_aws, sync};

const OTHER: &str = "111111111111";

/// The calls of moto that land in another account: with keys that assuming its role has returned.
fn configuration(endpoint: &str) -> Configuration {
    let mut configuration =
        Configuration::new(endpoint, &["aws_ec2_vpcs", "aws_ec2_key_pairs", "aws_s3_buckets", "aws_iam_users"]);
    configuration.spec = format!(
        "regions: [us-east-1]\naccounts:\n  - id: home\n  - id: other\n    role_arn: arn:aws:iam::{OTHER}:role/reader\n    \
         external_id: a-shared-word"
    );
    configuration
}

#[test]
fn two_accounts_do_not_mix() {
    let aws = local_aws(Settings::default());
    let home = "us-east-1";
    for name in ["first", "second"] {
        aws.call("ec2", home, "create_key_pair", &json!({ "KeyName": name })).unwrap();
    }
    aws.call("iam", home, "create_user", &json!({ "UserName": "somebody" })).unwrap();

    let headwater = Headwater::new().unwrap();
    sync(&headwater, &configuration(aws.endpoint()), 0);
    let database = Database::open(headwater.folder());
    // Each account has a default network of its own in each region.
    assert_eq!(database.column("SELECT account_id FROM aws_ec2_vpcs ORDER BY 1"), [OTHER, ACCOUNT]);
    let arns = database.column("SELECT arn FROM aws_ec2_vpcs ORDER BY account_id");
    assert!(arns[0].contains(OTHER) && arns[1].contains(ACCOUNT), "{arns:?}");
    assert_eq!(database.column("SELECT DISTINCT account_id FROM aws_ec2_key_pairs"), [ACCOUNT]);
    assert_eq!(
        database.column("SELECT user_name || ' ' || account_id FROM aws_iam_users"),
        [format!("somebody {ACCOUNT}")]
    );

    // What is gone in one account does not take the other's rows with it.
    aws.call("ec2", home, "delete_key_pair", &json!({ "KeyName": "first" })).unwrap();
    sync(&headwater, &configuration(aws.endpoint()), 0);
    assert_eq!(database.column("SELECT key_name FROM aws_ec2_key_pairs"), ["second"]);
    assert_eq!(database.number("SELECT count(*) FROM aws_ec2_vpcs"), 2);
}

#[test]
fn an_account_that_cannot_be_opened_leaves_the_other_alone() {
    let aws = local_aws(Settings::default());
    let headwater = Headwater::new().unwrap();
    sync(&headwater, &configuration(aws.endpoint()), 0);
    let database = Database::open(headwater.folder());
    let before = database.column("SELECT _cq_id FROM aws_ec2_vpcs ORDER BY account_id");
    aws.order("fail 403 AccessDenied 100 Action=AssumeRole").unwrap();
    let run = sync(&headwater, &configuration(aws.endpoint()), 3);
    let text = run.output();
    assert!(text.contains("other") && text.contains("AccessDenied"), "{text}");
    let report = run.report.as_ref().unwrap();
    assert_eq!(report["sources"][0]["not_opened"].as_array().map(Vec::len), Some(1), "{report:#}");
    assert_eq!(
        database.column("SELECT _cq_id FROM aws_ec2_vpcs ORDER BY account_id"),
        before,
        "the rows of the account that could not be opened stay"
    );
}
