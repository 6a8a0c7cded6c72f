//! The store under test: order, bounds, death, and many threads at once.

use std::sync::atomic::AtomicBool;

use super::*;
use proptest::prelude::*;

/// Entries here: key, when it ends, then filling.
struct Items;

fn key(octets: &[u8]) -> u64 {
    u64::from_ne_bytes(octets[..8].try_into().unwrap())
}

impl Shape for Items {
    fn is_dead(octets: &[u8], now: i64) -> bool {
        i64::from_ne_bytes(octets[8..16].try_into().unwrap()) <= now
    }

    fn count(_: &[u8]) -> usize {
        1
    }
}

/// One shard for all, and places that collide on purpose: four for all keys.
fn hash(key: u64) -> u64 {
    key % 4
}

fn put(store: &Store<Items>, item: (u64, usize, i64), now: i64) {
    put_keeping(store, item, now, 0);
}

fn put_keeping(store: &Store<Items>, item: (u64, usize, i64), now: i64, keep: i64) {
    let (name, octets, end) = item;
    let mut made = [name.to_ne_bytes(), end.to_ne_bytes()].concat();
    made.resize(octets.max(16), name as u8);
    store.change(hash(name), |known| key(known) == name, |_| Some(made), now, keep);
}

fn used(store: &Store<Items>, name: u64) -> Option<usize> {
    store.get(hash(name), |known| key(known) == name, |octets, _| Some(octets.len()))
}

fn there(store: &Store<Items>, name: u64) -> Option<usize> {
    store.peek(hash(name), |known| key(known) == name, <[u8]>::len)
}

/// Keys from the oldest to the newest, which must be those of the other direction too.
fn order(store: &Store<Items>) -> Vec<u64> {
    let writer = lock(&store.shards[0].writer);
    let walk = |start: Option<Blob>, next: &dyn Fn(Blob) -> Option<Blob>| {
        // SAFETY: the tests that look at the order have one thread.
        std::iter::successors(start, |at| next(*at)).map(|at| key(unsafe { at.octets() })).collect()
    };
    let forwards: Vec<u64> = walk(writer.oldest, &Blob::newer);
    let mut backwards: Vec<u64> = walk(writer.newest, &Blob::older);
    backwards.reverse();
    assert_eq!(forwards, backwards);
    forwards
}

const EACH: usize = 100;

fn cost(octets: usize) -> usize {
    let blob = Blob::new(0, &vec![0; octets]);
    let cost = Writer::cost(blob);
    // SAFETY: made here, and nobody else has it.
    unsafe { blob.free() };
    cost
}

fn with_room_for(count: usize) -> Store<Items> {
    let places = (2 * count).next_power_of_two().max(PLACES_MIN);
    Store::new(count * cost(EACH) + Table::new(places).octets())
}

#[test]
fn the_oldest_unused_leaves_first_and_what_was_used_is_spared_once() {
    let store = with_room_for(3);
    (0..3).for_each(|name| put(&store, (name, EACH, 9), 0));
    assert!(used(&store, 0).is_some());
    put(&store, (3, EACH, 9), 0);
    assert_eq!(order(&store), [0, 2, 3]);
    put(&store, (4, EACH, 9), 0);
    assert_eq!(order(&store), [0, 3, 4]);
    // The mark of 0 is gone, and it goes when the hand comes round.
    for name in [3, 4] {
        assert!(used(&store, name).is_some());
    }
    put(&store, (5, EACH, 9), 0);
    assert_eq!(order(&store), [3, 4, 5]);
}

#[test]
fn a_scan_does_not_push_out_what_is_in_use() {
    let store = with_room_for(100);
    (0..50).for_each(|name| put(&store, (name, EACH, 9), 0));
    for scanned in 1000..3000 {
        (0..50).for_each(|name| assert!(used(&store, name).is_some(), "{name} at {scanned}"));
        put(&store, (scanned, EACH, 9), 0);
    }
}

#[test]
fn the_dead_leave_without_need_for_room() {
    let store = with_room_for(9);
    (0..4).for_each(|name| put(&store, (name, EACH, 5), 0));
    (4..7).for_each(|name| put(&store, (name, EACH, 9), 6));
    assert_eq!(order(&store), [4, 5, 6]);
}

#[test]
fn the_dead_are_kept_for_a_while_where_there_is_room() {
    let store = with_room_for(9);
    (0..3).for_each(|name| put_keeping(&store, (name, EACH, 5), 0, 10));
    (3..6).for_each(|name| put_keeping(&store, (name, EACH, 50), 14, 10));
    assert_eq!(order(&store), [0, 1, 2, 3, 4, 5]);
    put_keeping(&store, (6, EACH, 50), 15, 10);
    (0..3).for_each(|_| put_keeping(&store, (3, EACH, 50), 15, 10));
    assert_eq!(order(&store), [4, 5, 6, 3], "their time is over");
}

#[test]
fn the_dead_that_are_kept_leave_before_the_living_when_there_is_no_room() {
    let store = with_room_for(40);
    (0..40).for_each(|name| put_keeping(&store, (name, EACH, 5 + 95 * (name as i64 % 2)), 0, 1000));
    assert_eq!(order(&store).len(), 40, "room for all");
    for name in 40..60 {
        put_keeping(&store, (name, EACH, 100), 6, 1000);
    }
    let left = order(&store);
    let mut living = (0..40).filter(|name| name % 2 == 1).chain(40..60);
    assert!(living.all(|name| left.contains(&name)), "only of the dead have left: {left:?}");
    assert!(left.len() < 50);
}

#[test]
fn what_is_dead_leaves_though_it_was_used() {
    let store = with_room_for(2);
    put(&store, (0, EACH, 5), 0);
    put(&store, (1, EACH, 9), 0);
    assert!(used(&store, 0).is_some());
    put(&store, (2, EACH, 9), 6);
    assert_eq!(order(&store), [1, 2]);
}

#[test]
fn the_end_of_an_entry_is_told_once_for_each_time_it_is_put() {
    let store = with_room_for(2);
    let tell = || store.tell_once(hash(0), |known| key(known) == 0);
    assert!(!tell());
    for _ in 0..2 {
        put(&store, (0, EACH, 5), 0);
        assert!(tell() && !tell());
    }
}

#[test]
fn readers_see_whole_entries_while_writers_change_them() {
    let store = with_room_for(64);
    let stop = AtomicBool::new(false);
    let reader = || {
        let mut seen = 0u64;
        while !stop.load(Ordering::Relaxed) || seen == 0 {
            for name in 0..128 {
                let found = store.get(
                    hash(name),
                    |known| key(known) == name,
                    |octets, _| {
                        // One filling, or the entry is torn.
                        assert!(octets[16..].iter().all(|octet| *octet == name as u8));
                        Some(())
                    },
                );
                seen += u64::from(found.is_some());
            }
        }
    };
    std::thread::scope(|scope| {
        let readers = [scope.spawn(reader), scope.spawn(reader)];
        let writer = |start: u64| {
            for turn in start..start + 20_000 {
                put(&store, (turn * 7 % 128, 17 + (turn % 150) as usize, i64::MAX), 0);
                if turn % 1000 == 0 {
                    store.drop_where(|octets| key(octets).is_multiple_of(3));
                }
            }
        };
        let writers = [scope.spawn(move || writer(0)), scope.spawn(move || writer(5))];
        writers.into_iter().for_each(|thread| thread.join().unwrap());
        stop.store(true, Ordering::Relaxed);
        readers.into_iter().for_each(|thread| thread.join().unwrap());
    });
    assert_eq!(order(&store).len(), store.entries());
}

proptest! {
    #[test]
    fn sums_links_and_bounds_hold_whatever_is_done(
        steps in proptest::collection::vec((0u8..8, 0u64..40, 16usize..900), 1..200),
    ) {
        let store = with_room_for(8);
        for (now, (action, name, octets)) in (0i64..).zip(steps) {
            match action {
                0 => drop(store.drop_where(|octets| key(octets) % 7 == name % 7)),
                1..=3 => drop(used(&store, name)),
                _ => {
                    put(&store, (name, octets, now + 20), now);
                    let fits = cost(octets) <= lock(&store.shards[0].writer).bytes_max;
                    prop_assert_eq!(there(&store, name), fits.then_some(octets));
                }
            }
            let names = order(&store);
            let guard = epoch::pin();
            let table = store.shards[0].table(&guard);
            let found: Vec<usize> = names.iter().filter_map(|name| there(&store, *name)).collect();
            let costs: usize = found.iter().map(|octets| cost(*octets)).sum();
            let whole = if names.is_empty() { 0 } else { costs + table.octets() };
            prop_assert_eq!(store.bytes(), whole);
            prop_assert_eq!((store.entries(), found.len()), (names.len(), names.len()));
            let filled = (0..table.places.len()).filter(|at| table.load(*at) != EMPTY).count();
            prop_assert_eq!(filled, lock(&store.shards[0].writer).filled);
            let most = lock(&store.shards[0].writer).bytes_max;
            prop_assert!(names.len() == 1 || store.bytes() <= most);
        }
    }
}
