//! What a quote means after those before it: order, averages, sides and signals, all exact.

use crate::{Item, Price, Symbol, Timestamp, push_decimal};

/// Prices in the long average, and so in the warm-up.
pub const LONG: usize = 20;
/// Prices in the short average.
pub const SHORT: usize = 5;

/// Which average is above: the sign of `SMA-5 − SMA-20`, where it is not zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// SMA-5 below SMA-20.
    Below,
    /// SMA-5 above SMA-20.
    Above,
}

impl Side {
    /// −1 or 1.
    #[must_use]
    pub const fn sign(self) -> i64 {
        match self {
            Self::Below => -1,
            Self::Above => 1,
        }
    }

    /// The side of this sign; none for zero.
    #[must_use]
    pub const fn from_sign(sign: i64) -> Option<Self> {
        match sign {
            ..0 => Some(Self::Below),
            0 => None,
            1.. => Some(Self::Above),
        }
    }
}

/// The last prices of a symbol, at most 20, oldest first.
#[derive(Clone, PartialEq, Eq)]
pub struct Window {
    prices: [Price; LONG],
    len: u8,
}

/// An average in units of 10⁻¹⁰, `decimal(28,10)`: fifths and twentieths of eight places need two more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Average(pub i128);

impl Default for Window {
    fn default() -> Self {
        Self { prices: [Price::MIN; LONG], len: 0 }
    }
}

impl Window {
    /// The prices, oldest first.
    #[must_use]
    pub fn prices(&self) -> &[Price] {
        self.prices.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// Takes in the next price, and lets go of the oldest of 20.
    pub fn push(&mut self, price: Price) {
        if usize::from(self.len) == LONG {
            self.prices.rotate_left(1);
            self.len -= 1;
        }
        if let Some(free) = self.prices.get_mut(usize::from(self.len)) {
            *free = price;
            self.len += 1;
        }
    }

    /// The side: the sign of `4·sum5 − sum20`. None while warming up, or where the averages are equal.
    #[must_use]
    pub fn side(&self) -> Option<Side> {
        let (short, long) = (self.sum(SHORT)?, self.sum(LONG)?);
        match (4 * short).cmp(&long) {
            std::cmp::Ordering::Less => Some(Side::Below),
            std::cmp::Ordering::Equal => None,
            std::cmp::Ordering::Greater => Some(Side::Above),
        }
    }

    /// The average of the last five, once there are five.
    #[must_use]
    pub fn sma_5(&self) -> Option<Average> {
        self.sum(SHORT).map(|sum| Average(sum * 20))
    }

    /// The average of the last twenty, once there are twenty.
    #[must_use]
    pub fn sma_20(&self) -> Option<Average> {
        self.sum(LONG).map(|sum| Average(sum * 5))
    }

    /// The sum of the last `count` prices in units of 10⁻⁸; none before there are so many.
    fn sum(&self, count: usize) -> Option<i128> {
        let prices = self.prices();
        let last = prices.get(prices.len().checked_sub(count)?..)?;
        Some(last.iter().map(|p| i128::from(p.units())).sum())
    }
}

impl std::fmt::Debug for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.prices()).finish()
    }
}

impl FromIterator<Price> for Window {
    fn from_iter<I: IntoIterator<Item = Price>>(prices: I) -> Self {
        let mut window = Self::default();
        prices.into_iter().for_each(|p| window.push(p));
        window
    }
}

impl Average {
    /// The average that this text is, as it is displayed; none where it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let is_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || whole.len() > 18 || part.len() > 10 || !is_digits(whole) || !is_digits(part) {
            return None;
        }
        format!("{whole}{part:0<10}").parse().ok().map(Self)
    }
}

impl std::fmt::Display for Average {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = Vec::new();
        push_decimal(&mut text, self.0, 10);
        f.pad(std::str::from_utf8(&text).map_err(|_| std::fmt::Error)?)
    }
}

/// Which way a signal points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// SMA-5 went above SMA-20.
    Buy,
    /// SMA-5 went below SMA-20.
    Sell,
}

impl Direction {
    /// `BUY` or `SELL`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Buy => "BUY",
            Self::Sell => "SELL",
        }
    }

    /// What [`Self::as_str`] gives of it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Buy, Self::Sell].into_iter().find(|direction| direction.as_str() == text)
    }
}

/// A change of side, at the quote that made it. A function of the in-order quotes up to that one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    /// The quote's symbol.
    pub symbol: Symbol,
    /// The quote's market time.
    pub timestamp: Timestamp,
    /// Which way.
    pub direction: Direction,
    /// The quote's price.
    pub price: Price,
    /// The average of the last 5 in-order prices, the quote's own included.
    pub sma_5: Average,
    /// The average of the last 20.
    pub sma_20: Average,
    /// Whether it is to be published.
    pub alert: bool,
}

impl Signal {
    /// The signal that this item raises, if any: it is in order, the side of its window is not zero, the side
    /// before it is known, and the two differ.
    #[must_use]
    pub fn of(item: &Item) -> Option<Self> {
        let trail = item.trail.as_ref()?;
        let (side, before) = (trail.window.side()?, trail.side?);
        (side != before).then_some(Self {
            symbol: item.quote.symbol.clone(),
            timestamp: item.quote.timestamp,
            direction: if side == Side::Above { Direction::Buy } else { Direction::Sell },
            price: item.quote.price,
            sma_5: trail.window.sma_5()?,
            sma_20: trail.window.sma_20()?,
            alert: item.quote.alert,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(prices: &[&str]) -> Window {
        prices.iter().map(|p| Price::parse(p).expect("a price")).collect()
    }

    #[test]
    fn averages_are_exact() {
        let window = window(&["0.00000001"; 19].into_iter().chain(["0.00000002"]).collect::<Vec<_>>());
        assert_eq!(window.sma_5().map(|a| a.to_string()).as_deref(), Some("0.000000012"));
        assert_eq!(window.sma_20().map(|a| a.to_string()).as_deref(), Some("0.0000000105"));
        assert_eq!(window.side(), Some(Side::Above));
        for average in [window.sma_5(), window.sma_20(), Some(Average(120_000_000_000))].into_iter().flatten() {
            assert_eq!(Average::parse(&average.to_string()), Some(average));
        }
        assert!(["", ".5", "-1", "1.12345678901", "1e5"].iter().all(|text| Average::parse(text).is_none()));
    }

    #[test]
    fn a_flat_or_short_window_has_no_side() {
        assert_eq!(window(&["7"; 20]).side(), None);
        assert_eq!(window(&["1", "2", "3"]).side(), None);
        assert_eq!(window(&["7"; 25]).prices().len(), LONG);
    }
}
