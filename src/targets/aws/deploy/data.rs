//! What holds data: counted, and removed for good.

use super::{
    kept::{self, bucket},
    pace::Pace,
};
use crate::{
    error::Error,
    report::style::plural,
    targets::aws::{Aws, Refused, failed},
};
use aws_sdk_s3::{
    operation::list_object_versions::ListObjectVersionsOutput,
    types::{Delete, ObjectIdentifier},
};
use futures::{StreamExt, TryStreamExt, stream};
use std::time::Duration;
use tokio::time::Instant;

/// Requests that are under way at once.
const AT_ONCE: usize = 4;
/// Keys that are named where they cannot be removed.
const NAMED: usize = 3;
/// How often a bucket is gone through while something still writes into it.
const ROUNDS: usize = 5;
/// What DynamoDB may take to remove a table.
const PATIENCE: Duration = Duration::from_secs(300);
/// Days within which a key that was given up can be had back: the least that there is.
const KEY_PENDING_DAYS: i32 = 7;

/// What is in a bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Objects as one sees them.
    pub objects: u64,
    /// All versions and delete markers, those objects included.
    pub versions: u64,
    /// The size of all versions.
    pub bytes: u64,
    /// Lines that were set aside.
    pub set_aside: u64,
    /// Batches that were given up.
    pub failed_batches: u64,
}

/// Counts what is in a bucket; nothing where it is not there. `counted` hears of it now and then.
pub async fn contents(aws: &Aws, name: &str, mut counted: impl FnMut(u64)) -> Result<Contents, Error> {
    let mut contents = Contents::default();
    let mut versions = Versions::of(aws, name);
    while let Some(page) = versions.next().await? {
        for version in page.versions() {
            contents.versions += 1;
            contents.bytes += u64::try_from(version.size().unwrap_or_default()).unwrap_or(0);
            if version.is_latest() == Some(true) {
                contents.objects += 1;
                let key = version.key().unwrap_or_default();
                contents.set_aside += u64::from(key.starts_with("set-aside/"));
                contents.failed_batches += u64::from(key.starts_with("aws/lambda/"));
            }
        }
        contents.versions += page.delete_markers().len() as u64;
        counted(contents.versions);
    }
    Ok(contents)
}

/// Removes all versions of all objects, in batches; what AWS will not remove is named. `removed` hears how many.
pub async fn empty(aws: &Aws, name: &str, mut removed: impl FnMut(u64)) -> Result<(), Error> {
    let mut done = 0;
    // What is written meanwhile is found in the next round.
    for _ in 0..ROUNDS {
        let mut pages = Versions::of(aws, name);
        let (mut batches, mut found) = (Vec::new(), 0);
        loop {
            let page = pages.next().await?;
            let is_last = page.is_none();
            if let Some(page) = page {
                let versions = page.versions().iter().map(|v| (v.key(), v.version_id()));
                let markers = page.delete_markers().iter().map(|m| (m.key(), m.version_id()));
                let batch: Vec<ObjectIdentifier> = versions
                    .chain(markers)
                    .filter_map(|(key, version)| {
                        let version = version.map(str::to_owned);
                        ObjectIdentifier::builder().key(key?).set_version_id(version).build().ok()
                    })
                    .collect();
                found += batch.len();
                batches.push(batch);
            }
            if batches.len() >= AT_ONCE || is_last {
                let removals =
                    batches.drain(..).filter(|batch| !batch.is_empty()).map(|batch| remove(aws, name, batch));
                let counts: Vec<u64> = stream::iter(removals).buffer_unordered(AT_ONCE).try_collect().await?;
                done += counts.into_iter().sum::<u64>();
                removed(done);
            }
            if is_last {
                break;
            }
        }
        if found == 0 {
            return Ok(());
        }
    }
    Err(Error::new(format!("bucket '{name}' does not become empty"))
        .because("something still writes into it")
        .hint("stop it, and run the same command again"))
}

async fn remove(aws: &Aws, name: &str, batch: Vec<ObjectIdentifier>) -> Result<u64, Error> {
    let what = format!("bucket '{name}' cannot be emptied");
    let count = batch.len() as u64;
    let delete = Delete::builder().set_objects(Some(batch)).quiet(true).build();
    let delete = delete.map_err(|e| Error::new(&*what).because(e))?;
    let answer = aws.s3().delete_objects().bucket(name).delete(delete).send().await;
    let answer = answer.map_err(|e| failed(&*what, "S3.DeleteObjects", &e))?;
    let Some(first) = answer.errors().first() else { return Ok(count) };
    let named = |error: &aws_sdk_s3::types::Error| {
        format!("{} ({})", error.key().unwrap_or_default(), error.code().unwrap_or_default())
    };
    let keys: Vec<String> = answer.errors().iter().take(NAMED).map(named).collect();
    let left = plural(answer.errors().len() as u64, "object");
    Err(Error::new(what)
        .because(format!("S3.DeleteObjects leaves {left}, such as {}", keys.join(", ")))
        .because(first.message().unwrap_or("it gives no reason"))
        .hint("an object lock, a bucket policy or a missing s3:DeleteObjectVersion keeps them"))
}

/// Removes a bucket that is empty; one that is not there is none to remove.
pub async fn remove_bucket(aws: &Aws, name: &str) -> Result<bool, Error> {
    if !bucket(aws, name).await? {
        return Ok(false);
    }
    match aws.s3().delete_bucket().bucket(name).send().await {
        Ok(_) => Ok(true),
        Err(error) if error.is_absent() => Ok(false),
        Err(error) => Err(failed(format!("bucket '{name}' cannot be removed"), "S3.DeleteBucket", &error)),
    }
}

/// Removes a table with all its items, and waits until it is gone.
pub async fn remove_table(aws: &Aws, name: &str) -> Result<bool, Error> {
    match aws.dynamodb().delete_table().table_name(name).send().await {
        Ok(_) => {}
        Err(error) if error.is_absent() => return Ok(false),
        // Somebody removes it already.
        Err(error) if error.refusal().0 == "ResourceInUseException" => {}
        Err(error) => return Err(failed(format!("table '{name}' cannot be removed"), "DynamoDB.DeleteTable", &error)),
    }
    let (mut pace, end) = (Pace::default(), Instant::now() + PATIENCE);
    while kept::table(aws, name).await?.is_some() {
        if Instant::now() > end {
            return Err(Error::new(format!("table '{name}' is not gone after {} s", PATIENCE.as_secs()))
                .hint("run the same command again"));
        }
        pace.wait().await;
    }
    Ok(true)
}

/// Gives a key up: after some days it is gone, and nobody can read what it encrypted.
pub async fn give_up_key(aws: &Aws, arn: &str) -> Result<Option<i32>, Error> {
    let delete = aws.kms().schedule_key_deletion().key_id(arn).pending_window_in_days(KEY_PENDING_DAYS).send().await;
    match delete {
        Ok(_) => Ok(Some(KEY_PENDING_DAYS)),
        Err(error) if error.is_absent() || error.refusal().0 == "KMSInvalidStateException" => Ok(None),
        Err(error) => Err(failed("the key cannot be given up", "KMS.ScheduleKeyDeletion", &error)),
    }
}

/// Removes log groups that are there without a stack: a function that wrote once more after they had gone made them
/// anew. Gives the names of those that were.
pub async fn remove_log_groups(aws: &Aws, names: &[String]) -> Result<Vec<String>, Error> {
    let mut removed = Vec::new();
    for name in names {
        match aws.logs().delete_log_group().log_group_name(name).send().await {
            Ok(_) => removed.push(name.clone()),
            Err(error) if error.is_absent() => {}
            Err(error) => {
                return Err(failed(format!("log group '{name}' cannot be removed"), "Logs.DeleteLogGroup", &error));
            }
        }
    }
    Ok(removed)
}

/// All versions in a bucket, page by page. A bucket that is not there has none.
struct Versions {
    client: aws_sdk_s3::Client,
    bucket: String,
    /// Key and version to go on behind; none where there is no more.
    behind: Option<(Option<String>, Option<String>)>,
}

impl Versions {
    fn of(aws: &Aws, bucket: &str) -> Self {
        Self { client: aws.s3(), bucket: bucket.to_owned(), behind: Some((None, None)) }
    }

    async fn next(&mut self) -> Result<Option<ListObjectVersionsOutput>, Error> {
        let Some((key, version)) = self.behind.take() else { return Ok(None) };
        let list = self.client.list_object_versions().bucket(&self.bucket);
        match list.set_key_marker(key).set_version_id_marker(version).send().await {
            Ok(mut page) => {
                if page.is_truncated() == Some(true) {
                    self.behind = Some((page.next_key_marker.take(), page.next_version_id_marker.take()));
                }
                Ok(Some(page))
            }
            Err(error) if error.is_absent() => Ok(None),
            Err(error) => {
                let what = format!("bucket '{}' cannot be listed", self.bucket);
                Err(failed(what, "S3.ListObjectVersions", &error))
            }
        }
    }
}

/// Whether a key was made by this stack: then it has its tag.
pub async fn is_own_key(aws: &Aws, arn: &str, stack: &str) -> Result<bool, Error> {
    match aws.kms().list_resource_tags().key_id(arn).send().await {
        Ok(tags) => Ok(tags.tags().iter().any(|tag| tag.tag_key() == "stockpipe:stack" && tag.tag_value() == stack)),
        Err(error) if error.is_absent() => Ok(false),
        Err(error) => Err(failed("the key's tags cannot be read", "KMS.ListResourceTags", &error)),
    }
}
