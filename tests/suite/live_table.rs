//! The live table of `stream`, on a terminal that Python's `pty` makes.

use crate::harness::{Home, Running};
use serde_json::{Value, json};
use std::{
    env,
    io::Write,
    process::{Command, Stdio},
};

const SCRIPT: &str = include_str!("terminal.py");

/// The binary on a terminal.
struct Terminal(Running);

/// What a terminal shows, and what it was told so far.
#[derive(Debug)]
struct Screen(Value);

impl Terminal {
    fn start(home: &Home, size: [u16; 2], environment: &[(&str, &str)], arguments: &[&str]) -> Self {
        let script = home.write("terminal.py", SCRIPT);
        let mut command = Command::new("python3");
        command.arg(script).args(size.map(|n| n.to_string())).arg(env!("CARGO_BIN_EXE_stockpipe")).args(arguments);
        command.env_clear().env("PATH", env::var_os("PATH").unwrap_or_default()).current_dir(home.work());
        command.env("STOCKPIPE_HOME", home.home()).env("TMPDIR", home.tmp()).env("TERM", "xterm-256color");
        command.envs(environment.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(Running::start(command))
    }

    fn tell(&mut self, what: &Value) {
        writeln!(self.0.input(), "{what}").expect("the terminal");
    }

    fn until(&mut self, what: &str, so: impl Fn(&Screen) -> bool) {
        self.0.until(what, |running| Screen::newest(&running.stdout()).is_some_and(|screen| so(&screen)));
    }

    /// How it ends, by Ctrl-C.
    fn interrupted(mut self) -> Screen {
        self.tell(&json!({ "type": "\u{3}" }));
        Screen::newest(&self.0.end().expect(0).stdout).expect("a screen")
    }
}

impl Screen {
    fn newest(stdout: &str) -> Option<Self> {
        let (whole, _) = stdout.rsplit_once('\n')?;
        let line = whole.rsplit('\n').next()?;
        serde_json::from_str(line).ok().map(Self)
    }

    fn lines(&self) -> Vec<&str> {
        self.0["lines"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    }

    fn count(&self, text: &str) -> usize {
        self.lines().iter().filter(|line| line.contains(text)).count()
    }

    fn has(&self, text: &str) -> bool {
        self.count(text) > 0
    }

    /// Whether there is one table, whole: a heading, so many symbols, and a last line.
    fn is_one_table_of(&self, symbols: usize) -> bool {
        self.count("  symbol") == 1 && self.count("  SYN") == symbols && self.count("  sent ") == 1
    }

    #[track_caller]
    fn expect_whole(&self) {
        assert_eq!(self.0["broken"], json!([]), "{self:#?}");
        assert_eq!((&self.0["is_cursor_shown"], &self.0["is_at_start"]), (&true.into(), &true.into()), "{self:#?}");
        assert_eq!(self.0["code"], 0, "{self:#?}");
    }
}

/// Would catch a line that is broken or stays behind, be it for the terminal's new size or its `^C`; a table that is not
/// drawn to its end; a terminal that is not as it was.
#[test]
fn the_table_fits_the_terminal_and_is_left_whole() {
    let home = Home::up();
    let arguments = ["stream", "--source", "synthetic:5", "--interval", "50ms"];
    let mut terminal = Terminal::start(&home, [80, 24], &[], &arguments);
    terminal.until("the warm-up", |s| s.has("warming up ") && s.is_one_table_of(5));
    terminal.until("the averages", |s| !s.has("warming up ") && s.is_one_table_of(5));
    for size in [[160, 40], [40, 40], [81, 24], [30, 40], [120, 30]] {
        terminal.tell(&json!({ "size": size }));
        let width: usize = size[0];
        terminal.until("the new size", |s| {
            let widest = s.lines().iter().filter(|l| l.starts_with("  ")).map(|l| l.trim_end().chars().count()).max();
            // A narrow terminal's table is narrow, a wide one's has averages.
            s.is_one_table_of(5) && widest <= Some(width) && s.has("SMA-20") == (width >= 80)
        });
    }
    let screen = terminal.interrupted();
    screen.expect_whole();
    assert!(screen.is_one_table_of(5) && screen.0["is_coloured"] == true, "{screen:#?}");
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
    terminal.until("a full screen", |s| s.is_one_table_of(17) && s.has("… and 43 more"));
    terminal.tell(&json!({ "size": [80, 100] }));
    terminal.until("all symbols", |s| s.is_one_table_of(60) && !s.has("more"));
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
