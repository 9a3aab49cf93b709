//! The state of a sync is kept in the bucket: for the next process, and never by two at once.
#![allow(clippy::unwrap_used)]

mod common;

use std::ops::Range;

use common::Bucket;
use headwater_s3::destination;
use headwater_sdk::testing::at;
use headwater_sdk::{StateStore, UnitHash};

async fn store(bucket: &Bucket, key: &str) -> Box<dyn StateStore> {
    destination(bucket.spec("lake")).unwrap().state(key).await.unwrap().unwrap()
}

fn hashes(numbers: Range<u32>) -> Vec<UnitHash> {
    numbers.map(|number| UnitHash::of(&number.to_string())).collect()
}

#[tokio::test]
async fn the_state_of_a_sync_is_there_for_the_next_process() {
    let bucket = Bucket::new().await;
    let state = store(&bucket, "aws-2of8").await;
    assert_eq!(state.load().await.unwrap(), None);
    assert_eq!(bucket.names().await, Vec::<String>::new(), "asking makes nothing");
    state.start(at(0), "a b").await.unwrap();
    // Enough to be put down for good three times.
    for first in (0..8000).step_by(1000) {
        state.add(&hashes(first..first + 1000)).await.unwrap();
    }
    state.add(&hashes(8000..8001)).await.unwrap();
    drop(state);
    let names = bucket.names().await;
    assert_eq!(names.len(), 1 + 4, "{names:?}");
    assert!(names.iter().all(|name| name.starts_with("lake/_headwater/aws-2of8.")), "{names:?}");

    let state = store(&bucket, "aws-2of8").await;
    let saved = state.load().await.unwrap().unwrap();
    assert_eq!((saved.sync_time, saved.fingerprint.as_str()), (at(0), "a b"));
    assert_eq!(saved.units, hashes(0..8001));
    assert_eq!(store(&bucket, "aws-3of8").await.load().await.unwrap(), None);
    state.resume(at(0)).await.unwrap();
    state.add(&hashes(8001..8002)).await.unwrap();
    assert_eq!(state.load().await.unwrap().unwrap().units, hashes(0..8002));
    assert_eq!(bucket.names().await.len(), 1 + 4, "what it took over is gone under the earlier name");
    state.clear().await.unwrap();
    assert_eq!(state.load().await.unwrap(), None);
    assert_eq!(bucket.names().await, ["lake/_headwater/aws-2of8.state"]);
    state.start(at(1), "g").await.unwrap();
    assert_eq!(state.load().await.unwrap().unwrap().units, []);
    assert!(state.start(at(1), "two\nlines").await.is_err());
}

#[tokio::test]
async fn two_processes_do_not_keep_one_state() {
    let bucket = Bucket::new().await;
    let (old, new) = (store(&bucket, "k").await, store(&bucket, "k").await);
    assert!(old.add(&hashes(0..1)).await.is_err() && old.resume(at(0)).await.is_err(), "nothing has begun");
    old.start(at(0), "f").await.unwrap();
    old.add(&hashes(0..2000)).await.unwrap();
    assert_eq!(new.load().await.unwrap().unwrap().units, hashes(0..2000));
    // The other one goes on meanwhile.
    old.add(&hashes(2000..2001)).await.unwrap();
    let error = new.resume(at(0)).await.unwrap_err().to_string();
    assert!(error.contains("another sync of this configuration has begun"), "{error}");
    assert_eq!(new.load().await.unwrap().unwrap().units, hashes(0..2001));
    new.resume(at(0)).await.unwrap();
    for error in [old.add(&hashes(5..6)).await.unwrap_err(), old.clear().await.unwrap_err()] {
        let error = error.to_string();
        assert!(error.contains("another sync") && error.contains("lake/_headwater/k.state"), "{error}");
    }
    new.add(&hashes(2001..2002)).await.unwrap();
    assert_eq!(store(&bucket, "k").await.load().await.unwrap().unwrap().units, hashes(0..2002));

    // Two that begin at once: the one that was faster is overtaken or the other fails, and nothing is mixed.
    let (one, two) = (store(&bucket, "l").await, store(&bucket, "l").await);
    assert_eq!((one.load().await.unwrap(), two.load().await.unwrap()), (None, None));
    one.start(at(0), "f").await.unwrap();
    assert!(two.start(at(1), "f").await.unwrap_err().to_string().contains("another sync"));
    one.add(&hashes(0..1)).await.unwrap();
}

#[tokio::test]
async fn what_is_no_state_is_none() {
    let bucket = Bucket::new().await;
    for broken in ["", "\n\n", "something else\n", "headwater-state 1 x f\nrun 0\n", "headwater-state 1 5 f\nrun\n"] {
        let call = bucket.client.put_object().bucket(&bucket.name).key("lake/_headwater/k.state");
        call.body(broken.as_bytes().to_vec().into()).send().await.unwrap();
        let state = store(&bucket, "k").await;
        assert_eq!(state.load().await.unwrap(), None, "{broken}");
        state.start(at(0), "f").await.unwrap();
        state.add(&hashes(0..1)).await.unwrap();
        assert_eq!(store(&bucket, "k").await.load().await.unwrap().unwrap().units, hashes(0..1));
    }
}
