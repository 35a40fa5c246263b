//! What things are called: names follow from account, region and stack alone, so that a command finds what another
//! made, and `up` what `down --keep-data` left.

use sha2::{Digest, Sha256};

/// The stack with the artifact bucket. A pipeline's name has no capitals, so the two never meet.
pub const BOOTSTRAP_STACK: &str = "StockpipeBootstrap";

/// The names of one pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// The stack.
    pub stack: String,
    /// 12 hex digits that make its buckets' names unique, the template's `Id`.
    pub id: String,
    /// The same of the artifact bucket, which is one per account and region.
    pub bootstrap_id: String,
}

impl Names {
    /// Of a stack in an account and region.
    #[must_use]
    pub fn new(account: &str, region: &str, stack: &str) -> Self {
        Self { stack: stack.into(), id: id(&[account, region, stack]), bootstrap_id: id(&[account, region]) }
    }

    /// The stream.
    #[must_use]
    pub fn stream(&self) -> String {
        format!("{}-stock-market-stream", self.stack)
    }

    /// The table of quotes.
    #[must_use]
    pub fn quotes_table(&self) -> String {
        format!("{}-stock-market-data", self.stack)
    }

    /// The table of signals.
    #[must_use]
    pub fn signals_table(&self) -> String {
        format!("{}-stock-market-signals", self.stack)
    }

    /// The lake's bucket.
    #[must_use]
    pub fn data_bucket(&self) -> String {
        format!("stock-market-data-bucket-{}", self.id)
    }

    /// The bucket of answers.
    #[must_use]
    pub fn results_bucket(&self) -> String {
        format!("athena-query-results-{}", self.id)
    }

    /// The audit trail's bucket.
    #[must_use]
    pub fn audit_bucket(&self) -> String {
        format!("stock-market-audit-{}", self.id)
    }

    /// The bucket of code and templates.
    #[must_use]
    pub fn artifact_bucket(&self) -> String {
        format!("stockpipe-artifacts-{}", self.bootstrap_id)
    }

    /// Athena's workgroup.
    #[must_use]
    pub fn workgroup(&self) -> String {
        format!("{}-stock-queries", self.stack)
    }

    /// Glue's database: hyphens are `_` there.
    #[must_use]
    pub fn database(&self) -> String {
        format!("{}_stock_data_db", self.stack.replace('-', "_"))
    }

    /// A function, by the name that the template gives it.
    #[must_use]
    pub fn function(&self, name: &str) -> String {
        format!("{}-{name}", self.stack)
    }

    /// A function's log group.
    #[must_use]
    pub fn log_group(&self, function: &str) -> String {
        format!("/aws/lambda/{}", self.function(function))
    }
}

/// 12 hex digits of a hash.
fn id(parts: &[&str]) -> String {
    let digest = Sha256::digest(parts.join("/"));
    digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch names that change from one release to the next, and with them data that is not found again.
    #[test]
    fn names_stay_what_they_are() {
        let names = Names::new("123456789012", "eu-central-1", "prices-2");
        assert_eq!(names.data_bucket(), "stock-market-data-bucket-2bcde1592b7a");
        assert_eq!(names.artifact_bucket(), "stockpipe-artifacts-1ff32a09daa4");
        assert_eq!(names.database(), "prices_2_stock_data_db");
        assert_eq!(names.log_group("ProcessStockData"), "/aws/lambda/prices-2-ProcessStockData");
        assert_ne!(names.id, Names::new("123456789012", "eu-central-1", "prices").id);
        assert_ne!(names.id, Names::new("123456789012", "us-east-1", "prices-2").id);
    }
}
