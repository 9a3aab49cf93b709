//! `--shard`: one of several processes that share the units of a sync between them.
//!
//! Which shard a unit belongs to depends on its id and on the number of shards only: it is the first eight bytes of the
//! id's SHA-256 as a big-endian number, modulo the number of shards. This stays so for ever, because the shards of one
//! sync may be run by different versions.

use std::fmt;

use sha2::{Digest, Sha256};

/// Where Kubernetes says which of a Job's pods this is, counted from 0 (an Indexed Job).
pub const VARIABLE: &str = "JOB_COMPLETION_INDEX";

/// One of several shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: u64,
    of: u64,
}

impl Shard {
    /// Reads `2/8` (counted from 1), or only `8` or `/8` with the index from [`VARIABLE`]. The error says what is wrong
    /// and what to write instead.
    pub fn parse(text: &str, variable: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let refuse = |why: String| Err(format!("`--shard {text}`: {why}"));
        let (index, of) = match text.split_once('/') {
            Some((index, of)) => (index, of),
            None => ("", text),
        };
        let (Some(of), Some(index)) = (number(of), if index.is_empty() { Some(None) } else { number(index).map(Some) })
        else {
            return refuse(
                "write which shard of how many this is, such as 2/8, or only how many, such as 8".to_owned(),
            );
        };
        if of == 0 {
            return refuse("there is at least one shard, such as 1/1".to_owned());
        }
        if let Some(index) = index {
            return match index {
                0 => refuse(format!("shards are counted from 1: the first is 1/{of}")),
                index if index > of => refuse(format!("there is no shard {index} of {of}: the last is {of}/{of}")),
                index => Ok(Self { index: index - 1, of }),
            };
        }
        let Some(found) = variable(VARIABLE) else {
            return refuse(format!(
                "{VARIABLE} is not set, from which the shard's index would come; it is set in an Indexed Job of \
                 Kubernetes (`completionMode: Indexed`): elsewhere write the index too, such as 1/{of}"
            ));
        };
        match number(found.trim()) {
            None => refuse(format!(
                "{VARIABLE} is `{found}`, which is not a number from 0; write the index too, such as 1/{of}"
            )),
            Some(index) if index >= of => refuse(format!(
                "{VARIABLE} is {index}, but the indexes of {of} shards are 0 to {}; set the Job's `completions` to {of}, \
                 or write the number of its `completions` here",
                of - 1
            )),
            Some(index) => Ok(Self { index, of }),
        }
    }

    /// Whether a unit, by its id such as `aws:aws_ec2_instances@123456789012/eu-west-1`, belongs to this shard.
    pub fn has(&self, unit_id: &str) -> bool {
        let mut first = [0; 8];
        first.copy_from_slice(&Sha256::digest(unit_id)[..8]);
        u64::from_be_bytes(first) % self.of == self.index
    }

    /// The shard as part of a file's name: `2of8`.
    pub fn name(&self) -> String {
        format!("{}of{}", self.index + 1, self.of)
    }
}

/// As it is written on the command line: `2/8`.
impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index + 1, self.of)
    }
}

/// A number without a sign.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // Up to 32 bits, so that counting on from it cannot overflow.
    if digits { text.parse::<u32>().ok().map(u64::from) } else { None }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parse(text: &str, index: Option<&str>) -> Result<Shard, String> {
        Shard::parse(text, |name| (name == VARIABLE).then(|| index.map(str::to_owned)).flatten())
    }

    #[test]
    fn shards_are_counted_from_one_on_the_command_line_and_from_zero_in_the_variable() {
        let shown = |text: &str, index| parse(text, index).unwrap().to_string();
        assert_eq!(shown("2/8", None), "2/8");
        assert_eq!(shown("1/1", None), "1/1");
        assert_eq!(shown("8/8", Some("3")), "8/8", "what is written wins");
        assert_eq!(shown("2/8", Some("nonsense")), "2/8");
        assert_eq!(shown("8", Some("0")), "1/8");
        assert_eq!(shown("/8", Some("7")), "8/8");
        assert_eq!(parse("2/8", None).unwrap().name(), "2of8");
    }

    #[test]
    fn what_is_wrong_says_what_to_do() {
        for (text, index, expected) in [
            ("0/8", None, "`--shard 0/8`: shards are counted from 1: the first is 1/8"),
            ("9/8", None, "there is no shard 9 of 8: the last is 8/8"),
            ("1/0", None, "there is at least one shard"),
            ("0", Some("0"), "there is at least one shard"),
            ("a/8", None, "such as 2/8, or only how many, such as 8"),
            ("2/", None, "such as 2/8"),
            ("", None, "such as 2/8"),
            ("1/2/3", None, "such as 2/8"),
            ("-1/8", None, "such as 2/8"),
            ("+1/8", None, "such as 2/8"),
            ("1/99999999999", None, "such as 2/8"),
            ("8", None, "JOB_COMPLETION_INDEX is not set"),
            ("/8", None, "write the index too, such as 1/8"),
            ("8", Some("x"), "JOB_COMPLETION_INDEX is `x`, which is not a number"),
            ("8", Some(""), "JOB_COMPLETION_INDEX is ``, which is not a number"),
            ("8", Some("8"), "JOB_COMPLETION_INDEX is 8, but the indexes of 8 shards are 0 to 7"),
        ] {
            let error = parse(text, index).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    fn ids() -> impl Iterator<Item = String> {
        (0..10_000).map(|number| format!("aws:aws_ec2_instances@{number:012}/eu-west-1"))
    }

    #[test]
    fn every_unit_is_in_one_shard_and_the_shards_are_alike() {
        for of in [1, 2, 3, 8, 64] {
            let shards: Vec<Shard> = (0..of).map(|index| Shard { index, of }).collect();
            let mut sizes = vec![0_u64; shards.len()];
            for id in ids() {
                let has: Vec<usize> = (0..shards.len()).filter(|index| shards[*index].has(&id)).collect();
                let [index] = has.as_slice() else { panic!("{id} is in the shards {has:?}") };
                sizes[*index] += 1;
            }
            let even = 10_000 / of;
            let worst = sizes.iter().map(|size| size.abs_diff(even)).max().unwrap();
            assert!(worst < even / 3 + 1, "{of} shards: {sizes:?}");
        }
    }

    #[test]
    fn a_units_shard_is_the_same_for_ever() {
        // Computed independently: python3 -c "import hashlib,sys; print([[int.from_bytes(hashlib.sha256(i.encode())
        // .digest()[:8], 'big') % n for n in (2, 8, 100)] for i in sys.argv[1:]])" ID …
        for (id, expected) in [
            ("aws:aws_ec2_instances@123456789012/eu-west-1", [0, 2, 70]),
            ("aws:aws_s3_buckets@123456789012", [0, 6, 38]),
            ("xkcd:xkcd_comics", [1, 5, 93]),
            ("", [0, 4, 52]),
        ] {
            let index = |of| (0..of).find(|index| Shard { index: *index, of }.has(id)).unwrap();
            assert_eq!([index(2), index(8), index(100)], expected, "{id}");
        }
    }
}
