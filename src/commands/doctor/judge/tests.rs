use super::*;
use crate::targets::local::Options as Rules;

fn values(of: &[(&str, &str)]) -> Values {
    of.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn stack_of(status: &str, values: Values) -> Stack {
    let mut stack = Stack { status: status.into(), values, ..Stack::default() };
    stack.outputs.insert("StreamName".into(), "a".into());
    stack
}

/// Would catch a state that keeps `up` from working and is not said, and one without the command that helps.
#[test]
fn a_stack_that_is_stuck_is_named_with_what_helps() {
    let of = |status: &str| stack(&Ok(Some(stack_of(status, Values::new()))), &Ok(Kept::default()), " --target aws");
    for (status, verdict, command) in [
        ("UPDATE_COMPLETE", Verdict::Good, ""),
        ("REVIEW_IN_PROGRESS", Verdict::Good, ""),
        ("UPDATE_IN_PROGRESS", Verdict::Warning, "`stockpipe status --watch --target aws`"),
        ("ROLLBACK_COMPLETE", Verdict::Warning, "`stockpipe up --target aws`"),
        ("UPDATE_ROLLBACK_FAILED", Verdict::Warning, "`stockpipe up --target aws`"),
        ("DELETE_FAILED", Verdict::Missing, "`stockpipe down --target aws`"),
    ] {
        let finding = of(status);
        assert_eq!(finding.verdict, verdict, "{status}");
        assert!(finding.detail.starts_with(status));
        assert!(finding.remedy.unwrap_or_default().starts_with(command), "{status}");
    }
    let none = |kept: Kept| stack(&Ok(None), &Ok(kept), "").detail;
    assert_eq!(none(Kept::default()), "not there yet: `up` makes it");
    assert!(none(Kept { lake: true, ..Kept::default() }).contains("kept"));
}

/// Would catch a question that may not be asked being taken for a right that is missing.
#[test]
fn rights_that_cannot_be_looked_at_are_no_failure() {
    let verdict = |found: Rights| rights(&Ok(found), "").verdict;
    assert_eq!(verdict(Rights::NotChecked("no".into())), Verdict::Warning);
    assert_eq!((verdict(Rights::Root), verdict(Rights::All(9))), (Verdict::Good, Verdict::Good));
    let missing = Rights::Missing((0..10).map(|n| format!("s3:A{n}")).collect(), 99);
    let finding = rights(&Ok(missing), " --target aws");
    assert_eq!(finding.verdict, Verdict::Missing);
    assert!(
        finding.detail.starts_with("10 of 99 are missing: s3:A0, ") && finding.detail.ends_with("s3:A7 and 2 more")
    );
}

/// Would catch an account whose quota is too small for what is asked for, and one that has enough.
#[test]
fn quotas() {
    let at_once = |limit, unreserved, shards| concurrency(&Ok(Concurrency { limit, unreserved }), shards).verdict;
    assert_eq!(at_once(1000, 1000, 1), Verdict::Good);
    assert_eq!(at_once(10, 10, 1), Verdict::Good);
    assert_eq!(at_once(10, 10, 5), Verdict::Warning);
    assert_eq!(at_once(1000, 2, 1), Verdict::Warning);
    assert_eq!(at_once(5, 5, 1), Verdict::Warning);
    let open = |open, values: &Values, stack: Option<&Stack>| {
        let found = Shards { open, limit: 10, on_demand: open, on_demand_limit: 10 };
        shards(&Ok(found), values, stack).verdict
    };
    let two = values(&[("ShardCount", "2")]);
    assert_eq!((open(8, &two, None), open(9, &two, None)), (Verdict::Good, Verdict::Missing));
    let there = stack_of("CREATE_COMPLETE", values(&[("ShardCount", "1")]));
    assert_eq!(open(9, &two, Some(&there)), Verdict::Good);
    let on_demand = values(&[("StreamMode", "on-demand"), ("ShardCount", "1")]);
    assert_eq!((open(9, &on_demand, None), open(10, &on_demand, None)), (Verdict::Good, Verdict::Missing));
    assert_eq!(open(10, &on_demand, Some(&there)), Verdict::Missing);
}

/// Would catch a setting that CloudFormation refuses only once something was built and uploaded, and patterns that are
/// not understood.
#[test]
fn settings_are_held_against_the_templates_patterns() {
    let mut options = Options::default();
    let found = |options: &Options| settings(&options.values(&Rules::default(), None), options);
    assert_eq!(found(&options), [Finding::good("settings", "as the template takes them")]);
    options.set("alerts_url", "http://example.com").expect("an option");
    options.set("customer_key", "some").expect("an option");
    options.set("permissions_boundary", "arn:aws:iam::12:policy/a").expect("an option");
    let details: Vec<String> = found(&options).into_iter().map(|finding| finding.detail).collect();
    assert_eq!(details.len(), 3, "{details:?}");
    assert_eq!(details[0], "alerts_url 'http://example.com' is not of the form (https://.+)?");
    assert!(details[1].starts_with("customer_key 'some'") && details[2].starts_with("permissions_boundary 'arn:"));
    for parameter in template::parameters(template::PIPELINE) {
        if let Some(pattern) = parameter.pattern() {
            assert!(Regex::new(&format!("^(?:{pattern})$")).is_ok(), "{pattern}");
        }
    }
}
