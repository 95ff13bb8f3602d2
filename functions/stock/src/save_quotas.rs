//! `PUT /v1/stock/{sku}/quotas {channels: {own: 40, …}, reason}`: brings each channel that is named to its number of unsold units, all of
//! them or none. What is left over is shared, and what is missing comes from there. No channels at all: everything free is shared.
//!
//! It names the outcome, not a change: sent again, it changes nothing more.

use domain::{
    ids::{Reason, Sku},
    limits::MAX_QUANTITY,
    quota::{Division, QuotaRequest},
};
use http::{
    IfMatch, Problem, Request, Response,
    json::{Table, Text, Whole},
};
use runtime::{App, problem};
use serde::Deserialize;
use store::pools_version;

use crate::{channels, pools::replaces, read_quotas::show};

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Body {
    channels: Table<Whole>,
    reason: Text,
}

pub(crate) async fn save(app: &App, request: &Request) -> Result<Response, Problem> {
    let (wanted, if_match) = read(request)?;
    let stored = match if_match {
        Some(IfMatch::Foreign) => Some(pools_version(&app.store.pools(&wanted.sku).await.map_err(problem)?)),
        // Without any pool the SKU is unknown, which comes first.
        _ => Some(0),
    };
    let if_match = replaces(if_match, stored)?;
    app.store.set_quotas(&wanted, if_match).await.map_err(problem)?;
    show(app, &wanted.sku).await
}

fn read(request: &Request) -> Result<(QuotaRequest, Option<IfMatch>), Problem> {
    http::parse(request, |input| {
        let sku: Option<Sku> = input.path("sku");
        let if_match = input.if_match();
        let body: Body = input.body()?;
        let numbers = input.given("channels", body.channels);
        let numbers = numbers.and_then(|numbers| channels::read(input, "channels", numbers, MAX_QUANTITY, false));
        let reason: Option<Reason> = input.required("reason", body.reason);
        let numbers = numbers?;
        let division = if numbers.is_empty() { Division::Unified } else { Division::Split(numbers) };
        let actor = request.actor().to_owned();
        Some((QuotaRequest { sku: sku?, division, reason: reason?, actor }, if_match))
    })
}

#[cfg(test)]
mod tests {
    use http::testing::Sample;

    use super::*;

    #[test]
    fn numbers_divide_and_none_unify() {
        let sample = |body: &str| Sample::new("PUT /v1/stock/{sku}/quotas").path("sku", "tea").body(body).request();
        let (split, _) = read(&sample(r#"{"channels": {"own": 40}, "reason": "x"}"#)).unwrap();
        assert!(matches!(split.division, Division::Split(numbers) if numbers.len() == 1));
        let (unified, if_match) = read(&sample(r#"{"channels": {}, "reason": "x"}"#)).unwrap();
        assert_eq!((unified.division, if_match), (Division::Unified, None));
        for (body, fields) in [
            ("{}", &["channels", "reason"][..]),
            (
                r#"{"channels": {"own": 1000001, "shared": 2}, "reason": ""}"#,
                &["channels.own", "channels.shared", "reason"],
            ),
            (r#"{"channels": null, "reason": "x"}"#, &["channels"]),
        ] {
            let problem = read(&sample(body)).unwrap_err();
            let named: Vec<&str> = problem.errors().iter().map(|error| error.field.as_str()).collect();
            assert_eq!(named, fields, "{body}");
        }
    }
}
