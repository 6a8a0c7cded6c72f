//! Messages by hand, for all tests of the packet path.
#![allow(dead_code)] // Each test file uses a part of this.

use inland_native::wire::message::RRset;
use inland_native::wire::query::{self, Parsed, Query};

/// A plain wire name from text without escapes; `"."` is the root.
pub fn name(text: &str) -> Box<[u8]> {
    let mut wire = Vec::new();
    for label in text.split('.').filter(|label| !label.is_empty()) {
        wire.push(label.len() as u8);
        wire.extend_from_slice(label.as_bytes());
    }
    wire.push(0);
    wire.into()
}

pub fn rrset(owner: &str, rtype: u16, ttl: u32, rdatas: &[&[u8]]) -> RRset {
    let rdatas = rdatas.iter().map(|rdata| Box::from(*rdata)).collect();
    RRset { name: name(owner), rtype, ttl, rdatas, signatures: Vec::new() }
}

/// RRSIG rdata that covers a type, with an original TTL.
pub fn signature(covered: u16, original_ttl: u32) -> Box<[u8]> {
    let mut rdata = covered.to_be_bytes().to_vec();
    rdata.extend([13, 2]);
    rdata.extend(original_ttl.to_be_bytes());
    rdata.extend([0x60, 0, 0, 0, 0x50, 0, 0, 0, 0x12, 0x34]);
    rdata.extend(&*name("example.com"));
    rdata.extend([0x55; 64]);
    rdata.into()
}

/// A message put together piece by piece.
#[derive(Clone)]
pub struct Wire(pub Vec<u8>);

impl Wire {
    pub fn new(flags: u16, counts: [u16; 4]) -> Self {
        let mut octets = vec![0xAB, 0xCD];
        octets.extend(flags.to_be_bytes());
        octets.extend(counts.iter().flat_map(|count| count.to_be_bytes()));
        Self(octets)
    }

    pub fn question(self, qname: &[u8], qtype: u16) -> Self {
        self.raw(qname).raw(&qtype.to_be_bytes()).raw(&[0, 1])
    }

    pub fn record(self, owner: &[u8], rtype: u16, class: u16, ttl: u32, rdata: &[u8]) -> Self {
        self.raw(owner)
            .raw(&rtype.to_be_bytes())
            .raw(&class.to_be_bytes())
            .raw(&ttl.to_be_bytes())
            .raw(&(rdata.len() as u16).to_be_bytes())
            .raw(rdata)
    }

    /// OPT with DO.
    pub fn opt(self, payload: u16, version: u8, options: &[u8]) -> Self {
        self.record(&[0], 41, payload, u32::from(version) << 16 | 0x8000, options)
    }

    pub fn raw(mut self, octets: &[u8]) -> Self {
        self.0.extend_from_slice(octets);
        self
    }
}

/// A query with RD, with OPT when a payload is given.
pub fn query(qname: &str, qtype: u16, payload: Option<u16>) -> Vec<u8> {
    let counts = [1, 0, 0, u16::from(payload.is_some())];
    let wire = Wire::new(0x0100, counts).question(&name(qname), qtype);
    payload.into_iter().fold(wire, |wire, payload| wire.opt(payload, 0, &[])).0
}

/// The query that a packet must be.
pub fn parsed(packet: &[u8]) -> Query<'_> {
    match query::parse(packet, None) {
        Parsed::Query(query) => query,
        other => panic!("not a good query: {other:?}"),
    }
}
