//! One worker of the door: a loop around epoll that owns its sockets, channels and deadlines.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::IpAddr;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::tcp::Channel;
use super::transfer::Transfer;
use super::udp::Datagram;
use super::{Ask, Failure, Got, Inbox, Order, Outcome, Settings, Shared};
use crate::counters::Area;
use crate::sys::poll::{Event, Poll, READ};
use crate::sys::random::Random;
use crate::sys::slab::{Key, Slab};
use crate::sys::timers::Timers;
use crate::wire::ask;

/// Key of the inbox's bell; keys of slabs have their top bit clear.
const INBOX: u64 = u64::MAX;

/// Set in the keys of channels, so that they differ from those of datagrams.
pub const CHANNEL: u64 = 1 << 63;

/// Set in the keys of transfers: indexes of slabs stay far below.
pub const TRANSFER: u64 = 1 << 31;

/// The largest datagram, and a good piece of a stream.
pub const SCRATCH: usize = 65_536;

/// What a deadline is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    Datagram(Key),
    Question(Key, u16),
    Idle(Key),
    Transfer(Key),
}

/// A question that waits for its reply.
pub struct Waiting {
    pub ticket: u64,
    pub slot: u32,
    pub query: Vec<u8>,
    pub exact_case: bool,
    /// The reply is given as octets.
    pub raw: bool,
    /// When the ask came.
    pub asked: Instant,
    /// When the kernel had all of it.
    pub sent: Instant,
    pub deadline: Instant,
}

impl Waiting {
    /// The outcome when it fails now.
    pub fn fail(&self, failure: Failure) -> Outcome {
        Outcome { ticket: self.ticket, result: Err(failure), rtt: self.asked.elapsed(), octets: 0 }
    }

    /// The outcome of a message that arrived for it.
    pub fn finish(&self, result: Result<Got, Failure>, octets: usize, now: Instant) -> Outcome {
        Outcome { ticket: self.ticket, result, rtt: now.duration_since(self.sent), octets }
    }
}

pub struct Worker {
    pub settings: Settings,
    inbox: Arc<Inbox>,
    shared: Arc<Shared>,
    pub books: Area,
    /// Sockets of all kinds that this worker may hold.
    pub sockets_max: usize,
    pub poll: Poll,
    pub random: Random,
    pub scratch: Box<[u8]>,
    pub datagrams: Slab<Datagram>,
    /// Sockets whose exchange has ended with a reply, and without, oldest first, with the time to
    /// close them.
    pub replied: VecDeque<(Instant, Key)>,
    pub silent: VecDeque<(Instant, Key)>,
    pub channels: Slab<Channel>,
    pub by_server: HashMap<IpAddr, Vec<Key>>,
    pub transfers: Slab<Transfer>,
    pub timers: Timers<Due>,
    outcomes: Vec<Outcome>,
}

impl Worker {
    pub fn new(
        settings: Settings,
        inbox: Arc<Inbox>,
        shared: Arc<Shared>,
        books: Area,
        sockets_max: usize,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        poll.add(&inbox.bell.as_raw_fd(), READ, INBOX)?;
        Ok(Self {
            settings,
            inbox,
            shared,
            books,
            sockets_max,
            poll,
            random: Random::default(),
            scratch: vec![0; SCRATCH].into_boxed_slice(),
            datagrams: Slab::default(),
            replied: VecDeque::new(),
            silent: VecDeque::new(),
            channels: Slab::default(),
            by_server: HashMap::new(),
            transfers: Slab::default(),
            timers: Timers::default(),
            outcomes: Vec::new(),
        })
    }

    /// Serve until the door is closed.
    pub fn run(mut self) {
        let mut events = Vec::new();
        loop {
            let wait = self
                .next_deadline()
                .map(|deadline| deadline.saturating_duration_since(Instant::now()));
            self.poll.wait(wait, &mut events).expect("epoll works");
            let mut open = true;
            for event in &events {
                open &= self.dispatch(*event);
            }
            self.expire();
            self.publish();
            if !open {
                break;
            }
        }
        self.fail_everything();
        self.publish();
    }

    fn next_deadline(&self) -> Option<Instant> {
        let lingering = [&self.replied, &self.silent];
        let ends = lingering.into_iter().filter_map(|line| line.front()).map(|(until, _)| *until);
        ends.chain(self.timers.next()).min()
    }

    /// Handle one event; false when the door is closed.
    fn dispatch(&mut self, event: Event) -> bool {
        if event.key == INBOX {
            let Some(asks) = self.inbox.take() else {
                return false;
            };
            for ask in asks {
                self.start(ask);
            }
            for order in self.inbox.take_orders() {
                match order {
                    Order::Proceed(ticket) => self.proceed_transfer(ticket),
                    Order::Abandon(ticket) => self.abandon_transfer(ticket),
                }
            }
        } else if event.key & CHANNEL != 0 {
            self.channel_ready(event.key & !CHANNEL, event.mask);
        } else if event.key & TRANSFER != 0 {
            self.transfer_ready(event.key & !TRANSFER, event.mask);
        } else {
            self.datagram_ready(event.key);
        }
        true
    }

    fn start(&mut self, ask: Ask) {
        if ask.tcp && ask.raw.is_some() {
            self.begin_transfer(&ask);
        } else if ask.tcp {
            self.send_on_channel(&ask);
        } else {
            self.send_datagram(&ask);
        }
    }

    /// The message of an ask, with a fresh random ID and letter case (RFC 5452 section 9.2,
    /// draft-vixie-dnsext-dns0x20).
    pub fn query(&mut self, ask: &Ask) -> Vec<u8> {
        if let Some(raw) = &ask.raw {
            return raw.to_vec();
        }
        let id = self.random.u16();
        let mut case = [0; ask::CASE_OCTETS];
        if ask.randomise_case {
            self.random.fill(&mut case);
        }
        let mut query = [0; ask::QUERY_MAX];
        let case = ask.randomise_case.then_some(&case);
        let length = ask::build_query(&ask.name, ask.rtype, id, ask.edns, case, &mut query);
        query[..length].to_vec()
    }

    /// Queue the end of an exchange for Python.
    pub fn end(&mut self, outcome: Outcome) {
        self.outcomes.push(outcome);
    }

    /// Hand this turn's outcomes over: one lock and at most one ring for all of them.
    fn publish(&mut self) {
        if !self.outcomes.is_empty() {
            let ends = self.outcomes.iter().filter(|outcome| outcome.is_end()).count();
            self.shared.in_flight.fetch_sub(ends, Ordering::Relaxed);
            self.shared.outbox.push_all(self.outcomes.drain(..));
        }
    }

    fn expire(&mut self) {
        let now = Instant::now();
        while let Some((deadline, due)) = self.timers.pop_due(now) {
            match due {
                Due::Datagram(key) => self.datagram_timeout(key),
                Due::Question(key, id) => self.question_timeout(key, id, deadline),
                Due::Idle(key) => self.channel_idle(key, now),
                Due::Transfer(key) => self.transfer_due(key, now),
            }
        }
        for line in [&mut self.replied, &mut self.silent] {
            while line.front().is_some_and(|(deadline, _)| *deadline <= now) {
                if let Some((_, key)) = line.pop_front() {
                    self.datagrams.remove(key);
                }
            }
        }
        let (datagrams, channels) = (&self.datagrams, &self.channels);
        let transfers = &self.transfers;
        self.timers.sweep(|deadline, due| match due {
            Due::Datagram(key) => datagrams.get(key).is_some_and(Datagram::waits),
            Due::Question(key, id) => {
                channels.get(key).is_some_and(|channel| channel.awaits(id, deadline))
            }
            Due::Idle(key) => channels.get(key).is_some(),
            Due::Transfer(key) => transfers.get(key).is_some(),
        });
    }

    fn sockets(&self) -> usize {
        self.datagrams.len() + self.channels.len() + self.transfers.len()
    }

    /// Sockets are bounded: close the oldest lingering one if need be. False when all are in use.
    pub fn make_room(&mut self) -> bool {
        while self.sockets() >= self.sockets_max {
            if !self.close_oldest_lingering() {
                return false;
            }
        }
        true
    }

    /// Open a socket; when the process has none left, once more after closing a lingering one.
    pub fn open_socket<T>(&mut self, open: impl Fn() -> io::Result<T>) -> io::Result<T> {
        match open() {
            Err(error)
                if matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
                    && self.close_oldest_lingering() =>
            {
                open()
            }
            result => result,
        }
    }

    fn close_oldest_lingering(&mut self) -> bool {
        let oldest = self.replied.pop_front().or_else(|| self.silent.pop_front());
        oldest.is_some_and(|(_, key)| self.datagrams.remove(key).is_some())
    }

    fn fail_everything(&mut self) {
        for key in self.datagrams.keys() {
            if let Some(waiting) = self.datagrams.remove(key).and_then(Datagram::into_waiting) {
                self.end(waiting.fail(Failure::Closed));
            }
        }
        for key in self.channels.keys() {
            self.close_channel(key, Failure::Closed);
        }
        for key in self.transfers.keys() {
            self.end_transfer(key, Failure::Closed);
        }
    }
}
