//! A panic in one unit or one destination is that one's failure and nobody else's.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Once;
use std::task::{Context, Poll};

use headwater_sdk::{Class, Error};

thread_local! {
    /// Whether this thread polls a future whose panics are caught.
    static CATCHING: Cell<bool> = const { Cell::new(false) };
    /// Where the last panic on this thread came from.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Keeps panics that are caught from being printed in the middle of the progress; all others are printed as ever.
pub fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if CATCHING.get() {
                PLACE.set(info.location().map(|place| format!("{}:{}", place.file(), place.line())));
            } else {
                print(info);
            }
        }));
    });
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

/// The code of an error that was a panic.
pub const PANICKED: &str = "Panicked";

fn describe(class: Class, panic: &(dyn Any + Send)) -> Error {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
    let place = PLACE.take().map(|place| format!(" at {place}")).unwrap_or_default();
    Error::new(class, format!("Panicked{place}: {text}")).with_code(PANICKED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_error_with_its_place() {
        let error = caught(Class::Fatal, async { panic!("out of {}", "luck") }).await.expect_err("it panicked");
        assert!(error.message.contains("out of luck"), "{error}");
        assert!(error.message.contains("panics.rs:"), "{error}");
        assert!(error.has_code(&[PANICKED]));
        assert_eq!(caught(Class::Fatal, async { 1 }).await.expect("no panic"), 1);
    }
}
