//! Whether what is asked of Shopify fits its schema.

use std::path::Path;

use apollo_compiler::{ExecutableDocument, Schema, validation::Valid};
use channels::shopify::query;

/// `tests/scripts/tool shopify-schema` fetches it.
fn schema() -> Option<Valid<Schema>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let path = root.join(format!(".tools/shopify-schema/admin_{}.graphql", query::VERSION));
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("SKIPPED: no schema at {}; `tests/scripts/tool shopify-schema` fetches it", path.display());
        return None;
    };
    // Shopify's own: whether it is one is not for this test, and it would take seconds to find out.
    Some(Valid::assume_valid(Schema::parse(text, "admin.graphql").unwrap()))
}

#[test]
fn every_query_fits_the_schema_of_the_version_that_is_asked_for() {
    let Some(schema) = schema() else { return };
    for (name, text) in query::ALL {
        if let Err(errors) = ExecutableDocument::parse_and_validate(&schema, text, format!("{name}.graphql")) {
            panic!("{errors}");
        }
    }
    // What does not fit is found.
    for (was, is) in
        [("userErrors", "userError"), ("$key: String!", "$key: Int!"), ("@idempotent(key: $key)", "@idempotent")]
    {
        let text = query::SET_QUANTITIES.replace(was, is);
        assert!(ExecutableDocument::parse_and_validate(&schema, text, "broken.graphql").is_err(), "{is}");
    }
}

#[test]
fn every_code_and_field_that_is_looked_at_is_in_the_schema() {
    let Some(schema) = schema() else { return };
    for (name, values) in [
        (
            "InventorySetQuantitiesUserErrorCode",
            &[
                "CHANGE_FROM_QUANTITY_STALE",
                "COMPARE_QUANTITY_STALE",
                "IDEMPOTENCY_CONCURRENT_REQUEST",
                "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED",
            ][..],
        ),
        ("OrderDisplayFinancialStatus", &["PENDING", "EXPIRED", "VOIDED"]),
        ("FulfillmentStatus", &["CANCELLED", "ERROR", "FAILURE"]),
    ] {
        let known = schema.get_enum(name).unwrap();
        for value in values {
            assert!(known.values.contains_key(*value), "{name}.{value}");
        }
    }
    for (name, fields) in [
        ("InventorySetQuantitiesInput", &["name", "reason", "referenceDocumentUri", "quantities"][..]),
        ("InventoryQuantityInput", &["inventoryItemId", "locationId", "quantity", "changeFromQuantity"]),
    ] {
        let known = schema.get_input_object(name).unwrap();
        let required = known.fields.values().filter(|field| field.is_required()).map(|field| field.name.as_str());
        assert!(fields.iter().all(|field| known.fields.contains_key(*field)), "{name}");
        assert!(required.into_iter().all(|field| fields.contains(&field)), "{name} wants more");
    }
}
