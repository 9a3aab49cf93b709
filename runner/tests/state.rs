//! Runs that are interrupted and continued: by hand, by a kill, in files and in destinations.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use headwater::state::{Place, Run, State, StateError};
use headwater_sdk::destination::MigrateMode;
use headwater_sdk::{
    ColumnType, Destination, Error, Part, PartWriter, Result, Stored, TableSchema, Timestamp, async_trait,
};
use tempfile::TempDir;

const FIRST: Timestamp = Timestamp(1_795_251_542_123_456);
const SECOND: Timestamp = Timestamp(1_795_255_142_123_456);

fn unit(number: usize) -> String {
    format!("aws:aws_ec2_instances@{number:012}/eu-west-1")
}

async fn open(place: &Place, key: &str) -> State {
    State::open(place, key, &[]).await.unwrap()
}

async fn resume(place: &Place, key: &str) -> Run {
    open(place, key).await.begin(SECOND, "f", true).await.unwrap()
}

/// Waits longer than a unit waits to be written.
async fn a_moment() {
    tokio::time::sleep(Duration::from_millis(400)).await;
}

/// Lets go of a run as an interrupted process does: without an end.
async fn interrupt(run: Run) {
    a_moment().await;
    drop(run);
    a_moment().await;
}

fn file(folder: &TempDir) -> Place {
    Place::File(folder.path().join("state.sqlite"))
}

#[tokio::test]
async fn an_interrupted_run_is_continued_with_its_time_and_without_what_is_done() {
    let folder = TempDir::new().unwrap();
    let place = file(&folder);
    let run = open(&place, "a").await.begin(FIRST, "f", true).await.unwrap();
    assert!(!run.resumed && run.sync_time == FIRST, "there is nothing to continue");
    for number in 0..2500 {
        run.committed(&unit(number)).await;
    }
    interrupt(run).await;

    let run = resume(&place, "a").await;
    assert!(run.resumed && run.sync_time == FIRST);
    assert_eq!(run.done(), 2500);
    assert!(run.is_done(&unit(0)) && run.is_done(&unit(2499)) && !run.is_done(&unit(2500)));
    run.committed(&unit(2500)).await;
    run.finish(false).await;

    let run = resume(&place, "a").await;
    assert!(run.resumed && run.done() == 2501, "a run with failures can be continued");
    run.finish(true).await;
    run.committed(&unit(3000)).await;

    let run = resume(&place, "a").await;
    assert!(!run.resumed && run.sync_time == SECOND && run.done() == 0, "nothing is left to continue");
    run.committed(&unit(1)).await;
    run.finish(false).await;
    drop(run);

    let run = open(&place, "a").await.begin(FIRST, "f", false).await.unwrap();
    assert!(!run.resumed && run.sync_time == FIRST);
    run.start().await.unwrap();
    run.finish(false).await;
    assert_eq!(resume(&place, "a").await.done(), 0, "a new run forgets the older one");
}

#[tokio::test]
async fn a_run_that_never_starts_leaves_the_interrupted_one_to_be_continued() {
    let folder = TempDir::new().unwrap();
    let place = file(&folder);
    drop(open(&place, "a").await.begin(FIRST, "f", false).await.unwrap());
    a_moment().await;
    assert!(!folder.path().join("state.sqlite").exists());
    let run = open(&place, "a").await.begin(FIRST, "f", false).await.unwrap();
    run.committed(&unit(0)).await;
    run.finish(false).await;
    for resumes in [false, true] {
        let run = open(&place, "a").await.begin(SECOND, "f", resumes).await.unwrap();
        run.finish(false).await;
        let run = resume(&place, "a").await;
        assert!(run.resumed && run.sync_time == FIRST && run.done() == 1);
        run.start().await.unwrap();
        run.finish(false).await;
    }
    let run = open(&place, "a").await.begin(SECOND, "f", false).await.unwrap();
    run.finish(true).await;
    assert!(!resume(&place, "a").await.resumed, "a run without a unit has ended well");
}

#[tokio::test]
async fn a_changed_configuration_is_not_continued_and_what_is_kept_stays() {
    let folder = TempDir::new().unwrap();
    let place = file(&folder);
    let run = open(&place, "a").await.begin(FIRST, "f", false).await.unwrap();
    run.committed(&unit(0)).await;
    run.finish(false).await;
    let Err(error) = open(&place, "a").await.begin(SECOND, "g", true).await else { panic!("it is continued") };
    assert!(matches!(error, StateError::Misuse(_)));
    assert_eq!(
        error.to_string(),
        "the configuration has changed since the interrupted run of 2026-11-21T08:59:02.123456Z: run it without \
         --resume to start anew"
    );
    assert_eq!(resume(&place, "a").await.done(), 1);
}

#[tokio::test]
async fn two_processes_do_not_run_the_same_configuration_at_once() {
    let folder = TempDir::new().unwrap();
    let place = file(&folder);
    let run = open(&place, "a").await.begin(FIRST, "f", false).await.unwrap();
    let Err(error) = State::open(&place, "a", &[]).await else { panic!("it is opened twice") };
    assert!(matches!(error, StateError::Busy(_)));
    let text = error.to_string();
    assert!(text.contains("another sync of this configuration is running, and has locked"), "{text}");
    open(&place, "b").await;
    run.finish(true).await;
    open(&place, "a").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_configurations_share_a_file() {
    let folder = TempDir::new().unwrap();
    let place = file(&folder);
    let shards = (0..4).map(|shard: usize| {
        let place = place.clone();
        tokio::spawn(async move {
            let run = open(&place, &format!("a-{shard}of4")).await.begin(FIRST, "f", false).await.unwrap();
            for number in 0..500 {
                run.committed(&unit(number * 4 + shard)).await;
                tokio::time::sleep(Duration::from_micros(100)).await;
            }
            run.finish(false).await;
        })
    });
    for shard in shards.collect::<Vec<_>>() {
        shard.await.unwrap();
    }
    for shard in 0..4 {
        let run = resume(&place, &format!("a-{shard}of4")).await;
        assert_eq!(run.done(), 500);
        assert!((0..2000).all(|number| run.is_done(&unit(number)) == (number % 4 == shard)));
    }
}

/// Starts this test binary once more, for [`is_the_process_that_other_tests_start`].
fn child(variables: &[(&str, &Path)]) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "is_the_process_that_other_tests_start", "--nocapture"]);
    command.env_remove("XDG_STATE_HOME").envs(variables.iter().copied()).stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

#[tokio::test]
async fn is_the_process_that_other_tests_start() {
    let place = match std::env::var_os("STATE_TEST_FILE") {
        Some(file) => Place::File(file.into()),
        None if std::env::var_os("STATE_TEST_DEFAULT").is_some() => Place::Default,
        None => return,
    };
    let run = open(&place, "a").await.begin(FIRST, "f", false).await.unwrap();
    for number in 0.. {
        run.committed(&unit(number)).await;
        if number % 1000 == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        if number == 5000 {
            eprintln!("under way");
            if place == Place::Default {
                return run.finish(false).await;
            }
        }
    }
}

fn wait_until_under_way(child: &mut Child) {
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.map_while(std::io::Result::ok).any(|line| line == "under way"), "the process ended early");
}

#[tokio::test]
async fn a_run_that_was_killed_is_continued() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("state.sqlite");
    let mut child = child(&[("STATE_TEST_FILE", &path)]);
    wait_until_under_way(&mut child);
    a_moment().await;
    let place = Place::File(path);
    assert!(matches!(State::open(&place, "a", &[]).await, Err(StateError::Busy(_))));
    child.kill().unwrap();
    child.wait().unwrap();
    let run = resume(&place, "a").await;
    assert!(run.resumed && run.sync_time == FIRST);
    let done = run.done();
    assert!(done >= 5000, "{done}");
    assert!((0..done).all(|number| run.is_done(&unit(number))), "units are noted in their order");
}

#[tokio::test]
async fn without_a_name_the_state_is_in_the_users_folder_or_nowhere() {
    let folder = TempDir::new().unwrap();
    let home = folder.path().join("home");
    let flag = ("STATE_TEST_DEFAULT", Path::new("1"));
    assert!(child(&[flag, ("HOME", &home)]).wait().unwrap().success());
    assert_eq!(resume(&Place::File(home.join(".local/state/headwater/a.sqlite")), "a").await.done(), 5001);
    let state = folder.path().join("state");
    assert!(child(&[flag, ("XDG_STATE_HOME", &state)]).wait().unwrap().success());
    assert!(state.join("headwater/a.sqlite").exists());
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    assert!(child(&[flag, ("XDG_STATE_HOME", &file)]).wait().unwrap().success(), "it runs without a state");
    std::fs::write(state.join("headwater/a.sqlite"), "no database").unwrap();
    assert!(child(&[flag, ("XDG_STATE_HOME", &state)]).wait().unwrap().success(), "it runs without a state");
}

#[tokio::test]
async fn a_file_that_cannot_be_used_is_an_error() {
    let folder = TempDir::new().unwrap();
    let notes = folder.path().join("notes.txt");
    std::fs::write(&notes, "notes, and no database").unwrap();
    for (path, expected) in [
        (notes.clone(), "notes.txt is not a SQLite database"),
        (folder.path().join("none/state.sqlite"), "none does not exist; create it"),
        (folder.path().to_owned(), "is not a file"),
    ] {
        let Err(error) = State::open(&Place::File(path), "a", &[]).await else { panic!("it is opened") };
        let error = error.to_string();
        assert!(error.starts_with("the state of the sync cannot be kept in ") && error.contains(expected), "{error}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// A destination that keeps nothing.
struct Forgetful;

#[async_trait]
impl Destination for Forgetful {
    async fn check(&self) -> Result<()> {
        Ok(())
    }
    fn stores(&self, kind: &ColumnType) -> Stored {
        Stored::whole(kind.name())
    }

    async fn migrate(&self, _: &[std::sync::Arc<TableSchema>], _: MigrateMode) -> Result<()> {
        Ok(())
    }
    async fn begin(&self, _: Part) -> Result<Box<dyn PartWriter>> {
        Err(Error::destination("nothing is kept"))
    }
}

#[tokio::test]
async fn the_state_can_be_kept_in_a_destination() {
    let folder = TempDir::new().unwrap();
    let sqlite = headwater_sqlite::destination(headwater_sqlite::Spec {
        connection_string: folder.path().join("x.db").display().to_string(),
        batch_size: None,
        batch_size_bytes: None,
    });
    let path = folder.path().join("out").display().to_string();
    let files = headwater_file::destination(headwater_file::Spec { path, ..Default::default() });
    let (sqlite, files) = (sqlite.unwrap(), files.unwrap());
    let all: [(&str, &dyn Destination); 3] = [("warehouse", &*sqlite), ("lake", &*files), ("forgetful", &Forgetful)];
    for name in ["warehouse", "lake"] {
        let before = std::fs::read_dir(folder.path()).unwrap().count();
        let place: Place = format!("@{name}").parse().unwrap();
        let begin = async |resume| {
            let state = State::open(&place, "a", &all).await.unwrap();
            state.begin(if resume { SECOND } else { FIRST }, "f", resume).await.unwrap()
        };
        let run = begin(false).await;
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), before, "{name}: nothing is touched");
        run.start().await.unwrap();
        run.committed(&unit(0)).await;
        interrupt(run).await;
        let run = begin(true).await;
        assert!(run.resumed && run.sync_time == FIRST && run.is_done(&unit(0)) && run.done() == 1, "{name}");
        run.finish(true).await;
        assert!(!begin(true).await.resumed, "{name}");
        a_moment().await;
    }
    let refused =
        async |name: &str, destinations| match State::open(&Place::Destination(name.to_owned()), "a", destinations)
            .await
        {
            Err(StateError::Misuse(text)) => text,
            _ => panic!("{name} can be used"),
        };
    assert_eq!(
        refused("forgetful", &all).await,
        "destination forgetful cannot keep the state of syncs\n  = these can: warehouse, lake; or keep it in a file: \
         --state FILE"
    );
    assert!(refused("forgetful", &all[2..]).await.contains("keep it in a file instead: --state FILE"));
    assert!(refused("warehose", &all).await.contains("did you mean @warehouse?"));
}

#[tokio::test]
async fn a_state_that_can_no_longer_be_written_does_not_stop_the_sync() {
    let folder = TempDir::new().unwrap();
    let place = file(&folder);
    let run = open(&place, "a").await.begin(FIRST, "f", false).await.unwrap();
    run.start().await.unwrap();
    let db = rusqlite::Connection::open(folder.path().join("state.sqlite")).unwrap();
    db.execute_batch("DROP TABLE headwater_done").unwrap();
    for number in 0..20_000 {
        run.committed(&unit(number)).await;
    }
    run.finish(true).await;
}

#[tokio::test]
async fn without_a_state_nothing_is_kept() {
    let run = open(&Place::None, "a").await.begin(FIRST, "f", true).await.unwrap();
    assert!(!run.resumed && run.sync_time == FIRST && !run.is_done(&unit(0)));
    run.committed(&unit(0)).await;
    run.finish(false).await;
}

#[test]
fn places_are_read_as_they_are_documented() {
    let place = |text: &str| text.parse::<Place>();
    assert_eq!(place("none"), Ok(Place::None));
    assert_eq!(place("@warehouse"), Ok(Place::Destination("warehouse".to_owned())));
    assert_eq!(place("./none"), Ok(Place::File("./none".into())));
    assert!(place("@").is_err() && place("").is_err());
    assert_eq!(Place::default(), Place::Default);
}
