//! A disk that is full: what is durable stays so, and goes on once there is room.

use crate::harness::{Ended, Home, Running, preload};
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Stdio,
};

/// More than a file of the table may have room for within its last page.
const QUOTES: u32 = 5000;

/// A home on a disk that is full where the path goes on like this.
struct FullDisk {
    home: Home,
    library: PathBuf,
    full: PathBuf,
}

impl FullDisk {
    fn new() -> Self {
        let home = Home::up();
        let library = preload("full_disk", home.root());
        let full = home.root().join("full");
        fs::write(&full, "").expect("a mark");
        Self { home, library, full }
    }

    /// Streams quotes of a pipe, of which the first is sent while there is room.
    fn stream(&self, base: &Path) -> Ended {
        fs::remove_file(&self.full).expect("room");
        let lines = lines();
        let (first, others) = lines.split_at(lines.find('\n').expect("a line") + 1);
        let mut command = self.home.command(["stream", "--source", "replay:-", "--acks"]);
        command.env("LD_PRELOAD", &self.library).env("FULL_DISK_BASE", base).env("FULL_DISK_WHILE", &self.full);
        let mut running = Running::start({
            command.stdin(Stdio::piped());
            command
        });
        running.input().write_all(first.as_bytes()).expect("a quote");
        running.until("the first quote", |running| running.stdout().contains("acked"));
        fs::write(&self.full, "").expect("a full disk");
        // It may have ended by itself.
        let _ = running.input().write_all(others.as_bytes());
        drop(running.input.take());
        running.end()
    }
}

/// Quotes as JSON lines.
fn lines() -> String {
    let time = |number: u32| format!("{:02}:{:02}:{:02}", number / 3600, number / 60 % 60, number % 60);
    let line = |n| format!("{{\"symbol\":\"AAPL\",\"timestamp\":\"2014-01-02T{}Z\",\"price\":{}}}\n", time(n), n + 1);
    (0..QUOTES).map(line).collect()
}

/// Quotes that were acknowledged.
fn acked(ended: &Ended) -> u64 {
    let count = |line: &str| serde_json::from_str::<serde_json::Value>(line).ok()?["count"].as_u64();
    ended.stdout.lines().filter_map(count).sum()
}

fn is_whole(disk: &FullDisk, quotes: u64) {
    let sql = "SELECT count(*), count(DISTINCT \"timestamp\") FROM stock_data_table";
    assert_eq!(disk.home.sql(sql), format!("{quotes},{quotes}\n"));
    assert_eq!(disk.home.table_db("SELECT count(*) FROM quotes"), [[quotes.to_string()]]);
}

/// Catches a stream that ends without saying what is durable, and quotes that are lost or doubled when there is room.
#[test]
fn no_room_for_the_table() {
    let disk = FullDisk::new();
    let ended = disk.stream(&disk.home.stack().join("table.db")).expect(5);
    let sent = acked(&ended);
    assert!(sent > 1, "{ended:?}");
    let ended = ended.says(&["sent", "quotes are durable, but not stored yet", "full", "goes on with them"]);
    assert!(!ended.stderr.contains("panicked"), "{ended:?}");
    is_whole(&disk, sent);
}

/// Catches a quote that is said to be durable and is not, and a source that goes on as if it were.
#[test]
fn no_room_for_the_stream() {
    let disk = FullDisk::new();
    let ended = disk.stream(&disk.home.stack().join("stream.db")).expect(5);
    let sent = acked(&ended);
    assert!(sent < u64::from(QUOTES), "{ended:?}");
    is_whole(&disk, sent);
    ended.says(&["full"]);
}
