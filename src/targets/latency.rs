//! How long things took, as a histogram that is small, can be added up and kept.

/// Buckets per doubling: a quantile is at most 1/16 too high.
const PER_OCTAVE: u32 = 16;

/// Counts of durations in µs, in buckets whose width grows with the duration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    counts: Vec<u64>,
}

impl Histogram {
    /// Counts `times` durations of so many µs.
    pub fn record(&mut self, micros: u64, times: u64) {
        let bucket = bucket(micros);
        if self.counts.len() <= bucket {
            self.counts.resize(bucket + 1, 0);
        }
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += times;
        }
    }

    /// Takes in another's counts.
    pub fn add(&mut self, other: &Self) {
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        self.counts.iter_mut().zip(&other.counts).for_each(|(mine, theirs)| *mine += theirs);
    }

    /// The duration in ms that this share of them did not exceed; none where nothing was counted.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let total: u64 = self.counts.iter().sum();
        let rank = ((total as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        let at = self.counts.iter().position(|count| {
            seen += count;
            seen >= rank
        })?;
        Some(upper_bound(at) as f64 / 1000.0)
    }

    /// For keeping: eight bytes a bucket.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.counts.iter().flat_map(|c| c.to_le_bytes()).collect()
    }

    /// What was kept.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let counts = bytes.chunks_exact(8).filter_map(|c| c.try_into().ok().map(u64::from_le_bytes)).collect();
        Self { counts }
    }
}

/// Below 16 µs a bucket each; from there on sixteen per doubling.
fn bucket(micros: u64) -> usize {
    let octave = micros.max(1).ilog2();
    let shift = octave.saturating_sub(PER_OCTAVE.ilog2());
    (shift * PER_OCTAVE) as usize + (micros >> shift) as usize
}

fn upper_bound(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let shift = (bucket / u64::from(PER_OCTAVE)).saturating_sub(1);
    let within = bucket - shift * u64::from(PER_OCTAVE);
    ((within + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_quantile_is_never_too_low_and_at_most_a_sixteenth_too_high(micros in 0..1_u64 << 40) {
            let bound = upper_bound(bucket(micros));
            prop_assert!(bound >= micros);
            prop_assert!(bound - micros <= micros / 16);
            prop_assert!(micros == 0 || bucket(micros - 1) <= bucket(micros));
        }
    }

    #[test]
    fn quantiles_of_what_was_counted() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(0.5), None);
        histogram.record(10, 98);
        histogram.record(15, 1);
        let mut other = Histogram::default();
        other.record(1_000_000, 1);
        histogram.add(&other);
        assert_eq!(histogram.quantile(0.5), Some(0.010));
        assert_eq!(histogram.quantile(0.99), Some(0.015));
        assert!(histogram.quantile(1.0).is_some_and(|ms| (1000.0..1063.0).contains(&ms)));
        assert_eq!(Histogram::from_bytes(&histogram.to_bytes()), histogram);
    }
}
