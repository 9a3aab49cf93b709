//! The bare loop: the same lists by the same clients, as an ordinary program would read them, and nothing done with
//! what comes. It is what the engine's own part is measured by.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};
use aws_config::sts::AssumeRoleProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_ec2::Client;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_types::error::display::DisplayErrorContext;
use clap::ValueEnum;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinSet;

use crate::case::REGION;
use headwater_bench::usage::{self, Usage};

/// What the bare loop reads.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum What {
    /// Instances, volumes and VPCs of all accounts of the organization.
    Accounts,
    /// The instances of one account.
    Instances,
}

impl What {
    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            What::Accounts => "accounts",
            What::Instances => "instances",
        }
    }
}

/// What the bare loop is told.
#[derive(clap::Args)]
pub struct Flags {
    what: What,
    /// Where the API is.
    url: String,
    /// Accounts that are read at once; 0 is all of them.
    #[arg(long, default_value_t = 0)]
    at_once: usize,
    /// Where what was read is written, as JSON.
    #[arg(long, value_name = "FILE")]
    result: PathBuf,
}

/// What was read.
#[derive(Serialize, Deserialize)]
pub struct Read {
    /// What it took.
    pub usage: Usage,
    /// Rows.
    pub rows: u64,
    /// Lists that failed.
    pub failed: u64,
    /// Why the first of them did.
    pub error: Option<String>,
}

#[derive(Default)]
struct Counts {
    rows: AtomicU64,
    failed: AtomicU64,
    error: Mutex<Option<String>>,
}

impl Counts {
    fn add(&self, rows: usize) {
        self.rows.fetch_add(rows as u64, Ordering::Relaxed);
    }

    async fn fail(&self, error: &(dyn std::error::Error + Sync)) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        self.error.lock().await.get_or_insert_with(|| DisplayErrorContext(error).to_string());
    }
}

/// Reads all pages of a list. `$rows` says how many rows a page has.
macro_rules! list {
    ($counts:expr, $call:expr, $rows:expr) => {{
        let mut pages = $call.into_paginator().send();
        while let Some(page) = pages.next().await {
            match page {
                Ok(page) => $counts.add($rows(&page)),
                Err(error) => $counts.fail(&error).await,
            }
        }
    }};
}

/// Runs the loop.
#[tokio::main]
pub async fn run(flags: &Flags) -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    // Fewer connections may do as well.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http);
    let config = loader.region(Region::from_static(REGION)).endpoint_url(&flags.url).load().await;
    let counts = Arc::new(Counts::default());
    match flags.what {
        What::Accounts => accounts(&config, flags.at_once, &counts).await?,
        What::Instances => instances(&Client::new(&config), &counts).await,
    }
    let read = Read {
        usage: Usage::now()?,
        rows: counts.rows.load(Ordering::Relaxed),
        failed: counts.failed.load(Ordering::Relaxed),
        error: counts.error.lock().await.take(),
    };
    usage::write(&flags.result, &read)
}

async fn accounts(config: &SdkConfig, at_once: usize, counts: &Arc<Counts>) -> Result<()> {
    let turns = Arc::new(Semaphore::new(if at_once == 0 { Semaphore::MAX_PERMITS } else { at_once }));
    let mut tasks = JoinSet::new();
    let mut pages = aws_sdk_organizations::Client::new(config).list_accounts().into_paginator().send();
    while let Some(page) = pages.next().await {
        for account in page.context("the accounts cannot be listed")?.accounts.unwrap_or_default() {
            let id = account.id.context("an account has no id")?;
            let (config, counts, turns) = (config.clone(), Arc::clone(counts), Arc::clone(&turns));
            tasks.spawn(async move {
                let _turn = turns.acquire_owned().await.ok();
                account_of(&config, &id, &counts).await;
            });
        }
    }
    while let Some(ended) = tasks.join_next().await {
        ended.context("an account's task failed")?;
    }
    Ok(())
}

async fn account_of(config: &SdkConfig, id: &str, counts: &Counts) {
    let role = AssumeRoleProvider::builder(format!("arn:aws:iam::{id}:role/headwater"));
    let role = role.configure(config).session_name("bare").build().await;
    let config = config.to_builder().credentials_provider(SharedCredentialsProvider::new(role)).build();
    let client = Client::new(&config);
    futures::join!(instances(&client, counts), volumes(&client, counts), vpcs(&client, counts));
}

async fn instances(client: &Client, counts: &Counts) {
    use aws_sdk_ec2::operation::describe_instances::DescribeInstancesOutput as Page;
    let rows = |page: &Page| page.reservations().iter().map(|reservation| reservation.instances().len()).sum();
    list!(counts, client.describe_instances(), rows);
}

async fn volumes(client: &Client, counts: &Counts) {
    use aws_sdk_ec2::operation::describe_volumes::DescribeVolumesOutput as Page;
    list!(counts, client.describe_volumes(), |page: &Page| page.volumes().len());
}

async fn vpcs(client: &Client, counts: &Counts) {
    use aws_sdk_ec2::operation::describe_vpcs::DescribeVpcsOutput as Page;
    list!(counts, client.describe_vpcs(), |page: &Page| page.vpcs().len());
}
