//! Memory of the packet path: replies ready to send, and records as facts.

pub mod answers;
mod blob;
mod packed;
pub mod records;
mod store;
