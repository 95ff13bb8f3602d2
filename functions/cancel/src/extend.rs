//! `POST /v1/reservations/{id}/extend {ttl_seconds}`: one read, one write. Each extension is remembered by its key, so that a
//! retry hears the same end again instead of a later one.

use domain::{
    ids::{ExtensionId, ReservationId},
    limits::{MAX_HOLD_SECONDS, MIN_HOLD_SECONDS},
};
use http::{Problem, Request, Response, input::within, json::Whole, view::ReservationView};
use runtime::{App, problem};
use serde::Deserialize;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Body {
    ttl_seconds: Whole,
}

#[derive(Debug)]
struct Extension {
    reservation: ReservationId,
    id: ExtensionId,
    ttl_seconds: u64,
}

pub(crate) async fn extend(app: &App, request: &Request) -> Result<Response, Problem> {
    let Extension { reservation, id, ttl_seconds } = read(request)?;
    let recorded = app.store.extend(&reservation, &id, ttl_seconds).await.map_err(problem)?;
    let view = ReservationView::new(&recorded.reservation, app.now());
    Ok(Response::ok(&view).replayed(recorded.replayed))
}

fn read(request: &Request) -> Result<Extension, Problem> {
    http::parse(request, |input| {
        let key = input.idempotency_key();
        let reservation = input.path("id");
        let body: Body = input.body()?;
        let seconds = within(MIN_HOLD_SECONDS..=MAX_HOLD_SECONDS);
        let ttl_seconds = input.required_whole("ttl_seconds", body.ttl_seconds, seconds);
        let id = ExtensionId::derive(request.caller(), &key?);
        Some(Extension { reservation: reservation?, id, ttl_seconds: ttl_seconds? })
    })
}

#[cfg(test)]
mod tests {
    use http::testing::Sample;

    use super::*;

    fn sample(body: &str) -> Sample {
        Sample::new("POST /v1/reservations/{id}/extend").path("id", "0123456789abcdef").body(body)
    }

    #[test]
    fn an_extension_is_named_by_its_key() {
        let read =
            |key: &str| read(&sample(r#"{"ttl_seconds": 600}"#).header("Idempotency-Key", key).request()).unwrap();
        assert_eq!((read("a").id, read("a").ttl_seconds), (read("a").id, 600));
        assert_ne!(read("a").id, read("b").id);
    }

    #[test]
    fn the_time_is_within_bounds() {
        for body in ["{}", r#"{"ttl_seconds": 299}"#, r#"{"ttl_seconds": 3601}"#, r#"{"ttl_seconds": "600"}"#] {
            assert_eq!(read(&sample(body).request()).unwrap_err().errors()[0].field, "ttl_seconds", "{body}");
        }
        assert_eq!(read(&sample("").request()).unwrap_err().errors()[0].field, "body");
    }
}
