//! Counters in memory that survives a crash: a shared mapping of a file, one area a thread.
//!
//! Each area has one writer, so counting is a plain load and store. *Intended* is written before
//! the send call and *sent* after the kernel has accepted, so that after a crash the truth lies
//! between the two. `layout` says where everything stands, `read` adds areas up.
//!
//! Limitations: the file outlives a crash of the process, not of the machine (it is never synced).

mod layout;
mod map;
mod read;

use std::collections::HashMap;
use std::marker::PhantomData;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

pub use layout::{
    DESTINATIONS, FIELDS, Field, HIT_BUCKETS, HIT_SECONDS_BOUNDS, LABEL_MAX, SCALAR_NAMES,
    SLOTS_MAX, Scalar, TAGS,
};
use map::Map;
pub use read::{SlotSums, read_file};

use crate::wire::name;

/// Why a counters file cannot be used.
#[derive(Debug)]
pub enum StateError {
    Io(std::io::Error),
    /// Not a counters file, of another version, or torn.
    Foreign(&'static str),
}

impl From<std::io::Error> for StateError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

impl std::fmt::Display for StateError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(error) => error.fmt(formatter),
            Self::Foreign(why) => formatter.write_str(why),
        }
    }
}

impl std::error::Error for StateError {}

/// All counters of a process.
pub struct Counters {
    map: Arc<Map>,
    slots: Mutex<HashMap<String, u32>>,
    free: Arc<Mutex<Vec<usize>>>,
}

impl Counters {
    /// Make the file, or anonymous memory, for `areas` threads. An existing file is renamed to
    /// `PATH.previous` first.
    pub fn new(path: Option<&Path>, areas: usize) -> Result<Self, StateError> {
        let size = layout::file_size(areas);
        let map = match path {
            Some(path) => {
                let mut previous = path.as_os_str().to_owned();
                previous.push(".previous");
                match std::fs::rename(path, previous) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                        return Err(error.into());
                    }
                    _ => Map::create(path, size)?,
                }
            }
            None => Map::anonymous(size)?,
        };
        layout::write_header(&map, areas);
        let counters = Self {
            map: Arc::new(map),
            slots: Mutex::default(),
            // Taken from the end: the first area goes first.
            free: Arc::new(Mutex::new((0..areas).rev().collect())),
        };
        counters.slot(layout::OVERFLOW);
        Ok(counters)
    }

    /// Slot of a label, made when new; 0 when the table is full or the label over `LABEL_MAX`
    /// octets.
    pub fn slot(&self, label: &str) -> u32 {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get(label) {
            return *slot;
        }
        let slot = slots.len();
        if slot >= SLOTS_MAX || label.len() > LABEL_MAX {
            return 0;
        }
        layout::write_label(&self.map, slot, label);
        slots.insert(label.to_owned(), slot as u32);
        slot as u32
    }

    /// An area for one thread, until it is dropped; `None` when all are taken.
    pub fn area(&self) -> Option<Area> {
        let index = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
        let base = layout::area_offset(index) / 8;
        Some(Area {
            map: Arc::clone(&self.map),
            free: Arc::clone(&self.free),
            index,
            base,
            single_writer: PhantomData,
        })
    }

    /// Sums of the slots that have labels.
    pub fn slots(&self) -> Vec<SlotSums> {
        read::slots(&self.map)
    }

    /// Sums of the scalars, in the order of `SCALAR_NAMES`.
    pub fn scalars(&self) -> Vec<u64> {
        read::scalars(&self.map)
    }

    /// Hits by transport, then destination.
    pub fn hits(&self) -> [[u64; DESTINATIONS]; 2] {
        read::hits(&self.map)
    }

    /// Hits of answers with a tag, of those tags that had any.
    pub fn tags(&self) -> Vec<(u16, u64)> {
        read::tags(&self.map)
    }

    /// Hits in each bucket of `HIT_SECONDS_BOUNDS` and above, and the sum of seconds.
    pub fn hit_seconds(&self) -> (Vec<u64>, f64) {
        read::hit_seconds(&self.map)
    }
}

/// What a question shows of its name: how many labels, and how many of them beyond those that any
/// question to its zone needs, which are the zone's own and one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    labels: u64,
    beyond: u64,
}

impl Shown {
    /// Of the name at the start of `name`; `needed`: labels that its zone needs.
    pub fn of(name: &[u8], needed: u8) -> Self {
        let labels = name::labels(name);
        Self { labels, beyond: labels.saturating_sub(needed.into()) }
    }
}

/// The counters of one thread. Not `Sync`: there is one writer.
pub struct Area {
    map: Arc<Map>,
    free: Arc<Mutex<Vec<usize>>>,
    index: usize,
    /// First word of the area in the mapping.
    base: usize,
    single_writer: PhantomData<std::cell::Cell<()>>,
}

impl Area {
    /// Add to a field of a slot.
    pub fn add(&self, slot: u32, field: Field, more: u64) {
        let slot = if (slot as usize) < SLOTS_MAX { slot as usize } else { 0 };
        self.bump(layout::SLOTS_AT + slot * FIELDS + field as usize, more);
    }

    /// Count a question that the kernel has taken. What it has shown comes last: a reader sees
    /// labels of questions that are counted, or a little less.
    pub fn sent(&self, slot: u32, shown: Shown) {
        self.add(slot, Field::Sent, 1);
        self.add(slot, Field::Labels, shown.labels);
        if shown.beyond > 0 {
            self.add(slot, Field::LabelsBeyond, shown.beyond);
        }
    }

    /// Add to a scalar.
    pub fn count(&self, scalar: Scalar, more: u64) {
        self.bump(layout::SCALARS_AT + scalar as usize, more);
    }

    /// Count one answer from the cache: `transport` 0 UDP 1 TCP; `destination` as in the contract.
    pub fn hit(&self, transport: u8, destination: u8) {
        let destination = usize::from(destination).min(DESTINATIONS - 1);
        let transport = usize::from(transport != 0);
        self.bump(layout::HITS_AT + transport * DESTINATIONS + destination, 1);
    }

    /// Count one answer from the cache by its tag.
    pub fn tagged(&self, tag: u16) {
        self.bump(layout::TAGS_AT + usize::from(tag) % TAGS, 1);
    }

    /// Tell that `hits` answers from the cache took so long, each.
    pub fn hit_seconds(&self, hits: u64, seconds: f64) {
        let bucket = HIT_SECONDS_BOUNDS.iter().position(|bound| seconds <= *bound);
        self.bump(layout::BUCKETS_AT + bucket.unwrap_or(HIT_BUCKETS - 1), hits);
        self.bump(layout::HIT_NANOS_AT, hits * (seconds.max(0.0) * 1e9) as u64);
    }

    /// One writer, so no read-modify-write is needed. Release: a reader that sees *sent* also
    /// sees the *intended* that was written before it.
    fn bump(&self, word: usize, more: u64) {
        let cell: &AtomicU64 = self.map.word(self.base + word);
        cell.store(cell.load(Ordering::Relaxed).wrapping_add(more), Ordering::Release);
    }
}

impl Drop for Area {
    fn drop(&mut self) {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(self.index);
    }
}
