//! A stack's status for programs. The names stay what they are.

use super::{
    Status, health,
    lines::{is_unwell, parts, words},
};
use crate::{
    error::Error,
    report::style::masked,
    targets::aws::{deploy::survey::State, stack::kinds::kind},
};
use serde_json::{Map, Value, json};

/// All of it, as one object; accounts are masked.
pub fn of(status: &Status) -> Value {
    let stack = &status.stack;
    let text = |text: &str| Value::from(masked(text));
    let maybe = |value: &Option<String>| value.as_deref().map_or(Value::Null, text);
    let parts: Map<String, Value> =
        parts(&status.resources).into_iter().map(|(part, count)| (part.name().to_owned(), count.into())).collect();
    let resources: Vec<Value> = status
        .resources
        .iter()
        .map(|resource| {
            json!({
                "name": resource.logical_id,
                "type": resource.kind,
                "part": kind(&resource.kind).part.name(),
                "physical_id": text(&resource.physical_id),
                "status": resource.status,
                "reason": maybe(&resource.reason),
                "drift": resource.drift,
            })
        })
        .collect();
    let drifted = known(&status.drifted, |drifted| {
        let differences: Vec<Value> = drifted
            .differences
            .iter()
            .map(|d| json!({"path": d.path, "expected": maybe(&d.expected), "actual": maybe(&d.actual)}))
            .collect();
        json!({"name": drifted.name, "type": drifted.kind, "gone": drifted.is_gone, "differences": differences})
    });
    // What names an account is of no use once it is masked.
    let outputs: Map<String, Value> = stack
        .outputs
        .iter()
        .filter(|(_, value)| !value.starts_with("arn:"))
        .map(|(name, value)| (name.clone(), text(value)))
        .collect();
    let mut all = json!({
        "target": "aws",
        "stack": stack.name,
        "region": status.region,
        "account": status.account,
        "status": stack.status,
        "state": words(&stack.status),
        "reason": maybe(&stack.reason),
        "since": status.since.map(|since| since.to_string()),
        "under_way": stack.state() == State::Busy,
        "protected": stack.is_protected,
        "resources_by_part": parts,
        "resources_failed": status.resources.iter().filter(|resource| is_unwell(resource)).count(),
        "resources": resources,
        "drift_checked": stack.drift_checked.map(|checked| checked.to_string()),
        "drifted": drifted,
        "mappings": known(&status.mappings, |mapping| {
            json!({"function": mapping.function, "id": mapping.id, "state": mapping.state, "last": text(&mapping.last)})
        }),
        "subscriptions": known(&status.subscriptions, |subscription| json!({
            "topic": subscription.topic,
            "protocol": subscription.protocol,
            "endpoint": text(&subscription.endpoint),
            "pending": subscription.is_pending,
        })),
        "outputs": outputs,
    });
    if let Some(all) = all.as_object_mut() {
        all.extend(health::json(status.health.as_ref()));
    }
    all
}

/// Null is not known.
fn known<T>(found: &Result<Vec<T>, Error>, json: impl Fn(&T) -> Value) -> Value {
    found.as_ref().map_or(Value::Null, |all| all.iter().map(json).collect())
}
