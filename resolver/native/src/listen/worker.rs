//! One thread of the listener: its sockets for UDP and TCP on one epoll, and the plans that it
//! carries out for clients of both.
//!
//! One thread for both transports, so that a question that waits is joined, and a client bounded,
//! whatever it was asked over (see `docs/decisions/`, 0009).

use std::io;
use std::sync::Arc;
use std::time::Instant;

use super::Shared;
use super::clients::{Miss, Origin};
use super::desk::Desk;
use super::send::Sender;
use super::tcp::Streams;
use super::udp::Datagrams;
use crate::counters::{Area, Scalar};
use crate::exchange::ports;
use crate::plan::carrier::Carrier;
use crate::sys::batch::BATCH;
use crate::sys::poll::{Event, Poll, READ};
use crate::sys::raise_open_files;
use crate::sys::slab::Key;
use crate::sys::socket::Socket;
use crate::wire::query::Client;

// Keys of events. Those of UDP sockets are small; slabs' keys have a generation above their index,
// and their uppermost bit is free.
const STOP: u64 = u64::MAX;
const INBOX: u64 = u64::MAX - 1;
/// Set in the keys of listening sockets for TCP, beside their index.
const LISTENING: u64 = 1 << 31;
/// Keys from here on are the carrier's.
const CARRIED: u64 = 1 << 32;
/// Set in the keys of clients' connections.
const CONNECTION: u64 = 1 << 63;

/// Share of the open files that upstream sockets of plans may hold, in eighths (the door has the
/// rest of the account).
const OPEN_FILES_EIGHTHS: usize = 2;

/// Upstream sockets of plans: a quarter of the ports from 1,024 up; the door holds at most half.
const SOCKETS_MAX: usize = (65_536 - 1024) / 4;

/// Queries on connections that are decided about before datagrams get their turn: about a
/// millisecond of work, in which a receive buffer cannot fill.
const STREAMED_MAX: usize = 512;

/// What the two transports of a thread share.
pub struct Station {
    pub number: usize,
    pub poll: Poll,
    pub desk: Desk,
    pub sender: Sender,
    pub shared: Arc<Shared>,
    carrier: Option<Carrier>,
    /// Misses for Python.
    misses: Vec<Miss>,
    /// Whether something was left in this turn while more waited to be read.
    pub behind: bool,
    /// Queries that get no reply of their own, since they wait already.
    repeated: Vec<Miss>,
}

impl Station {
    fn new(number: usize, shared: Arc<Shared>, sender: Sender, books: Area) -> io::Result<Self> {
        Ok(Self {
            number,
            poll: Poll::new()?,
            desk: Desk::new(Arc::clone(&shared), books),
            sender,
            carrier: shared.plans.as_ref().map(|plans| {
                let files = raise_open_files() / 8 * OPEN_FILES_EIGHTHS;
                let ports = ports::sockets_max(plans.bounds.kernel_ports).min(SOCKETS_MAX);
                let sockets_max = files.min(ports) / shared.settings.workers;
                Carrier::new(Arc::clone(plans), Arc::clone(&shared.clock), sockets_max.max(1))
            }),
            misses: Vec::with_capacity(BATCH),
            behind: false,
            repeated: Vec::new(),
            shared,
        })
    }

    /// Take a miss: for the carrier, or else for Python. `name` is the question's, in lower case.
    pub fn offer(&mut self, miss: Miss, name: &[u8], qtype: u16) {
        let desk = &self.desk;
        let Some(carrier) = &mut self.carrier else {
            return self.misses.push(miss);
        };
        let left = carrier.offer(miss, name, qtype, desk.started, desk.now, &desk.books);
        self.misses.extend(left);
        self.repeated.append(&mut carrier.repeated);
    }

    /// Give Python its misses.
    pub fn queue_misses(&mut self) {
        if !self.misses.is_empty() {
            let added = self.shared.clients.add(self.misses.drain(..));
            self.desk.books.count(Scalar::Misses, added.kept as u64);
            self.repeated.extend(added.repeated);
            self.sender.shed(&self.desk.books, added.shed);
        }
    }

    /// Whether something must be told before the thread sleeps.
    fn has_news(&self) -> bool {
        let carrier = self.carrier.as_ref();
        !self.misses.is_empty()
            || !self.repeated.is_empty()
            || carrier.is_some_and(|carrier| !carrier.shed.is_empty())
    }

    /// What the carrier has to do, and to say to clients and to Python.
    fn carry(&mut self, streams: &mut Streams) {
        let behind = std::mem::take(&mut self.behind);
        let Some(carrier) = &mut self.carrier else { return };
        let books = &self.desk.books;
        self.misses.extend(carrier.begin_some(behind, self.desk.now, &self.poll, books));
        let now = Instant::now();
        carrier.expire(now, &self.poll, books);
        carrier.publish(now, &self.shared.clients, books);
        self.repeated.append(&mut carrier.repeated);
        let (shed, replies) = (std::mem::take(&mut carrier.shed), &mut carrier.replies);
        if !replies.is_empty() {
            let now = self.shared.clock.now();
            let to_stream = |(miss, _): &mut (Miss, _)| matches!(miss.origin, Origin::Tcp { .. });
            for (miss, answer) in replies.extract_if(.., to_stream) {
                streams.reply(&miss, books, |out| {
                    answer.write(&miss.client, &miss.question, now, out.len(), out)
                });
            }
            self.sender.send(books, replies, |miss, answer, limit, out| {
                answer.write(&miss.client, &miss.question, now, limit, out)
            });
            replies.clear();
        }
        self.sender.shed(books, shed);
    }
}

impl Station {
    /// Leave a message for Python as it came.
    pub fn notice(&mut self, origin: Origin, client: Client, packet: &[u8]) {
        let question = packet.into();
        let notice = Miss { origin, client, question, mark: 0, zone: 0, view: 0, generation: 0 };
        self.repeated.extend(self.shared.notices.add([notice]).repeated);
    }
}

/// A thread of the listener.
pub struct Worker {
    station: Station,
    datagrams: Datagrams,
    streams: Streams,
}

impl Worker {
    pub fn new(
        number: usize,
        listening: Vec<Socket>,
        shared: Arc<Shared>,
        sender: Sender,
        books: Area,
    ) -> io::Result<Self> {
        let station = Station::new(number, Arc::clone(&shared), sender, books)?;
        station.poll.add(&shared.stop, READ, STOP)?;
        station.poll.add(&shared.inboxes[number], READ, INBOX)?;
        for (index, socket) in station.sender.sockets(number).iter().enumerate() {
            station.poll.add(socket, READ, index as u64)?;
        }
        for (index, socket) in listening.iter().enumerate() {
            station.poll.add(socket, READ, listening_key(index))?;
        }
        let datagrams = Datagrams::new(&station);
        Ok(Self { station, datagrams, streams: Streams::new(listening, shared) })
    }

    /// Serve until the listener is closed.
    pub fn run(mut self) {
        let mut events = Vec::new();
        loop {
            let now = Instant::now();
            let carrier = self.station.carrier.as_mut().and_then(|carrier| carrier.sleep(now));
            let stream = self.streams.next().map(|at| at.saturating_duration_since(now));
            let sleep = carrier.into_iter().chain(stream).min();
            self.station.poll.wait(sleep, &mut events).expect("epoll works");
            // Datagrams are served with a time of their own.
            if events.first().is_none_or(|event| event.key >= LISTENING) {
                self.station.desk.refresh();
            }
            for event in &events {
                if event.key == STOP {
                    return;
                }
                self.dispatch(*event);
                if self.streams.decided >= STREAMED_MAX {
                    self.station.behind = true;
                    self.end_turn();
                    for socket in 0..self.station.sender.sockets(self.station.number).len() {
                        self.datagrams.serve(socket, &mut self.station);
                    }
                }
            }
            self.end_turn();
        }
    }

    fn dispatch(&mut self, event: Event) {
        let Self { station, datagrams, streams } = self;
        match event.key {
            INBOX => streams.open_inbox(station),
            key if key & CONNECTION != 0 => streams.serve(key & !CONNECTION, event.mask, station),
            key if key >= CARRIED => {
                if let Some(carrier) = &mut station.carrier {
                    carrier.ready(key, &station.poll, &station.desk.books);
                }
            }
            key if key & LISTENING != 0 => {
                streams.accept((key & !LISTENING) as usize, station);
            }
            key => datagrams.serve(key as usize, station),
        }
    }

    fn end_turn(&mut self) {
        let Self { station, streams, .. } = self;
        station.desk.batch_ended();
        loop {
            station.carry(streams);
            station.queue_misses();
            streams.forget(station.repeated.drain(..));
            streams.end_turn(station);
            // Replies make room for queries that were here already.
            if !station.has_news() {
                return station.desk.batch_ended();
            }
        }
    }
}

/// What epoll tells news of a listening socket by.
pub fn listening_key(index: usize) -> u64 {
    LISTENING | index as u64
}

/// What epoll tells news of a connection by.
pub fn connection_key(connection: Key) -> u64 {
    CONNECTION | connection
}
