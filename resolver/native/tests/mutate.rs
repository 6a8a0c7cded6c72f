//! Millions of damaged packets through all that reads packets: no panic, and memory stays level.
//!
//! `INLAND_MUTATIONS=10000000 cargo test --release --test mutate -- --ignored --nocapture`
//! `INLAND_SEED` picks another sequence. An ordinary run does a small number of them.

mod common;

use common::{Wire, name, query, rrset, signature};
use inland_native::cache::answers::{AnswerCache, Key};
use inland_native::cache::records::{Kind, RecordCache, Source};
use inland_native::wire::ask::match_reply;
use inland_native::wire::compose::{self, Answer};
use inland_native::wire::message::{self, Message};
use inland_native::wire::name::is_plain;
use inland_native::wire::query::{Parsed, Query, parse};
use inland_native::wire::{MESSAGE_MAX, UDP_MIN};

const SMALL_RUN: u64 = 20_000;
const LARGE_RUN: u64 = 10_000_000;
/// Part of the run before memory is measured first. The caches are full early, but the holes
/// between allocations of many sizes take some millions of mutations to reach their level.
const WARM_UP_SHARE: u64 = 2;
/// Longer packets only make the run slower.
const PACKET_MAX: usize = 2048;
const CACHE_OCTETS: usize = 512 << 10;

/// xorshift64*: seeded, so that a failure can be repeated.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % bound.max(1)
    }

    fn octet(&mut self) -> u8 {
        const TELLING: [u8; 12] = [0, 1, 2, 11, 12, 41, 46, 63, 64, 0xC0, 0xFE, 0xFF];
        match self.below(2) {
            0 => TELLING[self.below(TELLING.len())],
            _ => self.below(256) as u8,
        }
    }
}

fn corpus() -> Vec<Vec<u8>> {
    let pointer = b"\xC0\x0C";
    let soa = [&b"\x02ns\xC0\x0C\x04mail\xC0\x0C"[..], &[0; 20]].concat();
    let counts = [1, 4, 2, 2];
    let full = Wire::new(0x8580, counts)
        .question(&name("wWw.Example.com"), 1)
        .record(pointer, 5, 1, 300, b"\x05alias\xC0\x10")
        .record(b"\x05alias\xC0\x10", 1, 1, 60, &[192, 0, 2, 1])
        .record(b"\x05alias\xC0\x10", 1, 1, 60, &[192, 0, 2, 2])
        .record(b"\x05alias\xC0\x10", 46, 1, 60, &signature(1, 60))
        .record(b"\xC0\x10", 6, 1, 900, &soa)
        .record(b"\xC0\x10", 47, 1, 900, b"\x01a\xC0\x10\x00\x01\x40")
        .record(b"\x02ns\xC0\x10", 28, 1, 900, &[0x20; 16])
        .opt(1232, 0, &[0, 3, 0, 2, b'h', b'i', 0, 15, 0, 2, 0, 3]);
    let shapes: [(u16, &[u8]); 12] = [
        (2, pointer),
        (14, b"\xC0\x0C\xC0\x0C"),
        (15, b"\0\x0A\xC0\x0C"),
        (16, b"\x05hello\x02ab"),
        (17, b"\xC0\x0C\0"),
        (26, b"\0\x01\xC0\x0C\xC0\x0C"),
        (33, b"\0\x01\0\x02\0\x35\xC0\x0C"),
        (35, b"\0\x01\0\x02\x01u\x03sip\0\xC0\x0C"),
        (38, b"\x40\0\0\0\0\0\0\0\x01\xC0\x0C"),
        (39, pointer),
        (64, b"\0\x01\x01a\0\0\x01\0\x03\x02h2"),
        (65280, b"whatever"),
    ];
    let start = Wire::new(0x8400, [1, shapes.len() as u16, 0, 0]).question(&name("a.b"), 255);
    let shapes = shapes
        .iter()
        .fold(start, |wire, (rtype, rdata)| wire.record(pointer, *rtype, 1, 77, rdata));
    vec![
        full.0,
        shapes.0,
        query("www.example.com", 1, Some(1232)),
        query("a.b", 28, None),
        Wire::new(0x0100, [1, 0, 0, 1])
            .question(&name("example"), 6)
            .opt(4096, 0, &[0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0, 12, 0, 0])
            .0,
    ]
}

fn mutate(chance: &mut Chance, corpus: &[Vec<u8>], packet: &mut Vec<u8>) {
    packet.clear();
    packet.extend_from_slice(&corpus[chance.below(corpus.len())]);
    for _ in 0..=chance.below(4) {
        let at = chance.below(packet.len());
        match chance.below(8) {
            0 => packet.truncate(at),
            1 => packet.insert(at, chance.octet()),
            2 if !packet.is_empty() => drop(packet.remove(at)),
            3 if !packet.is_empty() => packet[at] ^= 1 << chance.below(8),
            4 if packet.len() >= 12 => packet[4 + chance.below(8)] = chance.octet(),
            5 => {
                let end = (at + chance.below(40)).min(packet.len());
                packet.extend_from_within(at..end);
            }
            6 => {
                let other = &corpus[chance.below(corpus.len())];
                packet.truncate(at);
                packet.extend_from_slice(&other[chance.below(other.len())..]);
            }
            _ if !packet.is_empty() => packet[at] = chance.octet(),
            _ => {}
        }
    }
    packet.truncate(PACKET_MAX);
}

struct Subject {
    answers: AnswerCache,
    records: RecordCache,
    canned: Answer,
    out: Vec<u8>,
    sent: Vec<u8>,
    /// Messages and queries that could be read: both must stay well above none.
    read: [u64; 2],
}

impl Subject {
    fn new() -> Self {
        let set = rrset("www.example.com", 1, 300, &[&[192, 0, 2, 1]]);
        let ede = [(3, "stale")];
        let owner = name("www.example.com");
        Self {
            answers: AnswerCache::new(CACHE_OCTETS),
            records: RecordCache::new(CACHE_OCTETS, 86_400, 900),
            canned: Answer::compose(&owner, 1, 1, 0, [&[set], &[], &[]], &ede, 0.0),
            out: vec![0; MESSAGE_MAX],
            sent: query("wWw.Example.com", 1, Some(1232)),
            read: [0; 2],
        }
    }

    fn feed(&mut self, packet: &[u8], now: f64) {
        let _ = match_reply(&self.sent, packet);
        match parse(packet, Some(100)) {
            Parsed::Query(query) => self.answer(&query, now),
            Parsed::Reject { client, question, rcode } => {
                let length = compose::error(&client, question, rcode, &[(0, "bad")], &mut self.out);
                assert!(length <= UDP_MIN);
            }
            Parsed::Drop => {}
        }
        if let Ok(message) = message::parse(packet) {
            self.read[0] += 1;
            self.round_trip(&message, now);
        }
    }

    fn answer(&mut self, query: &Query<'_>, now: f64) {
        self.read[1] += 1;
        let limit = query.client.udp_limit(1232);
        let length = self.canned.write(&query.client, query.question, now, limit, &mut self.out);
        assert!(length <= limit);
        if query.qclass != 1 {
            return; // The cache is of class IN.
        }
        let (rtype, do_bit, cd) = (query.qtype, query.client.do_bit(), query.client.cd());
        let key = Key { view: 0, name: &query.name, rtype, do_bit, cd };
        let (client, question) = (&query.client, query.question);
        if let Some(hit) = self.answers.lookup(&key, 0, client, question, now, limit, &mut self.out)
        {
            assert!(hit.length <= limit);
            message::parse(&self.out[..hit.length]).expect("replies are good");
        } else {
            let empty: [&[_]; 3] = [&[], &[], &[]];
            let made = Answer::compose(&query.name, rtype, 1, 3, empty, &[], now);
            self.answers.put(&key, 0, &made, 60.0, 3, now);
        }
    }

    /// What was read, composed, must read the same.
    fn round_trip(&self, message: &Message, now: f64) {
        let Some(question) = &message.question else { return };
        let sections = [&message.answer[..], &message.authority, &message.additional];
        for set in sections.into_iter().flatten() {
            assert!(is_plain(&set.name) && !(set.rdatas.is_empty()));
            let source = Source { rank: 3, security: 0, origin: Box::from([0; 4]) };
            self.records.put(set.clone(), source, now);
            let _ = self.records.get(&set.name, set.rtype, now);
        }
        let (name, rcode) = (&question.name, message.rcode);
        let made = Answer::compose(name, question.qtype, 1, rcode, sections, &[], now);
        let again = message::parse(&made.message(now)).expect("own messages are good");
        if !again.truncated() {
            assert_eq!(again.question.as_ref(), Some(question));
            assert_eq!(again.answer, message.answer);
            assert_eq!(again.authority, message.authority);
            assert_eq!(again.additional, message.additional);
        }
        let proofs = message.authority.clone();
        self.records.put_negative(name, question.qtype, Kind::NxDomain, 60, proofs, 0, &[], now);
    }
}

/// Octets of resident memory.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: u64 = text.split(' ').nth(1).and_then(|n| n.parse().ok()).expect("a number");
    pages * 4096
}

fn run(count: u64) -> (Subject, u64, u64) {
    let seed = std::env::var("INLAND_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let mut chance = Chance(seed);
    let (corpus, mut subject) = (corpus(), Subject::new());
    let mut packet = Vec::with_capacity(2 * PACKET_MAX);
    let mut warm = 0;
    for index in 0..count {
        mutate(&mut chance, &corpus, &mut packet);
        // A clock that moves, so that entries end.
        subject.feed(&packet, index as f64 / 1000.0);
        if index == count / WARM_UP_SHARE {
            warm = resident();
        }
    }
    (subject, warm, resident())
}

#[test]
fn damaged_packets_do_no_harm() {
    let (subject, ..) = run(SMALL_RUN);
    assert!(subject.read.iter().all(|read| *read > SMALL_RUN / 20), "{:?}", subject.read);
}

#[test]
#[ignore = "minutes; counts from INLAND_MUTATIONS"]
fn memory_stays_level_under_millions_of_damaged_packets() {
    let count = std::env::var("INLAND_MUTATIONS").ok().and_then(|count| count.parse().ok());
    let count = count.unwrap_or(LARGE_RUN);
    let (subject, warm, end) = run(count);
    println!("{count} mutations, read {:?}, resident {warm} then {end}", subject.read);
    println!("answers {} records {}", subject.answers.bytes(), subject.records.bytes());
    assert!(end <= warm + warm / 100, "resident memory grew from {warm} to {end}");
}
