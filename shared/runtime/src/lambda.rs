//! The loop of a function: event in, answer out.
//!
//! What fails here fails one invocation, never the process: a restart would cost the next shopper a cold start.

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use http::{Problem, Request, Response};
use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::Value;
use tracing::Instrument;

use crate::{App, telemetry};

/// Why a function could not start or go on.
pub type Error = lambda_runtime::Error;

/// An event that none of the function's triggers sends.
#[derive(Debug, thiserror::Error)]
#[error("the event cannot be read")]
pub struct MalformedEvent(#[source] pub Option<serde_json::Error>);

impl From<serde_json::Error> for MalformedEvent {
    fn from(error: serde_json::Error) -> Self {
        Self(Some(error))
    }
}

/// Starts a function behind API Gateway with the app that `start` makes, and answers each request with `handle`.
///
/// # Errors
/// When the function cannot start: the environment is incomplete, or the Lambda runtime cannot be reached.
pub async fn serve<S, H>(start: S, handle: H) -> Result<(), Error>
where
    S: AsyncFnOnce() -> Result<App, Error>,
    H: AsyncFn(&App, &Request) -> Response,
{
    telemetry::start();
    let app = start().await?;
    let (app, handle) = (&app, &handle);
    let service =
        service_fn(move |event: LambdaEvent<Value>| async move { Ok::<_, Error>(answer(app, handle, event).await) });
    lambda_runtime::run(service).await
}

/// Starts a function behind queues, streams or a schedule, and handles each event with `handle`, as [`serve`].
///
/// # Errors
/// As [`serve`].
pub async fn serve_events<S, H, E>(start: S, handle: H) -> Result<(), Error>
where
    S: AsyncFnOnce() -> Result<App, Error>,
    H: AsyncFn(&App, Value) -> Result<Value, E>,
    E: std::error::Error + Send + Sync + 'static,
{
    telemetry::start();
    let app = start().await?;
    let (app, handle) = (&app, &handle);
    let service = service_fn(move |event: LambdaEvent<Value>| async move {
        let span = tracing::error_span!("batch", aws_request_id = event.context.request_id);
        Ok::<_, Error>(handle(app, event.payload).instrument(span).await?)
    });
    lambda_runtime::run(service).await
}

/// The request in an event of API Gateway.
///
/// # Errors
/// When it is no such event.
pub fn request(event: Value) -> Result<Request, serde_json::Error> {
    serde_json::from_value::<ApiGatewayV2httpRequest>(with_ascii_headers(event)).map(Request::from_event)
}

async fn answer<H>(app: &App, handle: &H, event: LambdaEvent<Value>) -> ApiGatewayV2httpResponse
where
    H: AsyncFn(&App, &Request) -> Response,
{
    let aws_request_id = event.context.request_id;
    let request = match request(event.payload) {
        Ok(request) => request,
        Err(error) => {
            tracing::error!(%error, aws_request_id, "the event is not a request");
            return Problem::internal_error().render(&aws_request_id).into_event();
        }
    };
    // At the level of errors, so that an error names its request at every `LOG_LEVEL`.
    let span = tracing::error_span!("request", request_id = request.id(), route = request.route(), aws_request_id);
    async {
        let response = handle(app, &request).await;
        tracing::debug!(status = response.status(), "answered");
        response.into_event()
    }
    .instrument(span)
    .await
}

/// `aws_lambda_events` refuses an event over one header value outside of ASCII, and the caller would hear 500. Such a character
/// becomes a tab here, which no header of this API may contain, so that the header is refused by its name.
fn with_ascii_headers(mut event: Value) -> Value {
    let headers = event.get_mut("headers").and_then(Value::as_object_mut);
    for value in headers.into_iter().flat_map(|headers| headers.values_mut()) {
        if let Value::String(text) = value {
            *text = text.replace(|c: char| !(' '..='~').contains(&c), "\t");
        }
    }
    event
}

#[cfg(test)]
mod tests {
    use lambda_runtime::Context;
    use serde_json::json;

    use super::*;

    async fn call(event: Value) -> Value {
        let mut context = Context::default();
        context.request_id = "aws-1".to_owned();
        let handle = async |_: &App, request: &Request| {
            let read = http::parse(request, http::Input::idempotency_key);
            request.answer(read.map(|key| Response::ok(&json!({"key": key.as_str()}))))
        };
        let response = answer(&App::unreachable(), &handle, LambdaEvent::new(event, context)).await;
        let mut response = serde_json::to_value(response).unwrap();
        response["body"] = serde_json::from_str(response["body"].as_str().unwrap()).unwrap();
        response
    }

    #[tokio::test]
    async fn an_event_is_answered() {
        let context = json!({"requestId": "gateway-1", "http": {"method": "POST"}});
        let event = json!({"headers": {"idempotency-key": "k"}, "requestContext": context});
        let response = call(event).await;
        assert_eq!((&response["statusCode"], &response["body"]), (&json!(200), &json!({"key": "k"})));
        assert_eq!(response["headers"]["x-request-id"], "gateway-1");
    }

    #[tokio::test]
    async fn a_header_that_is_not_ascii_is_refused_by_its_name() {
        let event =
            json!({"headers": {"idempotency-key": "schlüssel"}, "requestContext": {"http": {"method": "POST"}}});
        let response = call(event).await;
        assert_eq!(response["statusCode"], 400);
        assert_eq!(response["body"]["errors"][0]["field"], "Idempotency-Key");
    }

    #[tokio::test]
    async fn an_event_that_is_no_request_is_an_internal_error() {
        let response = call(json!({"Records": []})).await;
        assert_eq!(response["statusCode"], 500);
        assert_eq!(response["body"]["request_id"], "aws-1");
    }
}
