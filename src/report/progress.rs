//! How far something long has come: a bar or a spinner on a terminal, now and then a plain line elsewhere.

use super::{
    pane::{Pane, Size},
    style::{self, visible},
    table::cut,
};
use std::time::{Duration, Instant};
use unicode_width::UnicodeWidthStr;

/// From one plain line to the next.
const PLAIN_EVERY: Duration = Duration::from_secs(10);
/// From one picture to the next.
const DRAWN_EVERY: Duration = Duration::from_millis(100);
/// What a spinner looks like, one after the other.
const SPINNER: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
/// Columns of a bar where there is room.
const BAR: usize = 16;

/// The progress of one piece of work, on stderr. Dropped, it is cleared.
pub struct Progress {
    work: Work,
    shown: Shown,
}

enum Shown {
    Terminal {
        pane: Pane,
        drawn: Instant,
    },
    Plain {
        /// When the last line was due.
        said: Instant,
    },
}

impl Progress {
    /// Begins: a bar where the total is known, a spinner otherwise. `what` is what is done, such as `replay a.csv`.
    #[must_use]
    pub fn new(what: &str, total: Option<u64>) -> Self {
        let began = Instant::now();
        let shown = if Pane::is_possible() {
            Shown::Terminal { pane: Pane::new(), drawn: began }
        } else {
            Shown::Plain { said: began }
        };
        Self { work: Work::new(what, total, began), shown }
    }

    /// So much is done. Call it often: what is shown comes out of a call, never on its own.
    pub fn set(&mut self, done: u64) {
        self.work.done = done;
        self.show();
    }

    /// What is going on now.
    pub fn message(&mut self, text: &str) {
        self.work.message = visible(text).into_owned();
        self.show();
    }

    /// Prints a line to stderr, above the bar.
    pub fn say(&mut self, line: &str) {
        match &mut self.shown {
            Shown::Terminal { pane, .. } => pane.say(line),
            Shown::Plain { .. } => style::say(line),
        }
    }

    /// Ends, and leaves nothing on the terminal; what came of the work is for the caller to say.
    pub fn finish(self) {
        drop(self);
    }

    fn show(&mut self) {
        let now = Instant::now();
        match &mut self.shown {
            Shown::Terminal { pane, drawn } => {
                if now.duration_since(*drawn) >= DRAWN_EVERY {
                    *drawn = now;
                    pane.show(vec![self.work.picture(now, Size::now().width)]);
                }
            }
            Shown::Plain { said } => {
                if now.duration_since(*said) >= PLAIN_EVERY {
                    *said = now;
                    style::say(&self.work.line(now));
                }
            }
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Shown::Terminal { pane, .. } = &mut self.shown {
            pane.clear();
        }
    }
}

/// How far it is.
struct Work {
    what: String,
    total: Option<u64>,
    began: Instant,
    done: u64,
    message: String,
}

impl Work {
    fn new(what: &str, total: Option<u64>, began: Instant) -> Self {
        Self { what: visible(what).into_owned(), total, began, done: 0, message: String::new() }
    }

    /// How much of how much; nothing where nothing is counted, or not yet: a 0 would say that nothing happens.
    fn counted(&self) -> String {
        match self.total {
            Some(total) => format!("{} of {}", style::count(self.done), style::count(total)),
            None if self.done > 0 => style::count(self.done),
            None => String::new(),
        }
    }

    /// A plain line.
    fn line(&self, now: Instant) -> String {
        let time = style::elapsed(now.duration_since(self.began));
        let parts = [self.counted(), time, self.message.clone()];
        let parts: Vec<&str> = parts.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
        format!("{}: {}", self.what, parts.join(", "))
    }

    /// A line with a bar or a spinner, no wider than this; the bar gives way to the texts.
    fn picture(&self, now: Instant, width: usize) -> String {
        let elapsed = now.duration_since(self.began);
        let time = style::elapsed(Duration::from_secs(elapsed.as_secs().max(1)));
        let parts = [self.counted(), time, self.message.clone()];
        let parts: String = parts.iter().filter(|part| !part.is_empty()).map(|part| format!("  {part}")).collect();
        let line = match self.total {
            Some(total) => {
                let bar = BAR.min(width.saturating_sub(self.what.width() + 2 + parts.width()));
                let full = (self.done.min(total) as f64 / total.max(1) as f64 * bar as f64) as usize;
                format!("{}  {:<bar$}{parts}", self.what, "━".repeat(full))
            }
            None => {
                let picture = elapsed.as_millis() / DRAWN_EVERY.as_millis() % SPINNER.len() as u128;
                format!("{} {}{parts}", SPINNER.get(picture as usize).unwrap_or(&' '), self.what)
            }
        };
        cut(&line, width).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_lines() {
        let began = Instant::now();
        let after = |seconds| began + Duration::from_secs(seconds);
        let mut work = Work::new("replay a.csv", Some(50_000), began);
        work.done = 12_345;
        assert_eq!(work.line(after(10)), "replay a.csv: 12,345 of 50,000, 10 s");
        work.message = "waiting".into();
        assert_eq!(work.line(after(65)), "replay a.csv: 12,345 of 50,000, 1:05, waiting");
        let mut endless = Work::new("up\u{1b}", None, began);
        assert_eq!(endless.line(after(10)), "up\\u{1b}: 10 s");
        endless.done = 5;
        assert_eq!(endless.line(after(20)), "up\\u{1b}: 5, 20 s");
    }

    #[test]
    fn bars_and_spinners() {
        let began = Instant::now();
        let after = |millis| began + Duration::from_millis(millis);
        let mut work = Work::new("replay a.csv", Some(1000), began);
        work.done = 500;
        assert_eq!(work.picture(after(300), 80), "replay a.csv  ━━━━━━━━          500 of 1,000  1 s");
        assert_eq!(work.picture(after(300), 40), "replay a.csv  ━━━      500 of 1,000  1 s");
        work.done = 2000;
        assert_eq!(work.picture(after(65_000), 80), "replay a.csv  ━━━━━━━━━━━━━━━━  2,000 of 1,000  1:05");
        work.total = None;
        assert_eq!(work.picture(after(2200), 80), "⠹ replay a.csv  2,000  2 s");
        work.message = "storing 7".into();
        for width in 0..60 {
            let picture = work.picture(after(100), width);
            assert!(picture.width() <= width.max(1), "{width}: {picture}");
        }
        assert_eq!(Work::new("", Some(0), began).picture(began, 80).matches('━').count(), 0);
    }
}
