//! The record cache: RRsets and negative answers as facts, with rank, status and origin.
//!
//! RFC 2181 sections 5.2, 5.4.1 and 8, RFC 2308 section 5, RFC 4035 section 5.3.3 (original TTL).
//! All that is known of one name stands together, since NXDOMAIN speaks for every type of it and
//! must go when the name turns out to exist.
//!
//! Limitations: signature end is not looked at (that takes wall time and a validator); NXDOMAIN
//! says nothing of the names below it (RFC 8020). What has expired is counted until the sweeping
//! hand of `sieve` comes by or something is put for its name.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::packed;
use super::shards::Shards;
use super::sieve::{Entry, allocated};
use crate::wire::message::RRset;
use crate::wire::name::is_subdomain;
use crate::wire::{micros, rtype, ttl_left, u32_at};

/// Facts of one name: more types than any honest name has, few enough to go through one by one.
const FACTS_MAX: usize = 64;
/// Where the original TTL stands in an RRSIG (RFC 4034 section 3.1).
const ORIGINAL_TTL_AT: usize = 4;
/// Octets of an address.
const ORIGIN_MAX: usize = 16;
/// Rank of a negative answer: it comes from the answer of an authority (RFC 2308 section 5).
const RANK_NEGATIVE: u8 = 3;

/// What a fact says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Records,
    NoData,
    NxDomain,
}

/// Where a fact comes from and what it is worth; numbers are those of the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    pub rank: u8,
    pub security: u8,
    /// Address of the server, empty for local data.
    pub origin: Box<[u8]>,
}

/// What the cache gives back, TTLs counted down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub kind: Kind,
    /// The RRset alone, or the proofs of a negative answer.
    pub sets: Vec<RRset>,
    pub source: Source,
}

/// An entry.
struct Fact {
    kind: Kind,
    rank: u8,
    security: u8,
    origin_octets: u8,
    /// Type that it is about; of no meaning for NXDOMAIN.
    rtype: u16,
    ttl: u32,
    made: i64,
    /// Origin, then RRsets.
    octets: Box<[u8]>,
}

impl Fact {
    fn new(kind: Kind, rtype: u16, ttl: u32, sets: &[RRset], source: &Source, now: f64) -> Self {
        let origin_octets = source.origin.len().min(ORIGIN_MAX);
        let mut octets = source.origin[..origin_octets].to_vec();
        packed::pack(sets, &mut octets);
        Self {
            kind,
            rank: source.rank,
            security: source.security,
            origin_octets: origin_octets as u8,
            rtype,
            ttl,
            made: micros(now),
            octets: octets.into_boxed_slice(),
        }
    }

    fn found(&self, now: i64) -> Found {
        let (origin, sets) = self.octets.split_at(usize::from(self.origin_octets));
        let mut sets = packed::unpack(sets);
        for set in &mut sets {
            set.ttl = ttl_left(set.ttl, self.made, now);
        }
        let (rank, security, origin) = (self.rank, self.security, Box::from(origin));
        Found { kind: self.kind, sets, source: Source { rank, security, origin } }
    }

    fn lives(&self, now: i64) -> bool {
        ttl_left(self.ttl, self.made, now) >= 1
    }

    fn end(&self) -> i64 {
        self.made.saturating_add(i64::from(self.ttl) * 1_000_000)
    }

    fn is_about(&self, rrtype: u16) -> bool {
        self.kind == Kind::NxDomain || self.rtype == rrtype
    }
}

/// All facts of one name.
struct Known {
    name: Box<[u8]>,
    facts: Vec<Fact>,
}

impl Entry for Known {
    fn allocations(&self) -> usize {
        let list = allocated(self.facts.capacity() * size_of::<Fact>());
        let facts: usize = self.facts.iter().map(|fact| allocated(fact.octets.len())).sum();
        allocated(self.name.len()) + list + facts
    }

    fn is_dead(&self, now: i64) -> bool {
        !self.facts.iter().any(|fact| fact.lives(now))
    }

    fn count(&self) -> usize {
        self.facts.len()
    }
}

impl Known {
    fn put(&mut self, fact: Fact, now: i64) -> bool {
        self.facts.retain(|known| known.lives(now));
        let better = |known: &Fact| {
            known.kind == Kind::Records && known.rtype == fact.rtype && known.rank > fact.rank
        };
        match fact.kind {
            // RFC 2181 section 5.4.1: data of less trust does not replace data of more.
            Kind::Records if self.facts.iter().any(better) => return false,
            Kind::NxDomain => self.facts.clear(),
            _ => self.facts.retain(|known| !known.is_about(fact.rtype)),
        }
        let ends = |facts: &[Fact]| (0..facts.len()).min_by_key(|index| facts[*index].end());
        if self.facts.len() >= FACTS_MAX
            && let Some(first) = ends(&self.facts)
        {
            self.facts.swap_remove(first);
        }
        // Room for one: most names have one fact.
        self.facts.reserve_exact(1);
        self.facts.push(fact);
        true
    }
}

/// Facts by name and type, bounded in bytes.
pub struct RecordCache {
    hasher: RandomState,
    shards: Shards<Known>,
    ttl_max: u32,
    ttl_negative_max: u32,
    /// Whether a DNAME was ever stored: they are rare, and looking for them is not cheap.
    dnames: AtomicBool,
}

impl RecordCache {
    /// TTLs are in seconds.
    pub fn new(bytes_max: usize, ttl_max: u32, ttl_negative_max: u32) -> Self {
        let (hasher, shards) = (RandomState::new(), Shards::new(bytes_max));
        Self { hasher, shards, ttl_max, ttl_negative_max, dnames: AtomicBool::new(false) }
    }

    /// The live fact for name and type.
    pub fn get(&self, name: &[u8], rrtype: u16, now: f64) -> Option<Found> {
        let (hash, now) = (self.hasher.hash_one(name), micros(now));
        let shard = self.shards.read(hash);
        let known = shard.get(hash, |known| *known.name == *name)?;
        let fact = known.facts.iter().find(|fact| fact.is_about(rrtype) && fact.lives(now))?;
        Some(fact.found(now))
    }

    /// Whether something is known that answers this question or is an alias on its way: the name
    /// and type, the name's absence, a CNAME there, a DNAME above.
    pub fn knows(&self, name: &[u8], rrtype: u16, now: f64) -> bool {
        let (hash, micros_now) = (self.hasher.hash_one(name), micros(now));
        let shard = self.shards.read(hash);
        let tells = |fact: &Fact| {
            let alias = fact.kind == Kind::Records && fact.rtype == rtype::CNAME;
            (fact.is_about(rrtype) || alias) && fact.lives(micros_now)
        };
        if shard
            .peek(hash, |known| *known.name == *name)
            .is_some_and(|known| known.facts.iter().any(tells))
        {
            return true;
        }
        drop(shard);
        self.dnames.load(Relaxed) && self.is_below_dname(name, now)
    }

    fn is_below_dname(&self, name: &[u8], now: f64) -> bool {
        let mut at = 0;
        while name[at] != 0 {
            at += 1 + usize::from(name[at]);
            if self.get(&name[at..], rtype::DNAME, now).is_some() {
                return true;
            }
        }
        false
    }

    /// Store records; whether they stand now. A negative answer for the name or type gives way
    /// whatever the rank: it is the name's existence that glue shows, too.
    pub fn put(&self, mut set: RRset, source: Source, now: f64) -> bool {
        let ttl = set.ttl.min(self.ttl_max).min(original_ttl(&set));
        set.ttl = ttl;
        if set.rtype == rtype::DNAME {
            self.dnames.store(true, Relaxed);
        }
        let sets = std::slice::from_ref(&set);
        self.store(&set.name, Fact::new(Kind::Records, set.rtype, ttl, sets, &source, now))
    }

    /// Store NODATA or NXDOMAIN for `ttl` seconds with its proofs.
    #[allow(clippy::too_many_arguments)]
    pub fn put_negative(
        &self,
        name: &[u8],
        rrtype: u16,
        kind: Kind,
        ttl: u32,
        mut proofs: Vec<RRset>,
        security: u8,
        origin: &[u8],
        now: f64,
    ) {
        let original = proofs.iter().map(original_ttl).min().unwrap_or(u32::MAX);
        let ttl = ttl.min(self.ttl_negative_max).min(original);
        for proof in &mut proofs {
            proof.ttl = proof.ttl.min(ttl);
        }
        let source = Source { rank: RANK_NEGATIVE, security, origin: Box::from(origin) };
        self.store(name, Fact::new(kind, rrtype, ttl, &proofs, &source, now));
    }

    fn store(&self, name: &[u8], fact: Fact) -> bool {
        if fact.ttl == 0 {
            return false;
        }
        let (hash, now) = (self.hasher.hash_one(name), fact.made);
        let make = || Known { name: Box::from(name), facts: Vec::new() };
        self.shards.write(hash).change(
            hash,
            |known| *known.name == *name,
            make,
            |known| known.put(fact, now),
            now,
        )
    }

    /// Forget a name, or it and all below; the number of facts dropped.
    pub fn flush(&self, name: &[u8], subtree: bool) -> usize {
        self.shards.drop_where(|known| {
            if subtree { is_subdomain(&known.name, name) } else { *known.name == *name }
        })
    }

    pub fn entries(&self) -> usize {
        self.shards.entries()
    }

    pub fn bytes(&self) -> usize {
        self.shards.bytes()
    }
}

/// The least original TTL that signatures give; RFC 4035 section 5.3.3 takes it as a bound.
fn original_ttl(set: &RRset) -> u32 {
    let own: &[_] = if set.rtype == rtype::RRSIG { &set.rdatas } else { &[] };
    let signatures = set.signatures.iter().chain(own);
    signatures.filter_map(|rdata| u32_at(rdata, ORIGINAL_TTL_AT).ok()).min().unwrap_or(u32::MAX)
}
