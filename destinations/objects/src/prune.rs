//! Objects of units that are no more: what a sync has not written of a source and a table, though all of it is written.
//!
//! A name alone does not say whose an object is, nor how old: whoever has run the sync before may have written it. So each
//! candidate tells it by its own rows, and one that does not is nobody's of ours, and stays.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use headwater_sdk::arrow::datatypes::TimeUnit;
use headwater_sdk::plain::{TimeStyle, time_text};
use headwater_sdk::schema::{SOURCE_NAME, SYNC_TIME};
use headwater_sdk::text::fnv1a;
use headwater_sdk::{Class, Error, Range, Result, TableSchema, Timestamp, WriteMode};

use crate::encode::{NeedsMore, Origin, origin};
use crate::format::Encoding;
use crate::objects::Shared;
use crate::store::{Piece, Store};

/// How much of an object is read at first. Footers and first rows that are larger take another call.
const LITTLE: u64 = 64 << 10;
/// What tells more than this is not looked at.
const MOST: u64 = 64 << 20;

/// The objects that were written in this process, which need not be looked at.
#[derive(Debug, Default)]
pub struct Written(Mutex<HashSet<u64>>);

impl Written {
    fn locked(&self) -> MutexGuard<'_, HashSet<u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of one.
    pub fn add(&self, name: &str, time: Timestamp) {
        self.locked().insert(hash(name, time));
    }

    fn has(&self, name: &str, time: Timestamp) -> bool {
        self.locked().contains(&hash(name, time))
    }
}

fn hash(name: &str, time: Timestamp) -> u64 {
    fnv1a(name.bytes().chain(time.0.to_le_bytes()))
}

/// Removes the objects of a source and a table that are of earlier syncs, and answers how many rows they had, as far as
/// they tell.
pub async fn prune<S: Store>(
    shared: &Shared<S>,
    table: &TableSchema,
    source: &str,
    within: &[Range],
    time: Timestamp,
) -> Result<u64> {
    let unsupported = |why: String| Error::new(Class::Unsupported, why);
    let template = &shared.settings.template;
    template.check(WriteMode::OverwriteDeleteStale).map_err(|error| unsupported(error.message))?;
    if let [range, ..] = within {
        return Err(unsupported(format!(
            "files of units that are no more cannot be removed within a range of `{}` only: which of its values a file has \
             is not told by its name; remove them by hand, or sync the whole table",
            range.column
        )));
    }
    if let Some(name) = [SYNC_TIME, SOURCE_NAME].into_iter().find(|name| table.column(name).is_none()) {
        return Err(unsupported(format!(
            "files of units that are no more cannot be told from others without the column `{name}`"
        )));
    }
    let text = time_text(time.0, TimeUnit::Microsecond, TimeStyle::Rfc3339);
    let mut rows = 0;
    for name in shared.store.list(template, &template.prefix(&table.name, source)).await? {
        if !template.fits_of(&table.name, source, &name) || shared.written.has(&name, time) {
            continue;
        }
        let Some(found) = look(shared, table, &name).await.map_err(|error| error.while_doing(&name))? else {
            tracing::debug!(name, "it does not tell of which sync it is, and stays");
            continue;
        };
        // The texts of two points in time are of one form, and sort like the times.
        let earlier = found.time.len() == text.len() && found.time.ends_with('Z') && found.time < text;
        if found.source == source && earlier {
            shared.store.remove(&name).await.map_err(|error| error.while_doing(&name))?;
            tracing::info!(name, "removed, because its unit is no more");
            rows += found.rows;
        }
    }
    Ok(rows)
}

async fn look<S: Store>(shared: &Shared<S>, table: &TableSchema, name: &str) -> Result<Option<Origin>> {
    let encoding = &shared.settings.encoding;
    let mut bytes = LITTLE;
    loop {
        let piece = if matches!(encoding, Encoding::Parquet(_)) { Piece::Last(bytes) } else { Piece::First(bytes) };
        let read = shared.store.read(name, piece).await?;
        match origin(encoding, table, &read, (read.len() as u64) < bytes) {
            Ok(found) => return Ok(found),
            Err(NeedsMore) if bytes < MOST => bytes *= 8,
            Err(NeedsMore) => return Ok(None),
        }
    }
}
