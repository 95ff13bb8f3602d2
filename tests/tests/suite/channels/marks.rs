//! What changes while somebody looks.

use super::{is_settled, listing, poll, published, sell, selling_tea};
use crate::support::{PATIENCE, Shop};

/// How often the listing was marked.
async fn marks(shop: &Shop) -> u64 {
    let (_, state) = shop.store().listing(&"shop#tea".parse().unwrap()).await.unwrap().expect("it is listed");
    state.marks
}

/// Whoever is told of a mark looks at all that came before; a mark that comes while it looks is told to nobody. So it has to look whether
/// there is one before it goes: without that, this listing shows 19 of 18 until the next poll.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_sold_while_a_number_is_on_its_way_is_shown_without_a_poll() {
    let (shop, vendor) = selling_tea().await;
    poll(&shop).await;
    listing(&shop, "it shows 20", |listing| published(listing) == Some(20) && is_settled(listing)).await;
    let mut push = vendor.freeze(|request| request.method() == "PUT");
    sell(&shop, 1).await;
    push.reached().await;
    // A mark of the same second would be news.
    shop.advance_unnoticed(2);
    let before = marks(&shop).await;
    sell(&shop, 1).await;
    let marked = tokio::time::timeout(PATIENCE, async {
        while marks(&shop).await == before {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    });
    marked.await.expect("the second sale marks the listing");
    push.thaw();
    listing(&shop, "it shows 18", |listing| published(listing) == Some(18) && is_settled(listing)).await;
    let pushes: Vec<u64> = vendor.market().pushes.iter().map(|(_, _, quantity)| *quantity).collect();
    assert_eq!(pushes, [20, 19, 18], "each once");
    shop.close().await;
}
