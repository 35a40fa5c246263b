//! The lowest lines of a terminal: drawn anew in place, and what is said meanwhile appears above them.
//!
//! The cursor waits at the beginning of the line below. So what somebody else writes there (the terminal its `^C`, a
//! panic its message) has a line of its own, and whichever way the process ends, the terminal is as it was: nothing is
//! hidden or switched off that had to be put back. Libraries of progress bars leave the cursor at the end of a line that
//! the terminal may have broken, and cannot tell after a resize how many lines theirs have become.

use super::style;
use std::{
    env,
    fmt::Write as _,
    io::{self, IsTerminal, Write as _},
    panic,
    sync::{
        Once,
        atomic::{AtomicUsize, Ordering},
    },
};
use terminal_size::{Height, Width, terminal_size_of};

/// Goes up when a panic's message is about to be written, and when it is.
static PANICS: AtomicUsize = AtomicUsize::new(0);

/// What a terminal measures that does not say so.
const USUAL_SIZE: Size = Size { width: 80, height: 24 };

/// Columns and lines of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Columns, not 0.
    pub width: usize,
    /// Lines, not 0.
    pub height: usize,
}

impl Size {
    /// Of the terminal that stderr is, now.
    #[must_use]
    pub fn now() -> Self {
        terminal_size_of(io::stderr())
            .map(|(Width(width), Height(height))| Self { width: width.into(), height: height.into() })
            .filter(|size| size.width > 0 && size.height > 0)
            .unwrap_or(USUAL_SIZE)
    }
}

/// Lines on stderr that are drawn anew in place.
#[derive(Debug)]
pub struct Pane {
    lines: Vec<String>,
    /// Whether `lines` are right above the cursor.
    is_drawn: bool,
    /// How many panics there were by then.
    panics: usize,
}

impl Pane {
    /// Without lines.
    #[must_use]
    pub fn new() -> Self {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            let say = panic::take_hook();
            panic::set_hook(Box::new(move |panic| {
                PANICS.fetch_add(1, Ordering::AcqRel);
                say(panic);
                PANICS.fetch_add(1, Ordering::AcqRel);
            }));
        });
        Self { lines: Vec::new(), is_drawn: false, panics: PANICS.load(Ordering::Acquire) }
    }

    /// Whether stderr is a terminal on which the cursor can be moved.
    #[must_use]
    pub fn is_possible() -> bool {
        let obeys = cfg!(windows) || env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb");
        obeys && io::stderr().is_terminal()
    }

    /// Shows these lines instead of those before; nothing happens where they are the same. They may be styled, and are
    /// to be no wider than the terminal, and fewer than it has lines.
    pub fn show(&mut self, lines: Vec<String>) {
        // A panic's message that is being written has an odd number.
        let is_panicking = PANICS.load(Ordering::Acquire) % 2 == 1;
        if !is_panicking && (!self.is_drawn || lines != self.lines) {
            self.draw("", lines);
        }
    }

    /// Says a line above the others, for good.
    pub fn say(&mut self, line: &str) {
        let lines = self.lines.clone();
        self.draw(&format!("{line}\n"), lines);
    }

    /// Draws the lines once more, for good: what a terminal wrote below them, such as `^C`, goes.
    pub fn finish(mut self) {
        if self.is_drawn {
            self.draw("", self.lines.clone());
        }
    }

    /// Takes the lines away.
    pub fn clear(&mut self) {
        if self.is_drawn && !self.lines.is_empty() {
            self.draw("", Vec::new());
        }
    }

    /// Leaves the lines where they are, as what is above the cursor is no longer known: the next ones are drawn below.
    pub fn leave(&mut self) {
        self.is_drawn = false;
    }

    fn draw(&mut self, above: &str, lines: Vec<String>) {
        let panics = PANICS.load(Ordering::Acquire);
        // A panic's message is not to be erased: all goes on below it.
        self.is_drawn &= panics == self.panics;
        self.panics = panics;
        let drawn: &[String] = if self.is_drawn { &self.lines } else { &[] };
        let mut text = format!("{above}{}", lines.iter().map(|line| format!("{line}\n")).collect::<String>());
        if anstream::AutoStream::choice(&io::stderr()) == anstream::ColorChoice::Never {
            text = anstream::adapter::strip_str(&text).to_string();
        }
        // In one piece, so that nobody sees half of it or writes in between.
        let picture = picture(drawn, &text, Size::now().width);
        let mut stderr = io::stderr().lock();
        // As for `style::say`: nobody can be told that stderr is gone.
        let _ = stderr.write_all(picture.as_bytes()).and_then(|()| stderr.flush());
        (self.lines, self.is_drawn) = (lines, true);
    }
}

/// What replaces the lines that were drawn above the cursor with a text.
fn picture(drawn: &[String], text: &str, width: usize) -> String {
    // A terminal that has become narrower has broken the lines anew.
    let rows = |line: &String| style::width(line).div_ceil(width.max(1)).max(1);
    let up: usize = drawn.iter().map(rows).sum();
    // Where it is understood, all between the first and the last of these is shown at once.
    let mut picture = String::from("\x1b[?2026h\r");
    if up > 0 {
        // Writing to a string cannot fail.
        let _ = write!(picture, "\x1b[{up}A");
    }
    picture.extend(["\x1b[J", text, "\x1b[?2026l"]);
    picture
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(drawn: &[&str], text: &str, width: usize) -> String {
        let drawn: Vec<String> = drawn.iter().map(|line| (*line).into()).collect();
        picture(&drawn, text, width).replace("\x1b[?2026h", "").replace("\x1b[?2026l", "").replace('\x1b', "^")
    }

    /// Would catch lines that stay behind, or lines of others that are erased.
    #[test]
    fn what_was_drawn_is_replaced() {
        assert_eq!(plain(&[], "a\n", 80), "\r^[Ja\n");
        assert_eq!(plain(&["one", "two", ""], "a\n", 80), "\r^[3A^[Ja\n");
        // Narrower by now: two rows for the first, one for what just fits; colours have no width.
        assert_eq!(plain(&["▲▲▲▲▲▲", "five5", "\x1b[1mbold5\x1b[0m"], "", 5), "\r^[4A^[J");
        assert_eq!(plain(&["a"], "", 0), "\r^[1A^[J");
    }
}
