//! What a look at a channel means for a listing: sales in flight, or a push that was not applied.

use super::{APPLY_SECONDS, Awaited, IN_FLIGHT_SECONDS, MAX_DISAGREEMENTS, SyncState};
use crate::{
    publish::{Look, compare},
    quantity::Quantity,
    time::Timestamp,
};

/// What a look at the channel found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// What it shows.
    pub shown: u64,
    /// Units of its sales that were recorded since the last push was computed.
    pub told: u64,
    /// When it was looked at.
    pub at: Timestamp,
    /// When the channel's orders were heard last; nothing if never.
    pub heard_at: Option<Timestamp>,
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
    /// How long a change takes until it is shown.
    pub lag_seconds: u64,
}

/// Judges a look.
///
/// A channel has [`APPLY_SECONDS`] to show what it has taken, however many numbers it is given meanwhile. If it shows more after that, it
/// disagrees, and has as long again. After the second time the listing is closed; it opens again when the 0 that is then pushed is shown.
/// A number that is larger although ours was shown was set by somebody else: it is set right, and is no disagreement. One that is smaller
/// because the last is not applied yet sells nothing twice: it is waited for.
#[must_use]
pub fn judge(state: &SyncState, found: Found) -> Judged {
    let unheard = missing_before(state, found);
    let judged = Judged {
        in_flight: None,
        disagreements: 0,
        disagrees: state.disagrees,
        awaited: None,
        earlier: Vec::new(),
        lag_seconds: state.lag_seconds,
    };
    let Some(pushed) = state.pushed else {
        // Nothing of ours is there yet: whatever is shown is the merchant's own number. What is in flight was sold at another place.
        return Judged { in_flight: held(unheard, state, found), ..judged };
    };
    let expected = pushed.expected(found.told);
    let earlier = state.earlier(found.told);
    let look = compare(found.shown, expected, state.unanswered, &earlier);
    let news = if let Look::InFlight(units) | Look::NotYet(units) = look { units } else { 0 };
    // What was given up as no order is not missed again.
    let known = if unheard == 0 { 0 } else { pushed.in_flight.saturating_sub(found.told) };
    // The last push need not know of all that was missing when it was last looked: its answer may be lost, or it is not applied yet.
    let judged = Judged { in_flight: held((known + news).max(unheard), state, found), ..judged };
    // A number from before the last, sold out, is as little as the last one sold out: that one may still be to come.
    let proves_nothing = found.shown == 0 && pushed.quantity > 0 && !state.earlier.is_empty();
    match look {
        Look::Agrees if !proves_nothing => Judged { disagrees: false, ..judged },
        // Sales took it below what was pushed: the push was applied.
        Look::InFlight(_) if !proves_nothing => judged,
        Look::Agrees | Look::InFlight(_) => {
            Judged { awaited: state.awaited, earlier: since_shown(&state.earlier, &earlier, found.shown), ..judged }
        }
        Look::NotYet(_) => Judged {
            awaited: state.awaited,
            earlier: since_shown(&state.earlier, &earlier, found.shown),
            lag_seconds: lag(state, found),
            ..judged
        },
        Look::TooMany(_) => {
            let awaited = state.awaited.map(|awaited| still_awaited(awaited, found, expected, pushed.as_of));
            let is_late = awaited.is_some_and(|awaited| found.at.seconds_since(awaited.since) >= APPLY_SECONDS);
            let disagreements = state.disagreements.saturating_add(u32::from(is_late));
            Judged {
                disagreements,
                disagrees: disagreements >= MAX_DISAGREEMENTS || state.disagrees,
                awaited: awaited.map(|awaited| if is_late { Awaited { since: found.at, ..awaited } } else { awaited }),
                earlier: since_shown(&state.earlier, &earlier, found.shown),
                lag_seconds: lag(state, found),
                ..judged
            }
        }
    }
}

/// Units that were missing at the last look, less those that were told of since. What has been missing for so long that the channel's orders
/// were heard when all of them had to be known was no order.
fn missing_before(state: &SyncState, found: Found) -> u64 {
    let Some(before) = &state.in_flight else { return 0 };
    let known_by = before.since.plus_seconds(IN_FLIGHT_SECONDS);
    if found.at > known_by && found.heard_at.is_some_and(|heard_at| heard_at >= known_by) {
        return 0;
    }
    before.quantity.units().saturating_sub(found.told.saturating_sub(before.told))
}

/// Since when so many units are missing.
fn held(units: u64, state: &SyncState, found: Found) -> Option<(Quantity, Timestamp)> {
    let before = state.in_flight.as_ref().filter(|_| missing_before(state, found) > 0);
    Quantity::new(units).ok().map(|quantity| (quantity, before.map_or(found.at, |before| before.since)))
}

/// A number that is awaited is not shown by now.
fn lag(state: &SyncState, found: Found) -> u64 {
    let waited = state.awaited.map_or(0, |awaited| found.at.seconds_since(awaited.since));
    waited.min(APPLY_SECONDS).max(state.lag_seconds)
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

#[cfg(test)]
mod tests {
    use super::{super::samples::*, *};
    use crate::{
        ids::{Caller, ReservationId},
        listing::{InFlight, LOOK_AGAIN_SECONDS, earlier, taken},
        publish::{Counted, Pushed},
    };

    #[test]
    fn the_first_look_at_a_listing_proves_nothing() {
        let judged = judge(&SyncState::default(), found(7, 0, 1));
        let nothing = Judged {
            in_flight: None,
            disagreements: 0,
            disagrees: false,
            awaited: None,
            earlier: Vec::new(),
            lag_seconds: 0,
        };
        assert_eq!(judged, nothing);
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
                in_flight: Quantity::new(before).ok().map(|quantity| InFlight {
                    id: None,
                    quantity,
                    since: at(0),
                    told: 0,
                }),
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
        let in_flight = InFlight { id: None, quantity: Quantity::new(2).unwrap(), since: at(0), told: 0 };
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
    fn sales_are_counted_from_the_same_instant_for_an_hour() {
        assert_eq!(count_from(&SyncState::default(), at(65)), at(5));
        let counted = Counted { from: at(10), units: 3 };
        let pushed = Some(Pushed { quantity: 5, in_flight: 0, as_of: at(50), counted });
        let state = SyncState { pushed, ..SyncState::default() };
        assert_eq!(count_from(&state, at(10 + COUNT_SECONDS - 1)), at(10));
        assert_eq!(count_from(&state, at(10 + COUNT_SECONDS)), at(10 + COUNT_SECONDS - COUNT_MARGIN_SECONDS));
    }

    #[test]
    fn a_reservation_for_sales_in_flight_may_be_missing() {
        let id = ReservationId::derive(&Caller::new("c"), &"k".parse().unwrap());
        let in_flight = InFlight { id: Some(id), quantity: Quantity::new(1).unwrap(), since: at(0), told: 0 };
        let state = SyncState { in_flight: Some(in_flight), ..pushed(5, 1) };
        assert_eq!(judge(&state, found(5, 1, 60)).in_flight, None);
        assert_eq!(state.expected(1), Some(5));
        assert_eq!(SyncState::default().expected(1), None);
    }

    #[test]
    fn what_is_missing_is_held_until_the_orders_of_that_time_were_heard() {
        let in_flight = InFlight { id: None, quantity: Quantity::new(3).unwrap(), since: at(0), told: 0 };
        let state = SyncState { in_flight: Some(in_flight), ..pushed(0, 3) };
        let much_later = |heard_at| Found { heard_at, ..found(0, 0, 3 * IN_FLIGHT_SECONDS) };
        for (heard_at, held) in [(None, 3), (Some(at(IN_FLIGHT_SECONDS - 1)), 3), (Some(at(IN_FLIGHT_SECONDS)), 0)] {
            assert_eq!(units(&judge(&state, much_later(heard_at))), held, "{heard_at:?}");
        }
    }

    #[test]
    fn what_is_missing_is_held_though_the_last_push_does_not_know_of_it() {
        // 2 of 10 were missing, and 6 were pushed for it; the answer was lost.
        let two = InFlight { id: None, quantity: Quantity::new(2).unwrap(), since: at(0), told: 1 };
        let lost = SyncState { in_flight: Some(two.clone()), unanswered: Some(6), ..pushed(10, 0) };
        for (told, held) in [(1, 2), (2, 1), (3, 0)] {
            assert_eq!(units(&judge(&lost, found(6, told, 60))), held, "{told} told, one of them before");
        }
        // 20 is on its way, and computed before anybody saw that 2 of the 7 shown before are missing.
        let awaited = Some(Awaited { since: at(0), at_most: 20 });
        let raised =
            SyncState { in_flight: Some(InFlight { told: 0, ..two }), awaited, earlier: vec![7], ..pushed(20, 0) };
        assert_eq!(units(&judge(&raised, found(5, 0, 60))), 2, "still the same two");
        assert_eq!(units(&judge(&raised, found(20, 0, 60))), 2, "they are sold, whatever is shown now");
    }

    #[test]
    fn a_number_that_takes_its_time_is_a_lag() {
        let state = SyncState { awaited: Some(Awaited { since: at(0), at_most: 5 }), lag_seconds: 3, ..pushed(5, 0) };
        for (shown, seconds, lag) in [(9, 600, 600), (9, 2, 3), (9, 9_000, APPLY_SECONDS), (5, 600, 3)] {
            assert_eq!(judge(&state, found(shown, 0, seconds)).lag_seconds, lag, "{shown} after {seconds} s");
        }
        // Measures that are shorter lower it bit by bit.
        let slow = SyncState { lag_seconds: 100, marked_since: Some(at(0)), ..pushed(5, 0) };
        assert_eq!(taken(&slow, slow.pushed.unwrap(), Vec::new(), at(4)).lag_seconds, 75);
        assert_eq!(taken(&slow, slow.pushed.unwrap(), Vec::new(), at(130)).lag_seconds, 130);
        assert_eq!(taken(&slow, slow.pushed.unwrap(), Vec::new(), at(9_000)).lag_seconds, APPLY_SECONDS);
    }
}
