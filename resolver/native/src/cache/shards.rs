//! Stores side by side under locks of their own, so that threads seldom meet.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::sieve::{Entry, Sieve};

/// Enough that the threads of one machine seldom meet.
const SHARDS_MAX: usize = 64;
/// A shard must hold some of the largest entries (64 KiB each).
const SHARD_OCTETS_MIN: usize = 1 << 20;

pub(super) struct Shards<E> {
    shards: Box<[RwLock<Sieve<E>>]>,
}

impl<E: Entry> Shards<E> {
    /// A power of two of stores that hold `bytes_max` octets together.
    pub fn new(bytes_max: usize) -> Self {
        let count = 1 << (bytes_max / SHARD_OCTETS_MIN).clamp(1, SHARDS_MAX).ilog2();
        let shard = || RwLock::new(Sieve::new(bytes_max / count));
        Self { shards: std::iter::repeat_with(shard).take(count).collect() }
    }

    pub fn read(&self, hash: u64) -> RwLockReadGuard<'_, Sieve<E>> {
        self.shard(hash).read().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn write(&self, hash: u64) -> RwLockWriteGuard<'_, Sieve<E>> {
        self.shard(hash).write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drop all entries that `drop` says; the sum of their counts.
    pub fn drop_where(&self, drop: impl Fn(&E) -> bool) -> usize {
        let locked = |shard: &RwLock<Sieve<E>>| {
            shard.write().unwrap_or_else(PoisonError::into_inner).drop_where(&drop)
        };
        self.shards.iter().map(locked).sum()
    }

    pub fn entries(&self) -> usize {
        self.sum(Sieve::entries)
    }

    pub fn bytes(&self) -> usize {
        self.sum(Sieve::bytes)
    }

    fn sum(&self, of: impl Fn(&Sieve<E>) -> usize) -> usize {
        let locked =
            |shard: &RwLock<Sieve<E>>| of(&shard.read().unwrap_or_else(PoisonError::into_inner));
        self.shards.iter().map(locked).sum()
    }

    /// By upper bits of the hash: the tables inside use the lower ones and the top seven.
    fn shard(&self, hash: u64) -> &RwLock<Sieve<E>> {
        &self.shards[(hash >> 40) as usize & (self.shards.len() - 1)]
    }
}
