//! Exact decimals with eight places: prices and volumes are never binary floats.

use std::fmt;

/// Places after the point that the pipeline keeps, of prices and of volumes.
pub const PLACES: u32 = 8;
/// One, in units of 10⁻⁸.
pub(crate) const ONE: i64 = 100_000_000;
/// A price is below 10¹⁰: eighteen digits in all, the widest decimal that Parquet stores as INT64.
const PRICE_LIMIT: i128 = 10_i128.pow(10 + PLACES);
/// A volume has at most 28 digits, eight of them after the point.
const VOLUME_LIMIT: i128 = 10_i128.pow(28);
/// Digits that are sure to fit an `i128`.
const DIGITS: u32 = 38;

/// Why a text is not a price or a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// Not of the form `-12.5` or `1e-3`.
    #[error("not a number")]
    NotANumber,
    /// More places by value than the pipeline keeps; `1.100000000` has one.
    #[error("more than 8 decimal places")]
    TooManyPlaces,
    /// Ten thousand million or more for a price, 10²⁰ or more for a volume.
    #[error("too large")]
    TooLarge,
    /// A price of zero.
    #[error("not above zero")]
    NotPositive,
    /// Below zero.
    #[error("negative")]
    Negative,
}

/// A price in units of 10⁻⁸: above 0 and below 10¹⁰, `decimal(18,8)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Price(i64);

/// A volume in units of 10⁻⁸: 0 or more and below 10²⁰, `decimal(28,8)`. Crypto trades in fractions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Volume(i128);

impl Price {
    /// The smallest price, 10⁻⁸.
    pub const MIN: Self = Self(1);

    /// The price whose text this is, exactly.
    ///
    /// # Errors
    /// When it is no number, not above zero, too large, or has more than eight places by value.
    pub fn parse(text: &str) -> Result<Self, NumberError> {
        Self::in_range(Number::scan(text)?.exact()?)
    }

    /// The nearest price with eight places, ties to even: for sources, whose texts may come from binary floats.
    ///
    /// # Errors
    /// When it is no number, not above zero (after rounding), or too large.
    pub fn parse_rounded(text: &str) -> Result<Self, NumberError> {
        Self::in_range(Number::scan(text)?.rounded()?)
    }

    /// The price of this many units of 10⁻⁸; none where it is out of range.
    #[must_use]
    pub fn from_units(units: i64) -> Option<Self> {
        Self::in_range(i128::from(units)).ok()
    }

    /// Units of 10⁻⁸.
    #[must_use]
    pub const fn units(self) -> i64 {
        self.0
    }

    fn in_range(units: i128) -> Result<Self, NumberError> {
        match units {
            ..=-1 => Err(NumberError::Negative),
            0 => Err(NumberError::NotPositive),
            PRICE_LIMIT.. => Err(NumberError::TooLarge),
            _ => i64::try_from(units).map(Self).map_err(|_| NumberError::TooLarge),
        }
    }
}

impl Volume {
    /// The volume whose text this is, exactly.
    ///
    /// # Errors
    /// When it is no number, negative, too large, or has more than eight places by value.
    pub fn parse(text: &str) -> Result<Self, NumberError> {
        Self::in_range(Number::scan(text)?.exact()?)
    }

    /// The nearest volume with eight places, ties to even: for sources.
    ///
    /// # Errors
    /// When it is no number, negative, or too large.
    pub fn parse_rounded(text: &str) -> Result<Self, NumberError> {
        Self::in_range(Number::scan(text)?.rounded()?)
    }

    /// The volume of this many units of 10⁻⁸; none where it is out of range.
    #[must_use]
    pub fn from_units(units: i128) -> Option<Self> {
        Self::in_range(units).ok()
    }

    /// Units of 10⁻⁸.
    #[must_use]
    pub const fn units(self) -> i128 {
        self.0
    }

    fn in_range(units: i128) -> Result<Self, NumberError> {
        match units {
            ..=-1 => Err(NumberError::Negative),
            VOLUME_LIMIT.. => Err(NumberError::TooLarge),
            _ => Ok(Self(units)),
        }
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::with_capacity(20);
        push_decimal(&mut text, i128::from(self.0), PLACES);
        f.pad(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Display for Volume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::with_capacity(30);
        push_decimal(&mut text, self.0, PLACES);
        f.pad(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

/// Appends `units · 10^-places` as text, without an exponent or trailing zeros.
pub fn push_decimal(out: &mut Vec<u8>, units: i128, places: u32) {
    if units < 0 {
        out.push(b'-');
    }
    let magnitude = units.unsigned_abs();
    let one = 10_u128.pow(places);
    // Nearly every value fits 64 bits, where division is several times as fast.
    let (whole, mut part) = match (u64::try_from(magnitude), u64::try_from(one)) {
        (Ok(m), Ok(o)) => (u128::from(m / o), u128::from(m % o)),
        _ => (magnitude / one, magnitude % one),
    };
    push_integer(out, whole);
    if part == 0 {
        return;
    }
    out.push(b'.');
    let start = out.len();
    out.resize(start + places as usize, b'0');
    let mut at = out.len();
    while part > 0 {
        at -= 1;
        if let Some(digit) = out.get_mut(at) {
            *digit = b'0' + (part % 10) as u8;
        }
        part /= 10;
    }
    while out.last() == Some(&b'0') {
        out.pop();
    }
}

fn push_integer(out: &mut Vec<u8>, value: u128) {
    let Ok(mut value) = u64::try_from(value) else {
        out.extend_from_slice(value.to_string().as_bytes());
        return;
    };
    let start = out.len();
    loop {
        out.push(b'0' + (value % 10) as u8);
        value /= 10;
        if value == 0 {
            break;
        }
    }
    if let Some(digits) = out.get_mut(start..) {
        digits.reverse();
    }
}

/// `mantissa · 10^exponent`, the mantissa without trailing zeros.
struct Number {
    negative: bool,
    mantissa: i128,
    exponent: i64,
}

impl Number {
    fn scan(text: &str) -> Result<Self, NumberError> {
        let (negative, body) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (digits, exponent) = match body.split_once(['e', 'E']) {
            Some((digits, exponent)) => {
                let magnitude = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
                if magnitude.is_empty() || !magnitude.bytes().all(|b| b.is_ascii_digit()) {
                    return Err(NumberError::NotANumber);
                }
                // An exponent past i32 is past every limit as well, in one direction or the other.
                let magnitude = magnitude.parse::<i32>().map_or(i64::from(i32::MAX), i64::from);
                (digits, if exponent.starts_with('-') { -magnitude } else { magnitude })
            }
            None => (body, 0),
        };
        let (mut mantissa, mut held, mut places, mut seen) = (0_i128, 0_u32, 0_i64, false);
        let mut point = false;
        let mut length = 0_u32;
        for byte in digits.bytes() {
            match byte {
                b'.' if !point => point = true,
                b'0'..=b'9' => {
                    seen = true;
                    places += i64::from(point);
                    if byte == b'0' {
                        // Zeros count only once another digit follows them.
                        held += u32::from(mantissa != 0);
                        continue;
                    }
                    length += held + 1;
                    if length > DIGITS {
                        return Err(NumberError::TooLarge);
                    }
                    mantissa = mantissa * 10_i128.pow(held + 1) + i128::from(byte - b'0');
                    held = 0;
                }
                _ => return Err(NumberError::NotANumber),
            }
        }
        if !seen {
            return Err(NumberError::NotANumber);
        }
        Ok(Self { negative, mantissa, exponent: exponent - places + i64::from(held) })
    }

    fn exact(&self) -> Result<i128, NumberError> {
        if self.mantissa != 0 && self.exponent < -i64::from(PLACES) {
            return Err(if self.negative { NumberError::Negative } else { NumberError::TooManyPlaces });
        }
        self.rounded()
    }

    fn rounded(&self) -> Result<i128, NumberError> {
        let shift = self.exponent + i64::from(PLACES);
        let power = u32::try_from(shift.unsigned_abs()).unwrap_or(u32::MAX);
        let units = match 10_i128.checked_pow(power) {
            _ if self.mantissa == 0 => 0,
            Some(factor) if shift >= 0 => self.mantissa.checked_mul(factor).ok_or(NumberError::TooLarge)?,
            None if shift >= 0 => return Err(NumberError::TooLarge),
            Some(divisor) => {
                let (whole, rest) = (self.mantissa / divisor, self.mantissa % divisor);
                let up = match (rest * 2).cmp(&divisor) {
                    std::cmp::Ordering::Less => false,
                    std::cmp::Ordering::Equal => whole % 2 == 1,
                    std::cmp::Ordering::Greater => true,
                };
                whole + i128::from(up)
            }
            None => 0,
        };
        Ok(if self.negative { -units } else { units })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn price(text: &str) -> Result<String, NumberError> {
        Price::parse(text).map(|p| p.to_string())
    }

    #[test]
    fn prices_are_exact() {
        assert_eq!(price("112.085"), Ok("112.085".into()));
        assert_eq!(price("112"), Ok("112".into()));
        assert_eq!(price("100"), Ok("100".into()));
        assert_eq!(price("1.100000000"), Ok("1.1".into()));
        assert_eq!(price("0.00000001"), Ok("0.00000001".into()));
        assert_eq!(price("9999999999.99999999"), Ok("9999999999.99999999".into()));
        assert_eq!(price("1e-8"), Ok("0.00000001".into()));
        assert_eq!(price("1.5E2"), Ok("150".into()));
        assert_eq!(price("0.1e1"), Ok("1".into()));
    }

    #[test]
    fn what_is_no_price_says_why() {
        for (text, why) in [
            ("", NumberError::NotANumber),
            ("NaN", NumberError::NotANumber),
            ("Infinity", NumberError::NotANumber),
            ("1e", NumberError::NotANumber),
            ("1.2.3", NumberError::NotANumber),
            (".", NumberError::NotANumber),
            ("--1", NumberError::NotANumber),
            ("0", NumberError::NotPositive),
            ("0.000", NumberError::NotPositive),
            ("-3", NumberError::Negative),
            ("-0.000000001", NumberError::Negative),
            ("1.123456789", NumberError::TooManyPlaces),
            ("1e-9", NumberError::TooManyPlaces),
            ("10000000000", NumberError::TooLarge),
            ("1e400", NumberError::TooLarge),
            ("1e99999999999999999999", NumberError::TooLarge),
            ("123456789012345678901234567890123456789012345", NumberError::TooLarge),
        ] {
            assert_eq!(Price::parse(text), Err(why), "{text}");
        }
    }

    #[test]
    fn sources_round_half_to_even() {
        let rounded = |text| Price::parse_rounded(text).map(|p| p.to_string());
        assert_eq!(rounded("1.000000005"), Ok("1".into()));
        assert_eq!(rounded("1.000000015"), Ok("1.00000002".into()));
        assert_eq!(rounded("1.0000000051"), Ok("1.00000001".into()));
        assert_eq!(rounded("341.59530000000001"), Ok("341.5953".into()));
        assert_eq!(rounded("1e-100"), Err(NumberError::NotPositive));
    }

    #[test]
    fn volumes_may_be_zero_and_fractional() {
        assert_eq!(Volume::parse("0").map(|v| v.to_string()), Ok("0".into()));
        assert_eq!(Volume::parse("0.12345678").map(|v| v.to_string()), Ok("0.12345678".into()));
        assert_eq!(
            Volume::parse("99999999999999999999.99999999").map(|v| v.to_string()),
            Ok("99999999999999999999.99999999".into())
        );
        assert_eq!(Volume::parse("100000000000000000000"), Err(NumberError::TooLarge));
    }

    proptest! {
        #[test]
        fn text_and_back(units in 1..1_000_000_000_000_000_000_i64) {
            let text = Price(units).to_string();
            prop_assert!(!text.contains('.') || !text.ends_with('0'));
            prop_assert_eq!(Price::parse(&text), Ok(Price(units)));
        }

        #[test]
        fn any_text_is_judged_without_a_panic(text in "[-+0-9.eE]{0,60}") {
            let _ = Price::parse(&text);
            let _ = Price::parse_rounded(&text);
            let _ = Volume::parse(&text);
        }
    }
}
