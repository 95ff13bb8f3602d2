//! DynamoDB: the embedded engine behind its own HTTP endpoint, and the template's tables in whichever server is used.

use std::{
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use anyhow::{Context, Result, anyhow};
use aws_sdk_dynamodb::{
    Client,
    operation::describe_table::DescribeTableError,
    types::{
        AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, Projection, StreamSpecification,
        TableDescription, TableStatus, TimeToLiveSpecification,
    },
};
use dynoxide::Database;
use tokio::net::TcpListener;

use super::template::{self, KeyElement, Named};

/// What the engine needs to be quick and to keep what it is told through a SIGKILL.
///
/// - It finds the next number of a stream record by `MAX(CAST(sequence_number AS INTEGER))`. Without an index that reads
///   every record ever written: after 6,000 writes, a write took three times as long as the first.
/// - It never trims a stream. Whoever starts here starts at its end (see [`super::upkeep`]), so old records serve nobody.
const TUNING: &str = "
    DELETE FROM _stream_records;
    CREATE INDEX IF NOT EXISTS stream_order ON _stream_records (table_name, CAST(sequence_number AS INTEGER));
";

/// Serves the embedded engine on `listener` until `stop` resolves: from a file in `data`, or from memory.
pub fn embedded(
    listener: TcpListener,
    data: Option<&Path>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<impl Future<Output = Result<(), String>> + Send + 'static> {
    let database = open(data).context("start the embedded DynamoDB")?;
    Ok(dynoxide::server::serve_with_shutdown(listener, database, stop))
}

fn open(data: Option<&Path>) -> Result<Database> {
    static DATABASES: AtomicUsize = AtomicUsize::new(0);
    let location = match data {
        Some(directory) => directory.join("dynamodb.sqlite").display().to_string(),
        // Memory that several connections of this process can open by name.
        None => format!("file:/holdfast-{}?vfs=memdb", DATABASES.fetch_add(1, Ordering::Relaxed)),
    };
    let database = Database::new(&location)?;
    // Sets `synchronous = NORMAL`: what was answered survives the death of the process, if not of the machine, and no
    // write waits for the disk. The engine has no other way to say so.
    database.disable_bulk_loading()?;
    rusqlite::Connection::open(&location)?.execute_batch(TUNING)?;
    Ok(database)
}

/// A table of the template, as it exists in the server.
pub struct Table {
    pub id: String,
    pub name: String,
    pub properties: template::Table,
    pub stream_arn: Option<String>,
}

/// Makes the tables that are missing.
pub async fn ensure_tables(client: &Client, prefix: &str, tables: &[Named<template::Table>]) -> Result<Vec<Table>> {
    let mut existing = Vec::new();
    for Named { id, properties } in tables {
        let name = format!("{prefix}-{id}");
        let stream_arn = ensure_table(client, &name, properties).await?.latest_stream_arn;
        existing.push(Table { id: id.clone(), name, properties: properties.clone(), stream_arn });
    }
    Ok(existing)
}

/// Makes the table if it is missing, and answers its description once it can be used.
async fn ensure_table(client: &Client, name: &str, table: &template::Table) -> Result<TableDescription> {
    if describe(client, name).await?.is_none() {
        create(client, name, table).await.with_context(|| format!("create table {name}"))?;
    }
    loop {
        let found = describe(client, name).await?.ok_or_else(|| anyhow!("table {name} went away"))?;
        if found.table_status() == Some(&TableStatus::Active) {
            return Ok(found);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn describe(client: &Client, name: &str) -> Result<Option<TableDescription>> {
    match client.describe_table().table_name(name).send().await {
        Ok(found) => Ok(found.table),
        Err(fault) if fault.as_service_error().is_some_and(DescribeTableError::is_resource_not_found_exception) => {
            Ok(None)
        }
        Err(fault) => Err(fault).with_context(|| format!("look at table {name}")),
    }
}

async fn create(client: &Client, name: &str, table: &template::Table) -> Result<()> {
    let mut request = client.create_table().table_name(name).billing_mode(BillingMode::PayPerRequest);
    for attribute in &table.attribute_definitions {
        let attribute = AttributeDefinition::builder()
            .attribute_name(&attribute.attribute_name)
            .attribute_type(attribute.attribute_type.as_str().into());
        request = request.attribute_definitions(attribute.build()?);
    }
    for index in &table.global_secondary_indexes {
        let projection = Projection::builder().projection_type(index.projection.projection_type.as_str().into());
        let index = GlobalSecondaryIndex::builder()
            .index_name(&index.name)
            .set_key_schema(Some(key_schema(&index.key_schema)?))
            .projection(projection.build());
        request = request.global_secondary_indexes(index.build()?);
    }
    let stream = table.stream_specification.as_ref().map(|stream| {
        let view = stream.stream_view_type.as_str().into();
        StreamSpecification::builder().stream_enabled(true).stream_view_type(view).build()
    });
    request
        .set_key_schema(Some(key_schema(&table.key_schema)?))
        .set_stream_specification(stream.transpose()?)
        .send()
        .await?;
    if let Some(ttl) = &table.time_to_live_specification {
        let ttl = TimeToLiveSpecification::builder().attribute_name(&ttl.attribute_name).enabled(true);
        client.update_time_to_live().table_name(name).time_to_live_specification(ttl.build()?).send().await?;
    }
    Ok(())
}

fn key_schema(elements: &[KeyElement]) -> Result<Vec<KeySchemaElement>> {
    let element = |element: &KeyElement| {
        let element = KeySchemaElement::builder()
            .attribute_name(&element.attribute_name)
            .key_type(element.key_type.as_str().into());
        Ok(element.build()?)
    };
    elements.iter().map(element).collect()
}
