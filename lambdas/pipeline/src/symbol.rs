//! Symbols: what a quote is of.

use std::{borrow::Borrow, fmt, ops::Deref, sync::Arc};

/// A symbol: 1 to 32 of `A–Z a–z 0–9 . ^ = _ -`, and neither `.` nor `..`, so that it can name a folder.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Symbol(Arc<str>);

/// A text that is no symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not 1 to 32 of A-Z a-z 0-9 . ^ = _ -")]
pub struct SymbolError;

impl Symbol {
    /// The symbol that this text is.
    ///
    /// # Errors
    /// When the text is none.
    pub fn parse(text: &str) -> Result<Self, SymbolError> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'^' | b'=' | b'_' | b'-');
        let well_formed = (1..=32).contains(&text.len()) && text.bytes().all(allowed);
        if well_formed && text != "." && text != ".." { Ok(Self(text.into())) } else { Err(SymbolError) }
    }
}

impl Deref for Symbol {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Symbol {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_symbol() {
        for text in ["AAPL", "^GSPC", "EURUSD=X", "BTC-USD", "BRK.B", "a_b", "...", &"X".repeat(32)] {
            assert!(Symbol::parse(text).is_ok(), "{text}");
        }
        for text in ["", ".", "..", "../x", "A B", "A/B", "É", "A\u{7}", &"X".repeat(33)] {
            assert!(Symbol::parse(text).is_err(), "{text}");
        }
    }
}
