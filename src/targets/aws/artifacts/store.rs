//! The objects that hold the functions' code, and what Lambda says of it.

use super::package::Package;
use crate::error::Error;
use aws_ports::CallError;
use aws_sdk_s3::{
    Client,
    config::{Builder, timeout::TimeoutConfig},
    error::{ProvideErrorMetadata, SdkError},
    primitives::ByteStream,
    types::ChecksumAlgorithm,
};
use std::{collections::HashMap, time::Duration};

/// The object's metadata that says what Lambda will call `CodeSha256`.
const CODE_SHA256: &str = "code-sha256";
/// The longest that an upload may take: 10 MB at 150 kbit/s.
const UPLOAD: Duration = Duration::from_secs(600);

/// The bucket of the code.
#[derive(Clone, Copy, Debug)]
pub struct Store<'a> {
    s3: &'a Client,
    bucket: &'a str,
}

/// A function's code in the bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// What Lambda will call it.
    pub code_sha256: String,
    /// Bytes of the zip.
    pub size: u64,
}

impl<'a> Store<'a> {
    pub const fn new(s3: &'a Client, bucket: &'a str) -> Self {
        Self { s3, bucket }
    }

    /// What is there under a key. An object without our metadata is none of ours, and counts as not there.
    pub async fn look(&self, key: &str) -> Result<Option<Stored>, Error> {
        match self.s3.head_object().bucket(self.bucket).key(key).send().await {
            Ok(head) => {
                let code_sha256 = head.metadata().and_then(|metadata| metadata.get(CODE_SHA256)).cloned();
                let size = head.content_length().unwrap_or_default().try_into().unwrap_or_default();
                Ok(code_sha256.map(|code_sha256| Stored { code_sha256, size }))
            }
            Err(error) if error.as_service_error().is_some_and(|error| error.is_not_found()) => Ok(None),
            Err(error) => Err(self.failed("S3.HeadObject", &error, key)),
        }
    }

    /// Uploads a function's code, and says what is there then: where another has uploaded it meanwhile, what that one
    /// has, since a plan may refer to it.
    ///
    /// S3 refuses what does not have the checksum. `about` goes into the metadata.
    pub async fn put(&self, key: &str, package: Package, about: &[(&str, String)]) -> Result<Stored, Error> {
        let stored = Stored { code_sha256: package.code_sha256, size: package.bytes.len() as u64 };
        let mut metadata: HashMap<String, String> =
            about.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        metadata.insert(CODE_SHA256.into(), stored.code_sha256.clone());
        // An attempt may take as long as it takes; a line that is dead is noticed by itself.
        let patient = TimeoutConfig::builder().operation_attempt_timeout(UPLOAD).build();
        let put = self
            .s3
            .put_object()
            .bucket(self.bucket)
            .key(key)
            .if_none_match("*")
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .checksum_sha256(&stored.code_sha256)
            .content_type("application/zip")
            .set_metadata(Some(metadata))
            .body(ByteStream::from(package.bytes))
            .customize()
            .config_override(Builder::default().timeout_config(patient));
        match put.send().await {
            Ok(_) => Ok(stored),
            Err(error) if matches!(error.code(), Some("PreconditionFailed" | "ConditionalRequestConflict")) => {
                match self.look(key).await? {
                    Some(theirs) => Ok(theirs),
                    None => Err(self.failed("S3.PutObject", &error, key)),
                }
            }
            Err(error) => Err(self.failed("S3.PutObject", &error, key)),
        }
    }

    fn failed<E>(&self, call: &'static str, error: &SdkError<E>, key: &str) -> Error
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        Error::new(format!("s3://{}/{key}", self.bucket)).because(CallError::new(call, error))
    }
}

/// Holds what Lambda runs against what was uploaded.
pub async fn verify(lambda: &aws_sdk_lambda::Client, function: &str, expected: &str) -> Result<(), Error> {
    let asked = lambda.get_function_configuration().function_name(function).send().await;
    let failed = || Error::new(format!("the code of {function} cannot be compared with what was uploaded"));
    let answer = asked.map_err(|error| failed().because(CallError::new("Lambda.GetFunctionConfiguration", &error)))?;
    let runs = answer.code_sha256().unwrap_or_default();
    if runs == expected {
        return Ok(());
    }
    Err(Error::new(format!("{function} does not run the code that was uploaded"))
        .because(format!("its SHA-256 is {runs}, not {expected}"))
        .hint("someone else has deployed it meanwhile; look, and run `stockpipe --target aws up` again"))
}
