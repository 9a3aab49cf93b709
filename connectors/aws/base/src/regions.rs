//! Which regions of an account are read.

use headwater_sdk::text::nearest;
use headwater_sdk::{Error, Result};

use crate::Regions;
use crate::account::{OpenAccount, opening};

/// The region of calls that belong to none, where nothing else says one.
pub const DEFAULT_REGION: &str = "us-east-1";

/// The regions that are enabled in every account of the partition `aws`: those from before 20 March 2019. Later ones
/// have to be enabled first.
const EVERYWHERE: [&str; 17] = [
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
];

/// The region in which a partition's services without regions answer.
pub fn global_region(partition: &str) -> &'static str {
    match partition {
        "aws-cn" => "cn-north-1",
        "aws-us-gov" => "us-gov-west-1",
        "aws-eusc" => "eusc-de-east-1",
        "aws-iso" => "us-iso-east-1",
        "aws-iso-b" => "us-isob-east-1",
        "aws-iso-e" => "eu-isoe-west-1",
        "aws-iso-f" => "us-isof-south-1",
        _ => DEFAULT_REGION,
    }
}

/// The regions that are named, where it is known without a call that the account has them.
pub fn known(named: &[String]) -> Option<Vec<String>> {
    let known = !named.is_empty() && named.iter().all(|region| EVERYWHERE.contains(&region.as_str()));
    known.then(|| distinct(named))
}

/// The regions to read in an account. Named ones are checked against those that are enabled, as far as that is in doubt
/// and the credentials may ask for them.
pub async fn regions(named: &[String], open: &OpenAccount, list: Option<Regions>) -> Result<Vec<String>> {
    if let Some(known) = known(named).filter(|_| open.partition == "aws") {
        return Ok(known);
    }
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

#[cfg(test)]
mod tests {
    use super::known;

    #[test]
    fn only_regions_that_every_account_has_are_known() {
        let named = |names: &[&str]| known(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!(named(&["us-east-1", "eu-west-1", "us-east-1"]), Some(vec!["eu-west-1".into(), "us-east-1".into()]));
        assert_eq!(named(&["us-east-1", "af-south-1"]), None);
        assert_eq!(named(&["*"]), None);
        assert_eq!(named(&[]), None);
    }
}
