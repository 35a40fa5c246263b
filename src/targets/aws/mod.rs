//! The pipeline on AWS, put there and taken down by CloudFormation.
//!
//! Credentials, profile, region and endpoint are `aws-config`'s business alone, so they are found where every other
//! tool finds them. A stack is followed by its id and its operations by their token; what to do with a stack in which
//! state is `deploy`'s, what CloudFormation says of it is read in `stack`.

pub mod artifacts;
mod calls;
pub mod checks;
pub mod deploy;
pub mod deployed;
pub mod names;
pub mod options;
pub mod policy;
pub mod rights;
pub mod sql;
pub mod stack;
pub mod template;

use crate::error::{Error, ExitStatus};
use aws_config::{
    AppName, BehaviorVersion, SdkConfig, retry::RetryConfig, stalled_stream_protection::StalledStreamProtectionConfig,
    timeout::TimeoutConfig,
};
use aws_credential_types::provider::{ProvideCredentials, error::CredentialsError};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};
use names::Names;
use std::time::Duration;

pub use calls::{Refused, failed};

/// A connection that is not there by then will not come.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// An answer whose first byte is not there by then. What is uploaded may take as long as it moves.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// Who calls, where, and the clients.
#[derive(Clone, Debug)]
pub struct Aws {
    config: SdkConfig,
    /// The account's number. Never printed.
    pub account: String,
    /// Such as `us-east-1`.
    pub region: String,
    /// `aws`, `aws-cn` or `aws-us-gov`.
    pub partition: String,
    /// The caller's ARN. Never printed.
    pub arn: String,
}

impl Aws {
    /// Finds credentials and region, and asks AWS whose they are.
    pub async fn connect() -> Result<Self, Error> {
        let config = load().await?;
        let identity = aws_sdk_sts::Client::new(&config).get_caller_identity().send().await;
        let identity = identity.map_err(|e| failed("AWS does not say who you are", "STS.GetCallerIdentity", &e))?;
        let (account, arn) = (identity.account.unwrap_or_default(), identity.arn.unwrap_or_default());
        let partition = arn.split(':').nth(1).unwrap_or("aws").to_owned();
        let region = config.region().map(ToString::to_string).unwrap_or_default();
        Ok(Self { config, account, region, partition, arn })
    }

    /// The names of a stack here.
    #[must_use]
    pub fn names(&self, stack: &str) -> Names {
        Names::new(&self.account, &self.region, stack)
    }

    /// The account, as far as it is shown: `…4821`.
    #[must_use]
    pub fn masked_account(&self) -> String {
        format!("…{}", self.account.get(self.account.len().saturating_sub(4)..).unwrap_or_default())
    }

    /// Who the caller is, such as `role Deployer`, `user anna` or `root`.
    #[must_use]
    pub fn caller(&self) -> String {
        caller(&self.arn)
    }

    /// Whether the endpoint is another than AWS's own, such as an emulator's.
    #[must_use]
    pub fn has_own_endpoint(&self) -> bool {
        self.config.endpoint_url().is_some()
    }

    /// The endpoint, where it is another than AWS's own.
    #[must_use]
    pub fn endpoint(&self) -> Option<&str> {
        self.config.endpoint_url()
    }

    /// Where CloudFormation finds an object.
    #[must_use]
    pub fn object_url(&self, bucket: &str, key: &str) -> String {
        let suffix = if self.partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
        match self.config.endpoint_url() {
            Some(endpoint) => format!("{}/{bucket}/{key}", endpoint.trim_end_matches('/')),
            None => format!("https://{bucket}.s3.{}.{suffix}/{key}", self.region),
        }
    }

    pub(crate) fn cloudformation(&self) -> aws_sdk_cloudformation::Client {
        aws_sdk_cloudformation::Client::new(&self.config)
    }

    pub(crate) fn lambda(&self) -> aws_sdk_lambda::Client {
        aws_sdk_lambda::Client::new(&self.config)
    }

    pub(crate) fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.config)
    }

    pub(crate) fn kinesis(&self) -> aws_sdk_kinesis::Client {
        aws_sdk_kinesis::Client::new(&self.config)
    }

    /// A client of Kinesis that leaves it to the caller to try again.
    pub(crate) fn kinesis_without_retries(&self) -> aws_sdk_kinesis::Client {
        let config = aws_sdk_kinesis::config::Builder::from(&self.config);
        aws_sdk_kinesis::Client::from_conf(config.retry_config(RetryConfig::disabled()).build())
    }

    pub(crate) fn sns(&self) -> aws_sdk_sns::Client {
        aws_sdk_sns::Client::new(&self.config)
    }

    pub(crate) fn athena(&self) -> aws_sdk_athena::Client {
        aws_sdk_athena::Client::new(&self.config)
    }

    pub(crate) fn logs(&self) -> aws_sdk_cloudwatchlogs::Client {
        aws_sdk_cloudwatchlogs::Client::new(&self.config)
    }

    pub(crate) fn kms(&self) -> aws_sdk_kms::Client {
        aws_sdk_kms::Client::new(&self.config)
    }

    pub(crate) fn iam(&self) -> aws_sdk_iam::Client {
        aws_sdk_iam::Client::new(&self.config)
    }

    /// Another endpoint than AWS's own need not know buckets as host names.
    pub(crate) fn s3(&self) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::config::Builder::from(&self.config);
        aws_sdk_s3::Client::from_conf(config.force_path_style(self.has_own_endpoint()).build())
    }
}

/// What keeps from connecting, each by what is missing: `region`, `credentials`.
pub async fn obstacles() -> Vec<(&'static str, Error)> {
    let config = surroundings().await;
    let found = [("region", region(&config).err()), ("credentials", credentials(&config).await.err())];
    found.into_iter().filter_map(|(what, error)| Some((what, error?))).collect()
}

/// What the surroundings say, with credentials that are there.
async fn load() -> Result<SdkConfig, Error> {
    let config = surroundings().await;
    region(&config)?;
    credentials(&config).await?;
    Ok(config)
}

/// What the surroundings say.
async fn surroundings() -> SdkConfig {
    // Of the TLS stacks ring alone, as everywhere here.
    let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(READ_TIMEOUT).build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http)
        .timeout_config(timeouts)
        // An upload over a slow line is no stalled one.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    if let Ok(name) = AppName::new(concat!("stockpipe-", env!("CARGO_PKG_VERSION"))) {
        loader = loader.app_name(name);
    }
    loader.load().await
}

fn region(config: &SdkConfig) -> Result<(), Error> {
    if config.region().is_none() {
        return Err(Error::new("--target aws: no region (looked in AWS_REGION and the profile)")
            .status(ExitStatus::Usage)
            .hint("set AWS_REGION, such as AWS_REGION=us-east-1, or `aws configure set region us-east-1`"));
    }
    Ok(())
}

async fn credentials(config: &SdkConfig) -> Result<(), Error> {
    let Some(provider) = config.credentials_provider() else { return Err(no_credentials(None)) };
    match provider.provide_credentials().await {
        Ok(_) => Ok(()),
        Err(CredentialsError::CredentialsNotLoaded(_)) => Err(no_credentials(None)),
        Err(error) => Err(no_credentials(Some(&error))),
    }
}

fn no_credentials(error: Option<&CredentialsError>) -> Error {
    let made = match error {
        None => Error::new(
            "--target aws: no credentials found (looked in the environment, the profile, SSO, instance metadata)",
        ),
        Some(error) => {
            let mut made = Error::new("--target aws: the credentials cannot be had");
            let mut cause: Option<&dyn std::error::Error> = Some(error);
            while let Some(error) = cause {
                made = made.because(error);
                cause = error.source();
            }
            made
        }
    };
    made.hint(
        "`aws configure sso` and `aws sso login`, or set AWS_PROFILE; `stockpipe doctor --target aws` checks the rest",
    )
}

fn caller(arn: &str) -> String {
    let resource = arn.splitn(6, ':').nth(5).unwrap_or_default();
    match resource.split('/').collect::<Vec<_>>().as_slice() {
        ["assumed-role", role, ..] => format!("role {role}"),
        ["root"] => "root".into(),
        [kind, .., name] => format!("{kind} {name}"),
        _ => "an unknown caller".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch an account number in what is shown.
    #[test]
    fn callers() {
        let shown = [
            "arn:aws:sts::123456789012:assumed-role/Deployer/anna@example.com",
            "arn:aws:iam::123456789012:user/team/anna",
            "arn:aws:iam::123456789012:root",
            "arn:aws:sts::123456789012:federated-user/anna",
            "nonsense",
        ]
        .map(caller);
        assert_eq!(shown, ["role Deployer", "user anna", "root", "federated-user anna", "an unknown caller"]);
    }
}
