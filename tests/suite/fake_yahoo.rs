//! Yahoo's chart endpoint on this machine: what it answers is up to the test.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// A server that lasts as long as the test's process.
pub struct Fake {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    asked: Mutex<Vec<Asked>>,
    connections: AtomicUsize,
    open: AtomicUsize,
    most: AtomicUsize,
}

/// A request.
#[derive(Clone, Debug)]
pub struct Asked {
    /// What was asked for, decoded.
    pub symbol: String,
    /// The request's head as it came.
    pub head: String,
    /// When.
    pub at: Instant,
}

/// A response.
#[derive(Clone, Debug)]
pub struct Reply {
    status: u16,
    headers: String,
    body: Vec<u8>,
    delay: Duration,
    missing: usize,
    hangs_up: bool,
}

impl Reply {
    /// One with this status and body.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: String::new(), body: body.into(), delay: Duration::ZERO, missing: 0, hangs_up: false }
    }

    /// A day of a symbol: the last trade at this second, at this price.
    pub fn chart(symbol: &str, seconds: u64, price: &str) -> Self {
        let start = seconds - 120;
        Self::new(
            200,
            format!(
                r#"{{"chart":{{"result":[{{"meta":{{"currency":"USD","symbol":"{symbol}","exchangeName":"NMS",
                "regularMarketTime":{seconds},"regularMarketPrice":{price},"regularMarketDayHigh":273.3300018310547,
                "regularMarketDayLow":265.67,"regularMarketVolume":59030832,"chartPreviousClose":1.5,
                "previousClose":266.25,"scale":3,"priceHint":2,"dataGranularity":"1m","range":"1d"}},
                "timestamp":[{start},{},{seconds}],"indicators":{{"quote":[{{"open":[null,265.95,270],
                "high":[null,266,271],"low":[null,265,270],"close":[null,265.5,270.5],"volume":[null,100,0]}}]}}}}],
                "error":null}}}}"#,
                start + 60
            ),
        )
    }

    /// What Yahoo says of a symbol that it does not know.
    pub fn unknown() -> Self {
        Self::new(
            404,
            r#"{"chart":{"result":null,"error":{"code":"Not Found","description":"No data found, symbol may be delisted"}}}"#,
        )
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers += &format!("{name}: {value}\r\n");
        self
    }

    /// Comes only after this.
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Ends so many bytes before its length.
    pub fn cut_by(mut self, bytes: usize) -> Self {
        self.missing = bytes;
        self
    }

    /// No response at all: the connection is closed.
    pub fn none() -> Self {
        Self { hangs_up: true, ..Self::new(200, "") }
    }
}

impl Fake {
    /// One that answers so for a symbol, and for the how manieth time (from 0) that it is asked for.
    pub fn start(answer: impl Fn(&str, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (shared, answer) = (Arc::<Shared>::default(), Arc::new(answer));
        let theirs = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (shared, answer) = (Arc::clone(&theirs), Arc::clone(&answer));
                shared.connections.fetch_add(1, Ordering::SeqCst);
                thread::spawn(move || shared.serve(stream, &*answer));
            }
        });
        Self { address, shared }
    }

    /// What `STOCKPIPE_YAHOO_URL` is to say.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All that was asked, in order.
    pub fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().expect("no panic").clone()
    }

    /// How many connections were made.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// The most requests that were under way at once.
    pub fn most_at_once(&self) -> usize {
        self.shared.most.load(Ordering::SeqCst)
    }
}

impl Shared {
    /// Answers the requests of one connection, until one of the two sides ends it.
    fn serve(&self, mut stream: TcpStream, answer: &dyn Fn(&str, usize) -> Reply) {
        while let Some(head) = head(&mut stream) {
            // Through a proxy the whole address comes.
            let path = head.split(' ').nth(1).unwrap_or_default().split_once("/v8/finance/chart/");
            let symbol = path.and_then(|(_, rest)| rest.split('?').next()).unwrap_or_default();
            let symbol = symbol.replace("%5E", "^").replace("%3D", "=");
            let open = self.open.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(open, Ordering::SeqCst);
            let before = {
                let mut asked = self.asked.lock().expect("no panic");
                let before = asked.iter().filter(|a| a.symbol == symbol).count();
                asked.push(Asked { symbol: symbol.clone(), head, at: Instant::now() });
                before
            };
            let reply = answer(&symbol, before);
            thread::sleep(reply.delay);
            self.open.fetch_sub(1, Ordering::SeqCst);
            if reply.hangs_up {
                return;
            }
            let (status, length, headers) = (reply.status, reply.body.len(), &reply.headers);
            let mut response =
                format!("HTTP/1.1 {status} Status\r\nContent-Length: {length}\r\n{headers}\r\n").into_bytes();
            response.extend_from_slice(&reply.body[..length - reply.missing]);
            // In one piece: the second of two would wait for the first to be acknowledged.
            let written = stream.write_all(&response);
            if written.is_err() || reply.missing > 0 {
                return;
            }
        }
    }
}

/// The head of the next request; none at the end of the connection.
fn head(stream: &mut TcpStream) -> Option<String> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return None,
        }
    }
    Some(String::from_utf8_lossy(&head).into_owned())
}

/// Now, in whole seconds since 1970.
pub fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs()
}
