//! How far the orders of a channel have been heard. Webhooks are hints that may be lost; what counts is the last time that everything
//! changed was pulled.
//!
//! A pull is all pages of orders that changed since an instant. Where a vendor allows fewer calls than that takes, or there is no time for
//! more, it is cut off: its [`Place`] is kept, the next run goes on from there, and only with its last page it counts, as of when it began.

use crate::time::Timestamp;

/// Every pull begins so many seconds before the end of the last one: a vendor's index may be late, and its clock another than ours.
pub const OVERLAP_SECONDS: u64 = 10 * 60;

/// The first pull of a channel begins so many seconds in the past: what was ordered before is not for us, for the merchant counts the
/// shelf when starting.
pub const FIRST_PULL_SECONDS: u64 = 60 * 60;

/// Orders that could not be read which are shown to the merchant; older ones are in the log.
pub const MAX_UNREADABLE: usize = 20;

/// A pull that was cut off is gone on with for so many seconds since it last got on; then it begins anew. The vendor may not know the cursor
/// any more: Amazon's are good for a day, the others do not say.
pub const PLACE_SECONDS: u64 = 60 * 60;

/// How far a pull has got that was cut off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// It brings what changed since this instant; a cursor is good for that alone.
    pub since: Timestamp,
    /// When it began.
    pub began_at: Timestamp,
    /// When it got here.
    pub got_at: Timestamp,
    /// The vendor's name for the next page.
    pub cursor: String,
}

/// What is known of a channel's orders.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PullState {
    /// How often this was written.
    pub version: u64,
    /// Everything that changed before this instant has been pulled.
    pub complete_until: Option<Timestamp>,
    /// When it was pulled.
    pub heard_at: Option<Timestamp>,
    /// When a pull was last tried.
    pub tried_at: Option<Timestamp>,
    /// Why the last pull failed, in the vendor's words or ours; nothing if it did not.
    pub failure: Option<String>,
    /// Orders that could not be read, the newest last.
    pub unreadable: Vec<String>,
    /// Of what all listings were told last: whether the channel is stale. Nothing if they never were.
    pub announced: Option<bool>,
    /// How far the last pull got, if it was cut off.
    pub place: Option<Place>,
}

impl PullState {
    /// The place from which a pull goes on now, rather than to begin anew.
    #[must_use]
    pub fn place(&self, now: Timestamp) -> Option<&Place> {
        self.place.as_ref().filter(|place| now.seconds_since(place.got_at) <= PLACE_SECONDS)
    }

    /// From where on to pull.
    #[must_use]
    pub fn since(&self, now: Timestamp) -> Timestamp {
        if let Some(place) = self.place(now) {
            return place.since;
        }
        let (end, back) = self.complete_until.map_or((now, FIRST_PULL_SECONDS), |until| (until, OVERLAP_SECONDS));
        Timestamp::from_epoch_seconds(end.epoch_seconds().saturating_sub(back))
    }

    /// Whether nothing was heard for too long: what the channel sells meanwhile is not known.
    #[must_use]
    pub fn is_stale(&self, stale_after_seconds: u64, now: Timestamp) -> bool {
        self.heard_at.is_none_or(|heard_at| now.seconds_since(heard_at) > stale_after_seconds)
    }

    /// Whether the channel is stale, if that is still to be told to all of its listings. It is asked at every look, and is an answer until
    /// [`Self::with_announced`] was written: whoever tells them may die halfway, and then the next one tells all of them again.
    #[must_use]
    pub fn to_announce(&self, stale_after_seconds: u64, now: Timestamp) -> Option<bool> {
        let stale = self.is_stale(stale_after_seconds, now);
        (self.announced != Some(stale)).then_some(stale)
    }

    /// All listings were told whether the channel is stale.
    #[must_use]
    pub fn with_announced(&self, stale: bool) -> Self {
        Self { version: self.version + 1, announced: Some(stale), ..self.clone() }
    }

    /// Whether it is time to pull again, a channel being asked at most every `interval_seconds`.
    #[must_use]
    pub fn is_due(&self, now: Timestamp, interval_seconds: u64) -> bool {
        self.tried_at.is_none_or(|tried_at| now.seconds_since(tried_at) >= interval_seconds)
    }

    /// A run that began at `began` has brought the last page. Everything is known that had changed when the first one was asked for.
    #[must_use]
    pub fn succeeded(&self, began: Timestamp, unreadable: &[String]) -> Self {
        let pull_began = self.place(began).map_or(began, |place| place.began_at);
        Self {
            version: self.version + 1,
            complete_until: self.complete_until.max(Some(pull_began)),
            heard_at: self.heard_at.max(Some(pull_began)),
            tried_at: Some(began),
            failure: None,
            unreadable: self.with_unreadable(unreadable),
            announced: self.announced,
            place: None,
        }
    }

    /// A run that began at `began` has recorded everything before this page; said before [`Self::failed`] for what ended it.
    #[must_use]
    pub fn got_to(&self, began: Timestamp, cursor: String) -> Self {
        let began_at = self.place(began).map_or(began, |place| place.began_at);
        Self { place: Some(Place { since: self.since(began), began_at, got_at: began, cursor }), ..self.clone() }
    }

    /// The vendor does not take the cursor: the next run begins anew. Said before [`Self::failed`].
    #[must_use]
    pub fn lost_place(&self) -> Self {
        Self { place: None, ..self.clone() }
    }

    /// A run that began at `began` has not brought everything: the next one goes on from its place, or begins where it did.
    #[must_use]
    pub fn failed(&self, began: Timestamp, why: String, unreadable: &[String]) -> Self {
        Self {
            version: self.version + 1,
            tried_at: Some(began),
            failure: Some(why),
            unreadable: self.with_unreadable(unreadable),
            ..self.clone()
        }
    }

    fn with_unreadable(&self, more: &[String]) -> Vec<String> {
        // An order is pulled again and again while it overlaps: it is shown once.
        let known = self.unreadable.iter().filter(|known| !more.contains(known)).cloned();
        let all: Vec<String> = known.chain(more.iter().cloned()).collect();
        all[all.len().saturating_sub(MAX_UNREADABLE)..].to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_epoch_seconds(1_800_000_000 + seconds)
    }

    #[test]
    fn pulls_overlap_and_a_failed_one_moves_nothing() {
        assert_eq!((OVERLAP_SECONDS, FIRST_PULL_SECONDS), (600, 3_600), "ten minutes, and an hour");
        let new = PullState::default();
        assert_eq!(new.since(at(0)).seconds_since(at(0)), 0);
        assert_eq!(at(0).seconds_since(new.since(at(0))), FIRST_PULL_SECONDS);
        let pulled = new.succeeded(at(100), &[]);
        assert_eq!(at(100).seconds_since(pulled.since(at(500))), OVERLAP_SECONDS);
        assert_eq!((pulled.heard_at, pulled.version), (Some(at(100)), 1));
        let failed = pulled.failed(at(200), "down".to_owned(), &[]);
        assert_eq!((failed.since(at(500)), failed.heard_at), (pulled.since(at(500)), Some(at(100))));
        assert_eq!((failed.tried_at, failed.failure.as_deref()), (Some(at(200)), Some("down")));
        let again = failed.succeeded(at(300), &[]);
        assert_eq!((again.failure.as_deref(), again.heard_at), (None, Some(at(300))));
        // A slow pull that ends after a later one takes nothing back.
        assert_eq!(again.succeeded(at(250), &[]).heard_at, Some(at(300)));
    }

    #[test]
    fn a_pull_that_does_not_fit_one_run_goes_on_and_counts_as_of_its_beginning() {
        let down = |state: &PullState, now| state.failed(at(now), "throttled".to_owned(), &[]);
        let before = PullState::default().succeeded(at(0), &[]);
        let first = down(&before.got_to(at(180), "two".to_owned()), 180);
        let cursor = |state: &PullState, now| state.place(at(now)).map(|place| place.cursor.clone());
        assert_eq!((cursor(&first, 360).as_deref(), first.since(at(360))), (Some("two"), before.since(at(180))));
        assert_eq!((first.heard_at, first.version), (Some(at(0)), 2), "nothing is complete yet");
        // A run that gets nowhere leaves the place; one that gets on moves it, and nothing else.
        let second = down(&down(&first, 360).got_to(at(540), "three".to_owned()), 540);
        assert_eq!((cursor(&second, 720).as_deref(), second.since(at(720))), (Some("three"), before.since(at(180))));
        let complete = second.succeeded(at(720), &[]);
        assert_eq!((complete.heard_at, complete.complete_until), (Some(at(180)), Some(at(180))));
        assert_eq!((complete.tried_at, complete.place.clone()), (Some(at(720)), None));
        assert_eq!(at(180).seconds_since(complete.since(at(900))), OVERLAP_SECONDS, "and the next begins from there");
    }

    #[test]
    fn a_place_that_leads_nowhere_is_given_up() {
        let before = PullState::default().succeeded(at(0), &[]);
        let stuck = before.got_to(at(100), "two".to_owned()).failed(at(100), "down".to_owned(), &[]);
        assert!(stuck.place(at(100 + PLACE_SECONDS)).is_some() && stuck.place(at(101 + PLACE_SECONDS)).is_none());
        let anew = stuck.got_to(at(101 + PLACE_SECONDS), "two".to_owned());
        assert_eq!(anew.place.as_ref().map(|place| place.began_at), Some(at(101 + PLACE_SECONDS)));
        assert_eq!(stuck.succeeded(at(101 + PLACE_SECONDS), &[]).heard_at, Some(at(101 + PLACE_SECONDS)));
        let refused = stuck.lost_place().failed(at(160), "refused".to_owned(), &[]);
        assert_eq!((refused.place(at(160)), refused.since(at(160))), (None, before.since(at(160))));
    }

    #[test]
    fn a_channel_that_was_not_heard_is_stale() {
        let heard = PullState::default().succeeded(at(0), &[]);
        assert!(PullState::default().is_stale(900, at(0)));
        assert!(!heard.is_stale(900, at(900)) && heard.is_stale(900, at(901)));
    }

    #[test]
    fn that_a_channel_is_stale_or_heard_again_is_announced_until_it_was() {
        let heard = PullState::default().succeeded(at(0), &[]);
        let silent = heard.with_announced(false);
        let closed = silent.with_announced(true);
        let failed = |state: &PullState| state.failed(at(1_000), "down".to_owned(), &[]);
        for (name, state, now, expected) in [
            ("new, or stored before this was kept", PullState::default(), 0, Some(true)),
            ("heard for the first time", heard, 0, Some(false)),
            ("as announced", silent.clone(), 900, None),
            ("too long ago", silent.clone(), 901, Some(true)),
            ("too long ago, and nothing came of the attempt to say so", failed(&silent), 1_060, Some(true)),
            ("closed", closed.clone(), 1_060, None),
            ("closed, and tried in vain", failed(&closed), 1_060, None),
            ("heard again", closed.succeeded(at(1_100), &[]), 1_100, Some(false)),
            ("heard again, still not announced", closed.succeeded(at(1_100), &[]), 1_160, Some(false)),
        ] {
            assert_eq!(state.to_announce(900, at(now)), expected, "{name}");
        }
        assert_eq!((closed.version, closed.heard_at), (3, Some(at(0))));
    }

    #[test]
    fn a_channel_is_not_asked_more_often_than_it_allows() {
        let state = PullState::default().succeeded(at(0), &[]);
        assert!(PullState::default().is_due(at(0), 180));
        assert!(!state.is_due(at(179), 180) && state.is_due(at(180), 180));
    }

    #[test]
    fn unreadable_orders_are_shown_once_and_not_without_end() {
        let texts = |range: std::ops::Range<usize>| range.map(|n| n.to_string()).collect::<Vec<_>>();
        let state = PullState::default().succeeded(at(0), &texts(0..3)).succeeded(at(1), &texts(1..2));
        assert_eq!(state.unreadable, ["0", "2", "1"]);
        let many = state.succeeded(at(2), &texts(10..40));
        assert_eq!((many.unreadable.len(), many.unreadable[0].as_str()), (MAX_UNREADABLE, "20"));
    }
}
