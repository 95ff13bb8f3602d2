//! A SKU at a channel: how the vendor knows it, and how far what is shown there has followed what there is.
//!
//! A listing is *marked* when its units may have changed, and *settled* once what is shown is what should be; it is read once more some hours
//! later, for others may set it, and a late push may land. One writer at a time:
//!
//! 1. looks at the channel, and lets [`judge`] say what that means: sales in flight, or a push that was not applied;
//! 2. holds units for the sales in flight, and only then computes what is to be shown ([`crate::publish::Terms`]);
//! 3. lets [`next`] say whether that is to be pushed now;
//! 4. writes that the push begins ([`claimed`]), pushes, and writes what came of it ([`taken`]), so that after a crash both numbers are
//!    possible and neither surprises.

mod judge;
mod step;

use std::{collections::BTreeMap, fmt, str::FromStr};

use crate::{
    bucket::MalformedText,
    channel::{Buffer, ChannelSettings, SyncMode},
    ids::{Channel, Fingerprint, ReservationId, Sku},
    publish::Pushed,
    quantity::Quantity,
    time::Timestamp,
};

pub use judge::{COUNT_SECONDS, Found, Judged, count_from, judge};
pub use step::{Next, claimed, closed, earlier, next, settled, taken, waiting};

/// Seconds in a day: a vendor's day of revisions, in UTC.
const DAY_SECONDS: u64 = 86_400;

/// How long a push may take to be shown, in seconds, before a larger number counts as "not applied". Amazon says that quantities are
/// shown within 15 minutes at most times; eBay and the shops within seconds.
pub const APPLY_SECONDS: u64 = 15 * 60;

/// When a push is looked at again, in seconds: accepted is not applied.
pub const LOOK_AGAIN_SECONDS: u64 = 2 * 60;

/// A listing that is settled is read again after between one and six hours, in seconds: listings that settled together are read one after the
/// other.
const CHECK_AFTER_SECONDS: (u64, u64) = (60 * 60, 6 * 60 * 60);

/// So many numbers from before the last are remembered. A vendor that is given one a minute has as long to apply them as it may take.
const MAX_EARLIER: usize = 16;

/// How long units are held for sales of which nothing but their absence is known, in seconds. By then the channel's orders have been
/// pulled several times: whatever was missing was no order.
pub const IN_FLIGHT_SECONDS: u64 = 30 * 60;

/// Looks in a row that may disagree before the listing is closed.
pub const MAX_DISAGREEMENTS: u32 = 2;

/// A SKU at a channel. Written `<channel>#<sku>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListingId {
    /// Where.
    pub channel: Channel,
    /// What.
    pub sku: Sku,
}

impl fmt::Display for ListingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.channel, self.sku)
    }
}

impl FromStr for ListingId {
    type Err = MalformedText;

    fn from_str(text: &str) -> Result<Self, MalformedText> {
        let malformed = || MalformedText::new("listing id", text);
        let (channel, sku) = text.split_once('#').ok_or_else(malformed)?;
        Ok(Self { channel: channel.parse().map_err(|_| malformed())?, sku: sku.parse().map_err(|_| malformed())? })
    }
}

/// What the merchant says of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Which.
    pub id: ListingId,
    /// The vendor's ids of it, where the SKU is not enough.
    pub remote: BTreeMap<String, String>,
    /// Another buffer than the channel's.
    pub buffer: Option<Buffer>,
    /// Another way of keeping up to date than the channel's.
    pub sync: Option<SyncMode>,
    /// How often it was written.
    pub version: u64,
}

impl Listing {
    /// Where its numbers are shown: the vendor, whose account there, and which product. Numbers of another place say nothing of this one.
    #[must_use]
    pub fn place(&self, settings: &ChannelSettings) -> Fingerprint {
        let mut parts = vec![settings.kind.word(), settings.endpoint.as_deref().unwrap_or_default()];
        for names in [&settings.options, &self.remote] {
            // No option can be mistaken for a vendor's id.
            parts.push("/");
            parts.extend(names.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]));
        }
        Fingerprint::of("place", &parts)
    }
}

/// Units held for sales of which nothing but their absence is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InFlight {
    /// The reservation that holds them; nothing where no unit was left to be held.
    pub id: Option<ReservationId>,
    /// How many there are.
    pub quantity: Quantity,
    /// Since when some are missing.
    pub since: Timestamp,
    /// Units that were told of since the last push when this was judged: those that are told of later are these.
    pub told: u64,
}

/// A number that the channel has taken and did not show since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Awaited {
    /// Since when.
    pub since: Timestamp,
    /// It, or a larger one that was taken later: what shows no more has applied it.
    pub at_most: u64,
}

/// How far what is shown has followed what there is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SyncState {
    /// How often its writer has written it: each number that is sent has one of its own.
    pub version: u64,
    /// How often it was marked.
    pub marks: u64,
    /// Since when it is marked; nothing when it is settled.
    pub marked_since: Option<Timestamp>,
    /// Where all that is known is known of ([`Listing::place`]); nothing before the first look.
    pub place: Option<Fingerprint>,
    /// The last number that the channel has taken.
    pub pushed: Option<Pushed>,
    /// A number that was sent and whose answer is not known.
    pub unanswered: Option<u64>,
    /// What has to be shown first before anything is believed to be applied; nothing once what was pushed last was seen.
    pub awaited: Option<Awaited>,
    /// What may be shown as long as the last number is not, the oldest first: what was shown when it was sent, and numbers that the vendor
    /// took for later before it. Sales since the last push are not taken off.
    pub earlier: Vec<u64>,
    /// When to look whether the last push is shown.
    pub look_at: Option<Timestamp>,
    /// When to look whether it still shows that, once it did and nothing else is to be looked at.
    pub check_at: Option<Timestamp>,
    /// Looks in a row that found another number than may be.
    pub disagreements: u32,
    /// Closed, because of these.
    pub disagrees: bool,
    /// Sales in flight.
    pub in_flight: Option<InFlight>,
    /// Revisions of the day with this number since 1970.
    pub revisions: (u64, u32),
    /// Why the vendor refused the last push, in its own words.
    pub refusal: Option<String>,
    /// How long a change takes from its mark until it is shown, in seconds, as far as looks can tell; at most [`APPLY_SECONDS`]. Less than was
    /// measured before lowers it by a quarter, for a vendor may take its time with one number and not with the next.
    pub lag_seconds: u64,
}

impl SyncState {
    /// What of it is known of this place. If it was another one before, nothing of ours is here yet; but what is in flight was sold, wherever,
    /// and its orders are still to come.
    #[must_use]
    pub fn at(&self, place: &Fingerprint) -> Self {
        let place = Some(place.clone());
        if self.place.is_none() || self.place == place {
            return Self { place, ..self.clone() };
        }
        Self {
            place,
            pushed: None,
            unanswered: None,
            awaited: None,
            earlier: Vec::new(),
            disagreements: 0,
            disagrees: false,
            refusal: None,
            ..self.clone()
        }
    }

    /// Revisions spent on the day of `now`.
    #[must_use]
    pub fn revisions_on(&self, now: Timestamp) -> u32 {
        let (day, spent) = self.revisions;
        if day == now.epoch_seconds() / DAY_SECONDS { spent } else { 0 }
    }

    /// Since when it is marked once its writer has answered what it saw; nothing if that was all. A mark that came while it looked is no
    /// older than its look.
    #[must_use]
    pub fn marked_after(&self, answered: Option<Seen>) -> Option<Timestamp> {
        match answered {
            Some(seen) if self.marks <= seen.marks => None,
            Some(seen) => self.marked_since.max(Some(seen.at)),
            None => self.marked_since,
        }
    }

    /// Whether somebody has to look at it now.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.marked_since.is_some() || [self.look_at, self.check_at].into_iter().flatten().any(|at| at <= now)
    }

    /// Numbers that were sent, where nobody has seen them shown: each may be, any moment.
    fn on_its_way(&self) -> impl Iterator<Item = u64> {
        let accepted = self.awaited.and(self.pushed).map(|pushed| pushed.quantity);
        self.unanswered.into_iter().chain(accepted)
    }

    /// What may be shown as long as the last number is not, `told` units of sales having been recorded since that was pushed.
    fn earlier(&self, told: u64) -> Vec<u64> {
        let Some(pushed) = self.pushed else { return Vec::new() };
        self.earlier.iter().map(|quantity| Pushed { quantity: *quantity, ..pushed }.expected(told)).collect()
    }

    /// What is shown there as far as we know, `told` units of sales having been recorded since the last push; nothing before the first.
    #[must_use]
    pub fn expected(&self, told: u64) -> Option<u64> {
        self.pushed.map(|pushed| pushed.expected(told))
    }
}

/// The marks that a writer has seen before it looked: what it writes answers these, and none that came later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// How often the listing had been marked.
    pub marks: u64,
    /// When that was read.
    pub at: Timestamp,
}

/// Listings in tests.
#[cfg(test)]
mod samples {
    use super::*;
    use crate::publish::Counted;

    pub(super) fn at(seconds: u64) -> Timestamp {
        Timestamp::from_epoch_seconds(DAY_SECONDS * 20_000 + seconds)
    }

    pub(super) fn pushed(quantity: u64, in_flight: u64) -> SyncState {
        SyncState {
            pushed: Some(Pushed { quantity, in_flight, as_of: at(0), counted: Counted::default() }),
            ..SyncState::default()
        }
    }

    pub(super) fn found(shown: u64, told: u64, seconds: u64) -> Found {
        Found { shown, told, at: at(seconds), heard_at: Some(at(seconds)) }
    }

    pub(super) fn units(judged: &Judged) -> u64 {
        judged.in_flight.map_or(0, |(quantity, _)| quantity.units())
    }

    pub(super) fn raised(from: u64, to: u64) -> SyncState {
        taken(&SyncState::default(), pushed(to, 0).pushed.unwrap(), vec![from], at(0))
    }
}

#[cfg(test)]
mod tests {
    use super::{samples::*, *};
    use crate::channel::ChannelKind;

    #[test]
    fn a_listing_id_reads_back_what_it_writes() {
        assert_eq!("amazon#tea-1.kg".parse::<ListingId>().unwrap().to_string(), "amazon#tea-1.kg");
        for text in ["", "amazon", "#tea", "amazon#", "amazon#tea#1", "Amazon#tea"] {
            assert!(text.parse::<ListingId>().is_err(), "{text}");
        }
    }

    #[test]
    fn times_are_what_their_words_say() {
        assert_eq!((APPLY_SECONDS, LOOK_AGAIN_SECONDS, IN_FLIGHT_SECONDS), (900, 120, 1_800), "15, 2 and 30 minutes");
        assert_eq!(COUNT_SECONDS, 3_600, "an hour");
        assert_eq!(CHECK_AFTER_SECONDS, (3_600, 21_600), "one to six hours");
    }

    #[test]
    fn a_listing_is_looked_at_again_from_its_very_second_on() {
        let state = SyncState { look_at: Some(at(10)), ..SyncState::default() };
        assert_eq!([9, 10, 11].map(|second| state.is_due(at(second))), [false, true, true]);
    }

    #[test]
    fn a_writer_answers_the_marks_that_it_saw_and_no_later_one() {
        let marked = SyncState { marks: 4, marked_since: Some(at(10)), ..SyncState::default() };
        for (answered, since) in [
            (None, Some(at(10))),
            (Some(Seen { marks: 4, at: at(20) }), None),
            (Some(Seen { marks: 5, at: at(20) }), None),
            (Some(Seen { marks: 3, at: at(20) }), Some(at(20))),
            (Some(Seen { marks: 3, at: at(5) }), Some(at(10))),
        ] {
            assert_eq!(marked.marked_after(answered), since, "{answered:?}");
        }
    }

    #[test]
    fn a_listing_is_where_its_vendor_its_account_and_its_product_are() {
        let listing = |product: &str| Listing {
            id: "shop#tea".parse().unwrap(),
            remote: BTreeMap::from([("product_id".to_owned(), product.to_owned())]),
            buffer: None,
            sync: None,
            version: 1,
        };
        let settings = |url: &str| ChannelSettings {
            options: BTreeMap::from([("url".to_owned(), url.to_owned())]),
            ..ChannelSettings::new(ChannelKind::Woocommerce)
        };
        let place = listing("7").place(&settings("a"));
        let other = Listing { buffer: Some(Buffer::Units(3)), version: 9, ..listing("7") };
        let others = ChannelSettings { buffer: Buffer::Units(3), stale_after_seconds: 1, version: 9, ..settings("a") };
        assert_eq!(other.place(&others), place, "what else is said of it changes no place");
        for (name, listing, settings) in [
            ("another product", listing("8"), settings("a")),
            ("none", Listing { remote: BTreeMap::new(), ..listing("7") }, settings("a")),
            ("another shop", listing("7"), settings("b")),
            ("another vendor", listing("7"), ChannelSettings { kind: ChannelKind::Shopify, ..settings("a") }),
            ("another API", listing("7"), ChannelSettings { endpoint: Some("https://x".to_owned()), ..settings("a") }),
        ] {
            assert_ne!(listing.place(&settings), place, "{name}");
        }
    }

    #[test]
    fn what_was_pushed_to_another_place_is_no_sale_at_this_one() {
        let [here, there] = ["here", "there"].map(|name| Fingerprint::of("place", &[name]));
        let known = |place: Option<&Fingerprint>| SyncState {
            version: 4,
            marks: 9,
            place: place.cloned(),
            awaited: Some(Awaited { since: at(0), at_most: 10 }),
            earlier: vec![3],
            unanswered: Some(9),
            disagreements: 2,
            disagrees: true,
            revisions: (20_000, 7),
            refusal: Some("no".to_owned()),
            ..pushed(10, 0)
        };
        // What was written before places were known is known of this one.
        for place in [None, Some(&here)] {
            assert_eq!(known(place).at(&here), known(Some(&here)));
        }
        let moved = known(Some(&there)).at(&here);
        let kept =
            SyncState { version: 4, marks: 9, place: Some(here), revisions: (20_000, 7), ..SyncState::default() };
        assert_eq!(moved, kept, "the next writer is the one after the last, and the day has as many revisions");
        assert_eq!(judge(&moved, found(0, 0, 60)).in_flight, None);
        assert_eq!(units(&judge(&pushed(10, 0), found(0, 0, 60))), 10, "at the same place all of it would be sold");
        // What is in flight stays so, as long as it would have.
        let two = InFlight { id: None, quantity: Quantity::new(2).unwrap(), since: at(0), told: 0 };
        let moved = SyncState { in_flight: Some(two), ..moved };
        for (seconds, held) in [(60, 2), (IN_FLIGHT_SECONDS, 2), (IN_FLIGHT_SECONDS + 1, 0)] {
            assert_eq!(units(&judge(&moved, found(0, 0, seconds))), held, "second {seconds}");
        }
    }
}
