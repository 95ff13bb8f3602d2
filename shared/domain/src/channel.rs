//! Where a merchant sells, and on which terms: what a channel may sell, what of that it shows, and how it is kept up to date.
//!
//! A channel that has a home of its own for a SKU sells from that, its *quota*; one that has none sells from the *shared* stock
//! ([`crate::ids::Channel::shared`]). So a SKU is unified, split, or both, channel by channel, and nothing has to say which.

use std::{collections::BTreeMap, fmt, str::FromStr};

use crate::{
    bucket::{MalformedText, StockId, exact},
    limits::DEFAULT_STALE_AFTER_SECONDS,
    purchase::Arrival,
    time::Timestamp,
};

/// What is behind a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChannelKind {
    /// The merchant's own store, or anything else that calls the API itself: nothing is pushed and nothing pulled.
    Own,
    /// Amazon Selling Partner API.
    Amazon,
    /// eBay Sell API.
    Ebay,
    /// Walmart Marketplace API.
    Walmart,
    /// Shopify Admin GraphQL API.
    Shopify,
    /// `WooCommerce` REST API.
    Woocommerce,
}

impl ChannelKind {
    /// All of them, in the order of the documentation.
    pub const ALL: [Self; 6] = [Self::Own, Self::Amazon, Self::Ebay, Self::Walmart, Self::Shopify, Self::Woocommerce];

    /// The word for it in the API and the table.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Amazon => "amazon",
            Self::Ebay => "ebay",
            Self::Walmart => "walmart",
            Self::Shopify => "shopify",
            Self::Woocommerce => "woocommerce",
        }
    }
}

/// Not a word for a kind of channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be own, amazon, ebay, walmart, shopify or woocommerce")]
pub struct ChannelKindError;

impl FromStr for ChannelKind {
    type Err = ChannelKindError;

    fn from_str(text: &str) -> Result<Self, ChannelKindError> {
        Self::ALL.into_iter().find(|kind| kind.word() == text).ok_or(ChannelKindError)
    }
}

impl fmt::Display for ChannelKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What a channel does when its own quota is short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overflow {
    /// It is sold out.
    #[default]
    None,
    /// It takes what is missing from the shared stock. Another channel's quota is never touched.
    Borrow,
}

impl Overflow {
    /// The word for it in the API and the table.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Borrow => "borrow",
        }
    }
}

impl fmt::Display for Overflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Overflow {
    type Err = MalformedText;

    fn from_str(text: &str) -> Result<Self, MalformedText> {
        let known = [Self::None, Self::Borrow].into_iter().find(|overflow| overflow.word() == text);
        known.ok_or_else(|| MalformedText::new("overflow policy", text))
    }
}

/// Units that a channel may sell but is never shown: what is sold elsewhere before it hears of it comes out of them. Written
/// `units:<n>` or `from-speed:<n>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Buffer {
    /// So many.
    Units(u64),
    /// As many as are sold here while a new number is on its way, measured; no fewer than `floor`.
    FromSpeed {
        /// The least.
        floor: u64,
    },
}

impl Default for Buffer {
    fn default() -> Self {
        Self::Units(0)
    }
}

impl fmt::Display for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Units(units) => write!(f, "units:{units}"),
            Self::FromSpeed { floor } => write!(f, "from-speed:{floor}"),
        }
    }
}

impl FromStr for Buffer {
    type Err = MalformedText;

    fn from_str(text: &str) -> Result<Self, MalformedText> {
        let parse = || {
            let (word, units) = text.split_once(':')?;
            match word {
                "units" => exact(units).map(Self::Units),
                "from-speed" => exact(units).map(|floor| Self::FromSpeed { floor }),
                _ => None,
            }
        };
        parse().ok_or_else(|| MalformedText::new("buffer", text))
    }
}

/// When what is sold at a channel is heard of, and when its numbers are published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SyncMode {
    /// As soon as something changes: it calls us, and we call it.
    #[default]
    OnChange,
    /// From time to time: it is asked, and told.
    OnPoll,
}

impl SyncMode {
    /// The word for it in the API and the table.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::OnChange => "on-change",
            Self::OnPoll => "on-poll",
        }
    }
}

impl fmt::Display for SyncMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for SyncMode {
    type Err = MalformedText;

    fn from_str(text: &str) -> Result<Self, MalformedText> {
        let known = [Self::OnChange, Self::OnPoll].into_iter().find(|mode| mode.word() == text);
        known.ok_or_else(|| MalformedText::new("sync mode", text))
    }
}

/// What a merchant sets for a channel. What is learned of it meanwhile is kept elsewhere, so that neither overwrites the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelSettings {
    /// What is behind it.
    pub kind: ChannelKind,
    /// What it does when its own quota is short.
    pub overflow: Overflow,
    /// Units that it is never shown.
    pub buffer: Buffer,
    /// When it is heard of and told.
    pub sync: SyncMode,
    /// How old what was last published may be before it is said to be stale, in seconds.
    pub stale_after_seconds: u64,
    /// Where its API is, if not where that of its kind usually is.
    pub endpoint: Option<String>,
    /// What only its kind needs: a seller's id, a marketplace, a location. Never a secret.
    pub options: BTreeMap<String, String>,
    /// How often the settings were written; what is given with a write of them does not matter.
    pub version: u64,
}

impl ChannelSettings {
    /// Those of a channel of which nothing but its kind is said.
    #[must_use]
    pub fn new(kind: ChannelKind) -> Self {
        Self {
            kind,
            overflow: Overflow::default(),
            buffer: Buffer::default(),
            sync: SyncMode::default(),
            stale_after_seconds: DEFAULT_STALE_AFTER_SECONDS,
            endpoint: None,
            options: BTreeMap::new(),
            version: 0,
        }
    }
}

/// What can be sold of a SKU in a channel: from its own quota, from the shared stock, or from both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The SKU, and the channel that was asked about.
    pub stock: StockId,
    /// The instant of which it is true.
    pub as_of: Timestamp,
    /// Units that can be had now.
    pub available: u64,
    /// Units of purchase orders that are to come next and that nobody waits for.
    pub next: Option<Arrival>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_reads_back_from_its_word() {
        for kind in ChannelKind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        for text in ["", "Amazon", "etsy"] {
            assert_eq!(text.parse::<ChannelKind>(), Err(ChannelKindError), "{text}");
        }
    }

    #[test]
    fn settings_read_back_from_their_words() {
        for overflow in [Overflow::None, Overflow::Borrow] {
            assert_eq!(overflow.to_string().parse(), Ok(overflow));
        }
        for mode in [SyncMode::OnChange, SyncMode::OnPoll] {
            assert_eq!(mode.to_string().parse(), Ok(mode));
        }
        for (buffer, text) in [(Buffer::Units(5), "units:5"), (Buffer::FromSpeed { floor: 0 }, "from-speed:0")] {
            assert_eq!((buffer.to_string().as_str(), text.parse()), (text, Ok(buffer)));
        }
        for text in ["", "units", "units:", "units:05", "units:-1", "speed:1", "Borrow", "on change"] {
            assert!(text.parse::<Buffer>().is_err() && text.parse::<Overflow>().is_err(), "{text}");
            assert!(text.parse::<SyncMode>().is_err(), "{text}");
        }
    }
}
