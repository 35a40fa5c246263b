//! Removes code that no stack refers to any more.

use super::key::FOLDER;
use crate::error::Error;
use aws_ports::CallError;
use aws_sdk_s3::{
    error::{ProvideErrorMetadata, SdkError},
    types::{Delete, ObjectIdentifier},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, SystemTime},
};

/// Younger ones are kept: a plan that has not been carried out yet may refer to them.
const AGE: Duration = Duration::from_secs(3600);
/// What DeleteObjects takes.
const BATCH: usize = 1000;

/// What was removed, and what was not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Keys of which nothing is left.
    pub removed: BTreeSet<String>,
    /// Keys of which something is, and why.
    pub failed: BTreeMap<String, String>,
}

/// The keys among the objects, each with the time when it was last written, that are referred to by nothing and old
/// enough.
pub fn collectable(objects: &[(String, SystemTime)], referenced: &BTreeSet<String>, now: SystemTime) -> Vec<String> {
    let is_old = |at: SystemTime| now.duration_since(at).is_ok_and(|age| age > AGE);
    let goes = |(key, at): &&(String, SystemTime)| is_old(*at) && !referenced.contains(key);
    objects.iter().filter(goes).map(|(key, _)| key.clone()).collect()
}

/// Removes what can be, with all versions of it. Keys that `referenced` has are left alone: those of every stack that
/// uses the bucket, as it is and as it was before an update that may roll back.
pub async fn collect(
    s3: &aws_sdk_s3::Client,
    bucket: &str,
    referenced: &BTreeSet<String>,
    now: SystemTime,
) -> Result<Collected, Error> {
    let versions = versions(s3, bucket).await?;
    let newest: Vec<_> = versions
        .iter()
        .map(|(key, versions)| (key.clone(), versions.iter().map(|(at, _)| *at).max().unwrap_or(now)))
        .collect();
    let going: BTreeSet<String> = collectable(&newest, referenced, now).into_iter().collect();
    let ids = going.iter().flat_map(|key| versions.get(key).into_iter().flatten().map(move |(_, id)| (key, id)));
    let ids: Vec<ObjectIdentifier> = ids
        .filter_map(|(key, id)| ObjectIdentifier::builder().key(key).set_version_id(id.clone()).build().ok())
        .collect();
    let mut failed = BTreeMap::new();
    for ids in ids.chunks(BATCH) {
        let delete = Delete::builder().set_objects(Some(ids.to_vec())).quiet(true).build();
        let delete = delete.map_err(|error| Error::new("old code cannot be removed").because(error))?;
        let deleted = s3.delete_objects().bucket(bucket).delete(delete).send().await;
        let deleted = deleted.map_err(|error| not_removed(bucket, "S3.DeleteObjects", &error))?;
        for error in deleted.errors() {
            let why = [error.code(), error.message()].into_iter().flatten().collect::<Vec<_>>().join(": ");
            failed.insert(error.key().unwrap_or_default().to_owned(), why);
        }
    }
    let removed = going.into_iter().filter(|key| !failed.contains_key(key)).collect();
    Ok(Collected { removed, failed })
}

/// All versions of all keys, markers of deletion among them, each with its time and its id.
type Versions = BTreeMap<String, Vec<(SystemTime, Option<String>)>>;

async fn versions(s3: &aws_sdk_s3::Client, bucket: &str) -> Result<Versions, Error> {
    let mut versions = Versions::new();
    let mut pages = s3.list_object_versions().bucket(bucket).prefix(FOLDER);
    loop {
        let page = pages.clone().send().await;
        let page = page.map_err(|error| not_removed(bucket, "S3.ListObjectVersions", &error))?;
        let objects = page.versions().iter().map(|v| (v.key(), v.last_modified(), v.version_id()));
        let markers = page.delete_markers().iter().map(|m| (m.key(), m.last_modified(), m.version_id()));
        for (key, at, id) in objects.chain(markers) {
            // Of what has no time nothing is known: it counts as new.
            let at = at.and_then(|at| SystemTime::try_from(*at).ok()).unwrap_or_else(SystemTime::now);
            let key = key.unwrap_or_default().to_owned();
            versions.entry(key).or_default().push((at, id.map(str::to_owned)));
        }
        if page.is_truncated() != Some(true) {
            return Ok(versions);
        }
        pages = pages
            .set_key_marker(page.next_key_marker().map(str::to_owned))
            .set_version_id_marker(page.next_version_id_marker().map(str::to_owned));
    }
}

fn not_removed<E>(bucket: &str, call: &'static str, error: &SdkError<E>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    Error::new(format!("old code in s3://{bucket}/{FOLDER} cannot be removed")).because(CallError::new(call, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch code that is removed under a stack or a plan, and code that stays for ever.
    #[test]
    fn what_is_old_and_not_referred_to_goes() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let ago = |seconds| now - Duration::from_secs(seconds);
        let key = |name: &str| format!("functions/ProcessStockData/{name}.zip");
        let objects = [
            (key("used"), ago(100_000)),
            (key("old"), ago(3601)),
            (key("young"), ago(3600)),
            (key("of the future"), now + AGE * 2),
        ];
        assert_eq!(collectable(&objects, &BTreeSet::from([key("used")]), now), [key("old")]);
        assert_eq!(collectable(&objects, &BTreeSet::new(), now), [key("used"), key("old")]);
        assert!(collectable(&[], &BTreeSet::new(), now).is_empty());
    }
}
