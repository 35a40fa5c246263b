//! Each function with the rights that the template gives it, and with all of them but one.
//!
//! The emulator enforces what a function's role allows its code. What Lambda does in the role's name (it reads the streams,
//! writes logs, keeps what was given up) it does not: that is held against AWS's own list in `templates/rights.rs`.

use super::cloud::Cloud;
use crate::{
    emulator::Behaviour,
    events::{stream_event, table_event},
    stream::{Stream, price, quote, time},
    templates::rights::BY_LAMBDA,
};
use aws_sdk_lambda::{primitives::Blob, types::LogType};
use base64::{Engine, prelude::BASE64_STANDARD};
use pipeline::{Item, Record, RecordSequence, Side, Timestamp, Trail};
use serde_json::{Value, json};
use std::fmt;

/// An action on a resource that a statement of a role's policy allows.
#[derive(Clone, Debug)]
struct Grant {
    statement: String,
    action: String,
    resource: String,
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "statement {} ({} on {})", self.statement, self.action, self.resource)
    }
}

impl Grant {
    /// Whether Lambda asks for it, and not the function's code. Names that the stack makes end as in the template.
    fn is_by_lambda(&self, function: &str) -> bool {
        BY_LAMBDA.iter().any(|by| {
            let below = by.resource.rsplit_once('}').map(|(_, below)| below).filter(|below| below.starts_with('/'));
            by.functions.contains(&function)
                && by.actions.contains(&&*self.action)
                && below.is_none_or(|below| self.resource.ends_with(below))
        })
    }
}

fn texts(value: &Value) -> Vec<String> {
    let all = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
    all.iter().map(|text| text.as_str().expect("a text").to_owned()).collect()
}

/// All that a policy allows.
fn grants(policy: &Value) -> Vec<Grant> {
    let mut grants = Vec::new();
    for statement in policy["Statement"].as_array().expect("statements") {
        assert_eq!(statement["Effect"], "Allow", "{statement}");
        for action in texts(&statement["Action"]) {
            for resource in texts(&statement["Resource"]) {
                let statement = statement["Sid"].as_str().expect("a name").to_owned();
                grants.push(Grant { statement, action: action.clone(), resource });
            }
        }
    }
    grants
}

/// The policy that allows all but this.
fn without(policy: &Value, grant: &Grant) -> Value {
    let mut left = Vec::new();
    for statement in policy["Statement"].as_array().expect("statements") {
        if statement["Sid"] != grant.statement {
            left.push(statement.clone());
            continue;
        }
        let but = |all: &Value, one: &String| texts(all).into_iter().filter(|text| text != one).collect::<Vec<_>>();
        let (actions, resources) = (&statement["Action"], &statement["Resource"]);
        let others = json!({"Effect": "Allow", "Action": but(actions, &grant.action), "Resource": resources});
        let elsewhere = json!({"Effect": "Allow", "Action": grant.action, "Resource": but(resources, &grant.resource)});
        let is_empty = |statement: &Value| ["Action", "Resource"].iter().any(|name| statement[name] == json!([]));
        left.extend([others, elsewhere].into_iter().filter(|statement| !is_empty(statement)));
    }
    json!({"Version": policy["Version"], "Statement": left})
}

/// What IAM writes into an address.
fn decoded(text: &str) -> Value {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = std::str::from_utf8(after.get(..2).unwrap_or_default()).unwrap_or_default();
        match u8::from_str_radix(code, 16) {
            Ok(byte) if *first == b'%' => (bytes, rest) = ([bytes, vec![byte]].concat(), &after[2..]),
            _ => (bytes, rest) = ([bytes, vec![*first]].concat(), after),
        }
    }
    serde_json::from_slice(&bytes).expect("a policy")
}

/// A role's inline policy.
struct Policy<'a> {
    cloud: &'a Cloud,
    role: String,
    name: String,
    document: Value,
}

impl<'a> Policy<'a> {
    fn of(cloud: &'a Cloud, function: &str) -> Self {
        let role = cloud.physical_id(&format!("{function}Role"));
        let listed = cloud.ask(cloud.iam().list_role_policies().role_name(&role).send()).expect("the policies");
        let [name] = listed.policy_names() else { panic!("{:?}", listed.policy_names()) };
        let get = cloud.iam().get_role_policy().role_name(&role).policy_name(name);
        let document = decoded(cloud.ask(get.send()).expect("a policy").policy_document());
        Self { cloud, name: name.clone(), role, document }
    }

    fn put(&self, document: &Value) {
        let put = self.cloud.iam().put_role_policy().role_name(&self.role).policy_name(&self.name);
        self.cloud.ask(put.policy_document(document.to_string()).send()).expect("a policy");
    }
}

impl Cloud {
    /// Lets a function have these events, one after the other; where one fails, what it said then.
    fn exercise(&self, function: &str, events: &[String]) -> Result<(), String> {
        events.iter().try_for_each(|event| {
            let invoke = self.lambda().invoke().function_name(format!("stockpipe-{function}")).log_type(LogType::Tail);
            let answer = self.ask(invoke.payload(Blob::new(event.as_bytes())).send()).expect("an answer");
            let log = BASE64_STANDARD.decode(answer.log_result().unwrap_or_default()).expect("a log");
            let log = String::from_utf8_lossy(&log).into_owned();
            let payload: Value = serde_json::from_slice(answer.payload().expect("a payload").as_ref()).expect("JSON");
            let done = answer.function_error().is_none() && payload == json!({"batchItemFailures": []});
            // What cannot come again is only said: a day whose files are not merged.
            let said = !log.contains(r#""level":"WARN""#) && !log.contains(r#""level":"ERROR""#);
            if done && said { Ok(()) } else { Err(format!("{payload} {log}")) }
        })
    }
}

/// With all rights everything succeeds; without any one of them something is denied, and it is that. `events` touch all
/// that the function does, each time with new symbols.
fn needs_all_of_its_rights(function: &str, events: impl Fn(usize) -> Vec<String>) {
    let behaviour = Behaviour {
        enforces_rights: true,
        faults: Some(json!([
            {"target": "", "probability": 1, "kind": "tls"},
            // What was merged is deleted an hour later.
            {"target": "list-type=2", "probability": 1, "kind": "aged", "seconds": 7200},
        ])),
        ..Behaviour::default()
    };
    let cloud = Cloud::with_functions(&behaviour);
    cloud.run(&["up", "--yes"]).expect(0);
    let policy = Policy::of(&cloud, function);
    if let Err(said) = cloud.exercise(function, &events(0)) {
        panic!("{function} lacks a right: {said}");
    }
    let (by_lambda, by_code): (Vec<_>, Vec<_>) =
        grants(&policy.document).into_iter().partition(|grant| grant.is_by_lambda(function));
    assert!(!by_lambda.is_empty() && by_code.len() > 2, "{by_code:?}");
    for (round, grant) in by_code.iter().enumerate() {
        policy.put(&without(&policy.document, grant));
        let said =
            cloud.exercise(function, &events(round + 1)).expect_err(&format!("{function} does not need {grant}"));
        assert!(said.contains(&format!("perform: {}", grant.action)), "{function} without {grant}: {said}");
    }
    // It was the rights alone.
    policy.put(&policy.document);
    if let Err(said) = cloud.exercise(function, &events(by_code.len() + 1)) {
        panic!("{function} with all of its rights again: {said}");
    }
}

fn at(second: usize) -> Timestamp {
    time(&format!("2026-11-20T20:00:{second:02}Z"))
}

/// An event of records that follow those of other events.
fn event(round: usize, records: &[(&str, String)]) -> String {
    let mut stream = Stream::default();
    for (symbol, line) in records {
        stream.push(symbol, at(59), &[line.clone().into_bytes()]);
    }
    let of_round = |mut record: Record| {
        let number = record.sequence.as_str().parse::<u64>().expect("a number");
        record.sequence = RecordSequence::local(number + 10 * round as u64);
        record
    };
    stream_event(&stream.records.into_iter().map(of_round).collect::<Vec<_>>())
}

fn line(symbol: &str, second: usize) -> String {
    let mut line = Vec::new();
    pipeline::push_json(&mut line, &quote(symbol, at(second), price("1.5")));
    String::from_utf8(line).expect("JSON")
}

/// Would catch a right that process lacks, or has and does not need.
#[test]
fn process_needs_all_of_its_rights() {
    needs_all_of_its_rights("ProcessStockData", |round| {
        let symbol = format!("P{round}");
        vec![
            // A symbol without a head, a quote in order, and what can never be one.
            event(2 * round, &[(&symbol, line(&symbol, 9)), (&symbol, "rubbish".into())]),
            // A late one.
            event(2 * round + 1, &[(&symbol, line(&symbol, 8))]),
        ]
    });
}

/// Would catch a right that trend lacks, or has and does not need.
#[test]
fn trend_needs_all_of_its_rights() {
    needs_all_of_its_rights("StockTrendAnalysis", |round| {
        let window = (0..20).map(|n| price(if n < 19 { "1" } else { "2" })).collect();
        let item = Item {
            quote: quote(&format!("T{round}"), at(9), price("2")),
            sequence: RecordSequence::local(1).line(0),
            change_percent: None,
            anomaly: false,
            late: false,
            trail: Some(Box::new(Trail { window, side: Some(Side::Below) })),
            processed_at: at(10),
            expires_at: i64::MAX,
        };
        vec![table_event(&[stockpipe_aws_ports::attributes(&item)])]
    });
}

/// Would catch a right that archive lacks, or has and does not need.
#[test]
fn archive_needs_all_of_its_rights() {
    needs_all_of_its_rights("ArchiveStockData", |round| {
        let symbol = format!("A{round}");
        let merge = || json!({"merge": true}).to_string();
        vec![
            // Two small files, what they are merged into, and the end of both.
            event(2 * round, &[(&symbol, line(&symbol, 8))]),
            event(2 * round + 1, &[(&symbol, line(&symbol, 9))]),
            merge(),
            merge(),
        ]
    });
}
