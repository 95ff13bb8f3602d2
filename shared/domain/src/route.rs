//! Where one process looks first for the units of a SKU that is split. It remembers little, for others take units meanwhile:
//!
//! - the *window* of children, as it last saw it at the home;
//! - the *last* bucket in which it held something, and about how much was left there. While that is plenty it writes there at once;
//!   nobody is asked, and nobody else is told. A write that is refused costs as much as one that is not, so with little left it looks first;
//! - for a moment, that *nothing was left* anywhere: but only of a SKU with so many children that looking at all of them is dear.
//!
//! Whoever looks does so at a few children ([`Route::glance`]), some of them any and some of the newest, and goes where he finds most.
//! Every process does so by itself, so they spread over the children, and soon each has one that few others know.
//!
//! All of it is a hint: a bucket that turns out to be empty or gone says so itself, and every condition is checked by the write.

use std::{collections::BTreeSet, ops::Range};

use crate::{
    bucket::{Home, max_holds},
    limits::MAX_CHILDREN_AT_ONCE,
    quantity::Quantity,
    time::Timestamp,
};

/// Children at which a shopper looks before reading the home again.
pub const GLANCE: u32 = 4;

/// Children at which a shopper looks before opening more or reading all of them. A SKU with no more than these is always read as a whole.
pub const LONG_GLANCE: u32 = 32;

/// A quarter of a glance is at so many of the newest children: in a long rush the old ones have none left. As many as are opened at once.
const NEWEST: u32 = MAX_CHILDREN_AT_ONCE;

/// Units, or places for holds, that others may have taken in a bucket since it was seen: with no more than these left it is looked at again.
const SPARE: u64 = 4;

/// What one process believes about one SKU.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Route {
    window: Range<u32>,
    last: Option<Left>,
    nothing_left: Option<(Timestamp, u64)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Left {
    /// The child, or the home.
    child: Option<u32>,
    /// About how many units can still be held there.
    units: u64,
}

/// How to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum First {
    /// With a write to this child, or to the home.
    Try(Option<u32>),
    /// With a look at a few children.
    Look,
}

impl Route {
    /// How a shopper begins who wants `quantity`. A SKU of which nothing is known is one item.
    pub fn first(&mut self, quantity: Quantity) -> First {
        match &mut self.last {
            Some(last) if last.units >= quantity.units() + SPARE => {
                // Others of this process may begin before the bucket has answered.
                last.units -= quantity.units();
                First::Try(last.child)
            }
            _ if self.window.is_empty() => First::Try(None),
            _ => First::Look,
        }
    }

    /// The children to look at: `count` of them, different ones for different `spread`. No long glance where there are no more than it
    /// would look at: whoever needs it reads all of them anyway.
    #[must_use]
    pub fn glance(&self, count: u32, spread: u64) -> BTreeSet<u32> {
        if count >= LONG_GLANCE && self.children() <= LONG_GLANCE {
            return BTreeSet::new();
        }
        let newest = self.window.end - self.children().min(NEWEST)..self.window.end;
        let few = count / 4;
        let looked =
            evenly(newest, few, spread.rotate_left(32)).chain(evenly(self.window.clone(), count - few, spread));
        let last = self.last.and_then(|last| last.child).filter(|child| self.window.contains(child));
        looked.chain(last).collect()
    }

    /// How many children there are, as far as is known.
    #[must_use]
    pub fn children(&self) -> u32 {
        self.window.end.saturating_sub(self.window.start)
    }

    /// The home looked like this. Says whether it has children of which nothing was known.
    pub fn saw_home(&mut self, home: &Home) -> bool {
        let known = self.window.end;
        self.window = home.window();
        self.window.end > known.max(self.window.start)
    }

    /// Something was held in this bucket, and so many `units` are left [within reach](within_reach).
    pub fn held(&mut self, child: Option<u32>, units: u64) {
        self.last = Some(Left { child, units });
    }

    /// This bucket refused a hold, with so many `units` within reach.
    pub fn refused(&mut self, child: Option<u32>, units: u64) {
        if let Some(last) = self.last.as_mut().filter(|last| last.child == child) {
            last.units = units;
        }
    }

    /// So many units were put into this child.
    pub fn opened(&mut self, child: u32, units: u64) {
        self.last = Some(Left { child: Some(child), units });
        self.window.end = self.window.end.max(child + 1);
        self.nothing_left = None;
    }

    /// Units came back to this bucket.
    pub fn freed(&mut self, child: Option<u32>) {
        self.nothing_left = None;
        self.last.get_or_insert(Left { child, units: 1 });
    }

    /// A look at all buckets, begun at `now`, found no more than `available` units.
    pub fn saw_all(&mut self, now: Timestamp, available: u64) {
        self.nothing_left = (self.children() > LONG_GLANCE).then_some((now, available));
    }

    /// How many units there are, if a look that was begun in this very second found fewer than `quantity`.
    #[must_use]
    pub fn short_of(&self, quantity: Quantity, now: Timestamp) -> Option<u64> {
        let (_, available) = self.nothing_left.filter(|(seen_at, _)| *seen_at == now)?;
        (available < quantity.units()).then_some(available)
    }
}

/// How many of a bucket's `free` units can be held there, next to so many `holds`. A home whose places for holds are nearly used up counts
/// as if they were: room is made there, or a child opened, by whoever looks.
#[must_use]
pub fn within_reach(free: u64, holds: usize, is_child: bool) -> u64 {
    let places = max_holds(is_child).saturating_sub(holds) as u64;
    let needed = if is_child { 0 } else { SPARE };
    if places > needed { free } else { 0 }
}

/// `count` numbers, evenly spaced, beginning anywhere.
fn evenly(numbers: Range<u32>, count: u32, spread: u64) -> impl Iterator<Item = u32> {
    let all = u64::from(numbers.end.saturating_sub(numbers.start));
    let count = u64::from(count).min(all);
    let at = move |n: u64| numbers.start + u32::try_from((spread % all + n * all / count) % all).unwrap_or(0);
    (0..count).map(at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn units(units: u64) -> Quantity {
        Quantity::new(units).unwrap()
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_epoch_seconds(seconds)
    }

    fn with_children(window: Range<u32>) -> Route {
        let mut route = Route::default();
        route.saw_home(&Home { first_child: window.start, next_child: window.end, ..Home::default() });
        route
    }

    #[test]
    fn an_ordinary_sku_begins_with_a_write_to_its_home() {
        assert_eq!(Route::default().first(units(7)), First::Try(None));
        assert_eq!(with_children(3..3).first(units(1)), First::Try(None), "all children are folded");
    }

    #[test]
    fn who_knows_of_no_child_looks_before_it_writes() {
        assert_eq!(with_children(0..40).first(units(1)), First::Look);
    }

    #[test]
    fn a_process_stays_where_plenty_is_left_and_counts_what_is_under_way() {
        let mut route = with_children(0..40);
        route.held(Some(7), 10);
        for _ in 0..3 {
            assert_eq!(route.first(units(2)), First::Try(Some(7)));
        }
        assert_eq!(route.first(units(1)), First::Look, "four may be gone");
        route.held(Some(7), 10);
        assert_eq!(route.first(units(7)), First::Look, "too large for what is there");
        route.refused(Some(8), 0);
        assert_eq!(route.first(units(1)), First::Try(Some(7)), "another one is empty");
        route.refused(Some(7), 0);
        assert_eq!(route.first(units(1)), First::Look);
        route.held(None, 100);
        assert_eq!(route.first(units(1)), First::Try(None), "the home has room again");
    }

    #[test]
    fn whoever_opened_children_begins_in_one_of_them() {
        let mut route = Route::default();
        route.opened(4, 32);
        assert_eq!((route.first(units(1)), route.window.end), (First::Try(Some(4)), 5));
    }

    #[test]
    fn a_home_with_few_places_left_is_looked_at_first() {
        assert_eq!([19, 20, 24].map(|holds| within_reach(9, holds, false)), [9, 0, 0]);
        assert_eq!([19, 31, 32].map(|holds| within_reach(9, holds, true)), [9, 9, 0]);
    }

    #[test]
    fn nothing_left_is_remembered_for_the_rest_of_a_second_and_no_longer_than_it_is_true() {
        let mut route = with_children(0..40);
        route.saw_all(at(5), 3);
        assert_eq!((route.short_of(units(4), at(5)), route.short_of(units(3), at(5))), (Some(3), None));
        assert_eq!((route.short_of(units(4), at(6)), route.short_of(units(4), at(4))), (None, None));
        for change in [|route: &mut Route| route.freed(Some(1)), |route: &mut Route| route.opened(40, 32)] {
            route.saw_all(at(5), 0);
            change(&mut route);
            assert_eq!(route.short_of(units(1), at(5)), None);
        }
        let mut few = with_children(0..LONG_GLANCE);
        few.saw_all(at(5), 0);
        assert_eq!(few.short_of(units(1), at(5)), None, "a look at so few is cheap, and exact");
    }

    #[test]
    fn children_that_are_news_are_told() {
        let mut route = Route::default();
        let mut saw = |first_child, next_child| route.saw_home(&Home { first_child, next_child, ..Home::default() });
        assert_eq!([saw(0, 0), saw(0, 3), saw(1, 3), saw(3, 3), saw(3, 4)], [false, true, false, false, true]);
    }

    #[test]
    fn a_glance_looks_at_the_newest_too_and_where_units_came_back() {
        let mut route = with_children(0..1_000);
        for spread in [0, 1, u64::MAX] {
            let looked = route.glance(GLANCE, spread);
            assert!(looked.iter().any(|child| *child >= 1_000 - NEWEST), "{looked:?}");
        }
        route.freed(Some(123));
        assert!(route.glance(GLANCE, 9).contains(&123));
        assert!(with_children(0..LONG_GLANCE).glance(LONG_GLANCE, 0).is_empty());
    }

    #[test]
    fn a_glance_is_evenly_spaced_with_a_quarter_of_it_at_the_newest() {
        // A spread's lower half says where among all children the glance begins, and its upper half where among the 32 newest.
        let cases = [
            (100..200, 4, 0, vec![100, 133, 166, 168]),
            (100..200, 4, 7, vec![107, 140, 168, 173]),
            (100..200, 4, (5 << 32) + 98, vec![111, 144, 173, 178]),
            (100..103, 4, 0, vec![100, 101, 102]),
            (100..102, 8, 1, vec![100, 101]),
            (7..7, 4, 9, vec![]),
        ];
        for (window, count, spread, expected) in cases {
            let looked = with_children(window.clone()).glance(count, spread);
            assert_eq!(Vec::from_iter(looked), expected, "{count} of {window:?} for {spread}");
        }
    }

    #[test]
    fn no_long_glance_where_all_children_are_read_anyway() {
        let looked = |children, count| !with_children(0..children).glance(count, 0).is_empty();
        for (children, count, looks) in [
            (LONG_GLANCE, GLANCE, true),
            (LONG_GLANCE, LONG_GLANCE, false),
            (LONG_GLANCE + 1, GLANCE, true),
            (LONG_GLANCE + 1, LONG_GLANCE, true),
        ] {
            assert_eq!(looked(children, count), looks, "{count} of {children}");
        }
    }

    #[test]
    fn numbers_are_evenly_spaced_around_the_circle() {
        let cases = [
            (0..10, 3, 0, vec![0, 3, 6]),
            (10..20, 3, 8, vec![18, 11, 14]),
            (10..20, 3, 28, vec![18, 11, 14]),
            (5..7, 4, 1, vec![6, 5]),
            (5..5, 3, 9, vec![]),
        ];
        for (numbers, count, spread, expected) in cases {
            let found: Vec<u32> = evenly(numbers.clone(), count, spread).collect();
            assert_eq!(found, expected, "{count} of {numbers:?} from {spread}");
        }
    }

    proptest! {
        #[test]
        fn a_glance_stays_within_the_window(start in 0_u32..9_000, length in 0_u32..9_000, count in 1..=LONG_GLANCE, spread: u64) {
            let looked = with_children(start..start + length).glance(count, spread);
            prop_assert!(looked.len() <= count as usize);
            prop_assert!(looked.iter().all(|child| (start..start + length).contains(child)));
            prop_assert!(length == 0 || count >= LONG_GLANCE || !looked.is_empty());
        }
    }
}
