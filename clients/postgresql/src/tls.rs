//! How a server is made sure of.

use std::sync::Arc;

use headwater_sdk::{Error, Result};
use headwater_tls::Lenient;
use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::settings::{Settings, Verify};

/// The TLS of settings.
pub fn tls(settings: &Settings) -> Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(Error::fatal)?;
    let config = match settings.verify {
        Verify::Full => builder.with_root_certificates(roots(settings)?),
        Verify::Nothing => {
            let verifier = Arc::new(Lenient { verifier: None, provider });
            builder.dangerous().with_custom_certificate_verifier(verifier)
        }
        Verify::Authority => {
            let roots = Arc::new(roots(settings)?);
            let verifier = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider)).build();
            let verifier = Some(verifier.map_err(Error::fatal)?);
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Lenient { verifier, provider }))
        }
    };
    Ok(config.with_no_client_auth())
}

/// Those who may certify the server.
fn roots(settings: &Settings) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    match &settings.ca_file {
        Some(file) => {
            let failed = |error: &dyn std::fmt::Display| {
                Error::fatal(format!("the certificates in {} cannot be read: {error}", file.display()))
            };
            for certificate in CertificateDer::pem_file_iter(file).map_err(|error| failed(&error))? {
                let certificate = certificate.map_err(|error| failed(&error))?;
                roots.add(certificate).map_err(|error| failed(&error))?;
            }
        }
        None => {
            // Single certificates of a system that cannot be read are of no matter, as long as there are others.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if roots.is_empty() {
        return Err(Error::fatal("there are no certificates to verify the server with; name some in `ca_file`"));
    }
    Ok(roots)
}
