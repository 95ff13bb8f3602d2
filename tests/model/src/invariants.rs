//! What must hold in every state. The numbers are those of the protocol's page.

use crate::{
    config::Config,
    resolve::when_quiet,
    state::{BUCKETS, CANCELED, Hold, ORDERS, REFUND, RIDS, SOLD, State, Status, order},
};

/// Whether an invariant holds.
pub type Check = fn(&Config, &State) -> bool;

/// The invariants: name and check.
pub const INVARIANTS: [(&str, Check); 6] = [
    ("I0 no bucket has fewer than no units", no_debt),
    ("I1 no unit appears or vanishes", units_are_conserved),
    ("I2 each sale is counted once", sales_are_counted_once),
    ("I3 no sale without a unit", every_named_hold_is_there),
    ("I4 the answers agree with the records", answers_agree),
    ("I5 when all is quiet only sales own units", nothing_leaks),
];

fn no_debt(_: &Config, state: &State) -> bool {
    state.buckets.iter().all(|bucket| bucket.a >= 0)
}

fn units_are_conserved(config: &Config, state: &State) -> bool {
    let sum = |bucket: &crate::state::Bucket| bucket.a + bucket.sold + bucket.h.iter().map(|hold| hold.q).sum::<i8>();
    state.buckets.iter().map(sum).sum::<i8>() == config.received()
}

/// Σ q over confirmed reservations = Σ sold + Σ h.q that a confirmed reservation names.
fn sales_are_counted_once(_: &Config, state: &State) -> bool {
    let confirmed = || state.records.iter().zip(0..RIDS).filter(|(record, _)| record.status == Status::Confirmed);
    let wanted: i8 = confirmed().map(|(record, _)| record.q).sum();
    let held = confirmed().flat_map(|(record, rid)| {
        (0..).zip(&state.buckets).map(move |(bucket, b)| if record.names(bucket, b.h[rid]) { b.h[rid].q } else { 0 })
    });
    let sold: i8 = state.buckets.iter().map(|bucket| bucket.sold).sum();
    wanted == sold + held.sum::<i8>()
}

/// Every hold named by an active or confirmed reservation is in its bucket, or was settled.
fn every_named_hold_is_there(_: &Config, state: &State) -> bool {
    state.records.iter().zip(0..RIDS).filter(|(record, _)| record.keeps_its_holds()).all(|(record, rid)| {
        (0..BUCKETS).all(|n| {
            let (named, bucket) = (record.alloc[n], &state.buckets[n]);
            named.is_none() || bucket.h[rid] == named || bucket.settled[rid] == named
        })
    })
}

/// An order is confirmed at most once; "sold" was answered only if it is; "refund" only if it never will be; "canceled" only if it is not,
/// as long as anything is known of that.
fn answers_agree(_: &Config, state: &State) -> bool {
    let confirmed = |number: usize| {
        let own = state.records.iter().zip(0..).filter(|(_, rid)| order(*rid) == number);
        own.filter(|(record, _)| record.status == Status::Confirmed).count()
    };
    (0..ORDERS).all(|number| {
        let (answers, confirmed) = (state.answers[number], confirmed(number));
        let refused = answers & (REFUND | CANCELED) != 0;
        confirmed <= 1 && (answers & SOLD == 0 || confirmed == 1) && !(refused && confirmed > 0)
    })
}

/// Whatever state this is: if everybody crashed now and the resolvers ran, all units would be free or sold.
fn nothing_leaks(config: &Config, state: &State) -> bool {
    let quiet = when_quiet(config, state);
    let no_holds = quiet.buckets.iter().flat_map(|bucket| bucket.h).all(Hold::is_none);
    no_holds && sales_are_counted_once(config, &quiet) && units_are_conserved(config, &quiet)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{configurations::CONFIGURATIONS, state::Record};

    #[test]
    fn who_was_told_that_it_is_canceled_is_sold_nothing_until_that_is_forgotten() {
        let config = CONFIGURATIONS[0];
        let mut state = config.beginnings()[0];
        let sold = Record { status: Status::Confirmed, ..Record::default() };
        state.answer(0, CANCELED);
        assert!(answers_agree(&config, &state));
        state.records[0] = sold;
        assert!(!answers_agree(&config, &state));
        state.purge(0);
        state.records[0] = sold;
        assert!(answers_agree(&config, &state));
    }
}
