//! Clients whose queries wait for Python: a bounded table that the oldest leaves first.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Mutex;

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
    fn asker(&self) -> (SocketAddr, Option<Key>) {
        match self {
            Self::Udp { client, .. } => (*client, None),
            Self::Tcp { connection, client } => (*client, Some(*connection)),
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
}

impl Miss {
    fn repeats(&self, other: &Self) -> bool {
        self.origin.asker() == other.origin.asker()
            && self.client.id == other.client.id
            && self.question == other.question
    }
}

struct Kept {
    miss: Miss,
    hash: u64,
}

#[derive(Default)]
struct Table {
    waiting: Slab<Kept>,
    /// Not yet taken by Python, oldest first; keys of those shed are dead.
    untaken: VecDeque<Key>,
    /// All, oldest first; keys of those answered are dead.
    order: VecDeque<Key>,
    /// By hash of asker, ID and question. On a collision the later one is found.
    same: HashMap<u64, Key>,
}

impl Table {
    fn remove(&mut self, key: Key) -> Option<Miss> {
        let kept = self.waiting.remove(key)?;
        if self.same.get(&kept.hash) == Some(&key) {
            self.same.remove(&kept.hash);
        }
        Some(kept.miss)
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
        for queue in [order, untaken] {
            if queue.len() > SWEEP_MIN + 2 * waiting.len() {
                queue.retain(|key| waiting.get(*key).is_some());
            }
        }
    }
}

/// What became of a batch of misses.
#[derive(Debug, Default)]
pub struct Added {
    pub kept: usize,
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
    misses_max: usize,
}

impl Clients {
    pub fn new(misses_max: usize) -> io::Result<Self> {
        Ok(Self {
            table: Mutex::default(),
            bell: Bell::new()?,
            hasher: RandomState::new(),
            misses_max: misses_max.max(1),
        })
    }

    /// Let a batch wait.
    pub fn add(&self, misses: impl IntoIterator<Item = Miss>) -> Added {
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
            if table.waiting.len() >= self.misses_max {
                added.shed.extend(table.shed_oldest());
            }
            let key = table.waiting.insert(Kept { miss, hash });
            table.same.insert(hash, key);
            table.order.push_back(key);
            table.untaken.push_back(key);
            added.kept += 1;
        }
        table.sweep();
        if was_empty && !table.untaken.is_empty() {
            self.bell.ring();
        }
        added
    }

    /// Misses for Python, oldest first, each with its token.
    pub fn take(&self, most: usize) -> Vec<(Key, Miss)> {
        let mut table = lock(&self.table);
        let mut taken = Vec::new();
        while taken.len() < most {
            let Some(key) = table.untaken.pop_front() else {
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
        }
    }

    #[test]
    fn the_oldest_is_shed_whether_taken_or_not() {
        let clients = Clients::new(2).unwrap();
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
        let clients = Clients::new(10).unwrap();
        let added = clients.add([miss(1, 1), miss(1, 1), miss(1, 2), miss(2, 1)]);
        assert_eq!((added.kept, added.repeated.len()), (3, 1));
        for (token, _) in clients.take(10) {
            assert_eq!(clients.finish([(token, ())]).len(), 1);
            assert_eq!(clients.finish([(token, ())]).len(), 0);
        }
        assert_eq!(clients.add([miss(1, 1)]).kept, 1);
    }

    #[test]
    fn the_table_does_not_grow_with_what_has_left() {
        let clients = Clients::new(10).unwrap();
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
