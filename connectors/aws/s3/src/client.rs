//! Buckets and the regions that they are in, and clients for those regions.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Builder, Region};
use futures::stream::StreamExt;
use headwater_aws_base::SdkConfig;
use headwater_aws_base::transcribed::{PageStream, RecordFuture, answer, by_token, record};
use headwater_sdk::RawJson;

use crate::generated::Bucket;

/// How many buckets are asked for their region at once, where the list does not say it.
const LOCATIONS_AT_ONCE: usize = 16;

/// The clients of an account: one for each region that has a bucket.
#[derive(Clone)]
pub struct S3 {
    own: Client,
    others: Arc<Mutex<HashMap<String, Client>>>,
}

/// Opens the client. The bucket goes into the path: a custom endpoint has one name for all buckets, and elsewhere a name
/// of its own would cost every bucket connections of its own.
pub fn client(config: &SdkConfig) -> S3 {
    S3 { own: Client::from_conf(Builder::from(config).force_path_style(true).build()), others: Arc::default() }
}

/// The client for the bucket's own region; asked elsewhere, S3 answers with a redirection.
pub fn home(client: &S3, bucket: &Bucket) -> Client {
    let config = client.own.config();
    let Some(region) = &bucket.bucket_region else { return client.own.clone() };
    if config.region().is_some_and(|own| own.as_ref() == region) {
        return client.own.clone();
    }
    let mut others = client.others.lock().unwrap_or_else(PoisonError::into_inner);
    let other = others.entry(region.clone());
    other.or_insert_with(|| Client::from_conf(config.to_builder().region(Region::new(region.clone())).build())).clone()
}

/// All buckets with their regions. S3 says the regions only when the call has a parameter, and not every server of
/// its protocol does even then; what is missing is asked bucket by bucket.
pub fn buckets(client: &S3) -> PageStream<Bucket> {
    let client = client.own.clone();
    let pages: PageStream<Bucket> = by_token(
        "s3 ListBuckets",
        client.list_buckets().max_buckets(1000),
        |call, token| Box::pin(call.set_continuation_token(token).send()),
        |page| page.continuation_token.clone(),
        |page, rows| rows.extend(page.buckets.into_iter().flatten().map(Bucket::from)),
    );
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
        let call = client.get_bucket_location().set_bucket(bucket.name.clone());
        match answer("s3 GetBucketLocation", call, |call| Box::pin(call.send())).await {
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
    record(
        "s3 GetBucketPolicy",
        call,
        |call| Box::pin(call.send()),
        |answer| answer.policy.map(|text| RawJson::parse_or_string(&text)),
    )
}
