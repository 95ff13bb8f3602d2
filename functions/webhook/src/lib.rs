//! `POST /v1/webhooks/{channel}` and `GET`, where a vendor wants to know who we are: what a channel tells of its orders.
//!
//! 1. The vendor's signature is checked over the raw bytes, in constant time, before anything is parsed. Whoever is not believed hears 401
//!    and nothing else: not whether the channel exists, nor what was wrong.
//! 2. The news goes to a FIFO queue, one group for each order; only then it is acknowledged. Nothing is looked up and nothing written here,
//!    so that the vendor has its answer within a second.
//!
//! What is lost on the way is pulled within minutes: a webhook makes it sooner, nothing more.

use channels::{CallError, Delivery, Heard, Rejected};
use domain::{
    channel::{ChannelKind, ChannelSettings},
    ids::{Channel, Fingerprint},
};
use http::{Problem, Request, Response};
use runtime::{App, channels::News, problem};

/// Answers the requests of this function.
pub async fn handle(app: &App, request: &Request) -> Response {
    request.answer(match request.route() {
        "POST /v1/webhooks/{channel}" | "GET /v1/webhooks/{channel}" => hear(app, request).await,
        _ => Err(Problem::not_found()),
    })
}

async fn hear(app: &App, request: &Request) -> Result<Response, Problem> {
    // A channel of no possible name is one that nobody is believed for.
    let channel: Channel =
        request.path("channel").and_then(|name| name.parse().ok()).ok_or_else(Problem::unbelieved)?;
    let settings = app.store.channel_settings(&channel).await.map_err(|fault| problem(fault.into()))?;
    let settings = settings.ok_or_else(Problem::unbelieved)?;
    let connector = app.channels.connector(&channel, &settings).await.map_err(|error| {
        tracing::error!(%error, %channel, "a delivery cannot be checked");
        Problem::contended()
    })?;
    let connector = connector.ok_or_else(Problem::unbelieved)?;
    let delivery = delivery(request, &settings)?;
    let heard = match connector.hear(&delivery).await {
        Ok(heard) => heard,
        Err(rejected) => return rejected_answer(&channel, &settings, request.method(), &rejected),
    };
    let (news, id) = match heard {
        Heard::Handshake { content_type, body } => return Ok(Response::raw(200, content_type, &body)),
        Heard::Nothing => (Vec::new(), None),
        Heard::Orders { orders, delivery } => {
            (orders.into_iter().map(|order| News::Order(channel.clone(), order)).collect(), delivery)
        }
        Heard::Hint { orders, delivery } => {
            (orders.into_iter().map(|order| News::Hint(channel.clone(), order)).collect(), delivery)
        }
    };
    // Without an id of its own a delivery is what it says.
    let id = id.unwrap_or_else(|| Fingerprint::of("delivery", &[&String::from_utf8_lossy(&delivery.body)]).to_string());
    let queue = app.channels.news().ok_or_else(Problem::internal_error)?;
    queue.hand_over(&news, &id).await.map_err(|_| Problem::contended())?;
    Ok(acknowledged(&settings))
}

/// What arrived, as the vendor's module reads it.
fn delivery(request: &Request, settings: &ChannelSettings) -> Result<Delivery, Problem> {
    let url = settings.options.get("webhook_url").cloned().unwrap_or_else(|| request.url());
    Ok(Delivery {
        method: request.method().to_owned(),
        url,
        query: request.query().to_vec(),
        headers: request.headers().to_vec(),
        body: request.body().ok_or_else(Problem::unbelieved)?.to_vec(),
    })
}

fn acknowledged(settings: &ChannelSettings) -> Response {
    // Source: eBay, "Verify notification": 204. All others take any 2xx.
    let status = if settings.kind == ChannelKind::Ebay { 204 } else { 200 };
    Response::raw(status, "application/json", &[])
}

/// Why a delivery is not believed is for the log; the vendor, or whoever it is, hears only that.
fn rejected_answer(
    channel: &Channel,
    settings: &ChannelSettings,
    method: &str,
    rejected: &Rejected,
) -> Result<Response, Problem> {
    tracing::warn!(%rejected, %channel, "a delivery was not taken");
    match rejected {
        // Source: eBay, "Verify notification": 412 for a signature that does not hold.
        Rejected::Unbelieved(_) if settings.kind == ChannelKind::Ebay => {
            Ok(Response::raw(412, "application/json", &[]))
        }
        // Without a secret nobody can be believed, however often it is sent.
        Rejected::Unbelieved(_) | Rejected::Unavailable(CallError::Unconfigured(_)) => Err(Problem::unbelieved()),
        // A question is not signed: whoever asks one that no vendor asks hears what everybody hears.
        Rejected::Malformed(_) if method == "GET" => Err(Problem::unbelieved()),
        // It is signed, so it is the vendor's, and will not be another one when it comes again: the next pull brings its order.
        Rejected::Malformed(_) => {
            tracing::error!(alarm = "unreadable-order", %channel, "a delivery that is signed cannot be read");
            Ok(acknowledged(settings))
        }
        Rejected::Unavailable(_) => Err(Problem::contended()),
    }
}

#[cfg(test)]
mod tests {
    use http::testing::Sample;

    use super::*;

    fn answer(kind: ChannelKind, method: &str, rejected: &Rejected) -> Result<u16, u16> {
        let channel = "c".parse().unwrap();
        let answer = rejected_answer(&channel, &ChannelSettings::new(kind), method, rejected);
        answer.map(|response| response.status()).map_err(|problem| problem.kind().parts().0)
    }

    #[test]
    fn whoever_is_not_believed_hears_that_and_nothing_else() {
        let unbelieved = || Rejected::Unbelieved("no signature");
        let malformed = || Rejected::Malformed("no order".to_owned());
        let later = || Rejected::Unavailable(CallError::Stale { shown: None });
        for (kind, method, rejected, expected) in [
            (ChannelKind::Woocommerce, "POST", unbelieved(), Err(401)),
            (ChannelKind::Ebay, "POST", unbelieved(), Ok(412)),
            (ChannelKind::Woocommerce, "POST", malformed(), Ok(200)),
            (ChannelKind::Ebay, "POST", malformed(), Ok(204)),
            (ChannelKind::Ebay, "GET", malformed(), Err(401)),
            (ChannelKind::Shopify, "POST", later(), Err(503)),
        ] {
            assert_eq!(answer(kind, method, &rejected), expected, "{kind} {method}");
        }
    }

    #[tokio::test]
    async fn a_channel_that_cannot_be_is_not_told_apart() {
        let sample = Sample::new("POST /v1/webhooks/{channel}").path("channel", "A%23b").body("{}");
        assert_eq!(handle(&App::unreachable(), &sample.request()).await.status(), 401);
        let other = Sample::new("PUT /v1/webhooks/{channel}").path("channel", "ebay");
        assert_eq!(handle(&App::unreachable(), &other.request()).await.status(), 404);
    }
}
