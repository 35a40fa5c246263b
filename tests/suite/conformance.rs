//! One suite for both targets: the same commands, the same files and the same answers, which are known beforehand.
//!
//! All that a stack is asked here it is asked by the binary; only what another producer puts, and who hears the alerts,
//! is each target's own. On AWS a quote goes the whole way through an emulator: stream, functions, tables and lake,
//! alerts, Athena. The emulator is kind; so there is another run in the worst order that AWS allows, and one in which
//! every function has the rights of its role and no others.
//!
//! Each step has symbols of its own, so that one stack serves all of them.

mod answers;
mod bad;
mod kept;
mod order;
mod place;
mod recordings;

use crate::emulator::Behaviour;
use place::{Aws, Local, Place};
use serde_json::{Value, json};
use std::time::Instant;

/// What is expected of a pipeline, wherever it is.
type Step = (&'static str, fn(&dyn Place));

const MARKED: Step = ("duplicates, revised, late and stale quotes", order::marked);
const ARRIVAL: Step = ("quotes in order of arrival", order::arrival);
const TWO_PRODUCERS: Step = ("two producers at once", order::two_producers);
const THIRD_PARTY: Step = ("records of others", bad::third_party);
const BAD_RECORDS: Step = ("bad records", bad::bad_records);
const ALERTS: Step = ("alerts", kept::alerts);
const KEPT: Step = ("kept data", kept::kept);
const DAILY: Step = ("daily recordings", recordings::daily);
const SHORT_DAILY: Step = ("short daily recordings", recordings::short_daily);
const FURTHER: Step = ("further recordings", recordings::further);

/// All steps. The recordings come last: they fill a lake that every question reads.
const fn steps(recordings: Step) -> [Step; 8] {
    [MARKED, ARRIVAL, TWO_PRODUCERS, THIRD_PARTY, BAD_RECORDS, ALERTS, KEPT, recordings]
}

fn all(place: &dyn Place, steps: &[Step]) {
    // The emulator hands over at once what AWS gathers for minutes; `down` would wait for those.
    place.home().write("stockpipe.yaml", "aws:\n  archive_window: 0\n");
    place.ok(&["up", "--yes"]);
    // Who is to hear alerts has to be there before them.
    assert!(place.alerts().is_empty());
    for (name, step) in steps {
        let started = Instant::now();
        // The last one that is said is the one that failed.
        eprintln!("step: {name}");
        step(place);
        eprintln!("      {:.1} s", started.elapsed().as_secs_f64());
    }
    place.ok(&["down", "--yes"]);
}

/// Entries take effect in any order.
fn shuffled() -> Value {
    json!([
        {"target": "PutRecords", "probability": 0.7, "kind": "shuffle"},
        {"target": "BatchWriteItem", "probability": 0.7, "kind": "shuffle"},
    ])
}

#[test]
fn local() {
    all(&Local::new(), &steps(DAILY));
}

#[test]
fn aws_in_the_kind_order() {
    all(&Aws::new(&Behaviour::default()), &steps(SHORT_DAILY));
}

#[test]
fn aws_in_the_worst_order() {
    let behaviour = Behaviour { hostile_order: true, faults: Some(shuffled()), ..Behaviour::default() };
    all(&Aws::new(&behaviour), &steps(DAILY));
}

/// Would catch a right that only the whole takes.
#[test]
fn aws_with_the_rights_of_its_roles() {
    let tls = json!([{"target": "", "probability": 1, "kind": "tls"}]);
    let behaviour = Behaviour { enforces_rights: true, faults: Some(tls), ..Behaviour::default() };
    all(&Aws::new(&behaviour), &steps(SHORT_DAILY));
}

/// Recordings by the minute, and in order of arrival, where there are any.
#[test]
fn further_recordings_locally() {
    all(&Local::new(), &[FURTHER]);
}

#[test]
fn further_recordings_on_aws() {
    let behaviour = Behaviour { hostile_order: true, ..Behaviour::default() };
    if std::env::var_os("STOCKPIPE_TEST_DATA").is_some() {
        all(&Aws::new(&behaviour), &[FURTHER]);
    }
}
