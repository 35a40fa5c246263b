//! The bucket: objects of the lake, and lines that were set aside.

use crate::Calls;
use aws_sdk_s3::{Client, primitives::ByteStream};
use base64::{Engine, prelude::BASE64_STANDARD};
use futures::{StreamExt, TryStreamExt, stream};
use pipeline::{PortError, SetAside, SetAsideStore};
use serde_json::json;

/// Objects that are put at once.
const PUTS: usize = 32;

/// The bucket, for one invocation.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// The client.
    pub client: Client,
    /// The bucket's name.
    pub name: String,
    /// The invocation's calls.
    pub calls: Calls,
}

impl Bucket {
    pub(crate) async fn put(&self, key: String, kind: &str, bytes: Vec<u8>) -> Result<(), PortError> {
        let put = self.client.put_object().bucket(&self.name).key(key).content_type(kind);
        self.calls.call("S3.PutObject", put.body(ByteStream::from(bytes)).send()).await.map(drop)
    }

    /// Puts these, many at once; key, media type and contents of each.
    pub(crate) async fn put_all(
        &self,
        objects: impl Iterator<Item = (String, &'static str, Vec<u8>)> + Send,
    ) -> Result<(), PortError> {
        // Boxed: else the compiler cannot tell that the whole is `Send`.
        let puts = objects.map(|(key, kind, bytes)| Box::pin(self.put(key, kind, bytes)));
        stream::iter(puts.collect::<Vec<_>>()).buffer_unordered(PUTS).try_collect().await
    }
}

impl SetAsideStore for Bucket {
    async fn put(&mut self, lines: &[SetAside]) -> Result<(), PortError> {
        let objects = lines.iter().map(|line| (set_aside_key(line), "application/json", set_aside_json(line)));
        self.put_all(objects).await
    }
}

#[cfg(feature = "lake")]
impl pipeline::Lake for Bucket {
    async fn put(&mut self, objects: Vec<pipeline::Object>) -> Result<(), PortError> {
        let kind = |object: &pipeline::Object| match object.kind {
            pipeline::ObjectKind::Raw => "application/x-ndjson",
            pipeline::ObjectKind::Parquet { .. } => "application/vnd.apache.parquet",
        };
        self.put_all(objects.into_iter().map(|object| (object.key.clone(), kind(&object), object.bytes))).await
    }
}

/// By the day of its arrival, and its sequence: the same line is one object, however often it comes.
fn set_aside_key(line: &SetAside) -> String {
    format!("set-aside/dt={}/{}.json", line.arrived_at.date(), line.sequence)
}

/// The line with what is known of it: as `text`, or as `base64` where it is not UTF-8.
fn set_aside_json(line: &SetAside) -> Vec<u8> {
    let (form, contents) = match std::str::from_utf8(&line.bytes) {
        Ok(text) => ("text", text.to_owned()),
        Err(_) => ("base64", BASE64_STANDARD.encode(&line.bytes)),
    };
    let json = json!({
        "sequence": line.sequence.to_string(),
        "partition_key": &*line.partition_key,
        "arrived_at": line.arrived_at.to_string(),
        "reason": line.reason.to_string(),
        form: contents,
    });
    json.to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use pipeline::{Reason, RecordSequence, Timestamp};

    #[test]
    fn a_line_keeps_its_bytes() {
        let mut line = SetAside {
            sequence: RecordSequence::local(7).line(3),
            partition_key: "AAPL".into(),
            arrived_at: Timestamp::parse("2026-11-20T21:00:00Z").expect("a time"),
            reason: Reason::Empty,
            bytes: b"a \"b\"".to_vec(),
        };
        assert_eq!(set_aside_key(&line), "set-aside/dt=2026-11-20/00000000000000000007-00003.json");
        let text = r#"{"arrived_at":"2026-11-20T21:00:00.000Z","partition_key":"AAPL","reason":"empty","sequence":"00000000000000000007-00003","text":"a \"b\""}"#;
        assert_eq!(String::from_utf8_lossy(&set_aside_json(&line)), text);
        line.bytes = vec![0xff, 0];
        assert!(String::from_utf8_lossy(&set_aside_json(&line)).contains(r#""base64":"/wA=""#));
    }
}
