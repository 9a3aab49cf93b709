//! The rows of an open part, until it is committed: in memory while there is room, and else in a temporary file beside the
//! database, which has no name and goes with this.

use std::fs::File;
use std::io::{BufReader, Seek};
use std::path::{Path, PathBuf};

use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use headwater_sdk::arrow::array::RecordBatch;
use headwater_sdk::pool::{Pool, Share, batch_bytes};
use headwater_sdk::{Error, Result};

/// How the temporary file is read.
const BUFFER: usize = 256 << 10;

/// The rows of a part.
pub struct Held {
    batches: Vec<RecordBatch>,
    /// Without a buffer: each open part would hold one, and a batch is few writes.
    spilled: Option<StreamWriter<File>>,
    /// How many they are, in memory and in the file.
    pub rows: u64,
    folder: PathBuf,
    share: Share,
}

fn unwritten(folder: &Path, error: &dyn std::fmt::Display) -> Error {
    let folder = folder.display();
    Error::destination(format!("rows that wait cannot be written to a temporary file in {folder}: {error}"))
}

impl Held {
    /// No rows. Temporary files are made in the folder; one without a name is the current one.
    pub fn new(mut folder: PathBuf, pool: &Pool) -> Self {
        if folder.as_os_str().is_empty() {
            folder.push(".");
        }
        Self { batches: Vec::new(), spilled: None, rows: 0, folder, share: pool.share() }
    }

    /// Adds rows; the answer is whether they should go to the file now.
    pub fn push(&mut self, batch: RecordBatch) -> bool {
        self.rows += batch.num_rows() as u64;
        self.share.set(self.share.bytes() + batch_bytes(&batch));
        self.batches.push(batch);
        self.share.is_enough()
    }

    /// Brings what is in memory into the file. It blocks.
    pub fn spill(&mut self) -> Result<()> {
        let folder = &self.folder;
        let failed = |error: &dyn std::fmt::Display| unwritten(folder, error);
        let Some(first) = self.batches.first() else { return Ok(()) };
        let mut writer = match self.spilled.take() {
            Some(writer) => writer,
            None => {
                let file = tempfile::tempfile_in(folder).map_err(|error| failed(&error))?;
                StreamWriter::try_new(file, &first.schema()).map_err(|error| failed(&error))?
            }
        };
        for batch in &self.batches {
            writer.write(batch).map_err(|error| failed(&error))?;
        }
        self.spilled = Some(writer);
        self.batches.clear();
        self.share.set(0);
        Ok(())
    }

    /// Forgets all rows.
    pub fn clear(&mut self) {
        self.batches.clear();
        self.spilled = None;
        self.rows = 0;
        self.share.set(0);
    }

    /// All rows, in their order.
    pub fn into_batches(mut self) -> Result<impl Iterator<Item = Result<RecordBatch>>> {
        let lost = |error: &dyn std::fmt::Display| {
            Error::destination(format!("rows that waited in a temporary file cannot be read: {error}"))
        };
        let spilled = match self.spilled.take() {
            None => None,
            Some(mut writer) => {
                let failed = |error| unwritten(&self.folder, &error);
                writer.finish().map_err(failed)?;
                let mut file = writer.into_inner().map_err(failed)?;
                file.rewind().map_err(|error| lost(&error))?;
                let reader = StreamReader::try_new(BufReader::with_capacity(BUFFER, file), None);
                Some(reader.map_err(|error| lost(&error))?)
            }
        };
        let spilled = spilled.into_iter().flatten().map(move |batch| batch.map_err(|error| lost(&error)));
        let batches = std::mem::take(&mut self.batches);
        let share = self.share;
        // The memory is given back with the last of the rows.
        Ok(spilled.chain(batches.into_iter().map(move |batch| {
            let _ = &share;
            Ok(batch)
        })))
    }
}
