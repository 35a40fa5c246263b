//! The values of a query's `?`.

use super::{SqlError, not_understood};
use crate::queries::Parameter;
use datafusion::sql::{
    parser::{DFParserBuilder, Statement},
    sqlparser::{
        dialect::GenericDialect,
        tokenizer::{Token, TokenWithSpan, Tokenizer},
    },
};

/// The query's one statement, with a literal in the place of each `?`.
///
/// The literals are put among the tokens, so a `?` in a string or a comment is none, a value can never become
/// anything but a literal, and errors tell positions as they are in `sql`.
pub(super) fn statement(sql: &str, parameters: &[Parameter]) -> Result<Statement, SqlError> {
    let mut values = parameters.iter();
    let mut expected = 0;
    let mut bound = Vec::new();
    for token in tokens(sql)? {
        match &token.token {
            Token::Placeholder(name) if name == "?" => {
                expected += 1;
                if let Some(value) = values.next() {
                    let literal = tokens(&value.literal())?;
                    bound.extend(literal.into_iter().map(|t| TokenWithSpan::new(t.token, token.span)));
                }
            }
            Token::Placeholder(name) => return Err(SqlError::Placeholder(name.clone())),
            _ => bound.push(token),
        }
    }
    if expected != parameters.len() {
        return Err(SqlError::Parameters { expected, given: parameters.len() });
    }
    let mut parser = DFParserBuilder::new(bound).build().map_err(not_understood)?;
    let mut statements = parser.parse_statements().map_err(not_understood)?;
    match (statements.pop_front(), statements.len()) {
        (Some(statement), 0) => Ok(statement),
        (None, _) => Err(SqlError::Statements(0)),
        (Some(_), more) => Err(SqlError::Statements(1 + more)),
    }
}

/// The tokens, blanks and comments among them.
pub(super) fn tokens(sql: &str) -> Result<Vec<TokenWithSpan>, SqlError> {
    Tokenizer::new(&GenericDialect {}, sql).tokenize_with_location().map_err(|e| SqlError::Query(e.to_string()))
}
