//! What a query costs.

use crate::report::style::bytes;

/// Dollars for a TB that is scanned: the list price of us-east-1 in November 2026.
const DOLLARS_A_TB: u64 = 5;
/// Bytes that are charged as a whole.
const MEGABYTE: u64 = 1 << 20;
/// Megabytes of a query that are charged at least.
const LEAST: u64 = 10;
/// Megabytes of a TB.
const MEGABYTES_A_TB: u64 = 1 << 20;

/// What a query has scanned so far, or in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Bytes that were scanned, compressed as they are.
    pub scanned: u64,
    /// Whether an earlier answer was given again, which costs nothing.
    pub is_reused: bool,
    /// Whether nothing is charged: it asked about tables, not for rows.
    pub is_free: bool,
}

impl Spent {
    /// In dollars.
    #[must_use]
    pub fn dollars(&self) -> f64 {
        if self.is_reused || (self.is_free && self.scanned == 0) {
            return 0.0;
        }
        let megabytes = self.scanned.div_ceil(MEGABYTE).max(LEAST);
        (megabytes * DOLLARS_A_TB) as f64 / MEGABYTES_A_TB as f64
    }

    /// For people: `12 MB scanned, $0.00006`.
    #[must_use]
    pub fn text(&self) -> String {
        let cost = shown(self.dollars());
        if self.is_reused {
            return format!("an earlier answer given again, {cost}");
        }
        format!("{} scanned, {cost}", bytes(self.scanned))
    }
}

/// Dollars with two places, and small sums with five.
fn shown(dollars: f64) -> String {
    if dollars >= 0.01 || dollars == 0.0 {
        return format!("${dollars:.2}").replace("$0.00", "$0");
    }
    format!("${}", format!("{dollars:.5}").trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch a cost that is not what Athena charges: whole megabytes, and 10 at least.
    #[test]
    fn whole_megabytes_and_ten_at_least() {
        let of = |scanned| Spent { scanned, ..Spent::default() }.text();
        assert_eq!(of(0), "0 B scanned, $0.00005");
        assert_eq!(of(12_000), "12 kB scanned, $0.00005");
        assert_eq!(of(10 * MEGABYTE + 1), "10.5 MB scanned, $0.00005");
        let dollars = Spent { scanned: 10 * MEGABYTE + 1, ..Spent::default() }.dollars();
        assert!((dollars - 55.0 / 1_048_576.0).abs() < 1e-12);
        assert_eq!(of(1 << 30), "1.1 GB scanned, $0.00488");
        assert_eq!(of(1 << 40), "1.1 TB scanned, $5.00");
        assert_eq!(Spent { is_free: true, ..Spent::default() }.text(), "0 B scanned, $0");
        assert_eq!(Spent { is_reused: true, ..Spent::default() }.text(), "an earlier answer given again, $0");
    }
}
