use super::*;
use proptest::prelude::*;

/// The operations of the fixtures: recorded events, and the token that each was begun with.
///
/// They have the shape of `aws cloudformation describe-stack-events`, and the speeds of the services.
pub(crate) const FIXTURES: [(&str, &str, &str); 8] = [
    ("create", "stockpipe-9f2c41d07b", include_str!("../fixtures/create.json")),
    ("create_failed", "stockpipe-5b08e2f6a1", include_str!("../fixtures/create_failed.json")),
    ("update", "stockpipe-c7710e4d52", include_str!("../fixtures/update.json")),
    ("update_failed", "stockpipe-0ad93f6c18", include_str!("../fixtures/update_failed.json")),
    ("rollback_failed", "stockpipe-f3b65a9027", include_str!("../fixtures/rollback_failed.json")),
    ("delete", "stockpipe-3c8d5e7f90", include_str!("../fixtures/delete.json")),
    ("delete_failed", "stockpipe-a61f0c9b34", include_str!("../fixtures/delete_failed.json")),
    ("import", "stockpipe-e40b7d1a65", include_str!("../fixtures/import.json")),
];

/// How many resources the template makes without options.
pub(crate) const RESOURCES: usize = 44;

/// A fixture's token and its events, newest first.
pub(crate) fn fixture(name: &str) -> (&'static str, Vec<StackEvent>) {
    let (_, token, text) = FIXTURES.into_iter().find(|(known, ..)| *known == name).unwrap();
    let told: serde_json::Value = serde_json::from_str(text).unwrap();
    (token, told["StackEvents"].as_array().unwrap().iter().map(event).collect())
}

fn event(told: &serde_json::Value) -> StackEvent {
    let text = |key: &str| told[key].as_str().map(str::to_owned).filter(|text| !text.is_empty());
    StackEvent {
        id: text("EventId").unwrap(),
        time: Timestamp::parse(&text("Timestamp").unwrap()).unwrap(),
        logical_id: text("LogicalResourceId").unwrap(),
        physical_id: text("PhysicalResourceId"),
        resource_type: text("ResourceType").unwrap(),
        status: text("ResourceStatus").unwrap(),
        reason: text("ResourceStatusReason"),
        token: text("ClientRequestToken"),
        operation_id: text("OperationId"),
        stack_id: text("StackId").unwrap(),
        stack_name: text("StackName").unwrap(),
    }
}

/// A board that has heard all of a fixture.
pub(crate) fn board(name: &str) -> Board {
    let (token, events) = fixture(name);
    let mut board = Board::new(token, if name.starts_with("update") { 1 } else { RESOURCES });
    board.add(events);
    board
}

fn names(board: &Board, phase: Phase, status: Status) -> Vec<&str> {
    board.resources().iter().filter(|r| r.phase == phase && r.status == status).map(|r| &*r.name).collect()
}

/// Would catch an operation that is thought to go on, or to have gone well when it has not, and resources that are
/// lost, doubled or left at work.
#[test]
fn each_operation_ends_as_it_did() {
    let ends = FIXTURES.map(|(name, ..)| {
        let board = board(name);
        assert_eq!(board.doing().count(), 0, "{name}");
        (
            name,
            board.act().unwrap(),
            board.outcome().unwrap(),
            board.count(),
            board.took(board.began().unwrap()).as_secs(),
        )
    });
    let count = |done, total| Count { done, total };
    let expected = [
        ("create", Act::Create, Outcome::Done, count(44, 44), 97),
        ("create_failed", Act::Create, Outcome::RolledBack, count(42, 42), 99),
        ("update", Act::Update, Outcome::Done, count(0, 0), 17),
        ("update_failed", Act::Update, Outcome::RolledBack, count(4, 4), 48),
        ("rollback_failed", Act::Update, Outcome::RollbackFailed, count(2, 4), 16),
        ("delete", Act::Delete, Outcome::Done, count(44, 44), 59),
        ("delete_failed", Act::Delete, Outcome::Failed, count(43, 44), 71),
        ("import", Act::Create, Outcome::Done, count(44, 44), 99),
    ];
    assert_eq!(ends, expected);
}

/// Would catch somebody else's earlier operation on the stack being shown, or a rollback under another operation id and
/// without our token being left out.
#[test]
fn only_our_own_operation_counts() {
    let (token, events) = fixture("update_failed");
    let board = board("update_failed");
    let ours: Vec<&StackEvent> = board.ours().collect();
    assert_eq!(events.len() - ours.len(), 8);
    assert!(ours.iter().all(|event| event.logical_id != "OperationsTopic"));
    let mut operations: Vec<_> = ours.iter().map(|event| event.operation_id.as_deref()).collect();
    operations.dedup();
    assert_eq!(operations.len(), 2);
    assert!(ours.iter().any(|event| event.token.is_none()) && ours[0].token.as_deref() == Some(token));
}

/// Would catch a later operation of somebody else being taken for a part of ours.
#[test]
fn what_comes_after_the_end_is_not_ours() {
    let (token, mut events) = fixture("update");
    let mut board = Board::new(token, 1);
    let told = board.add(events.clone());
    let later = |event: &StackEvent| StackEvent {
        id: format!("later {}", event.id),
        time: event.time.plus_millis(60_000),
        token: Some("another".into()),
        ..event.clone()
    };
    events.retain(|event| event.token.as_deref() == Some(token));
    assert_eq!(board.add(events.iter().map(later).collect()), vec![]);
    assert!(matches!(told.last(), Some(Event::StackDone { outcome: Outcome::Done, .. })));
    assert_eq!(board.took(Timestamp::parse("2030-01-01T00:00:00Z").unwrap()).as_secs(), 17);
}

/// Would catch events of the stack being taken as ours before one has our token.
#[test]
fn nothing_is_told_before_it_begins() {
    let (token, events) = fixture("update_failed");
    let mut board = Board::new(token, 1);
    let earlier: Vec<StackEvent> = events.into_iter().filter(|event| event.token.as_deref() != Some(token)).collect();
    assert_eq!(board.add(earlier), vec![]);
    assert_eq!((board.act(), board.count()), (None, Count { done: 0, total: 1 }));
}

/// Would catch a wrong time or state of a resource: the stream as it was made, up to each of its events.
#[test]
fn a_resource_from_its_beginning_to_its_end() {
    let (token, events) = fixture("create");
    let mut board = Board::new(token, RESOURCES);
    let (mut seen, mut told) = (vec![], vec![]);
    for event in events.into_iter().rev() {
        let (is_it, now) = (event.logical_id == "StockStream", event.time);
        let new = board.add(vec![event]);
        if is_it {
            let stream = board.resources().iter().find(|r| r.name == "StockStream").unwrap();
            seen.push((stream.status, stream.took(now).unwrap().as_secs()));
            told.extend(new);
        }
    }
    assert_eq!(seen, [(Status::Doing, 0), (Status::Doing, 1), (Status::Settling, 14), (Status::Done, 25)]);
    assert!(matches!(&told[..], [Event::ResourceStarted(_), Event::ResourceDone(_)]), "{told:?}");
}

/// Would catch a cancelled resource being taken for one that failed of itself, or the other way round.
#[test]
fn cancelled_is_not_failed() {
    let board = board("create_failed");
    assert_eq!(names(&board, Phase::Forward, Status::Failed), ["ProcessStockDataMapping"]);
    assert_eq!(names(&board, Phase::Forward, Status::Cancelled).len(), 8);
    let cancelled = |reason: &str| StackEvent { reason: Some(reason.into()), ..fixture("update").1[0].clone() };
    for reason in ["Resource creation cancelled", "Resource update cancelled", "Resource update canceled"] {
        assert!(cancelled(reason).is_cancelled(), "{reason}");
    }
    assert!(!cancelled("Resource handler returned message: \"the request was cancelled\"").is_cancelled());
}

/// Would catch what failed a little after the stack turned back being taken for what could not be undone.
#[test]
fn what_was_under_way_ends_after_the_turn() {
    let (token, mut events) = fixture("create_failed");
    let turned = events.iter().find(|event| event.status == "ROLLBACK_IN_PROGRESS").unwrap().time;
    for event in events.iter_mut().filter(|event| event.is_cancelled()) {
        event.time = turned.plus_millis(1);
    }
    let mut late = Board::new(token, RESOURCES);
    late.add(events);
    let board = board("create_failed");
    for phase in [Phase::Forward, Phase::Rollback] {
        let cancelled = names(&late, phase, Status::Cancelled);
        assert_eq!(cancelled, names(&board, phase, Status::Cancelled));
    }
}

/// Would catch kept and taken-in resources being shown as removed and made.
#[test]
fn kept_and_taken_in() {
    let kept = ["DataBucket", "QuotesTable", "SignalsTable"];
    let deleted = board("delete");
    let mut seen = names(&deleted, Phase::Forward, Status::Kept);
    seen.sort_unstable();
    assert_eq!(seen, kept);
    let imported = board("import");
    let mut seen: Vec<&str> = imported.resources().iter().filter(|r| r.act == Act::Import).map(|r| &*r.name).collect();
    seen.sort_unstable();
    assert_eq!(seen, kept);
}

/// Would catch the removal of an old one after a replacement being taken for the end of the new one.
#[test]
fn a_replacement_is_one_and_its_undoing_another() {
    let board = board("update_failed");
    let seen: Vec<_> =
        board.resources().iter().filter(|r| r.name == "StockDashboard").map(|r| (r.phase, r.act, r.status)).collect();
    let expected = [(Phase::Forward, Act::Replace, Status::Done), (Phase::Rollback, Act::Delete, Status::Done)];
    assert_eq!(seen, expected);
}

/// Would catch a stack that is removed after its creation failed being taken for one that was made and removed.
#[test]
fn a_failed_creation_may_end_in_removal() {
    let (token, mut events) = fixture("create_failed");
    for event in events.iter_mut().filter(|event| event.is_of_stack()) {
        event.status = event.status.replace("ROLLBACK", "DELETE");
    }
    let mut board = Board::new(token, RESOURCES);
    let told = board.add(events);
    assert_eq!((board.outcome(), board.phase()), (Some(Outcome::RolledBack), Phase::Rollback));
    assert_eq!(told.iter().filter(|event| matches!(event, Event::RollbackBegan { .. })).count(), 1);
}

/// Would catch times that run backwards where this machine's clock is behind.
#[test]
fn a_clock_that_is_behind_is_pushed_on() {
    let (token, mut events) = fixture("create");
    let events = events.split_off(events.len() / 2);
    let (newest, mut board) = (events[0].time, Board::new(token, RESOURCES));
    board.add(events);
    assert_eq!(board.now(newest.plus_millis(-5000)), newest);
    assert_eq!(board.took(newest.plus_millis(-5000)), board.took(newest));
    assert_eq!(board.now(newest.plus_millis(5000)), newest.plus_millis(5000));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Would catch a state that depends on how the events come: in which pages, how often, in which order of pages.
    #[test]
    fn any_pages_in_any_order(which in 0..FIXTURES.len(), size in 1_usize..60, seed in any::<u64>()) {
        let (name, token, _) = FIXTURES[which];
        let mut events = fixture(name).1;
        // Of one millisecond, the order is the one in which they were told, and pages that are swapped have none.
        for at in (0..events.len() - 1).rev() {
            events[at].time = events[at].time.max(events[at + 1].time.plus_millis(1));
        }
        let mut whole = Board::new(token, 1);
        whole.add(events.clone());
        let mut pages: Vec<Vec<StackEvent>> = events.chunks(size).map(<[_]>::to_vec).collect();
        pages.extend(pages.clone());
        // Shuffled by a cheap generator.
        let mut state = seed | 1;
        for at in (1..pages.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            pages.swap(at, (state >> 33) as usize % (at + 1));
        }
        let mut pieces = Board::new(token, 1);
        let told: Vec<Event> = pages.into_iter().flat_map(|page| pieces.add(page)).collect();
        prop_assert_eq!(pieces.resources(), whole.resources());
        prop_assert_eq!((pieces.outcome(), pieces.act(), pieces.phase()), (whole.outcome(), whole.act(), whole.phase()));
        let ends = told.iter().filter(|event| matches!(event, Event::StackDone { .. })).count();
        prop_assert_eq!(ends, 1);
    }
}
