//! What a merchant sets for a channel. Nothing on a shopper's path reads it, but where a channel that may borrow is short.

use domain::{
    channel::{ChannelSettings, Overflow},
    ids::Channel,
    limits::{CHANNEL_MEMORY_SECONDS, MAX_PAGE},
    refusal::{FieldError, Refusal},
};

use crate::{
    Failure, Fault, Item, Saved, Store,
    item::{decode_channel, text},
    keys,
    table::Written,
    write,
};

impl Store {
    /// The settings of a channel, if it has any.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read.
    pub async fn channel_settings(&self, channel: &Channel) -> Result<Option<ChannelSettings>, Fault> {
        let found = self.get(keys::channel(channel)).await?;
        found.as_ref().map(|item| decode_channel(item).map(|(_, settings)| settings)).transpose()
    }

    /// Writes the settings of a channel, the first ones or others.
    ///
    /// # Errors
    /// Refused with `InvalidRequest` for the shared stock, which is no channel, and with `PreconditionFailed` when `if_match` is not the
    /// stored version; or a fault.
    pub async fn save_channel(
        &self,
        channel: &Channel,
        settings: &ChannelSettings,
        if_match: Option<u64>,
    ) -> Result<Saved, Failure> {
        refuse_shared(channel)?;
        self.routes.forget_channel(channel);
        if if_match.is_none()
            && let Written::Applied(_) = self.write(&write::channel::create(channel, settings)).await?
        {
            return Ok(Saved { created: true, version: 1 });
        }
        let (found, applied) = match self.write(&write::channel::change(channel, settings, if_match)).await? {
            Written::Applied(image) => (image, true),
            Written::Refused(found) => (found, false),
        };
        let found = found.as_ref().map(decode_channel).transpose()?.map(|(_, settings)| settings);
        let version = found.as_ref().map_or(0, |found| found.version);
        // The SDK re-sends a write whose reply was lost: the version that was asked for, with these settings, one later is ours.
        let resent = if_match.is_some_and(|seen| version == seen + 1)
            && found.is_some_and(|found| found == ChannelSettings { version, ..settings.clone() });
        if applied || resent {
            Ok(Saved { created: false, version })
        } else {
            Err(Refusal::PreconditionFailed { version }.into())
        }
    }

    /// All channels that have settings, by name.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read.
    pub async fn list_channels(&self) -> Result<Vec<(Channel, ChannelSettings)>, Fault> {
        let (mut channels, mut after) = (Vec::new(), None);
        loop {
            let page = self.list(keys::CHANNEL_LIST.to_owned(), false, MAX_PAGE, after).await?;
            let keys: Vec<String> = page.items.iter().map(|item| keys::of(item).to_owned()).collect();
            let found = self.batch_get(keys.iter().cloned().collect()).await?;
            for item in keys.iter().filter_map(|key| found.get(key)) {
                channels.push(decode_channel(item)?);
            }
            let Some(rank) = page.next_cursor else { return Ok(channels) };
            after = Some(Item::from([
                (keys::PK.to_owned(), text(format!("{}{rank}", keys::CHANNEL))),
                (keys::LIST.to_owned(), text(keys::CHANNEL_LIST)),
                (keys::RANK.to_owned(), text(rank)),
            ]));
        }
    }

    /// What a channel does when its own quota is short, as it was a moment ago.
    pub(crate) async fn overflow_of(&self, channel: &Channel) -> Result<Overflow, Fault> {
        let now = self.now();
        if let Some((seen_at, overflow)) = self.routes.overflow(channel)
            && now.seconds_since(seen_at) <= CHANNEL_MEMORY_SECONDS
        {
            return Ok(overflow);
        }
        let overflow = self.channel_settings(channel).await?.map_or(Overflow::None, |settings| settings.overflow);
        self.routes.remember_channel(channel, now, overflow);
        Ok(overflow)
    }
}

/// Nobody sells in the shared stock.
pub(crate) fn refuse_shared(channel: &Channel) -> Result<(), Refusal> {
    if channel.is_shared() {
        let detail = "must be a channel that sells; shared is the stock that belongs to none".to_owned();
        return Err(Refusal::InvalidRequest { errors: vec![FieldError { field: "channel".to_owned(), detail }] });
    }
    Ok(())
}
