//! The keys of rows, as the estate spells them, and their sums.

use std::collections::BTreeMap;

use headwater_bench_server::{Estate, Kind, Place, key_hash};
use headwater_sdk::arrow::array::{Array, AsArray, RecordBatch, StringArray};
use serde::{Deserialize, Serialize};

/// The tables of which the estate knows every key: the kind, the column of a row's own id, and that of the parent's ARN.
const TABLES: [(&str, Kind, &str, Option<&str>); 15] = [
    ("aws_ec2_instances", Kind::Instances, "instance_id", None),
    ("aws_ec2_ebs_volumes", Kind::Volumes, "volume_id", None),
    ("aws_ec2_vpcs", Kind::Vpcs, "vpc_id", None),
    ("aws_ec2_ebs_snapshots", Kind::Snapshots, "snapshot_id", None),
    ("aws_iam_users", Kind::Users, "user_name", None),
    ("aws_iam_groups", Kind::Groups, "group_name", None),
    ("aws_iam_roles", Kind::Roles, "role_name", None),
    ("aws_iam_user_access_keys", Kind::UserAccessKeys, "access_key_id", Some("user_arn")),
    ("aws_iam_user_attached_policies", Kind::UserAttachedPolicies, "policy_name", Some("user_arn")),
    ("aws_iam_user_groups", Kind::UserGroups, "group_name", Some("user_arn")),
    ("aws_iam_user_policies", Kind::UserPolicies, "policy_name", Some("user_arn")),
    ("aws_iam_group_attached_policies", Kind::GroupAttachedPolicies, "policy_name", Some("group_arn")),
    ("aws_iam_group_policies", Kind::GroupPolicies, "policy_name", Some("group_arn")),
    ("aws_iam_role_attached_policies", Kind::RoleAttachedPolicies, "policy_name", Some("role_arn")),
    ("aws_iam_role_policies", Kind::RolePolicies, "policy_name", Some("role_arn")),
];

/// Rows of a table that have come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sum {
    /// How many.
    pub rows: u64,
    /// How many of them came in a part that is known to lack others.
    pub partial: u64,
    /// The hashes of their keys, added up; 0 where the estate does not know the keys.
    pub checksum: u64,
}

/// Rows by their table.
pub type Sums = BTreeMap<String, Sum>;

impl Sum {
    /// The sum of both.
    pub fn add(&mut self, other: Self) {
        self.rows += other.rows;
        self.partial += other.partial;
        self.checksum = self.checksum.wrapping_add(other.checksum);
    }

    /// Adds the rows of a batch. Answers what is wrong with it, if its keys cannot be read.
    pub fn add_batch(&mut self, table: &str, batch: &RecordBatch) -> Result<(), String> {
        self.rows += batch.num_rows() as u64;
        let Some((_, kind, id, parent)) = TABLES.iter().find(|(name, ..)| *name == table) else { return Ok(()) };
        let account = texts(batch, "account_id")?;
        let region = matches!(kind.place(), Place::Region).then(|| texts(batch, "region")).transpose()?;
        let parent = parent.map(|parent| texts(batch, parent)).transpose()?;
        let id = texts(batch, id)?;
        let mut key = String::new();
        for row in 0..batch.num_rows() {
            key.clear();
            key.push_str(account.value(row));
            if let Some(region) = region {
                key.push('/');
                key.push_str(region.value(row));
            }
            if let Some(parent) = parent {
                key.push('/');
                key.push_str(parent.value(row).rsplit('/').next().unwrap_or_default());
            }
            key.push('/');
            key.push_str(id.value(row));
            self.checksum = self.checksum.wrapping_add(key_hash(&key));
        }
        Ok(())
    }
}

fn texts<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a StringArray, String> {
    let column = batch.column_by_name(name).ok_or_else(|| format!("there is no column {name}"))?;
    let texts = column.as_string_opt::<i32>().ok_or_else(|| format!("{name} is no text"))?;
    if texts.null_count() > 0 { Err(format!("{name} is missing in a row")) } else { Ok(texts) }
}

/// How many rows the estate has in these tables.
pub fn expected(estate: &Estate, tables: &[&str]) -> u64 {
    TABLES.iter().filter(|(name, ..)| tables.contains(name)).map(|(_, kind, ..)| estate.rows(*kind)).sum()
}

/// What is not as the estate has it, table by table: rows that are lost, doubled or of another key.
pub fn wrong(estate: &Estate, tables: &[&str], sums: &Sums) -> Vec<String> {
    let mut wrong = Vec::new();
    for table in tables {
        let Some((_, kind, ..)) = TABLES.iter().find(|(name, ..)| name == table) else { continue };
        let seen = sums.get(*table).copied().unwrap_or_default();
        let expected = estate.rows(*kind);
        if seen.rows != expected {
            wrong.push(format!("{table}: {} of {expected} rows", seen.rows));
        } else if seen.checksum != estate.checksum(*kind) {
            wrong.push(format!("{table}: other keys"));
        }
        if seen.partial > 0 {
            wrong.push(format!("{table}: {} rows in partial parts", seen.partial));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use headwater_bench_server::Config;
    use headwater_sdk::arrow::array::ArrayRef;

    use super::*;

    /// A batch of these columns, with the rows in the order of the keys.
    fn batch(estate: &Estate, kind: Kind, names: &[&str], spell: fn(&str, &str) -> String) -> Option<RecordBatch> {
        let mut columns = vec![Vec::new(); names.len()];
        estate.each_key(kind, |key| {
            for (column, (name, part)) in columns.iter_mut().zip(names.iter().zip(key.split('/'))) {
                column.push(spell(name, part));
            }
        });
        let arrays = columns.into_iter().map(|column| Arc::new(StringArray::from(column)) as ArrayRef);
        RecordBatch::try_from_iter(names.iter().copied().zip(arrays)).ok()
    }

    #[test]
    fn the_sums_are_those_of_the_estate() -> Result<(), String> {
        let estate = Estate::new(&Config::default().with_accounts(3).with_regions(["us-east-1", "eu-west-1"]));
        let plain = |_: &str, part: &str| part.to_owned();
        let arn = |name: &str, part: &str| match name {
            "user_arn" => format!("arn:aws:iam::1:user/{part}"),
            _ => part.to_owned(),
        };
        let regional = batch(&estate, Kind::Instances, &["account_id", "region", "instance_id"], plain);
        let below = batch(&estate, Kind::UserAttachedPolicies, &["account_id", "user_arn", "policy_name"], arn);
        let tables = ["aws_ec2_instances", "aws_iam_user_attached_policies"];
        let mut sums = Sums::new();
        for (table, batch) in tables.iter().zip([regional, below]) {
            let batch = batch.ok_or("no batch")?;
            assert!(batch.num_rows() > 0);
            let sum = sums.entry((*table).to_owned()).or_default();
            // In two pieces, as they would come.
            sum.add_batch(table, &batch.slice(0, 7))?;
            sum.add_batch(table, &batch.slice(7, batch.num_rows() - 7))?;
        }
        assert_eq!(wrong(&estate, &tables, &sums), Vec::<String>::new());
        assert_eq!(expected(&estate, &tables), sums.values().map(|sum| sum.rows).sum::<u64>());
        let sum = sums.entry(tables[0].to_owned()).or_default();
        sum.checksum += 1;
        assert_eq!(wrong(&estate, &tables, &sums), ["aws_ec2_instances: other keys"]);
        assert_eq!(wrong(&estate, &["aws_ec2_vpcs"], &sums), ["aws_ec2_vpcs: 0 of 198 rows"]);
        Ok(())
    }
}
