//! Clients over UDP: one thread with a socket of its own for each address (SO_REUSEPORT), in
//! batches from the kernel and back.

use std::io;
use std::sync::Arc;

use super::Shared;
use super::clients::{Miss, Origin};
use super::desk::{Decision, Desk, Transport};
use super::send::{Sender, send_counted};
use crate::counters::{Area, Scalar};
use crate::sys::batch::{BATCH, Inbound, Outbound};
use crate::sys::poll::{Poll, READ};

/// Key of the bell that says stop; sockets have their index.
const STOP: u64 = u64::MAX;

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
}

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
            sender,
            shared,
        })
    }

    /// Serve until the listener is closed.
    pub fn run(mut self) {
        let mut events = Vec::new();
        loop {
            self.poll.wait(None, &mut events).expect("epoll works");
            for event in &events {
                if event.key == STOP {
                    return;
                }
                self.serve(event.key as usize);
            }
        }
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
            if received < BATCH {
                return;
            }
        }
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
            Decision::Miss { client: asked, question } => self.misses.push(Miss {
                origin: Origin::Udp { worker: self.number, socket, client, local },
                client: asked,
                question: question.into(),
            }),
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
