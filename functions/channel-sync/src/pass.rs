//! One pass over listings of one channel.

use std::collections::BTreeSet;

use channels::{Accepted, CallError, Connector, Push, Shown, Target};
use domain::{
    channel::{Buffer, ChannelSettings},
    ids::Channel,
    listing::{
        Found, LOOK_AGAIN_SECONDS, Listing, ListingId, Next, Seen, SyncState, claimed, count_from, earlier, judge,
        next, settled, taken, waiting,
    },
    publish::{Change, Counted, Pushed},
    pull::PullState,
    time::Timestamp,
};
use runtime::{App, channels::Met};
use store::{Basis, Failure};

use crate::in_flight;

/// A push is not sent later than so many seconds after it was written that it begins. With the ten seconds that its answer may take that
/// is far shorter than the sync queue hides a message: nobody else pushes the same listing meanwhile.
const LEASE_SECONDS: u64 = 20;

/// A number that the vendor has refused is tried again after so many seconds, if nothing changes before.
const REFUSED_AGAIN_SECONDS: u64 = 60 * 60;

/// A buffer that follows the speed of sales shrinks while nothing is sold, and so nothing marks the listing: it is looked at again after so
/// many seconds, until the buffer is as small as it may be. A sixth of the hour over which the speed is measured.
const FADING_SECONDS: u64 = 10 * 60;

/// A vendor who does not answer for so many listings is left alone: it need not be about these.
const MAX_SILENCES: usize = 2;

/// Why a pass ended early. What it did not reach stays marked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Ended {
    #[error(transparent)]
    Store(#[from] Failure),
    #[error(transparent)]
    Channel(#[from] CallError),
    #[error("the vendor is left alone for now")]
    Pausing,
}

impl Ended {
    /// Whether it is about the vendor, or the table, and so about every other listing.
    fn is_everybodys(&self) -> bool {
        !matches!(
            self,
            Self::Channel(CallError::Unavailable { .. } | CallError::Stale { .. } | CallError::Refused { .. })
        )
    }
}

impl From<store::Fault> for Ended {
    fn from(fault: store::Fault) -> Self {
        Self::Store(fault.into())
    }
}

/// What a pass works with.
struct Pass<'a> {
    app: &'a App,
    channel: &'a Channel,
    settings: ChannelSettings,
    pull: PullState,
    connector: &'a dyn Connector,
    /// When the listings were read.
    began: Timestamp,
}

/// A listing for which a number is to be pushed.
struct Due {
    listing: Listing,
    state: SyncState,
    computed: Pushed,
    change: Change,
    shown: u64,
    /// What may be shown for as long as the number is not applied.
    earlier: Vec<u64>,
    /// The marks that `computed` knows.
    seen: Seen,
}

/// A push that was written to begin.
struct Begun {
    listing: Listing,
    state: SyncState,
    computed: Pushed,
    shown: u64,
    earlier: Vec<u64>,
    seen: Seen,
}

/// Goes once over these listings of a channel.
pub(crate) async fn pass(app: &App, channel: &Channel, ids: &BTreeSet<ListingId>) -> Result<(), Ended> {
    let Some(settings) = app.store.channel_settings(channel).await? else { return Ok(()) };
    let Some(connector) = app.channels.connector(channel, &settings).await? else { return Ok(()) };
    let pull = app.store.pull_state(channel).await?;
    let pass = Pass { app, channel, settings, pull, connector: &*connector, began: app.now() };
    let ids: Vec<ListingId> = ids.iter().cloned().collect();
    let listings = app.store.listings_of(&ids).await?;
    let listings = listings.into_iter().filter(|(_, state)| state.is_due(app.now())).collect::<Vec<_>>();
    // What is not looked at stays marked, and is told again by the next poll.
    if !listings.is_empty() && !app.channels.may_ask(channel) {
        return Err(Ended::Pausing);
    }
    let (mut due, mut ended, mut silences) = (Vec::new(), Ok(()), 0);
    for some in listings.chunks(connector.abilities().batch.max(1)) {
        let targets: Vec<Target> = some.iter().map(|(listing, _)| target(listing)).collect();
        pass.turn(targets.len()).await;
        let looks = connector.read(&targets).await;
        pass.met(&looks);
        for ((listing, state), look) in some.iter().zip(looks) {
            match pass.decide(listing, state, look).await {
                Ok(decided) => due.extend(decided),
                // It stays marked. What was decided of the others may be that nothing is left.
                Err(error) => {
                    silences += if error.is_everybodys() { MAX_SILENCES } else { 1 };
                    ended = Err(error);
                }
            }
        }
        if silences >= MAX_SILENCES {
            break;
        }
    }
    // What could oversell first.
    due.sort_by_key(|due| due.change);
    pass.push(due).await.and(ended)
}

fn target(listing: &Listing) -> Target {
    Target { sku: listing.id.sku.clone(), remote: listing.remote.clone() }
}

impl Pass<'_> {
    /// Judges what is shown, holds units for sales in flight, and says what is to be pushed, if anything.
    async fn decide(
        &self,
        listing: &Listing,
        seen: &SyncState,
        look: Result<Shown, CallError>,
    ) -> Result<Option<Due>, Ended> {
        let (app, id) = (self.app, &listing.id);
        let seen = &seen.at(&listing.place(&self.settings));
        let shown = match look {
            Ok(shown) => shown.quantity,
            Err(CallError::Refused { reason }) => {
                self.refused(id, seen, reason, self.seen(seen)).await?;
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        let at = app.now();
        // Counted before anything else is read: a sale that is recorded from here on is told later, whether or not the number knows it.
        let from = count_from(seen, at);
        let counted = Counted { from, units: app.store.told(&id.channel, &id.sku, from).await? };
        let told = match seen.pushed {
            Some(pushed) if pushed.counted.from == from => counted.units.saturating_sub(pushed.counted.units),
            pushed => app.store.told_since(id, pushed).await?,
        };
        let judged = judge(seen, Found { shown, told, at, heard_at: self.pull.heard_at });
        if judged.disagrees && !seen.disagrees {
            tracing::error!(alarm = "listing-disagrees", listing = %id, shown, "closed: it shows what was not pushed");
        }
        let in_flight = in_flight::hold(app, id, seen, told, judged.in_flight).await?;
        let missing = in_flight.as_ref().map_or(0, |in_flight| in_flight.quantity.units());
        let state = SyncState {
            in_flight,
            disagreements: judged.disagreements,
            disagrees: judged.disagrees,
            awaited: judged.awaited,
            earlier: judged.earlier,
            lag_seconds: judged.lag_seconds,
            ..seen.clone()
        };
        let as_of = app.now();
        let basis = Basis { settings: &self.settings, pull: &self.pull, buffer: listing.buffer, state: &state };
        let terms = app.store.terms(&id.channel, &id.sku, basis, as_of).await?;
        let per_day = self.connector.abilities().revisions_per_day;
        // What is shown, as a number of ours.
        let found = Pushed { quantity: shown, in_flight: missing, as_of, counted };
        match next(&state, terms, shown, as_of, per_day) {
            Next::Push { quantity, change } => {
                let computed = Pushed { quantity, ..found };
                let (seen, earlier) = (self.seen(seen), earlier(&state, shown, told));
                return Ok(Some(Due { listing: listing.clone(), state, computed, change, shown, earlier, seen }));
            }
            Next::Settled => {
                let soon = (missing > 0 || state.disagrees).then_some(LOOK_AGAIN_SECONDS);
                let rule = listing.buffer.unwrap_or(self.settings.buffer);
                let look_at = soon.or(is_fading(rule, terms.buffer).then_some(FADING_SECONDS));
                let look_at = look_at.map(|seconds| as_of.plus_seconds(seconds));
                let rested = SyncState { look_at, ..settled(id, &state, found) };
                self.save(id, seen, rested, self.seen(seen)).await?;
            }
            Next::Await => {
                let look_at = Some(as_of.plus_seconds(LOOK_AGAIN_SECONDS));
                let awaiting = SyncState { version: state.version + 1, look_at, check_at: None, ..state };
                self.save(id, seen, awaiting, self.seen(seen)).await?;
            }
            Next::Wait => self.save(id, seen, waiting(&state, found), self.seen(seen)).await?,
        }
        Ok(None)
    }

    /// Pushes, as many at once as the vendor takes.
    async fn push(&self, mut due: Vec<Due>) -> Result<(), Ended> {
        let batch = self.connector.abilities().batch.max(1);
        let mut ended = Ok(());
        while !due.is_empty() {
            let (mut begun, some) = (Vec::new(), due.drain(..batch.min(due.len())).collect::<Vec<_>>());
            // Nobody waits between saying that a push begins and sending it.
            self.turn(some.len()).await;
            let claims_at = self.app.now();
            for Due { listing, state, computed, shown, earlier, seen, .. } in some {
                let begins = claimed(&state, computed.quantity, self.app.now());
                // Another writer is there: it sees what we saw, or more.
                let Some(claimed) = self.app.store.save_sync(&listing.id, &state, begins, None).await? else {
                    continue;
                };
                begun.push(Begun { listing, state: claimed, computed, shown, earlier, seen });
            }
            if let Err(error) = self.send(begun, claims_at).await {
                let is_everybodys = error.is_everybodys();
                ended = Err(error);
                if is_everybodys {
                    break;
                }
            }
        }
        ended
    }

    /// Sends what was written to begin from `claims_at` on, and writes what came of it.
    async fn send(&self, begun: Vec<Begun>, claims_at: Timestamp) -> Result<(), Ended> {
        let compares = self.connector.abilities().compare_and_set;
        let pushes = begun.iter().map(|begun| Push {
            target: target(&begun.listing),
            quantity: begun.computed.quantity,
            expected: compares.then_some(begun.shown),
            key: key(&begun.listing.id, begun.state.version),
        });
        let pushes: Vec<Push> = pushes.collect();
        if pushes.is_empty() {
            return Ok(());
        }
        if self.app.now().seconds_since(claims_at) >= LEASE_SECONDS {
            return Err(CallError::Unavailable { reason: "too late to push".to_owned() }.into());
        }
        let answers = self.connector.push(&pushes).await;
        self.met(&answers);
        let mut ended = Ok(());
        for (Begun { listing, state, computed, earlier, seen, .. }, answer) in begun.into_iter().zip(answers) {
            let id = &listing.id;
            match answer {
                Ok(accepted) => {
                    // Who says that it is applied is believed: whatever is missing from then on is sold.
                    let earlier = if accepted == Accepted::ForLater { earlier } else { Vec::new() };
                    let done = taken(&state, computed, earlier, self.app.now());
                    let quantity = computed.quantity;
                    tracing::info!(listing = %id, quantity, lag_seconds = done.lag_seconds, "pushed");
                    self.save(id, &state, done, seen).await?;
                }
                Err(CallError::Refused { reason }) => self.refused(id, &state, reason, seen).await?,
                Err(error) => {
                    // It was not applied, unless no answer came: then nobody knows.
                    if !matches!(error, CallError::Unavailable { .. }) {
                        let not = SyncState { version: state.version + 1, unanswered: None, ..state.clone() };
                        self.app.store.save_sync(id, &state, not, None).await?;
                    }
                    ended = Err(error.into());
                }
            }
        }
        ended
    }

    /// The vendor will refuse the same again: the merchant has to see why.
    async fn refused(&self, id: &ListingId, before: &SyncState, reason: String, seen: Seen) -> Result<(), Ended> {
        tracing::error!(alarm = "listing-refused", listing = %id, reason, "the channel refuses the listing");
        let again = self.app.now().plus_seconds(REFUSED_AGAIN_SECONDS);
        let state = SyncState {
            version: before.version + 1,
            refusal: Some(reason),
            unanswered: None,
            look_at: Some(again),
            check_at: None,
            ..before.clone()
        };
        self.save(id, before, state, seen).await
    }

    /// Waits until so many listings may be read or set.
    async fn turn(&self, listings: usize) {
        let abilities = self.connector.abilities();
        let calls = listings.div_ceil(abilities.listings_per_call.max(1));
        let calls = u32::try_from(calls).unwrap_or(u32::MAX);
        self.app.channels.turn(self.channel, calls, abilities.pushes_per_second).await;
    }

    /// Tells what the vendor has said: "not now" to any is said to all; it is silent only if it has answered none.
    fn met<T>(&self, answers: &[Result<T, CallError>]) {
        let mut met = None;
        for answer in answers {
            met = match (met, answer) {
                (Some(Met::Throttle { .. }), _) => met,
                (_, Err(CallError::Throttled { retry_after_seconds })) => {
                    Some(Met::Throttle { retry_after_seconds: *retry_after_seconds })
                }
                // Whoever is not let in has to be, and until then every call is one in vain.
                (
                    None | Some(Met::Silence),
                    Err(CallError::Unavailable { .. } | CallError::Unauthorized { .. } | CallError::Unconfigured(_)),
                ) => Some(Met::Silence),
                _ => Some(Met::Answer),
            };
        }
        if let Some(met) = met {
            self.app.channels.met(self.channel, met);
        }
    }

    /// The marks that this pass knows of a listing.
    fn seen(&self, state: &SyncState) -> Seen {
        Seen { marks: state.marks, at: self.began }
    }

    /// Writes what is known now, and answers the marks that were seen. If one has come meanwhile, nobody else was told of it: the listing
    /// is looked at once more. Each such message answers every mark until then, so there are never more of them than marks.
    async fn save(&self, id: &ListingId, before: &SyncState, state: SyncState, seen: Seen) -> Result<(), Ended> {
        let Some(saved) = self.app.store.save_sync(id, before, state, Some(seen)).await? else { return Ok(()) };
        if saved.marked_since.is_some()
            && let Some(queue) = self.app.channels.sync()
            && queue.look_at(&[(id.clone(), saved.marks)], self.app.now()).await.is_err()
        {
            tracing::warn!(listing = %id, "left to the next poll");
        }
        Ok(())
    }
}

/// Whether a buffer shrinks by itself.
fn is_fading(rule: Buffer, units: u64) -> bool {
    matches!(rule, Buffer::FromSpeed { floor } if units > floor)
}

/// The name of one push: the same whenever it is sent again.
fn key(id: &ListingId, version: u64) -> String {
    domain::ids::Fingerprint::of("push", &[&id.to_string(), &version.to_string()]).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_about_one_listing_holds_up_no_other() {
        let reason = || "in the vendor's words".to_owned();
        for (error, is_everybodys) in [
            (CallError::Unavailable { reason: reason() }, false),
            (CallError::Refused { reason: reason() }, false),
            (CallError::Stale { shown: None }, false),
            (CallError::Unauthorized { reason: reason() }, true),
            (CallError::Throttled { retry_after_seconds: 1 }, true),
        ] {
            let ended = Ended::from(error);
            assert_eq!(ended.is_everybodys(), is_everybodys, "{ended}");
        }
        assert!(Ended::Pausing.is_everybodys());
    }
}
