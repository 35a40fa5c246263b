//! One question to Yahoo, and what came back.

use chrono::{DateTime, Utc};
use pipeline::Symbol;
use std::{fmt::Write, io, time::Duration};
use ureq::{Agent, Error};

/// Where the charts are, unless `STOCKPIPE_YAHOO_URL` says otherwise.
pub(super) const HOME: &str = "https://query1.finance.yahoo.com";
/// A request that does not look like a browser's is refused at times (status 429 on the first one).
const USER_AGENT: &str =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";
/// For name, connection and TLS.
const CONNECT: Duration = Duration::from_secs(5);
/// For all of it.
pub(super) const WHOLE: Duration = Duration::from_secs(15);
/// Many times what a day of minutes takes, in bytes.
const LONGEST_BODY: u64 = 8 << 20;

/// Asks.
#[derive(Clone, Debug)]
pub(super) struct Client {
    agent: Agent,
    base: String,
}

/// What came back.
#[derive(Debug)]
pub(super) enum Answer {
    /// An answer, whatever it says.
    Came { status: u16, body: Vec<u8>, retry_after: Option<Duration> },
    /// An answer that ended before its end.
    CutOff,
    /// None: the network, or a server that does not speak HTTP. The cause is for people.
    Failed(String),
}

impl Client {
    /// A client of the charts below this address; none where it is no address of the web.
    pub(super) fn new(base: &str, in_flight: usize) -> Option<Self> {
        let base = base.trim_end_matches('/');
        let uri: ureq::http::Uri = base.parse().ok()?;
        let host = uri.host().filter(|host| !host.is_empty())?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.query().is_some() {
            return None;
        }
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .user_agent(USER_AGENT)
            .accept("application/json,text/plain,*/*")
            .timeout_connect(Some(CONNECT))
            .timeout_global(Some(WHOLE))
            .max_idle_connections_per_host(in_flight);
        // What runs on this machine is not reached through a proxy for the world.
        if matches!(host, "localhost" | "[::1]") || host.starts_with("127.") {
            config = config.proxy(None);
        }
        Some(Self { agent: config.build().new_agent(), base: base.into() })
    }

    /// Asks for the symbol's day, and waits for the answer.
    pub(super) fn ask(&self, symbol: &Symbol) -> Answer {
        let url = format!(
            "{}/v8/finance/chart/{}?range=1d&interval=1m&includePrePost=false",
            self.base,
            percent_encoded(symbol)
        );
        let mut response = match self.agent.get(url).call() {
            Ok(response) => response,
            Err(error) => return Answer::Failed(cause(&error)),
        };
        let status = response.status().as_u16();
        let header = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
        let retry_after = header.and_then(|text| retry_after(text, Utc::now().timestamp_millis()));
        match response.body_mut().with_config().limit(LONGEST_BODY).read_to_vec() {
            Ok(body) => Answer::Came { status, body, retry_after },
            // A refusal is one even where its text does not arrive.
            Err(_) if status != 200 => Answer::Came { status, body: Vec::new(), retry_after },
            Err(Error::Timeout(_)) => Answer::Failed(TIMED_OUT.into()),
            Err(Error::BodyExceedsLimit(_)) => Answer::Failed("the answer is too long".into()),
            Err(_) => Answer::CutOff,
        }
    }
}

/// What is said where no answer came in time.
pub(super) const TIMED_OUT: &str = "no answer in time";

fn cause(error: &Error) -> String {
    match error {
        Error::Timeout(ureq::Timeout::Resolve | ureq::Timeout::Connect) => "no connection in time".into(),
        Error::Timeout(_) => TIMED_OUT.into(),
        Error::HostNotFound => "its name cannot be looked up".into(),
        Error::Io(e) => match e.kind() {
            io::ErrorKind::ConnectionRefused => "the connection was refused".into(),
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof => {
                "the connection was cut".into()
            }
            _ => format!("the network failed ({e})"),
        },
        other => other.to_string(),
    }
}

/// How long the server asks to be left alone: seconds, or a date. `now` is in milliseconds since 1970.
fn retry_after(text: &str, now: i64) -> Option<Duration> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        // More seconds than a number can hold are a very long time.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::from(u32::MAX))));
    }
    let at = DateTime::parse_from_rfc2822(text).ok()?.timestamp_millis();
    Some(Duration::from_millis(u64::try_from(at.saturating_sub(now)).unwrap_or(0)))
}

/// The symbol as a segment of a path: `^GSPC` is `%5EGSPC`.
fn percent_encoded(symbol: &str) -> String {
    let mut encoded = String::with_capacity(symbol.len() + 4);
    for byte in symbol.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_path_cannot_hold_is_encoded() {
        for (symbol, expected) in
            [("AAPL", "AAPL"), ("^GSPC", "%5EGSPC"), ("EURUSD=X", "EURUSD%3DX"), ("BRK-B", "BRK-B"), ("A_.b", "A_.b")]
        {
            assert_eq!(percent_encoded(symbol), expected);
        }
    }

    #[test]
    fn retry_after_in_seconds_or_as_a_date() {
        let now = DateTime::parse_from_rfc3339("2026-11-20T20:59:30Z").unwrap().timestamp_millis();
        let of = |text: &str| retry_after(text, now).map(|d| d.as_secs());
        assert_eq!(of("7"), Some(7));
        assert_eq!(of(" 0 "), Some(0));
        assert_eq!(of("99999999999999999999"), Some(u64::from(u32::MAX)));
        assert_eq!(of("Fri, 20 Nov 2026 21:00:30 GMT"), Some(60));
        assert_eq!(of("Fri, 20 Nov 2026 20:00:00 GMT"), Some(0));
        for text in ["", "-1", "soon", "1.5"] {
            assert_eq!(of(text), None, "{text}");
        }
    }

    #[test]
    fn addresses() {
        for base in [HOME, "http://127.0.0.1:8080", "http://127.0.0.1:8080/", "http://[::1]:80/prefix"] {
            assert!(Client::new(base, 4).is_some(), "{base}");
        }
        for base in ["", "query1.finance.yahoo.com", "ftp://host", "http://", "/path", "http://host/?a=b", "http://a b"]
        {
            assert!(Client::new(base, 4).is_none(), "{base}");
        }
        assert!(Client::new("http://localhost/", 4).is_some_and(|c| c.agent.config().proxy().is_none()));
    }
}
