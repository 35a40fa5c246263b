//! The prices that estimates are made with.

use serde::Deserialize;

/// List prices of us-east-1 in dollars, as `prices.yaml` has them with their units.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    pub kinesis: Kinesis,
    pub lambda: Lambda,
    pub dynamodb: DynamoDb,
    pub s3: S3,
    pub athena: Athena,
    pub cloudwatch: CloudWatch,
    pub kms: Kms,
    pub vpc: Vpc,
    pub cloudtrail: CloudTrail,
    pub always_free: AlwaysFree,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kinesis {
    pub shard_hour: f64,
    pub million_put_units: f64,
    pub fan_out_shard_hour: f64,
    pub fan_out_gb: f64,
    pub on_demand_hour: f64,
    pub on_demand_gb_in: f64,
    pub on_demand_gb_out: f64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lambda {
    pub million_requests: f64,
    pub gb_second_x86_64: f64,
    pub gb_second_arm64: f64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DynamoDb {
    pub million_writes: f64,
    pub million_reads: f64,
    pub write_unit_hour: f64,
    pub read_unit_hour: f64,
    pub gb_month: f64,
    pub recovery_gb_month: f64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3 {
    pub thousand_puts: f64,
    pub thousand_gets: f64,
    pub gb_month: f64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Athena {
    pub tb: f64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CloudWatch {
    pub logs_gb: f64,
    pub alarm: f64,
    pub metric: f64,
    pub dashboard: f64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kms {
    pub key: f64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vpc {
    pub interface_endpoint_zone_hour: f64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CloudTrail {
    pub hundred_thousand_events: f64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlwaysFree {
    pub million_requests: f64,
    pub gb_seconds: f64,
    pub write_units: f64,
    pub read_units: f64,
    pub table_gb: f64,
    pub logs_gb: f64,
    pub alarms: f64,
    pub metrics: f64,
    pub dashboards: f64,
}

impl Prices {
    /// Reads the file that is part of the program.
    pub fn read() -> Result<Self, String> {
        yaml_serde::from_str(include_str!("prices.yaml")).map_err(|e| format!("prices.yaml: {e}"))
    }
}
