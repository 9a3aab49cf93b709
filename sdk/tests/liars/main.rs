//! The acceptance suite itself: a destination in memory that does all that it says passes every case, and each that says
//! something else than it does is found out.
#![allow(clippy::unwrap_used)]

mod memory;
mod unit;
mod writer;

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;

use futures::FutureExt;
use headwater_sdk::futures;
use headwater_sdk::testing::{Subject, cases, fidelity};
use memory::Liar;

/// Makes the list of all that are told.
macro_rules! lies {
    ($($(#[$doc:meta])* $lie:ident,)*) => {
        /// What a destination says without doing it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        enum Lie {
            None,
            $($(#[$doc])* $lie,)*
        }

        const LIES: &[Lie] = &[$(Lie::$lie),*];
    };
}

lies! {
    /// A commit is acknowledged, and done when the destination is closed.
    CommitsAtTheClose,
    /// What was committed is seen, and gone if the process ends without a close.
    ForgetsWithoutAClose,
    /// A commit is acknowledged, and done by the next one.
    CommitsWithTheNext,
    /// A commit is acknowledged, and done soon afterwards, unless the process has ended. Whoever looks takes longer.
    CommitsALittleLater,
    /// The close forgets the last commit.
    ForgetsAtTheClose,
    VisibleBeforeTheCommit,
    /// One of the rows comes a moment after the others.
    CommitsInTwoSteps,
    /// What is replaced goes a moment before the new rows come.
    RemovesBeforeItAdds,
    KeepsWhatWasDropped,
    LosesTheLastBatch,
    LosesLargeParts,
    /// The first piece of a part that is handed on in several is forgotten.
    LosesWhatHasWaited,
    /// Of rows with one key, only those that are handed on in one piece are told.
    DoublesWhatHasWaited,
    CountsEveryRow,
    CountsWhatIsReplaced,
    TheFirstOfEqualKeysStays,
    KeyIsTheFirstColumn,
    KeyIsTheLastColumn,
    /// A table without a key of its own has its rows told by all their values.
    ReplacesWhatHasNoKey,
    KeepsStaleRows,
    RemovesOtherUnits,
    RemovesOtherSources,
    RemovesOnPartial,
    DoublesWhatIsResumed,
    RoundsNumbers,
    TrimsText,
    CutsLargeCells,
    CutsColumns,
    /// Large numbers become negative ones, and times lose their last digits.
    Narrows,
    ForgetsWhereTablesAreMadeReadyAgain,
    ChangesTypesUnasked,
    LosesWhatIsWidened,
    PlansNothing,
    PlanningMakesTables,
    DeletesByTheFirstColumn,
    /// All rows of a source are a unit's, whatever its ranges are.
    IgnoresRanges,
    /// The end of a range is in it.
    RangesHaveTheirEnd,
    /// A row without a value is in no range.
    RangesLackNulls,
    /// A range that does not fit is one without rows.
    TakesAnyRange,
    /// Of rows that are equal in a table without a key, one is kept.
    JoinsEqualRows,
    PrunesNothing,
    PrunesOtherSources,
    PrunesWhatIsNew,
    PrunesBeyondRanges,
}

type Case = (&'static str, for<'a> fn(&'a dyn Subject) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>);

macro_rules! list {
    ($($case:ident,)*) => {
        vec![$({
            fn case(subject: &dyn Subject) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
                Box::pin(cases::$case(subject))
            }
            (stringify!($case), case as _)
        }),*]
    };
}

fn all_cases() -> Vec<Case> {
    fn types(subject: &dyn Subject) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async { drop(fidelity::fidelity_of(subject).await) })
    }
    let mut all: Vec<Case> = headwater_sdk::acceptance_cases! { list! {} };
    all.push(("every_type", types));
    all
}

/// The first case that a destination fails.
async fn failed(lie: Lie) -> Option<&'static str> {
    for (name, case) in all_cases() {
        let subject = Liar::new(lie);
        if AssertUnwindSafe(case(&subject)).catch_unwind().await.is_err() {
            return Some(name);
        }
    }
    None
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_does_what_it_says_passes() {
    assert!(all_cases().len() > 20);
    assert_eq!(failed(Lie::None).await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_lie_is_found_out() {
    // What the cases say of the liars is not of interest.
    std::panic::set_hook(Box::new(|_| {}));
    let mut believed = Vec::new();
    for lie in LIES.iter().copied() {
        if failed(lie).await.is_none() {
            believed.push(lie);
        }
    }
    let _ = std::panic::take_hook();
    assert_eq!(believed, []);
}

/// A history that goes wrong is told as short as it can be.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_history_is_made_short() {
    let liar = Liar::new(Lie::RoundsNumbers);
    let told = AssertUnwindSafe(cases::random_histories(&liar)).catch_unwind().await.unwrap_err();
    let told = told.downcast::<String>().unwrap();
    assert!(told.contains("seed") && told.contains("should not be there"), "{told}");
    let (steps, rows) = (told.matches("Write {").count(), told.matches("Item {").count());
    // The step is told once as the one at which it went wrong; the row also as the one expected and the one seen.
    assert!(steps <= 2 && rows <= 4, "{told}");
}
