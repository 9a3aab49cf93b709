//! Connections that are read as they stand on the wire get in as those of the library do.
#![allow(clippy::unwrap_used)]

use headwater_e2e::LocalPostgresql;
use headwater_postgresql_client::{Connector, Place};
use headwater_sdk::Result;

/// Whether the connection is encrypted, and whether its end came.
async fn opened(url: &str, ca_file: Option<&std::path::Path>) -> Result<(bool, usize)> {
    let connector = Connector::new(Place { connection_string: url, ca_file, ..Place::default() }.settings()?)?;
    connector.connect().await?;
    let mut wire = connector.connect_wire().await?;
    wire.query("COPY (SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()) TO STDOUT").await?;
    let encrypted = wire.next().await?.map(|row| row.starts_with(b"t"));
    assert_eq!(wire.next().await?, None);
    // More than is read at once, in many pieces.
    wire.query("COPY (SELECT repeat('x', 100) FROM generate_series(1, 20000)) TO STDOUT").await?;
    let mut bytes = 0;
    while let Some(row) = wire.next().await? {
        bytes += row.len();
    }
    Ok((encrypted.unwrap(), bytes))
}

#[tokio::test]
async fn encryption_is_as_it_is_asked_for() {
    let key = rcgen::KeyPair::generate().unwrap();
    let parameters = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = parameters.self_signed(&key).unwrap().pem();
    let server = LocalPostgresql::start_encrypted(&certificate, &key.serialize_pem()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let ours = folder.path().join("ours.pem");
    std::fs::write(&ours, &certificate).unwrap();
    const BYTES: usize = 101 * 20_000;
    for (mode, ca_file, encrypted) in [
        ("", None, true),
        ("?sslmode=disable", None, false),
        ("?sslmode=require", None, true),
        ("?sslmode=verify-full", Some(ours.as_path()), true),
    ] {
        let (found, bytes) = opened(&format!("{}{mode}", server.url()), ca_file).await.unwrap();
        assert_eq!((found, bytes), (encrypted, BYTES), "{mode}");
    }
    let refused = opened(&format!("{}?sslmode=verify-full", server.url()), None).await.unwrap_err().to_string();
    assert!(refused.contains("certificate"), "{refused}");
}

#[tokio::test]
async fn who_cannot_get_in_is_told_why() {
    let server = LocalPostgresql::start().unwrap();
    let error = |url: String| async move { opened(&url, None).await.unwrap_err() };
    let unencrypted = error(format!("{}?sslmode=require", server.url())).await.to_string();
    assert!(unencrypted.contains("TLS"), "{unencrypted}");
    assert!(!opened(&server.url(), None).await.unwrap().0);
    let denied = error(server.url().replace("a%20pass", "another")).await;
    assert_eq!((denied.class, denied.code.as_deref()), (headwater_sdk::Class::Denied, Some("28P01")));
    let away = error("postgresql://u@127.0.0.1:1/d".to_owned()).await;
    assert_eq!((away.class, away.code.as_deref()), (headwater_sdk::Class::Transient, Some("Unreachable")));
    // By an address that has no name.
    let port = server.url().rsplit(':').next().unwrap().split('/').next().unwrap().to_owned();
    let address = format!("hostaddr=127.0.0.1 port={port} user=headwater dbname=postgres password='a pass/word'");
    assert!(!opened(&address, None).await.unwrap().0);
}
