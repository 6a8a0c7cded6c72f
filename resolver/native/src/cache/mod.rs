//! Memory of the packet path: replies ready to send, and records as facts.

pub mod answers;
mod sieve;

/// Shards of a cache: enough that the threads of one machine seldom meet.
const SHARDS_MAX: usize = 64;
/// A shard must hold some of the largest entries (64 KiB each).
const SHARD_OCTETS_MIN: usize = 1 << 20;

/// Number of shards, a power of two, for a cache of so many octets.
fn shard_count(bytes_max: usize) -> usize {
    let most = (bytes_max / SHARD_OCTETS_MIN).clamp(1, SHARDS_MAX);
    1 << most.ilog2()
}

/// Shard of a hash: upper bits, since the tables inside use the lower ones and the top seven.
fn shard_of(hash: u64, count: usize) -> usize {
    (hash >> 40) as usize & (count - 1)
}
