//! The command line. Results go to standard output; progress, logs and errors go to standard error.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand, ValueEnum};
use headwater_sdk::text::nearest;
use headwater_sdk::{Budget, Connector, Destination, Timestamp, task};

use crate::builtin::{Builtin, Registry};
use crate::columns::Shapes;
use crate::config::diagnostic::Diagnostics;
use crate::config::{self, Configuration};
use crate::progress::live::Live;
use crate::progress::log::{self, LogFormat};
use crate::progress::plain::Plain;
use crate::progress::{Progress, Quiet};
use crate::report::Spool;
use crate::shard::Shard;
use crate::state::{Place, Run, State, StateError};
use crate::sync::stop::Stop;
use crate::tables::{self, TableDoc};
use crate::text::{parse_bytes, plural};
use crate::{check, init, pipeline, plan, report, schema, state, summary, sync};

/// Something failed.
const FAILED: u8 = 1;
/// The configuration or the command line is wrong; nothing was done.
const CONFIGURATION: u8 = 2;

/// Moves data from APIs to files and databases.
#[derive(Debug, Parser)]
#[command(name = "headwater", version, about, arg_required_else_help = true)]
#[command(after_help = "Exit codes: 0 all well, 1 failed, 2 wrong configuration or command line, 3 failed in part.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Say more: what is done, and with -vv and -vvv in more detail.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// How log lines and progress are written where no terminal shows them.
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    log_format: LogFormat,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Read all sources and write their rows to the destinations.
    Sync(SyncArguments),
    /// Show tables: their columns, keys, and what they are read from.
    Tables {
        /// Connectors, or configuration files and folders; without any, all connectors.
        #[arg(value_name = "SOURCE|FILE|FOLDER")]
        of: Vec<PathBuf>,
        #[arg(long, value_name = "FORMAT", default_value = "markdown")]
        format: TablesFormat,
        /// Of a configuration: all tables of its connectors, or only those that it selects.
        #[arg(long, value_name = "WHICH", default_value = "all")]
        filter: Filter,
        /// Write each table to a file of its own in this folder.
        #[arg(long, value_name = "FOLDER")]
        output_dir: Option<PathBuf>,
    },
    /// Check a configuration and try its connections; changes nothing.
    Check {
        /// Configuration files, or folders of *.yml and *.yaml files.
        #[arg(required = true, value_name = "FILE|FOLDER")]
        configuration: Vec<PathBuf>,
    },
    /// Show what a sync would do to the destinations' tables; changes nothing. With -v, the columns of new tables.
    Plan {
        /// Configuration files, or folders of *.yml and *.yaml files.
        #[arg(required = true, value_name = "FILE|FOLDER")]
        configuration: Vec<PathBuf>,
        #[arg(long, value_name = "FORMAT", default_value = "text")]
        format: PlanFormat,
    },
    /// Do what `plan` shows, and no more: the destinations' tables are made ready, and no row is written.
    Migrate {
        /// Configuration files, or folders of *.yml and *.yaml files.
        #[arg(required = true, value_name = "FILE|FOLDER")]
        configuration: Vec<PathBuf>,
    },
    /// Run a pipeline on rows in files, without servers, and compare what comes of it with what should.
    ///
    /// A folder has the configuration, `input/SOURCE/TABLE.jsonl` for what each source reads, and
    /// `expected/DESTINATION/TABLE.jsonl` for what each destination gets.
    Test {
        /// Folders of tests, or folders of such folders.
        #[arg(required = true, value_name = "FOLDER")]
        folders: Vec<PathBuf>,
        /// The configuration, where it is not in the folder of the test itself.
        #[arg(long, value_name = "FILE|FOLDER")]
        pipeline: Vec<PathBuf>,
        /// Write what comes as what is expected.
        #[arg(long)]
        update: bool,
    },
    /// Write a configuration to start from.
    Init {
        /// What is to be read, such as aws.
        source: String,
        /// Where to write it; a file that is there already is left as it is.
        #[arg(default_value = init::DEFAULT_FILE)]
        file: PathBuf,
    },
    /// Print the JSON Schema of the configuration, for editors.
    Schema,
}

#[derive(Debug, clap::Args)]
struct SyncArguments {
    /// Configuration files, or folders of *.yml and *.yaml files.
    #[arg(required = true, value_name = "FILE|FOLDER")]
    configuration: Vec<PathBuf>,
    /// Write what was done to this file, as JSON, also when it failed.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Take the destinations' tables as they are.
    #[arg(long)]
    no_migrate: bool,
    /// Show no progress, only the summary.
    #[arg(short, long)]
    quiet: bool,
    /// The memory that rows may take on their way, from the API's answer to the destination's buffers; calls wait
    /// while it is used up.
    #[arg(long, value_name = "SIZE", default_value = "512MiB", value_parser = parse_bytes)]
    memory: u64,
    /// Read only the I-th of N parts of the units, counted from 1: `2/8`. With N alone, the variable
    /// JOB_COMPLETION_INDEX of a Kubernetes Indexed Job says which, counted from 0.
    #[arg(long, value_name = "I/N")]
    shard: Option<String>,
    /// Stop at the first failure.
    #[arg(long)]
    fail_fast: bool,
    /// Go on with a sync of this configuration that did not come to its end: what it has committed is not read
    /// again. Without one, a new sync begins.
    #[arg(long)]
    resume: bool,
    /// Where a sync notes what it has committed: a file, `@NAME` for the destination of that name, or `none`.
    /// Default: a file below $XDG_STATE_HOME/headwater.
    #[arg(long, value_name = "FILE|@NAME|none")]
    state: Option<Place>,
    /// Tell the slowest units at the end, and what they waited for.
    #[arg(long)]
    explain_slow: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TablesFormat {
    Markdown,
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Filter {
    All,
    Spec,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PlanFormat {
    Text,
    Json,
}

/// Runs a command line and answers the exit code.
pub fn main(arguments: impl IntoIterator<Item = OsString>, registry: &Registry) -> u8 {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and the version are no mistakes; clap knows which is which. A closed pipe cannot be told.
            let _ = error.print();
            return if error.use_stderr() { CONFIGURATION } else { 0 };
        }
    };
    log::start(cli.log_format, cli.verbose);
    run(cli, registry).unwrap_or_else(|error| {
        if is_closed_pipe(&error) {
            return 0;
        }
        match error.downcast_ref::<Diagnostics>() {
            Some(diagnostics) => eprintln!("{diagnostics}"),
            None => eprintln!("error: {error:#}"),
        }
        match error.downcast_ref::<Diagnostics>() {
            Some(diagnostics) if diagnostics.are_failures() => FAILED,
            Some(_) => CONFIGURATION,
            None if error.is::<Misuse>() => CONFIGURATION,
            None => FAILED,
        }
    })
}

/// Whoever read the output, such as `head`, has read enough.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// A command line that asks for what cannot be done.
#[derive(Debug)]
struct Misuse(String);

impl std::fmt::Display for Misuse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Misuse {}

fn run(cli: Cli, registry: &Registry) -> Result<u8> {
    match cli.command {
        Command::Sync(arguments) => {
            if let Some(report) = &arguments.report {
                report::check(report).map_err(|error| Misuse(error.to_string()))?;
            }
            let variable = |name: &str| std::env::var(name).ok();
            let shard = arguments.shard.as_deref().map(|text| Shard::parse(text, variable)).transpose();
            let options = sync::Options {
                no_migrate: arguments.no_migrate,
                memory: Budget::new(arguments.memory),
                shard: shard.map_err(Misuse)?,
                fail_fast: arguments.fail_fast,
            };
            let configuration = load(&arguments.configuration, registry)?;
            let progress = progress(arguments.quiet, cli.log_format);
            run_sync(configuration, &arguments, options, progress, cli.verbose > 0)
        }
        Command::Tables { of, format, filter, output_dir } => {
            let docs = find_tables(&of, filter, registry)?;
            let json = format == TablesFormat::Json;
            match output_dir {
                Some(folder) => tables::write_files(&docs, &folder, json)?,
                None if json => print(format!("{}\n", tables::json(&docs)?))?,
                None => print(tables::markdown(&docs))?,
            }
            Ok(0)
        }
        Command::Check { configuration } => {
            let configuration = load(&configuration, registry)?;
            let runtime = runtime()?;
            let mut told = Vec::new();
            let well = runtime.block_on(check::check(&configuration, &mut told))?;
            runtime.shutdown_background();
            ended(print(&told), if well { 0 } else { FAILED })
        }
        Command::Plan { configuration, format } => {
            run_plan(load(&configuration, registry)?, false, format, cli.verbose > 0)
        }
        Command::Migrate { configuration } => {
            run_plan(load(&configuration, registry)?, true, PlanFormat::Text, cli.verbose > 0)
        }
        Command::Test { folders, pipeline, update } => run_tests(&folders, &pipeline, update),
        Command::Init { source, file } => {
            let (name, file) = (source.as_str(), file.as_path());
            init::init(name, file).map_err(|error| Misuse(format!("{error:#}")))?;
            let shown = file.display();
            print(format!(
                "{shown} is written. Look through it, then:\n\n  headwater check {shown}\n  headwater sync {shown}\n"
            ))?;
            Ok(0)
        }
        Command::Schema => {
            print(format!("{}\n", serde_json::to_string_pretty(&schema::schema(registry))?))?;
            Ok(0)
        }
    }
}

fn run_tests(paths: &[PathBuf], pipeline: &[PathBuf], update: bool) -> Result<u8> {
    let runtime = runtime()?;
    let mut failed = 0;
    let mut printed = Ok(());
    let mut all = Vec::new();
    for path in paths {
        all.extend(pipeline::folders(path).map_err(|error| Misuse(format!("{error:#}")))?);
    }
    for folder in &all {
        let verdict = runtime.block_on(pipeline::run(folder, pipeline, Registry::builtin(), update))?;
        failed += usize::from(!verdict.passed);
        printed = printed.and(print(verdict.text));
    }
    runtime.shutdown_background();
    if all.len() > 1 {
        let text = format!("{}: {} passed, {failed} failed\n", plural(all.len(), "test"), all.len() - failed);
        printed = printed.and(print(text));
    }
    ended(printed, if failed == 0 { 0 } else { FAILED })
}

fn load(paths: &[PathBuf], registry: &Registry) -> Result<Configuration> {
    // A variable that is not UTF-8 is as good as not set: no value of a configuration could hold it.
    Ok(config::load(paths, registry, &|name| std::env::var(name).ok())?)
}

fn print(text: impl AsRef<[u8]>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_ref())?;
    out.flush()
}

/// The exit code of what was done and then printed: whoever reads only the beginning of it does not change how it ended.
fn ended(printed: io::Result<()>, code: u8) -> Result<u8> {
    match printed {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(code),
    }
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    more_files();
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("the threads cannot be started")
}

/// Allows this process as many open files as it may have: each connection and each file that is written is one, and the
/// usual limit is that of old programs.
fn more_files() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let limit = getrlimit(Resource::Nofile);
        if limit.current != limit.maximum {
            // Where it is not allowed, the usual limit has to do.
            let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
        }
    }
}

/// A terminal gets the live table; so does not one whose lines would be read by a program.
fn progress(quiet: bool, format: LogFormat) -> Arc<dyn Progress> {
    if quiet {
        return Arc::new(Quiet);
    }
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    if io::stderr().is_terminal() && !dumb && format == LogFormat::Text {
        return Arc::new(Live::default());
    }
    Arc::new(Plain::new(format))
}

fn run_sync(
    configuration: Configuration,
    arguments: &SyncArguments,
    options: sync::Options,
    progress: Arc<dyn Progress>,
    verbose: bool,
) -> Result<u8> {
    let names = configuration.destinations.iter().map(|destination| destination.spec.name.clone()).collect();
    let spool = arguments.report.is_some().then(|| Spool::new(names)).transpose()?.map(Arc::new);
    let runtime = runtime()?;
    let stop = Stop::default();
    let outcome = runtime.block_on(async {
        stop.on_signals().context("signals cannot be waited for")?;
        let run = begin(&configuration, arguments, &options).await?;
        let keeping = sync::Keeping { run, spool: spool.clone() };
        // Not on this thread, which is none of the workers: each unit's end would be told to another processor.
        anyhow::Ok(task::own(sync::run(configuration, options, keeping, progress, stop)).await)
    })?;
    // What a dropped unit has left running is not waited for.
    runtime.shutdown_background();
    let code = outcome.verdict().exit_code();
    // The report comes first: a summary that nobody reads must not keep it from being written.
    let reported = match (&arguments.report, &spool) {
        (Some(path), Some(spool)) => report::write(path, &outcome, spool),
        _ => Ok(()),
    };
    let telling = summary::Telling { verbose, slow: arguments.explain_slow };
    let printed = print(format!("{}\n", summary::summary(&outcome, telling)));
    if let Err(error) = reported {
        eprintln!("error: {error:#}");
        return Ok(if code == 0 { FAILED } else { code });
    }
    ended(printed, code)
}

fn run_plan(configuration: Configuration, carry_out: bool, format: PlanFormat, verbose: bool) -> Result<u8> {
    let runtime = runtime()?;
    let plans = runtime.block_on(plan::plan(configuration, carry_out));
    runtime.shutdown_background();
    let code = if plans.iter().all(plan::DestinationPlan::is_well) { 0 } else { FAILED };
    let printed = print(match format {
        PlanFormat::Text => plans.iter().map(|plan| plan.text(verbose)).collect::<String>(),
        PlanFormat::Json => {
            let plans: Vec<_> = plans.iter().map(plan::DestinationPlan::json).collect();
            format!("{}\n", serde_json::to_string_pretty(&plans)?)
        }
    });
    ended(printed, code)
}

/// Begins a run, or takes up the one that was interrupted.
async fn begin(configuration: &Configuration, arguments: &SyncArguments, options: &sync::Options) -> Result<Arc<Run>> {
    let misuse = |error: StateError| match error {
        StateError::Misuse(text) => anyhow::Error::new(Misuse(text)),
        StateError::Busy(text) | StateError::Failed(text) => anyhow::anyhow!(text),
    };
    let destinations: Vec<(&str, &dyn Destination)> = configuration
        .destinations
        .iter()
        .map(|destination| (destination.spec.name.as_str(), &*destination.target))
        .collect();
    // Before the state, for which a destination may already be opened.
    for destination in &configuration.destinations {
        destination.target.use_memory(&options.memory);
    }
    let key = state::key::key(&arguments.configuration, options.shard.as_ref());
    let place = arguments.state.clone().unwrap_or_default();
    let state = State::open(&place, &key, &destinations).await.map_err(misuse)?;
    let fingerprint = configuration.fingerprint();
    if !arguments.resume && configuration.adds_what_is_new() && state.is_interrupted(&fingerprint).await {
        bail!(Misuse(
            "the last sync was interrupted, and may have added new rows without having noted how far it came: go on with \
             `--resume`, so that none of them comes twice\n  = with `write_mode: overwrite` rows that come twice would \
             replace themselves"
                .to_owned()
        ));
    }
    let run = state.begin(Timestamp::now(), &fingerprint, arguments.resume).await.map_err(misuse)?;
    if arguments.resume && !run.resumed {
        tracing::warn!("there is no interrupted sync of this configuration to go on with; a new one begins");
    }
    Ok(Arc::new(run))
}

fn find_tables(of: &[PathBuf], filter: Filter, registry: &Registry) -> Result<Vec<TableDoc>> {
    let mut docs = Vec::new();
    if of.is_empty() {
        // The tables of the others depend on a configuration.
        for builtin in registry.sources.iter().filter(|builtin| Registry::tables(builtin).is_some()) {
            docs.extend(tables_of(builtin)?);
        }
    }
    for name in of {
        let shown = name.to_string_lossy();
        if let Some(builtin) = registry.source(&shown) {
            docs.extend(tables_of(builtin)?);
        } else if name.exists() {
            let Configuration { sources, destinations, .. } = load(std::slice::from_ref(name), registry)?;
            for source in sources {
                let roots = match filter {
                    Filter::All => source.all.clone(),
                    Filter::Spec => source.tables.clone(),
                };
                docs.extend(tables::docs(&source.spec.name, &roots, &source.shapes));
                docs.extend(tables::transformed(&source, &roots, &destinations));
            }
        } else {
            let names: Vec<&str> = registry.sources.iter().map(|builtin| builtin.name).collect();
            let hint = match nearest(&shown, names.iter().copied()) {
                Some(nearest) => format!("did you mean `{nearest}`?"),
                None => format!("connectors are: {}", names.join(", ")),
            };
            bail!(Misuse(format!("`{shown}` is neither a connector nor a file\n  = {hint}")));
        }
    }
    Ok(docs)
}

fn tables_of(builtin: &Builtin<dyn Connector>) -> Result<Vec<TableDoc>> {
    let name = builtin.name;
    let Some(roots) = Registry::tables(builtin) else {
        bail!(Misuse(format!("the tables of {name} depend on its `spec`: name a configuration file that has one")));
    };
    Ok(tables::docs(name, &roots, &Shapes::default()))
}
