//! Making, changing and removing a pipeline.

use super::cloud::Cloud;
use serde_json::Value;

/// Would catch a pipeline that is not whole, a run without changes that changes something or leaves something behind, an
/// unchanged function that is uploaded again, and a removal that leaves anything.
#[test]
fn made_changed_and_removed() {
    let cloud = Cloud::new();
    let made = cloud.run(&["up", "--yes"]).expect(0).says(&[
        "Stack 'stockpipe' in us-east-1, account …0000, as root",
        "StockpipeBootstrap made",
        "to add, 0 to replace, 0 to remove",
        "  + roles            ArchiveStockDataRole, ProcessStockDataRole, StockTrendAnalysisRole",
        "Cost        $18.62 a month at 2,880 quotes a day",
        "ProcessStockData given",
        "✓ StockStream ",
        "10 queries saved in Athena",
        "Ready. Next: stockpipe status --target aws",
    ]);
    assert_eq!(made.stdout, "");
    assert_eq!(cloud.status("stockpipe"), "CREATE_COMPLETE");
    let queries = cloud.saved_queries();
    assert_eq!(queries.len(), 10);
    for (name, text) in &queries {
        assert!(text.contains("FROM \"stockpipe_stock_data_db\".stock_data_table"), "{name}: {text}");
    }
    // What a template is planned from is not left.
    let artifacts = cloud.bucket("stockpipe-artifacts-");
    let uploaded = cloud.keys(&artifacts);
    assert_eq!(uploaded.iter().filter(|key| key.starts_with("functions/")).count(), 3);
    assert_eq!(uploaded.len(), 3);

    cloud.run(&["up", "--yes"]).expect(0).says(&["No changes. Next: "]);
    // Nothing is asked either.
    cloud.run(&["up"]).expect(0).says(&["No changes"]);
    assert_eq!((cloud.change_sets(), cloud.status("stockpipe")), (0, "CREATE_COMPLETE".into()));

    // A query that somebody changed or removed comes back.
    let athena = cloud.athena();
    let ids = cloud.ask(athena.list_named_queries().work_group("stockpipe-stock-queries").send()).expect("queries");
    let id = ids.named_query_ids().first().expect("a query").clone();
    cloud.ask(athena.delete_named_query().named_query_id(id).send()).expect("a removal");
    cloud.run(&["up", "--yes"]).expect(0).says(&["No changes but 1 query"]);
    assert_eq!(cloud.saved_queries(), queries);

    cloud.change_code("stock-trend-analysis");
    let [process, trend] = ["ProcessCodeKey", "TrendCodeKey"].map(|name| cloud.parameter(name));
    cloud.run(&["up", "--yes"]).expect(0).says(&[
        "  ~ StockTrendAnalysis",
        "ProcessStockData unchanged · StockTrendAnalysis given ",
        "ArchiveStockData unchanged",
        "Updated. Next: ",
    ]);
    assert_eq!(cloud.parameter("ProcessCodeKey"), process);
    assert_ne!(cloud.parameter("TrendCodeKey"), trend);
    // The code that was may be needed by a plan that somebody looks at: it stays for an hour.
    assert_eq!(cloud.keys(&artifacts).len(), 4);

    let removed = cloud.run(&["down", "--yes"]).expect(0).says(&[
        "table stockpipe-stock-market-data: about 0 quotes",
        "✓ StockStream",
        "stack 'stockpipe' and its data are gone",
        "Nothing of stack 'stockpipe' is left. It was the last one",
    ]);
    assert_eq!(removed.stdout, "");
    assert_eq!((cloud.buckets(), cloud.tables()), (Vec::new(), Vec::new()));
    assert_eq!([cloud.status("stockpipe"), cloud.status("StockpipeBootstrap")], ["", ""]);
    let groups = cloud.ask(cloud.logs().describe_log_groups().send()).expect("log groups");
    assert!(groups.log_groups().is_empty());
    // Athena removes the queries with the workgroup that they are in.
    let workgroup = cloud.athena().get_work_group().work_group("stockpipe-stock-queries").send();
    assert!(cloud.ask(workgroup).is_err());
    cloud.run(&["down", "--yes"]).expect(0).says(&["There is no stack 'stockpipe' in us-east-1: nothing to remove."]);
}

/// Would catch a plan that does something, and one that programs cannot read.
#[test]
fn a_plan_alone_does_nothing() {
    let cloud = Cloud::new();
    let planned =
        |arguments: &[&str]| -> Value { serde_json::from_str(&cloud.run(arguments).expect(0).stdout).expect("JSON") };
    let first = planned(&["up", "--dry-run", "--format", "json"]);
    assert_eq!(first["summary"]["add"], 44);
    assert!(cloud.buckets().is_empty() && cloud.status("stockpipe").is_empty());

    cloud.run(&["up", "--yes"]).expect(0);
    let more_shards = ["up", "--dry-run", "--shards", "2"];
    cloud.run(&more_shards).expect(0).says(&["StockStream ", "Cost        $18.62 → $29.57 a month"]);
    cloud
        .run(&["up", "--shards", "2", "--set", "stream_mode=on-demand"])
        .expect(2)
        .says(&["--shards: this stream grows"]);
    let change = planned(&["up", "--dry-run", "--format", "json", "--set", "log_days=30"]);
    assert_eq!(change["summary"]["add"], 0);
    let changed: Vec<_> = change["changes"].as_array().into_iter().flatten().map(|c| c["resource"].clone()).collect();
    assert!(changed.contains(&"ProcessStockDataLogs".into()), "{changed:?}");
    assert_eq!((cloud.change_sets(), cloud.parameter("LogDays")), (0, "14".into()));
    let rows = cloud.run(&["up", "--dry-run", "--format", "csv", "--set", "log_days=30"]).expect(0).stdout;
    assert!(rows.starts_with("action,resource,type,physical_id\n") && rows.contains("change,ProcessStockDataLogs,"));
    cloud.run(&["up", "--dry-run"]).expect(0).says(&["No changes."]);
}

/// Would catch a change without consent, and a plan or an empty stack that is left where there was none.
#[test]
fn without_consent_nothing_is_done_and_nothing_is_left() {
    let cloud = Cloud::new();
    let undone = "nothing was changed: confirm with --yes (there is no terminal to ask on)";
    cloud.run(&["up"]).expect(3).says(&[undone]);
    assert_eq!(cloud.status("stockpipe"), "");
    // Nothing was uploaded for it either.
    assert!(cloud.keys(&cloud.bucket("stockpipe-artifacts-")).is_empty());

    cloud.run(&["up", "--yes"]).expect(0);
    cloud.run(&["up", "--set", "log_days=30"]).expect(3).says(&[undone]);
    assert_eq!((cloud.change_sets(), cloud.status("stockpipe")), (0, "CREATE_COMPLETE".into()));
    let undone = "nothing was removed: confirm with --yes (there is no terminal to ask on)";
    cloud.run(&["down"]).expect(3).says(&[undone]);
    assert_eq!(cloud.status("stockpipe"), "CREATE_COMPLETE");

    let mut terminal = cloud.on_terminal(&["up", "--set", "log_days=30"]);
    terminal.until("the question", |screen| screen.has("Apply? [y/N]"));
    terminal.tell(&serde_json::json!({ "type": "n\r" }));
    let screen = terminal.ended();
    assert!(screen.has("nothing was changed") && screen.0["code"] == 3, "{screen:#?}");
    let mut terminal = cloud.on_terminal(&["up", "--set", "log_days=30"]);
    terminal.until("the question", |screen| screen.has("Apply? [y/N]"));
    terminal.tell(&serde_json::json!({ "type": "\u{3}" }));
    let screen = terminal.ended();
    assert!(screen.has("nothing was changed: interrupted") && screen.0["code"] == 130, "{screen:#?}");
    assert_eq!((cloud.change_sets(), cloud.status("stockpipe")), (0, "CREATE_COMPLETE".into()));
    let mut terminal = cloud.on_terminal(&["up", "--set", "log_days=30"]);
    terminal.until("the question", |screen| screen.has("Apply? [y/N]"));
    terminal.tell(&serde_json::json!({ "type": "y\r" }));
    let screen = terminal.ended();
    screen.expect_whole();
    assert!(screen.has("Updated. Next: stockpipe status --target aws"), "{screen:#?}");
    assert_eq!(cloud.parameter("LogDays"), "30");
}

/// Would catch settings that do not reach the stack, or are forgotten by the next run.
#[test]
fn settings_come_from_the_file_and_stay() {
    let cloud = Cloud::new();
    cloud.home.write(
        "stockpipe.yaml",
        "retention: 2d\nraw: off\naws:\n  log_days: 30\n  dashboard: no\n  tags:\n    team: prices\n  service_role: yes\n",
    );
    cloud.run(&["up", "--yes", "--set", "shard_count=2"]).expect(0);
    let of = |name: &str| cloud.parameter(name);
    assert_eq!(
        [of("QuoteRetention"), of("Raw"), of("LogDays"), of("Dashboard"), of("ShardCount")],
        ["172800", "off", "30", "no", "2"]
    );
    // A role that makes roles makes only those with the boundary.
    assert!(of("PermissionsBoundary").contains(":policy/stockpipe/stockpipe-boundary-us-east-1"));
    let tags = cloud.stack("stockpipe").and_then(|stack| stack.tags).unwrap_or_default();
    assert!(tags.iter().any(|tag| (tag.key(), tag.value()) == (Some("team"), Some("prices"))), "{tags:?}");
    std::fs::remove_file(cloud.home.work().join("stockpipe.yaml")).expect("a file");
    cloud.run(&["up", "--yes", "--set", "log_days=7"]).expect(0);
    let of = |name: &str| cloud.parameter(name);
    assert_eq!([of("QuoteRetention"), of("Raw"), of("LogDays"), of("ShardCount")], ["172800", "off", "7", "2"]);

    cloud.run(&["up", "--set", "shard_cuont=2"]).expect(2).says(&["did you mean shard_count?"]);
    cloud.home.write("stockpipe.yaml", "stack: stockpipe\naws:\n  # so many\n  shard_count: none\n");
    cloud.run(&["up"]).expect(2).says(&["line 4: shard_count 'none': not a whole number"]);
    // With others' things in it the shared stack stays, and that is said.
    std::fs::remove_file(cloud.home.work().join("stockpipe.yaml")).expect("a file");
    cloud.run(&["down", "--yes"]).expect(0).says(&["StockpipeBootstrap stays: its role and boundary"]);
}

/// Would catch two pipelines in one account that get in each other's way.
#[test]
fn two_stacks_live_side_by_side() {
    let cloud = Cloud::new();
    cloud.run(&["up", "--yes"]).expect(0);
    cloud.run(&["up", "--yes", "--stack", "prices-2"]).expect(0).says(&["ProcessStockData unchanged"]);
    assert_eq!(cloud.tables().len(), 4);
    cloud.run(&["down", "--yes"]).expect(0).says(&["StockpipeBootstrap stays: for prices-2"]);
    assert_eq!(cloud.tables(), ["prices-2-stock-market-data", "prices-2-stock-market-signals"]);
    cloud.run(&["up", "--yes", "--stack", "prices-2"]).expect(0).says(&["No changes"]);
    let function = cloud.lambda().get_function_configuration().function_name("prices-2-ProcessStockData").send();
    assert!(cloud.ask(function).is_ok());
}
