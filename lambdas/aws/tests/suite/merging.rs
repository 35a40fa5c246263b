//! Archive's objects in the bucket, and the merging of small files.

use crate::{
    events::stream_event,
    recordings,
    run::WEEK,
    stack::Stack,
    stream::{Stream, line, price, quote, time},
};
use bytes::Bytes;
use pipeline::{
    Timestamp,
    lake::{Source, inspect},
};
use std::{collections::BTreeMap, time::Duration};
use stockpipe_aws_ports::{
    Calls, Settings,
    archive::ArchiveStockData,
    merge::{Limits, Merged, merge_small_files},
};

const TIME: Duration = Duration::from_secs(120);
const LIMITS: Limits = Limits { files: 3, bytes: 1 << 20 };

fn archive_of(stack: &Stack) -> ArchiveStockData {
    let environment = stack.environment(WEEK);
    ArchiveStockData::new(Settings(&|name| environment.get(name).cloned()), &stack.clients).expect("all settings")
}

/// Rows and sources of each file.
async fn files(stack: &Stack) -> BTreeMap<String, (u64, Vec<String>)> {
    let objects = stack.objects("quotes/").await;
    let inspected = objects.into_iter().map(|(name, bytes)| {
        let file = inspect(&Source { name: name.clone(), contents: Bytes::from(bytes) }).expect("a file of the lake");
        (name, (file.span.rows, file.sources))
    });
    inspected.collect()
}

/// Would catch a quote that is lost or doubled on its way into the lake, and raw lines that are.
#[tokio::test]
async fn recorded_quotes_are_in_the_lake_once() {
    let stack = Stack::new().await;
    let archive = archive_of(&stack);
    let lines = recordings::lines("daily_FB_2012-2013");
    let mut stream = Stream::default();
    lines.chunks(10).for_each(|lines| stream.push("FB", time("2027-01-01T00:00:00Z"), lines));
    for batch in stream.records.chunks(5) {
        for _ in 0..2 {
            let answer = archive.handle(&stream_event(batch), "test", &Calls::within(TIME)).await.expect("an event");
            assert!(answer.batch_item_failures.is_empty());
        }
    }
    let files = files(&stack).await;
    assert_eq!(files.values().map(|(rows, _)| *rows).sum::<u64>(), lines.len() as u64);
    let raw = stack.objects("raw-data/FB/").await;
    let raw_lines: usize = raw.values().map(|bytes| bytes.iter().filter(|b| **b == b'\n').count()).sum();
    assert_eq!((raw.len(), raw_lines), (4, lines.len()));
    let first = raw.keys().next().expect("an object");
    assert!(first.starts_with("raw-data/FB/20120518T200000.000Z_shardId-000000000006-"), "{first}");
}

/// Would catch a source that goes before its hour, or without being listed, and a quote that goes with it.
#[tokio::test]
async fn small_files_become_one_and_go_an_hour_later() {
    let stack = Stack::new().await;
    let archive = archive_of(&stack);
    let bucket = || archive.bucket(&Calls::within(TIME));
    let mut stream = Stream::default();
    for second in 0..5 {
        // Each quote comes again in the next file.
        let lines = [second, second + 1]
            .map(|second| line(&quote("A", time(&format!("2026-11-20T20:00:0{second}Z")), price("1.5"))));
        stream.push("A", time("2026-11-20T21:00:00Z"), &lines);
    }
    for record in stream.records.chunks(1) {
        archive.handle(&stream_event(record), "test", &Calls::within(TIME)).await.expect("an event");
    }
    let sources: Vec<String> = files(&stack).await.into_keys().collect();
    assert_eq!(sources.len(), 5);

    let now = now();
    let merged = merge_small_files(&bucket(), LIMITS, now).await.expect("a run");
    assert_eq!((merged.files, merged.sources, merged.deleted), (2, 5, 0), "{merged:?}");
    let after = files(&stack).await;
    let made: BTreeMap<_, _> = after.iter().filter(|(_, (_, listed))| !listed.is_empty()).collect();
    let mut listed: Vec<&String> = made.values().flat_map(|(_, listed)| listed).collect();
    listed.sort();
    assert_eq!(listed, sources.iter().collect::<Vec<_>>());
    assert_eq!(made.values().map(|(rows, _)| rows).sum::<u64>(), 4 + 3);

    // Within the hour nothing goes, and what is merged already is not merged again; but the two files are.
    let merged = merge_small_files(&bucket(), LIMITS, now.plus_millis(3_000_000)).await.expect("a run");
    assert_eq!((merged.files, merged.sources, merged.deleted), (1, 2, 0), "{merged:?}");
    // Then the sources go, and only in the run after that what was made of them.
    let later = now.plus_millis(3_700_000);
    let merged = merge_small_files(&bucket(), LIMITS, later).await.expect("a run");
    assert_eq!((merged.files, merged.deleted), (0, 5), "{merged:?}");
    let merged = merge_small_files(&bucket(), LIMITS, later).await.expect("a run");
    assert_eq!((merged.files, merged.deleted), (0, 2), "{merged:?}");
    let last = files(&stack).await;
    assert_eq!(last.values().map(|(rows, _)| *rows).collect::<Vec<_>>(), [6]);
    let idle = merge_small_files(&bucket(), LIMITS, later).await.expect("a run");
    assert!(matches!(idle, Merged { files: 0, deleted: 0, unfinished: false, ref failed, .. } if failed.is_empty()));
}

/// Would catch a damaged file that keeps other days from being merged, or is deleted.
#[tokio::test]
async fn a_damaged_file_stops_its_own_day_alone() {
    let stack = Stack::new().await;
    let archive = archive_of(&stack);
    let mut stream = Stream::default();
    for day in ["19", "20"] {
        for second in 0..2 {
            let at = time(&format!("2026-11-{day}T20:00:0{second}Z"));
            stream.push_quote(&quote("A", at, price("1.5")), time("2026-11-20T21:00:00Z"));
        }
    }
    for record in stream.records.chunks(1) {
        archive.handle(&stream_event(record), "test", &Calls::within(TIME)).await.expect("an event");
    }
    let damaged = "quotes/dt=2026-11-19/damaged.parquet";
    let put = stack.clients.s3().put_object().bucket(stack.bucket()).key(damaged);
    put.body(b"PAR1 nothing PAR1".to_vec().into()).send().await.expect("an object");
    let bucket = archive.bucket(&Calls::within(TIME));
    let merged = merge_small_files(&bucket, Limits { files: 9, bytes: 1 << 20 }, now()).await.expect("a run");
    assert_eq!((merged.files, merged.sources, merged.failed.len()), (1, 2, 1), "{merged:?}");
    assert!(stack.objects("quotes/").await.contains_key(damaged));
}

fn now() -> Timestamp {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    Timestamp::from_millis(i64::try_from(now.as_millis()).expect("a time")).expect("a time")
}
