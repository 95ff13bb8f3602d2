//! What replenishment knows of a SKU: its terms, what is learned, its days, its alerts.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    ids::{AlertId, Sku},
    purchase::sizing::{Rule, Terms},
    quantity::Quantity,
    replenishment::{
        demand::{DayOfSales, Demand, Known},
        review::{Alert, Learned, OpenAlert, Sight},
        settings::{Settings, UnitCost},
    },
    time::{DAY_SECONDS, Day},
};

use super::{Reader, as_instant, as_mark, as_more_than_zero, as_number, as_text, exact, instant, number, parsed, text};
use crate::{Fault, Item, flow::StoredTerms, keys};

/// The item of the terms on which a SKU is reordered.
pub(crate) fn encode_terms(sku: &Sku, stored: &StoredTerms) -> Item {
    let StoredTerms { settings, version } = stored;
    let mut item = Item::from([
        (keys::PK.to_owned(), text(keys::terms(sku))),
        (keys::LIST.to_owned(), text(keys::TERMS_LIST)),
        (keys::RANK.to_owned(), text(sku)),
        ("window".to_owned(), number(settings.window_days)),
        ("lead".to_owned(), number(settings.lead_time_days)),
        ("lead_sd".to_owned(), number(settings.lead_time_deviation_hundredths)),
        ("safety".to_owned(), text(settings.safety_stock)),
        ("on_alert".to_owned(), text(settings.on_alert)),
        ("size".to_owned(), text(size(settings.order))),
        ("pack".to_owned(), number(settings.supplies.pack.units())),
        ("least".to_owned(), number(settings.supplies.minimum.units())),
        ("v".to_owned(), number(*version)),
    ]);
    if settings.backorder {
        item.insert("backorder".to_owned(), number(1));
    }
    if let Some(supplier) = &settings.supplier {
        item.insert("supplier".to_owned(), text(supplier));
    }
    if let Some(UnitCost { minor, currency }) = &settings.unit_cost {
        item.insert("cost".to_owned(), number(*minor));
        item.insert("currency".to_owned(), text(currency));
    }
    item
}

/// The terms in an item.
pub(crate) fn decode_terms(item: &Item) -> Result<StoredTerms, Fault> {
    let reader = Reader::new(item);
    let settings = Settings {
        window_days: reader.required("window", as_number)?,
        lead_time_days: reader.required("lead", as_number)?,
        lead_time_deviation_hundredths: reader.required("lead_sd", as_number)?,
        safety_stock: reader.required("safety", parsed)?,
        on_alert: reader.required("on_alert", parsed)?,
        supplier: reader.optional("supplier", parsed)?,
        unit_cost: match reader.optional("cost", as_number)? {
            None => None,
            Some(minor) => Some(UnitCost { minor, currency: reader.required("currency", parsed)? }),
        },
        order: reader.required("size", as_size)?,
        supplies: Terms {
            pack: reader.required("pack", as_quantity)?,
            minimum: reader.required("least", as_quantity)?,
        },
        backorder: reader.optional("backorder", as_mark)?.is_some(),
    };
    Ok(StoredTerms { settings, version: reader.required("v", as_number)? })
}

/// `cover:14`, or `economic:<cost of an order>:<cost of keeping a unit>`.
fn size(rule: Rule) -> String {
    match rule {
        Rule::CoverDays(days) => format!("cover:{days}"),
        Rule::Economic { order_cost_minor, holding_cost_minor } => {
            format!("economic:{order_cost_minor}:{holding_cost_minor}")
        }
    }
}

fn as_size(value: &AttributeValue) -> Option<Rule> {
    match as_text(value)?.split(':').collect::<Vec<_>>()[..] {
        ["cover", days] => exact(days).map(Rule::CoverDays),
        ["economic", order, holding] => {
            Some(Rule::Economic { order_cost_minor: exact(order)?, holding_cost_minor: exact(holding)? })
        }
        _ => None,
    }
}

/// The item of what is learned.
pub(crate) fn encode_learned(sku: &Sku, learned: &Learned) -> Item {
    let mut item = Item::from([
        (keys::PK.to_owned(), text(keys::learned(sku))),
        ("n".to_owned(), number(learned.version)),
        ("episodes".to_owned(), number(learned.episodes)),
    ]);
    let mut set = |name: &str, value: Option<AttributeValue>| {
        if let Some(value) = value {
            item.insert(name.to_owned(), value);
        }
    };
    set("since", learned.known.watched_since.map(day));
    set("told_from", learned.known.told.map(|(first, _)| day(first)));
    set("told_until", learned.known.told.map(|(_, last)| day(last)));
    set("looked", learned.looked_on.map(day));
    set("empty_since", learned.out_since.map(instant));
    if let Some(demand) = &learned.demand {
        set("sold", Some(number(demand.units)));
        set("seconds", Some(number(demand.in_stock_seconds)));
        set("sd", Some(number(demand.deviation_thousandths)));
        set("from_day", Some(day(demand.from)));
        set("until_day", Some(day(demand.until)));
    }
    if let Some(open) = &learned.open {
        set("alert", Some(text(&open.id)));
        set("supply", Some(signed(open.supply)));
        set("terms", Some(number(open.terms)));
    }
    item
}

/// What an item says is learned.
pub(crate) fn decode_learned(item: &Item) -> Result<Learned, Fault> {
    let reader = Reader::new(item);
    let demand = match reader.optional("sold", as_number)? {
        None => None,
        Some(units) => Some(Demand {
            units,
            in_stock_seconds: reader.required("seconds", as_number)?,
            deviation_thousandths: reader.required("sd", as_number)?,
            from: reader.required("from_day", as_day)?,
            until: reader.required("until_day", as_day)?,
        }),
    };
    let open = match reader.optional("alert", parsed)? {
        None => None,
        Some(id) => Some(OpenAlert {
            id,
            supply: reader.required("supply", as_number)?,
            terms: reader.required("terms", as_number)?,
        }),
    };
    Ok(Learned {
        version: reader.required("n", as_number)?,
        known: Known {
            told: match reader.optional("told_from", as_day)? {
                None => None,
                Some(first) => Some((first, reader.required("told_until", as_day)?)),
            },
            watched_since: reader.optional("since", as_day)?,
        },
        looked_on: reader.optional("looked", as_day)?,
        demand,
        out_since: reader.optional("empty_since", as_instant)?,
        episodes: reader.required("episodes", as_number)?,
        open,
    })
}

/// What an item says of a day.
pub(crate) fn decode_day(day: Day, item: &Item) -> Result<DayOfSales, Fault> {
    let reader = Reader::new(item);
    let out_seconds = reader.optional("empty", as_number::<u64>)?.unwrap_or(0).min(DAY_SECONDS);
    Ok(DayOfSales { day, units: reader.optional("sold", as_number)?.unwrap_or(0), out_seconds })
}

/// The item of an alert.
pub(crate) fn encode_alert(alert: &Alert) -> Item {
    let sight = &alert.sight;
    let list = if alert.closed_at.is_some() { keys::CLOSED_ALERT_LIST } else { keys::ALERT_LIST };
    let mut item = Item::from([
        (keys::PK.to_owned(), text(keys::alert(&alert.id))),
        (keys::LIST.to_owned(), text(list)),
        (keys::RANK.to_owned(), text(keys::alert_rank(sight.as_of, &alert.id))),
        ("sku".to_owned(), text(&alert.sku)),
        ("available".to_owned(), number(sight.available)),
        ("reserved".to_owned(), number(sight.reserved)),
        ("sold".to_owned(), number(sight.sold)),
        ("shortfall".to_owned(), number(sight.shortfall)),
        ("on_order".to_owned(), number(sight.on_order)),
        ("opened_at".to_owned(), instant(sight.as_of)),
        ("point".to_owned(), number(alert.reorder_point)),
        ("on_alert".to_owned(), text(alert.on_alert)),
    ]);
    let mut set = |name: &str, value: Option<AttributeValue>| {
        if let Some(value) = value {
            item.insert(name.to_owned(), value);
        }
    };
    set("unsold", Some(sight.given_back).filter(|units| *units > 0).map(number));
    // Left out where nobody waits, as in alerts from before anybody could.
    set("promised", Some(sight.promised).filter(|units| *units > 0).map(number));
    set("arrived", Some(sight.arrived).filter(|units| *units > 0).map(number));
    set("quantity", alert.quantity.map(|quantity| number(quantity.units())));
    set("supplier", alert.supplier.as_ref().map(text));
    set("told_at", alert.told_at.map(instant));
    set("closed_at", alert.closed_at.map(instant));
    item
}

/// The alert in an item.
pub(crate) fn decode_alert(item: &Item) -> Result<Alert, Fault> {
    let reader = Reader::new(item);
    let id: Option<AlertId> = keys::alert_of(reader.key);
    Ok(Alert {
        id: id.ok_or_else(|| reader.malformed("its key names no alert"))?,
        sku: reader.required("sku", parsed)?,
        sight: Sight {
            available: reader.required("available", as_number)?,
            reserved: reader.required("reserved", as_number)?,
            sold: reader.required("sold", as_number)?,
            given_back: reader.optional("unsold", as_number)?.unwrap_or(0),
            shortfall: reader.required("shortfall", as_number)?,
            on_order: reader.required("on_order", as_number)?,
            promised: reader.optional("promised", as_more_than_zero)?.unwrap_or(0),
            arrived: reader.optional("arrived", as_more_than_zero)?.unwrap_or(0),
            as_of: reader.required("opened_at", as_instant)?,
        },
        reorder_point: reader.required("point", as_number)?,
        quantity: reader.optional("quantity", as_quantity)?,
        on_alert: reader.required("on_alert", parsed)?,
        supplier: reader.optional("supplier", parsed)?,
        told_at: reader.optional("told_at", as_instant)?,
        closed_at: reader.optional("closed_at", as_instant)?,
    })
}

/// Whether an item of the table's stream is an alert that nobody was told of.
pub(crate) fn is_untold(item: &Item) -> bool {
    !item.contains_key("told_at") && !item.contains_key("closed_at")
}

/// A day, as a number of days.
pub(crate) fn day(day: Day) -> AttributeValue {
    number(day.epoch_days())
}

fn signed(value: i64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn as_day(value: &AttributeValue) -> Option<Day> {
    as_number(value).map(Day::from_epoch_days)
}

fn as_quantity(value: &AttributeValue) -> Option<Quantity> {
    as_number(value).and_then(|units| Quantity::new(units).ok())
}

#[cfg(test)]
mod tests {
    use domain::{
        replenishment::settings::{OnAlert, SafetyStock, ServiceLevel},
        time::Timestamp,
    };

    use super::*;

    fn tea() -> Sku {
        "tea".parse().unwrap()
    }

    #[test]
    fn terms_read_back() {
        let plain = Settings::new(7, SafetyStock::Percent(20));
        let full = Settings {
            window_days: 90,
            lead_time_deviation_hundredths: 150,
            safety_stock: SafetyStock::ServiceLevel(ServiceLevel::from_ten_thousandths(9_500).unwrap()),
            on_alert: OnAlert::Send,
            supplier: "Leaf & Co".parse().ok(),
            unit_cost: Some(UnitCost { minor: 450, currency: "EUR".parse().unwrap() }),
            order: Rule::Economic { order_cost_minor: 2_500, holding_cost_minor: 90 },
            supplies: Terms { pack: Quantity::new(24).unwrap(), minimum: Quantity::new(48).unwrap() },
            backorder: true,
            ..plain.clone()
        };
        for settings in [plain, full] {
            let stored = StoredTerms { settings, version: 3 };
            assert_eq!(decode_terms(&encode_terms(&tea(), &stored)).unwrap(), stored);
        }
    }

    #[test]
    fn what_is_learned_reads_back() {
        let day = Day::from_epoch_days;
        let demand = Demand {
            units: 280,
            in_stock_seconds: 2_419_200,
            deviation_thousandths: 3_162,
            from: day(1),
            until: day(29),
        };
        let open = OpenAlert { id: AlertId::of(&tea(), 2), supply: -3, terms: 4 };
        let full = Learned {
            version: 9,
            known: Known { told: Some((day(1), day(9))), watched_since: Some(day(12)) },
            looked_on: Some(day(29)),
            demand: Some(demand),
            out_since: Some(Timestamp::from_epoch_seconds(5)),
            episodes: 2,
            open: Some(open),
        };
        for learned in [Learned::default(), full] {
            assert_eq!(decode_learned(&encode_learned(&tea(), &learned)).unwrap(), learned);
        }
    }

    #[test]
    fn an_alert_reads_back() {
        let as_of = Timestamp::from_epoch_seconds(1_800_000_000);
        let sight = Sight {
            available: 1,
            reserved: 2,
            sold: 3,
            given_back: 8,
            shortfall: 4,
            on_order: 5,
            promised: 6,
            arrived: 7,
            as_of,
        };
        let told = Alert {
            id: AlertId::of(&tea(), 1),
            sku: tea(),
            sight,
            reorder_point: 84,
            quantity: Quantity::new(140).ok(),
            on_alert: OnAlert::Draft,
            supplier: "Leaf & Co".parse().ok(),
            told_at: Some(as_of),
            closed_at: Some(as_of),
        };
        let nobody_waits = Sight { promised: 0, arrived: 0, ..sight };
        let untold = Alert {
            sight: nobody_waits,
            quantity: None,
            supplier: None,
            told_at: None,
            closed_at: None,
            ..told.clone()
        };
        assert!(is_untold(&encode_alert(&untold)) && !is_untold(&encode_alert(&told)));
        for alert in [told, untold] {
            assert_eq!(decode_alert(&encode_alert(&alert)).unwrap(), alert);
        }
    }
}
