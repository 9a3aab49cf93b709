//! Opening an account: its configuration, its credentials or the role to assume, and who we are.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion};
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_types::SdkConfig;
use aws_types::region::Region;
use headwater_aws_client::profile;
use headwater_sdk::{Class, Error, Result};
use tokio::sync::Mutex;

use crate::credentials::Kept;
use crate::errors::{NO_ENDPOINT, credentials_error, error};
use crate::generated_regions::PARTITIONS;
use crate::http;
use crate::regions::{DEFAULT_REGION, global_region};
use crate::role::{Principal, Role};
use crate::spec::{Account, Spec, role_account};

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
    /// The credentials' own ARN, or that of the role.
    pub caller: String,
    /// What the tables' clients are made of; its region is the account's default. Calls are tried once: to try them
    /// again is the engine's business.
    pub config: SdkConfig,
}

/// A profile, if it is not the default one, and a region.
type Base = (Option<String>, String);

/// What accounts are opened with. Whatever is read from files and the environment is read once for each profile.
pub struct Opener {
    spec: Arc<Spec>,
    http: SharedHttpClient,
    bases: Mutex<HashMap<Base, Arc<Principal>>>,
}

impl Opener {
    /// An opener whose accounts share one HTTP client.
    pub fn new(spec: Arc<Spec>) -> Self {
        Self { spec, http: http::client(), bases: Mutex::default() }
    }

    /// Opens an account, and makes sure that there are credentials. A role is assumed with the credentials of
    /// `principal`, or with the account's own profile.
    pub async fn open(&self, account: &Account, principal: Option<&Arc<Principal>>) -> Result<OpenAccount> {
        let principal = match principal {
            Some(principal) => Arc::clone(principal),
            None => self.base(account).await,
        };
        let opened = match &account.role_arn {
            Some(role) => self.assume(account, role, &principal).await,
            None => self.identify(account, &principal.config).await,
        };
        opened.map_err(|error| self.advise(error, account))
    }

    /// A role says the account in its ARN, so one call is enough: that which fetches the credentials.
    async fn assume(&self, account: &Account, arn: &str, principal: &Principal) -> Result<OpenAccount> {
        let Some((partition, id)) = role_account(arn) else {
            return Err(Error::fatal(format!("`role_arn: {arn}` is not the ARN of a role")));
        };
        let credentials = Kept::new(Role {
            client: principal.client(|config| self.retrying(config)),
            arn: arn.to_owned(),
            session_name: account.role_session_name.clone(),
            external_id: account.external_id.clone(),
        });
        credentials.provide_credentials().await.map_err(|failure| credentials_error(&failure))?;
        let credentials = SharedCredentialsProvider::new(credentials);
        let config = principal.config.to_builder().credentials_provider(credentials).build();
        Ok(self.opened(account, id, partition, arn.to_owned(), config))
    }

    /// The configuration for calls that the client itself tries again as often as the spec says.
    pub fn retrying(&self, config: &SdkConfig) -> SdkConfig {
        config.to_builder().retry_config(self.retries()).build()
    }

    fn retries(&self) -> RetryConfig {
        RetryConfig::standard()
            .with_max_attempts(self.spec.retries().saturating_add(1))
            .with_initial_backoff(Duration::from_millis(200))
            .with_max_backoff(self.spec.longest_backoff())
    }

    async fn identify(&self, account: &Account, base: &SdkConfig) -> Result<OpenAccount> {
        let identity = aws_sdk_sts::Client::new(&opening(base)).get_caller_identity().send().await;
        let identity = identity.map_err(|failure| error("sts GetCallerIdentity", &failure))?;
        let (Some(id), Some(caller)) = (identity.account, identity.arn) else {
            return Err(Error::fatal("sts GetCallerIdentity answered without an account"));
        };
        let partition = caller.split(':').nth(1).unwrap_or("aws").to_owned();
        Ok(self.opened(account, &id, &partition, caller, base.clone()))
    }

    fn opened(&self, account: &Account, id: &str, said: &str, caller: String, config: SdkConfig) -> OpenAccount {
        let name = if account.id.is_empty() { id } else { &account.id };
        let partition = self.spec.custom_endpoint_partition_id.as_deref().unwrap_or(said);
        let (id, name, partition) = (id.to_owned(), name.to_owned(), partition_of(partition));
        OpenAccount { id, name, partition, caller, config }
    }

    /// What the configuration files and the environment say, with the credentials that they name.
    async fn base(&self, account: &Account) -> Arc<Principal> {
        let region = account.default_region.as_deref().or(self.spec.custom_endpoint_signing_region.as_deref());
        let of_role = || Some(global_region(role_account(account.role_arn.as_deref()?)?.0));
        let region = region.or_else(of_role).unwrap_or(DEFAULT_REGION);
        let mut bases = self.bases.lock().await;
        let key = (account.local_profile.clone(), region.to_owned());
        if let Some(base) = bases.get(&key) {
            return Arc::clone(base);
        }
        let base = Principal::new(self.load(account.local_profile.as_deref(), region).await);
        bases.insert(key, Arc::clone(&base));
        base
    }

    /// Takes a configuration instead of loading that of the default account.
    #[cfg(test)]
    pub async fn set_base(&self, base: SdkConfig) {
        self.bases.lock().await.insert((None, DEFAULT_REGION.to_owned()), Principal::new(base));
    }

    async fn load(&self, name: Option<&str>, region: &str) -> SdkConfig {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(5))
            .operation_attempt_timeout(Duration::from_secs(120))
            .build();
        // Credentials are kept by each account itself.
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(self.http.clone())
            .identity_cache(IdentityCache::no_cache())
            .retry_config(self.retries())
            .timeout_config(timeouts)
            .region(Region::new(region.to_owned()));
        if let Ok(name) = AppName::new("headwater") {
            loader = loader.app_name(name);
        }
        if let Some(name) = name {
            let credentials = profile::credentials(name, region, self.http.clone());
            loader = loader.profile_name(name).credentials_provider(credentials);
        }
        if let Some(url) = &self.spec.custom_endpoint_url {
            loader = loader.endpoint_url(url);
        }
        // The providers of credentials that were just made keep their retries.
        let config = loader.load().await.into_builder().retry_config(RetryConfig::disabled()).build();
        match config.credentials_provider().map(Kept::new) {
            Some(kept) => config.into_builder().credentials_provider(SharedCredentialsProvider::new(kept)).build(),
            None => config,
        }
    }

    /// Says what to do about an account that does not open.
    fn advise(&self, error: Error, account: &Account) -> Error {
        let advice = match (error.class, error.code.as_deref()) {
            (_, Some("Connection" | "Timeout" | NO_ENDPOINT)) => match &self.spec.custom_endpoint_url {
                Some(url) => format!("is anything listening at {url}? (custom_endpoint_url)"),
                None => "is the network up, and does a proxy stand in between?".to_owned(),
            },
            (_, Some("NoCredentials")) => match &account.local_profile {
                Some(profile) => format!("does the profile `{profile}` exist, and is it logged in?"),
                None => {
                    "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or log in with `aws sso login`"
                        .to_owned()
                }
            },
            (Class::Denied, _) => match &account.role_arn {
                Some(role) => format!("does the role {role} exist, and does it trust the credentials that assume it?"),
                None => "are the credentials those of this account, and still valid?".to_owned(),
            },
            _ => return error,
        };
        let message = format!("{}; {advice}", error.message);
        Error { message, ..error }
    }
}

/// The configuration for an account's first calls, which the client itself tries again.
pub fn opening(config: &SdkConfig) -> SdkConfig {
    let retries = RetryConfig::standard()
        .with_max_attempts(OPENING_TRIES)
        .with_initial_backoff(Duration::from_millis(200))
        .with_max_backoff(Duration::from_secs(2));
    config.to_builder().retry_config(retries).build()
}

fn partition_of(name: &str) -> &'static str {
    PARTITIONS.iter().map(|(known, _)| *known).find(|known| *known == name).unwrap_or("aws")
}
