//! What Athena answers, and that it is what the embedded engine answers.

use super::cloud::Cloud;
use crate::harness::{Running, csv, data};

impl Cloud {
    /// A pipeline here, with these quotes in its lake, and in the lake of one on this machine.
    fn with_history(files: &[&str]) -> Self {
        let cloud = Self::new();
        cloud.run(&["up", "--yes"]).expect(0);
        cloud.home.ok(["up"]);
        for file in files {
            cloud.home.replay(&data(file));
        }
        cloud.upload_lake(&["", "-again"]);
        cloud
    }

    /// What both answer: Athena, and the embedded engine.
    fn both(&self, arguments: &[&str]) -> [String; 2] {
        let arguments = [&["query"], arguments].concat();
        [self.run(&arguments).expect(0).stdout, self.home.ok(&arguments)]
    }

    /// How many queries Athena was sent.
    fn sent(&self) -> usize {
        let listed = self.athena().list_query_executions().work_group("stockpipe-stock-queries").send();
        self.ask(listed).expect("the queries").query_execution_ids.unwrap_or_default().len()
    }
}

/// Expects the same cells; numbers in double precision may differ in their last places, since sums have no order.
#[track_caller]
fn assert_same(what: &str, [athena, embedded]: [String; 2]) {
    let ((header, ours), (expected_header, expected)) = (csv(&athena), csv(&embedded));
    assert_eq!(header, expected_header, "{what}");
    assert_eq!(ours.len(), expected.len(), "{what}:\n{athena}\n{embedded}");
    for (ours, expected) in ours.iter().zip(&expected) {
        for (one, other) in ours.iter().zip(expected) {
            let near = match (one.parse::<f64>(), other.parse::<f64>()) {
                (Ok(a), Ok(b)) if one.len().max(other.len()) > 12 => (a - b).abs() <= 1e-12 * b.abs().max(1.0),
                _ => false,
            };
            assert!(one == other || near, "{what}: {one} is not {other}:\n{ours:?}\n{expected:?}");
        }
    }
}

/// Would catch a saved query that gives other columns, rows or texts on AWS: a span that ends elsewhere, a time, a decimal
/// or a null that is written otherwise.
#[test]
fn saved_queries_give_what_they_give_on_this_machine() {
    let cloud = Cloud::with_history(&["daily_FB_2012-2013.csv"]);
    let (_, queries) = csv(&cloud.home.ok(["query", "--format", "csv"]));
    assert!(queries.len() > 5, "{queries:?}");
    for query in queries {
        for all in [&[][..], &["--all"]] {
            let arguments = [&[&*query[0], "--format", "csv"], all].concat();
            assert_same(&format!("{} {all:?}", query[0]), cloud.both(&arguments));
        }
    }
    let crossovers = cloud.both(&["crossovers", "--all", "--format", "json"]);
    assert_eq!(crossovers[0], crossovers[1]);
    assert!(crossovers[0].lines().count() > 3, "{crossovers:?}");
    let given = cloud.both(&["daily-trend", "-p", "symbol=FB", "-p", "to=2013-01-31", "--format", "json"]);
    assert_eq!(given[0], given[1]);
    let shown = cloud.run(&["query", "daily-trend", "-p", "symbol=FB", "--chart"]).expect(0);
    let shown = shown.says(&[" scanned, $0.00005.   --format csv saves it", "close"]);
    assert!(shown.stdout.contains("trend") && shown.stderr.contains("rows, "), "{shown:#?}");
}

/// Would catch a type whose values are written otherwise, a page that is lost or comes twice, and a first row that is
/// taken for the names of the columns.
#[test]
fn values_and_pages_are_whole() {
    let cloud = Cloud::with_history(&["daily_AAPL_2008-2013.csv"]);
    let sql = "SELECT symbol, \"timestamp\", price, volume, stale, ingested_at, change_percent, anomaly, \
               currency, dt FROM stock_data_table WHERE dt >= '2008-01-01' ORDER BY symbol, \"timestamp\"";
    let rows = cloud.both(&["--format", "csv", "--sql", sql]);
    assert!(rows[0].lines().count() > 1100, "{}", rows[0].lines().count());
    assert_eq!(rows[0], rows[1]);
    let sql = "SELECT timestamp '2013-01-01 21:00:00' AS a, timestamp '2013-01-01 21:00:00.123' AS b, \
               date '2013-01-01' AS c, decimal '1.500' AS d, decimal '0.00000000' AS e, \
               cast(0.25 AS double) AS f, cast(10000000000 AS double) AS g, cast(100 AS double) AS h, true AS i, \
               cast(NULL AS varchar) AS j, cast(5 AS bigint) AS k, '' AS l, 'l' AS m, '\"a\", b' AS n, \
               cast('nan' AS double) AS o, cast(7 AS integer) AS p";
    for format in ["csv", "json"] {
        let [athena, embedded] = cloud.both(&["--format", format, "--sql", sql]);
        assert_eq!(athena, embedded);
    }
    assert_eq!(cloud.run(&["query", "--format", "csv", "--sql", "SELECT 'a' AS a"]).expect(0).stdout, "a\na\n");
    let none = cloud.run(&["query", "--format", "json", "--sql", "SELECT 1 AS a WHERE 1 = 2"]).expect(0);
    assert_eq!(none.stdout, "[]\n");
    cloud.run(&["query", "--sql", "SHOW TABLES"]).expect(0);
}

/// Would catch SQL that costs or changes something before it is judged, and failures that do not say what to do.
#[test]
fn what_is_refused_or_fails_says_why() {
    let cloud = Cloud::new();
    // What asks nobody takes no stack and no credentials.
    let listed = cloud.home.run(["query", "--target", "aws"]).expect(0);
    assert!(listed.stdout.contains("daily-trend"), "{listed:#?}");
    listed.says(&["stockpipe query --target aws daily-trend"]);
    cloud.home.run(["query", "daily-trend", "--reuse", "1h"]).expect(2).says(&["--reuse is Athena's"]);
    for age in ["30s", "8d", "soon"] {
        cloud.run(&["query", "daily-trend", "--reuse", age]).expect(2).says(&["--reuse"]);
    }
    cloud.run(&["query", "daily-trend"]).expect(4).says(&["stockpipe up --target aws"]);

    cloud.run(&["up", "--yes"]).expect(0);
    cloud.run(&["query", "daily-trend", "--reuse", "1h"]).expect(0).says(&["0 rows"]);
    let before = cloud.sent();
    for sql in [
        "DROP TABLE stock_data_table",
        "INSERT INTO stock_data_table SELECT * FROM stock_data_table",
        "MSCK REPAIR TABLE a",
        "SELEC 1",
        "SELECT 1; SELECT 2",
        "SELECT ?",
    ] {
        let [athena, embedded] = [cloud.run(&["query", "--sql", sql]), {
            cloud.home.ok(["up"]);
            cloud.home.run(["query", "--sql", sql])
        }];
        assert_eq!((athena.code, athena.stderr), (Some(2), embedded.stderr), "{sql}");
    }
    let long = format!("SELECT '{}'", "a".repeat(262_144));
    let file = cloud.home.write("long.sql", long);
    let long = cloud.run(&["query", "--file", &file.to_string_lossy()]).expect(2);
    long.says(&["too long for Athena", "262,144"]);
    assert_eq!(cloud.sent(), before);

    let bound = "FROM stock_data_table WHERE dt >= '2013-01-01'";
    let unknown = cloud.run(&["query", "--sql", &format!("SELECT nope {bound}")]).expect(2);
    unknown.says(&["nope", "hint: the table is stock_data_table; `--sql 'DESCRIBE stock_data_table'`"]);
    let noted =
        cloud.run(&["query", "--format", "csv", "--sql", "SELECT count(*) AS n FROM stock_data_table"]).expect(0);
    noted.says(&["warning: dt has no lower bound"]);
    let bounded = cloud.run(&["query", "--format", "csv", "--sql", &format!("SELECT count(*) AS n {bound}")]).expect(0);
    assert_eq!((&*bounded.stdout, &*bounded.stderr), ("n\n0\n", ""));
}

/// Would catch a Ctrl-C that leaves a query running, for which Athena goes on charging.
#[test]
fn an_interrupted_query_is_stopped() {
    let cloud = Cloud::new();
    cloud.run(&["up", "--yes"]).expect(0);
    let ten = "(VALUES 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)";
    let many = (0..12).map(|at| format!("{ten} AS t{at}(x{at})")).collect::<Vec<_>>().join(" CROSS JOIN ");
    let sql = format!("SELECT sum(x0 * x1 + x2 * x3 + x4 * x5 + x6 * x7 + x8 * x9 + x10 * x11) AS n FROM {many}");
    let mut query: Running = cloud.start(&["query", "--sql", &sql]);
    query.until("the query", |_| cloud.sent() == 1);
    std::thread::sleep(std::time::Duration::from_millis(500));
    query.signal("INT");
    query.end().expect(130).says(&["the query was stopped"]);
    let ids = cloud.athena().list_query_executions().work_group("stockpipe-stock-queries").send();
    let id = cloud.ask(ids).expect("the queries").query_execution_ids.unwrap_or_default().remove(0);
    let got = cloud.ask(cloud.athena().get_query_execution().query_execution_id(id).send()).expect("the query");
    let state = got.query_execution.and_then(|e| e.status).and_then(|s| s.state).map(|s| s.as_str().to_owned());
    assert_eq!(state.as_deref(), Some("CANCELLED"));
}
