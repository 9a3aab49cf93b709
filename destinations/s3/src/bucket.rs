//! The bucket that the objects are in.

use std::fs::File;
use std::sync::{Arc, OnceLock};

use aws_sdk_s3::Client;
use headwater_objects::{Memory, Piece, Place, Scratch, Store, Template};
use headwater_sdk::{Error, Result, StateStore, async_trait};
use tokio::sync::OnceCell;

use crate::client::client;
use crate::errors::{explain, is_empty, is_missing};
use crate::leftovers;
use crate::spec::Settings;
use crate::state::State;
use crate::upload::{Room, Uploads};

/// An object that is never there: to replace it is refused, unless it is refused before for want of a permission.
const PROBE: &str = "_headwater/check";

/// The bucket. It is connected to when it is first needed.
pub struct Bucket {
    pub settings: Arc<Settings>,
    client: OnceCell<Client>,
    room: OnceLock<Room>,
    uploads: Uploads,
}

/// An unnamed file in the folder for temporary files, which goes with the process, however that ends.
pub struct Unnamed(File);

impl Scratch for Unnamed {
    fn file(&self) -> Result<File> {
        self.0.try_clone().map_err(temporary)
    }

    fn place(&self) -> String {
        let folder = std::env::temp_dir();
        format!("in {}; name a folder with enough space in the environment variable TMPDIR", folder.display())
    }
}

fn temporary(error: std::io::Error) -> Error {
    let folder = std::env::temp_dir();
    Error::destination(format!(
        "no temporary file in {}: {error}; name a folder with enough space in the environment variable TMPDIR",
        folder.display()
    ))
}

impl Bucket {
    /// A bucket that is not connected to yet.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings: Arc::new(settings),
            client: OnceCell::new(),
            room: OnceLock::new(),
            uploads: Uploads::default(),
        }
    }

    /// The client, which all calls share.
    pub async fn client(&self) -> Result<&Client> {
        self.client.get_or_try_init(|| client(&self.settings)).await
    }

    /// Makes sure that objects may be written. Nothing is: the condition that another object is there never holds, and
    /// whether the call is allowed is looked at before.
    async fn test_write(&self) -> Result<()> {
        let client = self.client().await?;
        let name = format!("{}{PROBE}", self.settings.root);
        let call = self.settings.dress(client.put_object()).key(&name).if_match("\"0\"");
        match call.send().await {
            Err(failure) if is_missing(&failure) || crate::errors::is_refused(&failure) => Ok(()),
            Err(failure) => Err(explain("PutObject", &failure, &self.settings)),
            // A server that does not know the condition has written an empty object.
            Ok(_) => self.delete(&name).await,
        }
    }

    async fn delete(&self, name: &str) -> Result<()> {
        let call = self.client().await?.delete_object().bucket(&self.settings.bucket).key(name);
        let deleted = call.send().await.map_err(|failure| explain("DeleteObject", &failure, &self.settings));
        deleted.map(|_| ())
    }
}

#[async_trait]
impl Store for Bucket {
    type Scratch = Unnamed;

    async fn check(&self) -> Result<()> {
        // Unlike the answer to HeadBucket, this one says what is wrong.
        let call = self.client().await?.list_objects_v2().bucket(&self.settings.bucket);
        let listed = call.prefix(&self.settings.root).max_keys(1).send().await;
        listed.map_err(|failure| explain("ListObjectsV2", &failure, &self.settings))?;
        if self.settings.test_write { self.test_write().await } else { Ok(()) }
    }

    async fn prepare(&self, names: &Template) -> Result<()> {
        self.check().await?;
        leftovers::abort(self.client().await?, &self.settings, names).await;
        Ok(())
    }

    fn use_memory(&self, memory: &Memory) {
        // Only the first call counts.
        let _ = self.room.set(Room::new(memory));
    }

    fn scratch(&self, _: Option<&str>) -> Result<Unnamed> {
        tempfile::tempfile().map(Unnamed).map_err(temporary)
    }

    async fn exists(&self, name: &str) -> Result<bool> {
        let call = self.client().await?.head_object().bucket(&self.settings.bucket).key(name);
        match call.send().await {
            Ok(_) => Ok(true),
            Err(failure) if is_missing(&failure) => Ok(false),
            Err(failure) => Err(explain("HeadObject", &failure, &self.settings).while_doing(name)),
        }
    }

    async fn put(&self, scratch: Unnamed, name: &str, place: Place) -> Result<bool> {
        let client = self.client().await?.clone();
        let room = self.room.get_or_init(|| Room::new(&Memory::default()));
        let put = self.uploads.put(&client, &self.settings, room, scratch.0, name, place).await;
        put.map_err(|error| error.while_doing(name))
    }

    /// It is looked at first, because in a bucket with versions each removal of nothing is kept for ever.
    async fn remove(&self, name: &str) -> Result<()> {
        if self.exists(name).await? { self.delete(name).await.map_err(|error| error.while_doing(name)) } else { Ok(()) }
    }

    async fn list(&self, names: &Template, prefix: &str) -> Result<Vec<String>> {
        let call = self.client().await?.list_objects_v2().bucket(&self.settings.bucket).prefix(prefix);
        let mut pages = call.into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|failure| explain("ListObjectsV2", &failure, &self.settings))?;
            found.extend(page.contents().iter().filter_map(|object| object.key()).map(str::to_owned));
            // Of a bucket that holds much else, only these are kept.
            found.retain(|name| names.fits(name));
        }
        Ok(found)
    }

    async fn read(&self, name: &str, piece: Piece) -> Result<Vec<u8>> {
        let range = match piece {
            Piece::First(bytes) => format!("bytes=0-{}", bytes - 1),
            Piece::Last(bytes) => format!("bytes=-{bytes}"),
        };
        let call = self.client().await?.get_object().bucket(&self.settings.bucket).key(name).range(range);
        match call.send().await {
            Ok(answer) => answer.body.collect().await.map(|bytes| bytes.to_vec()).map_err(Error::destination),
            Err(failure) if is_empty(&failure) => Ok(Vec::new()),
            Err(failure) => Err(explain("GetObject", &failure, &self.settings)),
        }
    }

    fn state(self: Arc<Self>, _: &Template, key: &str) -> Box<dyn StateStore> {
        Box::new(State::new(self, key))
    }

    async fn close(&self) -> Result<()> {
        self.uploads.end().await;
        Ok(())
    }
}
