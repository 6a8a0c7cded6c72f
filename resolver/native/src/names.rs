//! Names with a number: what a policy says of exact names and of all names below a name.
//!
//! A [`Names`] is a value: made once, never changed, read by any thread without a lock. An owner
//! whose first label is `*` stands for every name below the rest of it, at any depth, and not for
//! the rest itself (RFC 4592 section 2.1.1). The exact name beats every wildcard, and of wildcards
//! the longest speaks.
//!
//! An entry takes the octets of its owner, one for their count, one or more for the number, and
//! five in a hash table that is between 7/16 and 7/8 full. Where a million names change ten at a
//! time, the changes stand in a small table over the large one until they are many.
//!
//! Limitations: names are plain, uncompressed and in lower case; 4 GiB of entries at most.

use std::fmt;
use std::sync::Arc;

use hashbrown::HashTable;

use crate::wire::name::is_plain;

/// Greatest number of an entry: the one above it marks what an overlay takes out.
pub const VALUE_MAX: u32 = u32::MAX - 1;
const GONE: u32 = u32::MAX;

/// Labels of a name of 255 octets, and the root.
const LABELS_MAX: usize = 128;

/// The overlay is merged into what it lies over when it has more entries than this,
const OVERLAY_MIN: usize = 1024;
/// and than this part of the entries below: a merge then costs each change some 16 entries' work.
const OVERLAY_PART: usize = 16;

const ASTERISK: &[u8] = b"\x01*";

/// Why no table was made.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub enum Bad {
    /// This entry's owner is not a plain name in lower case.
    Owner(usize),
    /// This entry's number is too large.
    Value(usize),
    /// More than 4 GiB.
    Large,
}

impl fmt::Display for Bad {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Owner(at) => write!(out, "entry {at}: not a plain name in lower case"),
            Self::Value(at) => write!(out, "entry {at}: a number over {VALUE_MAX}"),
            Self::Large => out.write_str("more than 4 GiB of names"),
        }
    }
}

/// What was found for a name.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub struct Found {
    pub value: u32,
    /// Octets of the name in place of which the asterisk stands; 0: the name itself is listed.
    pub below: usize,
}

/// The table.
#[derive(Clone)]
pub struct Names {
    base: Arc<Level>,
    over: Option<Arc<Level>>,
    entries: usize,
}

/// Entries in one run of octets (count of octets, owner without the root's, number in groups of
/// seven bits), and where they stand by hash.
struct Level {
    octets: Vec<u8>,
    places: HashTable<u32>,
    seeds: [u64; 2],
    /// Label counts (without the asterisk) at which there are wildcards: bit by count.
    wild: u128,
}

/// The labels of a name and the hash of each of its suffixes, worked out once for all look-ups.
struct Walk<'a> {
    name: &'a [u8],
    starts: [u8; LABELS_MAX],
    hashes: [u64; LABELS_MAX],
    count: usize,
}

impl<'a> Walk<'a> {
    /// `name` is plain.
    fn new(name: &'a [u8], seeds: [u64; 2]) -> Self {
        let mut walk = Self { name, starts: [0; LABELS_MAX], hashes: [0; LABELS_MAX], count: 0 };
        let mut at = 0;
        while name[at] != 0 {
            walk.starts[walk.count] = at as u8;
            walk.count += 1;
            at += 1 + usize::from(name[at]);
        }
        walk.hashes[0] = seeds[0];
        for labels in 1..=walk.count {
            let start = walk.start(labels);
            let label = &name[start..=start + usize::from(name[start])];
            walk.hashes[labels] = mix(walk.hashes[labels - 1], label, seeds[1]);
        }
        walk
    }

    /// Where the last `labels` labels begin.
    fn start(&self, labels: usize) -> usize {
        if labels == 0 {
            self.name.len() - 1
        } else {
            usize::from(self.starts[self.count - labels])
        }
    }
}

/// Names are the choice of strangers, so the hash is a keyed one: multiply and fold, eight octets
/// at a time.
fn mix(mut hash: u64, label: &[u8], seed: u64) -> u64 {
    let mut chunks = label.chunks_exact(8);
    for chunk in &mut chunks {
        let octets = u64::from_le_bytes(chunk.try_into().expect("eight octets"));
        hash = fold(hash ^ octets, seed);
    }
    let rest = chunks.remainder();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    // The first octet of a label is its length, so padding makes no two labels equal.
    fold(hash ^ u64::from_le_bytes(last), seed ^ 0x9E37_79B9_7F4A_7C15)
}

fn fold(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    (product as u64) ^ ((product >> 64) as u64)
}

fn seeds() -> [u64; 2] {
    let mut octets = [0; 16];
    getrandom::fill(&mut octets).expect("the kernel gives random octets");
    let number = |at: usize| u64::from_le_bytes(octets[at..at + 8].try_into().expect("eight"));
    [number(0), number(8) | 1]
}

impl Level {
    fn new(entries: usize, seeds: [u64; 2]) -> Self {
        let places = HashTable::with_capacity(entries);
        Self { octets: Vec::new(), places, seeds, wild: 0 }
    }

    /// Put an entry; a later one of the same owner takes the place of the earlier.
    fn put(&mut self, owner: &[u8], value: u32) -> Result<(), Bad> {
        let walk = Walk::new(owner, self.seeds);
        let hash = walk.hashes[walk.count];
        let start = u32::try_from(self.octets.len()).map_err(|_| Bad::Large)?;
        if let Some(rest) = owner.strip_prefix(ASTERISK)
            && !rest.is_empty()
        {
            self.wild |= 1 << (walk.count - 1);
        }
        let bare = &owner[..owner.len() - 1];
        self.octets.push(bare.len() as u8);
        self.octets.extend_from_slice(bare);
        let mut left = value;
        while left > 0x7F {
            self.octets.push(left as u8 | 0x80);
            left >>= 7;
        }
        self.octets.push(left as u8);
        let octets = &self.octets;
        let equal = |&at: &u32| Self::bare(octets, at) == bare;
        if let Some(place) = self.places.find_mut(hash, equal) {
            *place = start;
            return Ok(());
        }
        let seeds = self.seeds;
        self.places.insert_unique(hash, start, |&at| Self::rehash(octets, at, seeds));
        Ok(())
    }

    fn bare(octets: &[u8], at: u32) -> &[u8] {
        let at = at as usize;
        &octets[at + 1..at + 1 + usize::from(octets[at])]
    }

    /// Only when the table grows, which a right count of entries avoids.
    fn rehash(octets: &[u8], at: u32, seeds: [u64; 2]) -> u64 {
        let mut owner = Self::bare(octets, at).to_vec();
        owner.push(0);
        let walk = Walk::new(&owner, seeds);
        walk.hashes[walk.count]
    }

    fn value(&self, at: u32) -> u32 {
        let mut at = at as usize;
        at += 1 + usize::from(self.octets[at]);
        let (mut value, mut shift) = (0, 0);
        loop {
            let octet = self.octets[at];
            value |= u32::from(octet & 0x7F) << shift;
            if octet & 0x80 == 0 {
                return value;
            }
            (at, shift) = (at + 1, shift + 7);
        }
    }

    /// The number of an owner: `first` (an asterisk or nothing), then the end of a name.
    fn get(&self, hash: u64, first: &[u8], rest: &[u8]) -> Option<u32> {
        let rest = &rest[..rest.len() - 1];
        let equal = |&at: &u32| {
            let bare = Self::bare(&self.octets, at);
            bare.len() == first.len() + rest.len()
                && bare.starts_with(first)
                && bare.ends_with(rest)
        };
        self.places.find(hash, equal).map(|&at| self.value(at))
    }

    fn each(&self) -> impl Iterator<Item = (&[u8], u32)> {
        self.places.iter().map(|&at| (Self::bare(&self.octets, at), self.value(at)))
    }

    fn finish(mut self) -> Self {
        self.octets.shrink_to_fit();
        self
    }

    fn size(&self) -> usize {
        // A slot of four octets and one of control each; groups of 16 are read at once.
        self.octets.capacity() + self.places.allocation_size()
    }
}

impl Names {
    /// The table of these entries; of several with one owner the last counts.
    ///
    /// # Errors
    /// An owner that is not a plain name in lower case, a number over [`VALUE_MAX`], or too much.
    pub fn new<'a>(entries: impl ExactSizeIterator<Item = (&'a [u8], u32)>) -> Result<Self, Bad> {
        let mut base = Level::new(entries.len(), seeds());
        for (at, (owner, value)) in entries.enumerate() {
            if !is_plain(owner) || owner.iter().any(u8::is_ascii_uppercase) {
                return Err(Bad::Owner(at));
            }
            if value > VALUE_MAX {
                return Err(Bad::Value(at));
            }
            base.put(owner, value)?;
        }
        let entries = base.places.len();
        Ok(Self { base: Arc::new(base.finish()), over: None, entries })
    }

    /// The table with changes: a number, or nothing for an owner that is to go. What is not
    /// changed is shared with this one, unless the changes have become many.
    ///
    /// # Errors
    /// As for [`Names::new`].
    pub fn with(&self, changes: &[(&[u8], Option<u32>)]) -> Result<Self, Bad> {
        for (at, (owner, value)) in changes.iter().enumerate() {
            if !is_plain(owner) || owner.iter().any(u8::is_ascii_uppercase) {
                return Err(Bad::Owner(at));
            }
            if value.is_some_and(|value| value > VALUE_MAX) {
                return Err(Bad::Value(at));
            }
        }
        let known = self.over.as_ref().map_or(0, |over| over.places.len()) + changes.len();
        let mut over = Level::new(known, self.base.seeds);
        let mut owner = Vec::new();
        if let Some(old) = &self.over {
            for (bare, value) in old.each() {
                owner.clear();
                owner.extend_from_slice(bare);
                owner.push(0);
                over.put(&owner, value)?;
            }
        }
        for (owner, value) in changes {
            over.put(owner, value.unwrap_or(GONE))?;
        }
        let many = over.places.len() > OVERLAY_MIN.max(self.base.places.len() / OVERLAY_PART);
        if many { self.merged(&over) } else { Ok(self.covered(over)) }
    }

    fn covered(&self, over: Level) -> Self {
        let base = self.base.clone();
        let mut entries = base.places.len();
        for (bare, value) in over.each() {
            let mut owner = bare.to_vec();
            owner.push(0);
            let walk = Walk::new(&owner, base.seeds);
            let was = base.get(walk.hashes[walk.count], &[], &owner).is_some();
            match (was, value == GONE) {
                (true, true) => entries -= 1,
                (false, false) => entries += 1,
                _ => {}
            }
        }
        Self { base, over: Some(Arc::new(over.finish())), entries }
    }

    fn merged(&self, over: &Level) -> Result<Self, Bad> {
        let mut base = Level::new(self.base.places.len() + over.places.len(), self.base.seeds);
        let mut owner = Vec::new();
        for (level, below) in [(&*self.base, true), (over, false)] {
            for (bare, value) in level.each() {
                owner.clear();
                owner.extend_from_slice(bare);
                owner.push(0);
                let walk = Walk::new(&owner, base.seeds);
                let hash = walk.hashes[walk.count];
                if value != GONE && !(below && over.get(hash, &[], &owner).is_some()) {
                    base.put(&owner, value)?;
                }
            }
        }
        let entries = base.places.len();
        Ok(Self { base: Arc::new(base.finish()), over: None, entries })
    }

    /// What the table says of a plain name in lower case. Some hundred nanoseconds, no lock.
    #[must_use]
    pub fn find(&self, name: &[u8]) -> Option<Found> {
        let walk = Walk::new(name, self.base.seeds);
        if let Some(value) = self.get(walk.hashes[walk.count], &[], name) {
            return Some(Found { value, below: 0 });
        }
        let wild = self.base.wild | self.over.as_ref().map_or(0, |over| over.wild);
        for labels in (0..walk.count).rev() {
            if wild >> labels & 1 == 0 {
                continue;
            }
            let start = walk.start(labels);
            let hash = mix(walk.hashes[labels], ASTERISK, self.base.seeds[1]);
            if let Some(value) = self.get(hash, ASTERISK, &name[start..]) {
                return Some(Found { value, below: start });
            }
        }
        None
    }

    fn get(&self, hash: u64, first: &[u8], rest: &[u8]) -> Option<u32> {
        let over = self.over.as_ref().and_then(|over| over.get(hash, first, rest));
        match over {
            Some(GONE) => None,
            Some(value) => Some(value),
            None => self.base.get(hash, first, rest),
        }
    }

    /// Entries in force.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// Octets held, what is shared with other tables included.
    #[must_use]
    pub fn size(&self) -> usize {
        self.base.size() + self.over.as_ref().map_or(0, |over| over.size())
    }

    /// Entries that lie over the large table.
    #[must_use]
    pub fn overlaid(&self) -> usize {
        self.over.as_ref().map_or(0, |over| over.places.len())
    }
}

#[cfg(test)]
#[path = "names_tests.rs"]
mod tests;
