//! Roles that are assumed: one client for all that are assumed with the same credentials.

use std::sync::{Arc, OnceLock};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, future};
use aws_types::SdkConfig;

/// The provider's name in logs.
const PROVIDER: &str = "AssumeRole";

/// The session's name, where the spec has none.
const SESSION: &str = "headwater";

/// Whose credentials assume roles.
pub struct Principal {
    /// What its own clients are made of.
    pub config: SdkConfig,
    client: OnceLock<aws_sdk_sts::Client>,
}

impl Principal {
    /// A principal that has not assumed anything yet.
    pub fn new(config: SdkConfig) -> Arc<Self> {
        Arc::new(Self { config, client: OnceLock::new() })
    }

    /// The client by which it assumes roles; `configure` says what the client is made of, if there is none yet.
    pub fn client(&self, configure: impl FnOnce(&SdkConfig) -> SdkConfig) -> aws_sdk_sts::Client {
        self.client.get_or_init(|| aws_sdk_sts::Client::new(&configure(&self.config))).clone()
    }
}

/// The credentials of a role, fetched each time.
#[derive(Debug)]
pub struct Role {
    /// The client of whoever assumes it.
    pub client: aws_sdk_sts::Client,
    /// The role's ARN.
    pub arn: String,
    /// The session's name.
    pub session_name: Option<String>,
    /// What the role's trust policy may ask for.
    pub external_id: Option<String>,
}

impl Role {
    async fn assume(&self) -> provider::Result {
        let session = self.session_name.as_deref().unwrap_or(SESSION);
        let call = self.client.assume_role().role_arn(&self.arn).role_session_name(session);
        let answer = call.set_external_id(self.external_id.clone()).send().await;
        let given = answer.map_err(CredentialsError::provider_error)?.credentials;
        let given = given.ok_or_else(|| CredentialsError::unhandled("sts AssumeRole answered without credentials"))?;
        let expiry = given.expiration.try_into().map_err(CredentialsError::unhandled)?;
        let (key, secret, token) = (given.access_key_id, given.secret_access_key, given.session_token);
        Ok(Credentials::new(key, secret, Some(token), Some(expiry), PROVIDER))
    }
}

impl ProvideCredentials for Role {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.assume())
    }
}
