//! What is done with a listing once it was judged, and how it stands afterwards.

use super::{
    APPLY_SECONDS, Awaited, CHECK_AFTER_SECONDS, DAY_SECONDS, InFlight, LOOK_AGAIN_SECONDS, ListingId, MAX_EARLIER,
    SyncState,
};
use crate::{
    ids::Fingerprint,
    publish::{Change, Closed, Pushed, Terms, may_revise},
    pull::PullState,
    time::Timestamp,
};

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
/// So the change is the one from the most that may be shown, if that is too many, and from the least, if not.
#[must_use]
pub fn next(state: &SyncState, terms: Terms, shown: u64, now: Timestamp, revisions_per_day: Option<u32>) -> Next {
    let quantity = terms.quantity();
    let (least, most) =
        state.on_its_way().fold((shown, shown), |(least, most), sent| (least.min(sent), most.max(sent)));
    let from = if most > quantity { most } else { least };
    let Some(change) = Change::between(from, quantity) else { return Next::Settled };
    let was_told = |pushed: Pushed| pushed.quantity == quantity && now.seconds_since(pushed.as_of) < APPLY_SECONDS;
    // A number that none of ours explains was set by somebody else.
    let is_ours = state.earlier.iter().any(|earlier| *earlier >= shown);
    if state.awaited.is_some() && state.unanswered.is_none() && is_ours && state.pushed.is_some_and(was_told) {
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
        in_flight: as_of_now(state),
        lag_seconds: state.marked_since.map_or(state.lag_seconds, |since| {
            now.seconds_since(since).min(APPLY_SECONDS).max(state.lag_seconds - state.lag_seconds.div_ceil(4))
        }),
        ..state.clone()
    }
}

/// What is in flight, as the number that is now the last one knows it: what is told of from here on.
fn as_of_now(state: &SyncState) -> Option<InFlight> {
    state.in_flight.clone().map(|in_flight| InFlight { told: 0, ..in_flight })
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
        in_flight: as_of_now(state),
        ..state.clone()
    }
}

/// Another number is to be shown, and must wait: that answers its marks, or the wait would count as the channel's lag. What it shows now
/// is what it was told, as far as anybody knows, unless another number is on its way.
#[must_use]
pub fn waiting(state: &SyncState, computed: Pushed) -> SyncState {
    let is_known = state.on_its_way().next().is_none();
    SyncState {
        version: state.version + 1,
        pushed: if is_known { Some(computed) } else { state.pushed },
        earlier: if is_known { Vec::new() } else { state.earlier.clone() },
        in_flight: if is_known { as_of_now(state) } else { state.in_flight.clone() },
        look_at: Some(computed.as_of.plus_seconds(LOOK_AGAIN_SECONDS)),
        check_at: None,
        ..state.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::samples::*, *};
    use crate::{listing::judge, publish::Counted};

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
    fn a_number_that_was_claimed_hides_none_that_was_accepted_before() {
        // 50 is on its way; then 7 were to be pushed, and nobody knows whether that was sent.
        let state = SyncState { unanswered: Some(7), ..raised(7, 50) };
        let terms = |units| Terms { shared: Some(units), ..Terms::default() };
        assert_eq!(next(&state, terms(7), 7, at(60), None), Next::Push { quantity: 7, change: Change::FarLess });
        // What is urgent is judged by the most that may be shown: 50, though 7 are.
        let state = SyncState { revisions: (20_000, 100), ..raised(7, 50) };
        for (units, change) in [(8, Change::FarLess), (6, Change::FarLess), (0, Change::ToZero)] {
            assert_eq!(next(&state, terms(units), 7, at(60), Some(250)), Next::Push { quantity: units, change });
        }
        assert_eq!(next(&state, terms(49), 7, at(60), Some(250)), Next::Wait);
        assert_eq!(next(&state, terms(50), 7, at(60), Some(250)), Next::Await);
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
        // Nor does it where one of the orders, or both, is not told yet.
        for told in [0, 1] {
            let judged = judge(&state, found(0, told, 60));
            assert_eq!((judged.awaited, &judged.earlier[..]), (state.awaited, &[2][..]), "{told} told");
        }
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
        let told = SyncState { awaited: Some(Awaited { since: at(0), at_most: 5 }), earlier: vec![9], ..pushed(5, 0) };
        assert_eq!(next(&told, terms, 9, at(APPLY_SECONDS - 1), None), Next::Await);
        let push = Next::Push { quantity: 5, change: Change::FarLess };
        assert_eq!(next(&told, terms, 10, at(60), None), push, "10 was never ours");
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
}
