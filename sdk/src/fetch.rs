//! Calls to an API: what yields rows, what yields one record, and the limit that all calls of a sync share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::Stream;
use futures::future::BoxFuture;
use futures::stream::{BoxStream, StreamExt};
use tokio::sync::Semaphore;

use crate::error::{Class, Error, Result};
use crate::table::{Context, Table};

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

/// How many calls may be under way at once, and how many were made.
#[derive(Clone)]
pub struct Calls {
    limit: Arc<Semaphore>,
    made: Arc<AtomicU64>,
    /// How many rows of one table are resolved at the same time.
    pub per_table: usize,
}

impl Calls {
    /// At most `concurrency` calls at once.
    pub fn new(concurrency: usize) -> Self {
        let concurrency = concurrency.clamp(1, Semaphore::MAX_PERMITS);
        Self { limit: Arc::new(Semaphore::new(concurrency)), made: Arc::default(), per_table: concurrency.min(16) }
    }

    /// Makes one call when its turn comes.
    ///
    /// The call runs in a task of its own: whoever waits for it may be kept from being polled, by a slow destination
    /// or by rows that wait for their own turn, and a turn that is held without being polled would stop all others.
    /// Dropping the returned future ends the call.
    pub async fn call<T: Send + 'static>(&self, call: impl Future<Output = T> + Send + 'static) -> T {
        let (limit, made) = (Arc::clone(&self.limit), Arc::clone(&self.made));
        let mut task = tokio::task::JoinSet::new();
        task.spawn(async move {
            // The semaphore is never closed, so a permit always comes.
            let _permit = limit.acquire_owned().await;
            made.fetch_add(1, Ordering::Relaxed);
            call.await
        });
        match task.join_next().await {
            Some(Ok(value)) => value,
            Some(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // The task was cancelled, which happens only when the whole run is.
            _ => std::future::pending().await,
        }
    }

    /// How many calls were made.
    pub fn made(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }
}

/// What a table's pages hold: each row's record, or why it could not be had.
pub type Pages<R> = BoxStream<'static, Result<Vec<Result<R>>>>;

/// The pages of a `list`. An error whose code is in `ignore` ends the list without one.
pub fn list<T: Table, L: List<T::Record>>(
    cx: &Context<T>,
    call: L,
    ignore: &'static [&'static str],
) -> Pages<T::Record> {
    paced(cx, call, ignore).map(|page| page.map(|records| records.into_iter().map(Ok).collect())).boxed()
}

/// The pages of a `list` whose items are looked up one by one by a `get`.
pub fn list_get<T: Table, I: Send + 'static, L: List<I>, G: Get<T::Record>>(
    cx: &Context<T>,
    call: L,
    ignore: &'static [&'static str],
    detail: impl Fn(&Context<T>, &I) -> G + Clone + Send + 'static,
) -> Pages<T::Record> {
    let cx = cx.clone();
    paced(&cx, call, ignore)
        .then(move |page| {
            let (cx, detail) = (cx.clone(), detail.clone());
            async move {
                let lookups: Vec<_> = page?
                    .into_iter()
                    .map(|item| {
                        let call = detail(&cx, &item).get();
                        let calls = cx.calls.clone();
                        async move { found(&calls, call, ignore).await.transpose() }
                    })
                    .collect();
                let records = futures::stream::iter(lookups).buffered(cx.calls.per_table);
                Ok(records.filter_map(std::future::ready).collect::<Vec<_>>().await)
            }
        })
        .boxed()
}

/// The one row of a `get` without a `list`.
pub fn single<T: Table, G: Get<T::Record>>(
    cx: &Context<T>,
    call: G,
    ignore: &'static [&'static str],
) -> Pages<T::Record> {
    let calls = cx.calls.clone();
    futures::stream::once(async move {
        let record = found(&calls, call.get(), ignore).await?;
        Ok(record.map(Ok).into_iter().collect())
    })
    .boxed()
}

/// What a call for one record finds. An error whose code is in `ignore` means that there is none.
async fn found<R: Send + 'static>(
    calls: &Calls,
    call: BoxFuture<'static, Result<Option<R>>>,
    ignore: &[&str],
) -> Result<Option<R>> {
    match calls.call(call).await {
        Err(error) if error.has_code(ignore) => Ok(None),
        found => found,
    }
}

/// The pages of a call, each of them waiting for its turn.
fn paced<T: Table, I: Send + 'static, L: List<I>>(
    cx: &Context<T>,
    call: L,
    ignore: &'static [&'static str],
) -> impl Stream<Item = Result<Vec<I>>> + Send + use<T, I, L> {
    let calls = cx.calls.clone();
    futures::stream::unfold((call.pages(), calls), move |(mut pages, calls)| async move {
        let (page, pages) = calls
            .call(async move {
                let page = pages.next().await;
                (page, pages)
            })
            .await;
        match page? {
            Err(error) if error.has_code(ignore) => None,
            page => Some((page, (pages, calls))),
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
    match found(&cx.calls, call.get(), ignore).await {
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
