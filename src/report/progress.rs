//! How far something long has come: a bar or a spinner on a terminal, now and then a plain line elsewhere.

use super::style::{self, visible};
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};

/// From one plain line to the next.
const PLAIN_EVERY: Duration = Duration::from_secs(10);
/// From one picture of the spinner to the next.
const TICK: Duration = Duration::from_millis(100);

// A message that is too long for the line is cut: a second line would not be cleared.
const BAR: &str = "{prefix}  {bar:16}  {human_pos} of {human_len}  {elapsed}  {wide_msg}";
const COUNTED: &str = "{spinner} {prefix}  {human_pos}  {elapsed}  {wide_msg}";
/// Where nothing is counted, or not yet: a 0 would say that nothing happens.
const UNCOUNTED: &str = "{spinner} {prefix}  {elapsed}  {wide_msg}";

fn set_template(bar: &ProgressBar, template: &str) {
    // The templates are right; were one not, the bar would look otherwise.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("━╸ "));
    }
}

/// The progress of one piece of work, on stderr. Dropped, it is cleared.
pub struct Progress {
    shown: Shown,
}

enum Shown {
    Terminal(ProgressBar),
    Plain(Plain),
}

impl Progress {
    /// Begins: a bar where the total is known, a spinner otherwise. `what` is what is done, such as `replay a.csv`.
    #[must_use]
    pub fn new(what: &str, total: Option<u64>) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self { shown: Shown::Plain(Plain::new(what, total, Instant::now())) };
        }
        let (bar, template) = match total {
            Some(total) => (ProgressBar::new(total), BAR),
            None => (ProgressBar::new_spinner(), UNCOUNTED),
        };
        set_template(&bar, template);
        bar.set_prefix(visible(what).into_owned());
        bar.enable_steady_tick(TICK);
        Self { shown: Shown::Terminal(bar) }
    }

    /// So much is done. Call it often: a plain line comes out of a call, never on its own.
    pub fn set(&mut self, done: u64) {
        match &mut self.shown {
            Shown::Terminal(bar) => {
                if bar.length().is_none() && bar.position() == 0 && done > 0 {
                    set_template(bar, COUNTED);
                }
                bar.set_position(done);
            }
            Shown::Plain(plain) => {
                plain.done = done;
                plain.say();
            }
        }
    }

    /// What is going on now.
    pub fn message(&mut self, text: &str) {
        match &mut self.shown {
            Shown::Terminal(bar) => bar.set_message(visible(text).into_owned()),
            Shown::Plain(plain) => {
                plain.message = visible(text).into_owned();
                plain.say();
            }
        }
    }

    /// Prints a line to stderr, above the bar.
    pub fn say(&self, line: &str) {
        match &self.shown {
            Shown::Terminal(bar) => bar.suspend(|| style::say(line)),
            Shown::Plain(_) => style::say(line),
        }
    }

    /// Ends, and leaves nothing on the terminal; what came of the work is for the caller to say.
    pub fn finish(self) {
        drop(self);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Shown::Terminal(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }
}

/// What the plain lines say, and when.
struct Plain {
    what: String,
    total: Option<u64>,
    began: Instant,
    /// When the last line was due.
    said: Instant,
    done: u64,
    message: String,
}

impl Plain {
    fn new(what: &str, total: Option<u64>, now: Instant) -> Self {
        Self { what: visible(what).into_owned(), total, began: now, said: now, done: 0, message: String::new() }
    }

    fn say(&mut self) {
        if let Some(line) = self.line(Instant::now()) {
            style::say(&line);
        }
    }

    /// A line, where one is due.
    fn line(&mut self, now: Instant) -> Option<String> {
        if now.duration_since(self.said) < PLAIN_EVERY {
            return None;
        }
        self.said = now;
        let done = match self.total {
            Some(total) => format!("{} of {}", style::count(self.done), style::count(total)),
            None if self.done > 0 => style::count(self.done),
            None => String::new(),
        };
        let time = style::elapsed(now.duration_since(self.began));
        let parts = [done, time, self.message.clone()];
        let parts: Vec<&str> = parts.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
        Some(format!("{}: {}", self.what, parts.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_line_every_ten_seconds() {
        let began = Instant::now();
        let after = |seconds| began + Duration::from_secs(seconds);
        let mut plain = Plain::new("replay a.csv", Some(50_000), began);
        plain.done = 12_345;
        assert_eq!(plain.line(after(9)), None);
        assert_eq!(plain.line(after(10)).as_deref(), Some("replay a.csv: 12,345 of 50,000, 10 s"));
        assert_eq!(plain.line(after(19)), None);
        plain.message = "waiting".into();
        assert_eq!(plain.line(after(65)).as_deref(), Some("replay a.csv: 12,345 of 50,000, 1:05, waiting"));
        let mut endless = Plain::new("up\u{1b}", None, began);
        assert_eq!(endless.line(after(10)).as_deref(), Some("up\\u{1b}: 10 s"));
        endless.done = 5;
        assert_eq!(endless.line(after(20)).as_deref(), Some("up\\u{1b}: 5, 20 s"));
    }

    #[test]
    fn the_bar_s_templates_are_understood() {
        for template in [BAR, COUNTED, UNCOUNTED] {
            assert!(ProgressStyle::with_template(template).is_ok());
        }
    }
}
