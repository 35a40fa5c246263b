//! Saved queries: one `.sql` file each, that says in a comment header what it shows and what it asks for.
//!
//! ```sql
//! -- Title
//! -- What it shows, in one line.
//! -- ? lead_in date = from - 60 days
//! -- ? to date = newest
//! -- ? symbol text = *
//! -- ? symbol
//! -- ? from date = to - 29 days
//! ```
//!
//! Each `-- ?` line is one `?` of the query, in the order of their positions: a name, its type and its default.
//! Where a name comes again it stands alone. Types are `text`, `integer`, `decimal` and `date`. A date's default is a
//! date, `newest` (the day of the newest quote) or another parameter, and some days before or after it.

use pipeline::Date;

/// The parameter that `--all` moves to the first day.
const FROM: &str = "from";

/// The queries that come with stockpipe, by name.
const BUNDLED: [(&str, &str); 10] = [
    ("anomalies", include_str!("../queries/anomalies.sql")),
    ("crossovers", include_str!("../queries/crossovers.sql")),
    ("daily-trend", include_str!("../queries/daily-trend.sql")),
    ("data-quality", include_str!("../queries/data-quality.sql")),
    ("drawdown", include_str!("../queries/drawdown.sql")),
    ("latest-prices", include_str!("../queries/latest-prices.sql")),
    ("moving-averages", include_str!("../queries/moving-averages.sql")),
    ("top-movers", include_str!("../queries/top-movers.sql")),
    ("volatility", include_str!("../queries/volatility.sql")),
    ("volume-profile", include_str!("../queries/volume-profile.sql")),
];

/// A value for a `?`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parameter {
    /// Any text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// An exact number, in digits.
    Decimal(String),
    /// A date, as `dt` has it: a text of ten characters.
    Date(Date),
}

impl Parameter {
    /// The literal in SQL, the same in Athena and here.
    #[must_use]
    pub fn literal(&self) -> String {
        match self {
            Self::Text(text) => format!("'{}'", text.replace('\'', "''")),
            Self::Integer(number) => number.to_string(),
            Self::Decimal(digits) => format!("decimal '{digits}'"),
            Self::Date(date) => format!("'{date}'"),
        }
    }
}

/// What kind of value a parameter takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterKind {
    /// Any text.
    Text,
    /// A whole number.
    Integer,
    /// An exact number.
    Decimal,
    /// A date such as `2026-11-20`.
    Date,
}

impl ParameterKind {
    const ALL: [(&'static str, Self); 4] =
        [("text", Self::Text), ("integer", Self::Integer), ("decimal", Self::Decimal), ("date", Self::Date)];

    /// Its name in a header.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }

    fn named(text: &str) -> Option<Self> {
        Self::ALL.iter().find(|(name, _)| *name == text).map(|(_, kind)| *kind)
    }

    /// The value that a text is.
    fn value(self, text: &str) -> Option<Parameter> {
        match self {
            Self::Text => Some(Parameter::Text(text.to_owned())),
            Self::Integer => text.parse().ok().map(Parameter::Integer),
            Self::Decimal => {
                let digits = text.strip_prefix('-').unwrap_or(text);
                let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
                let all_digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
                (all_digits(whole) && all_digits(part)).then(|| Parameter::Decimal(text.to_owned()))
            }
            Self::Date => Date::parse(text).map(Parameter::Date),
        }
    }
}

/// What a header says of a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// What `-p` calls it.
    pub name: String,
    /// What it takes.
    pub kind: ParameterKind,
    /// What it is if nothing is given, as the header has it, such as `newest - 29 days`.
    pub default: String,
    preset: Preset,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Preset {
    Value(Parameter),
    /// So many days after the day of the newest quote.
    Newest(i32),
    /// So many days after another parameter.
    After(String, i32),
}

impl Declared {
    /// Reads `name type = default`.
    fn parse(text: &str) -> Result<Self, String> {
        const FORM: &str = "`name type = default` expected";
        let (declared, default) = text.split_once('=').ok_or(FORM)?;
        let default = default.trim();
        let mut words = declared.split_whitespace();
        let (Some(name), Some(kind), None) = (words.next(), words.next(), words.next()) else {
            return Err(FORM.into());
        };
        let kind = ParameterKind::named(kind).ok_or_else(|| format!("`{kind}` is no type of a parameter"))?;
        let preset = match kind.value(default) {
            Some(value) => Preset::Value(value),
            None if kind == ParameterKind::Date => Preset::date(default)?,
            None => return Err(format!("`{default}` is no {}", kind.as_str())),
        };
        Ok(Self { name: name.to_owned(), kind, default: default.to_owned(), preset })
    }
}

impl Preset {
    /// Reads `base`, `base + 1 days` or `base - 1 days`.
    fn date(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (base, days) = match words.as_slice() {
            [base] => (*base, Some(0)),
            [base, "+", days, "days"] => (*base, days.parse().ok()),
            [base, "-", days, "days"] => (*base, days.parse().ok().map(|days: i32| -days)),
            _ => return Err(format!("`{text}` is no date, and not `newest - 29 days` or the like")),
        };
        let days = days.ok_or_else(|| format!("`{text}` has no whole number of days"))?;
        Ok(if base == "newest" { Self::Newest(days) } else { Self::After(base.to_owned(), days) })
    }
}

/// A saved query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedQuery {
    /// What it is called: the name of its file.
    pub name: String,
    /// What it is, in a few words.
    pub title: String,
    /// What it shows, in one line.
    pub description: String,
    /// What can be given, each once, in the order of first mention.
    pub parameters: Vec<Declared>,
    /// The text, header included.
    pub sql: String,
    /// For each `?`, which of `parameters` it is.
    places: Vec<usize>,
}

/// What a query's defaults depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Defaults {
    /// The day of the newest quote; of an empty lake today.
    pub newest: Date,
    /// Where the whole history begins, if it is asked for: `from` is that day. A day too early costs time on Athena,
    /// which looks for the files of every day.
    pub all: Option<Date>,
}

/// Why there is no query to run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// None has this name.
    #[error("no saved query `{name}`; there are {}", names.join(", "))]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        names: Vec<String>,
    },
    /// Its header cannot be read.
    #[error("{query}, line {line}: {problem}")]
    Header {
        /// The query.
        query: String,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// It has no parameter of this name.
    #[error("`{query}` has no parameter `{name}`{}", known(names))]
    Parameter {
        /// The query.
        query: String,
        /// What was given.
        name: String,
        /// What it has.
        names: Vec<String>,
    },
    /// A parameter was given twice.
    #[error("parameter `{0}` is given twice")]
    Twice(String),
    /// The value is not of the parameter's type.
    #[error("parameter `{name}`: `{value}` is no {kind}")]
    Value {
        /// The parameter.
        name: String,
        /// What was given.
        value: String,
        /// Its type.
        kind: &'static str,
    },
}

fn known(names: &[String]) -> String {
    if names.is_empty() { ", and no other".into() } else { format!("; it has {}", names.join(", ")) }
}

/// The queries that come with stockpipe, in order of name.
///
/// # Errors
/// When a header cannot be read.
pub fn bundled() -> Result<Vec<SavedQuery>, QueryError> {
    BUNDLED.iter().map(|(name, sql)| SavedQuery::parse(name, sql)).collect()
}

/// The bundled query of this name.
///
/// # Errors
/// When there is none, or its header cannot be read.
pub fn find(name: &str) -> Result<SavedQuery, QueryError> {
    match BUNDLED.iter().find(|(known, _)| *known == name) {
        Some((name, sql)) => SavedQuery::parse(name, sql),
        None => {
            let names = BUNDLED.iter().map(|(name, _)| (*name).to_owned()).collect();
            Err(QueryError::Unknown { name: name.to_owned(), names })
        }
    }
}

impl SavedQuery {
    /// Reads a query and its header.
    ///
    /// # Errors
    /// When the header has no title or description, or a parameter that cannot be understood.
    pub fn parse(name: &str, sql: &str) -> Result<Self, QueryError> {
        let problem =
            |line: usize, problem: String| QueryError::Header { query: name.to_owned(), line: line + 1, problem };
        let mut header = sql.lines().map_while(|line| Some(line.strip_prefix("--")?.trim())).enumerate();
        let mut text = |what: &str| match header.next() {
            Some((_, text)) if !text.is_empty() && !text.starts_with('?') => Ok(text.to_owned()),
            line => Err(problem(line.map_or(0, |(at, _)| at), format!("`-- ` and {what} expected"))),
        };
        let (title, description) = (text("a title")?, text("a description in one line")?);
        let mut query = Self {
            name: name.to_owned(),
            title,
            description,
            parameters: Vec::new(),
            sql: sql.to_owned(),
            places: Vec::new(),
        };
        let mut lines = Vec::new();
        for (at, line) in header {
            let Some(declaration) = line.strip_prefix('?').map(str::trim) else {
                return Err(problem(at, "`-- ? name type = default` expected".into()));
            };
            let place = match query.place(declaration) {
                Some(place) => place,
                None => {
                    let declared = Declared::parse(declaration).map_err(|e| problem(at, e))?;
                    if query.place(&declared.name).is_some() {
                        return Err(problem(at, format!("`{}` is declared twice", declared.name)));
                    }
                    query.parameters.push(declared);
                    lines.push(at);
                    query.parameters.len() - 1
                }
            };
            query.places.push(place);
        }
        // Of which day is all the same here: whether every default comes to an end does not depend on it.
        let newest = pipeline::Timestamp::from_millis(0).map(pipeline::Timestamp::date);
        let none = vec![None; query.parameters.len()];
        for (place, (declared, at)) in query.parameters.iter().zip(lines).enumerate() {
            if newest.and_then(|newest| query.value(place, &none, newest)).is_none() {
                return Err(problem(at, format!("`{}` depends on itself, or on no date", declared.default)));
            }
        }
        Ok(query)
    }

    /// The value of each `?`, from what was given as `(name, value)` and the defaults.
    ///
    /// # Errors
    /// When a name is not a parameter's or comes twice, or a value is not of its type.
    pub fn resolve(&self, given: &[(String, String)], defaults: Defaults) -> Result<Vec<Parameter>, QueryError> {
        let mut values: Vec<Option<Parameter>> = vec![None; self.parameters.len()];
        for (name, text) in given {
            let (declared, value) =
                self.parameters.iter().zip(&mut values).find(|(declared, _)| declared.name == *name).ok_or_else(
                    || QueryError::Parameter {
                        query: self.name.clone(),
                        name: name.clone(),
                        names: self.parameters.iter().map(|p| p.name.clone()).collect(),
                    },
                )?;
            let parsed = declared.kind.value(text).ok_or_else(|| QueryError::Value {
                name: name.clone(),
                value: text.clone(),
                kind: declared.kind.as_str(),
            })?;
            if value.replace(parsed).is_some() {
                return Err(QueryError::Twice(name.clone()));
            }
        }
        if let Some(first) = defaults.all
            && let Some(from) = self.place(FROM).and_then(|place| values.get_mut(place))
            && from.is_none()
        {
            *from = Some(Parameter::Date(first));
        }
        Ok(self.places.iter().filter_map(|place| self.value(*place, &values, defaults.newest)).collect())
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.parameters.iter().position(|p| p.name == name)
    }

    /// What a parameter is; none where its default leads nowhere.
    fn value(&self, mut place: usize, given: &[Option<Parameter>], newest: Date) -> Option<Parameter> {
        let mut days = 0;
        // A chain of defaults that is longer than there are parameters runs in a circle.
        for _ in &self.parameters {
            let preset = &self.parameters.get(place)?.preset;
            let value = match (given.get(place)?, preset) {
                (Some(value), _) | (None, Preset::Value(value)) => value.clone(),
                (None, Preset::Newest(after)) => Parameter::Date(newest.plus_days(*after)),
                (None, Preset::After(name, after)) => {
                    place = self.place(name)?;
                    days += after;
                    continue;
                }
            };
            return match value {
                Parameter::Date(date) => Some(Parameter::Date(date.plus_days(days))),
                value => (days == 0).then_some(value),
            };
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Date {
        Date::parse(text).expect("a date")
    }

    fn resolve(given: &[(&str, &str)], all: bool) -> Result<Vec<String>, String> {
        let query = find("crossovers").expect("a query");
        let given: Vec<_> = given.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let all = all.then(|| date("2000-01-01"));
        let values = query.resolve(&given, Defaults { newest: date("2013-02-28"), all });
        values.map(|v| v.iter().map(Parameter::literal).collect()).map_err(|e| e.to_string())
    }

    #[test]
    fn every_bundled_query_has_a_header_and_the_span() {
        for query in bundled().expect("queries") {
            for name in ["from", "to"] {
                assert!(query.parameters.iter().any(|p| p.name == name), "{}: {name}", query.name);
            }
            assert!(query.sql.contains("stock_data_table"), "{}", query.name);
        }
    }

    #[test]
    fn the_last_thirty_days_or_what_was_given_or_all() {
        assert_eq!(
            resolve(&[], false).expect("values"),
            ["'2012-12-01'", "'2013-02-28'", "'*'", "'*'", "'2013-01-30'"]
        );
        assert_eq!(
            resolve(&[("to", "2012-01-30"), ("symbol", "O'X")], false).expect("values"),
            ["'2011-11-02'", "'2012-01-30'", "'O''X'", "'O''X'", "'2012-01-01'"]
        );
        assert_eq!(resolve(&[], true).expect("values")[4], "'2000-01-01'");
        assert_eq!(resolve(&[], true).expect("values")[0], "'1999-11-02'");
        assert_eq!(resolve(&[("from", "2010-01-01")], true).expect("values")[4], "'2010-01-01'");
    }

    #[test]
    fn what_cannot_be_given_says_why() {
        let error = |given| resolve(given, false).expect_err("an error");
        assert_eq!(error(&[("form", "x")]), "`crossovers` has no parameter `form`; it has lead_in, to, symbol, from");
        assert_eq!(error(&[("from", "yesterday")]), "parameter `from`: `yesterday` is no date");
        assert_eq!(error(&[("to", "2012-01-01"), ("to", "2012-01-02")]), "parameter `to` is given twice");
        assert_eq!(
            find("crossover").expect_err("an error").to_string(),
            "no saved query `crossover`; there are anomalies, crossovers, daily-trend, data-quality, drawdown, latest-prices, \
             moving-averages, top-movers, volatility, volume-profile"
        );
    }

    #[test]
    fn a_bad_header_says_where_and_why() {
        for (sql, message) in [
            ("SELECT 1", "q, line 1: `-- ` and a title expected"),
            ("-- T\n-- ? a date = newest", "q, line 2: `-- ` and a description in one line expected"),
            ("-- T\n-- D\n-- from", "q, line 3: `-- ? name type = default` expected"),
            ("-- T\n-- D\n-- ? n", "q, line 3: `name type = default` expected"),
            ("-- T\n-- D\n-- ? n number = 1", "q, line 3: `number` is no type of a parameter"),
            ("-- T\n-- D\n-- ? n integer = one", "q, line 3: `one` is no integer"),
            ("-- T\n-- D\n-- ? n integer = 1\n-- ? n text = 1", "q, line 4: `n` is declared twice"),
            ("-- T\n-- D\n-- ? a date = newest\n-- ? b date = c", "q, line 4: `c` depends on itself, or on no date"),
            ("-- T\n-- D\n-- ? a date = a - 1 days", "q, line 3: `a - 1 days` depends on itself, or on no date"),
            ("-- T\n-- D\n-- ? a date = newest - x days", "q, line 3: `newest - x days` has no whole number of days"),
        ] {
            assert_eq!(SavedQuery::parse("q", sql).expect_err("an error").to_string(), message);
        }
    }

    #[test]
    fn literals_of_every_kind() {
        let sql = "-- T\n-- D\n-- ? n integer = -3\n-- ? d decimal = 0.50\n-- ? n\nSELECT ?, ?, ?";
        let query = SavedQuery::parse("q", sql).expect("a query");
        let values = query.resolve(&[], Defaults { newest: date("2013-02-28"), all: None }).expect("values");
        assert_eq!(values.iter().map(Parameter::literal).collect::<Vec<_>>(), ["-3", "decimal '0.50'", "-3"]);
        assert_eq!(ParameterKind::Decimal.value("1e5"), None);
        assert_eq!(ParameterKind::Decimal.value("1'"), None);
    }
}
