//! Days of polling, in a simulated time: nothing here waits.

mod simulation;

use super::*;
use simulation::{Simulation, answer, chart, open, traded, unknown, wait};
use std::{collections::HashMap, ops::RangeInclusive};

const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

fn refused() -> Answer {
    Answer::Unreachable("the connection was refused".into())
}

fn gaps(times: &[u64]) -> Vec<u64> {
    times.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

fn on_grid(times: &[u64], interval: u64) -> bool {
    times.iter().all(|at| at.is_multiple_of(interval))
}

/// Would catch a schedule that slips by what an answer takes, and anything that is kept for ever.
#[test]
fn two_days_are_asked_for_on_the_second() {
    let takes = |before: usize| 40 + (before as u64 * 7919) % (14 * SECOND);
    let mut two_days =
        Simulation::new(&["A", "B"], 30 * SECOND, |symbol, before, at| (takes(before), chart(symbol, at)));
    two_days.run(48 * HOUR);
    let expected: Vec<u64> = (0..2 * 2880).map(|round| round * 30 * SECOND).collect();
    assert_eq!(two_days.asked_for("A"), expected);
    assert_eq!(two_days.asked_for("B"), expected);
    assert_eq!((two_days.quotes.len(), two_days.said()), (2 * expected.len(), vec![]));
    let polls = &two_days.polls;
    assert!(polls.queue.len() + polls.under_way + polls.ready.len() == 0 && !polls.voice.has_something());
    assert_eq!(two_days.reconnected, 0);
}

#[test]
fn four_at_once_and_a_slow_one_is_left_out_until_it_answered() {
    let names: Vec<String> = (0..11).map(|n| format!("S{n}")).chain(["SLOW".into()]).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut polled = Simulation::new(&names, 10 * SECOND, |symbol, _, at| {
        (if symbol == "SLOW" { 14 * SECOND } else { 500 }, chart(symbol, at))
    });
    polled.run(10 * MINUTE);
    assert_eq!(polled.most_at_once, 4);
    assert!(on_grid(&polled.asked_for("S0"), 10 * SECOND) && polled.asked_for("S0").len() == 60);
    // Every second round is still busy with it.
    assert_eq!(polled.asked_for("SLOW").len(), 30);
    assert!(gaps(&polled.asked_for("SLOW")).iter().all(|gap| *gap == 20 * SECOND));
    assert_eq!(polled.said(), [] as [&str; 0]);
}

#[test]
fn answers_that_take_longer_than_the_interval_are_said_once() {
    let mut polled = Simulation::new(&["A"], 2 * SECOND, |symbol, _, at| (9 * SECOND, chart(symbol, at)));
    polled.run(10 * MINUTE);
    assert_eq!(
        polled.said(),
        ["yahoo takes longer to answer than the interval: who waits for an answer is not asked for again"]
    );
    assert!(gaps(&polled.asked_for("A")).iter().all(|gap| *gap == 10 * SECOND), "{:?}", polled.asked);
}

/// Would catch a poll for every one that was slept through, a schedule that begins anew, and connections that died
/// unnoticed.
#[test]
fn what_was_slept_through_is_left_out_and_said_once() {
    let mut polled = Simulation::new(&["A"], 30 * SECOND, |symbol, _, at| (100, chart(symbol, at)));
    polled.run(5 * MINUTE).sleep(8 * HOUR + 11 * SECOND);
    let (awake, before) = (polled.at, polled.asked.len());
    polled.run(9 * HOUR);
    let after: Vec<u64> = polled.asked_for("A").split_off(before);
    assert_eq!(after[0], awake);
    assert!(on_grid(&after[1..], 30 * SECOND) && after[1] - awake <= 30 * SECOND);
    assert_eq!(polled.said(), ["nothing ran for 481 min, asleep or held up: 960 polls of yahoo are left out"]);
    assert!(polled.notes.iter().all(|(_, note)| !note.is_warning));
    assert_eq!(polled.reconnected, 1);
    // Four seconds are no sleep.
    polled.sleep(4 * SECOND);
    polled.run(10 * HOUR);
    assert_eq!((polled.notes.len(), polled.reconnected), (1, 1));
}

#[test]
fn a_host_that_asks_for_time_gets_it() {
    let mut polled = Simulation::new(&["A", "B", "C", "D", "E"], SECOND, |symbol, before, at| {
        (10, if symbol == "A" && before == 0 { wait(600) } else { chart(symbol, at) })
    });
    polled.run(11 * MINUTE);
    let paused: Vec<u64> = polled.asked.iter().map(|(at, _)| *at).filter(|at| *at > 0).collect();
    // Those who were told the same time come back at different moments of a second.
    let back = (10 * MINUTE..=10 * MINUTE + 1020).contains(&paused[0]);
    assert!(back, "{:?}", &paused[..4]);
    let said =
        ["no quote for 'A', 'B', 'C', 'D', 'E' at yahoo: too many requests (429)", "yahoo answers again, after 11 min"];
    assert_eq!(polled.said(), said);
    let hint = polled.notes[0].1.hint.as_deref().unwrap();
    assert!(hint.ends_with("a longer --interval asks less often"), "{hint}");
}

/// Would catch a pause without growth, without an end to its growth, or not kept by all.
#[test]
fn a_host_in_trouble_is_asked_less_and_less_and_one_at_a_time() {
    let names = ["A", "B", "C", "D", "E", "F", "G", "H"];
    for first in [answer(503, ""), refused(), answer(429, "Edge: Too Many Requests")] {
        let mut polled = Simulation::new(&names, 30 * SECOND, |_, _, _| {
            let answer = match &first {
                Answer::Came { status, .. } => answer(*status, ""),
                _ => refused(),
            };
            (10, answer)
        });
        polled.run(2 * HOUR);
        let times: Vec<u64> = polled.asked.iter().map(|(at, _)| *at).collect();
        assert_eq!(times[..4], [0; 4]);
        for (failure, gap) in gaps(&times[3..]).into_iter().enumerate() {
            let full = (1000_u64 << failure.min(20)).min(300 * SECOND);
            assert!((full / 2..=full + 30).contains(&gap), "{failure}: {gap} ms");
        }
        // And each has its turn.
        assert!(names.iter().all(|name| polled.asked_for(name).len() >= 2));
        assert_eq!(polled.notes.len(), 1, "{:?}", polled.notes);
        assert_eq!(polled.polls.missed().unanswered.len(), 8);
    }
}

/// The network of a laptop comes and goes, and every request has its own way to fail.
#[test]
fn a_network_lost_for_minutes_is_one_warning_and_one_recovery() {
    let lost = 10 * MINUTE - 5 * SECOND..=15 * MINUTE;
    for interval in [SECOND, 30 * SECOND, 5 * MINUTE] {
        let mut polled = Simulation::new(&["A", "B", "C", "D", "E", "F"], interval, |symbol, before, at| {
            if !lost.contains(&at) {
                return (200, chart(symbol, at));
            }
            match before % 3 {
                0 => (15 * SECOND, Answer::Failed("no answer in time".into())),
                1 => (5 * SECOND, Answer::Unreachable("no connection in time".into())),
                _ => (10, Answer::Unreachable("its name cannot be looked up".into())),
            }
        });
        polled.run(HOUR);
        let warnings: Vec<bool> = polled.notes.iter().map(|(_, note)| note.is_warning).collect();
        assert_eq!(warnings, [true, false], "{interval}: {:?}", polled.notes);
        assert!(polled.said()[0].starts_with("no quote for 'A', 'B', 'C', 'D', 'E', 'F' at yahoo: "));
        assert!(polled.said()[1].starts_with("yahoo answers again, after "));
        // What it costs after the network is back is one pause at most; then the times are the old ones.
        let back = polled.notes[1].0;
        assert!(back <= lost.end() + 5 * MINUTE + 16 * SECOND, "{back}");
        let late: Vec<u64> = polled.asked_for("A").into_iter().filter(|at| *at > 30 * MINUTE).collect();
        assert!(on_grid(&late, interval) && late.len() as u64 >= 29 * MINUTE / interval);
    }
}

#[test]
fn one_failure_is_tried_again_within_the_round_and_not_said() {
    for first in [refused(), answer(429, ""), answer(500, "")] {
        let mut first = Some(first);
        let mut polled =
            Simulation::new(&["A", "B"], HOUR, |symbol, _, at| (10, first.take().unwrap_or_else(|| chart(symbol, at))));
        polled.run(30 * MINUTE);
        assert_eq!((polled.quotes.len(), polled.asked.len(), polled.said()), (2, 3, vec![]));
        assert!(polled.asked_for("A")[1] <= 1100);
    }
}

/// Would catch one symbol for which the host always fails that holds up the others, or is asked for without an end.
#[test]
fn a_symbol_that_the_host_fails_for_is_said_alone() {
    let mut polled = Simulation::new(&["A", "BAD", "C"], 30 * SECOND, |symbol, _, at| {
        (10, if symbol == "BAD" { answer(500, "") } else { chart(symbol, at) })
    });
    polled.run(HOUR);
    let first = polled.said()[0];
    assert_eq!((polled.notes.len(), first), (1, "no quote for 'BAD' at yahoo: Yahoo is in trouble (status 500)"));
    assert_eq!((polled.quotes_of("A").len(), polled.quotes_of("C").len()), (120, 120));
    assert!(polled.asked_for("BAD").len() <= 3 * 120);
}

#[test]
fn a_failure_is_said_again_when_it_changes_or_is_over() {
    let mut polled = Simulation::new(&["A", "B"], 10 * SECOND, |symbol, before, at| {
        (
            10,
            match (symbol, before) {
                ("A", 0..2) => answer(200, "<html>"),
                ("A", 2..4) => answer(200, ""),
                _ => chart(symbol, at),
            },
        )
    });
    polled.run(10 * MINUTE);
    let expected = [
        "no quote for 'A' at yahoo: the answer is a web page, not a chart",
        "no quote for 'A' at yahoo: the answer is empty",
        "yahoo answers again for 'A'",
    ];
    assert_eq!(polled.said(), expected);
    assert_eq!(polled.quotes_of("B").len(), 60);
    assert_eq!(polled.notes[0].1.hint.as_deref(), Some("the other symbol goes on; the next try is in 10 s"));
}

#[test]
fn a_closed_market_is_said_once_a_night_and_its_first_quote_is_stale() {
    let hours = |of: RangeInclusive<u64>| of.start() * HOUR..of.end() * HOUR;
    let (day, next) = (hours(0..=6), hours(24..=30));
    let mut polled = Simulation::new(&["A", "B", "COIN"], MINUTE, |symbol, _, at| {
        let trade = if symbol == "COIN" || day.contains(&at) || next.contains(&at) {
            at
        } else {
            if at < next.start { day.end } else { next.end }
        };
        (50, chart(symbol, trade))
    });
    polled.run(40 * HOUR);
    let said = polled.said();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said.iter().all(|text| text.starts_with("no new quote for 'A', 'B' since 2026-11-")), "{said:?}");
    assert!(said.iter().all(|text| text.ends_with("the market is probably closed")), "{said:?}");
    // A quote per minute of trading, and one at the bell.
    assert_eq!(polled.quotes_of("A").len(), 2 * (360 + 1));
    assert!(polled.quotes.iter().all(|(_, quote)| !quote.stale));

    // Who begins at night has the last quote of the day before, marked.
    let mut night = Simulation::new(&["A"], MINUTE, |symbol, _, _| (50, traded(symbol, open() - 9 * 3600, "1")));
    night.run(2 * HOUR);
    assert_eq!((night.notes.len(), night.quotes.len()), (1, 1));
    assert!(night.quotes[0].1.stale);
}

#[test]
fn a_quote_is_stale_after_twenty_minutes() {
    let of = |age: u64| {
        let mut polled = Simulation::new(&["A"], MINUTE, |symbol, _, _| (20, traded(symbol, open() - age, "1")));
        polled.run(10 * SECOND);
        polled.quotes[0].1.stale
    };
    assert_eq!([of(15 * 60), of(20 * 60 - 1), of(20 * 60), of(3600)], [false, false, true, true]);
}

#[test]
fn an_older_market_time_is_no_new_quote_and_a_known_symbol_is_never_given_up() {
    let mut polled = Simulation::new(&["A"], MINUTE, |symbol, before, _| {
        let chart = |second, price| traded(symbol, open() - 100 + second, price);
        (
            10,
            match before {
                0 => chart(50, "1"),
                1 => chart(0, "2"),
                2 => unknown(),
                3 => chart(50, "4"),
                _ => chart(51, "3"),
            },
        )
    });
    polled.run(10 * MINUTE);
    let prices: Vec<String> = polled.quotes.iter().map(|(_, quote)| quote.price.to_string()).collect();
    assert_eq!(prices, ["1", "3"]);
    assert_eq!(polled.polls.missed(), Missed { asked: 1, ..Missed::default() });
}

#[test]
fn an_unknown_symbol_is_asked_for_once_and_unknown_ones_alone_are_the_end() {
    let mut polled = Simulation::new(&["A", "NOPE"], MINUTE, |symbol, _, at| {
        (10, if symbol == "NOPE" { unknown() } else { chart(symbol, at) })
    });
    polled.run(10 * MINUTE);
    assert_eq!((polled.asked_for("NOPE").len(), polled.asked_for("A").len()), (1, 10));
    assert_eq!(polled.said(), ["no quote for 'NOPE' at yahoo: no data found"]);

    let mut polled = Simulation::new(&["APPL", "BRK.B"], MINUTE, |_, _, _| (10, unknown()));
    polled.run(HOUR);
    assert!(polled.polls.is_over() && polled.at < 2 * SECOND);
    assert_eq!(polled.polls.missed().unknown.len(), 2);
}

/// The last quote of a count waits for the symbol whose answer takes longer: else the exit status would be luck.
#[test]
fn a_count_does_not_end_before_every_symbol_had_its_turn() {
    let mut polled = Simulation::new(&["A", "B"], 30 * SECOND, |symbol, _, at| {
        if symbol == "B" { (9 * SECOND, unknown()) } else { (10, chart(symbol, at)) }
    });
    polled.polls.left = Some(1);
    polled.run(20 * SECOND);
    assert!(polled.quotes[0].0 >= 9 * SECOND && polled.quotes.len() == 1);
}

#[test]
fn one_symbol_in_either_case_is_asked_for_once_and_no_interval_is_too_long() {
    let mut polled = Simulation::new(&["aapl", "AAPL"], u64::MAX, |symbol, _, at| (10, chart(symbol, at)));
    polled.run(HOUR);
    assert_eq!(polled.asked, [(0, "AAPL".to_owned())]);
    assert_eq!(polled.polls.interval(), LONGEST_INTERVAL);
}

/// Any mix of answers: no symbol is forgotten, none is asked for twice at once, and nothing is said without an end.
#[test]
fn whatever_a_host_does_every_symbol_is_asked_for_again() {
    let names = ["A", "B", "C", "D", "E", "F", "G"];
    for seed in 0..6_u64 {
        let mut state = seed;
        let mut random = move |of: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % of
        };
        let mut polled = Simulation::new(&names, 5 * SECOND, |symbol, _, at| {
            let answer = match (at / (10 * MINUTE), random(12)) {
                // Half an hour of everything, and then peace.
                (3.., _) | (_, 0..4) => chart(symbol, at),
                (_, 4) => refused(),
                (_, 5) => answer(503, ""),
                (_, 6) => wait(random(90)),
                (_, 7) if random(2) == 0 => Answer::CutOff,
                (_, 7) => Answer::Failed("the connection was cut".into()),
                (_, 8) => answer(200, "<html>"),
                (_, 9) => answer(401, ""),
                (_, 10) => traded(symbol, open() + at / SECOND + 3600, "1"),
                _ => answer(429, ""),
            };
            (random(16 * SECOND), answer)
        });
        polled.run(HOUR);
        assert!(polled.most_at_once <= 4);
        let mut last: HashMap<&str, u64> = HashMap::new();
        polled.asked.iter().for_each(|(at, symbol)| _ = last.insert(symbol, *at));
        assert!(names.iter().all(|name| last.get(name).is_some_and(|at| *at > HOUR - MINUTE)), "{seed}: {last:?}");
        let since = polled.notes.iter().filter(|(at, _)| *at > 45 * MINUTE).count();
        assert!(since <= 1, "{seed}: {:?}", &polled.notes[polled.notes.len() - since..]);
        assert!(polled.polls.missed().unanswered.is_empty());
    }
}
