//! A stack on the emulator, as `up` makes it, and beside it what the tutorial's functions need. Its functions are started
//! here, with the environment that they are deployed with.

use super::runtime::Function;
use crate::{
    Result,
    emulator::{Behaviour, Emulator},
    process, python,
};
use aws_ports::Clients;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use pipeline::{Symbol, Timestamp};
use std::{
    collections::{BTreeSet, HashMap},
    env,
    path::{Path, PathBuf},
    process::Command,
};
use tokio::runtime::Runtime;

/// What is on Lambda for as long as Python is.
const BOTO3: &str = "boto3==1.44.8";
/// Where everything of the tutorial's is.
const TUTORIAL: &str = "tutorial";
/// The table of stockpipe's quotes.
pub const QUOTES: &str = "stockpipe-stock-market-data";

/// Attributes of an item.
pub type Item = HashMap<String, AttributeValue>;

/// A program that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    Process,
    Archive,
    Trend,
    TutorialProcess,
    TutorialTrend,
}

impl Program {
    /// In the report.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Archive => "archive",
            Self::Trend => "trend",
            Self::TutorialProcess => "tutorial_process",
            Self::TutorialTrend => "tutorial_trend",
        }
    }

    /// Package and deployed name of one of ours.
    const fn ours(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Process => Some(("process-stock-data", "stockpipe-ProcessStockData")),
            Self::Archive => Some(("archive-stock-data", "stockpipe-ArchiveStockData")),
            Self::Trend => Some(("stock-trend-analysis", "stockpipe-StockTrendAnalysis")),
            Self::TutorialProcess | Self::TutorialTrend => None,
        }
    }
}

/// The emulator, and what is on it.
pub struct Place {
    pub emulator: Emulator,
    pub clients: Clients,
    runtime: Runtime,
    folder: PathBuf,
    bootstraps: PathBuf,
    python: PathBuf,
    /// The topic of the tutorial's alerts.
    topic: String,
}

impl Place {
    /// `stockpipe --target aws up` with these bootstraps.
    pub fn up(folder: &Path, bootstraps: PathBuf) -> Result<Self> {
        let python = python::with(&[BOTO3])?;
        let emulator = Emulator::start(&Behaviour::default());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let clients = runtime.block_on(emulator.clients());
        let topic = String::new();
        let mut place = Self { emulator, clients, runtime, folder: folder.into(), bootstraps, python, topic };
        process::output(place.command(place.emulator.port, &["up", "--yes"]))?;
        place.topic = place.wait(async |clients| {
            make_table(clients, TUTORIAL).await?;
            clients.s3().create_bucket().bucket(TUTORIAL).send().await?;
            let topic = clients.sns().create_topic().name(TUTORIAL).send().await?;
            Ok(topic.topic_arn.ok_or("a topic without a name")?)
        })?;
        Ok(place)
    }

    /// Waits for calls.
    pub fn wait<T>(&self, calls: impl AsyncFnOnce(&Clients) -> Result<T>) -> Result<T> {
        self.runtime.block_on(calls(&self.clients))
    }

    /// `stockpipe --target aws` on this stack, or on what is in front of it.
    pub fn command(&self, port: u16, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stockpipe"));
        let theirs = env::vars_os().map(|(name, _)| name);
        for name in theirs.filter(|n| ["STOCKPIPE_", "AWS_"].iter().any(|p| n.to_string_lossy().starts_with(p))) {
            command.env_remove(name);
        }
        command.envs(surroundings(port)).env("STOCKPIPE_BOOTSTRAPS", &self.bootstraps);
        command.env("STOCKPIPE_HOME", &self.folder).current_dir(&self.folder);
        command.args(["--target", "aws"]).args(arguments);
        command
    }

    /// Starts a program that calls AWS at this port.
    pub fn start(&self, program: Program, port: u16) -> Result<Function> {
        let mut environment: HashMap<String, String> = surroundings(port).into();
        let Some((package, name)) = program.ours() else {
            environment.extend(["TABLE", "BUCKET"].map(|name| (name.into(), TUTORIAL.into())));
            environment.insert("TOPIC".into(), self.topic.clone());
            let mut command = Command::new(&self.python);
            command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/figures/functions/tutorial.py"));
            command.arg(if program == Program::TutorialProcess { "process" } else { "trend" });
            return Function::start(command, &environment);
        };
        let deployed = self.wait(async |clients| {
            let lambda = aws_sdk_lambda::Client::new(clients.config());
            Ok(lambda.get_function_configuration().function_name(name).send().await?)
        })?;
        let memory = deployed.memory_size().unwrap_or_default().to_string();
        environment.extend(deployed.environment.and_then(|environment| environment.variables).unwrap_or_default());
        environment.insert("AWS_LAMBDA_FUNCTION_NAME".into(), name.into());
        environment.insert("AWS_LAMBDA_FUNCTION_MEMORY_SIZE".into(), memory);
        environment.insert("AWS_LAMBDA_FUNCTION_VERSION".into(), "$LATEST".into());
        Function::start(Command::new(self.bootstraps.join(package).join("bootstrap")), &environment)
    }

    /// Takes away what hands events to the deployed functions, so that only those that are measured run.
    pub fn unmap(&self) -> Result<()> {
        self.wait(async |clients| {
            let lambda = aws_sdk_lambda::Client::new(clients.config());
            let mappings = lambda.list_event_source_mappings().send().await?;
            for mapping in mappings.event_source_mappings() {
                lambda.delete_event_source_mapping().set_uuid(mapping.uuid.clone()).send().await?;
            }
            Ok(())
        })
    }

    /// The items of these symbols from a time on, in order of time, of the table that a program writes.
    pub fn items(&self, program: Program, symbols: &BTreeSet<Symbol>, from: Timestamp) -> Result<Vec<Item>> {
        let mut items: Vec<Item> = self.wait(async |clients| {
            let mut items = vec![];
            for symbol in symbols {
                let query = clients
                    .dynamodb()
                    .query()
                    .table_name(table(program))
                    .key_condition_expression("symbol = :symbol AND #t >= :from")
                    .expression_attribute_names("#t", "timestamp")
                    .expression_attribute_values(":symbol", AttributeValue::S(symbol.to_string()))
                    .expression_attribute_values(":from", AttributeValue::S(from.to_string()));
                let mut pages = query.into_paginator().items().send();
                while let Some(item) = pages.next().await {
                    items.push(item?);
                }
            }
            Ok(items)
        })?;
        let time = |item: &Item| item.get("timestamp").and_then(|time| time.as_s().ok()).cloned();
        items.sort_by_key(time);
        Ok(items)
    }

    /// How many quotes there are in the bucket as they came: lines of ours, objects of the tutorial's. Only
    /// synthetic symbols count.
    pub fn archived(&self, program: Program) -> Result<usize> {
        let bucket = match program {
            Program::Archive => self.wait(async |clients| {
                let buckets = clients.s3().list_buckets().send().await?;
                let mut names = buckets.buckets().iter().filter_map(|bucket| bucket.name.clone());
                Ok(names.find(|name| name.starts_with("stock-market-data-bucket-")).ok_or("no lake")?)
            })?,
            _ => TUTORIAL.to_owned(),
        };
        self.wait(async |clients| {
            let s3 = clients.s3();
            let mut pages = s3.list_objects_v2().bucket(&bucket).prefix("raw-data/SYN").into_paginator().send();
            let mut count = 0;
            while let Some(page) = pages.next().await {
                for object in page?.contents() {
                    if program != Program::Archive {
                        count += 1;
                        continue;
                    }
                    let object = s3.get_object().bucket(&bucket).set_key(object.key.clone()).send().await?;
                    count += object.body.collect().await?.to_vec().iter().filter(|byte| **byte == b'\n').count();
                }
            }
            Ok(count)
        })
    }
}

/// Credentials and endpoint; the region by both of the names that Lambda gives it.
fn surroundings(port: u16) -> [(String, String); 5] {
    [
        ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}")),
        ("AWS_REGION", "us-east-1".into()),
        ("AWS_DEFAULT_REGION", "us-east-1".into()),
        ("AWS_ACCESS_KEY_ID", "test".into()),
        ("AWS_SECRET_ACCESS_KEY", "test".into()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
}

const fn table(program: Program) -> &'static str {
    match program {
        Program::Process | Program::Archive | Program::Trend => QUOTES,
        Program::TutorialProcess | Program::TutorialTrend => TUTORIAL,
    }
}

async fn make_table(clients: &Clients, name: &str) -> Result<()> {
    let mut create = clients.dynamodb().create_table().table_name(name).billing_mode(BillingMode::PayPerRequest);
    for (name, kind) in [("symbol", KeyType::Hash), ("timestamp", KeyType::Range)] {
        let attribute = AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S);
        let key = KeySchemaElement::builder().attribute_name(name).key_type(kind);
        create = create.attribute_definitions(attribute.build()?).key_schema(key.build()?);
    }
    create.send().await?;
    Ok(())
}
