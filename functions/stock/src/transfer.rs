//! `POST /v1/stock/{sku}/transfers {from, to, quantity, reason}`: free units become another channel's. One transaction; a retry with the
//! same key moves nothing twice. `shared` names the stock that belongs to no channel.

use domain::{
    ids::{Channel, Reason, Sku, TransferId},
    transfer::TransferRequest,
};
use http::{
    Problem, Request, Response,
    cart::checked_quantity,
    json::{Text, Whole},
};
use runtime::{App, problem};
use serde::Deserialize;

use crate::pools::TransferView;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Body {
    from: Text,
    to: Text,
    quantity: Whole,
    reason: Text,
}

pub(crate) async fn transfer(app: &App, request: &Request) -> Result<Response, Problem> {
    let wanted = read(request)?;
    let made = app.store.transfer(&wanted).await.map_err(problem)?;
    Ok(Response::created(&TransferView::new(&made.transfer)).replayed(made.replayed))
}

fn read(request: &Request) -> Result<TransferRequest, Problem> {
    http::parse(request, |input| {
        let key = input.idempotency_key();
        let sku: Option<Sku> = input.path("sku");
        let body: Body = input.body()?;
        let from: Option<Channel> = input.required("from", body.from);
        let to: Option<Channel> = input.required("to", body.to);
        if from.is_some() && from == to {
            input.refuse("to", "must be another channel than from");
        }
        let quantity = input.required_whole("quantity", body.quantity, checked_quantity);
        let reason: Option<Reason> = input.required("reason", body.reason);
        Some(TransferRequest {
            id: TransferId::derive(request.caller(), &key?),
            sku: sku?,
            from: from?,
            to: to?,
            quantity: quantity?,
            reason: reason?,
            actor: request.actor().to_owned(),
        })
    })
}

#[cfg(test)]
mod tests {
    use http::testing::Sample;

    use super::*;

    #[test]
    fn every_fault_is_named() {
        let sample = Sample::new("POST /v1/stock/{sku}/transfers").path("sku", "tea");
        let good = r#"{"from": "own", "to": "shared", "quantity": 5, "reason": "x"}"#;
        let wanted = read(&sample.clone().body(good).request()).unwrap();
        assert_eq!((wanted.to, wanted.quantity.units(), wanted.actor.as_str()), (Channel::shared(), 5, "local"));
        for (body, fields) in [
            ("{}", &["from", "to", "quantity", "reason"][..]),
            (r#"{"from": "own", "to": "own", "quantity": 1, "reason": "x"}"#, &["to"]),
            (r#"{"from": "Own", "to": "a#b", "quantity": 0, "reason": ""}"#, &["from", "to", "quantity", "reason"]),
            (r#"{"from": "own", "to": "ebay", "quantity": 1, "reason": "x", "sku": "tea"}"#, &["sku"]),
        ] {
            let problem = read(&sample.clone().body(body).request()).unwrap_err();
            let named: Vec<&str> = problem.errors().iter().map(|error| error.field.as_str()).collect();
            assert_eq!(named, fields, "{body}");
        }
        let elsewhere = sample.query("channel=own").body(good).request();
        assert_eq!(read(&elsewhere).unwrap_err().errors()[0].field, "channel");
    }
}
