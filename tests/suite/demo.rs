//! `demo`: all of it in one go.

use crate::harness::Home;

/// Would catch a demo that fails on a machine where nothing is set up, shows no chart, or leaves something behind.
#[test]
fn it_shows_all_and_leaves_nothing() {
    let home = Home::new();
    let before = home.files();
    let ended = home.run(["demo"]).expect(0).says(&[
        "$ stockpipe up",
        "3,900 stored, 240 signals, 118 anomalies",
        "$ stockpipe signals AAPL",
        "BUY",
        "$ stockpipe query daily-trend",
        "⠤ close",
        "• sma_5",
        "Done in",
        "no investment advice",
    ]);
    assert!(ended.stderr.lines().filter(|l| l.contains('┤') || l.contains('│')).count() > 4, "{}", ended.stderr);
    assert!(ended.stdout.contains("2013-03-01"), "{}", ended.stdout);
    assert_eq!(home.files(), before, "something is left");
}

/// Would catch a demo that goes on after Ctrl-C, or leaves its scratch folder then.
#[test]
fn it_can_be_interrupted() {
    let home = Home::new();
    let before = home.files();
    let mut demo = home.start(["demo"]);
    demo.until("the stream", |d| d.stderr().contains("$ stockpipe stream"));
    demo.signal("INT");
    let ended = demo.end().expect(0);
    assert_eq!(home.files(), before, "{}", ended.stderr);
}
