//! Rows in binary form on their way into a table.

use std::pin::Pin;

use bytes::Bytes;
use futures::SinkExt;
use headwater_sdk::Rejects;
use tokio_postgres::{Client, CopyInSink};

use crate::buffer::Bundle;
use crate::ddl::copy_into;
use crate::encode::{HEADER, TRAILER};
use crate::errors::of_a_row;
use crate::sift::Failed;

type Pg<T> = Result<T, tokio_postgres::Error>;

/// Copies rows.
pub async fn send(sink: CopyInSink<Bytes>, rows: Bytes) -> Pg<u64> {
    let mut sink = std::pin::pin!(sink);
    sink.feed(Bytes::from_static(HEADER)).await?;
    send_pieces(sink.as_mut(), rows).await?;
    sink.send(Bytes::from_static(&TRAILER)).await?;
    sink.finish().await
}

/// Sends rows in pieces of a size that the client's buffers like.
pub async fn send_pieces(mut sink: Pin<&mut CopyInSink<Bytes>>, rows: Bytes) -> Pg<()> {
    const PIECE: usize = 64 << 10;
    for from in (0..rows.len()).step_by(PIECE) {
        sink.send(rows.slice(from..rows.len().min(from + PIECE))).await?;
    }
    Ok(())
}

/// Copies rows into a stage, and answers how many. With `rejects`, those that the server cannot read are looked for by
/// halves and put aside.
pub async fn stage_rows(
    client: &Client,
    stage: &str,
    bundle: &Bundle,
    rejects: Option<&Rejects>,
) -> Result<u64, Failed> {
    let copy = copy_into(stage);
    let Some(rejects) = rejects else {
        return Ok(send(client.copy_in(&copy).await?, bundle.bytes.clone()).await?);
    };
    let attempt = async |rows: Bytes| -> Pg<Result<u64, String>> {
        client.batch_execute("SAVEPOINT headwater_copy").await?;
        let copied = async { send(client.copy_in(&copy).await?, rows).await }.await;
        let (copied, end) = match copied {
            Ok(count) => (Ok(count), ""),
            Err(error) => (Err(of_a_row(&error).ok_or(error)?), "ROLLBACK TO SAVEPOINT headwater_copy; "),
        };
        client.batch_execute(&format!("{end}RELEASE SAVEPOINT headwater_copy")).await?;
        Ok(copied)
    };
    if let Ok(count) = attempt(bundle.bytes.clone()).await? {
        return Ok(count);
    }
    let mut pieces: Vec<_> = bundle.pieces.iter().rev().cloned().collect();
    let mut copied = 0;
    while let Some(piece) = pieces.pop() {
        match attempt(piece.encode()?).await? {
            Ok(count) => copied += count,
            Err(why) => match piece.halves() {
                Some(halves) => pieces.extend(halves),
                None => rejects.add(&piece.batch, 0, why)?,
            },
        }
    }
    Ok(copied)
}
