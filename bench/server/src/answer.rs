//! Answers and their bodies, which are written whole when they are small and row by row when they are not.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::time::Sleep;

use crate::text::Text;

/// A body up to this many bytes is written at once.
const WHOLE: u64 = 1 << 20;

/// A longer one is written in pieces of this many bytes.
const PIECE: usize = 256 << 10;

/// How long the first half of a cut body has to leave before the connection is closed.
const CUT_AFTER: Duration = Duration::from_millis(5);

pub const XML: &str = "text/xml;charset=UTF-8";
pub const JSON: &str = "application/x-amz-json-1.1";

/// An answer.
pub struct Answer {
    pub status: u16,
    pub content_type: &'static str,
    pub content: Content,
    pub headers: Vec<(&'static str, String)>,
}

impl Answer {
    pub fn new(status: u16, content_type: &'static str, content: impl Into<Content>) -> Self {
        Self { status, content_type, content: content.into(), headers: Vec::new() }
    }

    pub fn xml(text: Text) -> Self {
        Self::new(200, XML, text.0)
    }

    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// What an answer says.
pub enum Content {
    Text(String),
    Rows(Rows),
}

impl From<String> for Content {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

type WriteRow = Box<dyn Fn(u64, &mut Text) + Send + Sync>;

/// Rows that are written while they are sent.
pub struct Rows {
    head: String,
    next: u64,
    end: u64,
    foot: String,
    write: WriteRow,
}

impl Rows {
    /// A body of a head, rows and a foot; a row has about `row_bytes`.
    pub fn content(
        head: Text,
        (next, end): (u64, u64),
        foot: Text,
        row_bytes: usize,
        write: impl Fn(u64, &mut Text) + Send + Sync + 'static,
    ) -> Content {
        let bytes = (end - next) * row_bytes as u64;
        if bytes > WHOLE {
            return Content::Rows(Self { head: head.0, next, end, foot: foot.0, write: Box::new(write) });
        }
        let mut text = head;
        text.0.reserve(bytes as usize + foot.0.len());
        (next..end).for_each(|index| write(index, &mut text));
        text.raw(&foot.0);
        Content::Text(text.0)
    }
}

/// The body of a response.
pub enum Reply {
    Whole(Option<Bytes>),
    Cut { first: Option<Bytes>, length: Option<u64>, wait: Pin<Box<Sleep>> },
    Rows(Rows),
}

impl Reply {
    pub fn new(content: Content) -> Self {
        match content {
            Content::Text(text) if text.is_empty() => Self::Whole(None),
            Content::Text(text) => Self::Whole(Some(text.into())),
            Content::Rows(rows) => Self::Rows(rows),
        }
    }

    /// The same body, of which only the first half is sent.
    pub fn cut(content: Content) -> Self {
        let (first, length) = match content {
            Content::Text(text) => {
                let whole = Bytes::from(text);
                (whole.slice(..whole.len() / 2), Some(whole.len() as u64))
            }
            Content::Rows(rows) => {
                let mut text = Text(rows.head);
                (rows.next..rows.end).take(1).for_each(|index| (rows.write)(index, &mut text));
                (Bytes::from(text.0), None)
            }
        };
        Self::Cut { first: Some(first), length, wait: Box::pin(tokio::time::sleep(CUT_AFTER)) }
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let frame = |bytes| Poll::Ready(Some(Ok(Frame::data(bytes))));
        match self.get_mut() {
            Self::Whole(bytes) => bytes.take().map_or(Poll::Ready(None), frame),
            Self::Cut { first, wait, .. } => match first.take() {
                Some(bytes) => frame(bytes),
                None => match wait.as_mut().poll(context) {
                    Poll::Pending => Poll::Pending,
                    Poll::Ready(()) => Poll::Ready(Some(Err(io::Error::other("the body was to be cut")))),
                },
            },
            Self::Rows(rows) => {
                let mut text = Text(std::mem::take(&mut rows.head));
                while rows.next < rows.end && text.0.len() < PIECE {
                    (rows.write)(rows.next, &mut text);
                    rows.next += 1;
                }
                if rows.next == rows.end {
                    text.raw(&std::mem::take(&mut rows.foot));
                }
                if text.0.is_empty() { Poll::Ready(None) } else { frame(text.0.into()) }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Cut { first: Some(_), length: Some(length), .. } => SizeHint::with_exact(*length),
            _ => SizeHint::default(),
        }
    }
}
