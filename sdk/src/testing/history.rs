//! Random histories: syncs of a few units, some of them partial, dropped or run again, by a destination that is closed
//! and opened between them. After each step the target is compared with a model. A history that goes wrong is made as
//! short as it can be while it still goes wrong, and told with its seed.
//!
//! The search and its shrinking are written here rather than taken from a library, because this crate is built into every
//! binary, and a feature that only tests turn on would have all connectors built twice.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use fastrand::Rng;

use super::Subject;
use super::samples::text;
use super::things::{HERE, Item, OTHER, Origin, THERE, at, batch, part, things, time_text};
use crate::destination::{Destination, MigrateMode, Outcome, Part, WriteMode};

/// How many histories are tried of each mode, and how many steps each has.
const HISTORIES: u64 = 4;
const STEPS: usize = 10;
/// How often a history that goes wrong is tried again with something left out.
const TRIES: usize = 200;
/// The seed of the first history; `HEADWATER_TEST_SEED` has others tried.
const SEED: u64 = 20_261_121;

const UNITS: [Origin; 3] = [HERE, THERE, OTHER];

/// How a part ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Complete,
    Partial,
    Dropped,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// A part of a unit, as batches of rows. With `again` it is of the same sync as the unit's part before it.
    Write { unit: usize, batches: Vec<Vec<Item>>, end: End, again: bool },
    /// The destination is closed, or the process is gone without a close; another opens it.
    Reopen { closed: bool },
}

fn random(rng: &mut Rng) -> Vec<Step> {
    let step = |rng: &mut Rng| {
        if rng.u8(..8) == 0 {
            return Step::Reopen { closed: rng.bool() };
        }
        let unit = rng.usize(..UNITS.len());
        let row = |rng: &mut Rng| Item {
            name: format!("{unit} {}", rng.u8(..6)),
            // A CSV file does not tell an empty text from a missing one, which is declared and tried elsewhere.
            text: rng.bool().then(|| text(rng)).filter(|text| !text.is_empty()),
            number: rng.bool().then(|| rng.i64(..)),
        };
        let batches = (0..rng.usize(..4)).map(|_| (0..rng.usize(..5)).map(|_| row(rng)).collect()).collect();
        let end = [End::Complete, End::Complete, End::Complete, End::Partial, End::Dropped][rng.usize(..5)];
        Step::Write { unit, batches, end, again: rng.u8(..4) == 0 }
    };
    (0..STEPS).map(|_| step(rng)).collect()
}

/// What the target holds: of each unit its rows in order with the number of their sync.
#[derive(Default)]
struct Model([Vec<(Item, i64)>; UNITS.len()]);

type Seen = (String, String, Option<String>, Item);

impl Model {
    fn write(&mut self, mode: WriteMode, unit: usize, sync: i64, rows: Vec<Item>, end: End, again: bool) {
        let held = &mut self.0[unit];
        if mode == WriteMode::Append {
            if again {
                held.retain(|(_, of)| *of != sync);
            }
            held.extend(rows.into_iter().map(|row| (row, sync)));
            return;
        }
        let last: BTreeMap<String, Item> = rows.into_iter().map(|row| (row.name.clone(), row)).collect();
        if mode == WriteMode::OverwriteDeleteStale && end == End::Complete {
            held.clear();
        } else {
            held.retain(|(row, _)| !last.contains_key(&row.name));
        }
        held.extend(last.into_values().map(|row| (row, sync)));
    }

    fn seen(&self) -> Vec<Seen> {
        let of = |(unit, rows): (usize, &Vec<(Item, i64)>)| {
            let origin = UNITS[unit];
            let row = move |(row, sync): &(Item, i64)| {
                (origin.source.to_owned(), origin.region.to_owned(), Some(time_text(at(*sync))), row.clone())
            };
            rows.iter().map(row).collect::<Vec<_>>()
        };
        let mut seen: Vec<Seen> = self.0.iter().enumerate().flat_map(of).collect();
        seen.sort();
        seen
    }
}

/// Runs a history on a table of its own; an error says at which step the target is not as it must be.
async fn run(subject: &dyn Subject, name: &str, mode: WriteMode, steps: &[Step]) -> Result<(), String> {
    let table = things(name);
    let written = Arc::new(if mode == WriteMode::Append { table.without_key() } else { table.clone() });
    let open = || async {
        let destination = subject.open();
        let ready = destination.migrate(&[Arc::clone(&written)], MigrateMode::Safe).await;
        ready.map(|()| destination).map_err(|error| format!("migrate: {error}"))
    };
    let mut destination = open().await?;
    let (mut model, mut sync, mut last) = (Model::default(), 0, [None; UNITS.len()]);
    for (number, step) in steps.iter().enumerate() {
        let failed = |what: &str| format!("step {number}, {step:?}: {what}");
        match step {
            Step::Reopen { closed } => {
                if *closed {
                    destination.close().await.map_err(|error| failed(&format!("close: {error}")))?;
                }
                drop(destination);
                destination = open().await?;
            }
            Step::Write { unit, batches, end, again } => {
                // In `overwrite`, rows of an attempt that the next one does not have are not known to be gone.
                let again = last[*unit].filter(|_| *again && mode != WriteMode::Overwrite);
                sync += i64::from(again.is_none());
                let of = again.unwrap_or(sync);
                let part = Part { resumed: again.is_some(), ..part(&table, UNITS[*unit], at(of), mode) };
                let kept = write(&*destination, part, UNITS[*unit], batches, *end).await;
                let kept = kept.map_err(|error| failed(&error.to_string()))?;
                if *end != End::Dropped && !kept {
                    model.write(mode, *unit, of, batches.concat(), *end, again.is_some());
                    last[*unit] = Some(of);
                }
            }
        }
        let (seen, expected) = (super::cases::seen(subject, &table).await, model.seen());
        if seen != expected {
            return Err(failed(&differences(&seen, &expected)));
        }
    }
    destination.close().await.map_err(|error| format!("close: {error}"))?;
    match super::cases::seen(subject, &table).await == model.seen() {
        true => Ok(()),
        false => Err("after the close there is something else than before".to_owned()),
    }
}

/// Answers whether the rows of an earlier sync were kept instead.
async fn write(
    destination: &dyn Destination,
    part: Part,
    from: Origin,
    batches: &[Vec<Item>],
    end: End,
) -> crate::Result<bool> {
    let (table, time) = (Arc::clone(&part.table), part.sync_time);
    let mut writer = destination.begin(part).await?;
    for rows in batches {
        writer.write(batch(&table, from, time, rows)).await?;
    }
    let outcome = match end {
        End::Complete => Outcome::Complete,
        End::Partial => Outcome::Partial,
        End::Dropped => return Ok(false),
    };
    Ok(writer.commit(outcome).await?.kept_earlier)
}

fn differences(seen: &[Seen], expected: &[Seen]) -> String {
    let mut text = String::new();
    for row in expected.iter().filter(|row| !seen.contains(row)).take(3) {
        let _ = write!(text, "\n  missing: {row:?}");
    }
    for row in seen.iter().filter(|row| !expected.contains(row)).take(3) {
        let _ = write!(text, "\n  should not be there: {row:?}");
    }
    if text.is_empty() {
        text = format!("{} rows, not {}: some are doubled", seen.len(), expected.len());
    }
    text
}

/// Shorter histories that may go wrong in the same way.
fn smaller(steps: &[Step]) -> Vec<Vec<Step>> {
    let mut all = Vec::new();
    let halves = [&steps[..steps.len() / 2], &steps[steps.len() / 2..]];
    all.extend(halves.into_iter().filter(|half| half.len() < steps.len()).map(<[Step]>::to_vec));
    for index in 0..steps.len() {
        let with = |step: Option<Step>| {
            let mut other = steps.to_vec();
            other.splice(index..=index, step);
            other
        };
        all.push(with(None));
        let Step::Write { unit, batches, end, again } = &steps[index] else { continue };
        let changed = |batches, again| Some(Step::Write { unit: *unit, batches, end: *end, again });
        if *again {
            all.push(with(changed(batches.clone(), false)));
        }
        for number in 0..batches.len() {
            let mut fewer = batches.clone();
            fewer.remove(number);
            all.push(with(changed(fewer, *again)));
            for row in 0..batches[number].len() {
                let mut fewer = batches.clone();
                fewer[number].remove(row);
                all.push(with(changed(fewer, *again)));
            }
        }
    }
    all
}

/// Tries random histories in every mode that the destination has.
pub async fn random_histories(subject: &dyn Subject) {
    let seed = std::env::var("HEADWATER_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(SEED);
    for mode in super::cases::modes(&*subject.open()) {
        for number in 0..HISTORIES {
            let seed = seed.wrapping_add(number);
            let steps = random(&mut Rng::with_seed(seed));
            let name = format!("history_{}_{number}", mode.as_str().replace('-', "_"));
            if let Err(problem) = run(subject, &name, mode, &steps).await {
                let (steps, problem) = shrink(subject, &name, mode, steps, problem).await;
                panic!("{mode:?}, seed {seed}: {problem}\nthe history: {steps:#?}");
            }
        }
    }
}

async fn shrink(
    subject: &dyn Subject,
    name: &str,
    mode: WriteMode,
    mut steps: Vec<Step>,
    mut problem: String,
) -> (Vec<Step>, String) {
    let mut tries = 0;
    'smaller: loop {
        for candidate in smaller(&steps) {
            tries += 1;
            if tries > TRIES {
                return (steps, problem);
            }
            if let Err(other) = run(subject, &format!("{name}_{tries}"), mode, &candidate).await {
                (steps, problem) = (candidate, other);
                continue 'smaller;
            }
        }
        return (steps, problem);
    }
}
