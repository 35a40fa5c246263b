//! Yahoo, against a server on this machine. What has to do with time is in `polls/tests.rs`.

use super::*;
use fake::{Fake, Reply, seconds};
use pipeline::{Origin, Quote, Symbol};
use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::{Arc, Mutex},
    thread,
};

#[expect(dead_code, reason = "the suite uses what these do not")]
#[path = "../../../tests/suite/fake_yahoo.rs"]
mod fake;

fn base(url: &str) -> Base {
    Base::parse(url).unwrap()
}

/// A source, and what came of it.
struct Polled {
    source: Yahoo,
    quotes: Vec<Quote>,
    notes: Vec<String>,
    /// Seconds of sleep: the wall clock is ahead by them.
    slept: u64,
}

impl Polled {
    fn of(fake: &Fake, symbols: &[&str], interval: u64) -> Self {
        let symbols = symbols.iter().map(|s| Symbol::parse(s).unwrap()).collect();
        let options = SourceOptions { symbols, interval: Duration::from_millis(interval), ..SourceOptions::default() };
        Self { source: Yahoo::new(base(&fake.url()), options).unwrap(), quotes: vec![], notes: vec![], slept: 0 }
    }

    fn next(&mut self) -> Flow {
        let mut out = Vec::new();
        let now = Timestamp::from_millis((seconds() + self.slept) as i64 * 1000).unwrap();
        let flow = self.source.next(now, 100, &mut out).unwrap();
        self.quotes.extend(out.into_iter().filter_map(|o| if let Outgoing::Quote(q) = o { Some(q) } else { None }));
        self.notes.extend(self.source.notes(false).into_iter().map(|n| n.text));
        flow
    }

    /// Goes on until this is so.
    #[track_caller]
    fn wait(&mut self, what: &str, so: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !so(self) {
            let limit = Duration::from_secs(60);
            assert!(began.elapsed() < limit, "waited for {what}: {:?} {:?}", self.notes, self.quotes.len());
            if let Flow::WaitUntil(due) = self.next() {
                thread::sleep(due.saturating_duration_since(Instant::now()).min(Duration::from_millis(20)));
            }
        }
    }
}

/// Asks once, without a source around it.
fn ask(url: &str) -> Answer {
    let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = Client::new(base(url), 1).unwrap();
    runtime.block_on(client.ask(&Symbol::parse("A").unwrap()))
}

fn failure(answer: &Answer) -> &str {
    match answer {
        Answer::Failed(why) | Answer::Unreachable(why) => why,
        other => panic!("{other:?}"),
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
        "TEXT" => Reply::chart(symbol, at, "\"1\""),
        "FUTURE" => Reply::chart(symbol, seconds() + 3600, "1"),
        "OLD" => Reply::chart(symbol, 900_000_000, "1"),
        "GONE" => Reply::new(404, "<html>"),
        "NOPE" => Reply::unknown(),
        _ => Reply::chart(symbol, at + before as u64, "1"),
    });
    let symbols =
        ["CRUMB", "RANGE", "DOWN", "CUT", "HALF", "NULL", "EMPTY", "TEXT", "FUTURE", "OLD", "GONE", "NOPE", "GOOD"];
    let mut polled = Polled::of(&fake, &symbols, 100);
    polled.wait("quotes and notes", |p| p.quotes.len() >= 8 && p.notes.len() >= 11);
    for (symbol, why) in [
        ("CRUMB", "401 Unauthorized: Invalid Crumb"),
        ("RANGE", "422 Unprocessable Entity: Only 8 days"),
        ("DOWN", "Yahoo is down for maintenance"),
        ("'CUT', 'HALF'", "the answer is cut off"),
        ("NULL", "`meta` is null"),
        ("EMPTY", "no data in range"),
        ("TEXT", "`regularMarketPrice` is text"),
        ("FUTURE", "its market time is in the future"),
        ("OLD", "its market time is before 2000-01-01"),
        ("GONE", "status 404"),
        ("NOPE", "no data found, symbol may be delisted"),
    ] {
        let so = |note: &&String| note.contains(symbol.trim_matches('\'')) && note.contains(why);
        assert_eq!(polled.notes.iter().filter(so).count(), 1, "{symbol}: {:?}", polled.notes);
    }
    assert!(polled.quotes.iter().all(|q| &*q.symbol == "GOOD" && !q.stale && q.alert && q.origin == Origin::Live));
    let missed = polled.source.missed();
    assert_eq!((missed.unknown.len(), missed.unanswered.len(), missed.asked), (1, 11, 13));
}

/// Would catch a request that Yahoo refuses, and a connection for each of them.
#[test]
fn requests_look_like_a_browser_s_and_share_connections() {
    let at = seconds() - 1000;
    let fake = Fake::start(move |symbol, before| Reply::chart(symbol, at + before as u64, "1"));
    let mut polled = Polled::of(&fake, &["^GSPC", "B"], 30);
    polled.wait("a hundred answers", |_| fake.asked().len() >= 100);
    assert!(fake.connections() <= IN_FLIGHT, "{}", fake.connections());
    let head = fake.asked().into_iter().find(|asked| asked.symbol == "^GSPC").unwrap().head.to_lowercase();
    let first = "get /v8/finance/chart/%5egspc?range=1d&interval=1m&includeprepost=false http/1.1";
    assert!(head.starts_with(first), "{head}");
    assert!(head.contains("user-agent: mozilla/5.0") && !head.contains("accept-encoding"), "{head}");
    assert_eq!(polled.source.name(), "yahoo every 30 ms");
}

/// Would catch a call that waits for the network, and an end that does: the answers come only after both.
#[test]
fn neither_the_next_look_nor_the_end_waits_for_an_answer() {
    let gate = Arc::new(Mutex::new(()));
    let (closed, theirs) = (gate.lock().unwrap(), Arc::clone(&gate));
    let fake = Fake::start(move |symbol, _| {
        drop(theirs.lock());
        Reply::chart(symbol, seconds() - 100, "1")
    });
    let mut polled = Polled::of(&fake, &["A", "B", "C", "D", "E"], 10);
    polled.wait("four requests", |_| fake.asked().len() == IN_FLIGHT);
    for _ in 0..1000 {
        assert!(matches!(polled.next(), Flow::WaitUntil(due) if due < Instant::now() + Duration::from_secs(2)));
    }
    drop(polled.source);
    assert_eq!((fake.asked().len(), polled.quotes.len()), (IN_FLIGHT, 0));
    drop(closed);
}

#[test]
fn after_a_lost_connection_it_goes_on() {
    let at = seconds() - 1000;
    let fake = Fake::start(move |symbol, before| match before {
        3 => Reply::none(),
        _ => Reply::chart(symbol, at + before as u64, "1"),
    });
    let mut polled = Polled::of(&fake, &["A"], 20);
    polled.wait("quotes beyond it", |p| p.quotes.len() >= 8);
    assert_eq!(fake.connections(), 2);
    assert_eq!(polled.notes, [] as [&str; 0]);
}

/// Would catch a sleep that goes unnoticed: the monotonic clock stands still in it, and connections die.
#[test]
fn after_a_sleep_it_asks_at_once_and_over_a_new_connection() {
    let at = seconds() - 1000;
    let fake = Fake::start(move |symbol, before| Reply::chart(symbol, at + before as u64, "1"));
    let mut polled = Polled::of(&fake, &["A"], 3_600_000);
    polled.wait("a quote", |p| p.quotes.len() == 1);
    polled.slept = 5 * 3600 + 1800;
    polled.wait("the next", |p| p.quotes.len() == 2 && !p.notes.is_empty());
    assert_eq!((fake.asked().len(), fake.connections()), (2, 2));
    let [note] = &*polled.notes else { panic!("{:?}", polled.notes) };
    assert!(note.starts_with("nothing ran for 33"), "{note}");
    assert!(note.ends_with("4 polls of yahoo are left out"), "{note}");
}

#[test]
fn what_a_refusal_says_is_taken() {
    for (text, expected) in [("7", Some(7)), ("soon", None)] {
        let fake = Fake::start(move |_, _| Reply::new(429, "Too Many Requests\r\n").header("Retry-After", text));
        match ask(&fake.url()) {
            Answer::Came { status: 429, body, retry_after } => {
                assert_eq!((&*body, retry_after.map(|d| d.as_secs())), (&b"Too Many Requests\r\n"[..], expected));
            }
            other => panic!("{other:?}"),
        }
    }
    // Even where its text does not arrive.
    let fake = Fake::start(|_, _| Reply::new(429, "Too Many Requests\r\n").header("Retry-After", "7").cut_by(5));
    let answer = ask(&fake.url());
    assert!(matches!(&answer, Answer::Came { status: 429, retry_after: Some(_), .. }), "{answer:?}");
}

#[test]
fn an_answer_without_an_end_and_a_redirect_without_one_are_failures() {
    let fake = Fake::start(|_, _| Reply::new(200, vec![b' '; (8 << 20) + 1]));
    assert_eq!(failure(&ask(&fake.url())), "the answer is too long");
    let fake = Fake::start(|symbol, before| {
        Reply::new(302, "").header("Location", &format!("/{before}/v8/finance/chart/{symbol}"))
    });
    assert_eq!(failure(&ask(&fake.url())), "it sends from one address to the next");
    assert_eq!(fake.asked().len(), 4);
    // One redirect is followed.
    let fake = Fake::start(|symbol, _| match symbol {
        "A" => Reply::new(301, "").header("Location", "/v8/finance/chart/B"),
        _ => Reply::chart(symbol, 1_795_012_200, "1"),
    });
    ask(&fake.url());
    let asked: Vec<String> = fake.asked().into_iter().map(|asked| asked.symbol).collect();
    assert_eq!(asked, ["A", "B"]);
}

#[test]
fn causes_are_said_in_words() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(failure(&ask(&format!("http://{nobody}"))), "the connection was refused");
    assert_eq!(failure(&ask("http://no-such-host.invalid")), "its name cannot be looked up");
    let fake = Fake::start(|_, _| Reply::none());
    let answer = ask(&fake.url());
    assert!(failure(&answer).starts_with("the network failed (connection closed"), "{answer:?}");
    assert!(matches!(ask(&Fake::start(|s, _| Reply::chart(s, seconds(), "1").cut_by(9)).url()), Answer::CutOff));
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
    let answer = ask(&format!("https://{address}"));
    assert!(failure(&answer).starts_with("TLS failed ("), "{answer:?}");
    // A handshake record of TLS.
    assert_eq!(server.join().unwrap()[..2], [22, 3]);
}
