//! The HTTP client: hyper with rustls and ring. A sync makes one, whose connections all accounts and scopes share.

use std::time::Duration;

use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::SharedHttpClient;

/// Connections to one host that are kept without being used. A sync speaks with hundreds of hosts one after another, and
/// a process may often have but a thousand files open.
const IDLE_PER_HOST: usize = 32;

/// How long a connection is kept without being used.
const IDLE: Duration = Duration::from_secs(20);

/// A client for `https` and, for a local endpoint, `http`.
pub fn client() -> SharedHttpClient {
    Builder::new()
        .pool_max_idle_per_host(IDLE_PER_HOST)
        .pool_idle_timeout(IDLE)
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https()
}
