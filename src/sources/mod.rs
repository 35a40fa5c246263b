//! Where quotes come from.
//!
//! A source says which quotes are due, in the order in which they are to be sent; sending them, counting them and
//! stopping after `--for` or Ctrl-C is left to the caller.

mod bars;
mod lines;
mod pace;
pub mod replay;
mod sessions;
pub mod synthetic;
pub mod yahoo;

pub use pace::{Speed, parse_duration};

use pipeline::{Quote, Symbol, Timestamp};
use replay::Replay;
use std::{
    path::PathBuf,
    str::FromStr,
    time::{Duration, Instant},
};
use synthetic::Synthetic;
use yahoo::Yahoo;

/// Something for the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outgoing {
    /// A quote, marked and stamped.
    Quote(Quote),
    /// A line that the source cannot read: it goes onto the stream as it is, so that process sets it aside with its
    /// reason and nothing is lost.
    Raw {
        /// The partition key: the line's symbol where it has a text for one, else `?`.
        key: String,
        /// The line, without its line end.
        bytes: Vec<u8>,
    },
}

/// What a source does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// There may be more at once.
    More,
    /// The next quotes are due then.
    WaitUntil(Instant),
    /// There is no more.
    End,
}

/// Where quotes come from. It may block, and runs on a thread of its own.
pub trait Source: Send {
    /// Appends the quotes that are due, at most `limit`, in the order in which they are to be sent. `now` is when
    /// they are sent: their `ingested_at`.
    ///
    /// # Errors
    /// When the source itself fails; a bad line is no failure, see [`Outgoing::Raw`].
    fn next(&mut self, now: Timestamp, limit: usize, out: &mut Vec<Outgoing>) -> Result<Flow, SourceError>;

    /// Its name for people, such as `replay daily.csv`.
    fn name(&self) -> String;

    /// How many quotes it has in all, where it knows.
    fn total(&self) -> Option<u64>;

    /// Which symbols it has, in the order in which they are to be shown; none where only their quotes will say.
    fn symbols(&self) -> Vec<Symbol>;

    /// What is to be said since the last call: the same thing once, not at every poll. It may hold something back to
    /// say more of it together, but at the end there is no later.
    fn notes(&mut self, _is_end: bool) -> Vec<Note> {
        Vec::new()
    }

    /// Of which symbols no quote came, when it ends.
    fn missed(&self) -> Missed {
        Missed::default()
    }
}

/// Something that a source says of itself while it goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What happened, to what, and why.
    pub text: String,
    /// What follows, or can be done.
    pub hint: Option<String>,
    /// Whether something is wrong; otherwise it is good to know.
    pub is_warning: bool,
}

/// Symbols that a source was asked for, and gave no quote of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Missed {
    /// It does not know these.
    pub unknown: Vec<Symbol>,
    /// These it may know, but could never say.
    pub unanswered: Vec<Symbol>,
    /// How many it was asked for; 0 where it does not take symbols.
    pub asked: usize,
}

/// A source that cannot go on.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {cause}")]
pub struct SourceError {
    /// The file or place.
    pub what: String,
    /// What is wrong with it.
    pub cause: String,
    /// What can be done.
    pub hint: Option<&'static str>,
}

/// A text that is nothing the option takes. It does not repeat the text: whoever shows it names the option.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArgumentError {
    /// No source.
    #[error(
        "not a source: yahoo, replay:FILE (`-` is standard input), synthetic or synthetic:SYMBOLS (1 to 100000 of them)"
    )]
    Source,
    /// No speed.
    #[error("not max, realtime or a multiple such as 10x (0.001x to 1000000x)")]
    Speed,
    /// No duration.
    #[error("not a duration such as 500ms, 30s, 5m, 1h or 7d")]
    Duration,
}

/// Which source: what `--source` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceSpec {
    /// Live quotes of Yahoo.
    Yahoo,
    /// A file of recorded quotes; `-` is standard input.
    Replay(PathBuf),
    /// A seeded random walk.
    Synthetic {
        /// How many symbols walk, where it says so.
        symbols: Option<u32>,
    },
}

impl FromStr for SourceSpec {
    type Err = ArgumentError;

    fn from_str(text: &str) -> Result<Self, ArgumentError> {
        let (kind, detail) = match text.split_once(':') {
            Some((kind, detail)) => (kind, Some(detail)),
            None => (text, None),
        };
        match (kind, detail) {
            ("yahoo", None) => Ok(Self::Yahoo),
            ("replay", Some(file)) if !file.is_empty() => Ok(Self::Replay(file.into())),
            ("synthetic", None) => Ok(Self::Synthetic { symbols: None }),
            ("synthetic", Some(symbols)) => match symbols.parse() {
                Ok(symbols) if (1..=synthetic::MOST_SYMBOLS).contains(&symbols) => {
                    Ok(Self::Synthetic { symbols: Some(symbols) })
                }
                _ => Err(ArgumentError::Source),
            },
            _ => Err(ArgumentError::Source),
        }
    }
}

/// How a source is to run.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceOptions {
    /// Yahoo: what is asked for. A replay: its quotes of these alone, of all where there are none. Synthetic: what the
    /// walks are called.
    pub symbols: Vec<Symbol>,
    /// Whether the signals of its quotes are published.
    pub alert: bool,
    /// How fast.
    pub speed: Speed,
    /// Synthetic: from step to step, in whole milliseconds. Yahoo: from poll to poll.
    pub interval: Duration,
    /// Synthetic: how many quotes there are in all. A replay leaves it to the caller to stop.
    pub count: Option<u64>,
    /// Synthetic: the market time of the first step, where it is not to follow from the clock.
    pub start: Option<Timestamp>,
    /// Synthetic: what fixes the prices.
    pub seed: u64,
}

impl Default for SourceOptions {
    fn default() -> Self {
        Self {
            symbols: Vec::new(),
            alert: false,
            speed: Speed::Max,
            interval: Duration::from_secs(1),
            count: None,
            start: None,
            seed: 0,
        }
    }
}

/// The source, ready to run.
///
/// # Errors
/// When its file cannot be opened, its address is none, or the options contradict each other.
pub fn open(spec: &SourceSpec, options: SourceOptions) -> Result<Box<dyn Source>, SourceError> {
    Ok(match spec {
        SourceSpec::Yahoo => Box::new(Yahoo::open(options)?),
        SourceSpec::Replay(file) => Box::new(Replay::open(file, options)?),
        SourceSpec::Synthetic { symbols } => Box::new(Synthetic::open(*symbols, options)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_by_name() {
        let spec = |text: &str| text.parse::<SourceSpec>();
        assert_eq!(spec("yahoo"), Ok(SourceSpec::Yahoo));
        assert_eq!(spec("replay:data/a:b.csv"), Ok(SourceSpec::Replay("data/a:b.csv".into())));
        assert_eq!(spec("replay:-"), Ok(SourceSpec::Replay("-".into())));
        assert_eq!(spec("synthetic"), Ok(SourceSpec::Synthetic { symbols: None }));
        assert_eq!(spec("synthetic:100000"), Ok(SourceSpec::Synthetic { symbols: Some(100_000) }));
        for text in [
            "",
            "yahoo:",
            "yahoo:AAPL",
            "replay",
            "replay:",
            "synthetic:",
            "synthetic:0",
            "synthetic:100001",
            "synthetic:AAPL",
            "csv",
        ] {
            assert_eq!(spec(text), Err(ArgumentError::Source), "{text}");
        }
        assert!(ArgumentError::Source.to_string().contains("replay:FILE"));
    }
}
