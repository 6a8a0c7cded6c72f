//! The record cache: RRsets and negative answers as facts, with rank, status and origin.
//!
//! RFC 2181 sections 5.2, 5.4.1 and 8, RFC 2308 section 5, RFC 4035 section 5.3.3 (original TTL).
//! All that is known of one name stands together, since NXDOMAIN speaks for every type of it and
//! must go when the name turns out to exist.
//!
//! Limitations: signature end is not looked at (that takes wall time and a validator); NXDOMAIN
//! says nothing of the names below it (RFC 8020). What has expired is counted until the sweeping
//! hand of `store` comes by or something is put for its name.
//!
//! What has expired may be kept as stale (RFC 8767): it is given only to who asks for it, gives way
//! to all that comes for its name and type, and leaves first when room is needed.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::packed;
use super::store::{Shape, Store};
use crate::wire::message::RRset;
use crate::wire::name::{self, is_subdomain};
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

impl Found {
    fn has_records(&self) -> bool {
        self.kind == Kind::Records
    }
}

/// One thing known of a name.
struct Fact<'a> {
    kind: Kind,
    rank: u8,
    security: u8,
    /// Type that it is about; of no meaning for NXDOMAIN.
    rtype: u16,
    ttl: u32,
    made: i64,
    origin: &'a [u8],
    /// RRsets as `packed` writes them.
    sets: &'a [u8],
}

/// Octets of a fact before its origin: made, TTL, octets of the sets, type, kind, rank, security,
/// octets of the origin.
const FACT_HEAD: usize = 22;

impl<'a> Fact<'a> {
    /// The fact at the start of `octets`, and what follows.
    fn read(octets: &'a [u8]) -> (Self, &'a [u8]) {
        let (head, rest) = octets.split_at(FACT_HEAD);
        let word =
            |at: usize| u32::from_ne_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let made = head.first_chunk().map_or(0, |octets| i64::from_ne_bytes(*octets));
        let (origin, rest) = rest.split_at(usize::from(head[21]));
        let (sets, rest) = rest.split_at(word(12) as usize);
        let kind = match head[18] {
            0 => Kind::Records,
            1 => Kind::NoData,
            _ => Kind::NxDomain,
        };
        let rtype = u16::from_ne_bytes([head[16], head[17]]);
        let (rank, security) = (head[19], head[20]);
        (Self { kind, rank, security, rtype, ttl: word(8), made, origin, sets }, rest)
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.made.to_ne_bytes());
        out.extend(self.ttl.to_ne_bytes());
        out.extend((self.sets.len() as u32).to_ne_bytes());
        out.extend(self.rtype.to_ne_bytes());
        out.extend([self.kind as u8, self.rank, self.security, self.origin.len() as u8]);
        out.extend(self.origin);
        out.extend(self.sets);
    }

    fn found(&self, name: &[u8], now: i64) -> Found {
        let mut sets = packed::unpack(self.sets, name);
        for set in &mut sets {
            set.ttl = ttl_left(set.ttl, self.made, now);
        }
        let (rank, security, origin) = (self.rank, self.security, Box::from(self.origin));
        Found { kind: self.kind, sets, source: Source { rank, security, origin } }
    }

    fn lives(&self, now: i64) -> bool {
        ttl_left(self.ttl, self.made, now) >= 1
    }

    fn is_alias(&self) -> bool {
        self.kind == Kind::Records && self.rtype == rtype::CNAME
    }

    fn end(&self) -> i64 {
        self.made.saturating_add(i64::from(self.ttl) * 1_000_000)
    }

    fn is_about(&self, rrtype: u16) -> bool {
        self.kind == Kind::NxDomain || self.rtype == rrtype
    }
}

/// An entry: the name, then all facts of it.
#[derive(Clone, Copy)]
struct Known<'a>(&'a [u8]);

impl<'a> Known<'a> {
    fn split(self) -> (&'a [u8], &'a [u8]) {
        self.0.split_at(name::plain_length(self.0).expect("kept names are plain"))
    }

    fn name(self) -> &'a [u8] {
        self.split().0
    }

    fn facts(self) -> impl Iterator<Item = Fact<'a>> {
        let mut rest = self.split().1;
        std::iter::from_fn(move || {
            let (fact, after) = (!rest.is_empty()).then(|| Fact::read(rest))?;
            rest = after;
            Some(fact)
        })
    }

    /// The entry with one more fact; `None` when it may not take the place of what is known. What
    /// has expired is kept for `keep`, unless the name has become an alias or is none any more.
    fn with(
        known: Option<Self>,
        name: &[u8],
        fact: &Fact<'_>,
        now: i64,
        keep: i64,
    ) -> Option<Vec<u8>> {
        let of_use = |known: &Fact<'_>| {
            let same = known.is_alias() == fact.is_alias();
            known.lives(now) || same && known.lives(now.saturating_sub(keep))
        };
        let mut facts: Vec<Fact<'_>> =
            known.into_iter().flat_map(Known::facts).filter(of_use).collect();
        let better = |known: &Fact<'_>| {
            known.kind == Kind::Records
                && known.rtype == fact.rtype
                && known.rank > fact.rank
                && known.lives(now)
        };
        match fact.kind {
            // RFC 2181 section 5.4.1: data of less trust does not replace data of more.
            Kind::Records if facts.iter().any(better) => return None,
            Kind::NxDomain => facts.clear(),
            _ => facts.retain(|known| !known.is_about(fact.rtype)),
        }
        let ends = |facts: &[Fact<'_>]| (0..facts.len()).min_by_key(|index| facts[*index].end());
        if facts.len() >= FACTS_MAX
            && let Some(first) = ends(&facts)
        {
            facts.swap_remove(first);
        }
        let mut octets = name.to_vec();
        for fact in facts.iter().chain([fact]) {
            fact.write(&mut octets);
        }
        Some(octets)
    }
}

struct Records;

impl Shape for Records {
    fn is_dead(octets: &[u8], now: i64) -> bool {
        !Known(octets).facts().any(|fact| fact.lives(now))
    }

    fn count(octets: &[u8]) -> usize {
        Known(octets).facts().count()
    }
}

/// Facts by name and type, bounded in bytes.
pub struct RecordCache {
    hasher: RandomState,
    store: Store<Records>,
    ttl_max: u32,
    ttl_negative_max: u32,
    /// Microseconds that a fact is kept past its TTL.
    keep: i64,
    /// Whether a DNAME was ever stored: they are rare, and looking for them is not cheap.
    dnames: AtomicBool,
}

impl RecordCache {
    /// TTLs are in seconds. Nothing is kept as stale.
    pub fn new(bytes_max: usize, ttl_max: u32, ttl_negative_max: u32) -> Self {
        let (hasher, store) = (RandomState::new(), Store::new(bytes_max));
        let dnames = AtomicBool::new(false);
        Self { hasher, store, ttl_max, ttl_negative_max, keep: 0, dnames }
    }

    /// The same, and what has expired is kept for so many seconds, as far as there is room.
    pub fn keeping(self, seconds: u32) -> Self {
        Self { keep: micros(f64::from(seconds)), ..self }
    }

    /// The live fact for name and type.
    pub fn get(&self, name: &[u8], rrtype: u16, now: f64) -> Option<Found> {
        let (hash, now) = (self.hasher.hash_one(name), micros(now));
        let equal = |known: &[u8]| Known(known).name() == name;
        self.store.get(hash, equal, |known, _| {
            let fact =
                Known(known).facts().find(|fact| fact.is_about(rrtype) && fact.lives(now))?;
            Some(fact.found(name, now))
        })
    }

    /// The fact for name and type, live or kept as stale. What is stale has TTL 0.
    pub fn get_stale(&self, name: &[u8], rrtype: u16, now: f64) -> Option<Found> {
        let (hash, now) = (self.hasher.hash_one(name), micros(now));
        let kept = now.saturating_sub(self.keep);
        let equal = |known: &[u8]| Known(known).name() == name;
        // Without a mark of use, or it would outlive the living.
        let read = |known: &[u8]| {
            let fact =
                Known(known).facts().find(|fact| fact.is_about(rrtype) && fact.lives(kept))?;
            Some(fact.found(name, now))
        };
        self.store.peek(hash, equal, read).flatten()
    }

    /// Whether something is known that answers this question or is an alias on its way: the name
    /// and type, the name's absence, a CNAME there, a DNAME above.
    pub fn knows(&self, name: &[u8], rrtype: u16, now: f64) -> bool {
        let (hash, micros_now) = (self.hasher.hash_one(name), micros(now));
        let tells =
            |fact: Fact<'_>| (fact.is_about(rrtype) || fact.is_alias()) && fact.lives(micros_now);
        let equal = |known: &[u8]| Known(known).name() == name;
        if self.store.peek(hash, equal, |known| Known(known).facts().any(tells)) == Some(true) {
            return true;
        }
        self.dname_above(name, now, false).is_some()
    }

    /// What answers for a name and type: what `get` (or `get_stale`) gives, else a CNAME of the
    /// name, else the closest DNAME above it. The set's own name and type say which.
    pub fn find(&self, name: &[u8], rrtype: u16, now: f64, stale: bool) -> Option<Found> {
        self.read(name, rrtype, now, stale).or_else(|| {
            if rrtype == rtype::CNAME {
                return None;
            }
            let alias = self.read(name, rtype::CNAME, now, stale);
            alias.filter(Found::has_records).or_else(|| self.dname_above(name, now, stale))
        })
    }

    fn read(&self, name: &[u8], rrtype: u16, now: f64, stale: bool) -> Option<Found> {
        if stale { self.get_stale(name, rrtype, now) } else { self.get(name, rrtype, now) }
    }

    fn dname_above(&self, name: &[u8], now: f64, stale: bool) -> Option<Found> {
        let mut at = 0;
        while self.dnames.load(Relaxed) && name[at] != 0 {
            at += 1 + usize::from(name[at]);
            let dname = self.read(&name[at..], rtype::DNAME, now, stale);
            let dname = dname.filter(Found::has_records);
            if dname.is_some() {
                return dname;
            }
        }
        None
    }

    /// The addresses of a name: those of A, then those of AAAA.
    pub fn addresses(&self, name: &[u8], now: f64) -> Vec<Box<[u8]>> {
        let found = [rtype::A, rtype::AAAA].map(|rrtype| self.get(name, rrtype, now));
        let sets = found.into_iter().flatten().filter(Found::has_records).flat_map(|f| f.sets);
        sets.flat_map(|set| set.rdatas).collect()
    }

    /// Store records; whether they stand now. A negative answer for the name or type gives way
    /// whatever the rank: it is the name's existence that glue shows, too.
    pub fn put(&self, mut set: RRset, source: Source, now: f64) -> bool {
        set.ttl = set.ttl.min(self.ttl_max).min(original_ttl(&set));
        if set.rtype == rtype::DNAME {
            self.dnames.store(true, Relaxed);
        }
        let (name, rtype, ttl) = (set.name.clone(), set.rtype, set.ttl);
        self.store(&name, Kind::Records, rtype, ttl, &[set], &source, now)
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
        self.store(name, kind, rrtype, ttl, &proofs, &source, now);
    }

    #[allow(clippy::too_many_arguments)]
    fn store(
        &self,
        name: &[u8],
        kind: Kind,
        rtype: u16,
        ttl: u32,
        sets: &[RRset],
        source: &Source,
        now: f64,
    ) -> bool {
        if ttl == 0 {
            return false;
        }
        let (hash, made) = (self.hasher.hash_one(name), micros(now));
        let mut octets = Vec::new();
        packed::pack(sets, name, &mut octets);
        let origin = &source.origin[..source.origin.len().min(ORIGIN_MAX)];
        let Source { rank, security, .. } = *source;
        let fact = Fact { kind, rank, security, rtype, ttl, made, origin, sets: &octets };
        let equal = |known: &[u8]| Known(known).name() == name;
        let keep = self.keep;
        let with = |known: Option<&[u8]>| Known::with(known.map(Known), name, &fact, made, keep);
        self.store.change(hash, equal, with, made, keep)
    }

    /// Forget a name, or it and all below; the number of facts dropped.
    pub fn flush(&self, name: &[u8], subtree: bool) -> usize {
        self.store.drop_where(|known| {
            let owner = Known(known).name();
            if subtree { is_subdomain(owner, name) } else { owner == name }
        })
    }

    pub fn entries(&self) -> usize {
        self.store.entries()
    }

    pub fn bytes(&self) -> usize {
        self.store.bytes()
    }
}

/// The least original TTL that signatures give; RFC 4035 section 5.3.3 takes it as a bound.
fn original_ttl(set: &RRset) -> u32 {
    let own: &[_] = if set.rtype == rtype::RRSIG { &set.rdatas } else { &[] };
    let signatures = set.signatures.iter().chain(own);
    signatures.filter_map(|rdata| u32_at(rdata, ORIGINAL_TTL_AT).ok()).min().unwrap_or(u32::MAX)
}
