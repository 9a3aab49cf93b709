//! A panic in one unit or one destination is that one's failure and nobody else's.

use std::any::Any;
use std::cell::Cell;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Mutex, Once, PoisonError};
use std::task::{Context, Poll};

use headwater_sdk::unit::PANIC;
use headwater_sdk::{Class, Error};

use crate::progress::log;

thread_local! {
    /// Whether this thread polls a future whose panics are caught.
    static CATCHING: Cell<bool> = const { Cell::new(false) };
}

/// The latest panics: what they said and where they came from. One that comes from a task within a unit reaches the
/// unit without its place.
static LATEST: Mutex<VecDeque<(String, String)>> = Mutex::new(VecDeque::new());

/// How many of them are remembered.
const REMEMBERED: usize = 64;

/// Keeps panics that are caught from being printed in the middle of the progress; all others are printed as ever,
/// above the live table where there is one.
pub fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if let Some(place) = info.location() {
                let mut latest = LATEST.lock().unwrap_or_else(PoisonError::into_inner);
                if latest.len() == REMEMBERED {
                    latest.pop_front();
                }
                latest.push_back((text(info.payload()).to_owned(), format!("{}:{}", place.file(), place.line())));
            }
            if !CATCHING.get() {
                log::suspend(|| print(info));
            }
        }));
    });
}

fn text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

/// A future whose panic is an error.
pub struct Caught<F> {
    future: Pin<Box<F>>,
    class: Class,
}

/// Makes a panic of `future` an error of a class.
pub fn caught<F: Future>(class: Class, future: F) -> Caught<F> {
    install_hook();
    Caught { future: Box::pin(future), class }
}

impl<F: Future> Future for Caught<F> {
    type Output = Result<F::Output, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let outer = CATCHING.replace(true);
        let future = &mut self.future;
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx)));
        CATCHING.set(outer);
        match polled {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Err(panic) => Poll::Ready(Err(describe(self.class, &*panic))),
        }
    }
}

/// Does something that blocks, and makes a panic of it an error of a class.
pub fn caught_here<T>(class: Class, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    install_hook();
    let outer = CATCHING.replace(true);
    let done = catch_unwind(AssertUnwindSafe(work));
    CATCHING.set(outer);
    done.unwrap_or_else(|panic| Err(describe(class, &*panic)))
}

fn describe(class: Class, panic: &(dyn Any + Send)) -> Error {
    let text = text(panic);
    let place = {
        let latest = LATEST.lock().unwrap_or_else(PoisonError::into_inner);
        latest.iter().rev().find(|(said, _)| said == text).map(|(_, place)| format!(" at {place}"))
    };
    Error::new(class, format!("Panic{}: {text}", place.unwrap_or_default())).with_code(PANIC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_error_with_its_place() {
        let error = caught(Class::Fatal, async { panic!("out of {}", "luck") }).await.expect_err("it panicked");
        assert!(error.message.contains("out of luck"), "{error}");
        assert!(error.message.contains("panics.rs:"), "{error}");
        assert!(error.has_code(&[PANIC]));
        assert_eq!(caught(Class::Fatal, async { 1 }).await.expect("no panic"), 1);
    }
}
