//! What a destination keeps of the state of syncs.

use std::collections::HashMap;

use super::super::things::at;
use super::good;
use crate::destination::Destination;
use crate::error::{Class, Result};
use crate::state::{SavedRun, UnitHash};
use crate::testing::Subject;

/// Where the target can keep the state of syncs, what is noted is there for the next process, and never for two at once.
pub async fn the_state_of_a_sync_is_kept(subject: &dyn Subject) {
    let (first, second) = (subject.open(), subject.open());
    let state = |destination: Box<dyn Destination>, key: &'static str| async move {
        good(destination.state(key).await, "state").map(|state| (state, destination))
    };
    let Some((old, first)) = state(first, "a").await else { return };
    let hashes = |numbers: std::ops::Range<u32>| -> Vec<UnitHash> {
        let mut hashes: Vec<UnitHash> = numbers.map(|number| UnitHash::of(&number.to_string())).collect();
        hashes.sort_by_key(|unit| unit.0);
        hashes
    };
    let units = |saved: Result<Option<SavedRun>>| {
        let saved = good(saved, "load").map(|mut saved| {
            saved.units.sort_by_key(|unit| unit.0);
            saved.units.dedup();
            saved.units
        });
        saved.unwrap_or_else(|| panic!("no run is kept"))
    };
    assert_eq!(good(old.load().await, "load"), None);
    good(old.start(at(0), "f").await, "start");
    good(old.add(&hashes(0..1000)).await, "add");
    good(old.add(&hashes(1000..1500)).await, "add");
    // Nothing is closed or finished: the process is gone.
    drop((old, first));
    let Some((new, second)) = state(second, "a").await else { return };
    let saved = good(new.load().await, "load");
    assert_eq!(saved.as_ref().map(|saved| (saved.sync_time, saved.fingerprint.as_str())), Some((at(0), "f")));
    assert_eq!(units(new.load().await), hashes(0..1500));
    good(new.resume(at(0)).await, "resume");
    good(new.add(&hashes(1500..1501)).await, "add");
    let Some((other, _second)) = state(second, "b").await else { return };
    assert_eq!(good(other.load().await, "load"), None, "another key");
    good(other.start(at(1), "g").await, "start");
    good(other.add(&hashes(7..8)).await, "add");
    assert_eq!(units(new.load().await), hashes(0..1501));

    // Another process either cannot begin while this one runs, or takes the run over, and this one can add no more.
    let Some((rival, _third)) = state(subject.open(), "a").await else { return };
    match rival.start(at(2), "f").await {
        Ok(()) => {
            assert!(new.add(&hashes(1..2)).await.is_err() && new.clear().await.is_err());
            assert_eq!(units(rival.load().await), []);
            assert!(new.resume(at(0)).await.is_err(), "it is not the run that was loaded");
            good(rival.clear().await, "clear");
        }
        Err(_) => {
            good(new.add(&hashes(1..2)).await, "add");
            good(new.clear().await, "clear");
        }
    }
    drop(new);
    assert_eq!(good(rival.load().await, "load"), None);
    assert_eq!(units(other.load().await), hashes(7..8), "of another key");
}

/// Where the target can keep how far units were read, that outlives the run, and only whoever has the run adds to it.
pub async fn how_far_units_were_read_is_kept(subject: &dyn Subject) {
    let destination = subject.open();
    let Some(state) = good(destination.state("far").await, "state") else { return };
    assert_eq!(good(state.checkpoints().await, "checkpoints"), HashMap::new());
    good(state.start(at(0), "f").await, "start");
    match state.reached("pg:orders", "{\"at\": 1}").await {
        Err(error) if error.class == Class::Unsupported => return good(state.clear().await, "clear"),
        kept => good(kept, "reached"),
    }
    good(state.reached("pg:orders", "it's \\ 2").await, "reached");
    good(state.reached("pg:ünits", "3").await, "reached");
    good(state.clear().await, "clear");
    drop((state, destination));

    let destination = subject.open();
    let Some(state) = good(destination.state("far").await, "state") else { return };
    let expected = [("pg:orders", "it's \\ 2"), ("pg:ünits", "3")].map(|(unit, far)| (unit.to_owned(), far.to_owned()));
    assert_eq!(good(state.checkpoints().await, "checkpoints"), HashMap::from(expected));
    assert!(state.reached("pg:orders", "4").await.is_err(), "the run is another's");
    let Some(other) = good(destination.state("near").await, "state") else { return };
    assert_eq!(good(other.checkpoints().await, "checkpoints"), HashMap::new(), "of another key");
}
