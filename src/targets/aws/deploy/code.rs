//! The functions' code as stacks refer to it: which keys a stack has, which no stack has any more, and the template's
//! way into the bucket.

use super::{
    change_set::Text,
    survey::{self, Stack, State},
};
use crate::{
    error::Error,
    targets::aws::{
        Aws,
        artifacts::{self, Architecture, BuildOptions, Collected},
        failed,
        names::Names,
        template::Values,
    },
};
use aws_sdk_s3::primitives::ByteStream;
use sha2::{Digest, Sha256};
use std::{collections::BTreeSet, time::SystemTime};

/// Parameters of the template that are keys of code, in the order of `Function::ALL`.
const KEYS: [&str; 3] = ["ProcessCodeKey", "TrendCodeKey", "ArchiveCodeKey"];

/// Whether a stack is a pipeline.
#[must_use]
pub fn is_pipeline(stack: &Stack) -> bool {
    KEYS.iter().all(|key| stack.values.contains_key(*key))
}

/// Adds what the deployer itself decides to what users decide.
pub fn complete(values: &mut Values, names: &Names, options: &BuildOptions) -> Result<(), Error> {
    let architecture = architecture(values)?;
    values.insert("Id".into(), names.id.clone());
    values.insert("ArtifactBucket".into(), names.artifact_bucket());
    for (name, key) in KEYS.into_iter().zip(artifacts::keys(architecture, options)?) {
        values.insert(name.into(), key);
    }
    Ok(())
}

/// What the functions run on.
pub fn architecture(values: &Values) -> Result<Architecture, Error> {
    values.get("Architecture").map_or("x86_64", String::as_str).parse()
}

/// Whether the code of two sets of parameters is the same.
#[must_use]
pub fn is_same(a: &Values, b: &Values) -> bool {
    KEYS.iter().all(|key| a.get(*key).is_some() && a.get(*key) == b.get(*key))
}

/// Removes code that no stack refers to. While a stack is being changed, it may yet go back to what it was: then
/// nothing is removed.
pub async fn collect(aws: &Aws, names: &Names) -> Result<Collected, Error> {
    let (bucket, mut referenced) = (names.artifact_bucket(), BTreeSet::new());
    for stack in survey::stacks(aws).await?.iter().filter(|stack| is_pipeline(stack)) {
        if matches!(stack.state(), State::Busy | State::HalfRolledBack) {
            return Ok(Collected::default());
        }
        referenced.extend(KEYS.iter().filter_map(|key| stack.values.get(*key).cloned()));
    }
    artifacts::collect(&aws.s3(), &bucket, &referenced, SystemTime::now()).await
}

/// A template in the bucket, for as long as a change set is made from it.
#[derive(Debug)]
pub struct Uploaded {
    bucket: String,
    key: String,
    version: Option<String>,
    url: String,
}

impl Uploaded {
    /// Puts it there: it is larger than what a call takes.
    pub async fn put(aws: &Aws, names: &Names, text: &str) -> Result<Self, Error> {
        let hash: String = Sha256::digest(text).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let (bucket, key) = (names.artifact_bucket(), format!("templates/{}-{hash}.yaml", names.stack));
        let put = aws.s3().put_object().bucket(&bucket).key(&key).content_type("application/yaml");
        let put = put.body(ByteStream::from(text.as_bytes().to_vec())).send().await;
        let put = put.map_err(|e| failed("the template cannot be uploaded", "S3.PutObject", &e))?;
        let url = aws.object_url(&bucket, &key);
        Ok(Self { bucket, key, version: put.version_id, url })
    }

    /// What a change set is made from.
    #[must_use]
    pub fn text(&self) -> Text {
        Text::Url(self.url.clone())
    }

    /// Takes it away: CloudFormation has its own copy by then.
    pub async fn remove(self, aws: &Aws) -> Result<(), Error> {
        let remove = aws.s3().delete_object().bucket(self.bucket).key(self.key).set_version_id(self.version);
        let removed = remove.send().await;
        removed.map(drop).map_err(|e| failed("the template stays in the artifact bucket", "S3.DeleteObject", &e))
    }
}
