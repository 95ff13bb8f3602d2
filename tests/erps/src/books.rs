//! What every ERP has: purchase orders and what has come of them, and what goes wrong.

use std::collections::{BTreeMap, BTreeSet};

use domain::time::Timestamp;
use jiff::civil::Date;

/// One line of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The item.
    pub item: String,
    /// Units ordered.
    pub quantity: u64,
    /// What one costs, as it was written on the wire.
    pub unit_price: String,
    /// Units received.
    pub received: u64,
    /// Nothing more comes on it.
    pub is_closed: bool,
}

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Units may still come.
    Open,
    /// Nothing more comes.
    Closed,
    /// Canceled before anything came.
    Canceled,
    /// Not there any more.
    Deleted,
}

/// A purchase order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The ERP's id.
    pub id: u64,
    /// What its creator calls it.
    pub key: String,
    /// From whom.
    pub supplier: String,
    /// Its date.
    pub order_on: Date,
    /// When it is expected.
    pub expected_on: Date,
    /// What else was said of it.
    pub note: String,
    /// Its lines.
    pub lines: Vec<Line>,
    /// Where it stands.
    pub standing: Standing,
    /// How often it was changed.
    pub version: u64,
}

/// Units that came, on one bill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Its id.
    pub id: u64,
    /// For which order.
    pub order: u64,
    /// For which of its lines.
    pub line: usize,
    /// How many.
    pub units: u64,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Faults {
    /// Nothing answers.
    pub down: bool,
    /// The next so many orders are created, or found to be there, and the answer is lost.
    pub lose_replies: u32,
    /// The next so many calls are carried out, whatever they are, and the answer is lost.
    pub lose_any: u32,
    /// The next order is created so many seconds later, and no answer comes: the ERP is busy, and the caller has hung up.
    pub commit_late_seconds: u64,
    /// The next so many calls are throttled.
    pub throttle_next: u32,
    /// The next so many calls fail inside the ERP.
    pub fail_next: u32,
    /// No order is created: these words come instead.
    pub refuse: Option<String>,
    /// An order whose key is there already is refused.
    pub refuse_duplicates: bool,
}

/// One company.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Books {
    /// Its clock: whoever runs it moves it.
    pub now: Timestamp,
    /// By id, also those that were deleted.
    pub orders: BTreeMap<u64, Order>,
    /// Orders that are being created still, and when each is there.
    pub late: Vec<(Timestamp, Order)>,
    /// What came.
    pub receipts: Vec<Receipt>,
    /// From whom can be bought.
    pub suppliers: BTreeSet<String>,
    /// What can be bought.
    pub items: BTreeSet<String>,
    /// What goes wrong now.
    pub faults: Faults,
    /// What the ERP remembers: answers under idempotency keys.
    pub remembered: BTreeMap<String, Vec<u8>>,
    /// Access tokens or sessions, and when each ends.
    pub tokens: BTreeMap<String, Timestamp>,
    /// The refresh token that is good now.
    pub refresh_token: String,
    /// How often somebody was let in.
    pub logins: u32,
}

impl Default for Books {
    fn default() -> Self {
        Self {
            now: Timestamp::default(),
            orders: BTreeMap::new(),
            late: Vec::new(),
            receipts: Vec::new(),
            suppliers: ["V-1", "V-2"].map(str::to_owned).into(),
            items: ["I-1", "I-2", "I-3"].map(str::to_owned).into(),
            faults: Faults::default(),
            remembered: BTreeMap::new(),
            tokens: BTreeMap::new(),
            refresh_token: "refresh-0".to_owned(),
            logins: 0,
        }
    }
}

impl Books {
    /// The first id that orders get: with enough digits that an order of texts is not one of numbers.
    const FIRST_ID: u64 = 98;

    /// Records an order. Its id, or why it is not taken.
    pub fn create(&mut self, order: Order) -> Result<u64, String> {
        if let Some(words) = &self.faults.refuse {
            return Err(words.clone());
        }
        if !self.suppliers.contains(&order.supplier) {
            return Err(format!("Supplier {} is not on file", order.supplier));
        }
        if let Some(line) = order.lines.iter().find(|line| !self.items.contains(&line.item)) {
            return Err(format!("Item {} is not active", line.item));
        }
        if self.faults.refuse_duplicates && self.under(&order.key).next().is_some() {
            return Err(format!("The number {} is used already", order.key));
        }
        let id = Self::FIRST_ID + self.orders.len() as u64;
        self.orders.insert(id, Order { id, ..order });
        Ok(id)
    }

    /// Puts off what was created since there were these orders.
    pub fn put_off(&mut self, before: &BTreeMap<u64, Order>) {
        let at = self.now.plus_seconds(std::mem::take(&mut self.faults.commit_late_seconds));
        let new: Vec<u64> = self.orders.keys().filter(|id| !before.contains_key(*id)).copied().collect();
        self.late.extend(new.iter().filter_map(|id| Some((at, self.orders.remove(id)?))));
    }

    /// Creates what was put off until now.
    pub fn catch_up(&mut self) {
        let (due, late): (Vec<_>, _) = std::mem::take(&mut self.late).into_iter().partition(|(at, _)| *at <= self.now);
        self.late = late;
        for (_, order) in due {
            let id = Self::FIRST_ID + self.orders.len() as u64;
            self.orders.insert(id, Order { id, ..order });
        }
    }

    /// Orders under a key that were not deleted, the oldest first.
    pub fn under<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a Order> {
        self.orders.values().filter(move |order| order.key == key && order.standing != Standing::Deleted)
    }

    /// Orders under a key of which units may come.
    #[must_use]
    pub fn live(&self, key: &str) -> Vec<u64> {
        self.under(key).filter(|order| order.standing == Standing::Open).map(|order| order.id).collect()
    }

    /// An order that was not deleted.
    #[must_use]
    pub fn order(&self, id: u64) -> Option<&Order> {
        self.orders.get(&id).filter(|order| order.standing != Standing::Deleted)
    }

    fn change(&mut self, id: u64, change: impl FnOnce(&mut Order)) {
        if let Some(order) = self.orders.get_mut(&id) {
            order.version += 1;
            change(order);
        }
    }

    /// Units come. An order of which all has come is closed.
    pub fn receive(&mut self, id: u64, line: usize, units: u64) {
        let receipt = Receipt { id: 500 + self.receipts.len() as u64, order: id, line, units };
        self.receipts.push(receipt);
        self.change(id, |order| {
            let line = &mut order.lines[line];
            line.received += units;
            line.is_closed = line.received >= line.quantity;
            if order.lines.iter().all(|line| line.is_closed) {
                order.standing = Standing::Closed;
            }
        });
    }

    /// The supplier delivers on another day.
    pub fn move_to(&mut self, id: u64, expected_on: Date) {
        self.change(id, |order| order.expected_on = expected_on);
    }

    /// Somebody sees to it that an order is over.
    pub fn end(&mut self, id: u64, standing: Standing) {
        self.change(id, |order| {
            order.standing = standing;
            order.lines.iter_mut().for_each(|line| line.is_closed = true);
        });
    }

    /// Lets somebody in for so long.
    pub fn let_in(&mut self, kind: &str, ttl_seconds: u64) -> String {
        self.logins += 1;
        let token = format!("{kind}-{}", self.logins);
        self.tokens.insert(token.clone(), self.now.plus_seconds(ttl_seconds));
        token
    }

    /// Whether this token or session is good.
    #[must_use]
    pub fn is_in(&self, token: &str) -> bool {
        self.tokens.get(token).is_some_and(|ends_at| self.now < *ends_at)
    }

    /// Ends all tokens and sessions.
    pub fn throw_out(&mut self) {
        self.tokens.clear();
    }
}
