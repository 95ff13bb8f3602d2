//! Quantities, as eBay writes and reads them. Pure: bytes in, values out.

use serde::{Deserialize, Serialize};

use crate::{CallError, Target, path::segment};

/// Offers that one call may revise. Source: Inventory API, `bulkUpdatePriceQuantity`.
const MAX_OFFERS: usize = 25;

/// Characters of eBay's words that are repeated.
const MAX_WORDS_CHARS: usize = 300;

/// The offers of a listing, each fit for a path and a body.
///
/// # Errors
/// [`CallError::Refused`] for what is no id, and for too many.
pub fn offers(target: &Target) -> Result<Vec<String>, CallError> {
    let text = target.remote.get("offer_id").map_or("", String::as_str);
    let ids: Vec<&str> = text.split(',').map(str::trim).filter(|id| !id.is_empty()).collect();
    // An id that a path would have to encode is none of eBay's: they are digits.
    let wrong = ids.iter().find(|id| segment(id).as_deref() != Some(**id));
    match wrong {
        Some(id) => Err(CallError::Refused { reason: format!("{id:?} is not an offer id") }),
        None if ids.len() > MAX_OFFERS => {
            Err(CallError::Refused { reason: format!("more than {MAX_OFFERS} offers of one SKU") })
        }
        None => Ok(ids.into_iter().map(str::to_owned).collect()),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Revision<'a> {
    sku: &'a str,
    ship_to_location_availability: Available,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    offers: Vec<OfferRevision<'a>>,
}

#[derive(Serialize)]
struct Available {
    quantity: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OfferRevision<'a> {
    offer_id: &'a str,
    available_quantity: u64,
}

/// The body that sets a quantity.
#[must_use]
pub fn revision(sku: &str, offers: &[String], quantity: u64) -> Vec<u8> {
    let offers = offers.iter().map(|id| OfferRevision { offer_id: id, available_quantity: quantity }).collect();
    let revision = Revision { sku, ship_to_location_availability: Available { quantity }, offers };
    serde_json::json!({ "requests": [revision] }).to_string().into_bytes()
}

#[derive(Deserialize)]
struct Revised {
    #[serde(default)]
    responses: Vec<OneRevised>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OneRevised {
    sku: Option<String>,
    offer_id: Option<String>,
    status_code: u16,
    #[serde(default)]
    errors: Vec<Fault>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fault {
    error_id: Option<u64>,
    message: Option<String>,
    long_message: Option<String>,
}

#[derive(Deserialize)]
struct Faults {
    errors: Vec<Fault>,
}

/// Whether the SKU and each of its offers was revised.
///
/// # Errors
/// [`CallError`] with eBay's words when one was not, or is not spoken of.
pub fn revised(sku: &str, offers: &[String], body: &[u8]) -> Result<(), CallError> {
    let revised: Revised = parse(body)?;
    if let Some(bad) = revised.responses.iter().find(|one| !(200..300).contains(&one.status_code)) {
        let reason = format!("{} {}", bad.status_code, in_words(&bad.errors));
        return Err(match bad.status_code {
            500.. => CallError::Unavailable { reason },
            _ => CallError::Refused { reason },
        });
    }
    let speaks_of = |offer: &String| revised.responses.iter().any(|one| one.offer_id.as_ref() == Some(offer));
    let speaks_of_sku = revised.responses.iter().any(|one| one.sku.as_deref().is_none_or(|named| named == sku));
    if !speaks_of_sku || !offers.iter().all(speaks_of) {
        return Err(CallError::Unavailable { reason: "the answer does not speak of every quantity".to_owned() });
    }
    Ok(())
}

#[derive(Deserialize)]
struct Item {
    availability: Option<Availability>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Availability {
    ship_to_location_availability: Option<Quantity>,
}

#[derive(Deserialize)]
struct Quantity {
    quantity: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Offer {
    available_quantity: Option<u64>,
}

/// The quantity of an inventory item.
///
/// # Errors
/// [`CallError::Unavailable`] for what is not an inventory item; [`CallError::Refused`] for one without a quantity.
pub fn of_item(body: &[u8]) -> Result<u64, CallError> {
    let availability = parse::<Item>(body)?.availability;
    let quantity = availability.and_then(|availability| availability.ship_to_location_availability?.quantity);
    quantity.ok_or_else(|| CallError::Refused { reason: "the inventory item has no quantity".to_owned() })
}

/// The quantity of an offer.
///
/// # Errors
/// [`CallError::Unavailable`] for what is not an offer; [`CallError::Refused`] for one without a quantity.
pub fn of_offer(body: &[u8]) -> Result<u64, CallError> {
    let quantity = parse::<Offer>(body)?.available_quantity;
    quantity.ok_or_else(|| CallError::Refused { reason: "the offer has no quantity".to_owned() })
}

/// What an answer says is wrong, if it is eBay's list of errors.
#[must_use]
pub fn errors_in(body: &[u8]) -> Option<String> {
    let faults: Faults = serde_json::from_slice(body).ok()?;
    (!faults.errors.is_empty()).then(|| in_words(&faults.errors))
}

fn in_words(faults: &[Fault]) -> String {
    let one = |fault: &Fault| {
        let text = fault.long_message.as_deref().or(fault.message.as_deref()).unwrap_or("no reason given");
        fault.error_id.map_or_else(|| text.to_owned(), |id| format!("{id}: {text}"))
    };
    let all = faults.iter().map(one).collect::<Vec<_>>().join("; ");
    all.chars().filter(|c| !c.is_control()).take(MAX_WORDS_CHARS).collect()
}

/// Reads an answer of which only the shape is expected, not the words: they stay out of the error.
pub(super) fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, CallError> {
    serde_json::from_slice(body).map_err(|error| CallError::Unavailable {
        reason: format!("an answer that is not understood (line {}, column {})", error.line(), error.column()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(offers: &str) -> Target {
        Target { sku: "mug".parse().unwrap(), remote: [("offer_id".to_owned(), offers.to_owned())].into() }
    }

    #[test]
    fn offers_are_read_one_by_one_and_only_ids() {
        assert_eq!(offers(&target(" 8,9, ")), Ok(vec!["8".to_owned(), "9".to_owned()]));
        assert_eq!(offers(&target("")), Ok(vec![]));
        for wrong in ["8/../9", "..", "8?x"] {
            assert!(matches!(offers(&target(wrong)), Err(CallError::Refused { .. })), "{wrong}");
        }
        assert!(offers(&target(&vec!["1"; 26].join(","))).is_err());
    }

    #[test]
    fn a_revision_counts_only_if_every_part_of_it_is_spoken_well_of() {
        let offers = ["8".to_owned()];
        let said = |body: &str| revised("mug", &offers, body.as_bytes());
        let both = r#"{"responses":[{"sku":"mug","statusCode":200},{"sku":"mug","offerId":"8","statusCode":200}]}"#;
        assert_eq!(said(both), Ok(()));
        // eBay documents one entry for an offer together with its SKU, too.
        assert_eq!(said(r#"{"responses":[{"sku":"mug","offerId":"8","statusCode":200,"new":1}]}"#), Ok(()));
        let refused = said(
            r#"{"responses":[{"sku":"mug","statusCode":200},
                {"offerId":"8","statusCode":400,"errors":[{"errorId":25713,"message":"no offer"}]}]}"#,
        );
        assert_eq!(refused, Err(CallError::Refused { reason: "400 25713: no offer".to_owned() }));
        assert!(matches!(
            said(r#"{"responses":[{"sku":"mug","offerId":"8","statusCode":500}]}"#),
            Err(CallError::Unavailable { .. })
        ));
        for silent in [
            "{}",
            r#"{"responses":[]}"#,
            r#"{"responses":[{"sku":"mug","statusCode":200}]}"#,
            r#"{"responses":[{"sku":"cup","offerId":"8","statusCode":200}]}"#,
            "not json",
        ] {
            assert!(matches!(said(silent), Err(CallError::Unavailable { .. })), "{silent}");
        }
    }

    #[test]
    fn a_quantity_that_is_none_is_not_taken_for_zero() {
        let item =
            |q: &str| of_item(format!(r#"{{"availability":{{"shipToLocationAvailability":{{{q}}}}}}}"#).as_bytes());
        assert_eq!(item(r#""quantity":7,"x":1"#), Ok(7));
        for wrong in ["", r#""quantity":-1"#, r#""quantity":1.5"#, r#""quantity":null"#] {
            assert!(item(wrong).is_err(), "{wrong}");
        }
        assert_eq!(of_offer(br#"{"availableQuantity":0}"#), Ok(0));
        // Nobody can help it but a person.
        for nothing in [of_offer(br#"{"offerId":"8"}"#), of_item(b"{}"), of_item(br#"{"availability":{}}"#)] {
            assert!(matches!(nothing, Err(CallError::Refused { .. })));
        }
    }
}
