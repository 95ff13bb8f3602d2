//! Amazon's notices. They come out of a queue to which only Amazon may send, and name the seller, not the channel.

use channels::amazon::{Notification, Said};
use domain::{
    channel::{ChannelKind, ChannelSettings},
    ids::Channel,
    listing::ListingId,
};
use runtime::{App, channels::News};

use crate::{NotRecorded, record, record_order};

/// Does what a notice says. One of a seller whom no channel names concerns nobody here.
pub(crate) async fn hear(app: &App, notice: Notification) -> Result<(), NotRecorded> {
    let Some(seller) = notice.seller else { return Ok(()) };
    let channels = app.store.list_channels().await?;
    let Some(channel) = channel_of(&seller, channels) else {
        tracing::warn!(seller, "a notice of a seller who is not set up");
        return Ok(());
    };
    match notice.said {
        Said::Order(read) => {
            for order in &read.unreadable {
                tracing::error!(alarm = "unreadable-order", %channel, order, "an order of the channel cannot be read");
            }
            match read.order {
                Some(order) => record_order(app, &channel, &order).await,
                None => Ok(()),
            }
        }
        Said::Hint(order) => record(app, News::Hint(channel, order.as_str().to_owned())).await,
        // Whether that is the number that should be shown is found out by looking.
        Said::Quantity { sku, .. } => {
            app.store.mark(&ListingId { channel, sku }).await?;
            Ok(())
        }
        Said::Nothing => Ok(()),
    }
}

/// The channel that sells as this seller.
fn channel_of(seller: &str, channels: Vec<(Channel, ChannelSettings)>) -> Option<Channel> {
    let sells = |settings: &ChannelSettings| {
        settings.kind == ChannelKind::Amazon && settings.options.get("seller_id").is_some_and(|own| own == seller)
    };
    channels.into_iter().find(|(_, settings)| sells(settings)).map(|(channel, _)| channel)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_belongs_to_the_channel_of_its_seller() {
        let channel = |name: &str, kind, seller: &str| {
            let options = [("seller_id".to_owned(), seller.to_owned())].into();
            (name.parse().unwrap(), ChannelSettings { options, ..ChannelSettings::new(kind) })
        };
        let channels = vec![
            channel("ebay", ChannelKind::Ebay, "A2"),
            channel("amazon-de", ChannelKind::Amazon, "A1"),
            channel("amazon-us", ChannelKind::Amazon, "A2"),
            ("amazon-fr".parse().unwrap(), ChannelSettings::new(ChannelKind::Amazon)),
        ];
        let name = |seller: &str| channel_of(seller, channels.clone()).map(|channel| channel.to_string());
        assert_eq!(name("A1").as_deref(), Some("amazon-de"));
        assert_eq!(name("A2").as_deref(), Some("amazon-us"));
        assert_eq!((name("A3"), name("")), (None, None));
    }
}
