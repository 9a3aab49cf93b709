//! A part of many rows that are only added: they are copied into the table itself as they come, in a transaction that is
//! open as long as the part. Only some of the connections may be used so, and nobody waits for one of them: whoever gets
//! none has its rows wait in a table.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures::SinkExt;
use headwater_sdk::{Committed, Part, Result};
use tokio_postgres::CopyInSink;

use crate::copy::send_pieces;
use crate::ddl::copy;
use crate::encode::{HEADER, TRAILER};
use crate::publish::{delete_of_unit, lock};
use crate::server::{Lent, Server};

/// An open transaction with a `COPY` under way. Where it is dropped, the connection is closed, and nothing of it stays.
pub struct Stream {
    lent: Lent,
    sink: Pin<Box<CopyInSink<Bytes>>>,
    server: Arc<Server>,
}

impl Stream {
    /// Begins, unless no connection is free for it.
    pub async fn begin(server: &Arc<Server>, part: &Part) -> Result<Option<Self>> {
        let Some(turns) = server.long_turns(1) else { return Ok(None) };
        let lent = server.connection_of(turns).await?;
        let client = &lent.connection.client;
        let begun = async {
            // The copy takes as long as the unit, which is no sign that something is wrong with it.
            client.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = 0").await?;
            if part.resumed {
                // What an earlier attempt has left is replaced.
                client.batch_execute(&lock(part)).await?;
                if server.left.holds(client, part).await? {
                    delete_of_unit(client, part, Some("="), &[]).await?;
                }
            }
            let mut sink = Box::pin(client.copy_in(&copy(&part.table)).await?);
            sink.feed(Bytes::from_static(HEADER)).await?;
            Ok(sink)
        };
        let sink = begun.await.map_err(|error| server.explain(error))?;
        Ok(Some(Self { lent, sink, server: Arc::clone(server) }))
    }

    /// Sends rows in binary form.
    pub async fn send(&mut self, rows: Bytes) -> Result<()> {
        let sent = send_pieces(self.sink.as_mut(), rows).await;
        sent.map_err(|error| self.server.explain_rows(error))
    }

    /// Makes the rows visible.
    pub async fn commit(mut self) -> Result<Committed> {
        let explained = |error| self.server.explain_rows(error);
        self.sink.send(Bytes::from_static(&TRAILER)).await.map_err(explained)?;
        let written = self.sink.as_mut().finish().await.map_err(explained)?;
        self.lent.connection.client.batch_execute("COMMIT").await.map_err(explained)?;
        drop(self.sink);
        self.lent.give_back();
        Ok(Committed { written, ..Committed::default() })
    }
}
