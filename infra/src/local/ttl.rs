//! Does what DynamoDB's time to live does, by the local clock: deletes the items whose time is over. It knows the table
//! only by the template, as DynamoDB does. The stream's record of such a removal is given DynamoDB's identity by
//! [`super::event::stream_record`], since a local engine sees an ordinary deletion.

use anyhow::{Context, Result, anyhow};
use aws_sdk_dynamodb::{Client, operation::delete_item::DeleteItemError, types::AttributeValue};
use domain::time::Timestamp;

use super::template::Table;

/// Deletes what is over at `now`, and answers how many items that were. DynamoDB takes up to days over it.
pub async fn sweep(client: &Client, name: &str, table: &Table, now: Timestamp) -> Result<usize> {
    let Some(ttl) = &table.time_to_live_specification else { return Ok(0) };
    let key = table.key_schema.iter().find(|element| element.key_type == "HASH");
    let key = key.ok_or_else(|| anyhow!("table {name} has no partition key"))?.attribute_name.as_str();
    let now = AttributeValue::N(now.to_string());
    let mut deleted = 0;
    let mut pages = client
        .scan()
        .table_name(name)
        .projection_expression("#key")
        .filter_expression("#ttl < :now")
        .expression_attribute_names("#key", key)
        .expression_attribute_names("#ttl", &ttl.attribute_name)
        .expression_attribute_values(":now", now.clone())
        .into_paginator()
        .items()
        .send();
    while let Some(item) = pages.next().await {
        let mut item = item.context("look for items whose time to live is over")?;
        let Some(value) = item.remove(key) else { continue };
        let done = client
            .delete_item()
            .table_name(name)
            .key(key, value)
            .condition_expression("#ttl < :now")
            .expression_attribute_names("#ttl", &ttl.attribute_name)
            .expression_attribute_values(":now", now.clone())
            .send()
            .await;
        match done {
            Ok(_) => deleted += 1,
            // It was given more time, or is gone already.
            Err(fault)
                if fault.as_service_error().is_some_and(DeleteItemError::is_conditional_check_failed_exception) => {}
            Err(fault) => return Err(fault).context("delete an item whose time to live is over"),
        }
    }
    Ok(deleted)
}
