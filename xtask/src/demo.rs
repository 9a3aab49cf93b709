//! `cargo xtask demo`: the real binary syncs a local AWS, with a believable estate in it, to SQLite and Parquet.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use headwater_e2e::{LocalAws, Settings, isolate, unsupported};
use serde_json::Value;

use crate::binary;
use crate::process::{Steps, both, checked, output_of, status_of};
use crate::python::{self, Packages};
use crate::root::root;

/// The files of the demo, below its folder.
const CONFIGURATION: &str = "headwater.yaml";
const DATABASE: &str = "aws.db";

/// What `cargo xtask demo` is told.
#[derive(clap::Args)]
pub struct Arguments {
    /// Where the configuration, the database and the Parquet files go [default: `demo` in cargo's target folder]
    folder: Option<PathBuf>,
    /// Read only these tables, and show their rows: `aws_ec2_vpcs`, `aws_s3_*` (may be repeated)
    #[arg(long, value_name = "PATTERN")]
    table: Vec<String>,
    /// Keep the local AWS until Enter is pressed, to try other configurations
    #[arg(long)]
    stay: bool,
}

/// Runs the demo.
pub fn run(arguments: &Arguments) -> Result<()> {
    let target = binary::target_folder()?;
    let folder = arguments.folder.clone().unwrap_or_else(|| target.join("demo"));
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let folder = fs::canonicalize(&folder)?;
    let steps = Steps::begin();

    // Compiling takes most of the time, so all else that does not need the binary is done meanwhile.
    let (binary, (python, aws)) = both(
        || steps.step("compile", binary::build),
        || {
            let python = steps.step("install moto and boto3", || python::prepare(&target, Packages::Aws))?;
            let settings = Settings { managed_policies: true };
            let aws = steps.step("start the local AWS", || LocalAws::start(&python, settings))?;
            steps.step("build the estate", || aws.build_estate(false))?;
            Ok((python, aws))
        },
    )?;
    let configuration = configuration(&binary, &aws, &arguments.table)?;
    let file = folder.join(CONFIGURATION);
    fs::write(&file, configuration).with_context(|| format!("cannot write {}", file.display()))?;

    println!("$ cd {} && headwater sync {CONFIGURATION}", folder.display());
    // It runs in the demo's folder, so that the configuration's paths are as short as one would write them.
    let mut sync = Command::new(&binary);
    // The state of the run is kept beside the rest of the demo, not where that of real syncs is.
    isolate(&mut sync).args(["sync", CONFIGURATION]).env("XDG_STATE_HOME", &folder).current_dir(&folder);
    let status = steps.step("sync", || status_of(&mut sync))?;
    match status.code() {
        Some(0) => {}
        Some(2) => bail!("headwater refused the configuration {}, and said why above", file.display()),
        _ => bail!("headwater failed ({status}), and said why above; moto's log ends with:\n{}", aws.log_tail()),
    }
    let mut show = Command::new(&python);
    show.arg(root().join("xtask/show.py")).arg(folder.join(DATABASE)).args(&arguments.table).stdin(Stdio::null());
    checked(&mut show)?;
    if arguments.stay {
        stay(&binary, &folder, &aws)?;
    }
    drop(aws);
    print!("{}", outlook(&binary, &folder, &steps));
    Ok(())
}

/// The configuration: all tables but those that the local AWS has no answer for.
fn configuration(binary: &Path, aws: &LocalAws, patterns: &[String]) -> Result<String> {
    let tables = output_of(Command::new(binary).args(["tables", "aws", "--format", "json"]))?;
    let tables: Vec<Value> = serde_json::from_str(&tables).context("`headwater tables` wrote no JSON")?;
    let known = |name: &&str| tables.iter().any(|table| table["name"] == **name);
    let skipped: Vec<&str> = unsupported().into_iter().filter(known).collect();
    let patterns = if patterns.is_empty() { vec!["*".to_owned()] } else { patterns.to_vec() };
    if let Some(pattern) = patterns.iter().find(|pattern| skipped.contains(&pattern.as_str())) {
        bail!("moto, the local AWS, does not answer the calls of {pattern}: e2e/unsupported.txt lists such tables");
    }
    Ok(format!(
        "# The local AWS is gone when the demo ends: this file is to be read, and to be changed for a real account.\n\
         kind: source\n\
         spec:\n\
         \x20 name: aws\n\
         \x20 path: aws\n\
         \x20 tables: {tables}\n\
         \x20 # What this version of moto does not know.\n\
         \x20 skip_tables: {skipped}\n\
         \x20 skip_dependent_tables: false\n\
         \x20 destinations: [sqlite, parquet]\n\
         \x20 spec:\n\
         \x20   regions: [us-east-1, eu-west-1]\n\
         \x20   custom_endpoint_url: {endpoint}\n\
         \x20   max_retries: 2\n\
         ---\n\
         kind: destination\n\
         spec:\n\
         \x20 name: sqlite\n\
         \x20 path: sqlite\n\
         \x20 write_mode: overwrite-delete-stale\n\
         \x20 spec:\n\
         \x20   connection_string: {DATABASE}\n\
         ---\n\
         kind: destination\n\
         spec:\n\
         \x20 name: parquet\n\
         \x20 path: file\n\
         \x20 write_mode: overwrite-delete-stale\n\
         \x20 spec:\n\
         \x20   path: parquet\n\
         \x20   format: parquet\n",
        tables = Value::from(patterns),
        skipped = Value::from(skipped),
        endpoint = aws.endpoint(),
    ))
}

/// Waits for Enter.
fn stay(binary: &Path, folder: &Path, aws: &LocalAws) -> Result<()> {
    println!(
        "\nThe local AWS listens at {} until you press Enter. To sync again, in another terminal:\n\n  cd {}\n  \
         AWS_ACCESS_KEY_ID=testing AWS_SECRET_ACCESS_KEY=testing AWS_EC2_METADATA_DISABLED=true {} sync {CONFIGURATION}",
        aws.endpoint(),
        folder.display(),
        binary.display()
    );
    let read = std::io::stdin().read(&mut [0]).context("standard input cannot be read")?;
    if read == 0 {
        bail!("`--stay` waits for Enter, and standard input has ended");
    }
    Ok(())
}

/// Where the time went, and what to do next.
fn outlook(binary: &Path, folder: &Path, steps: &Steps) -> String {
    format!(
        "\nWhere the time went (compiling and the local AWS at the same time):\n{}\n\
         All of it is in {folder}: {CONFIGURATION}, {DATABASE}, parquet/.\n\n\
         The same with your own account, with the credentials that the AWS command line uses:\n\n  \
         {binary} init aws\n  {binary} sync headwater.yaml\n",
        steps.report(),
        folder = folder.display(),
        binary = binary.display(),
    )
}
