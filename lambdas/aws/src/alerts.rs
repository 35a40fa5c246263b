//! Alerts, by SNS.

use crate::Calls;
use aws_sdk_sns::{Client, types::MessageAttributeValue};
use pipeline::{Alerts, PortError, Raised};

/// The topic of alerts, for one invocation.
#[derive(Clone, Debug)]
pub struct SnsAlerts {
    /// The client.
    pub client: Client,
    /// The topic's ARN.
    pub topic: String,
    /// The invocation's calls.
    pub calls: Calls,
}

impl Alerts for SnsAlerts {
    async fn publish(&mut self, raised: &Raised) -> Result<(), PortError> {
        let (symbol, signal) = match raised {
            Raised::Signal(signal) => (&signal.symbol, signal.direction.as_str()),
            Raised::Anomaly(anomaly) => (&anomaly.symbol, "ANOMALY"),
        };
        // By these a subscription can filter.
        let mut publish = self.client.publish().topic_arn(&self.topic).message(raised.to_json());
        for (name, value) in [("symbol", &**symbol), ("signal", signal)] {
            let attribute = MessageAttributeValue::builder().data_type("String").string_value(value).build();
            let attribute = attribute.map_err(|error| PortError(error.to_string()))?;
            publish = publish.message_attributes(name, attribute);
        }
        let publish = publish.subject(format!("{symbol} {signal}"));
        self.calls.call("SNS.Publish", publish.send()).await.map(drop)
    }
}
