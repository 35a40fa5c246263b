//! `ArchiveStockData`: batches of the stream become objects in the lake, and on a schedule small ones are merged.

use crate::{
    Answer, Batch, Bucket, Calls, Clients, KinesisEvent, Report, Settings, SettingsError,
    merge::{Limits, Merged, merge_small_files},
    process::now,
};
use pipeline::{AnomalyThreshold, ArchiveSettings, Raw, archive};
use serde::Deserialize;

/// What the function needs from batch to batch.
#[derive(Clone, Debug)]
pub struct ArchiveStockData {
    stack: String,
    bucket: String,
    raw: Raw,
    anomaly: AnomalyThreshold,
    limits: Limits,
    s3: aws_sdk_s3::Client,
}

/// What the function is called with.
#[derive(Deserialize)]
#[serde(untagged)]
enum Event {
    Merge { merge: bool },
    Batch(KinesisEvent),
}

impl ArchiveStockData {
    /// From `STACK`, `BUCKET`, `RAW` and `ANOMALY_PERCENT`; `AWS_LAMBDA_FUNCTION_MEMORY_SIZE`, which Lambda sets, bounds
    /// what is merged at once.
    ///
    /// # Errors
    /// When one is missing or wrong.
    pub fn new(settings: Settings<'_>, clients: &Clients) -> Result<Self, SettingsError> {
        let memory = settings.text("AWS_LAMBDA_FUNCTION_MEMORY_SIZE").ok().and_then(|text| text.parse().ok());
        Ok(Self {
            stack: settings.stack()?,
            bucket: settings.text("BUCKET")?,
            raw: settings.raw()?,
            anomaly: settings.anomaly()?,
            limits: Limits::of_memory(memory.unwrap_or(256)),
            s3: clients.s3(),
        })
    }

    /// Opens a connection, so that the first batch need not. The answer does not matter.
    pub async fn warm_up(&self) {
        _ = self.s3.list_objects_v2().bucket(&self.bucket).prefix("quotes/").max_keys(1).send().await;
    }

    /// The bucket, for the calls of one invocation.
    #[must_use]
    pub fn bucket(&self, calls: &Calls) -> Bucket {
        Bucket { client: self.s3.clone(), name: self.bucket.clone(), calls: calls.clone() }
    }

    /// Handles an event of the stream, or `{"merge": true}` of the schedule.
    ///
    /// # Errors
    /// When it is neither, or merging could not begin.
    pub async fn handle(
        &self,
        event: &str,
        request_id: &str,
        calls: &Calls,
    ) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>> {
        let batch = match serde_json::from_str(event) {
            Ok(Event::Merge { merge: true }) => return self.merge(request_id, calls).await,
            Ok(Event::Merge { merge: false }) => return Ok(Answer::default()),
            Ok(Event::Batch(event)) => Batch::try_from(event).map_err(|error| error.to_string()),
            Err(_) => Err("neither a batch of a stream nor {\"merge\": true}".to_owned()),
        };
        let mut report = Report::new(&self.stack, request_id, "archived");
        let batch = match batch {
            Ok(batch) => batch,
            Err(error) => {
                report.fails(&error).write();
                return Err(error.into());
            }
        };
        let settings = ArchiveSettings { shard: batch.shard.clone(), raw: self.raw, anomaly: self.anomaly };
        let done = archive(&batch.records, &settings, &mut self.bucket(calls), || calls.over()).await;
        let answer = batch.answer(done.failed.as_ref().map(|failed| failed.record));
        report.say("shard", batch.shard.as_str()).say("records", batch.records.len());
        report.count([("Archived", done.quotes.iter().sum())]);
        if let Some(failed) = done.failed {
            let from = answer.batch_item_failures.first().map(|f| f.item_identifier.clone()).unwrap_or_default();
            report.comes_again(&from, &failed.error.0, calls);
        }
        report.write();
        Ok(answer)
    }

    /// Merges small files until there are none or the time is up, and goes on the next time.
    async fn merge(&self, request_id: &str, calls: &Calls) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>> {
        let mut report = Report::new(&self.stack, request_id, "merged");
        let merged = merge_small_files(&self.bucket(calls), self.limits, now()).await;
        match &merged {
            Ok(Merged { files, sources, deleted, failed, unfinished }) => {
                report.say("files", *files).say("sources", *sources).say("deleted", *deleted);
                report.say("unfinished", *unfinished);
                if let Some((day, error)) = failed.first() {
                    report.say("failedDays", failed.len()).fails(format!("{day}: {error}"));
                }
            }
            Err(error) => _ = report.fails(error),
        }
        report.write();
        merged?;
        Ok(Answer::default())
    }
}
