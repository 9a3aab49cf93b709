//! Limits on calls that the user sets, by service and operation or by table.

use std::collections::BTreeMap;
use std::fmt;

use headwater_sdk::calls::Rate;
use headwater_sdk::calls::limiter::Fixed;
use headwater_sdk::registry::tables_of;
use headwater_sdk::selection::matches;
use headwater_sdk::text::nearest;
use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::Service;

/// How fast calls may be made in each region of each account.
#[derive(Debug, Clone, Copy, PartialEq, JsonSchema)]
#[schemars(untagged)]
pub enum Limit {
    /// Calls per second.
    PerSecond(f64),
    /// Calls per second, and how many may be made at once.
    Burst(Burst),
}

/// How fast calls may be made, with a burst.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Burst {
    /// Calls per second.
    pub calls_per_second: f64,
    /// Calls that may be made at once after a rest. Default: as many as in a second.
    pub burst: Option<f64>,
}

// An untagged enum of serde's would not say what is wrong in it.
impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Limit;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of calls per second, or `calls_per_second` and `burst`")
            }
            fn visit_f64<E>(self, number: f64) -> Result<Limit, E> {
                Ok(Limit::PerSecond(number))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Limit, E> {
                Ok(Limit::PerSecond(number as f64))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Limit, E> {
                Ok(Limit::PerSecond(number as f64))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Limit, A::Error> {
                Burst::deserialize(MapAccessDeserializer::new(map)).map(Limit::Burst)
            }
        }

        deserializer.deserialize_any(Either)
    }
}

impl Limit {
    fn fixed(self) -> Fixed {
        let (per_second, burst) = match self {
            Limit::PerSecond(number) => (number, None),
            Limit::Burst(Burst { calls_per_second, burst }) => (calls_per_second, burst),
        };
        Fixed { per_second, burst: burst.unwrap_or(per_second).max(1.0) }
    }

    fn problem(self, pattern: &str) -> Option<String> {
        let fixed = self.fixed();
        let burst = match self {
            Limit::Burst(Burst { burst: Some(burst), .. }) => burst,
            _ => 1.0,
        };
        if !(fixed.per_second > 0.0 && fixed.per_second.is_finite()) {
            return Some(format!("`limits`: `{pattern}` must allow more than 0 calls per second"));
        }
        (!(burst >= 1.0 && burst.is_finite())).then(|| format!("`limits`: the burst of `{pattern}` must be 1 or more"))
    }
}

/// The limits as the engine takes them: what is named most precisely comes first.
pub fn rates(limits: &BTreeMap<String, Limit>) -> Vec<Rate> {
    let mut rates: Vec<Rate> =
        limits.iter().map(|(pattern, limit)| Rate { pattern: pattern.clone(), fixed: limit.fixed() }).collect();
    rates.sort_by_key(|rate| (rate.pattern.contains('*'), std::cmp::Reverse(rate.pattern.len())));
    rates
}

/// What is wrong with the limits: a rate that is none, or a pattern that fits nothing.
pub fn problem(limits: &BTreeMap<String, Limit>, services: &[Service]) -> Option<String> {
    let packages: Vec<&'static str> = services.iter().map(|service| service.package).collect();
    let roots = if limits.is_empty() { Vec::new() } else { tables_of(&packages) };
    let tables: Vec<&str> =
        roots.iter().flat_map(|root| root.flatten()).map(|node| node.schema.name.as_str()).collect();
    let ids: Vec<&str> = services.iter().map(|service| service.id).collect();
    limits.iter().find_map(|(pattern, limit)| limit.problem(pattern).or_else(|| unknown(pattern, &ids, &tables)))
}

fn unknown(pattern: &str, services: &[&str], tables: &[&str]) -> Option<String> {
    let (what, name, known) = match pattern.split_once(':') {
        Some((service, _)) => ("service", service, services),
        None => ("table", pattern, tables),
    };
    if known.iter().any(|known| matches(name, known)) {
        return None;
    }
    let near = nearest(name, known.iter().copied()).map(|near| format!("; did you mean `{near}`?"));
    let hint = near.unwrap_or_else(|| "; write `ec2:Describe*` for calls, `aws_ec2_*` for tables".to_owned());
    Some(format!("`limits`: `{pattern}` fits no {what} of this build{hint}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_something_or_are_told() {
        let (services, tables) = (["ec2", "iam"], ["aws_ec2_vpcs", "aws_iam_users"]);
        for pattern in ["ec2:Describe*", "*:List*", "aws_iam_*", "aws_ec2_vpcs", "*"] {
            assert_eq!(unknown(pattern, &services, &tables), None, "{pattern}");
        }
        let told = |pattern| unknown(pattern, &services, &tables).unwrap_or_default();
        assert!(told("ec:Describe*").contains("did you mean `ec2`?"), "{}", told("ec:Describe*"));
        assert!(told("aws_ec2_vpc").contains("did you mean `aws_ec2_vpcs`?"));
        assert!(told("dynamodb:*").contains("fits no service"));
    }

    #[test]
    fn the_most_precise_comes_first() {
        let limits =
            ["*", "ec2:*", "ec2:DescribeVpcs", "ec2:Describe*"].map(|name| (name.into(), Limit::PerSecond(2.5)));
        let rates = rates(&BTreeMap::from(limits));
        let order: Vec<&str> = rates.iter().map(|rate| rate.pattern.as_str()).collect();
        assert_eq!(order, ["ec2:DescribeVpcs", "ec2:Describe*", "ec2:*", "*"]);
        assert_eq!(rates[0].fixed, Fixed { per_second: 2.5, burst: 2.5 });
    }

    #[test]
    fn a_rate_is_more_than_nothing() {
        let burst = |calls_per_second, burst| Limit::Burst(Burst { calls_per_second, burst });
        for (limit, well) in [
            (Limit::PerSecond(0.1), true),
            (Limit::PerSecond(0.0), false),
            (Limit::PerSecond(f64::NAN), false),
            (Limit::PerSecond(f64::INFINITY), false),
            (burst(20.0, Some(40.0)), true),
            (burst(20.0, Some(0.0)), false),
            (burst(-1.0, None), false),
        ] {
            assert_eq!(limit.problem("ec2:*").is_none(), well, "{limit:?}");
        }
    }
}
