//! JSON logs on standard output: one line an event, with the fields of the span it happened in, above all `request_id`.
//!
//! Nothing secret is logged: no body, no token, no header. Other crates are kept to warnings at every level, because some of
//! them log what they send.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{Layer, filter::Targets, layer::SubscriberExt, util::SubscriberInitExt};

use crate::config;

/// The crates whose events are logged at the level asked for.
const OURS: [&str; 21] = [
    "availability",
    "cancel",
    "channel_intake",
    "channel_mark",
    "channel_poll",
    "channel_settings",
    "channel_sync",
    "confirm",
    "expire",
    "holdfast",
    "holdfast_channels",
    "holdfast_domain",
    "holdfast_http",
    "holdfast_runtime",
    "holdfast_store",
    "order_consumer",
    "order_intake",
    "reserve",
    "stock",
    "tests",
    "webhook",
];

/// Starts logging at `LOG_LEVEL`. A second start in the same process changes nothing.
pub fn start() {
    let level = config::variable("LOG_LEVEL").and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::INFO);
    // `with_current_span(false)` and a list of spans would nest the request id in an array that no log query finds.
    let json = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_filter(targets(level));
    // Fails only where logging has been started before, as in a test.
    let _ = tracing_subscriber::registry().with(json).try_init();
}

fn targets(level: LevelFilter) -> Targets {
    Targets::new().with_default(level.min(LevelFilter::WARN)).with_targets(OURS.map(|name| (name, level)))
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn only_our_own_crates_are_logged_in_detail() {
        let targets = targets(LevelFilter::DEBUG);
        assert!(targets.would_enable("holdfast_store::flow", &Level::DEBUG));
        assert!(!targets.would_enable("aws_smithy_runtime::client", &Level::INFO));
        assert!(targets.would_enable("aws_smithy_runtime::client", &Level::WARN));
    }

    #[test]
    fn a_low_level_holds_for_all() {
        assert!(!super::targets(LevelFilter::ERROR).would_enable("hyper", &Level::WARN));
    }
}
