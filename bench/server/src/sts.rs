//! AWS STS: who one is, and becoming someone else.

use crate::answer::Answer;
use crate::call::{Call, Service, now, session};
use crate::errors::{denied, error, namespace, unknown};
use crate::handle::World;
use crate::text::{Iso, Text, key_id};

/// Answers a call.
pub fn answer(world: &World, call: &Call, request_id: &str) -> Answer {
    match call.api.as_str() {
        "GetCallerIdentity" => identity(world, call, request_id),
        "AssumeRole" => assume(world, call, request_id),
        _ => unknown(call, request_id),
    }
}

/// The head of an answer of the query protocol.
pub fn head(service: Service, api: &str) -> Text {
    let mut text = Text::with_capacity(1024);
    text.raw("<");
    text.raw(api);
    text.raw("Response xmlns=\"");
    text.raw(namespace(service));
    text.raw("\"><");
    text.raw(api);
    text.raw("Result>");
    text
}

/// The foot of an answer of the query protocol.
pub fn foot(text: &mut Text, api: &str, request_id: &str) {
    text.raw("</");
    text.raw(api);
    text.raw("Result><ResponseMetadata>");
    text.text("RequestId", request_id);
    text.raw("</ResponseMetadata></");
    text.raw(api);
    text.raw("Response>");
}

fn identity(world: &World, call: &Call, request_id: &str) -> Answer {
    let mut text = head(call.service, &call.api);
    text.escaped("Arn", &call.caller_arn(&world.estate));
    let account = call.caller.account;
    match &call.caller.role {
        Some((_, session)) => text.escaped("UserId", &format!("{}:{session}", key_id("AROA", u128::from(account)))),
        None => text.text("UserId", &key_id("AIDA", u128::from(account))),
    }
    text.text("Account", &world.estate.account_id(account));
    foot(&mut text, &call.api, request_id);
    Answer::xml(text)
}

fn assume(world: &World, call: &Call, request_id: &str) -> Answer {
    let (Some(arn), Some(name)) = (call.param("RoleArn"), call.param("RoleSessionName")) else {
        let message = "1 validation error detected: Value null at 'roleArn' or 'roleSessionName' failed to satisfy \
                       constraint: Member must not be null";
        return error(call, 400, "ValidationError", message, request_id);
    };
    let account = arn.split(':').nth(4).and_then(|id| world.estate.account(id));
    let Some(account) = account.filter(|account| world.estate.open(*account)) else {
        return denied(call, &world.estate, request_id);
    };
    let role = arn.rsplit('/').next().unwrap_or_default();
    let lasts = call.number("DurationSeconds").unwrap_or(3600).min(world.config.session_s);
    let expires = now() + lasts;
    let (key, token) = session(account, role, name, expires);
    let mut text = head(call.service, &call.api);
    text.open("AssumedRoleUser");
    text.escaped("AssumedRoleId", &format!("{}:{name}", key_id("AROA", u128::from(account))));
    let id = world.estate.account_id(account);
    text.escaped("Arn", &format!("arn:aws:sts::{id}:assumed-role/{role}/{name}"));
    text.raw("</AssumedRoleUser><Credentials>");
    text.text("AccessKeyId", &key);
    text.text("SecretAccessKey", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
    text.escaped("SessionToken", &token);
    text.leaf("Expiration", Iso(expires));
    text.raw("</Credentials>");
    foot(&mut text, &call.api, request_id);
    Answer::xml(text)
}
