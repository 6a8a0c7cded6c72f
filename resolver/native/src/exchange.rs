//! The door: the only way out for DNS.
//!
//! Python submits asks in batches; worker threads send each over a fresh UDP socket or a pooled
//! TCP channel, match the replies, keep the time-outs, and queue outcomes. Each ticket comes back
//! exactly once. The counters are written where the datagram is handed to the kernel, so that
//! they can be compared with an independent counter at the border.
//!
//! RFC 5452 (matching, ports, IDs), RFC 7766 (TCP), RFC 6891 (EDNS), RFC 9715 (fragments).
//!
//! Limitations: no choice of source address; ICMP errors other than "port unreachable" show as
//! time-outs (see `Socket::upstream_udp`).

pub(crate) mod matching;
pub mod ports;
mod tcp;
mod transfer;
mod udp;
mod worker;

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::counters::{Counters, Shown};
use crate::sys::thread::{Queue, lock, spawn};
use crate::sys::{poll::Bell, raise_open_files};
use crate::wire::HEADER;
use crate::wire::ask::Options;
use crate::wire::message::Message;
use worker::Worker;

/// Longest time-out of an ask: a bound for what one ask can hold, far above every sensible wait.
const TIMEOUT_MAX: Duration = Duration::from_secs(120);

/// Share of the open files that the door may hold, in eighths. The listener's connections and the
/// upstream sockets of plans get two eighths each; the rest is for files, control and exporter.
const OPEN_FILES_EIGHTHS: usize = 3;

/// One question to one address.
#[derive(Clone, Debug)]
pub struct Ask {
    pub ticket: u64,
    pub address: IpAddr,
    /// Uncompressed wire form.
    pub name: Box<[u8]>,
    pub rtype: u16,
    /// Slot of the counters that this exchange is counted in.
    pub slot: u32,
    pub timeout: Duration,
    pub tcp: bool,
    pub edns: Options,
    pub randomise_case: bool,
    /// Labels that any question to the zone of this one needs (see `Shown`).
    pub needed: u8,
    /// A whole query that Python has made (signed, say), to be sent as it is. Its replies are given
    /// as octets; over a stream it has a connection of its own and any number of replies.
    pub raw: Option<Box<[u8]>>,
}

impl Ask {
    /// What it shows of its name.
    fn shown(&self) -> Shown {
        match &self.raw {
            Some(query) => Shown::of(query.get(HEADER..).unwrap_or_default(), self.needed),
            None => Shown::of(&self.name, self.needed),
        }
    }
}

/// What a server did instead of a readable, matching reply. Numbers are those of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    Timeout = 1,
    Unreachable = 2,
    Malformed = 3,
    Case = 4,
    Closed = 5,
    NotSent = 6,
}

/// What has arrived for an ask.
#[derive(Debug)]
pub enum Got {
    Message(Box<Message>),
    /// For a raw ask; `more`: the exchange goes on.
    Octets {
        octets: Box<[u8]>,
        more: bool,
    },
}

/// The end of one exchange, or (of a raw one over a stream) one of its messages.
#[derive(Debug)]
pub struct Outcome {
    pub ticket: u64,
    pub result: Result<Got, Failure>,
    /// From the send to the reply; the time waited when it failed.
    pub rtt: Duration,
    /// Octets of the reply.
    pub octets: usize,
}

impl Outcome {
    fn failed(ticket: u64, failure: Failure) -> Self {
        Self { ticket, result: Err(failure), rtt: Duration::ZERO, octets: 0 }
    }

    /// Whether nothing more comes for its ticket.
    fn is_end(&self) -> bool {
        !matches!(self.result, Ok(Got::Octets { more: true, .. }))
    }
}

/// What Python says to a transfer that is under way.
#[derive(Clone, Copy, Debug)]
enum Order {
    /// One more message may come.
    Proceed(u64),
    /// Close its connection.
    Abandon(u64),
}

/// What the door and its workers share.
struct Shared {
    outbox: Queue<Outcome>,
    in_flight: AtomicUsize,
}

/// Settings of a door.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Port of the servers.
    pub port: u16,
    pub workers: usize,
    pub in_flight_max: usize,
    pub linger: Duration,
    pub tcp_idle: Duration,
    /// Whether the kernel chooses source ports: see [`ports`].
    pub kernel_ports: bool,
}

/// The door and its threads.
pub struct Door {
    shared: Arc<Shared>,
    inboxes: Vec<Arc<Inbox>>,
    in_flight_max: usize,
    kernel_ports: bool,
    threads: Mutex<Option<Vec<JoinHandle<()>>>>,
    turn: AtomicUsize,
}

/// What a worker is told.
struct Inbox {
    /// `None` once the door is closed.
    asks: Mutex<Option<Vec<Ask>>>,
    orders: Mutex<Vec<Order>>,
    bell: Bell,
}

impl Inbox {
    fn new() -> io::Result<Self> {
        Ok(Self {
            asks: Mutex::new(Some(Vec::new())),
            orders: Mutex::default(),
            bell: Bell::new()?,
        })
    }

    fn order(&self, order: Order) {
        lock(&self.orders).push(order);
        self.bell.ring();
    }

    fn take_orders(&self) -> Vec<Order> {
        std::mem::take(&mut lock(&self.orders))
    }

    /// Hand over a batch; what comes back was refused, since the door is closed.
    fn push(&self, batch: Vec<Ask>) -> Vec<Ask> {
        let mut asks = lock(&self.asks);
        let Some(waiting) = asks.as_mut() else {
            return batch;
        };
        if waiting.is_empty() {
            self.bell.ring();
        }
        waiting.extend(batch);
        Vec::new()
    }

    /// All that waits, and whether the door is still open.
    fn take(&self) -> Option<Vec<Ask>> {
        self.bell.clear();
        lock(&self.asks).as_mut().map(std::mem::take)
    }

    /// Refuse everything from now on; returns what waited.
    fn close(&self) -> Vec<Ask> {
        let waiting = lock(&self.asks).take().unwrap_or_default();
        self.bell.ring();
        waiting
    }
}

impl Door {
    /// Start the workers.
    pub fn open(counters: &Arc<Counters>, settings: Settings) -> io::Result<Self> {
        let workers = settings.workers.max(1);
        let files = raise_open_files() / 8 * OPEN_FILES_EIGHTHS;
        let sockets_max =
            files.min(ports::sockets_max(settings.kernel_ports)).max(workers) / workers;
        let shared = Arc::new(Shared { outbox: Queue::new()?, in_flight: AtomicUsize::new(0) });
        let mut door = Self {
            shared,
            inboxes: Vec::with_capacity(workers),
            in_flight_max: settings.in_flight_max,
            kernel_ports: settings.kernel_ports,
            threads: Mutex::new(Some(Vec::with_capacity(workers))),
            turn: AtomicUsize::new(0),
        };
        for number in 0..workers {
            let inbox = Arc::new(Inbox::new()?);
            let worker = Worker::new(
                settings,
                Arc::clone(&inbox),
                Arc::clone(&door.shared),
                counters.area().ok_or_else(|| io::Error::other("too few areas of counters"))?,
                sockets_max,
            )?;
            door.inboxes.push(inbox);
            let thread = spawn(&format!("door-{number}"), move || worker.run())?;
            if let Some(threads) = lock(&door.threads).as_mut() {
                threads.push(thread);
            }
        }
        Ok(door)
    }

    /// Send a batch. Past the bound, and after closing, an ask ends at once as not sent.
    pub fn submit(&self, asks: Vec<Ask>) {
        let mut batches: Vec<Vec<Ask>> = self.inboxes.iter().map(|_| Vec::new()).collect();
        let mut refused = Vec::new();
        for mut ask in asks {
            ask.timeout = ask.timeout.min(TIMEOUT_MAX);
            let before = self.shared.in_flight.fetch_add(1, Ordering::Relaxed);
            if before >= self.in_flight_max {
                self.shared.in_flight.fetch_sub(1, Ordering::Relaxed);
                refused.push(Outcome::failed(ask.ticket, Failure::NotSent));
                continue;
            }
            let worker = self.worker_of(&ask);
            batches[worker].push(ask);
        }
        for (inbox, batch) in self.inboxes.iter().zip(batches) {
            if batch.is_empty() {
                continue;
            }
            let returned = inbox.push(batch);
            self.shared.in_flight.fetch_sub(returned.len(), Ordering::Relaxed);
            refused
                .extend(returned.iter().map(|ask| Outcome::failed(ask.ticket, Failure::NotSent)));
        }
        self.shared.outbox.push_all(refused);
    }

    /// Datagrams go round; streams to one server meet in one worker, which pools its channels.
    fn worker_of(&self, ask: &Ask) -> usize {
        let number = if ask.tcp {
            match ask.address {
                IpAddr::V4(v4) => v4.octets().iter().map(|octet| usize::from(*octet)).sum(),
                IpAddr::V6(v6) => v6.octets().iter().map(|octet| usize::from(*octet)).sum(),
            }
        } else {
            self.turn.fetch_add(1, Ordering::Relaxed)
        };
        number % self.inboxes.len()
    }

    /// One more message of a transfer has been taken in: one more may come.
    pub fn proceed(&self, ticket: u64) {
        self.order(Order::Proceed(ticket));
    }

    /// Close the connection of a transfer; it ends as closed.
    pub fn abandon(&self, ticket: u64) {
        self.order(Order::Abandon(ticket));
    }

    /// Whose transfer it is, only that worker knows.
    fn order(&self, order: Order) {
        for inbox in &self.inboxes {
            inbox.order(order);
        }
    }

    /// Outcomes that wait, oldest first.
    pub fn take(&self, most: usize) -> Vec<Outcome> {
        self.shared.outbox.take(most)
    }

    /// Whether the kernel chooses source ports: see [`ports`].
    pub fn kernel_ports(&self) -> bool {
        self.kernel_ports
    }

    /// Asks that have not ended.
    pub fn in_flight(&self) -> usize {
        self.shared.in_flight.load(Ordering::Relaxed)
    }

    /// Close all sockets and join the threads. What was in flight ends as closed.
    pub fn close(&self) {
        let Some(threads) = lock(&self.threads).take() else {
            return;
        };
        for inbox in &self.inboxes {
            let waiting = inbox.close();
            self.shared.in_flight.fetch_sub(waiting.len(), Ordering::Relaxed);
            self.shared
                .outbox
                .push_all(waiting.iter().map(|ask| Outcome::failed(ask.ticket, Failure::NotSent)));
        }
        for thread in threads {
            // A thread that panicked has ended the process already.
            let _ = thread.join();
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.close();
    }
}

impl AsRawFd for Door {
    fn as_raw_fd(&self) -> RawFd {
        self.shared.outbox.as_raw_fd()
    }
}
