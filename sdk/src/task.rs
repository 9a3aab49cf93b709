//! Tasks that end with whoever waits for them.

use tokio::task::JoinSet;

/// Runs a future in a task of its own, so that it moves on also while nobody polls for its result. Dropping the returned
/// future ends the task; a panic goes on in whoever waits.
pub async fn own<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> T {
    let mut task = JoinSet::new();
    task.spawn(future);
    match task.join_next().await {
        Some(Ok(value)) => value,
        Some(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // The task was cancelled, which happens only when the whole run is.
        _ => std::future::pending().await,
    }
}
