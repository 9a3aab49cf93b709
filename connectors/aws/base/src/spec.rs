//! The connector's own part of the configuration: CloudQuery's keys.

use schemars::JsonSchema;
use serde::Deserialize;

/// Spec of the `aws` source.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Spec {
    /// Regions to read. Without any, or with `*`, all regions that are enabled in the account.
    pub regions: Vec<String>,
    /// Accounts to read. Without any, the one of the default credentials (environment, profile, SSO, instance role).
    pub accounts: Vec<Account>,
    /// Read all accounts of an AWS organization. Not supported yet.
    pub org: Option<Org>,
    /// Send every call to this URL, such as that of a local AWS.
    pub custom_endpoint_url: Option<String>,
    /// Accepted for CloudQuery's sake; a custom endpoint is never changed.
    pub custom_endpoint_hostname_immutable: Option<bool>,
    /// The partition of the custom endpoint, such as `aws`.
    pub custom_endpoint_partition_id: Option<String>,
    /// The region by which calls to the custom endpoint are signed, where no other is said.
    pub custom_endpoint_signing_region: Option<String>,
    /// How often a call that failed for a passing reason is tried again. Default: 10.
    pub max_retries: Option<u32>,
    /// The longest wait between two tries, in seconds. Default: 30.
    pub max_backoff: Option<u64>,
    /// How many calls may be under way at once, at most 1024. Default: 64.
    pub concurrency: Option<usize>,
    /// How many accounts are opened at once. Default: 4.
    pub initialization_concurrency: Option<usize>,
    /// Whether tables whose calls cost money are read. There are none yet, so it changes nothing.
    pub use_paid_apis: bool,
    /// Accepted for CloudQuery's sake: there is one scheduler.
    pub scheduler: Option<String>,
    /// Accepted for CloudQuery's sake: `RUST_LOG=debug` shows the client's own log.
    pub aws_debug: bool,
}

/// An account to read.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Account {
    /// The account's name in messages, such as `production`.
    #[serde(alias = "account_name")]
    pub id: String,
    /// The profile in the shared configuration files whose credentials open the account.
    pub local_profile: Option<String>,
    /// The role to assume.
    pub role_arn: Option<String>,
    /// The name of the session in which the role is assumed. Default: `headwater`.
    pub role_session_name: Option<String>,
    /// The external id that the role asks for.
    pub external_id: Option<String>,
    /// The region of calls that belong to none. Default: `us-east-1`.
    pub default_region: Option<String>,
    /// Regions to read in this account, instead of those of the spec.
    pub regions: Vec<String>,
}

/// An organization whose accounts are read. Not supported yet.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Org {
    /// The account whose credentials list the organization.
    pub admin_account: Option<Account>,
    /// Whose credentials assume the members' role.
    pub member_trusted_principal: Option<Account>,
    /// The role to assume in each member.
    pub member_role_name: Option<String>,
    /// The name of the session.
    pub member_role_session_name: Option<String>,
    /// The external id that the role asks for.
    pub member_external_id: Option<String>,
    /// Regions to read in each member.
    pub member_regions: Vec<String>,
    /// Organizational units to read.
    pub organization_units: Vec<String>,
    /// Organizational units to leave out.
    pub skip_organization_units: Vec<String>,
    /// Accounts to leave out.
    pub skip_member_accounts: Vec<String>,
}

impl Spec {
    /// What cannot work, found without a connection.
    pub fn problem(&self) -> Option<String> {
        if self.org.is_some() {
            return Some(
                "`org` is not supported yet: list the accounts under `accounts`, each with its `role_arn`".into(),
            );
        }
        for region in self.regions.iter().chain(self.accounts.iter().flat_map(|account| &account.regions)) {
            let plausible = region == "*"
                || region.split('-').count() >= 3
                    && region.ends_with(|letter: char| letter.is_ascii_digit())
                    && region
                        .chars()
                        .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-');
            if !plausible {
                return Some(format!("`{region}` is no region: a region is written like `eu-west-1`, all of them `*`"));
            }
        }
        if let Some(url) = &self.custom_endpoint_url
            && !(url.starts_with("http://") || url.starts_with("https://"))
        {
            return Some("`custom_endpoint_url` must begin with http:// or https://".into());
        }
        for account in &self.accounts {
            if let Some(role) = account.role_arn.as_ref().filter(|role| !role.starts_with("arn:")) {
                return Some(format!(
                    "`role_arn: {role}` is no ARN: it is written like `arn:aws:iam::123456789012:role/name`"
                ));
            }
        }
        if self.concurrency == Some(0) {
            return Some("`concurrency: 0` would make no call: leave it out, or give at least 1".into());
        }
        None
    }

    /// How many calls may be under way at once.
    pub fn calls(&self) -> usize {
        self.concurrency.unwrap_or(64).clamp(1, 1024)
    }
}
