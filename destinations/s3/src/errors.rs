//! What S3's errors mean to the person who reads them.

use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use headwater_aws_client::errors::{CERTIFICATE, Failure, NO_ENDPOINT, error};
use headwater_sdk::{Class, Error};

use crate::spec::Settings;

/// How long it is waited before a conflicting call is made again for the first time; then twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The header by which S3 says where a bucket is.
const REGION: &str = "x-amz-bucket-region";

/// A call's error as one of the destination, with what to do. Its code and the missing permission stay.
pub fn explain<E: Failure>(call: &str, failure: &SdkError<E, HttpResponse>, settings: &Settings) -> Error {
    let region = failure.raw_response().and_then(|answer| answer.headers().get(REGION)).map(str::to_owned);
    let mut error = error(&format!("s3 {call}"), failure);
    let bucket = &settings.bucket;
    let advice = match (error.class, error.code.as_deref()) {
        (
            _,
            Some("PermanentRedirect" | "TemporaryRedirect" | "AuthorizationHeaderMalformed" | "HTTP301" | "HTTP307"),
        ) => match region {
            Some(region) => format!("the bucket {bucket} is in another region; set `region: {region}`"),
            None => format!("the bucket {bucket} is in another region; correct `region`"),
        },
        (_, Some("NoSuchBucket")) => {
            format!("create the bucket {bucket}, or correct `bucket` (and `endpoint`, if it is not Amazon's)")
        }
        (_, Some("Connection" | "Timeout" | NO_ENDPOINT)) => match &settings.endpoint {
            Some(endpoint) => format!("is anything listening at {endpoint}? (`endpoint`)"),
            None => "is the network up, is `region` right, and does a proxy stand in between?".to_owned(),
        },
        (_, Some(CERTIFICATE)) => "name the file of it, or of whoever signed it, in `ca_file`".to_owned(),
        (_, Some("NoCredentials")) => match &settings.identity.profile {
            Some(profile) => format!("does the profile `{profile}` exist, and is it logged in?"),
            None => "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or `local_profile`".to_owned(),
        },
        (Class::Denied, _) => match &error.permission {
            Some(permission) => format!("the credentials need {permission} for the bucket {bucket}"),
            None => {
                "the credentials themselves are refused; are they those of this bucket, and still valid?".to_owned()
            }
        },
        _ => String::new(),
    };
    if !advice.is_empty() {
        error.message = format!("{}; {advice}", error.message);
    }
    error.class = Class::Destination;
    error.while_doing(format!("bucket {bucket}"))
}

/// Whether what was asked for is not there. An answer to a HEAD has no code of its own.
pub fn is_missing<E: Failure>(failure: &SdkError<E, HttpResponse>) -> bool {
    let code = failure.as_service_error().and_then(|error| error.code());
    matches!(code, Some("NoSuchKey" | "NotFound"))
        || code.is_none() && failure.raw_response().is_some_and(|answer| answer.status().as_u16() == 404)
}

/// Whether a piece of an object was asked for that has no bytes at all.
pub fn is_empty<E: Failure>(failure: &SdkError<E, HttpResponse>) -> bool {
    failure.as_service_error().and_then(|error| error.code()) == Some("InvalidRange")
}

/// Whether an upload in parts was completed or aborted.
pub fn is_gone<E: Failure>(failure: &SdkError<E, HttpResponse>) -> bool {
    failure.as_service_error().and_then(|error| error.code()) == Some("NoSuchUpload")
}

/// Whether a condition of the call did not hold.
pub fn is_refused<E: Failure>(failure: &SdkError<E, HttpResponse>) -> bool {
    failure.as_service_error().and_then(|error| error.code()) == Some("PreconditionFailed")
}

/// How often something was done again because another call on the same object was under way: then S3 knows nothing of a
/// condition yet, and asks for that.
#[derive(Debug, Default)]
pub struct Conflicts(u32);

impl Conflicts {
    /// Whether what ended so is to be done again. Waits until then.
    pub async fn again(&mut self, error: &Error, settings: &Settings) -> bool {
        if !error.has_code(&["ConditionalRequestConflict"]) || self.0 >= settings.max_retries {
            return false;
        }
        tokio::time::sleep(FIRST_PAUSE * (1 << self.0.min(6))).await;
        self.0 += 1;
        true
    }
}
