//! `POST /v1/purchase-orders {supplier, lines, channel?, currency?, expected_on?, send?}`: a draft, or with `send` an order that is on its
//! way at once.

use domain::{
    ids::{Channel, Currency, PurchaseOrderId, Sku, Supplier},
    limits::{MAX_PURCHASE_LINES, MAX_UNIT_COST_MINOR},
    purchase::{LinesError, NewPurchaseOrder, PurchaseLine, PurchaseLines},
};
use http::{
    Date, Input, Problem, Request, Response,
    cart::checked_quantity,
    input::within,
    json::{Field, Flag, List, Text, Whole},
};
use runtime::App;
use serde::Deserialize;

use crate::view::PurchaseOrderView;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Body {
    supplier: Text,
    lines: List<LineBody>,
    channel: Text,
    currency: Text,
    expected_on: Text,
    send: Flag,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct LineBody {
    sku: Text,
    quantity: Whole,
    unit_cost_minor: Whole,
}

pub(crate) async fn create(app: &App, request: &Request) -> Result<Response, Problem> {
    let (new, asked) = read(request)?;
    let opened = app.store.open_purchase_order(&new).await;
    let opened = opened.map_err(|failure| crate::problem_of_lines(failure, &asked))?;
    let location = format!("/v1/purchase-orders/{}", opened.order.id);
    Ok(Response::created(&PurchaseOrderView::new(&opened.order)).location(location).replayed(opened.replayed))
}

/// The order, and its SKUs as the request has them.
fn read(request: &Request) -> Result<(NewPurchaseOrder, Vec<Sku>), Problem> {
    http::parse(request, |input| {
        let key = input.idempotency_key();
        let body: Body = input.body()?;
        let supplier: Option<Supplier> = input.required("supplier", body.supplier);
        let currency: Option<Currency> = input.optional("currency", body.currency);
        let lines = lines(input, body.lines, currency.as_ref());
        let channel = input.optional("channel", body.channel).unwrap_or_else(Channel::own);
        let expected_on = input.optional("expected_on", body.expected_on).map(|Date(day)| day);
        let send = match body.send {
            Field::Absent => Some(false),
            given => input.given("send", given),
        };
        let (lines, asked) = lines?;
        let new = NewPurchaseOrder {
            id: PurchaseOrderId::derive(request.caller(), &key?),
            supplier: supplier?,
            channel,
            currency,
            lines,
            expected_on,
            lead_time_days: None,
            send: send?,
            alert: None,
            actor: request.actor().to_owned(),
        };
        Some((new, asked))
    })
}

fn lines(
    input: &mut Input<'_>,
    lines: List<LineBody>,
    currency: Option<&Currency>,
) -> Option<(PurchaseLines, Vec<Sku>)> {
    let lines = input.given("lines", lines)?;
    if lines.len() > MAX_PURCHASE_LINES {
        // Before they are read: a body has room for thousands of lines, and an answer would name a fault in each.
        input.refuse("lines", LinesError::TooMany);
        return None;
    }
    let read = lines.into_iter().enumerate().map(|(index, line)| {
        let field = |name: &str| format!("lines[{index}].{name}");
        let sku = input.required(&field("sku"), line.sku);
        let quantity = input.required_whole(&field("quantity"), line.quantity, checked_quantity);
        let cost = within(0..=MAX_UNIT_COST_MINOR);
        let unit_cost_minor = input.optional_whole(&field("unit_cost_minor"), line.unit_cost_minor, cost);
        Some(PurchaseLine { sku: sku?, quantity: quantity?, unit_cost_minor, received: 0 })
    });
    let read: Vec<Option<PurchaseLine>> = read.collect();
    let read: Vec<PurchaseLine> = read.into_iter().collect::<Option<_>>()?;
    let asked: Vec<Sku> = read.iter().map(|line| line.sku.clone()).collect();
    match PurchaseLines::new(read, currency) {
        Ok(lines) => Some((lines, asked)),
        Err(error) => {
            let field = match &error {
                LinesError::Empty | LinesError::TooMany => "lines".to_owned(),
                LinesError::NoCurrency => "currency".to_owned(),
                LinesError::Twice(sku) => {
                    let index = asked.iter().rposition(|own| own == sku).unwrap_or(0);
                    format!("lines[{index}].sku")
                }
            };
            input.refuse(field, error);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use http::testing::Sample;

    use super::*;

    fn sample(body: &str) -> Request {
        Sample::new("POST /v1/purchase-orders").body(body).request()
    }

    #[test]
    fn what_is_left_out_is_a_draft_for_the_own_store() {
        let (new, _) = read(&sample(r#"{"supplier": "Leaf", "lines": [{"sku": "tea", "quantity": 12}]}"#)).unwrap();
        assert_eq!((new.send, new.channel, new.expected_on, new.currency), (false, Channel::own(), None, None));
        assert_eq!((new.lines.as_slice()[0].to_string().as_str(), new.alert), ("tea=12/0", None));
    }

    #[test]
    fn an_order_is_what_was_sent() {
        let body = r#"{"supplier": "Leaf & Co", "channel": "shared", "currency": "EUR", "expected_on": "2027-01-22", "send": true,
            "lines": [{"sku": "tea", "quantity": 12, "unit_cost_minor": 450}, {"sku": "milk", "quantity": 3}]}"#;
        let (new, asked) = read(&sample(body)).unwrap();
        let lines: Vec<String> = new.lines.as_slice().iter().map(ToString::to_string).collect();
        assert_eq!(lines, ["milk=3/0", "tea=12/0@450"]);
        assert_eq!(asked.iter().map(Sku::as_str).collect::<Vec<_>>(), ["tea", "milk"]);
        assert_eq!((new.send, new.expected_on.unwrap().epoch_days(), new.channel), (true, 20_840, Channel::shared()));
    }

    #[test]
    fn every_fault_is_named() {
        let tea = r#"{"sku": "tea", "quantity": 1}"#;
        let many = vec![tea; 34].join(",");
        let order = |lines: &str| format!(r#"{{"supplier": "Leaf", "lines": [{lines}]}}"#);
        for (body, fields) in [
            ("{}".to_owned(), &["supplier", "lines"][..]),
            (order(""), &["lines"]),
            (order(&many), &["lines"]),
            (order(&format!("{tea},{tea}")), &["lines[1].sku"]),
            (order(r#"{"sku": "tea", "quantity": 1, "unit_cost_minor": 5}"#), &["currency"]),
            (order(r#"{"sku": "tea", "quantity": 1, "unit_cost_minor": 4.5}"#), &["lines[0].unit_cost_minor"]),
            (order(r#"{"sku": "tea", "quantity": 1, "unit_cost": 5}"#), &["lines[0].unit_cost"]),
            (
                r#"{"supplier": "", "lines": [{"quantity": 0}], "channel": "A", "currency": "eur", "expected_on": "soon", "send": "yes"}"#
                    .to_owned(),
                &["supplier", "currency", "lines[0].sku", "lines[0].quantity", "channel", "expected_on", "send"],
            ),
        ] {
            let problem = read(&sample(&body)).unwrap_err();
            let named: Vec<&str> = problem.errors().iter().map(|error| error.field.as_str()).collect();
            assert_eq!(named, fields, "{body}");
        }
    }
}
