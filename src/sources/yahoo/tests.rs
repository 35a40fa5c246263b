//! Yahoo, against a server on this machine.

use super::*;
use fake::{Fake, Reply, seconds};
use std::{
    io::{Read, Write},
    net::TcpListener,
};

#[path = "../../../tests/suite/fake_yahoo.rs"]
mod fake;

/// A source, and what came of it.
struct Polled {
    source: Yahoo,
    quotes: Vec<Quote>,
    notes: Vec<String>,
    ended: bool,
}

impl Polled {
    fn of(fake: &Fake, symbols: &[&str], interval: u64) -> Self {
        let symbols = symbols.iter().map(|s| Symbol::parse(s).unwrap()).collect();
        let options = SourceOptions { symbols, interval: Duration::from_millis(interval), ..SourceOptions::default() };
        Self {
            source: Yahoo::new(Client::new(&fake.url(), IN_FLIGHT).unwrap(), options).unwrap(),
            quotes: vec![],
            notes: vec![],
            ended: false,
        }
    }

    /// Goes on until this is so, for at most so long; whether it was.
    fn until(&mut self, limit: Duration, so: impl Fn(&Self) -> bool) -> bool {
        let began = Instant::now();
        while !so(self) {
            if began.elapsed() > limit || self.ended {
                return false;
            }
            let mut out = Vec::new();
            let now = Timestamp::from_millis(seconds() as i64 * 1000).unwrap();
            let asked = Instant::now();
            let flow = self.source.next(now, 100, &mut out).unwrap();
            assert!(asked.elapsed() < Duration::from_secs(5), "next() waited for {:?}", asked.elapsed());
            self.quotes.extend(out.into_iter().filter_map(|o| if let Outgoing::Quote(q) = o { Some(q) } else { None }));
            self.notes.extend(self.source.notes(false).into_iter().map(|n| n.text));
            match flow {
                Flow::WaitUntil(due) => {
                    thread::sleep(due.saturating_duration_since(Instant::now()).min(Duration::from_millis(20)));
                }
                Flow::More => {}
                Flow::End => self.ended = true,
            }
        }
        true
    }

    #[track_caller]
    fn wait(&mut self, what: &str, so: impl Fn(&Self) -> bool) {
        assert!(self.until(Duration::from_secs(20), so), "waited for {what}: {:?} {:?}", self.notes, self.quotes.len());
    }

    fn said(&self, text: &str) -> usize {
        self.notes.iter().filter(|note| note.contains(text)).count()
    }
}

/// Every way to fail of the contract, on the wire: each is one line that names the symbol, and none stops the others.
#[test]
fn each_failure_is_one_line_and_the_good_symbol_goes_on() {
    let at = seconds() - 100;
    let fake = Fake::start(move |symbol, before| match symbol {
        "CRUMB" => Reply::new(
            401,
            r#"{"finance":{"result":null,"error":{"code":"Unauthorized","description":"Invalid Crumb"}}}"#,
        ),
        "RANGE" => Reply::new(
            422,
            r#"{"chart":{"result":null,"error":{"code":"Unprocessable Entity","description":"Only 8 days"}}}"#,
        ),
        "DOWN" => Reply::new(200, "<html><body>Will be right back</body></html>"),
        "CUT" => Reply::chart(symbol, at, "1").cut_by(100),
        "HALF" => Reply::new(200, r#"{"chart":{"result":[{"meta":{"#),
        "NULL" => Reply::new(200, r#"{"chart":{"result":[{"meta":null}],"error":null}}"#),
        "EMPTY" => Reply::new(
            200,
            r#"{"chart":{"result":[{"meta":{"symbol":"EMPTY"},"indicators":{"quote":[{}]}}],"error":null}}"#,
        ),
        "FUTURE" => Reply::chart(symbol, seconds() + 3600, "1"),
        "OLD" => Reply::chart(symbol, 900_000_000, "1"),
        "GONE" => Reply::new(404, "<html>"),
        _ => Reply::chart(symbol, at + before as u64, "1"),
    });
    let symbols = ["CRUMB", "RANGE", "DOWN", "CUT", "HALF", "NULL", "EMPTY", "FUTURE", "OLD", "GONE", "GOOD"];
    let mut polled = Polled::of(&fake, &symbols, 100);
    polled.wait("quotes and notes", |p| p.quotes.len() >= 8 && p.notes.len() >= 9);
    for (symbol, why) in [
        ("CRUMB", "401 Unauthorized: Invalid Crumb"),
        ("RANGE", "422 Unprocessable Entity: Only 8 days"),
        ("DOWN", "Yahoo is down for maintenance"),
        ("'CUT', 'HALF'", "the answer is cut off"),
        ("NULL", "`meta` is null"),
        ("EMPTY", "no data in range"),
        ("FUTURE", "its market time is in the future"),
        ("OLD", "its market time is before 2000-01-01"),
        ("GONE", "status 404"),
    ] {
        let so = |note: &&String| note.contains(symbol.trim_matches('\'')) && note.contains(why);
        assert_eq!(polled.notes.iter().filter(so).count(), 1, "{symbol}: {:?}", polled.notes);
    }
    assert!(polled.quotes.iter().all(|q| &*q.symbol == "GOOD" && !q.stale && q.alert && q.origin == Origin::Live));
    let missed = polled.source.missed();
    assert_eq!((missed.unknown.len(), missed.unanswered.len(), missed.asked), (0, 10, 11));
}

#[test]
fn a_failure_is_said_again_when_it_changes_or_is_over() {
    let at = seconds() - 100;
    let fake = Fake::start(move |symbol, before| match before {
        0..2 => Reply::new(200, "<html>"),
        2..4 => Reply::new(200, ""),
        _ => Reply::chart(symbol, at, "1"),
    });
    let mut polled = Polled::of(&fake, &["A"], 30);
    polled.wait("the end of trouble", |p| p.said("answers again") > 0);
    polled.until(Duration::from_millis(200), |_| false);
    let expected = [
        "no quote for 'A' at yahoo: the answer is a web page, not a chart",
        "no quote for 'A' at yahoo: the answer is empty",
        "yahoo answers again for 'A'",
    ];
    assert_eq!(polled.notes, expected);
    // And the same market time again is no new quote.
    assert_eq!(polled.quotes.len(), 1);
}

#[test]
fn an_older_market_time_is_no_new_quote_and_a_known_symbol_is_never_given_up() {
    let at = seconds() - 100;
    let fake = Fake::start(move |symbol, before| match before {
        0 => Reply::chart(symbol, at, "1"),
        1 => Reply::chart(symbol, at - 50, "2"),
        2 => Reply::unknown(),
        _ => Reply::chart(symbol, at + 1, "3"),
    });
    let mut polled = Polled::of(&fake, &["A"], 30);
    polled.wait("two quotes", |p| p.quotes.len() == 2);
    let prices: Vec<String> = polled.quotes.iter().map(|q| q.price.to_string()).collect();
    assert_eq!(prices, ["1", "3"]);
    assert_eq!(polled.source.missed().unknown, []);
}

#[test]
fn unknown_symbols_alone_are_the_end() {
    let fake = Fake::start(|_, _| Reply::unknown());
    let mut polled = Polled::of(&fake, &["A", "B"], 50);
    polled.wait("the end", |p| p.ended);
    assert_eq!(polled.notes, ["no quote for 'A', 'B' at yahoo: no data found, symbol may be delisted"]);
    assert_eq!(polled.source.missed().unknown.len(), 2);
    assert_eq!(fake.asked().len(), 2);
}

/// The last quote of a count waits for the symbol whose answer takes longer: else the exit status would be luck.
#[test]
fn a_count_does_not_end_before_every_symbol_had_its_turn() {
    let at = seconds() - 100;
    let fake = Fake::start(move |symbol, _| match symbol {
        "B" => Reply::unknown().after(Duration::from_millis(300)),
        _ => Reply::chart(symbol, at, "1"),
    });
    let mut polled = Polled::of(&fake, &["A", "B"], 30_000);
    polled.source.left = Some(1);
    polled.wait("the quote", |p| p.quotes.len() == 1);
    assert_eq!(polled.source.missed().unknown.len(), 1);
}

#[test]
fn four_at_once_and_a_slow_one_does_not_pile_up() {
    let at = seconds() - 100;
    let fake = Fake::start(move |symbol, before| {
        let slow = if symbol == "SLOW" { 600 } else { 20 };
        Reply::chart(symbol, at + before as u64, "1").after(Duration::from_millis(slow))
    });
    let symbols: Vec<String> = (0..11).map(|n| format!("S{n}")).chain(["SLOW".into()]).collect();
    let mut polled = Polled::of(&fake, &symbols.iter().map(String::as_str).collect::<Vec<_>>(), 200);
    let asked = |symbol: &str| fake.asked().iter().filter(|a| a.symbol == symbol).count();
    polled.wait("eight rounds", |_| asked("S0") >= 8);
    assert!(fake.most_at_once() <= 4 && fake.most_at_once() > 1, "{}", fake.most_at_once());
    // The slow one takes part in every third or fourth round; the others go on meanwhile.
    assert!((1..8).contains(&asked("SLOW")), "{}", asked("SLOW"));
}

#[test]
fn rounds_keep_their_times_and_missed_ones_are_not_made_up_for() {
    let fake = Fake::start(|symbol, _| Reply::chart(symbol, seconds() - 100, "1"));
    let mut source = Polled::of(&fake, &["A"], 1000).source;
    let began = Instant::now();
    let after = |millis| began + Duration::from_millis(millis);
    source.begin_round(began);
    assert_eq!((source.queue.len(), source.next_round), (1, Some(after(1000))));
    source.begin_round(after(1400));
    assert_eq!((source.queue.len(), source.next_round), (1, Some(after(2000))));
    // An hour of sleep is one round.
    source.begin_round(after(3_600_250));
    assert_eq!((source.queue.len(), source.next_round), (1, Some(after(3_601_000))));
}

#[test]
fn a_host_that_asks_for_time_gets_it() {
    let at = seconds() - 100;
    let fake = Fake::start(move |symbol, before| match before {
        0 => Reply::new(429, "Too Many Requests\r\n").header("Retry-After", "2").header("Content-Type", "text/plain"),
        _ => Reply::chart(symbol, at, "1"),
    });
    let mut polled = Polled::of(&fake, &["A"], 50);
    polled.wait("a quote", |p| !p.quotes.is_empty());
    let asked = fake.asked();
    let pause = asked[1].at - asked[0].at;
    assert!(pause >= Duration::from_millis(1990), "{pause:?}");
    polled.wait("recovery", |p| p.said("answers again") == 1);
    assert_eq!(polled.said("too many requests (429)"), 1);
}

#[test]
fn a_host_in_trouble_is_asked_less_and_less_and_one_at_a_time() {
    let fake = Fake::start(|_, before| if before.is_multiple_of(2) { Reply::new(503, "") } else { Reply::none() });
    let symbols = ["A", "B", "C", "D", "E", "F", "G", "H"];
    let mut polled = Polled::of(&fake, &symbols, 50);
    polled.until(Duration::from_millis(3300), |_| false);
    // Four at first; then one after half a second to a second, and one or two after one to two seconds more.
    let asked = fake.asked().len();
    assert!((4..=7).contains(&asked), "{asked}");
    // All that wait are named once the host has failed again, not one by one as they are tried.
    assert!(symbols.iter().all(|s| polled.said(&format!("'{s}'")) >= 1), "{:?}", polled.notes);
    assert!(polled.notes.len() <= 4, "{:?}", polled.notes);
}

#[test]
fn within_a_round_a_failed_request_is_tried_again() {
    let at = seconds() - 100;
    let fake = Fake::start(move |symbol, before| match before {
        0 => Reply::none(),
        _ => Reply::chart(symbol, at, "1"),
    });
    let mut polled = Polled::of(&fake, &["A"], 600_000);
    polled.wait("a quote", |p| p.quotes.len() == 1);
    assert_eq!(fake.asked().len(), 2);
}

#[test]
fn a_closed_market_is_said_once_and_its_quote_is_stale() {
    let (now, closed) = (seconds(), seconds() - 24 * 3600);
    let fake = Fake::start(move |symbol, before| match symbol {
        "OPEN" => Reply::chart(symbol, now - 100 + before as u64, "1"),
        _ => Reply::chart(symbol, if before < 5 { closed } else { now - 10 }, "1"),
    });
    let mut polled = Polled::of(&fake, &["A", "B", "OPEN"], 50);
    polled.wait("the next session", |p| p.quotes.iter().filter(|q| &*q.symbol != "OPEN").count() == 4);
    assert_eq!(polled.said("since"), 1, "{:?}", polled.notes);
    assert_eq!(polled.said("'A', 'B'") + polled.said("'B', 'A'"), 1, "{:?}", polled.notes);
    let stale: Vec<bool> = polled.quotes.iter().filter(|q| &*q.symbol == "A").map(|q| q.stale).collect();
    assert_eq!(stale, [true, false]);
}

#[test]
fn one_symbol_in_either_case_is_asked_for_once() {
    let fake = Fake::start(|symbol, _| Reply::chart(symbol, seconds() - 100, "1"));
    let mut polled = Polled::of(&fake, &["aapl", "AAPL"], 60_000);
    polled.wait("a quote", |p| p.quotes.len() == 1);
    assert_eq!(&*polled.quotes[0].symbol, "AAPL");
    assert_eq!(polled.source.symbols.len(), 1);
    let head = fake.asked()[0].head.to_lowercase();
    assert!(
        head.starts_with("get /v8/finance/chart/aapl?range=1d&interval=1m&includeprepost=false http/1.1"),
        "{head}"
    );
    assert!(head.contains("user-agent: mozilla/5.0") && !head.contains("accept-encoding: gzip"), "{head}");
    assert_eq!(polled.source.name(), "yahoo every 60 s");
}

/// Would catch a build without what TLS needs: that is found out with the first connection, as a panic.
#[test]
fn what_speaks_no_tls_is_a_failure() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut hello = [0; 5];
        stream.read_exact(&mut hello).unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        hello
    });
    let client = Client::new(&format!("https://{address}"), 1).unwrap();
    let answer = client.ask(&Symbol::parse("A").unwrap());
    assert!(matches!(&answer, Answer::Failed(why) if !why.contains("in time")), "{answer:?}");
    // A handshake record of TLS.
    assert_eq!(server.join().unwrap()[..2], [22, 3]);
}
