//! What people and scripts read: tables, charts, progress and messages.
//!
//! Everything that is printed is printed from here. stdout is data and nothing else; progress, hints and errors go to
//! stderr. A reader that goes away (`| head`) comes back as an [`std::io::Error`] of kind `BrokenPipe`, for `main` to
//! end quietly.

pub mod chart;
pub mod deploy;
pub mod live;
pub mod pane;
pub mod progress;
pub mod style;
pub mod table;

use crate::error::Error;

/// Says what failed, why, and what to type next.
pub fn failure(error: &Error) {
    style::say(&style::error(&error.to_string()));
    if let Some(hint) = error.hint_text() {
        style::say(&style::hint(hint));
    }
}
