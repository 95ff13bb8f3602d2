//! What every marketplace has: listings with a number that shoppers see, orders, and what goes wrong.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use domain::{sale::Stage, time::Timestamp};

/// A listing, under the seller's SKU.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listing {
    /// What shoppers see, and can order.
    pub shown: u64,
    /// Ordered here and not shipped.
    pub unshipped: u64,
    /// Numbers that were accepted and are applied later, and when.
    pub accepted: VecDeque<(Timestamp, u64)>,
    /// How often its quantity was changed, by day since 1970.
    pub revisions: BTreeMap<u64, u32>,
    /// The vendor's ids of it.
    pub remote: BTreeMap<String, String>,
}

/// One line of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The vendor's name for it.
    pub id: String,
    /// The seller's SKU.
    pub sku: String,
    /// Units ordered.
    pub quantity: u64,
    /// Units canceled since.
    pub canceled: u64,
}

/// An order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The vendor's id.
    pub id: String,
    /// Its lines.
    pub lines: Vec<Line>,
    /// How far it has got.
    pub stage: Stage,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// When it last changed.
    pub changed_at: Timestamp,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Faults {
    /// Nothing answers.
    pub down: bool,
    /// The next so many calls are throttled.
    pub throttle_next: u32,
    /// A quantity that is accepted is applied so many seconds later.
    pub apply_after_seconds: u64,
    /// Quantities of these SKUs are rejected, alone in a batch.
    pub rejected: BTreeSet<String>,
    /// Quantities that are accepted are never applied.
    pub swallows: bool,
}

/// One marketplace.
#[derive(Debug, Clone, Default)]
pub struct Market {
    /// Its clock: whoever runs it moves it.
    pub now: Timestamp,
    /// By the seller's SKU.
    pub listings: BTreeMap<String, Listing>,
    /// By id.
    pub orders: BTreeMap<String, Order>,
    /// What goes wrong now.
    pub faults: Faults,
    /// Calls that set a quantity, as `sku=quantity`, in order: what a test looks at.
    pub pushes: Vec<(Timestamp, String, u64)>,
    /// What the vendor remembers under idempotency keys.
    pub remembered: BTreeMap<String, Vec<u8>>,
}

/// Seconds in a day.
pub const DAY_SECONDS: u64 = 86_400;

impl Market {
    /// Moves its clock, and applies what is due.
    pub fn advance(&mut self, now: Timestamp) {
        self.now = now;
        for listing in self.listings.values_mut() {
            while listing.accepted.front().is_some_and(|(due, _)| *due <= now) {
                if let Some((_, quantity)) = listing.accepted.pop_front() {
                    listing.shown = quantity;
                }
            }
        }
    }

    /// Lists a SKU.
    pub fn list(&mut self, sku: &str, remote: &[(&str, &str)]) {
        let remote = remote.iter().map(|(name, id)| ((*name).to_owned(), (*id).to_owned())).collect();
        self.listings.insert(sku.to_owned(), Listing { remote, ..Listing::default() });
    }

    /// A shopper orders: nothing if less is shown. The order's id.
    pub fn sell(&mut self, id: &str, lines: &[(&str, u64)], stage: Stage) -> Option<String> {
        let shown = |sku: &str| self.listings.get(sku).map_or(0, |listing| listing.shown);
        if self.faults.down || lines.iter().any(|(sku, quantity)| shown(sku) < *quantity) {
            return None;
        }
        for (sku, quantity) in lines {
            let listing = self.listings.get_mut(*sku)?;
            listing.shown -= quantity;
            listing.unshipped += quantity;
        }
        let lines = lines.iter().enumerate().map(|(n, (sku, quantity))| Line {
            id: format!("{}", n + 1),
            sku: (*sku).to_owned(),
            quantity: *quantity,
            canceled: 0,
        });
        let order =
            Order { id: id.to_owned(), lines: lines.collect(), stage, placed_at: self.now, changed_at: self.now };
        self.orders.insert(id.to_owned(), order);
        Some(id.to_owned())
    }

    /// An order goes on.
    pub fn set_stage(&mut self, id: &str, stage: Stage) {
        if let Some(order) = self.orders.get_mut(id) {
            order.stage = stage;
            order.changed_at = self.now;
            if stage == Stage::Shipped {
                for line in &order.lines {
                    if let Some(listing) = self.listings.get_mut(&line.sku) {
                        listing.unshipped = listing.unshipped.saturating_sub(line.quantity - line.canceled);
                    }
                }
            }
        }
    }

    /// The buyer, or the marketplace, cancels what is left of an order. As with most vendors, what is shown does not change: that is
    /// for the seller.
    pub fn cancel(&mut self, id: &str) {
        if let Some(order) = self.orders.get_mut(id) {
            order.changed_at = self.now;
            for line in &mut order.lines {
                if let Some(listing) = self.listings.get_mut(&line.sku) {
                    listing.unshipped = listing.unshipped.saturating_sub(line.quantity - line.canceled);
                }
                line.canceled = line.quantity;
            }
        }
    }

    /// The seller sets what is shown. Nothing if the listing does not exist or its quantities are rejected.
    pub fn set_quantity(&mut self, sku: &str, quantity: u64) -> Option<()> {
        if self.faults.rejected.contains(sku) {
            return None;
        }
        let listing = self.listings.get_mut(sku)?;
        *listing.revisions.entry(self.now.epoch_seconds() / DAY_SECONDS).or_default() += 1;
        self.pushes.push((self.now, sku.to_owned(), quantity));
        if self.faults.swallows {
        } else if self.faults.apply_after_seconds == 0 {
            listing.accepted.clear();
            listing.shown = quantity;
        } else {
            listing.accepted.push_back((self.now.plus_seconds(self.faults.apply_after_seconds), quantity));
        }
        Some(())
    }

    /// Orders changed at or after `since`, the oldest change first.
    #[must_use]
    pub fn changed_since(&self, since: Timestamp) -> Vec<&Order> {
        let mut orders: Vec<&Order> = self.orders.values().filter(|order| order.changed_at >= since).collect();
        orders.sort_by(|a, b| (a.changed_at, &a.id).cmp(&(b.changed_at, &b.id)));
        orders
    }
}
