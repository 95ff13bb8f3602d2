//! Strongly consistent reads: one item, many items, a list, everything.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use domain::{
    bucket::{Bucket, BucketId},
    ids::{ReservationId, Sku},
    purchase::OnOrder,
    reservation::Reservation,
};

use crate::{
    Fault, Item, Page, Store, StoredItem,
    fault::{Class, classify},
    item::{decode, decode_bucket, decode_on_order, decode_reservation, text},
    keys,
};

/// Keys in one `BatchGetItem`. Source: DynamoDB API reference.
const BATCH: usize = 100;

/// How often the rest of a batch is asked for again.
const MAX_BATCH_ATTEMPTS: usize = 8;

type Key = HashMap<String, AttributeValue>;

fn key_of(key: &str) -> Key {
    HashMap::from([(keys::PK.to_owned(), text(key))])
}

fn fault(class: Class) -> Fault {
    match class {
        Class::Fault(fault) => fault,
        Class::Conflict => Fault::Unavailable { operation: "read", reason: "a transaction was in its way".to_owned() },
    }
}

impl Store {
    /// Opens the connection to DynamoDB, so that the first request does not pay for it. A failure here is left for that request
    /// to meet.
    pub async fn connect(&self) {
        let probe = self.client.get_item().table_name(&*self.table).key(keys::PK, text("connect")).send().await;
        if let Err(error) = probe {
            tracing::warn!(error = %aws_sdk_dynamodb::error::DisplayErrorContext(&error), "could not connect ahead");
        }
    }

    /// One item.
    pub(crate) async fn get(&self, key: String) -> Result<Option<Item>, Fault> {
        let request = self.client.get_item().table_name(&*self.table).key(keys::PK, text(key)).consistent_read(true);
        let output = request.send().await.map_err(|error| fault(classify("read an item", &error)))?;
        Ok(output.item)
    }

    /// One reservation.
    pub(crate) async fn get_reservation(&self, id: &ReservationId) -> Result<Option<Reservation>, Fault> {
        self.get(keys::reservation(id)).await?.as_ref().map(decode_reservation).transpose()
    }

    /// One bucket.
    pub(crate) async fn get_bucket(&self, id: &BucketId) -> Result<Option<Bucket>, Fault> {
        self.get(keys::bucket(id)).await?.as_ref().map(decode_bucket).transpose()
    }

    /// Those of these reservations that exist.
    pub(crate) async fn get_reservations<'a>(
        &self,
        ids: impl IntoIterator<Item = &'a ReservationId>,
    ) -> Result<BTreeMap<ReservationId, Reservation>, Fault> {
        let found = self.batch_get(ids.into_iter().map(keys::reservation).collect()).await?;
        found.values().map(|item| decode_reservation(item).map(|record| (record.id.clone(), record))).collect()
    }

    /// Those of these buckets that exist.
    pub(crate) async fn get_buckets(
        &self,
        ids: impl IntoIterator<Item = BucketId>,
    ) -> Result<BTreeMap<BucketId, Bucket>, Fault> {
        let by_key: BTreeMap<String, BucketId> = ids.into_iter().map(|id| (keys::bucket(&id), id)).collect();
        let found = self.batch_get(by_key.keys().cloned().collect()).await?;
        let decoded = by_key.into_iter().filter_map(|(key, id)| Some((id, found.get(&key)?)));
        decoded.map(|(id, item)| Ok((id, decode_bucket(item)?))).collect()
    }

    /// Those of these buckets that exist, and what is on its way of these SKUs.
    pub(crate) async fn get_buckets_and_on_order(
        &self,
        ids: BTreeSet<BucketId>,
        skus: BTreeSet<Sku>,
    ) -> Result<(BTreeMap<BucketId, Bucket>, BTreeMap<Sku, OnOrder>), Fault> {
        let keys = ids.iter().map(keys::bucket).chain(skus.iter().map(keys::on_order));
        let found = self.batch_get(keys.collect()).await?;
        let buckets = ids.into_iter().filter_map(|id| Some((found.get(&keys::bucket(&id))?, id)));
        let on_order = skus.iter().filter_map(|sku| found.get(&keys::on_order(sku)));
        Ok((
            buckets.map(|(item, id)| Ok((id, decode_bucket(item)?))).collect::<Result<_, Fault>>()?,
            on_order.map(decode_on_order).collect::<Result<_, Fault>>()?,
        ))
    }

    /// Some of these buckets, for a look where any of them will do: what one request, of at most a hundred keys, does not answer at once
    /// is not asked for again.
    pub(crate) async fn get_some_buckets(
        &self,
        ids: impl IntoIterator<Item = BucketId>,
    ) -> Result<BTreeMap<BucketId, Bucket>, Fault> {
        let by_key: BTreeMap<String, BucketId> =
            ids.into_iter().take(BATCH).map(|id| (keys::bucket(&id), id)).collect();
        if by_key.is_empty() {
            return Ok(BTreeMap::new());
        }
        let mut found = HashMap::new();
        self.batch_get_some(by_key.keys().map(|key| key_of(key)).collect(), &mut found).await?;
        let decoded = by_key.into_iter().filter_map(|(key, id)| Some((id, found.get(&key)?)));
        decoded.map(|(id, item)| Ok((id, decode_bucket(item)?))).collect()
    }

    /// Those of these items that exist, by key.
    pub(crate) async fn batch_get(&self, keys: BTreeSet<String>) -> Result<HashMap<String, Item>, Fault> {
        let keys: Vec<String> = keys.into_iter().collect();
        let mut found = HashMap::new();
        for batch in keys.chunks(BATCH) {
            self.batch_get_once(batch, &mut found).await?;
        }
        Ok(found)
    }

    async fn batch_get_once(&self, batch: &[String], found: &mut HashMap<String, Item>) -> Result<(), Fault> {
        let mut missing: Vec<Key> = batch.iter().map(|key| key_of(key)).collect();
        for attempt in 0..MAX_BATCH_ATTEMPTS {
            missing = self.batch_get_some(missing, found).await?;
            if missing.is_empty() {
                return Ok(());
            }
            tokio::time::sleep(std::time::Duration::from_millis(10 << attempt)).await;
        }
        Err(Fault::Throttled { operation: "read items", reason: "some keys stayed unprocessed".to_owned() })
    }

    /// One request for these items; what it left unanswered.
    async fn batch_get_some(&self, wanted: Vec<Key>, found: &mut HashMap<String, Item>) -> Result<Vec<Key>, Fault> {
        let wanted = KeysAndAttributes::builder().set_keys(Some(wanted)).consistent_read(true).build();
        let wanted = wanted.map_err(|error| Fault::Rejected { operation: "read items", reason: error.to_string() })?;
        let request = self.client.batch_get_item().request_items(&*self.table, wanted);
        let output = request.send().await.map_err(|error| fault(classify("read items", &error)))?;
        for item in output.responses.into_iter().flat_map(HashMap::into_values).flatten() {
            found.insert(keys::of(&item).to_owned(), item);
        }
        let unanswered = output.unprocessed_keys.into_iter().flat_map(HashMap::into_values);
        Ok(unanswered.flat_map(|rest| rest.keys).collect())
    }

    /// One page of the keys of a list.
    pub(crate) async fn list(
        &self,
        list: String,
        newest_first: bool,
        limit: usize,
        after: Option<Item>,
    ) -> Result<Page<Item>, Fault> {
        let request = self
            .client
            .query()
            .table_name(&*self.table)
            .index_name(keys::INDEX)
            .key_condition_expression("#list = :list")
            .expression_attribute_names("#list", keys::LIST)
            .expression_attribute_values(":list", text(list))
            .scan_index_forward(!newest_first)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .set_exclusive_start_key(after);
        let output = request.send().await.map_err(|error| fault(classify("read a list", &error)))?;
        let more = output.last_evaluated_key.is_some();
        let items = output.items.unwrap_or_default();
        let rank = items.last().and_then(|item| item.get(keys::RANK)).and_then(|rank| rank.as_s().ok());
        let next_cursor = if more { rank.cloned() } else { None };
        Ok(Page { items, next_cursor })
    }

    /// The keys of the part of a list whose places begin with `prefix`. The index learns of a new item a moment after it is written.
    pub(crate) async fn list_under(&self, list: &str, prefix: &str) -> Result<Vec<String>, Fault> {
        let pages = self
            .client
            .query()
            .table_name(&*self.table)
            .index_name(keys::INDEX)
            .key_condition_expression("#list = :list AND begins_with(#rank, :prefix)")
            .expression_attribute_names("#list", keys::LIST)
            .expression_attribute_names("#rank", keys::RANK)
            .expression_attribute_values(":list", text(list))
            .expression_attribute_values(":prefix", text(prefix));
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let request = pages.clone().set_exclusive_start_key(after.take());
            let output = request.send().await.map_err(|error| fault(classify("read a list", &error)))?;
            found.extend(output.items().iter().map(|item| keys::of(item).to_owned()));
            after = output.last_evaluated_key;
            if after.is_none() {
                return Ok(found);
            }
        }
    }

    /// Everything that is stored, page by page; not a snapshot of one moment.
    #[must_use]
    pub fn scan(&self) -> Scan {
        Scan { store: self.clone(), after: None, done: false }
    }
}

/// A walk through the whole table.
pub struct Scan {
    store: Store,
    after: Option<Item>,
    done: bool,
}

impl Scan {
    /// The next items; nothing when all have been seen.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read, or when an item is malformed.
    pub async fn next_page(&mut self) -> Result<Option<Vec<StoredItem>>, Fault> {
        if self.done {
            return Ok(None);
        }
        let request = self.store.client.scan().table_name(&*self.store.table).consistent_read(true);
        let request = request.set_exclusive_start_key(self.after.take());
        let output = request.send().await.map_err(|error| fault(classify("read the table", &error)))?;
        self.after = output.last_evaluated_key;
        self.done = self.after.is_none();
        let items = output.items.unwrap_or_default();
        let decoded = items.iter().map(decode).filter_map(Result::transpose);
        decoded.collect::<Result<_, _>>().map(Some)
    }
}
