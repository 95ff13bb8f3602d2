//! A tick: every SKU with terms, then every open alert of which nobody was told. What failed is logged and left to the next tick; that some
//! failed is the function's error, for the alarm to ring.

use futures::{StreamExt, stream::iter};
use runtime::App;
use serde_json::{Value, json};
use store::{AlertPage, Failure};

use crate::{AT_ONCE, act::act, look};

/// Items on a page of a list.
const PAGE: usize = 100;

/// Not everything was done.
#[derive(Debug, thiserror::Error)]
pub enum Unfinished {
    /// What there is could not be listed.
    #[error("what there is to look at could not be listed")]
    List(#[source] Failure),
    /// These looks and alerts failed, for the reasons that are logged.
    #[error("{0} SKUs and alerts were not dealt with")]
    Failed(usize),
}

/// Looks at everything, and answers at how many SKUs, and how many alerts were acted upon.
///
/// # Errors
/// [`Unfinished`] when something was not done.
pub async fn tick(app: &App) -> Result<Value, Unfinished> {
    let (looks, failed_looks) = skus(app).await?;
    let (alerts, failed_alerts) = alerts(app).await?;
    match failed_looks + failed_alerts {
        0 => Ok(json!({ "looks": looks, "alerts": alerts })),
        failed => Err(Unfinished::Failed(failed)),
    }
}

async fn skus(app: &App) -> Result<(usize, usize), Unfinished> {
    let (mut looks, mut failed, mut cursor) = (0, 0, None::<String>);
    loop {
        let page = app.store.list_replenished(PAGE, cursor.as_deref()).await.map_err(Unfinished::List)?;
        let mut looking =
            iter(&page.items).map(|sku| async move { (sku, look(app, sku).await) }).buffer_unordered(AT_ONCE);
        while let Some((sku, looked)) = looking.next().await {
            looks += 1;
            if let Err(failure) = looked {
                tracing::error!(%sku, error = ?failure, "not looked at");
                failed += 1;
            }
        }
        drop(looking);
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok((looks, failed));
        }
    }
}

async fn alerts(app: &App) -> Result<(usize, usize), Unfinished> {
    let (mut acted, mut failed, mut cursor) = (0, 0, None::<String>);
    loop {
        let page = app.store.list_alerts(AlertPage::Open, PAGE, cursor.as_deref()).await.map_err(Unfinished::List)?;
        for alert in page.items.iter().filter(|alert| alert.told_at.is_none()) {
            match act(app, &alert.id).await {
                Ok(()) => acted += 1,
                Err(failure) => {
                    tracing::error!(id = %alert.id, error = ?failure, "an alert was not acted upon");
                    failed += 1;
                }
            }
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok((acted, failed));
        }
    }
}
