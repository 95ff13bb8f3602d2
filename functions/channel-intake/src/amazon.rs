//! Amazon's notices. They come out of a queue to which only Amazon may send, and name the seller, not the channel.

use channels::amazon::{Notification, Said};
use domain::{
    channel::{ChannelKind, ChannelSettings},
    ids::Channel,
    listing::ListingId,
};
use runtime::{App, channels::News};

use crate::{NotRecorded, record, record_order};

/// Does what a notice says, for each channel that it concerns. One of a seller whom no channel names, or of a marketplace of theirs that is
/// not set up, concerns nobody here: an order is taken down where it is pulled, and nowhere else.
pub(crate) async fn hear(app: &App, notice: Notification) -> Result<(), NotRecorded> {
    let Some(seller) = notice.seller else { return Ok(()) };
    let channels = app.store.list_channels().await?;
    let concerned = channels_of(&seller, notice.marketplace.as_deref(), channels);
    if concerned.is_empty() {
        tracing::warn!(seller, notice.marketplace, "a notice of a seller, or of a marketplace, that is not set up");
    }
    for channel in concerned {
        tell(app, channel, &notice.said).await?;
    }
    Ok(())
}

async fn tell(app: &App, channel: Channel, said: &Said) -> Result<(), NotRecorded> {
    match said {
        Said::Order(read) => {
            for order in &read.unreadable {
                tracing::error!(alarm = "unreadable-order", %channel, order, "an order of the channel cannot be read");
            }
            match &read.order {
                Some(order) => record_order(app, &channel, order).await,
                None => Ok(()),
            }
        }
        Said::Hint(order) => record(app, News::Hint(channel, order.as_str().to_owned())).await,
        // Whether that is the number that should be shown is found out by looking.
        Said::Quantity { sku, .. } => {
            app.store.mark(&ListingId { channel, sku: sku.clone() }).await?;
            Ok(())
        }
        Said::Nothing => Ok(()),
    }
}

/// The channels that sell as this seller; if a marketplace is named, at that.
fn channels_of(seller: &str, marketplace: Option<&str>, channels: Vec<(Channel, ChannelSettings)>) -> Vec<Channel> {
    let has = |settings: &ChannelSettings, name: &str, value: &str| {
        settings.options.get(name).is_some_and(|own| own == value)
    };
    let concerns = |settings: &ChannelSettings| {
        settings.kind == ChannelKind::Amazon
            && has(settings, "seller_id", seller)
            && marketplace.is_none_or(|marketplace| has(settings, "marketplace_id", marketplace))
    };
    channels.into_iter().filter(|(_, settings)| concerns(settings)).map(|(channel, _)| channel).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_belongs_to_the_channels_of_its_seller_and_an_order_to_the_one_of_its_marketplace() {
        let channel = |name: &str, kind, seller: &str, marketplace: &str| {
            let option = |name: &str, value: &str| (name.to_owned(), value.to_owned());
            let options = [option("seller_id", seller), option("marketplace_id", marketplace)].into();
            (name.parse().unwrap(), ChannelSettings { options, ..ChannelSettings::new(kind) })
        };
        let channels = vec![
            channel("ebay", ChannelKind::Ebay, "A2", "FR"),
            channel("amazon-de", ChannelKind::Amazon, "A1", "DE"),
            channel("amazon-fr", ChannelKind::Amazon, "A1", "FR"),
            channel("amazon-us", ChannelKind::Amazon, "A2", "US"),
            ("amazon-it".parse().unwrap(), ChannelSettings::new(ChannelKind::Amazon)),
        ];
        for (seller, marketplace, concerned) in [
            ("A1", Some("FR"), &["amazon-fr"][..]),
            ("A1", Some("ES"), &[]),
            ("A1", None, &["amazon-de", "amazon-fr"]),
            ("A2", Some("US"), &["amazon-us"]),
            ("A2", Some("FR"), &[]),
            ("A3", None, &[]),
            ("", None, &[]),
        ] {
            let found: Vec<String> =
                channels_of(seller, marketplace, channels.clone()).iter().map(ToString::to_string).collect();
            assert_eq!(found, concerned, "{seller} {marketplace:?}");
        }
    }
}
