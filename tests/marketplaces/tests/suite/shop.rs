//! A shop that a test looks into while a connector talks to it.

use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use channels::{
    CallError, Connector, Context, Credentials, Delivery, OrderPage, Push, Target, Transport, TransportError,
    transport::{Request, Response},
};
use domain::{
    sale::{ChannelOrder, Stage},
    time::{Clock, Timestamp},
};
use holdfast_marketplaces::{
    face::{Face, answer},
    market::Market,
};

/// When each test begins: 2026-11-25T10:00:00Z.
pub const START: Timestamp = Timestamp::from_epoch_seconds(1_795_600_800);

/// The wire, the vendor behind it, and the clock of both.
pub struct Shop {
    market: Mutex<Market>,
    face: Mutex<Box<dyn Face>>,
    sent: Mutex<Vec<Request>>,
    /// What is answered in place of the vendor, the next one last.
    script: Mutex<Vec<Response>>,
}

impl Shop {
    pub fn new(face: impl Face + 'static) -> Arc<Self> {
        Arc::new(Self {
            market: Mutex::new(Market { now: START, ..Market::default() }),
            face: Mutex::new(Box::new(face)),
            sent: Mutex::default(),
            script: Mutex::default(),
        })
    }

    pub fn market(&self) -> MutexGuard<'_, Market> {
        self.market.lock().unwrap()
    }

    pub fn advance(&self, seconds: u64) {
        let mut market = self.market();
        let now = market.now.plus_seconds(seconds);
        market.advance(now);
    }

    /// Answers the next calls with these, in this order, before the vendor answers again.
    pub fn script(&self, answers: impl IntoIterator<Item = Response>) {
        let mut script: Vec<Response> = answers.into_iter().collect();
        script.reverse();
        *self.script.lock().unwrap() = script;
    }

    /// What was sent since this was last asked.
    pub fn sent(&self) -> Vec<Request> {
        std::mem::take(&mut self.sent.lock().unwrap())
    }

    pub fn webhook(&self, order: &str) -> Delivery {
        let url = "https://holdfast.example/v1/channels/shop/webhook";
        self.face.lock().unwrap().webhook(&self.market(), order, url).unwrap()
    }

    pub fn context<const N: usize, const M: usize>(
        self: &Arc<Self>,
        credentials: [(&str, &str); N],
        options: [(&str, &str); M],
    ) -> Context {
        Context {
            transport: Arc::clone(self) as Arc<dyn Transport>,
            clock: Arc::clone(self) as Arc<dyn Clock>,
            credentials: Credentials::from(credentials),
            endpoint: None,
            options: options.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        }
    }
}

impl Clock for Shop {
    fn now(&self) -> Timestamp {
        self.market().now
    }
}

#[async_trait]
impl Transport for Shop {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        self.sent.lock().unwrap().push(request.clone());
        if let Some(answer) = self.script.lock().unwrap().pop() {
            return Ok(answer);
        }
        let answered = answer(self.face.lock().unwrap().as_ref(), &mut self.market(), &request);
        answered.ok_or_else(|| TransportError { reason: "nobody answers".to_owned() })
    }
}

pub fn json(status: u16, text: &str) -> Response {
    wire::Response::builder().status(status).body(text.as_bytes().to_vec()).unwrap()
}

pub fn target(sku: &str, remote: &[(&str, &str)]) -> Target {
    let remote = remote.iter().map(|(name, id)| ((*name).to_owned(), (*id).to_owned())).collect();
    Target { sku: sku.parse().unwrap(), remote }
}

pub fn push(target: Target, quantity: u64, expected: Option<u64>) -> Push {
    let key = format!("{}-{quantity}-{expected:?}", target.sku);
    Push { target, quantity, expected, key }
}

/// A request as a review should see it: without secrets, JSON indented.
pub fn shown(request: &Request) -> String {
    let mut lines = vec![format!("{} {}", request.method(), request.uri())];
    for (name, value) in request.headers() {
        let value = if value.is_sensitive() { "(secret)" } else { value.to_str().unwrap() };
        lines.push(format!("{name}: {value}"));
    }
    let body = String::from_utf8(request.body().clone()).unwrap();
    match serde_json::from_str::<serde_json::Value>(&body) {
        // A query is easier to read with its own lines.
        Ok(mut json) if json.get("query").is_some() => {
            let query = json["query"].take().as_str().unwrap().to_owned();
            lines.extend([String::new(), query, serde_json::to_string_pretty(&json["variables"]).unwrap()]);
        }
        Ok(json) => lines.extend([String::new(), serde_json::to_string_pretty(&json).unwrap()]),
        Err(_) if body.is_empty() => {}
        Err(_) => lines.extend([String::new(), body.replace("hush", "(secret)")]),
    }
    lines.join("\n")
}

/// Compares with the golden file of this name. After a deliberate change: `INSTA_UPDATE=always cargo test -p holdfast-marketplaces`.
pub fn golden(name: &str, requests: &[Request]) {
    let text = requests.iter().map(shown).collect::<Vec<_>>().join("\n\n----\n\n");
    insta::with_settings!({
        snapshot_path => "../../../../shared/channels/tests/golden",
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        insta::assert_snapshot!(name, text);
    });
}

/// All pages.
pub async fn pull(connector: &dyn Connector, since: Timestamp) -> (Vec<OrderPage>, Vec<ChannelOrder>) {
    let mut pages = Vec::new();
    let mut cursor = None::<String>;
    loop {
        let page = connector.changed_orders(since, cursor.as_deref()).await.unwrap();
        cursor.clone_from(&page.cursor);
        pages.push(page);
        if cursor.is_none() {
            let orders = pages.iter().flat_map(|page| page.orders.clone()).collect();
            return (pages, orders);
        }
    }
}

/// An order in short: `order: line sku=quantity-canceled stage`.
pub fn short(order: &ChannelOrder) -> String {
    let lines = order.lines.iter().map(|line| {
        let stage = match line.stage {
            Stage::Pending => "pending",
            Stage::Paid => "paid",
            Stage::Shipped => "shipped",
        };
        format!("{} {}={}-{} {stage}", line.line, line.sku, line.quantity, line.canceled)
    });
    format!("{}: {}", order.order, lines.collect::<Vec<_>>().join(", "))
}

pub fn refused(words: &str) -> CallError {
    CallError::Refused { reason: words.to_owned() }
}
