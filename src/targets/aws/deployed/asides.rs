//! What process set aside: an object a line, by the day of its arrival and its sequence.
//!
//! The order of their keys is the stream's for the lines of a symbol, which is all that a replay has to keep.

use super::{
    Deployed,
    bucket::{Bucket, Object},
};
use crate::{
    error::Error,
    targets::aside::{Aside, Asides, Choice, Through},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use futures::{StreamExt, TryStreamExt, stream};
use pipeline::{RecordSequence, Sequence, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::VecDeque;

/// Where they are.
const PREFIX: &str = "set-aside/";
/// How much of it is in memory at once: lines, and after which size no more, in bytes.
const PAGE: (usize, usize) = (500, 2 << 20);
/// Objects that are read or written at once.
pub(super) const AT_ONCE: usize = 32;

/// A line that was set aside, and its object.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    key: String,
    /// The object as it is, fields that are not known here included.
    fields: Map<String, Value>,
    pub(super) aside: Aside,
}

/// What was chosen, read page by page.
pub(super) struct BucketAsides<'a> {
    deployed: &'a Deployed,
    bucket: Bucket,
    choice: Choice,
    /// Objects that are listed and not read yet.
    listed: VecDeque<Object>,
    /// The last one that was listed.
    behind: Option<String>,
    is_listed: bool,
    /// When the newest of them was written.
    written_at: Option<Timestamp>,
}

impl Deployed {
    /// What of the set-aside lines was chosen.
    pub(super) fn set_aside(&self, choice: Choice) -> BucketAsides<'_> {
        // No key of an earlier day is above it.
        let behind = choice.since.map(|since| format!("{PREFIX}dt={}", since.date()));
        let (deployed, bucket, listed) = (self, self.bucket(), VecDeque::new());
        BucketAsides { deployed, bucket, choice, listed, behind, is_listed: false, written_at: None }
    }
}

impl Asides for BucketAsides<'_> {
    fn page(&mut self) -> Result<Option<Vec<Aside>>, Error> {
        let deployed = self.deployed;
        let page = deployed.wait(self.next())?;
        Ok(page.map(|page| page.into_iter().map(|kept| kept.aside).collect()))
    }

    fn through(&self) -> Option<Through> {
        self.written_at.map(Through::Written)
    }
}

impl BucketAsides<'_> {
    /// The next page, each line with its object.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Kept>>, Error> {
        if self.listed.is_empty() {
            if self.is_listed {
                return Ok(None);
            }
            let (objects, follow) = self.bucket.list(PREFIX, self.behind.as_deref()).await?;
            self.is_listed = !follow;
            self.behind = objects.last().map(|object| object.key.clone()).or(self.behind.take());
            let choice = &self.choice;
            let chosen: Vec<_> = objects.into_iter().filter(|object| is_chosen(choice, object)).collect();
            self.written_at = chosen.iter().filter_map(|object| object.written_at).chain(self.written_at).max();
            self.listed.extend(chosen);
        }
        let (mut page, mut bytes) = (Vec::new(), 0);
        while page.len() < PAGE.0
            && bytes < PAGE.1
            && let Some(object) = self.listed.pop_front()
        {
            bytes += object.bytes;
            page.push(object.key);
        }
        let bucket = &self.bucket;
        let read = page.into_iter().map(|key| async move {
            let bytes = bucket.get(&key).await?;
            bytes.map(|bytes| kept(key, &bytes)).transpose()
        });
        let read: Vec<Option<Kept>> = stream::iter(read).buffered(AT_ONCE).try_collect().await?;
        Ok(Some(read.into_iter().flatten().filter(|kept| self.choice.has(&kept.aside)).collect()))
    }

    /// Marks lines that were put again, each as the record beside it.
    ///
    /// Process may be given such a record once more, a day long, and writes the object anew without the mark. That is
    /// harmless: the line is put a second time then, and what has become a quote is known by its identity.
    pub(super) async fn mark(&self, lines: Vec<(Kept, RecordSequence)>, now: Timestamp) -> Result<(), Error> {
        let bucket = &self.bucket;
        let marks = lines.into_iter().map(|(Kept { key, mut fields, .. }, record)| async move {
            fields.insert("replayed_at".into(), now.to_string().into());
            fields.insert("replayed_as".into(), record.to_string().into());
            bucket.put(&key, Value::Object(fields).to_string().into_bytes()).await
        });
        stream::iter(marks).buffer_unordered(AT_ONCE).try_collect().await
    }
}

/// Whether an object may hold a line that was chosen, as far as its name tells.
fn is_chosen(choice: &Choice, object: &Object) -> bool {
    let Some(sequence) = sequence(&object.key) else { return false };
    let is_there = match choice.through {
        Some(Through::Written(end)) => object.written_at.is_none_or(|written_at| written_at <= end),
        Some(Through::Sequence(_)) | None => true,
    };
    is_there && (choice.places.is_empty() || choice.places.iter().any(|place| place.has(sequence)))
}

/// The place that is in an object's name.
fn sequence(key: &str) -> Option<Sequence> {
    let name = key.rsplit('/').next().unwrap_or_default();
    Sequence::parse(name.strip_suffix(".json")?)
}

/// The object as process writes it, and as it is marked.
#[derive(Deserialize)]
struct Fields<'a> {
    partition_key: String,
    arrived_at: &'a str,
    reason: String,
    text: Option<String>,
    base64: Option<String>,
    replayed_at: Option<&'a str>,
    replayed_as: Option<&'a str>,
}

fn kept(key: String, bytes: &[u8]) -> Result<Kept, Error> {
    let damaged = |why: &dyn std::fmt::Display| {
        Error::new(format!("'{key}' is no line that was set aside"))
            .because(why)
            .hint("whatever wrote it, it is in the way: move it to another folder of the bucket")
    };
    let fields: Fields = serde_json::from_slice(bytes).map_err(|e| damaged(&e))?;
    let time = |text: &str| Timestamp::parse(text).ok_or_else(|| damaged(&"it has no time"));
    let record = |text: &str| RecordSequence::parse(text).ok_or_else(|| damaged(&"it has no record"));
    let bytes_of = match (fields.text, fields.base64) {
        (Some(text), _) => text.into_bytes(),
        (None, Some(base64)) => BASE64_STANDARD.decode(base64).map_err(|e| damaged(&e))?,
        (None, None) => return Err(damaged(&"it has no contents")),
    };
    let replayed = match (fields.replayed_at, fields.replayed_as) {
        (Some(at), Some(as_record)) => Some((time(at)?, record(as_record)?)),
        _ => None,
    };
    let aside = Aside {
        sequence: sequence(&key).ok_or_else(|| damaged(&"it has no sequence"))?,
        partition_key: fields.partition_key,
        arrived_at: time(fields.arrived_at)?,
        reason: fields.reason,
        bytes: bytes_of,
        replayed,
    };
    let fields = serde_json::from_slice(bytes).map_err(|e| damaged(&e))?;
    Ok(Kept { key, fields, aside })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "set-aside/dt=2026-11-20/49590338271490256608559692538361571095921575989136588898-00003.json";

    /// Would catch an object of process that is not understood, or bytes that change.
    #[test]
    fn lines_as_process_keeps_them() {
        let object = |rest: &str| {
            format!(
                r#"{{"arrived_at":"2026-11-20T21:00:00.000Z","partition_key":"A","reason":"empty",{rest},"new":[1]}}"#
            )
        };
        let read = |rest: &str| kept(KEY.into(), object(rest).as_bytes());
        let line = read(r#""text":"a \"b\"""#).expect("a line");
        assert_eq!((&*line.aside.bytes, line.aside.replayed), (&b"a \"b\""[..], None));
        assert_eq!(line.aside.sequence.to_string(), KEY["set-aside/dt=2026-11-20/".len()..].trim_end_matches(".json"));
        // Whatever else is in it stays in it.
        assert_eq!(line.fields["new"], serde_json::json!([1]));
        assert_eq!(read(r#""base64":"/wA=""#).expect("a line").aside.bytes, [0xff, 0]);
        let marked = r#""text":"","replayed_at":"2026-11-21T21:00:00.000Z","replayed_as":"7""#;
        let replayed = read(marked).expect("a line").aside.replayed.expect("a mark");
        assert_eq!(
            replayed,
            (Timestamp::parse("2026-11-21T21:00:00Z").expect("a time"), RecordSequence::parse("7").expect("a record"))
        );
        for damaged in [r#""x":1"#, r#""base64":"?""#, r#""text":1"#] {
            assert!(read(damaged).is_err(), "{damaged}");
        }
    }
}
