//! What is ordered from suppliers: purchase orders, and what is on its way of a SKU because of them.
//!
//! `draft → sent → acknowledged → partially received → received`, or `canceled` from any of them but the last. Only from `sent` on, and
//! until the end, its units are on their way. How one status follows from another is [`step`]; what a SKU may expect is [`on_order`],
//! and who was promised what of it [`backorder`]; how much to order is [`sizing`]; what becomes of it in the merchant's ERP is [`erp`](mod@erp).

pub mod backorder;
pub mod erp;
pub mod on_order;
pub mod sizing;
pub mod step;

use std::{fmt, str::FromStr};

use crate::{
    bucket::{MalformedText, exact},
    erp::{ErpSide, Standing},
    ids::{Channel, Currency, Fingerprint, PurchaseOrderId, Reference, Sku, Supplier},
    limits::{MAX_PURCHASE_LINES, MAX_UNIT_COST_MINOR},
    quantity::Quantity,
    time::{Day, Timestamp},
};

pub use on_order::{Arrival, Backorders, Incoming, OnOrder};
pub use step::{Receipt, Step};

/// Where a purchase order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Written down, nobody was told.
    Draft,
    /// The supplier was told, or the ERP is to.
    Sent,
    /// The supplier, or the ERP, has it.
    Acknowledged,
    /// Something came.
    PartiallyReceived,
    /// Everything came.
    Received,
    /// What has not come will not.
    Canceled,
}

impl Status {
    /// All of them, in the order of an order's life.
    pub const ALL: [Self; 6] =
        [Self::Draft, Self::Sent, Self::Acknowledged, Self::PartiallyReceived, Self::Received, Self::Canceled];

    /// The word for it in the API and the table.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Sent => "sent",
            Self::Acknowledged => "acknowledged",
            Self::PartiallyReceived => "partially_received",
            Self::Received => "received",
            Self::Canceled => "canceled",
        }
    }

    /// Whether units of it are still to come.
    #[must_use]
    pub const fn is_on_its_way(self) -> bool {
        matches!(self, Self::Sent | Self::Acknowledged | Self::PartiallyReceived)
    }

    /// Whether nothing will happen to it any more.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Received | Self::Canceled)
    }
}

/// Not a word for a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be draft, sent, acknowledged, partially_received, received or canceled")]
pub struct StatusError;

impl FromStr for Status {
    type Err = StatusError;

    fn from_str(text: &str) -> Result<Self, StatusError> {
        Self::ALL.into_iter().find(|status| status.word() == text).ok_or(StatusError)
    }
}

/// One SKU of a purchase order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurchaseLine {
    /// What.
    pub sku: Sku,
    /// How many were ordered.
    pub quantity: Quantity,
    /// What one costs, in minor units of the order's currency.
    pub unit_cost_minor: Option<u64>,
    /// How many came: more than were ordered, perhaps.
    pub received: u64,
}

impl PurchaseLine {
    /// Units that have not come.
    #[must_use]
    pub const fn open(&self) -> u64 {
        self.quantity.units().saturating_sub(self.received)
    }
}

/// `tea=12/5@450`: 12 ordered, 5 received, each for 450; without `@450` where no cost is known.
impl fmt::Display for PurchaseLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}/{}", self.sku, self.quantity, self.received)?;
        self.unit_cost_minor.map_or(Ok(()), |cost| write!(f, "@{cost}"))
    }
}

impl FromStr for PurchaseLine {
    type Err = MalformedText;

    fn from_str(text: &str) -> Result<Self, MalformedText> {
        let parse = || {
            let (sku, rest) = text.split_once('=')?;
            let (units, cost) = rest.split_once('@').map_or((rest, None), |(units, cost)| (units, Some(cost)));
            let (quantity, received) = units.split_once('/')?;
            let unit_cost_minor = match cost {
                None => None,
                Some(cost) => Some(exact(cost).filter(|cost| *cost <= MAX_UNIT_COST_MINOR)?),
            };
            let quantity = Quantity::new(exact(quantity)?).ok()?;
            Some(Self { sku: sku.parse().ok()?, quantity, unit_cost_minor, received: exact(received)? })
        };
        parse().ok_or_else(|| MalformedText::new("purchase line", text))
    }
}

/// The lines of a purchase order, by SKU: at least one, not too many, no SKU twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurchaseLines(Vec<PurchaseLine>);

/// Why these are not the lines of a purchase order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinesError {
    /// Nothing is ordered.
    #[error("must have at least one line")]
    Empty,
    /// More than one receipt can book.
    #[error("must have at most {MAX_PURCHASE_LINES} lines")]
    TooMany,
    /// Two lines order the same.
    #[error("names SKU {0}, as another line does; add their quantities")]
    Twice(Sku),
    /// A cost without a currency.
    #[error("must be given where a line has a unit_cost_minor")]
    NoCurrency,
}

impl PurchaseLines {
    /// Checks them.
    ///
    /// # Errors
    /// [`LinesError`], the first in its order.
    pub fn new(mut lines: Vec<PurchaseLine>, currency: Option<&Currency>) -> Result<Self, LinesError> {
        match lines.len() {
            0 => return Err(LinesError::Empty),
            count if count > MAX_PURCHASE_LINES => return Err(LinesError::TooMany),
            _ => lines.sort_by(|a, b| a.sku.cmp(&b.sku)),
        }
        if let Some(pair) = lines.windows(2).find(|pair| pair[0].sku == pair[1].sku) {
            return Err(LinesError::Twice(pair[0].sku.clone()));
        }
        if currency.is_none() && lines.iter().any(|line| line.unit_cost_minor.is_some()) {
            return Err(LinesError::NoCurrency);
        }
        Ok(Self(lines))
    }

    /// All of them.
    #[must_use]
    pub fn as_slice(&self) -> &[PurchaseLine] {
        &self.0
    }

    /// That of a SKU.
    #[must_use]
    pub fn of(&self, sku: &Sku) -> Option<&PurchaseLine> {
        self.0.iter().find(|line| line.sku == *sku)
    }

    fn of_mut(&mut self, sku: &Sku) -> Option<&mut PurchaseLine> {
        self.0.iter_mut().find(|line| line.sku == *sku)
    }
}

/// A purchase order to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPurchaseOrder {
    /// Derived from the caller and the `Idempotency-Key`, or from the alert: a retry makes no second one.
    pub id: PurchaseOrderId,
    /// Who delivers.
    pub supplier: Supplier,
    /// Where its units are sold once they have come; the shared stock where the channel has no quota of a SKU.
    pub channel: Channel,
    /// What its costs are counted in.
    pub currency: Option<Currency>,
    /// What is ordered.
    pub lines: PurchaseLines,
    /// When it should come, if that is known.
    pub expected_on: Option<Day>,
    /// How many days after the sending it should come, where that is known and no day is.
    pub lead_time_days: Option<u64>,
    /// Whether it is sent at once, and not a draft.
    pub send: bool,
    /// The alert that set it off, if one did.
    pub alert: Option<Reference>,
    /// Who says so.
    pub actor: String,
}

impl NewPurchaseOrder {
    /// What is asked for: the same key with another fingerprint is a reused key.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let lines: Vec<String> = self.lines.as_slice().iter().map(ToString::to_string).collect();
        let expected = self.expected_on.map_or(String::new(), |day| day.epoch_days().to_string());
        let currency = self.currency.as_ref().map_or("", Currency::as_str);
        let send = if self.send { "send" } else { "draft" };
        let mut parts = vec![self.supplier.as_str(), self.channel.as_str(), currency, &expected, send];
        parts.extend(lines.iter().map(String::as_str));
        Fingerprint::of("purchase order", &parts)
    }
}

/// A purchase order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurchaseOrder {
    /// Its id: also the number under which an ERP knows it as ours.
    pub id: PurchaseOrderId,
    /// Where it stands.
    pub status: Status,
    /// Who delivers.
    pub supplier: Supplier,
    /// Where its units are sold once they have come.
    pub channel: Channel,
    /// What its costs are counted in.
    pub currency: Option<Currency>,
    /// What was ordered, and what of it came.
    pub lines: PurchaseLines,
    /// When the rest should come, if that is known.
    pub expected_on: Option<Day>,
    /// How many days after the sending it should come: what gives a draft its day when it is sent.
    pub lead_time_days: Option<u64>,
    /// When it was written down.
    pub created_at: Timestamp,
    /// When it was sent.
    pub sent_at: Option<Timestamp>,
    /// When the last of it came, or it was canceled.
    pub closed_at: Option<Timestamp>,
    /// The alert that set it off, if one did.
    pub alert: Option<Reference>,
    /// Who wrote it down.
    pub actor: String,
    /// What the request asked for.
    pub fingerprint: Fingerprint,
    /// What there is of it in the ERP; nothing if that was never asked.
    pub erp: Option<ErpSide>,
    /// How often it was written.
    pub version: u64,
}

impl PurchaseOrder {
    /// The order that `new` makes.
    #[must_use]
    pub fn open(new: &NewPurchaseOrder, at: Timestamp) -> Self {
        Self {
            id: new.id.clone(),
            status: if new.send { Status::Sent } else { Status::Draft },
            supplier: new.supplier.clone(),
            channel: new.channel.clone(),
            currency: new.currency.clone(),
            lines: new.lines.clone(),
            expected_on: new.expected_on,
            lead_time_days: new.lead_time_days,
            created_at: at,
            sent_at: new.send.then_some(at),
            closed_at: None,
            alert: new.alert.clone(),
            actor: new.actor.clone(),
            fingerprint: new.fingerprint(),
            erp: None,
            version: 1,
        }
    }

    /// What of a SKU is on its way because of this order. While the ERP refuses it, no supplier knows of it, and it comes on no day: so no
    /// shopper is promised any of it. It still counts as ordered, or another order would be set off, and refused as well, every minute until
    /// somebody mends what is wrong.
    #[must_use]
    pub fn incoming(&self, sku: &Sku) -> Option<Incoming> {
        let line = self.lines.of(sku).filter(|_| self.status.is_on_its_way())?;
        let is_refused = self.erp.as_ref().is_some_and(|side| matches!(side.standing, Standing::Refused { .. }));
        Incoming::new(line.open(), self.expected_on.filter(|_| !is_refused))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ids::Caller;

    pub(crate) fn line(text: &str) -> PurchaseLine {
        text.parse().unwrap()
    }

    pub(crate) fn lines(texts: &[&str]) -> PurchaseLines {
        PurchaseLines::new(texts.iter().map(|text| line(text)).collect(), Some(&"EUR".parse().unwrap())).unwrap()
    }

    pub(crate) fn order(status: Status, texts: &[&str]) -> PurchaseOrder {
        let new = NewPurchaseOrder {
            id: PurchaseOrderId::derive(&Caller::new("c"), &"k".parse().unwrap()),
            supplier: "Leaf & Co".parse().unwrap(),
            channel: Channel::own(),
            currency: Some("EUR".parse().unwrap()),
            lines: lines(texts),
            expected_on: Some(Day::from_epoch_days(20_840)),
            lead_time_days: None,
            send: status != Status::Draft,
            alert: None,
            actor: "local".to_owned(),
        };
        PurchaseOrder { status, ..PurchaseOrder::open(&new, Timestamp::from_epoch_seconds(1_800_000_000)) }
    }

    #[test]
    fn a_status_is_its_word() {
        for status in Status::ALL {
            assert_eq!(status.word().parse(), Ok(status));
            assert!(StatusError.to_string().contains(status.word()));
        }
        assert_eq!("lost".parse::<Status>(), Err(StatusError));
        let on_their_way: Vec<&str> =
            Status::ALL.into_iter().filter(|status| status.is_on_its_way()).map(Status::word).collect();
        assert_eq!(on_their_way, ["sent", "acknowledged", "partially_received"]);
        assert!(Status::ALL.into_iter().all(|status| !(status.is_on_its_way() && status.is_final())));
    }

    #[test]
    fn a_line_reads_back_what_it_writes() {
        for text in ["tea=12/0", "tea=12/5@450", "a-b.c=1000000/1000001@0"] {
            assert_eq!(line(text).to_string(), text);
        }
        let dear = format!("tea=1/0@{}", MAX_UNIT_COST_MINOR + 1);
        for text in
            ["", "tea", "tea=12", "tea=0/0", "tea=12/05", "tea=12/-1", "tea=12/0@", "tea=12/0@-1", "=1/0", &dear]
        {
            assert!(text.parse::<PurchaseLine>().is_err(), "{text}");
        }
        assert_eq!((line("tea=12/5").open(), line("tea=12/13").open()), (7, 0));
    }

    #[test]
    fn lines_are_some_and_each_orders_something_else() {
        let read = |texts: &[&str], currency: Option<&str>| {
            let currency: Option<Currency> = currency.map(|text| text.parse().unwrap());
            PurchaseLines::new(texts.iter().map(|text| line(text)).collect(), currency.as_ref())
        };
        let many: Vec<String> = (0..34).map(|n| format!("sku-{n:02}=1/0")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(read(&[], None), Err(LinesError::Empty));
        assert_eq!(read(&many, None), Err(LinesError::TooMany));
        assert_eq!(read(&many[..33], None).unwrap().as_slice().len(), 33);
        assert_eq!(read(&["b=1/0", "a=1/0", "b=2/0"], None), Err(LinesError::Twice("b".parse().unwrap())));
        assert_eq!(read(&["a=1/0@5"], None), Err(LinesError::NoCurrency));
        let sorted = read(&["b=1/0", "a=1/0@5"], Some("EUR")).unwrap();
        assert_eq!(sorted.as_slice(), [line("a=1/0@5"), line("b=1/0")]);
        assert_eq!((sorted.of(&"b".parse().unwrap()), sorted.of(&"c".parse().unwrap())), (Some(&line("b=1/0")), None));
    }

    #[test]
    fn another_request_has_another_fingerprint() {
        let new = |change: fn(&mut NewPurchaseOrder)| {
            let mut new = NewPurchaseOrder {
                id: PurchaseOrderId::of_alert(&"a-1".parse().unwrap()),
                supplier: "Leaf".parse().unwrap(),
                channel: Channel::own(),
                currency: None,
                lines: lines(&["tea=1/0"]),
                expected_on: None,
                lead_time_days: None,
                send: false,
                alert: None,
                actor: "local".to_owned(),
            };
            change(&mut new);
            new.fingerprint()
        };
        let first = new(|_| ());
        assert_eq!(first, new(|new| new.actor = "another".to_owned()));
        let changes: [fn(&mut NewPurchaseOrder); 6] = [
            |new| new.supplier = "Leaves".parse().unwrap(),
            |new| new.channel = Channel::shared(),
            |new| new.currency = Some("EUR".parse().unwrap()),
            |new| new.expected_on = Some(Day::from_epoch_days(1)),
            |new| new.send = true,
            |new| new.lines = lines(&["tea=2/0"]),
        ];
        for (index, change) in changes.into_iter().enumerate() {
            assert_ne!(first, new(change), "{index}");
        }
    }

    #[test]
    fn units_are_on_their_way_from_the_sending_to_the_end() {
        let tea: Sku = "tea".parse().unwrap();
        for (status, on_its_way) in [
            (Status::Draft, false),
            (Status::Sent, true),
            (Status::Acknowledged, true),
            (Status::PartiallyReceived, true),
            (Status::Received, false),
            (Status::Canceled, false),
        ] {
            let order = order(status, &["milk=3/3", "tea=12/5"]);
            let expected = Incoming::new(7, order.expected_on).filter(|_| on_its_way);
            assert_eq!(order.incoming(&tea), expected, "{status:?}");
            assert_eq!(order.incoming(&"milk".parse().unwrap()), None, "all of it came");
            assert_eq!(order.incoming(&"mug".parse().unwrap()), None, "not ordered");
        }
        let refused = Some(ErpSide::new(Standing::Refused { words: "no".to_owned() }));
        let order = PurchaseOrder { erp: refused, ..order(Status::Sent, &["tea=12/0"]) };
        assert_eq!(order.incoming(&tea), Incoming::new(12, None), "ordered, and promised to nobody");
    }
}
