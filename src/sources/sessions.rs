//! The last sessions of a symbol, for the close before a quote's own.

use pipeline::{Date, Price, Timestamp};

/// So many sessions are kept; a row that comes so late that its day is before all of them has no previous close.
const KEPT: usize = 8;

/// The closes of a symbol's newest sessions; a session is a UTC date.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    /// In order of date, at most [`KEPT`].
    closes: Vec<Close>,
}

#[derive(Debug)]
struct Close {
    session: Date,
    /// The newest quote of the session so far.
    at: Timestamp,
    price: Price,
}

impl Sessions {
    /// The close of the session before this quote's, as far as is known; the quote itself is taken in.
    pub(super) fn take_in(&mut self, at: Timestamp, price: Price) -> Option<Price> {
        let session = at.date();
        // From the end: nearly every quote is of the newest session.
        let place = self.closes.iter().rposition(|c| c.session <= session);
        let (before, found) = match place.and_then(|p| self.closes.get_mut(p).map(|close| (p, close))) {
            Some((place, close)) if close.session == session => {
                // A second quote of the same time does not count: the first of an identity wins.
                if at > close.at {
                    (close.at, close.price) = (at, price);
                }
                (place.checked_sub(1), true)
            }
            _ => (place, false),
        };
        let previous = before.and_then(|p| self.closes.get(p)).map(|c| c.price);
        if !found {
            self.closes.insert(place.map_or(0, |p| p + 1), Close { session, at, price });
            if self.closes.len() > KEPT {
                self.closes.remove(0);
            }
        }
        previous
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the previous close is of each of these (time, price).
    fn fold(quotes: &[(&str, &str)]) -> Vec<Option<String>> {
        let mut sessions = Sessions::default();
        let each = quotes.iter().map(|(at, price)| {
            sessions.take_in(Timestamp::parse(at).unwrap(), Price::parse(price).unwrap()).map(|p| p.to_string())
        });
        each.collect()
    }

    fn some(text: &str) -> Option<String> {
        Some(text.into())
    }

    #[test]
    fn the_newest_quote_of_the_day_before() {
        let quotes = [
            ("2026-01-05T15:00:00Z", "1"),
            ("2026-01-05T16:00:00Z", "2"),
            ("2026-01-05T15:30:00Z", "3"), // late: not the close
            ("2026-01-05T16:00:00Z", "4"), // the same identity again
            ("2026-01-08T15:00:00Z", "5"), // after a gap
            ("2026-01-08T16:00:00Z", "6"),
            ("2026-01-09T15:00:00Z", "7"),
        ];
        assert_eq!(fold(&quotes), [None, None, None, None, some("2"), some("2"), some("6")]);
    }

    #[test]
    fn a_late_row_of_an_earlier_day_has_that_day_s_predecessor() {
        let quotes = [
            ("2026-01-05T16:00:00Z", "1"),
            ("2026-01-07T16:00:00Z", "2"),
            ("2026-01-06T16:00:00Z", "3"), // a day nothing was known of
            ("2026-01-05T17:00:00Z", "4"), // now the close of the 5th
            ("2026-01-06T17:00:00Z", "5"),
            ("2026-01-07T17:00:00Z", "6"),
        ];
        assert_eq!(fold(&quotes), [None, some("1"), some("1"), None, some("4"), some("5")]);
    }

    #[test]
    fn only_the_newest_sessions_are_kept() {
        let mut sessions = Sessions::default();
        let first = Date::parse("2026-01-01").unwrap();
        for day in 0..100 {
            sessions.take_in(first.plus_days(day).start(), Price::parse("1").unwrap());
        }
        assert_eq!(sessions.closes.len(), KEPT);
        assert_eq!(sessions.take_in(first.start(), Price::parse("1").unwrap()), None);
        assert_eq!(sessions.closes.first().map(|c| c.session), Some(first.plus_days(92)));
    }
}
