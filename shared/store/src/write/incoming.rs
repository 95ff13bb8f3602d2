//! The home of a pool of units that are to come. It is held in, settled and released as any other; these writes give it what is ordered, and
//! take from it what will not come or came for nobody. Each is a part of the transaction that changes what is on its way, or that moves a
//! surplus.
//!
//! - It is made as any home is ([`super::pool::open`]), once.
//! - **Follow** sets what `domain::purchase::backorder` says, so all that it says it of must be as it was seen: `a`, for shoppers hold and
//!   release there; `owed`, for a release covers it; `hi`, for no child may be opened in between; and `g`, which stands for `f` and
//!   for every movement.

use domain::bucket::{Bucket, StockId};

use crate::{item::number, keys, table::Write};

/// What the home of a pool becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Next {
    /// Its own free units.
    pub(crate) free: u64,
    /// What nothing brings.
    pub(crate) shortfall: u64,
    /// What has arrived for promises.
    pub(crate) arrived: u64,
}

/// **Follow**: the home that was seen as `seen` becomes this.
pub(crate) fn follow(stock: &StockId, seen: &Bucket, next: Next) -> Write {
    let home = seen.home().copied().unwrap_or_default();
    let owed = match (home.shortfall, next.shortfall) {
        (0, 0) => "",
        (_, 0) => " REMOVE owed",
        _ => ", owed = :left",
    };
    let as_seen = if home.shortfall == 0 { "attribute_not_exists(owed)" } else { "owed = :owed" };
    let write = Write::update(
        keys::bucket(&stock.home()),
        format!("SET a = :free, f = :arrived, g = g + :one{owed}"),
        format!("a = :a AND hi = :hi AND g = :seen AND {as_seen}"),
    )
    .value(":free", number(next.free))
    .value(":arrived", number(next.arrived))
    .value(":one", number(1))
    .value(":a", number(seen.free))
    .value(":hi", number(home.next_child.into()))
    .value(":seen", number(home.generation));
    let write = if home.shortfall == 0 { write } else { write.value(":owed", number(home.shortfall)) };
    if next.shortfall == 0 { write } else { write.value(":left", number(next.shortfall)) }
}
