//! What a pipeline has only where it is asked for.

use super::super::Statement;

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
            "ec2:CreateVpc",
            "ec2:CreateVpcEndpoint",
        ],
        &["ec2:*:*:*"],
    ),
    Statement::of("NetworkTags", &["ec2:CreateTags"], &["ec2:*:*:*"]).when("Null", "ec2:CreateAction", "false"),
    Statement::of(
        "Network",
        &[
            "ec2:AssociateRouteTable",
            "ec2:AuthorizeSecurityGroupEgress",
            "ec2:AuthorizeSecurityGroupIngress",
            "ec2:CreateTags",
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
pub const BUDGET: &[Statement] = &[Statement::of(
    "Budget",
    &[
        "budgets:ListTagsForResource",
        "budgets:ModifyBudget",
        "budgets:TagResource",
        "budgets:UntagResource",
        "budgets:ViewBudget",
    ],
    &["budgets::*:budget/{stack}-monthly"],
)];
