//! Clients' connections over all threads: how many there are, by client and by thread.
//!
//! The kernel spreads connections by a hash of their addresses, and not evenly; so the bounds are
//! of all threads together. What is counted here changes when a connection comes or goes, or holds
//! output that its client does not take: never for a query that is answered at once.
//!
//! RFC 7766 section 6.2.2 (the number of connections may be limited, over all and by client).

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::sys::thread::lock;

/// Tables of clients side by side, so that threads that accept seldom meet.
const SHARDS: usize = 64;

/// A thread gives a new connection away when it has so many more than another one, and a quarter
/// more: few long-lived connections are spread well, many short ones are left where they came.
const UNEVEN: usize = 2;

/// What one thread has, in a cache line of its own.
#[derive(Default)]
#[repr(align(64))]
struct Gauge {
    open: AtomicUsize,
    idle: AtomicUsize,
}

/// All connections.
pub struct Census {
    connections_max: usize,
    per_client_max: usize,
    open: AtomicUsize,
    unsent: AtomicUsize,
    by_client: Box<[Mutex<HashMap<IpAddr, usize>>]>,
    hasher: RandomState,
    threads: Box<[Gauge]>,
}

/// Why there is no seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// All are taken; one that is idle may give way.
    All,
    /// This client has its share.
    Client,
}

/// The right to one connection, given back when it is dropped.
pub struct Seat {
    census: Arc<Census>,
    client: IpAddr,
    thread: usize,
    unsent: usize,
}

impl Census {
    pub fn new(threads: usize, connections_max: usize, per_client_max: usize) -> Self {
        Self {
            connections_max: connections_max.max(1),
            per_client_max: per_client_max.max(1),
            open: AtomicUsize::new(0),
            unsent: AtomicUsize::new(0),
            by_client: std::iter::repeat_with(Mutex::default).take(SHARDS).collect(),
            hasher: RandomState::new(),
            threads: std::iter::repeat_with(Gauge::default).take(threads).collect(),
        }
    }

    /// A seat for a connection of `client` in a thread.
    pub fn seat(self: &Arc<Self>, client: IpAddr, thread: usize) -> Result<Seat, Full> {
        let client = site(client);
        let mut shard = lock(self.shard(client));
        if shard.get(&client).is_some_and(|open| *open >= self.per_client_max) {
            return Err(Full::Client);
        }
        let more = |open: usize| (open < self.connections_max).then_some(open + 1);
        self.open
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .map_err(|_| Full::All)?;
        *shard.entry(client).or_default() += 1;
        self.threads[thread].open.fetch_add(1, Ordering::Relaxed);
        Ok(Seat { census: Arc::clone(self), client, thread, unsent: 0 })
    }

    /// Tell how many connections of a thread are idle.
    pub fn set_idle(&self, thread: usize, idle: usize) {
        self.threads[thread].idle.store(idle, Ordering::Relaxed);
    }

    /// Another thread that has idle connections, the one with most of them.
    pub fn idle_elsewhere(&self, thread: usize) -> Option<usize> {
        let idle = |at: &usize| self.threads[*at].idle.load(Ordering::Relaxed);
        (0..self.threads.len()).filter(|at| *at != thread && idle(at) > 0).max_by_key(idle)
    }

    /// The thread that a new connection of `thread` is better served by, if one is.
    pub fn emptier(&self, thread: usize) -> Option<usize> {
        let open = |at: usize| self.threads[at].open.load(Ordering::Relaxed);
        let own = open(thread);
        if own < UNEVEN {
            return None;
        }
        let least = (0..self.threads.len()).min_by_key(|at| open(*at))?;
        (own >= open(least) + open(least) / 4 + UNEVEN).then_some(least)
    }

    fn shard(&self, client: IpAddr) -> &Mutex<HashMap<IpAddr, usize>> {
        &self.by_client[self.hasher.hash_one(client) as usize % SHARDS]
    }
}

impl Seat {
    /// The connection is another thread's from now on.
    pub fn move_to(&mut self, thread: usize) {
        let threads = &self.census.threads;
        threads[self.thread].open.fetch_sub(1, Ordering::Relaxed);
        threads[thread].open.fetch_add(1, Ordering::Relaxed);
        self.thread = thread;
    }

    /// Octets that clients have not taken yet, over all connections.
    pub fn unsent_of_all(&self) -> usize {
        self.census.unsent.load(Ordering::Relaxed)
    }

    /// Tell how many octets its client has not taken.
    pub fn set_unsent(&mut self, unsent: usize) {
        if unsent != self.unsent {
            // Wraps round when it becomes less, as the sum does.
            let more = unsent.wrapping_sub(self.unsent);
            self.census.unsent.fetch_add(more, Ordering::Relaxed);
            self.unsent = unsent;
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.set_unsent(0);
        let census = &self.census;
        let mut shard = lock(census.shard(self.client));
        if let Some(open) = shard.get_mut(&self.client) {
            *open -= 1;
            if *open == 0 {
                shard.remove(&self.client);
            }
        }
        census.threads[self.thread].open.fetch_sub(1, Ordering::Relaxed);
        census.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What counts as one client: an IPv4 address, or the /64 of an IPv6 address, whose holder has all
/// addresses in it.
fn site(client: IpAddr) -> IpAddr {
    match client {
        IpAddr::V4(_) => client,
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_bounds_are_of_all_threads_and_a_seat_that_is_left_is_free() {
        let census = Arc::new(Census::new(2, 3, 2));
        let first = census.seat(address("192.0.2.1"), 0).ok().unwrap();
        let _second = census.seat(address("192.0.2.1"), 1).ok().unwrap();
        assert_eq!(census.seat(address("192.0.2.1"), 0).err(), Some(Full::Client));
        let _third = census.seat(address("192.0.2.2"), 1).ok().unwrap();
        assert_eq!(census.seat(address("192.0.2.3"), 0).err(), Some(Full::All));
        // A client at its own bound hears of that, and does not push out others.
        assert_eq!(census.seat(address("192.0.2.1"), 0).err(), Some(Full::Client));
        drop(first);
        assert!(census.seat(address("192.0.2.1"), 1).is_ok());
    }

    #[test]
    fn addresses_of_one_ipv6_network_are_one_client() {
        let census = Arc::new(Census::new(1, 9, 1));
        let _seat = census.seat(address("2001:db8::1"), 0).ok().unwrap();
        assert_eq!(census.seat(address("2001:db8::ffff:2"), 0).err(), Some(Full::Client));
        assert!(census.seat(address("2001:db8:0:1::1"), 0).is_ok());
    }

    #[test]
    fn a_new_connection_goes_where_clearly_fewer_are() {
        let census = Arc::new(Census::new(3, 100, 100));
        let mut seats: Vec<Seat> = Vec::new();
        let mut take = |thread| {
            let mut seat = census.seat(address("192.0.2.1"), thread).ok().unwrap();
            let other = census.emptier(thread);
            seat.move_to(other.unwrap_or(thread));
            seats.push(seat);
            other
        };
        assert_eq!(take(0), None);
        assert_eq!(take(0), Some(1));
        assert_eq!(take(0), Some(2));
        assert_eq!(take(0), None);
        drop(seats);
        assert_eq!(census.open.load(Ordering::Relaxed), 0);
        assert!(census.threads.iter().all(|gauge| gauge.open.load(Ordering::Relaxed) == 0));
    }

    #[test]
    fn who_has_idle_connections_is_known_and_what_is_unsent_adds_up() {
        let census = Arc::new(Census::new(3, 9, 9));
        assert_eq!(census.idle_elsewhere(0), None);
        census.set_idle(0, 5);
        census.set_idle(2, 1);
        assert_eq!((census.idle_elsewhere(0), census.idle_elsewhere(2)), (Some(2), Some(0)));
        let mut seat = census.seat(address("192.0.2.1"), 0).ok().unwrap();
        let mut other = census.seat(address("192.0.2.1"), 0).ok().unwrap();
        seat.set_unsent(100);
        other.set_unsent(50);
        seat.set_unsent(10);
        assert_eq!(other.unsent_of_all(), 60);
        drop(seat);
        assert_eq!(other.unsent_of_all(), 50);
    }
}
