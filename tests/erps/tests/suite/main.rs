//! Every connector against the face of its vendor: what each must do alike, vendor by vendor, and then what is its own.

mod answers;
mod http;
mod letting_in;
mod netsuite;
mod once;
mod quickbooks;
mod refusals;
mod requests;
mod sap;
mod standing;
mod support;
