//! How a database is reached, and the DuckDB files that this process has open: a file must be opened once only, whoever
//! uses it, because DuckDB's lock does not keep a process from opening it again.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use adbc_core::options::{InfoCode, OptionConnection, OptionDatabase, OptionValue};
use adbc_core::{Connection, Database, Driver};
use adbc_driver_manager::{ManagedConnection, ManagedDatabase, ManagedDriver};
use headwater_sdk::arrow::array::{Array, AsArray, UInt32Array};
use headwater_sdk::{Error, Result};
use secrecy::{ExposeSecret, SecretString};

use crate::dialect::Dialect;
use crate::driver::{DUCKDB_ENTRYPOINT, LIBDUCKDB, find_libduckdb, load};
use crate::errors::Shown;
use crate::location::Location;
use crate::session::Session;
use crate::spec::Options;

/// How a database is reached.
pub struct Connect {
    /// What it is called in errors.
    pub place: String,
    /// The driver; none for DuckDB's library, which is looked for.
    pub driver: Option<String>,
    pub entrypoint: Option<String>,
    pub options: Options,
    pub connection_options: Options,
    /// The dialect, where the spec names it.
    pub dialect: Option<Dialect>,
    /// DuckDB's file, and where its library is.
    pub file: Option<DuckdbFile>,
}

/// What destination `duckdb` knows of its database.
pub struct DuckdbFile {
    pub location: Location,
    pub library: Option<PathBuf>,
}

/// A file that is open in this process.
#[derive(Default)]
struct Open {
    database: Option<ManagedDatabase>,
    users: usize,
}

type Slot = Arc<Mutex<Open>>;

static FILES: LazyLock<Mutex<HashMap<PathBuf, Slot>>> = LazyLock::new(Mutex::default);

/// Keeps a database open; it is closed with the last of them.
pub struct Opened {
    slot: Option<Slot>,
    database: Option<ManagedDatabase>,
}

impl Drop for Opened {
    fn drop(&mut self) {
        let Some(slot) = self.slot.take() else { return };
        // Nobody opens the file again before it is closed.
        let mut open = slot.lock().unwrap_or_else(PoisonError::into_inner);
        self.database = None;
        open.users -= 1;
        if open.users == 0 {
            open.database = None;
        }
    }
}

impl Connect {
    /// The dialect, told by the spec or by the driver's name.
    pub fn dialect(&self) -> Result<Dialect> {
        // Not by the folders above it, which may be called like anything.
        let stem =
            |name: &String| Path::new(name).file_stem().and_then(|stem| Dialect::of_name(&stem.to_string_lossy()));
        let named = |name: &Option<String>| name.as_ref().and_then(stem);
        let found = self.dialect.or_else(|| named(&self.driver)).or_else(|| named(&self.entrypoint));
        found.ok_or_else(|| {
            Error::fatal(format!(
                "`driver: {}` does not tell whose SQL its database speaks; set `dialect` to one of {}, which are those \
                 that are known here",
                self.driver.as_deref().unwrap_or_default(),
                Dialect::NAMES
            ))
        })
    }

    /// What is said about it, and what is not.
    pub fn shown(&self) -> Shown {
        Shown::new(self.place.clone(), self.options.iter().chain(&self.connection_options))
    }

    /// Opens the database and a connection. Blocks.
    pub fn open(&self, shown: &Arc<Shown>) -> Result<(Session, Opened)> {
        let Some(file) = &self.file else {
            let database = self.open_database(shown, &[])?;
            let mut session = self.connect(&database, shown)?;
            self.ensure_lasting(&mut session)?;
            return Ok((session, Opened { slot: None, database: Some(database) }));
        };
        let slot = slot(file);
        let mut open = slot.lock().unwrap_or_else(PoisonError::into_inner);
        let database = match &open.database {
            Some(database) => database.clone(),
            None => self.open_database(shown, &[("path", &file.location.path().display().to_string())])?,
        };
        let session = self.connect(&database, shown)?;
        open.database = Some(database.clone());
        open.users += 1;
        drop(open);
        Ok((session, Opened { slot: Some(slot), database: Some(database) }))
    }

    /// Reads from the database, which is not changed. Blocks.
    pub fn read<T>(&self, shown: &Arc<Shown>, work: impl FnOnce(&mut Session) -> Result<T>) -> Result<T> {
        let Some(file) = &self.file else {
            let (mut session, _opened) = self.open(shown)?;
            return work(&mut session);
        };
        let slot = slot(file);
        // Nobody opens the file to write before this is done.
        let open = slot.lock().unwrap_or_else(PoisonError::into_inner);
        let database = match &open.database {
            Some(database) => database.clone(),
            None => {
                let path = file.location.path().display().to_string();
                self.open_database(shown, &[("path", &path), ("access_mode", "READ_ONLY")])?
            }
        };
        let mut session = self.connect(&database, shown)?;
        work(&mut session)
    }

    /// Opens another connection to a database that is open. Blocks.
    pub fn again(&self, opened: &Opened, shown: &Arc<Shown>) -> Result<Session> {
        match &opened.database {
            Some(database) => self.connect(database, shown),
            None => Err(Error::destination(format!("{}: the database is closed", shown.place))),
        }
    }

    fn connect(&self, database: &ManagedDatabase, shown: &Arc<Shown>) -> Result<Session> {
        let options = self.connection_options.iter();
        let options = options.map(|(key, value)| (OptionConnection::from(key.as_str()), text(value)));
        let connection = database.new_connection_with_opts(options).map_err(|error| shown.explain(&error))?;
        self.check_vendor(&connection, shown)?;
        Ok(Session::new(connection, self.dialect()?, Arc::clone(shown)))
    }

    /// Loads the driver.
    pub fn load(&self) -> Result<ManagedDriver> {
        if let Some(driver) = &self.driver {
            return load(driver, self.entrypoint.as_deref());
        }
        let named = self.file.as_ref().and_then(|file| file.library.as_deref());
        let library = find_libduckdb(named, std::env::var_os(LIBDUCKDB))?;
        load(&library.display().to_string(), Some(DUCKDB_ENTRYPOINT))
    }

    fn open_database(&self, shown: &Arc<Shown>, more: &[(&str, &str)]) -> Result<ManagedDatabase> {
        let mut driver = self.load()?;
        let options = self.options.iter().map(|(key, value)| (OptionDatabase::from(key.as_str()), text(value)));
        let more = more.iter().map(|(key, value)| (OptionDatabase::from(*key), OptionValue::from(*value)));
        driver.new_database_with_opts(options.chain(more)).map_err(|error| shown.explain(&error))
    }

    /// An error where the database is in memory, as some drivers' are that are not told where it is.
    fn ensure_lasting(&self, session: &mut Session) -> Result<()> {
        let sql = match self.dialect()? {
            Dialect::Duckdb => "SELECT path FROM duckdb_databases() WHERE database_name = current_database()",
            Dialect::Sqlite => "SELECT file FROM pragma_database_list WHERE name = 'main'",
            Dialect::Postgresql => return Ok(()),
        };
        let file = session.query(sql)?.into_iter().flatten().flatten().next();
        match file.is_some_and(|file| !file.is_empty()) {
            true => Ok(()),
            false => Err(Error::fatal(format!(
                "{}: the database is in memory, and its tables would be gone when the sync ends; name its file in \
                 `options`, such as `uri: ./cloud.db`",
                self.place
            ))),
        }
    }

    /// Whether the database is the one whose SQL is spoken, as far as the driver tells.
    fn check_vendor(&self, connection: &ManagedConnection, shown: &Shown) -> Result<()> {
        let dialect = self.dialect()?;
        let Some(vendor) = vendor(connection) else { return Ok(()) };
        match Dialect::of_name(&vendor) {
            Some(found) if found != dialect => Err(Error::destination(format!(
                "{}: the driver is of {}, and not of {}; set `dialect`",
                shown.place,
                found.product(),
                dialect.product()
            ))),
            _ => Ok(()),
        }
    }
}

/// Who has a file open.
fn slot(file: &DuckdbFile) -> Slot {
    let mut files = FILES.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(files.entry(file.location.identity()).or_default())
}

fn text(value: &SecretString) -> OptionValue {
    OptionValue::String(value.expose_secret().to_owned())
}

/// The name of the database's product, where the driver tells it.
fn vendor(connection: &ManagedConnection) -> Option<String> {
    let reader = connection.get_info(Some(HashSet::from([InfoCode::VendorName]))).ok()?;
    // To the end: DuckDB's answer holds a transaction until then.
    let batches: Vec<_> = reader.filter_map(Result::ok).collect();
    let batch = batches.iter().find(|batch| batch.num_rows() > 0)?;
    let codes: &UInt32Array = batch.column(0).as_any().downcast_ref()?;
    let row = (0..codes.len()).find(|row| codes.value(*row) == u32::from(&InfoCode::VendorName))?;
    let value = batch.column(1).as_union_opt()?.value(row);
    value.as_string_opt::<i32>().map(|text| text.value(0).to_owned())
}
