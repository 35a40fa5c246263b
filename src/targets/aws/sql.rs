//! SQL as it goes to Athena.
//!
//! S3 swaps nothing in one step: while a day's small files and the one that they were merged into are both there, the
//! table has each quote twice, and what was sent twice it has twice in any case. So a common table expression named like
//! the table stands in front of every query and keeps the first of each (dt, symbol, timestamp) by sequence. A bound of
//! `dt` in the query goes through it, since `dt` is one of those it groups by.

use pipeline::quote::FIELDS;

/// The table, and what stands in for it.
const TABLE: &str = "stock_data_table";

/// The query with each quote once, over the table of this database.
///
/// Comments in front stay in front.
#[must_use]
pub fn with_each_quote_once(sql: &str, database: &str) -> String {
    let columns: Vec<String> = FIELDS.iter().filter(|f| f.in_lake).map(|f| format!("\"{}\"", f.name)).collect();
    let columns = format!("{}, \"dt\"", columns.join(", "));
    let once = format!(
        "{TABLE} AS (\n  SELECT {columns}\n  FROM (\n    SELECT *, row_number() OVER (PARTITION BY \"dt\", \"symbol\", \
         \"timestamp\" ORDER BY \"sequence\") AS nth\n    FROM \"{database}\".{TABLE}\n  )\n  WHERE nth = 1\n)"
    );
    let start = start(sql);
    let (comments, query) = sql.split_at(start);
    let first = query.split_whitespace().next().unwrap_or_default();
    if first.eq_ignore_ascii_case("with") {
        let rest = query.get(first.len()..).unwrap_or_default().trim_start();
        let second = rest.split_whitespace().next().unwrap_or_default();
        if second.eq_ignore_ascii_case("recursive") {
            let rest = rest.get(second.len()..).unwrap_or_default().trim_start();
            return format!("{comments}WITH RECURSIVE {once},\n{rest}");
        }
        format!("{comments}WITH {once},\n{rest}")
    } else {
        format!("{comments}WITH {once}\n{query}")
    }
}

/// Where line and column of a text with a common beginning put in front are in the text before, both counted from 1.
/// None where that is in what was put in front.
#[must_use]
pub fn place_in(sql: &str, sent: &str, line: usize, column: usize) -> Option<(usize, usize)> {
    let same = sql.bytes().rev().zip(sent.bytes().rev()).take_while(|(one, other)| one == other).count();
    let start = sent.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum::<usize>();
    let text = sent.get(start..)?.lines().next()?;
    let offset = start + text.chars().take(column.checked_sub(1)?).map(char::len_utf8).sum::<usize>();
    let to_end = sent.len().checked_sub(offset).filter(|to_end| *to_end <= same)?;
    let before = sql.get(..sql.len() - to_end)?;
    let last = before.rsplit('\n').next().unwrap_or_default();
    Some((before.matches('\n').count() + 1, last.chars().count() + 1))
}

/// Where the query begins, behind comments and blanks.
fn start(sql: &str) -> usize {
    let mut at = 0;
    loop {
        let rest = sql.get(at..).unwrap_or_default();
        let text = rest.trim_start();
        at += rest.len() - text.len();
        let length = if text.starts_with("--") {
            text.find('\n').map_or(text.len(), |end| end + 1)
        } else if text.starts_with("/*") {
            text.find("*/").map_or(text.len(), |end| end + 2)
        } else {
            return at;
        };
        at += length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch a query whose own expressions are lost, and a comment that hides the new one.
    #[test]
    fn it_stands_in_front_of_any_query() {
        let plain = with_each_quote_once("-- T\n/* a\n */ SELECT 1 FROM stock_data_table", "a_db");
        assert!(plain.starts_with("-- T\n/* a\n */ WITH stock_data_table AS (\n"), "{plain}");
        assert!(plain.ends_with(")\nSELECT 1 FROM stock_data_table"), "{plain}");
        assert!(plain.contains("FROM \"a_db\".stock_data_table"));
        let with = with_each_quote_once("with a AS (SELECT 2) SELECT * FROM a", "a_db");
        assert!(with.ends_with("),\na AS (SELECT 2) SELECT * FROM a"), "{with}");
        assert_eq!(with.matches("WITH").count() + with.matches("with").count(), 1);
        assert!(with_each_quote_once("", "a_db").ends_with(")\n"));
        let recursive = with_each_quote_once("WITH Recursive a(n) AS (SELECT 1) SELECT * FROM a", "a_db");
        assert!(recursive.starts_with("WITH RECURSIVE stock_data_table AS (\n"), "{recursive}");
        assert!(recursive.ends_with("),\na(n) AS (SELECT 1) SELECT * FROM a"), "{recursive}");
    }

    /// Would catch an error that names a line which its author never wrote.
    #[test]
    fn places_are_those_of_what_was_typed() {
        for sql in ["-- T\n  SELECT ä,\n nope FROM a", "WITH\n\n a AS (SELECT 1)\nSELECT nope FROM a", "SELECT nope"] {
            let sent = with_each_quote_once(sql, "a_db");
            let place = |text: &str| {
                let before = &text[..text.rfind("nope").expect("a name")];
                let last = before.rsplit('\n').next().unwrap_or_default();
                (before.matches('\n').count() + 1, last.chars().count() + 1)
            };
            let (line, column) = place(&sent);
            assert_eq!(place_in(sql, &sent, line, column), Some(place(sql)), "{sql}");
            assert_eq!(place_in(sql, &sent, 3, 1).filter(|_| !sql.starts_with("--")), None, "{sql}");
            assert_eq!((place_in(sql, &sent, 99, 1), place_in(sql, &sent, 0, 1)), (None, None));
        }
    }
}
