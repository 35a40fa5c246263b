//! What `down --keep-data` left, or a stack that was deleted elsewhere: tables, buckets and the key they are under.
//!
//! It is found by name, before a stack is made. The change set then takes it in, since its name is a literal in the
//! template.

use crate::{
    error::Error,
    targets::aws::{Aws, Refused, failed, names::Names},
};
use aws_sdk_s3::types::ServerSideEncryption;

/// What is there without a stack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// The table of quotes, and about how many it has.
    pub quotes: Option<i64>,
    /// The table of signals, and about how many items it has.
    pub signals: Option<i64>,
    /// Whether the lake's bucket is there.
    pub lake: bool,
    /// Whether the audit trail's bucket is there.
    pub audit: bool,
    /// The ARN of the customer key that it is under.
    pub key: Option<String>,
}

impl Kept {
    /// Whether there is anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.quotes.is_none() && self.signals.is_none() && !self.lake && !self.audit
    }
}

/// Looks for it.
pub async fn find(aws: &Aws, names: &Names) -> Result<Kept, Error> {
    let (quotes_table, signals_table) = (names.quotes_table(), names.signals_table());
    let (lake, audit) = (names.data_bucket(), names.audit_bucket());
    let (quotes, signals, lake_is_there, audit) = tokio::try_join!(
        table(aws, &quotes_table),
        table(aws, &signals_table),
        bucket(aws, &lake),
        bucket(aws, &audit),
    )?;
    let mut key = quotes.as_ref().or(signals.as_ref()).and_then(|table| table.key.clone());
    if key.is_none() && lake_is_there {
        key = key_of(aws, &lake).await?;
    }
    Ok(Kept { quotes: quotes.map(|t| t.items), signals: signals.map(|t| t.items), lake: lake_is_there, audit, key })
}

/// A table.
#[derive(Clone, Debug)]
pub struct Table {
    /// So many items, as of some hours ago.
    pub items: i64,
    /// The ARN of its customer key.
    pub key: Option<String>,
    /// Whether it refuses to be deleted.
    pub is_protected: bool,
}

/// A table, if it is there.
pub async fn table(aws: &Aws, name: &str) -> Result<Option<Table>, Error> {
    match aws.dynamodb().describe_table().table_name(name).send().await {
        Ok(described) => Ok(described.table.map(|table| Table {
            items: table.item_count.unwrap_or_default(),
            key: table.sse_description.and_then(|sse| sse.kms_master_key_arn),
            is_protected: table.deletion_protection_enabled.unwrap_or_default(),
        })),
        Err(error) if error.is_absent() => Ok(None),
        Err(error) => Err(failed(format!("table '{name}' cannot be looked at"), "DynamoDB.DescribeTable", &error)),
    }
}

/// Whether a bucket is there.
pub async fn bucket(aws: &Aws, name: &str) -> Result<bool, Error> {
    match aws.s3().head_bucket().bucket(name).send().await {
        Ok(_) => Ok(true),
        Err(error) if error.is_absent() => Ok(false),
        Err(error) => Err(failed(format!("bucket '{name}' cannot be looked at"), "S3.HeadBucket", &error)),
    }
}

/// The customer key of a bucket, if it has one.
async fn key_of(aws: &Aws, bucket: &str) -> Result<Option<String>, Error> {
    let encryption = match aws.s3().get_bucket_encryption().bucket(bucket).send().await {
        Ok(encryption) => encryption.server_side_encryption_configuration,
        Err(error) if error.refusal().0 == "ServerSideEncryptionConfigurationNotFoundError" => return Ok(None),
        Err(error) => {
            return Err(failed(format!("bucket '{bucket}' does not say its key"), "S3.GetBucketEncryption", &error));
        }
    };
    let rules = encryption.map(|e| e.rules).unwrap_or_default();
    let default = rules.into_iter().find_map(|rule| rule.apply_server_side_encryption_by_default);
    Ok(default
        .filter(|default| default.sse_algorithm == ServerSideEncryption::AwsKms)
        .and_then(|default| default.kms_master_key_id)
        .filter(|key| key.starts_with("arn:")))
}
