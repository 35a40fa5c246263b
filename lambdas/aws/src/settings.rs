//! What a function is told, by environment variables.

use pipeline::AnomalyThreshold;

/// A setting that is missing, or no such value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// It is not set.
    #[error("the environment variable {0} is not set; `stockpipe up` sets it")]
    Missing(&'static str),
    /// It is not what it has to be.
    #[error("the environment variable {name} is `{value}`, not {expected}; `stockpipe up` sets it")]
    Wrong {
        /// The variable.
        name: &'static str,
        /// What it is.
        value: String,
        /// What it has to be.
        expected: &'static str,
    },
}

/// Environment variables, or what stands for them.
#[derive(Clone, Copy)]
pub struct Settings<'a>(pub &'a dyn Fn(&str) -> Option<String>);

impl Settings<'_> {
    /// A name.
    ///
    /// # Errors
    /// When it is not set, or empty.
    pub fn text(self, name: &'static str) -> Result<String, SettingsError> {
        self.0(name).filter(|text| !text.is_empty()).ok_or(SettingsError::Missing(name))
    }

    /// `STACK`, the dimension of the metrics.
    ///
    /// # Errors
    /// When it is not set.
    pub fn stack(self) -> Result<String, SettingsError> {
        self.text("STACK")
    }

    /// `RETENTION`, how long an item is kept after its arrival, in seconds.
    ///
    /// # Errors
    /// When it is not set, or no whole number above zero.
    pub fn retention(self) -> Result<i64, SettingsError> {
        let seconds = |text: &str| text.parse().ok().filter(|seconds: &i64| *seconds > 0);
        self.read("RETENTION", seconds, "a whole number of seconds above zero, such as 604800")
    }

    /// `ANOMALY_PERCENT`, beyond which change a quote is an anomaly.
    ///
    /// # Errors
    /// When it is not set, or no such percentage.
    pub fn anomaly(self) -> Result<AnomalyThreshold, SettingsError> {
        self.read("ANOMALY_PERCENT", AnomalyThreshold::percent, "a percentage above zero, such as 5 or 2.5")
    }

    /// `RAW`, how the lines are kept as they came.
    ///
    /// # Errors
    /// When it is not set, or none of the three.
    #[cfg(feature = "lake")]
    pub fn raw(self) -> Result<pipeline::Raw, SettingsError> {
        let raw = |text: &str| match text {
            "symbol" => Some(pipeline::Raw::Symbol),
            "batch" => Some(pipeline::Raw::Batch),
            "off" => Some(pipeline::Raw::Off),
            _ => None,
        };
        self.read("RAW", raw, "symbol, batch or off")
    }

    fn read<T>(
        self,
        name: &'static str,
        parse: impl Fn(&str) -> Option<T>,
        expected: &'static str,
    ) -> Result<T, SettingsError> {
        let value = self.text(name)?;
        parse(&value).ok_or(SettingsError::Wrong { name, value, expected })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let vars = |name: &str| match name {
            "RETENTION" => Some("a week".to_owned()),
            "ANOMALY_PERCENT" => Some("2.5".to_owned()),
            "STACK" => Some(String::new()),
            _ => None,
        };
        let settings = Settings(&vars);
        assert_eq!(settings.text("TABLE"), Err(SettingsError::Missing("TABLE")));
        assert_eq!(settings.stack(), Err(SettingsError::Missing("STACK")));
        let error = settings.retention().expect_err("a week").to_string();
        assert!(error.starts_with("the environment variable RETENTION is `a week`, not a whole number"), "{error}");
        assert_eq!(settings.anomaly().map(|a| a.to_string()).as_deref(), Ok("2.5"));
    }
}
