//! What every AWS service stands on: accounts, scopes, and what transcribed code calls. HTTP, error classes and the
//! superset of the client crates' shared features are those of `headwater-aws-client`.

pub mod account;
mod availability;
pub mod connector;
mod credentials;
#[cfg(test)]
mod fake;
#[rustfmt::skip]
mod generated_regions;
mod opening;
mod organization;
pub mod rates;
pub mod regions;
mod role;
pub mod scope;
pub mod spec;
pub mod transcribed;

use std::sync::Arc;

pub use aws_types::SdkConfig;
pub use aws_types::region::Region;
pub use headwater_aws_client::{errors, http};
pub use headwater_sdk::{Scopes, Table};

pub use connector::AwsApi;
pub use scope::{GLOBAL, REGIONAL, Scope};
pub use spec::Spec;

/// A service: how the connector opens its client.
#[derive(Clone, Copy)]
pub struct Service {
    /// The package in which the service's tables are derived.
    pub package: &'static str,
    /// The short name, such as `ec2`.
    pub id: &'static str,
    /// Opens the client, for a scope's account and region.
    pub client: fn(&SdkConfig) -> Arc<dyn std::any::Any + Send + Sync>,
}

/// Lists the regions that are enabled in an account; a service that can tell offers one.
pub type Regions = fn(&SdkConfig) -> futures::future::BoxFuture<'static, headwater_sdk::Result<Vec<String>>>;
