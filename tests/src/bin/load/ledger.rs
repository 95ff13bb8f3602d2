//! What was asked and what was answered, as the shoppers remember it. Nothing here comes from the service's own store.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::plan::Line;

/// What a call asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Deed {
    Reserve,
    Confirm,
    Cancel,
    Extend,
    Order,
    Queue,
    QueuePayment,
    Move,
}

/// An answer that settles something: anything but "try again".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    pub status: u16,
    /// Of what was made or decided.
    pub id: Option<String>,
    pub state: Option<String>,
    /// The last part of a problem's type.
    pub problem: Option<String>,
    /// The money has to be given back.
    #[serde(default)]
    pub refund: bool,
    /// By how much a movement changed the stock.
    pub delta: Option<i64>,
}

impl Told {
    pub fn new(status: u16, body: &Value) -> Self {
        let text = |field: &str| body[field].as_str().map(str::to_owned);
        let slug = |url: &str| url.rsplit('/').next().unwrap_or_default().to_owned();
        Self {
            status,
            id: text("id"),
            state: text("status"),
            problem: body["type"].as_str().map(slug),
            refund: body["refund_required"] == true,
            delta: body["delta"].as_i64(),
        }
    }

    pub fn is_done(&self) -> bool {
        self.status < 300
    }
}

/// A POST under its key, and every answer to it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Call {
    pub deed: Deed,
    pub key: String,
    pub path: String,
    pub body: Value,
    /// In the order in which they came. None: nobody has answered yet.
    pub told: Vec<Told>,
}

impl Call {
    pub fn new(deed: Deed, key: String, path: String, body: Value) -> Self {
        Self { deed, key, path, body, told: Vec::new() }
    }

    /// A call for lines, under this key.
    pub fn cart(deed: Deed, key: String, lines: &[Line], ttl_seconds: Option<u64>) -> Self {
        let path = if deed == Deed::Reserve { "/v1/reservations" } else { "/v1/orders" };
        let mut body = json!({ "lines": lines });
        if let Some(ttl_seconds) = ttl_seconds {
            body["ttl_seconds"] = ttl_seconds.into();
        }
        Self::new(deed, key, path.to_owned(), body)
    }

    /// The answer that did what was asked for.
    pub fn done(&self) -> Option<&Told> {
        self.told.iter().find(|told| told.is_done())
    }

    pub fn in_turn(&self) -> bool {
        matches!(self.deed, Deed::Queue | Deed::QueuePayment)
    }
}

/// One shopper.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    pub number: u64,
    /// What the shopper wanted to have.
    pub lines: Vec<Line>,
    pub calls: Vec<Call>,
}

impl Entry {
    pub fn of(&self, deed: Deed) -> impl Iterator<Item = &Call> {
        self.calls.iter().filter(move |call| call.deed == deed)
    }

    /// The reservation that was made.
    pub fn reservation(&self) -> Option<&str> {
        self.of(Deed::Reserve).find_map(|call| call.done()?.id.as_deref())
    }
}

/// Writes a line for each shopper.
pub fn save(path: &Path, entries: &[Entry]) -> Result<()> {
    let lines = entries.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>()?;
    fs::write(path, lines.join("\n")).with_context(|| format!("write {}", path.display()))
}

/// Reads what [`save`] has written.
pub fn load(path: &Path) -> Result<Vec<Entry>> {
    let text = fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    text.lines().map(|line| serde_json::from_str(line).with_context(|| format!("not an entry: {line}"))).collect()
}
