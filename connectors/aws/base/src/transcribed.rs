//! What transcribed code calls: conversions of values, and the ways in which an answer is continued.
//!
//! Every request is made through [`attempts`], so it must be possible to send it again: what is handed over is the
//! request and how it is sent, not its future.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::{Blob, DateTime, Document, Number};
use futures::future::BoxFuture;
use futures::stream::{BoxStream, Stream, StreamExt};
use headwater_sdk::Result;
use headwater_sdk::calls::attempts;
use headwater_sdk::json::{Object, WriteJson, write_str};

pub use std::collections::HashMap;

pub use crate::Service;
pub use headwater_sdk::types::KeyValue;
pub use headwater_sdk::{Binary, Enum, Get, KeyValues, List, RawJson, Record, Timestamp};

use crate::errors::{Failure, error};

/// Rows, page by page.
pub type PageStream<R> = BoxStream<'static, Result<Vec<R>>>;
/// One record, or none.
pub type RecordFuture<R> = BoxFuture<'static, Result<Option<R>>>;
/// How an answer's rows are taken out of it.
type Rows<O, R> = fn(O, &mut Vec<R>);
/// How a request is sent.
type SendOnce<B, O, E> = fn(B) -> BoxFuture<'static, Result<O, CallError<E>>>;
/// How a request is sent with a token.
type SendWith<B, O, E> = fn(B, Option<String>) -> BoxFuture<'static, Result<O, CallError<E>>>;
/// A client's error.
type CallError<E> = SdkError<E, HttpResponse>;

/// A point in time, in microseconds. What is beyond 292,000 years is cut to the ends of that range.
pub fn timestamp(time: DateTime) -> Timestamp {
    let micros = i128::from(time.secs()) * 1_000_000 + i128::from(time.subsec_nanos()) / 1_000;
    Timestamp(i64::try_from(micros).unwrap_or(if micros < 0 { i64::MIN } else { i64::MAX }))
}

/// Bytes.
pub fn binary(blob: Blob) -> Binary {
    Binary(blob.into_inner())
}

/// A document of any form, as JSON.
pub fn document(document: Document) -> RawJson {
    RawJson::of(&Doc(&document))
}

struct Doc<'a>(&'a Document);

impl WriteJson for Doc<'_> {
    fn write_json(&self, out: &mut Vec<u8>) {
        match self.0 {
            Document::Object(members) => {
                let mut members: Vec<_> = members.iter().collect();
                members.sort_unstable_by_key(|(name, _)| *name);
                let mut object = Object::begin(out);
                for (name, value) in members {
                    object.member(name, &Doc(value));
                }
                object.end();
            }
            Document::Array(items) => {
                let items: Vec<Doc<'_>> = items.iter().map(Doc).collect();
                headwater_sdk::json::write_array(&items, out);
            }
            Document::Number(Number::PosInt(number)) => number.write_json(out),
            Document::Number(Number::NegInt(number)) => number.write_json(out),
            Document::Number(Number::Float(number)) => number.write_json(out),
            Document::String(text) => write_str(text, out),
            Document::Bool(value) => value.write_json(out),
            Document::Null => out.extend_from_slice(b"null"),
        }
    }
    fn shape(_: usize) -> headwater_sdk::json::Shape {
        headwater_sdk::json::Shape::from("json")
    }
}

/// The pages of a call that is continued by a token. A token that comes twice ends the pages, as it does in the
/// client's own paginators.
pub fn by_token<B, O, E, R>(
    call: &'static str,
    request: B,
    send: SendWith<B, O, E>,
    next: fn(&O) -> Option<String>,
    rows: Rows<O, R>,
) -> PageStream<R>
where
    B: Clone + Send + 'static,
    O: Send + 'static,
    E: Failure,
    R: Send + 'static,
{
    let ask = move |token: Option<String>| {
        let request = request.clone();
        let answer = attempts(call, move || sent(call, send(request.clone(), token.clone())));
        let answer: BoxFuture<'static, Answer<R>> = Box::pin(async move {
            let page = answer.await?;
            let next = next(&page).filter(|next| !next.is_empty());
            Ok((taken(page, rows), next))
        });
        answer
    };
    Paged::new(ask).boxed()
}

/// The only page of a call that is not continued.
pub fn once<B, O, E, R>(call: &'static str, request: B, send: SendOnce<B, O, E>, rows: Rows<O, R>) -> PageStream<R>
where
    B: Clone + Send + 'static,
    O: Send + 'static,
    E: Failure,
    R: Send + 'static,
{
    let ask = move |_: Option<String>| {
        let request = request.clone();
        let answer = attempts(call, move || sent(call, send(request.clone())));
        let answer: BoxFuture<'static, Answer<R>> = Box::pin(async move { Ok((taken(answer.await?, rows), None)) });
        answer
    };
    Paged::new(ask).boxed()
}

/// The record in a call's answer.
pub fn record<B, O, E, R>(
    call: &'static str,
    request: B,
    send: SendOnce<B, O, E>,
    pick: fn(O) -> Option<R>,
) -> RecordFuture<R>
where
    B: Clone + Send + 'static,
    O: Send + 'static,
    E: Failure,
    R: Send + 'static,
{
    Box::pin(async move { answer(call, request, send).await.map(pick) })
}

/// The answer of a call, made again where that may help.
pub async fn answer<B, O, E>(call: &'static str, request: B, send: SendOnce<B, O, E>) -> Result<O>
where
    B: Clone + Send + 'static,
    E: Failure,
{
    attempts(call, move || sent(call, send(request.clone()))).await
}

async fn sent<O, E: Failure>(call: &str, answer: BoxFuture<'static, Result<O, CallError<E>>>) -> Result<O> {
    answer.await.map_err(|failure| error(call, &failure))
}

/// A page and the token of the next one.
type Answer<R> = Result<(Vec<R>, Option<String>)>;

/// The pages of a call. It is known with the last page that none follows, and its `size_hint` says so.
struct Paged<R> {
    ask: Box<dyn Fn(Option<String>) -> BoxFuture<'static, Answer<R>> + Send>,
    state: State<R>,
    /// The token that was sent last.
    token: Option<String>,
}

enum State<R> {
    /// The next page is asked for with a token.
    Ask(Option<String>),
    Asked(BoxFuture<'static, Answer<R>>),
    Ended,
}

impl<R> Paged<R> {
    fn new(ask: impl Fn(Option<String>) -> BoxFuture<'static, Answer<R>> + Send + 'static) -> Self {
        Self { ask: Box::new(ask), state: State::Ask(None), token: None }
    }
}

impl<R> Stream for Paged<R> {
    type Item = Result<Vec<R>>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if let State::Ask(token) = &mut this.state {
            this.token = token.take();
            this.state = State::Asked((this.ask)(this.token.clone()));
        }
        let State::Asked(answer) = &mut this.state else { return Poll::Ready(None) };
        let answer = ready!(answer.as_mut().poll(cx));
        this.state = State::Ended;
        Poll::Ready(Some(answer.map(|(rows, next)| {
            if next.is_some() && next != this.token {
                this.state = State::Ask(next);
            }
            rows
        })))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self.state {
            State::Ended => (0, Some(0)),
            State::Ask(_) | State::Asked(_) => (1, None),
        }
    }
}

fn taken<O, R>(page: O, rows: Rows<O, R>) -> Vec<R> {
    let mut all = Vec::new();
    rows(page, &mut all);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pages of the tokens that were sent; each page's token is the next of `tokens`.
    async fn pages(tokens: &'static [&'static str]) -> (Vec<String>, Vec<(usize, Option<usize>)>) {
        let ask = move |token: Option<String>| {
            let number =
                token.as_deref().map_or(0, |token| 1 + tokens.iter().position(|one| *one == token).unwrap_or(0));
            let next = tokens.get(number).map(|next| (*next).to_owned());
            let answer: BoxFuture<'static, Answer<String>> =
                Box::pin(async move { Ok((vec![token.unwrap_or_default()], next)) });
            answer
        };
        let mut stream = Paged::new(ask);
        let (mut sent, mut hints) = (Vec::new(), vec![stream.size_hint()]);
        while let Some(page) = stream.next().await {
            sent.extend(page.expect("no error"));
            hints.push(stream.size_hint());
        }
        (sent, hints)
    }

    #[tokio::test]
    async fn pages_end_with_the_last_token_or_one_that_comes_twice() {
        let (more, none) = ((1, None), (0, Some(0)));
        assert_eq!(pages(&[]).await, (vec![String::new()], vec![more, none]));
        let two = vec![String::new(), "b".to_owned()];
        assert_eq!(pages(&["b"]).await, (two.clone(), vec![more, more, none]));
        assert_eq!(pages(&["b", "b"]).await, (two, vec![more, more, none]));
    }
}
