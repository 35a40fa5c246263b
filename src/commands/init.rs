//! `init`: writes a commented `stockpipe.yaml`, and the schema by which editors complete and check it.

use crate::{
    cli,
    error::{Error, ExitStatus},
    report::style,
    settings::{FILE, SCHEMA},
};
use std::{fs, path::Path};

/// The schema's file, which the settings name for editors.
const SCHEMA_FILE: &str = "stockpipe.schema.json";

/// All settings with their defaults, as comments: a line counts once its `#` is gone.
const SETTINGS: &str = "\
# yaml-language-server: $schema=stockpipe.schema.json
# Settings of stockpipe for this folder. Flags win over STOCKPIPE_* in the environment, those over this file.

# Where the pipeline is: local is this machine, all embedded.
#target: local

# Which pipeline; several live side by side. A letter a-z, then at most 19 of a-z, 0-9 and -.
#stack: stockpipe

# How answers are written to standard output: table, json or csv.
#format: table

# The rest is of the pipeline itself: `stockpipe up` applies it.

# How long the table keeps a quote; the lake keeps all.
#retention: 7d

# Beyond which change in percent against the previous close a quote is an anomaly.
#anomaly_percent: 5

# How the lake keeps quotes as they came: an object per symbol and batch (symbol), one per batch (batch), none (off).
#raw: symbol
";

/// Runs it.
pub fn run(arguments: &cli::Init) -> Result<ExitStatus, Error> {
    let failed =
        |file: &str, why: &dyn std::fmt::Display| Error::new(format!("'{file}' cannot be written")).because(why);
    if !arguments.force && Path::new(FILE).exists() {
        return Err(Error::new(format!("there is a '{FILE}' already")).hint("`stockpipe init --force` writes it anew"));
    }
    for (file, text) in [(SCHEMA_FILE, SCHEMA), (FILE, SETTINGS)] {
        fs::write(file, text).map_err(|e| failed(file, &e))?;
        style::say(&style::done(file));
    }
    style::say("Every setting is in it with its default, as a comment. Next: stockpipe up");
    Ok(ExitStatus::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::check_file;

    /// Catches a default that is none, and a setting that `init` does not know.
    #[test]
    fn the_settings_are_all_there_and_right() {
        let schema: serde_json::Value = serde_json::from_str(SCHEMA).expect("a schema");
        let properties = schema["properties"].as_object().expect("properties");
        let uncommented: String = SETTINGS
            .lines()
            .filter_map(|l| l.strip_prefix('#').filter(|l| !l.starts_with(' ')))
            .fold(String::new(), |text, line| text + line + "\n");
        check_file(SETTINGS).expect("comments alone");
        check_file(&uncommented).expect("all defaults");
        for (name, property) in properties {
            let default = property["default"].as_str().map_or_else(|| property["default"].to_string(), str::to_owned);
            assert!(uncommented.contains(&format!("{name}: {default}\n")), "{name}: {default}");
        }
        assert_eq!(uncommented.lines().count(), properties.len());
        // What the file may have, as its reader says.
        let unknown = check_file("nonsense: 1\n").expect_err("no such setting").to_string();
        for name in properties.keys() {
            assert!(unknown.contains(&format!("`{name}`")), "{unknown}");
        }
        assert_eq!(unknown.matches('`').count() / 2, properties.len() + 1, "{unknown}");
    }
}
