//! What is S3's own: objects in parts, conditions, what is left behind, and what is wrong with a bucket.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "../../file/tests/common/mod.rs"]
mod read;

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::types::{CompletedMultipartUpload, ObjectCannedAcl, ServerSideEncryption};
use common::Bucket;
use headwater_e2e::SmallDisk;
use headwater_s3::{Encryption, Format, Spec, destination};
use headwater_sdk::destination::MigrateMode;
use headwater_sdk::testing::{HERE, Item, THERE, at, batch, part, thing, things};
use headwater_sdk::{Budget, Committed, Destination, Outcome, Part, PartWriter, TableSchema, WriteMode};

const STALE: WriteMode = WriteMode::OverwriteDeleteStale;
const NAME: &str = "lake/t/aws.123456789012.eu-west-1.jsonl";
/// With it, what has more than 5 MiB is sent in parts, one at a time.
const LITTLE: u64 = 32 << 20;
const KEPT: Committed = Committed { written: 0, deleted: 0, rejected: 0, without_value: 0, kept_earlier: true };

fn json(bucket: &Bucket) -> Spec {
    Spec { format: Format::Jsonl, ..bucket.spec("lake") }
}

async fn ready(spec: Spec, budget: &Budget) -> Box<dyn Destination> {
    let destination = destination(spec).unwrap();
    destination.use_memory(budget);
    destination.check().await.unwrap();
    destination.migrate(&[Arc::new(things("t"))], MigrateMode::Safe).await.unwrap();
    destination
}

/// Rows of about a kilobyte.
fn large(rows: std::ops::Range<i64>) -> Vec<Item> {
    let item = |number: i64| Item {
        text: Some(format!("{number:08}").repeat(120)),
        ..thing(&format!("n{number:07}"), number)
    };
    rows.map(item).collect()
}

async fn begin(destination: &dyn Destination, part: Part, rows: &[Item]) -> Box<dyn PartWriter> {
    let mut writer = destination.begin(part.clone()).await.unwrap();
    for rows in rows.chunks(500) {
        writer.write(batch(&part.table, HERE, part.sync_time, rows)).await.unwrap();
    }
    writer
}

async fn write(
    destination: &dyn Destination,
    sync: i64,
    rows: &[Item],
    outcome: Outcome,
) -> headwater_sdk::Result<Committed> {
    begin(destination, part(&things("t"), HERE, at(sync), STALE), rows).await.commit(outcome).await
}

/// Stands before a server and speaks TLS, with a certificate in the file of the name that is answered.
async fn encrypted(bucket: &Bucket, folder: &std::path::Path) -> (String, std::path::PathBuf) {
    let certified = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let file = folder.join("certificate.pem");
    std::fs::write(&file, certified.cert.pem()).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![certified.cert.der().clone()], key).unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("https://{}", listener.local_addr().unwrap());
    let server = bucket.endpoint.trim_start_matches("http://").to_owned();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, server) = (acceptor.clone(), server.clone());
            tokio::spawn(async move {
                // Whoever does not trust the certificate goes away.
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut server = tokio::net::TcpStream::connect(server).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut stream, &mut server).await;
            });
        }
    });
    (endpoint, file)
}

/// The names of the rows of an object.
async fn rows(bucket: &Bucket, name: &str) -> Vec<String> {
    let table = things("t");
    let column = table.columns.iter().position(|column| column.name == "name").unwrap();
    read::json(bucket.get(name).await, &table).into_iter().map(|mut row| row.swap_remove(column).unwrap()).collect()
}

fn names(items: &[Item]) -> Vec<String> {
    items.iter().map(|item| item.name.clone()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_large_is_sent_in_parts() {
    for checksums in [None, Some(true)] {
        let bucket = Bucket::new().await;
        let budget = Budget::new(LITTLE);
        let destination = ready(Spec { checksums, ..json(&bucket) }, &budget).await;
        let all = large(0..16_000);
        assert_eq!(write(&*destination, 0, &all, Outcome::Complete).await.unwrap().written, 16_000);
        assert_eq!(rows(&bucket, NAME).await, names(&all));
        let head = bucket.client.head_object().bucket(&bucket.name).key(NAME).send().await.unwrap();
        // An object in parts has their number in its tag.
        assert!(head.e_tag().unwrap().ends_with("-4\""), "{head:?}");
        assert!(budget.peak() < LITTLE * 2 / 3, "{}", budget.peak());
        // A smaller one takes its place, which is sent at once.
        write(&*destination, 1, &large(0..10), Outcome::Complete).await.unwrap();
        assert_eq!(rows(&bucket, NAME).await, names(&large(0..10)));
        destination.close().await.unwrap();
        assert_eq!((bucket.names().await, bucket.uploads().await), (vec![NAME.to_owned()], vec![]));
        assert_eq!(budget.used(), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_is_given_up_leaves_nothing() {
    let server = common::start();
    let bucket = Bucket::on(&server).await;
    let budget = Budget::new(LITTLE);
    let destination = ready(Spec { max_retries: Some(1000), ..json(&bucket) }, &budget).await;
    let dropped = begin(&*destination, part(&things("t"), THERE, at(0), STALE), &large(0..100)).await;
    drop(dropped);
    let writer = begin(&*destination, part(&things("t"), HERE, at(0), STALE), &large(0..16_000)).await;
    // The second part is refused again and again, so that the upload does not end.
    server.order("fail 503 SlowDown 1000000 partNumber=2").unwrap();
    let commit = tokio::spawn(writer.commit(Outcome::Complete));
    while bucket.uploads().await.is_empty() {
        assert!(!commit.is_finished());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    commit.abort();
    assert!(commit.await.unwrap_err().is_cancelled());
    destination.close().await.unwrap();
    assert_eq!((bucket.names().await, bucket.uploads().await), (vec![], vec![]));
    assert_eq!(budget.used(), 0);
}

#[tokio::test]
async fn an_upload_that_fails_leaves_nothing_and_says_why() {
    let server = common::start();
    let bucket = Bucket::on(&server).await;
    let destination = ready(Spec { max_retries: Some(0), ..json(&bucket) }, &Budget::new(LITTLE)).await;
    write(&*destination, 0, &large(0..10), Outcome::Complete).await.unwrap();
    for (order, call, code) in [
        ("fail 500 InternalError 1 partNumber=3", "UploadPart", "InternalError"),
        ("fail 400 InvalidPart 1 <CompleteMultipartUpload", "CompleteMultipartUpload", "InvalidPart"),
        ("fail 403 AccessDenied 1 uploads", "CreateMultipartUpload", "s3:PutObject"),
    ] {
        server.order(order).unwrap();
        let error = write(&*destination, 1, &large(0..16_000), Outcome::Complete).await.unwrap_err().to_string();
        assert!(error.contains(NAME) && error.contains(call) && error.contains(code), "{error}");
        assert_eq!(bucket.uploads().await, Vec::<String>::new(), "{call}");
        assert_eq!(rows(&bucket, NAME).await.len(), 10, "the earlier object stays");
    }
    // Nothing is wrong any more, and a call that fails for a passing reason is made again.
    let destination = ready(json(&bucket), &Budget::new(LITTLE)).await;
    server.order("fail 503 SlowDown 1 partNumber=2").unwrap();
    assert_eq!(write(&*destination, 2, &large(0..16_000), Outcome::Complete).await.unwrap().written, 16_000);
    assert_eq!(rows(&bucket, NAME).await.len(), 16_000);
}

#[tokio::test]
async fn an_answer_that_is_lost_is_no_failure() {
    let server = common::start();
    let bucket = Bucket::on(&server).await;
    let destination = ready(json(&bucket), &Budget::new(LITTLE)).await;
    for (sync, outcome) in [(0, Outcome::Partial), (1, Outcome::Complete)] {
        // It is called again, and there is no such upload any more, which moto does not say by itself.
        server.order("lose 1 <CompleteMultipartUpload").unwrap();
        server.order("fail 404 NoSuchUpload 1 <CompleteMultipartUpload").unwrap();
        let all = large(sync..16_000);
        let written = write(&*destination, sync, &all, outcome).await.unwrap();
        assert_eq!(written, Committed { written: all.len() as u64, ..Committed::default() });
        assert_eq!(rows(&bucket, NAME).await, names(&all));
        assert_eq!(bucket.uploads().await, Vec::<String>::new());
    }
    // An upload that somebody else has aborted is none of ours.
    server.order("fail 404 NoSuchUpload 1 <CompleteMultipartUpload").unwrap();
    let error = write(&*destination, 2, &large(0..16_000), Outcome::Complete).await.unwrap_err().to_string();
    assert!(error.contains("CompleteMultipartUpload") && error.contains("NoSuchUpload"), "{error}");
    assert_eq!((rows(&bucket, NAME).await.len(), bucket.uploads().await), (15_999, vec![]));
}

#[tokio::test]
async fn what_is_in_conflict_is_done_again() {
    let server = common::start();
    let bucket = Bucket::on(&server).await;
    let destination = ready(json(&bucket), &Budget::new(LITTLE)).await;
    for (sync, count, call) in [(0, 10, NAME), (1, 16_000, "<CompleteMultipartUpload")] {
        let other = part(&things("t"), HERE, at(sync), STALE);
        let writer = begin(&*destination, other, &large(0..count)).await;
        if sync == 0 {
            // The first call is a look whether there is an object.
            server.order(&format!("fail 404 NotFound 1 {NAME}")).unwrap();
        }
        server.order(&format!("fail 409 ConditionalRequestConflict 2 {call}")).unwrap();
        assert_eq!(writer.commit(Outcome::Partial).await.unwrap().written, count as u64);
        assert_eq!((rows(&bucket, NAME).await.len(), bucket.uploads().await), (count as usize, vec![]));
        assert_eq!(write(&*destination, sync + 2, &[], Outcome::Complete).await.unwrap(), Committed::default());
    }
    let state = destination.state("key").await.unwrap().unwrap();
    server.order("fail 409 ConditionalRequestConflict 1 headwater-state").unwrap();
    state.start(at(3), "f").await.unwrap();
    assert_eq!(state.load().await.unwrap().unwrap().sync_time, at(3));
}

#[tokio::test]
async fn a_partial_unit_never_takes_the_place_of_an_object() {
    let server = common::start();
    let bucket = Bucket::on(&server).await;
    let destination = ready(json(&bucket), &Budget::new(LITTLE)).await;
    for (sync, count) in [(0, 10), (10, 16_000)] {
        let (some, other) = (large(0..count), large(5..count));
        assert_eq!(write(&*destination, sync, &[], Outcome::Partial).await.unwrap(), Committed::default());
        let written = write(&*destination, sync + 1, &some, Outcome::Partial).await.unwrap();
        assert_eq!(written, Committed { written: count as u64, ..Committed::default() }, "better than nothing");
        assert_eq!(write(&*destination, sync + 2, &other, Outcome::Partial).await.unwrap(), KEPT);
        assert_eq!(write(&*destination, sync + 3, &[], Outcome::Partial).await.unwrap(), KEPT);
        // Another sync has made it since it was looked for.
        server.order(&format!("fail 404 NotFound 1 {NAME}")).unwrap();
        assert_eq!(write(&*destination, sync + 4, &other, Outcome::Partial).await.unwrap(), KEPT);
        assert_eq!(rows(&bucket, NAME).await, names(&some));
        assert_eq!(write(&*destination, sync + 5, &[], Outcome::Complete).await.unwrap(), Committed::default());
        assert_eq!(
            (bucket.names().await, bucket.uploads().await),
            (vec![], vec![]),
            "a unit without rows has no object"
        );
    }
}

#[tokio::test]
async fn what_killed_processes_left_is_aborted() {
    let bucket = Bucket::new().await;
    let left = ["lake/t/aws.1.jsonl", "lake/notes/today.txt", "lake/a/b/c.jsonl", "other/t/aws.1.jsonl"];
    for name in left {
        bucket.client.create_multipart_upload().bucket(&bucket.name).key(name).send().await.unwrap();
    }
    // The local S3 says of every upload that it was begun in 2010.
    ready(json(&bucket), &Budget::default()).await;
    let mut uploads = bucket.uploads().await;
    uploads.sort();
    assert_eq!(uploads, [left[2], left[1], left[3]], "the others are not of this destination");
}

#[tokio::test]
async fn what_another_upload_of_the_name_does_is_its_own() {
    let bucket = Bucket::new().await;
    let destination = ready(json(&bucket), &Budget::default()).await;
    let call = bucket.client.create_multipart_upload().bucket(&bucket.name).key(NAME);
    let id = call.send().await.unwrap().upload_id.unwrap();
    write(&*destination, 0, &large(0..3), Outcome::Complete).await.unwrap();
    assert_eq!(bucket.uploads().await, [NAME]);
    let call = bucket.client.complete_multipart_upload().bucket(&bucket.name).key(NAME).upload_id(id);
    let empty = call.multipart_upload(CompletedMultipartUpload::builder().build()).if_none_match("*").send().await;
    assert!(empty.is_err());
    assert_eq!(rows(&bucket, NAME).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_tables_at_once_take_no_more_than_one() {
    const TABLES: usize = 200;
    let bucket = Bucket::new().await;
    let budget = Budget::new(LITTLE);
    let destination = destination(bucket.spec("lake/table={{TABLE}}/{{UNIT}}.{{FORMAT}}")).unwrap();
    destination.use_memory(&budget);
    let tables: Vec<TableSchema> = (0..TABLES).map(|number| things(&format!("t{number:03}"))).collect();
    let all: Vec<_> = tables.iter().cloned().map(Arc::new).collect();
    destination.migrate(&all, MigrateMode::Safe).await.unwrap();
    let mut writers = Vec::new();
    for table in &tables {
        writers.push(destination.begin(part(table, HERE, at(0), STALE)).await.unwrap());
    }
    // 80 MB in all, in turns, so that all of them have some.
    for turn in 0..4 {
        for (table, writer) in tables.iter().zip(&mut writers) {
            writer.write(batch(table, HERE, at(0), &large(turn * 100..turn * 100 + 100))).await.unwrap();
        }
    }
    let commits = writers.into_iter().map(|writer| writer.commit(Outcome::Complete));
    for committed in futures::future::join_all(commits).await {
        assert_eq!(committed.unwrap().written, 400);
    }
    destination.close().await.unwrap();
    // A quarter for what is held, and a column's encoder beside it for each processor, up to another quarter.
    assert!(budget.peak() < LITTLE / 4 * 3, "{}", budget.peak());
    assert_eq!(budget.used(), 0);
    assert_eq!(bucket.names().await.len(), TABLES);
    let last = bucket.get("lake/table=t199/aws.123456789012.eu-west-1.parquet").await;
    assert_eq!(read::parquet(last, &tables[199]).len(), 400);
}

#[tokio::test]
async fn append_adds_objects_in_hive_partitions() {
    let bucket = Bucket::new().await;
    let path = "lake/table={{TABLE_HYPHEN}}/year={{YEAR}}/month={{MONTH}}/{{UUID}}.{{FORMAT}}";
    let destination = destination(Spec { format: Format::Csv, ..bucket.spec(path) }).unwrap();
    let table = things("a_thing").without_key();
    for sync in 0..2 {
        let part = part(&table, HERE, at(sync), WriteMode::Append);
        begin(&*destination, part, &large(0..3)).await.commit(Outcome::Complete).await.unwrap();
    }
    let names = bucket.names().await;
    assert_eq!(names.len(), 2);
    for name in names {
        let partition = name.split('/').collect::<Vec<_>>();
        assert_eq!(partition[..2], ["lake", "table=a-thing"], "{name}");
        assert!(partition[2].starts_with("year=20") && partition[3].starts_with("month="), "{name}");
        assert_eq!(read::csv(bucket.get(&name).await, &table).len(), 3);
    }
}

#[tokio::test]
async fn objects_say_what_they_are_and_are_encrypted() {
    let bucket = Bucket::new().await;
    let encryption =
        Encryption { server_side_encryption: "aws:kms".to_owned(), sse_kms_key_id: Some("a-key".to_owned()) };
    let spec = Spec {
        server_side_encryption_configuration: Some(encryption),
        acl: Some("bucket-owner-full-control".to_owned()),
        ..json(&bucket)
    };
    let destination = ready(spec, &Budget::new(LITTLE)).await;
    for (sync, count) in [(0, 10), (1, 16_000)] {
        write(&*destination, sync, &large(0..count), Outcome::Complete).await.unwrap();
        let head = bucket.client.head_object().bucket(&bucket.name).key(NAME).send().await.unwrap();
        assert_eq!(head.content_type(), Some("application/json"));
        assert_eq!(head.server_side_encryption(), Some(&ServerSideEncryption::AwsKms));
        assert_eq!(head.ssekms_key_id(), Some("a-key"));
    }
    assert!(ObjectCannedAcl::try_parse("bucket-owner-full-control").is_ok());
}

#[tokio::test]
async fn a_policy_that_demands_encryption_and_rights_is_content() {
    let key = Encryption { server_side_encryption: "aws:kms".to_owned(), sse_kms_key_id: Some("a-key".to_owned()) };
    let acl = Some("bucket-owner-full-control".to_owned());
    for (header, spec) in [
        (
            "x-amz-server-side-encryption-aws-kms-key-id",
            Spec { server_side_encryption_configuration: Some(key), ..Spec::default() },
        ),
        ("x-amz-acl", Spec { acl, ..Spec::default() }),
    ] {
        let server = common::start();
        let bucket = Bucket::on(&server).await;
        server.order(&format!("demand {header}")).unwrap();
        let Spec { server_side_encryption_configuration, acl, .. } = spec;
        let spec = Spec { server_side_encryption_configuration, acl, ..json(&bucket) };
        let destination = ready(spec, &Budget::new(LITTLE)).await;
        write(&*destination, 0, &large(0..16_000), Outcome::Complete).await.unwrap();
        let state = destination.state("key").await.unwrap().unwrap();
        state.start(at(0), "f").await.unwrap();
        let units: Vec<_> = (0..3000).map(|unit| headwater_sdk::UnitHash::of(&unit.to_string())).collect();
        state.add(&units).await.unwrap();
        assert_eq!(bucket.names().await.len(), 3, "the object, the state, and what was put down of it");
        let error = checked(json(&bucket)).await;
        assert!(error.contains("AccessDenied"), "{error}");
    }
}

/// What is wrong, which a sync and a plan say before anything is read.
async fn checked(spec: Spec) -> String {
    let destination = destination(Spec { max_retries: Some(0), ..spec }).unwrap();
    let error = destination.check().await.unwrap_err();
    assert_eq!(error.class, headwater_sdk::Class::Destination);
    let tables = [Arc::new(things("t"))];
    let planned = destination.plan(&tables, MigrateMode::Safe).await.unwrap_err();
    let migrated = destination.migrate(&tables, MigrateMode::Safe).await.unwrap_err();
    assert_eq!((planned.to_string(), migrated.to_string()), (error.to_string(), error.to_string()));
    error.to_string()
}

/// Runs one test of this file in a process of its own, in another environment, and answers with what it writes.
fn in_environment(test: &str, environment: &[(&str, &str)]) -> String {
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    let output = command.args(["--exact", test, "--nocapture", "--ignored"]).envs(environment.iter().copied());
    let output = output.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    text
}

#[tokio::test]
#[ignore = "it is run by another test, in another environment"]
async fn with_a_role() {
    let spec: Spec = serde_json::from_str(&std::env::var("HEADWATER_TEST_SPEC").unwrap()).unwrap();
    eprintln!("answer: {}", destination(spec).unwrap().check().await.unwrap_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_gives_credentials_is_verified_also_where_the_endpoint_is_not() {
    let bucket = Bucket::new().await;
    let folder = tempfile::tempdir().unwrap();
    let (endpoint, certificate) = encrypted(&bucket, folder.path()).await;
    for own in [
        serde_json::json!({"endpoint_skip_tls_verify": true}),
        serde_json::json!({"ca_file": certificate.display().to_string()}),
    ] {
        let mut spec = serde_json::json!({
            "bucket": bucket.name, "region": "us-east-1", "path": "lake", "endpoint": endpoint, "max_retries": 0,
            "access_key_id": "testing", "secret_access_key": "testing", "role_arn": "arn:aws:iam::1:role/r",
        });
        spec.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
        let spec = spec.to_string();
        let said = tokio::task::spawn_blocking({
            let endpoint = endpoint.clone();
            move || {
                in_environment("with_a_role", &[("HEADWATER_TEST_SPEC", &spec), ("AWS_ENDPOINT_URL_STS", &endpoint)])
            }
        });
        let said = said.await.unwrap();
        assert!(
            said.contains("no credentials: the certificate of the server that gives them is not accepted"),
            "{said}"
        );
    }
}

#[tokio::test]
#[ignore = "it is run by another test, in another environment"]
async fn with_little_room() {
    let spec: Spec = serde_json::from_str(&std::env::var("HEADWATER_TEST_SPEC").unwrap()).unwrap();
    let destination = ready(spec, &Budget::new(LITTLE)).await;
    let mut writer = destination.begin(part(&things("t"), HERE, at(0), STALE)).await.unwrap();
    for rows in large(0..16_000).chunks(500) {
        if let Err(error) = writer.write(batch(&things("t"), HERE, at(0), rows)).await {
            eprintln!("answer: {error}");
            break;
        }
    }
    let mut writers = Vec::new();
    let table = things("t");
    for number in 0..40 {
        let account: &'static str = Box::leak(number.to_string().into_boxed_str());
        let part = Part { scope: account.to_owned(), ..part(&table, HERE, at(0), STALE) };
        writers.push(destination.begin(part).await.unwrap());
    }
    for (number, rows) in large(0..20_000).chunks(500).enumerate() {
        if let Err(error) = writers[number].write(batch(&table, HERE, at(0), rows)).await {
            eprintln!("answer: {error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_temporary_folder_without_room_is_named() {
    let Some(disk) = SmallDisk::or_skip(4) else { return };
    let bucket = Bucket::new().await;
    let folder = disk.path().display().to_string();
    let spec = serde_json::json!({
        "bucket": bucket.name, "region": "us-east-1", "path": "lake", "endpoint": bucket.endpoint, "format": "jsonl",
        "access_key_id": "testing", "secret_access_key": "testing",
    });
    let (spec, temporary) = (spec.to_string(), folder.clone());
    let said = tokio::task::spawn_blocking(move || {
        in_environment("with_little_room", &[("HEADWATER_TEST_SPEC", &spec), ("TMPDIR", &temporary)])
    });
    let said = said.await.unwrap();
    let advice = format!("in {folder}; name a folder with enough space in the environment variable TMPDIR");
    let answers: Vec<&str> = said.lines().filter(|line| line.contains("answer: ")).collect();
    assert!(answers.len() > 1 && answers.iter().all(|line| line.contains(&advice)), "{said}");
    assert!(answers[0].contains("No space left on device") && answers[0].contains(NAME), "{said}");
    assert!(answers[1].contains("rows could not be kept on the local disk"), "{said}");
    assert_eq!(bucket.names().await, Vec::<String>::new());
}

#[tokio::test]
async fn what_is_wrong_with_a_bucket_is_said() {
    let server = common::start();
    let bucket = Bucket::on(&server).await;
    destination(json(&bucket)).unwrap().check().await.unwrap();
    assert_eq!(bucket.names().await, Vec::<String>::new(), "nothing is written to find out");

    let error = checked(Spec { bucket: "nowhere".to_owned(), ..json(&bucket) }).await;
    assert!(
        error.contains("NoSuchBucket") && error.contains("create the bucket nowhere, or correct `bucket`"),
        "{error}"
    );
    // Not a port that is free now: another test's server may have it a moment later.
    let nobody = "http://127.0.0.1:1";
    let error = checked(Spec { endpoint: Some(nobody.to_owned()), ..json(&bucket) }).await;
    assert!(error.contains(&format!("is anything listening at {nobody}? (`endpoint`)")), "{error}");
    server.order("check-regions").unwrap();
    let error = checked(Spec { region: Some("eu-west-1".to_owned()), ..json(&bucket) }).await;
    assert!(error.contains("is in another region; set `region: us-east-1`"), "{error}");
    let profile =
        Spec { access_key_id: None, secret_access_key: None, local_profile: Some("gone".to_owned()), ..json(&bucket) };
    let error = checked(profile).await;
    assert!(error.contains("does the profile `gone` exist"), "{error}");

    // A user who may list the bucket, and no more.
    let call =
        |method: &str, arguments: serde_json::Value| server.call("iam", "us-east-1", method, &arguments).unwrap();
    call("create_user", serde_json::json!({"UserName": "reader"}));
    let policy = serde_json::json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": "*"},
    ]});
    let policy = serde_json::json!({"UserName": "reader", "PolicyName": "list", "PolicyDocument": policy.to_string()});
    call("put_user_policy", policy);
    let key = call("create_access_key", serde_json::json!({"UserName": "reader"}));
    let text = |name: &str| key["AccessKey"][name].as_str().unwrap().to_owned();
    let (id, secret) = (text("AccessKeyId"), text("SecretAccessKey"));
    server.order("check-credentials").unwrap();
    let reader = |test_write| Spec {
        access_key_id: Some(id.clone()),
        secret_access_key: Some(secret.clone().into()),
        test_write,
        ..json(&bucket)
    };
    let error = checked(reader(None)).await;
    assert!(error.contains("AccessDenied") && error.contains("the credentials need s3:PutObject"), "{error}");
    assert!(!error.contains(&secret), "{error}");
    destination(reader(Some(false))).unwrap().check().await.unwrap();
    let wrong = Spec { secret_access_key: Some("not-the-secret".to_owned().into()), ..reader(None) };
    let error = checked(wrong.clone()).await;
    assert!(error.contains("the credentials themselves are refused"), "{error}");
    assert!(!format!("{wrong:?} {error}").contains("not-the-secret"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_is_verified_as_it_is_asked_for() {
    let bucket = Bucket::new().await;
    let folder = tempfile::tempdir().unwrap();
    let (endpoint, certificate) = encrypted(&bucket, folder.path()).await;
    let other = folder.path().join("other.pem");
    std::fs::write(&other, "no certificate").unwrap();
    let spec = |ca_file: Option<&std::path::PathBuf>, endpoint_skip_tls_verify| Spec {
        endpoint: Some(endpoint.clone()),
        ca_file: ca_file.cloned(),
        endpoint_skip_tls_verify,
        ..json(&bucket)
    };
    for (sync, spec) in [(0, spec(Some(&certificate), false)), (1, spec(None, true))] {
        let destination = ready(spec, &Budget::new(LITTLE)).await;
        write(&*destination, sync, &large(0..16_000), Outcome::Complete).await.unwrap();
        assert_eq!(rows(&bucket, NAME).await.len(), 16_000);
    }
    let error = checked(spec(None, false)).await;
    assert!(error.contains("certificate is not accepted") && error.contains("in `ca_file`"), "{error}");
    let error = destination(spec(Some(&other), false)).unwrap().check().await.unwrap_err().to_string();
    assert!(error.contains("`ca_file: ") && error.contains("there is no certificate in it"), "{error}");
}

#[test]
fn specs_are_strict() {
    let refused = |json: &str| {
        let spec: Result<Spec, _> = serde_json::from_str(json);
        match spec {
            Ok(spec) => destination(spec).err().map(|error| error.to_string()).unwrap_or_default(),
            Err(error) => error.to_string(),
        }
    };
    let cloudquery = r#"{"bucket": "b", "region": "eu-west-1", "path": "a/{{TABLE}}/{{UUID}}.parquet", "format": "parquet",
        "format_spec": {}, "compression": "", "athena": true, "test_write": false, "no_rotate": false, "acl": "",
        "write_empty_objects_for_empty_tables": false, "content_type": "", "endpoint": "https://minio.example.com",
        "endpoint_skip_tls_verify": false, "use_path_style": true, "batch_size": 1, "batch_size_bytes": 1,
        "batch_timeout": "30s", "local_profile": "p", "server_side_encryption_configuration":
        {"server_side_encryption": "aws:kms", "sse_kms_key_id": "k"}}"#;
    assert_eq!(refused(cloudquery), "");
    for (json, expected) in [
        (r#"{"bucket": "", "path": "a"}"#, "is not the name of a bucket"),
        (r#"{"bucket": "s3://b/a", "path": "a"}"#, "folders go into `path`"),
        (r#"{"bucket": "b", "path": ""}"#, "must name a folder"),
        (r#"{"bucket": "b", "path": "/a"}"#, "no / in front"),
        (r#"{"bucket": "b", "path": "a//b"}"#, "no //"),
        (r#"{"bucket": "b", "path": "./a"}"#, "no . or .."),
        (r#"{"bucket": "b", "path": "a/{{TABEL}}"}"#, "did you mean {{TABLE}}?"),
        (r#"{"bucket": "b", "path": "a", "endpoint": "localhost:9000"}"#, "is not a URL"),
        (r#"{"bucket": "b", "path": "a", "endpoint_skip_tls_verify": true}"#, "an `endpoint` of your own"),
        (r#"{"bucket": "b", "path": "a", "no_rotate": true}"#, "leave `no_rotate` out"),
        (r#"{"bucket": "b", "path": "a", "batch_size": 0}"#, "`batch_size` must be at least 1"),
        (r#"{"bucket": "b", "path": "a", "athena": true, "format": "jsonl"}"#, "set `format: parquet`"),
        (r#"{"bucket": "b", "path": "a", "write_empty_objects_for_empty_tables": true}"#, "has no object"),
        (r#"{"bucket": "b", "path": "a", "acl": "everyone"}"#, "there are authenticated-read"),
        (r#"{"bucket": "b", "path": "a", "access_key_id": "k"}"#, "needs `secret_access_key`"),
        (r#"{"bucket": "b", "path": "a", "secret_access_key": "s"}"#, "`access_key_id` is missing"),
        (r#"{"bucket": "b", "path": "a", "external_id": "s"}"#, "`role_arn` is missing"),
        (
            r#"{"bucket": "b", "path": "a", "server_side_encryption_configuration": {"server_side_encryption": "rot13"}}"#,
            "there are AES256",
        ),
        (r#"{"bucket": "b", "path": "a", "buckte": "c"}"#, "unknown field `buckte`"),
    ] {
        let error = refused(json);
        assert!(error.contains(expected), "{json}: {error}");
    }
    let schema = serde_json::to_value(schemars::schema_for!(Spec)).unwrap();
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["required"], serde_json::json!(["bucket", "path"]));
    for property in schema["properties"].as_object().unwrap().values() {
        assert!(property["description"].is_string(), "{property}");
    }
    let spec: Spec = serde_json::from_str(
        r#"{"bucket": "b", "path": "a", "access_key_id": "k", "secret_access_key": "hidden", "session_token": "hidden"}"#,
    )
    .unwrap();
    assert!(!format!("{spec:?}").contains("hidden"));
}
