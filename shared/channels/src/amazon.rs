//! Amazon Selling Partner API (SP-API).
//!
//! | what | how |
//! |---|---|
//! | set up to [`MAX_PATCHES`] quantities | `patchListingsItem`, five at a time, one after the other second (`listings.rs`) |
//! | set more | one `JSON_LISTINGS_FEED`: document, upload, feed, a few polls, processing report (`feed.rs`) |
//! | read | `getListingsItem`, or `searchListingsItems` for more than [`MAX_GETS`] |
//! | orders | `searchOrders` and `getOrder` of Orders 2026-01-01 (`orders.rs`) |
//! | notices | `ORDER_CHANGE`, `LISTINGS_ITEM_MFN_QUANTITY_CHANGE`, by [`parse_notification`] (`notification.rs`) |
//!
//! **Reads from `credentials`**: `client_id`, `client_secret`, `refresh_token` of Login with Amazon. **From `options`**: `seller_id`,
//! `marketplace_id`; and where they differ from these, `product_type` (`PRODUCT`), `region` (`na`; `eu`, `fe`), `token_endpoint`
//! (`https://api.amazon.com/auth/o2/token`). **From [`Target::remote`]**: `product_type`, `fulfillment_channel`.
//!
//! **The quantity of what Amazon fulfils is never written**: that would turn the listing into one that the merchant fulfils. A target
//! whose `fulfillment_channel` is not `DEFAULT` is refused without a call. Where it is not said, the listing is looked at first, 20 in a
//! call, and what was seen holds for an hour in this process. A SKU that is not listed is refused as well: Amazon accepts a patch of it
//! and does nothing (amzn/selling-partner-api-models, issue 4402).
//!
//! **Accepted is never applied.** `ACCEPTED` says that the number will be published; a number is shown once it is read back, or once
//! `LISTINGS_ITEM_MFN_QUANTITY_CHANGE` says so. `VALID` is the answer to a dry run, and nothing was changed; `INVALID` is a 200 as well.
//!
//! **Few go as patches, many as a feed.** A patch is answered at once, by SKU and in words, and shows within minutes. A feed waits in a queue,
//! for hours on a bad day, behind everything else that the seller feeds (issue 4823 there), and whether a patch of the same SKU overtakes
//! it is not documented. So everything that fits into ten seconds of patches is patched; feeds are for setting a whole catalogue.
//! After [`feed::POLLS`] polls `push` answers [`Accepted::ForLater`]: whoever called reads back, and pushes what is not shown again,
//! which by then are few, so that a patch says what is wrong with them.
//!
//! **Notices come through a queue.** Amazon puts them into an SQS queue of ours: they are not signed, and nobody but Amazon's account may
//! send there. So [`Connector::hear`], which listens on a public URL, believes nothing here.
//!
//! Sources: the models of Listings Items 2021-08-01, Feeds 2021-06-30, Orders 2026-01-01, the listings feed v2, and of both notifications
//! (github.com/amzn/selling-partner-api-models), against which the tests check every request and answer; SP-API documentation, "Connect
//! to the SP-API", "Merge a listing", and its changelog of 2025-05-06 (a feed takes 25,000 messages, five feeds in five minutes).
//!
//! Unverified: that an order's own `lastUpdatedTime` and a notice's `TimeOfOrderChange` come from one clock; how Amazon shows a line of
//! which some units were canceled (`orders.rs` says what is made of it); that `searchOrders` leaves out the last two minutes, as Orders v0 did:
//! whoever keeps a watermark must overlap by more than that.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use async_trait::async_trait;
use domain::{ids::Sku, sale::ChannelOrder, time::Timestamp};
use futures::{
    FutureExt,
    future::{BoxFuture, join_all},
};
use tokio::sync::Mutex;

use crate::{
    Abilities, Accepted, CallError, Connector, Context, Delivery, Heard, OrderPage, Push, QuantityMeaning, Rejected,
    Shown, Target,
};

mod call;
pub mod feed;
pub mod listings;
pub mod notification;
pub mod orders;

pub use notification::{Notification, Said, parse_notification};

/// Quantities that are patched one by one; a push of more is a feed. The usage plan has a burst of 5, then 5 per second: 50 take nine
/// seconds, about what a queue's consumer may wait for. (Amazon advises a feed from 1,500 listings on.)
pub const MAX_PATCHES: usize = 50;

/// Quantities in one push. Where nothing says who fulfils them, looking takes a call for 20 of them and a second for 100: ten seconds.
/// A feed would take 25,000 messages (SP-API changelog, 2025-05-06).
pub const MAX_PUSHES: usize = 1_000;

/// Listings that are read one by one: the burst of `getListingsItem`. More are read 20 at a time.
pub const MAX_GETS: usize = 10;

/// Calls at a time, and in a second: what the usage plans of Listings Items allow (model of Listings Items 2021-08-01).
const CALLS_PER_SECOND: usize = 5;

/// For how long it is remembered that the merchant fulfils a listing, in seconds. Who fulfils it changes by hand, and rarely.
const REMEMBERED_SECONDS: u64 = 60 * 60;

/// Listings that are remembered: some megabytes.
const MAX_REMEMBERED: usize = 50_000;

/// The seller's own fulfilment, as Amazon calls it.
pub(crate) const DEFAULT_CHANNEL: &str = "DEFAULT";

/// One seller's account in one marketplace.
pub struct Amazon {
    api: call::Api,
    /// Listings that the merchant was seen to fulfil, and when.
    by_merchant: Mutex<BTreeMap<Sku, Timestamp>>,
}

impl Amazon {
    /// The connector of one channel.
    #[must_use]
    pub fn new(context: Context) -> Self {
        Self { api: call::Api::new(context), by_merchant: Mutex::default() }
    }

    /// Why this quantity must not be written, or nothing. `later`: the SKUs that follow in the same push.
    fn why_not(push: &Push, later: &BTreeSet<&Sku>) -> Option<CallError> {
        let refused = |reason: String| Some(CallError::Refused { reason });
        match push.target.remote.get("fulfillment_channel") {
            Some(code) if code != DEFAULT_CHANNEL => refused(listings::by_amazon(code)),
            // Patches of one SKU in one second may arrive in any order.
            _ if later.contains(&push.target.sku) => {
                refused("another quantity of this SKU follows in this push".into())
            }
            _ => None,
        }
    }

    /// Looks at the listings of which nothing says who fulfils them. What must not be written is an error.
    async fn look(&self, pushes: &[&Push]) -> BTreeMap<Sku, CallError> {
        let now = self.api.context.clock.now();
        let unknown: Vec<&Sku> = {
            let remembered = self.by_merchant.lock().await;
            let is_fresh = |seen: &Timestamp| now.seconds_since(*seen) < REMEMBERED_SECONDS;
            let is_unknown = |push: &&&Push| {
                let is_said = push.target.remote.contains_key("fulfillment_channel");
                !is_said && !remembered.get(&push.target.sku).is_some_and(is_fresh)
            };
            pushes.iter().filter(is_unknown).map(|push| &push.target.sku).collect()
        };
        let seen = self.search_all(&unknown).await;
        let mut remembered = self.by_merchant.lock().await;
        if remembered.len() > MAX_REMEMBERED {
            remembered.clear();
        }
        let mut errors = BTreeMap::new();
        for (sku, seen) in unknown.into_iter().zip(seen) {
            match seen {
                Ok(_) => _ = remembered.insert(sku.clone(), now),
                Err(error) => _ = errors.insert(sku.clone(), error),
            }
        }
        errors
    }

    /// What is shown for each, 20 in a call.
    async fn search_all(&self, skus: &[&Sku]) -> Vec<Result<Shown, CallError>> {
        let pages: Vec<&[&Sku]> = skus.chunks(listings::MAX_SEARCHED).collect();
        let found = in_bursts(pages.iter().map(|page| self.api.search_listings(page).boxed()).collect()).await;
        let each = pages.iter().zip(found).map(|(page, found)| match found {
            Ok(found) => found,
            Err(error) => vec![Err(error); page.len()],
        });
        each.flatten().collect()
    }
}

/// Makes calls, as many at a time and per second as the usage plan allows. Once Amazon says "not now" or "not you" the others are not
/// made: they would only use up what is left. The same where none of a burst was answered.
async fn in_bursts<T: Send>(calls: Vec<BoxFuture<'_, Result<T, CallError>>>) -> Vec<Result<T, CallError>> {
    let count = calls.len();
    let mut done: Vec<Result<T, CallError>> = Vec::with_capacity(count);
    let mut calls = calls.into_iter();
    while done.len() < count {
        if !done.is_empty() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let answers = join_all(calls.by_ref().take(CALLS_PER_SECOND)).await;
        let is_down = answers.iter().all(|answer| matches!(answer, Err(CallError::Unavailable { .. })));
        let concerns_all = |error: &&CallError| match error {
            CallError::Throttled { .. } | CallError::Unauthorized { .. } | CallError::Unconfigured(_) => true,
            CallError::Unavailable { .. } => is_down,
            CallError::Stale { .. } | CallError::Refused { .. } => false,
        };
        let stop = answers.iter().filter_map(|answer| answer.as_ref().err()).find(concerns_all).cloned();
        done.extend(answers);
        if let Some(error) = stop {
            done.resize_with(count, || Err(error.clone()));
        }
    }
    done
}

#[async_trait]
impl Connector for Amazon {
    fn abilities(&self) -> Abilities {
        Abilities {
            compare_and_set: false,
            quantity: QuantityMeaning::Net,
            batch: MAX_PUSHES,
            revisions_per_day: None,
            listings_per_call: 1,
            pushes_per_second: 5,
            // Source: Orders API 2026-01-01, usage plan: a search every three minutes.
            poll_seconds: 180,
            webhook_is_a_hint: false,
        }
    }

    async fn push(&self, pushes: &[Push]) -> Vec<Result<Accepted, CallError>> {
        let mut later = BTreeSet::new();
        let mut refused: Vec<Option<CallError>> = pushes
            .iter()
            .rev()
            .map(|push| {
                let refusal = Self::why_not(push, &later);
                later.insert(&push.target.sku);
                refusal
            })
            .collect();
        refused.reverse();
        let allowed: Vec<&Push> = pushes.iter().zip(&refused).filter(|(_, no)| no.is_none()).map(|(p, _)| p).collect();
        let unseen = self.look(&allowed).await;
        let written: Vec<&Push> = allowed.iter().copied().filter(|p| !unseen.contains_key(&p.target.sku)).collect();
        let mut answers = if written.len() > MAX_PATCHES {
            self.api.feed(&written).await
        } else {
            in_bursts(written.iter().map(|push| self.api.patch_listing(push).boxed()).collect()).await
        }
        .into_iter();
        let answer = |(push, refused): (&Push, Option<CallError>)| {
            refused.or_else(|| unseen.get(&push.target.sku).cloned()).map_or_else(
                // There is an answer for each that was written, in their order.
                || answers.next().unwrap_or(Err(CallError::Unavailable { reason: "no answer".into() })),
                Err,
            )
        };
        pushes.iter().zip(refused).map(answer).collect()
    }

    async fn read(&self, targets: &[Target]) -> Vec<Result<Shown, CallError>> {
        let skus: Vec<&Sku> = targets.iter().map(|target| &target.sku).collect();
        if skus.len() > MAX_GETS {
            self.search_all(&skus).await
        } else {
            in_bursts(skus.iter().map(|sku| self.api.get_listing(sku).boxed()).collect()).await
        }
    }

    async fn changed_orders(&self, since: Timestamp, cursor: Option<&str>) -> Result<OrderPage, CallError> {
        self.api.search_orders(since, cursor).await
    }

    async fn order(&self, id: &str) -> Result<Option<ChannelOrder>, CallError> {
        self.api.get_order(id).await
    }

    async fn hear(&self, _delivery: &Delivery) -> Result<Heard, Rejected> {
        Err(Rejected::Unbelieved("Amazon delivers to a queue, never to a webhook"))
    }
}
