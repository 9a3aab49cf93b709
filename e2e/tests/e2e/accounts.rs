//! Several accounts, each opened by a role, named or found in an organization.

use headwater_e2e::{ACCOUNT, Headwater, LocalAws, Settings};
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

/// An organization of the account itself and two more, of which the second is in a unit; answers their ids and the unit's.
fn organization(aws: &LocalAws) -> (String, String, String) {
    let call = |method: &str, arguments| aws.call("organizations", "us-east-1", method, &arguments).unwrap();
    call("create_organization", json!({ "FeatureSet": "ALL" }));
    let account = |name: &str| {
        let arguments = json!({ "AccountName": name, "Email": format!("{name}@example.com") });
        call("create_account", arguments)["CreateAccountStatus"]["AccountId"].as_str().unwrap().to_owned()
    };
    let (first, second) = (account("first"), account("second"));
    let closed = account("closed");
    call("close_account", json!({ "AccountId": closed }));
    let root = call("list_roots", json!({}))["Roots"][0]["Id"].as_str().unwrap().to_owned();
    let unit = call("create_organizational_unit", json!({ "ParentId": root, "Name": "unit" }));
    let unit = unit["OrganizationalUnit"]["Id"].as_str().unwrap().to_owned();
    call("move_account", json!({ "AccountId": second, "SourceParentId": root, "DestinationParentId": unit }));
    (first, second, unit)
}

fn synced_accounts(aws: &LocalAws, org: &str) -> Vec<String> {
    let mut configuration = Configuration::new(aws.endpoint(), &["aws_ec2_vpcs"]);
    configuration.spec = format!("regions: [us-east-1]\norg:\n  member_role_name: reader{org}");
    let headwater = Headwater::new().unwrap();
    sync(&headwater, &configuration, 0);
    Database::open(headwater.folder()).column("SELECT DISTINCT account_id FROM aws_ec2_vpcs ORDER BY 1")
}

#[test]
fn the_accounts_of_an_organization_are_read() {
    let aws = local_aws(Settings::default());
    let (first, second, unit) = organization(&aws);
    let sorted = |mut accounts: Vec<String>| {
        accounts.sort();
        accounts
    };
    let home = ACCOUNT.to_owned();
    assert_eq!(synced_accounts(&aws, ""), sorted(vec![home.clone(), first.clone(), second.clone()]));
    let only = format!("\n  organization_units: [{unit}]");
    assert_eq!(synced_accounts(&aws, &only), std::slice::from_ref(&second));
    let but_the_unit = format!("\n  skip_organization_units: [{unit}]");
    assert_eq!(synced_accounts(&aws, &but_the_unit), sorted(vec![home.clone(), first.clone()]));
    let but_the_first = format!("\n  skip_member_accounts: ['{first}']");
    assert_eq!(synced_accounts(&aws, &but_the_first), sorted(vec![home, second]));
}

#[test]
fn an_organization_without_accounts_is_a_failure() {
    let aws = local_aws(Settings::default());
    let mut configuration = Configuration::new(aws.endpoint(), &["aws_ec2_vpcs"]);
    configuration.spec = "regions: [us-east-1]\norg:\n  member_role_name: reader".to_owned();
    let headwater = Headwater::new().unwrap();
    let run = headwater.sync(&configuration.text()).unwrap();
    assert_ne!(run.code, Some(0), "{}", run.output());
    assert!(run.output().contains("no account was found"), "{}", run.output());
}
