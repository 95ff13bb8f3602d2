//! Tokens and sessions: they end, they change, and nobody reads them in a log.

use std::sync::Arc;

use erp::{CallError, Credentials, ErpKind, RefreshTokens, connect};

use crate::support::{World, all, context, credentials, lets_in, order};

#[tokio::test]
async fn a_token_or_session_is_used_until_it_ends_and_then_renewed_in_time() {
    for world in all() {
        for n in 0..5 {
            world.created(&format!("HF-{n}")).await;
        }
        assert_eq!(world.office.books().logins, 1, "{}", world.kind);
        world.office.advance(24 * 3_600);
        world.office.take_calls();
        world.created("HF-9").await;
        let calls = world.office.take_calls();
        assert!(lets_in(calls[0].uri().path()), "{}: it is known to be over, and not tried", world.kind);
        assert_eq!(world.office.books().logins, 2, "{}", world.kind);
    }
}

#[tokio::test]
async fn whoever_is_thrown_out_is_let_in_again_once() {
    for world in all() {
        world.created("HF-1").await;
        world.office.books().throw_out();
        assert!(world.created("HF-1").await.was_there, "{}", world.kind);
        assert_eq!(world.office.books().logins, 2, "{}", world.kind);
    }
}

/// An order that was sent in a session that is over was not taken: it may be sent again.
#[tokio::test]
async fn whoever_is_thrown_out_between_looking_and_creating_creates_once() {
    for world in all() {
        let (outcome, ()) = tokio::join!(biased; async { world.erp.create(&order("HF-1")).await }, async {
            for _ in 0..6 {
                tokio::task::yield_now().await;
                world.office.books().throw_out();
            }
        });
        drop(outcome);
        world.created("HF-1").await;
        assert_eq!(world.office.books().under("HF-1").count(), 1, "{}", world.kind);
    }
}

#[tokio::test]
async fn who_is_not_let_in_asks_once_and_says_so_without_the_secret() {
    for kind in ErpKind::ALL {
        let world = World::new(kind);
        let mut context = context(kind, Arc::new(world.office.clone()), Arc::new(world.office.clone()));
        context.credentials = Credentials::from([
            ("client_id", "consumer-key"),
            ("client_secret", "wr0ng"),
            ("certificate_id", "wr0ng"),
            ("private_key", include_str!("../../src/netsuite/key.pem")),
            ("user", "manager"),
            ("password", "wr0ng"),
        ]);
        let erp = connect(kind, context, Arc::clone(&world.kept) as Arc<dyn RefreshTokens>);
        let error = erp.create(&order("HF-1")).await.unwrap_err();
        assert!(matches!(error, CallError::Unauthorized { .. }), "{kind}: {error}");
        assert!(!format!("{error} {error:?}").contains("wr0ng"));
        assert_eq!(world.office.take_calls().len(), 1, "{kind}: a user is locked after a few wrong passwords");
    }
}

#[tokio::test]
async fn what_is_not_configured_is_named() {
    for kind in ErpKind::ALL {
        let world = World::new(kind);
        let mut context = context(kind, Arc::new(world.office.clone()), Arc::new(world.office.clone()));
        context.credentials = Credentials::default();
        let erp = connect(kind, context, Arc::clone(&world.kept) as Arc<dyn RefreshTokens>);
        let error = erp.create(&order("HF-1")).await.unwrap_err();
        assert!(matches!(error, CallError::Unconfigured(_)), "{kind}: {error:?}");
    }
}

#[tokio::test]
async fn no_secret_is_in_a_header_that_prints_or_in_what_prints() {
    for world in all() {
        world.created("HF-1").await;
        let secret: Vec<String> = {
            let books = world.office.books();
            books.tokens.keys().chain([&books.refresh_token]).cloned().collect()
        };
        for request in world.office.take_calls() {
            let printed = format!("{:?} {}", request.headers(), request.uri());
            for secret in &secret {
                assert!(!printed.contains(secret.as_str()), "{}: {printed}", world.kind);
            }
        }
        let printed = format!("{:?}", credentials(world.kind));
        assert!(
            !printed.contains("s3cret") && !printed.contains("BEGIN") && !printed.contains("client-secret"),
            "{printed}"
        );
    }
}

#[tokio::test]
async fn a_new_refresh_token_is_kept_before_it_is_needed() {
    let world = World::new(ErpKind::QuickBooks);
    for day in 1..4 {
        world.created(&format!("HF-{day}")).await;
        assert_eq!(world.kept.token(), world.office.books().refresh_token);
        assert_eq!(world.kept.token(), format!("refresh-{day}"));
        world.office.advance(24 * 3_600);
    }
    // The next process has nothing but what was kept.
    assert!(world.another_process().create(&order("HF-1")).await.unwrap().was_there);
}

#[tokio::test]
async fn a_refresh_token_that_cannot_be_kept_is_kept_before_anything_else_is_done() {
    let world = World::new(ErpKind::QuickBooks);
    world.kept.fail_next();
    world.kept.fail_next();
    for _ in 0..2 {
        let outcome = world.erp.create(&order("HF-1")).await;
        assert!(matches!(outcome, Err(CallError::Unavailable { .. })), "{outcome:?}");
        assert_eq!((world.kept.token().as_str(), world.calls().len()), ("refresh-0", 0), "no order is made with it");
    }
    world.created("HF-1").await;
    assert_eq!(world.kept.token(), "refresh-1");
    assert_eq!(world.office.books().logins, 1, "the old token was not sent a second time");
}

#[tokio::test]
async fn a_process_whose_refresh_token_another_has_used_takes_the_new_one() {
    let world = World::new(ErpKind::QuickBooks);
    let other = world.another_process();
    let (one, two) = (order("HF-1"), order("HF-2"));
    // Both read the same token; the second to use it is refused, and finds what the first has kept.
    let (first, second) = tokio::join!(biased; world.erp.create(&one), other.create(&two));
    assert!(first.is_ok() && second.is_ok(), "{first:?} {second:?}");
    assert_eq!(world.kept.token(), world.office.books().refresh_token);
}

#[tokio::test]
async fn a_consent_that_was_taken_back_is_said_to_be_so() {
    let world = World::new(ErpKind::QuickBooks);
    "gone".clone_into(&mut world.office.books().refresh_token);
    let error = world.erp.create(&order("HF-1")).await.unwrap_err();
    assert_eq!(error, CallError::Unauthorized { reason: "Intuit gives no token: invalid_grant".to_owned() });
}
