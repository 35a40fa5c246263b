//! `doctor`: what is missing before `up`, each finding with its remedy.
//!
//! Every check is made, whatever the others found. Only what keeps `up` from working is a failure; what could not be
//! checked is a warning.

mod aws;
mod judge;
mod local;

use crate::{
    cli::{Format, TargetName},
    error::{Error, ExitStatus},
    report::{
        style::{self, BAD, GOOD, HINT, WARN, outside, plural},
        table::Writer,
    },
    rows::{Column, ColumnKind},
    settings::Settings,
};
use std::io::{self, Write};

/// Columns of a check's name: "concurrency".
const NAME: usize = 11;

/// Runs it.
pub fn run(settings: &Settings) -> Result<ExitStatus, Error> {
    let findings = match settings.target {
        TargetName::Local => local::look(settings),
        TargetName::Aws => super::block_on(aws::look(settings))?,
    };
    let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count() as u64;
    let (missing, warnings) = (count(Verdict::Missing), count(Verdict::Warning));
    if settings.format == Format::Table {
        let mut out = anstream::stdout();
        findings.iter().try_for_each(|finding| finding.write(&mut out))?;
        out.flush()?;
        style::say(&summary(missing, warnings, &settings.flags()));
    } else {
        let column = |name: &str| Column::new(name, ColumnKind::Text);
        let columns = ["check", "result", "detail", "remedy"].map(column);
        let mut writer = Writer::stdout(settings.format.into(), columns.into())?;
        for finding in findings {
            writer.row(vec![
                Some(finding.check.into()),
                Some(finding.verdict.name().into()),
                Some(style::masked(&finding.detail).into_owned()),
                finding.remedy.map(|remedy| style::masked(&remedy).into_owned()),
            ])?;
        }
        writer.finish()?;
    }
    Ok(if missing == 0 { ExitStatus::Done } else { ExitStatus::Failed })
}

/// What a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// It is as it should be.
    Good,
    /// It should be looked at, and does not keep `up` from working.
    Warning,
    /// `up` cannot work.
    Missing,
}

impl Verdict {
    /// Its name in JSON and CSV.
    const fn name(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Warning => "warning",
            Self::Missing => "missing",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Finding {
    check: &'static str,
    verdict: Verdict,
    detail: String,
    remedy: Option<String>,
}

impl Finding {
    fn good(check: &'static str, detail: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Good, detail: detail.into(), remedy: None }
    }

    fn warning(check: &'static str, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Warning, detail: detail.into(), remedy: Some(remedy.into()) }
    }

    fn missing(check: &'static str, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Missing, detail: detail.into(), remedy: Some(remedy.into()) }
    }

    /// What an error says.
    fn error(check: &'static str, verdict: Verdict, error: &Error) -> Self {
        // To run this command is no remedy.
        let remedy = error.hint_text().map(|hint| hint.split("`stockpipe doctor").next().unwrap_or_default());
        let remedy = remedy.map(|remedy| remedy.trim_end_matches([' ', ',', ';']).to_owned());
        let detail = error.to_string();
        // Here everything is about the target.
        let detail = detail.strip_prefix("--target aws: ").unwrap_or(&detail).to_owned();
        Self { check, verdict, detail, remedy }
    }

    /// A line for people, and one below it for the remedy.
    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let (style, mark) = match self.verdict {
            Verdict::Good => (GOOD, "✓"),
            Verdict::Warning => (WARN, "!"),
            Verdict::Missing => (BAD, "✗"),
        };
        let below = format!("\n{:1$}", "", NAME + 6);
        let block = |text: &str| text.lines().map(outside).collect::<Vec<_>>().join(&below);
        writeln!(out, "  {} {:<NAME$}  {}", style::paint(style, mark), self.check, block(&self.detail))?;
        match &self.remedy {
            Some(remedy) => writeln!(out, "{:1$}{HINT}hint:{HINT:#} {remedy}", "", NAME + 6, remedy = block(remedy)),
            None => Ok(()),
        }
    }
}

fn summary(missing: u64, warnings: u64, flags: &str) -> String {
    let warned = if warnings == 0 { String::new() } else { format!(", {}", plural(warnings, "warning")) };
    match missing {
        0 if warnings == 0 => format!("Nothing is missing. Next: stockpipe up{flags}"),
        0 => format!("Nothing that `up` needs is missing{warned}. Next: stockpipe up{flags}"),
        1 => format!("1 thing is missing before `stockpipe up{flags}`{warned}."),
        n => format!("{n} things are missing before `stockpipe up{flags}`{warned}."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(finding: &Finding) -> String {
        let mut out = Vec::new();
        finding.write(&mut out).expect("a line");
        anstream::adapter::strip_str(&String::from_utf8(out).expect("a text")).to_string()
    }

    /// Would catch a finding without its remedy, an account in full, and lines that are not below each other.
    #[test]
    fn findings_read_well() {
        assert_eq!(written(&Finding::good("region", "us-east-1")), "  ✓ region       us-east-1\n");
        let missing = Finding::missing("stack", "arn:aws:a:b:123456784821:c\n\u{1b}[2J", "`down`,\nthen `up`");
        let expected = "  ✗ stack        arn:aws:a:b:…4821:c\n                 \\u{1b}[2J\n                 hint: `down`,\n                 then `up`\n";
        assert_eq!(written(&missing), expected);
        let error = Error::new("no").because("so").hint("do");
        assert_eq!(Finding::error("a", Verdict::Warning, &error), Finding::warning("a", "no: so", "do"));
    }

    #[test]
    fn the_last_line_says_what_next() {
        assert_eq!(summary(0, 0, ""), "Nothing is missing. Next: stockpipe up");
        assert_eq!(
            summary(0, 1, " --target aws"),
            "Nothing that `up` needs is missing, 1 warning. Next: stockpipe up --target aws"
        );
        assert_eq!(summary(2, 2, ""), "2 things are missing before `stockpipe up`, 2 warnings.");
    }
}
