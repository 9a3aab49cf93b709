//! Opening an account: credentials, the role to assume, who we are, and which regions there are.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_types::SdkConfig;
use aws_types::region::Region;
use headwater_sdk::text::nearest;
use headwater_sdk::{Class, Error, Result};

use crate::Regions;
use crate::errors::error;
use crate::spec::{Account, Spec};

/// The region of calls that belong to none, where nothing else says one.
const DEFAULT_REGION: &str = "us-east-1";

/// The first call of an account is tried only this often, so that a wrong endpoint is known within seconds.
const OPENING_TRIES: u32 = 3;

/// An account that answers.
pub struct OpenAccount {
    /// The account's id, of twelve digits.
    pub id: String,
    /// Its name in the configuration, or its id.
    pub name: String,
    /// The partition that it is in.
    pub partition: &'static str,
    /// The credentials' own ARN.
    pub caller: String,
    /// What clients are made of; its region is the account's default.
    pub config: SdkConfig,
}

/// Opens an account and asks it who we are. All of its calls go through `http`.
pub async fn open(spec: &Spec, account: &Account, http: SharedHttpClient) -> Result<OpenAccount> {
    let mut config = load(spec, account, http).await;
    if let Some(role) = &account.role_arn {
        let mut provider = AssumeRoleProvider::builder(role)
            .configure(&opening(&config))
            .session_name(account.role_session_name.as_deref().unwrap_or("headwater"));
        if let Some(external_id) = &account.external_id {
            provider = provider.external_id(external_id);
        }
        let provider = provider.build().await;
        config = config.into_builder().credentials_provider(SharedCredentialsProvider::new(provider)).build();
    }
    let identity = aws_sdk_sts::Client::new(&opening(&config)).get_caller_identity().send().await;
    let identity = identity.map_err(|failure| advise(error("sts GetCallerIdentity", &failure), spec, account))?;
    let (Some(id), Some(caller)) = (identity.account, identity.arn) else {
        return Err(Error::fatal("sts GetCallerIdentity answered without an account"));
    };
    let name = if account.id.is_empty() { id.clone() } else { account.id.clone() };
    let said = spec.custom_endpoint_partition_id.as_deref().or_else(|| caller.split(':').nth(1));
    Ok(OpenAccount { partition: partition(said.unwrap_or("aws")), id, name, caller, config })
}

/// Says what to do about an account that does not open.
fn advise(error: Error, spec: &Spec, account: &Account) -> Error {
    let advice = match (error.class, error.code.as_deref()) {
        (_, Some("Connection" | "Timeout")) => match &spec.custom_endpoint_url {
            Some(url) => format!("is anything listening at {url}? (custom_endpoint_url)"),
            None => "is the network up, and does a proxy stand in between?".to_owned(),
        },
        (_, Some("NoCredentials")) => match &account.local_profile {
            Some(profile) => format!("does the profile `{profile}` exist, and is it logged in?"),
            None => "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or log in with `aws sso login`"
                .to_owned(),
        },
        (Class::Denied, _) => "are the credentials those of this account, and still valid?".to_owned(),
        _ => return error,
    };
    let message = format!("{}; {advice}", error.message);
    Error { message, ..error }
}

async fn load(spec: &Spec, account: &Account, http: SharedHttpClient) -> SdkConfig {
    let retries = RetryConfig::standard()
        .with_max_attempts(spec.max_retries.unwrap_or(10).saturating_add(1))
        .with_max_backoff(Duration::from_secs(spec.max_backoff.unwrap_or(30)));
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(5))
        .operation_attempt_timeout(Duration::from_secs(120))
        .build();
    let region = account.default_region.clone().or_else(|| spec.custom_endpoint_signing_region.clone());
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http)
        .retry_config(retries)
        .timeout_config(timeouts)
        .region(Region::new(region.unwrap_or_else(|| DEFAULT_REGION.to_owned())));
    if let Ok(name) = AppName::new("headwater") {
        loader = loader.app_name(name);
    }
    if let Some(profile) = &account.local_profile {
        loader = loader.profile_name(profile);
    }
    if let Some(url) = &spec.custom_endpoint_url {
        loader = loader.endpoint_url(url);
    }
    loader.load().await
}

fn opening(config: &SdkConfig) -> SdkConfig {
    let retries = RetryConfig::standard()
        .with_max_attempts(OPENING_TRIES)
        .with_initial_backoff(Duration::from_millis(200))
        .with_max_backoff(Duration::from_secs(2));
    config.to_builder().retry_config(retries).build()
}

fn partition(name: &str) -> &'static str {
    const PARTITIONS: [&str; 7] = ["aws", "aws-cn", "aws-us-gov", "aws-eusc", "aws-iso", "aws-iso-b", "aws-iso-f"];
    PARTITIONS.into_iter().find(|known| *known == name).unwrap_or("aws")
}

/// The region in which a partition's services without regions answer.
pub fn global_region(partition: &str) -> &'static str {
    match partition {
        "aws-cn" => "cn-north-1",
        "aws-us-gov" => "us-gov-west-1",
        "aws-eusc" => "eusc-de-east-1",
        "aws-iso" => "us-iso-east-1",
        "aws-iso-b" => "us-isob-east-1",
        "aws-iso-f" => "us-isof-south-1",
        _ => DEFAULT_REGION,
    }
}

/// The regions to read in an account. Named ones are checked against those that are enabled, as far as the
/// credentials may ask for them.
pub async fn regions(spec: &Spec, account: &Account, open: &OpenAccount, list: Option<Regions>) -> Result<Vec<String>> {
    let named = if account.regions.is_empty() { &spec.regions } else { &account.regions };
    let all = named.is_empty() || named.iter().any(|region| region == "*");
    let enabled = match list {
        Some(list) => Some(list(&opening(&open.config)).await),
        None => None,
    };
    match (all, enabled) {
        (true, Some(enabled)) => enabled,
        (true, None) => {
            Err(Error::fatal("this build cannot list regions (it is without ec2): name them under `regions`"))
        }
        (false, Some(Ok(enabled))) => {
            let Some(region) = named.iter().find(|region| !enabled.contains(region)) else {
                return Ok(distinct(named));
            };
            let near = nearest(region, enabled.iter().map(String::as_str));
            let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            Err(Error::fatal(format!("the region `{region}` is not enabled in account {}{near}", open.id)))
        }
        (false, _) => Ok(distinct(named)),
    }
}

fn distinct(regions: &[String]) -> Vec<String> {
    let mut regions = regions.to_vec();
    regions.sort();
    regions.dedup();
    regions
}
