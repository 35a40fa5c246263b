//! What is said of a query of one's own that Athena would not take.

use crate::harness::Home;

/// Would catch a note that gets among the data, refuses the query, or comes of a query that Athena takes.
#[test]
fn notes_are_on_standard_error_and_refuse_nothing() {
    let home = Home::up();
    let ask = |sql: &str| home.run(["query", "--format", "csv", "--sql", sql]).expect(0);
    let noted = ask("SELECT count(*) AS n FROM stock_data_table LIMIT 1 OFFSET 0").says(&["OFFSET 0 LIMIT 1"]);
    assert_eq!(noted.stdout, "n\n0\n");
    assert_eq!(ask("SELECT count(*) AS n FROM stock_data_table OFFSET 0 LIMIT 1").stderr, "");
}
