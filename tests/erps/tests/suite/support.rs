//! An ERP of each kind with a connector in front, in one process and in the ERP's own time.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use domain::time::{Clock, Timestamp};
use erp::{
    CallError, Context, Created, Credentials, Erp, ErpKind, ErpOrderId, NewLine, NewOrder, NotKept, OrderKey,
    OrderState, RefreshTokens, Transport, TransportError, Which, connect,
};
use holdfast_erps::{
    netsuite::{self, NetSuiteFace},
    office::Office,
    quickbooks::{self, QuickBooksFace},
    sap::{self, BusinessOneFace},
};
use jiff::civil::{Date, date};
use vendor::transport::{Request, Response};

/// When every office opens: 2026-11-25T10:00:05Z.
pub const OPENING: Timestamp = Timestamp::from_epoch_seconds(1_795_600_805);

pub const ORDERED: Date = date(2026, 11, 25);
pub const EXPECTED: Date = date(2026, 12, 5);

/// A refresh token where it outlives the connector.
pub struct Kept {
    token: Mutex<String>,
    /// Outcomes of the next attempts to keep one; after these, it is kept.
    outcomes: Mutex<VecDeque<bool>>,
}

impl Kept {
    pub fn token(&self) -> String {
        self.token.lock().unwrap().clone()
    }

    pub fn fail_next(&self) {
        self.outcomes.lock().unwrap().push_back(false);
    }
}

#[async_trait]
impl RefreshTokens for Kept {
    async fn latest(&self) -> Result<String, NotKept> {
        Ok(self.token())
    }

    async fn keep(&self, token: &str) -> Result<(), NotKept> {
        if self.outcomes.lock().unwrap().pop_front() == Some(false) {
            return Err(NotKept { reason: "the store is down".to_owned() });
        }
        token.clone_into(&mut self.token.lock().unwrap());
        Ok(())
    }
}

/// One ERP, and all that a connector of it needs.
pub struct World {
    pub kind: ErpKind,
    pub office: Office,
    pub kept: Arc<Kept>,
    pub erp: Arc<dyn Erp>,
}

/// One of each.
pub fn all() -> Vec<World> {
    ErpKind::ALL.into_iter().map(World::new).collect()
}

pub fn options(kind: ErpKind) -> &'static [(&'static str, &'static str)] {
    match kind {
        ErpKind::QuickBooks => &[("realm_id", quickbooks::REALM), ("ap_account_id", quickbooks::AP_ACCOUNT)],
        ErpKind::NetSuite => &[("account_id", netsuite::ACCOUNT), ("subsidiary_id", netsuite::SUBSIDIARY)],
        ErpKind::SapBusinessOne => &[("company", sap::COMPANY), ("warehouse", sap::WAREHOUSE)],
    }
}

pub fn credentials(kind: ErpKind) -> Credentials {
    match kind {
        ErpKind::QuickBooks => quickbooks::credentials(),
        ErpKind::NetSuite => netsuite::credentials(),
        ErpKind::SapBusinessOne => sap::credentials(),
    }
}

/// What a connector works with, over this transport.
pub fn context(kind: ErpKind, transport: Arc<dyn Transport>, clock: Arc<dyn Clock>) -> Context {
    let options = options(kind).iter().chain(&[("currency", "USD")]);
    Context {
        transport,
        clock,
        credentials: credentials(kind),
        // SAP is at the merchant's; the others are where they always are.
        endpoint: (kind == ErpKind::SapBusinessOne).then(|| "https://b1.example:50000".to_owned()),
        options: options.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
    }
}

impl World {
    pub fn new(kind: ErpKind) -> Self {
        Self::at(
            kind,
            match kind {
                ErpKind::QuickBooks => Office::open(QuickBooksFace::default(), OPENING),
                ErpKind::NetSuite => Office::open(NetSuiteFace::default(), OPENING),
                ErpKind::SapBusinessOne => Office::open(BusinessOneFace, OPENING),
            },
        )
    }

    pub fn at(kind: ErpKind, office: Office) -> Self {
        let token = Mutex::new(office.books().refresh_token.clone());
        let kept = Arc::new(Kept { token, outcomes: Mutex::default() });
        let context = context(kind, Arc::new(office.clone()), Arc::new(office.clone()));
        let erp = connect(kind, context, Arc::clone(&kept) as Arc<dyn RefreshTokens>);
        Self { kind, office, kept, erp }
    }

    /// Another process: it knows only what was kept.
    pub fn another_process(&self) -> Arc<dyn Erp> {
        self.another_over(Arc::new(self.office.clone()))
    }

    /// Another process; it and the first have their tokens or sessions already, so that calls of the two keep step.
    pub async fn both_let_in(&self) -> Arc<dyn Erp> {
        let other = self.another_process();
        for erp in [&self.erp, &other] {
            assert_eq!(erp.read(Which::Key(&key("HF-0"))).await, Ok(None), "{}", self.kind);
        }
        self.office.take_calls();
        other
    }

    pub fn another_over(&self, transport: Arc<dyn Transport>) -> Arc<dyn Erp> {
        let context = context(self.kind, transport, Arc::new(self.office.clone()));
        connect(self.kind, context, Arc::clone(&self.kept) as Arc<dyn RefreshTokens>)
    }

    /// Creates an order of [`order`].
    pub async fn created(&self, key: &str) -> Created {
        self.erp.create(&order(key)).await.unwrap_or_else(|error| panic!("{}: {error}", self.kind))
    }

    /// The order of this id that was created as the first one.
    pub async fn state(&self, id: &ErpOrderId) -> OrderState {
        self.state_of(id, "HF-1").await
    }

    pub async fn state_of(&self, id: &ErpOrderId, key_text: &str) -> OrderState {
        self.erp
            .read(Which::Id(id, &key(key_text)))
            .await
            .unwrap()
            .unwrap_or_else(|| panic!("{}: it is gone", self.kind))
    }

    /// Calls since this was last asked, as `METHOD path`, without those for tokens and sessions.
    pub fn calls(&self) -> Vec<String> {
        let calls = self.office.take_calls();
        let calls = calls.iter().map(|request| format!("{} {}", request.method(), request.uri().path()));
        calls.filter(|call| !lets_in(call)).collect()
    }
}

pub fn lets_in(path: &str) -> bool {
    ["/tokens/bearer", "/oauth2/v1/token", "/Login"].iter().any(|end| path.ends_with(end))
}

pub fn key(text: &str) -> OrderKey {
    text.parse().unwrap()
}

/// The ERP's number of an id.
pub fn number(id: &ErpOrderId) -> u64 {
    id.as_str().parse().unwrap()
}

/// Ten of one item at 4.50, and three of another at 0.07.
pub fn order(key_text: &str) -> NewOrder {
    let line = |item: &str, sku: &str, units: u64, unit_cost_minor| NewLine {
        item: item.to_owned(),
        sku: sku.parse().unwrap(),
        quantity: domain::quantity::Quantity::new(units).unwrap(),
        unit_cost_minor,
    };
    NewOrder {
        key: key(key_text),
        refusals: 0,
        supplier: "V-1".to_owned(),
        order_on: ORDERED,
        expected_on: EXPECTED,
        currency: None,
        lines: vec![line("I-1", "tea", 10, 450), line("I-2", "mug", 3, 7)],
    }
}

/// Answers whatever it is told to, over and over from the beginning.
pub struct Says(pub Vec<Response>, pub Mutex<usize>);

impl Says {
    pub fn new(answers: Vec<Response>) -> Arc<Self> {
        Arc::new(Self(answers, Mutex::default()))
    }
}

#[async_trait]
impl Transport for Says {
    async fn send(&self, _request: Request) -> Result<Response, TransportError> {
        let mut said = self.1.lock().unwrap();
        let answer = self.0[*said % self.0.len()].clone();
        *said += 1;
        Ok(answer)
    }
}

pub fn refusal(outcome: &Result<Created, CallError>) -> &str {
    match outcome {
        Err(CallError::Refused { reason }) => reason,
        other => panic!("not refused: {other:?}"),
    }
}
