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

use std::{collections::BTreeMap, fmt, str::FromStr};

use crate::{
    bucket::MalformedText,
    channel::{Buffer, ChannelSettings, SyncMode},
    ids::{Channel, Fingerprint, ReservationId, Sku},
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
    /// How long the last change took from its mark to the vendor's answer, in seconds.
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

    /// The last number that was sent, where nobody has seen it shown: it may be, any moment.
    fn on_its_way(&self) -> Option<u64> {
        self.unanswered.or_else(|| Some(self.awaited.and(self.pushed)?.quantity))
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
    /// What has to be shown first.
    pub awaited: Option<Awaited>,
    /// What may be shown as long as that is not.
    pub earlier: Vec<u64>,
}

/// Judges a look.
///
/// A channel has [`APPLY_SECONDS`] to show what it has taken, however many numbers it is given meanwhile. If it shows more after that, it
/// disagrees, and has as long again. After the second time the listing is closed; it opens again when the 0 that is then pushed is shown.
/// A number that is larger although ours was shown was set by somebody else: it is set right, and is no disagreement. One that is smaller
/// because the last is not applied yet sells nothing twice: it is waited for.
#[must_use]
pub fn judge(state: &SyncState, found: Found) -> Judged {
    let Some(pushed) = state.pushed else {
        // Nothing of ours is there yet: whatever is shown is the merchant's own number. What is in flight was sold at another place.
        let in_flight = state.in_flight.as_ref().map(|in_flight| (in_flight.quantity, in_flight.since));
        let in_flight = in_flight.filter(|(_, since)| found.at.seconds_since(*since) <= IN_FLIGHT_SECONDS);
        let disagrees = state.disagrees;
        return Judged { in_flight, disagreements: 0, disagrees, awaited: None, earlier: Vec::new() };
    };
    let expected = pushed.expected(found.told);
    let earlier = state.earlier(found.told);
    let look = compare(found.shown, expected, state.unanswered, &earlier);
    // What was given up as no order is not missed again.
    let known = if state.in_flight.is_some() { pushed.in_flight.saturating_sub(found.told) } else { 0 };
    let news = if let Look::InFlight(units) | Look::NotYet(units) = look { units } else { 0 };
    let since = state.in_flight.as_ref().map_or(found.at, |in_flight| in_flight.since);
    // What has been missing for so long was no order. What is missing since is.
    let (known, since) = if found.at.seconds_since(since) > IN_FLIGHT_SECONDS { (0, found.at) } else { (known, since) };
    let since = if known == 0 { found.at } else { since };
    let in_flight = Quantity::new(known + news).ok().map(|units| (units, since));
    match look {
        // As much as that is shown as well if an earlier number was sold out, and the last one is still to come: nothing is proven.
        Look::Agrees if earlier.contains(&found.shown) => {
            let earlier = since_shown(&state.earlier, &earlier, found.shown);
            Judged { in_flight, disagreements: 0, disagrees: state.disagrees, awaited: state.awaited, earlier }
        }
        Look::Agrees => Judged { in_flight, disagreements: 0, disagrees: false, awaited: None, earlier: Vec::new() },
        // Sales took it below what was pushed: the push was applied.
        Look::InFlight(_) => {
            let disagrees = state.disagrees;
            Judged { in_flight, disagreements: 0, disagrees, awaited: None, earlier: Vec::new() }
        }
        Look::NotYet(_) => {
            let earlier = since_shown(&state.earlier, &earlier, found.shown);
            Judged { in_flight, disagreements: 0, disagrees: state.disagrees, awaited: state.awaited, earlier }
        }
        Look::TooMany(_) => {
            let awaited = state.awaited.map(|awaited| still_awaited(awaited, found, expected, pushed.as_of));
            let is_late = awaited.is_some_and(|awaited| found.at.seconds_since(awaited.since) >= APPLY_SECONDS);
            let disagreements = state.disagreements.saturating_add(u32::from(is_late));
            Judged {
                in_flight,
                disagreements,
                disagrees: disagreements >= MAX_DISAGREEMENTS || state.disagrees,
                awaited: awaited.map(|awaited| if is_late { Awaited { since: found.at, ..awaited } } else { awaited }),
                earlier: since_shown(&state.earlier, &earlier, found.shown),
            }
        }
    }
}

/// Those of the earlier numbers that may be shown from now on: numbers are applied in the order in which they were sent, so once one of them
/// is shown, those before it are over. `now` are the same, less what was told of.
fn since_shown(earlier: &[u64], now: &[u64], shown: u64) -> Vec<u64> {
    let over = now.iter().position(|quantity| *quantity == shown).unwrap_or(0);
    earlier[over..].to_vec()
}

/// What is awaited of a channel that shows more than it should: what was, or what was pushed last where that was applied meanwhile.
fn still_awaited(awaited: Awaited, found: Found, expected: u64, as_of: Timestamp) -> Awaited {
    if found.shown > awaited.at_most { awaited } else { Awaited { since: as_of, at_most: expected } }
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
    /// It was told this number and may take its time to show it: telling it again would only spend a revision.
    Await,
    /// Another number could be shown, but too many of the day's revisions are spent: later.
    Wait,
}

/// Decides what to do. `shown` is what the channel shows now.
///
/// That it shows what it should is not enough while another number is on its way to it: that one would be shown next, and nobody would look.
#[must_use]
pub fn next(state: &SyncState, terms: Terms, shown: u64, now: Timestamp, revisions_per_day: Option<u32>) -> Next {
    let quantity = terms.quantity();
    let from = if shown == quantity { state.on_its_way().unwrap_or(shown) } else { shown };
    let Some(change) = Change::between(from, quantity) else { return Next::Settled };
    let was_told = |pushed: Pushed| pushed.quantity == quantity && now.seconds_since(pushed.as_of) < APPLY_SECONDS;
    if state.awaited.is_some() && state.unanswered.is_none() && state.pushed.is_some_and(was_told) {
        return Next::Await;
    }
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

/// What may be shown after the next push for as long as that is not applied: what is shown now, and what is on its way. `state` is as it was
/// judged, `told` units of sales having been recorded since its last push.
#[must_use]
pub fn earlier(state: &SyncState, shown: u64, told: u64) -> Vec<u64> {
    let last = state.awaited.and(state.expected(told));
    let mut earlier = vec![shown];
    for number in state.earlier(told).into_iter().chain(last).chain(state.unanswered) {
        if !earlier.contains(&number) {
            earlier.push(number);
        }
    }
    let too_many = earlier.len().saturating_sub(MAX_EARLIER);
    earlier.drain(1..=too_many);
    earlier
}

/// The channel has taken a number. It may go on showing an `earlier` one, if it has taken it for later.
#[must_use]
pub fn taken(state: &SyncState, computed: Pushed, earlier: Vec<u64>, now: Timestamp) -> SyncState {
    let first = Awaited { since: computed.as_of, at_most: computed.quantity };
    let awaited =
        state.awaited.map_or(first, |before| Awaited { at_most: before.at_most.max(computed.quantity), ..before });
    SyncState {
        version: state.version + 1,
        pushed: Some(computed),
        awaited: Some(awaited),
        earlier,
        unanswered: None,
        look_at: Some(now.plus_seconds(LOOK_AGAIN_SECONDS)),
        check_at: None,
        refusal: None,
        lag_seconds: state.marked_since.map_or(state.lag_seconds, |since| now.seconds_since(since)),
        ..state.clone()
    }
}

/// When a listing that is settled now is read again. A listing's own number of seconds, which says nothing but is always the same.
fn check_at(id: &ListingId, now: Timestamp) -> Timestamp {
    let (first, last) = CHECK_AFTER_SECONDS;
    let digest = Fingerprint::of("check", &[&id.to_string()]);
    let spread = digest.as_str().bytes().take(4).fold(0, |number, byte| number * 256 + u64::from(byte));
    now.plus_seconds(first + spread % (last - first))
}

/// It shows what it should: there is nothing to look at until it is marked again, but that this is so still.
#[must_use]
pub fn settled(id: &ListingId, state: &SyncState, computed: Pushed) -> SyncState {
    SyncState {
        version: state.version + 1,
        pushed: Some(computed),
        unanswered: None,
        awaited: None,
        earlier: Vec::new(),
        look_at: None,
        check_at: Some(check_at(id, computed.as_of)),
        refusal: None,
        ..state.clone()
    }
}

/// Another number is to be shown, and must wait: that answers its marks, or the wait would count as the channel's lag. What it shows now
/// is what it was told, as far as anybody knows, unless another number is on its way.
#[must_use]
pub fn waiting(state: &SyncState, computed: Pushed) -> SyncState {
    let is_known = state.on_its_way().is_none();
    SyncState {
        version: state.version + 1,
        pushed: if is_known { Some(computed) } else { state.pushed },
        earlier: if is_known { Vec::new() } else { state.earlier.clone() },
        look_at: Some(computed.as_of.plus_seconds(LOOK_AGAIN_SECONDS)),
        check_at: None,
        ..state.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{channel::ChannelKind, ids::Caller, publish::Counted};

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
    fn a_settled_listing_is_read_again_within_hours_and_not_all_at_once() {
        let (first, last) = CHECK_AFTER_SECONDS;
        let number = pushed(3, 0).pushed.unwrap();
        let mut checks: Vec<u64> = (0..500)
            .map(|n| {
                let id = format!("amazon#tea-{n}").parse().unwrap();
                let state = settled(&id, &SyncState { check_at: Some(at(0)), ..pushed(7, 0) }, number);
                assert_eq!(state.pushed, Some(number));
                let due = state.check_at.unwrap();
                let before = Timestamp::from_epoch_seconds(due.epoch_seconds() - 1);
                assert_eq!([before, due].map(|now| state.is_due(now)), [false, true]);
                assert!(!taken(&state, number, Vec::new(), at(5)).is_due(at(6)), "it has a look of its own");
                due.seconds_since(number.as_of)
            })
            .collect();
        checks.sort_unstable();
        assert!(checks[0] >= first && checks[499] < last, "{checks:?}");
        for hour in 1..6 {
            let due = checks.iter().filter(|seconds| *seconds / 3_600 == hour).count();
            assert!((60..=140).contains(&due), "{due} of 500 in hour {hour}");
        }
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
    fn the_first_look_at_a_listing_proves_nothing() {
        let judged = judge(&SyncState::default(), found(7, 0, 1));
        let nothing =
            Judged { in_flight: None, disagreements: 0, disagrees: false, awaited: None, earlier: Vec::new() };
        assert_eq!(judged, nothing);
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
        let two = InFlight { id: None, quantity: Quantity::new(2).unwrap(), since: at(0) };
        let moved = SyncState { in_flight: Some(two), ..moved };
        for (seconds, held) in [(60, 2), (IN_FLIGHT_SECONDS, 2), (IN_FLIGHT_SECONDS + 1, 0)] {
            assert_eq!(units(&judge(&moved, found(0, 0, seconds))), held, "second {seconds}");
        }
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
        let given_up = SyncState { in_flight: None, ..state };
        assert_eq!(judge(&given_up, found(8, 0, IN_FLIGHT_SECONDS + 60)).in_flight, None, "it is not missed again");
    }

    #[test]
    fn who_waits_for_a_revision_has_answered_its_marks_and_knows_what_is_shown() {
        let computed = Pushed { quantity: 8, in_flight: 1, as_of: at(600), counted: Counted::default() };
        let state = SyncState { version: 3, earlier: vec![4], check_at: Some(at(9_000)), ..pushed(10, 2) };
        let waits = waiting(&state, computed);
        let again = Some(at(600 + LOOK_AGAIN_SECONDS));
        assert_eq!((waits.version, waits.look_at, waits.check_at), (4, again, None));
        assert_eq!((waits.pushed, &waits.earlier[..]), (Some(computed), &[][..]));
        // A number on its way may be shown any moment: what was pushed is not what is shown now.
        let awaited = Some(Awaited { since: at(0), at_most: 10 });
        for on_its_way in [SyncState { unanswered: Some(12), ..state.clone() }, SyncState { awaited, ..state.clone() }]
        {
            let waits = waiting(&on_its_way, computed);
            assert_eq!((waits.pushed, &waits.earlier[..]), (state.pushed, &[4][..]));
        }
    }

    #[test]
    fn a_listing_that_disagrees_twice_is_closed_until_it_agrees() {
        let awaited = |since, at_most| Some(Awaited { since: at(since), at_most });
        let state = SyncState { awaited: awaited(0, 5), ..pushed(5, 0) };
        let early = judge(&state, found(9, 0, APPLY_SECONDS - 1));
        assert_eq!((early.disagreements, early.disagrees), (0, false), "it may still be applied");
        assert_eq!(early.awaited, state.awaited);
        let first = judge(&state, found(9, 0, APPLY_SECONDS));
        assert_eq!((first.disagreements, first.disagrees), (1, false));
        assert_eq!(first.awaited, awaited(APPLY_SECONDS, 5), "it has as long again");
        let again = SyncState { disagreements: 1, awaited: first.awaited, ..state.clone() };
        assert_eq!(judge(&again, found(9, 0, APPLY_SECONDS * 2 - 1)).disagreements, 1);
        let second = judge(&again, found(9, 0, APPLY_SECONDS * 2));
        assert_eq!((second.disagreements, second.disagrees), (2, true));
        let closed = SyncState { disagreements: 2, disagrees: true, awaited: second.awaited, ..pushed(0, 0) };
        assert!(judge(&closed, found(9, 0, APPLY_SECONDS)).disagrees);
        let judged = judge(&closed, found(0, 0, 60));
        assert_eq!((judged.disagreements, judged.disagrees), (0, false));
    }

    #[test]
    fn new_numbers_give_a_channel_no_more_time_for_the_first() {
        // Told 5 and then 4, 3, … every minute, it goes on showing 9.
        let mut state = pushed(9, 0);
        let mut closed_after = None;
        for minute in 1..60 {
            let judged = judge(&state, found(9, 0, minute * 60));
            if judged.disagrees {
                closed_after = closed_after.or(Some(minute));
            }
            let (disagreements, disagrees) = (judged.disagreements, judged.disagrees);
            state = SyncState { disagreements, disagrees, awaited: judged.awaited, ..state };
            let number = Pushed { quantity: 5 - minute % 5, ..pushed(0, 0).pushed.unwrap() };
            let earlier = earlier(&state, 9, 0);
            state = taken(&state, Pushed { as_of: at(minute * 60), ..number }, earlier, at(minute * 60));
        }
        assert_eq!(closed_after, Some(31), "told in the first minute, and twice a quarter of an hour");
    }

    #[test]
    fn a_channel_that_is_slow_and_applies_everything_is_never_closed_and_sells_nothing_thereby() {
        // It shows each number ten minutes after it was told: fewer each time, more each time, and now more, now fewer.
        let [fewer, more, zigzag]: [fn(u64) -> u64; 3] =
            [|minute| 1_000 - minute, |minute| minute, |minute| 20 + minute % 7 * 3 - minute % 3];
        for told in [fewer, more, zigzag] {
            let number =
                |minute| Pushed { quantity: told(minute), as_of: at(minute * 60), ..pushed(0, 0).pushed.unwrap() };
            let mut state = taken(&SyncState::default(), number(0), vec![told(0)], at(0));
            for minute in 1..200_u64 {
                let shown = told(minute.saturating_sub(10));
                let judged = judge(&state, found(shown, 0, minute * 60));
                assert_eq!((judged.disagreements, judged.disagrees), (0, false), "minute {minute}");
                assert_eq!(judged.in_flight, None, "minute {minute}: {shown} shown, {state:?}");
                state = SyncState { awaited: judged.awaited, earlier: judged.earlier, ..state };
                let earlier = earlier(&state, shown, 0);
                state = taken(&state, number(minute), earlier, at(minute * 60));
            }
        }
    }

    /// What was shown before a larger number that a vendor took for later.
    fn raised(from: u64, to: u64) -> SyncState {
        taken(&SyncState::default(), pushed(to, 0).pushed.unwrap(), vec![from], at(0))
    }

    #[test]
    fn a_larger_number_that_is_not_applied_yet_holds_nothing() {
        for (from, to, shown, told, in_flight, awaits) in [
            // The listing is new, and shows 0 for minutes.
            (0, 50, 0, 0, 0, true),
            (7, 20, 7, 0, 0, true),
            // Sold at the number before, of which nobody has told us, or somebody has.
            (7, 20, 5, 0, 2, true),
            (7, 20, 5, 2, 0, true),
            (7, 20, 5, 1, 1, true),
            // It is applied, and sold from.
            (7, 20, 20, 0, 0, false),
            (7, 20, 18, 0, 2, false),
            (7, 20, 18, 2, 0, false),
        ] {
            let state = raised(from, to);
            for seconds in [5, LOOK_AGAIN_SECONDS, APPLY_SECONDS * 3] {
                let judged = judge(&state, found(shown, told, seconds));
                assert_eq!(units(&judged), in_flight, "{from} to {to}: {shown} shown, {told} told, {seconds} s");
                assert_eq!(judged.awaited.is_some(), awaits, "{from} to {to}: {shown} shown");
                assert_eq!((judged.disagreements, judged.disagrees), (0, false));
            }
        }
        // One that says that it has applied it is believed: what is missing is sold.
        let applied = SyncState { earlier: Vec::new(), ..raised(0, 50) };
        assert_eq!(units(&judge(&applied, found(0, 0, 5))), 50);
    }

    #[test]
    fn what_may_be_shown_is_what_is_shown_and_what_was_sent_since() {
        let state = SyncState { unanswered: Some(4), ..raised(7, 20) };
        assert_eq!(earlier(&state, 7, 0), [7, 20, 4]);
        assert_eq!(earlier(&state, 5, 2), [5, 18, 4], "two are told: they are off whatever was sent before");
        assert_eq!(earlier(&SyncState { awaited: None, ..raised(7, 20) }, 20, 0), [20, 7]);
        assert_eq!(earlier(&SyncState::default(), 3, 0), [3]);
        let many = SyncState { earlier: (100..120).collect(), ..raised(7, 20) };
        let known = earlier(&many, 7, 0);
        assert_eq!((known.len(), known[0], known[1], known[MAX_EARLIER - 1]), (MAX_EARLIER, 7, 106, 20));
        // Once one is shown, those before it are over.
        let state = SyncState { earlier: vec![0, 50, 3], ..raised(0, 60) };
        assert_eq!(judge(&state, found(50, 0, 60)).earlier, [50, 3]);
        assert_eq!(judge(&state, found(2, 0, 60)).earlier, [0, 50, 3]);
        assert!(judge(&state, found(60, 0, 60)).earlier.is_empty());
    }

    #[test]
    fn nothing_is_settled_while_another_number_is_on_its_way() {
        let terms = |units| Terms { shared: Some(units), ..Terms::default() };
        let push = |quantity, change| Next::Push { quantity, change };
        let lost = |quantity| SyncState { unanswered: Some(quantity), ..pushed(7, 0) };
        for (state, units, decided) in [
            // 50 were told, and are gone before they are shown.
            (raised(7, 50), 0, push(0, Change::ToZero)),
            (raised(7, 50), 7, push(7, Change::FarLess)),
            (raised(7, 3), 7, push(7, Change::More)),
            (raised(7, 7), 7, Next::Settled),
            (raised(7, 50), 50, Next::Await),
            // Nobody knows whether this one was taken.
            (lost(50), 7, push(7, Change::FarLess)),
            (lost(7), 7, Next::Settled),
            (pushed(50, 0), 7, Next::Settled),
        ] {
            assert_eq!(next(&state, terms(units), 7, at(60), None), decided, "{units}: {state:?}");
        }
    }

    #[test]
    fn an_earlier_number_that_was_sold_out_does_not_prove_that_the_last_is_applied() {
        // 2 were shown and 1 was pushed; then the 2 were sold, and the 1 is still to come.
        let state = SyncState { awaited: Some(Awaited { since: at(0), at_most: 1 }), earlier: vec![2], ..pushed(1, 0) };
        let judged = judge(&state, found(0, 2, 60));
        assert_eq!((judged.awaited, &judged.earlier[..], judged.in_flight), (state.awaited, &[2][..], None));
        let state = SyncState { awaited: judged.awaited, earlier: judged.earlier, ..state };
        let next = next(&state, Terms::default(), 0, at(60), Some(250));
        assert_eq!(next, Next::Push { quantity: 0, change: Change::ToZero }, "so that it is the last one that comes");
        // Who applies at once has no earlier number.
        let at_once = SyncState { earlier: Vec::new(), ..state };
        assert_eq!(judge(&at_once, found(0, 2, 60)).awaited, None);
    }

    #[test]
    fn a_number_that_somebody_else_has_set_is_set_right_at_once() {
        let shown = SyncState { awaited: None, ..pushed(5, 0) };
        let judged = judge(&shown, found(9, 0, APPLY_SECONDS * 9));
        assert_eq!((judged.disagreements, judged.awaited), (0, None));
        let terms = Terms { shared: Some(5), ..Terms::default() };
        assert_eq!(next(&shown, terms, 9, at(60), None), Next::Push { quantity: 5, change: Change::FarLess });
        // What it was told and did not show yet is not told again before it is late.
        let told = SyncState { awaited: Some(Awaited { since: at(0), at_most: 5 }), ..pushed(5, 0) };
        assert_eq!(next(&told, terms, 9, at(APPLY_SECONDS - 1), None), Next::Await);
        let push = Next::Push { quantity: 5, change: Change::FarLess };
        assert_eq!(next(&told, terms, 9, at(APPLY_SECONDS), None), push);
        assert_eq!(next(&SyncState { unanswered: Some(7), ..told.clone() }, terms, 9, at(60), None), push);
        let other = Terms { shared: Some(4), ..Terms::default() };
        assert_eq!(next(&told, other, 9, at(60), None), Next::Push { quantity: 4, change: Change::FarLess });
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
        assert_eq!(decide(&spent(100), 4, 5), Next::Wait);
        assert_eq!(decide(&spent(0), 4, 5), Next::Push { quantity: 4, change: Change::Less });
        assert_eq!(decide(&spent(100), 3, 5), Next::Push { quantity: 3, change: Change::FarLess });
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
        let tea: ListingId = "ebay#tea".parse().unwrap();
        let begun = claimed(&state, 3, at(12));
        assert_eq!((begun.version, begun.unanswered, begun.revisions), (5, Some(3), (20_000, 1)));
        assert_eq!(begun.pushed, state.pushed);
        let computed = Pushed { quantity: 3, in_flight: 1, as_of: at(11), counted: Counted { from: at(1), units: 2 } };
        let begun = SyncState { refusal: Some("no such listing".to_owned()), look_at: Some(at(13)), ..begun };
        let at_rest = settled(&tea, &begun, computed);
        let expected = SyncState {
            version: 6,
            pushed: Some(computed),
            unanswered: None,
            look_at: None,
            check_at: Some(check_at(&tea, computed.as_of)),
            refusal: None,
            ..begun.clone()
        };
        assert_eq!(at_rest, expected);
        let taken = taken(&begun, computed, vec![5], at(14));
        assert_eq!(taken.refusal, None);
        assert_eq!((taken.version, taken.unanswered, taken.lag_seconds), (6, None, 4));
        assert_eq!(taken.earlier, [5]);
        assert_eq!(taken.pushed, Some(computed));
        assert_eq!(taken.look_at, Some(at(14 + LOOK_AGAIN_SECONDS)));
        assert!(taken.is_due(at(0)), "it is still marked");
        let rested = settled(
            &tea,
            &SyncState { marked_since: None, ..taken },
            Pushed { in_flight: 0, as_of: at(140), ..computed },
        );
        assert!(!rested.is_due(at(140 + CHECK_AFTER_SECONDS.0 - 1)) && rested.earlier.is_empty());
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
