//! AWS Identity and Access Management: users, groups and roles with what is below them, and policies.

use std::sync::Arc;

use crate::answer::{Answer, Rows, XML};
use crate::call::Call;
use crate::errors::{error, unknown};
use crate::handle::World;
use crate::iam_rows::{self as rows, At, Row};
use crate::kind::Kind;
use crate::sts::{foot, head};
use crate::text::Text;

/// Rows of a page, where the client says nothing.
const PAGE: u64 = 100;

/// Answers a call.
pub fn answer(world: &Arc<World>, call: &Call, request_id: &str) -> Answer {
    let top = |kind, set, row| list(world, call, request_id, kind, None, set, row);
    let below = |parent: Kind, kind, set, row| match find(world, call, parent) {
        Some(above) => list(world, call, request_id, kind, Some(above), set, row),
        None => missing(call, parent, request_id),
    };
    let one = |kind: Kind, tag, row: fn(&At, u64, &mut Text)| match find(world, call, kind) {
        Some(index) => {
            let mut text = head(call.service, &call.api);
            text.open(tag);
            row(&At::new(Arc::clone(&world.estate), call.caller.account, Kind::Accounts, 0), index, &mut text);
            text.close(tag);
            foot(&mut text, &call.api, request_id);
            Answer::xml(text)
        }
        None => missing(call, kind, request_id),
    };
    match call.api.as_str() {
        "ListUsers" => top(Kind::Users, "Users", rows::user),
        "ListRoles" => top(Kind::Roles, "Roles", rows::role),
        "ListGroups" => top(Kind::Groups, "Groups", rows::group),
        "ListPolicies" => top(Kind::Policies, "Policies", rows::policy),
        "GetAccountAuthorizationDetails" => top(Kind::Policies, "Policies", rows::policy_detail),
        "GetUser" if call.param("UserName").is_none() => {
            if call.caller.role.is_some() {
                let message = "Must specify userName when calling with non-User credentials";
                return error(call, 400, "ValidationError", message, request_id);
            }
            let mut text = head(call.service, &call.api);
            text.open("User");
            rows::caller(world, call, &mut text);
            text.close("User");
            foot(&mut text, &call.api, request_id);
            Answer::xml(text)
        }
        "GetUser" => one(Kind::Users, "User", rows::user_with_tags),
        "GetRole" => one(Kind::Roles, "Role", rows::role_with_tags),
        "GetGroup" => group(world, call, request_id),
        "ListAttachedUserPolicies" => {
            below(Kind::Users, Kind::UserAttachedPolicies, "AttachedPolicies", rows::attached)
        }
        "ListUserPolicies" => below(Kind::Users, Kind::UserPolicies, "PolicyNames", rows::policy_name),
        "ListGroupsForUser" => below(Kind::Users, Kind::UserGroups, "Groups", rows::group_of_user),
        "ListAccessKeys" => below(Kind::Users, Kind::UserAccessKeys, "AccessKeyMetadata", rows::access_key),
        "ListMFADevices" => below(Kind::Users, Kind::UserMfaDevices, "MFADevices", rows::mfa_device),
        "ListUserTags" => below(Kind::Users, Kind::UserTags, "Tags", rows::tag),
        "ListSigningCertificates" => {
            below(Kind::Users, Kind::UserSigningCertificates, "Certificates", rows::certificate)
        }
        "ListSSHPublicKeys" => below(Kind::Users, Kind::UserSshPublicKeys, "SSHPublicKeys", rows::ssh_key),
        "ListAttachedGroupPolicies" => {
            below(Kind::Groups, Kind::GroupAttachedPolicies, "AttachedPolicies", rows::attached)
        }
        "ListGroupPolicies" => below(Kind::Groups, Kind::GroupPolicies, "PolicyNames", rows::policy_name),
        "ListAttachedRolePolicies" => {
            below(Kind::Roles, Kind::RoleAttachedPolicies, "AttachedPolicies", rows::attached)
        }
        "ListRolePolicies" => below(Kind::Roles, Kind::RolePolicies, "PolicyNames", rows::policy_name),
        "GetUserPolicy" => inline(world, call, Kind::Users, request_id),
        "GetGroupPolicy" => inline(world, call, Kind::Groups, request_id),
        "GetRolePolicy" => inline(world, call, Kind::Roles, request_id),
        "GetAccessKeyLastUsed" => last_used(world, call, request_id),
        "GetLoginProfile" | "GetAccountPasswordPolicy" => {
            error(call, 404, "NoSuchEntity", "It cannot be found.", request_id)
        }
        "ListAccountAliases" => {
            let mut text = head(call.service, &call.api);
            text.raw("<IsTruncated>false</IsTruncated><AccountAliases>");
            text.leaf("member", format_args!("alias-{}", call.caller.account));
            text.raw("</AccountAliases>");
            foot(&mut text, &call.api, request_id);
            Answer::xml(text)
        }
        api if world.config.unknown_empty && api.starts_with("List") => {
            let mut text = head(call.service, api);
            text.raw("<IsTruncated>false</IsTruncated>");
            foot(&mut text, api, request_id);
            Answer::xml(text)
        }
        _ => unknown(call, request_id),
    }
}

/// The parameter that names a row of a kind, and the word for it.
fn named(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Users => ("UserName", "user"),
        Kind::Groups => ("GroupName", "group"),
        _ => ("RoleName", "role"),
    }
}

fn find(world: &World, call: &Call, kind: Kind) -> Option<u64> {
    world.estate.index(kind, call.caller.account, call.param(named(kind).0)?)
}

fn missing(call: &Call, kind: Kind, request_id: &str) -> Answer {
    let (param, word) = named(kind);
    let name = call.param(param).unwrap_or_default();
    let message = format!("The {word} with name {name} cannot be found.");
    error(call, 404, "NoSuchEntity", &message, request_id)
}

fn list(
    world: &Arc<World>,
    call: &Call,
    request_id: &str,
    kind: Kind,
    above: Option<u64>,
    set: &'static str,
    row: Row,
) -> Answer {
    let account = call.caller.account;
    let count = world.estate.count(account, kind);
    let asked = call.number("MaxItems").map(|asked| asked.min(1000));
    let Some(page) = world.page(&call.api, call.param("Marker"), asked, PAGE, count) else {
        return error(call, 400, "ValidationError", "Invalid Marker.", request_id);
    };
    let mut start = head(call.service, &call.api);
    start.leaf("IsTruncated", page.next.is_some());
    if let Some(next) = page.next {
        start.leaf("Marker", format_args!("next-{next}"));
    }
    start.open(set);
    let mut end = Text::default();
    end.close(set);
    foot(&mut end, &call.api, request_id);
    let at = At::new(Arc::clone(&world.estate), account, kind, above.unwrap_or(0));
    let bytes = world.config.row_bytes.max(if above.is_some() { 256 } else { 700 });
    let content = Rows::content(start, (page.start, page.end), end, bytes, move |index, text| {
        text.open("member");
        row(&at, index, text);
        text.close("member");
    });
    Answer { status: 200, content_type: XML, content, headers: Vec::new() }
}

fn group(world: &Arc<World>, call: &Call, request_id: &str) -> Answer {
    let Some(index) = find(world, call, Kind::Groups) else { return missing(call, Kind::Groups, request_id) };
    let mut text = head(call.service, &call.api);
    text.open("Group");
    rows::group(&At::new(Arc::clone(&world.estate), call.caller.account, Kind::Groups, 0), index, &mut text);
    text.close("Group");
    text.raw("<Users/><IsTruncated>false</IsTruncated>");
    foot(&mut text, &call.api, request_id);
    Answer::xml(text)
}

fn inline(world: &World, call: &Call, kind: Kind, request_id: &str) -> Answer {
    if find(world, call, kind).is_none() {
        return missing(call, kind, request_id);
    }
    let (param, _) = named(kind);
    let mut text = head(call.service, &call.api);
    text.escaped(param, call.param(param).unwrap_or_default());
    text.escaped("PolicyName", call.param("PolicyName").unwrap_or_default());
    text.text("PolicyDocument", rows::DOCUMENT);
    foot(&mut text, &call.api, request_id);
    Answer::xml(text)
}

fn last_used(world: &World, call: &Call, request_id: &str) -> Answer {
    let key = call.param("AccessKeyId").unwrap_or_default();
    let Some(user) = world.estate.user_of_key(call.caller.account, key) else {
        return error(call, 404, "NoSuchEntity", "The Access Key cannot be found", request_id);
    };
    let mut text = head(call.service, &call.api);
    text.text("UserName", &world.estate.name(Kind::Users, call.caller.account, user));
    text.raw("<AccessKeyLastUsed>");
    text.leaf("LastUsedDate", crate::text::Iso(1_750_000_000 + user % 10_000_000));
    text.text("ServiceName", "s3");
    text.text("Region", &world.estate.regions[0]);
    text.raw("</AccessKeyLastUsed>");
    foot(&mut text, &call.api, request_id);
    Answer::xml(text)
}
