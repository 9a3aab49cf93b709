//! Uploads: a small object by one call, a larger one in parts.

use std::fs::File;
use std::io::{Read, Seek};
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use headwater_objects::{Memory, Place, Share};
use headwater_sdk::{Error, Result, Uuid};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinHandle, JoinSet};

use crate::errors::{Conflicts, explain, is_gone, is_missing, is_refused};
use crate::spec::Settings;

/// The smallest part that S3 takes, but for the last one of an object.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>
const LEAST_PART: u64 = 5 << 20;
/// The largest part, as long as an object has no more than there may be.
const MOST_PART: u64 = 8 << 20;
/// Parts of an object at most.
const MOST_PARTS: u64 = 10_000;
/// Parts of one object that are sent at once.
const AT_ONCE: usize = 4;
/// What an upload takes beside its bytes: a connection with its buffers.
const CONNECTION: u64 = 256 << 10;
/// Room is given by permits of this many bytes.
const PERMIT: u64 = 64 << 10;
/// The name under which an object says which upload it is of, where that is asked later.
const UPLOAD: &str = "headwater-upload";

/// Memory for what is on its way, over all uploads: a quarter of what the destination may hold.
#[derive(Debug, Clone)]
pub struct Room {
    memory: Memory,
    permits: Arc<Semaphore>,
    most: u64,
    part: u64,
}

/// Some of it; dropping it gives it back.
struct Taken {
    _permit: Option<OwnedSemaphorePermit>,
    _share: Share,
}

impl Room {
    /// The destination's memory, of which no more than a quarter is taken.
    pub fn new(memory: &Memory) -> Self {
        let part = (memory.allowed() / 16).clamp(LEAST_PART, MOST_PART);
        let most = (memory.allowed() / 4).max(part + CONNECTION).div_ceil(PERMIT);
        let most = most.min(u64::from(u32::MAX)).min(Semaphore::MAX_PERMITS as u64);
        let permits = Arc::new(Semaphore::new(usize::try_from(most).unwrap_or(Semaphore::MAX_PERMITS)));
        Self { memory: memory.clone(), permits, most, part }
    }

    /// Waits for room. What is larger than all of it waits for all of it.
    async fn take(&self, bytes: u64) -> Taken {
        let wanted = (bytes + CONNECTION).div_ceil(PERMIT).min(self.most);
        let wanted = u32::try_from(wanted).unwrap_or(u32::MAX);
        // The semaphore is never closed, so room always comes.
        let permit = Arc::clone(&self.permits).acquire_many_owned(wanted).await.ok();
        let share = self.memory.share();
        share.set(bytes + CONNECTION);
        Taken { _permit: permit, _share: share }
    }

    /// The size of the parts of an object.
    fn part(&self, size: u64) -> u64 {
        self.part.max(size.div_ceil(MOST_PARTS))
    }
}

/// The uploads of a destination; it knows those that are being aborted.
#[derive(Default)]
pub struct Uploads {
    aborts: Arc<Mutex<Vec<JoinHandle<()>>>>,
}

/// One object on its way.
struct Object<'a> {
    client: &'a Client,
    settings: &'a Arc<Settings>,
    room: &'a Room,
    name: &'a str,
    place: Place,
    size: u64,
}

impl Uploads {
    /// Uploads a file as an object, and tells whether it is there: not where its place had to be free and was not.
    pub async fn put(
        &self,
        client: &Client,
        settings: &Arc<Settings>,
        room: &Room,
        mut file: File,
        name: &str,
        place: Place,
    ) -> Result<bool> {
        let size = file.seek(std::io::SeekFrom::End(0)).and_then(|size| file.rewind().map(|()| size));
        let size = size.map_err(unreadable)?;
        let object = Object { client, settings, room, name, place, size };
        let mut conflicts = Conflicts::default();
        loop {
            let again = file.try_clone().map_err(unreadable)?;
            let put = match size <= room.part(size) {
                true => object.put(again).await,
                false => object.put_in_parts(again, &self.aborts).await,
            };
            match put {
                // An upload in parts has to begin anew then too.
                Err(error) if conflicts.again(&error, settings).await => file.rewind().map_err(unreadable)?,
                put => return put,
            }
        }
    }

    /// Waits until everything that was given up is gone.
    pub async fn end(&self) {
        let aborts = std::mem::take(&mut *self.aborts.lock().unwrap_or_else(PoisonError::into_inner));
        for abort in aborts {
            // What could not be removed was said.
            let _ = abort.await;
        }
    }
}

/// What an object says by its metadata of the upload that it is of: a call whose answer was lost is made again, and then
/// finds its own object.
fn mark() -> String {
    Uuid::new_v4().to_string()
}

fn unreadable(error: std::io::Error) -> Error {
    Error::destination(format!("the temporary file of the object cannot be read: {error}"))
}

/// The next bytes of a file, which are there.
async fn read(mut file: File, length: u64) -> Result<(File, Bytes)> {
    let read = tokio::task::spawn_blocking(move || {
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
        file.read_exact(&mut bytes).map(|()| (file, Bytes::from(bytes)))
    });
    read.await.map_err(Error::destination)?.map_err(unreadable)
}

impl Object<'_> {
    async fn put(&self, file: File) -> Result<bool> {
        let _room = self.room.take(self.size).await;
        let (_, bytes) = read(file, self.size).await?;
        let (settings, mark) = (self.settings, mark());
        let mut call = settings.dress(self.client.put_object()).key(self.name);
        // Without a condition the same call made again does the same.
        if self.place == Place::Free {
            call = call.metadata(UPLOAD, &mark).if_none_match("*");
        }
        let call = call.content_type(&settings.content_type).body(ByteStream::from(bytes));
        match call.send().await {
            Ok(_) => Ok(true),
            Err(failure) if is_refused(&failure) => self.is_ours(&mark).await,
            Err(failure) => Err(explain("PutObject", &failure, settings)),
        }
    }

    /// Whether the object that is there is of this upload.
    async fn is_ours(&self, mark: &str) -> Result<bool> {
        let call = self.client.head_object().bucket(&self.settings.bucket).key(self.name);
        match call.send().await {
            Ok(found) => Ok(found.metadata().and_then(|all| all.get(UPLOAD)).is_some_and(|found| found == mark)),
            Err(failure) if is_missing(&failure) => Ok(false),
            Err(failure) => Err(explain("HeadObject", &failure, self.settings)),
        }
    }

    async fn put_in_parts(&self, file: File, aborts: &Arc<Mutex<Vec<JoinHandle<()>>>>) -> Result<bool> {
        let (settings, mark) = (self.settings, mark());
        let (encryption, key) = settings.encryption.clone().unzip();
        let call = self.client.create_multipart_upload().bucket(&settings.bucket).key(self.name);
        let call = call
            .metadata(UPLOAD, &mark)
            .content_type(&settings.content_type)
            .set_acl(settings.acl.clone())
            .set_server_side_encryption(encryption)
            .set_ssekms_key_id(key.flatten())
            .set_checksum_algorithm(settings.checksums.then_some(ChecksumAlgorithm::Crc32));
        let created = call.send().await.map_err(|failure| explain("CreateMultipartUpload", &failure, settings))?;
        let Some(id) = created.upload_id else {
            return Err(Error::destination("s3 CreateMultipartUpload answered without an upload's id"));
        };
        let mut upload = Upload {
            client: self.client.clone(),
            settings: Arc::clone(settings),
            name: self.name.to_owned(),
            id,
            parts: JoinSet::new(),
            aborts: Arc::clone(aborts),
            open: true,
        };
        let completed = match self.send_parts(&mut upload, file).await {
            Ok(parts) => self.complete(&mut upload, parts, &mark).await,
            Err(error) => Err(error),
        };
        if upload.open {
            upload.abort().await;
        }
        completed
    }

    /// Sends all parts, of which some are on their way at once.
    async fn send_parts(&self, upload: &mut Upload, mut file: File) -> Result<Vec<CompletedPart>> {
        let size = self.room.part(self.size);
        let (mut left, mut number) = (self.size, 0);
        let mut sent = Vec::new();
        while left > 0 {
            if upload.parts.len() >= AT_ONCE {
                sent.extend(upload.next().await?);
            }
            let length = left.min(size);
            // Those who hold room are tasks of their own, so they get on while this one waits.
            let room = self.room.take(length).await;
            let (rest, bytes) = read(file, length).await?;
            (file, left, number) = (rest, left - length, number + 1);
            upload.send(number, bytes, room);
        }
        while let Some(part) = upload.next().await? {
            sent.push(part);
        }
        sent.sort_unstable_by_key(|part| part.part_number);
        Ok(sent)
    }

    /// Makes the parts the object. It is not where its place had to be free and is not.
    async fn complete(&self, upload: &mut Upload, parts: Vec<CompletedPart>, mark: &str) -> Result<bool> {
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let call = self.client.complete_multipart_upload().bucket(&self.settings.bucket).key(self.name);
        let free = (self.place == Place::Free).then(|| "*".to_owned());
        let call = call.upload_id(&upload.id).multipart_upload(parts).set_if_none_match(free);
        let there = match call.send().await {
            Ok(_) => true,
            Err(failure) if is_refused(&failure) => self.is_ours(mark).await?,
            // The answer to an earlier try may have been lost: then the upload is the object, and no upload any more.
            Err(failure) if is_gone(&failure) && self.is_ours(mark).await? => true,
            Err(failure) => return Err(explain("CompleteMultipartUpload", &failure, self.settings)),
        };
        upload.open = !there;
        Ok(there)
    }
}

/// An upload in parts. Where it is dropped before its end, it is aborted.
struct Upload {
    client: Client,
    settings: Arc<Settings>,
    name: String,
    id: String,
    parts: JoinSet<Result<CompletedPart>>,
    aborts: Arc<Mutex<Vec<JoinHandle<()>>>>,
    /// Whether there is something to abort.
    open: bool,
}

impl Upload {
    fn send(&mut self, number: i32, bytes: Bytes, room: Taken) {
        let settings = Arc::clone(&self.settings);
        let call = self.client.upload_part().bucket(&settings.bucket).key(&self.name).upload_id(&self.id);
        let call = call
            .part_number(number)
            .set_checksum_algorithm(settings.checksums.then_some(ChecksumAlgorithm::Crc32))
            .body(ByteStream::from(bytes));
        self.parts.spawn(async move {
            let _room = room;
            let sent = call.send().await.map_err(|failure| explain("UploadPart", &failure, &settings))?;
            let part = CompletedPart::builder().part_number(number).set_e_tag(sent.e_tag);
            Ok(part.set_checksum_crc32(sent.checksum_crc32).build())
        });
    }

    /// The next part that has been sent; none when all have.
    async fn next(&mut self) -> Result<Option<CompletedPart>> {
        match self.parts.join_next().await {
            None => Ok(None),
            Some(sent) => sent.map_err(Error::destination)?.map(Some),
        }
    }

    /// Removes what was sent.
    async fn abort(&mut self) {
        self.parts.shutdown().await;
        abort(&self.client, &self.settings, &self.name, &self.id).await;
        // Not before: where this is given up in the middle, it is done once more.
        self.open = false;
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        // Where the runtime is gone, a later sync aborts it.
        let Ok(handle) = Handle::try_current() else { return };
        if !self.open {
            return;
        }
        let (client, settings) = (self.client.clone(), Arc::clone(&self.settings));
        let (name, id, mut parts) = (self.name.clone(), self.id.clone(), std::mem::take(&mut self.parts));
        let task = handle.spawn(async move {
            // A part that is still on its way would outlive the upload.
            parts.shutdown().await;
            abort(&client, &settings, &name, &id).await;
        });
        let mut aborts = self.aborts.lock().unwrap_or_else(PoisonError::into_inner);
        aborts.retain(|abort| !abort.is_finished());
        aborts.push(task);
    }
}

async fn abort(client: &Client, settings: &Settings, name: &str, id: &str) {
    let call = client.abort_multipart_upload().bucket(&settings.bucket).key(name).upload_id(id);
    if let Err(failure) = call.send().await
        && !is_gone(&failure)
    {
        let error = explain("AbortMultipartUpload", &failure, settings);
        tracing::warn!("what was sent of {name} cannot be removed now: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use headwater_sdk::Budget;

    #[test]
    fn parts_are_as_large_as_memory_and_s3_allow() {
        let room = |budget: u64| Room::new(&Memory::new(&Budget::new(budget)));
        assert_eq!(room(512 << 20).part(0), 8 << 20);
        assert_eq!(room(16 << 20).part(0), 5 << 20);
        let tebibyte = 1 << 40;
        let part = room(512 << 20).part(tebibyte);
        assert!(tebibyte.div_ceil(part) <= MOST_PARTS && part < 128 << 20, "{part}");
    }

    #[tokio::test]
    async fn no_more_is_on_its_way_than_a_quarter_of_what_may_be_held() {
        let budget = Budget::new(512 << 20);
        let room = Room::new(&Memory::new(&budget));
        let mut taken = Vec::new();
        while room.permits.available_permits() as u64 * PERMIT >= MOST_PART + CONNECTION {
            taken.push(room.take(MOST_PART).await);
        }
        assert_eq!(taken.len(), 3);
        assert!(budget.used() <= (512 << 20) / 16);
        drop(taken);
        assert_eq!(budget.used(), 0);
        // What is larger than all of it is sent alone.
        drop(room.take(1 << 30).await);
    }
}
