//! Athena's texts as the embedded engine writes the same values.
//!
//! Athena gives each value as the text that a cast to varchar gives, and its type by name: a decimal with all of its
//! places, a double as Java writes it, a time with a blank in the middle.

use crate::rows::{ColumnKind, float};

/// What a column of this type holds.
#[must_use]
pub fn kind(of: &str) -> ColumnKind {
    match of {
        "timestamp" | "timestamp with time zone" => ColumnKind::Time,
        "boolean" => ColumnKind::Flag,
        "tinyint" | "smallint" | "integer" | "int" | "bigint" | "decimal" | "double" | "float" | "real" => {
            ColumnKind::Number
        }
        _ => ColumnKind::Text,
    }
}

/// A value of this type in its exact text. What is not written as it should be stays as it is.
#[must_use]
pub fn exact(of: &str, text: String) -> String {
    let changed = match of {
        "timestamp" | "timestamp with time zone" => time(&text),
        "decimal" => decimal(&text),
        "double" => text.parse().ok().map(float),
        // By way of its own shortest text, since the nearest double of 0.1 in single precision has more digits.
        "float" | "real" => text.parse().ok().map(|value: f32| {
            let text = format!("{:?}", value + 0.0);
            text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
        }),
        // `01 ff`
        "varbinary" => Some(text.replace(' ', "")),
        _ => None,
    };
    changed.unwrap_or(text)
}

/// `2013-02-28 21:00:00.000`, with more or fewer places, and `UTC` or an offset at its end.
fn time(text: &str) -> Option<String> {
    let (date, rest) = text.split_once(' ')?;
    let (time, zone) = match rest.split_once(' ') {
        Some((time, zone)) => (time, zone),
        None => rest.split_at(rest.find(['+', '-']).unwrap_or(rest.len())),
    };
    let zone = match zone {
        "" | "UTC" | "Z" => "Z",
        offset if offset.starts_with(['+', '-']) => offset,
        // Of a region nothing is known here but its name.
        _ => return None,
    };
    pipeline::Timestamp::parse(&format!("{date}T{time}{zone}")).map(|time| time.to_string())
}

/// A decimal without trailing zeros, and without an exponent.
fn decimal(text: &str) -> Option<String> {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(part) {
        return None;
    }
    let part = part.trim_end_matches('0');
    let point = if part.is_empty() { "" } else { "." };
    Some(format!("{sign}{whole}{point}{part}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch an answer of Athena's that reads otherwise than the same answer on this machine.
    #[test]
    fn values_of_every_type() {
        for (of, text, expected) in [
            ("timestamp", "2013-02-28 21:00:00.000", "2013-02-28T21:00:00.000Z"),
            ("timestamp", "2013-02-28 21:00:00", "2013-02-28T21:00:00.000Z"),
            ("timestamp", "2013-02-28 21:00:00.123987", "2013-02-28T21:00:00.123Z"),
            ("timestamp with time zone", "2013-02-28 21:00:00.000 UTC", "2013-02-28T21:00:00.000Z"),
            ("timestamp with time zone", "2013-02-28 21:00:00.000 +02:00", "2013-02-28T19:00:00.000Z"),
            (
                "timestamp with time zone",
                "2013-02-28 21:00:00.000 Europe/Berlin",
                "2013-02-28 21:00:00.000 Europe/Berlin",
            ),
            ("date", "2013-02-28", "2013-02-28"),
            ("decimal", "444.05000000", "444.05"),
            ("decimal", "-0.50", "-0.5"),
            ("decimal", "100", "100"),
            ("decimal", "0.00000000", "0"),
            ("decimal", "120.0000", "120"),
            ("double", "1.0", "1"),
            ("double", "1.0E10", "10000000000"),
            ("double", "1.5E-7", "1.5e-7"),
            ("double", "-0.0", "0"),
            ("double", "NaN", "NaN"),
            ("double", "-Infinity", "-inf"),
            ("float", "0.1", "0.1"),
            ("float", "1.0E10", "10000000000"),
            ("bigint", "-9223372036854775808", "-9223372036854775808"),
            ("boolean", "true", "true"),
            ("varchar", " 1.00 ", " 1.00 "),
            ("varbinary", "01 ff", "01ff"),
            ("array", "[1, 2]", "[1, 2]"),
            ("decimal", "much", "much"),
        ] {
            assert_eq!(exact(of, text.into()), expected, "{of}");
        }
        assert_eq!(
            ["timestamp", "boolean", "decimal", "bigint", "date", "varchar", "unknown"].map(kind),
            [
                ColumnKind::Time,
                ColumnKind::Flag,
                ColumnKind::Number,
                ColumnKind::Number,
                ColumnKind::Text,
                ColumnKind::Text,
                ColumnKind::Text
            ]
        );
    }
}
