//! A listing, and how far what is shown has followed.
//!
//! - **Create**, **change** `v`: only the version that the merchant saw is replaced.
//! - **Begin** `attribute_not_exists(pk)`: what is known of a listing is never forgotten because it was saved again.
//! - **Mark** `attribute_exists(pk)`: a SKU that is not listed needs nobody to look. A repeated mark is one look more.
//! - **Follow** `n` and `k` as seen: one writer at a time, and no mark is lost that came after the look.
//! - **Pull** `n`: what is known of a channel's orders never goes back to an earlier pull's.

use domain::{
    ids::Channel,
    listing::{Listing, ListingId, SyncState},
    pull::PullState,
    time::Timestamp,
};

use crate::{
    item::{encode_listing, encode_pull, encode_sync, instant, number, text},
    keys,
    table::Write,
};

/// **Create** a listing.
pub(crate) fn create(listing: &Listing) -> Write {
    Write::put(encode_listing(listing), "attribute_not_exists(pk)")
}

/// **Change** a listing whose version was `seen`.
pub(crate) fn change(listing: &Listing, seen: u64) -> Write {
    Write::put(encode_listing(listing), "v = :seen").value(":seen", number(seen))
}

/// **Begin** to follow a listing: it is marked, for what it shows is not known.
pub(crate) fn begin(id: &ListingId, now: Timestamp) -> Write {
    let state = SyncState { marks: 1, marked_since: Some(now), ..SyncState::default() };
    Write::put(encode_sync(id, &state), "attribute_not_exists(pk)")
}

/// **Mark** a listing: its units may have changed.
pub(crate) fn mark(id: &ListingId, now: Timestamp) -> Write {
    Write::update(
        keys::sync(id),
        "SET k = k + :one, marked = if_not_exists(marked, :now), #list = :list, #rank = :rank",
        "attribute_exists(pk)",
    )
    .name("#list", keys::LIST)
    .name("#rank", keys::RANK)
    .value(":one", number(1))
    .value(":now", instant(now))
    .value(":list", text(keys::unsettled_list(&id.channel)))
    .value(":rank", text(&id.sku))
}

/// **Follow**: what is known from now on, by the writer who saw `seen`.
pub(crate) fn follow(id: &ListingId, seen: &SyncState, state: &SyncState) -> Write {
    Write::put(encode_sync(id, state), "n = :n AND k = :k")
        .value(":n", number(seen.version))
        .value(":k", number(seen.marks))
}

/// **Pull**: what is known of a channel's orders from now on. `seen` is the version before; 0 for the first time.
pub(crate) fn pull(channel: &Channel, seen: u64, state: &PullState) -> Write {
    Write::put(encode_pull(channel, state), "attribute_not_exists(pk) OR n = :n").value(":n", number(seen))
}
