//! Zone transfers: one question on a connection of its own, and as many messages as it takes
//! (RFC 5936 section 2.2, RFC 1995 section 4).
//!
//! Where a transfer ends only its reader knows, so Python says so. It also says when it has taken
//! in a message: a server that sends faster than that is not read from meanwhile, so that a
//! transfer holds no more memory than some messages.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::tcp::{handshake_failure, refusal};
use super::worker::{Due, TRANSFER, Worker};
use super::{Ask, Failure, Got, Outcome, matching};
use crate::counters::{Field, Scalar, Shown};
use crate::sys::poll::{HANGUP, READ, WRITE};
use crate::sys::slab::Key;
use crate::sys::socket::{Socket, would_block};
use crate::sys::stream;
use crate::wire::{HEADER, flag};

/// Messages that Python has not taken in yet, of one transfer: at most 4 MiB.
const AHEAD_MAX: usize = 64;

/// A transfer under way.
pub struct Transfer {
    ticket: u64,
    slot: u32,
    socket: Socket,
    connecting: bool,
    id: [u8; 2],
    out: Vec<u8>,
    intended: bool,
    shown: Shown,
    arrived: Vec<u8>,
    /// Messages that may still be handed to Python.
    credit: usize,
    mask: u32,
    asked: Instant,
    /// Longest silence.
    timeout: Duration,
    deadline: Instant,
}

impl Transfer {
    fn wanted(&self) -> u32 {
        let read = if self.credit > 0 { READ } else { 0 };
        let write = if self.connecting || !self.out.is_empty() { WRITE } else { 0 };
        read | write
    }
}

impl Worker {
    /// Open the connection for a raw ask.
    pub fn begin_transfer(&mut self, ask: &Ask) {
        let server = SocketAddr::new(ask.address, self.settings.port);
        let query = self.query(ask);
        let room = query.len() >= HEADER && self.make_room();
        let Some(socket) =
            room.then(|| self.open_socket(|| Socket::upstream_tcp(&server)).ok()).flatten()
        else {
            return self.end(Outcome::failed(ask.ticket, Failure::NotSent));
        };
        let connected = socket.connect(&server);
        let failure = connected.as_ref().err().map(refusal);
        if failure == Some(Failure::NotSent) {
            self.books.count(Scalar::SendFailures, 1);
            return self.end(Outcome::failed(ask.ticket, Failure::NotSent));
        }
        // Counted when the handshake starts: that is what crosses the border.
        self.books.add(ask.slot, Field::Connections, 1);
        if let Some(failure) = failure {
            return self.end(Outcome::failed(ask.ticket, failure));
        }
        let mut out = Vec::with_capacity(query.len() + stream::PREFIX);
        stream::append(&mut out, &query);
        let now = Instant::now();
        let key = self.transfers.insert(Transfer {
            ticket: ask.ticket,
            slot: ask.slot,
            socket,
            connecting: !matches!(connected, Ok(true)),
            id: [query[0], query[1]],
            out,
            intended: false,
            shown: ask.shown(),
            arrived: Vec::new(),
            credit: AHEAD_MAX,
            mask: READ | WRITE,
            asked: now,
            timeout: ask.timeout,
            deadline: now + ask.timeout,
        });
        self.timers.push(now + ask.timeout, Due::Transfer(key));
        let registered = self
            .transfers
            .get(key)
            .is_some_and(|own| self.poll.add(&own.socket, READ | WRITE, key | TRANSFER).is_ok());
        if !registered {
            self.end_transfer(key, Failure::NotSent);
        }
    }

    /// End a transfer.
    pub fn end_transfer(&mut self, key: Key, failure: Failure) {
        if let Some(transfer) = self.transfers.remove(key) {
            let rtt = transfer.asked.elapsed();
            let ticket = transfer.ticket;
            self.end(Outcome { ticket, result: Err(failure), rtt, octets: 0 });
        }
    }

    /// News on a connection.
    pub fn transfer_ready(&mut self, key: Key, mask: u32) {
        let Some(transfer) = self.transfers.get_mut(key) else {
            return;
        };
        if transfer.connecting {
            if mask & (WRITE | HANGUP) == 0 {
                return;
            }
            if let Err(error) = transfer.socket.take_error() {
                return self.end_transfer(key, handshake_failure(&error));
            }
            transfer.connecting = false;
        }
        if mask & WRITE != 0 {
            self.write_transfer(key);
        }
        if mask & (READ | HANGUP) != 0 {
            self.read_transfer(key);
        }
        self.watch_transfer(key);
    }

    fn watch_transfer(&mut self, key: Key) {
        if let Some(transfer) = self.transfers.get_mut(key) {
            let wanted = transfer.wanted();
            if wanted != transfer.mask {
                transfer.mask = wanted;
                let _ = self.poll.modify(&transfer.socket, wanted, key | TRANSFER);
            }
        }
    }

    fn write_transfer(&mut self, key: Key) {
        let Some(transfer) = self.transfers.get_mut(key) else {
            return;
        };
        if !transfer.intended {
            transfer.intended = true;
            self.books.add(transfer.slot, Field::Intended, 1);
        }
        while !transfer.out.is_empty() {
            match transfer.socket.send(&transfer.out) {
                Ok(taken) => {
                    transfer.out.drain(..taken);
                    self.books.add(transfer.slot, Field::OctetsSent, taken as u64);
                    if transfer.out.is_empty() {
                        self.books.sent(transfer.slot, transfer.shown);
                    }
                }
                Err(error) if would_block(&error) => return,
                Err(_) => return self.end_transfer(key, Failure::Closed),
            }
        }
    }

    /// Read once: the others get their turn, and epoll tells when more is there.
    fn read_transfer(&mut self, key: Key) {
        let Some(transfer) = self.transfers.get_mut(key) else {
            return;
        };
        if transfer.credit == 0 {
            return;
        }
        match transfer.socket.receive(&mut self.scratch) {
            Ok(0) => self.end_transfer(key, Failure::Closed),
            Ok(octets) => {
                transfer.arrived.extend(&self.scratch[..octets]);
                transfer.deadline = Instant::now() + transfer.timeout;
                self.take_messages(key);
            }
            Err(error) if would_block(&error) => {}
            Err(_) => self.end_transfer(key, Failure::Closed),
        }
    }

    fn take_messages(&mut self, key: Key) {
        let Some(transfer) = self.transfers.get_mut(key) else {
            return;
        };
        let (mut at, mut found) = (0, Vec::new());
        while transfer.credit > 0
            && let Some(range) = stream::next(&transfer.arrived, at)
        {
            at = range.end;
            let data = &transfer.arrived[range];
            let octets = data.len();
            let size = (octets + stream::PREFIX) as u64;
            self.books.add(transfer.slot, Field::OctetsReceived, size);
            // RFC 5936 section 2.2: later messages may come without a question, so the ID alone
            // ties them to the connection's only query.
            let ours = data.len() >= HEADER
                && matching::id(data) == Some(u16::from_be_bytes(transfer.id))
                && data[2] & (flag::QR >> 8) as u8 != 0;
            if !ours {
                self.books.count(Scalar::UpstreamMismatched, 1);
                continue;
            }
            self.books.add(transfer.slot, Field::Replies, 1);
            transfer.credit -= 1;
            found.push(Outcome {
                ticket: transfer.ticket,
                result: Ok(Got::Octets { octets: data.into(), more: true }),
                rtt: transfer.asked.elapsed(),
                octets,
            });
        }
        transfer.arrived.drain(..at);
        for outcome in found {
            self.end(outcome);
        }
    }

    /// One more message of this transfer may come.
    pub fn proceed_transfer(&mut self, ticket: u64) {
        if let Some(key) = self.transfer_of(ticket) {
            if let Some(transfer) = self.transfers.get_mut(key) {
                transfer.credit += 1;
                transfer.deadline = Instant::now() + transfer.timeout;
            }
            self.take_messages(key); // what had arrived already rings no bell
            self.watch_transfer(key);
        }
    }

    /// Python has all that it wants of this transfer.
    pub fn abandon_transfer(&mut self, ticket: u64) {
        if let Some(key) = self.transfer_of(ticket) {
            self.end_transfer(key, Failure::Closed);
        }
    }

    fn transfer_of(&self, ticket: u64) -> Option<Key> {
        let is_it = |key: &Key| self.transfers.get(*key).is_some_and(|own| own.ticket == ticket);
        self.transfers.keys().into_iter().find(is_it)
    }

    /// The longest silence may be over.
    pub fn transfer_due(&mut self, key: Key, now: Instant) {
        let Some(transfer) = self.transfers.get_mut(key) else {
            return;
        };
        // While Python is behind, the silence is ours.
        let due = if transfer.credit == 0 { now + transfer.timeout } else { transfer.deadline };
        if due > now {
            self.timers.push(due, Due::Transfer(key));
        } else {
            self.end_transfer(key, Failure::Timeout);
        }
    }
}
