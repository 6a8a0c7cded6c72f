//! Memory of the packet path: replies ready to send, and records as facts.

pub mod answers;
mod packed;
pub mod records;
mod shards;
mod sieve;
