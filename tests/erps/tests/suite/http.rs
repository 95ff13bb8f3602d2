//! The same over real HTTP, on this machine.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use erp::{CallError, ErpKind, RefreshTokens, Transport, TransportError, Which, connect};
use holdfast_erps::{netsuite::NetSuiteFace, office::Office, served::Served};
use vendor::transport::{Request, Response};

use crate::support::{OPENING, World, context, key, number, order};

struct Socket(reqwest::Client);

#[async_trait]
impl Transport for Socket {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        let failed = |error: reqwest::Error| TransportError { reason: error.to_string() };
        let answer = self.0.execute(request.try_into().map_err(failed)?).await.map_err(failed)?;
        let mut response = Response::default();
        *response.status_mut() = answer.status();
        *response.headers_mut() = answer.headers().clone();
        *response.body_mut() = answer.bytes().await.map_err(failed)?.to_vec();
        Ok(response)
    }
}

#[tokio::test]
async fn every_erp_is_reached_over_a_socket() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let client = reqwest::Client::builder().timeout(Duration::from_secs(10)).build().unwrap();
    for kind in ErpKind::ALL {
        let world = World::new(kind);
        let served = Served::start(world.office.clone()).await.unwrap();
        // An assertion names the address that it is for.
        let (world, served) = if kind == ErpKind::NetSuite {
            drop(served);
            let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            let face = NetSuiteFace { host: Some(format!("http://{address}")) };
            let world = World::at(kind, Office::open(face, OPENING));
            let served = Served::at(address, world.office.clone()).await.unwrap();
            (world, served)
        } else {
            (world, served)
        };
        let mut context = context(kind, Arc::new(Socket(client.clone())), Arc::new(world.office.clone()));
        context.endpoint = Some(served.endpoint());
        context.options.insert("token_endpoint".to_owned(), format!("{}/oauth2/v1/tokens/bearer", served.endpoint()));
        let erp = connect(kind, context, Arc::clone(&world.kept) as Arc<dyn RefreshTokens>);
        world.office.books().faults.lose_replies = 1;
        let lost = erp.create(&order("HF-1")).await;
        assert!(matches!(lost, Err(CallError::Unavailable { .. })), "{kind}: {lost:?}");
        let created = erp.create(&order("HF-1")).await.unwrap();
        assert!(created.was_there, "{kind}");
        world.office.books().receive(number(&created.id), 0, 4);
        let state = erp.read(Which::Id(&created.id, &key("HF-1"))).await.unwrap().unwrap();
        assert_eq!(state.received("I-1"), Some(4), "{kind}");
        erp.cancel(&created.id, &key("HF-1")).await.unwrap();
        assert_eq!(world.office.books().orders.len(), 1, "{kind}");
    }
}
