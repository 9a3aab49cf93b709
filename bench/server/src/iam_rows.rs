//! Rows of AWS Identity and Access Management.

use std::sync::Arc;

use crate::call::Call;
use crate::estate::{Estate, packed};
use crate::handle::World;
use crate::kind::Kind;
use crate::latency::mixed;
use crate::text::{Iso, Text, key_id};

/// A policy's document, percent-encoded as IAM sends it.
pub const DOCUMENT: &str = "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22\
                            %2C%22Action%22%3A%22s3%3AGetObject%22%2C%22Resource%22%3A%22%2A%22%7D%5D%7D";

/// The document that says who may assume a role.
const TRUST: &str = "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C\
                     %22Principal%22%3A%7B%22Service%22%3A%22ec2.amazonaws.com%22%7D%2C%22Action%22%3A%22\
                     sts%3AAssumeRole%22%7D%5D%7D";

/// Writes a row of an index.
pub type Row = fn(&At, u64, &mut Text);

/// Where the rows of a page are.
pub struct At {
    estate: Arc<Estate>,
    account: u64,
    account_id: String,
    kind: Kind,
    above: u64,
}

impl At {
    pub fn new(estate: Arc<Estate>, account: u64, kind: Kind, above: u64) -> Self {
        Self { account_id: estate.account_id(account), estate, account, kind, above }
    }

    fn entity(&self, text: &mut Text, kind: Kind, index: u64) {
        let (word, member, prefix) = match kind {
            Kind::Users => ("user", "User", "AIDA"),
            Kind::Groups => ("group", "Group", "AGPA"),
            Kind::Roles => ("role", "Role", "AROA"),
            _ => ("policy", "Policy", "ANPA"),
        };
        let name = self.estate.name(kind, self.account, index);
        text.raw("<Path>/</Path><");
        text.raw(member);
        text.raw("Name>");
        text.raw(&name);
        text.raw("</");
        text.raw(member);
        text.raw("Name><");
        text.raw(member);
        text.raw("Id>");
        text.raw(&key_id(prefix, packed(self.account, index, 0)));
        text.raw("</");
        text.raw(member);
        text.raw("Id>");
        text.leaf("Arn", format_args!("arn:aws:iam::{}:{word}/{name}", self.account_id));
        text.leaf("CreateDate", Iso(1_500_000_000 + index % 200_000_000));
    }

    fn child(&self, index: u64) -> String {
        self.estate.child(self.kind, self.account, self.above, index)
    }

    fn user(&self) -> String {
        self.estate.name(Kind::Users, self.account, self.above)
    }

    /// A tag that fills the row up. IAM's own lists have no tags, so without `row_bytes` there is none.
    fn fill(&self, text: &mut Text, index: u64, start: usize) {
        let missing = self.estate.row_bytes.saturating_sub(text.0.len() - start + 90);
        if missing > 0 {
            text.raw("<Tags><member><Key>padding</Key><Value>");
            text.pad(missing, mixed(packed(self.account, index, 1) as u64));
            text.raw("</Value></member></Tags>");
        }
    }

    fn tags(&self, text: &mut Text, index: u64) {
        text.raw("<Tags><member><Key>team</Key>");
        text.leaf("Value", format_args!("team-{:02}", index % 40));
        text.raw("</member></Tags>");
    }
}

pub fn user(at: &At, index: u64, text: &mut Text) {
    let start = text.0.len();
    bare_user(at, index, text);
    at.fill(text, index, start);
}

fn bare_user(at: &At, index: u64, text: &mut Text) {
    at.entity(text, Kind::Users, index);
    if index.is_multiple_of(2) {
        text.leaf("PasswordLastUsed", Iso(1_760_000_000 + index % 10_000_000));
    }
}

pub fn user_with_tags(at: &At, index: u64, text: &mut Text) {
    bare_user(at, index, text);
    at.tags(text, index);
}

/// The user that calls.
pub fn caller(world: &World, call: &Call, text: &mut Text) {
    text.raw("<Path>/</Path><UserName>bench</UserName>");
    text.text("UserId", &key_id("AIDA", u128::from(call.caller.account)));
    text.text("Arn", &call.caller_arn(&world.estate));
    text.leaf("CreateDate", Iso(1_500_000_000));
}

pub fn group(at: &At, index: u64, text: &mut Text) {
    at.entity(text, Kind::Groups, index);
}

pub fn group_of_user(at: &At, index: u64, text: &mut Text) {
    let groups = at.estate.count(at.account, Kind::Groups).max(1);
    at.entity(text, Kind::Groups, (at.above + index) % groups);
}

pub fn role(at: &At, index: u64, text: &mut Text) {
    let start = text.0.len();
    bare_role(at, index, text);
    at.fill(text, index, start);
}

fn bare_role(at: &At, index: u64, text: &mut Text) {
    at.entity(text, Kind::Roles, index);
    text.text("AssumeRolePolicyDocument", TRUST);
    text.leaf("Description", format_args!("Role {index} of the estate"));
    text.text("MaxSessionDuration", "3600");
}

pub fn role_with_tags(at: &At, index: u64, text: &mut Text) {
    bare_role(at, index, text);
    text.raw("<RoleLastUsed>");
    text.leaf("LastUsedDate", Iso(1_750_000_000 + index % 10_000_000));
    text.text("Region", &at.estate.regions[0]);
    text.raw("</RoleLastUsed>");
    at.tags(text, index);
}

pub fn policy(at: &At, index: u64, text: &mut Text) {
    let start = text.0.len();
    bare_policy(at, index, text);
    at.fill(text, index, start);
}

fn bare_policy(at: &At, index: u64, text: &mut Text) {
    at.entity(text, Kind::Policies, index);
    text.raw("<DefaultVersionId>v1</DefaultVersionId><AttachmentCount>1</AttachmentCount>");
    text.raw("<PermissionsBoundaryUsageCount>0</PermissionsBoundaryUsageCount><IsAttachable>true</IsAttachable>");
    text.leaf("UpdateDate", Iso(1_500_000_000 + index % 200_000_000));
}

pub fn policy_detail(at: &At, index: u64, text: &mut Text) {
    bare_policy(at, index, text);
    text.raw("<PolicyVersionList><member>");
    text.text("Document", DOCUMENT);
    text.raw("<VersionId>v1</VersionId><IsDefaultVersion>true</IsDefaultVersion>");
    text.leaf("CreateDate", Iso(1_500_000_000 + index % 200_000_000));
    text.raw("</member></PolicyVersionList>");
}

pub fn attached(at: &At, index: u64, text: &mut Text) {
    let name = at.child(index);
    text.text("PolicyName", &name);
    text.leaf("PolicyArn", format_args!("arn:aws:iam::aws:policy/{name}"));
}

pub fn policy_name(at: &At, index: u64, text: &mut Text) {
    text.raw(&at.child(index));
}

pub fn access_key(at: &At, index: u64, text: &mut Text) {
    text.text("UserName", &at.user());
    text.text("AccessKeyId", &at.child(index));
    text.text("Status", if index == 0 { "Active" } else { "Inactive" });
    text.leaf("CreateDate", Iso(1_600_000_000 + at.above % 100_000_000));
}

pub fn mfa_device(at: &At, index: u64, text: &mut Text) {
    text.text("UserName", &at.user());
    text.leaf("SerialNumber", format_args!("arn:aws:iam::{}:mfa/{}", at.account_id, at.child(index)));
    text.leaf("EnableDate", Iso(1_600_000_000 + at.above % 100_000_000));
}

pub fn tag(at: &At, index: u64, text: &mut Text) {
    text.text("Key", &at.child(index));
    text.leaf("Value", format_args!("value-{}", at.above));
}

pub fn certificate(at: &At, index: u64, text: &mut Text) {
    text.text("UserName", &at.user());
    text.text("CertificateId", &at.child(index));
    text.text("CertificateBody", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----");
    text.text("Status", "Active");
    text.leaf("UploadDate", Iso(1_600_000_000));
}

pub fn ssh_key(at: &At, index: u64, text: &mut Text) {
    text.text("UserName", &at.user());
    text.text("SSHPublicKeyId", &at.child(index));
    text.text("Status", "Active");
    text.leaf("UploadDate", Iso(1_600_000_000));
}
