//! Holdfast on one machine: see [`local`].

pub mod local;
