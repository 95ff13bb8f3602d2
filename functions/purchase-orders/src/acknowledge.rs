//! `POST /v1/purchase-orders/{id}/acknowledge {expected_on?}`: the supplier has it, and says when it comes; or says that it comes on
//! another day.

use domain::{ids::PurchaseOrderId, purchase::Step};
use http::{Date, Problem, Request, Response, json::Text};
use runtime::App;
use serde::Deserialize;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Body {
    expected_on: Text,
}

pub(crate) async fn acknowledge(app: &App, request: &Request) -> Result<Response, Problem> {
    let (id, step) = read(request)?;
    crate::step(app, &id, step).await
}

fn read(request: &Request) -> Result<(PurchaseOrderId, Step), Problem> {
    http::parse(request, |input| {
        let key = input.idempotency_key();
        let id = input.path("id");
        let body: Body = input.optional_body()?;
        let expected_on = input.optional("expected_on", body.expected_on).map(|Date(day)| day);
        key.and(id).map(|id| (id, Step::Acknowledge { expected_on }))
    })
}

#[cfg(test)]
mod tests {
    use domain::time::Day;
    use http::testing::Sample;

    use super::*;

    #[test]
    fn the_day_may_be_left_out() {
        let sample = Sample::new("POST /v1/purchase-orders/{id}/acknowledge").path("id", "0123456789abcdef");
        for (sample, expected_on) in [
            (sample.clone(), None),
            (sample.clone().body("{}"), None),
            (sample.clone().body(r#"{"expected_on": "2027-01-22"}"#), Some(Day::from_epoch_days(20_840))),
        ] {
            assert_eq!(read(&sample.request()).unwrap().1, Step::Acknowledge { expected_on });
        }
        for body in [r#"{"expected_on": "22.01.2027"}"#, r#"{"expected_on": null}"#, r#"{"expected_on": 20840}"#] {
            let problem = read(&sample.clone().body(body).request()).unwrap_err();
            assert_eq!(problem.errors()[0].field, "expected_on", "{body}");
        }
    }
}
