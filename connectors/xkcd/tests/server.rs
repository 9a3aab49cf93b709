//! The connector against a real HTTP server: Python's, over a folder laid out like the API.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use futures::StreamExt;
use headwater_sdk::arrow::array::{Array, AsArray, RecordBatch};
use headwater_sdk::arrow::datatypes::Int64Type;
use headwater_sdk::connector::all_wanted;
use headwater_sdk::unit::UnitRun;
use headwater_sdk::{Budget, Calls, Class, Error, Found, Message, Timestamp};
use headwater_xkcd::{Spec, connector};

struct Server {
    process: Child,
    url: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Serves a folder on a free port of the loopback interface, which Python says in its first line.
fn serve(folder: &Path) -> Server {
    let python = std::env::var("HEADWATER_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let mut process = Command::new(python)
        .args(["-u", "-m", "http.server", "--bind", "127.0.0.1", "0"])
        .current_dir(folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("python3 is needed: run `cargo xtask test`");
    let mut line = String::new();
    BufReader::new(process.stdout.take().expect("a pipe")).read_line(&mut line).expect("Python says its port");
    let port: u16 = line
        .split_whitespace()
        .skip_while(|word| *word != "port")
        .nth(1)
        .and_then(|port| port.parse().ok())
        .expect(&line);
    Server { process, url: format!("http://127.0.0.1:{port}") }
}

fn comic(folder: &Path, number: i64) -> String {
    let text = format!(
        r#"{{"month": "7", "num": {number}, "link": "", "year": "2009", "news": "", "safe_title": "Comic {number}",
            "transcript": "", "alt": "It's \"{number}\"", "img": "https://imgs.example/{number}.png",
            "title": "Comic <i>{number}</i>", "day": "22"}}"#
    );
    let place = folder.join(number.to_string());
    std::fs::create_dir_all(&place).expect("a folder");
    std::fs::write(place.join("info.0.json"), &text).expect("a file");
    text
}

async fn sync(url: &str) -> Result<(Vec<RecordBatch>, Vec<Error>), Error> {
    let connector = connector(Spec { url: Some(url.to_owned()), ..Spec::default() })?;
    let tables = connector.tables().into_iter().map(Arc::new).collect();
    let mut units = Vec::new();
    let mut plan = Arc::clone(&connector).plan(tables, all_wanted());
    while let Some(found) = plan.next().await {
        match found {
            Found::Places(count) => assert_eq!(count, 1),
            Found::Open(open) => units.extend(open),
            Found::Failed(_, error) => return Err(error),
        }
    }
    assert_eq!(units.len(), 1);
    let (sender, mut receiver) = tokio::sync::mpsc::channel(64);
    let calls = Calls::new(connector.limits(), Budget::default());
    let run = UnitRun::new("xkcd", Timestamp::now(), calls.of_unit(""), sender);
    connector.run(&units[0], run).await;
    let (mut batches, mut errors) = (Vec::new(), Vec::new());
    while let Some(message) = receiver.recv().await {
        match message {
            Message::Batch(_, batch, _lease) => batches.push(batch),
            Message::Failure(_, error) => errors.push(error),
            Message::Removed(schema, ..) => panic!("nobody has removed rows of {}", schema.name),
            Message::Checkpoint(checkpoint) => panic!("nobody has said {checkpoint}"),
        }
    }
    Ok((batches, errors))
}

#[tokio::test]
async fn every_comic_that_there_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut newest = String::new();
    for number in (1..=250).filter(|number| *number != 202) {
        newest = comic(folder.path(), number);
    }
    std::fs::write(folder.path().join("info.0.json"), newest).expect("a file");
    let server = serve(folder.path());
    let (batches, errors) = sync(&server.url).await.expect("the server is there");
    assert!(errors.is_empty(), "{errors:?}");
    let numbers: Vec<i64> = batches
        .iter()
        .flat_map(|batch| batch.column_by_name("num").expect("num").as_primitive::<Int64Type>().values().to_vec())
        .collect();
    let expected: Vec<i64> = (1..=250).filter(|number| *number != 202).collect();
    assert_eq!(numbers, expected, "in their order, without the one that was never given out");
    let text = |column: &str| batches[0].column_by_name(column).expect(column).as_string::<i32>().value(6).to_owned();
    assert_eq!(text("alt"), "It's \"7\"");
    assert_eq!(text("page"), format!("{}/7/", server.url));
    assert_eq!(batches[0].column_by_name("num").expect("num").null_count(), 0);
    let connector = connector(Spec { url: Some(server.url.clone()), ..Spec::default() }).expect("a connector");
    assert!(connector.check().await.expect("it answers")[0].contains("250"));
}

#[tokio::test]
async fn an_answer_that_is_no_comic_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let newest = comic(folder.path(), 2);
    comic(folder.path(), 1);
    std::fs::write(folder.path().join("info.0.json"), newest).expect("a file");
    std::fs::write(folder.path().join("1/info.0.json"), "<html>").expect("a file");
    let server = serve(folder.path());
    let (batches, errors) = sync(&server.url).await.expect("the server is there");
    assert!(batches.is_empty());
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].class, Class::Fatal);
    assert!(errors[0].to_string().contains("/1/info.0.json"), "{}", errors[0]);
}

#[tokio::test]
async fn nothing_listens() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    let error = sync(&format!("http://127.0.0.1:{port}")).await.expect_err("nobody answers");
    assert_eq!(error.class, Class::Transient);
    assert!(error.to_string().contains(&port.to_string()), "{error}");
    assert!(connector(Spec { url: Some("xkcd.com".to_owned()), ..Spec::default() }).is_err());
}
