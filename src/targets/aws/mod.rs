//! A pipeline on AWS: a CloudFormation stack of managed services.

pub mod stack;
