//! The merchant's ERP, and what there is of an order in it, as the API shows them.

use std::collections::BTreeMap;

use domain::{
    erp::{ErpKind, ErpSettings, ErpSide, Standing},
    ids::{Sku, Supplier},
};
use http::view::rfc3339;
use serde::Serialize;

/// The word for no ERP.
pub(crate) const NONE: &str = "none";

/// The settings.
#[derive(Debug, Serialize)]
pub(crate) struct ErpView<'a> {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<&'a str>,
    options: &'a BTreeMap<String, String>,
    items: BTreeMap<&'a str, &'a str>,
    suppliers: BTreeMap<&'a str, &'a str>,
    version: u64,
}

impl<'a> ErpView<'a> {
    pub(crate) fn new(settings: &'a ErpSettings) -> Self {
        Self {
            kind: settings.kind.map_or(NONE, ErpKind::word),
            endpoint: settings.endpoint.as_deref(),
            options: &settings.options,
            items: settings.items.iter().map(|(sku, id)| (Sku::as_str(sku), id.as_str())).collect(),
            suppliers: settings.suppliers.iter().map(|(name, id)| (Supplier::as_str(name), id.as_str())).collect(),
            version: settings.version,
        }
    }
}

/// An order in the ERP.
#[derive(Debug, Serialize)]
pub(crate) struct ErpSideView<'a> {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<&'a str>,
    /// In the ERP's own words.
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'a str>,
    refusals: u32,
    /// What was noticed when it was created there.
    #[serde(skip_serializing_if = "Option::is_none")]
    concern: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    looked_at: Option<String>,
}

impl<'a> ErpSideView<'a> {
    pub(crate) fn new(side: &'a ErpSide) -> Self {
        let (status, kind, id, number, refusal) = match &side.standing {
            Standing::Waiting => ("waiting", None, None, None, None),
            Standing::Asked { .. } => ("asked", None, None, None, None),
            Standing::Refused { words } => ("refused", None, None, None, Some(words.as_str())),
            Standing::Placed { kind, id, number, .. } => {
                ("placed", Some(kind.word()), Some(id.as_str()), Some(number.as_str()), None)
            }
            Standing::Withdrawn => ("withdrawn", None, None, None, None),
        };
        let (refusals, concern, trouble) = (side.refusals, side.concern.as_deref(), side.trouble.as_deref());
        Self { status, kind, id, number, refusal, refusals, concern, trouble, looked_at: side.looked_at.map(rfc3339) }
    }
}
