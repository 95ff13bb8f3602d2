//! The table, for tests and for engines that start empty. On AWS, `template.yaml` makes the same one.

use aws_sdk_dynamodb::{
    Client,
    types::{
        AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection, ProjectionType,
        ScalarAttributeType, StreamSpecification, StreamViewType,
    },
};

use crate::{Fault, keys};

/// Creates the table: key, index and stream. Its TTL attribute is left off, for an engine's own clock is not the store's.
///
/// # Errors
/// A [`Fault`] when DynamoDB refuses, for instance because the table exists.
pub async fn create_table(client: &Client, table: &str) -> Result<(), Fault> {
    let rejected = |reason: String| Fault::Rejected { operation: "create the table", reason };
    let attribute = |name: &str| {
        let definition = AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S);
        definition.build().map_err(|error| rejected(error.to_string()))
    };
    let key = |name: &str, kind: KeyType| {
        KeySchemaElement::builder()
            .attribute_name(name)
            .key_type(kind)
            .build()
            .map_err(|error| rejected(error.to_string()))
    };
    let index = GlobalSecondaryIndex::builder()
        .index_name(keys::INDEX)
        .key_schema(key(keys::LIST, KeyType::Hash)?)
        .key_schema(key(keys::RANK, KeyType::Range)?)
        .projection(Projection::builder().projection_type(ProjectionType::KeysOnly).build())
        .build()
        .map_err(|error| rejected(error.to_string()))?;
    let stream = StreamSpecification::builder()
        .stream_enabled(true)
        .stream_view_type(StreamViewType::NewAndOldImages)
        .build()
        .map_err(|error| rejected(error.to_string()))?;
    let request = client
        .create_table()
        .table_name(table)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(attribute(keys::PK)?)
        .attribute_definitions(attribute(keys::LIST)?)
        .attribute_definitions(attribute(keys::RANK)?)
        .key_schema(key(keys::PK, KeyType::Hash)?)
        .global_secondary_indexes(index)
        .stream_specification(stream);
    let Err(error) = request.send().await else {
        return Ok(());
    };
    Err(rejected(format!("{}", aws_sdk_dynamodb::error::DisplayErrorContext(&error))))
}
