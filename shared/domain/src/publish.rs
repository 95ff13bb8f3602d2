//! Which number a channel shows for a SKU, and why; and what it means when it shows another one.
//!
//! 1. What the channel can sell is its own quota, or the shared stock, or both ([`Terms::sellable`]).
//! 2. Its buffer is never shown, and a channel that cannot be trusted to tell its orders in time shows nothing ([`Terms::quantity`]).
//! 3. A marketplace takes a unit off by itself when it sells one. So after a push it should show what was pushed less what it has sold
//!    since ([`Pushed::expected`]); if it shows less, the difference is sales that are still on their way to us: *in flight*
//!    ([`compare`]). They are held for it before anything else is said, because a number computed without them would sell them twice.
//! 4. If it shows more, the push was not applied, or somebody else has set the number. Twice in a row, and the listing is closed.
//! 5. Where a vendor takes a larger number "for later", the one before goes on being shown for a while. That is no sale ([`Look::NotYet`]).

use crate::{channel::Buffer, time::Timestamp};

/// Sales of this long say how fast a SKU sells at a channel, in seconds.
pub const SPEED_WINDOW_SECONDS: u64 = 60 * 60;

/// Every term that makes the number which a channel shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Terms {
    /// Units that the channel's own quota has to sell; nothing where it has none.
    pub quota: Option<u64>,
    /// Units of the shared stock that it may sell; nothing where it may not.
    pub shared: Option<u64>,
    /// Units that are never shown.
    pub buffer: u64,
    /// Why nothing is shown, if so.
    pub closed: Option<Closed>,
}

/// Why a listing shows nothing although there may be units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// Nothing was heard of the channel's orders for too long.
    Stale,
    /// What it shows was twice not what was pushed.
    Disagrees,
}

impl Closed {
    /// The word for it in the API and the table.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Stale => "stale",
            Self::Disagrees => "disagrees",
        }
    }
}

impl Terms {
    /// Units that the channel can sell.
    #[must_use]
    pub fn sellable(&self) -> u64 {
        self.quota.unwrap_or(0).saturating_add(self.shared.unwrap_or(0))
    }

    /// Units that it shows.
    #[must_use]
    pub fn quantity(&self) -> u64 {
        if self.closed.is_some() { 0 } else { self.sellable().saturating_sub(self.buffer) }
    }
}

/// How fast a SKU sells at a channel, and how late a change of its number is shown there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Speed {
    /// Units sold there in the last [`SPEED_WINDOW_SECONDS`].
    pub sold: u64,
    /// How long a change takes to be shown, in seconds.
    pub lag_seconds: u64,
}

/// A buffer, and how it comes about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BufferTerm {
    /// What the merchant says.
    pub rule: Buffer,
    /// What it was computed from, where the rule asks for it.
    pub speed: Option<Speed>,
    /// Units that are never shown.
    pub units: u64,
}

impl BufferTerm {
    /// The buffer of a rule. The speed is measured only for a rule that asks for it.
    #[must_use]
    pub fn new(rule: Buffer, speed: Option<Speed>) -> Self {
        let units = match rule {
            Buffer::Units(units) => units,
            Buffer::FromSpeed { floor } => speed
                .map_or(floor, |speed| buffer_from_speed(speed.sold, SPEED_WINDOW_SECONDS, speed.lag_seconds, floor)),
        };
        Self { rule, speed, units }
    }
}

/// Units that sell while a number is on its way: `sold` in the last `window_seconds`, for as long as a change takes to be shown. Rounded
/// up; at least `floor`.
#[must_use]
pub fn buffer_from_speed(sold: u64, window_seconds: u64, lag_seconds: u64, floor: u64) -> u64 {
    let on_the_way = sold.saturating_mul(lag_seconds).checked_div(window_seconds.max(1)).unwrap_or(0);
    let exact = on_the_way.saturating_mul(window_seconds.max(1)) == sold.saturating_mul(lag_seconds);
    (on_the_way + u64::from(!exact)).max(floor)
}

/// The last number that a channel has taken from us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pushed {
    /// The number.
    pub quantity: u64,
    /// Sales that were in flight when it was computed: the first ones that are told afterwards are these, and were taken off before.
    pub in_flight: u64,
    /// The instant as of which it was computed.
    pub as_of: Timestamp,
    /// The sales that were recorded by then: what is recorded later is told of.
    pub counted: Counted,
}

/// Sales of a listing, counted from an instant on: a count that only grows, so that two of them tell exactly what came between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counted {
    /// From when on.
    pub from: Timestamp,
    /// How many units.
    pub units: u64,
}

impl Pushed {
    /// What it should show now, `told` units of sales having been recorded since.
    #[must_use]
    pub fn expected(&self, told: u64) -> u64 {
        self.quantity.saturating_sub(told.saturating_sub(self.in_flight))
    }
}

/// What a look at the channel means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// It shows what it should.
    Agrees,
    /// So many units are sold there of which we have not been told.
    InFlight(u64),
    /// It shows a smaller number from before the last, less so many units sold there of which we have not been told.
    NotYet(u64),
    /// It shows more than it should, by so many units.
    TooMany(u64),
}

/// Compares what is shown with what may be: what was pushed last; where the answer to a push was lost, also that number; and where the last
/// one need not be applied yet, also the `earlier` ones that are smaller. Larger ones are no excuse: too many is too many.
#[must_use]
pub fn compare(shown: u64, expected: u64, unanswered: Option<u64>, earlier: &[u64]) -> Look {
    let last = [Some(expected), unanswered].into_iter().flatten().filter(|possible| *possible >= shown).min();
    let earlier = earlier.iter().copied().filter(|possible| *possible >= shown && *possible < expected).min();
    match (last, earlier) {
        (Some(last), _) if last == shown => Look::Agrees,
        (Some(last), Some(earlier)) if earlier < last => Look::NotYet(earlier - shown),
        (Some(last), _) => Look::InFlight(last - shown),
        (None, _) => Look::TooMany(shown - expected.max(unanswered.unwrap_or(0))),
    }
}

/// What a change of the number is to a shopper there. In the order in which they are sent: what could oversell first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// Nothing is left.
    ToZero,
    /// Far less is left than is shown: a quarter more is shown than there is, and more than that.
    FarLess,
    /// Somewhat less is left.
    Less,
    /// More is there.
    More,
}

impl Change {
    /// From what is shown to what is to be shown; nothing if that is the same.
    #[must_use]
    pub const fn between(shown: u64, wanted: u64) -> Option<Self> {
        match (shown, wanted) {
            _ if shown == wanted => None,
            (_, 0) => Some(Self::ToZero),
            _ if shown < wanted => Some(Self::More),
            _ if shown - wanted > wanted / 4 => Some(Self::FarLess),
            _ => Some(Self::Less),
        }
    }
}

/// How many of a day's revisions are kept for changes that could oversell otherwise: a fifth, at least one.
#[must_use]
pub fn kept_back(revisions_per_day: u32) -> u32 {
    (revisions_per_day / 5).max(1)
}

/// Whether one more revision of a listing may be spent on `change`, `spent` of the day's being gone and `seconds_into_day` of it over.
///
/// Small changes can wait: they are spread over the day, so that a busy morning does not silence the evening. Where far more is shown than
/// there is, what is kept back may be used, and the last revision of the day is for saying that nothing is left. Each change that may not
/// wait takes a fifth off what is shown, so that even what sells by the minute needs few of them.
#[must_use]
pub fn may_revise(change: Change, spent: u32, revisions_per_day: Option<u32>, seconds_into_day: u64) -> bool {
    const DAY_SECONDS: u64 = 86_400;
    let Some(limit) = revisions_per_day else { return true };
    match change {
        Change::ToZero => spent < limit,
        Change::FarLess => spent + 1 < limit,
        Change::Less | Change::More => {
            let spendable = u64::from(limit - kept_back(limit).min(limit));
            // An eighth of them at once, the rest evenly.
            let earned = spendable / 8 + spendable * seconds_into_day.min(DAY_SECONDS) / DAY_SECONDS;
            u64::from(spent) < earned.min(spendable)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_number_is_what_can_be_sold_less_the_buffer_and_nothing_where_it_is_closed() {
        for (quota, shared, buffer, closed, quantity) in [
            (None, Some(100), 0, None, 100),
            (None, Some(100), 3, None, 97),
            (Some(35), None, 3, None, 32),
            (Some(2), Some(10), 3, None, 9),
            (Some(2), None, 3, None, 0),
            (None, None, 0, None, 0),
            (Some(35), Some(10), 0, Some(Closed::Stale), 0),
            (Some(35), Some(10), 0, Some(Closed::Disagrees), 0),
        ] {
            let terms = Terms { quota, shared, buffer, closed };
            assert_eq!(terms.quantity(), quantity, "{terms:?}");
        }
    }

    #[test]
    fn the_words_and_the_hour_that_the_speed_is_measured_over() {
        assert_eq!([Closed::Stale, Closed::Disagrees].map(Closed::word), ["stale", "disagrees"]);
        assert_eq!(SPEED_WINDOW_SECONDS, 3_600);
    }

    #[test]
    fn a_buffer_covers_what_sells_while_a_number_is_on_its_way() {
        for (sold, window_seconds, lag_seconds, floor, buffer) in [
            (0, 3_600, 60, 0, 0),
            (0, 3_600, 60, 2, 2),
            (3_600, 3_600, 5, 0, 5),
            (1, 3_600, 60, 0, 1),
            (90, 3_600, 60, 1, 2),
            (5, 0, 1, 0, 5),
        ] {
            let computed = buffer_from_speed(sold, window_seconds, lag_seconds, floor);
            assert_eq!(computed, buffer, "{sold} in {window_seconds} s, {lag_seconds} s late");
        }
    }

    #[test]
    fn a_buffer_is_what_its_rule_says() {
        let speed = Some(Speed { sold: SPEED_WINDOW_SECONDS, lag_seconds: 7 });
        for (rule, speed, units) in [
            (Buffer::Units(3), None, 3),
            (Buffer::FromSpeed { floor: 2 }, None, 2),
            (Buffer::FromSpeed { floor: 2 }, speed, 7),
            (Buffer::FromSpeed { floor: 9 }, speed, 9),
        ] {
            assert_eq!(BufferTerm::new(rule, speed), BufferTerm { rule, speed, units });
        }
    }

    #[test]
    fn a_channel_should_show_what_was_pushed_less_what_it_has_sold_since() {
        let pushed = |quantity, in_flight| Pushed {
            quantity,
            in_flight,
            as_of: Timestamp::default(),
            counted: Counted::default(),
        };
        for (quantity, in_flight, told, expected) in
            [(10, 0, 0, 10), (10, 0, 3, 7), (10, 2, 2, 10), (10, 2, 3, 9), (2, 0, 5, 0)]
        {
            assert_eq!(pushed(quantity, in_flight).expected(told), expected, "{quantity} {in_flight} {told}");
        }
    }

    #[test]
    fn less_than_expected_is_sales_in_flight_and_more_is_a_push_that_was_not_applied() {
        for (shown, expected, unanswered, look) in [
            (10, 10, None, Look::Agrees),
            (8, 10, None, Look::InFlight(2)),
            (12, 10, None, Look::TooMany(2)),
            // A push of 4 whose answer was lost may have been applied, or not.
            (4, 10, Some(4), Look::Agrees),
            (10, 10, Some(4), Look::Agrees),
            (3, 10, Some(4), Look::InFlight(1)),
            (7, 10, Some(4), Look::InFlight(3)),
            (12, 10, Some(15), Look::InFlight(3)),
            (16, 10, Some(15), Look::TooMany(1)),
        ] {
            assert_eq!(compare(shown, expected, unanswered, &[]), look, "{shown} {expected} {unanswered:?}");
        }
    }

    #[test]
    fn a_smaller_number_from_before_the_last_is_no_sale() {
        for (shown, expected, unanswered, earlier, look) in [
            (0, 50, None, &[0][..], Look::NotYet(0)),
            (7, 20, None, &[7], Look::NotYet(0)),
            (5, 20, None, &[7], Look::NotYet(2)),
            // The last one is applied, and sold from.
            (8, 20, None, &[7], Look::InFlight(12)),
            (20, 20, None, &[7], Look::Agrees),
            (20, 20, None, &[7, 20], Look::Agrees),
            (21, 20, None, &[7], Look::TooMany(1)),
            // Any of those that were taken one after the other.
            (18, 30, None, &[7, 20], Look::NotYet(2)),
            (6, 30, Some(6), &[7, 20], Look::Agrees),
            (4, 30, Some(6), &[7, 20], Look::InFlight(2)),
            (4, 30, Some(6), &[5], Look::NotYet(1)),
            // A larger one from before the last excuses nothing.
            (9, 5, None, &[9], Look::TooMany(4)),
            (4, 5, None, &[9], Look::InFlight(1)),
        ] {
            let found = compare(shown, expected, unanswered, earlier);
            assert_eq!(found, look, "{shown} {expected} {unanswered:?} {earlier:?}");
        }
    }

    #[test]
    fn what_could_oversell_goes_first() {
        for (shown, wanted, change) in [
            (3, 3, None),
            (0, 0, None),
            (3, 0, Some(Change::ToZero)),
            (3, 2, Some(Change::FarLess)),
            (5, 4, Some(Change::Less)),
            (6, 4, Some(Change::FarLess)),
            (125, 100, Some(Change::Less)),
            (126, 100, Some(Change::FarLess)),
            (3, 4, Some(Change::More)),
        ] {
            assert_eq!(Change::between(shown, wanted), change, "{shown} {wanted}");
        }
        assert!([Change::ToZero, Change::FarLess, Change::Less, Change::More].is_sorted());
    }

    #[test]
    fn a_day_of_250_revisions_has_one_left_to_say_that_nothing_is() {
        let may = |change, spent, seconds| may_revise(change, spent, Some(250), seconds);
        assert!(may(Change::ToZero, 249, 86_399) && !may(Change::ToZero, 250, 86_399));
        assert!(may(Change::FarLess, 248, 0) && !may(Change::FarLess, 249, 0));
        // 200 for small changes: 25 at once, the others over the day.
        for small in [Change::Less, Change::More] {
            assert!(may(small, 24, 0) && !may(small, 25, 0));
            assert!(may(small, 124, 43_200) && !may(small, 125, 43_200));
            assert!(may(small, 199, 86_399) && !may(small, 200, 86_399));
        }
        assert!(may_revise(Change::More, u32::MAX, None, 0));
    }

    #[test]
    fn a_thousand_units_that_sell_elsewhere_in_a_morning_are_never_shown_by_more_than_a_quarter_too_many() {
        let (mut shown, mut spent) = (1_000, 0);
        for left in (0..1_000).rev() {
            if let Some(change) = Change::between(shown, left)
                && may_revise(change, spent, Some(250), 36 * (1_000 - left))
            {
                (shown, spent) = (left, spent + 1);
            }
            assert!(shown <= left + left / 4, "{shown} of {left} after {spent}");
        }
        assert!(shown == 0 && spent < 150, "{spent}");
    }

    proptest! {
        #[test]
        fn no_day_has_more_revisions_than_it_may(limit in 1_u32..1_000, changes in prop::collection::vec((0_u8..4, 0_u64..86_400), 0..2_000)) {
            let mut spent = 0;
            for (change, seconds) in changes {
                let change = [Change::ToZero, Change::FarLess, Change::Less, Change::More][usize::from(change)];
                spent += u32::from(may_revise(change, spent, Some(limit), seconds));
            }
            prop_assert!(spent <= limit);
        }
    }
}
