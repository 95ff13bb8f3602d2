//! The settings of the merchant's ERP, `E#settings`; and what there is of a purchase order in it, the map `erp` of the order.

use std::{collections::BTreeMap, fmt::Display, str::FromStr};

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    erp::{ErpSettings, ErpSide, Standing},
    time::Day,
};

use super::{Reader, as_instant, as_number, as_text, instant, number, parsed, text};
use crate::{Fault, Item, keys};

/// The item of the settings.
pub(crate) fn encode_erp(settings: &ErpSettings) -> Item {
    let mut item = Item::from([
        (keys::PK.to_owned(), text(keys::ERP)),
        ("options".to_owned(), map(&settings.options)),
        ("items".to_owned(), map(&settings.items)),
        ("suppliers".to_owned(), map(&settings.suppliers)),
        ("since".to_owned(), instant(settings.since)),
        ("v".to_owned(), number(settings.version)),
    ]);
    if let Some(kind) = settings.kind {
        item.insert("kind".to_owned(), text(kind));
    }
    if let Some(endpoint) = &settings.endpoint {
        item.insert("endpoint".to_owned(), text(endpoint));
    }
    item
}

/// The settings in an item.
pub(crate) fn decode_erp(item: &Item) -> Result<ErpSettings, Fault> {
    let reader = Reader::new(item);
    Ok(ErpSettings {
        kind: reader.optional("kind", parsed)?,
        endpoint: reader.optional("endpoint", as_text)?.map(str::to_owned),
        options: reader.required("options", as_map)?,
        items: reader.required("items", as_map)?,
        suppliers: reader.required("suppliers", as_map)?,
        since: reader.required("since", as_instant)?,
        version: reader.required("v", as_number)?,
    })
}

/// The words of the attribute `at` of an order's map.
mod word {
    pub(super) const WAITING: &str = "waiting";
    pub(super) const ASKED: &str = "asked";
    pub(super) const REFUSED: &str = "refused";
    pub(super) const PLACED: &str = "placed";
    pub(super) const WITHDRAWN: &str = "withdrawn";
}

/// What there is of an order in the ERP, as an attribute.
pub(super) fn encode_side(side: &ErpSide) -> AttributeValue {
    let mut map = Item::from([("refusals".to_owned(), number(side.refusals.into()))]);
    let mut set = |name: &str, value: AttributeValue| drop(map.insert(name.to_owned(), value));
    match &side.standing {
        Standing::Waiting => set("at", text(word::WAITING)),
        Standing::Asked { at } => {
            set("at", text(word::ASKED));
            set("asked_at", instant(*at));
        }
        Standing::Refused { words } => {
            set("at", text(word::REFUSED));
            set("words", text(words));
        }
        Standing::Placed { kind, company, id, number: shown, expected_on } => {
            set("at", text(word::PLACED));
            set("kind", text(kind));
            if let Some(company) = company {
                set("company", text(company));
            }
            set("id", text(id));
            set("number", text(shown));
            if let Some(day) = expected_on {
                set("expected", number(day.epoch_days()));
            }
        }
        Standing::Withdrawn => set("at", text(word::WITHDRAWN)),
    }
    if let Some(concern) = &side.concern {
        set("concern", text(concern));
    }
    if let Some(trouble) = &side.trouble {
        set("trouble", text(trouble));
    }
    if let Some(looked_at) = side.looked_at {
        set("looked_at", instant(looked_at));
    }
    AttributeValue::M(map)
}

/// The same, read back.
pub(super) fn as_side(value: &AttributeValue) -> Option<ErpSide> {
    let map = value.as_m().ok()?;
    let words = |name: &str| as_text(map.get(name)?).map(str::to_owned);
    let standing = match as_text(map.get("at")?)? {
        word::WAITING => Standing::Waiting,
        word::ASKED => Standing::Asked { at: as_instant(map.get("asked_at")?)? },
        word::REFUSED => Standing::Refused { words: words("words")? },
        word::PLACED => Standing::Placed {
            kind: parsed(map.get("kind")?)?,
            company: given(map.get("company"), |value| as_text(value).map(str::to_owned))?,
            id: words("id")?,
            number: words("number")?,
            expected_on: given(map.get("expected"), |value| as_number(value).map(Day::from_epoch_days))?,
        },
        word::WITHDRAWN => Standing::Withdrawn,
        _ => return None,
    };
    let side = ErpSide {
        standing,
        refusals: as_number(map.get("refusals")?)?,
        concern: given(map.get("concern"), |value| as_text(value).map(str::to_owned))?,
        trouble: given(map.get("trouble"), |value| as_text(value).map(str::to_owned))?,
        looked_at: given(map.get("looked_at"), as_instant)?,
    };
    // Nothing else is in it.
    (encode_side(&side) == *value).then_some(side)
}

/// What may be absent, but not wrong.
#[expect(clippy::option_option, reason = "absent, and wrong, are two things")]
fn given<T>(value: Option<&AttributeValue>, read: impl Fn(&AttributeValue) -> Option<T>) -> Option<Option<T>> {
    match value {
        None => Some(None),
        Some(value) => read(value).map(Some),
    }
}

fn map<K: Display>(map: &BTreeMap<K, String>) -> AttributeValue {
    AttributeValue::M(map.iter().map(|(name, value)| (name.to_string(), text(value))).collect())
}

fn as_map<K: FromStr + Ord>(value: &AttributeValue) -> Option<BTreeMap<K, String>> {
    let map = value.as_m().ok()?.iter();
    map.map(|(name, value)| Some((name.parse().ok()?, as_text(value)?.to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use domain::{erp::ErpKind, time::Timestamp};

    use super::*;

    #[test]
    fn what_there_is_in_the_erp_reads_back() {
        let at = Timestamp::from_epoch_seconds(1_800_000_000);
        let placed = |expected_on: Option<Day>| {
            let (id, number) = ("99".to_owned(), "PO-99".to_owned());
            let company = expected_on.map(|_| "1234567_SB1".to_owned());
            Standing::Placed { kind: ErpKind::NetSuite, company, id, number, expected_on }
        };
        for standing in [
            Standing::Waiting,
            Standing::Asked { at },
            Standing::Refused { words: "Supplier V-9 is not on file".to_owned() },
            placed(None),
            placed(Some(Day::from_epoch_days(20_840))),
            Standing::Withdrawn,
        ] {
            let side = ErpSide::new(standing);
            assert_eq!(as_side(&encode_side(&side)), Some(side.clone()));
            let (concern, trouble) = (Some("there are two".to_owned()), Some("no answer".to_owned()));
            let full = ErpSide { refusals: 2, concern, trouble, looked_at: Some(at), ..side };
            let AttributeValue::M(mut map) = encode_side(&full) else { panic!("no map") };
            assert_eq!(as_side(&AttributeValue::M(map.clone())), Some(full));
            map.insert("looked_at".to_owned(), text("yesterday"));
            assert_eq!(as_side(&AttributeValue::M(map)), None, "wrong is not absent");
        }
    }

    #[test]
    fn settings_read_back() {
        let full = ErpSettings {
            kind: Some(ErpKind::QuickBooks),
            endpoint: Some("http://127.0.0.1:9".to_owned()),
            options: [("realm_id".to_owned(), "9".to_owned())].into(),
            items: [("tea".parse().unwrap(), "I-1".to_owned())].into(),
            suppliers: [("Leaf & Co".parse().unwrap(), "V-1".to_owned())].into(),
            since: Timestamp::from_epoch_seconds(5),
            version: 3,
        };
        for settings in [ErpSettings::default(), full] {
            assert_eq!(decode_erp(&encode_erp(&settings)).unwrap(), settings);
        }
    }
}
