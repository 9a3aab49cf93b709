//! The client of the bucket: credentials, region, retries.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Builder, RequestChecksumCalculation, ResponseChecksumValidation};
use headwater_aws_client::{http, profile};
use headwater_sdk::{Error, Result};
use secrecy::ExposeSecret;

use crate::spec::{Settings, Trust};

/// Where servers other than Amazon's are said to be that do not know regions.
const ANY_REGION: &str = "us-east-1";

/// What the credentials of the spec are called in the client's logs.
const PROVIDER: &str = "spec";

/// The session's name, where the spec has none.
const SESSION: &str = "headwater";

/// Makes the client. Files and the environment are read, and nothing is called.
pub async fn client(settings: &Settings) -> Result<Client> {
    let of_system = http::client();
    let of_endpoint = match &settings.trust {
        Trust::System => of_system.clone(),
        Trust::Anyone => http::client_unverified().map_err(Error::destination)?,
        Trust::File(file) => {
            let failed = |why: String| Error::fatal(format!("`ca_file: {}` cannot be used: {why}", file.display()));
            let pem = std::fs::read(file).map_err(|error| failed(error.to_string()))?;
            http::client_trusting(&pem).map_err(failed)?
        }
    };
    // Credentials come from Amazon, for which an endpoint's authority does not speak. Where there is no endpoint, it
    // stands between here and all of Amazon.
    let http = if settings.endpoint.is_some() { of_system } else { of_endpoint.clone() };
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(10))
        // A part has 8 MiB, so that this is for networks of some 30 KB a second.
        .operation_attempt_timeout(Duration::from_secs(300))
        .build();
    let retries = RetryConfig::standard().with_max_attempts(settings.max_retries.saturating_add(1));
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http.clone())
        .retry_config(retries)
        .timeout_config(timeouts);
    if let Ok(name) = AppName::new("headwater") {
        loader = loader.app_name(name);
    }
    if let Some(region) = &settings.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(profile) = &settings.identity.profile {
        let region = settings.region.as_deref().unwrap_or(ANY_REGION);
        loader = loader.profile_name(profile).credentials_provider(profile::credentials(profile, region, http));
    }
    if let Some((key, secret, token)) = &settings.identity.key {
        let token = token.as_ref().map(|token| token.expose_secret().to_owned());
        loader = loader.credentials_provider(Credentials::new(key, secret.expose_secret(), token, None, PROVIDER));
    }
    let mut config = loader.load().await;
    if config.region().is_none() {
        if settings.endpoint.is_none() {
            return Err(Error::fatal(
                "`region` is neither set nor known from the environment or the profile; set the region that the bucket \
                 is in, such as `region: eu-west-1`",
            ));
        }
        config = config.into_builder().region(Region::new(ANY_REGION)).build();
    }
    if let Some((role, session, external_id)) = &settings.identity.role {
        let mut provider =
            AssumeRoleProvider::builder(role).configure(&config).session_name(session.as_deref().unwrap_or(SESSION));
        if let Some(id) = external_id {
            provider = provider.external_id(id);
        }
        let provider = SharedCredentialsProvider::new(provider.build().await);
        config = config.into_builder().credentials_provider(provider).build();
    }
    let mut builder = Builder::from(&config).http_client(of_endpoint).force_path_style(settings.path_style);
    if let Some(endpoint) = &settings.endpoint {
        builder = builder.endpoint_url(endpoint);
    }
    if !settings.checksums {
        builder = builder
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
    }
    Ok(Client::from_conf(builder.build()))
}
