//! The server: started inside a runtime or with one of its own, and stopped.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinHandle, JoinSet};

use crate::config::Config;
use crate::connection::Connection;
use crate::estate::Estate;
use crate::handle::{State, handle};
use crate::stats::Stats;

/// Connections that may wait to be accepted; the system may have a lower limit.
const BACKLOG: u32 = 16_384;

/// How long nothing is accepted after the system had no room for another connection.
const PAUSE: Duration = Duration::from_millis(20);

/// A loopback AWS. It ends when it is dropped.
pub struct Server {
    address: SocketAddr,
    state: Arc<State>,
    task: JoinHandle<()>,
    runtime: Option<Runtime>,
}

impl Server {
    /// Starts a server on the runtime of the caller.
    pub async fn start(config: Config) -> io::Result<Self> {
        Self::launch(config, None)
    }

    /// Starts a server on that many threads of its own.
    pub fn start_blocking(config: Config, threads: usize) -> io::Result<Self> {
        let mut builder = Builder::new_multi_thread();
        let runtime = builder.worker_threads(threads.max(1)).thread_name("bench-server").enable_all().build()?;
        Self::launch(config, Some(runtime))
    }

    fn launch(config: Config, runtime: Option<Runtime>) -> io::Result<Self> {
        let _guard = runtime.as_ref().map(Runtime::enter);
        if let Some(problem) = config.problem() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
        }
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind((Ipv4Addr::LOCALHOST, config.port).into())?;
        let listener = socket.listen(BACKLOG)?;
        let address = listener.local_addr()?;
        let state = Arc::new(State::new(config));
        let task = tokio::spawn(accept(listener, Arc::clone(&state)));
        drop(_guard);
        Ok(Self { address, state, task, runtime })
    }

    /// The URL that an SDK takes as its endpoint.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What happened since the start or the last reset.
    pub fn stats(&self) -> Stats {
        self.state.counters.stats()
    }

    /// Sets all counters to zero.
    pub fn reset(&self) {
        self.state.counters.reset();
    }

    /// What there is to be read.
    pub fn estate(&self) -> Arc<Estate> {
        Arc::clone(&self.state.world().estate)
    }

    /// The configuration in force.
    pub fn config(&self) -> Config {
        self.state.world().config.clone()
    }

    /// Puts another configuration into force. The buckets of the throttles are full again, and the schedule of the
    /// faults begins anew.
    pub fn set_config(&self, config: Config) -> io::Result<()> {
        if let Some(problem) = config.problem() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
        }
        self.state.set(config);
        Ok(())
    }

    /// Ends the server and closes its connections.
    pub fn stop(self) {}
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    // The connections end with this task, because they belong to its set.
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(serve(stream, Arc::clone(&state)));
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(stream: TcpStream, state: Arc<State>) {
    state.counters.connections.fetch_add(1, Ordering::Relaxed);
    // Without it a small answer may wait, and nothing else.
    let _ = stream.set_nodelay(true);
    let reset = Arc::new(AtomicBool::new(false));
    let connection = Connection::new(stream, Arc::clone(&state.counters), Arc::clone(&reset));
    let service = service_fn(move |request| handle(Arc::clone(&state), Arc::clone(&reset), request));
    // What ends a connection is the client's business, or a fault that was asked for.
    let _ = http1::Builder::new().pipeline_flush(true).serve_connection(TokioIo::new(connection), service).await;
}
