//! Every table: its rows and values are what boto3, an independent client, returns for the same calls.

use std::path::Path;
use std::process::Command;

use headwater_e2e::{Headwater, LocalAws, PYTHON, Settings, unsupported};
use serde_json::Value;

use crate::parquet;
use crate::support::{Configuration, DATABASE, Database, errors_of, local_aws, sync};

/// The second opinion.
const ORACLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/oracle");

/// The names of all tables, from the binary itself, and the file of their descriptions.
fn all_tables(headwater: &Headwater) -> Vec<String> {
    let run = headwater.run(&["tables", "aws", "--format", "json"]).unwrap();
    assert_eq!(run.code, Some(0), "{}", run.output());
    headwater.write("tables.json", &run.stdout).unwrap();
    let tables: Vec<Value> = serde_json::from_str(&run.stdout).unwrap();
    tables.iter().map(|table| table["name"].as_str().unwrap().to_owned()).collect()
}

/// Asks the oracle about some tables, or all; answers with whether they are equal, and what it says.
fn oracle(aws: &LocalAws, headwater: &Headwater, database: &Path, only: &[&str]) -> (bool, String) {
    let mut command = Command::new(std::env::var_os(PYTHON).unwrap());
    headwater_e2e::isolate(&mut command)
        .arg(ORACLE)
        .args(["--endpoint", aws.endpoint(), "--database"])
        .arg(database)
        .arg("--tables")
        .arg(headwater.folder().join("tables.json"))
        .arg("--only")
        .args(only)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    let output = command.output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.success(), said)
}

#[test]
fn rows_and_values_are_those_of_boto3() {
    let aws = local_aws(Settings { managed_policies: true });
    let estate = aws.build_estate(true).unwrap();
    assert_eq!(estate["instances"], 50);
    assert_eq!(
        estate["lacking_now_answered"],
        Value::from(Vec::<String>::new()),
        "moto answers these calls by now: use them in e2e/aws/estate, and take them out of lacking.py"
    );

    let headwater = Headwater::new().unwrap();
    let all = all_tables(&headwater);
    let mut configuration = Configuration::new(aws.endpoint(), &["*"]);
    configuration.skipped = unsupported().into_iter().map(str::to_owned).collect();
    configuration.parquet = true;
    sync(&headwater, &configuration, 0);

    // Whatever hangs from a table that is left out is left out too.
    let database = Database::open(headwater.folder());
    let answered: Vec<&str> = all.iter().map(String::as_str).filter(|name| !unsupported().contains(name)).collect();
    assert_eq!(database.tables(), sorted(&answered), "one table of the database for each that was read");
    let empty: Vec<&&str> =
        answered.iter().filter(|name| database.number(&format!("SELECT count(*) FROM \"{name}\"")) == 0).collect();
    assert!(empty.is_empty(), "the estate has nothing of {empty:?}, so nothing is tested of them");

    let file = headwater.folder().join(DATABASE);
    let (equal, said) = oracle(&aws, &headwater, &file, &answered);
    assert!(equal, "{said}");

    // A table that somebody adds needs no line in the oracle, as long as one plain call yields it.
    let plain = ["aws_ec2_instances", "aws_ec2_vpcs", "aws_iam_virtual_mfa_devices", "--derive"];
    let (equal, said) = oracle(&aws, &headwater, &file, &plain);
    assert!(equal && said.matches("call derived").count() == 3, "{said}");

    parquet::is_equal(&headwater.folder().join("parquet"), &database, &answered);
    drop(database);
    the_oracle_is_awake(&aws, &headwater);
}

/// A value that is not boto3's, a row too few and a row too many are found: a comparison that always agrees would
/// agree here too.
fn the_oracle_is_awake(aws: &LocalAws, headwater: &Headwater) {
    for (table, damage, trace) in [
        (
            "aws_ec2_vpcs",
            "UPDATE aws_ec2_vpcs SET cidr_block = '10.10.0.0/17' WHERE cidr_block = '10.10.0.0/16'",
            "10.10.0.0/17",
        ),
        (
            "aws_ec2_instances",
            "UPDATE aws_ec2_instances SET tags = json_set(tags, '$.Team', 'nobody') WHERE rowid = 3",
            "nobody",
        ),
        (
            "aws_iam_users",
            "UPDATE aws_iam_users SET create_date = '2020-01-01 00:00:00' WHERE user_name = 'ada'",
            "create_date",
        ),
        ("aws_ec2_subnets", "DELETE FROM aws_ec2_subnets WHERE rowid = 1", "1 of"),
        ("aws_ec2_key_pairs", "UPDATE aws_ec2_key_pairs SET _cq_id = 'the-same'", "come more than once"),
    ] {
        let damaged = headwater.folder().join("damaged.db");
        std::fs::copy(headwater.folder().join(DATABASE), &damaged).unwrap();
        let database = rusqlite::Connection::open(&damaged).unwrap();
        assert_ne!(database.execute(damage, []).unwrap(), 0, "{damage}");
        drop(database);
        let (equal, said) = oracle(aws, headwater, &damaged, &[table]);
        assert!(!equal && said.contains(trace), "after {damage} the oracle says:\n{said}");
        std::fs::remove_file(&damaged).unwrap();
    }
}

#[test]
fn tables_that_moto_cannot_answer_are_listed() {
    let aws = local_aws(Settings::default());
    let headwater = Headwater::new().unwrap();
    let all = all_tables(&headwater);
    let unknown: Vec<&str> = unsupported().into_iter().filter(|name| !all.iter().any(|known| known == name)).collect();
    assert!(unknown.is_empty(), "e2e/unsupported.txt names tables that are not there: {unknown:?}");

    let mut configuration = Configuration::new(aws.endpoint(), &unsupported());
    configuration.spec = "regions: [us-east-1]".to_owned();
    let run = headwater.sync(&configuration.text()).unwrap();
    assert!(matches!(run.code, Some(1 | 3)), "{}", run.output());
    let working: Vec<&str> = unsupported().into_iter().filter(|name| errors_of(&run, name).is_empty()).collect();
    assert!(working.is_empty(), "moto answers the calls of {working:?} by now: take them out of e2e/unsupported.txt");
}

fn sorted<'a>(names: &[&'a str]) -> Vec<&'a str> {
    let mut names = names.to_vec();
    names.sort_unstable();
    names
}
