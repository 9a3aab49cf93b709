//! The IAM permission that a denied call would have needed.

/// Codes by which the credentials themselves are refused: no permission would help.
const CREDENTIALS: [&str; 15] = [
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidToken",
    "MissingAuthenticationToken",
    "NotSignedUp",
    "OptInRequired",
    "RequestExpired",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "SubscriptionRequiredException",
    "UnrecognizedClientException",
];

/// S3's operations whose permission has another name.
const S3: [(&str, &str); 25] = [
    ("CompleteMultipartUpload", "PutObject"),
    ("CreateMultipartUpload", "PutObject"),
    ("GetBucketAccelerateConfiguration", "GetAccelerateConfiguration"),
    ("GetBucketAnalyticsConfiguration", "GetAnalyticsConfiguration"),
    ("GetBucketCors", "GetBucketCORS"),
    ("GetBucketEncryption", "GetEncryptionConfiguration"),
    ("GetBucketIntelligentTieringConfiguration", "GetIntelligentTieringConfiguration"),
    ("GetBucketInventoryConfiguration", "GetInventoryConfiguration"),
    ("GetBucketLifecycleConfiguration", "GetLifecycleConfiguration"),
    ("GetBucketMetricsConfiguration", "GetMetricsConfiguration"),
    ("GetBucketNotificationConfiguration", "GetBucketNotification"),
    ("GetBucketReplication", "GetReplicationConfiguration"),
    ("GetObjectLockConfiguration", "GetBucketObjectLockConfiguration"),
    ("GetPublicAccessBlock", "GetBucketPublicAccessBlock"),
    ("HeadBucket", "ListBucket"),
    ("HeadObject", "GetObject"),
    ("ListBucketAnalyticsConfigurations", "GetAnalyticsConfiguration"),
    ("ListBucketIntelligentTieringConfigurations", "GetIntelligentTieringConfiguration"),
    ("ListBucketInventoryConfigurations", "GetInventoryConfiguration"),
    ("ListBucketMetricsConfigurations", "GetMetricsConfiguration"),
    ("ListBuckets", "ListAllMyBuckets"),
    ("ListMultipartUploads", "ListBucketMultipartUploads"),
    ("ListObjectVersions", "ListBucketVersions"),
    ("ListObjectsV2", "ListBucket"),
    ("UploadPart", "PutObject"),
];

/// The permission that was missing for a call such as `ec2 DescribeInstances`, or nothing where the credentials are
/// refused as such. The service's own word comes before ours.
pub fn missing(call: &str, code: Option<&str>, message: &str) -> Option<String> {
    if code.is_some_and(|code| CREDENTIALS.contains(&code)) {
        return None;
    }
    said(message).map(str::to_owned).or_else(|| of_call(call))
}

/// The permission in `… is not authorized to perform: iam:ListUsers on resource: …`.
fn said(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("not authorized to perform: ")?;
    let end = rest.find(|letter: char| !(letter.is_ascii_alphanumeric() || ":-".contains(letter)));
    let action = &rest[..end.unwrap_or(rest.len())];
    let (service, operation) = action.split_once(':')?;
    (!service.is_empty() && !operation.is_empty()).then_some(action)
}

fn of_call(call: &str) -> Option<String> {
    let (service, operation) = call.split_once(' ')?;
    let other = S3.iter().find(|(own, _)| service == "s3" && *own == operation);
    Some(format!("{service}:{}", other.map_or(operation, |(_, permission)| permission)))
}

#[cfg(test)]
mod tests {
    use super::missing;

    #[test]
    fn the_services_word_then_the_calls_name() {
        let said = "User: arn:aws:iam::123456789012:user/a is not authorized to perform: iam:ListUsers on resource: x";
        for (call, code, message, expected) in [
            ("iam ListUsers", "AccessDenied", said, Some("iam:ListUsers")),
            ("sts X", "AccessDenied", "not authorized to perform: sts:AssumeRole", Some("sts:AssumeRole")),
            ("ec2 DescribeInstances", "UnauthorizedOperation", "You may not.", Some("ec2:DescribeInstances")),
            ("s3 ListBuckets", "AccessDenied", "Access Denied", Some("s3:ListAllMyBuckets")),
            ("s3 GetBucketCors", "AccessDenied", "Access Denied", Some("s3:GetBucketCORS")),
            ("s3 GetBucketPolicy", "AccessDenied", "not authorized to perform: ", Some("s3:GetBucketPolicy")),
            ("ec2 DescribeVpcs", "AuthFailure", "not validated", None),
            ("sts GetCallerIdentity", "ExpiredToken", "expired", None),
            ("iam ListUsers", "SignatureDoesNotMatch", "wrong", None),
        ] {
            assert_eq!(missing(call, Some(code), message).as_deref(), expected, "{call} {code}");
        }
    }
}
