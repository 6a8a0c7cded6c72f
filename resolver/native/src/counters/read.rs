//! Readers of the counters: sums over all areas, of a live process or of a file.

use std::path::Path;
use std::sync::atomic::Ordering;

use super::StateError;
use super::layout::{
    self, BUCKETS_AT, DESTINATIONS, FIELDS, HIT_BUCKETS, HIT_NANOS_AT, HITS_AT, SCALAR_NAMES,
    SCALARS_AT, SLOTS_AT, SLOTS_MAX, TAGS, TAGS_AT,
};
use super::map::Map;

/// A label with the sums of its fields, in the order of `Field`.
pub type SlotSums = (String, [u64; FIELDS]);

/// Slots and scalars of a counters file, of a live or a dead process.
pub fn read_file(path: &Path) -> Result<(Vec<SlotSums>, Vec<u64>), StateError> {
    let map = Map::open(path)?;
    layout::check_header(&map).map_err(StateError::Foreign)?;
    Ok((slots(&map), scalars(&map)))
}

pub(super) fn slots(map: &Map) -> Vec<SlotSums> {
    (0..SLOTS_MAX)
        .map_while(|slot| Some((layout::read_label(map, slot)?, slot_sums(map, slot))))
        .collect()
}

/// Fields from the last to the first: a writer goes the other way, so *intended* is never seen
/// below *sent*.
fn slot_sums(map: &Map, slot: usize) -> [u64; FIELDS] {
    let mut sums = [0; FIELDS];
    for field in (0..FIELDS).rev() {
        sums[field] = sum(map, SLOTS_AT + slot * FIELDS + field);
    }
    sums
}

pub(super) fn scalars(map: &Map) -> Vec<u64> {
    (0..SCALAR_NAMES.len()).map(|index| sum(map, SCALARS_AT + index)).collect()
}

pub(super) fn hits(map: &Map) -> [[u64; DESTINATIONS]; 2] {
    let row = |transport| {
        std::array::from_fn(|index| sum(map, HITS_AT + transport * DESTINATIONS + index))
    };
    [row(0), row(1)]
}

pub(super) fn tags(map: &Map) -> Vec<(u16, u64)> {
    let counts = (0..TAGS).map(|tag| (tag as u16, sum(map, TAGS_AT + tag)));
    counts.filter(|(_, count)| *count > 0).collect()
}

pub(super) fn hit_seconds(map: &Map) -> (Vec<u64>, f64) {
    let buckets = (0..HIT_BUCKETS).map(|index| sum(map, BUCKETS_AT + index)).collect();
    (buckets, sum(map, HIT_NANOS_AT) as f64 / 1e9)
}

fn sum(map: &Map, word: usize) -> u64 {
    (0..layout::areas(map))
        .map(|area| map.word(layout::area_offset(area) / 8 + word).load(Ordering::Acquire))
        .fold(0, u64::wrapping_add)
}
