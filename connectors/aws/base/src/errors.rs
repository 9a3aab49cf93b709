//! Errors of the client crates by class, from their own types and codes.

use std::error::Error as StdError;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use headwater_sdk::{Class, Error};

/// What a call's own error must be.
pub trait Failure: StdError + ProvideErrorMetadata + Send + Sync + 'static {}

impl<E: StdError + ProvideErrorMetadata + Send + Sync + 'static> Failure for E {}

/// Turns a client's error into ours.
///
/// The text holds the service's code and message, or the cause of a failed connection; never the request, whose
/// headers hold a signature.
pub fn error<E: Failure>(call: &str, failure: &SdkError<E, HttpResponse>) -> Error {
    let error = match failure {
        SdkError::ServiceError(context) => service_error(context.err(), context.raw().status().as_u16()),
        SdkError::TimeoutError(_) => Error::new(Class::Transient, "no answer in time").with_code("Timeout"),
        SdkError::DispatchFailure(cause) => {
            let error = cause.as_connector_error().map_or(failure as &dyn StdError, |error| error);
            connection_error(&causes(error))
        }
        SdkError::ResponseError(context) => {
            let status = context.raw().status().as_u16();
            Error::new(by_status(status), format!("an answer that is not of this API (HTTP {status})"))
                .with_code("Response")
        }
        other => Error::fatal(causes(other)),
    };
    error.while_doing(call)
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

fn service_error(error: &(impl ProvideErrorMetadata + StdError), status: u16) -> Error {
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
    let error = Error::new(class, message);
    match code {
        Some(code) => error.with_code(code),
        None => error.with_code(format!("HTTP{status}")),
    }
}

fn connection_error(text: &str) -> Error {
    // Credentials that cannot be had fail before anything is sent.
    let lower = text.to_lowercase();
    if lower.contains("credential") || lower.contains("sso") || lower.contains("token") && lower.contains("expired") {
        // The chain of providers tells all that it tried; the first sentence says what came of it.
        let first = text.split(". Attempted").next().unwrap_or(text).rsplit(": ").next().unwrap_or(text);
        return Error::new(Class::Denied, format!("no credentials: {first}")).with_code("NoCredentials");
    }
    // What the operating system says stands last; what stands before it names the layers of the HTTP client.
    let root = text.rsplit(": ").next().unwrap_or(text);
    Error::new(Class::Transient, format!("no connection: {root}")).with_code("Connection")
}

fn by_code(code: &str, status: u16) -> Class {
    const THROTTLED: [&str; 12] = [
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
    const DENIED: [&str; 18] = [
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
        "MissingAuthenticationToken",
        "NotAuthorized",
        "OptInRequired",
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
        501 => Class::Unsupported,
        500.. => Class::Transient,
        _ => Class::Fatal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            ("InvalidParameterValue", 400, Class::Fatal),
        ] {
            assert_eq!(by_code(code, status), class, "{code}");
        }
    }
}
