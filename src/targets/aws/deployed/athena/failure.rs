//! Why a query has no answer, in Athena's words, and what to do about it.

use crate::{
    error::{Error, ExitStatus},
    report::style::outside,
    targets::{
        aws::{Refused, deployed::Deployed, failed, sql::place_in},
        local::sql::{COLUMNS_HINT, Judged},
    },
};
use aws_sdk_athena::{
    error::SdkError, operation::start_query_execution::StartQueryExecutionError, types::QueryExecutionState as State,
};
use regex_lite::Regex;

/// The option that says how much a query may scan.
const SCAN_LIMIT: &str = "ScanLimit";

/// A query that was sent.
pub struct Sent<'a> {
    /// As it was typed.
    pub sql: &'a str,
    /// As it was sent.
    pub text: String,
    /// What is known of it here.
    pub judged: Judged,
}

/// What kind of a failure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// It cannot be understood, or names what is not there.
    Syntax,
    /// It scanned more than the workgroup lets a query scan.
    ScanLimit,
    /// Somebody may not do what it takes.
    Denied,
    /// It takes too much memory or time.
    TooMuch,
    /// Whatever else.
    Other,
}

impl Sent<'_> {
    /// The error of a query that Athena did not begin.
    pub fn not_started(&self, deployed: &Deployed, error: &SdkError<StartQueryExecutionError>) -> Error {
        let (code, message) = error.refusal();
        if code == "InvalidRequestException" && class(message, self.judged.is_understood) == Class::Syntax {
            return self.failed(deployed, &State::Failed, message);
        }
        failed("Athena does not take the query", "Athena.StartQueryExecution", error)
    }

    /// The error of a query that ended without an answer.
    pub fn failed(&self, deployed: &Deployed, state: &State, reason: &str) -> Error {
        let reason = if reason.is_empty() { "it gives no reason" } else { reason };
        let reason = outside(&placed(reason, self.sql, &self.text));
        let what = if *state == State::Cancelled { "the query was cancelled" } else { "the query failed" };
        let made = Error::new(what).because(&reason);
        let flags = deployed.flags();
        match class(&reason, self.judged.is_understood) {
            Class::Syntax => {
                let hints = self.judged.notes.iter().map(String::as_str).chain([COLUMNS_HINT]);
                made.status(ExitStatus::Usage).hint(hints.collect::<Vec<_>>().join("\n"))
            }
            Class::ScanLimit => {
                let limit = deployed.stack.values.get(SCAN_LIMIT).map(|limit| format!(" (it is {limit} now)"));
                made.hint(format!(
                    "ask for fewer days or symbols; `stockpipe up{flags} --set scan_limit=BYTES` lets a query scan \
                     more{}",
                    limit.unwrap_or_default()
                ))
            }
            Class::Denied => made.hint(format!(
                "it takes rights to the lake's bucket, its key and the Glue catalog: `stockpipe policy{flags}` prints \
                 them, `stockpipe doctor{flags}` checks them"
            )),
            Class::TooMuch => made.hint("ask for fewer days or symbols, or in parts"),
            Class::Other => made,
        }
    }
}

/// The kind of a failure, by Athena's reason. What neither Athena nor the embedded engine understands is no SQL, however
/// it is put.
fn class(reason: &str, is_understood: bool) -> Class {
    let has = |texts: &[&str]| texts.iter().any(|text| reason.contains(text));
    if has(&["Bytes scanned limit", "bytes scanned limit"]) {
        Class::ScanLimit
    } else if has(&["Access Denied", "AccessDenied", "not authorized", "Insufficient permissions", "PERMISSION_DENIED"])
    {
        Class::Denied
    } else if has(&["exhausted resources", "EXCEEDED_", "Query timeout", "TOO_MANY_REQUESTS"]) {
        Class::TooMuch
    // What is found out while rows are read has no place in the text.
    } else if position(reason).is_some() || has(&["SYNTAX_ERROR", "ParseException", "Only one sql statement"]) {
        Class::Syntax
    } else if is_understood {
        Class::Other
    } else {
        Class::Syntax
    }
}

/// The place that a reason names, and where it does: `line 1:8`.
fn position(reason: &str) -> Option<(std::ops::Range<usize>, usize, usize)> {
    let found = Regex::new(r"line (\d+):(\d+)").ok()?.captures(reason)?;
    let number = |at| found.get(at).and_then(|text| text.as_str().parse().ok());
    Some((found.get(0)?.range(), number(1)?, number(2)?))
}

/// The reason with the place as it is in what was typed: what is put in front of a query moves it.
fn placed(reason: &str, sql: &str, sent: &str) -> String {
    let moved = position(reason).and_then(|(range, line, column)| {
        let (line, column) = place_in(sql, sent, line, column)?;
        let (before, after) = (reason.get(..range.start)?, reason.get(range.end..)?);
        Some(format!("{before}line {line}:{column}{after}"))
    });
    moved.unwrap_or_else(|| reason.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::aws::sql::with_each_quote_once;

    /// Would catch a failure whose hint helps with another one.
    #[test]
    fn reasons_are_classed() {
        for (reason, expected) in [
            ("SYNTAX_ERROR: line 1:8: Column 'nope' cannot be resolved", Class::Syntax),
            ("COLUMN_NOT_FOUND: line 9:8: Column 'nope' cannot be resolved or requester is not allowed", Class::Syntax),
            ("line 1:1: mismatched input 'SELEC'. Expecting: 'ALTER'", Class::Syntax),
            ("FAILED: ParseException line 1:14 missing EOF at '-'", Class::Syntax),
            ("Query cancelled! : Bytes scanned limit was exceeded", Class::ScanLimit),
            ("Access Denied: Please check that your account has access to the bucket", Class::Denied),
            ("User: a is not authorized to perform: glue:GetTable on resource: b", Class::Denied),
            ("Query exhausted resources at this scale factor", Class::TooMuch),
            ("INVALID_CAST_ARGUMENT: Value cannot be cast to date: x", Class::Other),
            ("HIVE_BAD_DATA: a.parquet is not a valid Parquet File", Class::Other),
            ("", Class::Other),
        ] {
            assert_eq!(class(reason, true), expected, "{reason}");
        }
        assert_eq!(class("Parser Error: syntax error at or near \"selec\"", false), Class::Syntax);
    }

    /// Would catch a place that is in what was put in front.
    #[test]
    fn places_are_those_of_what_was_typed() {
        let sql = "SELECT\n  nope\nFROM stock_data_table";
        let sent = with_each_quote_once(sql, "a_db");
        let line = 1 + sent.lines().position(|line| line.contains("nope")).expect("a line");
        let reason = placed(&format!("COLUMN_NOT_FOUND: line {line}:3: Column 'nope'"), sql, &sent);
        assert_eq!(reason, "COLUMN_NOT_FOUND: line 2:3: Column 'nope'");
        let unchanged = "line 2:3: in front";
        assert_eq!(placed(unchanged, sql, &sent), unchanged);
    }
}
