//! What every answer carries, and the documents that the local stack serves.

use crate::support::{Contract, OPENAPI, Shop};

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_called_what_the_shop_calls_it() {
    let shop = Shop::with(&[("tea", 1)]).await;
    for call in [shop.stock("tea"), shop.reserve(&[("tea", 1)]), shop.stock("coffee"), shop.availability(&[])] {
        let answer = call.clone().header("X-Request-Id", "shop-7-0001").await;
        assert_eq!(answer.header("x-request-id"), Some("shop-7-0001"));
        if answer.status >= 400 {
            assert_eq!(answer["request_id"], "shop-7-0001");
        }
        // Without a name, or with one that would not fit in a log, the gateway's is taken; each request has its own.
        let mut names = Vec::new();
        for odd in ["", "two words", &"x".repeat(129)] {
            names.push(call.clone().header("X-Request-Id", odd).await.header("x-request-id").unwrap().to_owned());
        }
        names.push(call.await.header("x-request-id").unwrap().to_owned());
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 4, "{names:?}");
    }
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_may_be_cached() {
    let shop = Shop::with(&[("tea", 1)]).await;
    for call in [shop.stock("tea"), shop.availability(&["tea"]), shop.reserve(&[("tea", 1)]), shop.order(&[("tea", 9)])]
    {
        assert_eq!(call.await.header("cache-control"), Some("no-store"));
    }
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_contract_is_served_for_machines_and_for_people() {
    let shop = Shop::open().await;
    let served = shop.get("/openapi.yaml").await.expect(200);
    assert_eq!((served.header("content-type"), served.text.as_str()), (Some("application/yaml"), OPENAPI));
    let page = shop.get("/docs").await.expect(200);
    assert!(page.header("content-type").unwrap().starts_with("text/html"));
    let paths = Contract::get().document["paths"].as_object().unwrap();
    assert!(paths.len() >= 10);
    for path in paths.keys() {
        assert!(page.text.contains(path), "/docs does not mention {path}");
    }
    shop.close().await;
}
