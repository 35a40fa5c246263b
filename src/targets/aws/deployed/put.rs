//! Records onto the stream, in order per key.
//!
//! PutRecords keeps no order between the records of a request, and takes some while it refuses others. So no key has
//! more than one record on its way, and what was refused goes before what follows it.

use super::Deployed;
use crate::{
    error::Error,
    targets::aws::{Refused, failed},
};
use aws_sdk_kinesis::{primitives::Blob, types::PutRecordsRequestEntry};
use pipeline::RecordSequence;
use std::{collections::HashSet, time::Duration};
use tokio::time::{Instant, sleep};

/// What a request holds: records, and after which size no more, in bytes.
const REQUEST: (usize, usize) = (500, 5_000_000);
/// After a request of which something was refused; each one more doubles it, up to the last.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LAST_WAIT: Duration = Duration::from_secs(2);
/// When nothing at all is taken for so long, it is given up.
const PATIENCE: Duration = Duration::from_secs(60);

const WHAT: &str = "the stream takes no records";

/// What became of records.
pub(super) struct Put {
    /// The record of the stream that each of them is; none where it was not put.
    pub(super) records: Vec<Option<RecordSequence>>,
    /// Why not all were put.
    pub(super) failure: Option<Error>,
}

impl Deployed {
    /// Puts records, each a partition key and its bytes. When this returns, those that have a number are durable.
    ///
    /// An answer that is lost can leave a record on the stream twice.
    pub(super) async fn put_in_order(&self, records: &[(String, Vec<u8>)]) -> Put {
        let mut put = Put { records: vec![None; records.len()], failure: None };
        let mut waiting: Vec<usize> = (0..records.len()).collect();
        let (mut wait, mut moved) = (FIRST_WAIT, Instant::now());
        while !waiting.is_empty() {
            let request = next_request(records, &waiting);
            match self.send(records, &request).await {
                Ok(Answer { sequences, refusal }) => {
                    let mut taken = 0;
                    for (at, sequence) in request.iter().zip(sequences) {
                        taken += usize::from(sequence.is_some());
                        if let Some(record) = put.records.get_mut(*at) {
                            *record = sequence;
                        }
                    }
                    waiting.retain(|at| put.records.get(*at).is_some_and(Option::is_none));
                    if taken > 0 {
                        moved = Instant::now();
                    }
                    match refusal {
                        None => wait = FIRST_WAIT,
                        Some(refusal) if moved.elapsed() > PATIENCE => {
                            put.failure = Some(Error::new(WHAT).because(refusal));
                            return put;
                        }
                        Some(_) => {
                            sleep(wait).await;
                            wait = (wait * 2).min(LAST_WAIT);
                        }
                    }
                }
                Err(error) => {
                    put.failure = Some(error);
                    return put;
                }
            }
        }
        put
    }

    /// Sends a request once.
    async fn send(&self, records: &[(String, Vec<u8>)], request: &[usize]) -> Result<Answer, Error> {
        let entries = request.iter().filter_map(|at| records.get(*at)).map(|(key, bytes)| {
            let entry = PutRecordsRequestEntry::builder().partition_key(key).data(Blob::new(&**bytes)).build();
            entry.map_err(|e| Error::new(WHAT).because(e))
        });
        let entries = entries.collect::<Result<Vec<_>, _>>()?;
        let put = self.aws.kinesis().put_records().stream_name(self.names.stream()).set_records(Some(entries));
        match put.send().await {
            Ok(answer) => {
                let refusal = answer.records().iter().find_map(|r| r.error_code().zip(r.error_message()));
                Ok(Answer {
                    sequences: answer
                        .records()
                        .iter()
                        .map(|r| r.sequence_number().filter(|_| r.error_code().is_none()).and_then(aws_ports::sequence))
                        .collect(),
                    refusal: refusal
                        .map(|(code, message)| crate::report::style::outside(&format!("{code}: {message}"))),
                })
            }
            Err(error) if super::shards::is_refusal(error.refusal().0) => {
                let refusal = Some(error.refusal().0.to_owned());
                Ok(Answer { sequences: vec![None; request.len()], refusal })
            }
            Err(error) => Err(failed(WHAT, "Kinesis.PutRecords", &error)),
        }
    }
}

/// What became of the records of a request.
struct Answer {
    sequences: Vec<Option<RecordSequence>>,
    /// Why some were refused.
    refusal: Option<String>,
}

/// The places of the records that go together: the first of each key, as many as a request holds.
fn next_request(records: &[(String, Vec<u8>)], waiting: &[usize]) -> Vec<usize> {
    let (mut request, mut bytes, mut keys) = (Vec::new(), 0, HashSet::new());
    for at in waiting {
        let Some((key, data)) = records.get(*at) else { continue };
        if !keys.insert(key) {
            continue;
        }
        let length = key.len() + data.len();
        if request.len() == REQUEST.0 || (bytes + length > REQUEST.1 && !request.is_empty()) {
            break;
        }
        bytes += length;
        request.push(*at);
    }
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch a key that has two records on their way, one that overtakes, and a request that is too large.
    #[test]
    fn a_request_has_one_record_of_a_key() {
        let record = |key: &str, length: usize| (key.to_owned(), vec![b'x'; length]);
        let records = [record("A", 1), record("A", 1), record("B", 1), record("C", 4_999_990), record("D", 9)];
        assert_eq!(next_request(&records, &[0, 1, 2, 3, 4]), [0, 2, 3]);
        assert_eq!(next_request(&records, &[1, 4]), [1, 4]);
        let too_large = [record("A", 6_000_000), record("B", 1)];
        assert_eq!(next_request(&too_large, &[0, 1]), [0]);
        let many: Vec<_> = (0..600).map(|n| record(&n.to_string(), 1)).collect();
        assert_eq!(next_request(&many, &(0..600).collect::<Vec<_>>()).len(), 500);
    }
}
