//! What must be so whatever bytes come in. Each target takes any bytes at all and panics if something is not as it must be; the fuzzer
//! of `tests/fuzz` calls them millions of times, and a test calls them with every input that it has kept.
//!
//! | target | the bytes are | what must be so |
//! |---|---|---|
//! | [`http`](fn@http) | HTTP requests, one after the other, or an event of API Gateway | see [`requests`] |
//! | [`events`] | a batch of the table's stream, of the timers or of queued orders | see [`batches`] |
//! | [`messages`] | the body of a message of either queue | all that it says is read, and reads back what it writes; its cart is within the limits |
//! | [`order_id`] | an order, a secret, and changes to the id that the order gets | the id is read under its secret, and no changed one is |
//! | [`texts`](fn@texts) | an id, a hold, a line, … | it prints as the text that was read, and is within its limits |
//! | [`items`](fn@items) | a stored item | what is decoded is encoded as it was |
//! | [`webhooks`] | a delivery to the webhook of a vendor | nobody is believed who has not signed; an order is within the limits, and is handed over as it is |
//! | [`answers`] | what a vendor answers to a push, a look or a pull | each listing gets its own answer, orders are as above, no vendor is asked without end |
//! | [`notices`] | a message of the queues of channels, or a notice of Amazon's | as above, and a message reads back what it writes |
//! | [`files`](fn@files) | a CSV file of stock or of baskets | good rows read back what they write; line numbers are those of a text editor |
//!
//! A target says whether it took the bytes for what they should be, so that a test can tell a corpus that reaches nothing.

mod batches;
mod files;
mod items;
mod messages;
mod order_id;
mod requests;
mod shop;
mod texts;
mod vendors;

pub use batches::events;
pub use files::files;
pub use items::items;
pub use messages::messages;
pub use order_id::order_id;
pub use requests::{http, routes};
pub use texts::texts;
pub use vendors::{answers, notices, webhooks};

/// What a target made of its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Seen {
    /// They were what they should be.
    Accepted,
    /// They were not, and were refused as they must be.
    Refused,
}

impl Seen {
    fn when(accepted: bool) -> Self {
        if accepted { Self::Accepted } else { Self::Refused }
    }
}

/// A target.
pub type Target = fn(&[u8]) -> Seen;

/// All targets, by name.
pub const TARGETS: [(&str, Target); 10] = [
    ("http", http),
    ("events", events),
    ("messages", messages),
    ("order_id", order_id),
    ("texts", texts),
    ("items", items),
    ("files", files),
    ("webhooks", webhooks),
    ("answers", answers),
    ("notices", notices),
];
