//! The state of syncs, in objects below `_headwater/` of the folder that all objects are in.
//!
//! An object cannot be added to, so there is one of a few units that is written anew each time, `KEY.state`, and units
//! that have become many are put down for good in objects of their own, `KEY.RUN.NUMBER`. The first says how many there
//! are. It is replaced only while it is the one that was read or written last (`If-Match`), so a run that another process
//! has begun since is never added to.

use std::sync::Arc;

use aws_sdk_s3::primitives::ByteStream;
use headwater_objects::{safe_name, saved};
use headwater_sdk::{Error, Result, SavedRun, StateStore, Timestamp, UnitHash, Uuid, async_trait};
use tokio::sync::Mutex;

use crate::bucket::Bucket;
use crate::errors::{Conflicts, explain, is_missing, is_refused};

/// Units are put down for good when they are so many bytes of lines.
const MANY: usize = 64 << 10;

/// The state that is kept under one key.
pub struct State {
    bucket: Arc<Bucket>,
    /// What the names of its objects begin with.
    name: String,
    open: Mutex<Open>,
}

/// What is known of the first object.
#[derive(Debug, Clone, Default)]
struct Open {
    /// Whether it was looked for.
    seen: bool,
    /// By which it is known not to have changed; none where it is not there.
    tag: Option<String>,
    /// The run's first line; empty where there is no run.
    head: String,
    /// What tells the run's other objects from those of others.
    run: String,
    /// How many other objects there are.
    put_down: u32,
    /// The lines of units that are in none of them.
    lines: String,
}

impl Open {
    /// The first object: the run, what else there is of it, and its last units.
    fn text(&self) -> String {
        match self.head.as_str() {
            "" => String::new(),
            head => format!("{head}{} {}\n{}", self.run, self.put_down, self.lines),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let (head, rest) = text.split_once('\n')?;
        let (second, lines) = rest.split_once('\n')?;
        let (run, put_down) = second.split_once(' ')?;
        let (head, run, lines) = (format!("{head}\n"), run.to_owned(), lines.to_owned());
        Some(Self { head, run, put_down: put_down.parse().ok()?, lines, ..Self::default() })
    }
}

impl State {
    /// Nothing is asked yet.
    pub fn new(bucket: Arc<Bucket>, key: &str) -> Self {
        let name = format!("{}_headwater/{}", bucket.settings.root, safe_name(key));
        Self { bucket, name, open: Mutex::default() }
    }

    fn first(&self) -> String {
        format!("{}.state", self.name)
    }

    fn other(&self, run: &str, number: u32) -> String {
        format!("{}.{run}.{number:06}", self.name)
    }

    /// An object's text and tag, if it is there.
    async fn get(&self, name: &str) -> Result<Option<(String, Option<String>)>> {
        let settings = &self.bucket.settings;
        let call = self.bucket.client().await?.get_object().bucket(&settings.bucket).key(name);
        let answer = match call.send().await {
            Ok(answer) => answer,
            Err(failure) if is_missing(&failure) => return Ok(None),
            Err(failure) => return Err(explain("GetObject", &failure, settings).while_doing(name)),
        };
        let tag = answer.e_tag;
        let bytes = answer.body.collect().await.map_err(|error| Error::destination(error).while_doing(name))?;
        let text = String::from_utf8(bytes.to_vec());
        let text =
            text.map_err(|_| Error::destination("it is no text, so it is no state of a sync").while_doing(name))?;
        Ok(Some((text, tag)))
    }

    /// Looks for the first object, unless that was done.
    async fn look(&self, open: &mut Open) -> Result<()> {
        if open.seen {
            return Ok(());
        }
        *open = match self.get(&self.first()).await? {
            None => Open::default(),
            Some((text, tag)) => Open { tag, ..Open::parse(&text).unwrap_or_default() },
        };
        open.seen = true;
        Ok(())
    }

    /// Replaces the first object by what is to be in it, while it is the one that is known.
    async fn replace(&self, open: &mut Open, next: Open) -> Result<()> {
        let (settings, name, text) = (&self.bucket.settings, self.first(), next.text());
        let client = self.bucket.client().await?;
        let mut conflicts = Conflicts::default();
        let tag = loop {
            let call = settings.dress(client.put_object()).key(&name);
            let call =
                call.set_if_match(open.tag.clone()).set_if_none_match(open.tag.is_none().then(|| "*".to_owned()));
            let call = call.content_type("text/plain").body(ByteStream::from(text.clone().into_bytes()));
            match call.send().await {
                Ok(put) => break put.e_tag,
                Err(failure) if is_refused(&failure) || is_missing(&failure) => match self.get(&name).await? {
                    // The answer to this very call was lost, and it was made again.
                    Some((found, tag)) if found == text => break tag,
                    _ => {
                        return Err(Error::destination(format!(
                            "another sync of this configuration has begun, and has its state in {name} of the bucket {}",
                            settings.bucket
                        )));
                    }
                },
                Err(failure) => {
                    let error = explain("PutObject", &failure, settings);
                    if !conflicts.again(&error, settings).await {
                        return Err(error.while_doing(name));
                    }
                }
            }
        };
        *open = Open { tag, seen: true, ..next };
        Ok(())
    }

    /// Puts units down for good. The object is nobody else's, because the run's word is in its name.
    async fn put_down(&self, run: &str, number: u32, lines: &str) -> Result<()> {
        let (settings, name) = (&self.bucket.settings, self.other(run, number));
        let call = settings.dress(self.bucket.client().await?.put_object()).key(&name);
        let call = call.content_type("text/plain").body(ByteStream::from(lines.as_bytes().to_vec()));
        let put = call.send().await.map_err(|failure| explain("PutObject", &failure, settings).while_doing(name));
        put.map(|_| ())
    }

    /// Removes the other objects of a run that nobody needs any more.
    async fn forget(&self, run: &str, count: u32) -> Result<()> {
        let settings = &self.bucket.settings;
        for number in 0..count {
            let name = self.other(run, number);
            let call = self.bucket.client().await?.delete_object().bucket(&settings.bucket).key(&name);
            call.send().await.map_err(|failure| explain("DeleteObject", &failure, settings).while_doing(name))?;
        }
        Ok(())
    }
}

#[async_trait]
impl StateStore for State {
    async fn load(&self) -> Result<Option<SavedRun>> {
        let mut open = self.open.lock().await;
        open.seen = false;
        self.look(&mut open).await?;
        let (Some(mut saved), _) = saved::parse(open.head.as_bytes()) else { return Ok(None) };
        for number in 0..open.put_down {
            let name = self.other(&open.run, number);
            let Some((text, _)) = self.get(&name).await? else {
                return Err(Error::destination(format!("{name} is missing, which the state of the sync needs")));
            };
            saved.units.extend(saved::units(text.as_bytes()).0);
        }
        saved.units.extend(saved::units(open.lines.as_bytes()).0);
        Ok(Some(saved))
    }

    async fn start(&self, sync_time: Timestamp, fingerprint: &str) -> Result<()> {
        let head = saved::head(sync_time, fingerprint)?;
        let mut open = self.open.lock().await;
        self.look(&mut open).await?;
        let (run, count) = (open.run.clone(), open.put_down);
        let next = Open { head, run: Uuid::new_v4().simple().to_string(), ..Open::default() };
        self.replace(&mut open, next).await?;
        self.forget(&run, count).await
    }

    /// Takes the run over, so that a process that still runs it cannot add to it any more.
    async fn resume(&self, sync_time: Timestamp) -> Result<()> {
        let mut open = self.open.lock().await;
        let (Some(saved), _) = saved::parse(open.head.as_bytes()) else { return Err(saved::not_begun()) };
        if saved.sync_time != sync_time {
            return Err(saved::not_begun());
        }
        // What was put down is under the earlier word, so it is written once more under the new one.
        let run = Uuid::new_v4().simple().to_string();
        for number in 0..open.put_down {
            let name = self.other(&open.run, number);
            let (text, _) = self.get(&name).await?.ok_or_else(|| Error::destination(format!("{name} is missing")))?;
            self.put_down(&run, number, &text).await?;
        }
        let (old, count) = (open.run.clone(), open.put_down);
        let next = Open { run, ..open.clone() };
        self.replace(&mut open, next).await?;
        self.forget(&old, count).await
    }

    async fn add(&self, units: &[UnitHash]) -> Result<()> {
        let mut open = self.open.lock().await;
        if open.head.is_empty() {
            return Err(saved::not_begun());
        }
        let mut next = open.clone();
        next.lines.push_str(&saved::lines(units));
        if next.lines.len() >= MANY {
            self.put_down(&next.run, next.put_down, &next.lines).await?;
            next.put_down += 1;
            next.lines.clear();
        }
        self.replace(&mut open, next).await
    }

    async fn clear(&self) -> Result<()> {
        let mut open = self.open.lock().await;
        let (run, count) = (open.run.clone(), open.put_down);
        if open.tag.is_some() {
            self.replace(&mut open, Open::default()).await?;
        }
        self.forget(&run, count).await
    }
}
