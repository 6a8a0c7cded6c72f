//! Clients over UDP: one thread with a socket of its own for each address (SO_REUSEPORT), in
//! batches from the kernel and back.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use super::Shared;
use super::clients::{Miss, Origin};
use super::desk::{Decision, Desk, Transport};
use super::send::{Sender, send_counted};
use crate::counters::{Area, Scalar};
use crate::plan::carrier::Carrier;
use crate::sys::batch::{BATCH, Inbound, Outbound};
use crate::sys::poll::{Poll, READ};
use crate::sys::raise_open_files;

/// Key of the bell that says stop; sockets have their index.
const STOP: u64 = u64::MAX;

/// Datagrams in a batch from which on more have probably come meanwhile: asking again costs less
/// than asking whether to ask.
const AGAIN_MIN: usize = 4;

/// Batches from one socket before the others get their turn.
const BATCHES_MAX: usize = 8;

pub struct Worker {
    number: usize,
    shared: Arc<Shared>,
    desk: Desk,
    sender: Sender,
    poll: Poll,
    inbound: Inbound,
    outbound: Outbound,
    /// The kernel's count of drops by socket, as last told.
    drops: Vec<u32>,
    misses: Vec<Miss>,
    carrier: Option<Carrier>,
    /// Whether a socket was left in this turn while more waited on it.
    behind: bool,
}

/// Share of the open files that upstream sockets of plans may hold, in eighths (the door has the
/// rest of the account).
const OPEN_FILES_EIGHTHS: usize = 2;

/// Upstream sockets of plans: a quarter of the ports from 1,024 up; the door holds at most half.
const SOCKETS_MAX: usize = (65_536 - 1024) / 4;

/// Keys from here on are the carrier's: a slab's keys have a generation above their index.
const CARRIED: u64 = 1 << 32;

impl Worker {
    pub fn new(
        number: usize,
        shared: Arc<Shared>,
        sender: Sender,
        books: Area,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        poll.add(&shared.stop, READ, STOP)?;
        let sockets = sender.sockets(number);
        for (index, socket) in sockets.iter().enumerate() {
            poll.add(socket, READ, index as u64)?;
        }
        Ok(Self {
            number,
            desk: Desk::new(Arc::clone(&shared), books),
            poll,
            inbound: Inbound::default(),
            outbound: Outbound::new(shared.settings.udp_payload_max),
            drops: vec![0; sockets.len()],
            misses: Vec::with_capacity(BATCH),
            carrier: shared.plans.as_ref().map(|plans| {
                let files = raise_open_files() / 8 * OPEN_FILES_EIGHTHS;
                let sockets_max = files.min(SOCKETS_MAX) / shared.settings.workers;
                Carrier::new(Arc::clone(plans), Arc::clone(&shared.clock), sockets_max.max(1))
            }),
            sender,
            behind: false,
            shared,
        })
    }

    /// Serve until the listener is closed.
    pub fn run(mut self) {
        let mut events = Vec::new();
        loop {
            let sleep = self.carrier.as_mut().and_then(|carrier| carrier.sleep(Instant::now()));
            self.poll.wait(sleep, &mut events).expect("epoll works");
            for event in &events {
                if event.key == STOP {
                    return;
                }
                match &mut self.carrier {
                    Some(carrier) if event.key >= CARRIED => {
                        carrier.ready(event.key, &self.poll, &self.desk.books);
                    }
                    _ => self.serve(event.key as usize),
                }
            }
            self.end_turn();
        }
    }

    /// What the carrier has to say to clients and to Python.
    fn end_turn(&mut self) {
        let behind = std::mem::take(&mut self.behind);
        let Some(carrier) = &mut self.carrier else { return };
        self.misses.extend(carrier.begin_some(behind, self.desk.now, &self.poll, &self.desk.books));
        let now = Instant::now();
        carrier.expire(now, &self.poll, &self.desk.books);
        carrier.publish(now, &self.shared.clients, &self.desk.books);
        if !carrier.replies.is_empty() {
            let now = self.shared.clock.now();
            self.sender.send(&self.desk.books, &mut carrier.replies, |miss, answer, limit, out| {
                answer.write(&miss.client, &miss.question, now, limit, out)
            });
            carrier.replies.clear();
        }
        self.sender.shed(&self.desk.books, std::mem::take(&mut carrier.shed));
        self.queue_misses();
    }

    fn serve(&mut self, socket: usize) {
        for _ in 0..BATCHES_MAX {
            // An error here is one of a single datagram, and there is nobody to tell.
            let received =
                self.inbound.receive(&self.sender.sockets(self.number)[socket]).unwrap_or_default();
            self.desk.refresh();
            for at in 0..received {
                self.datagram(socket, at);
            }
            let own = &self.sender.sockets(self.number)[socket];
            send_counted(&mut self.outbound, own, &self.desk.books);
            self.desk.batch_ended();
            self.queue_misses();
            if received < AGAIN_MIN {
                return;
            }
        }
        self.behind = true;
    }

    fn datagram(&mut self, socket: usize, at: usize) {
        let Some(datagram) = self.inbound.get(at) else {
            return self.desk.books.count(Scalar::MalformedDropped, 1);
        };
        if let Some(drops) = datagram.drops {
            let more = drops.wrapping_sub(self.drops[socket]);
            self.drops[socket] = drops;
            self.desk.books.count(Scalar::KernelDrops, u64::from(more));
        }
        let (client, local) = (datagram.source, datagram.local);
        let out = self.outbound.room();
        match self.desk.decide(datagram.data, client.ip(), Transport::Udp, out) {
            Decision::Drop => {}
            Decision::Reply(octets) | Decision::Refused(octets) => {
                self.outbound.push(octets, client, local);
            }
            Decision::Miss { client: asked, question, name, qtype } => {
                let miss = Miss {
                    origin: Origin::Udp { worker: self.number, socket, client, local },
                    client: asked,
                    question: question.into(),
                    mark: 0,
                    zone: 0,
                };
                let desk = &self.desk;
                let left = match &mut self.carrier {
                    Some(carrier) => {
                        carrier.offer(miss, &name, qtype, desk.started, desk.now, &desk.books)
                    }
                    None => Some(miss),
                };
                self.misses.extend(left);
            }
        }
    }

    fn queue_misses(&mut self) {
        if !self.misses.is_empty() {
            let added = self.shared.clients.add(self.misses.drain(..));
            self.desk.books.count(Scalar::Misses, added.kept as u64);
            self.sender.shed(&self.desk.books, added.shed);
        }
    }
}
