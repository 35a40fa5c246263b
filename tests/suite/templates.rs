//! The CloudFormation templates, as far as they can be held to account without AWS.

mod lint;
pub mod rights;
mod template;

use crate::harness::{csv, data};
use pipeline::quote::{FIELDS, Kind, OnStream};
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs};
use template::{Template, list, said};

/// Types that carry no tags, as of CloudFormation.
const UNTAGGED: [&str; 9] = [
    "AWS::EC2::SubnetRouteTableAssociation",
    "AWS::Glue::Database",
    "AWS::Glue::Table",
    "AWS::IAM::ManagedPolicy",
    "AWS::KMS::Alias",
    "AWS::Lambda::Permission",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::Subscription",
    "AWS::SNS::TopicPolicy",
];

/// Would catch a name that the CLI, the functions or a user look for in vain.
#[test]
fn names() {
    let template = Template::read("pipeline.yaml");
    let named = [
        ("StockStream", "Name", "${AWS::StackName}-stock-market-stream"),
        ("QuotesTable", "TableName", "${AWS::StackName}-stock-market-data"),
        ("SignalsTable", "TableName", "${AWS::StackName}-stock-market-signals"),
        ("ProcessStockData", "FunctionName", "${AWS::StackName}-ProcessStockData"),
        ("StockTrendAnalysis", "FunctionName", "${AWS::StackName}-StockTrendAnalysis"),
        ("ArchiveStockData", "FunctionName", "${AWS::StackName}-ArchiveStockData"),
        ("DataBucket", "BucketName", "stock-market-data-bucket-${Id}"),
        ("ResultsBucket", "BucketName", "athena-query-results-${Id}"),
        ("AlertsTopic", "TopicName", "${AWS::StackName}-stock-alerts"),
        ("OperationsTopic", "TopicName", "${AWS::StackName}-operations"),
        ("QuotesLake", "TableInput/Name", "stock_data_table"),
        ("RawLake", "TableInput/Name", "stock_data_raw"),
    ];
    for (resource, property, name) in named {
        assert_eq!(said(template.property(resource, property)), name);
    }
    // Hyphens of the stack become `_`.
    let database = json!({"Fn::Join": ["_", {"Fn::Split": ["-", {"Fn::Sub": "${AWS::StackName}_stock_data_db"}]}]});
    assert_eq!(template.property("Database", "DatabaseInput/Name"), &database);
    for function in template.of_type("Lambda::Function") {
        let properties = template.at(&format!("/Resources/{function}/Properties"));
        assert_eq!((&properties["Runtime"], &properties["Handler"]), (&"provided.al2023".into(), &"bootstrap".into()));
        assert_eq!(properties["LoggingConfig"]["LogGroup"], json!({"Ref": format!("{function}Logs")}));
        let group = said(template.property(&format!("{function}Logs"), "LogGroupName"));
        assert_eq!(group, format!("/aws/lambda/${{AWS::StackName}}-{function}"));
    }
}

/// Would catch columns that are not those of the files: a query would fail, or read nothing.
#[test]
fn the_catalog_has_the_columns_of_the_lake() {
    let template = Template::read("pipeline.yaml");
    let columns = |table: &str| -> Vec<(String, String)> {
        let columns = template.property(table, "TableInput/StorageDescriptor/Columns").as_array().expect("columns");
        columns.iter().map(|c| (said(&c["Name"]), said(&c["Type"]))).collect()
    };
    let lake = FIELDS.iter().filter(|f| f.in_lake).map(|f| (f.name.to_owned(), f.kind.sql()));
    assert_eq!(columns("QuotesLake"), lake.collect::<Vec<_>>());
    let kept = FIELDS.iter().filter(|f| f.on_stream != OnStream::Never || f.name == "sequence");
    let as_came = kept.map(|f| (f.name.to_owned(), if f.kind == Kind::Time { "string".into() } else { f.kind.sql() }));
    assert_eq!(columns("RawLake"), as_came.collect::<Vec<_>>());
}

/// Would catch days that no query would see.
#[test]
fn recorded_days_are_within_the_projection() {
    let template = Template::read("pipeline.yaml");
    let table = template.property("QuotesLake", "TableInput");
    assert_eq!(table["PartitionKeys"], json!([{"Name": "dt", "Type": "string"}]));
    let parameters = &table["Parameters"];
    assert_eq!(
        (&parameters["projection.enabled"], &parameters["projection.dt.type"], &parameters["projection.dt.format"]),
        (&"true".into(), &"date".into(), &"yyyy-MM-dd".into())
    );
    assert_eq!(said(&parameters["storage.location.template"]), "s3://${DataBucket}/quotes/dt=${!dt}/");
    let range = parameters["projection.dt.range"].as_str().expect("a range");
    let (first, last) = range.split_once(',').expect("two ends");
    // A quote may be five minutes ahead of its arrival, so on the next day.
    assert_eq!((first, last), ("2000-01-01", "NOW+1DAYS"));
    let files = fs::read_dir(data("")).expect("data").map(|entry| entry.expect("an entry").path());
    let mut days = BTreeSet::new();
    for file in files.filter(|path| path.extension().is_some_and(|e| e == "csv")) {
        let (header, rows) = csv(&fs::read_to_string(file).expect("a file"));
        let at = header.iter().position(|name| name == "timestamp").expect("a column");
        days.extend(rows.iter().map(|row| row[at][..10].to_owned()));
    }
    assert!(days.len() > 1000 && days.first().is_some_and(|day| &**day >= first));
}

/// Would catch a mapping that loses, blocks or forgets: each of these is another default.
#[test]
fn mappings_lose_nothing() {
    let template = Template::read("pipeline.yaml");
    let windows = [
        ("ProcessStockData", json!(0)),
        ("StockTrendAnalysis", json!(1)),
        ("ArchiveStockData", json!({"Ref": "ArchiveWindow"})),
    ];
    assert_eq!(template.of_type("Lambda::EventSourceMapping").len(), windows.len());
    for (function, window) in windows {
        let mapping = template.at(&format!("/Resources/{function}Mapping/Properties"));
        assert_eq!(mapping["FunctionName"], json!({"Ref": function}));
        assert_eq!(mapping["MaximumBatchingWindowInSeconds"], window);
        for (name, value) in [
            ("StartingPosition", json!("TRIM_HORIZON")),
            ("FunctionResponseTypes", json!(["ReportBatchItemFailures"])),
            ("BisectBatchOnFunctionError", json!(true)),
            ("MaximumRetryAttempts", json!(-1)),
            // 23 hours: the streams keep 24.
            ("MaximumRecordAgeInSeconds", json!(23 * 3600)),
            ("DestinationConfig", json!({"OnFailure": {"Destination": {"Fn::GetAtt": "DataBucket.Arn"}}})),
        ] {
            assert_eq!(mapping[name], value, "{function}: {name}");
        }
    }
    let of_trend = template.property("StockTrendAnalysisMapping", "FilterCriteria/Filters");
    let pattern: Value = serde_json::from_str(of_trend[0]["Pattern"].as_str().expect("a pattern")).expect("JSON");
    let in_order = json!({"NewImage": {"window": {"S": [{"exists": true}]}}});
    assert_eq!(pattern, json!({"eventName": ["INSERT", "MODIFY"], "dynamodb": in_order}));
    assert_eq!(template.property("QuotesTable", "StreamSpecification/StreamViewType"), "NEW_AND_OLD_IMAGES");
    let target = template.property("Merge", "Targets/0/Input").as_str().expect("an event");
    assert_eq!(serde_json::from_str::<Value>(target).expect("JSON"), json!({"merge": true}));
}

/// Would catch signals that expire, and data that goes with its stack or by a change of a name.
#[test]
fn what_expires_and_what_stays() {
    let template = Template::read("pipeline.yaml");
    assert_eq!(template.property("QuotesTable", "TimeToLiveSpecification")["AttributeName"], "ttl");
    assert!(template.at("/Resources/SignalsTable/Properties").get("TimeToLiveSpecification").is_none());
    let kept: Vec<&str> = template
        .members("/Resources")
        .iter()
        .filter(|(_, r)| r["DeletionPolicy"] == "RetainExceptOnCreate" && r["UpdateReplacePolicy"] == "Retain")
        .map(|(name, _)| &**name)
        .collect();
    let data = ["AuditBucket", "DataBucket", "Key", "QuotesTable", "SignalsTable"];
    assert_eq!(kept.into_iter().collect::<BTreeSet<_>>(), data.into());
    for (rule, prefix, days) in [(1, "raw-data/", "RawDays"), (2, "quotes/", "ParquetDays")] {
        let rule = &template.property("DataBucket", "LifecycleConfiguration/Rules")[rule]["Fn::If"][1];
        assert_eq!((&rule["Prefix"], &rule["ExpirationInDays"]), (&prefix.into(), &json!({"Ref": days})));
    }
    for group in template.of_type("Logs::LogGroup") {
        assert_eq!(template.property(group, "RetentionInDays"), &json!({"Ref": "LogDays"}));
    }
}

/// Would catch an option that is on unasked, or decides nothing.
#[test]
fn options_are_off_and_each_does_something() {
    let template = Template::read("pipeline.yaml");
    let off = [
        ("FanOut", json!("no")),
        ("CustomerKey", json!("none")),
        ("Isolation", json!("no")),
        ("AuditTrail", json!("no")),
        ("PointInTimeRecovery", json!("no")),
        ("MonthlyBudget", json!(0)),
        ("DeletionProtection", json!("no")),
        ("PermissionsBoundary", json!("")),
    ];
    for (option, default) in off {
        assert_eq!(template.at(&format!("/Parameters/{option}/Default")), &default);
    }
    let resources = template.at("/Resources").to_string();
    for condition in template.members("/Conditions").keys() {
        let used = [format!("\"Condition\":\"{condition}\""), format!("\"Fn::If\":[\"{condition}\"")];
        assert!(used.iter().any(|text| resources.contains(text)), "{condition}");
    }
    // Each parameter is in a group of the console's form, once.
    let groups = template.at("/Metadata/AWS::CloudFormation::Interface/ParameterGroups").as_array().expect("groups");
    let grouped: Vec<String> = groups.iter().flat_map(|g| list(&g["Parameters"])).map(said).collect();
    let parameters: BTreeSet<String> = template.members("/Parameters").keys().cloned().collect();
    assert_eq!(grouped.len(), parameters.len());
    assert_eq!(grouped.into_iter().collect::<BTreeSet<_>>(), parameters);
}

/// Would catch a resource that no bill and no `down` can tell to be the stack's.
#[test]
fn everything_is_tagged() {
    let tag = json!({"Key": "stockpipe:stack", "Value": {"Ref": "AWS::StackName"}});
    for name in ["pipeline.yaml", "bootstrap.yaml"] {
        let template = Template::read(name);
        for (name, resource) in template.members("/Resources") {
            let properties = &resource["Properties"];
            let tags = properties.get("Tags").or_else(|| properties.get("ResourceTags"));
            let untagged = UNTAGGED.map(Value::from).contains(&resource["Type"]);
            assert_eq!(tags.is_some_and(|tags| list(tags).contains(&&tag)), !untagged, "{name}");
        }
    }
}

/// Would catch an alarm or a chart of a metric that nobody sends.
#[test]
fn alarms_and_dashboard_watch_what_there_is() {
    let template = Template::read("pipeline.yaml");
    let sent = template.at("/Metadata/Stockpipe");
    let (namespace, dimension) = (said(&sent["MetricNamespace"]), said(&sent["MetricDimension"]));
    let alarms = template.of_type("CloudWatch::Alarm");
    let mut watched = BTreeSet::new();
    for alarm in &alarms {
        let properties = template.at(&format!("/Resources/{alarm}/Properties"));
        let metric = said(&properties["MetricName"]);
        if properties["Namespace"] == *namespace {
            assert!(sent["Metrics"].get(&metric).is_some(), "{alarm}");
            assert_eq!(properties["Dimensions"], json!([{"Name": dimension, "Value": {"Ref": "AWS::StackName"}}]));
        }
        assert_eq!(properties["AlarmActions"], json!([{"Ref": "OperationsTopic"}]));
        assert_eq!(properties["TreatMissingData"], "notBreaching");
        watched.insert(format!("{metric} {}", said(&properties["Dimensions"][0]["Value"])));
    }
    for function in template.of_type("Lambda::Function") {
        for metric in ["IteratorAge", "Errors", "Throttles"] {
            assert!(watched.contains(&format!("{metric} {function}")), "{metric} {function}");
        }
    }
    assert!(watched.contains("WriteProvisionedThroughputExceeded StockStream"));
    assert!(watched.contains("PutRequests DataBucket") && watched.contains("SetAside AWS::StackName"));
    // Where the batches land that were given up is what is counted.
    let counted = json!([{"Id": "failed-batches", "Prefix": "aws/lambda/"}]);
    assert_eq!(template.property("DataBucket", "MetricsConfigurations"), &counted);

    let body = said(template.property("StockDashboard", "DashboardBody"));
    let board: Value = serde_json::from_str(&body).expect("JSON");
    let mut shown = BTreeSet::new();
    for widget in board["widgets"].as_array().expect("widgets") {
        let mut source = Value::Null;
        for metric in widget["properties"]["metrics"].as_array().into_iter().flatten() {
            source = if metric[0] == "." || metric[0] == "..." { source } else { metric[0].clone() };
            if source == *namespace && metric[0] != "..." {
                shown.insert(said(&metric[1]));
            }
        }
    }
    assert_eq!(shown, sent["Metrics"].as_object().expect("metrics").keys().cloned().collect());
    let listed = board["widgets"][0]["properties"]["alarms"].as_array().expect("alarms").iter().map(said);
    let named: BTreeSet<String> = alarms.iter().map(|alarm| format!("${{{alarm}.Arn}}")).collect();
    assert_eq!(listed.collect::<BTreeSet<_>>(), named);
}
