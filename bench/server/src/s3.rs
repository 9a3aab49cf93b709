//! Amazon S3, path style: buckets, and what can be asked of one.

use std::sync::Arc;

use hyper::Method;

use crate::answer::{Answer, Content, Rows};
use crate::call::{Call, Service};
use crate::errors::{error, namespace, unknown};
use crate::handle::World;
use crate::kind::Kind;
use crate::text::{Iso, Text};

const XML: &str = "application/xml";

/// The subresources of a bucket with their operations.
const OPERATIONS: [(&str, &str); 18] = [
    ("location", "GetBucketLocation"),
    ("policy", "GetBucketPolicy"),
    ("policyStatus", "GetBucketPolicyStatus"),
    ("versioning", "GetBucketVersioning"),
    ("logging", "GetBucketLogging"),
    ("publicAccessBlock", "GetPublicAccessBlock"),
    ("ownershipControls", "GetBucketOwnershipControls"),
    ("replication", "GetBucketReplication"),
    ("tagging", "GetBucketTagging"),
    ("cors", "GetBucketCors"),
    ("encryption", "GetBucketEncryption"),
    ("acl", "GetBucketAcl"),
    ("lifecycle", "GetBucketLifecycleConfiguration"),
    ("notification", "GetBucketNotificationConfiguration"),
    ("object-lock", "GetObjectLockConfiguration"),
    ("website", "GetBucketWebsite"),
    ("accelerate", "GetBucketAccelerateConfiguration"),
    ("requestPayment", "GetBucketRequestPayment"),
];

/// The operation of a request.
pub fn operation(method: &Method, bucket: bool, key: &str, params: &[(String, String)]) -> &'static str {
    match *method {
        Method::GET if !bucket => "ListBuckets",
        Method::GET if !key.is_empty() => "GetObject",
        Method::GET => {
            let named = |name: &str| params.iter().any(|(other, _)| other == name);
            let found = OPERATIONS.iter().find(|(name, _)| named(name)).map(|(_, operation)| *operation);
            found.unwrap_or(if named("list-type") { "ListObjectsV2" } else { "ListObjects" })
        }
        Method::HEAD if key.is_empty() => "HeadBucket",
        Method::HEAD => "HeadObject",
        Method::PUT if bucket && !key.is_empty() => "PutObject",
        _ => "Unknown",
    }
}

/// Answers a call.
pub fn answer(world: &Arc<World>, call: &Call, request_id: &str) -> Answer {
    let Some(bucket) = &call.bucket else {
        return if call.api == "ListBuckets" { buckets(world, call, request_id) } else { unknown(call, request_id) };
    };
    let head = call.api.starts_with("Head");
    let Some((account, index)) = world.estate.bucket(bucket) else {
        return match head {
            true => Answer::new(404, XML, String::new()),
            false => error(call, 404, "NoSuchBucket", "The specified bucket does not exist", request_id),
        };
    };
    if account != call.caller.account {
        return match head {
            true => Answer::new(403, XML, String::new()),
            false => error(call, 403, "AccessDenied", "Access Denied", request_id),
        };
    }
    let region = world.estate.bucket_region(index);
    ask(call, bucket, index, region, request_id).header("x-amz-bucket-region", region)
}

fn buckets(world: &Arc<World>, call: &Call, request_id: &str) -> Answer {
    let account = call.caller.account;
    let count = world.estate.count(account, Kind::Buckets);
    let asked = call.number("max-buckets");
    let Some(page) = world.page(&call.api, call.param("continuation-token"), asked, 10_000, count) else {
        return error(call, 400, "InvalidArgument", "The continuation token provided is incorrect", request_id);
    };
    // S3 says the region only when the call has a parameter.
    let located = ["max-buckets", "continuation-token", "prefix", "bucket-region"];
    let located = located.iter().any(|name| call.param(name).is_some());
    let mut above = Text::with_capacity(512);
    above.raw("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListAllMyBucketsResult xmlns=\"");
    above.raw(namespace(Service::S3));
    above.raw("\"><Owner>");
    above.leaf("ID", format_args!("{:064x}", account + 1));
    above.raw("</Owner><Buckets>");
    let mut below = Text::default();
    below.raw("</Buckets>");
    if let Some(next) = page.next {
        below.leaf("ContinuationToken", format_args!("next-{next}"));
    }
    below.raw("</ListAllMyBucketsResult>");
    let estate = Arc::clone(&world.estate);
    let content = Rows::content(above, (page.start, page.end), below, 200, move |index, text| {
        text.raw("<Bucket>");
        text.text("Name", &estate.name(Kind::Buckets, account, index));
        text.leaf("CreationDate", Iso(1_500_000_000 + index % 100_000 * 1000));
        if located {
            text.text("BucketRegion", estate.bucket_region(index));
        }
        text.raw("</Bucket>");
    });
    Answer { status: 200, content_type: XML, content, headers: Vec::new() }
}

fn ask(call: &Call, bucket: &str, index: u64, region: &str, request_id: &str) -> Answer {
    let missing = |code: &str, message: &str| error(call, 404, code, message, request_id);
    let even = index.is_multiple_of(2);
    let (root, inner) = match call.api.as_str() {
        "GetBucketLocation" => ("LocationConstraint", if region == "us-east-1" { "" } else { region }),
        "GetBucketPolicy" if even => {
            let policy = format!(
                r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"Tls","Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::{bucket}/*","Condition":{{"Bool":{{"aws:SecureTransport":"false"}}}}}}]}}"#
            );
            return Answer::new(200, "application/json", policy);
        }
        "GetBucketPolicy" | "GetBucketPolicyStatus" if !even => {
            return missing("NoSuchBucketPolicy", "The bucket policy does not exist");
        }
        "GetBucketPolicyStatus" => ("PolicyStatus", "<IsPublic>false</IsPublic>"),
        "GetBucketVersioning" => ("VersioningConfiguration", if even { "<Status>Enabled</Status>" } else { "" }),
        "GetBucketLogging" => ("BucketLoggingStatus", ""),
        "GetPublicAccessBlock" => (
            "PublicAccessBlockConfiguration",
            "<BlockPublicAcls>true</BlockPublicAcls><IgnorePublicAcls>true</IgnorePublicAcls>\
             <BlockPublicPolicy>true</BlockPublicPolicy><RestrictPublicBuckets>true</RestrictPublicBuckets>",
        ),
        "GetBucketOwnershipControls" => {
            ("OwnershipControls", "<Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule>")
        }
        "GetBucketReplication" => {
            return missing("ReplicationConfigurationNotFoundError", "The replication configuration was not found");
        }
        "GetBucketTagging" if even => ("Tagging", "<TagSet><Tag><Key>env</Key><Value>prod</Value></Tag></TagSet>"),
        "GetBucketTagging" => return missing("NoSuchTagSet", "The TagSet does not exist"),
        "GetBucketCors" if index.is_multiple_of(4) => (
            "CORSConfiguration",
            "<CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>https://www.example.com</AllowedOrigin>\
             <MaxAgeSeconds>3000</MaxAgeSeconds></CORSRule>",
        ),
        "GetBucketCors" => {
            return missing("NoSuchCORSConfiguration", "The CORS configuration does not exist");
        }
        "GetBucketEncryption" if index % 8 == 7 => {
            return missing(
                "ServerSideEncryptionConfigurationNotFoundError",
                "The server side encryption configuration was not found",
            );
        }
        "GetBucketEncryption" => (
            "ServerSideEncryptionConfiguration",
            "<Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm>\
             </ApplyServerSideEncryptionByDefault><BucketKeyEnabled>false</BucketKeyEnabled></Rule>",
        ),
        "GetBucketAcl" => (
            "AccessControlPolicy",
            "<Owner><ID>75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a</ID></Owner>\
             <AccessControlList><Grant><Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
             xsi:type=\"CanonicalUser\"><ID>75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a</ID>\
             </Grantee><Permission>FULL_CONTROL</Permission></Grant></AccessControlList>",
        ),
        "GetBucketLifecycleConfiguration" => {
            return missing("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist");
        }
        "GetBucketNotificationConfiguration" => ("NotificationConfiguration", ""),
        "GetObjectLockConfiguration" => {
            return missing(
                "ObjectLockConfigurationNotFoundError",
                "Object Lock configuration does not exist for this bucket",
            );
        }
        "GetBucketWebsite" => {
            return missing("NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration");
        }
        "GetBucketAccelerateConfiguration" => ("AccelerateConfiguration", ""),
        "GetBucketRequestPayment" => ("RequestPaymentConfiguration", "<Payer>BucketOwner</Payer>"),
        "ListObjects" | "ListObjectsV2" => (
            "ListBucketResult",
            "<Prefix></Prefix><KeyCount>0</KeyCount><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated>",
        ),
        "GetObject" => return missing("NoSuchKey", "The specified key does not exist."),
        "HeadObject" => return Answer::new(404, XML, String::new()),
        "HeadBucket" => return Answer::new(200, XML, String::new()),
        "PutObject" => {
            let tag = "\"d41d8cd98f00b204e9800998ecf8427e\"";
            return Answer::new(200, XML, String::new()).header("etag", tag);
        }
        _ => return unknown(call, request_id),
    };
    let mut text = Text::with_capacity(512);
    text.raw("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<");
    text.raw(root);
    text.raw(" xmlns=\"");
    text.raw(namespace(Service::S3));
    text.raw("\">");
    text.raw(inner);
    text.close(root);
    Answer::new(200, XML, Content::Text(text.0))
}
