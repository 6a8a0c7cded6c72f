//! A store of octets that many threads read without a lock, bounded in bytes with SIEVE eviction.
//!
//! Each entry is one allocation. A reader goes through a table of pointers that a writer changes
//! under its nose; what a writer takes out is freed when no reader can hold it any more
//! (crossbeam-epoch). Writers of one shard exclude each other.
//!
//! SIEVE (Zhang et al., NSDI 2024): entries queue in order of arrival; a hand moves from the oldest
//! to the newest, spares once what has been used since it last passed, and evicts the rest. A scan
//! of names asked once cannot push out what is in use. While nothing new is used twice the hand
//! stays among the newest and what is behind it stays, so a second hand walks through all entries,
//! a few with each change, and removes the dead.
//!
//! The dead may be of use for a while longer (`keep`). They are kept only while there is room: when
//! a shard is nearly full, the second hand removes them like others that are dead, and looks for
//! some more before what is alive is evicted.
//!
//! Limitations: what was taken out is not counted though readers may hold it for a moment.
//! Pointers of more than 48 bits (five-level page tables, which Linux gives only to who asks for
//! such addresses) are not understood.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

use crossbeam_epoch::{self as epoch, Guard};

use super::blob::{Blob, allocated};
use crate::sys::thread::lock;

/// Enough that writers seldom meet.
const SHARDS_MAX: usize = 64;
/// A shard must hold some of the largest entries (64 KiB each).
const SHARD_OCTETS_MIN: usize = 1 << 20;
/// Entries that are looked at for death with each change: more than one, so that the dead are
/// found sooner than they are made.
const SWEPT: usize = 2;
/// Part of its bound that a shard must have left for the dead to be kept: what is put while the
/// second hand goes round has to find room without touching the living.
const ROOM_PART: usize = 8;
/// Entries that are looked at for death before an eviction, where the dead are kept: with a fifth
/// of them dead, five evictions in six take one.
const LOOKED: usize = 8;
/// Places of the smallest table.
const PLACES_MIN: usize = 8;
/// From this size on an entry that was taken out is given back soon, not with a batch of others.
const LARGE: usize = 4096;

/// What the store must know of the octets of an entry.
pub(super) trait Shape {
    /// Of no use any more, so evicted even if it was used since the hand passed.
    fn is_dead(octets: &[u8], now: i64) -> bool;
    /// How many it counts for.
    fn count(octets: &[u8]) -> usize;
}

/// Entries by hash; the caller tells equal keys apart by their octets.
pub(super) struct Store<S> {
    shards: Box<[Shard]>,
    shape: PhantomData<fn() -> S>,
}

/// On cache lines of its own, so that a writer disturbs readers of its shard only.
#[repr(align(128))]
struct Shard {
    table: AtomicPtr<Table>,
    writer: Mutex<Writer>,
    entries: AtomicUsize,
    bytes: AtomicUsize,
}

/// Places by hash, probed one after the other. Each holds 16 bits of the hash and a pointer; a
/// place that was left is marked, so that who probes goes on.
struct Table {
    places: Box<[AtomicPtr<u8>]>,
}

const EMPTY: usize = 0;
const LEFT: usize = 1;
const TAG_SHIFT: u32 = 48;
const POINTER: usize = (1 << TAG_SHIFT) - 1;

fn place_of(blob: Blob, tag: usize) -> usize {
    let address = blob.address();
    assert!(address & !POINTER == 0, "pointers have 48 bits");
    tag << TAG_SHIFT | address
}

fn tag_of(hash: u64) -> usize {
    (hash >> TAG_SHIFT) as usize
}

impl Table {
    fn new(places: usize) -> Self {
        Self { places: (0..places).map(|_| AtomicPtr::default()).collect() }
    }

    fn octets(&self) -> usize {
        allocated(size_of::<Self>()) + allocated(self.places.len() * size_of::<usize>())
    }

    fn next(&self, at: usize) -> usize {
        (at + 1) & (self.places.len() - 1)
    }

    fn load(&self, at: usize) -> usize {
        self.places[at].load(Ordering::Acquire).addr()
    }

    fn store(&self, at: usize, value: usize) {
        // Release: who finds the pointer also finds the octets behind it.
        self.places[at].store(std::ptr::with_exposed_provenance_mut(value), Ordering::Release);
    }

    /// The entry that `equal` says. There is always an empty place, so this ends.
    fn find(&self, hash: u64, equal: impl Fn(&[u8]) -> bool) -> Option<(usize, Blob)> {
        let mut at = hash as u32 as usize & (self.places.len() - 1);
        loop {
            let value = self.load(at);
            if value == EMPTY {
                return None;
            }
            if value >> TAG_SHIFT == tag_of(hash)
                && let Some(blob) = Blob::at(value & POINTER & !LEFT)
                // SAFETY: a pointer in the table is freed only after it has left it and all that
                // were pinned then have let go; our callers are pinned, or the only writer.
                && equal(unsafe { blob.octets() })
            {
                return Some((at, blob));
            }
            at = self.next(at);
        }
    }

    fn place(&self, blob: Blob) -> usize {
        let mut at = blob.hash() as usize & (self.places.len() - 1);
        while self.load(at) & POINTER != blob.address() {
            at = self.next(at);
        }
        at
    }

    /// Put a pointer into the first free place; whether the place had been empty.
    fn add(&self, blob: Blob, tag: usize) -> bool {
        let mut at = blob.hash() as usize & (self.places.len() - 1);
        loop {
            let before = self.load(at);
            if before == EMPTY || before == LEFT {
                self.store(at, place_of(blob, tag));
                return before == EMPTY;
            }
            at = self.next(at);
        }
    }
}

/// What only writers of a shard look at.
struct Writer {
    oldest: Option<Blob>,
    newest: Option<Blob>,
    hand: Option<Blob>,
    sweeper: Option<Blob>,
    /// Places of the table that are not empty.
    filled: usize,
    blobs: usize,
    entries: usize,
    bytes: usize,
    bytes_max: usize,
}

// SAFETY: blobs are owned by the shard; the mutex around the writer orders all use of their links.
unsafe impl Send for Writer {}

impl<S: Shape> Store<S> {
    /// A power of two of shards that hold `bytes_max` octets together.
    pub fn new(bytes_max: usize) -> Self {
        let count = 1 << (bytes_max / SHARD_OCTETS_MIN).clamp(1, SHARDS_MAX).ilog2();
        let shard = || Shard::new(bytes_max / count);
        let shards = std::iter::repeat_with(shard).take(count).collect();
        Self { shards, shape: PhantomData }
    }

    /// By bits of the hash that neither places nor tags use alone.
    fn shard(&self, hash: u64) -> &Shard {
        &self.shards[(hash >> 40) as usize & (self.shards.len() - 1)]
    }

    /// What `read` makes of the entry; it is marked as used where `read` gives something.
    pub fn get<R>(
        &self,
        hash: u64,
        equal: impl Fn(&[u8]) -> bool,
        read: impl FnOnce(&[u8], bool) -> Option<R>,
    ) -> Option<R> {
        let guard = epoch::pin();
        let (_, blob) = self.shard(hash).table(&guard).find(hash, equal)?;
        // SAFETY: found while pinned, as `find` says.
        let result = read(unsafe { blob.octets() }, blob.is_used());
        if result.is_some() {
            blob.set_used(true);
        }
        result
    }

    /// What `read` makes of the entry, without a mark.
    pub fn peek<R>(
        &self,
        hash: u64,
        equal: impl Fn(&[u8]) -> bool,
        read: impl FnOnce(&[u8]) -> R,
    ) -> Option<R> {
        let guard = epoch::pin();
        let (_, blob) = self.shard(hash).table(&guard).find(hash, equal)?;
        // SAFETY: found while pinned, as `find` says.
        Some(read(unsafe { blob.octets() }))
    }

    /// Whether this is the first call for the entry as it stands.
    pub fn tell_once(&self, hash: u64, equal: impl Fn(&[u8]) -> bool) -> bool {
        let guard = epoch::pin();
        let found = self.shard(hash).table(&guard).find(hash, equal);
        found.is_some_and(|(_, blob)| blob.set_told())
    }

    /// Put what `make` gives for the entry as it is (`None`: there is none) in its place; `make`
    /// may give nothing, and then all stays. What alone is over the bound is not kept. The dead are
    /// kept for `keep` longer while there is room.
    pub fn change(
        &self,
        hash: u64,
        equal: impl Fn(&[u8]) -> bool,
        make: impl FnOnce(Option<&[u8]>) -> Option<Vec<u8>>,
        now: i64,
        keep: i64,
    ) -> bool {
        let guard = epoch::pin();
        let shard = self.shard(hash);
        let mut writer = lock(&shard.writer);
        let known = shard.table(&guard).find(hash, equal).map(|(_, blob)| blob);
        // SAFETY: found by the only writer.
        let Some(octets) = make(known.map(|blob| unsafe { blob.octets() })) else {
            return false;
        };
        let used = known.is_some_and(Blob::is_used);
        if let Some(known) = known {
            writer.remove::<S>(shard, known, &guard);
        }
        if !octets.is_empty() {
            let added = writer.append::<S>(shard, hash, &octets, &guard);
            added.set_used(used);
            if Writer::cost(added) > writer.bytes_max {
                writer.remove::<S>(shard, added, &guard);
            }
        }
        let gone = if writer.has_room(shard, &guard) { now.saturating_sub(keep) } else { now };
        writer.sweep::<S>(shard, SWEPT, gone, &guard);
        if keep > 0 && writer.is_over(shard, &guard) {
            writer.sweep::<S>(shard, LOOKED, now, &guard);
        }
        writer.evict::<S>(shard, now, &guard);
        writer.publish(shard, &guard);
        true
    }

    /// Drop all entries that `drop` says; the sum of their counts.
    pub fn drop_where(&self, drop: impl Fn(&[u8]) -> bool) -> usize {
        let guard = epoch::pin();
        let mut dropped = 0;
        for shard in &self.shards {
            let mut writer = lock(&shard.writer);
            let mut next = writer.oldest;
            while let Some(at) = next {
                next = at.newer();
                // SAFETY: linked, and we are the only writer.
                let octets = unsafe { at.octets() };
                if drop(octets) {
                    dropped += S::count(octets);
                    writer.remove::<S>(shard, at, &guard);
                }
            }
            writer.publish(shard, &guard);
        }
        dropped
    }

    pub fn entries(&self) -> usize {
        self.shards.iter().map(|shard| shard.entries.load(Ordering::Relaxed)).sum()
    }

    pub fn bytes(&self) -> usize {
        self.shards.iter().map(|shard| shard.bytes.load(Ordering::Relaxed)).sum()
    }
}

impl Shard {
    fn new(bytes_max: usize) -> Self {
        let writer = Writer {
            oldest: None,
            newest: None,
            hand: None,
            sweeper: None,
            filled: 0,
            blobs: 0,
            entries: 0,
            bytes: 0,
            bytes_max,
        };
        Self {
            table: AtomicPtr::new(Box::into_raw(Box::new(Table::new(PLACES_MIN)))),
            writer: Mutex::new(writer),
            entries: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
        }
    }

    fn table<'a>(&'a self, _: &'a Guard) -> &'a Table {
        // SAFETY: never null; a table that was replaced lives while anyone pinned then is pinned.
        unsafe { &*self.table.load(Ordering::Acquire) }
    }

    fn replace(&self, table: Table, guard: &Guard) {
        let old = self.table.swap(Box::into_raw(Box::new(table)), Ordering::AcqRel);
        // SAFETY: made by `Box::into_raw`, out of reach now, and freed once.
        unsafe { guard.defer_unchecked(move || drop(Box::from_raw(old))) };
        guard.flush();
    }
}

impl Drop for Shard {
    fn drop(&mut self) {
        let writer: MutexGuard<'_, Writer> = lock(&self.writer);
        let mut next = writer.oldest;
        while let Some(at) = next {
            next = at.newer();
            // SAFETY: nobody else has the store any more, so nobody has its entries.
            unsafe { at.free() };
        }
        // SAFETY: as above, for the table.
        drop(unsafe { Box::from_raw(*self.table.as_ptr()) });
    }
}

impl Writer {
    fn cost(blob: Blob) -> usize {
        allocated(blob.allocation())
    }

    fn append<S: Shape>(&mut self, shard: &Shard, hash: u64, octets: &[u8], guard: &Guard) -> Blob {
        let places = shard.table(guard).places.len();
        // At most three quarters: probes stay short.
        if (self.filled + 1) * 4 > places * 3 {
            self.rebuild(shard, guard);
        }
        let blob = Blob::new(hash as u32, octets);
        blob.set_older(self.newest);
        match self.newest {
            None => self.oldest = Some(blob),
            Some(newest) => newest.set_newer(Some(blob)),
        }
        self.newest = Some(blob);
        self.filled += usize::from(shard.table(guard).add(blob, tag_of(hash)));
        self.blobs += 1;
        self.entries += S::count(octets);
        self.bytes += Self::cost(blob);
        blob
    }

    /// Another table, with room to grow and without the places that were left.
    fn rebuild(&mut self, shard: &Shard, guard: &Guard) {
        let old = shard.table(guard);
        let places = ((self.blobs + 1) * 2).next_power_of_two().max(PLACES_MIN);
        let table = Table::new(places);
        for at in 0..old.places.len() {
            let value = old.load(at);
            if let Some(blob) = Blob::at(value & POINTER & !LEFT) {
                table.add(blob, value >> TAG_SHIFT);
            }
        }
        self.filled = self.blobs;
        shard.replace(table, guard);
    }

    fn remove<S: Shape>(&mut self, shard: &Shard, blob: Blob, guard: &Guard) {
        let table = shard.table(guard);
        let place = table.place(blob);
        // Nothing was probed past this place if the next one is empty.
        let ends = table.load(table.next(place)) == EMPTY;
        table.store(place, if ends { EMPTY } else { LEFT });
        self.filled -= usize::from(ends);
        match blob.older() {
            None => self.oldest = blob.newer(),
            Some(older) => older.set_newer(blob.newer()),
        }
        match blob.newer() {
            None => self.newest = blob.older(),
            Some(newer) => newer.set_older(blob.older()),
        }
        for hand in [&mut self.hand, &mut self.sweeper] {
            if *hand == Some(blob) {
                *hand = blob.newer();
            }
        }
        self.blobs -= 1;
        // SAFETY: we are the only writer, and it is freed below.
        self.entries -= S::count(unsafe { blob.octets() });
        self.bytes -= Self::cost(blob);
        let large = blob.allocation() >= LARGE;
        // SAFETY: out of the table, so nobody finds it from now on, and freed once.
        unsafe { guard.defer_unchecked(move || blob.free()) };
        if large {
            guard.flush();
        }
    }

    fn has_room(&self, shard: &Shard, guard: &Guard) -> bool {
        let room = self.bytes_max / ROOM_PART;
        self.bytes + shard.table(guard).octets() + room <= self.bytes_max
    }

    fn is_over(&self, shard: &Shard, guard: &Guard) -> bool {
        self.bytes + shard.table(guard).octets() > self.bytes_max
    }

    /// Look at some entries and remove those that were dead at `gone`.
    fn sweep<S: Shape>(&mut self, shard: &Shard, looked: usize, gone: i64, guard: &Guard) {
        for _ in 0..looked {
            let Some(at) = self.sweeper.or(self.oldest) else {
                return;
            };
            self.sweeper = at.newer();
            // SAFETY: linked, and we are the only writer.
            if S::is_dead(unsafe { at.octets() }, gone) {
                self.remove::<S>(shard, at, guard);
            }
        }
    }

    /// Evict until the bound holds. The newest is the reason for it and fits alone, but for the
    /// table: that may be over the bound when much that was small gives way to little.
    fn evict<S: Shape>(&mut self, shard: &Shard, now: i64, guard: &Guard) {
        loop {
            let over = self.is_over(shard, guard);
            let Some(at) = self.hand.or(self.oldest).filter(|_| over) else {
                return;
            };
            if self.blobs == 1 {
                return;
            }
            // SAFETY: linked, and we are the only writer.
            let dead = S::is_dead(unsafe { at.octets() }, now);
            if self.newest == Some(at) {
                self.hand = None;
            } else if at.is_used() && !dead {
                at.set_used(false);
                self.hand = at.newer();
            } else {
                self.remove::<S>(shard, at, guard);
            }
        }
    }

    /// Tell the sums. A shard without entries gives its table back, and counts nothing.
    fn publish(&mut self, shard: &Shard, guard: &Guard) {
        if self.blobs == 0 && shard.table(guard).places.len() > PLACES_MIN {
            self.rebuild(shard, guard);
        }
        let table = if self.blobs == 0 { 0 } else { shard.table(guard).octets() };
        shard.entries.store(self.entries, Ordering::Relaxed);
        shard.bytes.store(self.bytes + table, Ordering::Relaxed);
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
