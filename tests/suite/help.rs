//! What `--help` says, word by word.

use crate::harness::{Home, Running, snapshot};

/// Would catch a help text that changes unseen, does not fit 80 columns, or shows what is in the environment.
#[test]
fn the_help_of_every_command() {
    let home = Home::new();
    for command in [
        "", "up", "stream", "query", "latest", "signals", "tail", "logs", "status", "replay", "demo", "down", "doctor",
        "template", "policy", "cost",
    ] {
        let of = |flag: &str| {
            let arguments = [command, flag].into_iter().filter(|a| !a.is_empty());
            let mut run = home.command(arguments);
            run.env("COLUMNS", "80").env("STOCKPIPE_STACK", "secret-stack");
            Running::start(run).end().expect(0)
        };
        let help = of("--help");
        assert_eq!(help.stderr, "");
        assert!(!help.stdout.contains("secret"), "{}", help.stdout);
        for line in help.stdout.lines() {
            assert!(line.chars().count() <= 80 && line.trim_end() == line, "{command}: {line:?}");
        }
        assert!(of("-h").stdout.lines().count() > 5);
        snapshot(&format!("help{}{command}.txt", if command.is_empty() { "" } else { "-" }), &help.stdout);
    }
    assert_eq!(home.ok(["--version"]), format!("stockpipe {}\n", env!("CARGO_PKG_VERSION")));
}
