//! The purchase order that an alert sets off.

use super::{
    review::Alert,
    settings::{OnAlert, Settings, UnitCost},
};
use crate::{
    ids::{Channel, PurchaseOrderId, Reference},
    purchase::{NewPurchaseOrder, PurchaseLine, PurchaseLines},
    stock::StockView,
    time::Day,
};

/// Who writes down the orders that nobody asked for.
const BY_ITSELF: &str = "replenish";

/// The order that this alert sets off on these terms, if it sets off any: one, whoever is how often told of the alert, for its id derives
/// from the alert's. Units come where [`home_for`] says. What is sent is expected a lead time from `today`, and a draft a lead time from when it is sent.
#[must_use]
pub fn purchase_order(alert: &Alert, settings: &Settings, channel: Channel, today: Day) -> Option<NewPurchaseOrder> {
    if alert.on_alert == OnAlert::Tell || alert.closed_at.is_some() {
        return None;
    }
    let reference: Reference = alert.id.as_str().parse().ok()?;
    let (unit_cost_minor, currency) = match &settings.unit_cost {
        Some(UnitCost { minor, currency }) => (Some(*minor), Some(currency.clone())),
        None => (None, None),
    };
    let line = PurchaseLine { sku: alert.sku.clone(), quantity: alert.quantity?, unit_cost_minor, received: 0 };
    let lines = PurchaseLines::new(vec![line], currency.as_ref()).ok()?;
    let send = alert.on_alert == OnAlert::Send;
    Some(NewPurchaseOrder {
        id: PurchaseOrderId::of_alert(&reference),
        supplier: alert.supplier.clone()?,
        channel,
        currency,
        lines,
        expected_on: send.then(|| today.plus_days(settings.lead_time_days)),
        lead_time_days: Some(settings.lead_time_days),
        send,
        alert: Some(reference),
        actor: BY_ITSELF.to_owned(),
    })
}

/// Where units of a SKU come that nobody has asked for: the shared stock where there is one, then the merchant's own store, then whichever
/// channel has a home.
#[must_use]
pub fn home_for(views: &[StockView]) -> Channel {
    let channels = || views.iter().map(|view| &view.stock.channel);
    let has = |channel: Channel| channels().find(|known| **known == channel).cloned();
    has(Channel::shared())
        .or_else(|| has(Channel::own()))
        .or_else(|| channels().next().cloned())
        .unwrap_or_else(Channel::own)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        bucket::StockId,
        ids::AlertId,
        quantity::Quantity,
        replenishment::{review::Sight, settings::SafetyStock},
        time::Timestamp,
    };

    fn alert(on_alert: OnAlert) -> Alert {
        let sku = "tea".parse().unwrap();
        let as_of = Timestamp::from_epoch_seconds(1_800_000_000);
        Alert {
            id: AlertId::of(&sku, 1),
            sku,
            sight: Sight {
                available: 84,
                reserved: 0,
                sold: 0,
                given_back: 0,
                shortfall: 0,
                on_order: 0,
                promised: 0,
                arrived: 0,
                as_of,
            },
            reorder_point: 84,
            quantity: Quantity::new(140).ok(),
            on_alert,
            supplier: "Leaf & Co".parse().ok(),
            told_at: None,
            closed_at: None,
        }
    }

    #[test]
    fn an_alert_sets_off_the_order_of_its_rule() {
        let today = Day::from_epoch_days(20_833);
        let cost = UnitCost { minor: 450, currency: "EUR".parse().unwrap() };
        let settings = Settings { unit_cost: Some(cost), ..Settings::new(7, SafetyStock::Percent(20)) };
        let order = |alert: &Alert| purchase_order(alert, &settings, Channel::shared(), today);
        let sent = order(&alert(OnAlert::Send)).unwrap();
        assert_eq!((sent.send, sent.expected_on), (true, Some(today.plus_days(7))));
        assert_eq!(sent.lines.as_slice()[0].to_string(), "tea=140/0@450");
        let draft = order(&alert(OnAlert::Draft)).unwrap();
        assert_eq!((draft.send, draft.expected_on, draft.id), (false, None, sent.id), "one order for one alert");
        assert_eq!(draft.lead_time_days, Some(7), "and its day is known when it is sent");
        assert_eq!(order(&alert(OnAlert::Tell)), None);
        let closed = Alert { closed_at: Some(Timestamp::default()), ..alert(OnAlert::Send) };
        assert_eq!(order(&closed), None, "supply has come meanwhile");
        assert_eq!(order(&Alert { supplier: None, ..alert(OnAlert::Send) }), None);
    }

    #[test]
    fn units_come_to_the_shared_stock_first() {
        for (channels, home) in [
            (&["amazon", "own", "shared"][..], "shared"),
            (&["amazon", "own"], "own"),
            (&["amazon", "ebay"], "amazon"),
            (&[], "own"),
        ] {
            let view = |channel: &&str| StockView {
                stock: StockId { sku: "tea".parse().unwrap(), channel: channel.parse().unwrap() },
                as_of: Timestamp::default(),
                buckets: Vec::new(),
                records: std::collections::BTreeMap::new(),
            };
            assert_eq!(home_for(&channels.iter().map(view).collect::<Vec<_>>()).as_str(), home);
        }
    }
}
