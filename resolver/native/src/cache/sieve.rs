//! A store bounded in bytes with SIEVE eviction (Zhang et al., NSDI 2024): entries queue in order
//! of arrival; a hand moves from the oldest to the newest, spares once what has been used since it
//! last passed, and evicts the rest. A scan of names asked once cannot push out what is in use.
//!
//! While nothing new is used twice the hand stays among the newest and what is behind it stays, so
//! a second hand walks through all entries, a few with each change, and removes the dead.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use hashbrown::HashTable;

/// What the store must know of an entry.
pub(super) trait Entry {
    /// Octets of each heap allocation that the entry holds.
    fn allocations(&self) -> usize;
    /// Of no use any more, so evicted even if it was used since the hand passed.
    fn is_dead(&self, now: i64) -> bool;
    /// How many it counts for.
    fn count(&self) -> usize {
        1
    }
}

/// Octets that the allocator takes for a request: 8 for its header, in steps of 16, at least 32
/// (glibc malloc).
pub(super) fn allocated(octets: usize) -> usize {
    if octets == 0 { 0 } else { (octets + 8).next_multiple_of(16).max(32) }
}

/// Octets of an entry outside its node: a pointer in `nodes` and an index with a control octet in
/// `table`, both with the slack of growing by doubling.
const INDEX_OCTETS: usize = 2 * 8 + 3 * 5;
/// Entries that are looked at for death with each change: more than one, so that the dead are
/// found sooner than they are made.
const SWEPT: usize = 2;
const NONE: u32 = u32::MAX;

struct Node<E> {
    entry: E,
    hash: u64,
    cost: usize,
    count: usize,
    older: u32,
    newer: u32,
    used: AtomicBool,
}

/// Entries by hash; the caller tells equal keys apart.
pub(super) struct Sieve<E> {
    table: HashTable<u32>,
    nodes: Vec<Option<Box<Node<E>>>>,
    free: Vec<u32>,
    oldest: u32,
    newest: u32,
    hand: u32,
    sweeper: u32,
    entries: usize,
    bytes: usize,
    bytes_max: usize,
}

impl<E: Entry> Sieve<E> {
    pub fn new(bytes_max: usize) -> Self {
        Self {
            table: HashTable::new(),
            nodes: Vec::new(),
            free: Vec::new(),
            oldest: NONE,
            newest: NONE,
            hand: NONE,
            sweeper: NONE,
            entries: 0,
            bytes: 0,
            bytes_max,
        }
    }

    pub fn entries(&self) -> usize {
        self.entries
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The entry, marked as used.
    pub fn get(&self, hash: u64, equal: impl Fn(&E) -> bool) -> Option<&E> {
        let node = self.node(self.find(hash, equal)?);
        // Written only when it changes: entries in use are read by many threads.
        if !node.used.load(Relaxed) {
            node.used.store(true, Relaxed);
        }
        Some(&node.entry)
    }

    /// The entry, without a mark.
    pub fn peek(&self, hash: u64, equal: impl Fn(&E) -> bool) -> Option<&E> {
        Some(&self.node(self.find(hash, equal)?).entry)
    }

    /// Add an entry, or put it in the place of its equal. What alone is over the bound is not
    /// kept.
    pub fn insert(&mut self, hash: u64, entry: E, equal: impl Fn(&E) -> bool, now: i64) {
        let index = match self.find(hash, equal) {
            Some(index) => {
                self.node_mut(index).entry = entry;
                index
            }
            None => self.append(hash, entry),
        };
        self.weigh(index, now);
    }

    /// Change an entry in its place, made by `make` when it is not there.
    pub fn change<R>(
        &mut self,
        hash: u64,
        equal: impl Fn(&E) -> bool,
        make: impl FnOnce() -> E,
        change: impl FnOnce(&mut E) -> R,
        now: i64,
    ) -> R {
        let index = self.find(hash, equal).unwrap_or_else(|| self.append(hash, make()));
        let result = change(&mut self.node_mut(index).entry);
        self.weigh(index, now);
        result
    }

    /// Drop all entries that `drop` says; their number.
    pub fn drop_where(&mut self, drop: impl Fn(&E) -> bool) -> usize {
        let mut dropped = 0;
        let mut at = self.oldest;
        while at != NONE {
            let node = self.node(at);
            let (newer, goes) = (node.newer, drop(&node.entry));
            if goes {
                dropped += self.remove(at).count;
            }
            at = newer;
        }
        dropped
    }

    /// Take the size of an entry anew, and make room for it. One that counts for nothing, or is
    /// over the bound alone, is removed.
    fn weigh(&mut self, index: u32, now: i64) {
        let node = self.node_mut(index);
        let cost = allocated(size_of::<Node<E>>()) + node.entry.allocations() + INDEX_OCTETS;
        let count = node.entry.count();
        let cost_before = std::mem::replace(&mut node.cost, cost);
        let count_before = std::mem::replace(&mut node.count, count);
        self.bytes = self.bytes - cost_before + cost;
        self.entries = self.entries - count_before + count;
        if cost > self.bytes_max || count == 0 {
            self.remove(index);
        }
        self.sweep(now);
        self.evict(now, index);
    }

    fn sweep(&mut self, now: i64) {
        for _ in 0..SWEPT {
            let at = if self.sweeper == NONE { self.oldest } else { self.sweeper };
            if at == NONE {
                return;
            }
            let node = self.node(at);
            let (newer, dead) = (node.newer, node.entry.is_dead(now));
            self.sweeper = newer;
            if dead {
                self.remove(at);
            }
        }
    }

    fn find(&self, hash: u64, equal: impl Fn(&E) -> bool) -> Option<u32> {
        let same = |index: &u32| {
            let node = self.node(*index);
            node.hash == hash && equal(&node.entry)
        };
        self.table.find(hash, same).copied()
    }

    fn node(&self, index: u32) -> &Node<E> {
        self.nodes[index as usize].as_ref().expect("linked nodes are filled")
    }

    fn node_mut(&mut self, index: u32) -> &mut Node<E> {
        self.nodes[index as usize].as_mut().expect("linked nodes are filled")
    }

    fn append(&mut self, hash: u64, entry: E) -> u32 {
        let node = Box::new(Node {
            entry,
            hash,
            cost: 0,
            count: 0,
            older: self.newest,
            newer: NONE,
            used: AtomicBool::new(false),
        });
        let index = self.free.pop().unwrap_or_else(|| {
            self.nodes.push(None);
            (self.nodes.len() - 1) as u32
        });
        self.nodes[index as usize] = Some(node);
        match self.newest {
            NONE => self.oldest = index,
            newest => self.node_mut(newest).newer = index,
        }
        self.newest = index;
        let nodes = &self.nodes;
        self.table.insert_unique(hash, index, |index| {
            nodes[*index as usize].as_ref().map_or(0, |node| node.hash)
        });
        index
    }

    /// Evict until the bound holds; `spared` is the reason for it, and fits alone.
    fn evict(&mut self, now: i64, spared: u32) {
        while self.bytes > self.bytes_max {
            let at = if self.hand == NONE { self.oldest } else { self.hand };
            let node = self.node(at);
            let used = node.used.swap(false, Relaxed) && !node.entry.is_dead(now);
            if used || at == spared {
                self.hand = node.newer;
            } else {
                self.remove(at);
            }
        }
    }

    fn remove(&mut self, index: u32) -> Box<Node<E>> {
        let node = self.nodes[index as usize].take().expect("linked nodes are filled");
        if let Ok(slot) = self.table.find_entry(node.hash, |known| *known == index) {
            slot.remove();
        }
        match node.older {
            NONE => self.oldest = node.newer,
            older => self.node_mut(older).newer = node.newer,
        }
        match node.newer {
            NONE => self.newest = node.older,
            newer => self.node_mut(newer).older = node.older,
        }
        for hand in [&mut self.hand, &mut self.sweeper] {
            if *hand == index {
                *hand = node.newer;
            }
        }
        self.free.push(index);
        self.bytes -= node.cost;
        self.entries -= node.count;
        node
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Key, octets, and when it ends.
    #[derive(Clone, Debug)]
    struct Item(u64, usize, i64);

    impl Entry for Item {
        fn allocations(&self) -> usize {
            self.1
        }

        fn is_dead(&self, now: i64) -> bool {
            self.2 <= now
        }
    }

    /// Keys from the oldest to the newest, which must be those of the other direction too.
    fn order(store: &Sieve<Item>) -> Vec<u64> {
        let walk = |start: u32, next: &dyn Fn(&Node<Item>) -> u32| {
            let (mut at, mut keys) = (start, Vec::new());
            while at != NONE {
                keys.push(store.node(at).entry.0);
                at = next(store.node(at));
            }
            keys
        };
        let forwards = walk(store.oldest, &|node| node.newer);
        let mut backwards = walk(store.newest, &|node| node.older);
        backwards.reverse();
        assert_eq!(forwards, backwards);
        forwards
    }

    /// Hashes collide on purpose: four of them for all keys.
    fn put(store: &mut Sieve<Item>, item: Item, now: i64) {
        let key = item.0;
        store.insert(key % 4, item, |known| known.0 == key, now);
    }

    fn with_room_for(count: usize) -> Sieve<Item> {
        Sieve::new(count * (allocated(size_of::<Node<Item>>()) + INDEX_OCTETS + 100))
    }

    #[test]
    fn the_oldest_unused_leaves_first_and_what_was_used_is_spared_once() {
        let mut store = with_room_for(3);
        (0..3).for_each(|key| put(&mut store, Item(key, 100, 9), 0));
        assert!(store.get(0, |item| item.0 == 0).is_some());
        put(&mut store, Item(3, 100, 9), 0);
        assert_eq!(order(&store), [0, 2, 3]);
        put(&mut store, Item(4, 100, 9), 0);
        assert_eq!(order(&store), [0, 3, 4]);
        // The mark of 0 is gone, and it goes when the hand comes round.
        for key in [3, 4] {
            assert!(store.get(key % 4, |item| item.0 == key).is_some());
        }
        put(&mut store, Item(5, 100, 9), 0);
        assert_eq!(order(&store), [3, 4, 5]);
    }

    #[test]
    fn the_dead_leave_without_need_for_room() {
        let mut store = with_room_for(9);
        (0..4).for_each(|key| put(&mut store, Item(key, 100, 5), 0));
        (4..7).for_each(|key| put(&mut store, Item(key, 100, 9), 6));
        assert_eq!(order(&store), [4, 5, 6]);
    }

    #[test]
    fn what_is_dead_leaves_though_it_was_used() {
        let mut store = with_room_for(2);
        put(&mut store, Item(0, 100, 5), 0);
        put(&mut store, Item(1, 100, 9), 0);
        assert!(store.get(0, |item| item.0 == 0).is_some());
        put(&mut store, Item(2, 100, 9), 6);
        assert_eq!(order(&store), [1, 2]);
    }

    proptest! {
        #[test]
        fn sums_links_and_bounds_hold_whatever_is_done(
            steps in proptest::collection::vec((0u8..8, 0u64..40, 0usize..900), 1..200),
        ) {
            let mut store = with_room_for(8);
            for (now, (action, key, octets)) in (0i64..).zip(steps) {
                match action {
                    0 => drop(store.drop_where(|item| item.0 % 7 == key % 7)),
                    1..=3 => drop(store.get(key % 4, |item| item.0 == key).cloned()),
                    _ => {
                        put(&mut store, Item(key, octets, now + 20), now);
                        let kept = store.peek(key % 4, |item| item.0 == key);
                        let fits = octets + INDEX_OCTETS + allocated(size_of::<Node<Item>>())
                            <= store.bytes_max;
                        prop_assert_eq!(kept.map(|item| item.1), fits.then_some(octets));
                    }
                }
                let keys = order(&store);
                let costs: usize =
                    store.nodes.iter().flatten().map(|node| node.cost).sum();
                prop_assert_eq!(store.bytes(), costs);
                prop_assert_eq!(store.entries(), keys.len());
                prop_assert_eq!(store.table.len(), keys.len());
                prop_assert!(store.bytes() <= store.bytes_max);
            }
        }
    }
}
