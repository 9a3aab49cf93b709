//! The generator over a small client crate that has all that a client can have, `tests/client`.

use std::path::Path;

use headwater_codegen::paging::Paging;
use headwater_codegen::service::Service;
use headwater_codegen::smithy::Client;
use headwater_codegen::source::{CrateSource, SourceError};
use headwater_codegen::transcribe::transcribe;

fn client() -> Client {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/client");
    Client::new(CrateSource::open("example_client", "1.2.3", &root).expect("the client is there"))
}

fn service(annotations: &str) -> Result<Service, SourceError> {
    let folder = tempfile::tempdir().expect("a folder");
    let text = format!("use example_client::Client;\n{annotations}");
    std::fs::write(folder.path().join("lib.rs"), text).expect("a file");
    Service::read(folder.path())
}

const THINGS: &str = r#"
/// Things.
#[derive(Table)]
#[table(name = "things", of = Thing, list = client.list_things(), key = arn)]
pub struct Things;

/// Things by name.
#[derive(Table)]
#[table(name = "named_things", of = Thing, list = client.list_names(), get = client.get_thing().name(&row.value), key = arn)]
pub struct NamedThings;
"#;

#[test]
fn everything_a_client_can_have() {
    let service = service(THINGS).expect("the annotations are right");
    let text = transcribe(&client(), &service, "example").expect("it is transcribed");
    let again = transcribe(&client(), &service, "example").expect("it is transcribed");
    assert_eq!(text, again);
    let mut settings = insta::Settings::clone_current();
    settings.set_description(THINGS.trim());
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!("everything", text));
}

#[test]
fn a_token_without_a_paginator() {
    let operation = client().operation("list_things").expect("it is read").expect("it is there");
    let token = || "next_token".to_owned();
    let output = vec![(token(), true)];
    assert_eq!(operation.paging, Paging::Token { input: token(), output, truncated: None });
    assert_eq!(client().operation("list_names").expect("it is read").expect("it is there").paging, Paging::Once);
    assert!(client().operation("list_thinks").expect("it is read").is_none());
}

#[test]
fn a_record_in_several_places_is_not_guessed() {
    let tags = r#"
/// Tags.
#[derive(Table)]
#[table(name = "tags", of = Tag, get = client.get_thing(), key = key)]
pub struct Tags;
"#;
    let service = service(tags).expect("the annotations are right");
    let error = transcribe(&client(), &service, "example").expect_err("there are two places").to_string();
    assert_eq!(error, "`get_thing` answers with `Tag` in several places: others, spare");
}

#[test]
fn a_mistake_in_an_annotation_has_its_place() {
    let error = service("/// Things.\n#[derive(Table)]\n#[table(nam = \"things\")]\npub struct Things;")
        .expect_err("a mistake");
    let text = error.to_string();
    assert!(text.contains("lib.rs:4:9: `table` has no word `nam`; did you mean `name`?"), "{text}");
    let error = service("pub struct 7;").expect_err("no Rust").to_string();
    assert!(error.contains("lib.rs:2:"), "{error}");
}
