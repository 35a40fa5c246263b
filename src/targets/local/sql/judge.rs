//! What a statement is that another engine is to answer: whether it only reads, and what there is to say of it before
//! it is sent.

use super::{Engine, SqlError, bind, bounds, notes};
use crate::queries::Parameter;
use datafusion::sql::sqlparser::tokenizer::Token;

/// Enough to plan with, which is all that is done here.
const MEMORY: usize = 1 << 20;

/// What kind of a statement it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// It reads rows.
    Query,
    /// It asks about tables, or how a query would be answered.
    About,
}

/// What is known of a statement that only reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// What kind it is.
    pub sort: Sort,
    /// Whether it reads the lake without a first day. False where it is not understood here.
    pub is_unbounded: bool,
    /// What Athena would not understand, a line each.
    pub notes: Vec<String>,
    /// Whether it is understood here. Athena knows more than the embedded engine does.
    pub is_understood: bool,
}

/// Judges a statement.
///
/// # Errors
/// When it would change something, in the words of an [`Engine`]; when it is not one statement, or has not as many `?`
/// as there are values.
pub async fn judge(sql: &str, parameters: &[Parameter]) -> Result<Judged, SqlError> {
    let tokens = bind::tokens(sql)?;
    let tokens: Vec<Token> = tokens.into_iter().map(|token| token.token).collect();
    let sort = sort(&tokens);
    let (notes, is_unbounded, verdict) = match bind::statement(sql, parameters) {
        Ok(statement) => {
            let (notes, is_unbounded) = (notes::notes(&statement), bounds::is_unbounded(&statement));
            (notes, is_unbounded, Engine::open(Vec::new(), MEMORY)?.plan(statement).await.map(|_| ()))
        }
        Err(SqlError::Query(problem)) => (Vec::new(), false, Err(SqlError::Query(problem))),
        Err(error) => return Err(error),
    };
    match (sort, verdict) {
        (Ok(_), Err(error @ SqlError::ReadOnly(_))) | (Err(_), Err(error)) => Err(error),
        (Err(word), Ok(())) => Err(SqlError::ReadOnly(word)),
        (Ok(sort), verdict) => {
            let is_unbounded = is_unbounded && sort == Sort::Query;
            Ok(Judged { sort, is_unbounded, notes, is_understood: verdict.is_ok() })
        }
    }
}

/// What kind of a statement it is by its first word; the word where it is not known to only read.
fn sort(tokens: &[Token]) -> Result<Sort, String> {
    let mut rest = tokens.iter().filter(|token| !matches!(token, Token::Whitespace(_)));
    let mut sort = Sort::Query;
    loop {
        let word = match rest.next() {
            Some(Token::LParen) => continue,
            Some(Token::Word(word)) => word.value.to_ascii_uppercase(),
            other => return Err(other.map(ToString::to_string).unwrap_or_default()),
        };
        match &*word {
            "SELECT" | "WITH" | "VALUES" | "TABLE" => return Ok(sort),
            "DESCRIBE" | "DESC" | "SHOW" => return Ok(Sort::About),
            // What is explained may be carried out as well.
            "EXPLAIN" => sort = Sort::About,
            "ANALYZE" | "VERBOSE" if sort == Sort::About => {}
            // EXPLAIN (TYPE IO, FORMAT JSON)
            "TYPE" | "FORMAT" if sort == Sort::About => {
                let _ = rest.find(|token| **token == Token::RParen);
            }
            _ => return Err(word),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn refused(sql: &str) -> String {
        judge(sql, &[]).await.expect_err(sql).to_string()
    }

    /// Would catch a statement that changes something and is sent, whatever stands in front of it.
    #[tokio::test]
    async fn what_only_reads_is_sent_and_nothing_else() {
        for (sql, expected) in [
            ("-- SELECT\n SELECT 1", Sort::Query),
            ("/* a */ (SELECT 1) UNION SELECT 2;", Sort::Query),
            ("with a AS (SELECT 1) SELECT * FROM a", Sort::Query),
            ("VALUES 1, 2", Sort::Query),
            // Athena knows it, and the embedded engine does not.
            ("SELECT geometry_union_agg(a) FROM stock_data_table MATCH_RECOGNIZE (PATTERN (A))", Sort::Query),
            ("SHOW PARTITIONS stock_data_table", Sort::About),
            ("DESCRIBE stock_data_table", Sort::About),
            ("explain analyze verbose SELECT 1", Sort::About),
            ("EXPLAIN (TYPE IO, FORMAT JSON) SELECT 1", Sort::About),
            ("EXPLAIN (SELECT 1)", Sort::About),
        ] {
            assert_eq!(judge(sql, &[]).await.expect(sql).sort, expected, "{sql}");
        }
        assert_eq!(refused("DROP TABLE stock_data_table").await, "a query can only read; refused: DropTable");
        for sql in [
            "UNLOAD (SELECT 1) TO 's3://a'",
            "EXPLAIN ANALYZE INSERT INTO a SELECT 1",
            "EXPLAIN (FORMAT JSON) DELETE FROM stock_data_table",
            "MSCK REPAIR TABLE a",
            "EXECUTE a",
            "PREPARE a FROM SELECT 1",
            "SELECT 1 AS a INTO b",
            "",
        ] {
            refused(sql).await;
        }
        assert_eq!(refused("SELECT 1; SELECT 2").await, "one statement expected, not 2");
        assert_eq!(refused("SELECT ?").await, "the query has 1 `?`, and 0 values were given");
        assert!(!judge("SELECT 1 FROM nowhere", &[]).await.expect("a query").is_understood);
    }
}
