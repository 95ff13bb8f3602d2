//! Where units are. A SKU in a channel has one *home* bucket; while it is hot it also has *children*. Most SKUs are one item.

use std::{collections::BTreeMap, fmt, str::FromStr};

use crate::{
    ids::{Channel, ReservationId, Sku},
    limits::{CHILD_UNITS, MAX_HOLDS},
    quantity::Quantity,
    time::Timestamp,
};

/// A SKU in a channel: what a home bucket is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StockId {
    /// What is counted.
    pub sku: Sku,
    /// Where it is sold.
    pub channel: Channel,
}

/// One bucket: the home of a SKU in a channel, or its *n*th child. Written `<sku>#<channel>` or `<sku>#<channel>#<n>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BucketId {
    /// The SKU and channel that the bucket belongs to.
    pub stock: StockId,
    /// The child's number; the home has none. A number is never used twice.
    pub child: Option<u32>,
}

/// A text in the table, a queue or a record is not what this service writes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a {what}: {text:?}")]
pub struct MalformedText {
    what: &'static str,
    text: String,
}

impl MalformedText {
    /// `text` was expected to be a `what`.
    #[must_use]
    pub fn new(what: &'static str, text: &str) -> Self {
        Self { what, text: text.to_owned() }
    }
}

/// A whole number in a text, written as this service writes it: no `+`, no leading zero. A text that is read has to be the text that is
/// written, for a write demands the very hold that was read, and an item is found by the very key.
#[must_use]
pub fn exact<T: FromStr>(text: &str) -> Option<T> {
    let starts_with_its_first_digit = text.strip_prefix('-').unwrap_or(text).starts_with(|c| matches!(c, '1'..='9'));
    if starts_with_its_first_digit || text == "0" { text.parse().ok() } else { None }
}

impl StockId {
    /// The shared stock of the same SKU.
    #[must_use]
    pub fn shared(&self) -> Self {
        Self { sku: self.sku.clone(), channel: Channel::shared() }
    }

    /// What is to come of the same SKU, where it may be promised.
    #[must_use]
    pub fn incoming(&self) -> Self {
        Self { sku: self.sku.clone(), channel: Channel::incoming() }
    }

    /// The home bucket.
    #[must_use]
    pub fn home(&self) -> BucketId {
        BucketId { stock: self.clone(), child: None }
    }

    /// The child bucket with this number.
    #[must_use]
    pub fn child(&self, number: u32) -> BucketId {
        BucketId { stock: self.clone(), child: Some(number) }
    }
}

impl fmt::Display for StockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.sku, self.channel)
    }
}

impl fmt::Display for BucketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.child {
            None => self.stock.fmt(f),
            Some(number) => write!(f, "{}#{number}", self.stock),
        }
    }
}

impl FromStr for BucketId {
    type Err = MalformedText;

    fn from_str(text: &str) -> Result<Self, MalformedText> {
        let malformed = || MalformedText::new("bucket id", text);
        let mut parts = text.split('#');
        let (Some(sku), Some(channel)) = (parts.next(), parts.next()) else {
            return Err(malformed());
        };
        let child = parts.next().map(|number| exact(number).ok_or_else(malformed)).transpose()?;
        if parts.next().is_some() {
            return Err(malformed());
        }
        let sku = sku.parse().map_err(|_| malformed())?;
        let channel = Channel::stored(channel).map_err(|_| malformed())?;
        Ok(Self { stock: StockId { sku, channel }, child })
    }
}

/// Units taken from a bucket's free ones until `expires_at`. Written `<quantity>@<epoch seconds>`: short, so that many fit in
/// 1 KB, and exact, so that a write can demand this very hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hold {
    /// How many units.
    pub quantity: Quantity,
    /// The last second at which the hold still stands.
    pub expires_at: Timestamp,
}

impl Hold {
    /// Whether the hold's time is over. The owner may still have been confirmed in time: only its record tells.
    #[must_use]
    pub fn is_over(self, now: Timestamp) -> bool {
        now > self.expires_at
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.quantity, self.expires_at)
    }
}

impl FromStr for Hold {
    type Err = MalformedText;

    fn from_str(text: &str) -> Result<Self, MalformedText> {
        let parse = || {
            let (quantity, expires_at) = text.split_once('@')?;
            let quantity = Quantity::new(exact(quantity)?).ok()?;
            Some(Self { quantity, expires_at: Timestamp::from_epoch_seconds(exact(expires_at)?) })
        };
        parse().ok_or_else(|| MalformedText::new("hold", text))
    }
}

/// What a bucket contains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// Units that nobody holds.
    pub free: u64,
    /// Who holds units, and until when.
    pub holds: BTreeMap<ReservationId, Hold>,
    /// Units of confirmed reservations whose holds were settled here.
    pub sold: u64,
    /// The watermark: the largest expiry that was settled here. A hold that would not outlast it is refused, so that a late
    /// copy of the write that made a settled hold cannot make it again.
    pub watermark: Option<Timestamp>,
    /// What only a home or only a child has.
    pub role: Role,
}

/// What only a home or only a child has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// The first bucket of a SKU in a channel.
    Home(Home),
    /// A bucket that took units from a hot home.
    Child {
        /// A shortfall was counted while this child had holds: units freed here belong to the home, which covers it first.
        owes_home: bool,
    },
}

/// What only a home has: the window of its children, and the merchant's settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Home {
    /// No child below this number exists.
    pub first_child: u32,
    /// The number that the next child gets. Never decreases.
    pub next_child: u32,
    /// How often units came to or left the home other than with its shoppers: by a movement, or from a child. Two looks that find
    /// the same number saw all buckets of the SKU as if at once.
    pub generation: u64,
    /// How often the settings were written.
    pub version: u64,
    /// The reserves per second that the merchant expects at the peak; 0 where nothing is announced.
    pub expected_peak_per_second: u64,
    /// Units that are held or sold but were not on the shelf when it was counted. While it is above 0 nothing is free.
    pub shortfall: u64,
    /// Units that were sold and given back unshipped, ever, because their order was canceled: `sold` counts them still.
    pub given_back: u64,
    /// The channel has given its quota up and sells from the shared stock. A home is never deleted, for what was sold from it and the
    /// watermark stay true; what shoppers hold in it ends here as well.
    pub joined: bool,
    /// Only in an incoming pool: units that have come and were set aside for those that are held or sold here.
    pub arrived: u64,
}

impl Home {
    /// The numbers that open children may have.
    #[must_use]
    pub fn window(&self) -> std::ops::Range<u32> {
        self.first_child..self.next_child
    }
}

impl Bucket {
    /// The home's part, if this is a home.
    #[must_use]
    pub fn home(&self) -> Option<&Home> {
        match &self.role {
            Role::Home(home) => Some(home),
            Role::Child { .. } => None,
        }
    }

    /// All units held.
    #[must_use]
    pub fn held(&self) -> u64 {
        self.holds.values().map(|hold| hold.quantity.units()).sum()
    }

    /// How many holds it may carry.
    #[must_use]
    pub fn max_holds(&self) -> usize {
        max_holds(self.home().is_none())
    }

    /// Whether it carries as many holds as it may.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        self.holds.len() >= self.max_holds()
    }
}

/// How many holds a bucket may carry so that a write of it stays at 1 WCU. A child has one unit at least for each.
#[must_use]
pub fn max_holds(child: bool) -> usize {
    if child { usize::try_from(CHILD_UNITS).unwrap_or(MAX_HOLDS) } else { MAX_HOLDS }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Caller;

    #[test]
    fn bucket_ids_and_holds_read_back_what_they_write() {
        for text in ["tea#own", "tea-1.kg#amazon#7", "tea#incoming"] {
            assert_eq!(text.parse::<BucketId>().unwrap().to_string(), text);
        }
        for text in ["3@1763890000", "1000000@1763890000"] {
            assert_eq!(text.parse::<Hold>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn malformed_texts_are_refused() {
        for text in [
            "",
            "tea",
            "tea#",
            "#own",
            "tea#own#",
            "tea#own#x",
            "tea#own#1#2",
            "t a#own",
            "tea#own#-1",
            "tea#own#+1",
            "tea#own#01",
        ] {
            assert!(text.parse::<BucketId>().is_err(), "{text}");
        }
        for text in ["", "3", "3@", "@3", "0@5", "-1@5", "1.5@5", "1000001@5", "3@4@5", "3@-1", "+3@5", "03@5", "3@05"]
        {
            assert!(text.parse::<Hold>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_number_is_read_only_as_it_is_written() {
        for number in [0, 7, 10, -1, -10] {
            assert_eq!(exact::<i64>(&number.to_string()), Some(number));
        }
        for text in ["", "-", "-0", "00", "07", "-07", "+7", "--7", " 7", "7 ", "7a", "a7", "٧"] {
            assert_eq!(exact::<i64>(text), None, "{text}");
        }
    }

    #[test]
    fn a_bucket_is_crowded_with_as_many_holds_as_keep_it_below_1_kb() {
        let with = |holds: u64, role: Role| Bucket {
            free: 9,
            holds: (0..holds)
                .map(|n| (ReservationId::derive(&Caller::new("c"), &n.to_string().parse().unwrap()), n + 1))
                .map(|(id, units)| (id, format!("{units}@100").parse().unwrap()))
                .collect(),
            sold: 0,
            watermark: None,
            role,
        };
        let home = || Role::Home(Home { first_child: 3, next_child: 5, ..Home::default() });
        let child = || Role::Child { owes_home: false };
        for (holds, role, crowded) in
            [(23, home(), false), (24, home(), true), (31, child(), false), (32, child(), true)]
        {
            assert_eq!(with(holds, role.clone()).is_crowded(), crowded, "{holds} in {role:?}");
        }
        assert_eq!((with(0, home()).max_holds(), with(0, child()).max_holds()), (24, 32));
        assert_eq!((with(0, home()).held(), with(3, home()).held()), (0, 1 + 2 + 3));
        assert_eq!((with(0, home()).home().map(Home::window), with(0, child()).home()), (Some(3..5), None));
    }

    #[test]
    fn a_hold_stands_through_its_last_second() {
        let hold: Hold = "1@100".parse().unwrap();
        assert!(!hold.is_over(Timestamp::from_epoch_seconds(100)));
        assert!(hold.is_over(Timestamp::from_epoch_seconds(101)));
    }
}
