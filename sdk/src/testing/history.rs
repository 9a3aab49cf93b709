//! Random histories: syncs of a few units, some of them partial, dropped or run again, by a destination that is closed
//! and opened between them; of tables of every shape, and of parts so large that they are handed on before their commit.
//! After each step the target is compared with a model. A history that goes wrong is made as short and plain as it can
//! be while it still goes wrong, and told with its seed.
//!
//! The search and its shrinking are written here rather than taken from a library, because this crate is built into every
//! binary, and a feature that only tests turn on would have all connectors built twice.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use fastrand::Rng;

use super::Subject;
use super::cases::Memory;
use super::samples::text;
use super::things::{Item, Origin, Shape, at, batch, part, time_text};
use crate::destination::{Destination, MigrateMode, Outcome, Part, WriteMode};

/// How many steps a history has, and one of large parts.
const STEPS: usize = 10;
const LARGE_STEPS: usize = 6;
/// How often a history that goes wrong is tried again with something left out.
const TRIES: usize = 200;
/// The seed of the first history; `HEADWATER_TEST_SEED` has others tried.
const SEED: u64 = 20_261_121;

/// How many units there are.
const UNITS: usize = 3;
/// How many rows more a large part has at most, and how many of them come in a batch.
const MORE: usize = 600;
const BATCH: usize = 60;

#[derive(Debug, Clone, PartialEq, Eq)]
struct History {
    shape: Shape,
    memory: Memory,
    steps: Vec<Step>,
}

/// How a part ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Complete,
    Partial,
    Dropped,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// A part of a unit, as batches of rows, and so many large rows more. With `again` it is of the same sync as the
    /// unit's part before it.
    Write { unit: usize, batches: Vec<Vec<Item>>, more: usize, end: End, again: bool },
    /// The destination is closed, or the process is gone without a close; another opens it.
    Reopen { closed: bool },
}

fn random(rng: &mut Rng, shape: Shape, memory: Memory) -> History {
    let large = memory == Memory::Little;
    let step = |rng: &mut Rng| {
        if rng.u8(..8) == 0 {
            return Step::Reopen { closed: rng.bool() };
        }
        let unit = rng.usize(..UNITS);
        let row = |rng: &mut Rng| Item {
            // Where the last letter is a column, there are three of each of the others.
            name: format!("{unit} {}{}", ["a", "b"][rng.usize(..2)], rng.u8(..3)),
            // A CSV file does not tell an empty text from a missing one, which is declared and tried elsewhere.
            text: rng.bool().then(|| text(rng)).filter(|text| !text.is_empty()),
            number: rng.bool().then(|| rng.i64(..)),
        };
        let batches = (0..rng.usize(..4)).map(|_| (0..rng.usize(..5)).map(|_| row(rng)).collect()).collect();
        let end = [End::Complete, End::Complete, End::Complete, End::Partial, End::Dropped][rng.usize(..5)];
        let more = if large && rng.u8(..3) > 0 { rng.usize(MORE / 2..MORE) } else { 0 };
        Step::Write { unit, batches, more, end, again: rng.u8(..4) == 0 }
    };
    let steps = (0..if large { LARGE_STEPS } else { STEPS }).map(|_| step(rng)).collect();
    History { shape, memory, steps }
}

/// The large rows of a step, as batches. Behind three quarters of them the keys begin anew.
fn more_rows(unit: usize, number: usize, more: usize) -> Vec<Vec<Item>> {
    let keys = (more * 3 / 4).max(1);
    let row = |index: usize| Item {
        name: format!("{unit} more {:03}", index % keys),
        text: Some(format!("{number} {index} ").repeat(80)),
        number: Some((number * MORE + index) as i64),
    };
    let rows: Vec<Item> = (0..more).map(row).collect();
    rows.chunks(BATCH).map(<[Item]>::to_vec).collect()
}

/// What the target holds: of each unit its rows in order with the number of their sync.
struct Model {
    mode: WriteMode,
    /// Whether a row that comes again replaces the one that is there.
    replaces: bool,
    units: [Vec<(Item, i64)>; UNITS],
}

type Seen = (String, String, Option<String>, Item);

impl Model {
    fn write(&mut self, unit: usize, sync: i64, rows: Vec<Item>, end: End, again: bool) {
        let held = &mut self.units[unit];
        let all = self.mode == WriteMode::OverwriteDeleteStale && end == End::Complete;
        if !self.replaces {
            if again {
                held.retain(|(_, of)| *of != sync);
            }
            if all {
                held.clear();
            }
            held.extend(rows.into_iter().map(|row| (row, sync)));
            return;
        }
        let last: BTreeMap<String, Item> = rows.into_iter().map(|row| (row.name.clone(), row)).collect();
        if all {
            held.clear();
        } else {
            held.retain(|(row, _)| !last.contains_key(&row.name));
        }
        held.extend(last.into_values().map(|row| (row, sync)));
    }

    fn seen(&self, units: [Origin; UNITS]) -> Vec<Seen> {
        let of = |(unit, rows): (usize, &Vec<(Item, i64)>)| {
            let origin = units[unit];
            let row = move |(row, sync): &(Item, i64)| {
                (origin.source.to_owned(), origin.region.to_owned(), Some(time_text(at(*sync))), row.clone())
            };
            rows.iter().map(row).collect::<Vec<_>>()
        };
        let mut seen: Vec<Seen> = self.units.iter().enumerate().flat_map(of).collect();
        seen.sort();
        seen
    }
}

/// Runs a history on a table of its own; an error says at which step the target is not as it must be.
async fn run(subject: &dyn Subject, name: &str, mode: WriteMode, history: &History) -> Result<(), String> {
    let (shape, units) = (history.shape, history.shape.units());
    let table = shape.table(name);
    let written = Arc::new(if mode == WriteMode::Append { table.without_key() } else { table.clone() });
    let replaces = mode != WriteMode::Append && !shape.adds();
    let open = || async {
        let destination = subject.open();
        history.memory.give(&*destination);
        let ready = destination.migrate(&[Arc::clone(&written)], MigrateMode::Safe).await;
        ready.map(|()| destination).map_err(|error| format!("migrate: {error}"))
    };
    let mut destination = open().await?;
    let mut model = Model { mode, replaces, units: Default::default() };
    let (mut sync, mut last) = (0, [None; UNITS]);
    for (number, step) in history.steps.iter().enumerate() {
        let failed = |what: &str| format!("step {number}, {step:?}: {what}");
        match step {
            Step::Reopen { closed } => {
                if *closed {
                    destination.close().await.map_err(|error| failed(&format!("close: {error}")))?;
                }
                drop(destination);
                destination = open().await?;
            }
            Step::Write { unit, batches, more, end, again } => {
                // In `overwrite`, rows of an attempt that the next one does not have are not known to be gone.
                let again = last[*unit].filter(|_| *again && (mode != WriteMode::Overwrite || !replaces));
                sync += i64::from(again.is_none());
                let of = again.unwrap_or(sync);
                let part = Part { resumed: again.is_some(), ..part(&table, units[*unit], at(of), mode) };
                let batches = [&batches[..], &more_rows(*unit, number, *more)].concat();
                let rows = batches.concat();
                // Whether an attempt that failed without a row takes back those of the one before is the target's.
                let end = if again.is_some() && rows.is_empty() && *end == End::Partial { End::Dropped } else { *end };
                let kept = write(&*destination, part, units[*unit], &batches, end).await;
                let kept = kept.map_err(|error| failed(&error.to_string()))?;
                if end != End::Dropped && !kept {
                    model.write(*unit, of, rows, end, again.is_some());
                    last[*unit] = Some(of);
                }
            }
        }
        let (seen, expected) = (super::cases::seen(subject, &table).await, model.seen(units));
        if seen != expected {
            return Err(failed(&differences(&seen, &expected)));
        }
    }
    destination.close().await.map_err(|error| format!("close: {error}"))?;
    match super::cases::seen(subject, &table).await == model.seen(units) {
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
    const LONGEST: usize = 400;
    let mut text = String::new();
    let mut tell = |what: &str, row: &Seen| {
        let row = format!("{row:?}");
        let _ = write!(text, "\n  {what}: {}", row.chars().take(LONGEST).collect::<String>());
    };
    let among = |rows: &[Seen]| rows.iter().cloned().collect::<BTreeSet<Seen>>();
    let (are, should) = (among(seen), among(expected));
    should.difference(&are).take(3).for_each(|row| tell("missing", row));
    are.difference(&should).take(3).for_each(|row| tell("should not be there", row));
    if text.is_empty() {
        text = format!("{} rows, not {}: some are doubled", seen.len(), expected.len());
    }
    text
}

/// Shorter and plainer histories that may go wrong in the same way.
fn smaller(history: &History) -> Vec<History> {
    let History { shape, memory, steps } = history;
    let mut all: Vec<History> =
        smaller_steps(steps).into_iter().map(|steps| History { shape: *shape, memory: *memory, steps }).collect();
    let plainer = History { shape: Shape::Named, ..history.clone() };
    let with_memory = History { memory: Memory::Ample, ..history.clone() };
    all.extend([plainer, with_memory].into_iter().filter(|other| other != history));
    all
}

fn smaller_steps(steps: &[Step]) -> Vec<Vec<Step>> {
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
        let Step::Write { unit, batches, more, end, again } = &steps[index] else { continue };
        let changed = |batches: Vec<_>, more, again| Some(Step::Write { unit: *unit, batches, more, end: *end, again });
        if *again {
            all.push(with(changed(batches.clone(), *more, false)));
        }
        if *more > 0 {
            all.extend([0, *more / 2, *more - 1].map(|more| with(changed(batches.clone(), more, *again))));
        }
        for number in 0..batches.len() {
            let mut fewer = batches.clone();
            fewer.remove(number);
            all.push(with(changed(fewer, *more, *again)));
            for row in 0..batches[number].len() {
                let mut fewer = batches.clone();
                fewer[number].remove(row);
                all.push(with(changed(fewer, *more, *again)));
            }
        }
    }
    all
}

/// Tries random histories in every mode that the destination has, of tables of every shape.
pub async fn random_histories(subject: &dyn Subject) {
    histories(subject, Memory::Ample, &Shape::ALL).await;
}

/// Tries random histories of parts that are handed on before their commit.
pub async fn random_histories_of_large_parts(subject: &dyn Subject) {
    histories(subject, Memory::Little, &[Shape::Named, Shape::TwoColumns, Shape::Unkeyed]).await;
}

async fn histories(subject: &dyn Subject, memory: Memory, shapes: &[Shape]) {
    let seed = std::env::var("HEADWATER_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(SEED);
    for mode in super::cases::modes(&*subject.open()) {
        let shapes = Shape::of_mode(mode).iter().filter(|shape| shapes.contains(shape));
        for (number, shape) in shapes.enumerate() {
            let seed = seed.wrapping_add(number as u64);
            let history = random(&mut Rng::with_seed(seed), *shape, memory);
            let name = format!("history_{}_{number}", mode.as_str().replace('-', "_"));
            if let Err(problem) = run(subject, &name, mode, &history).await {
                let (history, problem) = shrink(subject, &name, mode, history, problem).await;
                panic!("{mode:?}, seed {seed}: {problem}\nthe history: {history:#?}");
            }
        }
    }
}

async fn shrink(
    subject: &dyn Subject,
    name: &str,
    mode: WriteMode,
    mut history: History,
    mut problem: String,
) -> (History, String) {
    let mut tries = 0;
    'smaller: loop {
        for candidate in smaller(&history) {
            tries += 1;
            if tries > TRIES {
                return (history, problem);
            }
            if let Err(other) = run(subject, &format!("{name}_{tries}"), mode, &candidate).await {
                (history, problem) = (candidate, other);
                continue 'smaller;
            }
        }
        return (history, problem);
    }
}
