//! `PUT /v1/stock/{sku}/redistribution {weights, minimum?, trigger_below, reason?}`: makes or replaces the rule by which the units of a SKU
//! are divided anew once a channel runs low.

use std::collections::BTreeMap;

use domain::{
    ids::{Channel, Reason, Sku},
    limits::{MAX_QUANTITY, MAX_WEIGHT},
    redistribution::{Rule, Weights},
};
use http::{
    IfMatch, Input, Problem, Request, Response,
    input::within,
    json::{Entries, Field, Table, Text, Whole, WordOr},
};
use runtime::{App, problem};
use serde::Deserialize;

use crate::{
    channels,
    pools::{RECENT_SALES, RuleView, replaces},
};

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Body {
    weights: Field<WordOr<Whole>>,
    minimum: Table<Whole>,
    trigger_below: Whole,
    reason: Text,
}

#[derive(Debug)]
struct Save {
    sku: Sku,
    rule: Rule,
    if_match: Option<IfMatch>,
}

pub(crate) async fn save(app: &App, request: &Request) -> Result<Response, Problem> {
    let Save { sku, rule, if_match } = read(request)?;
    let read = || async { app.store.redistribution(&sku).await.map_err(|fault| problem(fault.into())) };
    let stored = match if_match {
        Some(IfMatch::Any | IfMatch::Foreign) => read().await?.map(|stored| stored.version),
        _ => None,
    };
    let if_match = replaces(if_match, stored)?;
    let saved = app.store.save_redistribution(&sku, &rule, if_match).await.map_err(problem)?;
    // It may have been replaced since, or removed: then that is what there is.
    let stored = read().await?.ok_or_else(crate::read_rule::no_rule)?;
    let view = RuleView::new(&sku, &stored);
    let response = if saved.created { Response::created(&view) } else { Response::ok(&view) };
    Ok(response.version(stored.version))
}

fn read(request: &Request) -> Result<Save, Problem> {
    http::parse(request, |input| {
        let sku: Option<Sku> = input.path("sku");
        let if_match = input.if_match();
        let body: Body = input.body()?;
        let weights = weights(input, body.weights);
        let minimum = match body.minimum {
            Field::Absent => Some(BTreeMap::new()),
            given => {
                let numbers: Option<Entries<Whole>> = input.given("minimum", given);
                numbers.and_then(|numbers| channels::read(input, "minimum", numbers, MAX_QUANTITY, true))
            }
        };
        let trigger_below = input.required_whole("trigger_below", body.trigger_below, within(0..=MAX_QUANTITY));
        let reason: Option<Reason> = input.optional("reason", body.reason);
        let rule = Rule { weights: weights?, minimum: minimum?, trigger_below: trigger_below?, reason };
        Some(Save { sku: sku?, rule, if_match })
    })
}

/// Recent sales, or a weight for each channel, of which one at least is more than nothing.
fn weights(input: &mut Input<'_>, weights: Field<WordOr<Whole>>) -> Option<Weights> {
    let weights: BTreeMap<Channel, u64> = match input.given("weights", weights)? {
        WordOr::Word(word) if word == RECENT_SALES => return Some(Weights::RecentSales),
        WordOr::Word(_) => {
            input.refuse("weights", format!("must be {RECENT_SALES:?}, or a weight for each channel"));
            return None;
        }
        WordOr::Entries(weights) => channels::read(input, "weights", weights, MAX_WEIGHT, true)?,
    };
    if weights.values().all(|weight| *weight == 0) {
        input.refuse("weights", "must give one channel at least more than 0");
        return None;
    }
    Some(Weights::Fixed(weights))
}

#[cfg(test)]
mod tests {
    use http::testing::Sample;

    use super::*;

    fn sample(body: &str) -> Request {
        Sample::new("PUT /v1/stock/{sku}/redistribution").path("sku", "tea").body(body).request()
    }

    #[test]
    fn weights_are_a_word_or_a_number_for_each_channel() {
        let save = read(&sample(r#"{"weights": "recent_sales", "trigger_below": 5}"#)).unwrap();
        assert_eq!((&save.rule.weights, save.rule.minimum.len(), &save.rule.reason), (&Weights::RecentSales, 0, &None));
        let body = r#"{"weights": {"own": 2, "shared": 0}, "minimum": {"ebay": 5}, "trigger_below": 0, "reason": "x"}"#;
        let save = read(&sample(body)).unwrap();
        assert_eq!(save.rule.named().len(), 3);
        assert_eq!(save.rule.reason.unwrap().as_str(), "x");
    }

    #[test]
    fn every_fault_is_named() {
        for (body, fields) in [
            ("{}", &["weights", "trigger_below"][..]),
            (r#"{"weights": "sales", "trigger_below": -1, "reason": ""}"#, &["weights", "trigger_below", "reason"]),
            (r#"{"weights": {}, "trigger_below": 1}"#, &["weights"]),
            (r#"{"weights": {"own": 0}, "trigger_below": 1}"#, &["weights"]),
            (r#"{"weights": {"own": -1}, "trigger_below": 1}"#, &["weights.own"]),
            (r#"{"weights": {"own": 1}, "minimum": {"own": "1"}, "trigger_below": 1}"#, &["minimum.own"]),
            (r#"{"weights": {"own": 1}, "minimum": null, "trigger_below": 1}"#, &["minimum"]),
        ] {
            let problem = read(&sample(body)).unwrap_err();
            let named: Vec<&str> = problem.errors().iter().map(|error| error.field.as_str()).collect();
            assert_eq!(named, fields, "{body}");
        }
    }
}
