//! Scopes of AWS: an account, or one region of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use aws_types::SdkConfig;
use headwater_sdk::Scopes;
use headwater_sdk::scope::ScopeColumn;
use headwater_sdk::table::Anything;

use crate::Service;

const ACCOUNT_ID: ScopeColumn =
    ScopeColumn { name: "account_id", description: "The id of the account, of twelve digits." };
const REGION: ScopeColumn = ScopeColumn { name: "region", description: "The region, such as `eu-west-1`." };

/// The service answers for one region at a time.
pub const REGIONAL: Scopes = Scopes { name: "regional", columns: &[ACCOUNT_ID, REGION] };

/// The service answers for the whole account.
pub const GLOBAL: Scopes = Scopes { name: "global", columns: &[ACCOUNT_ID] };

/// One region of one account, or the account as a whole.
pub struct Scope {
    /// The account's id.
    pub account_id: String,
    /// The account's name in the configuration, or its id.
    pub account_name: String,
    /// The partition: `aws`, `aws-cn`, `aws-us-gov` ….
    pub partition: &'static str,
    /// The region that is asked. For a global scope it is the partition's own.
    pub region: String,
    /// Whether the scope is the account as a whole.
    pub global: bool,
    config: SdkConfig,
    clients: Mutex<HashMap<&'static str, Anything>>,
}

impl Scope {
    /// A scope of an account, with what its clients need.
    pub fn new(account: (&str, &str), partition: &'static str, region: &str, global: bool, config: SdkConfig) -> Self {
        Self {
            account_id: account.0.to_owned(),
            account_name: account.1.to_owned(),
            partition,
            region: region.to_owned(),
            global,
            config,
            clients: Mutex::default(),
        }
    }

    /// The client of a service, made once a scope.
    pub(crate) fn client(&self, service: &Service) -> Anything {
        let mut clients = self.clients.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        Arc::clone(clients.entry(service.package).or_insert_with(|| (service.client)(&self.config)))
    }

    /// The ARN of a resource of the scope's account and region: `arn:aws:ec2:eu-west-1:123456789012:vpc/vpc-1`.
    /// Without an id there is none.
    pub fn arn(&self, service: &str, kind: &str, id: impl Id) -> Option<String> {
        let Self { partition, region, account_id, .. } = self;
        id.id().map(|id| ["arn:", partition, ":", service, ":", region, ":", account_id, ":", kind, "/", id].concat())
    }

    /// The ARN of a resource whose name alone is unique: `arn:aws:s3:::name`.
    pub fn arn_global(&self, service: &str, id: impl Id) -> Option<String> {
        id.id().map(|id| ["arn:", self.partition, ":", service, ":::", id].concat())
    }
}

/// The id of the scope of an account, or of one of its regions.
pub fn scope_id(account: &str, region: Option<&str>) -> String {
    match region {
        Some(region) => format!("{account}/{region}"),
        None => account.to_owned(),
    }
}

/// What an ARN can end in: text that may be missing.
pub trait Id {
    /// The text.
    fn id(&self) -> Option<&str>;
}

impl Id for &String {
    fn id(&self) -> Option<&str> {
        Some(self)
    }
}

impl Id for &str {
    fn id(&self) -> Option<&str> {
        Some(self)
    }
}

impl<T: AsRef<str>> Id for &Option<T> {
    fn id(&self) -> Option<&str> {
        self.as_ref().map(AsRef::as_ref)
    }
}

impl headwater_sdk::Scope for Scope {
    fn id(&self) -> String {
        scope_id(&self.account_id, (!self.global).then_some(&*self.region))
    }

    fn value(&self, column: &str) -> Option<&str> {
        match column {
            "account_id" => Some(&self.account_id),
            "region" if !self.global => Some(&self.region),
            _ => None,
        }
    }
}
