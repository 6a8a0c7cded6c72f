//! What the threads tell Python of planned lookups: sums, round trips, records, and punts.
//!
//! A finished lookup is a few numbers added to a sum and a packed record; Python is woken some
//! times a second. What needs Python at once (a punt, an answer with an address of unknown place)
//! wakes it at once.
//!
//! ```text
//! record: f64 wall, f64 seconds, f64 rtt, u64 plan, u16 rcode, u16 type, u8 server, u8 transport,
//!         u8 destination, u8 end, u8 first client of the exchange, u8 octets of the client's
//!         address, the address, the name; numbers in the machine's order
//! ```

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::plain::End;
use crate::listen::Miss;
use crate::sys::poll::Bell;
use crate::sys::slab::Key;
use crate::sys::thread::lock;
use crate::wire::compose::Answer;
use crate::wire::message::Message;

/// How long news gathers in a thread before it is told: each wake-up of Python costs as much as
/// some tens of exchanges, and books are complete for a person who looks.
const GATHER: Duration = Duration::from_millis(50);

/// Records that one thread gathers before it tells at once.
const GATHER_RECORDS: usize = 4096;

/// Round trips of one server that are told of one batch: more would not move the smoothed one.
const RTTS_MAX: usize = 8;

/// Identities of one server that are told apart in one batch: the servers of a site.
const IDENTITIES_MAX: usize = 8;

/// Octets of an identity that are told.
const IDENTITY_OCTETS_MAX: usize = 255;

/// What lookups are summed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Class {
    pub plan: u64,
    pub server: u8,
    /// 0 UDP, 1 TCP.
    pub transport: u8,
    pub destination: u8,
}

/// Lookups of a class.
#[derive(Clone, Debug, Default)]
pub struct Sum {
    pub count: u64,
    /// By the bounds that Python has given, and above.
    pub buckets: Vec<u32>,
    pub seconds: f64,
}

/// One client of a finished lookup.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    pub transport: u8,
    pub address: IpAddr,
    /// From its question to its answer.
    pub seconds: f64,
}

/// A finished lookup as far as it does not depend on the client.
#[derive(Clone, Debug)]
pub struct Lookup {
    pub plan: u64,
    pub server: u8,
    pub name: Box<[u8]>,
    pub rtype: u16,
    pub rcode: u16,
    pub end: End,
    pub rtt: f64,
}

/// A finished lookup whose answer has an address of unknown place. Its answers are not in the
/// cache yet: Python puts them there with their destination.
#[derive(Debug)]
pub struct Unlocated {
    pub lookup: Lookup,
    pub addresses: Vec<IpAddr>,
    /// With DO, CD and the life in seconds.
    pub answers: Vec<(bool, bool, f64, Arc<Answer>)>,
    /// The views that they are for, with the generation of each.
    pub views: Vec<(u32, u64)>,
    pub clients: Vec<Client>,
}

/// An exchange that Python must go on with.
#[derive(Debug)]
pub struct Punt {
    pub plan: u64,
    pub server: u8,
    pub name: Box<[u8]>,
    pub rtype: u16,
    pub result: PuntResult,
    pub rtt: f64,
    pub octets: usize,
    /// Clients that wait, until they are held for Python.
    pub waiters: Vec<Miss>,
    /// Of those clients, when they are.
    pub tokens: Vec<(Key, Miss)>,
}

/// What came of a punted exchange.
#[derive(Debug)]
pub enum PuntResult {
    Reply(Box<Message>),
    /// A failure of the door, by its number.
    Failed(u8),
    /// The wait is over without a reply.
    Silent,
}

/// Round trips to one server that showed one identity (RFC 5001; empty: none).
#[derive(Clone, Debug, Default)]
pub struct Trips {
    pub identity: Box<[u8]>,
    pub rtts: Vec<f64>,
}

/// The place of an identity in a list; `None` when there is no room for another one.
fn trips_of<'a>(list: &'a mut Vec<Trips>, identity: &[u8]) -> Option<&'a mut Vec<f64>> {
    let found = list.iter().position(|trips| *trips.identity == *identity);
    let at = match found {
        Some(at) => at,
        None if list.len() < IDENTITIES_MAX => {
            list.push(Trips { identity: identity.into(), rtts: Vec::new() });
            list.len() - 1
        }
        None => return None,
    };
    Some(&mut list[at].rtts)
}

/// News of one thread, or of all.
#[derive(Default)]
pub struct News {
    pub sums: HashMap<Class, Sum>,
    pub rtts: HashMap<(u64, u8), Vec<Trips>>,
    pub records: Vec<u8>,
    pub records_count: usize,
    pub unlocated: Vec<Unlocated>,
    pub punts: Vec<Punt>,
    /// When the oldest of it was added.
    since: Option<Instant>,
}

impl News {
    /// A server has replied and shown an identity.
    pub fn replied(&mut self, plan: u64, server: u8, rtt: f64, identity: &[u8]) {
        let identity = &identity[..identity.len().min(IDENTITY_OCTETS_MAX)];
        let list = self.rtts.entry((plan, server)).or_default();
        let Some(rtts) = trips_of(list, identity) else { return };
        if rtts.len() < RTTS_MAX {
            rtts.push(rtt);
        } else {
            // The latest stands for those that are left out.
            rtts[RTTS_MAX - 1] = rtt;
        }
    }

    /// A client has got its answer.
    pub fn finished(
        &mut self,
        bounds: &[f64],
        lookup: &Lookup,
        client: &Client,
        destination: u8,
        first: bool,
        wall: f64,
    ) {
        let Lookup { plan, server, .. } = *lookup;
        let class = Class { plan, server, transport: client.transport, destination };
        let sum = self.sums.entry(class).or_default();
        sum.count += 1;
        sum.seconds += client.seconds;
        sum.buckets.resize(bounds.len() + 1, 0);
        sum.buckets[bounds.partition_point(|bound| *bound < client.seconds)] += 1;
        self.records_count += 1;
        let out = &mut self.records;
        for number in [wall, client.seconds, lookup.rtt] {
            out.extend(number.to_ne_bytes());
        }
        out.extend(plan.to_ne_bytes());
        out.extend(lookup.rcode.to_ne_bytes());
        out.extend(lookup.rtype.to_ne_bytes());
        let end = lookup.end as u8;
        out.extend([server, client.transport, destination, end, u8::from(first)]);
        match client.address {
            IpAddr::V4(v4) => {
                out.push(4);
                out.extend(v4.octets());
            }
            IpAddr::V6(v6) => {
                out.push(16);
                out.extend(v6.octets());
            }
        }
        out.extend_from_slice(&lookup.name);
    }

    fn is_empty(&self) -> bool {
        self.rtts.is_empty()
            && self.records_count == 0
            && self.unlocated.is_empty()
            && self.punts.is_empty()
    }

    /// When it must be told; `None` when there is none.
    pub fn due(&mut self, now: Instant) -> Option<Instant> {
        if self.is_empty() {
            return None;
        }
        if !self.punts.is_empty()
            || !self.unlocated.is_empty()
            || self.records_count >= GATHER_RECORDS
        {
            return Some(now);
        }
        Some(*self.since.get_or_insert(now) + GATHER)
    }

    fn merge(&mut self, more: &mut Self) {
        for (class, sum) in more.sums.drain() {
            let known = self.sums.entry(class).or_default();
            known.count += sum.count;
            known.seconds += sum.seconds;
            known.buckets.resize(sum.buckets.len(), 0);
            for (known, more) in known.buckets.iter_mut().zip(&sum.buckets) {
                *known += more;
            }
        }
        for (server, list) in more.rtts.drain() {
            let known = self.rtts.entry(server).or_default();
            for Trips { identity, rtts } in list {
                let Some(known) = trips_of(known, &identity) else { continue };
                known.extend(rtts.iter().take(RTTS_MAX - known.len().min(RTTS_MAX)));
            }
        }
        self.records.append(&mut more.records);
        self.records_count += std::mem::take(&mut more.records_count);
        self.unlocated.append(&mut more.unlocated);
        self.punts.append(&mut more.punts);
        more.since = None;
    }
}

/// News of all threads, for Python.
pub struct Reports {
    pub seconds_bounds: Vec<f64>,
    news: Mutex<News>,
    /// Facts that wait in `news`.
    backlog: AtomicUsize,
    backlog_max: usize,
    bell: Bell,
}

impl Reports {
    pub fn new(seconds_bounds: Vec<f64>, backlog_max: usize) -> io::Result<Self> {
        let (news, backlog) = (Mutex::default(), AtomicUsize::new(0));
        Ok(Self { seconds_bounds, news, backlog, backlog_max, bell: Bell::new()? })
    }

    /// Whether Python is so far behind that no more may be begun without it.
    pub fn is_full(&self) -> bool {
        self.backlog.load(Ordering::Relaxed) >= self.backlog_max
    }

    /// Hand over what a thread has gathered.
    pub fn tell(&self, more: &mut News) {
        let facts = more.records_count + more.unlocated.len() + more.punts.len();
        let mut news = lock(&self.news);
        let was_empty = news.is_empty();
        news.merge(more);
        self.backlog.fetch_add(facts, Ordering::Relaxed);
        if was_empty && !news.is_empty() {
            self.bell.ring();
        }
    }

    /// All that waits.
    pub fn take(&self) -> News {
        let mut news = lock(&self.news);
        self.bell.clear();
        self.backlog.store(0, Ordering::Relaxed);
        std::mem::take(&mut news)
    }
}

impl AsRawFd for Reports {
    fn as_raw_fd(&self) -> RawFd {
        self.bell.as_raw_fd()
    }
}
