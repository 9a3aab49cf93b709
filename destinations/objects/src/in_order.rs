//! Work on several threads whose results are taken in their order.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use headwater_sdk::{Error, Result};

/// Has things made, by this thread and so many others, and takes them in their order. Few are made ahead of the one that is
/// taken next, because they take room.
pub fn in_order<T: Send>(
    count: usize,
    others: usize,
    make: &(dyn Fn(usize) -> Result<T> + Sync),
    take: &mut dyn FnMut(T) -> Result<()>,
) -> Result<()> {
    if others == 0 {
        return (0..count).try_for_each(|index| take(make(index)?));
    }
    struct Made<T> {
        ready: BTreeMap<usize, Result<T>>,
        next: usize,
        taken: usize,
        ended: bool,
    }
    let made = Mutex::new(Made { ready: BTreeMap::new(), next: 0, taken: 0, ended: false });
    let changed = Condvar::new();
    let lock = || made.lock().unwrap_or_else(PoisonError::into_inner);
    let ahead = 2 * (others + 1);
    let make_next = |mut state: MutexGuard<'_, Made<T>>| {
        let index = state.next;
        state.next += 1;
        drop(state);
        // Whoever waits for it would wait for ever.
        let thing = catch_unwind(AssertUnwindSafe(|| make(index)));
        let thing = thing.unwrap_or_else(|_| Err(Error::fatal("a thread has panicked")));
        lock().ready.insert(index, thing);
        changed.notify_all();
    };
    std::thread::scope(|scope| {
        for _ in 0..others {
            scope.spawn(|| {
                loop {
                    let mut state = lock();
                    while !state.ended && state.next < count && state.next >= state.taken + ahead {
                        state = changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                    }
                    if state.ended || state.next >= count {
                        return;
                    }
                    make_next(state);
                }
            });
        }
        let mut take_all = || {
            for index in 0..count {
                let thing = loop {
                    let mut state = lock();
                    if let Some(thing) = state.ready.remove(&index) {
                        break thing;
                    }
                    // While the others are at it, this thread is one of them.
                    if state.next < count && state.next < state.taken + ahead {
                        make_next(state);
                    } else {
                        state = changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                        drop(state);
                    }
                };
                take(thing?)?;
                lock().taken = index + 1;
                changed.notify_all();
            }
            Ok(())
        };
        let taken = take_all();
        lock().ended = true;
        changed.notify_all();
        taken
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn all_are_taken_in_their_order_and_few_are_made_ahead() {
        for others in 0..4 {
            let (making, mut taken) = (AtomicUsize::new(0), Vec::new());
            let make = |index: usize| {
                making.fetch_add(1, Ordering::SeqCst);
                if index.is_multiple_of(7) {
                    std::thread::yield_now();
                }
                Ok(index)
            };
            let done = in_order(200, others, &make, &mut |index| {
                assert!(making.load(Ordering::SeqCst) <= taken.len() + 3 * (others + 1) + 1);
                taken.push(index);
                Ok(())
            });
            assert!(done.is_ok() && taken.iter().copied().eq(0..200), "{others}: {taken:?}");
        }
    }

    #[test]
    fn a_failure_and_a_panic_end_it() {
        for others in [1, 3] {
            let taken = in_order(
                50,
                others,
                &|index| if index == 20 { Err(Error::fatal("no")) } else { Ok(index) },
                &mut |_| Ok(()),
            );
            assert!(taken.is_err_and(|error| error.to_string() == "no"));
            let refused =
                in_order(50, others, &Ok, &mut |index| if index == 7 { Err(Error::fatal("full")) } else { Ok(()) });
            assert!(refused.is_err_and(|error| error.to_string() == "full"));
            let panicked =
                in_order(50, others, &|index| if index == 20 { panic!("no") } else { Ok(index) }, &mut |_| Ok(()));
            assert!(panicked.is_err_and(|error| error.to_string().contains("panicked")));
        }
    }
}
