//! A plan for programs. The shape is stable: names are added, none goes or changes its meaning.

use super::{Change, Detail, Group, Plan, Recreation, Replacement};
use crate::report::style::masked;
use serde_json::{Value, json};

impl Plan {
    /// The plan as JSON:
    ///
    /// ```json
    /// {
    ///   "summary": {"add": 0, "change": 1, "replace": 0, "remove": 0, "import": 0},
    ///   "changes": [{
    ///     "action": "change",           // add, change, replace, remove, import
    ///     "certain": true,              // false where it depends on what is not known yet
    ///     "resource": "StockStream",    // its name in the template
    ///     "type": "AWS::Kinesis::Stream",
    ///     "id": "stockpipe-stock-market-stream",   // null before there is one
    ///     "holds_data": true,
    ///     "rights": false,              // whether it says who may do what
    ///     "old_stays": false,           // whether what is replaced or removed stays outside the stack
    ///     "details": [{
    ///       "attribute": "Properties", "property": "ShardCount", "path": "/Properties/ShardCount",
    ///       "before": "1", "after": "2",           // null where it is not told, or is private
    ///       "recreation": "never",                 // never, conditionally, always
    ///       "cause": "ShardCount"
    ///     }]
    ///   }]
    /// }
    /// ```
    ///
    /// Account ids are masked.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let count = |group| self.group(group).count();
        json!({
            "summary": {
                "add": count(Group::Added),
                "change": count(Group::Changed),
                "replace": count(Group::Replaced),
                "remove": count(Group::Removed),
                "import": count(Group::Imported),
            },
            "changes": self.changes.iter().map(change).collect::<Vec<_>>(),
        })
    }
}

fn change(change: &Change) -> Value {
    json!({
        "action": change.group().word(),
        "certain": change.replacement != Replacement::Conditional && change.action != super::Action::Dynamic,
        "resource": masked(&change.logical_id),
        "type": masked(&change.resource_type),
        "id": change.physical_id.as_deref().map(masked),
        "holds_data": change.holds_data(),
        "rights": change.is_right(),
        "old_stays": change.old_stays,
        "details": change.details.iter().map(|of| detail(change, of)).collect::<Vec<_>>(),
    })
}

fn detail(change: &Change, detail: &Detail) -> Value {
    let told = |value: &Option<String>| {
        value.as_deref().filter(|_| !detail.is_private(change)).map(|value| masked(value).into_owned())
    };
    let recreation = match detail.requires_recreation {
        Recreation::Never => "never",
        Recreation::Conditionally => "conditionally",
        Recreation::Always => "always",
    };
    json!({
        "attribute": masked(&detail.attribute),
        "property": detail.name.as_deref().map(masked),
        "path": detail.path.as_deref().map(masked),
        "before": told(&detail.before),
        "after": told(&detail.after),
        "recreation": recreation,
        "cause": detail.cause.as_deref().map(masked),
    })
}
