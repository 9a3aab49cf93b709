//! Secrets and rules of columns and rows, on what AWS answers.

use headwater_e2e::{Headwater, Settings};
use serde_json::json;

use crate::support::{Configuration, Database, local_aws, sync};

const HOME: &str = "us-east-1";
const TABLES: [&str; 4] =
    ["aws_ec2_instances", "aws_ec2_launch_templates", "aws_ec2_launch_template_versions", "aws_iam_users"];

/// `c2VjcmV0`, the base64 of `secret`.
const USER_DATA: &str = "c2VjcmV0";

#[test]
fn user_data_is_redacted_unless_it_is_asked_for_and_rows_are_filtered() {
    let aws = local_aws(Settings::default());
    let template = json!({
        "LaunchTemplateName": "web",
        "LaunchTemplateData": { "InstanceType": "c6i.large", "UserData": USER_DATA },
    });
    aws.call("ec2", HOME, "create_launch_template", &template).unwrap();
    let run = json!({ "ImageId": "ami-12345678", "MinCount": 2, "MaxCount": 2, "UserData": "secret" });
    let run = aws.call("ec2", HOME, "run_instances", &run).unwrap();
    let stopped = run["Instances"][0]["InstanceId"].as_str().unwrap();
    aws.call("iam", HOME, "create_user", &json!({ "UserName": "ann" })).unwrap();

    let headwater = Headwater::new().unwrap();
    let mut configuration = Configuration::new(aws.endpoint(), &TABLES);
    configuration.rules = "columns: []".to_owned();
    let run = sync(&headwater, &configuration, 0);
    assert!(
        run.output().contains("aws_ec2_launch_template_versions.launch_template_data.UserData"),
        "{}",
        run.output()
    );
    let report = run.report.as_ref().unwrap();
    let redacted = json!(["aws_ec2_launch_template_versions.launch_template_data.UserData"]);
    assert_eq!(report["sources"][0]["redacted_by_default"], redacted);
    let database = Database::open(headwater.folder());
    let user_data = "SELECT launch_template_data ->> 'UserData' FROM aws_ec2_launch_template_versions";
    assert_eq!(database.column(user_data), ["[redacted]"]);
    let kind = "SELECT launch_template_data ->> 'InstanceType' FROM aws_ec2_launch_template_versions";
    assert_eq!(database.column(kind), ["c6i.large"], "the rest is as it was");
    assert_eq!(database.number("SELECT count(*) FROM aws_ec2_instances"), 2);

    // Asked for; a key is hashed, and only what runs is wanted.
    aws.call("ec2", HOME, "stop_instances", &json!({ "InstanceIds": [stopped] })).unwrap();
    configuration.rules = "hash_key: 5d9c68c6c50ed3d02a2fcf54f63993b6\ncolumns:\n\
        - tables: [aws_ec2_launch_template_versions]\n  keep: [launch_template_data.UserData]\n\
        - tables: [aws_iam_users]\n  hash: [arn, user_name]\n\
        rows: [{tables: [aws_ec2_instances], where: \"state.Name = 'running'\"}]"
        .to_owned();
    let run = sync(&headwater, &configuration, 0);
    assert!(!run.output().contains("known to hold secrets"), "{}", run.output());
    assert_eq!(database.column(user_data), [USER_DATA]);
    assert_eq!(database.number("SELECT count(*) FROM aws_ec2_instances"), 1);
    assert_eq!(database.number(&format!("SELECT count(*) FROM aws_ec2_instances WHERE instance_id = '{stopped}'")), 0);
    let users = database.column("SELECT length(arn) || ' ' || length(user_name) FROM aws_iam_users");
    assert_eq!(users, ["64 64"], "the row by its plain key is stale");
}
