use super::{
    super::events::{
        StackEvent,
        tests::{RESOURCES, board, fixture},
    },
    *,
};

const FLAGS: &str = " --target aws";

fn told(name: &str) -> String {
    error(&board(name))
}

fn error(board: &Board) -> String {
    let error = report(board, "stockpipe", FLAGS);
    format!("{error}\nhint: {}", error.hint_text().unwrap())
}

/// A creation whose one failing resource gives another reason.
fn with_reason(reason: &str) -> String {
    let (token, mut events) = fixture("create_failed");
    let is_it = |event: &&mut StackEvent| event.is_failure();
    events.iter_mut().filter(is_it).for_each(|event| event.reason = Some(reason.into()));
    let mut board = Board::new(token, RESOURCES);
    board.add(events);
    flat(report(&board, "stockpipe", FLAGS).hint_text().unwrap())
}

/// In one line.
fn flat(text: &str) -> String {
    text.replace('\n', " ")
}

/// Would catch a cancelled resource being named as the cause, and a hint that does not know how young the role is.
#[test]
fn a_creation_that_failed() {
    let expected = "stack 'stockpipe' could not be created: it has been rolled back
first failure  ProcessStockDataMapping (AWS::Lambda::EventSourceMapping), 37 s in
cause          Cannot access stream
               arn:aws:kinesis:us-east-1:…9012:stream/stockpipe-stock-market-stream.
               Please ensure the role can perform the GetRecords,
               GetShardIterator, DescribeStream, ListShards, and ListStreams
               Actions on your stream in IAM (Lambda, InvalidRequest, request
               7f3a0c52-6c0e-4f0b-8a52-2f4a5de1b1c7)
cancelled      8 others, because of the above
hint: ProcessStockDataRole was made 2 s earlier and may not have spread yet;
run `stockpipe up --target aws` again, or see every event with
`stockpipe status --target aws --events`";
    assert_eq!(told("create_failed"), expected);
}

/// Would catch a cause that is looked for under the rollback's operation id alone, and a hint without who and what.
#[test]
fn an_update_that_failed() {
    let told = told("update_failed");
    let begins = "stack 'stockpipe' could not be updated: it has been rolled back
first failure  ArchiveStockData (AWS::Lambda::Function), 6 s in
cause          User: arn:aws:sts::…9012:assumed-role/Deployer/ann is not
               authorized to perform: lambda:UpdateFunctionCode on resource:\n";
    assert!(told.starts_with(begins), "{told}");
    let ends = "
cancelled      2 others, because of the above
hint: allow Deployer to lambda:UpdateFunctionCode, then
`stockpipe up --target aws`; `stockpipe doctor --target aws` checks the
other rights";
    assert!(told.ends_with(ends), "{told}");
}

/// Would catch a rollback that failed being reported as one that went well, or without the way out.
#[test]
fn a_rollback_that_failed() {
    let told = told("rollback_failed");
    assert!(told.starts_with(
        "stack 'stockpipe' could not be updated: rolling it back failed too\n\
         first failure  ArchiveStockData (AWS::Lambda::Function), 6 s in\n"
    ));
    let stuck = "\nnot undone     ProcessStockData (AWS::Lambda::Function): Error occurred while\n";
    assert!(told.contains(stuck), "{told}");
    assert!(told.contains("\ncancelled      2 others"), "{told}");
    // A command is never broken.
    let way_out = "which ends the rollback and leaves those as they are;\nallow Deployer to";
    assert!(told.contains(" --skip-rollback ProcessStockData`"), "{told}");
    assert!(told.contains(way_out), "{told}");
}

/// Would catch a removal that left something behind ending like any failure, or without saying what is left.
#[test]
fn a_removal_that_failed() {
    let error = report(&board("delete_failed"), "stockpipe", FLAGS);
    assert_eq!(error.exit_status(), ExitStatus::Partial);
    let expected = "stack 'stockpipe' could not be removed: part of it is left
first failure  ResultsBucket (AWS::S3::Bucket), 5 s in
cause          The bucket you tried to delete is not empty. You must delete
               all versions in the bucket (S3, GeneralServiceException,
               request 05044094997D7A1F)";
    assert_eq!(error.to_string(), expected);
    let hint = "something was written meanwhile; `stockpipe down --target aws` empties it once more and goes on";
    assert_eq!(error.hint_text().map(flat).as_deref(), Some(hint));
}

/// Would catch other failures of their own being hidden behind the first, or the cancelled ones among them.
#[test]
fn several_failures() {
    let (token, mut events) = fixture("create_failed");
    for event in &mut events {
        if event.is_cancelled() && ["Merge", "ProcessLag"].contains(&&*event.logical_id) {
            event.reason = Some("Rate exceeded".into());
        }
    }
    let mut board = Board::new(token, RESOURCES);
    board.add(events);
    let told = error(&board);
    let expected = "
also failed    Merge (AWS::Events::Rule): Rate exceeded
               ProcessLag (AWS::CloudWatch::Alarm): Rate exceeded
cancelled      6 others, because of the above
";
    assert!(told.contains(expected), "{told}");
}

/// Would catch an operation that somebody cancelled being reported without a cause.
#[test]
fn no_resource_failed() {
    let (token, mut events) = fixture("update_failed");
    for event in &mut events {
        if event.is_failure() {
            event.reason = Some("Resource update cancelled".into());
        }
        if event.status == "UPDATE_ROLLBACK_IN_PROGRESS" {
            event.reason = Some("User Initiated".into());
        }
    }
    let mut board = Board::new(token, 1);
    board.add(events);
    let told = error(&board);
    assert!(told.contains("\ncause          User Initiated\ncancelled      3 others"), "{told}");
    assert!(!told.contains("first failure"), "{told}");
}

/// Would catch what CloudFormation wrote breaking the lines of the report or the terminal.
#[test]
fn texts_from_outside_are_harmless() {
    let (token, mut events) = fixture("create_failed");
    for event in events.iter_mut().filter(|event| event.is_failure()) {
        event.reason = Some("a\nfirst failure  b\u{1b}[2J 123456789012".into());
    }
    let mut board = Board::new(token, RESOURCES);
    board.add(events);
    let told = error(&board);
    assert!(told.contains("\ncause          a\\nfirst failure  b\\u{1b}[2J …9012\n"), "{told}");
}

/// Would catch a class without a command to type, or with another's.
#[test]
fn every_class_says_what_to_type() {
    let said = [
        (
            "Resource of type 'AWS::S3::Bucket' with identifier 'a' already exists.",
            "`stockpipe up --target aws` takes in",
        ),
        ("below its minimum value of [10]", "--quota-code L-B99A9384"),
        ("Limit exceeded", "--service-code lambda`"),
        ("a already exists in stack arn:aws:cloudformation:us-east-1:1:stack/other/2", "it belongs to stack 'other'"),
        ("Rate exceeded", "wait a minute, then `stockpipe up"),
        ("S3 Error Code: NoSuchKey.", "`stockpipe up --target aws` puts it there"),
        ("KMSAccessDenied", "`stockpipe template`"),
        ("has a dependent object", "after 20 to 40 minutes"),
        ("WaitCondition timed out.", "run `stockpipe up --target aws` again"),
        ("The AWS Access Key Id needs a subscription for the service", "complete billing"),
        ("Caller does not have permission to create a Service Linked Role.", "iam:CreateServiceLinkedRole"),
        ("AccessDenied with an explicit deny in a service control policy", "no grant overrules"),
        ("Internal failure", "`stockpipe status --target aws --events` shows every event"),
    ];
    for (reason, hint) in said {
        let told = with_reason(reason);
        assert!(told.contains(hint) && told.contains('`'), "{reason}: {told}");
    }
}
