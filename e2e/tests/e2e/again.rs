//! A second sync: what is still there is there once, what is new comes, what is gone goes.

use headwater_e2e::{Headwater, Settings};
use serde_json::json;

use crate::support::{Configuration, Database, local_aws, sync};

const HOME: &str = "us-east-1";

#[test]
fn a_second_sync_has_no_duplicates_and_forgets_what_is_gone() {
    let aws = local_aws(Settings::default());
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let vpc =
        |cidr: &str| text(&aws.call("ec2", HOME, "create_vpc", &json!({ "CidrBlock": cidr })).unwrap()["Vpc"]["VpcId"]);
    let (stays, goes) = (vpc("10.1.0.0/16"), vpc("10.2.0.0/16"));
    aws.call("ec2", HOME, "create_key_pair", &json!({ "KeyName": "goes" })).unwrap();
    aws.call("s3", HOME, "create_bucket", &json!({ "Bucket": "goes" })).unwrap();
    let rules = json!({ "CORSRules": [{ "AllowedMethods": ["GET"], "AllowedOrigins": ["*"] }] });
    aws.call("s3", HOME, "put_bucket_cors", &json!({ "Bucket": "goes", "CORSConfiguration": rules })).unwrap();
    aws.call("iam", HOME, "create_user", &json!({ "UserName": "stays" })).unwrap();
    let run = json!({ "ImageId": "ami-12345678", "MinCount": 2, "MaxCount": 2 });
    let run = aws.call("ec2", HOME, "run_instances", &run).unwrap();
    let machine = |index: usize| text(&run["Instances"][index]["InstanceId"]);
    let (keeps_running, terminated) = (machine(0), machine(1));

    let headwater = Headwater::new().unwrap();
    let tables = [
        "aws_ec2_instances",
        "aws_ec2_key_pairs",
        "aws_ec2_vpcs",
        "aws_s3_buckets",
        "aws_s3_bucket_cors_rules",
        "aws_iam_users",
    ];
    let configuration = Configuration::new(aws.endpoint(), &tables);
    sync(&headwater, &configuration, 0);
    let database = Database::open(headwater.folder());
    let count = |table: &str| database.number(&format!("SELECT count(*) FROM {table}"));
    let ids = |table: &str| database.column(&format!("SELECT _cq_id FROM {table} ORDER BY 1"));
    let before: Vec<Vec<String>> = tables.iter().map(|table| ids(table)).collect();
    assert_eq!(count("aws_ec2_instances"), 2);
    assert_eq!(count("aws_s3_bucket_cors_rules"), 1);
    let first_time = database.column("SELECT max(_cq_sync_time) FROM aws_ec2_vpcs");

    // Nothing has changed: the same rows with the same ids, of a later sync.
    sync(&headwater, &configuration, 0);
    for (table, before) in tables.iter().zip(&before) {
        assert_eq!(&ids(table), before, "{table} after a second sync of the same account");
    }
    assert_ne!(database.column("SELECT min(_cq_sync_time) FROM aws_ec2_vpcs"), first_time);

    aws.call("ec2", HOME, "delete_vpc", &json!({ "VpcId": goes })).unwrap();
    aws.call("ec2", HOME, "delete_key_pair", &json!({ "KeyName": "goes" })).unwrap();
    aws.call("s3", HOME, "delete_bucket", &json!({ "Bucket": "goes" })).unwrap();
    aws.call("iam", HOME, "create_user", &json!({ "UserName": "comes" })).unwrap();
    let tag = json!({ "Resources": [stays], "Tags": [{ "Key": "Name", "Value": "renamed" }] });
    aws.call("ec2", HOME, "create_tags", &tag).unwrap();
    aws.call("ec2", HOME, "terminate_instances", &json!({ "InstanceIds": [terminated] })).unwrap();
    sync(&headwater, &configuration, 0);

    let vpcs = database.column("SELECT vpc_id FROM aws_ec2_vpcs");
    assert!(vpcs.contains(&stays) && !vpcs.contains(&goes), "{vpcs:?}");
    let name = format!("SELECT json_extract(tags, '$.Name') FROM aws_ec2_vpcs WHERE vpc_id = '{stays}'");
    assert_eq!(database.column(&name), ["renamed"]);
    assert_eq!(count("aws_ec2_key_pairs"), 0);
    assert_eq!(count("aws_s3_buckets"), 0);
    assert_eq!(count("aws_s3_bucket_cors_rules"), 0, "what hangs from a bucket goes with it");
    assert_eq!(database.column("SELECT user_name FROM aws_iam_users ORDER BY 1"), ["comes", "stays"]);
    // A terminated machine is shown as such for a while, by AWS and by moto, before it is gone.
    let states = "SELECT instance_id || ' ' || json_extract(state, '$.Name') FROM aws_ec2_instances ORDER BY 1";
    let states = database.column(states);
    assert!(states.contains(&format!("{keeps_running} running")), "{states:?}");
    assert!(!states.iter().any(|line| line == &format!("{terminated} running")), "{states:?}");
}
