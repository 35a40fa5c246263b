//! `StockTrendAnalysis`: changes of the table become signals, and alerts.

use crate::{
    Answer, Calls, Changes, Clients, Report, Settings, SettingsError, SignalsTable, SnsAlerts, TableEvent, process::now,
};
use futures::{StreamExt, stream};
use pipeline::{PortError, Raised, Signals, trend};
use std::sync::atomic::{AtomicBool, Ordering};

/// Alerts that are published at once.
const PUBLISHES: usize = 16;

/// What the function needs from batch to batch.
#[derive(Clone, Debug)]
pub struct StockTrendAnalysis {
    stack: String,
    signals: String,
    topic: String,
    dynamodb: aws_sdk_dynamodb::Client,
    sns: aws_sdk_sns::Client,
}

/// What became of some changes.
#[derive(Clone, Debug, Default)]
pub struct Analysed {
    /// What the items raised.
    pub raised: Vec<Raised>,
    /// How many alerts were published.
    pub published: usize,
    /// The place of the first change that has to come again, and why.
    pub failed: Option<(usize, PortError)>,
}

impl StockTrendAnalysis {
    /// From `STACK`, `SIGNALS_TABLE` and `ALERTS_TOPIC_ARN`.
    ///
    /// # Errors
    /// When one is missing.
    pub fn new(settings: Settings<'_>, clients: &Clients) -> Result<Self, SettingsError> {
        Ok(Self {
            stack: settings.stack()?,
            signals: settings.text("SIGNALS_TABLE")?,
            topic: settings.text("ALERTS_TOPIC_ARN")?,
            dynamodb: clients.dynamodb(),
            sns: clients.sns(),
        })
    }

    /// Opens the connection to the table, so that the first signal need not wait for it: by an update that the function
    /// may make and that changes nothing, since its condition never holds. What fails here, the first batch says.
    pub async fn warm_up(&self) {
        let update = self.dynamodb.update_item().table_name(&self.signals).update_expression("REMOVE nothing");
        let update = ["symbol", "id"].into_iter().fold(update, |u, name| u.key(name, crate::attributes::string("*")));
        let never = "attribute_exists(symbol) AND attribute_not_exists(symbol)";
        _ = update.condition_expression(never).send().await;
    }

    /// The ports, for the calls of one invocation.
    #[must_use]
    pub fn ports(&self, calls: &Calls) -> (SignalsTable, SnsAlerts) {
        (
            SignalsTable { client: self.dynamodb.clone(), name: self.signals.clone(), calls: calls.clone() },
            SnsAlerts { client: self.sns.clone(), topic: self.topic.clone(), calls: calls.clone() },
        )
    }

    /// Handles an event of the table's stream.
    ///
    /// # Errors
    /// When it is no such event.
    pub async fn handle(
        &self,
        event: &str,
        request_id: &str,
        calls: &Calls,
    ) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>> {
        let mut report = Report::new(&self.stack, request_id, "analysed");
        let changes: Changes = match serde_json::from_str::<TableEvent>(event) {
            Ok(event) => event.into(),
            Err(error) => {
                report.fails(&error).write();
                return Err(error.into());
            }
        };
        let (signals, alerts) = self.ports(calls);
        let done = analyse(&changes, &signals, &alerts).await;
        let answer = changes.answer(done.failed.as_ref().map(|(place, _)| *place));
        let of_signals = done.raised.iter().filter(|raised| matches!(raised, Raised::Signal(_))).count();
        report.say("changes", changes.len()).say("items", changes.items.len()).say("published", done.published);
        report.count([("Signals", of_signals as u64)]);
        if let Some((_, error)) = &done.failed {
            let from = answer.batch_item_failures.first().map(|f| f.item_identifier.clone()).unwrap_or_default();
            report.comes_again(&from, &error.0, calls);
        }
        if let Some(first) = changes.damaged.first() {
            report.say("damaged", changes.damaged.len()).fails(first);
        }
        report.write();
        Ok(answer)
    }
}

/// Records what the items raise, and publishes what is still to be published, several at once.
async fn analyse(changes: &Changes, signals: &SignalsTable, alerts: &SnsAlerts) -> Analysed {
    let items = changes.items.iter();
    let (places, all): (Vec<usize>, Vec<Raised>) =
        items.flat_map(|(place, item)| trend::raised(item).map(|raised| (*place, raised))).unzip();
    let pending = match signals.clone().record(&all).await {
        Ok(pending) => pending,
        // What comes before the first of them raises nothing.
        Err(error) => {
            return Analysed { failed: places.first().map(|place| (*place, error)), ..Analysed::default() };
        }
    };
    let failed = &AtomicBool::new(false);
    let publishes = all.iter().zip(&places).zip(pending).filter(|(_, pending)| *pending).map(|((raised, place), _)| {
        let (mut signals, mut alerts) = (signals.clone(), alerts.clone());
        async move {
            // What comes again in any case is not published on the way.
            if failed.load(Ordering::Relaxed) {
                return Err((*place, PortError("an alert before it could not be published".into())));
            }
            let published = trend::publish(std::slice::from_ref(raised), now(), &mut signals, &mut alerts).await;
            published.map_err(|error| {
                failed.store(true, Ordering::Relaxed);
                (*place, error)
            })
        }
    });
    let results: Vec<Result<(), (usize, PortError)>> = stream::iter(publishes).buffered(PUBLISHES).collect().await;
    let published = results.iter().filter(|result| result.is_ok()).count();
    let failed = results.into_iter().filter_map(Result::err).min_by_key(|(place, _)| *place);
    Analysed { raised: all, published, failed }
}
