//! The AWS connector: all services that this build has, one cargo feature each.

#[rustfmt::skip]
mod generated;

pub use headwater_aws_base::Spec;

use std::sync::Arc;

use headwater_aws_base::{AwsApi, Regions};
use headwater_sdk::{ApiConnector, Connector, Result};

/// The connector of a spec. Nothing is called; a spec that cannot work is an error.
pub fn connector(spec: Spec) -> Result<Arc<dyn Connector>> {
    #[cfg(feature = "ec2")]
    let regions: Option<Regions> = Some(headwater_aws_ec2::regions);
    #[cfg(not(feature = "ec2"))]
    let regions: Option<Regions> = None;
    Ok(Arc::new(ApiConnector::new(AwsApi::new(spec, generated::services(), regions)?)))
}
