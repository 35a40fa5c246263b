//! The data bucket's objects, of which those under `set-aside/` and `aws/lambda/` can come back.

use super::Deployed;
use crate::{
    error::Error,
    targets::aws::{Refused, failed},
};
use aws_sdk_s3::{Client, primitives::ByteStream};
use pipeline::Timestamp;

/// The bucket.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    client: Client,
    name: String,
}

/// An object as it is listed.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) key: String,
    pub(super) bytes: usize,
    /// When it was written last, by the bucket's clock; to the second.
    pub(super) written_at: Option<Timestamp>,
}

impl Deployed {
    /// The bucket.
    pub(super) fn bucket(&self) -> Bucket {
        Bucket { client: self.aws.s3(), name: self.names.data_bucket() }
    }
}

impl Bucket {
    /// The next objects with this prefix behind a key, in order of their keys, and whether more follow.
    pub(super) async fn list(&self, prefix: &str, behind: Option<&str>) -> Result<(Vec<Object>, bool), Error> {
        let list = self.client.list_objects_v2().bucket(&self.name).prefix(prefix);
        let page = list.set_start_after(behind.map(str::to_owned)).send().await;
        let page = page.map_err(|e| failed("the bucket cannot be listed", "S3.ListObjectsV2", &e))?;
        let written =
            |object: &aws_sdk_s3::types::Object| Timestamp::from_millis(object.last_modified()?.to_millis().ok()?);
        let objects = page.contents().iter().filter_map(|object| {
            Some(Object {
                key: object.key()?.to_owned(),
                bytes: usize::try_from(object.size().unwrap_or_default()).unwrap_or(0),
                written_at: written(object),
            })
        });
        Ok((objects.collect(), page.is_truncated() == Some(true)))
    }

    /// What is in an object; nothing where it is gone.
    pub(super) async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        let what = || format!("'{key}' cannot be read");
        match self.client.get_object().bucket(&self.name).key(key).send().await {
            Ok(object) => match object.body.collect().await {
                Ok(bytes) => Ok(Some(bytes.to_vec())),
                Err(error) => Err(Error::new(what()).because(error)),
            },
            Err(error) if error.is_absent() => Ok(None),
            Err(error) => Err(failed(what(), "S3.GetObject", &error)),
        }
    }

    /// Writes an object, be it there or not.
    pub(super) async fn put(&self, key: &str, bytes: Vec<u8>) -> Result<(), Error> {
        let put = self.client.put_object().bucket(&self.name).key(key).content_type("application/json");
        match put.body(ByteStream::from(bytes)).send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(failed(format!("'{key}' cannot be written"), "S3.PutObject", &error)),
        }
    }
}
