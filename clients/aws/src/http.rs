//! The HTTP client: hyper with rustls and ring. A sync makes one, whose connections all accounts and scopes share.

use std::time::Duration;

use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{HttpClient, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::unverified::Unverified;

/// Connections to one host that are kept without being used: as many as there are calls at once by default, because
/// each of them may have been one host's, and a new one costs more than most calls.
const IDLE_PER_HOST: usize = 128;

/// How long a connection is kept without being used. A sync speaks with hundreds of hosts one after another.
const IDLE: Duration = Duration::from_secs(20);

/// A client for `https` and, for a local endpoint, `http`.
pub fn client() -> SharedHttpClient {
    with(TlsContext::default())
}

/// The same, which also trusts those whose certificates are in the PEM text. An error says what is wrong with it.
pub fn client_trusting(pem: &[u8]) -> Result<SharedHttpClient, String> {
    // The library takes the text as it is, and panics later where it is none.
    let certificates = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    let certificates = certificates.map_err(|error| error.to_string())?;
    if certificates.is_empty() {
        return Err("there is no certificate in it".to_owned());
    }
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    let trusted = TrustStore::default().with_pem_certificate(pem);
    let context = TlsContext::builder().with_trust_store(trusted).build();
    context.map(with).map_err(|error| error.to_string())
}

/// The same, which does not verify whom it speaks with. An error says what is wrong with the TLS library.
pub fn client_unverified() -> Result<SharedHttpClient, String> {
    Unverified::new(IDLE, IDLE_PER_HOST).map(SharedHttpClient::new)
}

fn with(context: TlsContext) -> SharedHttpClient {
    let client = Builder::new()
        .pool_max_idle_per_host(IDLE_PER_HOST)
        .pool_idle_timeout(IDLE)
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(context)
        .build_https();
    SharedHttpClient::new(Unvalidated(client))
}

/// The client, but that nothing is done for each service client that it is handed to: its own check parses the
/// system's certificates again, and there is a service client for each account.
#[derive(Debug)]
struct Unvalidated(SharedHttpClient);

impl HttpClient for Unvalidated {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        self.0.http_connector(settings, components)
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.0.connector_metadata()
    }
}
