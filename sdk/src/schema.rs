//! What a table looks like to everyone but its connector: names, Arrow types, keys, and CloudQuery's metadata keys.
//!
//! The metadata strings are those of CloudQuery's plugin protocol v3, so that its plugins read our schemas.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};

use crate::error::{Error, Result};
use crate::scope::{ScopeColumn, Scopes};

/// When the row was synced.
pub const SYNC_TIME: &str = "_cq_sync_time";
/// The name of the source in the configuration.
pub const SOURCE_NAME: &str = "_cq_source_name";
/// The row's own identifier.
pub const ID: &str = "_cq_id";
/// The `_cq_id` of the parent table's row.
pub const PARENT_ID: &str = "_cq_parent_id";

/// The metadata key of a column's native type.
pub const NATIVE: &str = "headwater:native";
/// The metadata key of a field's number, which the Parquet library writes into the file.
pub const FIELD_ID: &str = "PARQUET:field_id";

/// The column that says which unit of a table a row is of, where that cannot be told from the row's own values.
pub const UNIT: &str = "_headwater_unit";

/// The units of a table of a database whose rows cannot be told by their own values: parts by a hash, or by their place.
pub const PARTS: Scopes = Scopes {
    name: "part",
    columns: &[ScopeColumn { name: UNIT, description: "The part of the table that the row was read with." }],
};

/// CloudQuery's Arrow extension types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Extension {
    /// 16 bytes.
    Uuid,
    /// UTF-8 JSON text in a binary column.
    Json,
    /// CIDR text in a binary column.
    Inet,
    /// 6 or 8 raw bytes in a binary column.
    Mac,
}

/// Arrow's metadata key for the name of an extension type.
const EXTENSION_NAME: &str = "ARROW:extension:name";
/// Arrow's metadata key for its parameters.
const EXTENSION_METADATA: &str = "ARROW:extension:metadata";

impl Extension {
    const ALL: [Extension; 4] = [Extension::Uuid, Extension::Json, Extension::Inet, Extension::Mac];

    /// The extension's name.
    pub fn name(self) -> &'static str {
        match self {
            Extension::Uuid => "uuid",
            Extension::Json => "json",
            Extension::Inet => "inet",
            Extension::Mac => "mac",
        }
    }

    /// The Arrow type under it.
    pub fn storage(self) -> DataType {
        match self {
            Extension::Uuid => DataType::FixedSizeBinary(16),
            Extension::Json | Extension::Inet | Extension::Mac => DataType::Binary,
        }
    }

    /// The field metadata that marks a column as being of this type.
    pub fn metadata(self) -> HashMap<String, String> {
        HashMap::from([
            (EXTENSION_NAME.to_owned(), self.name().to_owned()),
            (EXTENSION_METADATA.to_owned(), format!("{}-serialized", self.name())),
        ])
    }

    /// The extension that a field is marked with, if any.
    pub fn of(field: &Field) -> Option<Self> {
        let name = field.metadata().get(EXTENSION_NAME)?;
        Self::ALL.into_iter().find(|extension| extension.name() == name)
    }
}

/// A column's type: an Arrow type, or one of the extensions over one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnType {
    /// The Arrow type of the stored values.
    pub data_type: DataType,
    /// What the values mean beyond that.
    pub extension: Option<Extension>,
}

impl ColumnType {
    /// An Arrow type.
    pub fn plain(data_type: DataType) -> Self {
        Self { data_type, extension: None }
    }

    /// An extension type.
    pub fn of(extension: Extension) -> Self {
        Self { data_type: extension.storage(), extension: Some(extension) }
    }

    /// The type's name as it stands in snapshots and documentation: `utf8`, `int64`, `json`, `list<utf8>` ….
    pub fn name(&self) -> String {
        match self.extension {
            Some(extension) => extension.name().to_owned(),
            None => type_name(&self.data_type),
        }
    }
}

fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Boolean => "bool".to_owned(),
        DataType::Timestamp(unit, zone) => {
            let unit = match unit {
                TimeUnit::Second => "s",
                TimeUnit::Millisecond => "ms",
                TimeUnit::Microsecond => "us",
                TimeUnit::Nanosecond => "ns",
            };
            match zone {
                Some(zone) => format!("timestamp[{unit}, {zone}]"),
                None => format!("timestamp[{unit}]"),
            }
        }
        DataType::List(item) => format!("list<{}>", field_type_name(item)),
        DataType::LargeList(item) => format!("largelist<{}>", field_type_name(item)),
        DataType::ListView(item) => format!("listview<{}>", field_type_name(item)),
        DataType::LargeListView(item) => format!("largelistview<{}>", field_type_name(item)),
        DataType::FixedSizeList(item, length) => format!("fixedsizelist<{}, {length}>", field_type_name(item)),
        DataType::Struct(fields) => {
            let fields = fields.iter().map(|field| format!("{}: {}", field.name(), field_type_name(field)));
            format!("struct<{}>", fields.collect::<Vec<_>>().join(", "))
        }
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(pair) => {
                let pair: Vec<String> = pair.iter().map(field_type_name).collect();
                format!("map<{}>", pair.join(", "))
            }
            other => format!("map<{}>", type_name(other)),
        },
        other => other.to_string().to_lowercase(),
    }
}

fn field_type_name(field: &FieldRef) -> String {
    match Extension::of(field) {
        Some(extension) => extension.name().to_owned(),
        None => type_name(field.data_type()),
    }
}

/// One column of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// The name, as CloudQuery spells it.
    pub name: String,
    /// One line of Markdown.
    pub description: String,
    /// The type.
    pub kind: ColumnType,
    /// Whether a value may be missing.
    pub nullable: bool,
    /// Whether it is part of the table's key.
    pub key: bool,
    /// Whether the API marks its values as secret.
    pub sensitive: bool,
    /// The places within a JSON column whose values the API marks as secret: `TunnelOptions[*].PreSharedKey`.
    pub secrets: Vec<String>,
    /// Where the value comes from: `Instance.vpc_id`, `scope`, `value`, `get …`, `sync`.
    pub origin: String,
    /// The inner shape of a JSON column.
    pub shape: Option<serde_json::Value>,
    /// The type that a database has it as, where the Arrow type does not say it all: `postgresql numeric`. A destination
    /// of the same kind makes its column of this type.
    pub native: Option<String>,
    /// The field's number in Parquet and Iceberg.
    pub field_id: Option<i32>,
    /// Whether rows are read by its values, those only that are new.
    pub incremental: bool,
}

impl Column {
    /// A nullable column with nothing else said.
    pub fn new(name: impl Into<String>, kind: ColumnType, description: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            description: description.into(),
            kind,
            nullable: true,
            key: false,
            sensitive: false,
            secrets: Vec::new(),
            origin: "sync".to_owned(),
            shape: None,
            native: None,
            field_id: None,
            incremental: false,
        }
    }

    /// The native type, where it is one of `database`: `numeric` of `postgresql numeric`.
    pub fn native_of(&self, database: &str) -> Option<&str> {
        self.native.as_deref()?.strip_prefix(database)?.strip_prefix(' ')
    }

    /// The Arrow field with CloudQuery's metadata.
    pub fn field(&self) -> Field {
        let mut metadata = self.kind.extension.map(Extension::metadata).unwrap_or_default();
        let flag = |yes: bool| if yes { "true" } else { "false" }.to_owned();
        metadata.insert("cq:extension:primary_key".to_owned(), flag(self.key));
        metadata.insert("cq:extension:unique".to_owned(), flag(self.name == ID));
        metadata.insert("cq:extension:incremental".to_owned(), flag(self.incremental));
        metadata.insert("cq:extension:primary_key_component".to_owned(), flag(false));
        if let Some(shape) = &self.shape {
            metadata.insert("cq:extension:type_schema".to_owned(), shape.to_string());
        }
        if let Some(native) = &self.native {
            metadata.insert(NATIVE.to_owned(), native.clone());
        }
        if let Some(id) = self.field_id {
            metadata.insert(FIELD_ID.to_owned(), id.to_string());
        }
        Field::new(&self.name, self.kind.data_type.clone(), self.nullable).with_metadata(metadata)
    }
}

/// The four columns that every synced table begins with, in their order.
pub fn sync_columns() -> Vec<Column> {
    let time = ColumnType::plain(DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())));
    let mut columns = vec![
        Column::new(SYNC_TIME, time, "When the row was synced."),
        Column::new(SOURCE_NAME, ColumnType::plain(DataType::Utf8), "The source's name in the configuration."),
        Column::new(
            ID,
            ColumnType::of(Extension::Uuid),
            "The row's identifier: the same in every sync where the table has a key.",
        ),
        Column::new(PARENT_ID, ColumnType::of(Extension::Uuid), "`_cq_id` of the parent table's row."),
    ];
    for column in &mut columns {
        column.nullable = column.name == PARENT_ID;
    }
    columns
}

/// A table: its columns, key, place in the tree, and the scopes that it is read for.
#[derive(Debug, Clone)]
pub struct TableSchema {
    /// The name, such as `aws_ec2_instances`.
    pub name: String,
    /// One line of Markdown.
    pub description: String,
    /// The parent table's name.
    pub parent: Option<String>,
    /// The calls that the rows come from, for the documentation.
    pub origin: String,
    /// Which scopes the table is read for; its columns are part of [`TableSchema::columns`].
    pub scopes: Scopes,
    /// All columns in their order, the sync columns first.
    pub columns: Vec<Column>,
    /// The columns by whose values, or ranges of them, rows of one unit are found when stale ones are removed, besides those
    /// of the scopes. None in write mode `append`, which removes nothing.
    pub divided_by: Vec<String>,
    arrow: LazySchema,
}

type LazySchema = Arc<LazyLock<SchemaRef, Box<dyn FnOnce() -> SchemaRef + Send>>>;

impl TableSchema {
    /// A table of the given columns; the sync columns are put before them. Without a key column, `_cq_id` is the key.
    pub fn new(name: &str, description: &str, parent: Option<&str>, scopes: Scopes, columns: Vec<Column>) -> Self {
        let mut all = sync_columns();
        all.extend(columns);
        if !all.iter().any(|column| column.key) {
            for column in all.iter_mut().filter(|column| column.name == ID) {
                column.key = true;
            }
        }
        Self::of_columns(name, description, parent, scopes, all)
    }

    /// A table of a database. Before its own columns there are only the time of the sync, the source's name and the columns
    /// of `scopes`, which are [`Scopes::SINGLE`] or [`PARTS`]; where no column is part of a key, it has none.
    pub fn of_database(name: &str, description: &str, scopes: Scopes, columns: Vec<Column>) -> Self {
        let own = |column: &Column| column.name == SYNC_TIME || column.name == SOURCE_NAME;
        let mut all: Vec<Column> = sync_columns().into_iter().filter(own).collect();
        all.extend(scopes.columns.iter().map(|scope| {
            let mut column = Column::new(scope.name, ColumnType::plain(DataType::Utf8), scope.description);
            column.nullable = false;
            column.origin = "scope".to_owned();
            column
        }));
        all.extend(columns);
        let divided_by = scopes.columns.iter().map(|scope| scope.name.to_owned()).collect();
        Self { divided_by, ..Self::of_columns(name, description, None, scopes, all) }
    }

    fn of_columns(name: &str, description: &str, parent: Option<&str>, scopes: Scopes, columns: Vec<Column>) -> Self {
        let mut schema = Self {
            name: name.to_owned(),
            description: description.to_owned(),
            parent: parent.map(str::to_owned),
            origin: String::new(),
            scopes,
            columns,
            divided_by: Vec::new(),
            arrow: Arc::new(LazyLock::new(Box::new(|| Arc::new(Schema::empty())))),
        };
        let copy = schema.clone();
        schema.arrow = Arc::new(LazyLock::new(Box::new(move || Arc::new(copy.to_arrow()))));
        schema
    }

    /// The same table with no key, for write mode `append`, in which the same row may come in every sync.
    pub fn without_key(&self) -> Self {
        let mut columns = self.columns.clone();
        for column in &mut columns {
            column.key = false;
        }
        Self { divided_by: Vec::new(), ..self.with_columns(columns) }
    }

    /// The same table with other columns, the sync columns among them.
    pub fn with_columns(&self, columns: Vec<Column>) -> Self {
        let mut schema = Self::of_columns(&self.name, &self.description, self.parent.as_deref(), self.scopes, columns);
        schema.origin.clone_from(&self.origin);
        schema.divided_by.clone_from(&self.divided_by);
        schema
    }

    /// The names of the key's columns in the table's order; empty in write mode `append`.
    pub fn key(&self) -> Vec<&str> {
        self.columns.iter().filter(|column| column.key).map(|column| column.name.as_str()).collect()
    }

    /// A column by name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The Arrow schema with CloudQuery's metadata; the same allocation each time.
    pub fn arrow(&self) -> SchemaRef {
        SchemaRef::clone(&self.arrow)
    }

    /// Makes sure that a batch has the table's columns, by name and type.
    pub fn check_columns(&self, batch: &RecordBatch) -> Result<()> {
        let (ours, theirs) = (self.arrow(), batch.schema_ref());
        if Arc::ptr_eq(&ours, theirs) {
            return Ok(());
        }
        let same = |(ours, theirs): (&FieldRef, &FieldRef)| {
            ours.name() == theirs.name() && ours.data_type() == theirs.data_type()
        };
        let fields = ours.fields().iter().zip(theirs.fields());
        let first = fields.take_while(|pair| same(*pair)).count();
        let shown = |field: Option<&FieldRef>| match field {
            Some(field) => format!("{} ({})", field.name(), type_name(field.data_type())),
            None => "no further column".to_owned(),
        };
        let (ours, theirs) = (ours.fields().get(first), theirs.fields().get(first));
        if ours.is_none() && theirs.is_none() {
            return Ok(());
        }
        Err(Error::fatal(format!(
            "a batch of {} has other columns than its table, {} instead of {}; this is a bug in its connector",
            self.name,
            shown(theirs),
            shown(ours),
        )))
    }

    fn to_arrow(&self) -> Schema {
        let fields: Vec<Field> = self.columns.iter().map(Column::field).collect();
        let sensitive: Vec<&str> =
            self.columns.iter().filter(|column| column.sensitive).map(|column| column.name.as_str()).collect();
        let mut metadata = HashMap::from([
            ("cq:table_name".to_owned(), self.name.clone()),
            ("cq:table_description".to_owned(), self.description.clone()),
            ("cq:table_title".to_owned(), String::new()),
            ("cq:table_depends_on".to_owned(), self.parent.clone().unwrap_or_default()),
            ("cq:extension:constraint_name".to_owned(), format!("{}_cqpk", self.name)),
        ]);
        if !sensitive.is_empty() {
            metadata.insert("cq:table_sensitive_columns".to_owned(), serde_json::json!(sensitive).to_string());
        }
        Schema::new_with_metadata(fields, metadata)
    }
}
