//! Exchanges over datagrams: a fresh port and ID for each (RFC 5452 section 9), and a socket that
//! serves no other at the time (see [`ports`]).
//!
//! After its exchange a socket lingers, so that a late datagram is absorbed and counted, and the
//! kernel does not answer it with an ICMP error that would cross the border uncounted.

use std::net::SocketAddr;
use std::time::Instant;

use super::matching::{Match, is_raw_reply, judge};
use super::worker::{Due, Waiting, Worker};
use super::{Ask, Failure, Got, Outcome, ports};
use crate::counters::{Field, Scalar};
use crate::sys::poll::{EDGE, Poll, READ};
use crate::sys::slab::Key;
use crate::sys::socket::{Socket, would_block};

/// Datagrams read from one socket before the others get their turn.
const READS_MAX: usize = 64;

/// A socket of one exchange, under way or lingering.
pub struct Datagram {
    socket: Socket,
    slot: u32,
    is_v4: bool,
    waiting: Option<Waiting>,
}

impl Datagram {
    /// Whether the exchange has not ended.
    pub fn waits(&self) -> bool {
        self.waiting.is_some()
    }

    pub fn into_waiting(self) -> Option<Waiting> {
        self.waiting
    }
}

impl Worker {
    /// Begin the exchange of an ask.
    pub fn send_datagram(&mut self, ask: &Ask) {
        let asked = Instant::now();
        if !self.make_room() {
            return self.end(Outcome::failed(ask.ticket, Failure::NotSent));
        }
        let query = self.query(ask);
        let server = SocketAddr::new(ask.address, self.settings.port);
        // Before the first call that could fail for reasons of the network, so that what is
        // intended is never less than what is sent, whenever the process dies.
        self.books.add(ask.slot, Field::Intended, 1);
        let Ok((socket, watched)) = self.open_datagram(&server) else {
            self.books.count(Scalar::SendFailures, 1);
            return self.end(Outcome::failed(ask.ticket, Failure::NotSent));
        };
        let deadline = asked + ask.timeout;
        let length = query.len();
        let key = self.datagrams.insert(Datagram {
            socket,
            slot: ask.slot,
            is_v4: server.is_ipv4(),
            waiting: Some(Waiting {
                ticket: ask.ticket,
                slot: ask.slot,
                query,
                exact_case: ask.randomise_case,
                raw: ask.raw.is_some(),
                asked,
                sent: asked,
                deadline,
            }),
        });
        if self.transmit(key, watched) {
            self.books.sent(ask.slot, ask.shown());
            self.books.add(ask.slot, Field::OctetsSent, length as u64);
            self.timers.push(deadline, Due::Datagram(key));
        } else {
            self.books.count(Scalar::SendFailures, 1);
            self.datagrams.remove(key);
            self.end(Outcome::failed(ask.ticket, Failure::NotSent));
        }
    }

    /// A socket that is connected to `server` from a port of its own, and whether epoll knows it.
    fn open_datagram(&mut self, server: &SocketAddr) -> std::io::Result<(Socket, bool)> {
        if self.settings.kernel_ports
            && let Some(socket) = self.rested(server)
        {
            socket.connect(server)?;
            return Ok((socket, true));
        }
        let socket = self.open_socket(|| Socket::upstream_udp(server))?;
        if !self.settings.kernel_ports {
            ports::bind_random(&socket, server, &mut self.random)?;
        }
        socket.connect(server)?;
        Ok((socket, false))
    }

    /// The socket that has rested longest after a reply, if it may serve an exchange with `server`.
    fn rested(&mut self, server: &SocketAddr) -> Option<Socket> {
        let (until, key) = *self.replied.front()?;
        let rest = self.settings.linger.saturating_sub(ports::REST);
        let is_v4 = self.datagrams.get(key)?.is_v4;
        if until > Instant::now() + rest || is_v4 != server.is_ipv4() {
            return None;
        }
        self.replied.pop_front();
        let Datagram { socket, slot, .. } = self.datagrams.remove(key)?;
        ports::free(&socket, slot, &mut self.scratch, &self.books).then_some(socket)
    }

    /// Hand the query to the kernel; false when it did not take it.
    fn transmit(&mut self, key: Key, watched: bool) -> bool {
        let Some(datagram) = self.datagrams.get_mut(key) else {
            return false;
        };
        let Some(waiting) = &mut datagram.waiting else {
            return false;
        };
        // Edge-triggered: a lingering socket with an error or a flood on it must not keep the
        // loop awake. Registered first, since a query that nobody waits for must not leave.
        let watch = if watched { Poll::modify } else { Poll::add };
        if watch(&self.poll, &datagram.socket, READ | EDGE, key).is_err() {
            return false;
        }
        waiting.sent = Instant::now();
        datagram.socket.send(&waiting.query).is_ok()
    }

    /// Read what has arrived on a socket.
    pub fn datagram_ready(&mut self, key: Key) {
        for _ in 0..READS_MAX {
            let Some(datagram) = self.datagrams.get_mut(key) else {
                return;
            };
            match datagram.socket.receive(&mut self.scratch) {
                Ok(octets) => self.datagram_arrived(key, octets),
                Err(error) if would_block(&error) => return,
                // The kernel reports ICMP for this address and port (RFC 1122 section 4.1.3.3).
                // A lingering socket has nobody to tell; reading has cleared the error.
                Err(_) => {
                    self.books.count(Scalar::IcmpErrors, 1);
                    if let Some(waiting) = datagram.waiting.take() {
                        self.end(waiting.fail(Failure::Unreachable));
                        self.rest(key);
                    }
                }
            }
        }
        if let Some(datagram) = self.datagrams.get(key) {
            // Asking again makes the edge rise again if more waits.
            let _ = self.poll.modify(&datagram.socket, READ | EDGE, key);
        }
    }

    fn datagram_arrived(&mut self, key: Key, octets: usize) {
        let now = Instant::now();
        let Some(datagram) = self.datagrams.get_mut(key) else {
            return;
        };
        self.books.add(datagram.slot, Field::OctetsReceived, octets as u64);
        let Some(waiting) = &datagram.waiting else {
            return self.books.count(Scalar::UpstreamLate, 1);
        };
        let data = &self.scratch[..octets];
        let result = match judge(&waiting.query, data, waiting.exact_case) {
            _ if waiting.raw && is_raw_reply(&waiting.query, data) => {
                Ok(Got::Octets { octets: data.into(), more: false })
            }
            Match::Other => return self.books.count(Scalar::UpstreamMismatched, 1),
            Match::Reply(message) => Ok(Got::Message(message)),
            Match::Case => Err(Failure::Case),
            Match::Unreadable => {
                self.books.count(Scalar::UpstreamMalformed, 1);
                Err(Failure::Malformed)
            }
        };
        self.books.add(datagram.slot, Field::Replies, 1);
        let outcome = waiting.finish(result, octets, now);
        datagram.waiting = None;
        self.end(outcome);
        self.rest(key);
    }

    /// The time-out of an exchange; nothing if it has ended.
    pub fn datagram_timeout(&mut self, key: Key) {
        let waiting = self.datagrams.get_mut(key).and_then(|datagram| datagram.waiting.take());
        if let Some(waiting) = waiting {
            self.end(waiting.fail(Failure::Timeout));
            self.silent.push_back((Instant::now() + self.settings.linger, key));
        }
    }

    fn rest(&mut self, key: Key) {
        self.replied.push_back((Instant::now() + self.settings.linger, key));
        if self.replied.len() > ports::RESTING_MAX
            && let Some((_, key)) = self.replied.pop_front()
        {
            self.datagrams.remove(key);
        }
    }
}
