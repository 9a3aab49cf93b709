//! Policy documents, which IAM returns percent-encoded (RFC 3986), and tags of policies.

use aws_sdk_iam::Client;
use headwater_aws_base::Scope;
use headwater_aws_base::transcribed::{RecordFuture, record};
use headwater_sdk::RawJson;
use headwater_sdk::types::KeyValues;
use percent_encoding::percent_decode_str;

use crate::generated::{ManagedPolicyDetail, PolicyVersion, Tag};

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// A policy document as JSON.
pub fn document(text: &str) -> RawJson {
    // A document that was never encoded begins with its brace.
    if text.trim_start().starts_with('{') {
        RawJson::parse_or_string(text)
    } else {
        RawJson::parse_or_string(&decoded(text))
    }
}

/// Versions of a policy with their documents decoded.
pub fn versions(versions: Option<&[PolicyVersion]>) -> Option<Vec<PolicyVersion>> {
    let decode = |version: &PolicyVersion| {
        let document = version.document.as_deref().map(|text| document(text).as_str().to_owned());
        PolicyVersion { document, ..version.clone() }
    };
    versions.map(|versions| versions.iter().map(decode).collect())
}

/// The tags of a policy of the account.
pub fn policy_tags(client: &Client, policy: &ManagedPolicyDetail) -> RecordFuture<KeyValues<Tag>> {
    let arn = policy.arn.clone();
    if arn.as_deref().is_some_and(|arn| arn.contains(":iam::aws:")) {
        return Box::pin(async { Ok(None) });
    }
    // A policy has fifty tags at most, fewer than a page holds.
    let call = client.list_policy_tags().set_policy_arn(arn);
    record(
        "iam ListPolicyTags",
        call,
        |call| Box::pin(call.send()),
        |answer| Some(KeyValues(answer.tags.into_iter().map(Tag::from).collect())),
    )
}

/// The ARN of an identity provider by its URL, which IAM says without the scheme.
pub fn oidc_arn(scope: &Scope, url: &str) -> String {
    let url = url.trim_start_matches("https://");
    format!("arn:{}:iam::{}:oidc-provider/{url}", scope.partition, scope.account_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_decoded_once() {
        let plain = r#"{"Resource":"arn:aws:s3:::a%20b"}"#;
        assert_eq!(document(plain).as_str(), plain);
        assert_eq!(document("%7B%22Resource%22%3A%22arn%3Aaws%3As3%3A%3A%3Aa%2520b%22%7D").as_str(), plain);
        assert_eq!(document("not json").as_str(), "\"not json\"");
    }
}
