//! Puts onto the stream again what was set aside, or a span of the stream. All of it is new there: it gets new
//! sequences and is judged anew, and a quote that is stored already counts as a duplicate.

use super::{Deployed, asides::Kept};
use crate::{
    error::{Error, ExitStatus},
    report::style::plural,
    targets::{
        again,
        aside::Choice,
        local::stream::now,
        span::{Lines, Span},
    },
};
use pipeline::{Quote, RECORD_LIMIT, RecordSequence, push_json};
use std::collections::HashMap;

/// Hears how many are durable so far, and says whether to go on.
pub type GoOn<'a> = &'a mut dyn FnMut(u64) -> bool;

impl Deployed {
    /// Puts set-aside lines again as they are, each as a record with its old key, and marks them page by page.
    ///
    /// They are durable first and marked after: a crash in between leaves some that are put again the next time, and
    /// are duplicates then.
    pub fn replay_asides(&self, choice: Choice, go_on: GoOn<'_>) -> Result<(), Error> {
        let mut asides = self.set_aside(choice);
        let mut replayed = 0;
        while let Some(page) = self.wait(asides.next())? {
            let records: Vec<_> =
                page.iter().map(|kept| (kept.aside.partition_key.clone(), kept.aside.bytes.clone())).collect();
            let put = self.wait(self.put_in_order(&records));
            let marks: Vec<(Kept, RecordSequence)> =
                page.into_iter().zip(put.records).filter_map(|(kept, record)| Some((kept, record?))).collect();
            let done = marks.len() as u64;
            replayed += done;
            let go_on = go_on(replayed);
            self.wait(asides.mark(marks, now())).map_err(|e| {
                Error::new(format!("{} put again, but could not be marked as replayed", plural(done, "line")))
                    .because(e)
                    .hint("the next replay puts them again, and what is stored by then counts as a duplicate")
                    .status(ExitStatus::Partial)
            })?;
            if let Some(failure) = put.failure {
                return Err(failure);
            }
            if !go_on {
                break;
            }
        }
        Ok(())
    }

    /// Puts the quotes of a span again, as replayed ones.
    pub fn replay_span(&self, span: Span, alert: bool, go_on: GoOn<'_>) -> Result<(), Error> {
        let mut lines = self.read(span, None)?;
        let mut replayed = 0;
        while let Some(lines) = lines.next()? {
            let now = now();
            let quotes = lines.into_iter().filter_map(|line| line.judged.ok()).map(|quote| again(quote, alert, now));
            let (records, counts): (Vec<_>, Vec<_>) =
                packed(quotes).into_iter().map(|p| ((p.key, p.data), p.quotes)).unzip();
            let put = self.wait(self.put_in_order(&records));
            replayed +=
                put.records.iter().zip(counts).filter(|(put, _)| put.is_some()).map(|(_, quotes)| quotes).sum::<u64>();
            let go_on = go_on(replayed);
            if let Some(failure) = put.failure {
                return Err(failure);
            }
            if !go_on {
                break;
            }
        }
        Ok(())
    }
}

/// A record of some quotes of one symbol.
struct Packed {
    key: String,
    data: Vec<u8>,
    quotes: u64,
}

/// Quotes as records, each as large as a producer makes them; of a symbol in the order of its quotes.
fn packed(quotes: impl Iterator<Item = Quote>) -> Vec<Packed> {
    let mut records: Vec<Packed> = Vec::new();
    let mut open: HashMap<String, usize> = HashMap::new();
    for quote in quotes {
        let mut line = Vec::with_capacity(256);
        push_json(&mut line, &quote);
        let record = open.get(&*quote.symbol).and_then(|at| records.get_mut(*at));
        match record.filter(|record| record.data.len() + 1 + line.len() <= RECORD_LIMIT) {
            Some(record) => {
                record.data.push(b'\n');
                record.data.extend(line);
                record.quotes += 1;
            }
            None => {
                open.insert(quote.symbol.to_string(), records.len());
                records.push(Packed { key: quote.symbol.to_string(), data: line, quotes: 1 });
            }
        }
    }
    records
}

#[cfg(test)]
mod tests {
    use super::*;
    use pipeline::{Judge, Record, Timestamp};

    /// Would catch a quote that is lost, out of order, or in a record that is too large.
    #[test]
    fn quotes_are_packed_in_their_order() {
        let quote = |n: usize| {
            let symbol = ["A", "B"][n % 2];
            let time = Timestamp::from_millis(1_400_000_000_000 + n as i64 * 1000).expect("a time");
            let line = format!(r#"{{"symbol":"{symbol}","timestamp":"{time}","price":{}}}"#, n + 1);
            let record = Record {
                sequence: RecordSequence::local(1),
                partition_key: symbol.into(),
                arrived_at: time,
                data: line.as_bytes().into(),
            };
            let mut found = None;
            Judge::default().record(&record, |_, quote, _| found = Some(quote), |_| {});
            found.expect("a quote")
        };
        let records = packed((0..1000).map(quote));
        assert!(records.len() > 4 && records.iter().all(|record| record.data.len() <= RECORD_LIMIT));
        assert_eq!(records.iter().map(|record| record.quotes).sum::<u64>(), 1000);
        for (key, first) in [("A", 0), ("B", 1)] {
            let of: Vec<_> = records.iter().filter(|record| record.key == key).map(|r| r.data.clone()).collect();
            let text = String::from_utf8(of.join(&b'\n')).expect("a text");
            let prices: Vec<String> = (0..500).map(|n| format!("\"price\":{},", first + 2 * n + 1)).collect();
            assert_eq!(text.lines().count(), 500);
            assert!(text.lines().zip(prices).all(|(line, price)| line.contains(&price)));
        }
    }
}
