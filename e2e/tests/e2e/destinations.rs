//! One sync into several destinations at once: each of them holds the rows that SQLite holds.

use std::path::Path;

use headwater_bench_server::Server;
use headwater_e2e::drivers::{adbc_driver, libduckdb, python};
use headwater_e2e::{Headwater, LocalClickhouse, Settings};
use serde_json::json;

use crate::support::{DATABASE, Database, ORGANIZATION_TABLES, local_aws, organization, rows_of};

const REGION: &str = "us-east-1";

/// What is compared of a table, as text.
fn columns(table: &str) -> &'static [&'static str] {
    match table {
        "aws_ec2_instances" => &["_cq_id", "account_id", "region", "instance_id", "image_id", "ebs_optimized", "tags"],
        "aws_ec2_vpcs" => &["_cq_id", "account_id", "region", "vpc_id", "cidr_block", "is_default"],
        "aws_iam_users" => &["_cq_id", "account_id", "arn", "user_name", "create_date"],
        _ => &["_cq_id", "_cq_parent_id", "account_id", "access_key_id"],
    }
}

/// Prints the rows of a DuckDB file: the columns as JSON, and for which table.
const READ_DUCKDB: &str = r#"
import duckdb, sys
found = duckdb.connect(sys.argv[1], read_only=True)
found.execute("SET TimeZone = 'UTC'")
for row in found.execute(sys.argv[2]).fetchall():
    print("|".join("" if cell is None else str(cell) for cell in row))
"#;

/// Prints what ClickHouse answers: its URL, user, password, and the query.
const READ_CLICKHOUSE: &str = r#"
import sys, urllib.request
request = urllib.request.Request(sys.argv[1], data=sys.argv[2].encode(), headers={
    "X-ClickHouse-User": "headwater", "X-ClickHouse-Key": "a pass/word"})
try:
    print(urllib.request.urlopen(request).read().decode(), end="")
except urllib.error.HTTPError as error:
    sys.exit(error.read().decode())
"#;

/// Prints the rows of the objects below a prefix.
const READ_S3: &str = r#"
import boto3, json, sys
s3 = boto3.client("s3", endpoint_url=sys.argv[1], region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
def text(value):
    if value is None: return ""
    if isinstance(value, bool): return str(value).lower()
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
for page in s3.get_paginator("list_objects_v2").paginate(Bucket="lake", Prefix=sys.argv[2]):
    for entry in page.get("Contents", []):
        for line in s3.get_object(Bucket="lake", Key=entry["Key"])["Body"].read().decode().splitlines():
            row = json.loads(line)
            print("|".join(text(row[name]) for name in sys.argv[3:]))
"#;

/// Rows in an order of their own, spelled in one way: booleans, times, and JSON without spaces.
fn spelled(lines: impl Iterator<Item = String>) -> Vec<String> {
    let cell = |cell: &str| match cell {
        "1" | "True" | "true" => "true".to_owned(),
        "0" | "False" | "false" => "false".to_owned(),
        json if json.starts_with('{') => {
            serde_json::from_str::<serde_json::Value>(json).map_or_else(|_| json.to_owned(), |json| json.to_string())
        }
        // A time, or some other text: its digits are enough to tell it.
        time if time.len() >= 19 && time.as_bytes()[4] == b'-' && time.as_bytes()[13] == b':' => {
            time[..19].replace('T', " ")
        }
        other => other.to_owned(),
    };
    let mut rows: Vec<String> = lines.map(|line| line.split('|').map(cell).collect::<Vec<_>>().join("|")).collect();
    rows.sort();
    rows
}

fn of_sqlite(database: &Path, table: &str) -> Vec<String> {
    let database = Database::open(database);
    let cells: Vec<String> = columns(table).iter().map(|name| format!("coalesce({name}, '')")).collect();
    spelled(database.column(&format!("SELECT {} FROM {table}", cells.join(" || '|' || "))).into_iter())
}

fn of_python(code: &str, arguments: &[&str]) -> Vec<String> {
    spelled(python(code, arguments).unwrap().lines().map(str::to_owned))
}

fn configuration(server: &Server, bucket: &str) -> String {
    let destinations = [
        ("sqlite", format!("path: sqlite\n  spec: {{ connection_string: {DATABASE} }}")),
        (
            "duckdb",
            format!("path: duckdb\n  spec: {{ path: cloud.duckdb, library: {} }}", libduckdb().unwrap().display()),
        ),
        (
            "adbc",
            format!(
                "path: adbc\n  spec: {{ driver: {}, options: {{ uri: other.db }} }}",
                adbc_driver("adbc_driver_sqlite").unwrap().display()
            ),
        ),
        ("clickhouse", "path: clickhouse\n  spec: { connection_string: \"${CLICKHOUSE_URL}\" }".to_owned()),
        (
            "s3",
            format!(
                "path: s3\n  spec: {{ bucket: lake, endpoint: \"{bucket}\", region: {REGION}, format: jsonl, \
                 path: \"cloud\" }}"
            ),
        ),
    ];
    let names = destinations.each_ref().map(|(name, _)| *name).join(", ");
    let mut text = format!(
        "kind: source\nspec:\n  name: aws\n  path: aws\n  tables: [{}]\n  destinations: [{names}]\n  columns: [{{keep: [\"*\"]}}]\n  \
         spec:\n    regions: [us-east-1, eu-west-1]\n    custom_endpoint_url: {}\n    org:\n      member_role_name: reader\n",
        ORGANIZATION_TABLES.join(", "),
        server.url(),
    );
    for (name, spec) in destinations {
        text.push_str(&format!("---\nkind: destination\nspec:\n  name: {name}\n  {spec}\n"));
    }
    text
}

#[test]
fn each_of_five_destinations_holds_the_same_rows() {
    let (server, clickhouse, aws) =
        (organization(6), LocalClickhouse::start().unwrap(), local_aws(Settings::default()));
    aws.call("s3", REGION, "create_bucket", &json!({ "Bucket": "lake" })).unwrap();
    let headwater = Headwater::new().unwrap().with_environment("CLICKHOUSE_URL", &clickhouse.url());
    let text = configuration(&server, aws.endpoint());
    headwater.write("sync.yml", &text).unwrap();
    // The second one replaces all rows, and has little memory.
    for more in [&[][..], &["--memory", "48MiB"]] {
        let run = headwater.run(&[&["sync", "sync.yml"], more].concat()).unwrap();
        assert_eq!(run.code, Some(0), "{}", run.output());
        assert!(!run.output().contains("pass"), "a password was shown: {}", run.output());
        let mut all = 0;
        for table in ORGANIZATION_TABLES {
            let expected = of_sqlite(headwater.folder(), table);
            all += expected.len() as u64;
            let list: Vec<_> = columns(table).iter().map(|name| format!("{name}::VARCHAR")).collect();
            let file = headwater.folder().join("cloud.duckdb");
            let query = format!("SELECT {} FROM {table}", list.join(", "));
            assert_eq!(of_python(READ_DUCKDB, &[file.to_str().unwrap(), &query]), expected, "DuckDB's {table}");
            let other = headwater.folder().join("other.db");
            let copied = headwater.folder().join("copied");
            std::fs::create_dir_all(&copied).unwrap();
            std::fs::copy(other, copied.join(DATABASE)).unwrap();
            assert_eq!(of_sqlite(&copied, table), expected, "the {table} of SQLite by ADBC");
            let joined: Vec<_> = columns(table).iter().map(|name| format!("ifNull(toString({name}), '')")).collect();
            let query = format!("SELECT {} FROM {table} FINAL FORMAT TSVRaw", joined.join(" || '|' || "));
            let url = format!("http://127.0.0.1:{}/?database=inventory", clickhouse.port());
            assert_eq!(of_python(READ_CLICKHOUSE, &[&url, &query]), expected, "ClickHouse's {table}");
            let prefix = format!("cloud/{table}/");
            let objects = of_python(READ_S3, &[&[aws.endpoint(), &prefix][..], columns(table)].concat());
            assert_eq!(objects, expected, "the objects of {table}");
        }
        assert_eq!(all, rows_of(&server));
    }
}

#[test]
fn a_destination_that_fails_leaves_the_others_alone() {
    let (server, clickhouse, aws) =
        (organization(3), LocalClickhouse::start().unwrap(), local_aws(Settings::default()));
    aws.call("s3", REGION, "create_bucket", &json!({ "Bucket": "lake" })).unwrap();
    let headwater = Headwater::new().unwrap().with_environment("CLICKHOUSE_URL", &clickhouse.url());
    let text = configuration(&server, aws.endpoint());
    let first = headwater.sync(&text).unwrap();
    assert_eq!(first.code, Some(0), "{}", first.output());
    clickhouse.kill();
    let run = headwater.sync(&text).unwrap();
    assert!(matches!(run.code, Some(1 | 3)), "{}", run.output());
    assert!(run.output().contains("clickhouse"), "{}", run.output());
    assert!(!run.output().contains("pass"), "a password was shown: {}", run.output());
}
