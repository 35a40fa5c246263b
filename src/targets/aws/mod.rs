//! On AWS: a CloudFormation stack of the functions in `lambdas/`.

pub mod artifacts;
