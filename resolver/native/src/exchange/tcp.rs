//! Exchanges over streams: pooled channels with several questions in flight on each (RFC 7766).
//!
//! A question that is timed out makes its channel *stale*: it takes no new questions and is closed
//! when the last one that still waits has ended. So IDs of timed-out questions are never reused on
//! the stream where their replies may still arrive.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use super::matching::{self, Match, judge};
use super::worker::{CHANNEL, Due, Waiting, Worker};
use super::{Ask, Failure, Got, Outcome};
use crate::counters::{Field, Scalar, Shown};
use crate::sys::poll::{HANGUP, READ, WRITE};
use crate::sys::slab::Key;
use crate::sys::socket::{Socket, would_block};
use crate::sys::stream;

/// Channels to one server (RFC 7766 section 6.2.2 asks for few).
const CHANNELS_PER_SERVER: usize = 4;

/// Questions on a channel before another one is opened.
const PIPELINE: usize = 32;

/// Questions on a channel when no other may be opened; bounds buffers and keeps IDs sparse.
const PIPELINE_MAX: usize = 1024;

/// Channels of one worker, as a part of its sockets: datagrams come first.
const CHANNELS_PART: usize = 8;

/// Pieces read from one channel before the others get their turn.
const READS_MAX: usize = 4;

/// A message that is not yet wholly with the kernel.
struct Unsent {
    id: u16,
    slot: u32,
    left: usize,
    intended: bool,
    shown: Shown,
}

/// A connection to a server.
pub struct Channel {
    server: IpAddr,
    socket: Socket,
    /// Slot of the ask that opened it: octets that belong to no question are counted there.
    slot: u32,
    connecting: bool,
    stale: bool,
    wants_write: bool,
    idle_timer: bool,
    out: Vec<u8>,
    unsent: VecDeque<Unsent>,
    arrived: Vec<u8>,
    /// By ID; `None` for those timed out.
    questions: HashMap<u16, Option<Waiting>>,
    live: usize,
    idle_since: Instant,
}

impl Channel {
    /// Whether the question waits and has this very deadline (IDs come again).
    pub fn awaits(&self, id: u16, deadline: Instant) -> bool {
        matches!(self.questions.get(&id), Some(Some(waiting)) if waiting.deadline == deadline)
    }

    fn add(&mut self, waiting: Waiting, shown: Shown) {
        let id = matching::id(&waiting.query).unwrap_or_default();
        stream::append(&mut self.out, &waiting.query);
        let octets = waiting.query.len() + stream::PREFIX;
        let (slot, intended) = (waiting.slot, false);
        self.unsent.push_back(Unsent { id, slot, left: octets, intended, shown });
        self.questions.insert(id, Some(waiting));
        self.live += 1;
    }
}

impl Worker {
    /// Begin the exchange of an ask.
    pub fn send_on_channel(&mut self, ask: &Ask) {
        let asked = Instant::now();
        let key = match self.channel_for(ask) {
            Ok(key) => key,
            Err(failure) => return self.end(Outcome::failed(ask.ticket, failure)),
        };
        let mut query = self.query(ask);
        let mut id = matching::id(&query).unwrap_or_default();
        let Some(channel) = self.channels.get_mut(key) else {
            return;
        };
        while channel.questions.contains_key(&id) {
            id = self.random.u16();
            query[..2].copy_from_slice(&id.to_be_bytes());
        }
        let deadline = asked + ask.timeout;
        let waiting = Waiting {
            ticket: ask.ticket,
            slot: ask.slot,
            query,
            exact_case: ask.randomise_case,
            raw: false,
            asked,
            sent: asked,
            deadline,
        };
        channel.add(waiting, ask.shown());
        self.timers.push(deadline, Due::Question(key, id));
        if !channel.connecting {
            self.flush_channel(key);
        }
    }

    /// A channel for one more question: the least loaded one, or a new one.
    fn channel_for(&mut self, ask: &Ask) -> Result<Key, Failure> {
        let keys = self.by_server.get(&ask.address);
        let best = keys
            .into_iter()
            .flatten()
            .filter_map(|key| self.channels.get(*key).map(|channel| (*key, channel)))
            .filter(|(_, channel)| !channel.stale && channel.questions.len() < PIPELINE_MAX)
            .min_by_key(|(_, channel)| channel.live)
            .map(|(key, channel)| (key, channel.live));
        let count = keys.map_or(0, Vec::len);
        match best {
            Some((key, live)) if live < PIPELINE || count >= CHANNELS_PER_SERVER => Ok(key),
            // Stale channels count too, or a server that never answers could hold any number.
            None if count >= 2 * CHANNELS_PER_SERVER => Err(Failure::NotSent),
            _ => match (self.open_channel(ask), best) {
                (Ok(key), _) | (Err(_), Some((key, _))) => Ok(key),
                (Err(failure), None) => Err(failure),
            },
        }
    }

    fn open_channel(&mut self, ask: &Ask) -> Result<Key, Failure> {
        let channels_max = (self.sockets_max / CHANNELS_PART).max(1);
        if self.channels.len() >= channels_max && !self.close_most_idle_channel() {
            return Err(Failure::NotSent);
        }
        if !self.make_room() {
            return Err(Failure::NotSent);
        }
        let server = SocketAddr::new(ask.address, self.settings.port);
        let socket =
            self.open_socket(|| Socket::upstream_tcp(&server)).map_err(|_| Failure::NotSent)?;
        let connected = socket.connect(&server);
        let failure = connected.as_ref().err().map(refusal);
        if failure == Some(Failure::NotSent) {
            self.books.count(Scalar::SendFailures, 1);
            return Err(Failure::NotSent);
        }
        // Counted when the handshake starts: that is what crosses the border.
        self.books.add(ask.slot, Field::Connections, 1);
        if let Some(failure) = failure {
            return Err(failure);
        }
        let key = self.channels.insert(Channel {
            server: ask.address,
            socket,
            slot: ask.slot,
            connecting: !matches!(connected, Ok(true)),
            stale: false,
            wants_write: true,
            idle_timer: false,
            out: Vec::new(),
            unsent: VecDeque::new(),
            arrived: Vec::new(),
            questions: HashMap::new(),
            live: 0,
            idle_since: Instant::now(),
        });
        self.by_server.entry(ask.address).or_default().push(key);
        let registered = self
            .channels
            .get(key)
            .map(|channel| self.poll.add(&channel.socket, READ | WRITE, key | CHANNEL));
        if !matches!(registered, Some(Ok(()))) {
            self.close_channel(key, Failure::NotSent);
            return Err(Failure::NotSent);
        }
        Ok(key)
    }

    fn close_most_idle_channel(&mut self) -> bool {
        let idle = self
            .channels
            .keys()
            .into_iter()
            .filter_map(|key| self.channels.get(key).map(|channel| (key, channel)))
            .filter(|(_, channel)| channel.live == 0)
            .min_by_key(|(_, channel)| channel.idle_since)
            .map(|(key, _)| key);
        let Some(key) = idle else {
            return false;
        };
        self.close_channel(key, Failure::Closed);
        true
    }

    /// Close a channel; questions that wait on it end with `failure`.
    pub fn close_channel(&mut self, key: Key, failure: Failure) {
        let Some(channel) = self.channels.remove(key) else {
            return;
        };
        if let Some(keys) = self.by_server.get_mut(&channel.server) {
            keys.retain(|other| *other != key);
            if keys.is_empty() {
                self.by_server.remove(&channel.server);
            }
        }
        for waiting in channel.questions.into_values().flatten() {
            self.end(waiting.fail(failure));
        }
    }

    /// News on a channel.
    pub fn channel_ready(&mut self, key: Key, mask: u32) {
        let Some(channel) = self.channels.get_mut(key) else {
            return;
        };
        if channel.connecting {
            if mask & (WRITE | HANGUP) == 0 {
                return;
            }
            if let Err(error) = channel.socket.take_error() {
                return self.close_channel(key, handshake_failure(&error));
            }
            channel.connecting = false;
        }
        if mask & WRITE != 0 {
            self.flush_channel(key);
        }
        if mask & (READ | HANGUP) != 0 {
            self.read_channel(key);
        }
    }

    /// Write what the kernel takes, counting each question as it goes.
    fn flush_channel(&mut self, key: Key) {
        let Some(channel) = self.channels.get_mut(key) else {
            return;
        };
        for unsent in channel.unsent.iter_mut().filter(|unsent| !unsent.intended) {
            unsent.intended = true;
            self.books.add(unsent.slot, Field::Intended, 1);
        }
        while !channel.out.is_empty() {
            let taken = match channel.socket.send(&channel.out) {
                Ok(taken) => taken,
                Err(error) if would_block(&error) => break,
                Err(_) => return self.close_channel(key, Failure::Closed),
            };
            channel.out.drain(..taken);
            let now = Instant::now();
            let mut left = taken;
            while let Some(first) = channel.unsent.front_mut() {
                let part = left.min(first.left);
                first.left -= part;
                self.books.add(first.slot, Field::OctetsSent, part as u64);
                left -= part;
                if first.left > 0 {
                    break;
                }
                self.books.sent(first.slot, first.shown);
                if let Some(Some(waiting)) = channel.questions.get_mut(&first.id) {
                    waiting.sent = now;
                }
                channel.unsent.pop_front();
            }
        }
        let wants_write = !channel.out.is_empty();
        if wants_write != channel.wants_write {
            channel.wants_write = wants_write;
            let mask = if wants_write { READ | WRITE } else { READ };
            let _ = self.poll.modify(&channel.socket, mask, key | CHANNEL);
        }
    }

    fn read_channel(&mut self, key: Key) {
        for _ in 0..READS_MAX {
            let Some(channel) = self.channels.get_mut(key) else {
                return;
            };
            match channel.socket.receive(&mut self.scratch) {
                Ok(0) => return self.close_channel(key, Failure::Closed),
                Ok(octets) => {
                    channel.arrived.extend(&self.scratch[..octets]);
                    self.take_frames(key);
                }
                Err(error) if would_block(&error) => return,
                Err(_) => return self.close_channel(key, Failure::Closed),
            }
        }
    }

    fn take_frames(&mut self, key: Key) {
        let now = Instant::now();
        let mut at = 0;
        while let Some(channel) = self.channels.get_mut(key) {
            let Some(range) = stream::next(&channel.arrived, at) else {
                channel.arrived.drain(..at);
                channel.arrived.shrink_to(super::worker::SCRATCH);
                break;
            };
            at = range.end;
            self.reply_on_channel(key, range, now);
        }
        let Some(channel) = self.channels.get_mut(key) else {
            return;
        };
        if channel.live > 0 {
            return;
        }
        if channel.stale {
            return self.close_channel(key, Failure::Closed);
        }
        channel.idle_since = now;
        if !channel.idle_timer {
            channel.idle_timer = true;
            self.timers.push(now + self.settings.tcp_idle, Due::Idle(key));
        }
    }

    fn reply_on_channel(&mut self, key: Key, range: std::ops::Range<usize>, now: Instant) {
        let Some(channel) = self.channels.get_mut(key) else {
            return;
        };
        let data = &channel.arrived[range];
        let octets = data.len();
        let question = matching::id(data).and_then(|id| Some((id, channel.questions.get(&id)?)));
        let (id, waiting) = match question {
            Some((id, Some(waiting))) => (id, waiting),
            Some((_, None)) => {
                self.books.add(
                    channel.slot,
                    Field::OctetsReceived,
                    (octets + stream::PREFIX) as u64,
                );
                return self.books.count(Scalar::UpstreamLate, 1);
            }
            None => {
                self.books.add(
                    channel.slot,
                    Field::OctetsReceived,
                    (octets + stream::PREFIX) as u64,
                );
                return self.books.count(Scalar::UpstreamMismatched, 1);
            }
        };
        self.books.add(waiting.slot, Field::OctetsReceived, (octets + stream::PREFIX) as u64);
        let result = match judge(&waiting.query, data, waiting.exact_case) {
            Match::Other => return self.books.count(Scalar::UpstreamMismatched, 1),
            Match::Reply(message) => Ok(Got::Message(message)),
            Match::Case => Err(Failure::Case),
            Match::Unreadable => {
                self.books.count(Scalar::UpstreamMalformed, 1);
                Err(Failure::Malformed)
            }
        };
        self.books.add(waiting.slot, Field::Replies, 1);
        let outcome = waiting.finish(result, octets, now);
        channel.questions.remove(&id);
        channel.live -= 1;
        self.end(outcome);
    }

    /// The time-out of a question; nothing if it has ended.
    pub fn question_timeout(&mut self, key: Key, id: u16, deadline: Instant) {
        let Some(channel) = self.channels.get_mut(key) else {
            return;
        };
        if !channel.awaits(id, deadline) {
            return;
        }
        channel.stale = true;
        channel.live -= 1;
        let last = channel.live == 0;
        if let Some(waiting) = channel.questions.insert(id, None).flatten() {
            self.end(waiting.fail(Failure::Timeout));
        }
        if last {
            self.close_channel(key, Failure::Closed);
        }
    }

    /// The idle time-out of a channel (RFC 7766 section 6.2.3), put off while it is in use.
    pub fn channel_idle(&mut self, key: Key, now: Instant) {
        let Some(channel) = self.channels.get_mut(key) else {
            return;
        };
        let due = channel.idle_since + self.settings.tcp_idle;
        if channel.live > 0 {
            channel.idle_timer = false;
        } else if due > now {
            self.timers.push(due, Due::Idle(key));
        } else {
            self.close_channel(key, Failure::Closed);
        }
    }
}

/// What an error of connect() itself means: either the peer has answered, or the kernel has found
/// no way (route, firewall, address) and nothing has left.
pub(super) fn refusal(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset => Failure::Unreachable,
        _ => Failure::NotSent,
    }
}

/// What the error of a handshake that was under way means.
pub(super) fn handshake_failure(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::TimedOut => Failure::Timeout,
        _ => Failure::Unreachable,
    }
}
