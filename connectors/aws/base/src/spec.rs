//! The connector's own part of the configuration: CloudQuery's keys.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::rates::Limit;

/// Spec of the `aws` source.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Spec {
    /// Regions to read. Without any, or with `*`, all regions that are enabled in the account.
    pub regions: Vec<String>,
    /// Accounts to read. Without any, the one of the default credentials (environment, profile, SSO, instance role).
    pub accounts: Vec<Account>,
    /// Read all accounts of an AWS organization, instead of `accounts`.
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
    /// How many calls may be under way at once, at most 4096. Default: 256.
    pub concurrency: Option<usize>,
    /// How fast calls may be made in each region of each account, by a pattern of service and operation, such as
    /// `ec2:Describe*`, or of tables, such as `aws_iam_*`. Of several that fit, the longest counts. Without one, calls
    /// are made as fast as the service lets them through.
    pub limits: BTreeMap<String, Limit>,
    /// How many accounts are opened at once. Default: 32.
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
    /// The region of calls that belong to none. Default: `us-east-1`, or that of the role's partition.
    pub default_region: Option<String>,
    /// Regions to read in this account, instead of those of the spec.
    pub regions: Vec<String>,
}

/// An organization whose accounts are read: those that are active, with a role in each.
///
/// The account whose credentials assume the roles is read with these credentials as they are, because the role is
/// usually not there.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Org {
    /// The account whose credentials list the organization: the management account or a delegated administrator.
    /// Default: that of the default credentials.
    pub admin_account: Option<Account>,
    /// The account whose credentials assume the members' role. Default: `admin_account`.
    pub member_trusted_principal: Option<Account>,
    /// The name of the role to assume in each member, with its path if it has one.
    pub member_role_name: String,
    /// The name of the session in which the role is assumed. Default: `headwater`.
    pub member_role_session_name: Option<String>,
    /// The external id that the role asks for.
    pub member_external_id: Option<String>,
    /// Regions to read in each member, instead of those of the spec.
    #[serde(default)]
    pub member_regions: Vec<String>,
    /// Organizational units or roots to read, with all below them. Without any, the whole organization.
    #[serde(default)]
    pub organization_units: Vec<String>,
    /// Organizational units to leave out, with all below them.
    #[serde(default)]
    pub skip_organization_units: Vec<String>,
    /// Ids of accounts to leave out.
    #[serde(default)]
    pub skip_member_accounts: Vec<String>,
}

impl Spec {
    /// What cannot work, found without a connection.
    pub fn problem(&self) -> Option<String> {
        if let Some(problem) = self.org.as_ref().and_then(|org| org.problem(!self.accounts.is_empty())) {
            return Some(problem);
        }
        let principals = self.org.iter().flat_map(Org::principals);
        let accounts: Vec<&Account> = self.accounts.iter().chain(principals).collect();
        let members = self.org.iter().flat_map(|org| &org.member_regions);
        let regions = self.regions.iter().chain(members).chain(accounts.iter().flat_map(|account| &account.regions));
        for region in regions {
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
        for role in accounts.iter().filter_map(|account| account.role_arn.as_ref()) {
            if role_account(role).is_none() {
                return Some(format!(
                    "`role_arn: {role}` is no ARN of a role: it is written like `arn:aws:iam::123456789012:role/name`"
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
        self.concurrency.unwrap_or(256).clamp(1, 4096)
    }

    /// How often a call that failed for a passing reason is tried again.
    pub fn retries(&self) -> u32 {
        self.max_retries.unwrap_or(10)
    }

    /// The longest wait between two tries.
    pub fn longest_backoff(&self) -> Duration {
        Duration::from_secs(self.max_backoff.unwrap_or(30))
    }

    /// The regions that are named for an account; none, or `*`, are all.
    pub fn regions_of<'a>(&'a self, account: &'a Account) -> &'a [String] {
        if account.regions.is_empty() { &self.regions } else { &account.regions }
    }
}

impl Org {
    fn principals(&self) -> impl Iterator<Item = &Account> {
        self.admin_account.iter().chain(&self.member_trusted_principal)
    }

    fn problem(&self, with_accounts: bool) -> Option<String> {
        if with_accounts {
            return Some(
                "`org` and `accounts` cannot stand together: `org` reads all accounts of the organization; to read \
                 another one too, give it a source of its own"
                    .into(),
            );
        }
        if self.member_role_name.is_empty() {
            return Some(
                "`org` needs `member_role_name`: the name of the role to assume in each member, such as \
                 `OrganizationAccountAccessRole`"
                    .into(),
            );
        }
        if self.member_role_name.starts_with("arn:") {
            return Some("`member_role_name` is a name such as `reader`, not an ARN: the account differs".into());
        }
        let is_unit = |id: &&String| !(id.starts_with("ou-") || id.starts_with("r-"));
        if let Some(id) = self.organization_units.iter().chain(&self.skip_organization_units).find(is_unit) {
            return Some(format!("`{id}` is no organizational unit: its id is written like `ou-ab12-3cdef456`"));
        }
        let skipped = self.skip_member_accounts.iter().find(|id| !is_account(id));
        skipped.map(|id| format!("`skip_member_accounts`: `{id}` is no account id, which has twelve digits"))
    }
}

/// The partition and the account in the ARN of a role.
pub fn role_account(arn: &str) -> Option<(&str, &str)> {
    let mut parts = arn.splitn(6, ':');
    let (arn, partition, service) = (parts.next()?, parts.next()?, parts.next()?);
    let (_, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
    let is_role = arn == "arn" && service == "iam" && resource.starts_with("role/");
    (is_role && is_account(account)).then_some((partition, account))
}

fn is_account(id: &str) -> bool {
    id.len() == 12 && id.bytes().all(|letter| letter.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_of_a_role_is_in_its_arn() {
        assert_eq!(role_account("arn:aws:iam::123456789012:role/a/b"), Some(("aws", "123456789012")));
        assert_eq!(role_account("arn:aws-cn:iam::123456789012:role/b"), Some(("aws-cn", "123456789012")));
        for arn in ["arn:aws:iam::12345678901:role/b", "arn:aws:iam::123456789012:user/b", "role/b", ""] {
            assert_eq!(role_account(arn), None, "{arn}");
        }
    }

    #[test]
    fn an_organization_needs_a_role_and_no_accounts() {
        let org = Org { member_role_name: "reader".into(), ..Org::default() };
        let problem = |org: &Org, accounts: &[Account]| {
            let spec = Spec { org: Some(org.clone()), accounts: accounts.to_vec(), ..Spec::default() };
            spec.problem().unwrap_or_default()
        };
        assert_eq!(problem(&org, &[]), "");
        assert!(problem(&org, &[Account::default()]).contains("cannot stand together"));
        assert!(problem(&Org::default(), &[]).contains("member_role_name"));
        let units = Org { organization_units: vec!["r-ab12".into(), "production".into()], ..org.clone() };
        assert!(problem(&units, &[]).contains("`production` is no organizational unit"));
        let skipped = Org { skip_member_accounts: vec!["123".into()], ..org };
        assert!(problem(&skipped, &[]).contains("`123` is no account id"));
    }
}
