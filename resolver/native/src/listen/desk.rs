//! What becomes of one query, whatever it came by: dropped, answered here, or left for Python.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use super::Shared;
use super::access::Held;
use crate::cache::answers::{Key, Manner};
use crate::counters::{Area, Scalar};
use crate::wire::name::NameBuf;
use crate::wire::query::{self, Client, Parsed, Query};
use crate::wire::{CLASS_IN, MESSAGE_MAX, compose, flag, rcode};

/// Extended errors given here (RFC 8914 section 4, RFC 9824 section 3.5).
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

/// The opcode of RFC 1996 where it stands in the flags.
const NOTIFY: u16 = 4 << 11;

/// Notices that may wait for Python; more are answered as if we did not know the opcode.
const NOTICES_MAX: usize = 256;

/// How a query travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Udp,
    Tcp,
}

/// What to do with a query.
#[allow(clippy::large_enum_variant)] // On the stack; a box would cost each miss an allocation.
pub enum Decision<'a> {
    Drop,
    /// A reply of so many octets was written.
    Reply(usize),
    /// The same, and this client may not ask at all.
    Refused(usize),
    /// It gets no reply, as policy wants it.
    Silent,
    /// News of a zone from one that may tell (RFC 1996): the whole message is Python's.
    Notice(Client),
    Miss {
        client: Client,
        question: &'a [u8],
        /// In lower case.
        name: NameBuf,
        qtype: u16,
        view: u32,
    },
}

/// What one thread needs to decide.
pub struct Desk {
    shared: Arc<Shared>,
    pub books: Area,
    admission: Held,
    notifiers: Held,
    pub now: f64,
    pub started: Instant,
    /// Hits of this batch, whose time is not told yet.
    untold: u64,
    /// How long a connection may be idle, in units of 100 ms.
    idle: u16,
}

impl Desk {
    pub fn new(shared: Arc<Shared>, books: Area) -> Self {
        let admission = shared.access.hold();
        let notifiers = shared.notifiers.hold();
        let idle = shared.settings.tcp_idle.as_millis() / 100;
        let idle = u16::try_from(idle).unwrap_or(u16::MAX);
        Self {
            shared,
            books,
            admission,
            notifiers,
            now: 0.0,
            started: Instant::now(),
            untold: 0,
            idle,
        }
    }

    /// Look at the clock and the access list, once for a batch.
    pub fn refresh(&mut self) {
        self.started = Instant::now();
        self.now = self.shared.clock.now();
        self.shared.access.renew(&mut self.admission);
        self.shared.notifiers.renew(&mut self.notifiers);
    }

    /// The replies of a batch are on their way: tell how long its hits took. One time for all of
    /// them, since they leave together.
    pub fn batch_ended(&mut self) {
        if self.untold > 0 {
            self.books.hit_seconds(self.untold, self.started.elapsed().as_secs_f64());
            self.untold = 0;
        }
    }

    /// The generation that views are of.
    pub fn generation(&self) -> u64 {
        self.admission.generation
    }

    /// Decide about a query. `out` has room for the longest reply of the transport.
    pub fn decide<'a>(
        &mut self,
        packet: &'a [u8],
        source: IpAddr,
        transport: Transport,
        out: &mut [u8],
    ) -> Decision<'a> {
        let idle = (transport == Transport::Tcp).then_some(self.idle);
        let parsed = query::parse(packet, idle);
        if let Parsed::Reject { client, .. } = &parsed
            && client.flags & flag::OPCODE == NOTIFY
            && self.notifiers.contain(source)
            && self.shared.notices.waiting() < NOTICES_MAX
        {
            return Decision::Notice(*client);
        }
        if !self.admission.contain(source) {
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
            Parsed::Query(query) => {
                let view = self.admission.view(source);
                self.answer(&query, view, transport, out)
            }
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

    fn answer<'a>(
        &mut self,
        query: &Query<'a>,
        view: u32,
        transport: Transport,
        out: &mut [u8],
    ) -> Decision<'a> {
        let tcp = transport == Transport::Tcp;
        self.books.count(if tcp { Scalar::QueriesTcp } else { Scalar::QueriesUdp }, 1);
        let Query { client, question, .. } = query;
        if let Some((rcode, ede)) = unanswerable(query) {
            return Decision::Reply(compose::error(client, question, rcode, &[ede], out));
        }
        let key = Key {
            view,
            name: &query.name,
            rtype: query.qtype,
            do_bit: client.do_bit(),
            cd: client.cd(),
        };
        let limit = reply_limit(client, transport, self.shared.settings.udp_payload_max);
        let (generation, answers) = (self.admission.generation, &self.shared.answers);
        if let Some(hit) = answers.lookup(&key, generation, client, question, self.now, limit, out)
        {
            self.books.hit(u8::from(tcp), hit.destination);
            if hit.stale {
                self.books.count(Scalar::StaleHits, 1);
            }
            if hit.tag != 0 {
                self.books.tagged(hit.tag);
            }
            self.untold += 1;
            return match hit.manner {
                Manner::Silent => Decision::Silent,
                Manner::Stream if !tcp => {
                    Decision::Reply(compose::truncated(client, question, out))
                }
                _ => Decision::Reply(hit.length),
            };
        }
        if client.rd() {
            let (name, qtype) = (query.name, query.qtype);
            return Decision::Miss { client: *client, question, name, qtype, view };
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
        // RFC 9824 section 3.5: an explicit query for NXNAME gets a format error.
        meta::NXNAME => Some((rcode::FORMERR, INVALID_TYPE)),
        meta::AXFR | meta::IXFR => Some((rcode::REFUSED, NOT_SUPPORTED)),
        0 | meta::OPT | meta::FIRST..=meta::LAST => Some((rcode::NOTIMP, INVALID_TYPE)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::answers::AnswerCache;
    use crate::clock::Clock;
    use crate::counters::Counters;
    use crate::listen::access::Access;
    use crate::listen::clients::{Bounds, Clients};
    use crate::listen::{Networks, Settings};
    use crate::sys::{poll::Bell, thread::Queue};
    use crate::wire::query::ClientEdns;
    use proptest::prelude::*;
    use std::time::Duration;

    const NAME: &[u8] = b"\x03www\x07example\x02in\0";
    const LIMIT: usize = 1232;

    fn desk() -> Desk {
        let settings = Settings {
            workers: 1,
            misses_max: 1,
            udp_payload_max: LIMIT,
            tcp_connections_max: 1,
            tcp_per_client_max: 1,
            tcp_idle: Duration::ZERO,
        };
        let answers = Arc::new(AnswerCache::new(1 << 16));
        let answer = compose::Answer::compose(NAME, 1, 1, 0, [&[], &[], &[]], &[], 0.0);
        let key = Key { view: 0, name: NAME, rtype: 1, do_bit: false, cd: false };
        answers.put(&key, 0, &answer, 1e9, 3, 0.0);
        let shared = Shared {
            clock: Arc::new(Clock::new(None)),
            answers,
            access: Access::new(Networks::parse(&["127.0.0.0/8"]).unwrap()),
            notifiers: Access::new(Networks::parse(&["127.0.0.0/8"]).unwrap()),
            notices: Clients::new(Bounds::of(1), None).unwrap(),
            clients: Clients::new(Bounds::of(1), None).unwrap(),
            census: Arc::new(settings.census()),
            inboxes: Box::new([Queue::new().unwrap()]),
            stop: Bell::new().unwrap(),
            plans: None,
            settings,
        };
        let books = Counters::new(None, 1).unwrap().area().unwrap();
        Desk::new(Arc::new(shared), books)
    }

    fn packet(flags: u16, edns: Option<ClientEdns>) -> Vec<u8> {
        let mut packet = vec![0x12, 0x34];
        packet.extend(flags.to_be_bytes());
        packet.extend([0, 1, 0, 0, 0, 0, 0, u8::from(edns.is_some())]);
        packet.extend(NAME);
        packet.extend([0, 1, 0, 1]);
        if let Some(edns) = edns {
            packet.extend([0, 0, 41]);
            packet.extend(edns.payload.to_be_bytes());
            packet.extend([0, edns.version, u8::from(edns.do_bit) << 7, 0, 0, 0]);
        }
        packet
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn whatever_arrives_a_reply_is_a_bounded_response_with_the_id_that_was_asked(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
            (payload, version, do_bit) in (any::<u16>(), 0u8..2, any::<bool>()),
            with_edns in any::<bool>(),
            length in any::<prop::sample::Index>(),
            cut in any::<bool>(),
            source in prop::sample::select(vec!["127.0.0.1", "192.0.2.1", "::1"]),
        ) {
            let edns = ClientEdns { payload, version, do_bit, keepalive: None };
            let edns = with_edns.then_some(edns);
            let mut packet = packet(0x0100, edns);
            for (at, octet) in changes {
                let at = at.index(packet.len());
                packet[at] = octet;
            }
            if cut {
                packet.truncate(length.index(packet.len() + 1));
            }
            let mut out = [0; LIMIT];
            let source: IpAddr = source.parse().unwrap();
            match desk().decide(&packet, source, Transport::Udp, &mut out) {
                Decision::Reply(octets) | Decision::Refused(octets) => {
                    prop_assert!((12..=LIMIT).contains(&octets));
                    prop_assert_eq!(&out[..2], &packet[..2]);
                    prop_assert!(out[2] & 0x80 != 0 && packet[2] & 0x80 == 0);
                }
                Decision::Miss { question, .. } => {
                    prop_assert!(source.is_ipv4() && question.len() >= 5);
                    prop_assert!(packet[2] & 0x01 != 0);
                }
                Decision::Notice(client) => {
                    prop_assert!(source.is_ipv4() && client.flags & 0x7800 == NOTIFY);
                }
                Decision::Silent => prop_assert!(false, "no policy is in force"),
                Decision::Drop => prop_assert!(packet.len() < 12 || packet[2] & 0x80 != 0),
            }
        }
    }
}
