//! Listings: what the merchant says of them, who has to look at them, and what is known since.

use domain::{
    ids::Channel,
    listing::{Listing, ListingId, Seen, SyncState},
    pull::PullState,
    refusal::Refusal,
};

use super::stock::cursor;
use crate::{
    Failure, Fault, Page, Store,
    flow::Saved,
    item::{decode_listing, decode_pull, decode_sync},
    keys,
    table::{Pauses, Written},
    write,
};

/// How often a writer tries again when the listing is marked while it looks.
const MAX_ROUNDS: u32 = 10;

/// Listings of a channel that are read at once.
const PAGE: usize = 100;

/// A mark was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marked {
    /// How often the listing was marked: a name for this mark.
    pub marks: u64,
    /// Nobody had been told to look: somebody must be.
    pub is_news: bool,
}

/// A mark that is older than this many seconds is told again: whoever was told has not come.
const TOLD_AGAIN_SECONDS: u64 = 120;

impl Store {
    /// Writes what the merchant says of a listing, making it if it does not exist.
    ///
    /// # Errors
    /// Refused with `PreconditionFailed` when `if_match` is not the stored version; or a fault.
    pub async fn save_listing(&self, listing: &Listing, if_match: Option<u64>) -> Result<Saved, Failure> {
        for round in 0..MAX_ROUNDS {
            let stored = self.get(keys::listing(&listing.id)).await?.as_ref().map(decode_listing).transpose()?;
            let seen = stored.as_ref().map_or(0, |stored| stored.version);
            // The SDK re-sends a write whose reply was lost: the next version, saying just this, is ours.
            let is_resent = stored.as_ref().is_some_and(|stored| {
                if_match.is_some_and(|if_match| seen == if_match + 1)
                    && *stored == Listing { version: stored.version, ..listing.clone() }
            });
            if is_resent {
                return Ok(Saved { created: false, version: seen });
            }
            if if_match.is_some_and(|if_match| if_match != seen) {
                return Err(Refusal::PreconditionFailed { version: seen }.into());
            }
            let listing = Listing { version: seen + 1, ..listing.clone() };
            let save = if stored.is_none() {
                write::listing::create(&listing)
            } else {
                write::listing::change(&listing, seen)
            };
            if let Written::Applied(_) = self.write(&save).await? {
                let begin = write::listing::begin(&listing.id, self.now());
                if let Written::Refused(_) = self.write(&begin).await? {
                    self.mark(&listing.id).await?;
                }
                return Ok(Saved { created: stored.is_none(), version: listing.version });
            }
            Pauses::of(&keys::listing(&listing.id)).pause(round).await;
        }
        Err(Refusal::Contended.into())
    }

    /// A listing, and how far what is shown has followed; nothing if there is none.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read.
    pub async fn listing(&self, id: &ListingId) -> Result<Option<(Listing, SyncState)>, Fault> {
        Ok(self.listings_of(std::slice::from_ref(id)).await?.pop())
    }

    /// Those of these listings that exist, in the order asked for.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read.
    pub async fn listings_of(&self, ids: &[ListingId]) -> Result<Vec<(Listing, SyncState)>, Fault> {
        let keys = ids.iter().flat_map(|id| [keys::listing(id), keys::sync(id)]);
        let found = self.batch_get(keys.collect()).await?;
        let both = ids.iter().filter_map(|id| Some((found.get(&keys::listing(id))?, found.get(&keys::sync(id)))));
        both.map(|(listing, state)| {
            // Saved, but its writer died before it began to follow: nothing is known of it yet.
            let state = state.map(decode_sync).transpose()?.unwrap_or_default();
            Ok((decode_listing(listing)?, state))
        })
        .collect()
    }

    /// The listings of a channel, by SKU.
    ///
    /// # Errors
    /// Refused with `InvalidRequest` for a cursor that is not ours; or a fault.
    pub async fn list_listings(
        &self,
        channel: &Channel,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<Page<(Listing, SyncState)>, Failure> {
        let list = keys::listing_list(channel);
        let key_at = |rank: &str| keys::listing_at(channel, rank);
        let after = cursor.map(|text| cursor::after(text, &list, key_at)).transpose()?;
        let page = self.list(list, false, limit, after).await?;
        let ids = page.items.iter().map(|item| Ok(keys::name(keys::of(item)).parse()?));
        let ids: Vec<ListingId> = ids.collect::<Result<_, Fault>>()?;
        Ok(Page { items: self.listings_of(&ids).await?, next_cursor: page.next_cursor.map(cursor::opaque) })
    }

    /// Says that what a listing shows may not be what it should any more; nothing if the SKU is not listed there.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written.
    pub async fn mark(&self, id: &ListingId) -> Result<Option<Marked>, Fault> {
        let now = self.now();
        let Written::Applied(image) = self.write(&write::listing::mark(id, now)).await? else { return Ok(None) };
        let state = image.as_ref().map(decode_sync).transpose()?.unwrap_or_default();
        let age = state.marked_since.map_or(0, |since| now.seconds_since(since));
        Ok(Some(Marked { marks: state.marks, is_news: age == 0 || age >= TOLD_AGAIN_SECONDS }))
    }

    /// The listings of a channel that somebody has to look at, now or later, by SKU; then those that are settled and to be read again now.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read.
    pub async fn unsettled(&self, channel: &Channel) -> Result<Vec<(Listing, SyncState)>, Fault> {
        let list = keys::unsettled_list(channel);
        let mut unsettled = Vec::new();
        let mut after = None;
        loop {
            let page = self.list(list.clone(), false, PAGE, after.take()).await?;
            let ids = page.items.iter().map(|item| Ok(keys::name(keys::of(item)).parse()?));
            let ids: Vec<ListingId> = ids.collect::<Result<_, Fault>>()?;
            unsettled.extend(self.listings_of(&ids).await?);
            match page.next_cursor {
                Some(rank) => after = keys::unsettled_at(channel, &rank).map(|key| cursor::place(&list, key, rank)),
                None => break,
            }
        }
        unsettled.extend(self.to_be_checked(channel).await?);
        Ok(unsettled)
    }

    /// The settled listings of a channel that are to be read again now, the longest due first.
    async fn to_be_checked(&self, channel: &Channel) -> Result<Vec<(Listing, SyncState)>, Fault> {
        let (list, end) = (keys::check_list(channel), keys::check_rank_after(self.now()));
        let (mut due, mut after) = (Vec::new(), None);
        loop {
            let page = self.list(list.clone(), false, PAGE, after.take()).await?;
            let items = page.items.iter().take_while(|item| keys::rank_of(item) < end.as_str());
            let ids: Vec<ListingId> =
                items.map(|item| Ok(keys::name(keys::of(item)).parse()?)).collect::<Result<_, Fault>>()?;
            let is_last = ids.len() < page.items.len();
            due.extend(self.listings_of(&ids).await?);
            let next =
                page.next_cursor.filter(|_| !is_last).and_then(|rank| Some((keys::check_at(channel, &rank)?, rank)));
            let Some((key, rank)) = next else { return Ok(due) };
            after = Some(cursor::place(&list, key, rank));
        }
    }

    /// Writes what is known of a listing from now on: `before` is what its writer wrote or read last. The marks that are `answered` are gone;
    /// one that came later stays, the listing stays marked, and the writer has to have somebody look again: whoever set that mark left it to
    /// those who were at it. The state as written, or nothing if another writer was there.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written.
    pub async fn save_sync(
        &self,
        id: &ListingId,
        before: &SyncState,
        state: SyncState,
        answered: Option<Seen>,
    ) -> Result<Option<SyncState>, Fault> {
        let version = before.version;
        let mut before = before.clone();
        for round in 0..MAX_ROUNDS {
            let marked_since = before.marked_after(answered);
            let next = SyncState { marks: before.marks, marked_since, ..state.clone() };
            let found = match self.write(&write::listing::follow(id, &before, &next)).await? {
                Written::Applied(_) => return Ok(Some(next)),
                Written::Refused(found) => found.as_ref().map(decode_sync).transpose()?,
            };
            match found {
                // The SDK re-sends a write whose reply was lost: what is there is ours.
                Some(found) if found.version == next.version => {
                    let ours = SyncState { marks: found.marks, marked_since: found.marked_since, ..next };
                    return Ok((ours == found).then_some(found));
                }
                Some(found) if found.version == version => before = found,
                _ => return Ok(None),
            }
            Pauses::of(&keys::sync(id)).pause(round).await;
        }
        Ok(None)
    }

    /// How far the orders of a channel have been heard.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read.
    pub async fn pull_state(&self, channel: &Channel) -> Result<PullState, Fault> {
        let item = self.get(keys::pull(channel)).await?;
        Ok(item.as_ref().map(decode_pull).transpose()?.unwrap_or_default())
    }

    /// Writes how far the orders of a channel have been heard, unless another pull was written since `seen`.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written.
    pub async fn save_pull(&self, channel: &Channel, seen: &PullState, state: &PullState) -> Result<bool, Fault> {
        let written = self.write(&write::listing::pull(channel, seen.version, state)).await?;
        Ok(matches!(written, Written::Applied(_)))
    }
}
