//! Errors in the shape of each service.

use crate::answer::{Answer, JSON, XML};
use crate::call::{Call, Service};
use crate::estate::Estate;
use crate::text::Text;

/// An error in the shape of the call's service.
pub fn error(call: &Call, status: u16, code: &str, message: &str, request_id: &str) -> Answer {
    let mut text = Text::with_capacity(512);
    match call.service {
        Service::Organizations => {
            let body = serde_json::json!({ "__type": code, "Message": message });
            return Answer::new(status, JSON, body.to_string()).header("x-amzn-errortype", code);
        }
        Service::Ec2 => {
            text.raw("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error>");
            text.text("Code", code);
            text.escaped("Message", message);
            text.raw("</Error></Errors>");
            text.text("RequestID", request_id);
            text.raw("</Response>");
        }
        Service::S3 => {
            text.raw("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>");
            text.text("Code", code);
            text.escaped("Message", message);
            if let Some(bucket) = &call.bucket {
                text.escaped("BucketName", bucket);
            }
            text.text("RequestId", request_id);
            text.text("HostId", "b3BlcmF0aW9uYWwgaG9zdCBpZA==");
            text.raw("</Error>");
            return Answer::new(status, "application/xml", text.0);
        }
        Service::Iam | Service::Sts => {
            text.raw("<ErrorResponse xmlns=\"");
            text.raw(namespace(call.service));
            text.raw("\"><Error>");
            text.text("Type", if status < 500 { "Sender" } else { "Receiver" });
            text.text("Code", code);
            text.escaped("Message", message);
            text.raw("</Error>");
            text.text("RequestId", request_id);
            text.raw("</ErrorResponse>");
        }
    }
    Answer::new(status, XML, text.0)
}

/// The XML namespace of a service.
pub fn namespace(service: Service) -> &'static str {
    match service {
        Service::Ec2 => "http://ec2.amazonaws.com/doc/2016-11-15/",
        Service::Iam => "https://iam.amazonaws.com/doc/2010-05-08/",
        Service::Sts => "https://sts.amazonaws.com/doc/2011-06-15/",
        Service::S3 | Service::Organizations => "http://s3.amazonaws.com/doc/2006-03-01/",
    }
}

/// Too many requests.
pub fn throttled(call: &Call, status: Option<u16>, request_id: &str) -> Answer {
    let (usual, code, message) = match call.service {
        Service::Ec2 => (503, "RequestLimitExceeded", "Request limit exceeded."),
        Service::Iam | Service::Sts => (400, "Throttling", "Rate exceeded"),
        Service::S3 => (503, "SlowDown", "Please reduce your request rate."),
        Service::Organizations => {
            (400, "TooManyRequestsException", "You have sent too many requests in too short a period of time.")
        }
    };
    error(call, status.unwrap_or(usual), code, message, request_id)
}

/// An error of the service itself.
pub fn internal(call: &Call, request_id: &str) -> Answer {
    let code = match call.service {
        Service::Ec2 | Service::S3 => "InternalError",
        Service::Iam | Service::Sts => "InternalFailure",
        Service::Organizations => "ServiceException",
    };
    error(call, 500, code, "An internal error has occurred. Retry your request.", request_id)
}

/// The service is not there.
pub fn unavailable(call: &Call, request_id: &str) -> Answer {
    error(call, 503, "ServiceUnavailable", "The service is unavailable. Please try again shortly.", request_id)
}

/// The caller may not.
pub fn denied(call: &Call, estate: &Estate, request_id: &str) -> Answer {
    let caller = call.caller_arn(estate);
    let (service, api) = (call.service.name(), call.api.as_str());
    let action = match api {
        "ListBuckets" => "ListAllMyBuckets",
        api => api,
    };
    let whom = format!("User: {caller} is not authorized to perform: {service}:{action}");
    let why = format!("because no identity-based policy allows the {service}:{action} action");
    let account = estate.account_id(call.caller.account);
    let (code, message) = match call.service {
        Service::Ec2 => ("UnauthorizedOperation", "You are not authorized to perform this operation.".to_owned()),
        Service::Iam => {
            let name = |member: &str| call.param(member).map(str::to_owned);
            let (kind, name) = if let Some(user) = name("UserName") {
                ("user/", user)
            } else if let Some(group) = name("GroupName") {
                ("group/", group)
            } else if let Some(role) = name("RoleName") {
                ("role/", role)
            } else {
                let kinds = [("User", "user/"), ("Group", "group/"), ("Role", "role/"), ("Polic", "policy path ")];
                (kinds.iter().find(|(word, _)| api.contains(word)).map_or("*", |(_, kind)| kind), String::new())
            };
            let resource = match kind {
                "policy path " => "policy path /".to_owned(),
                "*" => "*".to_owned(),
                kind => format!("arn:aws:iam::{account}:{kind}{name}"),
            };
            ("AccessDenied", format!("{whom} on resource: {resource} {why}"))
        }
        Service::Sts => {
            let resource = call.param("RoleArn").unwrap_or("*");
            ("AccessDenied", format!("{whom} on resource: {resource}"))
        }
        Service::S3 => match &call.bucket {
            None => ("AccessDenied", format!("{whom} {why}")),
            Some(bucket) => ("AccessDenied", format!("{whom} on resource: \"arn:aws:s3:::{bucket}\" {why}")),
        },
        Service::Organizations => {
            let message = format!("{whom} on resource: * {why}");
            return error(call, 400, "AccessDeniedException", &message, request_id);
        }
    };
    error(call, 403, code, &message, request_id)
}

/// The session is over.
pub fn expired(call: &Call, request_id: &str) -> Answer {
    let (status, code, message) = match call.service {
        Service::Ec2 => (400, "RequestExpired", "Request has expired."),
        Service::Iam | Service::Sts => (403, "ExpiredToken", "The security token included in the request is expired"),
        Service::S3 => (400, "ExpiredToken", "The provided token has expired."),
        Service::Organizations => {
            (400, "ExpiredTokenException", "The security token included in the request is expired")
        }
    };
    error(call, status, code, message, request_id)
}

/// There is no such operation.
pub fn unknown(call: &Call, request_id: &str) -> Answer {
    let message = format!("The action {} is not valid for this web service.", call.api);
    match call.service {
        Service::S3 => error(call, 501, "NotImplemented", "This request is not imitated.", request_id),
        Service::Organizations => error(call, 400, "UnknownOperationException", &message, request_id),
        _ => error(call, 400, "InvalidAction", &message, request_id),
    }
}
