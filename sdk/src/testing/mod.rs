//! The acceptance suite: what every destination must do, tried on the real thing.
//!
//! A destination's tests say how it is opened and how what it holds is read by other means ([`Subject`]); then
//! [`acceptance!`](crate::acceptance) makes a test of each case. What a mode or a kind of target cannot have is asked
//! of the destination itself, and left out.

pub mod cases;
pub mod fidelity;
mod history;
pub mod samples;
pub mod things;

use async_trait::async_trait;

use crate::destination::Destination;
use crate::schema::TableSchema;

pub use things::{HERE, Item, OTHER, Origin, Shape, THERE, at, batch, part, thing, things};

/// A destination under test, on a place of its own that is empty at first.
#[async_trait]
pub trait Subject: Send + Sync {
    /// What it is called in the documentation, and how the file of its results begins.
    fn name(&self) -> &'static str;

    /// Opens the destination, as a new process would.
    fn open(&self) -> Box<dyn Destination>;

    /// All rows of a table that anyone can see, in any order, read by other means than the destination's. Each value is
    /// the text that [`crate::plain::text`] has for it. A table that is not there has no rows.
    async fn rows(&self, table: &TableSchema) -> Vec<Vec<Option<String>>>;

    /// Whether the target keeps a table's columns, so that a change of them is a migration.
    fn keeps_schemas(&self) -> bool {
        true
    }

    /// Whether [`Subject::rows`] may be called while a part is committed.
    fn reads_meanwhile(&self) -> bool {
        true
    }

    /// Whether stale rows go in the very moment in which the new ones come, as they should. Where they do not, they may be
    /// seen beside the new ones while a part is committed.
    fn stale_rows_go_at_once(&self) -> bool {
        true
    }
}

/// Hands the names of all cases of the suite to another macro, behind what is given.
#[doc(hidden)]
#[macro_export]
macro_rules! acceptance_cases {
    ($($then:ident)::+ ! { $($start:tt)* }) => {
        $($then)::+! { $($start)*
            a_part_is_seen_when_it_is_committed,
            a_commit_is_seen_as_a_whole,
            rows_with_a_key_are_replaced,
            the_last_of_equal_keys_stays,
            added_rows_are_added,
            stale_rows_go_with_their_unit,
            a_unit_without_rows_is_all_stale,
            a_partial_unit_removes_nothing,
            a_unit_written_half_is_written_again,
            what_is_committed_needs_no_close,
            what_was_committed_is_there_after_the_close,
            tables_are_written_at_once,
            names_that_need_quotes,
            many_columns,
            large_cells,
            a_table_is_made_ready_twice,
            rows_without_a_key_are_replaced_with_their_unit,
            ranges_tell_units_from_each_other,
            a_row_moves_to_another_range,
            a_range_is_written_again,
            a_range_that_does_not_fit_is_refused,
            what_is_refused_is_put_aside,
            single_rows_are_deleted,
            rows_are_removed_in_order,
            rows_are_removed_in_order_in_a_large_part,
            units_that_are_no_more_are_pruned,
            ranges_are_pruned,
            the_state_of_a_sync_is_kept,
            how_far_units_were_read_is_kept,
            a_column_is_added,
            a_column_is_removed,
            a_column_is_widened,
            a_plan_is_what_a_migration_does,
            a_changed_column_is_refused_or_forced,
            random_histories,
            a_large_part_is_seen_when_it_is_committed,
            a_large_commit_is_seen_as_a_whole,
            the_last_of_equal_keys_stays_in_a_large_part,
            a_large_unit_written_half_is_written_again,
            random_histories_of_large_parts,
        }
    };
}

/// Makes a test of every case of the suite. The expression makes a [`Subject`](crate::testing::Subject) on an empty
/// place; the tests run on tokio.
#[macro_export]
macro_rules! acceptance {
    (@cases $subject:expr; $($case:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                $crate::testing::cases::$case(&$subject).await;
            }
        )*

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn every_type() {
            $crate::testing::fidelity::every_type(&$subject, env!("CARGO_MANIFEST_DIR")).await;
        }
    };
    ($subject:expr) => {
        $crate::acceptance_cases! { headwater_sdk::acceptance! { @cases $subject; } }
    };
}
