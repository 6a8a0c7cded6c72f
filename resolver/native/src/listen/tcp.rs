//! Clients over TCP (RFC 7766): each thread has a socket of its own for each address
//! (SO_REUSEPORT) and the connections that were accepted there.
//!
//! Queries on a connection are answered as they become ready, in any order (section 6.2.1.1). A
//! client that has closed its side still gets its answers; one that has gone ends nothing that was
//! begun for it. A connection that asks faster than it reads is not read from until it has caught
//! up; one that does not read at all is closed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Shared;
use super::census::{Full, Seat};
use super::clients::{Miss, Origin};
use super::connection::{Connection, Look};
use super::desk::{Decision, Transport};
use super::worker::{Station, connection_key, listening_key};
use crate::counters::{Area, Scalar};
use crate::sys::poll::{HANGUP, READ};
use crate::sys::slab::{Key, Slab};
use crate::sys::socket::{Socket, would_block};
use crate::sys::stream;
use crate::sys::timers::Timers;
use crate::wire::MESSAGE_MAX;

/// Octets read at once: queries are small.
const SCRATCH: usize = 16 * 1024;

/// Connections accepted before those that are there get their turn.
const ACCEPTS_MAX: usize = 64;

/// How long no connection is accepted when the process has no descriptor left for it.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Idle connections found by one walk over all, so that a flood of new ones does not cost a walk
/// each.
const VICTIMS: usize = 64;

/// What other threads have for the connections of one.
pub enum Letter {
    /// A reply, framed.
    Reply(Key, Vec<u8>),
    /// A query of a connection gets no reply.
    Silence(Key),
    /// A connection, which may have a seat.
    Guest(Socket, SocketAddr, Option<Seat>),
}

/// The connections of one thread.
pub struct Streams {
    listening: Vec<Socket>,
    shared: Arc<Shared>,
    connections: Slab<Connection>,
    /// How many of them are idle, and some that were so longest, the longest last.
    idle: usize,
    victims: Vec<(Instant, Key)>,
    timers: Timers<Key>,
    /// Those that have got replies in this turn.
    touched: Vec<Key>,
    /// Queries decided about in this turn.
    pub decided: usize,
    scratch: Box<[u8]>,
    reply: Box<[u8]>,
    /// When accepting goes on, while it does not.
    paused: Option<Instant>,
}

impl Streams {
    pub fn new(listening: Vec<Socket>, shared: Arc<Shared>) -> Self {
        Self {
            listening,
            shared,
            connections: Slab::default(),
            idle: 0,
            victims: Vec::new(),
            timers: Timers::default(),
            touched: Vec::new(),
            decided: 0,
            scratch: vec![0; SCRATCH].into_boxed_slice(),
            reply: vec![0; MESSAGE_MAX].into_boxed_slice(),
            paused: None,
        }
    }

    /// When there is something to do at the latest.
    pub fn next(&self) -> Option<Instant> {
        self.timers.next().into_iter().chain(self.paused).min()
    }

    /// News of a connection.
    pub fn serve(&mut self, key: Key, mask: u32, station: &mut Station) {
        if mask & HANGUP != 0 {
            // Both sides are closed, or the client has reset it: there is nobody to answer.
            return self.remove(key, station);
        }
        if mask & READ != 0 {
            self.read(key, station);
        }
        self.advance(key, station);
    }

    fn read(&mut self, key: Key, station: &mut Station) {
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        match connection.socket.receive(&mut self.scratch) {
            Ok(0) => connection.ended = true,
            Ok(octets) if connection.arrived.is_empty() => {
                let came = &self.scratch[..octets];
                let used = decide(connection, key, came, &mut self.reply, station);
                connection.arrived.extend(&came[used.octets..]);
                self.decided += used.queries;
            }
            Ok(octets) => connection.arrived.extend(&self.scratch[..octets]),
            Err(error) if would_block(&error) => {}
            Err(_) => self.remove(key, station),
        }
    }

    /// Do what can be done for a connection: decide about queries that have arrived, write what
    /// waits, and close it when nothing is left.
    fn advance(&mut self, key: Key, station: &mut Station) {
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        let now = station.desk.started;
        let mut lives = connection.flush(now);
        // Writing makes room for the replies to further queries that are here already.
        while lives && !connection.arrived.is_empty() {
            let mut arrived = std::mem::take(&mut connection.arrived);
            let used = decide(connection, key, &arrived, &mut self.reply, station);
            arrived.drain(..used.octets);
            connection.arrived = arrived;
            if used.queries == 0 {
                break;
            }
            self.decided += used.queries;
            lives = connection.flush(now);
        }
        let slow = connection.is_slow();
        if slow {
            station.desk.books.count(Scalar::TcpClientsSlow, 1);
        }
        if !lives || slow || connection.is_over() {
            return self.remove(key, station);
        }
        connection.shrink();
        let wanted = connection.wanted();
        if wanted != connection.mask {
            connection.mask = wanted;
            let _ = station.poll.modify(&connection.socket, wanted, connection_key(key));
        }
        let idle = connection.is_idle();
        if idle != connection.counted_idle {
            connection.counted_idle = idle;
            self.count_idle(idle, station);
        }
    }

    fn count_idle(&mut self, more: bool, station: &Station) {
        self.idle = if more { self.idle + 1 } else { self.idle - 1 };
        self.shared.census.set_idle(station.number, self.idle);
    }

    fn remove(&mut self, key: Key, station: &Station) {
        if let Some(connection) = self.connections.remove(key)
            && connection.counted_idle
        {
            self.count_idle(false, station);
        }
    }

    /// A reply to a query that has waited in this thread; `write` gets the room and returns the
    /// length. It leaves at the end of the turn, with others of its connection.
    pub fn reply(&mut self, miss: &Miss, books: &Area, write: impl FnOnce(&mut [u8]) -> usize) {
        let Origin::Tcp { connection: key, .. } = miss.origin else { return };
        // The client may have gone meanwhile.
        if self.connections.get(key).is_some() {
            let octets = write(&mut self.reply);
            self.settle(key);
            if let Some(connection) = self.connections.get_mut(key) {
                stream::append(&mut connection.out, &self.reply[..octets]);
                books.count(Scalar::RepliesSent, 1);
            }
        }
    }

    /// Queries of this thread that get no reply of their own.
    pub fn forget(&mut self, misses: impl Iterator<Item = Miss>) {
        for miss in misses {
            if let Origin::Tcp { connection, .. } = miss.origin {
                self.settle(connection);
            }
        }
    }

    /// A query of a connection waits no longer.
    fn settle(&mut self, key: Key) -> Option<&mut Connection> {
        let connection = self.connections.get_mut(key)?;
        connection.waiting = connection.waiting.saturating_sub(1);
        if !std::mem::replace(&mut connection.touched, true) {
            self.touched.push(key);
        }
        Some(connection)
    }

    /// Take what other threads have: replies of Python and of queries that were shed, and
    /// connections.
    pub fn open_inbox(&mut self, station: &mut Station) {
        for letter in self.shared.inboxes[station.number].take(usize::MAX) {
            match letter {
                Letter::Reply(key, framed) => {
                    if let Some(connection) = self.settle(key) {
                        connection.out.extend(framed);
                        station.desk.books.count(Scalar::RepliesSent, 1);
                    }
                }
                Letter::Silence(key) => drop(self.settle(key)),
                Letter::Guest(socket, client, Some(seat)) => {
                    self.welcome(socket, client, seat, station);
                }
                Letter::Guest(socket, client, None) => match self.find_seat(client, station) {
                    Ok(seat) => self.welcome(socket, client, seat, station),
                    Err(_) => station.desk.books.count(Scalar::TcpClientsRefused, 1),
                },
            }
        }
    }

    /// Send the replies of this turn, and close what has had its time.
    pub fn end_turn(&mut self, station: &mut Station) {
        self.decided = 0;
        while let Some(key) = self.touched.pop() {
            if let Some(connection) = self.connections.get_mut(key) {
                connection.touched = false;
                self.advance(key, station);
            }
        }
        if self.next().is_some_and(|at| at <= station.desk.started) {
            self.expire(station);
        }
    }

    fn expire(&mut self, station: &Station) {
        let now = station.desk.started;
        if self.paused.is_some_and(|until| until <= now) {
            self.paused = None;
            self.listen_for(READ, station);
        }
        let idle = self.shared.settings.tcp_idle;
        while let Some((_, key)) = self.timers.pop_due(now) {
            let Some(connection) = self.connections.get_mut(key) else {
                continue;
            };
            match connection.look(now, idle) {
                Look::Again(due) => self.timers.push(due, key),
                Look::Idle => self.remove(key, station),
                Look::Slow => {
                    station.desk.books.count(Scalar::TcpClientsSlow, 1);
                    self.remove(key, station);
                }
            }
        }
        let connections = &self.connections;
        self.timers.sweep(|_, key| connections.get(key).is_some());
    }

    /// Accept who waits at a listening socket.
    pub fn accept(&mut self, index: usize, station: &mut Station) {
        for _ in 0..ACCEPTS_MAX {
            match self.listening[index].accept() {
                Ok(Some((socket, client))) => self.admit(socket, client, station),
                Ok(None) => return,
                Err(error) if matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE)) => {
                    if !self.close_most_idle(station) {
                        return self.pause(station);
                    }
                }
                // The client has gone before it was accepted.
                Err(_) => {}
            }
        }
    }

    fn admit(&mut self, socket: Socket, client: SocketAddr, station: &mut Station) {
        let census = &self.shared.census;
        let (number, inboxes) = (station.number, &self.shared.inboxes);
        match self.shared.census.seat(client.ip(), number) {
            Ok(mut seat) => match census.emptier(number) {
                Some(other) => {
                    seat.move_to(other);
                    inboxes[other].push_all([Letter::Guest(socket, client, Some(seat))]);
                }
                None => self.welcome(socket, client, seat, station),
            },
            Err(Full::All) if self.idle > 0 => match self.find_seat(client, station) {
                Ok(seat) => self.welcome(socket, client, seat, station),
                Err(_) => station.desk.books.count(Scalar::TcpClientsRefused, 1),
            },
            Err(full) => match census.idle_elsewhere(number).filter(|_| full == Full::All) {
                Some(other) => inboxes[other].push_all([Letter::Guest(socket, client, None)]),
                None => station.desk.books.count(Scalar::TcpClientsRefused, 1),
            },
        }
    }

    /// A seat, if need be that of the connection that has been idle longest.
    fn find_seat(&mut self, client: SocketAddr, station: &Station) -> Result<Seat, Full> {
        loop {
            match self.shared.census.seat(client.ip(), station.number) {
                Err(Full::All) if self.close_most_idle(station) => {}
                result => return result,
            }
        }
    }

    fn welcome(&mut self, socket: Socket, client: SocketAddr, seat: Seat, station: &mut Station) {
        let now = station.desk.started;
        let key = self.connections.insert(Connection::new(socket, client, seat, now));
        let registered = self.connections.get_mut(key).is_some_and(|connection| {
            connection.counted_idle = true;
            station.poll.add(&connection.socket, READ, connection_key(key)).is_ok()
        });
        self.count_idle(true, station);
        if !registered {
            self.remove(key, station);
            return station.desk.books.count(Scalar::TcpClientsRefused, 1);
        }
        station.desk.books.count(Scalar::TcpClients, 1);
        self.timers.push(now + self.shared.settings.tcp_idle, key);
    }

    /// A listening socket stays readable while somebody waits: without a pause the loop would
    /// spin until a descriptor is free.
    fn pause(&mut self, station: &Station) {
        self.paused = Some(Instant::now() + ACCEPT_PAUSE);
        self.listen_for(0, station);
    }

    fn listen_for(&self, mask: u32, station: &Station) {
        for (index, socket) in self.listening.iter().enumerate() {
            let _ = station.poll.modify(socket, mask, listening_key(index));
        }
    }

    fn close_most_idle(&mut self, station: &Station) -> bool {
        while self.idle > 0 {
            let Some((active, key)) = self.victims.pop() else {
                self.find_victims();
                continue;
            };
            let still = |connection: &Connection| {
                connection.counted_idle && connection.patience.active == active
            };
            if self.connections.get(key).is_some_and(still) {
                self.remove(key, station);
                return true;
            }
        }
        false
    }

    fn find_victims(&mut self) {
        let active = |key| {
            let connection = self.connections.get(key).filter(|found| found.counted_idle)?;
            Some((connection.patience.active, key))
        };
        self.victims = self.connections.keys().into_iter().filter_map(active).collect();
        if self.victims.len() > VICTIMS {
            self.victims.select_nth_unstable(VICTIMS);
            self.victims.truncate(VICTIMS);
        }
        self.victims.sort_unstable_by(|one, other| other.cmp(one));
    }
}

/// What was taken of the octets of a connection.
#[derive(Clone, Copy, Default)]
struct Used {
    octets: usize,
    queries: usize,
}

/// Decide about the queries in `data`, as many as may wait at once.
fn decide(
    connection: &mut Connection,
    key: Key,
    data: &[u8],
    reply: &mut [u8],
    station: &mut Station,
) -> Used {
    let mut used = Used::default();
    while connection.may_decide()
        && let Some(range) = stream::next(data, used.octets)
    {
        used.octets = range.end;
        used.queries += 1;
        connection.patience.active = station.desk.started;
        let (packet, client) = (&data[range], connection.client);
        let decision = station.desk.decide(packet, client.ip(), Transport::Tcp, reply);
        if let Decision::Reply(octets) | Decision::Refused(octets) = decision {
            stream::append(&mut connection.out, &reply[..octets]);
            station.desk.books.count(Scalar::RepliesSent, 1);
        }
        match decision {
            Decision::Reply(_) | Decision::Silent => {}
            // Who may not ask, or does not speak our protocol, is not listened to further.
            Decision::Drop | Decision::Refused(_) => {
                connection.ended = true;
                used.octets = data.len();
            }
            Decision::Notice(from) => {
                connection.waiting += 1;
                let worker = station.number;
                station.notice(Origin::Tcp { worker, connection: key, client }, from, packet);
            }
            Decision::Miss { client: asked, question, name, qtype, view } => {
                connection.waiting += 1;
                let miss = Miss {
                    origin: Origin::Tcp { worker: station.number, connection: key, client },
                    client: asked,
                    question: question.into(),
                    mark: 0,
                    zone: 0,
                    view,
                    generation: station.desk.generation(),
                };
                station.offer(miss, &name, qtype);
            }
        }
    }
    used
}
