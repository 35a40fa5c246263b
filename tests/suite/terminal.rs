//! The binary on a terminal that Python's `pty` makes.

use crate::harness::{Home, Running};
use serde_json::{Value, json};
use std::{
    env,
    io::Write,
    process::{Command, Stdio},
};

const SCRIPT: &str = include_str!("terminal.py");

/// The binary on a terminal.
pub struct Terminal(pub Running);

/// What a terminal shows, and what it was told so far.
#[derive(Debug)]
pub struct Screen(pub Value);

impl Terminal {
    /// Starts it, on a terminal of so many columns and lines.
    pub fn start(home: &Home, size: [u16; 2], environment: &[(&str, &str)], arguments: &[&str]) -> Self {
        let script = home.write("terminal.py", SCRIPT);
        let mut command = Command::new("python3");
        command.arg(script).args(size.map(|n| n.to_string())).arg(env!("CARGO_BIN_EXE_stockpipe")).args(arguments);
        command.env_clear().env("PATH", env::var_os("PATH").unwrap_or_default()).current_dir(home.work());
        command.env("STOCKPIPE_HOME", home.home()).env("TMPDIR", home.tmp()).env("TERM", "xterm-256color");
        command.envs(environment.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(Running::start(command))
    }

    /// Types a text, or changes the size.
    pub fn tell(&mut self, what: &Value) {
        writeln!(self.0.input(), "{what}").expect("the terminal");
    }

    /// Waits until the screen is so.
    pub fn until(&mut self, what: &str, so: impl Fn(&Screen) -> bool) {
        self.0.until(what, |running| Screen::newest(&running.stdout()).is_some_and(|screen| so(&screen)));
    }

    /// How it ends, by Ctrl-C.
    pub fn interrupted(mut self) -> Screen {
        self.tell(&json!({ "type": "\u{3}" }));
        Screen::newest(&self.0.end().expect(0).stdout).expect("a screen")
    }
}

impl Terminal {
    /// How it ends by itself.
    pub fn ended(self) -> Screen {
        Screen::newest(&self.0.end().stdout).expect("a screen")
    }
}

impl Screen {
    /// The last that was shown.
    pub fn newest(stdout: &str) -> Option<Self> {
        let (whole, _) = stdout.rsplit_once('\n')?;
        let line = whole.rsplit('\n').next()?;
        serde_json::from_str(line).ok().map(Self)
    }

    /// Its lines.
    pub fn lines(&self) -> Vec<&str> {
        self.0["lines"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// How many lines have this text.
    pub fn count(&self, text: &str) -> usize {
        self.lines().iter().filter(|line| line.contains(text)).count()
    }

    /// Whether a line has this text.
    pub fn has(&self, text: &str) -> bool {
        self.count(text) > 0
    }

    /// Ends the test unless the terminal is as it was, and the command ended well.
    #[track_caller]
    pub fn expect_whole(&self) {
        assert_eq!(self.0["broken"], json!([]), "{self:#?}");
        assert_eq!((&self.0["is_cursor_shown"], &self.0["is_at_start"]), (&true.into(), &true.into()), "{self:#?}");
        assert_eq!(self.0["code"], 0, "{self:#?}");
    }
}
