//! The HTTP client for servers that are not verified, which the library's own does not offer. In all else it does what
//! that one does.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::retry::ErrorKind;
use headwater_tls::Lenient;
use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector as Plain;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use tower_service::Service;

use crate::errors::find;

type BoxError = Box<dyn StdError + Send + Sync>;

/// A client that is content with every certificate.
#[derive(Debug)]
pub struct Unverified {
    config: ClientConfig,
    idle: Duration,
    idle_per_host: usize,
    /// By how long a connection may take to be made. There is one for each call that is made, or they would share none.
    connectors: Mutex<HashMap<Option<Duration>, SharedHttpConnector>>,
}

impl Unverified {
    /// A client without connections; an error says what is wrong with the TLS library.
    pub fn new(idle: Duration, idle_per_host: usize) -> Result<Self, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| error.to_string())?;
        let verifier = Arc::new(Lenient { verifier: None, provider });
        let config = builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
        Ok(Self { config, idle, idle_per_host, connectors: Mutex::default() })
    }

    fn connector(&self, timeout: Option<Duration>) -> SharedHttpConnector {
        let mut connectors = self.connectors.lock().unwrap_or_else(PoisonError::into_inner);
        let connector = connectors.entry(timeout).or_insert_with(|| {
            let mut plain = Plain::new();
            plain.enforce_http(false);
            plain.set_nodelay(true);
            let builder = HttpsConnectorBuilder::new().with_tls_config(self.config.clone()).https_or_http();
            let connect = Connect { connector: builder.enable_http1().wrap_connector(plain), timeout };
            let client = Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(self.idle)
                .pool_max_idle_per_host(self.idle_per_host)
                .build(connect);
            SharedHttpConnector::new(Connector(client))
        });
        connector.clone()
    }
}

impl HttpClient for Unverified {
    fn http_connector(&self, settings: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        self.connector(settings.connect_timeout())
    }
}

/// Makes connections, TLS included, in the time that they may take.
#[derive(Debug, Clone)]
struct Connect {
    connector: HttpsConnector<Plain>,
    timeout: Option<Duration>,
}

impl Service<Uri> for Connect {
    type Response = <HttpsConnector<Plain> as Service<Uri>>::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.connector.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (connecting, timeout) = (self.connector.call(uri), self.timeout);
        Box::pin(async move {
            let Some(timeout) = timeout else { return connecting.await };
            let late = |_| io::Error::new(io::ErrorKind::TimedOut, format!("no connection within {timeout:?}"));
            tokio::time::timeout(timeout, connecting).await.map_err(late)?
        })
    }
}

#[derive(Debug)]
struct Connector(Client<Connect, SdkBody>);

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.0.clone();
        HttpConnectorFuture::new(async move {
            let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
            let answer = client.request(request).await.map_err(failed)?;
            let answer = answer.map(SdkBody::from_body_1_x);
            HttpResponse::try_from(answer).map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// What kind of error it is, which decides whether the call is made again: as the library's own client has it.
fn failed(error: hyper_util::client::legacy::Error) -> ConnectorError {
    let io = find::<io::Error>(&error);
    if io.is_some_and(|error| error.kind() == io::ErrorKind::TimedOut) {
        return ConnectorError::timeout(error.into());
    }
    let (broken, user, incomplete) = match find::<hyper::Error>(&error) {
        Some(error) => (error.is_closed() || error.is_canceled(), error.is_user(), error.is_incomplete_message()),
        None => (error.is_connect(), false, false),
    };
    match (user, broken || io.is_some(), incomplete) {
        (true, _, _) => ConnectorError::user(error.into()),
        (_, true, _) => ConnectorError::io(error.into()),
        (_, _, true) => ConnectorError::other(error.into(), Some(ErrorKind::TransientError)),
        _ => ConnectorError::other(error.into(), None),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    async fn failure(scheme: &str, listener: &TcpListener, timeout: Option<Duration>) -> ConnectorError {
        let uri = format!("{scheme}://{}", listener.local_addr().unwrap());
        let request = http::Request::get(uri).body(SdkBody::empty()).unwrap();
        let client = Unverified::new(Duration::from_secs(1), 1).unwrap();
        client.connector(timeout).call(HttpRequest::try_from(request).unwrap()).await.unwrap_err()
    }

    #[tokio::test]
    async fn a_connection_that_breaks_is_tried_again() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let cut = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            assert!(stream.read(&mut [0; 1000]).await.unwrap() > 0);
        };
        let (error, ()) = tokio::join!(failure("http", &listener, None), cut);
        assert!(error.is_io() || error.as_other() == Some(ErrorKind::TransientError), "{error:?}");
        let hang_up = async { drop(listener.accept().await.unwrap()) };
        let (error, ()) = tokio::join!(failure("https", &listener, None), hang_up);
        assert!(error.is_io(), "{error:?}");
    }

    #[tokio::test]
    async fn a_server_that_says_nothing_is_not_waited_for() {
        // The system takes the connection, and nobody speaks TLS on it.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let error = failure("https", &listener, Some(Duration::from_millis(100))).await;
        assert!(error.is_timeout(), "{error:?}");
    }
}
