//! Small files of a day into larger ones, in a bucket.
//!
//! S3 swaps nothing in one step. So the merged file comes first, beside its sources, and every query takes each quote
//! once; the sources go at least an hour later, longer than any query runs, in a run of its own. Only what the
//! metadata of a merged file lists is ever deleted, and only while that file is there.

use crate::{Bucket, CallError};
use aws_sdk_s3::{
    operation::get_object::GetObjectOutput,
    types::{Delete, ObjectIdentifier},
};
use bytes::{Buf, Bytes, buf::Reader};
use futures::{StreamExt, TryStreamExt, stream};
use parquet::{
    errors::{ParquetError, Result as ParquetResult},
    file::reader::{ChunkReader, Length},
};
use pipeline::{
    PortError, Timestamp,
    lake::{Source, inspect, merge, merged_key},
};
use std::collections::{BTreeMap, BTreeSet};

/// Where the files are, below which every folder is a day's.
const FOLDER: &str = "quotes/";
/// How long a file stays after the one that replaces it is there, in seconds: longer than any query runs.
const REPLACED_STAYS: i64 = 60 * 60;
/// Read from the end of a file at first; the footer of nearly every file is shorter.
const TAIL: u64 = 64 * 1024;
/// Files that are read at once.
const READS: usize = 16;
/// What DeleteObjects takes.
const DELETES: usize = 1000;

/// What is merged at once, at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Files.
    pub files: usize,
    /// Bytes of all of them together. A file that is larger stays as it is.
    pub bytes: u64,
}

impl Limits {
    /// What a function of so many MB of memory can hold: the sources, a page of each (3 MB at most), a row group (60 MB)
    /// and the merged file.
    #[must_use]
    pub const fn of_memory(megabytes: u64) -> Self {
        Self { files: if megabytes < 16 { 2 } else { (megabytes / 8) as usize }, bytes: megabytes * (1 << 20) / 8 }
    }
}

/// What became of a run.
#[derive(Clone, Debug, Default)]
pub struct Merged {
    /// Files that were written.
    pub files: usize,
    /// Files that were merged into them.
    pub sources: usize,
    /// Files that had been replaced, and were deleted.
    pub deleted: usize,
    /// Days that stay as they are, and why.
    pub failed: Vec<(String, PortError)>,
    /// Whether the time was up before the end.
    pub unfinished: bool,
}

/// A file of the lake, as a listing has it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct File {
    key: String,
    bytes: u64,
    /// When it was written, in seconds since 1970.
    written: i64,
}

/// Merges the small files of every day, and deletes what was merged before.
///
/// # Errors
/// When the bucket cannot be listed.
pub async fn merge_small_files(bucket: &Bucket, limits: Limits, now: Timestamp) -> Result<Merged, PortError> {
    let mut done = Merged::default();
    for (day, files) in list(bucket).await? {
        if files.len() < 2 {
            continue;
        }
        if bucket.calls.over() {
            done.unfinished = true;
            break;
        }
        if let Err(error) = merge_day(bucket, &day, files, limits, now, &mut done).await {
            // One day's damage holds up no other.
            done.failed.push((day, error));
        }
    }
    Ok(done)
}

async fn merge_day(
    bucket: &Bucket,
    day: &str,
    files: Vec<File>,
    limits: Limits,
    now: Timestamp,
    done: &mut Merged,
) -> Result<(), PortError> {
    let made: Vec<&File> = files.iter().filter(|file| is_merged(&file.key)).collect();
    let sources = made.into_iter().map(|file| async move { Ok((file.key.clone(), sources(bucket, file).await?)) });
    let sources: BTreeMap<String, Vec<String>> = stream::iter(sources).buffered(READS).try_collect().await?;
    let plan = Plan::new(&files, &sources, limits, now.seconds());
    done.deleted += delete(bucket, &plan.delete).await?;
    for group in plan.merge {
        if bucket.calls.over() {
            done.unfinished = true;
            return Ok(());
        }
        let date = pipeline::Date::parse(day.trim_start_matches("dt="));
        let date = date.ok_or_else(|| PortError("the folder is not named by a day".into()))?;
        let reads = group.iter().map(|key| async move {
            let contents = whole(bucket, key).await?;
            Ok::<_, PortError>(Source { name: key.clone(), contents })
        });
        let files: Vec<Source<Bytes>> = stream::iter(reads).buffered(READS).try_collect().await?;
        let mut merged = Vec::new();
        merge(files, &mut merged).map_err(|error| PortError(error.to_string()))?;
        bucket.put(merged_key(date, &group), "application/vnd.apache.parquet", merged).await?;
        done.files += 1;
        done.sources += group.len();
    }
    Ok(())
}

/// What is to be done with a day's files.
#[derive(Debug, Default, PartialEq, Eq)]
struct Plan {
    /// Replaced long enough ago.
    delete: Vec<String>,
    /// Groups of small files, each to become one.
    merge: Vec<Vec<String>>,
}

impl Plan {
    /// From the files there are, and the sources of those that were made by merging.
    fn new(files: &[File], sources: &BTreeMap<String, Vec<String>>, limits: Limits, now: i64) -> Self {
        let present: BTreeSet<&str> = files.iter().map(|file| file.key.as_str()).collect();
        // Each replaced file, and when the first that replaces it was written.
        let mut replaced: BTreeMap<&str, i64> = BTreeMap::new();
        for file in files {
            for source in sources.get(&file.key).into_iter().flatten().filter(|s| present.contains(s.as_str())) {
                let since = replaced.entry(source).or_insert(file.written);
                *since = (*since).min(file.written);
            }
        }
        let mut plan = Self::default();
        for (key, since) in &replaced {
            // While its own sources are there, a merged file says that they are replaced.
            let needed = sources.get(*key).into_iter().flatten().any(|source| present.contains(source.as_str()));
            if since.saturating_add(REPLACED_STAYS) <= now && !needed {
                plan.delete.push((*key).to_owned());
            }
        }
        let mut group: Vec<String> = Vec::new();
        let mut bytes = 0;
        for file in files.iter().filter(|f| f.bytes <= limits.bytes && !replaced.contains_key(f.key.as_str())) {
            if group.len() == limits.files || bytes + file.bytes > limits.bytes {
                plan.merge.push(std::mem::take(&mut group));
                bytes = 0;
            }
            group.push(file.key.clone());
            bytes += file.bytes;
        }
        plan.merge.push(group);
        plan.merge.retain(|group| group.len() > 1);
        plan
    }
}

/// Whether the file's name is a hash, as only those of merged files are.
fn is_merged(key: &str) -> bool {
    let name = key.rsplit('/').next().and_then(|name| name.strip_suffix(".parquet"));
    name.is_some_and(|name| name.len() == 32 && name.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// The files of each day's folder, in order of their names.
async fn list(bucket: &Bucket) -> Result<BTreeMap<String, Vec<File>>, PortError> {
    let mut days: BTreeMap<String, Vec<File>> = BTreeMap::new();
    let mut token = None;
    loop {
        let list = bucket.client.list_objects_v2().bucket(&bucket.name).prefix(FOLDER).set_continuation_token(token);
        let page = bucket.calls.call("S3.ListObjectsV2", list.send()).await?;
        for object in page.contents() {
            let Some(key) = object.key().filter(|key| key.ends_with(".parquet")) else { continue };
            let Some((day, _)) = key.strip_prefix(FOLDER).and_then(|rest| rest.split_once('/')) else { continue };
            let bytes = object.size().and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(u64::MAX);
            // One of unknown age is new.
            let written = object.last_modified().map_or(i64::MAX, |time| time.secs());
            days.entry(day.to_owned()).or_default().push(File { key: key.to_owned(), bytes, written });
        }
        token = page.next_continuation_token;
        if token.is_none() {
            return Ok(days);
        }
    }
}

/// What the metadata of a merged file lists.
async fn sources(bucket: &Bucket, file: &File) -> Result<Vec<String>, PortError> {
    let mut tail = Tail::read(bucket, file, TAIL).await?;
    if let Some(longer) = tail.footer().filter(|footer| *footer > TAIL) {
        tail = Tail::read(bucket, file, longer).await?;
    }
    let source = Source { name: file.key.clone(), contents: tail };
    inspect(&source).map(|inspected| inspected.sources).map_err(|e| PortError(format!("{}: {e}", file.key)))
}

async fn whole(bucket: &Bucket, key: &str) -> Result<Bytes, PortError> {
    let get = bucket.client.get_object().bucket(&bucket.name).key(key);
    let object = bucket.calls.call("S3.GetObject", get.send()).await?;
    body(bucket, object).await
}

async fn body(bucket: &Bucket, object: GetObjectOutput) -> Result<Bytes, PortError> {
    const CALL: &str = "S3.GetObject";
    let read = tokio::time::timeout(bucket.calls.left(), object.body.collect()).await;
    let read = read.map_err(|_| bucket.calls.failed(CallError::out_of_time(CALL)))?;
    read.map(|bytes| bytes.into_bytes()).map_err(|error| PortError(format!("{CALL}: {error}")))
}

async fn delete(bucket: &Bucket, keys: &[String]) -> Result<usize, PortError> {
    let wrong = |error: aws_sdk_s3::error::BuildError| PortError(error.to_string());
    for keys in keys.chunks(DELETES) {
        let objects: Result<Vec<_>, _> = keys.iter().map(|key| ObjectIdentifier::builder().key(key).build()).collect();
        let delete = Delete::builder().set_objects(Some(objects.map_err(wrong)?)).quiet(true).build().map_err(wrong)?;
        let call = bucket.client.delete_objects().bucket(&bucket.name).delete(delete);
        let done = bucket.calls.call("S3.DeleteObjects", call.send()).await?;
        if let Some(error) = done.errors().first() {
            let (key, code) = (error.key().unwrap_or_default(), error.code().unwrap_or_default());
            return Err(PortError(format!("S3.DeleteObjects: {code}: {key}")));
        }
    }
    Ok(keys.len())
}

/// The end of a file, of which its footer is read.
struct Tail {
    /// Of the file.
    len: u64,
    /// Its last bytes.
    bytes: Bytes,
}

impl Tail {
    async fn read(bucket: &Bucket, file: &File, bytes: u64) -> Result<Self, PortError> {
        let get = bucket.client.get_object().bucket(&bucket.name).key(&file.key);
        let get = get.range(format!("bytes={}-", file.bytes.saturating_sub(bytes)));
        let object = bucket.calls.call("S3.GetObject", get.send()).await?;
        Ok(Self { len: file.bytes, bytes: body(bucket, object).await? })
    }

    /// How long the footer is, as its end says.
    fn footer(&self) -> Option<u64> {
        let end: [u8; 8] = self.bytes.last_chunk().copied()?;
        let [a, b, c, d, ..] = end;
        Some(u64::from(u32::from_le_bytes([a, b, c, d])) + 8)
    }
}

impl Length for Tail {
    fn len(&self) -> u64 {
        self.len
    }
}

impl ChunkReader for Tail {
    type T = Reader<Bytes>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        self.get_bytes(start, usize::try_from(self.len.saturating_sub(start)).unwrap_or(usize::MAX)).map(Buf::reader)
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        let from = start.checked_sub(self.len.saturating_sub(self.bytes.len() as u64));
        let from = from.and_then(|from| usize::try_from(from).ok());
        let range = from.and_then(|from| Some(from..from.checked_add(length)?)).filter(|r| r.end <= self.bytes.len());
        range.map(|range| self.bytes.slice(range)).ok_or_else(|| ParquetError::EOF("not read so far".into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR: i64 = 3600;

    fn file(key: &str, bytes: u64, written: i64) -> File {
        File { key: key.into(), bytes, written }
    }

    fn listed(of: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
        of.iter().map(|(key, sources)| ((*key).into(), sources.iter().map(|s| (*s).into()).collect())).collect()
    }

    #[test]
    fn names_of_merged_files() {
        let date = pipeline::Date::parse("2026-11-20").expect("a date");
        assert!(is_merged(&merged_key(date, &["a", "b"])));
        assert!(!is_merged("quotes/dt=2026-11-20/shardId-000000000000-1-2.parquet"));
    }

    #[test]
    fn groups_are_as_large_as_memory_allows() {
        let files = [("a", 4), ("b", 4), ("c", 4), ("d", 99), ("e", 1), ("f", 9)].map(|(key, n)| file(key, n, 0));
        let plan = Plan::new(&files, &BTreeMap::new(), Limits { files: 3, bytes: 10 }, 0);
        // `d` is large enough as it is, and `f` has no other to go with.
        assert_eq!(
            plan,
            Plan { delete: vec![], merge: vec![vec!["a".into(), "b".into()], vec!["c".into(), "e".into()]] }
        );
        assert_eq!(Limits::of_memory(512), Limits { files: 64, bytes: 64 << 20 });
    }

    #[test]
    fn a_merged_file_outlives_its_sources() {
        let files = [file("a", 1, 0), file("m", 1, 100), file("n", 1, 200)];
        let sources = listed(&[("m", &["a", "gone"]), ("n", &["m", "c"])]);
        let plan = |files: &[File], now| Plan::new(files, &sources, Limits::of_memory(512), now).delete;
        assert_eq!(plan(&files, 100 + HOUR - 1), [""; 0]);
        assert_eq!(plan(&files, 200 + HOUR), ["a"]);
        assert_eq!(plan(&files[1..], 200 + HOUR - 1), [""; 0]);
        assert_eq!(plan(&files[1..], 200 + HOUR), ["m"]);
        assert_eq!(plan(&files[2..], i64::MAX), [""; 0]);
    }

    proptest! {
        /// Would catch a file that is deleted without a file that holds its quotes, or too soon, or merged twice.
        #[test]
        fn only_what_is_listed_in_an_old_enough_file_goes(
            files in proptest::collection::btree_map("[a-h]", (0..20_u64, 0..3 * HOUR), 0..8),
            sources in proptest::collection::btree_map("[a-h]", proptest::collection::vec("[a-h]", 1..4), 0..4),
            now in 0..3 * HOUR,
        ) {
            let files: Vec<File> = files.into_iter().map(|(key, (bytes, at))| file(&key, bytes, at)).collect();
            let plan = Plan::new(&files, &sources, Limits { files: 3, bytes: 16 }, now);
            let lists = |by: &File, key: &str| sources.get(&by.key).is_some_and(|s| s.iter().any(|s| s == key));
            for key in &plan.delete {
                prop_assert!(files.iter().any(|by| lists(by, key) && by.written + HOUR <= now));
            }
            let mut seen = BTreeSet::new();
            for key in plan.merge.iter().flatten() {
                prop_assert!(seen.insert(key));
                prop_assert!(!plan.delete.contains(key));
                prop_assert!(!files.iter().any(|by| lists(by, key)));
            }
            for group in &plan.merge {
                let bytes = files.iter().filter(|f| group.contains(&f.key)).map(|f| f.bytes).sum::<u64>();
                prop_assert!((2..=3).contains(&group.len()) && bytes <= 16);
            }
        }
    }
}
