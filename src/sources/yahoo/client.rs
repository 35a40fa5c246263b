//! One question to Yahoo, and what came back.

use super::SourceError;
use chrono::{DateTime, Utc};
use pipeline::Symbol;
use reqwest::{Error, Response, Url, header, redirect::Policy};
use std::{
    error,
    fmt::Write,
    io,
    sync::{Arc, OnceLock},
    time::Duration,
};

/// Where the charts are, unless `STOCKPIPE_YAHOO_URL` says otherwise.
pub(super) const HOME: &str = "https://query1.finance.yahoo.com";
/// A request that does not look like a browser's is refused at times (status 429 on the first one).
const USER_AGENT: &str =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";
const ACCEPT: &str = "application/json,text/plain,*/*";
/// For name, connection and TLS.
const CONNECT: Duration = Duration::from_secs(5);
/// For all of it.
const WHOLE: Duration = Duration::from_secs(15);
/// Many times what a day of minutes takes, in bytes.
const LONGEST_BODY: usize = 8 << 20;
/// More than Yahoo needs.
const REDIRECTS: usize = 3;

/// Asks.
#[derive(Clone, Debug)]
pub(super) struct Client {
    /// Made by whoever asks first, which takes a while: it reads the system's certificates. An error is for people.
    http: Arc<OnceLock<Result<reqwest::Client, String>>>,
    base: Base,
    in_flight: usize,
}

/// An address that charts can be below.
#[derive(Clone, Debug)]
pub(super) struct Base(Url);

/// What came back.
#[derive(Debug)]
pub(super) enum Answer {
    /// An answer, whatever it says.
    Came { status: u16, body: Vec<u8>, retry_after: Option<Duration> },
    /// An answer that ended before its end.
    CutOff,
    /// None: the network, or a server that does not speak HTTP. The cause is for people.
    Failed(String),
    /// Not even a connection.
    Unreachable(String),
}

impl Base {
    /// The address that this is; none where it is no address of the web.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let is_one = matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.query().is_none()
            && url.fragment().is_none();
        is_one.then_some(Self(url))
    }

    fn chart(&self, symbol: &Symbol) -> String {
        let base = self.0.as_str().trim_end_matches('/');
        format!("{base}/v8/finance/chart/{}?range=1d&interval=1m&includePrePost=false", percent_encoded(symbol))
    }

    fn is_secure(&self) -> bool {
        self.0.scheme() == "https"
    }

    fn is_this_machine(&self) -> bool {
        self.0.host_str().is_some_and(|host| matches!(host, "localhost" | "[::1]") || host.starts_with("127."))
    }
}

impl Client {
    /// A client of the charts below this address, which keeps so many connections open.
    ///
    /// # Errors
    /// When the system has no certificates to trust.
    pub(super) fn new(base: Base, in_flight: usize) -> Result<Self, SourceError> {
        let http = connector(&base, in_flight).map_err(|cause| SourceError {
            what: "yahoo".into(),
            cause,
            hint: Some("install the system's package `ca-certificates`, or name a file of them in SSL_CERT_FILE"),
        })?;
        Ok(Self { http: Arc::new(OnceLock::from(Ok(http))), base, in_flight })
    }

    /// Leaves the connections behind that are open: after a sleep, or a change of network, they may be dead and not
    /// know it, and each would cost a request its whole time.
    pub(super) fn reconnect(&mut self) {
        self.http = Arc::default();
    }

    /// Asks for the symbol's day.
    pub(super) async fn ask(&self, symbol: &Symbol) -> Answer {
        let http = match self.http.get_or_init(|| connector(&self.base, self.in_flight)) {
            Ok(http) => http,
            Err(cause) => return Answer::Unreachable(cause.clone()),
        };
        let mut response = match http.get(self.base.chart(symbol)).send().await {
            Ok(response) => response,
            Err(error) if error.is_connect() => return Answer::Unreachable(cause(&error)),
            Err(error) => return Answer::Failed(cause(&error)),
        };
        let status = response.status().as_u16();
        let header = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = header.and_then(|text| retry_after(text, Utc::now().timestamp_millis()));
        match body(&mut response).await {
            Ok(Some(body)) => Answer::Came { status, body, retry_after },
            // A refusal is one even where its text does not arrive.
            _ if status != 200 => Answer::Came { status, body: Vec::new(), retry_after },
            Ok(None) => Answer::Failed("the answer is too long".into()),
            Err(error) if error.is_timeout() => Answer::Failed(TIMED_OUT.into()),
            Err(_) => Answer::CutOff,
        }
    }
}

fn connector(base: &Base, in_flight: usize) -> Result<reqwest::Client, String> {
    // Once for the process; it fails where it was done before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .default_headers([(header::ACCEPT, header::HeaderValue::from_static(ACCEPT))].into_iter().collect())
        .connect_timeout(CONNECT)
        .timeout(WHOLE)
        .redirect(Policy::limited(REDIRECTS))
        .https_only(base.is_secure())
        .pool_max_idle_per_host(in_flight);
    if !base.is_secure() {
        // Then the system's certificates, which may be missing, are not needed.
        builder = builder.tls_certs_only([]);
    }
    // What runs on this machine is not reached through a proxy for the world.
    if base.is_this_machine() {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|error| {
        let cause = chain(&error).last().map_or_else(String::new, ToString::to_string);
        format!("no secure connection can be made ({})", cause.trim_start_matches("unexpected error: "))
    })
}

/// The body; none where it is too long.
async fn body(response: &mut Response) -> Result<Option<Vec<u8>>, Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > LONGEST_BODY {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

const TIMED_OUT: &str = "no answer in time";

/// Why no answer came, for people.
fn cause(error: &Error) -> String {
    let cause = match chain(error).find_map(known) {
        _ if error.is_timeout() && error.is_connect() => "no connection in time".into(),
        _ if error.is_timeout() => TIMED_OUT.into(),
        _ if error.is_dns() => "its name cannot be looked up".into(),
        _ if error.is_redirect() => "it sends from one address to the next".into(),
        Some(known) => known,
        None => format!("the network failed ({})", chain(error).last().map_or_else(String::new, |e| e.to_string())),
    };
    // The only trace that a proxy leaves.
    let by_proxy = chain(error).any(|e| e.to_string().starts_with("tunnel error"));
    if by_proxy { format!("{cause}, by way of the proxy") } else { cause }
}

/// What is wrong, where it is one of the usual things.
fn known(error: &(dyn error::Error + 'static)) -> Option<String> {
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return Some(match tls {
            rustls::Error::InvalidCertificate(why) => format!("its certificate is not trusted ({why})"),
            other => format!("TLS failed ({other})"),
        });
    }
    let text = match error.downcast_ref::<io::Error>()?.kind() {
        io::ErrorKind::ConnectionRefused => "the connection was refused",
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof => {
            "the connection was cut"
        }
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => "the network cannot be reached",
        _ => return None,
    };
    Some(text.into())
}

/// The error, what caused it, and so on.
fn chain<'e>(error: &'e (dyn error::Error + 'static)) -> impl Iterator<Item = &'e (dyn error::Error + 'static)> {
    std::iter::successors(Some(error), |error| {
        // One that wraps another passes for it, and names only what caused that one.
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        wrapped.map(|inner| inner as &(dyn error::Error + 'static)).or_else(|| error.source())
    })
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
        let chart = |base: &str| Base::parse(base).map(|base| base.chart(&Symbol::parse("^GSPC").unwrap()));
        let path = "/v8/finance/chart/%5EGSPC?range=1d&interval=1m&includePrePost=false";
        for (base, expected) in [
            (HOME, HOME),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
            ("http://[::1]:81/prefix", "http://[::1]:81/prefix"),
        ] {
            assert_eq!(chart(base), Some(format!("{expected}{path}")));
        }
        for base in ["", "query1.finance.yahoo.com", "ftp://host", "http://", "/path", "http://host/?a=b", "http://a b"]
        {
            assert_eq!(chart(base), None, "{base}");
        }
        let is_here = |base: &str| Base::parse(base).is_some_and(|base| base.is_this_machine());
        assert!(is_here("http://localhost/") && is_here("https://127.1.2.3") && is_here("http://[::1]:80"));
        assert!(!is_here(HOME) && !is_here("http://10.0.0.1"));
    }
}
