//! Pools, transfers and rules as the API shows them; and which version of something a request may change.

use std::collections::BTreeMap;

use domain::{
    ids::{Channel, Sku},
    quota::Pool,
    redistribution::Weights,
    refusal::Refusal,
    stock::StockView,
    transfer::Transfer,
};
use http::{IfMatch, view::rfc3339};
use serde::Serialize;
use store::StoredRule;

/// The word for weights by what was sold of late.
pub(crate) const RECENT_SALES: &str = "recent_sales";

/// How a SKU is divided.
#[derive(Debug, Serialize)]
pub(crate) struct QuotasView<'a> {
    sku: &'a str,
    pools: Vec<PoolView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    redistribution: Option<RuleView<'a>>,
    as_of: String,
}

/// The units of one channel, or the shared ones.
#[derive(Debug, Serialize)]
struct PoolView<'a> {
    channel: &'a str,
    quota: u64,
    available: u64,
    reserved: u64,
    sold: u64,
    shortfall: u64,
    joined: bool,
}

impl<'a> QuotasView<'a> {
    pub(crate) fn new(sku: &'a Sku, views: &'a [StockView], rule: Option<&'a StoredRule>) -> Self {
        let as_of = views.iter().map(|view| view.as_of).max().unwrap_or_default();
        let pools = views.iter().map(PoolView::new).collect();
        let redistribution = rule.map(|stored| RuleView::new(sku, stored));
        Self { sku: sku.as_str(), pools, redistribution, as_of: rfc3339(as_of) }
    }
}

impl<'a> PoolView<'a> {
    fn new(view: &'a StockView) -> Self {
        let pool = Pool::of(view);
        Self {
            channel: view.stock.channel.as_str(),
            quota: u64::try_from(pool.unsold()).unwrap_or(0),
            available: pool.level.available,
            reserved: pool.level.reserved,
            sold: pool.level.sold,
            shortfall: pool.level.shortfall,
            joined: pool.joined,
        }
    }
}

/// A transfer.
#[derive(Debug, Serialize)]
pub(crate) struct TransferView<'a> {
    sku: &'a str,
    from: &'a str,
    to: &'a str,
    quantity: u64,
    reason: &'a str,
    actor: &'a str,
    at: String,
    /// What left, and what arrived.
    movements: [&'a str; 2],
}

impl<'a> TransferView<'a> {
    pub(crate) fn new(transfer: &'a Transfer) -> Self {
        Self {
            sku: transfer.sku.as_str(),
            from: transfer.moved.from.as_str(),
            to: transfer.moved.to.as_str(),
            quantity: transfer.moved.units,
            reason: transfer.reason.as_str(),
            actor: &transfer.actor,
            at: rfc3339(transfer.at),
            movements: [transfer.departure.as_str(), transfer.arrival.as_str()],
        }
    }
}

/// What a rule has moved.
#[derive(Debug, Serialize)]
pub(crate) struct RunView<'a> {
    sku: &'a str,
    transfers: Vec<TransferView<'a>>,
}

impl<'a> RunView<'a> {
    pub(crate) fn new(sku: &'a Sku, transfers: &'a [Transfer]) -> Self {
        Self { sku: sku.as_str(), transfers: transfers.iter().map(TransferView::new).collect() }
    }
}

type Numbers<'a> = BTreeMap<&'a str, u64>;

fn numbers(numbers: &BTreeMap<Channel, u64>) -> Numbers<'_> {
    numbers.iter().map(|(channel, number)| (channel.as_str(), *number)).collect()
}

/// A rule by which units are divided anew.
#[derive(Debug, Serialize)]
pub(crate) struct RuleView<'a> {
    sku: &'a str,
    weights: WeightsView<'a>,
    minimum: Numbers<'a>,
    trigger_below: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    version: u64,
    /// Whole units sold of late, as the rule remembers them.
    recent_sales: Numbers<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    looked_at: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum WeightsView<'a> {
    Word(&'static str),
    Fixed(Numbers<'a>),
}

impl<'a> RuleView<'a> {
    pub(crate) fn new(sku: &'a Sku, StoredRule { rule, memory, version }: &'a StoredRule) -> Self {
        let weights = match &rule.weights {
            Weights::RecentSales => WeightsView::Word(RECENT_SALES),
            Weights::Fixed(weights) => WeightsView::Fixed(numbers(weights)),
        };
        Self {
            sku: sku.as_str(),
            weights,
            minimum: numbers(&rule.minimum),
            trigger_below: rule.trigger_below,
            reason: rule.reason.as_ref().map(domain::ids::Reason::as_str),
            version: *version,
            recent_sales: memory.recent.iter().map(|(channel, sold)| (channel.as_str(), sold / 1_000)).collect(),
            looked_at: memory.seen_at.map(rfc3339),
        }
    }
}

/// The version that a write may replace, if it says so; `stored` is the one that there is.
pub(crate) fn replaces(if_match: Option<IfMatch>, stored: Option<u64>) -> Result<Option<u64>, Refusal> {
    match (if_match, stored) {
        (None, _) | (Some(IfMatch::Any), Some(_)) => Ok(None),
        (Some(IfMatch::Version(seen)), _) => Ok(Some(seen)),
        (Some(IfMatch::Any), None) => Err(Refusal::PreconditionFailed { version: 0 }),
        (Some(IfMatch::Foreign), stored) => Err(Refusal::PreconditionFailed { version: stored.unwrap_or_default() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_replaces_what_it_names() {
        let failed = |version| Err(Refusal::PreconditionFailed { version });
        for (if_match, stored, expected) in [
            (None, None, Ok(None)),
            (None, Some(3), Ok(None)),
            (Some(IfMatch::Any), Some(3), Ok(None)),
            (Some(IfMatch::Any), None, failed(0)),
            (Some(IfMatch::Version(2)), Some(3), Ok(Some(2))),
            (Some(IfMatch::Foreign), Some(3), failed(3)),
            (Some(IfMatch::Foreign), None, failed(0)),
        ] {
            assert_eq!(replaces(if_match, stored), expected, "{if_match:?} {stored:?}");
        }
    }

    #[test]
    fn a_rule_shows_its_weights_as_they_were_given() {
        let sku: Sku = "tea".parse().unwrap();
        let json = |weights| {
            let rule = domain::redistribution::Rule {
                weights,
                minimum: [(Channel::own(), 5)].into(),
                trigger_below: 3,
                reason: None,
            };
            let memory =
                domain::redistribution::Memory { recent: [(Channel::own(), 2_999)].into(), ..Default::default() };
            http::Response::ok(&RuleView::new(&sku, &StoredRule { rule, memory, version: 2 })).body().to_owned()
        };
        assert_eq!(
            json(Weights::RecentSales),
            r#"{"sku":"tea","weights":"recent_sales","minimum":{"own":5},"trigger_below":3,"version":2,"recent_sales":{"own":2}}"#
        );
        assert!(json(Weights::Fixed([(Channel::own(), 7)].into())).contains(r#""weights":{"own":7},"#));
    }
}
