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
        format!("{comments}WITH {once},\n{rest}")
    } else {
        format!("{comments}WITH {once}\n{query}")
    }
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
    }
}
