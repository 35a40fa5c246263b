//! The table of rights.
//!
//! What CloudFormation does for a caller it does with the caller's rights, so the pipeline's part lists what the
//! handlers of its resource types call for the properties that the template sets: each type's schema in the registry
//! says which (`aws cloudformation describe-type`). Where a handler reads all that a resource could have, such as a
//! bucket's, all of that is listed: an update, an import and drift read it.

mod deployer;
mod options;
mod pipeline;
mod reader;

pub use deployer::{ALL_BUCKETS, ARTIFACT_BUCKET, DEPLOYER, HANDING_OVER, SHARED};
pub use options::{AUDIT_TRAIL, BUDGET, CUSTOMER_KEY, ISOLATION};
pub use pipeline::PIPELINE;
pub use reader::READER;

/// The tables.
const TABLES: &[&str] =
    &["dynamodb:*:*:table/{stack}-stock-market-data", "dynamodb:*:*:table/{stack}-stock-market-signals"];
/// The topics.
const TOPICS: &[&str] = &["sns:*:*:{stack}-operations", "sns:*:*:{stack}-stock-alerts"];
