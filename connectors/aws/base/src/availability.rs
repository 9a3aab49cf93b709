//! Which service is offered in which region.

use crate::generated_regions::{PARTITIONS, SERVICES};

/// The regions of a service.
pub enum Regions {
    /// These.
    Only(&'static [&'static str]),
    /// All but these.
    Except(&'static [&'static str]),
}

/// Whether a service is offered in a region. What is not known is: a list like this is never complete.
pub fn offers(service: &str, region: &str) -> bool {
    let known = PARTITIONS.iter().any(|(_, regions)| regions.contains(&region));
    let Some((_, regions)) = SERVICES.iter().find(|(id, _)| known && *id == service) else { return true };
    match regions {
        Regions::Only(regions) => regions.contains(&region),
        Regions::Except(regions) => !regions.contains(&region),
    }
}

#[cfg(test)]
mod tests {
    use super::offers;

    #[test]
    fn only_what_is_known_not_to_be_there_is_left_out() {
        for (service, region, offered) in [
            ("ec2", "eu-west-1", true),
            ("s3", "cn-north-1", true),
            ("iam", "eu-west-1", true),
            ("cloud9", "us-east-1", true),
            ("cloud9", "cn-north-1", false),
            ("cloud9", "moon-north-1", true),
            ("a-new-one", "eu-west-1", true),
        ] {
            assert_eq!(offers(service, region), offered, "{service} in {region}");
        }
    }
}
