//! Purchase orders: from a draft to the shelf, who waits for what they bring, and which ERP they go to. One endpoint, one file.

mod acknowledge;
mod backorders;
mod cancel;
mod create;
mod erp;
mod list;
mod read;
mod read_erp;
mod receive;
mod retry;
mod save_erp;
mod send;
mod view;

use domain::{
    ids::{PurchaseOrderId, Sku},
    purchase::Step,
    refusal::{FieldError, Refusal},
};
use http::{Input, Problem, Request, Response};
use runtime::{App, problem, problem_naming};
use serde::Deserialize;
use store::Failure;

use crate::view::PurchaseOrderView;

/// Answers the requests of this function.
pub async fn handle(app: &App, request: &Request) -> Response {
    request.answer(match request.route() {
        "POST /v1/purchase-orders" => create::create(app, request).await,
        "GET /v1/purchase-orders" => list::list(app, request).await,
        "GET /v1/purchase-orders/{id}" => read::read(app, request).await,
        "POST /v1/purchase-orders/{id}/send" => send::send(app, request).await,
        "POST /v1/purchase-orders/{id}/acknowledge" => acknowledge::acknowledge(app, request).await,
        "POST /v1/purchase-orders/{id}/receive" => receive::receive(app, request).await,
        "POST /v1/purchase-orders/{id}/cancel" => cancel::cancel(app, request).await,
        "POST /v1/purchase-orders/{id}/retry" => retry::retry(app, request).await,
        "GET /v1/backorders" => backorders::list(app, request).await,
        "PUT /v1/erp" => save_erp::save(app, request).await,
        "GET /v1/erp" => read_erp::read(app, request).await,
        _ => Err(Problem::not_found()),
    })
}

/// A body in which nothing is said.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Nothing {}

/// The order of a call that says no more than which one.
fn of_path(input: &mut Input<'_>) -> Option<PurchaseOrderId> {
    // Required as on every POST, but not needed to recognise a retry: a step that is taken is not taken again.
    let key = input.idempotency_key();
    let id = input.path("id");
    let Nothing {} = input.optional_body()?;
    key.and(id)
}

/// Takes a step, and answers how the order is then.
async fn step(app: &App, id: &PurchaseOrderId, step: Step) -> Result<Response, Problem> {
    let order = app.store.step_purchase_order(id, step).await.map_err(problem)?.ok_or_else(unknown)?;
    Ok(Response::ok(&PurchaseOrderView::new(&order)))
}

fn unknown() -> Problem {
    Problem::nothing_there("No purchase order has this id.")
}

/// The problem for a failure that names lines by their place in the order of their SKUs, where the request named them as `asked`.
fn problem_of_lines(failure: Failure, asked: &[Sku]) -> Problem {
    let place = |sku: &Sku| asked.iter().position(|own| own == sku);
    let failure = match failure {
        Failure::Refused(Refusal::InvalidRequest { errors }) => {
            let mut sorted: Vec<&Sku> = asked.iter().collect();
            sorted.sort();
            sorted.dedup();
            let renamed = |FieldError { field, detail }| {
                let named = || {
                    let (index, rest) = field.strip_prefix("lines[")?.split_once(']')?;
                    let index = place(sorted.get(index.parse::<usize>().ok()?)?)?;
                    Some(format!("lines[{index}]{rest}"))
                };
                FieldError { field: named().unwrap_or_else(|| field.clone()), detail }
            };
            Refusal::InvalidRequest { errors: errors.into_iter().map(renamed).collect() }.into()
        }
        other => other,
    };
    problem_naming(failure, |sku| place(sku).map_or_else(|| "lines".to_owned(), |index| format!("lines[{index}].sku")))
}

#[cfg(test)]
mod tests {
    use http::testing::{Sample, faults};

    use super::*;

    #[tokio::test]
    async fn another_route_is_not_found() {
        let response = handle(&App::unreachable(), &Sample::new("DELETE /v1/purchase-orders/{id}").request()).await;
        assert_eq!(response.status(), 404);
    }

    #[test]
    fn a_step_needs_an_order_and_a_key_and_nothing_else() {
        let sample = Sample::new("POST /v1/purchase-orders/{id}/send").path("id", "0123456789abcdef");
        assert_eq!(http::parse(&sample.request(), of_path).unwrap().as_str(), "0123456789abcdef");
        assert!(http::parse(&sample.clone().body("{}").request(), of_path).is_ok());
        for (sample, field) in [
            (sample.clone().path("id", "x"), "id"),
            (sample.clone().without_header("Idempotency-Key"), "Idempotency-Key"),
            (sample.body(r#"{"x": 1}"#), "x"),
        ] {
            assert_eq!(faults(&sample.request(), of_path)[0].0, field);
        }
    }

    #[test]
    fn a_fault_of_a_line_names_it_as_the_request_did() {
        let asked: Vec<Sku> = ["tea", "milk", "tea"].iter().map(|sku| sku.parse().unwrap()).collect();
        let fault = |field: &str| FieldError { field: field.to_owned(), detail: "is wrong".to_owned() };
        let errors = ["lines[0].sku", "lines[1].quantity", "lines[7].sku", "supplier"].map(fault).to_vec();
        let problem = problem_of_lines(Refusal::InvalidRequest { errors }.into(), &asked);
        let fields: Vec<&str> = problem.errors().iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["lines[1].sku", "lines[0].quantity", "lines[7].sku", "supplier"]);
        let unknown = Refusal::UnknownSku { skus: vec!["milk".parse().unwrap(), "mug".parse().unwrap()] };
        let problem = problem_of_lines(unknown.into(), &asked);
        let fields: Vec<&str> = problem.errors().iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["lines[1].sku", "lines"]);
    }
}
