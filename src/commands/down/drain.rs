//! Before the stream goes and the data stays: what was put has to be in table and lake by then.

use crate::{
    error::{Error, ExitStatus},
    interrupt::Interrupt,
    report::{progress::Progress, style},
    targets::{
        aws::{
            Aws, Refused,
            deploy::{mappings::Mapping, pace, survey::Stack},
            failed,
        },
        local::stream::now,
    },
};
use aws_sdk_kinesis::{primitives::DateTime, types::ShardIteratorType};
use pipeline::Timestamp;
use std::time::Duration;

/// What archive may take beyond its window to hand over a batch.
const MARGIN: Duration = Duration::from_secs(10);
/// From one look to the next.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Waits until the newest record is older than what archive waits for before it takes it.
///
/// # Errors
/// When somebody goes on putting quotes, or a function is failing: then there would be quotes that are lost.
pub async fn drain(
    aws: &Aws,
    stack: &Stack,
    mappings: &[Mapping],
    flags: &str,
    interrupt: &Interrupt,
) -> Result<(), Error> {
    if let Some(failing) = mappings.iter().find(|mapping| mapping.last.starts_with("PROBLEM")) {
        return Err(Error::new(format!("{} does not get on, and quotes on the stream wait for it", failing.function))
            .because(&failing.last)
            .status(ExitStatus::Failed)
            .hint(format!(
                "see what it says in its logs, mend it, and run the same command again; `stockpipe down{flags}` \
                 without --keep-data removes everything as it is"
            )));
    }
    let window = stack.values.get("ArchiveWindow").and_then(|seconds| seconds.parse().ok()).unwrap_or(300);
    let age = Duration::from_secs(window) + MARGIN;
    let Some(stream) = stack.output("StreamName") else { return Ok(()) };
    let mut progress = Progress::new("waiting until all is in the lake", None);
    let began = now();
    loop {
        let newest_allowed = now().plus_millis(-i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
        let Some(arrived) = since(aws, stream, newest_allowed).await? else { break };
        if arrived > began {
            return Err(Error::new("somebody still puts quotes on the stream").hint(
                "stop it (`stockpipe stream` by Ctrl-C), and run the same command again: what is put now would be lost",
            ));
        }
        let left = Duration::from_millis(u64::try_from(arrived.millis() - newest_allowed.millis()).unwrap_or(0));
        progress.message(&format!("{} to go", style::elapsed(left)));
        pace::wait(LOOK_EVERY.min(left.max(Duration::from_millis(200))), interrupt, || {}).await;
        if interrupt.is_set() {
            return Err(Error::new("nothing was removed").status(ExitStatus::Interrupted));
        }
    }
    progress.finish();
    Ok(())
}

/// When the newest of the records arrived that came since, if there are any.
async fn since(aws: &Aws, stream: &str, time: Timestamp) -> Result<Option<Timestamp>, Error> {
    let what = "the stream cannot be read";
    let client = aws.kinesis();
    let mut shards = client.list_shards().stream_name(stream).send().await;
    let mut newest: Option<Timestamp> = None;
    loop {
        let page = match shards {
            Ok(page) => page,
            Err(error) if error.is_absent() => return Ok(None),
            Err(error) => return Err(failed(what, "Kinesis.ListShards", &error)),
        };
        for shard in page.shards() {
            let iterator = client.get_shard_iterator().stream_name(stream).shard_id(shard.shard_id());
            let iterator = iterator.shard_iterator_type(ShardIteratorType::AtTimestamp);
            let iterator = iterator.timestamp(DateTime::from_millis(time.millis())).send().await;
            let mut at = iterator.map_err(|e| failed(what, "Kinesis.GetShardIterator", &e))?.shard_iterator;
            while let Some(iterator) = at {
                let records = client.get_records().shard_iterator(iterator).send().await;
                let records = records.map_err(|e| failed(what, "Kinesis.GetRecords", &e))?;
                let arrived = records.records().iter().filter_map(|r| r.approximate_arrival_timestamp());
                let arrived = arrived.filter_map(|t| Timestamp::from_millis(t.to_millis().ok()?));
                newest = newest.into_iter().chain(arrived.filter(|arrived| *arrived >= time)).max();
                at = records.next_shard_iterator.filter(|_| records.millis_behind_latest.unwrap_or_default() > 0);
            }
        }
        let Some(token) = page.next_token else { return Ok(newest) };
        shards = client.list_shards().next_token(token).send().await;
    }
}
