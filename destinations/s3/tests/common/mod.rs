//! A local S3 for the tests of a process, and a bucket of one's own for each test.
#![allow(dead_code, clippy::unwrap_used)]

use std::path::PathBuf;
use std::sync::LazyLock;

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_sdk_s3::Client;
use bytes::Bytes;
use headwater_aws_client::http;
use headwater_e2e::{LocalAws, PYTHON, Settings};
use headwater_s3::Spec;
use headwater_sdk::Uuid;

/// The server ends with the process, because its standard input does.
static SERVER: LazyLock<LocalAws> = LazyLock::new(start);

pub fn start() -> LocalAws {
    let python = std::env::var_os(PYTHON).map(PathBuf::from);
    let python = python.unwrap_or_else(|| panic!("{PYTHON} names no Python: run the tests with `cargo xtask test`"));
    LocalAws::start(&python, Settings::default()).unwrap()
}

/// A bucket, and a client to look into it.
pub struct Bucket {
    pub endpoint: String,
    pub name: String,
    pub client: Client,
}

impl Bucket {
    /// On the server that the tests share.
    pub async fn new() -> Self {
        Self::on(&SERVER).await
    }

    pub async fn on(server: &LocalAws) -> Self {
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(server.endpoint())
            .credentials_provider(Credentials::new("testing", "testing", None, None, "test"))
            .http_client(http::client())
            .build();
        let client = Client::from_conf(config);
        let name = format!("lake-{}", Uuid::new_v4());
        client.create_bucket().bucket(&name).send().await.unwrap();
        Self { endpoint: server.endpoint().to_owned(), name, client }
    }

    /// What a configuration says of it.
    pub fn spec(&self, path: &str) -> Spec {
        Spec {
            bucket: self.name.clone(),
            region: Some("us-east-1".to_owned()),
            path: path.to_owned(),
            endpoint: Some(self.endpoint.clone()),
            access_key_id: Some("testing".to_owned()),
            secret_access_key: Some("testing".to_owned().into()),
            ..Spec::default()
        }
    }

    /// The names of all objects.
    pub async fn names(&self) -> Vec<String> {
        let mut pages = self.client.list_objects_v2().bucket(&self.name).into_paginator().send();
        let mut names = Vec::new();
        while let Some(page) = pages.next().await {
            names.extend(page.unwrap().contents().iter().map(|object| object.key().unwrap().to_owned()));
        }
        names
    }

    pub async fn get(&self, name: &str) -> Bytes {
        let object = self.client.get_object().bucket(&self.name).key(name).send().await.unwrap();
        object.body.collect().await.unwrap().into_bytes()
    }

    /// The names of objects whose uploads are under way.
    pub async fn uploads(&self) -> Vec<String> {
        let listed = self.client.list_multipart_uploads().bucket(&self.name).send().await.unwrap();
        listed.uploads().iter().map(|upload| upload.key().unwrap().to_owned()).collect()
    }
}
