//! What vendors send: deliveries to our webhook, and answers to our calls.
//!
//! A delivery is written as HTTP is, with the vendor's name in the first line; the word `signed` as the value of a header stands for the
//! right signature of the body, so that what comes behind the check is reached as well.
//!
//! A conversation is the name of a vendor, what is asked of it, and its answers, one after the other: a status, headers, an empty line and a
//! body, up to a line `====`. Who asks for more than there is gets no answer. Of listings there are two; tokens are given out as they are
//! wanted, unless the vendor's name is followed by `!`.

use std::{
    collections::{BTreeMap, VecDeque},
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use channels::{
    CallError, Connector, Context, Credentials, Delivery, Heard, OrderPage, Push, Target, Transport, TransportError,
    amazon::{Said, parse_notification},
    connect, ebay,
    transport::{Request, Response},
};
use domain::{
    channel::ChannelKind,
    limits::MAX_QUANTITY,
    sale::{ChannelOrder, SaleLine},
    time::{Clock, Timestamp},
};
use hmac::{Hmac, KeyInit, Mac};
use runtime::channels::{News, news_body, read_news, read_sync, sync_body};
use sha2::Sha256;

use crate::Seen;

const SECRET: &str = "a secret that nobody guesses";

/// 2026-11-25T10:00:05Z.
const NOW: Timestamp = Timestamp::from_epoch_seconds(1_795_600_805);

/// Calls in one conversation. More than this is a loop.
const MAX_CALLS: usize = 2_000;

/// Characters of a vendor's words that reach the merchant, with ours around them.
const MAX_WORDS_CHARS: usize = 2_000;

/// A delivery to the webhook of some vendor.
///
/// # Panics
/// When somebody is believed who has not signed, or when what is heard is not within the limits or cannot be handed over.
#[must_use]
pub fn webhooks(bytes: &[u8]) -> Seen {
    let Some((vendor, mut delivery)) = read_delivery(bytes) else { return Seen::Refused };
    let signed = sign(&mut delivery);
    let connector = connector(vendor, &Arc::new(Vendor::default()));
    let heard = wait(connector.hear(&delivery));
    if vendor == ChannelKind::Ebay {
        // Nobody can sign as eBay does: what comes behind the check is read without it.
        heard_is_sound(&ebay::notice::parse_notice(&delivery.body, NOW).unwrap_or(Heard::Nothing));
    }
    let Ok(heard) = heard else { return Seen::Refused };
    let believed = matches!(heard, Heard::Orders { .. } | Heard::Hint { .. });
    assert!(signed || !believed, "believed without a signature: {heard:?}");
    heard_is_sound(&heard);
    Seen::Accepted
}

/// A message of the queues of channels: news, a listing to look at, or a notice of Amazon's.
///
/// # Panics
/// When what is read is not within the limits, or its own message is read as another.
#[must_use]
pub fn notices(bytes: &[u8]) -> Seen {
    let notice = parse_notification(bytes);
    if let Ok(notice) = &notice {
        match &notice.said {
            Said::Order(read) => read.order.iter().for_each(order_is_sound),
            Said::Hint(order) => hint_is_sound(order.as_str()),
            Said::Quantity { .. } | Said::Nothing => {}
        }
    }
    let Ok(body) = std::str::from_utf8(bytes) else { return Seen::when(notice.is_ok()) };
    let (news, listing) = (read_news(body), read_sync(body));
    assert!(news.is_err() || listing.is_err(), "a message of both queues: {body}");
    if let Ok(news) = &news {
        assert!(hand_over(news), "its own message is read as another: {body}");
    }
    if let Ok(listing) = &listing {
        let again = read_sync(&sync_body(listing));
        assert_eq!(again.as_ref().ok(), Some(listing), "its own message is read as another");
    }
    Seen::when(notice.is_ok() || news.is_ok() || listing.is_ok())
}

/// What a vendor answers when it is asked.
///
/// # Panics
/// When not each listing gets its own answer, an order is not within the limits, or the vendor is asked without end.
#[must_use]
pub fn answers(bytes: &[u8]) -> Seen {
    let Some((first, rest)) = line(bytes) else { return Seen::Refused };
    let mut words = first.split(' ');
    let name = words.next().unwrap_or_default();
    let Some(kind) = kind(name.trim_end_matches('!')) else { return Seen::Refused };
    let vendor = Arc::new(Vendor {
        answers: Mutex::new(split(rest).into_iter().map(read_answer).collect()),
        gives_tokens: !name.ends_with('!'),
        calls: Mutex::new(0),
    });
    let connector = connector(kind, &vendor);
    let accepted = match words.next() {
        Some("push") => {
            let pushes = targets().map(|target| Push { target, quantity: 7, expected: Some(3), key: "key".to_owned() });
            let done = wait(connector.push(&pushes));
            assert_eq!(done.len(), pushes.len(), "not an answer for each");
            done.iter().for_each(words_are_short);
            done.iter().any(Result::is_ok)
        }
        Some("read") => {
            let shown = wait(connector.read(&targets()));
            assert_eq!(shown.len(), targets().len(), "not an answer for each");
            shown.iter().for_each(words_are_short);
            shown.iter().any(Result::is_ok)
        }
        Some("orders") => pages(&*connector),
        Some("order") => {
            let order = wait(connector.order(words.next().unwrap_or("1")));
            words_are_short(&order);
            order.iter().flatten().for_each(order_is_sound);
            order.is_ok()
        }
        _ => return Seen::Refused,
    };
    Seen::when(accepted)
}

/// As `channel-poll` reads them: page by page.
fn pages(connector: &dyn Connector) -> bool {
    let mut cursor: Option<String> = None;
    for _ in 0..5 {
        let page = wait(
            connector.changed_orders(Timestamp::from_epoch_seconds(NOW.epoch_seconds() - 3_600), cursor.as_deref()),
        );
        words_are_short(&page);
        let Ok(OrderPage { orders, unreadable, cursor: next }) = page else { return cursor.is_some() };
        orders.iter().for_each(order_is_sound);
        for words in unreadable {
            assert!(words.chars().count() <= MAX_WORDS_CHARS, "{} characters are shown", words.chars().count());
        }
        cursor = next;
        if cursor.is_none() {
            break;
        }
    }
    true
}

fn words_are_short<T>(came: &Result<T, CallError>) {
    if let Err(error) = came {
        let words = error.to_string();
        assert!(words.chars().count() <= MAX_WORDS_CHARS, "{} characters are shown", words.chars().count());
    }
}

fn heard_is_sound(heard: &Heard) {
    match heard {
        Heard::Orders { orders, .. } => orders.iter().for_each(order_is_sound),
        Heard::Hint { orders, .. } => orders.iter().for_each(|order| hint_is_sound(order)),
        Heard::Handshake { .. } | Heard::Nothing => {}
    }
}

fn hint_is_sound(order: &str) {
    assert!(hand_over(&News::Hint(channel(), order.to_owned())), "{order:?} is handed over as something else");
}

fn order_is_sound(order: &ChannelOrder) {
    assert!(!order.lines.is_empty(), "an order of nothing");
    for SaleLine { quantity, canceled, .. } in &order.lines {
        assert!((1..=MAX_QUANTITY).contains(&quantity.units()) && *canceled <= quantity.units(), "{order:?}");
    }
    let lines: std::collections::BTreeSet<_> = order.lines.iter().map(|line| &line.line).collect();
    assert_eq!(lines.len(), order.lines.len(), "two lines of one name are one record: {order:?}");
    assert!(hand_over(&News::Order(channel(), order.clone())), "{order:?} is handed over as something else");
}

/// Whether news is read as it was handed over.
fn hand_over(news: &News) -> bool {
    read_news(&news_body(news)).is_ok_and(|read| read == *news)
}

fn channel() -> domain::ids::Channel {
    "somewhere".parse().expect("a channel")
}

fn kind(name: &str) -> Option<ChannelKind> {
    name.parse().ok().filter(|kind| *kind != ChannelKind::Own)
}

fn connector(kind: ChannelKind, vendor: &Arc<Vendor>) -> Arc<dyn Connector> {
    let secrets = [
        ("client_id", "id"),
        ("client_secret", SECRET),
        ("refresh_token", "refresh"),
        ("verification_token", "a token of at least thirty-two characters"),
        ("webhook_secret", SECRET),
        ("consumer_key", "key"),
        ("consumer_secret", SECRET),
    ];
    let options = [
        ("seller_id", "A1"),
        ("marketplace_id", "ATVPDKIKX0DER"),
        ("shop", "fuzz.myshopify.com"),
        ("location_id", "1"),
        ("url", "https://shop.example"),
        ("signature_header", "x-signature"),
        ("ship_node", "1"),
    ];
    let context = Context {
        transport: vendor.clone(),
        clock: Arc::new(Still),
        credentials: Credentials::from(secrets),
        endpoint: None,
        options: options.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
    };
    connect(kind, context).expect("a vendor")
}

fn targets() -> [Target; 2] {
    ["tea", "mug"].map(|sku| {
        let ids = ["offer_id", "inventory_item_id", "product_id"].map(|name| (name.to_owned(), sku.len().to_string()));
        let remote: BTreeMap<String, String> =
            ids.into_iter().chain([("fulfillment_channel".to_owned(), "DEFAULT".to_owned())]).collect();
        Target { sku: sku.parse().expect("a SKU"), remote }
    })
}

fn read_delivery(bytes: &[u8]) -> Option<(ChannelKind, Delivery)> {
    let (first, mut rest) = line(bytes)?;
    let mut words = first.split(' ');
    let kind = kind(words.next()?)?;
    let (method, query) = match words.next().unwrap_or_default() {
        "" => ("POST", Vec::new()),
        code => ("GET", vec![("challenge_code".to_owned(), code.to_owned())]),
    };
    let mut headers = Vec::new();
    while let Some((header, behind)) = line(rest) {
        rest = behind;
        let Some((name, value)) = header.split_once(':') else { break };
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let url = "https://shop.example/v1/webhooks/somewhere".to_owned();
    Some((kind, Delivery { method: method.to_owned(), url, query, headers, body: rest.to_vec() }))
}

/// Puts the right signature where it is asked for. Whether that was anywhere.
fn sign(delivery: &mut Delivery) -> bool {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("a key of any length");
    mac.update(&delivery.body);
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    let mut signed = false;
    for (_, value) in delivery.headers.iter_mut().filter(|(_, value)| value == "signed") {
        value.clone_from(&signature);
        signed = true;
    }
    signed
}

fn line(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    Some((std::str::from_utf8(&bytes[..end]).ok()?, &bytes[end + 1..]))
}

/// The parts between lines `====`.
fn split(bytes: &[u8]) -> Vec<&[u8]> {
    const LINE: &[u8] = b"\n====\n";
    let (mut parts, mut rest) = (Vec::new(), bytes);
    while let Some(at) = rest.windows(LINE.len()).position(|window| window == LINE) {
        parts.push(&rest[..at]);
        rest = &rest[at + LINE.len()..];
    }
    parts.push(rest);
    parts
}

/// Nothing where no answer comes.
fn read_answer(bytes: &[u8]) -> Option<Response> {
    let (status, mut rest) = line(bytes)?;
    let mut response = Response::default();
    *response.status_mut() = status.parse().ok()?;
    while let Some((header, behind)) = line(rest) {
        rest = behind;
        let Some((name, value)) = header.split_once(": ") else { break };
        let (Ok(name), Ok(value)) = (name.parse::<wire::HeaderName>(), value.parse()) else { return None };
        response.headers_mut().insert(name, value);
    }
    *response.body_mut() = rest.to_vec();
    Some(response)
}

fn wait<T>(work: Pin<Box<dyn Future<Output = T> + Send + '_>>) -> T {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime without input and output can always be made");
    }
    RUNTIME.with(|runtime| runtime.block_on(work))
}

/// A vendor that answers what it is told to.
#[derive(Default)]
struct Vendor {
    answers: Mutex<VecDeque<Option<Response>>>,
    gives_tokens: bool,
    calls: Mutex<usize>,
}

#[async_trait::async_trait]
impl Transport for Vendor {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        let calls = {
            let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
            *calls += 1;
            *calls
        };
        assert!(calls <= MAX_CALLS, "asked without end: {} {}", request.method(), request.uri());
        let path = request.uri().path();
        if self.gives_tokens && (path.ends_with("token") || path.ends_with("access_token")) {
            return Ok(Response::new(br#"{"access_token":"t","expires_in":3600}"#.to_vec()));
        }
        let answer = self.answers.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        answer.flatten().ok_or_else(|| TransportError { reason: "the script is over".to_owned() })
    }
}

#[derive(Debug)]
struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        NOW
    }
}
