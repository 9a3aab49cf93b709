//! Amazon S3: buckets, each asked in its own region.

mod client;
#[rustfmt::skip]
pub mod generated;

use headwater_aws_base::{GLOBAL, Scope, Scopes, Table};
use headwater_sdk::RawJson;

use client::{S3 as Client, buckets, home, policy};
use generated::*;

pub use client::client;

/// S3 lists the buckets of all regions at once.
pub const SCOPES: Scopes = GLOBAL;

/// Buckets of the account.
#[derive(Table)]
#[table(name = "aws_s3_buckets", of = Bucket, list = buckets(client), key = arn)]
pub struct Buckets {
    #[column(value = scope.arn_global("s3", &row.name))]
    arn: Option<String>,
    /// The region that the bucket is in.
    #[column(rename = "region")]
    bucket_region: Option<String>,
    /// The bucket's policy.
    #[column(get = policy(home(client, row), row), ignore = "NoSuchBucketPolicy")]
    policy: Option<RawJson>,
    /// Whether the policy makes the bucket public.
    #[column(get = home(client, row).get_bucket_policy_status().set_bucket(row.name.clone()), ignore = "NoSuchBucketPolicy")]
    policy_status: Option<PolicyStatus>,
    #[column(get = home(client, row).get_bucket_versioning().set_bucket(row.name.clone()), flatten, prefix = "versioning_")]
    versioning: Option<GetBucketVersioningOutput>,
    #[column(get = home(client, row).get_bucket_logging().set_bucket(row.name.clone()), flatten, prefix = "logging_")]
    logging: Option<LoggingEnabled>,
    #[column(get = home(client, row).get_public_access_block().set_bucket(row.name.clone()), flatten,
             ignore = "NoSuchPublicAccessBlockConfiguration")]
    public_access_block: Option<PublicAccessBlockConfiguration>,
    /// Who owns the objects of the bucket.
    #[column(get = home(client, row).get_bucket_ownership_controls().set_bucket(row.name.clone()),
             ignore = "OwnershipControlsNotFoundError")]
    ownership_controls: Option<OwnershipControls>,
    #[column(get = home(client, row).get_bucket_replication().set_bucket(row.name.clone()), flatten, prefix = "replication_",
             ignore = "ReplicationConfigurationNotFoundError")]
    replication: Option<ReplicationConfiguration>,
    #[column(get = home(client, row).get_bucket_tagging().set_bucket(row.name.clone()), flatten, ignore = "NoSuchTagSet")]
    tagging: Option<GetBucketTaggingOutput>,
}

/// Rules of each bucket about which web pages may use it (CORS).
#[derive(Table)]
#[table(name = "aws_s3_bucket_cors_rules", of = CorsRule, parent = Buckets, key = [bucket_arn, hash],
        list = home(client, parent).get_bucket_cors().set_bucket(parent.name.clone()), ignore = "NoSuchCORSConfiguration")]
pub struct BucketCorsRules;

/// How each bucket encrypts its objects.
#[derive(Table)]
#[table(name = "aws_s3_bucket_encryption_rules", of = ServerSideEncryptionRule, parent = Buckets, key = [bucket_arn, hash],
        list = home(client, parent).get_bucket_encryption().set_bucket(parent.name.clone()),
        ignore = "ServerSideEncryptionConfigurationNotFoundError")]
pub struct BucketEncryptionRules;

/// Grants of each bucket's access control list.
#[derive(Table)]
#[table(name = "aws_s3_bucket_grants", of = Grant, parent = Buckets, key = [bucket_arn, hash],
        list = home(client, parent).get_bucket_acl().set_bucket(parent.name.clone()))]
pub struct BucketGrants;

/// Rules of each bucket about what becomes of old objects.
#[derive(Table)]
#[table(name = "aws_s3_bucket_lifecycles", of = LifecycleRule, parent = Buckets, key = [bucket_arn, hash],
        list = home(client, parent).get_bucket_lifecycle_configuration().set_bucket(parent.name.clone()),
        ignore = "NoSuchLifecycleConfiguration")]
pub struct BucketLifecycles;

/// Whom each bucket tells about its events.
#[derive(Table)]
#[table(name = "aws_s3_bucket_notification_configurations", of = GetBucketNotificationConfigurationOutput, parent = Buckets,
        key = bucket_arn,
        get = home(client, parent).get_bucket_notification_configuration().set_bucket(parent.name.clone()))]
pub struct BucketNotificationConfigurations;

/// Whether and how long each bucket keeps objects from being deleted.
#[derive(Table)]
#[table(name = "aws_s3_bucket_object_lock_configurations", of = ObjectLockConfiguration, parent = Buckets, key = bucket_arn,
        get = home(client, parent).get_object_lock_configuration().set_bucket(parent.name.clone()),
        ignore = "ObjectLockConfigurationNotFoundError")]
pub struct BucketObjectLockConfigurations;

/// Buckets that are web sites.
#[derive(Table)]
#[table(name = "aws_s3_bucket_websites", of = GetBucketWebsiteOutput, parent = Buckets, key = bucket_arn,
        get = home(client, parent).get_bucket_website().set_bucket(parent.name.clone()), ignore = "NoSuchWebsiteConfiguration")]
pub struct BucketWebsites;
