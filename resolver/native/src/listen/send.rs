//! Replies to clients that have waited, by whatever their queries came.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Shared;
use super::clients::{Miss, Origin};
use super::desk::{Transport, reply_limit, shed_reply};
use super::tcp::Letter;
use crate::counters::{Area, Scalar};
use crate::sys::batch::Outbound;
use crate::sys::socket::Socket;
use crate::sys::stream;
use crate::wire::MESSAGE_MAX;

/// UDP sockets by worker, then in the order of the addresses.
pub type Sockets = Vec<Vec<Socket>>;

/// Sends replies; one for each thread that does.
pub struct Sender {
    shared: Arc<Shared>,
    sockets: Arc<Sockets>,
    outbound: Outbound,
    scratch: Box<[u8]>,
}

impl Sender {
    pub fn new(shared: Arc<Shared>, sockets: Arc<Sockets>) -> Self {
        let outbound = Outbound::new(shared.settings.udp_payload_max);
        Self { shared, sockets, outbound, scratch: vec![0; MESSAGE_MAX].into_boxed_slice() }
    }

    /// The sockets of one worker.
    pub fn sockets(&self, worker: usize) -> &[Socket] {
        &self.sockets[worker]
    }

    /// Send what `write` makes of each: it gets the limit and the room, and returns the length.
    pub fn send<T>(
        &mut self,
        books: &Area,
        replies: &mut [(Miss, T)],
        write: impl Fn(&Miss, &T, usize, &mut [u8]) -> usize,
    ) {
        // Those of one socket together, so that each batch is one system call.
        replies.sort_by_key(|(miss, _)| match miss.origin {
            Origin::Udp { worker, socket, .. } => (worker, socket),
            Origin::Tcp { worker, .. } => (usize::MAX, worker),
        });
        let udp_payload_max = self.shared.settings.udp_payload_max;
        let mut letters: BTreeMap<usize, Vec<Letter>> = BTreeMap::new();
        let mut current = None;
        for (miss, with) in replies.iter() {
            match miss.origin {
                Origin::Udp { worker, socket, client, local } => {
                    if current != Some((worker, socket)) || self.outbound.is_full() {
                        self.flush(current, books);
                        current = Some((worker, socket));
                    }
                    let limit = reply_limit(&miss.client, Transport::Udp, udp_payload_max);
                    let octets = write(miss, with, limit, self.outbound.room());
                    self.outbound.push(octets, client, local);
                }
                Origin::Tcp { worker, connection, .. } => {
                    let octets = write(miss, with, MESSAGE_MAX, &mut self.scratch);
                    let mut message = Vec::with_capacity(stream::PREFIX + octets);
                    stream::append(&mut message, &self.scratch[..octets]);
                    letters.entry(worker).or_default().push(Letter::Reply(connection, message));
                }
            }
        }
        self.flush(current, books);
        for (worker, letters) in letters {
            self.shared.inboxes[worker].push_all(letters);
        }
    }

    /// Tell clients that were shed.
    pub fn shed(&mut self, books: &Area, misses: Vec<Miss>) {
        if misses.is_empty() {
            return;
        }
        books.count(Scalar::MissesShed, misses.len() as u64);
        let mut replies: Vec<(Miss, ())> = misses.into_iter().map(|miss| (miss, ())).collect();
        self.send(books, &mut replies, |miss, (), _, out| {
            shed_reply(&miss.client, &miss.question, out)
        });
    }

    fn flush(&mut self, socket: Option<(usize, usize)>, books: &Area) {
        if let Some((worker, socket)) = socket {
            send_counted(&mut self.outbound, &self.sockets[worker][socket], books);
        }
    }
}

/// Send a batch and count it.
pub fn send_counted(outbound: &mut Outbound, socket: &Socket, books: &Area) {
    let all = outbound.len();
    if all > 0 {
        let sent = outbound.send(socket);
        books.count(Scalar::RepliesSent, sent as u64);
        books.count(Scalar::RepliesFailed, (all - sent) as u64);
    }
}
