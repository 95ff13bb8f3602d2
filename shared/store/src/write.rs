//! One module per conditional write: its expression, and why each condition is there. Nothing here sends anything.

pub(crate) mod child;
pub(crate) mod credit;
pub(crate) mod decide;
pub(crate) mod group;
pub(crate) mod hold;
pub(crate) mod movement;
pub(crate) mod record;
pub(crate) mod release;
pub(crate) mod settings;
pub(crate) mod settle;
