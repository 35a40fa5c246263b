//! What a pipeline costs a month on AWS, estimated line by line from its options and its load.
//!
//! A month has 730 hours. The rates behind the lines (how long a function takes, how large an item is) were measured on an
//! emulator; what is charged is what AWS measures. Alarms, metrics and dashboards are counted in the template. Left out
//! are taxes, transfer out of AWS, and the delivery of alerts.

mod prices;

use super::template::{self, Values};
use prices::Prices;

/// Hours and seconds of a month.
const HOURS: f64 = 730.0;
const SECONDS: f64 = HOURS * 3600.0;
const DAYS: f64 = HOURS / 24.0;
const MILLION: f64 = 1e6;
const GB: f64 = 1_073_741_824.0;
/// Bytes of a quote: its item, its part of a Parquet file and of a raw object, its record.
const ITEM_BYTES: f64 = 650.0;
const PARQUET_BYTES: f64 = 25.0;
const RAW_BYTES: f64 = 40.0;
const RECORD_BYTES: f64 = 250.0;
/// Writes of a quote: it, and for 7 % of quotes a signal that is recorded and then marked.
const WRITES: f64 = 1.14;
/// Reads of a quote: the newest item, once per symbol and batch.
const READS: f64 = 1.0;
/// A function polls so often a second at most; trend waits a second for more.
const POLLS: f64 = 1.0;
/// Seconds that an invocation takes, and a quote of it.
const PROCESS: (f64, f64) = (0.020, 0.002);
const TREND: (f64, f64) = (0.015, 0.0);
const ARCHIVE: (f64, f64) = (0.1, 50e-6);
const MERGE: (f64, f64) = (2.0, 10e-6);
/// What an invocation logs, in bytes.
const LOG_BYTES: f64 = 500.0;
/// Objects of a day that merging writes.
const MERGED: f64 = 3.0;
/// What Athena charges for a query at least, in bytes.
const LEAST_SCAN: f64 = 10.0 * 1_048_576.0;
/// Zones of the endpoint of an isolated pipeline.
const ZONES: f64 = 2.0;

/// What goes through it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// Quotes a day, a record each.
    pub quotes: f64,
    /// Symbols that they are of.
    pub symbols: f64,
}

impl Default for Load {
    /// A symbol, every 30 seconds.
    fn default() -> Self {
        Self { quotes: 2_880.0, symbols: 1.0 }
    }
}

/// A part of the bill.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// What is charged.
    pub name: &'static str,
    /// Dollars a month by the list.
    pub dollars: f64,
    /// Dollars a month, less what every account has free for ever. It is free once for the account, not for each stack.
    pub after_free: f64,
}

/// The bill.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Estimate {
    /// Its lines; none of them is of nothing.
    pub lines: Vec<Line>,
    /// What would make it less, or has to be known.
    pub notes: Vec<String>,
}

impl Estimate {
    /// Dollars a month by the list.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.lines.iter().map(|line| line.dollars).sum()
    }

    /// Dollars a month after always-free tiers.
    #[must_use]
    pub fn total_after_free(&self) -> f64 {
        self.lines.iter().map(|line| line.after_free).sum()
    }

    fn add(&mut self, name: &'static str, dollars: f64, free: f64) {
        if dollars > 0.0 {
            self.lines.push(Line { name, dollars, after_free: (dollars - free).max(0.0) });
        }
    }
}

/// Estimates the bill of a pipeline with these parameters.
///
/// # Errors
/// When the prices cannot be read.
pub fn estimate(values: &Values, load: Load) -> Result<Estimate, String> {
    let model = Model { values, load, prices: Prices::read()?, quotes: load.quotes * DAYS };
    let mut estimate = Estimate::default();
    model.stream(&mut estimate);
    model.functions(&mut estimate);
    model.tables(&mut estimate);
    model.lake(&mut estimate);
    model.watching(&mut estimate);
    model.options(&mut estimate);
    Ok(estimate)
}

struct Model<'a> {
    values: &'a Values,
    load: Load,
    prices: Prices,
    /// A month's.
    quotes: f64,
}

impl Model<'_> {
    fn is(&self, name: &str, value: &str) -> bool {
        self.values.get(name).is_some_and(|set| set == value)
    }

    fn number(&self, name: &str) -> f64 {
        self.values.get(name).and_then(|text| text.parse().ok()).unwrap_or(0.0)
    }

    fn stream(&self, estimate: &mut Estimate) {
        let prices = &self.prices.kinesis;
        if self.is("StreamMode", "on-demand") {
            estimate.add("Kinesis, on demand", prices.on_demand_hour * HOURS, 0.0);
            let read = 2.0 * self.quotes * RECORD_BYTES / GB * prices.on_demand_gb_out;
            estimate.add("Kinesis, data", self.quotes * 1024.0 / GB * prices.on_demand_gb_in + read, 0.0);
        } else {
            let shards = self.number("ShardCount");
            estimate.add("Kinesis, shards", shards * prices.shard_hour * HOURS, 0.0);
            estimate.add("Kinesis, put units", self.quotes / MILLION * prices.million_put_units, 0.0);
            let busiest = self.load.quotes / (24.0 * 3600.0);
            if busiest > shards * 1000.0 {
                estimate
                    .notes
                    .push("more than 1,000 records a second and shard: it takes more shards (--shards)".into());
            }
        }
        if self.is("FanOut", "yes") {
            let shards = self.number("ShardCount").max(1.0) * prices.fan_out_shard_hour * HOURS;
            let data = self.quotes * RECORD_BYTES / GB * prices.fan_out_gb;
            estimate.add("Kinesis, enhanced fan-out", shards + data, 0.0);
        }
    }

    /// Invocations a month: of process and of trend each, of archive, of merging.
    fn invocations(&self) -> [f64; 3] {
        let fast = self.quotes.min(SECONDS * POLLS);
        [fast, self.windows(), DAYS]
    }

    /// Archive's batches a month.
    fn windows(&self) -> f64 {
        self.quotes.min(SECONDS / self.number("ArchiveWindow").max(1.0))
    }

    fn functions(&self, estimate: &mut Estimate) {
        let (prices, free) = (&self.prices.lambda, &self.prices.always_free);
        let [fast, windows, merges] = self.invocations();
        let requests = (2.0 * fast + windows + merges) / MILLION;
        let price = prices.million_requests;
        estimate.add("Lambda, requests", requests * price, free.million_requests * price);
        let takes = |(call, quote): (f64, f64), calls: f64| call.mul_add(calls, quote * self.quotes);
        let memory = |function: &str| template::memory(function) / 1024.0;
        let gb_seconds = takes(PROCESS, fast) * memory("ProcessStockData")
            + takes(TREND, fast) * memory("StockTrendAnalysis")
            + (takes(ARCHIVE, windows) + takes(MERGE, merges)) * memory("ArchiveStockData");
        let price = if self.is("Architecture", "arm64") { prices.gb_second_arm64 } else { prices.gb_second_x86_64 };
        estimate.add("Lambda, time", gb_seconds * price, free.gb_seconds * price);
    }

    fn tables(&self, estimate: &mut Estimate) {
        let (prices, free) = (&self.prices.dynamodb, &self.prices.always_free);
        let on_demand = self.quotes / MILLION * WRITES.mul_add(prices.million_writes, READS * prices.million_reads);
        let stored = self.load.quotes * (self.number("QuoteRetention") / 86_400.0) * ITEM_BYTES / GB;
        // Whole units, used at 60 % in the mean; one at least of each table and kind.
        let units = |a_quote: f64| (self.quotes * a_quote / SECONDS / 0.6).ceil().max(2.0);
        let provisioned =
            |writes: f64, reads: f64| writes.mul_add(prices.write_unit_hour, reads * prices.read_unit_hour) * HOURS;
        let is_provisioned = self.is("TableMode", "provisioned");
        if is_provisioned {
            let writes = self.number("QuotesWriteUnits") + self.number("SignalsWriteUnits");
            let reads = self.number("QuotesReadUnits") + self.number("SignalsReadUnits");
            let after = provisioned(writes.min(free.write_units), reads.min(free.read_units));
            estimate.add("DynamoDB, provisioned units", provisioned(writes, reads), after);
            if writes < units(WRITES) || reads < units(READS) {
                estimate.notes.push(format!(
                    "this load takes {} write and {} read units at 60 % use; there are {writes} and {reads}",
                    units(WRITES),
                    units(READS)
                ));
            }
        } else {
            estimate.add("DynamoDB, writes and reads", on_demand, 0.0);
            let less = provisioned(units(WRITES), units(READS));
            if less < on_demand {
                estimate.notes.push(format!(
                    "table_mode=provisioned with {} write and {} read units in all: ${:.2} rather than ${:.2} for \
                     writes and reads, where the load is even",
                    units(WRITES),
                    units(READS),
                    less,
                    on_demand
                ));
            }
        }
        let free_gb = if is_provisioned { free.table_gb } else { 0.0 };
        estimate.add("DynamoDB, storage", stored * prices.gb_month, free_gb * prices.gb_month);
        if self.is("PointInTimeRecovery", "yes") {
            estimate.add("DynamoDB, point-in-time recovery", stored * prices.recovery_gb_month, 0.0);
        }
    }

    fn lake(&self, estimate: &mut Estimate) {
        let prices = &self.prices.s3;
        let windows = self.windows();
        let parquet = MERGED.mul_add(DAYS, windows);
        // Where a window holds less than a quote of a symbol, there is an object for each quote.
        let of_symbols = self.quotes.min(self.load.symbols * windows);
        let raw = match self.values.get("Raw").map(String::as_str) {
            Some("off") => 0.0,
            Some("batch") => windows,
            _ => of_symbols,
        };
        estimate.add("S3, puts", (parquet + raw) / 1000.0 * prices.thousand_puts, 0.0);
        let saved = (of_symbols - windows) / 1000.0 * prices.thousand_puts;
        if self.is("Raw", "symbol") && saved > 1.0 {
            estimate.notes.push(format!("--raw batch, a raw object per batch and not per symbol, saves ${saved:.2}"));
        }
        let bytes = if self.is("Raw", "off") { PARQUET_BYTES } else { PARQUET_BYTES + RAW_BYTES };
        // The mean of the first month: it grows from nothing.
        estimate.add("S3, storage of the first month", self.quotes * bytes / 2.0 / GB * prices.gb_month, 0.0);
        let day = (self.load.quotes * PARQUET_BYTES).max(LEAST_SCAN);
        let month = (self.quotes * PARQUET_BYTES).max(LEAST_SCAN);
        let scanned = 30.0f64.mul_add(day, month) / (1024.0 * GB) * self.prices.athena.tb;
        let read = (windows / DAYS).mul_add(30.0, 30.0 * 30.0) / 1000.0 * prices.thousand_gets;
        estimate.add("Athena: a query a day and one of the month", scanned + read, 0.0);
    }

    fn watching(&self, estimate: &mut Estimate) {
        let (prices, free) = (&self.prices.cloudwatch, &self.prices.always_free);
        let [fast, windows, merges] = self.invocations();
        let logs = (2.0 * fast + windows + merges) * LOG_BYTES / GB;
        estimate.add("CloudWatch, logs", logs * prices.logs_gb, free.logs_gb * prices.logs_gb);
        let made = template::resources(template::PIPELINE, self.values);
        let count = |kind: &str| made.iter().filter(|(_, of)| of == kind).count() as f64;
        let (alarms, dashboards) = (count("AWS::CloudWatch::Alarm"), count("AWS::CloudWatch::Dashboard"));
        estimate.add("CloudWatch, alarms", alarms * prices.alarm, free.alarms * prices.alarm);
        let metrics = template::metrics().len() as f64;
        estimate.add("CloudWatch, metrics", metrics * prices.metric, free.metrics * prices.metric);
        estimate.add("CloudWatch, dashboard", dashboards * prices.dashboard, free.dashboards * prices.dashboard);
    }

    fn options(&self, estimate: &mut Estimate) {
        if self.is("CustomerKey", "new") {
            estimate.add("KMS, the key without its calls", self.prices.kms.key, 0.0);
        }
        if self.is("Isolation", "yes") {
            let zone = self.prices.vpc.interface_endpoint_zone_hour * HOURS;
            estimate.add("VPC, an endpoint of SNS in two zones", ZONES * zone, 0.0);
        }
        if self.is("AuditTrail", "yes") {
            let events = self.quotes * (WRITES + READS) / 100_000.0;
            estimate.add(
                "CloudTrail, data events at most",
                events * self.prices.cloudtrail.hundred_thousand_events,
                0.0,
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(set: &[(&str, &str)]) -> Values {
        let mut values: Values = template::parameters(template::PIPELINE)
            .into_iter()
            .filter_map(|parameter| Some((parameter.name, parameter.default?)))
            .collect();
        values.extend(set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        values
    }

    fn of(set: &[(&str, &str)], quotes: f64, symbols: f64) -> Estimate {
        estimate(&values(set), Load { quotes, symbols }).expect("prices")
    }

    fn line(estimate: &Estimate, name: &str) -> f64 {
        estimate.lines.iter().filter(|line| line.name.starts_with(name)).map(|line| line.dollars).sum()
    }

    fn is_near(found: f64, expected: f64) -> bool {
        (found - expected).abs() < 0.0051
    }

    /// The loads that the model was made for, in cents by line. Would catch a line that is left out or counted twice.
    #[test]
    fn three_loads_line_by_line() {
        for (quotes, symbols, units, expected) in [
            (2_880.0, 1.0, None, [10.95, 0.00, 0.04, 0.02, 0.07, 0.00, 0.09, 0.00, 0.01, 0.04]),
            (
                100_000.0,
                35.0,
                Some(["2", "1", "1", "1"]),
                [10.95, 0.04, 1.05, 0.42, 1.61, 0.11, 1.58, 0.00, 0.01, 1.23],
            ),
            (1e6, 347.0, Some(["21", "1", "19", "1"]), [10.95, 0.43, 1.05, 0.66, 12.34, 1.06, 15.24, 0.02, 0.01, 1.23]),
        ] {
            let set: Vec<(&str, &str)> = units.map_or_else(Vec::new, |[write, signals, read, reads]| {
                vec![
                    ("TableMode", "provisioned"),
                    ("QuotesWriteUnits", write),
                    ("SignalsWriteUnits", signals),
                    ("QuotesReadUnits", read),
                    ("SignalsReadUnits", reads),
                ]
            });
            let found = of(&set, quotes, symbols);
            let names = [
                "Kinesis, shards",
                "Kinesis, put",
                "Lambda, requests",
                "Lambda, time",
                if units.is_some() { "DynamoDB, provisioned" } else { "DynamoDB, writes" },
                "DynamoDB, storage",
                "S3, puts",
                "S3, storage",
                "Athena",
                "CloudWatch, logs",
            ];
            for (name, expected) in names.iter().zip(expected) {
                let found = line(&found, name);
                assert!(is_near(found, expected), "{quotes}: {name}: {found}, not {expected}");
            }
            assert!(found.notes.iter().all(|note| !note.contains("takes")), "{:?}", found.notes);
        }
    }

    /// What watches over it, and what is free of it for ever.
    #[test]
    fn alarms_metrics_and_the_dashboard_are_the_templates() {
        let found = of(&[], 2_880.0, 1.0);
        assert!(is_near(line(&found, "CloudWatch, alarms"), 1.40));
        assert!(is_near(line(&found, "CloudWatch, metrics"), 3.00));
        assert!(is_near(line(&found, "CloudWatch, dashboard"), 3.00));
        let after: f64 = found.lines.iter().filter(|l| l.name.starts_with("CloudWatch")).map(|l| l.after_free).sum();
        assert!(is_near(after, 0.40));
        assert!(is_near(of(&[("Dashboard", "no")], 2_880.0, 1.0).total(), found.total() - 3.0));
    }

    /// Would catch an option whose price is not told.
    #[test]
    fn options_and_what_would_cost_less() {
        let plain = of(&[], 100_000.0, 35.0);
        let more = |set: &[(&str, &str)]| of(set, 100_000.0, 35.0).total() - plain.total();
        assert!(is_near(more(&[("ShardCount", "2")]), 10.95));
        assert!((10.95..11.0).contains(&more(&[("FanOut", "yes")])));
        assert!(is_near(more(&[("CustomerKey", "new")]), 1.0));
        assert!(is_near(more(&[("Isolation", "yes")]), 14.60));
        assert!((17.0..19.0).contains(&more(&[("StreamMode", "on-demand")])));
        assert!(more(&[("AuditTrail", "yes")]) > 6.0 && more(&[("PointInTimeRecovery", "yes")]) > 0.0);
        assert!(more(&[("Architecture", "arm64")]) < 0.0 && more(&[("Raw", "batch")]) < -1.0);
        let notes = plain.notes.join("\n");
        assert!(notes.contains("table_mode=provisioned with 3 write and 2 read units"), "{notes}");
        assert!(notes.contains("--raw batch") && notes.contains("saves $1.49"), "{notes}");
    }
}
