use super::*;
use crate::targets::aws::stack::events::{
    StackEvent,
    tests::{FIXTURES, fixture},
};

/// How often events are asked for, and how often something is shown, in milliseconds.
const POLLED_EVERY: i64 = 2000;
const SHOWN_EVERY: i64 = 500;

/// What was shown at a time: the lines said for good, and those drawn in place.
type Shown = (Timestamp, Vec<String>, Vec<String>);

/// Replays an operation at the speed at which it was recorded, in virtual time.
fn replay(name: &str, size: Size, is_terminal: bool) -> Vec<Shown> {
    let (token, events) = fixture(name);
    let names: Vec<&str> = events.iter().filter(|event| !event.is_of_stack()).map(|event| &*event.logical_id).collect();
    let ours = |event: &&StackEvent| event.token.as_deref() == Some(token);
    let began = events.iter().rev().find(ours).map(|event| event.time).unwrap();
    let ended = events[0].time;
    let mut view = View::new(names.iter().copied());
    let mut board = Board::new(token, if name.starts_with("update") { 1 } else { 44 });
    let mut shown = vec![];
    for millis in (0..).step_by(SHOWN_EVERY as usize) {
        let now = began.plus_millis(millis);
        let polled = if millis % POLLED_EVERY == 0 {
            board.add(events.iter().filter(|event| event.time <= now).cloned().collect())
        } else {
            vec![]
        };
        let said = view.said(&polled, &board, now, is_terminal.then_some(size.width));
        let lines = if is_terminal && board.outcome().is_none() { view.lines(&board, now, size) } else { vec![] };
        shown.push((now, said, lines));
        if now > ended.plus_millis(POLLED_EVERY) {
            break;
        }
    }
    shown
}

fn plain(line: &str) -> String {
    anstream::adapter::strip_str(line).to_string()
}

fn said(shown: &[Shown]) -> String {
    shown.iter().flat_map(|(_, said, _)| said).map(|line| plain(line) + "\n").collect()
}

/// What is drawn so many milliseconds after the beginning.
fn drawn(shown: &[Shown], millis: usize) -> String {
    shown[millis / SHOWN_EVERY as usize].2.iter().map(|line| plain(line) + "\n").collect()
}

const USUAL: Size = Size { width: 80, height: 24 };

/// Would catch a creation that cannot be followed: what is worked on, since when, and how far it all is.
#[test]
fn a_creation_as_it_goes_on() {
    let shown = replay("create", USUAL, true);
    let expected = "  ⠙ StockTrendAnalysisRole     settling     0:15
  ⠙ ProcessStockDataRole       settling     0:11
  ⠙ ArchiveStockDataRole       settling     0:11
  ⠙ StockTrendAnalysis         creating     0:05
  ⠙ ProcessStockData           creating     0:01
  ⠙ ArchiveStockData           creating     0:01
  23 of 44 done   0:31
";
    assert_eq!(drawn(&shown, 31_000), expected);
    // More at once than there is room for.
    let (many, last) = (drawn(&shown, 14_000), drawn(&shown, 93_000));
    assert!(many.lines().count() == 11 && many.ends_with("    … and 4 more\n  5 of 44 done   0:14\n"), "{many}");
    assert_eq!(last, "  ⠙ Merge                      settling     0:57\n  43 of 44 done   1:33\n");
    let said = said(&shown);
    assert!(said.starts_with("  ✓ Database                   created      0:01\n"), "{said}");
    assert!(said.ends_with("  ✓ Merge                      created      1:00\n"), "{said}");
    assert_eq!(said.lines().count(), 44);
}

/// Would catch a failure that scrolls away among what was cancelled and what is undone.
#[test]
fn a_creation_that_fails() {
    let shown = replay("create_failed", USUAL, true);
    let said = said(&shown);
    let after: Vec<&str> = said.lines().skip_while(|line| !line.contains('✗')).collect();
    let expected = [
        "  ✗ ProcessStockDataMapping    failed       0:02",
        "    Cannot access stream arn:aws:kinesis:us-east-1:…9012:stream/stockpipe-stock…",
        "  ! rolling back, 1 failed, 8 cancelled because of it",
    ];
    assert_eq!(after, expected);
    let expected = "  ⠏ StockTrendAnalysisMapping  removing     0:08
  ⠏ ArchiveStockDataMapping    removing     0:08
  rolling back, 28 of 42 undone   0:50
";
    assert_eq!(drawn(&shown, 50_000), expected);
}

/// Would catch an update that says less, or other, than what was changed, and a rollback that fails in silence.
#[test]
fn an_update() {
    assert_eq!(said(&replay("update", USUAL, true)), "  ✓ ArchiveStockData  updated      0:11\n");
    let expected = "  ✓ StockDashboard    replaced     0:01
  ✗ ArchiveStockData  failed       0:02
    User: arn:aws:sts::…9012:assumed-role/Deployer/ann is not authorized to per…
  ! rolling back, 1 failed, 2 cancelled because of it
  ✗ ProcessStockData  not undone   0:02
    Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message:…
";
    assert_eq!(said(&replay("rollback_failed", USUAL, true)), expected);
}

/// Would catch an operation that somebody cancels being undone without a word why.
#[test]
fn a_cancelled_operation() {
    let began = Event::RollbackBegan { reason: Some("User Initiated\u{1b}".into()) };
    let said = View::new([]).said(&[began], &Board::new("a", 0), Timestamp::from_millis(0).unwrap(), Some(80));
    assert_eq!(said.iter().map(|line| plain(line)).collect::<Vec<_>>(), ["  ! rolling back: User Initiated\\u{1b}"]);
}

/// Would catch a removal that does not say what stays and what is left.
#[test]
fn a_removal() {
    let said = said(&replay("delete_failed", Size { width: 60, height: 24 }, true));
    let special: Vec<&str> = said.lines().filter(|line| !line.contains('✓')).collect();
    let expected = [
        "  ✗ ResultsBucket              failed       0:01",
        "    The bucket you tried to delete is not empty. You must d…",
        "  = DataBucket                 kept",
        "  = SignalsTable               kept",
        "  = QuotesTable                kept",
    ];
    assert_eq!(special, expected);
}

/// Would catch silence where there is no terminal, or a flood.
#[test]
fn plain_lines() {
    let shown = replay("create", USUAL, false);
    let began = shown[0].0.millis();
    let mut times = vec![began];
    times.extend(shown.iter().filter(|(_, said, _)| !said.is_empty()).map(|(now, ..)| now.millis()));
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] <= 10_000), "{times:?}");
    let said = said(&shown);
    let still: Vec<&str> = said.lines().filter(|line| !line.contains('✓')).collect();
    let expected = [
        "  39 of 44 done, 0:52: StockTrendAnalysisMapping creating 0:19, ProcessStockDataMapping creating 0:17, \
         ArchiveStockDataMapping creating 0:16 and 1 more",
        "  43 of 44 done, 1:26: Merge settling 0:50",
        "  43 of 44 done, 1:36: Merge settling 1:00",
    ];
    assert_eq!(still, expected);
    assert_eq!(said.lines().count(), 44 + expected.len());
}

/// Would catch a line that a terminal breaks, more lines than it has, and a panic: on terminals of any size.
#[test]
fn terminals_of_any_size() {
    for (name, ..) in FIXTURES {
        for (width, height) in [(1, 1), (10, 3), (20, 5), (40, 10), (44, 12), (80, 24), (200, 60)] {
            for (_, said, lines) in replay(name, Size { width, height }, true) {
                assert!(lines.len() < height.max(2), "{name} {width}x{height}: {lines:#?}");
                for line in said.iter().chain(&lines) {
                    assert!(style::width(line) <= width, "{name} {width}x{height}: {line:?}");
                }
            }
        }
    }
}

/// Would catch a clock's form that cannot be compared line by line.
#[test]
fn clocks() {
    let of = |seconds| clock(Duration::from_secs(seconds));
    assert_eq!([0, 6, 65, 3723].map(of), ["0:00", "0:06", "1:05", "1:02:03"]);
}
