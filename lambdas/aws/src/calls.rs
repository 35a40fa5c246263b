//! Clients, and calls that end before the function's time does.

use aws_config::{BehaviorVersion, ConfigLoader, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};
use pipeline::PortError;
use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};
use tokio::time::{Instant, sleep, timeout_at};

/// How often a call is tried in all before its failure is said.
const ATTEMPTS: u32 = 4;
/// A connection that is not there by then will not come.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// One attempt: many times what the slowest call takes, a small part of what a function has.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
/// Left for the answer and the log when the calls have to be over.
const MARGIN: Duration = Duration::from_secs(3);
/// The first wait before something that was refused is asked again; it doubles up to the last.
const FIRST_WAIT: Duration = Duration::from_millis(25);
const LAST_WAIT: Duration = Duration::from_secs(2);

/// The configuration that all clients are made from. They share one pool of connections.
#[derive(Clone, Debug)]
pub struct Clients {
    config: SdkConfig,
}

impl Clients {
    /// From what the surroundings say: region, credentials and `AWS_ENDPOINT_URL`.
    pub async fn from_env() -> Self {
        Self::load(aws_config::defaults(BehaviorVersion::latest())).await
    }

    /// As [`Self::from_env`], with what is said already.
    pub async fn load(loader: ConfigLoader) -> Self {
        // Of the TLS stacks ring: the first handshake of aws-lc costs 24 ms of CPU, its 0.4.
        let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
        let retries = RetryConfig::standard().with_max_attempts(ATTEMPTS).with_initial_backoff(FIRST_WAIT);
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .build();
        let config = loader
            .http_client(http)
            .retry_config(retries.with_max_backoff(LAST_WAIT))
            .timeout_config(timeouts)
            .load()
            .await;
        Self { config }
    }

    /// What other clients can be made from.
    #[must_use]
    pub const fn config(&self) -> &SdkConfig {
        &self.config
    }

    /// A client of DynamoDB.
    #[must_use]
    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.config)
    }

    /// A client of S3. Another endpoint than AWS's own need not know buckets as host names.
    #[must_use]
    pub fn s3(&self) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::config::Builder::from(&self.config);
        aws_sdk_s3::Client::from_conf(config.force_path_style(self.config.endpoint_url().is_some()).build())
    }

    /// A client of SNS.
    #[must_use]
    pub fn sns(&self) -> aws_sdk_sns::Client {
        aws_sdk_sns::Client::new(&self.config)
    }
}

/// The calls of one invocation: all of them end before its time is up, and the first that failed is remembered.
#[derive(Clone, Debug)]
pub struct Calls {
    end: Instant,
    first_error: Arc<Mutex<Option<CallError>>>,
}

impl Calls {
    /// Calls that may take this long in all.
    #[must_use]
    pub fn within(time: Duration) -> Self {
        Self { end: Instant::now() + time, first_error: Arc::default() }
    }

    /// Calls of an invocation that is ended from outside at `deadline`, in milliseconds since 1970.
    ///
    /// A margin is left, to answer and to log: 3 seconds, or a tenth of the time where that is less.
    #[must_use]
    pub fn until(deadline: u64) -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let time = Duration::from_millis(deadline).saturating_sub(now);
        Self::within(time.saturating_sub(MARGIN.min(time / 10)))
    }

    /// The time that is left.
    #[must_use]
    pub fn left(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }

    /// Whether the time is up.
    #[must_use]
    pub fn over(&self) -> bool {
        self.left().is_zero()
    }

    /// The first call that failed.
    #[must_use]
    pub fn first_error(&self) -> Option<CallError> {
        self.first_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The answer of a call, if it comes in time. A failure is for the caller to judge.
    pub(crate) async fn answer<T, E>(
        &self,
        name: &'static str,
        call: impl Future<Output = Result<T, SdkError<E>>>,
    ) -> Result<Result<T, SdkError<E>>, PortError> {
        // A ready call would be taken even when the time is up; what is not begun cannot half succeed.
        if self.over() {
            return Err(self.failed(CallError::out_of_time(name)));
        }
        timeout_at(self.end, call).await.map_err(|_| self.failed(CallError::out_of_time(name)))
    }

    /// The result of a call, if it succeeds in time.
    pub(crate) async fn call<T, E>(
        &self,
        name: &'static str,
        call: impl Future<Output = Result<T, SdkError<E>>>,
    ) -> Result<T, PortError>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        self.answer(name, call).await?.map_err(|error| self.failed(CallError::new(name, &error)))
    }

    /// Remembers the failure of a call.
    pub(crate) fn failed(&self, error: CallError) -> PortError {
        let text = PortError(error.to_string());
        self.first_error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        text
    }

    /// Waits before something is asked again for the `attempt`th time; at most until the time is up.
    pub(crate) async fn wait(&self, attempt: u32) {
        let most = FIRST_WAIT.saturating_mul(1 << attempt.min(10)).min(LAST_WAIT);
        // Fully jittered, so that those who were refused together do not come again together.
        sleep(most.mul_f64(fastrand::f64()).min(self.left())).await;
    }
}

/// A call that failed, told apart as far as the service tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallError {
    /// Service and operation, as `DynamoDB.Query`.
    pub call: &'static str,
    /// The service's code, or what kept the call from it.
    pub code: String,
    /// In words. Account numbers are masked.
    pub message: String,
    /// What the service calls the request.
    pub request_id: Option<String>,
}

impl CallError {
    /// From what the client says of it.
    pub fn new<E>(call: &'static str, error: &SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let meta = error.meta();
        let kind = match error {
            SdkError::ConstructionFailure(_) => "ConstructionFailure",
            SdkError::TimeoutError(_) => "TimeoutError",
            SdkError::DispatchFailure(_) => "DispatchFailure",
            SdkError::ResponseError(_) => "ResponseError",
            _ => "Unknown",
        };
        // The answer to a HEAD has no body that says why.
        let status = error.raw_response().filter(|_| meta.code().is_none()).map(|raw| raw.status().as_u16());
        let message = match (meta.message(), status) {
            (Some(message), _) => message.to_owned(),
            (None, Some(status)) if status >= 300 => "the service gives no reason".to_owned(),
            // The last is an answer that cannot be read.
            (None, _) => chain(error),
        };
        Self {
            call,
            code: status.map_or_else(|| meta.code().unwrap_or(kind).to_owned(), |status| format!("HTTP {status}")),
            message: masked(&message),
            request_id: meta.extra("aws_request_id").map(str::to_owned),
        }
    }

    pub(crate) fn out_of_time(call: &'static str) -> Self {
        Self { call, code: "OutOfTime".into(), message: "the function's time was up".into(), request_id: None }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.call, self.code, self.message)?;
        self.request_id.iter().try_for_each(|id| write!(f, " (request {id})"))
    }
}

/// What is said of an error and of what caused it, without the client's own structures.
fn chain(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let text = error.to_string();
        // Some repeat what caused them.
        if !said.ends_with(&text) {
            said = format!("{said}: {text}");
        }
        source = error.source();
    }
    said
}

/// The text without account numbers, which are 12 digits.
fn masked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for run in text.split_inclusive(|c: char| !c.is_ascii_digit()) {
        let digits = run.trim_end_matches(|c: char| !c.is_ascii_digit());
        if digits.len() == 12 {
            out.push_str("************");
            out.push_str(run.get(12..).unwrap_or_default());
        } else {
            out.push_str(run);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch a cause that is not said, one that is said twice, and the client's own structures.
    #[test]
    fn causes_are_said_in_words() {
        let refused = std::io::Error::new(std::io::ErrorKind::ConnectionRefused, "Connection refused");
        let error: SdkError<aws_sdk_s3::operation::head_bucket::HeadBucketError> =
            SdkError::timeout_error(std::io::Error::other(refused));
        let error = CallError::new("S3.HeadBucket", &error);
        assert_eq!(error.to_string(), "S3.HeadBucket: TimeoutError: request has timed out: Connection refused");
    }

    #[test]
    fn account_numbers_are_masked_and_other_numbers_are_not() {
        let text = "User: arn:aws:sts::123456789012:assumed-role/x is not authorized, 12345678901, 123456789012";
        let expected = "User: arn:aws:sts::************:assumed-role/x is not authorized, 12345678901, ************";
        assert_eq!(masked(text), expected);
    }

    #[tokio::test]
    async fn a_call_that_hangs_ends_with_the_time_and_one_after_it_is_not_begun() {
        let calls = Calls::within(Duration::from_millis(20));
        let hangs = std::future::pending::<Result<(), SdkError<aws_sdk_s3::Error>>>();
        let error = calls.call("S3.PutObject", hangs).await.expect_err("no answer");
        assert_eq!(error.0, "S3.PutObject: OutOfTime: the function's time was up");
        let begun = std::cell::Cell::new(false);
        let late = async {
            begun.set(true);
            Ok::<_, SdkError<aws_sdk_s3::Error>>(())
        };
        assert!(calls.call("S3.GetObject", late).await.is_err());
        assert!(!begun.get());
        assert_eq!(calls.first_error().map(|e| e.call), Some("S3.PutObject"));
    }

    #[test]
    fn a_short_function_keeps_most_of_its_time() {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_millis() as u64;
        let left = Calls::until(now + 1000).left();
        assert!(left > Duration::from_millis(500) && left <= Duration::from_millis(900), "{left:?}");
        assert!(Calls::until(now - 1).over());
    }
}
