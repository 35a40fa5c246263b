//! stub
use pipeline::{Date, Timestamp};
use std::path::PathBuf;
/// File.
#[derive(Clone, Debug)]
pub struct LakeFile {
    /// a
    pub path: PathBuf,
    /// a
    pub dt: Date,
    /// a
    pub first: Timestamp,
    /// a
    pub last: Timestamp,
    /// a
    pub rows: u64,
    /// a
    pub bytes: u64,
}
