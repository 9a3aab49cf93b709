//! A table of files: the columns that they have together, and a batch of one of them as one of the table's.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use headwater_sdk::arrow::array::{Array, ArrayRef, RecordBatch, StringArray, new_null_array};
use headwater_sdk::arrow::datatypes::{DataType, Field, FieldRef, SchemaRef};
use headwater_sdk::schema::{FIELD_ID, NATIVE, PARTS};
use headwater_sdk::text::nearest;
use headwater_sdk::{Column, ColumnType, Error, Extension, Result, TableSchema, type_names};

use crate::format::{Inferred, Kind, Options, Told, Wanted};
use crate::kinds::{common, convert, is_beyond, kind_of, reaches};
use crate::spec::TableSpec;
use crate::values::{self, ROW};

/// The metadata key by which files tell the key's columns.
const KEY: &str = "cq:extension:primary_key";
/// The metadata key by which files tell the table's name.
pub const NAME: &str = "cq:table_name";

/// A file of a table.
#[derive(Debug, Clone)]
pub struct DataFile {
    /// Where it is.
    pub path: PathBuf,
    /// What it is called within its table.
    pub unit: String,
    /// What it is.
    pub kind: Kind,
    /// The values that the names of its folders tell.
    pub partitions: Vec<(String, Option<String>)>,
}

/// A column of the table, and what it is called in the files.
#[derive(Debug, Clone)]
pub struct Mapped {
    /// In the files.
    pub name: String,
    /// In the table.
    pub column: Column,
}

/// A table.
#[derive(Debug)]
pub struct Found {
    /// As destinations see it.
    pub schema: TableSchema,
    /// Its own columns.
    pub columns: Vec<Mapped>,
    /// Its files.
    pub files: Vec<Arc<DataFile>>,
    /// How they are read.
    pub options: Options,
}

/// Something that is wrong: the way to it below the table's part of the spec, what, and what to do.
pub type Problem = (Vec<String>, String, Option<String>);

/// What the files say of one column together.
#[derive(Default)]
struct Seen {
    /// What its texts look like, where there are files of text.
    inferred: Option<(Inferred, String)>,
    /// The types that there are, each with a file of it.
    types: Vec<(ColumnType, String)>,
    nullable: bool,
    key: bool,
    native: Option<String>,
    field_id: Option<i32>,
    files: usize,
}

fn step(way: &[&str]) -> Vec<String> {
    way.iter().map(|step| (*step).to_owned()).collect()
}

/// The columns of all files, in the order in which they come.
struct Union {
    names: Vec<String>,
    seen: HashMap<String, Seen>,
    files: usize,
}

impl Union {
    fn of(files: &[(Arc<DataFile>, Told)]) -> Self {
        let mut union = Self { names: Vec::new(), seen: HashMap::new(), files: files.len() };
        for (file, told) in files {
            for (at, field) in told.schema.fields().iter().enumerate() {
                let inferred = told.inferred.as_ref().and_then(|inferred| inferred.get(at));
                union.add(file, field, inferred);
            }
            for (name, value) in &file.partitions {
                let seen = union.seen(name);
                seen.types.push((ColumnType::plain(DataType::Utf8), file.unit.clone()));
                seen.nullable |= value.is_none();
                seen.key = false;
            }
        }
        union
    }

    fn seen(&mut self, name: &str) -> &mut Seen {
        if !self.seen.contains_key(name) {
            self.names.push(name.to_owned());
        }
        let seen = self.seen.entry(name.to_owned()).or_insert_with(|| Seen { key: true, ..Seen::default() });
        seen.files += 1;
        seen
    }

    fn add(&mut self, file: &DataFile, field: &Field, inferred: Option<&Inferred>) {
        let seen = self.seen(field.name());
        seen.nullable |= field.is_nullable();
        let metadata = |key: &str| field.metadata().get(key).cloned();
        seen.key &= metadata(KEY).is_some_and(|flag| flag == "true");
        seen.native = metadata(NATIVE).filter(|native| seen.files == 1 || seen.native.as_ref() == Some(native));
        seen.field_id = seen.field_id.or_else(|| metadata(FIELD_ID)?.parse().ok());
        match inferred {
            Some(inferred) => match &mut seen.inferred {
                Some((all, _)) => *all = all.with(*inferred),
                none => *none = Some((*inferred, file.unit.clone())),
            },
            None => {
                let kind = kind_of(field);
                if !seen.types.iter().any(|(other, _)| *other == kind) {
                    seen.types.push((kind, file.unit.clone()));
                }
            }
        }
    }
}

/// Makes the table of files that could be read; `all` has also those that could not.
///
/// # Errors
/// What is wrong.
pub fn table(
    name: &str,
    files: &[(Arc<DataFile>, Told)],
    all: Vec<Arc<DataFile>>,
    spec: &TableSpec,
    options: Options,
) -> Result<Found, Vec<Problem>> {
    let mut union = Union::of(files);
    let mut problems: Vec<Problem> = Vec::new();
    for column in spec.columns.keys().chain(spec.key.iter().flatten()).filter(|name| !union.seen.contains_key(*name)) {
        let is_key = !spec.columns.contains_key(column);
        let way = if is_key { step(&["key"]) } else { step(&["columns", column]) };
        let help =
            nearest(column, union.names.iter().map(String::as_str)).map(|name| format!("did you mean `{name}`?"));
        problems.push((way, format!("no file of {name} has a column `{column}`"), help));
    }
    let mut columns: Vec<Mapped> = Vec::new();
    for column in std::mem::take(&mut union.names) {
        let Some(mut seen) = union.seen.remove(&column) else { continue };
        seen.nullable |= seen.files < union.files;
        match mapped(name, &column, seen, spec) {
            Ok(mapped) if columns.iter().any(|other| other.column.name == mapped.column.name) => {
                let message = format!("two columns would be called `{}`", mapped.column.name);
                problems.push((step(&["columns", &column, "name"]), message, None));
            }
            Ok(mapped) => columns.push(mapped),
            Err(problem) => problems.push(problem),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let own = columns.iter().map(|mapped| mapped.column.clone()).collect();
    let mut schema = TableSchema::of_database(name, "", PARTS, own);
    schema.origin = "files".to_owned();
    Ok(Found { schema, columns, files: all, options })
}

/// A column, by what the files have and what is said of it.
fn mapped(table: &str, name: &str, seen: Seen, spec: &TableSpec) -> Result<Mapped, Problem> {
    let nothing = Default::default();
    let said = spec.columns.get(name).unwrap_or(&nothing);
    let at = |key: &str| step(&["columns", name, key]);
    let declared = said.kind.as_deref().map(type_names::parse).transpose().map_err(|why| (at("type"), why, None))?;
    let mut types = seen.types;
    if let Some((inferred, unit)) = seen.inferred {
        let kind = if declared.is_some() { ColumnType::plain(DataType::Utf8) } else { inferred.kind() };
        types.push((kind, unit));
    }
    let kind = match declared {
        Some(declared) => {
            if let Some((other, unit)) =
                types.iter().find(|(kind, _)| !reaches(kind, &declared) && kind.data_type != DataType::Null)
            {
                let message = format!("{} of {unit} cannot be read as {} without loss", other.name(), declared.name());
                return Err((at("type"), message, Some("choose a wider type, or utf8".to_owned())));
            }
            declared
        }
        None => {
            let mut kind = (ColumnType::plain(DataType::Null), String::new());
            for (other, unit) in types {
                let Some(wider) = common(&kind.0, &other) else {
                    let message = format!(
                        "the column `{name}` of {table} is {} in {} and {} in {unit}, and no type has the values of both",
                        kind.0.name(),
                        kind.1,
                        other.name(),
                    );
                    let help = format!("say what it is read as: `columns: {{ {name}: {{ type: utf8 }} }}`");
                    return Err((step(&["columns", name]), message, Some(help)));
                };
                let unit = if wider == kind.0 { kind.1 } else { unit };
                kind = (wider, unit);
            }
            kind.0
        }
    };
    if is_beyond(&kind.data_type) {
        let message = format!("the column `{name}` of {table} is {}, which cannot be read", kind.name());
        return Err((step(&["columns", name]), message, None));
    }
    let kind = if kind.data_type == DataType::Null { ColumnType::plain(DataType::Utf8) } else { kind };
    let mut column = Column::new(said.name.as_deref().unwrap_or(name), kind, "");
    column.origin = format!("`{name}`");
    column.key = spec.key.as_ref().map_or(seen.key, |key| key.iter().any(|key| key == name));
    column.nullable = said.nullable.unwrap_or(seen.nullable) && !column.key;
    column.native = seen.native.filter(|_| said.kind.is_none());
    column.field_id = said.field_id.or(seen.field_id);
    Ok(Mapped { name: name.to_owned(), column })
}

/// How the batches of one file become batches of its table.
pub struct Mapping {
    columns: Vec<(Mapped, FieldRef, From)>,
    rows: usize,
}

/// Where a column's values come from.
enum From {
    /// From the file, at a place.
    File(usize, FieldRef),
    /// From a folder's name.
    Folder(String),
    /// From nowhere.
    Nowhere,
}

impl Found {
    /// The columns that are read of a file of text.
    pub fn wanted(&self, file: &DataFile) -> Vec<Wanted> {
        let wanted = |mapped: &Mapped| Wanted {
            name: mapped.name.clone(),
            json: mapped.column.kind.extension == Some(Extension::Json),
        };
        let is_told = |mapped: &&Mapped| file.partitions.iter().any(|(name, _)| *name == mapped.name);
        self.columns.iter().filter(|mapped| !is_told(mapped)).map(wanted).collect()
    }

    /// How batches of a schema become batches of the table.
    ///
    /// # Errors
    /// If the file has become another since the table was found.
    pub fn mapping(&self, file: &DataFile, schema: &SchemaRef) -> Result<Mapping> {
        let changed = |what: String| {
            Error::fatal(format!("the file was changed since the table's columns were found: {what}; sync again"))
        };
        let by_name: BTreeMap<&str, &Mapped> =
            self.columns.iter().map(|mapped| (mapped.name.as_str(), mapped)).collect();
        for field in schema.fields() {
            let Some(mapped) = by_name.get(field.name().as_str()) else {
                return Err(changed(format!("it has a new column `{}`", field.name())));
            };
            let (from, to) = (kind_of(field), &mapped.column.kind);
            if !reaches(&from, to) && from.data_type != DataType::Null {
                return Err(changed(format!("`{}` is {} now, instead of {}", field.name(), from.name(), to.name())));
            }
        }
        let columns = self.columns.iter().map(|mapped| {
            let from = match (
                schema.column_with_name(&mapped.name),
                file.partitions.iter().find(|(name, _)| *name == mapped.name),
            ) {
                (Some((at, field)), _) => From::File(at, Arc::new(field.clone())),
                (None, Some((_, Some(value)))) => From::Folder(value.clone()),
                (None, _) => From::Nowhere,
            };
            (mapped.clone(), Arc::new(mapped.column.field()), from)
        });
        Ok(Mapping { columns: columns.collect(), rows: 0 })
    }
}

impl Mapping {
    /// The table's columns of a batch of the file.
    ///
    /// # Errors
    /// If a value is none of its column's type, or missing where none may be.
    pub fn apply(&mut self, batch: &RecordBatch) -> Result<Vec<ArrayRef>> {
        let (rows, before) = (batch.num_rows(), self.rows);
        self.rows += rows;
        let columns = self.columns.iter().map(|(mapped, to, from)| {
            let array = match from {
                From::File(at, field) => convert(field, to, batch.column(*at)),
                From::Folder(value) => values::parse(StringArray::new_repeated(value, rows), &mapped.column.kind),
                From::Nowhere => Ok(new_null_array(to.data_type(), rows)),
            };
            let array =
                array.map_err(|error| of_row(error, before).while_doing(format_args!("column {}", mapped.name)))?;
            if !mapped.column.nullable && array.logical_null_count() > 0 {
                let row = array.logical_nulls().and_then(|nulls| (0..rows).find(|row| nulls.is_null(*row)));
                let row = before + row.unwrap_or_default() + 1;
                let why = if mapped.column.key { "it is part of the key" } else { "it is said never to be" };
                return Err(Error::fatal(format!("column {}: {ROW}{row}: a value is missing, and {why}", mapped.name)));
            }
            Ok(array)
        });
        columns.collect()
    }
}

/// The same error with the row's number in the file, counted from 1.
fn of_row(mut error: Error, before: usize) -> Error {
    for step in &mut error.context {
        if let Some(row) = step.strip_prefix(ROW).and_then(|row| row.parse::<usize>().ok()) {
            *step = format!("{ROW}{}", before + row + 1);
        }
    }
    error
}
