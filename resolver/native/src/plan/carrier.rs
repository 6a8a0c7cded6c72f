//! Carries out plans in a listener's thread: one exchange for each miss, on that thread's epoll.
//!
//! Sockets, ports, IDs, letter case and matching are those of the door (RFC 5452, RFC 7766 section
//! 5 is Python's); so is what is counted, and where. An exchange that does not end in a plain reply
//! within its wait is punted: Python hears of it as if it had made it.

mod ends;
mod fair;
mod sockets;

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use sockets::Opened;

use super::choice::Dice;
use super::flight::{Flight, Queued, Waiting};
use super::lines::Lines;
use super::plain::{self, End, Plain};
use super::proof::{self, Times};
use super::queue::Queue;
use super::report::{News, Punt, PuntResult};
use super::{EVERY_VIEW, Found, Plan, Plans};
use crate::clock::Clock;
use crate::counters::{Area, Field, Scalar, Shown};
use crate::exchange::matching::{Match, judge};
use crate::exchange::{Failure, ports};
use crate::listen::{Clients, Miss};
use crate::sys::poll::{EDGE, Poll, READ};
use crate::sys::random::Random;
use crate::sys::slab::{Key, Slab};
use crate::sys::socket::would_block;
use crate::sys::timers::Timers;
use crate::wire::ask;
use crate::wire::compose::Answer;
use crate::wire::message::Message;

/// Exchanges begun between two reads of the listener's sockets: about half a millisecond of work,
/// in which a receive buffer cannot fill. An exchange costs several times what it costs to read a
/// question or to answer it from the cache, so who can be answered at once goes first.
const BEGIN_MAX: usize = 32;

/// The same while more waits to be read than one turn reads.
const BEGIN_BEHIND_MAX: usize = 4;

/// Misses in the line of one zone: what a thread begins in some 20 milliseconds. A longer line
/// would only make those wait who are shed in the end.
const LINE_MAX: usize = 512;

/// Misses in all lines.
const QUEUE_MAX: usize = 8 * LINE_MAX;

/// Datagrams read from one socket in one go; one is expected.
const READS_MAX: usize = 16;

/// Octets of a reply over UDP that we can have asked for, and some: what is longer is cut, cannot
/// be read, and goes to Python.
const REPLY_OCTETS: usize = 4096;

/// Those who wait for an answer, with it.
pub type Replies = Vec<(Miss, Arc<Answer>)>;

/// What one thread carries.
pub struct Carrier {
    plans: Arc<Plans>,
    clock: Arc<Clock>,
    random: Random,
    dice: Dice,
    queue: Queue<Queued>,
    flights: Slab<Flight>,
    under_way: usize,
    sockets_max: usize,
    /// Under way by question.
    same: HashMap<u64, Key>,
    order: Lines<()>,
    zones: Lines<u64>,
    clients: Lines<IpAddr>,
    timers: Timers<Key>,
    /// Sockets whose exchange has ended with a reply, and without, oldest first.
    replied: VecDeque<(Instant, Key)>,
    silent: VecDeque<(Instant, Key)>,
    news: News,
    scratch: Box<[u8]>,
    /// Answers to be sent at the end of the turn, and clients to be told of an overload.
    pub replies: Replies,
    pub shed: Vec<Miss>,
    /// Repetitions of queries that wait already: they get no reply of their own.
    pub repeated: Vec<Miss>,
}

impl Carrier {
    /// `sockets_max`: bound of this thread's upstream sockets.
    pub fn new(plans: Arc<Plans>, clock: Arc<Clock>, sockets_max: usize) -> Self {
        let mut random = Random::default();
        let dice = Dice::new(&mut random);
        Self {
            plans,
            clock,
            random,
            dice,
            queue: Queue::new(LINE_MAX, QUEUE_MAX),
            flights: Slab::default(),
            under_way: 0,
            sockets_max,
            same: HashMap::new(),
            order: Lines::default(),
            zones: Lines::default(),
            clients: Lines::default(),
            timers: Timers::default(),
            replied: VecDeque::new(),
            silent: VecDeque::new(),
            news: News::default(),
            scratch: vec![0; REPLY_OCTETS].into_boxed_slice(),
            replies: Vec::new(),
            shed: Vec::new(),
            repeated: Vec::new(),
        }
    }

    /// Take a miss, or give it back when it is Python's, with marks for the tables of those that
    /// wait. `name` is the question's, in lower case; `arrived` when it came. Its exchange begins
    /// with [`Self::begin_some`].
    pub fn offer(
        &mut self,
        mut miss: Miss,
        name: &[u8],
        rtype: u16,
        arrived: Instant,
        now: f64,
        books: &Area,
    ) -> Option<Miss> {
        let mark = self.plans.mark(name, rtype);
        if self.plans.concern().holds(name, miss.view) {
            miss.mark = mark;
            return Some(miss);
        }
        if let Some(key) = self.same.get(&mark).copied()
            && self.flights.get(key).is_some_and(|flight| flight.asks(name, rtype))
        {
            self.join(key, miss, arrived, books);
            return None;
        }
        miss.mark = mark;
        let plan = match self.plans.find(EVERY_VIEW, name, rtype, now) {
            Found::Carry(plan) => plan,
            Found::Leave(zone) => {
                miss.zone = zone;
                return Some(miss);
            }
        };
        miss.zone = self.plans.zone_mark(&plan);
        let queued = Queued { name: Box::from(name), rtype, arrived, miss };
        self.shed.extend(self.queue.push(queued.miss.zone, queued).map(|shed| shed.miss));
        None
    }

    /// Begin a bounded number of exchanges, zone after zone, fewer when the thread is `behind` with
    /// reading; returns the misses that turn out to be Python's.
    pub fn begin_some(&mut self, behind: bool, now: f64, poll: &Poll, books: &Area) -> Vec<Miss> {
        let mut left = Vec::new();
        for _ in 0..if behind { BEGIN_BEHIND_MAX } else { BEGIN_MAX } {
            let Some(queued) = self.queue.pop() else { break };
            left.extend(self.begin_or_leave(queued, now, poll, books));
        }
        left
    }

    fn begin_or_leave(
        &mut self,
        queued: Queued,
        now: f64,
        poll: &Poll,
        books: &Area,
    ) -> Option<Miss> {
        let Queued { miss, name, rtype, arrived } = queued;
        if let Some(key) = self.same.get(&miss.mark).copied()
            && self.flights.get(key).is_some_and(|flight| flight.asks(&name, rtype))
        {
            self.join(key, miss, arrived, books);
            return None;
        }
        // Looked for again: a plan may have been withdrawn since the miss was queued.
        let Found::Carry(plan) = self.plans.find(EVERY_VIEW, &name, rtype, now) else {
            return Some(miss);
        };
        if self.plans.concern().holds(&name, miss.view) {
            return Some(miss);
        }
        if self.plans.busy.has(miss.mark)
            || self.plans.is_left(miss.mark, now)
            || self.plans.records.knows(&name, rtype, now)
            || self.plans.reports.is_full()
            || !self.make_room()
        {
            return Some(miss);
        }
        self.begin(plan, miss, name, rtype, arrived, poll, books);
        None
    }

    fn join(&mut self, key: Key, miss: Miss, arrived: Instant, books: &Area) {
        let joiners_max = self.plans.bounds.joiners_max;
        let client = miss.origin.client().ip();
        let Some(waiting) = self.flights.get_mut(key).and_then(|flight| flight.waiting.as_mut())
        else {
            return;
        };
        if waiting.waiters.iter().any(|(_, known)| known.repeats(&miss)) {
            return self.repeated.push(miss);
        }
        if waiting.waiters.len() >= joiners_max {
            self.shed.push(miss);
            return;
        }
        books.count(Scalar::Planned, 1);
        waiting.waiters.push((arrived, miss));
        self.enter_client(client, key);
    }

    #[allow(clippy::too_many_arguments)]
    fn begin(
        &mut self,
        plan: Arc<Plan>,
        miss: Miss,
        name: Box<[u8]>,
        rtype: u16,
        arrived: Instant,
        poll: &Poll,
        books: &Area,
    ) {
        let chosen = self.dice.choose(&plan, &self.plans.bounds);
        let server = &plan.servers[chosen];
        let (slot, wait) = (server.slot, server.wait);
        let address = SocketAddr::new(server.address, self.plans.bounds.port);
        let query = self.query(&plan, chosen, &name, rtype);
        let shown = Shown::of(&name, plan.needed);
        let (zone, mark, client) = (miss.zone, miss.mark, miss.origin.client().ip());
        books.count(Scalar::Planned, 1);
        // Before the first call that could fail for reasons of the network (see the door).
        books.add(slot, Field::Intended, 1);
        let sent = Instant::now();
        let waiting = Waiting {
            plan,
            server: chosen,
            zone,
            mark,
            name,
            rtype,
            query,
            sent,
            waiters: vec![(arrived, miss)],
        };
        let Ok(Opened { socket, watched }) = self.open(&address, books) else {
            books.count(Scalar::SendFailures, 1);
            return self.punt(waiting, PuntResult::Failed(Failure::NotSent as u8), 0);
        };
        let length = waiting.query.len();
        let is_v4 = address.is_ipv4();
        let flight = Flight { socket, slot, is_v4, waiting: Some(waiting), overdue: None };
        let key = self.flights.insert(flight);
        if !self.transmit(key, watched, poll) {
            books.count(Scalar::SendFailures, 1);
            if let Some(waiting) = self.flights.remove(key).and_then(|flight| flight.waiting) {
                self.punt(waiting, PuntResult::Failed(Failure::NotSent as u8), 0);
            }
            return;
        }
        books.sent(slot, shown);
        books.add(slot, Field::OctetsSent, length as u64);
        self.timers.push(sent + wait, key);
        self.same.insert(mark, key);
        self.under_way += 1;
        self.plans.under_way.fetch_add(1, Ordering::Relaxed);
        let flights = &self.flights;
        let lives = |key| flights.get(key).is_some_and(Flight::waits);
        self.order.enter((), key, lives);
        self.zones.enter(zone, key, lives);
        self.enter_client(client, key);
        self.keep_bounds(zone);
    }

    fn query(&mut self, plan: &Plan, server: usize, name: &[u8], rtype: u16) -> Box<[u8]> {
        let id = self.random.u16();
        let mut case = [0; ask::CASE_OCTETS];
        if plan.randomise_case {
            self.random.fill(&mut case[..name.len().div_ceil(8)]);
        }
        let case = plan.randomise_case.then_some(&case);
        let mut query = [0; ask::QUERY_MAX];
        let edns = plan.servers[server].edns;
        let length = ask::build_query(name, rtype, id, edns, case, &mut query);
        Box::from(&query[..length])
    }

    fn transmit(&mut self, key: Key, watched: bool, poll: &Poll) -> bool {
        let Some(flight) = self.flights.get_mut(key) else {
            return false;
        };
        let Some(waiting) = &mut flight.waiting else {
            return false;
        };
        let watch = if watched { Poll::modify } else { Poll::add };
        if watch(poll, &flight.socket, READ | EDGE, key).is_err() {
            return false;
        }
        waiting.sent = Instant::now();
        flight.socket.send(&waiting.query).is_ok()
    }

    /// Read what has arrived on a socket.
    pub fn ready(&mut self, key: Key, poll: &Poll, books: &Area) {
        for _ in 0..READS_MAX {
            let Some(flight) = self.flights.get_mut(key) else {
                return;
            };
            match flight.socket.receive(&mut self.scratch) {
                Ok(octets) => {
                    let waited = flight.waits();
                    self.arrived(key, octets, books);
                    if waited && !self.flights.get(key).is_some_and(Flight::waits) {
                        // Its reply has come. What follows makes the edge rise again.
                        return;
                    }
                }
                Err(error) if would_block(&error) => return,
                // ICMP for this address and port (RFC 1122 section 4.1.3.3).
                Err(_) => {
                    books.count(Scalar::IcmpErrors, 1);
                    if let Some(waiting) = self.end(key, true) {
                        self.punt(waiting, PuntResult::Failed(Failure::Unreachable as u8), 0);
                    }
                }
            }
        }
        if let Some(flight) = self.flights.get(key) {
            // Asking again makes the edge rise again if more waits.
            let _ = poll.modify(&flight.socket, READ | EDGE, key);
        }
    }

    fn arrived(&mut self, key: Key, octets: usize, books: &Area) {
        let Some(flight) = self.flights.get(key) else {
            return;
        };
        let slot = flight.slot;
        books.add(slot, Field::OctetsReceived, octets as u64);
        let Some(waiting) = &flight.waiting else {
            books.count(Scalar::UpstreamLate, 1);
            return self.came_late(key, octets);
        };
        let (data, exact) = (&self.scratch[..octets], waiting.plan.randomise_case);
        let judged = judge(&waiting.query, data, exact);
        let result = match judged {
            Match::Other => return books.count(Scalar::UpstreamMismatched, 1),
            Match::Reply(message) => PuntResult::Reply(message),
            Match::Case => PuntResult::Failed(Failure::Case as u8),
            Match::Unreadable => {
                books.count(Scalar::UpstreamMalformed, 1);
                PuntResult::Failed(Failure::Malformed as u8)
            }
        };
        books.add(slot, Field::Replies, 1);
        let Some(waiting) = self.end(key, true) else {
            return;
        };
        match result {
            // Asked under another policy: whether it may be answered is Python's to say.
            PuntResult::Reply(message) if waiting.plan.generation != self.plans.generation() => {
                self.punt(waiting, PuntResult::Reply(message), octets);
            }
            PuntResult::Reply(message)
                if self.plans.concern().touches(plain::addresses(&message.answer)) =>
            {
                self.punt(waiting, PuntResult::Reply(message), octets);
            }
            PuntResult::Reply(mut message) => match self.read(&mut message, &waiting) {
                Some(plain) => self.finish(waiting, plain, message.identity()),
                None => self.punt(waiting, PuntResult::Reply(message), octets),
            },
            failed => self.punt(waiting, failed, octets),
        }
    }

    /// A datagram after the exchange: the reply to one that was overdue says how fast a server is.
    fn came_late(&mut self, key: Key, octets: usize) {
        let Some(flight) = self.flights.get_mut(key) else { return };
        let Some(overdue) = &flight.overdue else { return };
        let exact = overdue.plan.randomise_case;
        if let Match::Reply(message) = judge(&overdue.query, &self.scratch[..octets], exact) {
            let rtt = overdue.sent.elapsed().as_secs_f64();
            self.news.replied(overdue.plan.id, overdue.server as u8, rtt, message.identity());
            flight.overdue = None;
        }
    }

    /// The plain meaning of a reply, if it has one: of a zone that must be validated, only when
    /// the reply proves itself.
    fn read(&self, message: &mut Message, waiting: &Waiting) -> Option<Plain> {
        let (Waiting { plan, name, rtype, .. }, bounds) = (waiting, &self.plans.bounds);
        let Some(keys) = &plan.proven else {
            return plain::read(message, plan, name, *rtype, bounds);
        };
        let times = Times { now: self.clock.now(), wall: self.clock.wall() };
        let life = proof::life(message, plan, keys, (name, *rtype), times, bounds.tries_max)?;
        let plain = plain::read(message, plan, name, *rtype, bounds)?;
        (plain.end == End::Answer).then(|| plain.secured(life))
    }

    /// Give an exchange and its clients to Python. Tokens are made when it is told.
    fn punt(&mut self, waiting: Waiting, result: PuntResult, octets: usize) {
        let rtt = waiting.sent.elapsed().as_secs_f64();
        let Waiting { plan, server, name, rtype, waiters, .. } = waiting;
        let waiters = waiters.into_iter().map(|(_, miss)| miss).collect();
        let (plan, server, tokens) = (plan.id, server as u8, Vec::new());
        let punt = Punt { plan, server, name, rtype, result, rtt, octets, waiters, tokens };
        self.news.punts.push(punt);
    }

    /// The exchange of a flight is over: take out who waits, let the socket linger.
    fn end(&mut self, key: Key, replied: bool) -> Option<Waiting> {
        let waiting = self.flights.get_mut(key)?.waiting.take()?;
        for (_, miss) in &waiting.waiters {
            self.clients.leave(miss.origin.client().ip());
        }
        self.zones.leave(waiting.zone);
        self.order.leave(());
        self.under_way -= 1;
        self.plans.under_way.fetch_sub(1, Ordering::Relaxed);
        if self.same.get(&waiting.mark) == Some(&key) {
            self.same.remove(&waiting.mark);
        }
        let until = Instant::now() + self.plans.bounds.linger;
        if replied {
            self.replied.push_back((until, key));
            if self.replied.len() > ports::RESTING_MAX
                && let Some((_, key)) = self.replied.pop_front()
            {
                self.flights.remove(key);
            }
        } else {
            self.silent.push_back((until, key));
        }
        Some(waiting)
    }

    /// Punt what has waited long enough, close what has lingered.
    pub fn expire(&mut self, now: Instant, poll: &Poll, books: &Area) {
        while let Some((_, key)) = self.timers.pop_due(now) {
            if !self.flights.get(key).is_some_and(Flight::waits) {
                continue;
            }
            // A thread that was kept from its sockets must not take its own lateness for a
            // server's silence: what has come meanwhile counts.
            self.ready(key, poll, books);
            if let Some(mut waiting) = self.end(key, false) {
                if let Some(flight) = self.flights.get_mut(key) {
                    flight.overdue = Some(waiting.overdue());
                }
                self.punt(waiting, PuntResult::Silent, 0);
            }
        }
        for line in [&mut self.replied, &mut self.silent] {
            while line.front().is_some_and(|(until, _)| *until <= now) {
                if let Some((_, key)) = line.pop_front() {
                    self.flights.remove(key);
                }
            }
        }
        let flights = &self.flights;
        self.timers.sweep(|_, key| flights.get(key).is_some_and(Flight::waits));
    }

    /// Tell Python what is due. Clients of punts wait in `clients` from now on; who is pushed out
    /// of there is shed.
    pub fn publish(&mut self, now: Instant, clients: &Clients, books: &Area) {
        if self.news.due(now).is_none_or(|due| due > now) {
            return;
        }
        for punt in &mut self.news.punts {
            let added = clients.hold(punt.waiters.drain(..));
            books.count(Scalar::PlannedPunted, added.kept as u64);
            punt.tokens = added.tokens;
            self.shed.extend(added.shed);
            self.repeated.extend(added.repeated);
        }
        self.plans.reports.tell(&mut self.news);
    }

    /// How long the thread may sleep.
    pub fn sleep(&mut self, now: Instant) -> Option<Duration> {
        if !self.queue.is_empty() {
            return Some(Duration::ZERO);
        }
        let lingering = [&self.replied, &self.silent];
        let ends = lingering.into_iter().filter_map(|line| line.front()).map(|(until, _)| *until);
        let due = self.news.due(now);
        let next = ends.chain(self.timers.next()).chain(due).min()?;
        Some(next.saturating_duration_since(now))
    }

    /// Sockets are bounded: close one that lingers if need be. False when all are in use.
    fn make_room(&mut self) -> bool {
        self.flights.len() < self.sockets_max || self.close_lingering()
    }

    fn close_lingering(&mut self) -> bool {
        let oldest = self.replied.pop_front().or_else(|| self.silent.pop_front());
        oldest.is_some_and(|(_, key)| self.flights.remove(key).is_some())
    }
}
