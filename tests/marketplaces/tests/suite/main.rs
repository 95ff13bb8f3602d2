//! Every connector against the face of its vendor, in one process and in the market's own time.

mod amazon;
mod amazon_models;
mod ebay;
mod shared;
mod shop;
mod shopify;
mod shopify_schema;
mod shopify_webhook;
mod support;
mod walmart;
mod woocommerce;
mod woocommerce_webhook;
