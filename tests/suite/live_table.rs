//! The live table of `stream`, on a terminal.

use crate::{
    harness::Home,
    terminal::{Screen, Terminal},
};
use serde_json::json;

/// Whether there is one table, whole: a heading, so many symbols, and a last line.
fn is_one_table_of(screen: &Screen, symbols: usize) -> bool {
    screen.count("  symbol") == 1 && screen.count("  SYN") == symbols && screen.count("  sent ") == 1
}

/// Would catch a line that is broken or stays behind, be it for the terminal's new size or its `^C`; a table that is not
/// drawn to its end; a terminal that is not as it was.
#[test]
fn the_table_fits_the_terminal_and_is_left_whole() {
    let home = Home::up();
    let arguments = ["stream", "--source", "synthetic:5", "--interval", "50ms"];
    let mut terminal = Terminal::start(&home, [80, 24], &[], &arguments);
    terminal.until("the warm-up", |s| s.has("warming up ") && is_one_table_of(s, 5));
    terminal.until("the averages", |s| !s.has("warming up ") && is_one_table_of(s, 5));
    for size in [[160, 40], [40, 40], [81, 24], [30, 40], [120, 30]] {
        terminal.tell(&json!({ "size": size }));
        let width: usize = size[0];
        terminal.until("the new size", |s| {
            let widest = s.lines().iter().filter(|l| l.starts_with("  ")).map(|l| l.trim_end().chars().count()).max();
            // A narrow terminal's table is narrow, a wide one's has averages.
            is_one_table_of(s, 5) && widest <= Some(width) && s.has("SMA-20") == (width >= 80)
        });
    }
    let screen = terminal.interrupted();
    screen.expect_whole();
    assert!(is_one_table_of(&screen, 5) && screen.0["is_coloured"] == true, "{screen:#?}");
    let lines = screen.lines();
    let [.., table, summary, _time, next, ""] = lines.as_slice() else { panic!("{lines:#?}") };
    let sent = table.trim_start().strip_prefix("sent ").and_then(|rest| rest.split_once(' ')).map(|(sent, _)| sent);
    let sent = sent.unwrap_or_else(|| panic!("{lines:#?}"));
    assert!(table.contains(&format!("   stored {sent}   lag 0   put → stored ")), "{lines:#?}");
    assert!(summary.starts_with("drained ") && summary.contains(&format!(" {sent} sent, {sent} stored")), "{lines:#?}");
    assert!(next.starts_with("Next: "), "{lines:#?}");
}

/// Would catch a table that the terminal scrolls, rows that are dropped in silence, colours that nobody wants.
#[test]
fn more_symbols_than_lines_are_counted() {
    let home = Home::up();
    let arguments = ["stream", "--source", "synthetic:60", "--interval", "50ms"];
    let mut terminal = Terminal::start(&home, [80, 24], &[("NO_COLOR", "1")], &arguments);
    terminal.until("a full screen", |s| is_one_table_of(s, 17) && s.has("… and 43 more"));
    terminal.tell(&json!({ "size": [80, 100] }));
    terminal.until("all symbols", |s| is_one_table_of(s, 60) && !s.has("more"));
    let screen = terminal.interrupted();
    screen.expect_whole();
    assert_eq!(screen.0["is_coloured"], false, "{screen:#?}");
}

/// Would catch a table that knows only what its own process handled, or forgets what was before it began.
#[test]
fn the_table_shows_what_other_processes_stored() {
    let home = Home::up();
    let stream = |rest: &[&'static str]| [&["stream", "--source", "synthetic", "--interval"], rest].concat();
    home.ok(stream(&["10ms", "--count", "25", "A"]));
    let mut other = home.start(stream(&["100ms", "B"]));
    other.until("its quotes", |running| running.stdout().lines().count() > 2);
    let mut terminal = Terminal::start(&home, [120, 24], &[], &stream(&["50ms", "A", "C"]));
    terminal.until("who stores", |s| s.has(&format!("stored by process {}", other.id())));
    terminal.until("history of one and not of the other", |s| {
        let of = |symbol: &str| s.lines().into_iter().find(|line| line.starts_with(symbol)).map(str::to_owned);
        of("  A ").is_some_and(|a| !a.contains("warming up")) && of("  C ").is_some_and(|c| c.contains("warming up"))
    });
    terminal.until("averages of both", |s| !s.has("warming up") && s.has("  A ") && s.has("  C ") && !s.has("  B "));
    let screen = terminal.interrupted();
    screen.expect_whole();
    other.signal("INT");
    other.end().expect(0);
}

/// Would catch escape characters on a terminal that does not know them.
#[test]
fn a_terminal_that_cannot_move_its_cursor_gets_lines() {
    let home = Home::up();
    let arguments = ["stream", "--source", "synthetic:1", "--interval", "10ms", "--count", "5"];
    let terminal = Terminal::start(&home, [80, 24], &[("TERM", "dumb")], &arguments);
    let screen = Screen::newest(&terminal.0.end().expect(0).stdout).expect("a screen");
    screen.expect_whole();
    assert_eq!((screen.count("Z  SYN00000"), screen.count("  symbol")), (5, 0), "{screen:#?}");
}
