//! What EC2's tables need beyond their annotations.

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{ImageAttributeName, SnapshotAttributeName};
use futures::future::BoxFuture;
use headwater_aws_base::{SdkConfig, errors};
use headwater_sdk::{Result, Timestamp};

/// The attribute of a snapshot that says who may make volumes of it.
pub const SNAPSHOT_PERMISSIONS: SnapshotAttributeName = SnapshotAttributeName::CreateVolumePermission;

/// The attribute of an image that says who may launch instances of it.
pub const LAUNCH_PERMISSIONS: ImageAttributeName = ImageAttributeName::LaunchPermission;

/// The time in a reason such as `User initiated (2026-11-21 08:59:02 GMT)`.
pub fn transition_time(reason: &str) -> Option<Timestamp> {
    let (_, inner) = reason.rsplit_once('(')?;
    let (time, _) = inner.split_once(')')?;
    let time = time.strip_suffix(" GMT").or_else(|| time.strip_suffix(" UTC"))?;
    Timestamp::parse(&format!("{}Z", time.replacen(' ', "T", 1))).ok()
}

/// The regions that are enabled in the account.
pub fn regions(config: &SdkConfig) -> BoxFuture<'static, Result<Vec<String>>> {
    let call = Client::new(config).describe_regions().all_regions(false);
    Box::pin(async move {
        let answer = call.send().await.map_err(|failure| errors::error("ec2 DescribeRegions", &failure))?;
        let mut names: Vec<String> =
            answer.regions.into_iter().flatten().filter_map(|region| region.region_name).collect();
        names.sort();
        Ok(names)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_time_of_a_transition() {
        let expected = Timestamp::parse("2026-11-21T08:59:02Z").ok();
        assert!(expected.is_some());
        assert_eq!(transition_time("User initiated (2026-11-21 08:59:02 GMT)"), expected);
        assert_eq!(transition_time("User initiated"), None);
        assert_eq!(transition_time(""), None);
        assert_eq!(transition_time("Server.SpotInstanceTermination (soon)"), None);
    }
}
