"""Buckets in both regions, each with settings of its own."""

import json

from aws import ABROAD, ACCOUNT, HOME, tags

CANONICAL = "75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a"
LOG_DELIVERY = "http://acs.amazonaws.com/groups/s3/LogDelivery"
EVERYONE = "http://acs.amazonaws.com/groups/global/AllUsers"

# Name, region and purpose.
BUCKETS = [
    ("headwater-demo-logs", HOME, "Access logs of the other buckets"),
    ("headwater-demo-flow-logs", HOME, "Flow logs of the networks"),
    ("headwater-demo-website", HOME, "The public website"),
    ("headwater-demo-assets", HOME, "Pictures and scripts of the shop"),
    ("headwater-demo-uploads", HOME, "What customers upload"),
    ("headwater-demo-orders", HOME, "The order archive"),
    ("headwater-demo-backups", HOME, "Backups of the databases"),
    ("headwater-demo-analytics", HOME, "The data lake"),
    ("headwater-demo-audit", ABROAD, "Records that must not change"),
    ("headwater-demo-orders-eu", ABROAD, "The order archive's replica"),
    ("headwater-demo-reports-eu", ABROAD, "Reports for the European offices"),
    ("headwater-demo-scratch-eu", ABROAD, "Anybody's, for a week"),
]


def build(aws):
    """Makes the buckets with their settings, and answers with how many there are."""
    for name, region, purpose in BUCKETS:
        s3 = aws.client("s3", region)
        settings = {"Bucket": name}
        if region != HOME:
            settings["CreateBucketConfiguration"] = {"LocationConstraint": region}
        if name.endswith("-audit"):
            settings["ObjectLockEnabledForBucket"] = True
        s3.create_bucket(**settings)
        s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tags(name, Purpose=purpose)})
        if not name.endswith("-scratch-eu"):
            s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration=encryption(name))
            s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=closed(name))
    home, abroad = aws.client("s3", HOME), aws.client("s3", ABROAD)
    # Before there is a policy: moto reads no conditions, and would take "only by TLS" for "nobody".
    for key, body in (("2026/11/1.json", b'{"order": 1}'), ("2026/11/2.json", b'{"order": 2}')):
        home.put_object(Bucket="headwater-demo-orders", Key=key, Body=body)
    protect(home, abroad)
    publish(home)
    age(home, abroad)
    replicate(home, abroad)
    notify(aws, home)
    return len(BUCKETS)


def encryption(name):
    """Keys of our own for what is sensitive, S3's for the rest."""
    if name.endswith(("-orders", "-orders-eu", "-audit", "-backups")):
        key = f"arn:aws:kms:{HOME}:{ACCOUNT}:key/5d0b3a52-9e5c-4b0e-8d0e-2f6f6a3d9a11"
        rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
        return {"Rules": [{**rule, "BucketKeyEnabled": True}]}
    return {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}


def closed(name):
    """Nothing is public but the website."""
    public = name.endswith("-website")
    return {
        "BlockPublicAcls": True,
        "IgnorePublicAcls": True,
        "BlockPublicPolicy": not public,
        "RestrictPublicBuckets": not public,
    }


def policy(name, sid, effect, principal, action, **more):
    resource = [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"]
    statement = {"Sid": sid, "Effect": effect, "Principal": principal, "Action": action, "Resource": resource, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def protect(home, abroad):
    """Policies, versions, locks, ownership, and who else may read."""
    for s3, name in ((home, "headwater-demo-orders"), (home, "headwater-demo-backups"), (abroad, "headwater-demo-audit")):
        plain = {"Bool": {"aws:SecureTransport": "false"}}
        s3.put_bucket_policy(Bucket=name, Policy=policy(name, "TlsOnly", "Deny", "*", "s3:*", Condition=plain))
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    home.put_bucket_policy(
        Bucket="headwater-demo-flow-logs",
        Policy=policy(
            "headwater-demo-flow-logs",
            "Delivery",
            "Allow",
            {"Service": "delivery.logs.amazonaws.com"},
            "s3:PutObject",
            Condition={"StringEquals": {"aws:SourceAccount": ACCOUNT}},
        ),
    )
    home.put_bucket_versioning(Bucket="headwater-demo-uploads", VersioningConfiguration={"Status": "Suspended"})
    abroad.put_bucket_versioning(
        Bucket="headwater-demo-orders-eu", VersioningConfiguration={"Status": "Enabled"}
    )
    abroad.put_object_lock_configuration(
        Bucket="headwater-demo-audit",
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 365}},
        },
    )
    for name in ("headwater-demo-assets", "headwater-demo-website"):
        home.put_bucket_ownership_controls(
            Bucket=name, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]}
        )
    home.put_bucket_acl(
        Bucket="headwater-demo-logs",
        AccessControlPolicy={
            "Owner": {"ID": CANONICAL, "DisplayName": "webfile"},
            "Grants": [
                {"Grantee": {"Type": "CanonicalUser", "ID": CANONICAL}, "Permission": "FULL_CONTROL"},
                {"Grantee": {"Type": "Group", "URI": LOG_DELIVERY}, "Permission": "WRITE"},
                {"Grantee": {"Type": "Group", "URI": LOG_DELIVERY}, "Permission": "READ_ACP"},
            ],
        },
    )
    for name in ("assets", "uploads", "orders"):
        home.put_bucket_logging(
            Bucket=f"headwater-demo-{name}",
            BucketLoggingStatus={
                "LoggingEnabled": {"TargetBucket": "headwater-demo-logs", "TargetPrefix": f"{name}/"}
            },
        )


def publish(home):
    """The website, and who may fetch from the buckets in a browser."""
    name = "headwater-demo-website"
    home.put_bucket_policy(Bucket=name, Policy=policy(name, "Public", "Allow", "*", "s3:GetObject"))
    home.put_bucket_website(
        Bucket=name,
        WebsiteConfiguration={
            "IndexDocument": {"Suffix": "index.html"},
            "ErrorDocument": {"Key": "404.html"},
            "RoutingRules": [
                {
                    "Condition": {"KeyPrefixEquals": "docs/"},
                    "Redirect": {"ReplaceKeyPrefixWith": "documentation/", "HttpRedirectCode": "301"},
                }
            ],
        },
    )
    home.put_bucket_cors(
        Bucket="headwater-demo-assets",
        CORSConfiguration={
            "CORSRules": [
                {"AllowedMethods": ["GET", "HEAD"], "AllowedOrigins": ["*"], "MaxAgeSeconds": 86400},
                {
                    "AllowedMethods": ["PUT"],
                    "AllowedOrigins": ["https://admin.example.com"],
                    "AllowedHeaders": ["*"],
                    "ExposeHeaders": ["ETag"],
                },
            ]
        },
    )
    home.put_bucket_cors(
        Bucket="headwater-demo-uploads",
        CORSConfiguration={
            "CORSRules": [{"AllowedMethods": ["POST"], "AllowedOrigins": ["https://shop.example.com"], "ID": "shop"}]
        },
    )
    home.put_bucket_accelerate_configuration(
        Bucket="headwater-demo-assets", AccelerateConfiguration={"Status": "Enabled"}
    )


def age(home, abroad):
    """What becomes of objects as they grow old."""
    home.put_bucket_lifecycle_configuration(
        Bucket="headwater-demo-logs",
        LifecycleConfiguration={
            "Rules": [
                {
                    "ID": "archive-then-forget",
                    "Status": "Enabled",
                    "Filter": {"Prefix": ""},
                    "Transitions": [
                        {"Days": 30, "StorageClass": "STANDARD_IA"},
                        {"Days": 90, "StorageClass": "GLACIER"},
                    ],
                    "Expiration": {"Days": 400},
                },
                {
                    "ID": "unfinished-uploads",
                    "Status": "Enabled",
                    "Filter": {"Prefix": "uploads/"},
                    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
                },
            ]
        },
    )
    home.put_bucket_lifecycle_configuration(
        Bucket="headwater-demo-backups",
        LifecycleConfiguration={
            "Rules": [
                {
                    "ID": "old-versions",
                    "Status": "Enabled",
                    "Filter": {"And": {"Prefix": "nightly/", "Tags": [{"Key": "Keep", "Value": "no"}]}},
                    "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
                }
            ]
        },
    )
    abroad.put_bucket_lifecycle_configuration(
        Bucket="headwater-demo-scratch-eu",
        LifecycleConfiguration={
            "Rules": [{"ID": "a-week", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 7}}]
        },
    )


def replicate(home, abroad):
    """The order archive is kept in both regions."""
    home.put_bucket_replication(
        Bucket="headwater-demo-orders",
        ReplicationConfiguration={
            "Role": f"arn:aws:iam::{ACCOUNT}:role/replication",
            "Rules": [
                {
                    "ID": "to-europe",
                    "Status": "Enabled",
                    "Priority": 1,
                    "Filter": {"Prefix": ""},
                    "DeleteMarkerReplication": {"Status": "Disabled"},
                    "Destination": {"Bucket": "arn:aws:s3:::headwater-demo-orders-eu"},
                }
            ],
        },
    )


def notify(aws, home):
    """An upload tells the queue of those who look at it."""
    queue = f"arn:aws:sqs:{HOME}:{ACCOUNT}:uploads"
    aws.client("sqs", HOME).create_queue(QueueName="uploads")
    home.put_bucket_notification_configuration(
        Bucket="headwater-demo-uploads",
        NotificationConfiguration={
            "QueueConfigurations": [
                {
                    "Id": "scan",
                    "QueueArn": queue,
                    "Events": ["s3:ObjectCreated:*"],
                    "Filter": {"Key": {"FilterRules": [{"Name": "suffix", "Value": ".pdf"}]}},
                }
            ]
        },
    )
