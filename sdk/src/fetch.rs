//! Calls to an API for a table: what yields rows, and what yields one record.

use std::sync::Arc;

use futures::future::BoxFuture;
use futures::stream::{BoxStream, Stream, StreamExt, TryStreamExt};

use crate::admission::ITEM;
use crate::calls::{Asked, Polled};
use crate::error::{Class, Error, Result};
use crate::memory::Lease;
use crate::table::{Context, Table};
use crate::task;

/// A call that yields rows, page by page. Transcribed for the client's own request builders; a boxed stream of pages
/// is one too, for calls written by hand.
#[diagnostic::on_unimplemented(
    message = "the call in `list` does not yield `{R}`",
    label = "in this table",
    note = "this call has not been generated yet: run `cargo xtask regenerate`",
    note = "(if it has, `of` names a struct that the call does not return)"
)]
pub trait List<R>: Send + 'static {
    /// The pages in order. The stream ends after its first error.
    fn pages(self) -> BoxStream<'static, Result<Vec<R>>>;
}

impl<R: 'static> List<R> for BoxStream<'static, Result<Vec<R>>> {
    fn pages(self) -> BoxStream<'static, Result<Vec<R>>> {
        self
    }
}

/// A call that yields one record, or none.
#[diagnostic::on_unimplemented(
    message = "the call in `get` does not yield `{R}`",
    label = "in this table",
    note = "this call has not been generated yet: run `cargo xtask regenerate`",
    note = "(if it has, the type asked for is not in the call's output)"
)]
pub trait Get<R>: Send + 'static {
    /// Makes the call.
    fn get(self) -> BoxFuture<'static, Result<Option<R>>>;
}

impl<R: 'static> Get<R> for BoxFuture<'static, Result<Option<R>>> {
    fn get(self) -> BoxFuture<'static, Result<Option<R>>> {
        self
    }
}

/// The part of a table that a refused `list` stands for; a column's `get` goes by its column.
const LIST: &str = "list";

/// Rows that came together, with the memory that they hold.
pub struct Page<R> {
    /// Each row's record, or why it could not be had.
    pub rows: Vec<Result<R>>,
    /// What is given back when the rows are gone.
    pub lease: Lease,
}

/// A table's rows as they come. The stream ends after an error of its own.
pub type Pages<R> = BoxStream<'static, Result<Page<R>>>;

/// The pages of a `list`. An error whose code is in `ignore` ends the list without one.
pub fn list<T: Table, L: List<T::Record>>(
    cx: &Context<T>,
    call: L,
    ignore: &'static [&'static str],
) -> Pages<T::Record> {
    // These pages are fetched one after another by a task that does nothing else.
    paced(cx, call, ignore, Polled::Always)
        .map_ok(|(records, lease)| Page { rows: records.into_iter().map(Ok).collect(), lease })
        .boxed()
}

/// The rows of a `list` whose items are looked up one by one by a `get`. Items of the next page are looked up while the
/// last ones of a page still are.
pub fn list_get<T: Table, I: Send + 'static, L: List<I>, G: Get<T::Record>>(
    cx: &Context<T>,
    call: L,
    ignore: &'static [&'static str],
    detail: impl Fn(&Context<T>, &I) -> G + Clone + Send + 'static,
) -> Pages<T::Record> {
    let cx = cx.clone();
    let items = paced(&cx, call, ignore, Polled::Perhaps).flat_map(|page| {
        let (items, lease) = match page {
            Ok((items, lease)) => (items.into_iter().map(Ok).collect(), Some(Arc::new(lease))),
            Err(error) => (vec![Err(error)], None),
        };
        futures::stream::iter(items.into_iter().map(move |item| (item, lease.clone())))
    });
    let concurrency = cx.calls.concurrency();
    let lookups = items.then({
        let cx = cx.clone();
        move |item| {
            let cx = cx.clone();
            // One after another, in the order in which they are taken: a later item that is admitted first would be held
            // until an earlier one is there, which may wait for that memory.
            async move {
                let passed = cx.calls.pass(cx.level(ITEM)).await;
                (item, passed, cx.admit_item().await)
            }
        }
    });
    let lookups = lookups.map(move |((item, page), passed, lease)| {
        let (cx, detail) = (cx.clone(), detail.clone());
        async move {
            let item = item?;
            task::own(async move {
                let (_page, _passed) = (page, passed);
                let call = detail(&cx, &item).get();
                let found = found::<T, _>(&cx, "get", call, ignore).await.transpose();
                Ok(Page { rows: found.into_iter().collect(), lease })
            })
            .await
        }
    });
    lookups.buffered(concurrency).boxed()
}

/// The one row of a `get` without a `list`.
pub fn single<T: Table, G: Get<T::Record>>(
    cx: &Context<T>,
    call: G,
    ignore: &'static [&'static str],
) -> Pages<T::Record> {
    let cx = cx.clone();
    futures::stream::once(async move {
        let lease = cx.admit_page().await;
        let record = found::<T, _>(&cx, LIST, call.get(), ignore).await?;
        Ok(Page { rows: record.map(Ok).into_iter().collect(), lease })
    })
    .boxed()
}

/// What a call for one record finds. An error whose code is in `ignore` means that there is none.
async fn found<T: Table, R: Send + 'static>(
    cx: &Context<T>,
    what: &'static str,
    call: BoxFuture<'static, Result<Option<R>>>,
    ignore: &[&str],
) -> Result<Option<R>> {
    match cx.calls.call_unless_refused(Asked { table: T::NAME, what, polled: Polled::Perhaps }, call).await {
        Err(error) if error.has_code(ignore) => Ok(None),
        found => found,
    }
}

/// The pages of a call, each of them admitted to memory before it is asked for.
fn paced<T: Table, I: Send + 'static, L: List<I>>(
    cx: &Context<T>,
    call: L,
    ignore: &'static [&'static str],
    polled: Polled,
) -> impl Stream<Item = Result<(Vec<I>, Lease)>> + Send + use<T, I, L> {
    let cx = cx.clone();
    futures::stream::unfold((Some(call.pages()), cx), move |(pages, cx)| async move {
        let mut pages = pages?;
        let lease = cx.admit_page().await;
        let call = async move {
            match pages.next().await {
                Some(Ok(page)) => Ok((Some(page), pages)),
                Some(Err(error)) => Err(error),
                None => Ok((None, pages)),
            }
        };
        match cx.calls.call_unless_refused(Asked { table: T::NAME, what: LIST, polled }, call).await {
            Ok((None, _)) => None,
            Ok((Some(page), pages)) => Some((Ok((page, lease)), (Some(pages), cx))),
            Err(error) if error.has_code(ignore) => None,
            Err(error) => Some((Err(error), (None, cx))),
        }
    })
}

/// The value of a column's `get`, for the derive. Where the service denies the call or does not offer it, the column
/// is missing and the error is kept: the row itself is good. Any other failure is the row's.
pub async fn column<T: Table, R: Send + 'static, G: Get<R>>(
    cx: &Context<T>,
    name: &'static str,
    call: G,
    ignore: &'static [&'static str],
    problems: &std::sync::Mutex<Vec<Error>>,
) -> Result<Option<R>> {
    match found::<T, _>(cx, name, call.get(), ignore).await {
        Ok(record) => Ok(record),
        Err(error) => {
            let error = error.while_doing(format_args!("column {name}"));
            if !matches!(error.class, Class::Denied | Class::Unsupported) {
                return Err(error);
            }
            if let Ok(mut problems) = problems.lock() {
                problems.push(error);
            }
            Ok(None)
        }
    }
}
