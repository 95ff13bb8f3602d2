//! A batch of messages: what several of them name is done once.

use std::collections::BTreeSet;

use aws_lambda_events::{
    sqs::SqsEvent,
    streams::{SqsBatchItemFailure, SqsEventResponse},
};
use domain::{ids::Sku, refusal::Refusal};
use futures::{StreamExt, stream::iter};
use runtime::{
    App,
    replenishment::{ToDo, parse},
};
use store::{Counted, Failure};

use crate::{AT_ONCE, act::act, look};

/// Does what a batch of messages asks for, and answers which of them have to come again.
pub async fn handle_batch(app: &App, event: SqsEvent) -> SqsEventResponse {
    let mut messages = Vec::new();
    for message in event.records {
        match parse(message.body.as_deref().unwrap_or_default()) {
            Ok(to_do) => messages.push((message.message_id, to_do)),
            // It will not be read the next time, either; the tick looks at every SKU.
            Err(malformed) => {
                tracing::error!(%malformed, ?message.message_id, "dropped");
            }
        }
    }
    let mut all = ToDo::default();
    for (_, to_do) in &messages {
        all.extend(to_do.clone());
    }
    let again = do_all(app, all).await;
    let fails = |to_do: &ToDo| {
        !to_do.sales.is_disjoint(&again.sales)
            || !to_do.skus.is_disjoint(&again.skus)
            || !to_do.alerts.is_disjoint(&again.alerts)
    };
    let mut response = SqsEventResponse::default();
    for (message_id, _) in messages.into_iter().filter(|(_, to_do)| fails(to_do)) {
        let mut failure = SqsBatchItemFailure::default();
        failure.item_identifier = message_id;
        response.batch_item_failures.push(failure);
    }
    response
}

/// Does all of it, and answers what has to be done again.
async fn do_all(app: &App, to_do: ToDo) -> ToDo {
    let ToDo { sales, skus, alerts } = to_do;
    let mut again = ToDo::default();
    // Sales first: a look that is due then knows of them.
    match app.store.count_sales(&sales).await {
        Ok(Counted { sales: 0, .. }) => {}
        Ok(Counted { sales, units }) => tracing::info!(sales, units, "counted"),
        Err(failure) => {
            tracing::warn!(error = ?failure, sales = sales.len(), "sales were not counted, and come again");
            again.sales = sales;
        }
    }
    let mut looking = iter(&skus).map(|sku| async move { (sku, looked(app, sku).await) }).buffer_unordered(AT_ONCE);
    while let Some((sku, done)) = looking.next().await {
        if !done {
            again.skus.insert(sku.clone());
        }
    }
    let mut acting = iter(&alerts).map(|id| async move { (id, act(app, id).await) }).buffer_unordered(AT_ONCE);
    let mut failed = BTreeSet::new();
    while let Some((id, done)) = acting.next().await {
        if let Err(failure) = done {
            tracing::warn!(%id, error = ?failure, "an alert was not acted upon, and comes again");
            failed.insert(id.clone());
        }
    }
    again.alerts = failed;
    again
}

/// Whether a SKU was looked at, or need not be.
async fn looked(app: &App, sku: &Sku) -> bool {
    match look(app, sku).await {
        Ok(reviewed) => {
            if let Some(turn) = reviewed.and_then(|reviewed| reviewed.turn) {
                tracing::info!(%sku, ?turn, "an alert turned");
            }
            true
        }
        Err(Failure::Refused(Refusal::UnknownSku { .. })) => true,
        Err(failure) => {
            tracing::warn!(%sku, error = ?failure, "not looked at, and comes again");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn in_an_outage_what_can_be_read_comes_again() {
        let event = json!({"Records": [
            {"messageId": "1", "body": r#"{"skus":["tea"]}"#},
            {"messageId": "2", "body": "nonsense"},
            {"messageId": "3", "body": r#"{"sales":["0123456789abcdef"]}"#},
            {"messageId": "4", "body": r#"{"alerts":["0123456789abcdef"]}"#},
            {"messageId": "5", "body": "{}"},
        ]});
        let response = handle_batch(&App::unreachable(), serde_json::from_value(event).unwrap()).await;
        let failed: Vec<_> =
            response.batch_item_failures.iter().filter_map(|failure| failure.item_identifier.as_deref()).collect();
        assert_eq!(failed, ["1", "3", "4"]);
    }
}
