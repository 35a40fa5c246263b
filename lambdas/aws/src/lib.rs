//! What the handlers ask of the world, answered by DynamoDB, S3 and SNS, and what Lambda hands to them.
//!
//! The handlers themselves are in `pipeline`, and so are the rules. A function's `main` wires clients to the ports of
//! this crate and to one of [`process`], [`trend`] and `archive`, which take an event and give Lambda's answer.

mod alerts;
#[cfg(feature = "lake")]
pub mod archive;
mod attributes;
mod calls;
mod events;
#[cfg(feature = "lake")]
pub mod merge;
mod objects;
pub mod process;
mod quotes;
mod report;
mod settings;
mod signals;
pub mod trend;

pub use alerts::SnsAlerts;
pub use attributes::{Attributes, DamagedItem, StreamAttribute, attributes, item};
pub use calls::{CallError, Calls, Clients};
pub use events::{Answer, Batch, Changes, EventError, FailedItem, KinesisEvent, TableEvent, sequence};
pub use objects::Bucket;
pub use quotes::QuotesTable;
pub use report::Report;
pub use settings::{Settings, SettingsError};
pub use signals::{REGISTER, SIGNAL, SignalsTable, Tables, signal};
