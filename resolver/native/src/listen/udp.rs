//! Clients over UDP: each thread has a socket of its own for each address (SO_REUSEPORT), and
//! takes datagrams from the kernel and gives them back in batches.

use super::clients::{Miss, Origin};
use super::desk::{Decision, Transport};
use super::send::send_counted;
use super::worker::Station;
use crate::counters::Scalar;
use crate::sys::batch::{Inbound, Outbound};

/// Datagrams in a batch from which on more have probably come meanwhile: asking again costs less
/// than asking whether to ask.
const AGAIN_MIN: usize = 4;

/// Batches from one socket before the others get their turn.
const BATCHES_MAX: usize = 8;

/// The datagrams of one thread.
pub struct Datagrams {
    inbound: Inbound,
    outbound: Outbound,
    /// The kernel's count of drops by socket, as last told.
    drops: Vec<u32>,
}

impl Datagrams {
    pub fn new(station: &Station) -> Self {
        Self {
            inbound: Inbound::default(),
            outbound: Outbound::new(station.shared.settings.udp_payload_max),
            drops: vec![0; station.sender.sockets(station.number).len()],
        }
    }

    /// Serve what waits on a socket.
    pub fn serve(&mut self, socket: usize, station: &mut Station) {
        // What has come on connections until now is told with its own time.
        station.desk.batch_ended();
        for _ in 0..BATCHES_MAX {
            // An error here is one of a single datagram, and there is nobody to tell.
            let own = &station.sender.sockets(station.number)[socket];
            let received = self.inbound.receive(own).unwrap_or_default();
            station.desk.refresh();
            for at in 0..received {
                self.datagram(socket, at, station);
            }
            let own = &station.sender.sockets(station.number)[socket];
            send_counted(&mut self.outbound, own, &station.desk.books);
            station.desk.batch_ended();
            station.queue_misses();
            if received < AGAIN_MIN {
                return;
            }
        }
        station.behind = true;
    }

    fn datagram(&mut self, socket: usize, at: usize, station: &mut Station) {
        let books = &station.desk.books;
        let Some(datagram) = self.inbound.get(at) else {
            return books.count(Scalar::MalformedDropped, 1);
        };
        if let Some(drops) = datagram.drops {
            let more = drops.wrapping_sub(self.drops[socket]);
            self.drops[socket] = drops;
            books.count(Scalar::KernelDrops, u64::from(more));
        }
        let (client, local) = (datagram.source, datagram.local);
        let out = self.outbound.room();
        match station.desk.decide(datagram.data, client.ip(), Transport::Udp, out) {
            Decision::Drop | Decision::Silent => {}
            Decision::Reply(octets) | Decision::Refused(octets) => {
                self.outbound.push(octets, client, local);
            }
            Decision::Notice(from) => {
                let origin = Origin::Udp { worker: station.number, socket, client, local };
                station.notice(origin, from, datagram.data);
            }
            Decision::Miss { client: asked, question, name, qtype, view } => {
                let miss = Miss {
                    origin: Origin::Udp { worker: station.number, socket, client, local },
                    client: asked,
                    question: question.into(),
                    mark: 0,
                    zone: 0,
                    view,
                    generation: station.desk.generation(),
                };
                station.offer(miss, &name, qtype);
            }
        }
    }
}
