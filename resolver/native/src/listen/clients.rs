//! Clients whose queries wait for Python: a bounded table that the oldest leaves first.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Arc, Mutex};

use crate::plan::busy::Busy;
use crate::plan::lines::Lines;
use crate::plan::queue::Queue;
use crate::sys::batch::Local;
use crate::sys::poll::Bell;
use crate::sys::slab::{Key, Slab};
use crate::sys::thread::lock;
use crate::wire::query::Client;

/// Entries of a queue below which a sweep is not worth it.
const SWEEP_MIN: usize = 1024;

/// The way back to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Udp {
        worker: usize,
        /// Which of the worker's sockets.
        socket: usize,
        client: SocketAddr,
        local: Option<Local>,
    },
    Tcp {
        /// The thread that the connection is of.
        worker: usize,
        connection: Key,
        client: SocketAddr,
    },
}

impl Origin {
    pub fn client(&self) -> SocketAddr {
        match self {
            Self::Udp { client, .. } | Self::Tcp { client, .. } => *client,
        }
    }

    /// What makes two queries come from one asker. Not the socket: a client that repeats its
    /// datagram may reach another one of ours.
    fn asker(&self) -> (SocketAddr, Option<(usize, Key)>) {
        match self {
            Self::Udp { client, .. } => (*client, None),
            Self::Tcp { worker, connection, client } => (*client, Some((*worker, *connection))),
        }
    }
}

/// A query that waits for its answer.
#[derive(Clone, Debug)]
pub struct Miss {
    pub origin: Origin,
    pub client: Client,
    /// The question section as it came.
    pub question: Box<[u8]>,
    /// What stands for the question in the filter of those that Python has; 0: not counted.
    pub mark: u64,
    /// What stands for the deepest zone known; 0: none.
    pub zone: u64,
    /// The client's view when the question came, and the generation that it is of.
    pub view: u32,
    pub generation: u64,
}

impl Miss {
    pub fn repeats(&self, other: &Self) -> bool {
        self.origin.asker() == other.origin.asker()
            && self.client.id == other.client.id
            && self.question == other.question
    }
}

struct Kept {
    miss: Miss,
    hash: u64,
}

struct Table {
    waiting: Slab<Kept>,
    /// Not yet taken by Python, by zone; keys of those shed are dead.
    untaken: Queue<Key>,
    /// All, oldest first; keys of those answered are dead.
    order: VecDeque<Key>,
    /// By hash of asker, ID and question. On a collision the later one is found.
    same: HashMap<u64, Key>,
    by_client: Lines<IpAddr>,
    by_zone: Lines<u64>,
    busy: Option<Arc<Busy>>,
}

impl Table {
    fn new(busy: Option<Arc<Busy>>) -> Self {
        Self {
            waiting: Slab::default(),
            // What waits is bounded here already, and what is dead is swept.
            untaken: Queue::new(usize::MAX, usize::MAX),
            order: VecDeque::new(),
            same: HashMap::new(),
            by_client: Lines::default(),
            by_zone: Lines::default(),
            busy,
        }
    }

    fn remove(&mut self, key: Key) -> Option<Miss> {
        let kept = self.waiting.remove(key)?;
        if self.same.get(&kept.hash) == Some(&key) {
            self.same.remove(&kept.hash);
        }
        let Miss { origin, mark, zone, .. } = &kept.miss;
        self.by_client.leave(origin.client().ip());
        if *zone != 0 {
            self.by_zone.leave(*zone);
        }
        if let Some(busy) = self.busy.as_ref().filter(|_| *mark != 0) {
            busy.leave(*mark);
        }
        Some(kept.miss)
    }

    fn insert(&mut self, miss: Miss, hash: u64) -> Key {
        let (client, zone, mark) = (miss.origin.client().ip(), miss.zone, miss.mark);
        let key = self.waiting.insert(Kept { miss, hash });
        let waiting = &self.waiting;
        let lives = |key| waiting.get(key).is_some();
        self.by_client.enter(client, key, lives);
        if zone != 0 {
            self.by_zone.enter(zone, key, lives);
        }
        if let Some(busy) = self.busy.as_ref().filter(|_| mark != 0) {
            busy.enter(mark);
        }
        self.same.insert(hash, key);
        self.order.push_back(key);
        key
    }

    /// Take out who must give way to a miss that comes, if anyone.
    fn make_way(&mut self, miss: &Miss, bounds: &Bounds) -> Option<Miss> {
        let client = miss.origin.client().ip();
        let waiting = &self.waiting;
        let lives = |key| waiting.get(key).is_some();
        let key = if self.by_client.count(client) >= bounds.per_client {
            self.by_client.oldest(client, lives)
        } else if miss.zone != 0 && self.by_zone.count(miss.zone) >= bounds.per_zone {
            self.by_zone.oldest(miss.zone, lives)
        } else {
            None
        };
        match key {
            Some(key) => self.remove(key),
            None if self.waiting.len() >= bounds.misses_max => self.shed_oldest(),
            None => None,
        }
    }

    fn shed_oldest(&mut self) -> Option<Miss> {
        while let Some(key) = self.order.pop_front() {
            if let Some(miss) = self.remove(key) {
                return Some(miss);
            }
        }
        None
    }

    fn sweep(&mut self) {
        let Self { waiting, order, untaken, .. } = self;
        let (lives, most) =
            (|key: &Key| waiting.get(*key).is_some(), SWEEP_MIN + 2 * waiting.len());
        if order.len() > most {
            order.retain(lives);
        }
        if untaken.len() > most {
            untaken.retain(lives);
        }
    }
}

/// What became of a batch of misses.
#[derive(Debug, Default)]
pub struct Added {
    pub kept: usize,
    /// Of [`Clients::hold`]: those kept, with their tokens.
    pub tokens: Vec<(Key, Miss)>,
    /// To be answered SERVFAIL now.
    pub shed: Vec<Miss>,
    /// Repetitions of queries that wait already: they get no reply of their own.
    pub repeated: Vec<Miss>,
}

/// The table, and the descriptor that is readable while Python has something to take.
pub struct Clients {
    table: Mutex<Table>,
    bell: Bell,
    hasher: RandomState,
    bounds: Bounds,
}

/// How many may wait: over all, from one address, for names of one zone.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub misses_max: usize,
    pub per_client: usize,
    pub per_zone: usize,
}

impl Bounds {
    /// No bounds but that over all.
    pub fn of(misses_max: usize) -> Self {
        Self { misses_max, per_client: misses_max, per_zone: misses_max }
    }
}

impl Clients {
    /// `busy` is told which questions wait here.
    pub fn new(bounds: Bounds, busy: Option<Arc<Busy>>) -> io::Result<Self> {
        let Bounds { misses_max, per_client, per_zone } = bounds;
        let bounds = Bounds {
            misses_max: misses_max.max(1),
            per_client: per_client.max(1),
            per_zone: per_zone.max(1),
        };
        Ok(Self {
            table: Mutex::new(Table::new(busy)),
            bell: Bell::new()?,
            hasher: RandomState::new(),
            bounds,
        })
    }

    /// Let a batch wait until Python takes it.
    pub fn add(&self, misses: impl IntoIterator<Item = Miss>) -> Added {
        self.keep(misses, false)
    }

    /// Let a batch wait that Python is told of in another way: it has tokens at once.
    pub fn hold(&self, misses: impl IntoIterator<Item = Miss>) -> Added {
        self.keep(misses, true)
    }

    fn keep(&self, misses: impl IntoIterator<Item = Miss>, taken: bool) -> Added {
        let mut added = Added::default();
        let mut table = lock(&self.table);
        let was_empty = table.untaken.is_empty();
        for miss in misses {
            let asker = (miss.origin.asker(), miss.client.id, &miss.question);
            let hash = self.hasher.hash_one(asker);
            let known = table.same.get(&hash).and_then(|key| table.waiting.get(*key));
            if known.is_some_and(|known| known.miss.repeats(&miss)) {
                added.repeated.push(miss);
                continue;
            }
            added.shed.extend(table.make_way(&miss, &self.bounds));
            let (told, zone) = (taken.then(|| miss.clone()), miss.zone);
            let key = table.insert(miss, hash);
            match told {
                Some(miss) => added.tokens.push((key, miss)),
                None => drop(table.untaken.push(zone, key)),
            }
            added.kept += 1;
        }
        table.sweep();
        if was_empty && !table.untaken.is_empty() {
            self.bell.ring();
        }
        added
    }

    /// Misses for Python, zone after zone and the oldest of each first, with their tokens.
    pub fn take(&self, most: usize) -> Vec<(Key, Miss)> {
        let mut table = lock(&self.table);
        let mut taken = Vec::new();
        while taken.len() < most {
            let Some(key) = table.untaken.pop() else {
                break;
            };
            if let Some(kept) = table.waiting.get(key) {
                taken.push((key, kept.miss.clone()));
            }
        }
        if table.untaken.is_empty() {
            self.bell.clear();
        }
        taken
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        lock(&self.table).waiting.len()
    }

    /// The clients of tokens, each for the last time; unknown tokens are left out.
    pub fn finish<T>(&self, tokens: impl IntoIterator<Item = (Key, T)>) -> Vec<(Miss, T)> {
        let mut table = lock(&self.table);
        let found = tokens
            .into_iter()
            .filter_map(|(token, with)| Some((table.remove(token)?, with)))
            .collect();
        table.sweep();
        found
    }
}

impl AsRawFd for Clients {
    fn as_raw_fd(&self) -> RawFd {
        self.bell.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn miss(port: u16, id: u16) -> Miss {
        let client = SocketAddr::from(([127, 0, 0, 1], port));
        Miss {
            origin: Origin::Udp { worker: 0, socket: 0, client, local: None },
            client: Client { id, flags: 0, edns: None },
            question: Box::from(&b"\0\0\x01\0\x01"[..]),
            mark: 0,
            zone: 0,
            view: 0,
            generation: 0,
        }
    }

    #[test]
    fn the_oldest_is_shed_whether_taken_or_not() {
        let clients = Clients::new(Bounds::of(2), None).unwrap();
        clients.add([miss(1, 1), miss(2, 2)]);
        let first = clients.take(1)[0].0;
        let added = clients.add([miss(3, 3), miss(4, 4)]);
        let shed: Vec<u16> = added.shed.iter().map(|miss| miss.client.id).collect();
        assert_eq!(shed, [1, 2]);
        assert!(clients.finish([(first, ())]).is_empty());
        let taken: Vec<u16> = clients.take(9).iter().map(|(_, miss)| miss.client.id).collect();
        assert_eq!(taken, [3, 4]);
    }

    #[test]
    fn a_repeated_query_waits_once_until_it_is_answered() {
        let clients = Clients::new(Bounds::of(10), None).unwrap();
        let added = clients.add([miss(1, 1), miss(1, 1), miss(1, 2), miss(2, 1)]);
        assert_eq!((added.kept, added.repeated.len()), (3, 1));
        for (token, _) in clients.take(10) {
            assert_eq!(clients.finish([(token, ())]).len(), 1);
            assert_eq!(clients.finish([(token, ())]).len(), 0);
        }
        assert_eq!(clients.add([miss(1, 1)]).kept, 1);
    }

    #[test]
    fn one_client_or_zone_at_its_bound_pushes_out_its_own_only() {
        let bounds = Bounds { misses_max: 100, per_client: 50, per_zone: 2 };
        let clients = Clients::new(bounds, None).unwrap();
        let of = |id: u16, zone: u64| Miss { zone, ..miss(id, id) };
        clients.add([of(1, 7), of(2, 8), of(3, 7)]);
        let shed: Vec<u16> = clients.add([of(4, 7)]).shed.iter().map(|m| m.client.id).collect();
        assert_eq!(shed, [1]);
        let added = clients.add((10..80).map(|id| of(id, 0)));
        // Of 73 that wait, all of one address, the oldest 23 have left.
        assert_eq!(added.shed.len(), 23);
        assert_eq!(added.shed[0].client.id, 2);
    }

    #[test]
    fn zones_are_taken_in_turn() {
        let clients = Clients::new(Bounds::of(100), None).unwrap();
        let of = |id: u16, zone: u64| Miss { zone, ..miss(id, id) };
        clients.add((1..50).map(|id| of(id, 7)).chain([of(90, 8)]));
        let taken: Vec<u16> = clients.take(3).iter().map(|(_, miss)| miss.client.id).collect();
        assert_eq!(taken, [1, 90, 2]);
    }

    #[test]
    fn the_table_does_not_grow_with_what_has_left() {
        let clients = Clients::new(Bounds::of(10), None).unwrap();
        for round in 0..20_000 {
            clients.add([miss(round as u16 | 1, round as u16)]);
            let tokens = clients.take(1);
            clients.finish(tokens);
        }
        let table = lock(&clients.table);
        assert!(table.order.len() <= 2 * SWEEP_MIN, "{}", table.order.len());
        assert!(table.same.is_empty() && table.waiting.is_empty());
    }
}
