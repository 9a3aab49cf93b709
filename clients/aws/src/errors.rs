//! Errors of the client crates by class, from their own types and codes.

use std::error::Error as StdError;
use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use headwater_sdk::{Class, Error};

use crate::permissions;

/// The code of an error whose cause is that a server's name is not known.
pub const NO_ENDPOINT: &str = "NoEndpoint";

/// The code of an error whose cause is the server's certificate.
pub const CERTIFICATE: &str = "Certificate";

/// A service that asks for a longer pause than this is not believed.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// What a call's own error must be.
pub trait Failure: StdError + ProvideErrorMetadata + Send + Sync + 'static {}

impl<E: StdError + ProvideErrorMetadata + Send + Sync + 'static> Failure for E {}

/// Turns a client's error into ours.
///
/// The text holds the service's code and message, or the cause of a failed connection; never the request, whose
/// headers hold a signature.
pub fn error<E: Failure>(call: &str, failure: &SdkError<E, HttpResponse>) -> Error {
    let mut error = match failure {
        SdkError::ServiceError(context) => service_error(call, context.err(), context.raw().status().as_u16()),
        SdkError::TimeoutError(_) => Error::new(Class::Transient, "no answer in time").with_code("Timeout"),
        SdkError::DispatchFailure(cause) => {
            let cause = cause.as_connector_error().map_or(failure as &dyn StdError, |error| error);
            match find::<CredentialsError>(cause) {
                Some(failure) => credentials_error(failure),
                None => connection_error(&causes(cause)),
            }
        }
        SdkError::ResponseError(context) => response_error(context.raw().status().as_u16()),
        other => Error::fatal(causes(other)),
    };
    error.retry_after = failure.raw_response().and_then(retry_after);
    error.while_doing(call)
}

/// The first of an error and its causes that is of a type.
pub(crate) fn find<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    std::iter::successors(Some(error), |&error| error.source()).find_map(|error| error.downcast_ref())
}

/// The service's refusal to assume a role, where that is what credentials could not be had for.
fn refused_role(error: &(dyn StdError + 'static)) -> Option<Error> {
    let refusal = find::<SdkError<AssumeRoleError, HttpResponse>>(error)?;
    Some(self::error("sts AssumeRole", refusal))
}

/// Why there are no credentials.
pub fn credentials_error(failure: &CredentialsError) -> Error {
    let text = causes(failure);
    if is_certificate(&text) {
        // It has not the code of the server that is called, which is another one.
        let root = root(&text);
        let who = "no credentials: the certificate of the server that gives them is not accepted";
        return Error::fatal(format!("{who}: {root}"));
    }
    refused_role(failure).unwrap_or_else(|| no_credentials(&text))
}

/// How long the service asks to wait: in seconds, or in milliseconds by a header of AWS's own.
fn retry_after(response: &HttpResponse) -> Option<Duration> {
    let number = |name: &str| response.headers().get(name).and_then(|text| text.trim().parse::<u64>().ok());
    let said = number("x-amz-retry-after").map(Duration::from_millis);
    said.or_else(|| number("retry-after").map(Duration::from_secs)).map(|pause| pause.min(LONGEST_PAUSE))
}

/// An answer that was cut or garbled on its way may be whole the next time.
fn response_error(status: u16) -> Error {
    let (class, what) = match status {
        200..300 => (Class::Transient, "an answer that is cut or garbled"),
        status => (by_status(status), "an answer that is not of this API"),
    };
    Error::new(class, format!("{what} (HTTP {status})")).with_code("Response")
}

/// The messages of an error and its causes, outermost first, each once.
pub fn causes(error: &dyn StdError) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if !texts.iter().any(|earlier| earlier.contains(&text)) {
            texts.push(text);
        }
        next = error.source();
    }
    texts.join(": ")
}

fn service_error(call: &str, error: &impl ProvideErrorMetadata, status: u16) -> Error {
    let code = error.code();
    let message = match (error.message(), code) {
        (Some(message), _) => message.to_owned(),
        (None, Some(code)) => code.to_owned(),
        // An answer without a code is no answer of the service's: a proxy's page, or a server that does not know the
        // call.
        (None, None) => format!("the service answered HTTP {status} without an error of its own"),
    };
    let class = match code {
        Some(code) => by_code(code, status),
        None if status == 501 || status == 500 => Class::Unsupported,
        None => by_status(status),
    };
    let mut error = Error::new(class, message);
    if class == Class::Denied {
        error.permission = permissions::missing(call, code, &error.message);
    }
    match code {
        Some(code) => error.with_code(code),
        None => error.with_code(format!("HTTP{status}")),
    }
}

fn no_credentials(text: &str) -> Error {
    // The chain of providers tells all that it tried; the first sentence says what came of it.
    let first = root(text.split(". Attempted").next().unwrap_or(text));
    Error::new(Class::Denied, format!("no credentials: {first}")).with_code("NoCredentials")
}

/// What the operating system says stands last; what stands before it names the layers of the HTTP client.
fn root(text: &str) -> &str {
    text.rsplit(": ").next().unwrap_or(text)
}

fn is_certificate(text: &str) -> bool {
    text.to_lowercase().contains("invalid peer certificate")
}

fn connection_error(text: &str) -> Error {
    let (lower, root) = (text.to_lowercase(), root(text));
    let unknown_name = lower.contains("dns error") || lower.contains("failed to lookup address");
    if unknown_name && !lower.contains("temporary") && !lower.contains("try again") {
        let message = format!("the service has no endpoint in this region, or its name cannot be looked up: {root}");
        return Error::new(Class::Unsupported, message).with_code(NO_ENDPOINT);
    }
    if is_certificate(text) {
        return Error::fatal(format!("the server's certificate is not accepted: {root}")).with_code(CERTIFICATE);
    }
    Error::new(Class::Transient, format!("no connection: {root}")).with_code("Connection")
}

fn by_code(code: &str, status: u16) -> Class {
    const THROTTLED: [&str; 14] = [
        "EC2ThrottledException",
        "PriorRequestNotComplete",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottledException",
        "RequestThrottled",
        "TooManyRequestsException",
        "ProvisionedThroughputExceededException",
        "TransactionInProgressException",
        "RequestLimitExceeded",
        "BandwidthLimitExceeded",
        "LimitExceededException",
        "SlowDown",
    ];
    const TRANSIENT: [&str; 7] = [
        "IDPCommunicationError",
        "InternalError",
        "InternalFailure",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "Unavailable",
    ];
    const DENIED: [&str; 21] = [
        "AccessDenied",
        "AccessDeniedException",
        "AuthFailure",
        "AuthorizationError",
        "AuthorizationErrorException",
        "ExpiredToken",
        "ExpiredTokenException",
        "Forbidden",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidToken",
        "MissingAuthenticationToken",
        "NotAuthorized",
        "NotSignedUp",
        "OptInRequired",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "SubscriptionRequiredException",
        "UnauthorizedOperation",
        "UnrecognizedClientException",
    ];
    const UNSUPPORTED: [&str; 8] = [
        "InvalidAction",
        "InvalidRequestException.Unsupported",
        "NotImplemented",
        "UnknownOperationException",
        "UnsupportedOperation",
        "UnsupportedOperationException",
        "UnsupportedRegion",
        "UnsupportedAction",
    ];
    if THROTTLED.contains(&code) || status == 429 {
        Class::Throttled
    } else if TRANSIENT.contains(&code) {
        Class::Transient
    } else if DENIED.contains(&code) || status == 403 {
        Class::Denied
    } else if UNSUPPORTED.contains(&code) || status == 501 {
        Class::Unsupported
    } else if status == 404 || code.contains("NotFound") || code.starts_with("NoSuch") {
        Class::NotFound
    } else {
        by_status(status)
    }
}

fn by_status(status: u16) -> Class {
    match status {
        429 => Class::Throttled,
        401 | 403 => Class::Denied,
        404 => Class::NotFound,
        408 => Class::Transient,
        501 => Class::Unsupported,
        500.. => Class::Transient,
        _ => Class::Fatal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_smithy_runtime_api::client::result::ConnectorError;

    #[test]
    fn classes_by_code_and_status() {
        for (code, status, class) in [
            ("RequestLimitExceeded", 503, Class::Throttled),
            ("SlowDown", 503, Class::Throttled),
            ("UnauthorizedOperation", 403, Class::Denied),
            ("AuthFailure", 401, Class::Denied),
            ("NoSuchBucketPolicy", 404, Class::NotFound),
            ("InvalidVpcID.NotFound", 400, Class::NotFound),
            ("InvalidAction", 400, Class::Unsupported),
            ("InternalError", 500, Class::Transient),
            ("RequestTimeout", 400, Class::Transient),
            ("Unavailable", 503, Class::Transient),
            ("InvalidToken", 400, Class::Denied),
            ("InvalidParameterValue", 400, Class::Fatal),
        ] {
            assert_eq!(by_code(code, status), class, "{code}");
        }
    }

    fn response(status: u16, headers: &[(&'static str, &'static str)]) -> HttpResponse {
        let status = status.try_into().expect("a status");
        let mut response = HttpResponse::new(status, aws_smithy_types::body::SdkBody::empty());
        for (name, value) in headers {
            response.headers_mut().insert(*name, *value);
        }
        response
    }

    fn refusal(code: &str, message: &str) -> aws_smithy_types::error::ErrorMetadata {
        aws_smithy_types::error::ErrorMetadata::builder().code(code).message(message).build()
    }

    #[test]
    fn a_refusal_names_the_permission_and_a_throttle_its_pause() {
        let denied = SdkError::service_error(refusal("UnauthorizedOperation", "You may not."), response(403, &[]));
        let denied = error("ec2 DescribeVpcs", &denied);
        assert_eq!((denied.class, denied.permission.as_deref()), (Class::Denied, Some("ec2:DescribeVpcs")));
        for (header, pause) in [
            (("retry-after", "7"), Some(Duration::from_secs(7))),
            (("retry-after", "999999999"), Some(LONGEST_PAUSE)),
            (("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT"), None),
            (("x-amz-retry-after", "1500"), Some(Duration::from_millis(1500))),
        ] {
            let slow = SdkError::service_error(refusal("Throttling", "slowly"), response(400, &[header]));
            let slow = error("ec2 DescribeVpcs", &slow);
            assert_eq!((slow.class, slow.retry_after, slow.permission), (Class::Throttled, pause, None));
        }
    }

    #[test]
    fn a_cut_answer_may_be_whole_the_next_time() {
        let cut = |status| {
            SdkError::<aws_smithy_types::error::ErrorMetadata, _>::response_error("cut", response(status, &[]))
        };
        assert_eq!(error("s3 ListBuckets", &cut(200)).class, Class::Transient);
        assert_eq!(error("s3 ListBuckets", &cut(404)).class, Class::NotFound);
        assert_eq!(error("s3 ListBuckets", &cut(502)).class, Class::Transient);
    }

    #[test]
    fn a_name_that_is_not_known_is_a_service_that_is_not_there() {
        let known = "client error (Connect): dns error: failed to lookup address information: ";
        let error = connection_error(&format!("{known}Name or service not known"));
        assert_eq!((error.class, error.code.as_deref()), (Class::Unsupported, Some(NO_ENDPOINT)));
        assert_eq!(connection_error(&format!("{known}Temporary failure in name resolution")).class, Class::Transient);
        let untrusted = connection_error("client error (Connect): invalid peer certificate: UnknownIssuer");
        assert_eq!((untrusted.class, untrusted.code.as_deref()), (Class::Fatal, Some(CERTIFICATE)));
        assert_eq!(connection_error("tcp connect error: Connection refused (os error 111)").class, Class::Transient);
    }

    #[test]
    fn credentials_are_told_by_the_error_and_not_by_its_words() {
        let failed = |source: Box<dyn StdError + Send + Sync>| {
            let failure: SdkError<aws_smithy_types::error::ErrorMetadata, HttpResponse> =
                SdkError::dispatch_failure(ConnectorError::other(source, None));
            error("s3 PutObject", &failure)
        };
        let missing = failed(CredentialsError::not_loaded("no profile `sso`").into());
        assert_eq!((missing.class, missing.code.as_deref()), (Class::Denied, Some("NoCredentials")));
        let untrusted = "invalid peer certificate: certificate not valid for name \"credentials.sso.example.com\"";
        let endpoint = failed(untrusted.into());
        assert_eq!((endpoint.class, endpoint.code.as_deref()), (Class::Fatal, Some(CERTIFICATE)));
        let giver = failed(CredentialsError::provider_error(untrusted).into());
        assert_eq!((giver.class, giver.code.as_deref()), (Class::Fatal, None));
        assert!(giver.to_string().contains("no credentials: the certificate of the server that gives them"), "{giver}");
    }
}
