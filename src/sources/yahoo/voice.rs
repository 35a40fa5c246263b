//! What is said of symbols: those of which the same is to be said are named together.

use super::polls::Watched;
use crate::sources::Note;
use std::time::{Duration, Instant};

/// So long something waits for more of its kind.
const GATHER: Duration = Duration::from_secs(1);
/// More symbols than this are not named one by one.
const NAMED: usize = 8;

/// What is still to be said.
#[derive(Debug, Default)]
pub(super) struct Voice {
    since: Option<Instant>,
    /// Each cause, and for whom.
    failed: Vec<(String, Vec<usize>)>,
    unknown: Vec<(String, Vec<usize>)>,
    recovered: Vec<usize>,
    quiet: Vec<usize>,
    /// Why there is no answer for anyone.
    outages: Vec<String>,
    /// For how long there was none.
    back: Option<Duration>,
    /// For how long nothing ran, and how many polls fell into that time.
    stopped: Option<(Duration, u128)>,
    overrun: bool,
}

impl Voice {
    pub(super) fn failed(&mut self, at: usize, why: String, clock: Instant) {
        self.since.get_or_insert(clock);
        self.recovered.retain(|other| *other != at);
        group(&mut self.failed, at, why);
    }

    pub(super) fn unknown(&mut self, at: usize, why: String, clock: Instant) {
        self.since.get_or_insert(clock);
        group(&mut self.unknown, at, why);
    }

    pub(super) fn recovered(&mut self, at: usize, clock: Instant) {
        self.since.get_or_insert(clock);
        self.recovered.push(at);
    }

    pub(super) fn quiet(&mut self, at: usize, clock: Instant) {
        self.since.get_or_insert(clock);
        self.quiet.push(at);
    }

    pub(super) fn is_out(&mut self, why: String, clock: Instant) {
        self.since.get_or_insert(clock);
        self.back = None;
        self.outages.push(why);
    }

    pub(super) fn is_back(&mut self, after: Duration, clock: Instant) {
        self.since.get_or_insert(clock);
        self.back = Some(after);
    }

    pub(super) fn was_stopped(&mut self, unseen: Duration, missed: u128, clock: Instant) {
        self.since.get_or_insert(clock);
        self.stopped = Some((unseen, missed));
    }

    pub(super) fn overrun(&mut self, clock: Instant) {
        self.since.get_or_insert(clock);
        self.overrun = true;
    }

    /// Whether anything waits to be said.
    pub(super) fn has_something(&self) -> bool {
        self.since.is_some()
    }

    /// Whether it has waited long enough.
    pub(super) fn is_due(&self, clock: Instant) -> bool {
        self.since.is_some_and(|since| clock.duration_since(since) >= GATHER)
    }

    /// All of it. `again` is how long it is until the next request.
    pub(super) fn notes(mut self, symbols: &[Watched], again: Duration) -> Vec<Note> {
        // As they were typed, whichever answer was the fastest.
        let groups = self.failed.iter_mut().chain(&mut self.unknown).map(|(_, of)| of);
        groups.chain([&mut self.recovered, &mut self.quiet]).for_each(|of| of.sort_unstable());
        let well = symbols.iter().filter(|w| !w.unknown && w.trouble.is_none()).count();
        let others = match well {
            0 => String::new(),
            1 => "the other symbol goes on; ".into(),
            n => format!("the other {n} symbols go on; "),
        };
        let names = |of: &[usize]| named(of.iter().filter_map(|at| symbols.get(*at)).map(|w| &*w.symbol));
        let mut notes = Vec::new();
        let good_to_know = |text: String| Note { text, hint: None, is_warning: false };
        if let Some((unseen, missed)) = self.stopped {
            let polls = if missed == 1 { "poll of yahoo is" } else { "polls of yahoo are" };
            notes.push(good_to_know(format!(
                "nothing ran for {}, asleep or held up: {missed} {polls} left out",
                duration(unseen)
            )));
        }
        for (why, of) in &self.unknown {
            let share_class = of.iter().filter_map(|at| symbols.get(*at)).find_map(|w| share_class(&w.symbol));
            let hint = share_class.map_or_else(
                || "look it up at https://finance.yahoo.com/lookup".into(),
                |meant| format!("did you mean {meant}?"),
            );
            notes.push(Note {
                text: format!("no quote for {} at yahoo: {}", names(of), uncapitalised(why)),
                hint: Some(format!("{others}{hint}")),
                is_warning: true,
            });
        }
        let asks_less = |why: &str| if why.contains("429") { "; a longer --interval asks less often" } else { "" };
        for why in &self.outages {
            let all = names_of_all(symbols);
            notes.push(Note {
                text: format!("no quote for {all} at yahoo: {why}"),
                hint: Some(format!(
                    "the next try is in {}, later ones at most 5 min apart{}",
                    duration(again),
                    asks_less(why)
                )),
                is_warning: true,
            });
        }
        for (why, of) in &self.failed {
            notes.push(Note {
                text: format!("no quote for {} at yahoo: {why}", names(of)),
                hint: Some(format!("{others}the next try is in {}{}", duration(again), asks_less(why))),
                is_warning: true,
            });
        }
        if !self.recovered.is_empty() {
            let text = format!("yahoo answers again for {}", names(&self.recovered));
            notes.push(good_to_know(text));
        }
        if let Some(after) = self.back {
            notes.push(good_to_know(format!("yahoo answers again, after {}", duration(after))));
        }
        let newest = self.quiet.iter().filter_map(|at| symbols.get(*at)).filter_map(|w| w.newest).max();
        if let Some(newest) = newest {
            let names = names(&self.quiet);
            let text = format!("no new quote for {names} since {newest}: the market is probably closed");
            notes.push(good_to_know(text));
        }
        if self.overrun {
            notes.push(Note {
                text: "yahoo takes longer to answer than the interval: who waits for an answer is not asked for again"
                    .into(),
                hint: Some("with a longer --interval or fewer symbols each has its turn".into()),
                is_warning: false,
            });
        }
        notes
    }
}

fn names_of_all(symbols: &[Watched]) -> String {
    named(symbols.iter().filter(|watched| !watched.unknown).map(|watched| &*watched.symbol))
}

fn group(groups: &mut Vec<(String, Vec<usize>)>, at: usize, why: String) {
    match groups.iter_mut().find(|(other, _)| *other == why) {
        Some((_, of)) => {
            if !of.contains(&at) {
                of.push(at);
            }
        }
        None => groups.push((why, vec![at])),
    }
}

fn named<'s>(symbols: impl Iterator<Item = &'s str>) -> String {
    let symbols: Vec<&str> = symbols.collect();
    let shown: Vec<String> = symbols.iter().take(NAMED).map(|s| format!("'{s}'")).collect();
    match symbols.len().saturating_sub(NAMED) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Whether two causes differ at most in long numbers, such as times in seconds: what differs with every poll is not said
/// at every poll.
pub(super) fn is_same(one: &str, other: &str) -> bool {
    one == other || essence(one) == essence(other)
}

fn essence(text: &str) -> Vec<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    words.filter(|word| word.len() < 5 || !word.bytes().all(|b| b.is_ascii_digit())).collect()
}

/// `BRK-B` for `BRK.B`: Yahoo writes a class of shares with a hyphen.
fn share_class(symbol: &str) -> Option<String> {
    let (name, class) = symbol.split_once('.')?;
    matches!(class, "A" | "B" | "C").then(|| format!("{name}-{class}"))
}

/// Yahoo's sentences follow a colon here.
fn uncapitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

/// `500 ms`, `30 s`, `5 min`; what is longer than a minute to the minute.
pub(super) fn duration(duration: Duration) -> String {
    match duration.as_millis() {
        ms @ 1..1000 => format!("{ms} ms"),
        ms @ ..120_000 => format!("{} s", ms.div_ceil(1000)),
        ms => format!("{} min", ms.div_ceil(60_000)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_that_differ_in_time_alone_are_the_same() {
        let of = |start: u64| format!("422 Unprocessable Entity: 1m data not available for startTime={start}.");
        assert!(is_same(&of(1_763_672_370), &of(1_763_672_400)));
        assert!(!is_same(&of(1), "422 Unprocessable Entity: 2m data not available for startTime=1."));
        assert!(!is_same("Yahoo is in trouble (status 500)", "Yahoo is in trouble (status 503)"));
    }

    #[test]
    fn many_symbols_are_not_all_named() {
        let symbols = ["A", "B", "C", "D", "E", "F", "G", "H", "I", "J"];
        assert_eq!(named(symbols.into_iter().take(2)), "'A', 'B'");
        assert_eq!(named(symbols.into_iter()), "'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H' and 2 more");
    }

    #[test]
    fn durations_for_people() {
        let of = |millis| duration(Duration::from_millis(millis));
        assert_eq!([of(0), of(500), of(1001), of(30_000)], ["0 s", "500 ms", "2 s", "30 s"]);
        assert_eq!([of(119_000), of(299_500)], ["119 s", "5 min"]);
    }

    #[test]
    fn share_classes() {
        assert_eq!(share_class("BRK.B").as_deref(), Some("BRK-B"));
        assert_eq!((share_class("VOD.L"), share_class("AAPL")), (None, None));
    }
}
