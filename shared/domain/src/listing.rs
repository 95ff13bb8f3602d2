//! A SKU at a channel: how the vendor knows it, and how far what is shown there has followed what there is.
//!
//! A listing is *marked* when its units may have changed, and *settled* once what is shown is what should be. One writer at a time:
//!
//! 1. looks at the channel, and lets [`judge`] say what that means: sales in flight, or a push that was not applied;
//! 2. holds units for the sales in flight, and only then computes what is to be shown ([`crate::publish::Terms`]);
//! 3. lets [`next`] say whether that is to be pushed now;
//! 4. writes that the push begins ([`claimed`]), pushes, and writes what came of it ([`taken`]), so that after a crash both numbers are
//!    possible and neither surprises.

use std::{collections::BTreeMap, fmt, str::FromStr};

use crate::{
    bucket::MalformedText,
    channel::{Buffer, SyncMode},
    ids::{Channel, ReservationId, Sku},
    publish::{Change, Closed, Look, Pushed, Terms, compare, may_revise},
    pull::PullState,
    quantity::Quantity,
    time::Timestamp,
};

/// Seconds in a day: a vendor's day of revisions, in UTC.
const DAY_SECONDS: u64 = 86_400;

/// How long a push may take to be shown, in seconds, before a larger number counts as "not applied". Amazon says that quantities are
/// shown within 15 minutes at most times; eBay and the shops within seconds.
pub const APPLY_SECONDS: u64 = 15 * 60;

/// When a push is looked at again, in seconds: accepted is not applied.
pub const LOOK_AGAIN_SECONDS: u64 = 2 * 60;

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

/// Units held for sales of which nothing but their absence is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InFlight {
    /// The reservation that holds them; nothing where no unit was left to be held.
    pub id: Option<ReservationId>,
    /// How many there are.
    pub quantity: Quantity,
    /// Since when some are missing.
    pub since: Timestamp,
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
    /// The last number that the channel has taken.
    pub pushed: Option<Pushed>,
    /// A number that was sent and whose answer is not known.
    pub unanswered: Option<u64>,
    /// When to look whether the last push is shown.
    pub look_at: Option<Timestamp>,
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
    /// How long the last change took from its mark to the vendor's answer, in seconds.
    pub lag_seconds: u64,
}

impl SyncState {
    /// Revisions spent on the day of `now`.
    #[must_use]
    pub fn revisions_on(&self, now: Timestamp) -> u32 {
        let (day, spent) = self.revisions;
        if day == now.epoch_seconds() / DAY_SECONDS { spent } else { 0 }
    }

    /// Whether somebody has to look at it now.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.marked_since.is_some() || self.look_at.is_some_and(|at| at <= now)
    }

    /// What is shown there as far as we know, `told` units of sales having been recorded since the last push; nothing before the first.
    #[must_use]
    pub fn expected(&self, told: u64) -> Option<u64> {
        self.pushed.map(|pushed| pushed.expected(told))
    }
}

/// What a look at the channel found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// What it shows.
    pub shown: u64,
    /// Units of its sales that were recorded since the last push was computed.
    pub told: u64,
    /// When it was looked at.
    pub at: Timestamp,
}

/// How long sales are counted from the same instant on, in seconds. Longer counts read more.
pub const COUNT_SECONDS: u64 = 60 * 60;

/// The first count begins so many seconds in the past: what is recorded just now must be in it.
const COUNT_MARGIN_SECONDS: u64 = 60;

/// From when on sales are to be counted for the next number.
#[must_use]
pub fn count_from(state: &SyncState, now: Timestamp) -> Timestamp {
    let before = state.pushed.map(|pushed| pushed.counted.from);
    let anew = Timestamp::from_epoch_seconds(now.epoch_seconds().saturating_sub(COUNT_MARGIN_SECONDS));
    before.filter(|from| now.seconds_since(*from) < COUNT_SECONDS).unwrap_or(anew)
}

/// What a look means for a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// Units that have to be held for sales in flight from now on, and since when; the reservation that held them so far is let go.
    pub in_flight: Option<(Quantity, Timestamp)>,
    /// Looks in a row that disagreed.
    pub disagreements: u32,
    /// Whether the listing is closed because of them.
    pub disagrees: bool,
}

/// Judges a look.
///
/// A channel that shows more than may be has [`APPLY_SECONDS`] to apply the push. After the second such look the listing is closed; it
/// opens again when the 0 that is then pushed is shown.
#[must_use]
pub fn judge(state: &SyncState, found: Found) -> Judged {
    let Some(pushed) = state.pushed else {
        // Nothing of ours is there yet: whatever is shown is the merchant's own number.
        return Judged { in_flight: None, disagreements: 0, disagrees: state.disagrees };
    };
    let look = compare(found.shown, pushed.expected(found.told), state.unanswered);
    let known = pushed.in_flight.saturating_sub(found.told);
    let news = if let Look::InFlight(units) = look { units } else { 0 };
    let since = state.in_flight.as_ref().map_or(found.at, |in_flight| in_flight.since);
    // What has been missing for so long was no order. What is missing since is.
    let (known, since) = if found.at.seconds_since(since) > IN_FLIGHT_SECONDS { (0, found.at) } else { (known, since) };
    let since = if known == 0 { found.at } else { since };
    let in_flight = Quantity::new(known + news).ok().map(|units| (units, since));
    match look {
        Look::Agrees => Judged { in_flight, disagreements: 0, disagrees: false },
        // Sales took it below what was pushed: the push was applied.
        Look::InFlight(_) => Judged { in_flight, disagreements: 0, disagrees: state.disagrees },
        Look::TooMany(_) if found.at.seconds_since(pushed.as_of) < APPLY_SECONDS => {
            Judged { in_flight, disagreements: state.disagreements, disagrees: state.disagrees }
        }
        Look::TooMany(_) => {
            let disagreements = state.disagreements.saturating_add(1);
            Judged { in_flight, disagreements, disagrees: disagreements >= MAX_DISAGREEMENTS || state.disagrees }
        }
    }
}

/// What to do with a listing once its terms are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It shows what it should.
    Settled,
    /// Push this number.
    Push {
        /// Units to show.
        quantity: u64,
        /// What that is to a shopper there.
        change: Change,
    },
    /// More could be shown, but too many of the day's revisions are spent: later.
    Wait,
}

/// Decides what to do. `shown` is what the channel shows now.
#[must_use]
pub fn next(state: &SyncState, terms: Terms, shown: u64, now: Timestamp, revisions_per_day: Option<u32>) -> Next {
    let quantity = terms.quantity();
    let Some(change) = Change::between(Some(shown), quantity) else { return Next::Settled };
    let seconds_into_day = now.epoch_seconds() % DAY_SECONDS;
    if may_revise(change, state.revisions_on(now), revisions_per_day, seconds_into_day) {
        Next::Push { quantity, change }
    } else {
        Next::Wait
    }
}

/// Why nothing is shown, if so: a channel of whose orders nothing was heard for too long, before a listing that disagrees.
#[must_use]
pub fn closed(state: &SyncState, pull: &PullState, stale_after_seconds: u64, now: Timestamp) -> Option<Closed> {
    if pull.is_stale(stale_after_seconds, now) {
        Some(Closed::Stale)
    } else if state.disagrees {
        Some(Closed::Disagrees)
    } else {
        None
    }
}

/// A push begins: from here on the number may be shown, answered or not.
#[must_use]
pub fn claimed(state: &SyncState, quantity: u64, now: Timestamp) -> SyncState {
    let revisions = (now.epoch_seconds() / DAY_SECONDS, state.revisions_on(now) + 1);
    SyncState { version: state.version + 1, unanswered: Some(quantity), revisions, ..state.clone() }
}

/// The channel has taken a number.
#[must_use]
pub fn taken(state: &SyncState, computed: Pushed, now: Timestamp) -> SyncState {
    SyncState {
        version: state.version + 1,
        pushed: Some(computed),
        unanswered: None,
        look_at: Some(now.plus_seconds(LOOK_AGAIN_SECONDS)),
        refusal: None,
        lag_seconds: state.marked_since.map_or(state.lag_seconds, |since| now.seconds_since(since)),
        ..state.clone()
    }
}

/// It shows what it should: there is nothing to look at until it is marked again.
#[must_use]
pub fn settled(state: &SyncState, computed: Pushed) -> SyncState {
    SyncState {
        version: state.version + 1,
        pushed: Some(computed),
        unanswered: None,
        look_at: None,
        refusal: None,
        ..state.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ids::Caller, publish::Counted};

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_epoch_seconds(DAY_SECONDS * 20_000 + seconds)
    }

    fn pushed(quantity: u64, in_flight: u64) -> SyncState {
        SyncState {
            pushed: Some(Pushed { quantity, in_flight, as_of: at(0), counted: Counted::default() }),
            ..SyncState::default()
        }
    }

    fn found(shown: u64, told: u64, seconds: u64) -> Found {
        Found { shown, told, at: at(seconds) }
    }

    fn units(judged: &Judged) -> u64 {
        judged.in_flight.map_or(0, |(quantity, _)| quantity.units())
    }

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
    }

    #[test]
    fn a_listing_is_looked_at_again_from_its_very_second_on() {
        let state = SyncState { look_at: Some(at(10)), ..SyncState::default() };
        assert_eq!([9, 10, 11].map(|second| state.is_due(at(second))), [false, true, true]);
    }

    #[test]
    fn the_first_look_at_a_listing_proves_nothing() {
        let judged = judge(&SyncState::default(), found(7, 0, 1));
        assert_eq!(judged, Judged { in_flight: None, disagreements: 0, disagrees: false });
    }

    #[test]
    fn units_that_are_missing_are_sales_of_which_nobody_has_told_us() {
        for (quantity, before, shown, told, in_flight) in [
            (10, 0, 10, 0, 0),
            (10, 0, 8, 0, 2),
            (10, 0, 8, 2, 0),
            (10, 0, 8, 1, 1),
            // Two were missing when 10 was pushed: they are told first, and were taken off before.
            (10, 2, 10, 0, 2),
            (10, 2, 10, 1, 1),
            (10, 2, 10, 2, 0),
            (10, 2, 9, 3, 0),
            (10, 2, 8, 3, 1),
            (10, 2, 7, 1, 4),
        ] {
            let state = SyncState {
                in_flight: Quantity::new(before).ok().map(|quantity| InFlight { id: None, quantity, since: at(0) }),
                ..pushed(quantity, before)
            };
            let judged = judge(&state, found(shown, told, 60));
            assert_eq!(
                units(&judged),
                in_flight,
                "{quantity} pushed with {before} in flight: {shown} shown, {told} told"
            );
            assert!(!judged.disagrees);
        }
    }

    #[test]
    fn what_has_been_missing_for_half_an_hour_was_no_order() {
        let in_flight = InFlight { id: None, quantity: Quantity::new(2).unwrap(), since: at(0) };
        let state = SyncState { in_flight: Some(in_flight), ..pushed(8, 2) };
        assert_eq!(judge(&state, found(8, 0, IN_FLIGHT_SECONDS)).in_flight, Some((Quantity::new(2).unwrap(), at(0))));
        assert_eq!(judge(&state, found(8, 0, IN_FLIGHT_SECONDS + 1)).in_flight, None);
        let later = at(IN_FLIGHT_SECONDS + 1);
        let judged = judge(&state, found(7, 0, IN_FLIGHT_SECONDS + 1));
        assert_eq!(judged.in_flight, Some((Quantity::new(1).unwrap(), later)), "what is missing since is");
    }

    #[test]
    fn a_listing_that_disagrees_twice_is_closed_until_it_agrees() {
        let state = pushed(5, 0);
        let early = judge(&state, found(9, 0, APPLY_SECONDS - 1));
        assert_eq!((early.disagreements, early.disagrees), (0, false), "it may still be applied");
        let first = judge(&state, found(9, 0, APPLY_SECONDS));
        assert_eq!((first.disagreements, first.disagrees), (1, false));
        let again = SyncState { disagreements: 1, ..pushed(5, 0) };
        let second = judge(&again, found(9, 0, APPLY_SECONDS));
        assert_eq!((second.disagreements, second.disagrees), (2, true));
        let closed = SyncState { disagreements: 2, disagrees: true, ..pushed(0, 0) };
        assert!(judge(&closed, found(9, 0, APPLY_SECONDS)).disagrees);
        let judged = judge(&closed, found(0, 0, 60));
        assert_eq!((judged.disagreements, judged.disagrees), (0, false));
    }

    #[test]
    fn a_channel_that_was_not_heard_shows_nothing() {
        let state = SyncState::default();
        let heard = PullState::default().succeeded(at(0), &[]);
        assert_eq!(closed(&state, &PullState::default(), 900, at(0)), Some(Closed::Stale));
        assert_eq!(closed(&state, &heard, 900, at(900)), None);
        assert_eq!(closed(&state, &heard, 900, at(901)), Some(Closed::Stale));
        let disagrees = SyncState { disagrees: true, ..state };
        assert_eq!(closed(&disagrees, &heard, 900, at(1)), Some(Closed::Disagrees));
    }

    #[test]
    fn what_is_next_depends_on_what_is_shown_and_on_the_days_revisions() {
        let terms = |units| Terms { shared: Some(units), ..Terms::default() };
        let spent = |count| SyncState { revisions: (20_000, count), ..pushed(5, 0) };
        let decide = |state: &SyncState, units, shown| next(state, terms(units), shown, at(0), Some(250));
        assert_eq!(decide(&spent(0), 5, 5), Next::Settled);
        assert_eq!(decide(&spent(0), 7, 5), Next::Push { quantity: 7, change: Change::More });
        assert_eq!(decide(&spent(100), 7, 5), Next::Wait);
        assert_eq!(decide(&spent(100), 3, 5), Next::Push { quantity: 3, change: Change::Less });
        assert_eq!(decide(&spent(249), 0, 5), Next::Push { quantity: 0, change: Change::ToZero });
        assert_eq!(decide(&spent(250), 0, 5), Next::Wait);
        // By noon half of what is not kept back has been earned, and an eighth was there from the beginning.
        let noon = next(&spent(100), terms(7), 5, at(DAY_SECONDS / 2), Some(250));
        assert_eq!(noon, Next::Push { quantity: 7, change: Change::More });
        let yesterday = SyncState { revisions: (19_999, 250), ..pushed(5, 0) };
        assert_eq!(decide(&yesterday, 0, 5), Next::Push { quantity: 0, change: Change::ToZero });
    }

    #[test]
    fn sales_are_counted_from_the_same_instant_for_an_hour() {
        assert_eq!(count_from(&SyncState::default(), at(65)), at(5));
        let counted = Counted { from: at(10), units: 3 };
        let pushed = Some(Pushed { quantity: 5, in_flight: 0, as_of: at(50), counted });
        let state = SyncState { pushed, ..SyncState::default() };
        assert_eq!(count_from(&state, at(10 + COUNT_SECONDS - 1)), at(10));
        assert_eq!(count_from(&state, at(10 + COUNT_SECONDS)), at(10 + COUNT_SECONDS - COUNT_MARGIN_SECONDS));
    }

    #[test]
    fn a_push_is_unanswered_until_it_is_taken() {
        let state = SyncState { marked_since: Some(at(10)), version: 4, ..pushed(5, 0) };
        let begun = claimed(&state, 3, at(12));
        assert_eq!((begun.version, begun.unanswered, begun.revisions), (5, Some(3), (20_000, 1)));
        assert_eq!(begun.pushed, state.pushed);
        let computed = Pushed { quantity: 3, in_flight: 1, as_of: at(11), counted: Counted { from: at(1), units: 2 } };
        let begun = SyncState { refusal: Some("no such listing".to_owned()), look_at: Some(at(13)), ..begun };
        let at_rest = settled(&begun, computed);
        let expected = SyncState {
            version: 6,
            pushed: Some(computed),
            unanswered: None,
            look_at: None,
            refusal: None,
            ..begun.clone()
        };
        assert_eq!(at_rest, expected);
        let taken = taken(&begun, computed, at(14));
        assert_eq!(taken.refusal, None);
        assert_eq!((taken.version, taken.unanswered, taken.lag_seconds), (6, None, 4));
        assert_eq!(taken.pushed, Some(computed));
        assert_eq!(taken.look_at, Some(at(14 + LOOK_AGAIN_SECONDS)));
        assert!(taken.is_due(at(0)), "it is still marked");
        let rested =
            settled(&SyncState { marked_since: None, ..taken }, Pushed { in_flight: 0, as_of: at(140), ..computed });
        assert!(!rested.is_due(at(1_000_000)));
        assert_eq!(claimed(&begun, 2, at(DAY_SECONDS)).revisions, (20_001, 1));
    }

    #[test]
    fn a_reservation_for_sales_in_flight_may_be_missing() {
        let id = ReservationId::derive(&Caller::new("c"), &"k".parse().unwrap());
        let in_flight = InFlight { id: Some(id), quantity: Quantity::new(1).unwrap(), since: at(0) };
        let state = SyncState { in_flight: Some(in_flight), ..pushed(5, 1) };
        assert_eq!(judge(&state, found(5, 1, 60)).in_flight, None);
        assert_eq!(state.expected(1), Some(5));
        assert_eq!(SyncState::default().expected(1), None);
    }
}
