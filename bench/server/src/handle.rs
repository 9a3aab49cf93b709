//! The way of a request: ceiling, throttles, faults, latency, answer.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, RETRY_AFTER};
use hyper::{Method, Request, Response};

use crate::answer::{Answer, Content, Reply};
use crate::call::{Call, Service};
use crate::config::Config;
use crate::estate::Estate;
use crate::faults::Faults;
use crate::latency::{Chance, mixed};
use crate::rules::FaultKind;
use crate::stats::{Counters, Outcome};
use crate::throttle::Throttles;
use crate::{control, ec2, errors, iam, organizations, s3, sts};

/// What a body of a call has at most; bodies of S3 are read and thrown away.
const LARGEST_CALL: usize = 4 << 20;

/// A configuration in force.
pub struct World {
    pub config: Config,
    pub estate: Arc<Estate>,
    throttles: Throttles,
    faults: Faults,
    chance: Chance,
    since: Instant,
    free: Mutex<Instant>,
}

/// Rows of a list that are answered at once.
pub struct Page {
    pub start: u64,
    pub end: u64,
    pub next: Option<u64>,
}

impl World {
    pub fn new(config: Config) -> Self {
        let now = Instant::now();
        Self {
            estate: Arc::new(Estate::new(&config)),
            throttles: Throttles::new(config.throttles.clone()),
            faults: Faults::new(&config.faults),
            chance: Chance::new(config.seed),
            since: now,
            free: Mutex::new(now),
            config,
        }
    }

    /// The page that a token says, or the first one. Without an answer, the token is none of ours.
    pub fn page(&self, api: &str, token: Option<&str>, asked: Option<u64>, usual: u64, count: u64) -> Option<Page> {
        let start = match token.filter(|token| !token.is_empty()) {
            Some(token) => token.strip_prefix("next-")?.parse().ok().filter(|start| *start <= count)?,
            None => 0,
        };
        let size = asked.or_else(|| self.config.page_sizes.get(api).copied()).unwrap_or(usual);
        let size = size.min(self.config.page_limits.get(api).copied().unwrap_or(u64::MAX)).max(1);
        let end = count.min(start.saturating_add(size));
        Some(Page { start, end, next: (end < count).then_some(end) })
    }

    /// How long a request waits for the ceiling of the whole server.
    fn wait(&self) -> Duration {
        let Some(rate) = self.config.max_rate else { return Duration::ZERO };
        let now = Instant::now();
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = (*free).max(now);
        *free = turn + Duration::from_secs_f64(1.0 / rate);
        turn - now
    }
}

/// What all connections share.
pub struct State {
    world: RwLock<Arc<World>>,
    pub counters: Arc<Counters>,
    requests: AtomicU64,
}

impl State {
    pub fn new(config: Config) -> Self {
        Self {
            world: RwLock::new(Arc::new(World::new(config))),
            counters: Arc::new(Counters::new()),
            requests: AtomicU64::new(1),
        }
    }

    pub fn world(&self) -> Arc<World> {
        Arc::clone(&self.world.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn set(&self, config: Config) {
        *self.world.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(World::new(config));
    }

    fn request_id(&self) -> String {
        let any = mixed(self.requests.fetch_add(1, Ordering::Relaxed));
        format!("{:08x}-{:04x}-4000-8000-{:012x}", any >> 32, any & 0xffff, any >> 16)
    }
}

/// Answers a request. An error closes the connection, and `reset` says how.
pub async fn handle(
    state: Arc<State>,
    reset: Arc<AtomicBool>,
    request: Request<Incoming>,
) -> io::Result<Response<Reply>> {
    let (parts, body) = request.into_parts();
    if let Some(path) = parts.uri.path().strip_prefix("/_bench/") {
        let body = read(body).await?;
        let answer = control::answer(&state, &parts.method, path, parts.uri.query(), &body).await;
        return response(answer, None, Reply::new);
    }
    let _guard = state.counters.enter();
    let world = state.world();
    let stored = matches!(parts.method, Method::PUT) && !parts.headers.contains_key("x-amz-target");
    let body = if stored {
        drain(body).await?;
        Default::default()
    } else {
        read(body).await?
    };
    let wait = world.wait();
    if !wait.is_zero() {
        tokio::time::sleep(wait).await;
    }
    let call = Call::read(&parts, &body, &world.estate);
    let id = state.request_id();
    let count = |outcome| state.counters.count(call.service.name(), &call.api, outcome);
    if let Some(rule) = world.throttles.exceeded(&call) {
        count(Outcome::Throttled);
        let answer = retry_after(errors::throttled(&call, rule.status, &id), rule.retry_after_s);
        return response(answer, Some((call.service, &id)), Reply::new);
    }
    let fault = world.faults.next(&call, world.since.elapsed(), &world.chance);
    count(fault.map_or(Outcome::Answered, |fault| Outcome::Fault(fault.kind)));
    let mut delay = world.config.latency.draw(&world.chance);
    if let Some(fault) = fault.filter(|fault| fault.kind == FaultKind::Slow) {
        delay += Duration::from_millis(fault.delay_ms);
    }
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let retry = fault.and_then(|fault| fault.retry_after_s);
    let failed = |answer| response(retry_after(answer, retry), Some((call.service, &id)), Reply::new);
    match fault.map(|fault| fault.kind) {
        Some(FaultKind::InternalError) => failed(errors::internal(&call, &id)),
        Some(FaultKind::Unavailable) => failed(errors::unavailable(&call, &id)),
        Some(FaultKind::BadGateway) => failed(Answer::new(502, "text/html", String::new())),
        Some(FaultKind::Denied) => failed(errors::denied(&call, &world.estate, &id)),
        Some(FaultKind::Throttled) => failed(errors::throttled(&call, None, &id)),
        Some(FaultKind::Reset) => {
            reset.store(true, Ordering::Relaxed);
            Err(io::Error::other("the connection was to be reset"))
        }
        Some(FaultKind::Hang) => std::future::pending().await,
        Some(FaultKind::Truncate) => response(answer(&world, &call, &id), Some((call.service, &id)), Reply::cut),
        Some(FaultKind::Slow) | None => response(answer(&world, &call, &id), Some((call.service, &id)), Reply::new),
    }
}

fn answer(world: &Arc<World>, call: &Call, id: &str) -> Answer {
    if call.caller.expired {
        return errors::expired(call, id);
    }
    match call.service {
        Service::Ec2 => ec2::answer(world, call, id),
        Service::Iam => iam::answer(world, call, id),
        Service::Sts => sts::answer(world, call, id),
        Service::S3 => s3::answer(world, call, id),
        Service::Organizations => organizations::answer(world, call, id),
    }
}

fn retry_after(answer: Answer, seconds: Option<u64>) -> Answer {
    match seconds {
        Some(seconds) => answer.header(RETRY_AFTER.as_str(), seconds.to_string()),
        None => answer,
    }
}

fn response(
    answer: Answer,
    request: Option<(Service, &str)>,
    body: impl FnOnce(Content) -> Reply,
) -> io::Result<Response<Reply>> {
    let mut response = Response::builder().status(answer.status).header(CONTENT_TYPE, answer.content_type);
    if let Some((service, id)) = request {
        let name = if service == Service::S3 { "x-amz-request-id" } else { "x-amzn-requestid" };
        response = response.header(name, id);
    }
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    response.body(body(answer.content)).map_err(io::Error::other)
}

async fn read(body: Incoming) -> io::Result<hyper::body::Bytes> {
    let body = Limited::new(body, LARGEST_CALL).collect().await;
    body.map(http_body_util::Collected::to_bytes).map_err(io::Error::other)
}

async fn drain(mut body: Incoming) -> io::Result<()> {
    while let Some(frame) = body.frame().await {
        frame.map_err(io::Error::other)?;
    }
    Ok(())
}
