//! Plans: what Python has decided about a zone cut, for native to repeat.
//!
//! Python publishes for a cut whom it would ask now and how; the listener's threads carry that out
//! for misses below the cut (`carrier`), answer what is plain (`plain`), tell Python what was done
//! (`report`) and give everything else back to it with the exchange that was spent. A cut that
//! Python knows and that has no plan stands here too, as a barrier: no plan further up speaks for
//! the names below it.
//!
//! Of a zone that must be validated the plan carries the proven keys: what does not prove itself by
//! them (`proof`) is Python's.
//!
//! RFC 9156 (with minimisation a plan speaks for names one label below its zone), RFC 9520 (failed
//! questions are left to Python, which remembers them).
//!
//! Limitations: equal questions that reach two threads at once are asked twice.

pub mod busy;
pub mod carrier;
mod choice;
pub mod concern;
mod flight;
pub mod lines;
pub mod plain;
pub mod proof;
#[cfg(test)]
mod proof_tests;
pub mod queue;
pub mod report;
#[cfg(test)]
mod table_tests;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use hashbrown::HashTable;

use crate::cache::answers::AnswerCache;
use crate::cache::records::RecordCache;
use crate::wire::ask::Options;
use crate::wire::micros;
use crate::wire::name::is_subdomain;
use busy::Busy;
use concern::Concern;
use proof::ProvenKey;
use report::Reports;

/// Tables side by side, so that the threads of one machine seldom meet.
const SHARDS: usize = 64;

/// The view that plans are made for: that of all clients, since a plan is made only where policy
/// treats all views alike.
pub const EVERY_VIEW: u32 = 0;

/// Types whose questions are Python's: DS is asked of the parent, NS teaches the cut, CNAME and
/// DNAME are aliases, ANY and RRSIG are never answered from records.
const LEFT_TO_PYTHON: [u16; 6] = [2, 5, 39, 43, 46, 255];

/// The keys of a zone that must be validated rest on its DS, not on themselves: Python's, too.
const DNSKEY: u16 = 48;

/// A server of a plan.
#[derive(Clone, Debug)]
pub struct Server {
    pub address: IpAddr,
    /// Slot of the counters for an exchange with it.
    pub slot: u32,
    /// How long its reply is waited for.
    pub wait: Duration,
    pub edns: Options,
    /// Order among the servers, least first.
    pub score: f32,
}

/// A decision about a cut.
#[derive(Debug)]
pub struct Plan {
    /// Python's number for it.
    pub id: u64,
    pub view: u32,
    pub zone: Box<[u8]>,
    /// Names of any depth; else those of the zone's apex and one label below.
    pub any_depth: bool,
    /// Labels that any question to the zone needs: its own and one.
    pub needed: u8,
    pub randomise_case: bool,
    /// The zone's own NS set: a reply that shows another one is news, and Python's.
    pub own_set: Vec<Box<[u8]>>,
    /// Destination of an answer without addresses.
    pub destination: u8,
    /// What policy had to do with it, as Python numbers that; 0: nothing.
    pub tag: u16,
    /// Its proven keys when the zone must be validated: nothing is answered then that they have not
    /// signed. `None`: it need not.
    pub proven: Option<Box<[ProvenKey]>>,
    /// The policy's under which it was put in force.
    pub generation: u64,
    /// Never empty.
    pub servers: Box<[Server]>,
    /// Microseconds of the clock.
    pub expires: i64,
}

/// A cut with its plan, or a barrier.
struct Cut {
    view: u32,
    zone: Box<[u8]>,
    expires: i64,
    plan: Option<Arc<Plan>>,
}

/// Bounds of what is under way; for each thread where no other thing is said.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Planned misses, over all.
    pub flights_max: usize,
    pub per_zone: usize,
    pub per_client: usize,
    pub joiners_max: usize,
    /// Signatures times keys that are tried for one reply.
    pub tries_max: usize,
    /// Facts of finished lookups that wait for Python, over all threads.
    pub backlog_max: usize,
    /// Addresses whose side is remembered.
    pub sides_max: usize,
    /// Longest life of records and of negative answers, seconds.
    pub ttl_max: u32,
    pub ttl_negative_max: u32,
    /// One choice of so many is at random.
    pub explore_one_in: u32,
    /// By how many seconds a server that is asked may score more than the best.
    pub farther: f32,
    /// Port of the servers.
    pub port: u16,
    /// How long a socket outlives its exchange.
    pub linger: Duration,
    /// Whether the kernel chooses source ports: see [`crate::exchange::ports`].
    pub kernel_ports: bool,
}

/// Side of an address: domestic, not domestic, or of no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Domestic,
    Foreign,
    Nowhere,
}

/// What is to be done with a miss.
pub enum Found {
    Carry(Arc<Plan>),
    /// It is Python's; with a mark of the deepest cut known, 0 when none is.
    Leave(u64),
}

/// All plans, and what the threads that carry them out share.
pub struct Plans {
    pub answers: Arc<AnswerCache>,
    pub records: Arc<RecordCache>,
    pub reports: Reports,
    pub busy: Arc<Busy>,
    pub bounds: Bounds,
    /// Planned misses under way, over all threads.
    pub under_way: AtomicUsize,
    hasher: RandomState,
    shards: Box<[RwLock<HashTable<Cut>>]>,
    left: RwLock<HashMap<u64, i64>>,
    sides: RwLock<HashMap<IpAddr, Side>>,
    concern: RwLock<Arc<Concern>>,
    generation: AtomicU64,
    on: AtomicBool,
}

impl Plans {
    pub fn new(
        answers: Arc<AnswerCache>,
        records: Arc<RecordCache>,
        bounds: Bounds,
        seconds_bounds: Vec<f64>,
    ) -> io::Result<Self> {
        Ok(Self {
            answers,
            records,
            reports: Reports::new(seconds_bounds, bounds.backlog_max)?,
            busy: Arc::default(),
            bounds,
            under_way: AtomicUsize::new(0),
            hasher: RandomState::new(),
            shards: std::iter::repeat_with(RwLock::default).take(SHARDS).collect(),
            left: RwLock::default(),
            sides: RwLock::default(),
            concern: RwLock::default(),
            generation: AtomicU64::new(0),
            on: AtomicBool::new(true),
        })
    }

    /// Put a plan in force, in the place of what stood for its cut.
    /// The cut itself lives until `until`: an old plan must not give way to one further up.
    pub fn publish(&self, mut plan: Plan, until: f64) {
        plan.generation = self.generation();
        // No plan outlives the proof of a key that it carries.
        let proofs = plan.proven.iter().flatten().map(|key| key.until);
        plan.expires = proofs.chain([plan.expires]).min().unwrap_or(plan.expires);
        let (view, zone, expires) = (plan.view, plan.zone.clone(), micros(until));
        self.put(Cut { view, zone, expires, plan: Some(Arc::new(plan)) });
    }

    /// A cut without a plan: names below it are Python's until `expires`.
    pub fn bar(&self, view: u32, zone: &[u8], expires: f64) {
        let expires = micros(expires);
        self.put(Cut { view, zone: Box::from(zone), expires, plan: None });
    }

    fn put(&self, cut: Cut) {
        let hash = self.hash(cut.view, &cut.zone);
        let mut shard = self.shard(hash).write().unwrap_or_else(PoisonError::into_inner);
        match shard.find_mut(hash, |known| known.is(cut.view, &cut.zone)) {
            Some(known) => *known = cut,
            None => {
                shard.insert_unique(hash, cut, |known| self.hash(known.view, &known.zone));
            }
        }
    }

    /// Forget a cut, or all cuts at and below a name.
    pub fn forget(&self, zone: &[u8], subtree: bool) {
        for shard in &self.shards {
            let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
            if subtree {
                shard.retain(|cut| !is_subdomain(&cut.zone, zone));
            } else {
                shard.retain(|cut| *cut.zone != *zone);
            }
        }
    }

    /// A new policy: sides and plans of the old one are void, and other questions are Python's.
    /// Barriers stay, being facts.
    pub fn set_policy(&self, generation: u64, concern: Concern) {
        *self.concern.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(concern);
        self.generation.store(generation, Ordering::Release);
        for shard in &self.shards {
            let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
            for cut in shard.iter_mut() {
                cut.plan = None;
            }
        }
        self.sides.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Carry out no plan from now on.
    pub fn stop(&self) {
        self.on.store(false, Ordering::Release);
    }

    /// The plan that was put in force for a cut last, whether or not it has ended.
    pub fn shown(&self, view: u32, zone: &[u8]) -> Option<Arc<Plan>> {
        let hash = self.hash(view, zone);
        let shard = self.shard(hash).read().unwrap_or_else(PoisonError::into_inner);
        shard.find(hash, |known| known.is(view, zone))?.plan.clone()
    }

    /// Number of cuts with a plan, and of all.
    pub fn count(&self) -> (usize, usize) {
        let mut counts = (0, 0);
        for shard in &self.shards {
            let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
            counts.0 += shard.iter().filter(|cut| cut.plan.is_some()).count();
            counts.1 += shard.len();
        }
        counts
    }

    /// What of questions is left to Python by the policy in force.
    pub fn concern(&self) -> Arc<Concern> {
        Arc::clone(&self.concern.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// A number for a question, for tables of those under way.
    pub fn mark(&self, name: &[u8], rrtype: u16) -> u64 {
        self.hasher.hash_one((name, rrtype)) | 1
    }

    /// The deepest cut known at or above `name`, and whether a plan speaks for the question.
    /// `name` is plain and in lower case.
    pub fn find(&self, view: u32, name: &[u8], rrtype: u16, now: f64) -> Found {
        let now = micros(now);
        let (mut at, mut depth) = (0, 0);
        while name[at] != 0 {
            let zone = &name[at..];
            let hash = self.hash(view, zone);
            let shard = self.shard(hash).read().unwrap_or_else(PoisonError::into_inner);
            if let Some(cut) = shard.find(hash, |known| known.is(view, zone))
                && cut.expires > now
            {
                return match &cut.plan {
                    Some(plan)
                        if plan.expires > now
                            && (plan.any_depth || depth <= 1)
                            && !LEFT_TO_PYTHON.contains(&rrtype)
                            && !(plan.proven.is_some() && rrtype == DNSKEY)
                            && self.on.load(Ordering::Acquire) =>
                    {
                        Found::Carry(Arc::clone(plan))
                    }
                    _ => Found::Leave(hash | 1),
                };
            }
            at += 1 + usize::from(name[at]);
            depth += 1;
        }
        Found::Leave(0)
    }

    /// A mark for a zone, for counting what is under way in it.
    pub fn zone_mark(&self, plan: &Plan) -> u64 {
        self.hash(plan.view, &plan.zone) | 1
    }

    /// Leave a question to Python until a time: it has failed, and Python remembers how, or
    /// its answer bears on a plan.
    pub fn leave(&self, name: &[u8], rrtype: u16, until: f64, now: f64) {
        let (until, now) = (micros(until), micros(now));
        let mut left = self.left.write().unwrap_or_else(PoisonError::into_inner);
        if left.len() >= self.bounds.sides_max {
            left.retain(|_, until| *until > now);
        }
        if left.len() < self.bounds.sides_max {
            left.insert(self.mark(name, rrtype), until);
        }
    }

    /// Leave no question to Python any more.
    pub fn forgive(&self) {
        self.left.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Whether a question is left to Python.
    pub fn is_left(&self, mark: u64, now: f64) -> bool {
        let left = self.left.read().unwrap_or_else(PoisonError::into_inner);
        !left.is_empty() && left.get(&mark).is_some_and(|until| *until > micros(now))
    }

    /// Remember where addresses stand. Past the bound all are forgotten: being told again is
    /// cheap.
    pub fn locate(&self, sides: impl IntoIterator<Item = (IpAddr, Side)>) {
        let mut known = self.sides.write().unwrap_or_else(PoisonError::into_inner);
        for (address, side) in sides {
            if known.len() >= self.bounds.sides_max {
                known.clear();
            }
            known.insert(address, side);
        }
    }

    /// Destination of an answer with these addresses (numbers of the contract); `without` when
    /// none of them has a place, `None` when one of them is not known.
    pub fn destination(
        &self,
        addresses: impl IntoIterator<Item = IpAddr>,
        without: u8,
    ) -> Option<u8> {
        const DOMESTIC: u8 = 0;
        const FOREIGN: u8 = 1;
        const MIXED: u8 = 2;
        let sides = self.sides.read().unwrap_or_else(PoisonError::into_inner);
        let mut found = None;
        for address in addresses {
            let side = match sides.get(&address)? {
                Side::Domestic => DOMESTIC,
                Side::Foreign => FOREIGN,
                Side::Nowhere => continue,
            };
            found = match found {
                Some(known) if known != side => Some(MIXED),
                _ => Some(side),
            };
        }
        Some(found.unwrap_or(without))
    }

    fn hash(&self, view: u32, zone: &[u8]) -> u64 {
        self.hasher.hash_one((view, zone))
    }

    fn shard(&self, hash: u64) -> &RwLock<HashTable<Cut>> {
        &self.shards[(hash >> 40) as usize % SHARDS]
    }
}

impl Cut {
    fn is(&self, view: u32, zone: &[u8]) -> bool {
        self.view == view && *self.zone == *zone
    }
}
