//! Calls that fail: service, operation, code, message and request id, and what to do about the usual ones.

use crate::error::Error;
use aws_ports::CallError;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

/// The error of a call, such as `CloudFormation.CreateChangeSet`, in the way of `what`.
pub fn failed<E>(what: impl Into<String>, call: &'static str, error: &SdkError<E>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let error = CallError::new(call, error);
    let made = Error::new(what).because(&error);
    match hint(&error) {
        Some(hint) => made.hint(hint),
        None => made,
    }
}

fn hint(error: &CallError) -> Option<&'static str> {
    Some(match error.code.as_str() {
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" | "AuthorizationError" | "HTTP 403" => {
            "`stockpipe policy` prints the rights that are needed, `stockpipe doctor --target aws` checks them"
        }
        "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" => {
            "the credentials have expired: `aws sso login`, or get new ones, and run the same command again"
        }
        "InvalidClientTokenId" | "UnrecognizedClientException" | "SignatureDoesNotMatch" | "AuthFailure" => {
            "AWS does not know these credentials: see AWS_PROFILE and AWS_ACCESS_KEY_ID, and whether the region is \
             switched on in this account"
        }
        "Throttling" | "ThrottlingException" | "TooManyRequestsException" | "SlowDown" => {
            "AWS refuses calls of this account for a moment: run the same command again"
        }
        "DispatchFailure" | "TimeoutError" => {
            "is there a way to AWS (network, proxy, AWS_ENDPOINT_URL)? Nothing was lost; run the same command again"
        }
        _ => return None,
    })
}

/// What a refused call says, for those that are looked into.
pub trait Refused {
    /// The service's code; empty where there was no answer.
    fn refusal(&self) -> (&str, &str);

    /// Whether it says that something is not there.
    fn is_absent(&self) -> bool {
        let (code, message) = self.refusal();
        let codes = [
            "NotFound",
            "NoSuchBucket",
            "NoSuchKey",
            "NoSuchEntity",
            "ResourceNotFoundException",
            "NotFoundException",
            "ChangeSetNotFound",
            "EntityNotFoundException",
        ];
        codes.contains(&code)
            || (["ValidationError", "InvalidRequestException"].contains(&code)
                && (message.contains("does not exist") || message.contains("is not found")))
    }
}

impl<E: ProvideErrorMetadata> Refused for SdkError<E> {
    fn refusal(&self) -> (&str, &str) {
        let meta = self.as_service_error().map(ProvideErrorMetadata::meta);
        let code = meta.and_then(|m| m.code()).unwrap_or_default();
        (code, meta.and_then(|m| m.message()).unwrap_or_default())
    }
}
