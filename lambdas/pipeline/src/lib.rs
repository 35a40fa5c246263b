//! What a quote is, and what each function of the pipeline does with it.
//!
//! Both targets run the same handlers: [`process()`] folds a batch of the stream into items, [`trend`] decides from an
//! item alone what it raises, archive lays quotes into the lake. A handler reaches the world through the narrow
//! traits of [`ports`] and sees no database and no SDK type. What a quote means follows from the order of its
//! symbol's quotes in the stream, never from batches, retries or clocks.

#[cfg(feature = "lake")]
pub mod archive;
mod decimal;
#[cfg(feature = "lake")]
pub mod lake;
pub mod ports;
mod process;
pub mod quote;
mod rules;
mod sequence;
mod symbol;
mod time;
pub mod trend;
mod wire;

#[cfg(feature = "lake")]
pub use archive::{ArchiveSettings, Archived, Lake, Object, ObjectKind, Raw, archive};
pub use decimal::{NumberError, PLACES, Price, Volume, push_decimal};
pub use ports::{Alerts, Asked, Head, Newest, PortError, Put, SetAsideStore, Signals, Table};
pub use process::{Counts, Failed, ProcessSettings, Processed, process};
pub use quote::{AnomalyThreshold, Item, Origin, Percent, Quote, Trail, change};
pub use rules::{Average, Direction, LONG, SHORT, Side, Signal, Window};
pub use sequence::{RecordSequence, Sequence};
pub use symbol::{Symbol, SymbolError};
pub use time::{Date, Timestamp};
pub use trend::{Anomaly, Raised};
pub use wire::{Judge, RECORD_LIMIT, Reason, Record, SetAside, push_json, push_string};
