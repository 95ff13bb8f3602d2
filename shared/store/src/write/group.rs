//! **Group commit**: take units for several orders from one bucket, and count confirmed holds as sold to make room for theirs.
//!
//! One write that is a *hold* for each of the orders and a *settle*, with the conditions of all of them:
//!
//! - `a >= :q`: the units of all orders together are there.
//! - `attribute_not_exists(h.#rid)` for each order: a second delivery of its message takes nothing twice.
//! - `size(h) <= :others`: with those that come and without those that leave, the bucket carries no more holds than it may.
//! - the watermark is below the end of the new holds: a late copy of this very write, arriving after they were settled, fails.
//! - `h.#sold = :hold`, the exact value of each hold that is settled: no sale is counted twice.
//! - the watermark rises to the latest end that is settled, or is above it already. The planner gives the new holds a later end.

use std::fmt::Write as _;

use domain::{
    bucket::{BucketId, max_holds},
    group_commit::Commit,
    time::Timestamp,
};

use crate::{
    item::{instant, number, text},
    keys,
    table::Write,
};

/// `watermark` is what the bucket's was seen to be.
pub(crate) fn commit(bucket: &BucketId, commit: &Commit, watermark: Option<Timestamp>) -> Write {
    let Commit { holds, expires_at, settled } = commit;
    let taken: u64 = holds.iter().map(|(_, quantity)| quantity.units()).sum();
    let most = max_holds(bucket.child.is_some()) + settled.len();
    let (mut set, mut remove) = (String::from("SET a = a - :q"), String::new());
    let mut condition = String::from("a >= :q AND size(h) <= :others");
    let mut write = Write::update(keys::bucket(bucket), "", "")
        .value(":q", number(taken))
        .value(":others", number(most.saturating_sub(holds.len()) as u64));
    for (n, (id, quantity)) in holds.iter().enumerate() {
        // Writing to a String cannot fail, here and below.
        let _ = write!(set, ", h.#rid{n} = :hold{n}");
        let _ = write!(condition, " AND attribute_not_exists(h.#rid{n})");
        write = write
            .name(format!("#rid{n}"), id)
            .value(format!(":hold{n}"), text(domain::bucket::Hold { quantity: *quantity, expires_at: *expires_at }));
    }
    let latest = settled.iter().map(|(_, hold)| hold.expires_at).max();
    for (n, (id, hold)) in settled.iter().enumerate() {
        let _ = write!(remove, "{} h.#sold{n}", if n == 0 { " REMOVE" } else { "," });
        let _ = write!(condition, " AND h.#sold{n} = :sold{n}");
        write = write.name(format!("#sold{n}"), id).value(format!(":sold{n}"), text(hold));
    }
    match latest {
        None => {
            condition.push_str(" AND (attribute_not_exists(w) OR w < :exp)");
            write = write.value(":exp", instant(*expires_at));
        }
        Some(latest) => {
            let units: u64 = settled.iter().map(|(_, hold)| hold.quantity.units()).sum();
            set.push_str(", sold = sold + :s");
            write = write.value(":s", number(units)).value(":w", instant(latest));
            if watermark <= Some(latest) {
                set.push_str(", w = :w");
                condition.push_str(" AND (attribute_not_exists(w) OR w <= :w)");
            } else {
                condition.push_str(" AND w > :w AND w < :exp");
                write = write.value(":exp", instant(*expires_at));
            }
        }
    }
    write.saying(set + &remove, condition)
}
