//! The answer cache: replies ready to send, looked up and written for a client in one go.
//!
//! The key is view, name, type, DO and CD; all is in class IN, and questions in another class must
//! not be looked up here. Entries carry the policy generation that they were composed under; those
//! of another one than the current are never served.
//!
//! Limitations: what has expired is counted until the sweeping hand of `sieve` comes by; what was
//! superseded, until it expires.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::shards::Shards;
use super::sieve::{Entry, allocated};
use crate::wire::compose::Answer;
use crate::wire::micros;
use crate::wire::name::is_subdomain;
use crate::wire::query::Client;

/// What an answer is kept under; `name` plain and in lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key<'a> {
    pub view: u32,
    pub name: &'a [u8],
    pub rtype: u16,
    pub do_bit: bool,
    pub cd: bool,
}

/// A reply that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    pub length: usize,
    /// 0 domestic, 1 foreign, 2 mixed, 3 none.
    pub destination: u8,
}

struct Kept {
    name: Box<[u8]>,
    view: u32,
    rtype: u16,
    do_bit: bool,
    cd: bool,
    destination: u8,
    generation: u64,
    expires: i64,
    answer: Arc<Answer>,
}

impl Kept {
    fn key(&self) -> Key<'_> {
        let Self { view, rtype, do_bit, cd, .. } = *self;
        Key { view, name: &self.name, rtype, do_bit, cd }
    }
}

impl Entry for Kept {
    fn allocations(&self) -> usize {
        // Arc: two counters before the value.
        let answer = allocated(16 + size_of::<Answer>());
        allocated(self.name.len())
            + answer
            + self.answer.allocations().map(allocated).sum::<usize>()
    }

    fn is_dead(&self, now: i64) -> bool {
        self.expires <= now
    }
}

/// Replies by key, bounded in bytes.
pub struct AnswerCache {
    hasher: RandomState,
    shards: Shards<Kept>,
    generation: AtomicU64,
}

impl AnswerCache {
    pub fn new(bytes_max: usize) -> Self {
        Self {
            hasher: RandomState::new(),
            shards: Shards::new(bytes_max),
            generation: AtomicU64::new(0),
        }
    }

    /// Keep `answer` for `lifetime` seconds. One of another generation than the current is not
    /// kept: it must not push out what the current one has composed.
    pub fn put(
        &self,
        key: &Key<'_>,
        generation: u64,
        answer: Arc<Answer>,
        lifetime: f64,
        destination: u8,
        now: f64,
    ) {
        let now = micros(now);
        let kept = Kept {
            name: Box::from(key.name),
            view: key.view,
            rtype: key.rtype,
            do_bit: key.do_bit,
            cd: key.cd,
            destination,
            generation,
            expires: now.saturating_add(micros(lifetime)),
            answer,
        };
        let hash = self.hash(key);
        if kept.expires > now && generation == self.generation.load(Ordering::Acquire) {
            self.shards.write(hash).insert(hash, kept, |known| known.key() == *key, now);
        }
    }

    /// Write the live reply for a client into `out` (see [`Answer::write`]).
    pub fn lookup(
        &self,
        key: &Key<'_>,
        client: &Client,
        question: &[u8],
        now: f64,
        limit: usize,
        out: &mut [u8],
    ) -> Option<Hit> {
        let hash = self.hash(key);
        let shard = self.shards.read(hash);
        // What is dead must not be marked as used, or it would stay longer.
        let kept = shard.get(hash, |known| known.key() == *key && self.lives(known, now))?;
        let length = kept.answer.write(client, question, now, limit, out);
        Some(Hit { length, destination: kept.destination })
    }

    /// The live answer, without a mark of use.
    pub fn peek(&self, key: &Key<'_>, now: f64) -> Option<Arc<Answer>> {
        let hash = self.hash(key);
        let shard = self.shards.read(hash);
        let kept = shard.peek(hash, |known| known.key() == *key)?;
        self.lives(kept, now).then(|| Arc::clone(&kept.answer))
    }

    /// Supersede all entries of other generations, at once.
    pub fn set_generation(&self, generation: u64) {
        self.generation.store(generation, Ordering::Release);
    }

    /// Drop the answers to questions for a name, or for it and all below; their number.
    pub fn flush(&self, name: &[u8], subtree: bool) -> usize {
        let goes = |kept: &Kept| {
            if subtree { is_subdomain(&kept.name, name) } else { *kept.name == *name }
        };
        self.shards.drop_where(goes)
    }

    pub fn entries(&self) -> usize {
        self.shards.entries()
    }

    pub fn bytes(&self) -> usize {
        self.shards.bytes()
    }

    fn lives(&self, kept: &Kept, now: f64) -> bool {
        kept.expires > micros(now) && kept.generation == self.generation.load(Ordering::Acquire)
    }

    fn hash(&self, key: &Key<'_>) -> u64 {
        self.hasher.hash_one((key.view, key.name, key.rtype, key.do_bit, key.cd))
    }
}
