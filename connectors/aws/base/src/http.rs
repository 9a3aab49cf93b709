//! The HTTP client: hyper with rustls and ring. A sync makes one, whose connections all accounts and scopes share.

use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::SharedHttpClient;

/// A client for `https` and, for a local endpoint, `http`.
pub fn client() -> SharedHttpClient {
    Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https()
}
