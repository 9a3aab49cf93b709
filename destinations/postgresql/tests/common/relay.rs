//! A relay in front of a server, which cuts a connection off when a certain statement comes by.
#![allow(dead_code, clippy::unwrap_used)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Whether the server still gets the statement.
#[derive(Clone, Copy, PartialEq)]
pub enum Cut {
    Before,
    /// Its answer is lost. The server has so many milliseconds before it learns that its client is gone.
    After(u64),
}

#[derive(Clone)]
pub struct Relay {
    pub port: u16,
    next: Arc<Mutex<Option<(String, Cut)>>>,
}

impl Relay {
    /// In front of the server at a port.
    pub async fn start(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let relay = Self { port: listener.local_addr().unwrap().port(), next: Arc::default() };
        let next = Arc::clone(&relay.next);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, server, Arc::clone(&next)));
            }
        });
        relay
    }

    /// Cuts the next connection off on which a statement with these words comes.
    pub fn cut(&self, words: &str, cut: Cut) {
        *self.next.lock().unwrap() = Some((words.to_owned(), cut));
    }

    /// Whether that has happened.
    pub fn has_cut(&self) -> bool {
        self.next.lock().unwrap().is_none()
    }
}

async fn carry(client: TcpStream, server: u16, next: Arc<Mutex<Option<(String, Cut)>>>) {
    let Ok(server) = TcpStream::connect(("127.0.0.1", server)).await else { return };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let answers = tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count) = from_client.read(&mut buffer).await {
        let sent = &buffer[..count];
        let cut = {
            let mut next = next.lock().unwrap();
            let here = |words: &str| sent.windows(words.len()).any(|window| window == words.as_bytes());
            if next.as_ref().is_some_and(|(words, _)| here(words)) { next.take().map(|(_, cut)| cut) } else { None }
        };
        if cut.is_some() {
            answers.abort();
            let _ = answers.await;
            // The client has to notice it.
            if let Some(Cut::After(wait)) = cut {
                to_server.write_all(sent).await.unwrap();
                drop(from_client);
                tokio::time::sleep(Duration::from_millis(wait)).await;
            }
            return;
        }
        if count == 0 || to_server.write_all(sent).await.is_err() {
            break;
        }
    }
    answers.abort();
}
