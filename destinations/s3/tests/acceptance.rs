//! The acceptance suite on real buckets of a local S3. The objects are those that destination `file` writes, so the
//! results of its types are compared with the same document.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "../../file/tests/common/mod.rs"]
mod read;

use common::Bucket;
use headwater_s3::{Format, Spec, destination};
use headwater_sdk::testing::Subject;
use headwater_sdk::{Destination, TableSchema, async_trait};
use read::{Read, Rows, csv, is_name, json, parquet};

struct Lake {
    bucket: Bucket,
    name: &'static str,
    format: Format,
    read: Read,
}

impl Lake {
    async fn new(name: &'static str, format: Format, read: Read) -> Self {
        Self { bucket: Bucket::new().await, name, format, read }
    }
}

#[async_trait]
impl Subject for Lake {
    fn name(&self) -> &'static str {
        self.name
    }

    fn open(&self) -> Box<dyn Destination> {
        destination(Spec { format: self.format, ..self.bucket.spec("lake") }).unwrap()
    }

    async fn rows(&self, table: &TableSchema) -> Rows {
        let mut rows = Vec::new();
        for name in self.bucket.names().await {
            let [_, folder, _] = name.split('/').collect::<Vec<_>>()[..] else { panic!("{name}") };
            if is_name(folder, &table.name) {
                rows.extend((self.read)(self.bucket.get(&name).await, table));
            }
        }
        rows
    }

    fn keeps_schemas(&self) -> bool {
        false
    }
}

mod in_csv {
    use super::*;
    headwater_sdk::acceptance!(Lake::new("file csv", Format::Csv, csv).await);
}

mod in_parquet {
    use super::*;
    headwater_sdk::acceptance!(Lake::new("file parquet", Format::Parquet, parquet).await);
}

mod in_json_lines {
    use super::*;
    headwater_sdk::acceptance!(Lake::new("file json", Format::Json, json).await);
}
