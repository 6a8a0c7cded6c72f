//! What becomes of one query, whatever it came by: dropped, answered here, or left for Python.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use super::Shared;
use super::access::Networks;
use crate::cache::answers::Key;
use crate::counters::{Area, Scalar};
use crate::wire::query::{self, Client, Parsed, Query};
use crate::wire::{CLASS_IN, MESSAGE_MAX, compose, rcode};

/// Views are classes of clients that policy treats alike; there is one so far.
pub const VIEW: u32 = 0;

/// Extended errors given here (RFC 8914 section 4, RFC 9824 section 3.4).
const TOO_MANY: (u16, &str) = (0, "too many queries wait");
const PROHIBITED: (u16, &str) = (18, "this address may not ask");
const NOT_AUTHORITATIVE: (u16, &str) = (20, "not in the cache, and RD is not set");
const NOT_SUPPORTED: (u16, &str) = (21, "class IN only, no transfers");
const INVALID_TYPE: (u16, &str) = (30, "not a type that can be asked for");

/// Types that ask for something else than records.
mod meta {
    pub const OPT: u16 = 41;
    pub const NXNAME: u16 = 128;
    pub const IXFR: u16 = 251;
    pub const AXFR: u16 = 252;
    /// RFC 6895 section 3.1: "128 - 255: Q and Meta TYPEs"; 255 is ANY.
    pub const FIRST: u16 = 128;
    pub const LAST: u16 = 254;
}

/// How a query travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Udp,
    Tcp,
}

/// What to do with a query.
pub enum Decision<'a> {
    Drop,
    /// A reply of so many octets was written.
    Reply(usize),
    /// The same, and this client may not ask at all.
    Refused(usize),
    Miss {
        client: Client,
        question: &'a [u8],
    },
}

/// What one thread needs to decide.
pub struct Desk {
    shared: Arc<Shared>,
    pub books: Area,
    networks: Arc<Networks>,
    now: f64,
    started: Instant,
}

impl Desk {
    pub fn new(shared: Arc<Shared>, books: Area) -> Self {
        let networks = shared.access.current();
        Self { shared, books, networks, now: 0.0, started: Instant::now() }
    }

    /// Look at the clock and the access list, once for a batch.
    pub fn refresh(&mut self) {
        self.started = Instant::now();
        self.now = self.shared.clock.now();
        self.networks = self.shared.access.current();
    }

    /// Decide about a query. `out` has room for the longest reply of the transport.
    pub fn decide<'a>(
        &self,
        packet: &'a [u8],
        source: IpAddr,
        transport: Transport,
        out: &mut [u8],
    ) -> Decision<'a> {
        let parsed = query::parse(packet);
        if !self.networks.contain(source) {
            return self.refuse(&parsed, out);
        }
        match parsed {
            Parsed::Drop => {
                self.books.count(Scalar::MalformedDropped, 1);
                Decision::Drop
            }
            Parsed::Reject { client, question, rcode } => {
                self.books.count(Scalar::MalformedAnswered, 1);
                Decision::Reply(compose::error(&client, question, rcode, &[], out))
            }
            Parsed::Query(query) => self.answer(&query, transport, out),
        }
    }

    fn refuse<'a>(&self, parsed: &Parsed<'a>, out: &mut [u8]) -> Decision<'a> {
        self.books.count(Scalar::Refused, 1);
        let (client, question) = match parsed {
            Parsed::Drop => return Decision::Drop,
            Parsed::Reject { client, question, .. } => (client, *question),
            Parsed::Query(query) => (&query.client, query.question),
        };
        Decision::Refused(compose::error(client, question, rcode::REFUSED, &[PROHIBITED], out))
    }

    fn answer<'a>(&self, query: &Query<'a>, transport: Transport, out: &mut [u8]) -> Decision<'a> {
        let tcp = transport == Transport::Tcp;
        self.books.count(if tcp { Scalar::QueriesTcp } else { Scalar::QueriesUdp }, 1);
        let Query { client, question, .. } = query;
        if let Some((rcode, ede)) = unanswerable(query) {
            return Decision::Reply(compose::error(client, question, rcode, &[ede], out));
        }
        let key = Key {
            view: VIEW,
            name: &query.name,
            rtype: query.qtype,
            do_bit: client.do_bit(),
            cd: client.cd(),
        };
        let limit = reply_limit(client, transport, self.shared.settings.udp_payload_max);
        if let Some(hit) = self.shared.answers.lookup(&key, client, question, self.now, limit, out)
        {
            let seconds = self.started.elapsed().as_secs_f64();
            self.books.hit(u8::from(tcp), hit.destination, seconds);
            return Decision::Reply(hit.length);
        }
        if client.rd() {
            return Decision::Miss { client: *client, question };
        }
        // RD=0 never causes work: nobody may have the cache filled for him that way.
        let ede = [NOT_AUTHORITATIVE];
        Decision::Reply(compose::error(client, question, rcode::REFUSED, &ede, out))
    }
}

/// Octets that a reply to a client may have.
pub fn reply_limit(client: &Client, transport: Transport, udp_payload_max: usize) -> usize {
    match transport {
        Transport::Udp => client.udp_limit(udp_payload_max),
        Transport::Tcp => MESSAGE_MAX,
    }
}

/// Write the reply to a client whose query is shed; its length.
pub fn shed_reply(client: &Client, question: &[u8], out: &mut [u8]) -> usize {
    compose::error(client, question, rcode::SERVFAIL, &[TOO_MANY], out)
}

/// Questions that this resolver does not ask: the reply's code and why.
fn unanswerable(query: &Query<'_>) -> Option<(u16, (u16, &'static str))> {
    if query.qclass != CLASS_IN {
        return Some((rcode::REFUSED, NOT_SUPPORTED));
    }
    match query.qtype {
        // RFC 9824 section 3.4: an explicit query for NXNAME gets a format error.
        meta::NXNAME => Some((rcode::FORMERR, INVALID_TYPE)),
        meta::AXFR | meta::IXFR => Some((rcode::REFUSED, NOT_SUPPORTED)),
        0 | meta::OPT | meta::FIRST..=meta::LAST => Some((rcode::NOTIMP, INVALID_TYPE)),
        _ => None,
    }
}
