//! The other side of channels: how vendors are reached from here, and the secrets that they want.
//!
//! On AWS secrets are in Secrets Manager, one for each channel. Here they are in one file, which nobody else should be able to read:
//! `{"ebay": {"client_id": "…", "client_secret": "…"}, "own-shop": {…}, "erp": {…}}`. The ERP's refresh token, a secret of its own on AWS, is
//! the field `refresh_token` there; what it changes to is gone with this process.

use std::{collections::BTreeMap, fmt, fs, path::Path, sync::Arc};

use anyhow::{Context, Result};
use channels::{Credentials, Transport};
use domain::{ids::Channel, time::Clock};
use runtime::{
    Channels, ErpDesk,
    channels::{Https, Queue, Secrets},
    erp::InMemory,
};
use serde_json::Value;

/// Who answers for vendors, and with which secrets they are asked.
#[derive(Clone, Default)]
pub struct Vendors {
    /// Nothing: the network. A test answers itself.
    pub transport: Option<Arc<dyn Transport>>,
    /// By channel.
    pub secrets: BTreeMap<Channel, Credentials>,
}

/// Without the secrets.
impl fmt::Debug for Vendors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vendors").field("secrets_of", &self.secrets.keys().collect::<Vec<_>>()).finish_non_exhaustive()
    }
}

impl Vendors {
    /// The network, with the secrets of a file.
    ///
    /// # Errors
    /// It cannot be read, or is not an object of channels whose values are objects of texts. What is in it is not repeated.
    pub fn with_secrets_of(file: &Path) -> Result<Self> {
        let text = fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
        let secrets = read(&text).with_context(|| format!("the secrets in {}", file.display()))?;
        Ok(Self { transport: None, secrets })
    }

    /// As the handlers are given them.
    pub(super) fn channels(&self, clock: Arc<dyn Clock>, sync: Queue, news: Queue) -> Channels {
        let secrets = Secrets::fixed(self.secrets.clone());
        let channels = match self.transport.clone() {
            // Whoever answers in this process keeps up with it, and may live in another time.
            Some(transport) => Channels::new(transport, secrets, clock).at_any_pace(),
            None => Channels::new(Arc::new(Https::new()), secrets, clock),
        };
        channels.with_sync(sync).with_news(news)
    }

    /// As the function of purchasing is given it.
    pub(super) fn erp(&self, clock: Arc<dyn Clock>) -> ErpDesk {
        let transport = self.transport.clone().unwrap_or_else(|| Arc::new(Https::new()));
        let of_erp = self.secrets.iter().find(|(name, _)| name.as_str() == "erp").map(|(_, secret)| secret);
        let token = of_erp.and_then(|secret| secret.get("refresh_token").ok()).unwrap_or_default();
        ErpDesk::new(transport, Secrets::fixed(self.secrets.clone()), Arc::new(InMemory::new(token)), clock)
    }
}

fn read(text: &str) -> Result<BTreeMap<Channel, Credentials>> {
    let channels: BTreeMap<String, Value> =
        serde_json::from_str(text).map_err(|_| anyhow::anyhow!("must be a JSON object, a field for each channel"))?;
    let secrets = channels.into_iter().map(|(name, secret)| {
        let channel: Channel = name.parse().with_context(|| format!("a channel's name {name:?}"))?;
        let credentials = Credentials::from_json(&secret.to_string()).with_context(|| format!("channel {channel}"))?;
        Ok((channel, credentials))
    });
    secrets.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_read_by_channel_and_never_shown() {
        let secrets = read(r#"{"ebay": {"client_secret": "s3cret"}, "own": {}}"#).unwrap();
        let ebay: Channel = "ebay".parse().unwrap();
        assert_eq!(secrets[&ebay].get("client_secret"), Ok("s3cret"));
        let vendors = Vendors { transport: None, secrets };
        assert_eq!(format!("{vendors:?}"), r#"Vendors { secrets_of: [Channel("ebay"), Channel("own")], .. }"#);
        for text in [r"s3cret", r#"["s3cret"]"#, r#"{"EBAY": {}}"#, r#"{"ebay": "s3cret"}"#, r#"{"ebay": {"n": 1}}"#] {
            let fault = format!("{:#}", read(text).unwrap_err());
            assert!(!fault.contains("s3cret"), "{fault}");
        }
    }
}
