//! Rows of open parts that memory has no room for: blocks of one temporary file, in Arrow's stream format. The blocks
//! of a part that is done are used again.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex, PoisonError};

use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use headwater_sdk::arrow::array::RecordBatch;
use headwater_sdk::arrow::datatypes::{Field, Schema, SchemaRef};
use headwater_sdk::{Error, Result};

use crate::store::{Out, Scratch};

const BLOCK: usize = 16 << 10;

/// Makes the file.
type Make = Box<dyn Fn() -> Result<Box<dyn Scratch>> + Send + Sync>;

/// The file, which is made when it is first needed.
pub struct Disk {
    make: Make,
    file: Mutex<Option<Blocks>>,
}

struct Blocks {
    file: File,
    /// Writes the same file.
    out: Out,
    /// Removes the file.
    _scratch: Box<dyn Scratch>,
    free: Vec<u32>,
    all: u32,
}

/// Batches on disk; dropping it gives the blocks back.
pub struct Spilled {
    disk: Arc<Disk>,
    blocks: Vec<u32>,
}

impl Disk {
    /// A file that is made by `make`.
    pub fn new(make: impl Fn() -> Result<Box<dyn Scratch>> + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { make: Box::new(make), file: Mutex::default() })
    }

    fn with<T>(&self, work: impl FnOnce(&mut Blocks) -> io::Result<T>) -> io::Result<T> {
        let mut open = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        match open.as_mut() {
            Some(blocks) => work(blocks),
            None => {
                let scratch = (self.make)().map_err(io::Error::other)?;
                let file = scratch.file().map_err(io::Error::other)?;
                let out = scratch.out().map_err(io::Error::other)?;
                work(open.insert(Blocks { file, out, _scratch: scratch, free: Vec::new(), all: 0 }))
            }
        }
    }

    /// Writes batches of one schema.
    pub fn write(self: &Arc<Self>, batches: &[RecordBatch]) -> Result<Spilled> {
        let spilled = Spilled { disk: Arc::clone(self), blocks: Vec::new() };
        let Some(first) = batches.first() else { return Ok(spilled) };
        // Names and notes would be written each time, and are known when the rows are read.
        let schema = bare(first.schema_ref());
        let out = Writer { spilled, buffer: Vec::with_capacity(BLOCK) };
        let written = || {
            let mut stream = StreamWriter::try_new(out, &schema)?;
            for batch in batches {
                stream.write(&RecordBatch::try_new(Arc::clone(&schema), batch.columns().to_vec())?)?;
            }
            let mut out = stream.into_inner()?;
            out.write_block()?;
            Ok(out.spilled)
        };
        written().map_err(|error: headwater_sdk::arrow::error::ArrowError| failed(error))
    }
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::destination(format!("rows could not be kept on the local disk: {error}"))
}

fn bare(schema: &Schema) -> SchemaRef {
    let field = |field: &Arc<Field>| Field::new("", field.data_type().clone(), field.is_nullable());
    Arc::new(Schema::new(schema.fields().iter().map(field).collect::<Vec<_>>()))
}

impl Spilled {
    /// Bytes on disk.
    pub fn bytes(&self) -> u64 {
        self.blocks.len() as u64 * BLOCK as u64
    }

    /// Reads the batches back, one at a time. Their blocks are given back when the iterator is dropped.
    pub fn read(self, schema: &SchemaRef) -> Result<impl Iterator<Item = Result<RecordBatch>> + use<>> {
        let schema = Arc::clone(schema);
        let from = Reader { spilled: self, block: 0, buffer: Vec::with_capacity(BLOCK), at: 0 };
        let stream = StreamReader::try_new(from, None).map_err(failed)?;
        Ok(stream.map(move |batch| {
            let named = batch.and_then(|batch| RecordBatch::try_new(Arc::clone(&schema), batch.columns().to_vec()));
            named.map_err(failed)
        }))
    }
}

impl Drop for Spilled {
    fn drop(&mut self) {
        let mut open = self.disk.file.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(blocks) = open.as_mut() else { return };
        blocks.free.append(&mut self.blocks);
        if blocks.free.len() == blocks.all as usize {
            // Nothing is left that would need the file.
            *open = None;
        }
    }
}

struct Writer {
    spilled: Spilled,
    buffer: Vec<u8>,
}

impl Writer {
    fn write_block(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let number = self.spilled.disk.with(|blocks| {
            let number = match blocks.free.pop() {
                Some(number) => number,
                None => {
                    let number = blocks.all;
                    blocks.all = number.checked_add(1).ok_or_else(|| io::Error::other("there are too many rows"))?;
                    number
                }
            };
            let start = SeekFrom::Start(u64::from(number) * BLOCK as u64);
            let written = blocks.file.seek(start).and_then(|_| blocks.out.write_all(&self.buffer));
            // What could not be written is free again.
            written.inspect_err(|_| blocks.free.push(number))?;
            Ok(number)
        })?;
        self.spilled.blocks.push(number);
        self.buffer.clear();
        Ok(())
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let bytes = &bytes[..bytes.len().min(BLOCK - self.buffer.len())];
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() == BLOCK {
            self.write_block()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Reader {
    spilled: Spilled,
    /// The place in the list of the next block.
    block: usize,
    buffer: Vec<u8>,
    at: usize,
}

impl Read for Reader {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if self.at == self.buffer.len() {
            let Some(number) = self.spilled.blocks.get(self.block) else { return Ok(0) };
            self.block += 1;
            self.at = 0;
            self.buffer.clear();
            let (start, buffer) = (u64::from(*number) * BLOCK as u64, &mut self.buffer);
            self.spilled.disk.with(|blocks| {
                blocks.file.seek(SeekFrom::Start(start))?;
                // The file's last block may be a short one; in others, what an earlier part left is behind the end.
                (&blocks.file).take(BLOCK as u64).read_to_end(buffer)
            })?;
        }
        let length = bytes.len().min(self.buffer.len() - self.at);
        bytes[..length].copy_from_slice(&self.buffer[self.at..self.at + length]);
        self.at += length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use headwater_sdk::arrow::array::{ArrayRef, Int64Array, StringArray};
    use headwater_sdk::pool::batch_bytes;
    use headwater_sdk::testing::samples::samples;

    struct Named(tempfile::NamedTempFile);

    impl Scratch for Named {
        fn file(&self) -> Result<File> {
            self.0.as_file().try_clone().map_err(Error::destination)
        }

        fn place(&self) -> String {
            "in a test's folder".to_owned()
        }
    }

    fn batch(rows: i64) -> RecordBatch {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows));
        let texts: ArrayRef = Arc::new(StringArray::from_iter_values((0..rows).map(|row| format!("text {row}"))));
        RecordBatch::try_from_iter([("number", numbers), ("text", texts)]).unwrap()
    }

    #[test]
    fn blocks_are_used_again_and_the_file_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        let disk = Disk::new(move || Ok(Box::new(Named(tempfile::NamedTempFile::new_in(&path).unwrap()))));
        let batches = [batch(10), batch(5000), batch(1)];
        let first = disk.write(&batches).unwrap();
        let second = disk.write(&batches[..1]).unwrap();
        assert_eq!(second.blocks, [first.blocks.len() as u32], "a block is one part's");
        let bytes = first.bytes();
        drop(first);
        let third = disk.write(&batches).unwrap();
        assert_eq!(third.bytes(), bytes);
        assert!(third.blocks.iter().all(|block| u64::from(*block) < bytes / BLOCK as u64), "{:?}", third.blocks);
        for (spilled, expected) in [(second, &batches[..1]), (third, &batches)] {
            let read = spilled.read(&batches[0].schema()).unwrap();
            assert_eq!(read.collect::<Result<Vec<_>>>().unwrap(), expected);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn rows_of_every_type_come_back_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        let disk = Disk::new(move || Ok(Box::new(Named(tempfile::NamedTempFile::new_in(&path).unwrap()))));
        for (kind, values) in samples(7) {
            let batch = RecordBatch::try_from_iter([("value", values)]).unwrap();
            let batches = [batch.slice(1, batch.num_rows() - 1), batch.slice(0, 1)];
            assert!(batches.iter().all(|batch| batch_bytes(batch) > 0), "{}", kind.name());
            let read = disk.write(&batches).unwrap().read(&batch.schema()).unwrap();
            assert_eq!(read.collect::<Result<Vec<_>>>().unwrap(), batches, "{}", kind.name());
        }
    }
}
