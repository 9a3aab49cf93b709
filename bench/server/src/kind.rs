//! What the estate consists of.

use serde::{Deserialize, Serialize};

/// Where the rows of a kind are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the organization, once.
    Organization,
    /// In each populated region of each account.
    Region,
    /// In each account.
    Account,
    /// Below each row of another kind.
    Below(Kind),
}

/// A kind of resource; its count is the number of rows in each place where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Kind {
    Accounts,
    Instances,
    Volumes,
    Vpcs,
    Snapshots,
    Users,
    Roles,
    Groups,
    Policies,
    Buckets,
    UserAttachedPolicies,
    UserPolicies,
    UserGroups,
    UserAccessKeys,
    UserMfaDevices,
    UserTags,
    UserSigningCertificates,
    UserSshPublicKeys,
    GroupAttachedPolicies,
    GroupPolicies,
    RoleAttachedPolicies,
    RolePolicies,
}

impl Kind {
    /// How many kinds there are.
    pub const COUNT: usize = Self::ALL.len();

    /// All kinds in their order.
    pub const ALL: [Self; 22] = [
        Self::Accounts,
        Self::Instances,
        Self::Volumes,
        Self::Vpcs,
        Self::Snapshots,
        Self::Users,
        Self::Roles,
        Self::Groups,
        Self::Policies,
        Self::Buckets,
        Self::UserAttachedPolicies,
        Self::UserPolicies,
        Self::UserGroups,
        Self::UserAccessKeys,
        Self::UserMfaDevices,
        Self::UserTags,
        Self::UserSigningCertificates,
        Self::UserSshPublicKeys,
        Self::GroupAttachedPolicies,
        Self::GroupPolicies,
        Self::RoleAttachedPolicies,
        Self::RolePolicies,
    ];

    /// Where its rows are.
    pub fn place(self) -> Place {
        match self {
            Self::Accounts => Place::Organization,
            Self::Instances | Self::Volumes | Self::Vpcs | Self::Snapshots => Place::Region,
            Self::Users | Self::Roles | Self::Groups | Self::Policies | Self::Buckets => Place::Account,
            Self::UserAttachedPolicies
            | Self::UserPolicies
            | Self::UserGroups
            | Self::UserAccessKeys
            | Self::UserMfaDevices
            | Self::UserTags
            | Self::UserSigningCertificates
            | Self::UserSshPublicKeys => Place::Below(Self::Users),
            Self::GroupAttachedPolicies | Self::GroupPolicies => Place::Below(Self::Groups),
            Self::RoleAttachedPolicies | Self::RolePolicies => Place::Below(Self::Roles),
        }
    }

    /// How many there are where the configuration says nothing; accounts are counted by `Config::accounts`.
    pub fn usual(self) -> u64 {
        match self {
            Self::Instances | Self::Vpcs => 33,
            Self::Volumes => 34,
            Self::Users => 20,
            Self::Roles | Self::Buckets => 10,
            Self::Groups | Self::Policies => 5,
            Self::UserAttachedPolicies | Self::UserPolicies | Self::UserGroups | Self::UserAccessKeys => 1,
            Self::UserTags => 2,
            Self::GroupAttachedPolicies | Self::GroupPolicies => 1,
            Self::RoleAttachedPolicies | Self::RolePolicies => 1,
            Self::Accounts
            | Self::Snapshots
            | Self::UserMfaDevices
            | Self::UserSigningCertificates
            | Self::UserSshPublicKeys => 0,
        }
    }

    /// The name in the configuration: `user_access_keys`.
    pub fn name(self) -> String {
        serde_json::to_value(self).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        serde_json::from_value(name.into()).ok()
    }
}
