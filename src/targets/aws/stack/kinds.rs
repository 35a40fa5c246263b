//! What the types of resources are called, which of them hold data, and which say who may do what.

/// What resources of one type are to somebody who reads a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// One of them: `table`.
    pub one: &'static str,
    /// Several: `tables`.
    pub many: &'static str,
    /// What they belong to.
    pub part: Part,
}

/// What a resource belongs to, in the order of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// What holds data, or the key to it: gone is gone.
    Data,
    /// The code.
    Functions,
    /// What brings quotes to the code, and takes its logs.
    Delivery,
    /// Catalog and workgroup.
    Queries,
    /// Topics and who hears of them.
    Alerts,
    /// What watches.
    Watching,
    /// Where the functions are isolated.
    Network,
    /// Anything else.
    Other,
    /// Who may do what.
    Rights,
}

impl Part {
    /// Its name in a plan.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Functions => "functions",
            Self::Delivery => "delivery",
            Self::Queries => "queries",
            Self::Alerts => "alerts",
            Self::Watching => "watching",
            Self::Network => "network",
            Self::Other => "others",
            Self::Rights => "rights",
        }
    }

    /// Whether each of them is named, however many are added at once.
    #[must_use]
    pub const fn is_named(self) -> bool {
        matches!(self, Self::Data | Self::Functions | Self::Other | Self::Rights)
    }
}

/// The kind of a type such as `AWS::Kinesis::Stream`.
#[must_use]
pub fn kind(resource_type: &str) -> Kind {
    use Part::{Alerts, Data, Delivery, Functions, Network, Other, Queries, Rights, Watching};
    let (one, many, part) = match resource_type {
        "AWS::Kinesis::Stream" => ("stream", "streams", Data),
        "AWS::DynamoDB::Table" => ("table", "tables", Data),
        "AWS::S3::Bucket" => ("bucket", "buckets", Data),
        "AWS::KMS::Key" => ("key", "keys", Data),
        "AWS::Lambda::Function" => ("function", "functions", Functions),
        "AWS::Lambda::EventSourceMapping" => ("mapping", "mappings", Delivery),
        "AWS::Kinesis::StreamConsumer" => ("consumer", "consumers", Delivery),
        "AWS::Events::Rule" => ("schedule", "schedules", Delivery),
        "AWS::Logs::LogGroup" => ("log group", "log groups", Delivery),
        "AWS::Glue::Database" => ("catalog database", "catalog databases", Queries),
        "AWS::Glue::Table" => ("catalog table", "catalog tables", Queries),
        "AWS::Athena::WorkGroup" => ("workgroup", "workgroups", Queries),
        "AWS::SNS::Topic" => ("topic", "topics", Alerts),
        "AWS::SNS::Subscription" => ("subscription", "subscriptions", Alerts),
        "AWS::CloudWatch::Alarm" => ("alarm", "alarms", Watching),
        "AWS::CloudWatch::Dashboard" => ("dashboard", "dashboards", Watching),
        "AWS::Budgets::Budget" => ("budget", "budgets", Watching),
        "AWS::CloudTrail::Trail" => ("trail", "trails", Watching),
        "AWS::EC2::VPC" => ("network", "networks", Network),
        "AWS::EC2::Subnet" => ("subnet", "subnets", Network),
        "AWS::EC2::RouteTable" => ("route table", "route tables", Network),
        "AWS::EC2::SubnetRouteTableAssociation" => ("route", "routes", Network),
        "AWS::EC2::SecurityGroup" => ("security group", "security groups", Network),
        "AWS::EC2::VPCEndpoint" => ("endpoint", "endpoints", Network),
        "AWS::KMS::Alias" => ("key alias", "key aliases", Other),
        "AWS::IAM::Role" => ("role", "roles", Rights),
        "AWS::IAM::Policy" | "AWS::IAM::ManagedPolicy" => ("policy", "policies", Rights),
        "AWS::Lambda::Permission" => ("permission", "permissions", Rights),
        "AWS::S3::BucketPolicy" => ("bucket policy", "bucket policies", Rights),
        "AWS::SNS::TopicPolicy" => ("topic policy", "topic policies", Rights),
        other if other.starts_with("AWS::IAM::") => ("identity", "identities", Rights),
        _ => ("other", "others", Other),
    };
    Kind { one, many, part }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch a resource of the template that a plan calls "other", or whose rights or data it does not name.
    #[test]
    fn every_type_of_the_template_has_a_name() {
        let template = include_str!("../../../../templates/pipeline.yaml");
        let types: Vec<&str> =
            template.lines().filter_map(|line| line.strip_prefix("    Type: AWS::")).map(str::trim).collect();
        assert!(types.len() > 40, "{types:?}");
        for name in types {
            let kind = kind(&format!("AWS::{name}"));
            assert_ne!(kind.one, "other", "{name}");
            let is_right = name.starts_with("IAM::") || name.ends_with("Policy") || name.ends_with("Permission");
            assert_eq!(kind.part == Part::Rights, is_right, "{name}");
        }
    }
}
