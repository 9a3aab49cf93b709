//! Buckets and the regions that they are in, and clients for those regions.

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Builder, Region};
use futures::stream::StreamExt;
use headwater_aws_base::transcribed::{PageStream, RecordFuture, paginated, record};
use headwater_aws_base::{SdkConfig, errors};
use headwater_sdk::RawJson;

use crate::generated::Bucket;

/// How many buckets are asked for their region at once, where the list does not say it.
const LOCATIONS_AT_ONCE: usize = 16;

/// Opens the client. A custom endpoint has one name for all buckets, so the bucket goes into the path.
pub fn client(config: &SdkConfig) -> Client {
    Client::from_conf(Builder::from(config).force_path_style(config.endpoint_url().is_some()).build())
}

/// The client for the bucket's own region; asked elsewhere, S3 answers with a redirection.
pub fn home(client: &Client, bucket: &Bucket) -> Client {
    let config = client.config();
    match &bucket.bucket_region {
        Some(region) if config.region().is_none_or(|own| own.as_ref() != region) => {
            Client::from_conf(config.to_builder().region(Region::new(region.clone())).build())
        }
        _ => client.clone(),
    }
}

/// All buckets with their regions. S3 says the regions only when the call has a parameter, and not every server of
/// its protocol does even then; what is missing is asked bucket by bucket.
pub fn buckets(client: &Client) -> PageStream<Bucket> {
    let pages: PageStream<Bucket> =
        paginated("s3 ListBuckets", client.list_buckets().max_buckets(1000).into_paginator().send(), |page, rows| {
            rows.extend(page.buckets.into_iter().flatten().map(Bucket::from));
        });
    let client = client.clone();
    pages
        .then(move |page| {
            let client = client.clone();
            async move {
                let located = page?.into_iter().map(|bucket| locate(client.clone(), bucket));
                let located: Vec<_> = located.collect();
                let all: Vec<_> = futures::stream::iter(located).buffered(LOCATIONS_AT_ONCE).collect().await;
                all.into_iter().collect()
            }
        })
        .boxed()
}

async fn locate(client: Client, mut bucket: Bucket) -> headwater_sdk::Result<Bucket> {
    if bucket.bucket_region.is_none() {
        let answer = client.get_bucket_location().set_bucket(bucket.name.clone()).send().await;
        match answer.map_err(|failure| errors::error("s3 GetBucketLocation", &failure)) {
            Ok(answer) => {
                let constraint = answer.location_constraint.as_ref().map(|region| region.as_str()).unwrap_or_default();
                // The first region has no name here, and the first European one has an old name.
                bucket.bucket_region = Some(match constraint {
                    "" => "us-east-1".to_owned(),
                    "EU" => "eu-west-1".to_owned(),
                    region => region.to_owned(),
                });
            }
            // A bucket may be deleted between two calls; its row then fails on its own.
            Err(error) if error.has_code(&["NoSuchBucket"]) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(bucket)
}

/// The bucket's policy as JSON.
pub fn policy(client: Client, bucket: &Bucket) -> RecordFuture<RawJson> {
    let call = client.get_bucket_policy().set_bucket(bucket.name.clone());
    record("s3 GetBucketPolicy", call.send(), |answer| answer.policy.map(|text| RawJson::parse_or_string(&text)))
}
