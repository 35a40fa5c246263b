//! The table of quotes, in DynamoDB.

use crate::{CallError, Calls, attributes};
use aws_sdk_dynamodb::{
    Client,
    error::SdkError,
    operation::put_item::PutItemError,
    types::{AttributeValue, PutRequest, ReturnValuesOnConditionCheckFailure, WriteRequest},
};
use futures::{StreamExt, TryStreamExt, stream};
use pipeline::{Asked, Head, Item, Newest, PortError, Put, RecordSequence, Table, Timestamp};
use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, Ordering},
};

/// Symbols that are asked for at once.
const QUERIES: usize = 32;
/// Requests of 25 items that are under way at once.
const WRITES: usize = 8;
/// What BatchWriteItem takes.
const WRITE_ITEMS: usize = 25;
/// Items of the first page: as many as one read unit holds, and nearly always the first one is enough. Each page is
/// four times as long as the one before, up to the last.
const FIRST_PAGE: i32 = 4;
const LAST_PAGE: i32 = 1024;

/// The table of quotes, for one invocation.
#[derive(Clone, Debug)]
pub struct QuotesTable {
    /// The client.
    pub client: Client,
    /// The table's name.
    pub name: String,
    /// The invocation's calls.
    pub calls: Calls,
}

type Map = HashMap<String, AttributeValue>;

impl QuotesTable {
    /// The newest items down to the newest in-order one that counts.
    async fn head(&self, asked: &Asked, before: RecordSequence, arrival: Timestamp) -> Result<Head, PortError> {
        let mut head = Head::default();
        let (mut start, mut limit) = (None, FIRST_PAGE);
        loop {
            let query = self
                .client
                .query()
                .table_name(&self.name)
                .consistent_read(true)
                .scan_index_forward(false)
                .key_condition_expression("symbol = :symbol")
                .expression_attribute_values(":symbol", attributes::string(&asked.symbol))
                .set_exclusive_start_key(start)
                .limit(limit);
            let page = self.calls.call("DynamoDB.Query", query.send()).await?;
            for map in page.items() {
                let item = readable(map)?;
                if item.sequence.record >= before || item.expired(arrival) {
                    continue;
                }
                if let Some(trail) = item.trail {
                    let timestamp = item.quote.timestamp;
                    head.newest = Some(Newest { timestamp, trail: *trail, expires_at: item.expires_at });
                    return Ok(head);
                }
                if (asked.first..=asked.last).contains(&item.quote.timestamp) {
                    head.taken.push(item);
                }
            }
            start = page.last_evaluated_key;
            if start.is_none() {
                return Ok(head);
            }
            limit = limit.saturating_mul(4).min(LAST_PAGE);
        }
    }

    /// Writes these, at most 25, however often it takes; false where the time was up before, or a call failed.
    async fn write(&self, items: Vec<Map>) -> bool {
        let mut left: Vec<WriteRequest> = items
            .into_iter()
            .filter_map(|map| PutRequest::builder().set_item(Some(map)).build().ok())
            .map(|put| WriteRequest::builder().put_request(put).build())
            .collect();
        let mut attempt = 0;
        while !left.is_empty() {
            if attempt > 0 {
                self.calls.wait(attempt).await;
            }
            attempt += 1;
            let write = self.client.batch_write_item().request_items(&self.name, left);
            match self.calls.call("DynamoDB.BatchWriteItem", write.send()).await {
                Ok(done) => {
                    left = done.unprocessed_items.and_then(|mut tables| tables.remove(&self.name)).unwrap_or_default();
                }
                Err(_) => return false,
            }
        }
        true
    }
}

impl Table for QuotesTable {
    async fn heads(
        &mut self,
        asked: &[Asked],
        before: RecordSequence,
        arrival: Timestamp,
    ) -> Result<Vec<Head>, PortError> {
        let heads = asked.iter().map(|asked| self.head(asked, before, arrival));
        stream::iter(heads).buffered(QUERIES).try_collect().await
    }

    async fn put_in_order(&mut self, items: &[Item]) -> Result<Vec<usize>, PortError> {
        // In stream order: where the time is short, what comes first gets on, and the next batch begins behind it.
        let mut order: Vec<usize> = (0..items.len()).collect();
        order.sort_by_key(|&i| items.get(i).map(|item| item.sequence));
        let this = &*self;
        let failed = &AtomicBool::new(false);
        let writes = order.chunks(WRITE_ITEMS).map(|places| async move {
            // What follows a failure comes again in any case.
            if failed.load(Ordering::Relaxed) {
                return places.to_vec();
            }
            let maps = places.iter().filter_map(|&i| items.get(i)).map(attributes::attributes).collect();
            if this.write(maps).await {
                return vec![];
            }
            failed.store(true, Ordering::Relaxed);
            places.to_vec()
        });
        Ok(stream::iter(writes).buffer_unordered(WRITES).concat().await)
    }

    async fn put_new(&mut self, item: &Item, arrival: Timestamp) -> Result<Put, PortError> {
        const CALL: &str = "DynamoDB.PutItem";
        let put = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(attributes::attributes(item)))
            .condition_expression("attribute_not_exists(symbol) OR expires_at <= :arrival")
            .expression_attribute_values(":arrival", attributes::number(arrival.seconds()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match self.calls.answer(CALL, put.send()).await? {
            Ok(_) => Ok(Put::Stored),
            Err(error) => match holder(&error) {
                Some(map) => Ok(Put::Taken(Box::new(readable(map)?))),
                None => Err(self.calls.failed(CallError::new(CALL, &error))),
            },
        }
    }
}

/// What made the condition of a put fail.
pub(crate) fn holder(error: &SdkError<PutItemError>) -> Option<&Map> {
    match error.as_service_error()? {
        PutItemError::ConditionalCheckFailedException(failed) => failed.item(),
        _ => None,
    }
}

fn readable(map: &Map) -> Result<Item, PortError> {
    attributes::item(map).map_err(|damaged| PortError(damaged.to_string()))
}
