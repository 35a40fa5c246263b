//! The producer on AWS: packed records by PutRecords, those of a symbol one after the other.
//!
//! While one request is on its way the next one gathers, so that the size of requests follows the load; a large one does
//! not wait. What is refused goes again, at the rate that the stream takes. An outage is waited for, however long it
//! lasts, as long as there is anything to wait for; nothing is lost by it.

mod lanes;
mod pace;

use super::{Deployed, sent::Sent};
use crate::{
    error::{Error, ExitStatus},
    report::style,
    sources::{Note, Outgoing},
    targets::{
        aws::failed,
        producer::{Ack, Gauge, OnAck, Packed, Packer, Producer},
    },
};
use aws_ports::CallError;
use aws_sdk_kinesis::{
    Client,
    error::SdkError,
    operation::put_records::{PutRecordsError, PutRecordsOutput},
    primitives::Blob,
    types::PutRecordsRequestEntry,
};
use futures::{StreamExt, stream::FuturesUnordered};
use lanes::Lanes;
use pace::Pace;
use std::{
    collections::HashSet,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::{runtime::Handle, sync::Notify, task::JoinHandle};

/// How many bytes may wait or be on their way.
const WAITING_LIMIT: usize = 8 << 20;
/// A record that is alone waits so long for others.
const LINGER: Duration = Duration::from_millis(5);
/// Requests that are on their way at once.
const REQUESTS: usize = 4;
/// While others are on their way, a request waits until it has so many records, or bytes.
const LARGE: (usize, usize) = (100, 1 << 20);
/// What a record and its key may have in all.
const RECORD_BYTES: usize = 1 << 20;
/// The first pause in an outage; it doubles up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(5);
/// An outage lasts too long for what has an end; and for what was live, once it has ended.
const PATIENCE: Duration = Duration::from_secs(300);
const LAST_PATIENCE: Duration = Duration::from_secs(30);
/// What is said of an outage is said again after so long.
const SAY_AGAIN: Duration = Duration::from_secs(60);

/// Called with what is to be said.
pub type OnNote = Box<dyn FnMut(Note) + Send>;

/// What a producer tells others, besides how far it is.
#[derive(Default)]
pub struct Listeners {
    /// Of what has become durable.
    pub on_ack: Option<OnAck>,
    /// Of outages.
    pub on_note: Option<OnNote>,
    /// Of each record and its place in the stream, where they are to be looked up.
    pub sent: Option<Arc<Mutex<Sent>>>,
}

/// Packs and puts.
pub struct AwsProducer {
    shared: Arc<Shared>,
    packer: Packer,
    runtime: Handle,
    task: JoinHandle<Result<(), Error>>,
}

/// How far it is.
#[derive(Default)]
pub struct Shared {
    state: Mutex<State>,
    /// For whoever sends, or waits for the end.
    changed: Condvar,
    /// For whoever puts.
    arrived: Notify,
}

#[derive(Default)]
struct State {
    lanes: Lanes,
    pace: Pace,
    /// Since when something is ready.
    ready_since: Option<Instant>,
    closed: bool,
    failed: bool,
    acknowledged: u64,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many records the stream refused because they were too many; they went again.
    pub fn refused(&self) -> u64 {
        self.lock().pace.refused()
    }

    /// Whether it has given up.
    pub fn has_failed(&self) -> bool {
        self.lock().failed
    }

    /// How many quotes were handed over and are not durable.
    pub fn waiting(&self) -> u64 {
        self.lock().lanes.lines()
    }
}

impl Gauge for Shared {
    fn acknowledged(&self) -> u64 {
        self.lock().acknowledged
    }

    fn settle(&self, at_most: Duration) {
        let unsettled = |state: &mut State| !state.failed && state.lanes.lines() > 0;
        drop(self.changed.wait_timeout_while(self.lock(), at_most, unsettled));
    }
}

impl AwsProducer {
    /// Starts to put. A source that is live has no end, and so no outage is too long for it.
    pub fn start(deployed: &Deployed, is_live: bool, listeners: Listeners) -> Self {
        let shared: Arc<Shared> = Arc::default();
        let putter = Putter {
            client: deployed.aws.kinesis_without_retries(),
            stream: deployed.names.stream(),
            is_live,
            shared: Arc::clone(&shared),
            listeners,
            outage: None,
            in_doubt: HashSet::new(),
        };
        let runtime = deployed.runtime.handle().clone();
        let task = runtime.spawn(putter.run());
        Self { shared, packer: Packer::default(), runtime, task }
    }

    /// How far it is.
    pub fn gauge(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }
}

impl Producer for AwsProducer {
    fn send(&mut self, quotes: &mut Vec<Outgoing>) -> bool {
        let mut records = Vec::new();
        self.packer.pack(quotes, 0, |packed| push_whole(&mut records, packed));
        let mut state = self.shared.lock();
        for packed in records {
            while state.lanes.bytes() > WAITING_LIMIT && !state.failed {
                self.shared.arrived.notify_one();
                state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            state.lanes.push(packed);
            state.ready_since.get_or_insert_with(Instant::now);
        }
        self.shared.arrived.notify_one();
        !state.failed
    }

    fn finish(self: Box<Self>) -> Result<(), Error> {
        self.shared.lock().closed = true;
        self.shared.arrived.notify_one();
        let ended = self.runtime.block_on(self.task);
        ended.unwrap_or_else(|e| Err(Error::new("quotes cannot be put any more").because(e)))
    }
}

/// A record in pieces where it is longer than the service takes. Only a line that is no quote can be.
fn push_whole(records: &mut Vec<Packed>, packed: Packed) {
    let most = RECORD_BYTES - packed.ack.key.len();
    if packed.data.len() <= most {
        return records.push(packed);
    }
    for piece in packed.data.chunks(most) {
        let ack = Ack { count: 1, ..packed.ack.clone() };
        records.push(Packed { ack, put_at: packed.put_at, data: piece.to_vec() });
    }
}

type Answer = Result<PutRecordsOutput, SdkError<PutRecordsError>>;

struct Putter {
    client: Client,
    stream: String,
    is_live: bool,
    shared: Arc<Shared>,
    listeners: Listeners,
    outage: Option<Outage>,
    /// The keys whose record on its way may be on the stream already: an answer was lost.
    in_doubt: HashSet<Arc<str>>,
}

/// Requests that fail altogether.
struct Outage {
    since: Instant,
    said: Option<Instant>,
    pause: Duration,
    /// Until then nothing is put.
    until: Instant,
}

impl Putter {
    async fn run(mut self) -> Result<(), Error> {
        let result = self.put_all().await;
        self.shared.lock().failed |= result.is_err();
        self.shared.changed.notify_all();
        result
    }

    async fn put_all(&mut self) -> Result<(), Error> {
        let mut under_way = FuturesUnordered::new();
        loop {
            let wake = match self.next_request(under_way.len()) {
                Next::Put(records) => {
                    under_way.push(put(self.client.clone(), self.stream.clone(), records));
                    continue;
                }
                Next::Ended if under_way.is_empty() => return Ok(()),
                Next::Ended => None,
                Next::Wait(wake) => wake,
            };
            let alarm = async {
                match wake {
                    Some(wake) => tokio::time::sleep(wake).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                Some((records, answer)) = under_way.next() => self.settle(records, answer)?,
                () = self.shared.arrived.notified() => {}
                () = alarm => {}
            }
        }
    }

    /// What to do while so many requests are on their way.
    fn next_request(&self, under_way: usize) -> Next {
        let now = Instant::now();
        let mut state = self.shared.lock();
        let most = state.pace.request();
        let (records, bytes) = state.lanes.ready(most);
        if records == 0 {
            return if state.closed && state.lanes.lines() == 0 { Next::Ended } else { Next::Wait(None) };
        }
        if let Some(outage) = &self.outage
            && now < outage.until
        {
            return Next::Wait(Some(outage.until - now));
        }
        // In an outage one request tries it.
        if under_way >= REQUESTS || (under_way > 0 && self.outage.is_some()) {
            return Next::Wait(None);
        }
        let is_large = records >= LARGE.0 || bytes >= LARGE.1.min(most);
        if !is_large && under_way > 0 {
            return Next::Wait(None);
        }
        let lingers = state.ready_since.map_or(Duration::ZERO, |since| LINGER.saturating_sub(now - since));
        if !is_large && !state.closed && !lingers.is_zero() {
            return Next::Wait(Some(lingers));
        }
        let wait = state.pace.wait(now);
        if !wait.is_zero() {
            return Next::Wait(Some(wait));
        }
        let records = state.lanes.take(most);
        state.pace.puts(records.iter().map(|packed| packed.data.len()).sum());
        state.ready_since = (!state.lanes.is_idle()).then_some(now);
        Next::Put(records)
    }

    /// Takes an answer: what the stream took is acknowledged, what it refused goes again.
    fn settle(&mut self, records: Vec<Packed>, answer: Answer) -> Result<(), Error> {
        let output = match answer {
            Ok(output) => output,
            Err(error) => return self.failed(records, &error),
        };
        let now = Instant::now();
        let (mut acks, mut again, mut bytes) = (Vec::new(), Vec::new(), 0);
        let mut too_much = 0;
        let mut why = None;
        {
            let mut state = self.shared.lock();
            for (packed, result) in records.into_iter().zip(&output.records) {
                let Some(number) = &result.sequence_number else {
                    let code = result.error_code().unwrap_or_default();
                    too_much += u64::from(code.contains("Throughput") || code.contains("Throttling"));
                    why.get_or_insert_with(|| format!("{code}: {}", result.error_message().unwrap_or_default()));
                    again.push(packed);
                    continue;
                };
                bytes += packed.data.len();
                state.acknowledged += packed.ack.count;
                state.lanes.acknowledged(&packed);
                let is_in_doubt = self.in_doubt.remove(&packed.ack.key);
                if let Some(sent) = &self.listeners.sent {
                    let mut sent = sent.lock().unwrap_or_else(PoisonError::into_inner);
                    sent.add(&packed, number, result.shard_id(), is_in_doubt);
                }
                acks.push(packed.ack);
            }
            let failed = again.len() as u64 - too_much;
            state.lanes.refused(again);
            state.pace.answered(now, bytes, too_much);
            if !state.lanes.is_idle() {
                state.ready_since.get_or_insert(now);
            }
            drop(state);
            match why {
                Some(why) if acks.is_empty() && failed > 0 => self.pause(&why)?,
                _ => self.goes_on(),
            }
        }
        self.shared.changed.notify_all();
        if let (Some(on_ack), false) = (&mut self.listeners.on_ack, acks.is_empty()) {
            on_ack(&acks);
        }
        Ok(())
    }

    /// A request failed altogether: it goes again, if that can help.
    fn failed(&mut self, records: Vec<Packed>, error: &SdkError<PutRecordsError>) -> Result<(), Error> {
        let call = CallError::new("Kinesis.PutRecords", error);
        let is_too_much = ["Throttl", "Throughput", "LimitExceeded"].iter().any(|part| call.code.contains(part));
        let refused = if is_too_much { records.len() as u64 } else { 0 };
        if !is_too_much {
            self.in_doubt.extend(records.iter().map(|packed| Arc::clone(&packed.ack.key)));
        }
        let lines = {
            let mut state = self.shared.lock();
            state.lanes.refused(records);
            state.pace.answered(Instant::now(), 0, refused);
            state.lanes.lines()
        };
        if !is_too_much && !may_pass(&call.code) {
            let what = format!("{} could not be put onto the stream", style::plural(lines, "quote"));
            return Err(failed(what, "Kinesis.PutRecords", error));
        }
        self.pause(&call.to_string())
    }

    /// Nothing gets on: waits, and says so now and then.
    fn pause(&mut self, why: &str) -> Result<(), Error> {
        let now = Instant::now();
        let (closed, lines) = {
            let state = self.shared.lock();
            (state.closed, state.lanes.lines())
        };
        let outage = self.outage.get_or_insert(Outage { since: now, said: None, pause: FIRST_PAUSE, until: now });
        let patience = match (closed, self.is_live) {
            (true, true) => LAST_PATIENCE,
            (false, true) => Duration::MAX,
            (_, false) => PATIENCE,
        };
        if now - outage.since > patience {
            let quotes = style::plural(lines, "quote");
            return Err(Error::new(format!("{quotes} could not be put onto the stream"))
                .because(why)
                .status(ExitStatus::Partial)
                .hint("what was acknowledged is durable; what is sent again counts as a duplicate where it was"));
        }
        outage.until = now + outage.pause;
        outage.pause = (outage.pause * 2).min(LAST_PAUSE);
        // What passes at the second try need not be said.
        let say = now - outage.since >= FIRST_PAUSE && outage.said.is_none_or(|said| now - said >= SAY_AGAIN);
        if let (Some(on_note), true) = (&mut self.listeners.on_note, say) {
            outage.said = Some(now);
            let text = format!("the stream takes nothing: {why}. It is tried again, and nothing is lost");
            let hint = why.contains("Expired").then(|| "`aws sso login`, or get new credentials, meanwhile".into());
            on_note(Note { text, hint, is_warning: true });
        }
        Ok(())
    }

    /// Something got on.
    fn goes_on(&mut self) {
        if let Some(Outage { said: Some(_), since, .. }) = self.outage.take()
            && let Some(on_note) = &mut self.listeners.on_note
        {
            let text = format!("the stream takes quotes again, after {}", style::elapsed(since.elapsed()));
            on_note(Note { text, hint: None, is_warning: false });
        }
    }
}

enum Next {
    Put(Vec<Packed>),
    /// Until something comes, or for so long at most.
    Wait(Option<Duration>),
    Ended,
}

async fn put(client: Client, stream: String, records: Vec<Packed>) -> (Vec<Packed>, Answer) {
    let entries: Result<Vec<_>, _> = records
        .iter()
        .map(|packed| {
            let entry = PutRecordsRequestEntry::builder().partition_key(&*packed.ack.key);
            entry.data(Blob::new(packed.data.clone())).build()
        })
        .collect();
    let answer = match entries {
        Ok(entries) => client.put_records().stream_name(stream).set_records(Some(entries)).send().await,
        Err(error) => Err(SdkError::construction_failure(error)),
    };
    (records, answer)
}

/// Whether the same request may succeed later.
fn may_pass(code: &str) -> bool {
    code.starts_with("HTTP 5")
        || code.starts_with("ExpiredToken")
        || [
            "DispatchFailure",
            "TimeoutError",
            "ResponseError",
            "InternalFailure",
            "InternalFailureException",
            "InternalServerError",
            "ServiceUnavailable",
            "RequestTimeout",
            "RequestExpired",
        ]
        .contains(&code)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch a line that the service refuses for its length, again and again.
    #[test]
    fn a_line_that_is_too_long_goes_in_pieces() {
        let ack = Ack { key: "?".into(), through: None, count: 1 };
        let mut records = Vec::new();
        push_whole(&mut records, Packed { ack, put_at: 0, data: vec![b'x'; RECORD_BYTES] });
        let lengths: Vec<_> = records.iter().map(|packed| packed.data.len()).collect();
        assert_eq!(lengths, [RECORD_BYTES - 1, 1]);
    }
}
