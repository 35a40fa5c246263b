//! What is kept, taken in again, protected, and gone.

use super::cloud::Cloud;
use aws_sdk_dynamodb::types::AttributeValue;

impl Cloud {
    /// A quote in the table, an object in the lake and one that was set aside, each with an old version.
    fn fill(&self) {
        let text = |text: &str| AttributeValue::S(text.into());
        let put = self.dynamodb().put_item().table_name("stockpipe-stock-market-data");
        let put = put.item("symbol", text("AAPL")).item("timestamp", text("2026-11-20T21:00:00.000Z"));
        self.ask(put.send()).expect("a quote");
        let bucket = self.bucket("stock-market-data-bucket-");
        for key in ["quotes/dt=2026-11-20/a.parquet", "set-aside/dt=2026-11-20/b.json"] {
            for body in ["old", "new"] {
                let body = aws_sdk_s3::primitives::ByteStream::from_static(body.as_bytes());
                self.ask(self.s3().put_object().bucket(&bucket).key(key).body(body).send()).expect("an object");
            }
        }
        // A marker, of which only its key is seen no more.
        self.ask(self.s3().delete_object().bucket(&bucket).key("set-aside/dt=2026-11-20/b.json").send()).expect("a marker");
        let results = self.bucket("athena-query-results-");
        let body = aws_sdk_s3::primitives::ByteStream::from_static(b"an answer");
        self.ask(self.s3().put_object().bucket(results).key("answer.csv").body(body).send()).expect("an answer");
    }
}

/// Would catch data that goes although it is to stay, that is not found again, or that keeps a removal from ending.
#[test]
fn kept_data_is_taken_in_again() {
    let cloud = Cloud::new();
    cloud.run(&["up", "--yes"]).expect(0);
    cloud.fill();
    let lake = cloud.bucket("stock-market-data-bucket-");
    cloud.run(&["down", "--keep-data", "--yes"]).expect(0).says(&[
        "= table stockpipe-stock-market-data: about 1 quote   stays",
        "1 object (5 with old versions)",
        "Next: `stockpipe up --target aws` takes them in again",
    ]);
    assert_eq!(cloud.status("stockpipe"), "");
    assert_eq!(cloud.tables(), ["stockpipe-stock-market-data", "stockpipe-stock-market-signals"]);
    assert_eq!(cloud.keys(&lake), ["quotes/dt=2026-11-20/a.parquet"]);
    cloud.run(&["down", "--keep-data", "--yes"]).expect(0).says(&["It is down already; its data stays."]);

    cloud.run(&["up", "--dry-run"]).expect(0).says(&["3 to take in", "about 1 quote among it"]);
    cloud.run(&["up", "--yes"]).expect(0).says(&["= QuotesTable", "Ready. Next: "]);
    assert_eq!(cloud.keys(&lake), ["quotes/dt=2026-11-20/a.parquet"]);
    cloud.run(&["up", "--yes"]).expect(0).says(&["No changes"]);

    // And it goes, be it with the stack or without.
    cloud.run(&["down", "--keep-data", "--yes"]).expect(0);
    cloud.run(&["down", "--yes"]).expect(0).says(&["bucket stock-market-data-bucket-", "and its data are gone"]);
    assert_eq!((cloud.buckets(), cloud.tables()), (Vec::new(), Vec::new()));
}

/// Would catch a removal that goes half way before it finds that it may not, and old versions that keep a bucket.
#[test]
fn what_is_protected_stays_until_it_is_not() {
    let cloud = Cloud::new();
    cloud.run(&["up", "--yes", "--set", "deletion_protection=yes"]).expect(0);
    cloud.fill();
    cloud.run(&["down", "--yes"]).expect(1).says(&["is protected against deletion", "--set deletion_protection=no"]);
    assert_eq!(cloud.status("stockpipe"), "CREATE_COMPLETE");
    cloud.run(&["up", "--yes", "--set", "deletion_protection=no"]).expect(0);
    cloud.run(&["down", "--yes"]).expect(0);
    assert_eq!((cloud.buckets(), cloud.tables()), (Vec::new(), Vec::new()));
}
