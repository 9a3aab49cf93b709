//! A connection whose messages are read as they stand on the wire: a `COPY` costs no more than to read its bytes.

use headwater_sdk::{Error, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_postgres::CancelToken;

use crate::errors::{Said, lost};
use crate::takeover::{Opener, Stream};

/// So many bytes are read at once.
const BUFFER: usize = 256 << 10;

/// A connection for statements without parameters. Where it is dropped while one runs, that is cancelled.
pub struct Wire {
    stream: Stream,
    buffer: Vec<u8>,
    /// Where the message begins that comes next, and where the bytes end that were read.
    start: usize,
    end: usize,
    shown: String,
    busy: bool,
    cancel: Option<(CancelToken, Opener)>,
    failed: Option<Error>,
}

impl Wire {
    pub(crate) fn new(stream: Stream, shown: String, cancel: Option<(CancelToken, Opener)>) -> Self {
        Self { stream, buffer: vec![0; BUFFER], start: 0, end: 0, shown, busy: false, cancel, failed: None }
    }

    /// Runs statements; what they answer is not kept.
    ///
    /// # Errors
    /// If one of them fails.
    pub async fn execute(&mut self, sql: &str) -> Result<()> {
        self.query(sql).await?;
        while self.next().await?.is_some() {}
        Ok(())
    }

    /// Begins `COPY … TO STDOUT`, whose data [`Wire::next`] hands out.
    ///
    /// # Errors
    /// If the statement cannot be sent.
    pub async fn query(&mut self, sql: &str) -> Result<()> {
        if sql.contains('\0') || self.busy {
            return Err(Error::fatal("a statement with U+0000, or one before the end of another"));
        }
        let length = i32::try_from(sql.len() + 5).map_err(|_| Error::fatal("a statement of more than 2 GiB"))?;
        let mut message = vec![b'Q'];
        message.extend_from_slice(&length.to_be_bytes());
        message.extend_from_slice(sql.as_bytes());
        message.push(0);
        self.busy = true;
        let sent = async {
            self.stream.write_all(&message).await?;
            self.stream.flush().await
        };
        sent.await.map_err(|error| lost(&self.shown, &error))
    }

    /// The next piece of data, most often one row; none at the end of the statement.
    ///
    /// # Errors
    /// If the statement fails, or the connection is lost.
    pub async fn next(&mut self) -> Result<Option<&[u8]>> {
        loop {
            let Some((tag, from, until)) = self.message()? else {
                self.fill().await?;
                continue;
            };
            match tag {
                // CopyData.
                b'd' => return Ok(Some(&self.buffer[from..until])),
                // ErrorResponse; the statement is over when the server is ready again, or has closed the connection.
                b'E' => {
                    let said = said(&self.buffer[from..until]);
                    self.failed = Some(said.explain(&self.shown, false));
                }
                // ReadyForQuery.
                b'Z' => {
                    self.busy = false;
                    return self.failed.take().map_or(Ok(None), Err);
                }
                // CopyInResponse, CopyBothResponse: nothing would ever come.
                b'G' | b'W' => return Err(Error::fatal("a statement that wants data")),
                // Rows, notices, and the ends of statements.
                _ => {}
            }
        }
    }

    /// The next message that is there as a whole: its kind, and where its contents are.
    fn message(&mut self) -> Result<Option<(u8, usize, usize)>> {
        let [tag, a, b, c, d, ..] = self.buffer[self.start..self.end] else { return Ok(None) };
        // The length counts itself.
        let length = usize::try_from(i32::from_be_bytes([a, b, c, d])).ok().filter(|length| *length >= 4);
        let length = length.ok_or_else(|| lost(&self.shown, &"the server does not speak PostgreSQL's protocol"))?;
        let (from, until) = (self.start + 5, self.start + 1 + length);
        if until > self.end {
            if until - self.start > self.buffer.len() {
                self.buffer.resize(until - self.start, 0);
            }
            return Ok(None);
        }
        self.start = until;
        Ok(Some((tag, from, until)))
    }

    /// Reads what there is.
    async fn fill(&mut self) -> Result<()> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == 0 && self.buffer.len() > BUFFER {
            // One large row is no reason to keep its memory.
            self.buffer = vec![0; BUFFER];
        }
        match self.stream.read(&mut self.buffer[self.end..]).await {
            Ok(0) => {
                self.busy = false;
                Err(self.failed.take().unwrap_or_else(|| lost(&self.shown, &"the connection was lost")))
            }
            Ok(count) => {
                self.end += count;
                Ok(())
            }
            Err(error) => {
                self.busy = false;
                Err(lost(&self.shown, &error))
            }
        }
    }

    /// Whether a statement runs.
    pub fn is_busy(&self) -> bool {
        self.busy
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        // The server would notice that nobody listens only when it sends the next row.
        if self.busy
            && let Some((token, opener)) = self.cancel.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(async move { token.cancel_query(opener).await });
        }
    }
}

/// Reads what a server says about a failure: fields that begin with a letter and end with a zero.
fn said(bytes: &[u8]) -> Said<'_> {
    let mut said = Said { code: "XX000", message: "an error without a message", detail: None };
    for field in bytes.split(|byte| *byte == 0) {
        let Some((kind, text)) = field.split_first() else { continue };
        let Ok(text) = std::str::from_utf8(text) else { continue };
        match kind {
            b'C' => said.code = text,
            b'M' => said.message = text,
            b'D' => said.detail = Some(text),
            _ => {}
        }
    }
    said
}
