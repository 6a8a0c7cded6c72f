//! The answer cache: replies ready to send, looked up and written for a client in one go.
//!
//! The key is view, name, type, DO and CD; all is in class IN, and questions in another class must
//! not be looked up here. Entries carry the policy generation that they were composed under; those
//! of another one than the current are never served.
//!
//! Limitations: what has expired is counted until the sweeping hand of `store` comes by; what was
//! superseded, until it expires.

use std::collections::VecDeque;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::store::{Shape, Store};
use crate::sys::thread::lock;
use crate::wire::compose::{Answer, View};
use crate::wire::micros;
use crate::wire::name::is_subdomain;
use crate::wire::query::Client;

/// An answer that is asked for in the last tenth of its life, and was asked for before, is told to
/// Python, so that it can be had anew before it ends.
const DUE_PART: i64 = 10;
/// Lifetimes below are not worth it: the work would come every few seconds.
const DUE_LIFETIME_MIN: i64 = 20_000_000;
/// Answers that wait for Python to look; more are not told, and simply expire.
const DUE_MAX: usize = 4096;

/// What an answer is kept under; `name` plain and in lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key<'a> {
    pub view: u32,
    pub name: &'a [u8],
    pub rtype: u16,
    pub do_bit: bool,
    pub cd: bool,
}

impl Key<'_> {
    fn bits(&self) -> u8 {
        u8::from(self.do_bit) | u8::from(self.cd) << 1
    }
}

/// A key of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    pub view: u32,
    pub name: Box<[u8]>,
    pub rtype: u16,
    pub do_bit: bool,
    pub cd: bool,
}

/// How an answer is given, as policy wants it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Manner {
    #[default]
    Plain,
    /// No reply at all.
    Silent,
    /// Over streams only: over UDP the client is told to come back by TCP.
    Stream,
}

impl Manner {
    /// By the number of the contract.
    pub fn from_number(number: u8) -> Self {
        match number {
            1 => Self::Silent,
            2 => Self::Stream,
            _ => Self::Plain,
        }
    }
}

/// What is kept with an answer and told at each hit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// 0 domestic, 1 foreign, 2 mixed, 3 none.
    pub destination: u8,
    /// Of stale data: its TTLs stay as they are, and it is never due.
    pub stale: bool,
    pub manner: Manner,
    /// What policy had to do with it, as Python numbers that; 0: nothing.
    pub tag: u16,
}

impl From<u8> for Marks {
    /// Of an answer that policy has nothing to do with, by its destination.
    fn from(destination: u8) -> Self {
        Self { destination, ..Self::default() }
    }
}

impl Marks {
    fn bits(self) -> u8 {
        let stale = if self.stale { STALE } else { 0 };
        self.destination & DESTINATIONS | stale | (self.manner as u8) << MANNER_SHIFT
    }

    fn read(bits: u8, tag: u16) -> Self {
        Self {
            destination: bits & DESTINATIONS,
            stale: bits & STALE != 0,
            manner: Manner::from_number(bits >> MANNER_SHIFT & 0b11),
            tag,
        }
    }
}

/// A reply that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    pub length: usize,
    pub destination: u8,
    pub stale: bool,
    pub manner: Manner,
    pub tag: u16,
}

/// An entry: end of life in microseconds, generation, view, DO and CD as bits, destination and
/// other marks, tag; then the octets of the answer, which hold name and type.
#[derive(Clone, Copy)]
struct Kept<'a>(&'a [u8]);

const EXPIRES: usize = 0;
const GENERATION: usize = 8;
const VIEW: usize = 16;
const BITS: usize = 20;
const DESTINATION: usize = 21;
const TAG: usize = 22;
const ANSWER: usize = 24;
const STALE: u8 = 0x80;
const MANNER_SHIFT: u8 = 4;
const DESTINATIONS: u8 = 0b11;

impl<'a> Kept<'a> {
    fn pack(
        key: &Key<'_>,
        generation: u64,
        expires: i64,
        marks: Marks,
        answer: View<'_>,
    ) -> Vec<u8> {
        let mut octets = Vec::with_capacity(ANSWER + answer.octets().len());
        octets.extend(expires.to_ne_bytes());
        octets.extend(generation.to_ne_bytes());
        octets.extend(key.view.to_ne_bytes());
        octets.extend([key.bits(), marks.bits()]);
        octets.extend(marks.tag.to_ne_bytes());
        octets.extend(answer.octets());
        octets
    }

    fn word(self, at: usize) -> u64 {
        self.0[at..].first_chunk().map_or(0, |octets| u64::from_ne_bytes(*octets))
    }

    fn expires(self) -> i64 {
        self.word(EXPIRES) as i64
    }

    /// In the last part of a life that counts from when the answer was composed.
    fn is_due(self, now: i64) -> bool {
        if self.is_stale() {
            return false;
        }
        let lifetime = self.expires() - self.answer().made();
        lifetime >= DUE_LIFETIME_MIN && (self.expires() - now) * DUE_PART < lifetime
    }

    fn is_stale(self) -> bool {
        self.0[DESTINATION] & STALE != 0
    }

    fn marks(self) -> Marks {
        let tag = u16::from_ne_bytes([self.0[TAG], self.0[TAG + 1]]);
        Marks::read(self.0[DESTINATION], tag)
    }

    /// The time that TTLs are counted down to.
    fn at(self, now: i64) -> i64 {
        if self.is_stale() { self.answer().made() } else { now }
    }

    fn answer(self) -> View<'a> {
        View::of(&self.0[ANSWER..])
    }

    fn name(self) -> &'a [u8] {
        self.answer().question().0
    }

    fn is_under(self, key: &Key<'_>) -> bool {
        self.answer().question() == (key.name, key.rtype.to_be_bytes())
            && self.0[VIEW..BITS] == key.view.to_ne_bytes()
            && self.0[BITS] == key.bits()
    }
}

struct Answers;

impl Shape for Answers {
    fn is_dead(octets: &[u8], now: i64) -> bool {
        Kept(octets).expires() <= now
    }

    fn count(_: &[u8]) -> usize {
        1
    }
}

/// Replies by key, bounded in bytes.
pub struct AnswerCache {
    hasher: RandomState,
    store: Store<Answers>,
    generation: AtomicU64,
    due: Mutex<VecDeque<Due>>,
}

impl AnswerCache {
    pub fn new(bytes_max: usize) -> Self {
        Self {
            hasher: RandomState::new(),
            store: Store::new(bytes_max),
            generation: AtomicU64::new(0),
            due: Mutex::default(),
        }
    }

    /// Keep `answer`, which is one to the question of `key`, for `lifetime` seconds. One of
    /// another generation than the current is not kept: it must not push out what the current one
    /// has composed.
    pub fn put(
        &self,
        key: &Key<'_>,
        generation: u64,
        answer: &Answer,
        lifetime: f64,
        marks: impl Into<Marks>,
        now: f64,
    ) {
        let now = micros(now);
        let expires = now.saturating_add(micros(lifetime));
        let answers = answer.view().question() == (key.name, key.rtype.to_be_bytes());
        debug_assert!(answers, "an answer is kept under its own question");
        if !answers || expires <= now || generation != self.generation.load(Ordering::Acquire) {
            return;
        }
        let kept = Kept::pack(key, generation, expires, marks.into(), answer.view());
        let equal = |known: &[u8]| Kept(known).is_under(key);
        self.store.change(self.hash(key), equal, |_| Some(kept), now, 0);
    }

    /// Write the live reply for a client into `out` (see [`View::write`]). `generation` is that of
    /// the client's view: an answer of another one is not for it.
    #[allow(clippy::too_many_arguments)]
    pub fn lookup(
        &self,
        key: &Key<'_>,
        generation: u64,
        client: &Client,
        question: &[u8],
        now: f64,
        limit: usize,
        out: &mut [u8],
    ) -> Option<Hit> {
        let now = micros(now);
        let equal = |known: &[u8]| Kept(known).is_under(key);
        let hash = self.hash(key);
        let (hit, due) = self.store.get(hash, equal, |known, used| {
            let kept = Kept(known);
            // What is dead must not be marked as used, or it would stay longer.
            if kept.word(GENERATION) != generation || !self.lives(kept, now) {
                return None;
            }
            let length = kept.answer().write(client, question, kept.at(now), limit, out);
            let Marks { destination, stale, manner, tag } = kept.marks();
            let hit = Hit { length, destination, stale, manner, tag };
            Some((hit, used && kept.is_due(now)))
        })?;
        if due && self.store.tell_once(hash, equal) {
            self.tell(key);
        }
        Some(hit)
    }

    #[cold]
    fn tell(&self, key: &Key<'_>) {
        let Key { view, rtype, do_bit, cd, .. } = *key;
        let mut due = lock(&self.due);
        if due.len() < DUE_MAX {
            due.push_back(Due { view, name: Box::from(key.name), rtype, do_bit, cd });
        }
    }

    /// Popular answers that end soon, each told once, oldest first.
    pub fn take_due(&self, most: usize) -> Vec<Due> {
        let mut due = lock(&self.due);
        let count = most.min(due.len());
        due.drain(..count).collect()
    }

    /// The message of the live answer (see [`View::message`]), without a mark of use.
    pub fn peek(&self, key: &Key<'_>, now: f64) -> Option<Vec<u8>> {
        let now = micros(now);
        let equal = |known: &[u8]| Kept(known).is_under(key);
        let read = |known: &[u8]| {
            let kept = Kept(known);
            self.lives(kept, now).then(|| kept.answer().message(kept.at(now)))
        };
        self.store.peek(self.hash(key), equal, read).flatten()
    }

    /// Supersede all entries of other generations, at once.
    pub fn set_generation(&self, generation: u64) {
        self.generation.store(generation, Ordering::Release);
        // Its views are not those of the next.
        lock(&self.due).clear();
    }

    /// The generation that is served.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Drop the answers to questions for a name, or for it and all below; their number.
    pub fn flush(&self, name: &[u8], subtree: bool) -> usize {
        let goes = |known: &[u8]| {
            let owner = Kept(known).name();
            if subtree { is_subdomain(owner, name) } else { owner == name }
        };
        self.store.drop_where(goes)
    }

    pub fn entries(&self) -> usize {
        self.store.entries()
    }

    pub fn bytes(&self) -> usize {
        self.store.bytes()
    }

    fn lives(&self, kept: Kept<'_>, now: i64) -> bool {
        kept.expires() > now && kept.word(GENERATION) == self.generation.load(Ordering::Acquire)
    }

    /// Names are the choice of strangers, so the hash is a keyed one (SipHash).
    fn hash(&self, key: &Key<'_>) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(key.name);
        hasher.write_u64(
            u64::from(key.view) << 24 | u64::from(key.rtype) << 8 | u64::from(key.bits()),
        );
        hasher.finish()
    }
}
