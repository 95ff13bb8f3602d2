//! One look at a SKU: what is learned, and whether an alert opens or closes.
//!
//! | no alert is open | an alert is open |
//! |---|---|
//! | position ≤ reorder point: one opens, with the supply there is now | supply has come, or the merchant has set other terms, or a day is over, and position > reorder point: it closes |
//!
//! **Position** is available − open shortfall + on its way − promised of that. **Supply** is all that ever came and stayed, and all that is
//! on its way: available + reserved + sold − given back − shortfall + set aside for promises + on its way. Holds, sales and sales that are canceled move units within it and do not change it; receipts and orders
//! raise it, and what an order brings counts once, for it is off its way when it is received. So a hold that expires may lift the position
//! above the reorder point, but closes nothing, and the next sale opens nothing: between two alerts supply has come, or midnight. For an
//! alert that a large hold has opened and that no supply will ever close would be the last of its SKU: at the first look of a later day it
//! closes if the position is above the point.
//!
//! **Out of stock** is when nothing is available, whoever holds it. The seconds of it are written to their days when it ends, and at the
//! first look of each day.

use crate::{
    ids::{AlertId, Sku, Supplier},
    limits::MAX_OUT_DAYS,
    purchase::sizing::order_quantity,
    quantity::Quantity,
    replenishment::{
        demand::{DayOfSales, Demand, Known},
        reorder::ReorderPoint,
        settings::{OnAlert, Settings},
    },
    stock::StockView,
    time::{Day, Timestamp},
};

/// What there is of a SKU in all channels, and what is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sight {
    /// Units that nobody holds.
    pub available: u64,
    /// Units held by reservations that may still be paid.
    pub reserved: u64,
    /// Units sold, ever.
    pub sold: u64,
    /// Those of them that never left, for their order was canceled: they are in stock again.
    pub given_back: u64,
    /// Units that are reserved or sold but were missing.
    pub shortfall: u64,
    /// Units that suppliers have been asked for and that have not come.
    pub on_order: u64,
    /// Units of those that somebody was promised.
    pub promised: u64,
    /// Units that came for such promises: in no channel, and neither available nor missing.
    pub arrived: u64,
    /// The instant of which it is true.
    pub as_of: Timestamp,
}

impl Sight {
    /// Of all pools of a SKU, which were looked at together; and of what is to come, where that is a pool.
    #[must_use]
    pub fn of(views: &[StockView], on_order: u64, incoming: Option<&StockView>) -> Self {
        let as_of = views.iter().map(|view| view.as_of).max().unwrap_or_default();
        let (promised, arrived) = incoming.map_or((0, 0), |view| {
            let (level, arrived) = (view.level(), view.home().arrived);
            // What is free there is not promised; a hold that is over is free.
            ((level.reserved + level.sold).saturating_sub(arrived), arrived)
        });
        let given_back = views.iter().map(|view| view.home().given_back).sum();
        let nothing =
            Self { available: 0, reserved: 0, sold: 0, given_back, shortfall: 0, on_order, promised, arrived, as_of };
        views.iter().map(StockView::level).fold(nothing, |sum, level| Self {
            available: sum.available + level.available,
            reserved: sum.reserved + level.reserved,
            sold: sum.sold + level.sold,
            shortfall: sum.shortfall + level.shortfall,
            ..sum
        })
    }

    /// What can still be promised, and what will come; less than 0 where more was sold than there is.
    #[must_use]
    pub fn position(&self) -> i64 {
        (self.available + self.on_order).cast_signed() - (self.shortfall + self.promised).cast_signed()
    }

    /// All that came and stayed, and all that will come. Neither a hold nor a sale changes it, nor a sale that is canceled.
    #[must_use]
    pub fn supply(&self) -> i64 {
        let counted = self.available + self.reserved + self.sold + self.arrived + self.on_order;
        counted.cast_signed() - (self.given_back + self.shortfall).cast_signed()
    }
}

/// An alert that is open, as its SKU remembers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenAlert {
    /// Which.
    pub id: AlertId,
    /// The supply when it opened: it closes only when there is more.
    pub supply: i64,
    /// The version of the settings when it opened.
    pub terms: u64,
}

/// What is learned of a SKU from look to look.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Learned {
    /// How often it was written.
    pub version: u64,
    /// Of which days its sales are known.
    pub known: Known,
    /// The day whose beginning [`Self::demand`] is of; nothing if sales before it have changed since.
    pub looked_on: Option<Day>,
    /// What sells; kept where a window says nothing.
    pub demand: Option<Demand>,
    /// Since when nothing is available. What was before is written to its days.
    pub out_since: Option<Timestamp>,
    /// Alerts that were ever opened.
    pub episodes: u64,
    /// The one that is.
    pub open: Option<OpenAlert>,
}

/// What is known to be short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// Derived from the SKU and the number of its alerts: the same however often it is opened.
    pub id: AlertId,
    /// Of what.
    pub sku: Sku,
    /// What there was when it opened.
    pub sight: Sight,
    /// The reorder point then.
    pub reorder_point: u64,
    /// Units that the settings order then.
    pub quantity: Option<Quantity>,
    /// What is to happen because of it.
    pub on_alert: OnAlert,
    /// From whom it is bought.
    pub supplier: Option<Supplier>,
    /// When somebody was told.
    pub told_at: Option<Timestamp>,
    /// When supply had come.
    pub closed_at: Option<Timestamp>,
}

/// Everything that a look is taken with.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// At what.
    pub sku: &'a Sku,
    /// On which terms.
    pub settings: &'a Settings,
    /// Their version.
    pub terms: u64,
    /// What is known from the looks before.
    pub learned: &'a Learned,
    /// What is recorded of the days of the window, if [`Learned::is_due`].
    pub days: Option<&'a [DayOfSales]>,
    /// What there is.
    pub sight: &'a Sight,
}

/// What becomes of an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// It opens.
    Opened(Alert),
    /// It closes.
    Closed(AlertId),
}

/// What came of a look.
#[derive(Debug, Clone, PartialEq)]
pub struct Review {
    /// What is known from now on, under the version that was seen.
    pub learned: Learned,
    /// Seconds out of stock that are to be added to days.
    pub out: Vec<(Day, u64)>,
    /// Whether an alert opens or closes.
    pub turn: Option<Turn>,
    /// When to order.
    pub reorder: ReorderPoint,
}

impl Learned {
    /// Whether the days of the window have to be read for a look at this instant.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.looked_on != Some(Day::of(now))
    }
}

/// Takes a look.
#[must_use]
pub fn review(look: &Look<'_>) -> Review {
    let Look { settings, terms, learned, sight, .. } = *look;
    let (out_since, out) = out_of_stock(learned.out_since, sight);
    let mut next = Learned { out_since, ..learned.clone() };
    if let Some(days) = look.days {
        learn(&mut next, days, &out, settings.window_days, Day::of(sight.as_of));
    }
    let reorder = ReorderPoint::of(settings, next.demand.as_ref());
    let is_another_day = learned.looked_on.is_some_and(|day| day < Day::of(sight.as_of)) && look.days.is_some();
    let position = sight.position();
    let above = position > reorder.units.min(i64::MAX.cast_unsigned()).cast_signed();
    let turn = match &next.open {
        Some(open) if above && (sight.supply() > open.supply || terms != open.terms || is_another_day) => {
            Some(Turn::Closed(open.id.clone()))
        }
        // Without a reorder point nothing can fall to it; but what is owed is short.
        None if !above && (reorder.units > 0 || position < 0) => Some(Turn::Opened(alert(look, &reorder, &next))),
        _ => None,
    };
    match &turn {
        None => {}
        Some(Turn::Closed(_)) => next.open = None,
        Some(Turn::Opened(alert)) => {
            next.episodes += 1;
            next.open = Some(OpenAlert { id: alert.id.clone(), supply: sight.supply(), terms });
        }
    }
    Review { learned: next, out, turn, reorder }
}

fn alert(look: &Look<'_>, reorder: &ReorderPoint, learned: &Learned) -> Alert {
    Alert {
        id: AlertId::of(look.sku, learned.episodes + 1),
        sku: look.sku.clone(),
        sight: *look.sight,
        reorder_point: reorder.units,
        quantity: quantity(look.settings, learned.demand.as_ref(), reorder, look.sight.position()),
        on_alert: look.settings.on_alert,
        supplier: look.settings.supplier.clone(),
        told_at: None,
        closed_at: None,
    }
}

/// Units that the settings order at this position; nothing above the reorder point.
#[must_use]
pub fn quantity(
    settings: &Settings,
    demand: Option<&Demand>,
    reorder: &ReorderPoint,
    position: i64,
) -> Option<Quantity> {
    let per_day = demand.map_or(0.0, Demand::per_day);
    order_quantity(settings.order, settings.supplies, reorder.units, position, per_day)
}

/// Takes the average anew. What is known is kept where the window says nothing.
fn learn(learned: &mut Learned, days: &[DayOfSales], out: &[(Day, u64)], window_days: u64, today: Day) {
    let mut days = days.to_vec();
    for &(day, seconds) in out {
        match days.iter_mut().find(|sales| sales.day == day) {
            Some(sales) => sales.out_seconds += seconds,
            None => days.push(DayOfSales { day, units: 0, out_seconds: seconds }),
        }
    }
    learned.known = learned.known.with(&days, today);
    learned.looked_on = Some(today);
    learned.demand = Demand::of(&days, learned.known, window_days, today).or(learned.demand);
}

/// Since when nothing is available, and how many seconds of that belong to which day.
fn out_of_stock(since: Option<Timestamp>, sight: &Sight) -> (Option<Timestamp>, Vec<(Day, u64)>) {
    let (now, is_out) = (sight.as_of, sight.available == 0);
    let midnight = Day::of(now).begins_at();
    match since {
        None => (is_out.then_some(now), Vec::new()),
        Some(since) if !is_out => (None, spread(since, now)),
        Some(since) if since < midnight => (Some(midnight), spread(since, midnight)),
        Some(since) => (Some(since), Vec::new()),
    }
}

/// Divides the seconds between two instants by days; of a longer time only the latest days count.
fn spread(since: Timestamp, until: Timestamp) -> Vec<(Day, u64)> {
    let last = Day::of(until);
    let first = Day::of(since).max(last.minus_days(MAX_OUT_DAYS));
    let days = (0..=last.days_since(first)).map(|ahead| first.plus_days(ahead));
    let seconds =
        days.map(|day| (day, day.plus_days(1).begins_at().min(until).seconds_since(day.begins_at().max(since))));
    seconds.filter(|(_, seconds)| *seconds > 0).collect()
}

#[cfg(test)]
mod tests;
