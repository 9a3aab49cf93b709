//! The thread that has the connection: ADBC's calls block, and a connection takes one at a time. Callers wait for its
//! answers, which bounds what is in memory.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use headwater_sdk::{Error, Result};
use tokio::sync::{mpsc, oneshot};

use crate::store::{Stage, Store};

/// How many pieces of work wait for the thread. Each belongs to a caller that waits, so more would gain nothing.
const QUEUE: usize = 4;

type Work = Box<dyn FnOnce(&mut Store) + Send>;
/// What parts that were dropped had handed on; it is removed with the next piece of work.
type Discarded = Arc<Mutex<Vec<Stage>>>;

enum Order {
    Do(Work),
    Close(oneshot::Sender<Result<()>>),
}

fn stopped<E>(_: E) -> Error {
    Error::destination("the database is closed, or its writer has stopped")
}

/// The way to the thread.
#[derive(Clone)]
pub struct Orders {
    queue: mpsc::Sender<Order>,
    discarded: Discarded,
    broken: Arc<AtomicBool>,
}

impl Orders {
    /// Has the thread do something, and waits for its answer.
    pub async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Store) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        // Whoever asked may have been stopped meanwhile; then nobody waits for the answer.
        let work: Work = Box::new(move |store| drop(answer.send(work(store))));
        self.queue.send(Order::Do(work)).await.map_err(stopped)?;
        answered.await.map_err(stopped)?
    }

    /// Has what a part has handed on removed, when there is something else to do.
    pub fn discard(&self, stage: Stage) {
        self.discarded.lock().unwrap_or_else(PoisonError::into_inner).push(stage);
    }

    /// Whether the connection is of no use any more.
    pub fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }
}

/// The thread.
pub struct Worker {
    /// The way to it.
    pub orders: Orders,
    thread: JoinHandle<()>,
}

impl Worker {
    /// Starts the thread, which opens the database.
    pub async fn start(open: impl FnOnce() -> Result<Store> + Send + 'static) -> Result<Self> {
        let (queue, mut waiting) = mpsc::channel(QUEUE);
        let (opened, answer) = oneshot::channel();
        let discarded = Discarded::default();
        let broken = Arc::new(AtomicBool::new(false));
        let (forgotten, breaks) = (Arc::clone(&discarded), Arc::clone(&broken));
        let run = move || {
            let mut store = match open() {
                Ok(store) => {
                    let _ = opened.send(Ok(()));
                    store
                }
                Err(error) => return drop(opened.send(Err(error))),
            };
            while let Some(order) = waiting.blocking_recv() {
                for stage in std::mem::take(&mut *forgotten.lock().unwrap_or_else(PoisonError::into_inner)) {
                    store.forget(&stage);
                }
                match order {
                    Order::Do(work) => {
                        work(&mut store);
                        breaks.store(store.is_broken(), Ordering::Relaxed);
                    }
                    Order::Close(answer) => return drop(answer.send(store.finish())),
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("adbc".to_owned())
            .spawn(run)
            .map_err(|error| Error::destination(format!("no thread could be started for the database: {error}")))?;
        answer.await.map_err(stopped)??;
        Ok(Self { orders: Orders { queue, discarded, broken }, thread })
    }

    /// Ends the thread; the database is closed when this returns.
    pub async fn close(self) -> Result<()> {
        let (answer, answered) = oneshot::channel();
        self.orders.queue.send(Order::Close(answer)).await.map_err(stopped)?;
        let closed = answered.await.map_err(stopped)?;
        // It has answered, so it is about to end.
        let _ = self.thread.join();
        closed
    }
}
