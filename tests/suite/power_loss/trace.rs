//! The log that `tests/testbed/power_loss.c` writes.

use std::{fs, path::Path};

/// Something a process did.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) process: u32,
    pub(crate) what: What,
}

/// What it did; paths are below the traced folder.
#[derive(Debug)]
pub(crate) enum What {
    Made { inode: u64, path: String, folder: bool },
    Removed { path: String },
    Renamed { old: String, new: String },
    Linked { old: String, new: String },
    Written { inode: u64, at: usize, data: Vec<u8> },
    LengthSet { inode: u64, length: usize },
    RoomMade { inode: u64, end: usize },
    SyncBegan { number: u64 },
    SyncEnded { inode: u64, number: u64 },
    SyncAllBegan { number: u64 },
    SyncAllEnded { number: u64 },
    Printed(Vec<u8>),
}

/// Reads a log of what was done below `base`.
pub(crate) fn read(file: &Path, base: &Path) -> Vec<Event> {
    let bytes = fs::read(file).expect("a trace");
    let (mut rest, mut events) = (bytes.as_slice(), Vec::new());
    while let Some((length, after)) = rest.split_first_chunk() {
        let (event, after) = after.split_at(u32::from_le_bytes(*length) as usize);
        events.push(self::event(event, base));
        rest = after;
    }
    events
}

fn event(bytes: &[u8], base: &Path) -> Event {
    let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
    let short = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
    let (inode, a, b) = (number(5), number(13), number(21));
    let (text, data) = bytes[33..].split_at(short(29) as usize);
    let path = |bytes: &[u8]| {
        let path = String::from_utf8(bytes.to_vec()).expect("UTF-8");
        let below = Path::new(&path).strip_prefix(base).expect("a path below the folder");
        below.to_str().expect("UTF-8").to_owned()
    };
    let what = match bytes[0] {
        kind @ (b'C' | b'M') => What::Made { inode, path: path(text), folder: kind == b'M' },
        b'U' => What::Removed { path: path(text) },
        b'R' => What::Renamed { old: path(text), new: path(data) },
        b'L' => What::Linked { old: path(text), new: path(data) },
        b'W' => What::Written { inode, at: a as usize, data: data.to_vec() },
        b'T' => What::LengthSet { inode, length: a as usize },
        b'A' => What::RoomMade { inode, end: (a + b) as usize },
        b'B' => What::SyncBegan { number: a },
        b'E' => What::SyncEnded { inode, number: a },
        b'S' => What::SyncAllBegan { number: a },
        b'F' => What::SyncAllEnded { number: a },
        b'K' => What::Printed(data.to_vec()),
        kind => panic!("{}: {} is not understood", kind as char, String::from_utf8_lossy(text)),
    };
    Event { process: short(1), what }
}
