//! What is asked of Shopify. The texts are files, so that a review shows a change of them; a test checks each against Shopify's schema.

/// The version of the API whose schema they fit.
pub const VERSION: &str = "2026-07";

/// Sets quantities, if they are what is expected.
pub const SET_QUANTITIES: &str = include_str!("set_quantities.graphql");

/// Reads quantities.
pub const LEVELS: &str = include_str!("levels.graphql");

/// A page of orders. Its cost by Shopify's rules is at most 20 × 29 points: an object is one.
pub const ORDERS: &str = concat!(include_str!("orders.graphql"), include_str!("fragments.graphql"));

/// One order, with what was shipped of it. Its cost by Shopify's rules is at most 10 × 42 points, and 52 for its lines.
pub const ORDER: &str = concat!(include_str!("order.graphql"), include_str!("fragments.graphql"));

/// All of them, by name.
pub const ALL: [(&str, &str); 4] =
    [("set_quantities", SET_QUANTITIES), ("levels", LEVELS), ("orders", ORDERS), ("order", ORDER)];
