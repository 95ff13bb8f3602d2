//! `POST /v1/purchase-orders/{id}/receive {lines, channel?}`: units came. They are on the shelf, and no longer on their way, in the same
//! moment; a retry with the same key books nothing twice. More than was ordered is booked as well.

use domain::{
    ids::{Channel, ReceiptId, Sku},
    purchase::Receipt,
};
use http::{
    Problem, Request, Response,
    cart::{self, LineBody},
    json::{List, Text},
};
use runtime::App;
use serde::Deserialize;

use crate::view::PurchaseOrderView;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Body {
    lines: List<LineBody>,
    channel: Text,
}

pub(crate) async fn receive(app: &App, request: &Request) -> Result<Response, Problem> {
    let (receipt, asked) = read(request)?;
    let received = app.store.receive_purchase_order(&receipt).await;
    let received = received.map_err(|failure| crate::problem_of_lines(failure, &asked))?.ok_or_else(crate::unknown)?;
    Ok(Response::ok(&PurchaseOrderView::new(&received.order)).replayed(received.replayed))
}

/// The receipt, and its SKUs in the order of the request.
fn read(request: &Request) -> Result<(Receipt, Vec<Sku>), Problem> {
    http::parse(request, |input| {
        let key = input.idempotency_key();
        let order = input.path("id");
        let body: Body = input.body()?;
        let lines = cart::read(input, body.lines);
        let channel: Option<Channel> = input.optional("channel", body.channel);
        let (cart, fields) = lines?;
        let lines = cart.lines().iter().map(|line| (line.sku.clone(), line.quantity)).collect();
        let id = ReceiptId::derive(request.caller(), &key?);
        let receipt = Receipt { id, order: order?, lines, channel, actor: request.actor().to_owned() };
        Some((receipt, fields.into_skus()))
    })
}

#[cfg(test)]
mod tests {
    use http::testing::Sample;

    use super::*;

    fn sample(body: &str) -> Request {
        Sample::new("POST /v1/purchase-orders/{id}/receive").path("id", "0123456789abcdef").body(body).request()
    }

    #[test]
    fn lines_of_one_sku_are_added() {
        let body = r#"{"lines": [{"sku": "tea", "quantity": 2}, {"sku": "milk", "quantity": 1}, {"sku": "tea", "quantity": 3}],
            "channel": "shared"}"#;
        let (receipt, asked) = read(&sample(body)).unwrap();
        let lines: Vec<String> = receipt.lines.iter().map(|(sku, units)| format!("{sku}={units}")).collect();
        assert_eq!(lines, ["milk=1", "tea=5"]);
        assert_eq!(asked.iter().map(Sku::as_str).collect::<Vec<_>>(), ["tea", "milk", "tea"]);
        assert_eq!((receipt.channel, receipt.actor.as_str()), (Some(Channel::shared()), "local"));
    }

    #[test]
    fn every_fault_is_named() {
        for (body, fields) in [
            ("{}", &["lines"][..]),
            (r#"{"lines": []}"#, &["lines"]),
            (
                r#"{"lines": [{"sku": "", "quantity": 0}], "channel": "A"}"#,
                &["lines[0].sku", "lines[0].quantity", "channel"],
            ),
            (r#"{"lines": [{"sku": "a", "quantity": 1}], "all": true}"#, &["all"]),
        ] {
            let problem = read(&sample(body)).unwrap_err();
            let named: Vec<&str> = problem.errors().iter().map(|error| error.field.as_str()).collect();
            assert_eq!(named, fields, "{body}");
        }
    }
}
