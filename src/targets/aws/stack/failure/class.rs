//! What is wrong, by what a service says. There is no code that all of them would give.

use super::Reason;

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The account may run too few functions at once to reserve any.
    Concurrency,
    /// A service's own role is missing, and may not be made.
    ServiceLinkedRole,
    /// The account is not ready for the service.
    Account,
    /// The functions' code is not where it is to be.
    CodeMissing,
    /// A key may not be used, or not be made as it is described.
    Key,
    /// A function's role may not do what its mapping needs, or not be taken on.
    RoleOfFunction,
    /// Somebody may not do something.
    Denied,
    /// Something of that name is there already.
    Exists,
    /// A bucket is not empty.
    Full,
    /// A quota is used up.
    Limit,
    /// Too much was asked for at once.
    Throttled,
    /// A network interface, or something else that depends on it, is still there.
    Network,
    /// It took too long.
    TimedOut,
    /// Anything else.
    Other,
}

/// By what a reason says, the first that fits: the particular ones before the general.
const CLASSES: [(Class, &[&str]); 13] = [
    (Class::Concurrency, &["below its minimum value"]),
    (Class::ServiceLinkedRole, &["ervice-linked role", "ervice Linked Role", "CreateServiceLinkedRole"]),
    (
        Class::Account,
        &[
            "OptInRequired",
            "SubscriptionRequired",
            "subscription for the service",
            "not subscribed",
            "PendingVerification",
            "being verified",
            "currently blocked",
        ],
    ),
    (Class::CodeMissing, &["NoSuchKey"]),
    (Class::Key, &["KMS", "kms:", "key policy"]),
    (
        Class::RoleOfFunction,
        &["cannot be assumed by", "ensure the role can perform", "xecution role does not have permissions"],
    ),
    (Class::Full, &["BucketNotEmpty", "not empty"]),
    (
        Class::Denied,
        &[
            "AccessDenied",
            "not authorized",
            "Access Denied",
            "access denied",
            "UnauthorizedOperation",
            "permissions error",
        ],
    ),
    (Class::Exists, &["AlreadyExists", "already exists", "AlreadyOwnedByYou"]),
    (Class::Throttled, &["Throttling", "Rate exceeded", "TooManyRequests", "SlowDown"]),
    (
        Class::Limit,
        &[
            "LimitExceeded",
            "imit exceeded",
            "exceed the",
            "TooMany",
            "QuotaExceeded",
            "maximum number",
            "more buckets than allowed",
        ],
    ),
    (Class::Network, &["etwork interface", "DependencyViolation", "dependent object", "has dependencies"]),
    (Class::TimedOut, &["timed out", "NotStabilized", "did not stabilize", "Exceeded attempts", "time out"]),
];

impl Class {
    /// What a reason is about.
    pub fn of(reason: &Reason) -> Self {
        CLASSES.iter().find(|(_, texts)| reason.says(texts)).map_or(Self::Other, |(class, _)| *class)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch a class that another, more general one hides: each of these is how AWS words it.
    #[test]
    fn reasons_have_their_class() {
        let told = [
            (
                "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [10]. (Service: Lambda, Status Code: 400, Request ID: 1)",
                Class::Concurrency,
            ),
            ("Caller does not have permission to create a Service Linked Role.", Class::ServiceLinkedRole),
            (
                "The AWS Access Key Id needs a subscription for the service (Service: Kinesis, Status Code: 400, Request ID: 1)",
                Class::Account,
            ),
            ("Your request has been blocked: your account is currently being verified", Class::Account),
            (
                "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not exist. (Service: Lambda, Status Code: 400, Request ID: 1)",
                Class::CodeMissing,
            ),
            (
                "User: arn:aws:sts::123456789012:assumed-role/d/s is not authorized to perform: kms:CreateGrant on resource: arn:aws:kms:us-east-1:123456789012:key/1",
                Class::Key,
            ),
            (
                "The role defined for the function cannot be assumed by Lambda. (Service: Lambda, Status Code: 400, Request ID: 1)",
                Class::RoleOfFunction,
            ),
            (
                "User: arn:aws:iam::123456789012:user/u is not authorized to perform: iam:CreateRole (Service: Iam; Status Code: 403; Error Code: AccessDenied; Request ID: 1; Proxy: null)",
                Class::Denied,
            ),
            (
                "stockpipe-stock-market-data already exists in stack arn:aws:cloudformation:us-east-1:123456789012:stack/a/1",
                Class::Exists,
            ),
            (
                "The bucket you tried to delete is not empty (Service: Amazon S3; Status Code: 409; Error Code: BucketNotEmpty; Request ID: 1; Proxy: null)",
                Class::Full,
            ),
            (
                "This request would exceed the shard limit for the account 123456789012 in us-east-1. (Service: Kinesis, Status Code: 400, Request ID: 1)",
                Class::Limit,
            ),
            (
                "The maximum number of VPCs has been reached. (Service: Ec2, Status Code: 400, Request ID: 1)",
                Class::Limit,
            ),
            ("Rate exceeded (Service: CloudWatch, Status Code: 400, Request ID: 1)", Class::Throttled),
            ("resource sg-0a1 has a dependent object (Service: Ec2, Status Code: 400, Request ID: 1)", Class::Network),
            ("The subnet 'subnet-0a1' has dependencies and cannot be deleted.", Class::Network),
            ("WaitCondition timed out. Received 0 conditions when expecting 1", Class::TimedOut),
            ("Exceeded attempts to wait", Class::TimedOut),
            ("Template error", Class::Other),
        ];
        for (text, expected) in told {
            assert_eq!(Class::of(&Reason::parse(text)), expected, "{text}");
        }
    }
}
