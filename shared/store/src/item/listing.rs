//! A listing, and how far what is shown has followed: two items, so that the merchant's writes and the writer's never meet.
//!
//! | item | attributes |
//! |---|---|
//! | `L#<channel>#<sku>` | `remote`, `buffer`, `sync`, `v` |
//! | `T#<channel>#<sku>` | `n` version · `k` marks · `marked` since · `pl` place · `pq`,`pf`,`pa` pushed: quantity, in flight, as of · `cf`,`cu` sales counted: from, units · `uq` unanswered · `ws`,`wq` awaited: since, at most · `qe` earlier numbers · `look` · `check` when it is read again · `dis`,`closed` disagreements · `fq`,`fs`,`fr` in flight: units, since, reservation · `day`,`rev` revisions · `refusal` · `lag` |

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    listing::{Awaited, InFlight, Listing, ListingId, SyncState},
    publish::{Counted, Pushed},
    quantity::Quantity,
};

use super::{Reader, as_instant, as_number, as_text, instant, number, parsed, text};
use crate::{Fault, Item, keys};

/// The item of a listing.
pub(crate) fn encode_listing(listing: &Listing) -> Item {
    let remote = listing.remote.iter().map(|(name, id)| (name.clone(), text(id))).collect();
    let mut item = Item::from([
        (keys::PK.to_owned(), text(keys::listing(&listing.id))),
        (keys::LIST.to_owned(), text(keys::listing_list(&listing.id.channel))),
        (keys::RANK.to_owned(), text(&listing.id.sku)),
        ("remote".to_owned(), AttributeValue::M(remote)),
        ("v".to_owned(), number(listing.version)),
    ]);
    if let Some(buffer) = listing.buffer {
        item.insert("buffer".to_owned(), text(buffer));
    }
    if let Some(sync) = listing.sync {
        item.insert("sync".to_owned(), text(sync));
    }
    item
}

/// The listing in an item.
pub(crate) fn decode_listing(item: &Item) -> Result<Listing, Fault> {
    let reader = Reader::new(item);
    Ok(Listing {
        id: id(&reader)?,
        remote: reader.required("remote", as_texts)?,
        buffer: reader.optional("buffer", parsed)?,
        sync: reader.optional("sync", parsed)?,
        version: reader.required("v", as_number)?,
    })
}

/// The item of how far a listing has followed.
pub(crate) fn encode_sync(id: &ListingId, state: &SyncState) -> Item {
    let (day, spent) = state.revisions;
    let mut item = Item::from([
        (keys::PK.to_owned(), text(keys::sync(id))),
        ("n".to_owned(), number(state.version)),
        ("k".to_owned(), number(state.marks)),
        ("dis".to_owned(), number(state.disagreements.into())),
        ("closed".to_owned(), AttributeValue::Bool(state.disagrees)),
        ("day".to_owned(), number(day)),
        ("rev".to_owned(), number(spent.into())),
        ("lag".to_owned(), number(state.lag_seconds)),
    ]);
    let mut set = |name: &str, value: Option<AttributeValue>| {
        if let Some(value) = value {
            item.insert(name.to_owned(), value);
        }
    };
    // In the list while somebody has to look at it: the index follows only when that changes. Else in the list of those that are read again,
    // by the time: nobody goes through all that are settled to find the few that are due.
    let place = if state.marked_since.is_some() || state.look_at.is_some() {
        Some((keys::unsettled_list(&id.channel), id.sku.to_string()))
    } else {
        state.check_at.map(|at| (keys::check_list(&id.channel), keys::check_rank(at, &id.sku)))
    };
    set(keys::LIST, place.as_ref().map(|(list, _)| text(list)));
    set(keys::RANK, place.as_ref().map(|(_, rank)| text(rank)));
    set("marked", state.marked_since.map(instant));
    set("pl", state.place.as_ref().map(text));
    set("pq", state.pushed.map(|pushed| number(pushed.quantity)));
    set("pf", state.pushed.map(|pushed| number(pushed.in_flight)));
    set("pa", state.pushed.map(|pushed| instant(pushed.as_of)));
    set("cf", state.pushed.map(|pushed| instant(pushed.counted.from)));
    set("cu", state.pushed.map(|pushed| number(pushed.counted.units)));
    set("uq", state.unanswered.map(number));
    set("ws", state.awaited.map(|awaited| instant(awaited.since)));
    set("wq", state.awaited.map(|awaited| number(awaited.at_most)));
    set("qe", (!state.earlier.is_empty()).then(|| numbers(&state.earlier)));
    set("look", state.look_at.map(instant));
    set("check", state.check_at.map(instant));
    set("fq", state.in_flight.as_ref().map(|in_flight| number(in_flight.quantity.units())));
    set("fs", state.in_flight.as_ref().map(|in_flight| instant(in_flight.since)));
    set("ft", state.in_flight.as_ref().map(|in_flight| number(in_flight.told)));
    set("fr", state.in_flight.as_ref().and_then(|in_flight| in_flight.id.as_ref()).map(text));
    set("refusal", state.refusal.as_ref().map(text));
    item
}

/// How far a listing has followed.
pub(crate) fn decode_sync(item: &Item) -> Result<SyncState, Fault> {
    let reader = Reader::new(item);
    id(&reader)?;
    Ok(SyncState {
        version: reader.required("n", as_number)?,
        marks: reader.required("k", as_number)?,
        marked_since: reader.optional("marked", as_instant)?,
        place: reader.optional("pl", parsed)?,
        pushed: pushed(&reader)?,
        unanswered: reader.optional("uq", as_number)?,
        awaited: awaited(&reader)?,
        earlier: reader.optional("qe", as_numbers)?.unwrap_or_default(),
        look_at: reader.optional("look", as_instant)?,
        check_at: reader.optional("check", as_instant)?,
        disagreements: reader.required("dis", as_number)?,
        disagrees: reader.required("closed", as_bool)?,
        in_flight: in_flight(&reader)?,
        revisions: (reader.required("day", as_number)?, reader.required("rev", as_number)?),
        refusal: reader.optional("refusal", as_text)?.map(str::to_owned),
        lag_seconds: reader.required("lag", as_number)?,
    })
}

fn pushed(reader: &Reader<'_>) -> Result<Option<Pushed>, Fault> {
    let Some(quantity) = reader.optional("pq", as_number)? else { return Ok(None) };
    let in_flight = reader.required("pf", as_number)?;
    let counted = Counted { from: reader.required("cf", as_instant)?, units: reader.required("cu", as_number)? };
    Ok(Some(Pushed { quantity, in_flight, as_of: reader.required("pa", as_instant)?, counted }))
}

fn awaited(reader: &Reader<'_>) -> Result<Option<Awaited>, Fault> {
    let Some(since) = reader.optional("ws", as_instant)? else { return Ok(None) };
    Ok(Some(Awaited { since, at_most: reader.required("wq", as_number)? }))
}

fn in_flight(reader: &Reader<'_>) -> Result<Option<InFlight>, Fault> {
    let Some(quantity) = reader.optional("fq", |value| Quantity::new(as_number(value)?).ok())? else {
        return Ok(None);
    };
    let since = reader.required("fs", as_instant)?;
    let told = reader.optional("ft", as_number)?.unwrap_or(0);
    Ok(Some(InFlight { id: reader.optional("fr", parsed)?, quantity, since, told }))
}

fn id(reader: &Reader<'_>) -> Result<ListingId, Fault> {
    keys::name(reader.key).parse().map_err(|_| reader.malformed("its key names no listing"))
}

fn as_bool(value: &AttributeValue) -> Option<bool> {
    value.as_bool().ok().copied()
}

fn numbers(values: &[u64]) -> AttributeValue {
    AttributeValue::L(values.iter().copied().map(number).collect())
}

fn as_numbers(value: &AttributeValue) -> Option<Vec<u64>> {
    value.as_l().ok()?.iter().map(as_number).collect()
}

fn as_texts(value: &AttributeValue) -> Option<BTreeMap<String, String>> {
    let entries = value.as_m().ok()?.iter();
    entries.map(|(name, value)| Some((name.clone(), as_text(value)?.to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use domain::{
        channel::{Buffer, SyncMode},
        ids::Fingerprint,
        time::Timestamp,
    };

    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_epoch_seconds(seconds)
    }

    #[test]
    fn a_listing_reads_back_what_it_writes() {
        for (buffer, sync) in [
            (None, None),
            (Some(Buffer::Units(3)), Some(SyncMode::OnPoll)),
            (Some(Buffer::FromSpeed { floor: 2 }), Some(SyncMode::OnChange)),
        ] {
            let remote = BTreeMap::from([("offer_id".to_owned(), "o-1".to_owned())]);
            let listing = Listing { id: "ebay#tea".parse().unwrap(), remote, buffer, sync, version: 7 };
            assert_eq!(decode_listing(&encode_listing(&listing)).unwrap(), listing);
        }
    }

    #[test]
    fn how_far_it_has_followed_reads_back_and_is_listed_while_somebody_has_to_look() {
        let id: ListingId = "ebay#tea".parse().unwrap();
        let full = SyncState {
            version: 4,
            marks: 9,
            marked_since: Some(at(10)),
            place: Some(Fingerprint::of("place", &["7"])),
            pushed: Some(Pushed {
                quantity: 5,
                in_flight: 1,
                as_of: at(8),
                counted: Counted { from: at(2), units: 3 },
            }),
            unanswered: Some(3),
            awaited: Some(Awaited { since: at(6), at_most: 5 }),
            earlier: vec![0, 7],
            look_at: Some(at(99)),
            check_at: Some(at(1_234)),
            disagreements: 1,
            disagrees: true,
            in_flight: Some(InFlight {
                id: "0123456789abcdef".parse().ok(),
                quantity: Quantity::new(1).unwrap(),
                since: at(7),
                told: 2,
            }),
            revisions: (20_000, 17),
            refusal: Some("no".to_owned()),
            lag_seconds: 4,
        };
        for (state, listed) in [
            (SyncState::default(), None),
            (full.clone(), Some(("unsettled#ebay", "tea"))),
            (SyncState { marked_since: None, ..full.clone() }, Some(("unsettled#ebay", "tea"))),
            (SyncState { look_at: None, ..full.clone() }, Some(("unsettled#ebay", "tea"))),
            (
                SyncState { marked_since: None, look_at: None, ..full.clone() },
                Some(("checks#ebay", "000000001234#tea")),
            ),
            (SyncState { marked_since: None, look_at: None, check_at: None, ..full }, None),
        ] {
            let item = encode_sync(&id, &state);
            assert_eq!(item.get("list").and_then(as_text).zip(item.get("rank").and_then(as_text)), listed);
            assert_eq!(decode_sync(&item).unwrap(), state);
        }
    }

    #[test]
    fn what_was_written_before_it_had_these_attributes_reads() {
        let id: ListingId = "ebay#tea".parse().unwrap();
        let pushed = Pushed { quantity: 5, in_flight: 0, as_of: at(8), counted: Counted { from: at(2), units: 3 } };
        let awaited = Some(Awaited { since: at(6), at_most: 5 });
        let state = SyncState { pushed: Some(pushed), awaited, ..SyncState::default() };
        let item = encode_sync(&id, &state);
        assert!(["pl", "qe", "check"].iter().all(|name| !item.contains_key(*name)), "{item:?}");
        assert_eq!(decode_sync(&item).unwrap(), state);
    }

    #[test]
    fn half_a_push_is_malformed() {
        let mut item = encode_sync(&"ebay#tea".parse().unwrap(), &SyncState::default());
        item.insert("pq".to_owned(), number(5));
        assert!(decode_sync(&item).is_err());
    }
}
