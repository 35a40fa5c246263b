//! Batches that Lambda gave up: whole events, as objects, where they wait to be handled after all.
//!
//! Those of process and archive come back as new records, each once even where both gave it up: what one of them has
//! done already is known by its identity. Those of trend are changes of the table, which no longer come by themselves:
//! the function is called with them, and what it has raised already is known.

use super::{Deployed, bucket::Object, replay::GoOn};
use crate::{
    error::{Error, ExitStatus},
    report::style::{self, outside},
    targets::aws::failed,
};
use aws_ports::KinesisEvent;
use aws_sdk_lambda::primitives::Blob;
use futures::{StreamExt, TryStreamExt, stream};
use pipeline::{Record, RecordSequence, Timestamp};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use std::collections::HashSet;

/// Where Lambda leaves them, and where they go once they are handled.
const PREFIX: &str = "aws/lambda/";
const REPLAYED: &str = "replayed/";
/// Objects that are read at once: each is as large as an event, 8 MB at most.
const AT_ONCE: usize = 4;

/// Whose batch it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Function {
    /// Of process or archive: records of the stream.
    OfStream(&'static str),
    /// Of trend: changes of the table.
    Trend,
    /// Of none that is known here.
    Other(String),
}

/// A batch that was given up.
#[derive(Clone, Debug)]
pub struct FailedBatch {
    /// Its object.
    pub key: String,
    /// Whose it is.
    pub function: Function,
    /// Records or changes.
    pub records: u64,
    /// When it was given up, as far as that is known.
    pub given_up_at: Option<Timestamp>,
    /// Why, in Lambda's words.
    pub reason: String,
    /// How often the function was called.
    pub attempts: u64,
    /// Its first record.
    first: Option<RecordSequence>,
}

/// What came of batches so far.
#[derive(Default)]
struct Done {
    /// The records that were put again, by their old numbers.
    put: HashSet<RecordSequence>,
    /// The stream takes no more.
    is_refused: bool,
}

const TREND: &str = "StockTrendAnalysis";
const OF_STREAM: [&str; 2] = ["ProcessStockData", "ArchiveStockData"];

impl Function {
    /// The function's name, without the stack's.
    pub fn name(&self) -> &str {
        match self {
            Self::OfStream(name) => name,
            Self::Trend => TREND,
            Self::Other(name) => name,
        }
    }

    /// By what the event says: an ARN that ends with the function's name, or with a version behind it.
    fn of(arn: &str, stack: &str) -> Self {
        let full = arn.split(':').nth(6).unwrap_or_default();
        let name = full.strip_prefix(stack).and_then(|name| name.strip_prefix('-')).unwrap_or(full);
        match OF_STREAM.into_iter().find(|known| *known == name) {
            Some(known) => Self::OfStream(known),
            None if name == TREND => Self::Trend,
            None => Self::Other(outside(name)),
        }
    }
}

/// What Lambda writes.
#[derive(Deserialize)]
struct Event<'a> {
    #[serde(rename = "requestContext")]
    context: Context,
    timestamp: Option<String>,
    #[serde(rename = "KinesisBatchInfo", alias = "DDBStreamBatchInfo")]
    info: Info,
    #[serde(borrow)]
    payload: &'a RawValue,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Context {
    function_arn: String,
    condition: String,
    #[serde(default)]
    approximate_invoke_count: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Info {
    start_sequence_number: String,
    batch_size: u64,
}

impl Event<'_> {
    /// What the function was given.
    fn given(&self) -> Result<String, serde_json::Error> {
        match self.payload.get() {
            // As a text, or as it is.
            text if text.starts_with('"') => serde_json::from_str(text),
            json => Ok(json.to_owned()),
        }
    }
}

fn damaged(key: &str, why: impl std::fmt::Display) -> Error {
    Error::new(format!("'{key}' is no batch of Lambda's"))
        .because(why)
        .hint("whatever wrote it, it is in the way: move it to another folder of the bucket")
}

impl Deployed {
    /// The batches that were given up at this time or later, in the order in which they come back: of the stream's
    /// records, that is in theirs.
    pub fn failed_batches(&self, since: Option<Timestamp>) -> Result<Vec<FailedBatch>, Error> {
        let bucket = self.bucket();
        let mut batches: Vec<FailedBatch> = self.wait(async {
            let (mut objects, mut behind) = (Vec::new(), None);
            loop {
                let (page, follow) = bucket.list(PREFIX, behind.as_deref()).await?;
                behind = page.last().map(|object| object.key.clone());
                objects.extend(page);
                if !follow {
                    break;
                }
            }
            let read = objects.into_iter().map(|object| self.failed_batch(object));
            let read: Vec<Option<FailedBatch>> = stream::iter(read).buffered(AT_ONCE).try_collect().await?;
            Ok::<_, Error>(read.into_iter().flatten().collect())
        })?;
        batches.retain(|batch| since.is_none_or(|since| batch.given_up_at.is_none_or(|at| at >= since)));
        batches.sort_by(|a, b| (&a.first, &a.key).cmp(&(&b.first, &b.key)));
        Ok(batches)
    }

    async fn failed_batch(&self, object: Object) -> Result<Option<FailedBatch>, Error> {
        let Some(bytes) = self.bucket().get(&object.key).await? else { return Ok(None) };
        let event: Event = serde_json::from_slice(&bytes).map_err(|e| damaged(&object.key, e))?;
        let given_up_at = event.timestamp.as_deref().and_then(Timestamp::parse).or(object.written_at);
        Ok(Some(FailedBatch {
            function: Function::of(&event.context.function_arn, &self.names.stack),
            records: event.info.batch_size,
            given_up_at,
            reason: outside(&event.context.condition),
            attempts: event.context.approximate_invoke_count,
            first: aws_ports::sequence(&event.info.start_sequence_number),
            key: object.key,
        }))
    }

    /// Has batches handled after all, and puts each out of the way once it is. Calls `go_on` with how many are so far; it
    /// may stop.
    ///
    /// One that could not be handled stays. Where the stream takes no more, those that are for it stay, too: they would
    /// overtake.
    pub fn replay_batches(&self, batches: &[FailedBatch], go_on: GoOn<'_>) -> Result<(), Error> {
        let (mut handled, mut failures, mut done) = (0, Vec::new(), Done::default());
        for batch in batches {
            if done.is_refused && matches!(batch.function, Function::OfStream(_)) {
                continue;
            }
            match self.wait(self.replay_batch(batch, &mut done)) {
                Ok(()) => handled += 1,
                Err(error) => failures.push(error),
            }
            if !go_on(handled) {
                break;
            }
        }
        let failed = failures.len();
        match failures.into_iter().next() {
            None => Ok(()),
            Some(first) if failed == 1 => Err(first),
            Some(first) => Err(Error::new(format!("{} batches could not be handled", style::count(failed as u64)))
                .because(format!("the first of them: {first}"))
                .hint(first.hint_text().unwrap_or("the same command can be given again"))),
        }
    }

    async fn replay_batch(&self, batch: &FailedBatch, done: &mut Done) -> Result<(), Error> {
        let bucket = self.bucket();
        // Somebody else did it meanwhile.
        let Some(bytes) = bucket.get(&batch.key).await? else { return Ok(()) };
        let event: Event = serde_json::from_slice(&bytes).map_err(|e| damaged(&batch.key, e))?;
        let given = event.given().map_err(|e| damaged(&batch.key, e))?;
        match &batch.function {
            Function::OfStream(_) => self.put_once(&batch.key, &given, done).await?,
            Function::Trend => self.analyse(&batch.key, given).await?,
            Function::Other(name) => {
                return Err(Error::new(format!("'{}' cannot be replayed", batch.key))
                    .because(format!("it is of the function {name}, which is none of this pipeline's")));
            }
        }
        bucket.rename(&batch.key, &format!("{REPLAYED}{}", batch.key)).await
    }

    /// Puts those records of an event that were not put yet.
    async fn put_once(&self, key: &str, event: &str, done: &mut Done) -> Result<(), Error> {
        let event: KinesisEvent = serde_json::from_str(event).map_err(|e| damaged(key, e))?;
        let batch = aws_ports::Batch::try_from(event).map_err(|e| damaged(key, e))?;
        let new = batch.records.into_iter().filter(|record| !done.put.contains(&record.sequence));
        let (old, records): (Vec<_>, Vec<_>) = new
            .map(|Record { sequence, partition_key, data, .. }| (sequence, (partition_key.to_string(), data.to_vec())))
            .unzip();
        let put = self.put_in_order(&records).await;
        done.put.extend(old.into_iter().zip(put.records).filter(|(_, new)| new.is_some()).map(|(old, _)| old));
        done.is_refused = put.failure.is_some();
        put.failure.map_or(Ok(()), Err)
    }

    /// Calls trend with an event.
    async fn analyse(&self, key: &str, event: String) -> Result<(), Error> {
        let what = || format!("{TREND} could not handle '{key}'");
        let logs = || format!("its logs say why: {}", self.names.log_group(TREND));
        let invoke = self.aws.lambda().invoke().function_name(self.names.function(TREND));
        let answer = invoke.payload(Blob::new(event)).send().await;
        let answer = answer.map_err(|e| failed(what(), "Lambda.Invoke", &e))?;
        let said = answer.payload().map(|payload| String::from_utf8_lossy(payload.as_ref()).into_owned());
        let said = said.unwrap_or_default();
        if let Some(kind) = answer.function_error() {
            let said: Value = serde_json::from_str(&said).unwrap_or(Value::String(said));
            let message = said["errorMessage"].as_str().unwrap_or("it gives no reason");
            return Err(Error::new(what()).because(format!("{kind}: {}", outside(message))).hint(logs()));
        }
        let said: Value = serde_json::from_str(&said).unwrap_or_default();
        match said["batchItemFailures"].as_array().map_or(0, Vec::len) {
            0 => Ok(()),
            _ => Err(Error::new(what())
                .because("it names changes that have to come again")
                .hint(logs())
                .status(ExitStatus::Failed)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch a batch that is taken for another function's.
    #[test]
    fn whose_batch_it_is() {
        let of = |name: &str| Function::of(&format!("arn:aws:lambda:us-east-1:123456789012:function:{name}"), "a-b");
        assert_eq!(of("a-b-ProcessStockData:$LATEST"), Function::OfStream("ProcessStockData"));
        assert_eq!(of("a-b-ArchiveStockData"), Function::OfStream("ArchiveStockData"));
        assert_eq!(of("a-b-StockTrendAnalysis:7"), Function::Trend);
        assert_eq!(of("a-ProcessStockData"), Function::Other("a-ProcessStockData".into()));
        assert_eq!(Function::of("", "a"), Function::Other(String::new()));
    }

    /// Would catch an event that is not understood, whichever way it is written down.
    #[test]
    fn events_as_lambda_keeps_them() {
        let event = |info: &str, payload: &str| {
            format!(
                r#"{{"requestContext":{{"requestId":"r","functionArn":"f","condition":"RetryAttemptsExhausted",
                "approximateInvokeCount":3}},"responseContext":{{"statusCode":200}},"version":"1.0",
                "timestamp":"2026-11-20T21:00:00.123456Z","{info}":{{"shardId":"s","startSequenceNumber":"7",
                "endSequenceNumber":"9","batchSize":2,"streamArn":"a"}},"payload":{payload}}}"#
            )
        };
        for (info, payload) in
            [("KinesisBatchInfo", r#"{"Records":[]}"#), ("DDBStreamBatchInfo", r#""{\"Records\":[]}""#)]
        {
            let text = event(info, payload);
            let event: Event = serde_json::from_str(&text).expect("an event");
            assert_eq!(event.given().expect("a payload"), r#"{"Records":[]}"#);
            assert_eq!((event.info.batch_size, event.context.approximate_invoke_count), (2, 3));
            assert!(event.timestamp.as_deref().and_then(Timestamp::parse).is_some());
        }
    }
}
