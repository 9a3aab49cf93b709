//! What a destination keeps of the state of syncs.

use super::super::things::at;
use super::good;
use crate::destination::Destination;
use crate::error::Result;
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
