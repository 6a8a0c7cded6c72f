//! Clients over TCP: one thread for all addresses (RFC 7766).
//!
//! Queries on a connection are answered as they become ready, in any order (section 6.2.1.1). A
//! client that has closed its side still gets its answers. A connection that asks faster than it
//! reads is not read from until it has caught up; one that does not read at all is closed.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Shared;
use super::clients::{Miss, Origin};
use super::desk::{Decision, Desk, Transport};
use super::send::Sender;
use crate::counters::{Area, Scalar};
use crate::sys::poll::{Event, HANGUP, Poll, READ, WRITE};
use crate::sys::raise_open_files;
use crate::sys::slab::{Key, Slab};
use crate::sys::socket::{Socket, would_block};
use crate::sys::stream;
use crate::sys::timers::Timers;
use crate::wire::MESSAGE_MAX;

const STOP: u64 = u64::MAX;
const REPLIES: u64 = u64::MAX - 1;
/// Set in the keys of listening sockets, beside their index.
const LISTENING: u64 = 1 << 63;

/// Queries of one connection that may wait for Python; more are left unread.
const WAITING_MAX: usize = 128;

/// Unsent octets from which on nothing more is read from the client.
const UNSENT_PAUSE: usize = 64 * 1024;

/// Unsent octets at which the client is given up: what may be waiting when reading stops fits
/// in with answers of 7 KiB each.
const UNSENT_MAX: usize = 1024 * 1024;

/// Octets read at once: queries are small.
const SCRATCH: usize = 16 * 1024;

/// Connections accepted before those that are there get their turn.
const ACCEPTS_MAX: usize = 64;

/// How long no connection is accepted when the process has no descriptor left for it.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The part of the open files that clients' connections may hold (see the door for the rest).
const OPEN_FILES_PART: usize = 4;

struct Connection {
    socket: Socket,
    client: SocketAddr,
    arrived: Vec<u8>,
    out: Vec<u8>,
    /// Queries that Python has.
    waiting: usize,
    /// The last whole query, or the last octets that the client took.
    active: Instant,
    /// The client has closed its side, or is not to be listened to any more.
    ended: bool,
    mask: u32,
}

impl Connection {
    fn may_read(&self) -> bool {
        !self.ended && self.waiting < WAITING_MAX && self.out.len() < UNSENT_PAUSE
    }

    fn is_idle(&self) -> bool {
        self.waiting == 0 && self.out.is_empty()
    }

    /// Nothing will come of it any more.
    fn is_over(&self) -> bool {
        (self.ended && self.is_idle()) || self.out.len() > UNSENT_MAX
    }

    fn wanted(&self) -> u32 {
        let read = if self.may_read() { READ } else { 0 };
        let write = if self.out.is_empty() { 0 } else { WRITE };
        read | write
    }
}

pub struct Worker {
    listening: Vec<Socket>,
    shared: Arc<Shared>,
    desk: Desk,
    sender: Sender,
    poll: Poll,
    connections: Slab<Connection>,
    connections_max: usize,
    timers: Timers<Key>,
    scratch: Box<[u8]>,
    reply: Box<[u8]>,
    /// When accepting goes on, while it does not.
    paused: Option<Instant>,
}

impl Worker {
    pub fn new(
        listening: Vec<Socket>,
        shared: Arc<Shared>,
        sender: Sender,
        books: Area,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        poll.add(&shared.stop, READ, STOP)?;
        poll.add(&shared.streams, READ, REPLIES)?;
        for (index, socket) in listening.iter().enumerate() {
            poll.add(socket, READ, LISTENING | index as u64)?;
        }
        let most = raise_open_files() / OPEN_FILES_PART;
        Ok(Self {
            listening,
            desk: Desk::new(Arc::clone(&shared), books),
            sender,
            poll,
            connections: Slab::default(),
            connections_max: shared.settings.tcp_connections_max.clamp(1, most.max(1)),
            timers: Timers::default(),
            scratch: vec![0; SCRATCH].into_boxed_slice(),
            reply: vec![0; MESSAGE_MAX].into_boxed_slice(),
            paused: None,
            shared,
        })
    }

    /// Serve until the listener is closed.
    pub fn run(mut self) {
        let mut events = Vec::new();
        loop {
            let next = self.timers.next().into_iter().chain(self.paused).min();
            let wait = next.map(|at| at.saturating_duration_since(Instant::now()));
            self.poll.wait(wait, &mut events).expect("epoll works");
            self.desk.refresh();
            for event in &events {
                if event.key == STOP {
                    return;
                }
                self.dispatch(*event);
            }
            self.desk.batch_ended();
            self.expire();
        }
    }

    fn dispatch(&mut self, event: Event) {
        if event.key == REPLIES {
            self.take_replies();
        } else if event.key & LISTENING != 0 {
            self.accept((event.key & !LISTENING) as usize);
        } else if event.mask & HANGUP != 0 {
            // Both sides are closed, or the client has reset it: there is nobody to answer.
            self.connections.remove(event.key);
        } else {
            if event.mask & READ != 0 {
                self.read(event.key);
            }
            self.advance(event.key);
        }
    }

    fn accept(&mut self, index: usize) {
        for _ in 0..ACCEPTS_MAX {
            match self.listening[index].accept() {
                Ok(Some((socket, client))) => self.admit(socket, client),
                Ok(None) => return,
                Err(error) if matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE)) => {
                    if !self.close_most_idle() {
                        return self.pause();
                    }
                }
                // The client has gone before it was accepted.
                Err(_) => {}
            }
        }
    }

    fn admit(&mut self, socket: Socket, client: SocketAddr) {
        if self.connections.len() >= self.connections_max && !self.close_most_idle() {
            return self.desk.books.count(Scalar::TcpClientsRefused, 1);
        }
        let now = Instant::now();
        let key = self.connections.insert(Connection {
            socket,
            client,
            arrived: Vec::new(),
            out: Vec::new(),
            waiting: 0,
            active: now,
            ended: false,
            mask: READ,
        });
        let registered = self
            .connections
            .get(key)
            .is_some_and(|connection| self.poll.add(&connection.socket, READ, key).is_ok());
        if !registered {
            self.connections.remove(key);
            return self.desk.books.count(Scalar::TcpClientsRefused, 1);
        }
        self.desk.books.count(Scalar::TcpClients, 1);
        self.timers.push(now + self.shared.settings.tcp_idle, key);
    }

    /// A listening socket stays readable while somebody waits: without a pause the loop would
    /// spin until a descriptor is free.
    fn pause(&mut self) {
        self.paused = Some(Instant::now() + ACCEPT_PAUSE);
        self.listen_for(0);
    }

    fn listen_for(&self, mask: u32) {
        for (index, socket) in self.listening.iter().enumerate() {
            let _ = self.poll.modify(socket, mask, LISTENING | index as u64);
        }
    }

    fn close_most_idle(&mut self) -> bool {
        let idle = self
            .connections
            .keys()
            .into_iter()
            .filter_map(|key| self.connections.get(key).map(|connection| (key, connection)))
            .filter(|(_, connection)| connection.is_idle())
            .min_by_key(|(_, connection)| connection.active)
            .map(|(key, _)| key);
        idle.and_then(|key| self.connections.remove(key)).is_some()
    }

    fn read(&mut self, key: Key) {
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        match connection.socket.receive(&mut self.scratch) {
            Ok(0) => connection.ended = true,
            Ok(octets) => connection.arrived.extend(&self.scratch[..octets]),
            Err(error) if would_block(&error) => {}
            Err(_) => {
                self.connections.remove(key);
            }
        }
    }

    /// Replies of Python, and of queries that were shed.
    fn take_replies(&mut self) {
        for (key, framed) in self.shared.streams.take(usize::MAX) {
            // The client may have gone meanwhile.
            if let Some(connection) = self.connections.get_mut(key) {
                connection.waiting = connection.waiting.saturating_sub(1);
                connection.out.extend(framed);
                self.desk.books.count(Scalar::RepliesSent, 1);
                self.advance(key);
            }
        }
    }

    /// Do what can be done for a connection: decide about queries that have arrived, write what
    /// waits, and close it when nothing is left.
    fn advance(&mut self, key: Key) {
        // Writing makes room for the replies to further queries that are here already.
        while self.decide_queries(key) > 0 {
            self.flush(key);
        }
        self.flush(key);
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        if connection.is_over() {
            self.connections.remove(key);
            return;
        }
        // A burst must not hold its memory for ever.
        connection.out.shrink_to(SCRATCH);
        connection.arrived.shrink_to(SCRATCH);
        let wanted = connection.wanted();
        if wanted != connection.mask {
            connection.mask = wanted;
            let _ = self.poll.modify(&connection.socket, wanted, key);
        }
    }

    fn flush(&mut self, key: Key) {
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        let mut taken = 0;
        let mut failed = false;
        while taken < connection.out.len() && !failed {
            match connection.socket.send(&connection.out[taken..]) {
                Ok(octets) => {
                    taken += octets;
                    connection.active = Instant::now();
                }
                Err(error) if would_block(&error) => break,
                Err(_) => failed = true,
            }
        }
        connection.out.drain(..taken);
        if failed {
            self.connections.remove(key);
        }
    }

    /// Decide about queries that have arrived, as many as may wait at once; their number.
    fn decide_queries(&mut self, key: Key) -> usize {
        let Some(connection) = self.connections.get_mut(key) else {
            return 0;
        };
        let (mut at, mut decided) = (0, 0);
        let mut misses = Vec::new();
        while connection.waiting + misses.len() < WAITING_MAX
            && connection.out.len() < UNSENT_PAUSE
            && let Some(range) = stream::next(&connection.arrived, at)
        {
            at = range.end;
            decided += 1;
            connection.active = Instant::now();
            let (packet, source) = (&connection.arrived[range], connection.client.ip());
            let decision = self.desk.decide(packet, source, Transport::Tcp, &mut self.reply);
            if let Decision::Reply(octets) | Decision::Refused(octets) = decision {
                stream::append(&mut connection.out, &self.reply[..octets]);
                self.desk.books.count(Scalar::RepliesSent, 1);
            }
            match decision {
                Decision::Reply(_) => {}
                // Who may not ask, or does not speak our protocol, is not listened to further.
                Decision::Drop | Decision::Refused(_) => {
                    connection.ended = true;
                    at = connection.arrived.len();
                }
                Decision::Miss { client, question, name, qtype } => {
                    let (mark, zone) = self.shared.marks(&name, qtype, self.desk.now);
                    misses.push(Miss {
                        origin: Origin::Tcp { connection: key, client: connection.client },
                        client,
                        question: question.into(),
                        mark,
                        zone,
                    });
                }
            }
        }
        connection.arrived.drain(..at);
        if !misses.is_empty() {
            let added = self.shared.clients.add(misses);
            connection.waiting += added.kept;
            self.desk.books.count(Scalar::Misses, added.kept as u64);
            self.sender.shed(&self.desk.books, added.shed);
        }
        decided
    }

    fn expire(&mut self) {
        let now = Instant::now();
        if self.paused.is_some_and(|until| until <= now) {
            self.paused = None;
            self.listen_for(READ);
        }
        let idle = self.shared.settings.tcp_idle;
        while let Some((_, key)) = self.timers.pop_due(now) {
            let Some(connection) = self.connections.get(key) else {
                continue;
            };
            // A connection whose queries wait is not idle, unless its client does not read.
            let busy = connection.waiting > 0 && connection.out.is_empty();
            let due = if busy { now + idle } else { connection.active + idle };
            if due <= now {
                self.connections.remove(key);
            } else {
                self.timers.push(due, key);
            }
        }
        let connections = &self.connections;
        self.timers.sweep(|_, key| connections.get(key).is_some());
    }
}
