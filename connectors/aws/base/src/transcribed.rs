//! What transcribed code calls: conversions of values, and the ways in which an answer is continued.

use aws_smithy_async::future::pagination_stream::PaginationStream;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::{Blob, DateTime, Document, Number};
use futures::future::BoxFuture;
use futures::stream::{BoxStream, StreamExt};
use headwater_sdk::Result;
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

/// The pages of a call for which the client has a paginator.
pub fn paginated<O, E, R>(
    call: &'static str,
    pages: PaginationStream<Result<O, CallError<E>>>,
    rows: Rows<O, R>,
) -> PageStream<R>
where
    O: Send + 'static,
    E: Failure,
    R: Send + 'static,
{
    futures::stream::unfold(Some(pages), move |pages| async move {
        let mut pages = pages?;
        match pages.next().await? {
            Ok(page) => Some((Ok(taken(page, rows)), Some(pages))),
            Err(failure) => Some((Err(error(call, &failure)), None)),
        }
    })
    .boxed()
}

/// The pages of a call that is continued by a token, without a paginator of the client's. A token that comes twice
/// ends the pages, as it does in the client's own paginators.
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
    futures::stream::unfold(Some((request, None::<String>)), move |state| async move {
        let (request, token) = state?;
        match send(request.clone(), token.clone()).await {
            Ok(page) => {
                let next = next(&page).filter(|next| !next.is_empty() && Some(next) != token.as_ref());
                Some((Ok(taken(page, rows)), next.map(|next| (request, Some(next)))))
            }
            Err(failure) => Some((Err(error(call, &failure)), None)),
        }
    })
    .boxed()
}

/// The only page of a call that is not continued.
pub fn once<O, E, R>(
    call: &'static str,
    answer: impl Future<Output = Result<O, CallError<E>>> + Send + 'static,
    rows: Rows<O, R>,
) -> PageStream<R>
where
    O: Send + 'static,
    E: Failure,
    R: Send + 'static,
{
    futures::stream::once(async move {
        match answer.await {
            Ok(page) => Ok(taken(page, rows)),
            Err(failure) => Err(error(call, &failure)),
        }
    })
    .boxed()
}

/// The record in a call's answer.
pub fn record<O, E, R>(
    call: &'static str,
    answer: impl Future<Output = Result<O, CallError<E>>> + Send + 'static,
    pick: fn(O) -> Option<R>,
) -> RecordFuture<R>
where
    O: Send + 'static,
    E: Failure,
    R: Send + 'static,
{
    Box::pin(async move { answer.await.map(pick).map_err(|failure| error(call, &failure)) })
}

fn taken<O, R>(page: O, rows: Rows<O, R>) -> Vec<R> {
    let mut all = Vec::new();
    rows(page, &mut all);
    all
}
