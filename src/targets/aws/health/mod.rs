//! How a pipeline does: how late it is, what it could not take, what watches over it and says so.

mod catalog;
mod lag;

use super::{Aws, failed, names::Names};
use crate::error::Error;
use aws_sdk_cloudwatch::types::{AlarmType, StateValue};
pub use catalog::Difference;
pub use lag::{LATE, LOOKED_BACK, Lag};
use pipeline::{Item, Timestamp};

/// The stack's alarms, by what follows its name in theirs.
pub const ALARMS: [&str; 14] = [
    "process-lag",
    "trend-lag",
    "archive-lag",
    "process-errors",
    "trend-errors",
    "archive-errors",
    "process-throttles",
    "trend-throttles",
    "archive-throttles",
    "stream-throttles",
    "quotes-throttles",
    "signals-throttles",
    "set-aside",
    "failed-batches",
];
/// Objects are counted up to here, which is what S3 lists in one call.
pub const MOST_COUNTED: u64 = 1000;

/// All of it; what is not told, for want of a right, says why.
#[derive(Debug)]
pub struct Health {
    /// How late each function is.
    pub lags: Result<Vec<Lag>, Error>,
    /// What was stored last.
    pub newest: Result<Option<Item>, Error>,
    /// Lines that can never be quotes, at most [`MOST_COUNTED`].
    pub set_aside: Result<u64, Error>,
    /// Batches that were given up, at most [`MOST_COUNTED`].
    pub failed_batches: Result<u64, Error>,
    /// Alarms that are raised.
    pub alarms: Result<Vec<Alarm>, Error>,
    /// Where the catalog's columns are not those of the lake's files.
    pub catalog: Result<Vec<Difference>, Error>,
}

/// An alarm that is raised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// What follows the stack's name in its own.
    pub name: String,
    /// What it is about, and what to look at.
    pub about: String,
    /// Since when it is raised.
    pub since: Option<Timestamp>,
}

impl Health {
    /// Asks for all of it at once.
    pub async fn of(aws: &Aws, names: &Names) -> Self {
        let (lags, newest, set_aside, failed_batches, alarms, catalog) = tokio::join!(
            lag::lags(aws, names),
            lag::newest(aws, names),
            count(aws, names, "set-aside/"),
            count(aws, names, "aws/lambda/"),
            alarms(aws, names),
            catalog::differences(aws, names),
        );
        Self { lags, newest, set_aside, failed_batches, alarms, catalog }
    }
}

/// How many objects there are with keys that begin so, at most [`MOST_COUNTED`].
async fn count(aws: &Aws, names: &Names, prefix: &str) -> Result<u64, Error> {
    let list = aws.s3().list_objects_v2().bucket(names.data_bucket()).prefix(prefix).send().await;
    let list = list.map_err(|e| failed("the bucket cannot be listed", "S3.ListObjectsV2", &e))?;
    Ok((list.contents().len() as u64).min(MOST_COUNTED))
}

async fn alarms(aws: &Aws, names: &Names) -> Result<Vec<Alarm>, Error> {
    let prefix = format!("{}-", names.stack);
    let of_stack = ALARMS.iter().map(|name| format!("{prefix}{name}")).collect();
    let describe = aws.cloudwatch().describe_alarms().set_alarm_names(Some(of_stack));
    let describe = describe.alarm_types(AlarmType::MetricAlarm).state_value(StateValue::Alarm).max_records(100);
    let found = describe.send().await;
    let found = found.map_err(|e| failed("the alarms cannot be read", "CloudWatch.DescribeAlarms", &e))?;
    let alarm = |alarm: aws_sdk_cloudwatch::types::MetricAlarm| {
        let name = alarm.alarm_name?;
        Some(Alarm {
            name: name.strip_prefix(&prefix)?.to_owned(),
            about: alarm.alarm_description.unwrap_or_default(),
            since: alarm.state_updated_timestamp.and_then(|t| Timestamp::from_millis(t.to_millis().ok()?)),
        })
    };
    Ok(found.metric_alarms.unwrap_or_default().into_iter().filter_map(alarm).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::aws::template;

    /// Would catch an alarm that is raised and not seen.
    #[test]
    fn all_alarms_of_the_template_are_looked_at() {
        let named =
            template::PIPELINE.lines().filter_map(|l| l.trim().strip_prefix("AlarmName: !Sub ${AWS::StackName}-"));
        assert_eq!(named.collect::<Vec<_>>(), ALARMS);
    }
}
