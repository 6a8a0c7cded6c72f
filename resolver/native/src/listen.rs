//! The listener: UDP and TCP for clients.
//!
//! What the answer cache holds is answered by the threads here; other questions wait for Python,
//! which takes them in batches and gives answers back by token. Threads never touch Python: they
//! queue, and make a descriptor readable.
//!
//! RFC 1035 section 4.2, RFC 6891, RFC 7766 (TCP), RFC 8906 (no silence for what is odd but
//! readable), RFC 8914 (extended errors).
//!
//! Limitations: no limit of rates, neither of replies nor of refusals.

mod access;
mod census;
mod clients;
mod connection;
mod desk;
mod send;
mod tcp;
mod udp;
mod worker;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::cache::answers::AnswerCache;
use crate::clock::Clock;
use crate::counters::{Area, Counters};
use crate::plan::Plans;
use crate::sys::poll::Bell;
use crate::sys::raise_open_files;
use crate::sys::slab::Key;
use crate::sys::socket::Socket;
use crate::sys::thread::{Queue, lock, spawn};
use crate::wire::UDP_MIN;
use crate::wire::compose::Answer;
pub use access::{Networks, Views};
use census::Census;
pub use clients::{Clients, Miss, Origin};
use send::{Sender, Sockets};
use tcp::Letter;
use worker::Worker;

/// Largest UDP payload that may be configured: more invites fragments (RFC 9715), and every
/// reply of a batch has this room.
const UDP_PAYLOAD_MAX: usize = 4096;

/// Tries to find a port that is free for UDP and TCP when any port will do.
const PORT_TRIES: usize = 32;

/// The part of the open files that clients' connections may hold (see the door for the rest).
const OPEN_FILES_PART: usize = 4;

/// Notices that are kept: above what the threads let in, so that none is pushed out.
const NOTICES_KEPT: usize = 4096;

/// Settings of a listener.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Threads, each for UDP and TCP.
    pub workers: usize,
    /// Clients that may wait for Python.
    pub misses_max: usize,
    pub udp_payload_max: usize,
    pub tcp_connections_max: usize,
    /// Of one IPv4 address or IPv6 network (/64).
    pub tcp_per_client_max: usize,
    pub tcp_idle: Duration,
}

impl Settings {
    fn census(&self) -> Census {
        let most = self.tcp_connections_max.min(raise_open_files() / OPEN_FILES_PART);
        Census::new(self.workers, most, self.tcp_per_client_max)
    }
}

/// What the listener and its threads share.
struct Shared {
    clock: Arc<Clock>,
    answers: Arc<AnswerCache>,
    access: access::Access,
    /// Who may tell of news in zones that are mirrored, and what they have told.
    notifiers: access::Access,
    notices: Clients,
    clients: Clients,
    /// What Python has decided in advance, if anything.
    plans: Option<Arc<Plans>>,
    /// The connections of clients, over all threads.
    census: Arc<Census>,
    /// What others have for the connections of each thread.
    inboxes: Box<[Queue<Letter>]>,
    stop: Bell,
    settings: Settings,
}

/// Why an address cannot be listened on.
#[derive(Debug)]
pub struct BindError {
    pub address: Option<SocketAddr>,
    pub error: io::Error,
}

impl From<io::Error> for BindError {
    fn from(error: io::Error) -> Self {
        Self { address: None, error }
    }
}

/// What Python's replies go out by.
struct Replies {
    sender: Sender,
    books: Area,
}

/// The sockets for clients and their threads.
pub struct Listener {
    shared: Arc<Shared>,
    addresses: Vec<SocketAddr>,
    threads: Mutex<Option<Vec<JoinHandle<()>>>>,
    /// `None` once closed.
    replies: Mutex<Option<Replies>>,
}

impl Listener {
    /// Bind all addresses, for UDP and TCP each, and start serving.
    pub fn open(
        clock: Arc<Clock>,
        answers: Arc<AnswerCache>,
        counters: &Counters,
        addresses: &[SocketAddr],
        networks: Networks,
        mut settings: Settings,
        plans: Option<Arc<Plans>>,
    ) -> Result<Self, BindError> {
        settings.workers = settings.workers.max(1);
        settings.udp_payload_max = settings.udp_payload_max.clamp(UDP_MIN, UDP_PAYLOAD_MAX);
        let (bound, datagrams, streams) = bind_all(addresses, settings.workers)?;
        let shared = Arc::new(Shared {
            clock,
            answers,
            access: access::Access::new(networks),
            notifiers: access::Access::new(Networks::default()),
            notices: Clients::new(clients::Bounds::of(NOTICES_KEPT), None)?,
            clients: waiting(&settings, plans.as_deref())?,
            plans,
            census: Arc::new(settings.census()),
            inboxes: (0..settings.workers).map(|_| Queue::new()).collect::<io::Result<_>>()?,
            stop: Bell::new()?,
            settings,
        });
        let area = || counters.area().ok_or_else(|| io::Error::other("too few areas of counters"));
        let sender = || Sender::new(Arc::clone(&shared), Arc::clone(&datagrams));
        let listener = Self {
            addresses: bound,
            threads: Mutex::new(Some(Vec::new())),
            replies: Mutex::new(Some(Replies { sender: sender(), books: area()? })),
            shared: Arc::clone(&shared),
        };
        for (number, streams) in streams.into_iter().enumerate() {
            let worker = Worker::new(number, streams, Arc::clone(&shared), sender(), area()?)?;
            listener.start(&format!("listen-{number}"), move || worker.run())?;
        }
        Ok(listener)
    }

    fn start(&self, name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let thread = spawn(name, run)?;
        if let Some(threads) = lock(&self.threads).as_mut() {
            threads.push(thread);
        }
        Ok(())
    }

    /// What was bound.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Misses for Python, oldest first, each with its token.
    pub fn take(&self, most: usize) -> Vec<(Key, Miss)> {
        self.shared.clients.take(most)
    }

    /// Send answers to the clients of tokens; unknown tokens are ignored.
    pub fn reply(&self, answers: Vec<(Key, Arc<Answer>)>) {
        let mut replies = self.shared.clients.finish(answers);
        if let Some(Replies { sender, books }) = lock(&self.replies).as_mut() {
            let now = self.shared.clock.now();
            sender.send(books, &mut replies, |miss, answer, limit, out| {
                answer.write(&miss.client, &miss.question, now, limit, out)
            });
        }
    }

    /// Clients of tokens get no reply; unknown tokens are ignored.
    pub fn silence(&self, tokens: Vec<Key>) {
        let tokens = tokens.into_iter().map(|token| (token, ()));
        for (miss, ()) in self.shared.clients.finish(tokens) {
            if let Origin::Tcp { worker, connection, .. } = miss.origin {
                self.shared.inboxes[worker].push_all([Letter::Silence(connection)]);
            }
        }
    }

    /// The view of a client.
    pub fn view(&self, client: IpAddr) -> u32 {
        self.shared.access.hold().view(client)
    }

    /// Put the views of a policy in force. Until the answer cache serves the same generation,
    /// nothing is served from it.
    pub fn set_views(&self, views: Views, generation: u64) {
        self.shared.access.replace_views(views, generation);
    }

    /// Put another access list in force.
    pub fn set_access(&self, networks: Networks) {
        self.shared.access.replace(networks);
    }

    /// Take notices of news in zones from these addresses.
    pub fn set_notifiers(&self, networks: Networks) {
        self.shared.notifiers.replace(networks);
    }

    /// Notices for Python, each with its token; the message stands in the place of the question.
    pub fn take_notices(&self) -> Vec<(Key, Miss)> {
        self.shared.notices.take(NOTICES_KEPT)
    }

    /// Answer notices.
    pub fn reply_notices(&self, replies: Vec<(Key, Vec<u8>)>) {
        let mut replies = self.shared.notices.finish(replies);
        if let Some(Replies { sender, books }) = lock(&self.replies).as_mut() {
            sender.send(books, &mut replies, |_, reply, limit, out| {
                let octets = reply.len().min(limit);
                out[..octets].copy_from_slice(&reply[..octets]);
                octets
            });
        }
    }

    /// Readable when notices wait.
    pub fn notices(&self) -> RawFd {
        self.shared.notices.as_raw_fd()
    }

    /// Stop accepting, join the threads and close the sockets.
    pub fn close(&self) {
        let Some(threads) = lock(&self.threads).take() else {
            return;
        };
        self.shared.stop.ring();
        for thread in threads {
            // A thread that panicked has ended the process already.
            let _ = thread.join();
        }
        *lock(&self.replies) = None;
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.close();
    }
}

impl AsRawFd for Listener {
    fn as_raw_fd(&self) -> RawFd {
        self.shared.clients.as_raw_fd()
    }
}

/// The table of those who wait for Python, with the bounds that come with plans.
fn waiting(settings: &Settings, plans: Option<&Plans>) -> io::Result<Clients> {
    let mut bounds = clients::Bounds::of(settings.misses_max);
    if let Some(plans) = plans {
        bounds.per_client = bounds.per_client.min(plans.bounds.per_client);
        bounds.per_zone = bounds.per_zone.min(plans.bounds.per_zone);
    }
    Clients::new(bounds, plans.map(|plans| Arc::clone(&plans.busy)))
}

type Bound = (Vec<SocketAddr>, Arc<Sockets>, Vec<Vec<Socket>>);

/// Sockets of all addresses, for UDP and TCP one a worker each.
fn bind_all(addresses: &[SocketAddr], workers: usize) -> Result<Bound, BindError> {
    let mut bound = Vec::new();
    let mut datagrams: Sockets = (0..workers).map(|_| Vec::new()).collect();
    let mut streams: Sockets = (0..workers).map(|_| Vec::new()).collect();
    for address in addresses {
        let named = |error| BindError { address: Some(*address), error };
        let (address, datagram, stream) = bind_pair(*address).map_err(named)?;
        bound.push(address);
        datagrams[0].push(datagram);
        streams[0].push(stream);
        for worker in 1..workers {
            datagrams[worker].push(Socket::listen_udp(&address).map_err(named)?);
            streams[worker].push(Socket::listen_tcp(&address, false).map_err(named)?);
        }
    }
    Ok((bound, Arc::new(datagrams), streams))
}

/// The first sockets of an address. TCP comes first: it is bound alone, so a second listener is
/// told that the address is taken, which SO_REUSEPORT would hide.
fn bind_pair(address: SocketAddr) -> io::Result<(SocketAddr, Socket, Socket)> {
    let mut tries = PORT_TRIES;
    loop {
        let stream = Socket::listen_tcp(&address, true)?;
        let mut bound = address;
        bound.set_port(stream.local()?.port());
        match Socket::listen_udp(&bound) {
            Ok(datagram) => return Ok((bound, datagram, stream)),
            Err(_) if address.port() == 0 && tries > 0 => tries -= 1,
            Err(error) => return Err(error),
        }
    }
}
