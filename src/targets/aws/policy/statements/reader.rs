//! What it takes to use what is deployed: to put quotes onto the stream, to look and to ask. Nothing is made by it.

use super::{super::Statement, TABLES, TOPICS};

/// The newest quotes, what was set aside and given up, lag, alarms and the catalog: what `status` tells of.
pub const HEALTH: &[Statement] = &[
    Statement::of("ReadTables", &["dynamodb:Query"], TABLES),
    Statement::of("LookUpTable", &["athena:GetTableMetadata"], &["athena:*:*:datacatalog/AwsDataCatalog"]),
    Statement::of(
        "ReadCatalog",
        &["glue:GetDatabase", "glue:GetTable"],
        &["glue:*:*:catalog", "glue:*:*:database/{database}", "glue:*:*:table/{database}/*"],
    ),
    Statement::of("Watch", &["cloudwatch:DescribeAlarms", "cloudwatch:GetMetricData"], &["*"]),
];

/// The calls of whoever uses it, with [`HEALTH`], and what Athena does in their name.
pub const USER: &[Statement] =
    &[
        Statement::of(
            "LookAtStack",
            &[
                "cloudformation:DescribeStackEvents",
                "cloudformation:DescribeStackResourceDrifts",
                "cloudformation:DescribeStacks",
                "cloudformation:ListStackResources",
            ],
            &["cloudformation:*:*:stack/{stack}/*"],
        ),
        Statement::of("LookAtMappings", &["lambda:GetEventSourceMapping"], &["lambda:*:*:event-source-mapping:*"])
            .when("ArnLike", "lambda:FunctionArn", "lambda:*:*:function:{stack}-*"),
        Statement::of("LookAtSubscriptions", &["sns:ListSubscriptionsByTopic"], TOPICS),
        Statement::of(
            "PutAndTail",
            &["kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards", "kinesis:PutRecords"],
            &["kinesis:*:*:stream/{stack}-stock-market-stream"],
        ),
        Statement::of(
            "Ask",
            &[
                "athena:GetQueryExecution",
                "athena:GetQueryResults",
                "athena:StartQueryExecution",
                "athena:StopQueryExecution",
            ],
            &["athena:*:*:workgroup/{stack}-stock-queries"],
        ),
        Statement::of(
            "ReadLake",
            &["s3:GetBucketLocation", "s3:GetObject", "s3:ListBucket"],
            &["s3:::stock-market-data-bucket-*", "s3:::stock-market-data-bucket-*/*"],
        ),
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
        Statement::of("ReadLogs", &["logs:FilterLogEvents"], &["logs:*:*:log-group:/aws/lambda/{stack}-*"]),
        // What is replayed is marked, or moved.
        Statement::of(
            "MarkReplayed",
            &["s3:PutObject"],
            &["s3:::stock-market-data-bucket-*/replayed/*", "s3:::stock-market-data-bucket-*/set-aside/*"],
        ),
        Statement::of("MoveReplayed", &["s3:DeleteObject"], &["s3:::stock-market-data-bucket-*/aws/lambda/*"]),
        Statement::of("ReplaySignals", &["lambda:InvokeFunction"], &["lambda:*:*:function:{stack}-StockTrendAnalysis"]),
    ];

/// What it takes besides where the data is under a key of the account's own.
pub const UNDER_KEY: &[Statement] =
    &[Statement::of("UnderKey", &["kms:Decrypt", "kms:GenerateDataKey"], &["kms:*:*:key/*"])];
