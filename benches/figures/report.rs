//! Figures, their bounds, and how both are written.

use serde_json::{Map, Value, json};
use std::fmt;

/// The most memory that any command may need, in MB.
const MEMORY: Bound = Bound::Below(300.0);

/// What a claim demands.
#[derive(Clone, Copy, Debug)]
pub enum Bound {
    /// Less than that.
    Below(f64),
    /// That, or less.
    AtMost(f64),
    /// That, or more.
    AtLeast(f64),
}

impl Bound {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::Below(bound) => value < bound,
            Self::AtMost(bound) => value <= bound,
            Self::AtLeast(bound) => value >= bound,
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Below(bound) => write!(f, "< {bound}"),
            Self::AtMost(bound) => write!(f, "≤ {bound}"),
            Self::AtLeast(bound) => write!(f, "≥ {bound}"),
        }
    }
}

/// All figures of a run, in the order in which they were found.
#[derive(Debug, Default)]
pub struct Report {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    /// In JSON.
    key: String,
    /// In the table.
    name: String,
    /// None where it could not be measured.
    value: Option<f64>,
    unit: &'static str,
    bound: Option<Bound>,
}

impl Row {
    fn verdict(&self) -> &'static str {
        match self.bound.zip(self.value) {
            Some((bound, value)) if bound.holds(value) => "holds",
            Some(_) => "MISSED",
            None => "",
        }
    }
}

impl Report {
    /// A figure.
    pub fn figure(&mut self, key: &str, name: &str, value: f64, unit: &'static str) {
        self.maybe(key, name, Some(value), unit);
    }

    /// A figure that could perhaps not be measured.
    pub fn maybe(&mut self, key: &str, name: &str, value: Option<f64>, unit: &'static str) {
        self.rows.push(Row { key: key.into(), name: name.into(), value, unit, bound: None });
    }

    /// A figure of which something is claimed.
    pub fn claim(&mut self, key: &str, name: &str, value: Option<f64>, unit: &'static str, bound: Bound) {
        self.rows.push(Row { key: key.into(), name: name.into(), value, unit, bound: Some(bound) });
    }

    /// The peak memory of a command, in bytes.
    pub fn memory(&mut self, key: &str, name: &str, peak: Option<u64>) {
        self.claim(key, name, peak.map(|bytes| bytes as f64 / 1e6), "MB", MEMORY);
    }

    /// One line: every figure by its key, and the keys of the claims that were missed.
    pub fn to_json(&self) -> String {
        let rounded = |value: f64| (value * 1000.0).round() / 1000.0;
        let figures: Map<String, Value> =
            self.rows.iter().map(|row| (row.key.clone(), row.value.map(rounded).into())).collect();
        let missed: Vec<&str> =
            self.rows.iter().filter(|row| row.verdict() == "MISSED").map(|row| row.key.as_str()).collect();
        json!({ "figures": figures, "missed": missed }).to_string()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
        for row in &self.rows {
            let value = row.value.map_or_else(|| "not measured".into(), number);
            let bound = row.bound.map(|bound| bound.to_string()).unwrap_or_default();
            let line = format!("{:width$}  {value:>12} {:<8}  {bound:>5}  {}", row.name, row.unit, row.verdict());
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// A number with three digits or more, thousands apart.
fn number(value: f64) -> String {
    let decimals = match value.abs() {
        whole if whole >= 100.0 || whole.fract() == 0.0 => 0,
        10.0.. => 1,
        _ => 2,
    };
    let text = format!("{value:.decimals$}");
    let (whole, fraction) = text.find('.').map_or((&*text, ""), |at| text.split_at(at));
    let mut grouped = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + fraction
}

/// The middle one, or the mean of the two in the middle; none of nothing.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (low, high) = (sorted.get(sorted.len().checked_sub(1)? / 2)?, sorted.get(sorted.len() / 2)?);
    Some(f64::midpoint(*low, *high))
}

/// The value that this share of the sorted ones does not exceed; none of nothing.
pub fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied()
}
