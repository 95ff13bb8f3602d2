//! The images in a stream's record, as the store reads items.

use aws_lambda_events::dynamodb::StreamRecord;
use store::Item;

/// The item before and after the change, where there was one.
pub(crate) fn images(change: StreamRecord) -> (Option<Item>, Option<Item>) {
    // An image that is absent arrives as an empty one; no item is empty, for it has a key.
    let image = |item: serde_dynamo::Item| Some(Item::from(item)).filter(|item| !item.is_empty());
    (image(change.old_image), image(change.new_image))
}
