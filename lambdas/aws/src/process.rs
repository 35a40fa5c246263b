//! `ProcessStockData`: batches of the stream become items in the table.

use crate::{
    Answer, Batch, Bucket, Calls, Clients, KinesisEvent, QuotesTable, Report, Settings, SettingsError, SignalsTable,
    Tables,
};
use aws_sdk_dynamodb::types::AttributeValue;
use pipeline::{Counts, Failed, ProcessSettings, Timestamp, process};

/// What the function needs from batch to batch.
#[derive(Clone, Debug)]
pub struct ProcessStockData {
    stack: String,
    settings: ProcessSettings,
    table: String,
    signals: String,
    bucket: String,
    dynamodb: aws_sdk_dynamodb::Client,
    s3: aws_sdk_s3::Client,
}

impl ProcessStockData {
    /// From `STACK`, `TABLE`, `SIGNALS_TABLE`, `BUCKET`, `RETENTION` and `ANOMALY_PERCENT`.
    ///
    /// # Errors
    /// When one is missing or wrong.
    pub fn new(settings: Settings<'_>, clients: &Clients) -> Result<Self, SettingsError> {
        Ok(Self {
            stack: settings.stack()?,
            settings: ProcessSettings { retention: settings.retention()?, anomaly: settings.anomaly()? },
            table: settings.text("TABLE")?,
            signals: settings.text("SIGNALS_TABLE")?,
            bucket: settings.text("BUCKET")?,
            dynamodb: clients.dynamodb(),
            s3: clients.s3(),
        })
    }

    /// Opens the connections, so that the first batch need not: setting one up takes most of a cold start. What fails
    /// here, the first batch says.
    pub async fn warm_up(&self) {
        let query = self.dynamodb.query().table_name(&self.table).limit(1).key_condition_expression("symbol = :none");
        let query = query.expression_attribute_values(":none", AttributeValue::S("*".into()));
        _ = query.send().await;
    }

    /// The ports, for the calls of one invocation.
    #[must_use]
    pub fn ports(&self, calls: &Calls) -> (Tables, Bucket) {
        let quotes = QuotesTable { client: self.dynamodb.clone(), name: self.table.clone(), calls: calls.clone() };
        let signals = SignalsTable { client: self.dynamodb.clone(), name: self.signals.clone(), calls: calls.clone() };
        let bucket = Bucket { client: self.s3.clone(), name: self.bucket.clone(), calls: calls.clone() };
        (Tables { quotes, signals }, bucket)
    }

    /// Handles an event of the stream.
    ///
    /// # Errors
    /// When it is no such event.
    pub async fn handle(
        &self,
        event: &str,
        request_id: &str,
        calls: &Calls,
    ) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>> {
        let mut report = Report::new(&self.stack, request_id, "processed");
        let batch = serde_json::from_str::<KinesisEvent>(event).map_err(Into::into);
        let batch = match batch.and_then(|event| Ok(Batch::try_from(event)?)) {
            Ok(batch) => batch,
            Err(error) => {
                report.fails(&error).write();
                return Err(error);
            }
        };
        let (mut tables, mut bucket) = self.ports(calls);
        let now = now();
        let done = process(&batch.records, self.settings, now, &mut tables, &mut bucket).await;
        let (done, failed) = match done {
            Ok(done) => (done.counts, done.failed),
            Err(error) => (vec![], batch.records.first().map(|r| Failed { record: r.sequence, error })),
        };
        let answer = batch.answer(failed.as_ref().map(|failed| failed.record));
        let done_to = failed.as_ref().map(|failed| failed.record);
        let done_to = done_to.and_then(|record| batch.records.iter().position(|r| r.sequence == record));
        let done_to = done_to.unwrap_or(batch.records.len()).min(done.len());

        let mut counts = Counts::default();
        done.iter().take(done_to).for_each(|of_record| counts.add(of_record));
        let stored = self::now().millis();
        let waits: Vec<i64> =
            batch.records.iter().take(done_to).map(|r| (stored - r.arrived_at.millis()).max(0)).collect();
        report.say("shard", batch.shard.as_str()).say("records", batch.records.len()).say("done", done_to);
        report.say("Stored", counts.stored).count([
            ("Quotes", counts.quotes),
            ("Duplicates", counts.duplicates),
            ("Revised", counts.revised),
            ("Late", counts.late),
            ("Stale", counts.stale),
            ("Anomalies", counts.anomalies),
            ("SetAside", counts.set_aside),
        ]);
        report.millis("PutToStored", &waits);
        if let Some(failed) = failed {
            let from = answer.batch_item_failures.first().map(|f| f.item_identifier.clone()).unwrap_or_default();
            report.comes_again(&from, &failed.error.0, calls);
        }
        report.write();
        Ok(answer)
    }
}

/// The time by the wall clock.
pub(crate) fn now() -> Timestamp {
    let now = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap_or_default();
    let start = pipeline::Date::EPOCH.start();
    i64::try_from(now.as_millis()).ok().and_then(Timestamp::from_millis).unwrap_or(start)
}
