//! One dead letter: what SQS says of it, and what it says itself as far as that can be read.
//!
//! A message that cannot be read is the very one that people come to look at, so nothing here fails: what is wrong with it is
//! [`Letter::why`]. What it contains came from outside and goes to a terminal: control characters do not.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write,
};

use aws_sdk_sqs::types::{Message, MessageAttributeValue, MessageSystemAttributeName as Attribute};
use domain::{ids::Sku, time::Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Characters of an unreadable body that a list shows.
const SHOWN_CHARS: usize = 40;

/// A message of the order queue.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Content {
    Order { id: String, channel: String, lines: Vec<String>, order_id: Option<String> },
    Confirmation { id: String, order_id: Option<String> },
}

/// What the body asks for, or what is wrong with it.
fn read(body: &str) -> Result<Content, String> {
    serde_json::from_str(body).map_err(|error| error.to_string())
}

/// A message of the dead-letter queue, received and for a short time hidden from others.
#[derive(Debug)]
pub struct Letter {
    pub message_id: String,
    pub receipt_handle: String,
    pub body: String,
    pub message_attributes: HashMap<String, MessageAttributeValue>,
    attributes: HashMap<Attribute, String>,
    content: Result<Content, String>,
}

/// A letter in a list.
#[derive(Debug, Serialize)]
pub struct Summary {
    message_id: String,
    /// `order` or `confirmation`.
    kind: Option<&'static str>,
    id: Option<String>,
    order_id: Option<String>,
    asks: String,
    why: Option<String>,
    sent_at: Option<String>,
    age_seconds: Option<u64>,
    receives: u64,
    group: Option<String>,
}

/// A letter with everything that is known of it. The body is the text that was sent, byte for byte.
#[derive(Debug, Serialize)]
pub struct Details {
    #[serde(flatten)]
    summary: Summary,
    body: String,
    attributes: BTreeMap<String, String>,
    message_attributes: BTreeMap<String, String>,
}

impl From<Message> for Letter {
    fn from(message: Message) -> Self {
        let body = message.body.unwrap_or_default();
        Self {
            content: read(&body),
            message_id: message.message_id.unwrap_or_default(),
            receipt_handle: message.receipt_handle.unwrap_or_default(),
            message_attributes: message.message_attributes.unwrap_or_default(),
            attributes: message.attributes.unwrap_or_default(),
            body,
        }
    }
}

impl Letter {
    /// The messages of a group are worked off in their order.
    pub fn group(&self) -> Option<&str> {
        self.attributes.get(&Attribute::MessageGroupId).map(String::as_str)
    }

    /// Whether `id` names this letter: its message, or the order in it as either side calls it.
    pub fn is_called(&self, id: &str) -> bool {
        self.message_id == id || self.id() == Some(id) || self.order_id() == Some(id)
    }

    /// The service's id of the order.
    pub fn id(&self) -> Option<&str> {
        match self.content.as_ref().ok()? {
            Content::Order { id, .. } | Content::Confirmation { id, .. } => Some(id),
        }
    }

    /// The shop's id of the order.
    fn order_id(&self) -> Option<&str> {
        match self.content.as_ref().ok()? {
            Content::Order { order_id, .. } | Content::Confirmation { order_id, .. } => order_id.as_deref(),
        }
    }

    /// What it asks for, in words.
    fn asks(&self) -> String {
        let (mut words, order_id) = match &self.content {
            Ok(Content::Order { lines, channel, order_id, .. }) => {
                let lines: Vec<_> = lines.iter().map(|line| in_words(line)).collect();
                (format!("order {} (channel {channel})", lines.join(", ")), order_id)
            }
            Ok(Content::Confirmation { order_id, .. }) => ("confirmation".to_owned(), order_id),
            Err(_) => {
                let start: String = self.body.chars().take(SHOWN_CHARS).collect();
                let more = if start.len() < self.body.len() { "…" } else { "" };
                (format!("unreadable: {start}{more}"), &None)
            }
        };
        if let Some(order_id) = order_id {
            // Writing to a String cannot fail.
            let _ = write!(words, " for {order_id}");
        }
        one_line(&words)
    }

    /// Why it may be here, if the letter itself shows it. The usual reason is an outage, and that is in the consumer's log.
    fn why(&self) -> Option<String> {
        match &self.content {
            Err(error) => Some(one_line(&format!("it is no order: {error}"))),
            Ok(Content::Order { lines, .. }) if lines.is_empty() => Some("it orders nothing".to_owned()),
            Ok(Content::Order { lines, .. }) => {
                let bad = lines.iter().find(|line| item(line).is_none())?;
                Some(one_line(&format!("the line {bad} is not SKU=UNITS")))
            }
            Ok(Content::Confirmation { .. }) => None,
        }
    }

    fn receives(&self) -> u64 {
        self.number(&Attribute::ApproximateReceiveCount).unwrap_or_default()
    }

    fn number(&self, attribute: &Attribute) -> Option<u64> {
        self.attributes.get(attribute)?.parse().ok()
    }

    pub fn summary(&self, now: Timestamp) -> Summary {
        let sent = self.number(&Attribute::SentTimestamp).map(|ms| Timestamp::from_epoch_seconds(ms / 1_000));
        Summary {
            message_id: self.message_id.clone(),
            kind: self.content.as_ref().ok().map(|content| match content {
                Content::Order { .. } => "order",
                Content::Confirmation { .. } => "confirmation",
            }),
            id: self.id().map(str::to_owned),
            order_id: self.order_id().map(str::to_owned),
            asks: self.asks(),
            why: self.why(),
            sent_at: sent.map(rfc3339),
            age_seconds: sent.map(|sent| now.seconds_since(sent)),
            receives: self.receives(),
            group: self.group().map(str::to_owned),
        }
    }

    pub fn details(&self, now: Timestamp) -> Details {
        let attributes = self.attributes.iter().map(|(name, value)| (name.as_str().to_owned(), value.clone()));
        let message_attributes = self.message_attributes.iter().map(|(name, value)| {
            let bytes = || value.binary_value.as_ref().map_or(0, |blob| blob.as_ref().len());
            (name.clone(), value.string_value.clone().unwrap_or_else(|| format!("{} bytes", bytes())))
        });
        Details {
            summary: self.summary(now),
            body: self.body.clone(),
            attributes: attributes.collect(),
            message_attributes: message_attributes.collect(),
        }
    }
}

impl Summary {
    /// The columns of a list, under [`HEAD`].
    pub fn cells(&self) -> [String; 4] {
        let id = self.id.as_deref().map_or_else(|| "-".to_owned(), one_line);
        let age = self.age_seconds.map_or_else(|| "-".to_owned(), age);
        [self.message_id.clone(), id, age, self.receives.to_string()]
    }

    /// What stands after the columns.
    pub fn words(&self) -> String {
        match &self.why {
            Some(why) => format!("{} ({why})", self.asks),
            None => self.asks.clone(),
        }
    }
}

/// What the columns of a list are.
pub const HEAD: [&str; 4] = ["message", "order", "age", "receives"];

impl Details {
    /// For people.
    pub fn text(&self) -> String {
        let Summary { message_id, id, order_id, asks, why, .. } = &self.summary;
        let optional = |name: &str, value: &Option<String>| value.clone().map(|value| (name.to_owned(), value));
        let mut rows = vec![("message".to_owned(), message_id.clone())];
        rows.extend(optional("order", id));
        rows.extend(optional("the shop's order", order_id));
        rows.push(("asks for".to_owned(), asks.clone()));
        rows.extend(optional("why it is here", why));
        let known = LABELS.iter().filter_map(|(name, label)| {
            let value = self.attributes.get(name.as_str())?;
            Some(((*label).to_owned(), if label.ends_with(" at") { instant(value) } else { value.clone() }))
        });
        rows.extend(known);
        let others =
            self.attributes.iter().filter(|(name, _)| !LABELS.iter().any(|(known, _)| known.as_str() == *name));
        rows.extend(others.map(|(name, value)| (name.clone(), value.clone())));
        rows.extend(self.message_attributes.iter().map(|(name, value)| (format!("attribute {name}"), value.clone())));
        let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
        let rows: Vec<_> =
            rows.iter().map(|(name, value)| format!("{:<width$}  {}", one_line(name), one_line(value))).collect();
        let body = serde_json::from_str::<Value>(&self.body).ok();
        let body = body.map_or_else(|| self.body.clone(), |value| format!("{value:#}"));
        format!("{}\n\n{}", rows.join("\n"), printable(&body, true))
    }
}

/// SQS's attributes in words, in the order in which they are shown; others follow under their own names.
const LABELS: [(Attribute, &str); 7] = [
    (Attribute::MessageGroupId, "group"),
    (Attribute::MessageDeduplicationId, "deduplication id"),
    (Attribute::SequenceNumber, "sequence number"),
    (Attribute::DeadLetterQueueSourceArn, "came from"),
    (Attribute::SentTimestamp, "sent at"),
    (Attribute::ApproximateFirstReceiveTimestamp, "first received at"),
    (Attribute::ApproximateReceiveCount, "receives"),
];

/// SQS counts milliseconds since 1970.
fn instant(value: &str) -> String {
    let seconds = value.parse::<u64>().map(|ms| Timestamp::from_epoch_seconds(ms / 1_000));
    seconds.map_or_else(|_| value.to_owned(), rfc3339)
}

/// The SKU and the units of `tea=2`, unless it is something else.
fn item(line: &str) -> Option<(Sku, u64)> {
    let (sku, units) = line.split_once('=')?;
    Some((sku.parse().ok()?, units.parse().ok().filter(|units| *units > 0)?))
}

fn in_words(line: &str) -> String {
    item(line).map_or_else(|| line.to_owned(), |(sku, units)| format!("{units} × {sku}"))
}

fn rfc3339(at: Timestamp) -> String {
    let seconds = i64::try_from(at.epoch_seconds()).ok();
    let at = seconds.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    at.map(|at| at.to_string()).unwrap_or_default()
}

/// In the largest unit that is full at least twice: what somebody asks is "since lunch or since Friday?".
fn age(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

fn one_line(text: &str) -> String {
    printable(text, false)
}

/// The text with a dot for whatever a terminal would obey rather than show.
fn printable(text: &str, lines: bool) -> String {
    text.chars().map(|c| if c.is_control() && !(lines && c == '\n') { '·' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(body: &str) -> Letter {
        Message::builder().message_id("m-1").body(body).build().into()
    }

    #[test]
    fn what_a_letter_asks_for_is_said_in_words() {
        for (body, asks, why) in [
            (
                r#"{"kind":"order","id":"a","channel":"own","lines":["tea=2","mug=1"],"order_id":"o-1","session_id":"s"}"#,
                "order 2 × tea, 1 × mug (channel own) for o-1",
                None,
            ),
            (
                r#"{"kind":"order","id":"a","channel":"own","lines":["tea"],"order_id":null}"#,
                "order tea (channel own)",
                Some("the line tea is not SKU=UNITS"),
            ),
            (
                r#"{"kind":"order","id":"a","channel":"own","lines":["tea=0"]}"#,
                "order tea=0 (channel own)",
                Some("the line tea=0 is not SKU=UNITS"),
            ),
            (
                r#"{"kind":"order","id":"a","channel":"own","lines":[]}"#,
                "order  (channel own)",
                Some("it orders nothing"),
            ),
            (r#"{"kind":"confirmation","id":"a"}"#, "confirmation", None),
            (r#"{"kind":"confirmation","id":"a","order_id":"o-1","new":1}"#, "confirmation for o-1", None),
            ("hello", "unreadable: hello", Some("it is no order: expected value at line 1 column 1")),
            (
                r#"{"kind":"refund","id":"a"}"#,
                r#"unreadable: {"kind":"refund","id":"a"}"#,
                Some(
                    "it is no order: unknown variant `refund`, expected `order` or `confirmation` at line 1 column 16",
                ),
            ),
        ] {
            let letter = letter(body);
            assert_eq!((letter.asks().as_str(), letter.why().as_deref()), (asks, why), "{body}");
        }
    }

    #[test]
    fn a_letter_answers_to_all_its_names() {
        let known = letter(r#"{"kind":"confirmation","id":"a","order_id":"o-1"}"#);
        assert!(["m-1", "a", "o-1"].iter().all(|id| known.is_called(id)) && !known.is_called(""));
        let unreadable = letter("a");
        assert!(unreadable.is_called("m-1") && !unreadable.is_called("a"));
    }

    #[test]
    fn nothing_in_a_letter_reaches_the_terminal_as_a_command() {
        let now = Timestamp::from_epoch_seconds(0);
        for body in [
            "\u{1b}[2Jboo\r\nline".to_owned(),
            "\"\u{9b}31m\"".to_owned(),
            r#"{"kind":"confirmation","id":"\u001b[2J","order_id":"\u001b[2J"}"#.to_owned(),
            r#"{"kind":"order","id":"a","channel":"\u001b[2J","lines":["\u001b[2J"]}"#.to_owned(),
            r#"{"kind":"\u001b[2J"}"#.to_owned(),
        ] {
            let letter = letter(&body);
            let mut said = letter.summary(now).cells().to_vec();
            said.extend([letter.summary(now).words(), letter.details(now).text().replace('\n', "")]);
            assert!(!said.iter().any(|text| text.chars().any(char::is_control)), "{said:?}");
        }
    }

    #[test]
    fn a_long_body_is_cut_in_a_list_only() {
        let body = "ä".repeat(SHOWN_CHARS + 1);
        let letter = letter(&body);
        assert_eq!(letter.asks(), format!("unreadable: {}…", "ä".repeat(SHOWN_CHARS)));
        assert!(letter.details(Timestamp::from_epoch_seconds(0)).text().ends_with(&body));
    }

    #[test]
    fn ages_are_for_people() {
        let ages = [0, 119, 120, 7_199, 7_200, 172_799, 172_800].map(age);
        assert_eq!(ages, ["0 s", "119 s", "2 min", "119 min", "2 h", "47 h", "2 d"]);
    }
}
