//! One module per conditional write: its expression, and why each condition is there. Nothing here sends anything.

pub(crate) mod channel;
pub(crate) mod child;
pub(crate) mod credit;
pub(crate) mod decide;
pub(crate) mod erp;
pub(crate) mod force;
pub(crate) mod give_back;
pub(crate) mod group;
pub(crate) mod hold;
pub(crate) mod incoming;
pub(crate) mod listing;
pub(crate) mod movement;
pub(crate) mod pool;
pub(crate) mod purchase;
pub(crate) mod record;
pub(crate) mod release;
pub(crate) mod replenishment;
pub(crate) mod rule;
pub(crate) mod sale;
pub(crate) mod settings;
pub(crate) mod settle;
pub(crate) mod transfer;
