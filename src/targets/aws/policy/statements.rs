//! The table of rights.
//!
//! What CloudFormation does for a caller it does with the caller's rights, so the pipeline's part lists what the
//! handlers of its resource types call for the properties that the template sets: each type's schema in the registry
//! says which (`aws cloudformation describe-type`). Where a handler reads all that a resource could have, such as a
//! bucket's, all of that is listed: an update, an import and drift read it.

use super::Statement;

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
    Statement::of(
        "Self",
        &["iam:GetRole", "iam:SimulatePrincipalPolicy"],
        &["iam::*:role/*", "iam::*:user/*"],
    ),
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
    Statement::of("Objects", &["s3:DeleteObject", "s3:DeleteObjectVersion"], &[
        "s3:::athena-query-results-*/*",
        "s3:::stock-market-audit-*/*",
        "s3:::stock-market-data-bucket-*/*",
    ]),
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
        &[
            "athena:BatchGetNamedQuery",
            "athena:CreateNamedQuery",
            "athena:DeleteNamedQuery",
            "athena:ListNamedQueries",
        ],
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
pub const SHARED: &[Statement] = &[
    Statement::of(
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
    ),
];

/// The artifact bucket alone, and all of a pipeline's beside it.
pub const ARTIFACT_BUCKET: Statement =
    Statement::of("ArtifactBucket", BUCKET_HANDLER, &["s3:::stockpipe-artifacts-*"]);
pub const ALL_BUCKETS: Statement = Statement::of("AllBuckets", BUCKET_HANDLER, BUCKETS);

/// What it takes to leave a pipeline's resources to a role of CloudFormation's.
pub const HANDING_OVER: &[Statement] =
    &[Statement::of("DeployRole", &["iam:PassRole"], &["iam::*:role/stockpipe-deploy/*"]).when(
        "StringEquals",
        "iam:PassedToService",
        "cloudformation.amazonaws.com",
    )];

/// What CloudFormation does for a pipeline.
pub const PIPELINE: &[Statement] = &[
    Statement::of(
        "Stream",
        &[
            "kinesis:AddTagsToStream",
            "kinesis:CreateStream",
            "kinesis:DeleteStream",
            "kinesis:DeregisterStreamConsumer",
            "kinesis:DescribeStreamConsumer",
            "kinesis:DescribeStreamSummary",
            "kinesis:ListTagsForResource",
            "kinesis:ListTagsForStream",
            "kinesis:RegisterStreamConsumer",
            "kinesis:RemoveTagsFromStream",
            "kinesis:StartStreamEncryption",
            "kinesis:TagResource",
            "kinesis:UntagResource",
            "kinesis:UpdateShardCount",
            "kinesis:UpdateStreamMode",
        ],
        &["kinesis:*:*:stream/{stack}-stock-market-stream*"],
    ),
    Statement::of(
        "NewTables",
        &[
            "dynamodb:CreateTable",
            "dynamodb:DescribeContinuousBackups",
            "dynamodb:DescribeContributorInsights",
            "dynamodb:DescribeKinesisStreamingDestination",
            "dynamodb:DescribeTimeToLive",
            "dynamodb:GetResourcePolicy",
            "dynamodb:ListTagsOfResource",
            "dynamodb:TagResource",
            "dynamodb:UntagResource",
            "dynamodb:UpdateContinuousBackups",
            "dynamodb:UpdateTable",
            "dynamodb:UpdateTimeToLive",
        ],
        TABLES,
    ),
    Statement::of(
        "Functions",
        &[
            "lambda:AddPermission",
            "lambda:CreateFunction",
            "lambda:DeleteFunction",
            "lambda:GetFunction",
            "lambda:GetFunctionCodeSigningConfig",
            "lambda:GetFunctionRecursionConfig",
            "lambda:GetFunctionScalingConfig",
            "lambda:GetPolicy",
            "lambda:GetRuntimeManagementConfig",
            "lambda:RemovePermission",
            "lambda:UpdateFunctionCode",
            "lambda:UpdateFunctionConfiguration",
        ],
        &["lambda:*:*:function:{stack}-*"],
    ),
    Statement::of(
        "FunctionTags",
        &["lambda:ListTags", "lambda:TagResource", "lambda:UntagResource"],
        &["lambda:*:*:event-source-mapping:*", "lambda:*:*:function:{stack}-*"],
    ),
    Statement::of("NewMappings", &["lambda:CreateEventSourceMapping", "lambda:DeleteEventSourceMapping"], &["*"]).when(
        "ArnLike",
        "lambda:FunctionArn",
        "lambda:*:*:function:{stack}-*",
    ),
    Statement::of(
        "Roles",
        &[
            "iam:CreateRole",
            "iam:DeleteRole",
            "iam:DeleteRolePermissionsBoundary",
            "iam:DeleteRolePolicy",
            "iam:GetRole",
            "iam:GetRolePolicy",
            "iam:ListAttachedRolePolicies",
            "iam:ListRolePolicies",
            "iam:PutRolePermissionsBoundary",
            "iam:PutRolePolicy",
            "iam:TagRole",
            "iam:UntagRole",
            "iam:UpdateAssumeRolePolicy",
            "iam:UpdateRole",
            "iam:UpdateRoleDescription",
        ],
        &["iam::*:role/stockpipe/{stack}-*"],
    ),
    Statement::of("RolesToFunctions", &["iam:PassRole"], &["iam::*:role/stockpipe/{stack}-*"]).when(
        "StringEquals",
        "iam:PassedToService",
        "lambda.amazonaws.com",
    ),
    Statement::of(
        "LogGroups",
        &[
            "logs:AssociateKmsKey",
            "logs:CreateLogGroup",
            "logs:DescribeIndexPolicies",
            "logs:DisassociateKmsKey",
            "logs:GetDataProtectionPolicy",
            "logs:ListTagsForResource",
            "logs:PutRetentionPolicy",
            "logs:TagResource",
            "logs:UntagResource",
        ],
        &["logs:*:*:log-group:/aws/lambda/{stack}-*"],
    ),
    Statement::of(
        "Topics",
        &[
            "sns:CreateTopic",
            "sns:DeleteTopic",
            "sns:GetDataProtectionPolicy",
            "sns:GetTopicAttributes",
            "sns:ListTagsForResource",
            "sns:SetTopicAttributes",
            "sns:Subscribe",
            "sns:TagResource",
            "sns:UntagResource",
        ],
        TOPICS,
    ),
    Statement::of(
        "Merging",
        &[
            "events:DeleteRule",
            "events:DescribeRule",
            "events:ListTagsForResource",
            "events:ListTargetsByRule",
            "events:PutRule",
            "events:PutTargets",
            "events:RemoveTargets",
            "events:TagResource",
            "events:UntagResource",
        ],
        &["events:*:*:rule/{stack}-merge"],
    ),
    Statement::of(
        "Catalog",
        &[
            "glue:CreateDatabase",
            "glue:CreateTable",
            "glue:DeleteDatabase",
            "glue:DeleteTable",
            "glue:GetDatabase",
            "glue:GetTable",
            "glue:UpdateDatabase",
            "glue:UpdateTable",
        ],
        &[
            "glue:*:*:catalog",
            "glue:*:*:database/{database}",
            "glue:*:*:table/{database}/*",
            "glue:*:*:userDefinedFunction/{database}/*",
        ],
    ),
    Statement::of(
        "WorkGroup",
        &[
            "athena:CreateWorkGroup",
            "athena:DeleteWorkGroup",
            "athena:GetWorkGroup",
            "athena:ListTagsForResource",
            "athena:TagResource",
            "athena:UntagResource",
            "athena:UpdateWorkGroup",
        ],
        &["athena:*:*:workgroup/{stack}-stock-queries"],
    ),
    Statement::of(
        "Results",
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
    Statement::of(
        "Watching",
        &[
            "cloudwatch:DeleteAlarms",
            "cloudwatch:DeleteDashboards",
            "cloudwatch:DescribeAlarms",
            "cloudwatch:GetDashboard",
            "cloudwatch:ListTagsForResource",
            "cloudwatch:PutDashboard",
            "cloudwatch:PutMetricAlarm",
            "cloudwatch:TagResource",
            "cloudwatch:UntagResource",
        ],
        &["cloudwatch:*:*:alarm:{stack}-*", "cloudwatch::*:dashboard/{stack}*"],
    ),
    // Whether something is there is asked before it has a name.
    Statement::of(
        "WithoutNames",
        &[
            "logs:DescribeLogGroups",
            "logs:DescribeResourcePolicies",
            "sns:GetSubscriptionAttributes",
            "sns:Unsubscribe",
        ],
        &["*"],
    ),
];

/// Of functions without a way to the internet. A network has no name: the tag that the template gives it says whose it
/// is, and it is given in the call that makes it.
pub const ISOLATION: &[Statement] = &[
    Statement::of(
        "AboutNetworks",
        &[
            "ec2:DescribeAvailabilityZones",
            "ec2:DescribeInstances",
            "ec2:DescribeNetworkAcls",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeRouteTables",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeSubnets",
            "ec2:DescribeVpcAttribute",
            "ec2:DescribeVpcEndpoints",
            "ec2:DescribeVpcs",
        ],
        &["*"],
    ),
    Statement::of(
        "NewNetwork",
        &[
            "ec2:CreateRouteTable",
            "ec2:CreateSecurityGroup",
            "ec2:CreateSubnet",
            "ec2:CreateTags",
            "ec2:CreateVpc",
            "ec2:CreateVpcEndpoint",
        ],
        &["ec2:*:*:*"],
    ),
    Statement::of(
        "Network",
        &[
            "ec2:AssociateRouteTable",
            "ec2:AuthorizeSecurityGroupEgress",
            "ec2:AuthorizeSecurityGroupIngress",
            "ec2:DeleteRouteTable",
            "ec2:DeleteSecurityGroup",
            "ec2:DeleteSubnet",
            "ec2:DeleteTags",
            "ec2:DeleteVpc",
            "ec2:DeleteVpcEndpoints",
            "ec2:DisassociateRouteTable",
            "ec2:ModifySubnetAttribute",
            "ec2:ModifyVpcAttribute",
            "ec2:ModifyVpcEndpoint",
            "ec2:RevokeSecurityGroupEgress",
            "ec2:RevokeSecurityGroupIngress",
        ],
        &["ec2:*:*:*"],
    )
    .when("Null", "aws:ResourceTag/stockpipe:stack", "false"),
];

/// Of a customer key, the stack's own or another that carries its tag.
pub const CUSTOMER_KEY: &[Statement] = &[
    Statement::of("NewKey", &["kms:CreateKey", "kms:ListAliases"], &["*"]),
    Statement::of(
        "Keys",
        &[
            "kms:CreateAlias",
            "kms:CreateGrant",
            "kms:Decrypt",
            "kms:DeleteAlias",
            "kms:DescribeKey",
            "kms:EnableKeyRotation",
            "kms:GenerateDataKey",
            "kms:GetKeyPolicy",
            "kms:GetKeyRotationStatus",
            "kms:ListResourceTags",
            "kms:PutKeyPolicy",
            "kms:UntagResource",
            "kms:UpdateKeyDescription",
        ],
        &["kms:*:*:key/*"],
    )
    .when("Null", "aws:ResourceTag/stockpipe:stack", "false"),
    Statement::of("KeyTags", &["kms:TagResource"], &["kms:*:*:key/*"]).when(
        "Null",
        "aws:RequestTag/stockpipe:stack",
        "false",
    ),
    Statement::of(
        "Aliases",
        &["kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias"],
        &["kms:*:*:alias/stockpipe/{stack}"],
    ),
];

/// Of the audit trail.
pub const AUDIT_TRAIL: &[Statement] = &[
    Statement::of("Trails", &["cloudtrail:DescribeTrails"], &["*"]),
    Statement::of(
        "AuditTrail",
        &[
            "cloudtrail:AddTags",
            "cloudtrail:CreateTrail",
            "cloudtrail:DeleteTrail",
            "cloudtrail:GetEventConfiguration",
            "cloudtrail:GetEventSelectors",
            "cloudtrail:GetInsightSelectors",
            "cloudtrail:GetTrail",
            "cloudtrail:GetTrailStatus",
            "cloudtrail:ListTags",
            "cloudtrail:PutEventSelectors",
            "cloudtrail:RemoveTags",
            "cloudtrail:StartLogging",
            "cloudtrail:StopLogging",
            "cloudtrail:UpdateTrail",
        ],
        &["cloudtrail:*:*:trail/{stack}-audit"],
    ),
];

/// Of a budget.
pub const BUDGET: &[Statement] = &[
    Statement::of(
        "Budget",
        &["budgets:ListTagsForResource", "budgets:ModifyBudget", "budgets:TagResource", "budgets:UntagResource", "budgets:ViewBudget"],
        &["budgets::*:budget/{stack}-monthly"],
    ),
];

/// The tables.
const TABLES: &[&str] =
    &["dynamodb:*:*:table/{stack}-stock-market-data", "dynamodb:*:*:table/{stack}-stock-market-signals"];
/// The topics.
const TOPICS: &[&str] = &["sns:*:*:{stack}-operations", "sns:*:*:{stack}-stock-alerts"];
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
