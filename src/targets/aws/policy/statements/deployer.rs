//! What the deployer calls itself, and what there is once for all pipelines.

use super::{super::Statement, TABLES, TOPICS};

/// The deployer's own calls.
pub const DEPLOYER: &[Statement] = &[
    Statement::of(
        "Stacks",
        &[
            "cloudformation:CancelUpdateStack",
            "cloudformation:ContinueUpdateRollback",
            "cloudformation:CreateChangeSet",
            "cloudformation:DeleteChangeSet",
            "cloudformation:DeleteStack",
            "cloudformation:DescribeChangeSet",
            "cloudformation:DescribeStackEvents",
            "cloudformation:DescribeStackResourceDrifts",
            "cloudformation:DescribeStacks",
            "cloudformation:DetectStackDrift",
            "cloudformation:DetectStackResourceDrift",
            "cloudformation:ExecuteChangeSet",
            "cloudformation:GetTemplate",
            "cloudformation:ListChangeSets",
            "cloudformation:ListStackResources",
        ],
        &["cloudformation:*:*:stack/{stack}/*", "cloudformation:*:*:stack/StockpipeBootstrap/*"],
    ),
    // Lists and questions, which name no resource. Which code is still in use is asked of all stacks.
    Statement::of(
        "Questions",
        &[
            "cloudformation:DescribeStackDriftDetectionStatus",
            "cloudformation:DescribeStacks",
            "cloudformation:ListStacks",
            "cloudformation:ValidateTemplate",
            "kinesis:DescribeLimits",
            "lambda:GetAccountSettings",
        ],
        &["*"],
    ),
    Statement::of("Self", &["iam:GetRole", "iam:SimulatePrincipalPolicy"], &["iam::*:role/*", "iam::*:user/*"]),
    // The template and the functions' code.
    Statement::of(
        "Artifacts",
        &["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:GetObject", "s3:PutObject"],
        &["s3:::stockpipe-artifacts-*/*"],
    ),
    Statement::of(
        "Buckets",
        &["s3:DeleteBucket", "s3:GetEncryptionConfiguration", "s3:ListBucket", "s3:ListBucketVersions"],
        BUCKETS,
    ),
    Statement::of(
        "Objects",
        &["s3:DeleteObject", "s3:DeleteObjectVersion"],
        &["s3:::athena-query-results-*/*", "s3:::stock-market-audit-*/*", "s3:::stock-market-data-bucket-*/*"],
    ),
    // Whether all that is in it was stored, before it goes.
    Statement::of(
        "Backlog",
        &["kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards"],
        &["kinesis:*:*:stream/{stack}-stock-market-stream"],
    ),
    Statement::of("Tables", &["dynamodb:DeleteTable", "dynamodb:DescribeTable"], TABLES),
    Statement::of(
        "Mappings",
        &["lambda:GetEventSourceMapping", "lambda:UpdateEventSourceMapping"],
        &["lambda:*:*:event-source-mapping:*"],
    )
    .when("ArnLike", "lambda:FunctionArn", "lambda:*:*:function:{stack}-*"),
    Statement::of("Code", &["lambda:GetFunctionConfiguration"], &["lambda:*:*:function:{stack}-*"]),
    Statement::of("Subscriptions", &["sns:ListSubscriptionsByTopic"], TOPICS),
    Statement::of(
        "Queries",
        &["athena:BatchGetNamedQuery", "athena:CreateNamedQuery", "athena:DeleteNamedQuery", "athena:ListNamedQueries"],
        &["athena:*:*:workgroup/{stack}-stock-queries"],
    ),
    Statement::of("Logs", &["logs:DeleteLogGroup"], &["logs:*:*:log-group:/aws/lambda/{stack}-*"]),
    Statement::of("WhoseKey", &["kms:ListResourceTags"], &["kms:*:*:key/*"]),
    Statement::of("Key", &["kms:ScheduleKeyDeletion"], &["kms:*:*:key/*"]).when(
        "Null",
        "aws:ResourceTag/stockpipe:stack",
        "false",
    ),
];

/// What CloudFormation does for the stack that pipelines share.
pub const SHARED: &[Statement] = &[Statement::of(
    "BoundaryAndDeployRole",
    &[
        "iam:CreatePolicy",
        "iam:CreatePolicyVersion",
        "iam:CreateRole",
        "iam:DeletePolicy",
        "iam:DeletePolicyVersion",
        "iam:DeleteRole",
        "iam:DeleteRolePolicy",
        "iam:GetPolicy",
        "iam:GetPolicyVersion",
        "iam:GetRole",
        "iam:GetRolePolicy",
        "iam:ListAttachedRolePolicies",
        "iam:ListEntitiesForPolicy",
        "iam:ListPolicyVersions",
        "iam:ListRolePolicies",
        "iam:PutRolePolicy",
        "iam:TagRole",
        "iam:UntagRole",
        "iam:UpdateAssumeRolePolicy",
        "iam:UpdateRole",
        "iam:UpdateRoleDescription",
    ],
    &["iam::*:policy/stockpipe/*", "iam::*:role/stockpipe-deploy/*"],
)];

/// The artifact bucket alone, and all of a pipeline's beside it.
pub const ARTIFACT_BUCKET: Statement = Statement::of("ArtifactBucket", BUCKET_HANDLER, &["s3:::stockpipe-artifacts-*"]);
pub const ALL_BUCKETS: Statement = Statement::of("AllBuckets", BUCKET_HANDLER, BUCKETS);

/// What it takes to leave a pipeline's resources to a role of CloudFormation's.
pub const HANDING_OVER: &[Statement] = &[Statement::of(
    "DeployRole",
    &["iam:PassRole"],
    &["iam::*:role/stockpipe-deploy/*"],
)
.when("StringEquals", "iam:PassedToService", "cloudformation.amazonaws.com")];

/// All buckets.
const BUCKETS: &[&str] = &[
    "s3:::athena-query-results-*",
    "s3:::stock-market-audit-*",
    "s3:::stock-market-data-bucket-*",
    "s3:::stockpipe-artifacts-*",
];
/// What CloudFormation does to a bucket of ours and its policy, beside what the deployer does itself.
const BUCKET_HANDLER: &[&str] = &[
    "s3:CreateBucket",
    "s3:DeleteBucketPolicy",
    "s3:GetAccelerateConfiguration",
    "s3:GetAnalyticsConfiguration",
    "s3:GetBucketAbac",
    "s3:GetBucketAcl",
    "s3:GetBucketCORS",
    "s3:GetBucketLogging",
    "s3:GetBucketMetadataTableConfiguration",
    "s3:GetBucketNotification",
    "s3:GetBucketObjectLockConfiguration",
    "s3:GetBucketOwnershipControls",
    "s3:GetBucketPolicy",
    "s3:GetBucketPublicAccessBlock",
    "s3:GetBucketTagging",
    "s3:GetBucketVersioning",
    "s3:GetBucketWebsite",
    "s3:GetIntelligentTieringConfiguration",
    "s3:GetInventoryConfiguration",
    "s3:GetLifecycleConfiguration",
    "s3:GetMetricsConfiguration",
    "s3:GetReplicationConfiguration",
    "s3:ListTagsForResource",
    "s3:PutBucketOwnershipControls",
    "s3:PutBucketPolicy",
    "s3:PutBucketPublicAccessBlock",
    "s3:PutBucketTagging",
    "s3:PutBucketVersioning",
    "s3:PutEncryptionConfiguration",
    "s3:PutLifecycleConfiguration",
    "s3:PutMetricsConfiguration",
    "s3:TagResource",
    "s3:UntagResource",
];
