//! Records that wait to be put, a lane for each partition key.
//!
//! PutRecords keeps no order between records, not even those of one key. So of each key one record is on its way at a
//! time, what waits is packed into the next, and what was refused goes first again.

use crate::targets::producer::Packed;
use pipeline::RECORD_LIMIT;
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

/// What PutRecords takes: records, and bytes of them and their keys. It takes 10 MiB; smaller requests get on sooner.
pub const MOST_RECORDS: usize = 500;
pub const MOST_BYTES: usize = 4 << 20;

/// All keys.
#[derive(Debug, Default)]
pub struct Lanes {
    lanes: HashMap<Arc<str>, Lane>,
    /// The keys with something that waits and nothing on its way, in the order in which they are served.
    ready: VecDeque<Arc<str>>,
    /// Waiting or on its way.
    bytes: usize,
    lines: u64,
}

#[derive(Debug, Default)]
struct Lane {
    waiting: VecDeque<Packed>,
    is_under_way: bool,
}

impl Lanes {
    /// Takes in a record that follows those of its key.
    pub fn push(&mut self, packed: Packed) {
        self.bytes += packed.data.len();
        self.lines += packed.ack.count;
        let key = Arc::clone(&packed.ack.key);
        let lane = self.lanes.entry(Arc::clone(&key)).or_default();
        if lane.waiting.is_empty() && !lane.is_under_way {
            self.ready.push_back(key);
        }
        match lane.waiting.back_mut() {
            Some(last) if fits(last, &packed) => {
                last.data.push(b'\n');
                last.data.extend_from_slice(&packed.data);
                self.bytes += 1;
                last.ack.count += packed.ack.count;
                last.ack.through = packed.ack.through;
            }
            _ => lane.waiting.push_back(packed),
        }
    }

    /// How many records could be put now, and their bytes; at most as many as one request takes, and so many bytes. One
    /// goes in any case.
    pub fn ready(&self, most: usize) -> (usize, usize) {
        let (mut records, mut bytes) = (0, 0);
        for key in self.ready.iter().take(MOST_RECORDS) {
            let size = self.lanes.get(key).and_then(|lane| lane.waiting.front()).map_or(0, size);
            if records > 0 && bytes + size > most.min(MOST_BYTES) {
                break;
            }
            (records, bytes) = (records + 1, bytes + size);
        }
        (records, bytes)
    }

    /// Whether no record could be put now.
    pub fn is_idle(&self) -> bool {
        self.ready.is_empty()
    }

    /// The records of the next request, of so many bytes at most. They are on their way until they are settled.
    pub fn take(&mut self, most: usize) -> Vec<Packed> {
        let (records, _) = self.ready(most);
        let keys: Vec<_> = self.ready.drain(..records).collect();
        keys.iter()
            .filter_map(|key| {
                let lane = self.lanes.get_mut(key)?;
                lane.is_under_way = true;
                lane.waiting.pop_front()
            })
            .collect()
    }

    /// A record was taken by the stream.
    pub fn acknowledged(&mut self, packed: &Packed) {
        self.bytes -= packed.data.len();
        self.lines -= packed.ack.count;
        let key = &packed.ack.key;
        let Some(lane) = self.lanes.get_mut(key) else { return };
        lane.is_under_way = false;
        if lane.waiting.is_empty() {
            self.lanes.remove(key);
        } else {
            self.ready.push_back(Arc::clone(key));
        }
    }

    /// Records were refused: each goes first again, in its lane and among the lanes.
    pub fn refused(&mut self, records: Vec<Packed>) {
        for packed in records.into_iter().rev() {
            let key = Arc::clone(&packed.ack.key);
            let lane = self.lanes.entry(Arc::clone(&key)).or_default();
            lane.is_under_way = false;
            lane.waiting.push_front(packed);
            self.ready.push_front(key);
        }
    }

    /// Bytes that are not acknowledged yet.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Lines that are not acknowledged yet.
    pub fn lines(&self) -> u64 {
        self.lines
    }
}

/// A record's part of a request.
fn size(packed: &Packed) -> usize {
    packed.data.len() + packed.ack.key.len()
}

/// Whether both can be one record. A line that is no quote stays one of its own: it may hold line ends.
fn fits(last: &Packed, next: &Packed) -> bool {
    let are_quotes = last.ack.through.is_some() && next.ack.through.is_some();
    are_quotes && last.data.len() + 1 + next.data.len() <= RECORD_LIMIT
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::producer::Ack;
    use pipeline::Timestamp;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn packed(key: &str, data: String, is_quote: bool) -> Packed {
        let through = Timestamp::from_millis(0).filter(|_| is_quote);
        Packed { ack: Ack { key: key.into(), through, count: 1 }, put_at: 0, data: data.into_bytes() }
    }

    proptest! {
        /// Whatever is refused, and in whichever order requests are answered, each key's lines come in their order, each
        /// once, in records of no more than the limit. Would catch a record that overtakes another of its key.
        #[test]
        fn each_key_keeps_its_order(
            steps in prop::collection::vec((0..4_usize, 0..12_000_usize, any::<bool>(), any::<u8>()), 1..200),
        ) {
            let mut lanes = Lanes::default();
            let mut under_way: Vec<Vec<Packed>> = Vec::new();
            let (mut sent, mut came) = (BTreeMap::<usize, Vec<String>>::new(), BTreeMap::<String, Vec<String>>::new());
            let settle = |lanes: &mut Lanes, request: Vec<Packed>, luck: u8, came: &mut BTreeMap<String, Vec<String>>| {
                let mut refused = Vec::new();
                for (at, packed) in request.into_iter().enumerate() {
                    if luck >> (at % 8) & 1 == 1 {
                        refused.push(packed);
                        continue;
                    }
                    assert!(packed.data.len() <= RECORD_LIMIT);
                    let text = String::from_utf8(packed.data.clone()).unwrap();
                    let lines = came.entry(packed.ack.key.to_string()).or_default();
                    lines.extend(text.split('\n').map(|line| line.trim_start_matches('.').to_owned()));
                    lanes.acknowledged(&packed);
                }
                lanes.refused(refused);
            };
            for (number, (key, length, is_quote, luck)) in steps.into_iter().enumerate() {
                let text = number.to_string();
                sent.entry(key).or_default().push(text.clone());
                lanes.push(packed(&key.to_string(), ".".repeat(length) + &text, is_quote));
                if luck % 3 == 0 {
                    under_way.push(lanes.take(MOST_BYTES));
                    for (one, other) in under_way.iter().flatten().enumerate().flat_map(|(i, one)| {
                        under_way.iter().flatten().skip(i + 1).map(move |other| (one, other))
                    }) {
                        prop_assert_ne!(&one.ack.key, &other.ack.key, "two of one key are on their way");
                    }
                }
                if luck % 4 == 1 && !under_way.is_empty() {
                    let request = under_way.swap_remove(usize::from(luck) % under_way.len());
                    settle(&mut lanes, request, luck, &mut came);
                }
            }
            for request in under_way {
                settle(&mut lanes, request, 0, &mut came);
            }
            while lanes.ready(MOST_BYTES).0 > 0 {
                let request = lanes.take(MOST_BYTES);
                settle(&mut lanes, request, 0, &mut came);
            }
            let sent: BTreeMap<String, Vec<String>> = sent.into_iter().map(|(key, lines)| (key.to_string(), lines)).collect();
            prop_assert_eq!(came, sent);
            prop_assert_eq!((lanes.bytes(), lanes.lines()), (0, 0));
        }
    }

    #[test]
    fn a_request_is_no_larger_than_the_service_takes() {
        let mut lanes = Lanes::default();
        (0..600).for_each(|n| lanes.push(packed(&n.to_string(), "x".repeat(9_000), true)));
        let first = lanes.take(MOST_BYTES);
        assert_eq!(first.len(), MOST_BYTES / 9_003);
        lanes.refused(first);
        // What is alone goes, however large.
        let mut lanes = Lanes::default();
        lanes.push(packed("A", "x".repeat(MOST_BYTES + 1), false));
        assert_eq!(lanes.take(MOST_BYTES).len(), 1);
        let mut lanes = Lanes::default();
        (0..600).for_each(|n| lanes.push(packed(&n.to_string(), "x".into(), true)));
        assert_eq!((lanes.take(MOST_BYTES).len(), lanes.ready(MOST_BYTES).0), (MOST_RECORDS, 100));
        // A slow stream is given less at once.
        assert_eq!((lanes.ready(12), lanes.ready(0)), ((3, 12), (1, 4)));
    }
}
