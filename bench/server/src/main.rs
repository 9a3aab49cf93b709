//! The server as a program: it says where it listens, and ends when its standard input closes or on SIGTERM.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Parser;
use headwater_bench_server::{Config, Fault, Heavy, Kind, Latency, Server, Throttle};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};

/// A fast loopback AWS for benchmarks and for tests of faults.
#[derive(Parser)]
#[command(version)]
struct Flags {
    /// A configuration in JSON, which the other flags change.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print the configuration as JSON and end.
    #[arg(long)]
    print_config: bool,
    /// Threads of the server.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// The port; 0 is any that is free.
    #[arg(long)]
    port: Option<u16>,
    /// How many accounts there are.
    #[arg(long)]
    accounts: Option<u64>,
    /// The regions that are enabled.
    #[arg(long, value_delimiter = ',')]
    regions: Vec<String>,
    /// How many of the regions have resources.
    #[arg(long)]
    populated_regions: Option<usize>,
    /// No rows but those of `--resource`.
    #[arg(long)]
    empty: bool,
    /// Rows of a kind in each place: `instances=33`.
    #[arg(long, value_name = "KIND=N")]
    resource: Vec<String>,
    /// Rows of a kind in one account: `0:users=500000`.
    #[arg(long, value_name = "ACCOUNT:KIND=N")]
    heavy: Vec<String>,
    /// Rows of a page, where the client says nothing: `DescribeInstances=100`.
    #[arg(long, value_name = "API=N")]
    page: Vec<String>,
    /// Rows of a page at most: `DescribeInstances=100`.
    #[arg(long, value_name = "API=N")]
    page_limit: Vec<String>,
    /// Bytes of a row.
    #[arg(long)]
    row_bytes: Option<usize>,
    /// Organizational units.
    #[arg(long)]
    ous: Option<u64>,
    /// Every so many accounts one is suspended.
    #[arg(long)]
    suspended_every: Option<u64>,
    /// Accounts, by index or by id, in which no role can be assumed.
    #[arg(long, value_name = "ACCOUNT", value_delimiter = ',')]
    deny: Vec<u64>,
    /// Seconds that a session lasts at most.
    #[arg(long)]
    session_s: Option<u64>,
    /// Milliseconds of a request: `constant:20`, `uniform:5,50`, `lognormal:30,200` (median, p99).
    #[arg(long)]
    latency: Option<String>,
    /// A throttle in JSON: `{"service":"ec2","api":"Describe*","rate":20,"burst":100}`.
    #[arg(long, value_name = "JSON")]
    throttle: Vec<String>,
    /// A fault in JSON: `{"api":"ListUsers","kind":"internal_error","probability":0.01}`.
    #[arg(long, value_name = "JSON")]
    fault: Vec<String>,
    /// Requests a second that the server answers at most.
    #[arg(long)]
    max_rate: Option<f64>,
    /// What chance starts from.
    #[arg(long)]
    seed: Option<u64>,
}

impl Flags {
    fn config(&self) -> anyhow::Result<Config> {
        let mut config = match &self.config {
            Some(file) => {
                let text = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
                serde_json::from_slice(&text).with_context(|| format!("{} is no configuration", file.display()))?
            }
            None => Config::default(),
        };
        if self.empty {
            config = config.empty();
        }
        config.port = self.port.unwrap_or(config.port);
        config.accounts = self.accounts.unwrap_or(config.accounts);
        config.populated_regions = self.populated_regions.unwrap_or(config.populated_regions);
        config.row_bytes = self.row_bytes.unwrap_or(config.row_bytes);
        config.ous = self.ous.unwrap_or(config.ous);
        config.session_s = self.session_s.unwrap_or(config.session_s);
        config.seed = self.seed.unwrap_or(config.seed);
        config.suspended_every = self.suspended_every.or(config.suspended_every);
        config.max_rate = self.max_rate.or(config.max_rate);
        config.accounts_denied.extend(&self.deny);
        if !self.regions.is_empty() {
            config.regions.clone_from(&self.regions);
        }
        for text in &self.resource {
            let (kind, count) = kind_count(text)?;
            config.resources.insert(kind, count);
        }
        for text in &self.heavy {
            let (account, rest) = text.split_once(':').with_context(|| format!("`{text}` is not ACCOUNT:KIND=N"))?;
            let resources = [kind_count(rest)?].into();
            config.heavy.push(Heavy { accounts: vec![account.parse()?], resources });
        }
        for (texts, pages) in [(&self.page, &mut config.page_sizes), (&self.page_limit, &mut config.page_limits)] {
            for text in texts {
                let (api, rows) = text.split_once('=').with_context(|| format!("`{text}` is not API=N"))?;
                pages.insert(api.to_owned(), rows.parse()?);
            }
        }
        if let Some(text) = &self.latency {
            config.latency = latency(text)?;
        }
        for text in &self.throttle {
            let throttle: Throttle = serde_json::from_str(text).with_context(|| format!("`{text}` is no throttle"))?;
            config.throttles.push(throttle);
        }
        for text in &self.fault {
            let fault: Fault = serde_json::from_str(text).with_context(|| format!("`{text}` is no fault"))?;
            config.faults.push(fault);
        }
        Ok(config)
    }
}

fn kind_count(text: &str) -> anyhow::Result<(Kind, u64)> {
    let (name, count) = text.split_once('=').with_context(|| format!("`{text}` is not KIND=N"))?;
    let names = || Kind::ALL.map(Kind::name).join(", ");
    let kind = Kind::from_name(name).with_context(|| format!("`{name}` is no kind; there are {}", names()))?;
    Ok((kind, count.parse().with_context(|| format!("`{count}` is no count"))?))
}

fn latency(text: &str) -> anyhow::Result<Latency> {
    let (name, numbers) = text.split_once(':').unwrap_or((text, ""));
    let numbers: Vec<f64> = numbers.split(',').filter_map(|number| number.parse().ok()).collect();
    Ok(match (name, numbers.as_slice()) {
        ("none", []) => Latency::None,
        ("constant", [ms]) => Latency::Constant { ms: *ms },
        ("uniform", [min_ms, max_ms]) => Latency::Uniform { min_ms: *min_ms, max_ms: *max_ms },
        ("lognormal", [median_ms, p99_ms]) => Latency::Lognormal { median_ms: *median_ms, p99_ms: *p99_ms },
        _ => bail!("`{text}` is no latency, such as `constant:20`, `uniform:5,50` or `lognormal:30,200`"),
    })
}

/// Allows as many open connections as the system does.
fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    // Fewer connections are no reason to stop.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let flags = Flags::parse();
    let config = flags.config()?;
    let mut out = std::io::stdout();
    if flags.print_config {
        writeln!(out, "{}", serde_json::to_string_pretty(&config)?)?;
        return Ok(());
    }
    raise_limit();
    let server = Server::start_blocking(config, flags.threads)?;
    writeln!(out, "listening on {}", server.url())?;
    out.flush()?;
    let (closed, close) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        // An error is an end as well.
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        let _ = closed.send(());
    });
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = close => {}
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    server.stop();
    Ok(())
}
