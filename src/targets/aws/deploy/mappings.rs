//! The event source mappings: what feeds the functions.

use super::{pace::Pace, survey::Stack};
use crate::{
    error::Error,
    targets::aws::{Aws, Refused, failed},
};
use std::time::Duration;
use tokio::time::Instant;

/// Outputs of the stack that are mappings, and the function that each feeds.
pub const MAPPINGS: [(&str, &str); 3] = [
    ("ProcessMapping", "ProcessStockData"),
    ("TrendMapping", "StockTrendAnalysis"),
    ("ArchiveMapping", "ArchiveStockData"),
];
/// What Lambda may take to stop feeding a function.
const PATIENCE: Duration = Duration::from_secs(180);

/// A mapping as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The function's name in the template.
    pub function: &'static str,
    /// Its id.
    pub id: String,
    /// Lambda's word, such as `Enabled`.
    pub state: String,
    /// What came of its last batch, in Lambda's words.
    pub last: String,
}

/// The mappings of a stack that are there.
pub async fn find(aws: &Aws, stack: &Stack) -> Result<Vec<Mapping>, Error> {
    let mut found = Vec::new();
    for (output, function) in MAPPINGS {
        let Some(id) = stack.output(output) else { continue };
        if let Some(mapping) = look(aws, function, id).await? {
            found.push(mapping);
        }
    }
    Ok(found)
}

/// Stops feeding the functions, and waits until nothing more is handed to them.
pub async fn disable(aws: &Aws, mappings: &[Mapping]) -> Result<(), Error> {
    for Mapping { id, function, .. } in mappings {
        let update = aws.lambda().update_event_source_mapping().uuid(id).enabled(false).send().await;
        match update {
            Err(error) if !error.is_absent() && error.refusal().0 != "ResourceInUseException" => {
                let what = format!("the mapping of {function} cannot be switched off");
                return Err(failed(what, "Lambda.UpdateEventSourceMapping", &error));
            }
            _ => {}
        }
    }
    let (mut pace, end) = (Pace::default(), Instant::now() + PATIENCE);
    for Mapping { id, function, .. } in mappings {
        while let Some(mapping) = look(aws, function, id).await? {
            if mapping.state == "Disabled" || Instant::now() > end {
                break;
            }
            pace.wait().await;
        }
    }
    Ok(())
}

async fn look(aws: &Aws, function: &'static str, id: &str) -> Result<Option<Mapping>, Error> {
    match aws.lambda().get_event_source_mapping().uuid(id).send().await {
        Ok(mapping) => Ok(Some(Mapping {
            function,
            id: id.to_owned(),
            state: mapping.state.unwrap_or_default(),
            last: mapping.last_processing_result.unwrap_or_default(),
        })),
        Err(error) if error.is_absent() => Ok(None),
        Err(error) => {
            let what = format!("the mapping of {function} cannot be looked at");
            Err(failed(what, "Lambda.GetEventSourceMapping", &error))
        }
    }
}
