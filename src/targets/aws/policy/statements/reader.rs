//! What it takes to look and to ask: tables, lake, metrics and logs.

use super::{super::Statement, TABLES};

/// The calls of whoever asks, and what Athena does in their name.
pub const READER: &[Statement] = &[
    Statement::of("ReadTables", &["dynamodb:Query"], TABLES),
    Statement::of(
        "Ask",
        &[
            "athena:GetQueryExecution",
            "athena:GetQueryResults",
            "athena:GetTableMetadata",
            "athena:StartQueryExecution",
            "athena:StopQueryExecution",
        ],
        &["athena:*:*:datacatalog/AwsDataCatalog", "athena:*:*:workgroup/{stack}-stock-queries"],
    ),
    Statement::of(
        "ReadCatalog",
        &["glue:GetDatabase", "glue:GetTable"],
        &["glue:*:*:catalog", "glue:*:*:database/{database}", "glue:*:*:table/{database}/*"],
    ),
    Statement::of("ReadLake", &["s3:GetObject"], &["s3:::stock-market-data-bucket-*/*"]),
    Statement::of(
        "Answers",
        &[
            "s3:AbortMultipartUpload",
            "s3:GetBucketLocation",
            "s3:GetObject",
            "s3:ListBucketMultipartUploads",
            "s3:ListMultipartUploadParts",
            "s3:PutObject",
        ],
        &["s3:::athena-query-results-*", "s3:::athena-query-results-*/*"],
    ),
    Statement::of("Watch", &["cloudwatch:DescribeAlarms", "cloudwatch:GetMetricData"], &["*"]),
    Statement::of("ReadLogs", &["logs:FilterLogEvents"], &["logs:*:*:log-group:/aws/lambda/{stack}-*"]),
];
