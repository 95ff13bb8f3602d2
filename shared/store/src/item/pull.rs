//! How far the orders of a channel have been heard: `n` version · `until` · `heard` · `tried` · `failure` · `unreadable` · `told`, of what
//! all listings were told last: 1 that the channel is stale, 0 that it is not · `cursor`, where a pull was cut off, with `since`, `began` and
//! `got`.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    ids::Channel,
    pull::{Place, PullState},
};

use super::{Reader, as_instant, as_list, as_number, as_text, instant, number, text, texts};
use crate::{Fault, Item, keys};

/// The item of it.
pub(crate) fn encode_pull(channel: &Channel, state: &PullState) -> Item {
    let mut item = Item::from([
        (keys::PK.to_owned(), text(keys::pull(channel))),
        ("n".to_owned(), number(state.version)),
        ("unreadable".to_owned(), texts(&state.unreadable)),
    ]);
    let mut set = |name: &str, value: Option<AttributeValue>| {
        if let Some(value) = value {
            item.insert(name.to_owned(), value);
        }
    };
    set("until", state.complete_until.map(instant));
    set("heard", state.heard_at.map(instant));
    set("tried", state.tried_at.map(instant));
    set("failure", state.failure.as_ref().map(text));
    set("told", state.announced.map(|stale| number(u64::from(stale))));
    set("cursor", state.place.as_ref().map(|place| text(&place.cursor)));
    set("since", state.place.as_ref().map(|place| instant(place.since)));
    set("began", state.place.as_ref().map(|place| instant(place.began_at)));
    set("got", state.place.as_ref().map(|place| instant(place.got_at)));
    item
}

/// What an item says of it.
pub(crate) fn decode_pull(item: &Item) -> Result<PullState, Fault> {
    let reader = Reader::new(item);
    let cursor = reader.optional("cursor", as_text)?.map(str::to_owned);
    let place = |cursor| {
        let instant = |name| reader.required(name, as_instant);
        Ok::<_, Fault>(Place { since: instant("since")?, began_at: instant("began")?, got_at: instant("got")?, cursor })
    };
    Ok(PullState {
        version: reader.required("n", as_number)?,
        complete_until: reader.optional("until", as_instant)?,
        heard_at: reader.optional("heard", as_instant)?,
        tried_at: reader.optional("tried", as_instant)?,
        failure: reader.optional("failure", as_text)?.map(str::to_owned),
        unreadable: reader.required("unreadable", as_list)?,
        announced: reader.optional("told", as_number::<u64>)?.map(|stale| stale != 0),
        place: cursor.map(place).transpose()?,
    })
}

#[cfg(test)]
mod tests {
    use domain::time::Timestamp;

    use super::*;

    #[test]
    fn what_is_known_of_a_channel_reads_back() {
        let at = Timestamp::from_epoch_seconds(1_800_000_000);
        let channel: Channel = "ebay".parse().unwrap();
        let pulled = PullState::default().succeeded(at, &["order 7: no SKU".to_owned()]);
        let (closed, open) = (pulled.with_announced(true), pulled.with_announced(false));
        let cut_off = pulled.got_to(at.plus_seconds(60), "two".to_owned()).failed(at, "throttled".to_owned(), &[]);
        for state in [PullState::default(), pulled.failed(at, "down".to_owned(), &[]), pulled, closed, open, cut_off] {
            assert_eq!(decode_pull(&encode_pull(&channel, &state)).unwrap(), state);
        }
    }
}
