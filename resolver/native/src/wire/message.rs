//! Messages read in full: RRsets by section, signatures with what they cover, OPT taken out.
//!
//! RFC 1035 section 4, RFC 2181 sections 5 and 8, RFC 3597 section 4, RFC 6891 section 6.1.
//! Decisions: records of a class other than IN are skipped, since they cannot answer a question
//! in IN; octets after the last counted record are ignored, since they say nothing; one record
//! whose rdata does not fit its type makes the message malformed, since the sender cannot be
//! trusted with the rest; a truncated message may end anywhere, and its records are then left out.
//!
//! Limitations: questions in class IN only.

use std::hash::{BuildHasher, RandomState};

use super::ask::NSID;
use super::name::{self, NameBuf};
use super::{CLASS_IN, HEADER, Malformed, flag, rdata, rtype, u16_at, u32_at};

/// Records of one owner and type; rdata with names uncompressed.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct RRset {
    /// Plain, lower case.
    pub name: Box<[u8]>,
    pub rtype: u16,
    pub ttl: u32,
    pub rdatas: Vec<Box<[u8]>>,
    pub signatures: Vec<Box<[u8]>>,
}

/// The OPT record of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edns {
    pub payload: u16,
    pub version: u8,
    pub do_bit: bool,
    pub options: Vec<(u16, Box<[u8]>)>,
}

/// The question of a message, name in lower case, class IN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    pub name: Box<[u8]>,
    pub qtype: u16,
}

/// A message without the records that are of no use to a resolver in class IN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub id: u16,
    pub flags: u16,
    /// With the upper bits of OPT.
    pub rcode: u16,
    pub question: Option<Question>,
    pub answer: Vec<RRset>,
    pub authority: Vec<RRset>,
    pub additional: Vec<RRset>,
    pub edns: Option<Edns>,
}

impl Message {
    /// What the server calls itself (NSID, RFC 5001 section 2.3); empty: nothing.
    pub fn identity(&self) -> &[u8] {
        let options = self.edns.as_ref().map_or(&[][..], |edns| &edns.options);
        options.iter().find(|(code, _)| *code == NSID).map_or(&[], |(_, octets)| octets)
    }

    pub fn authoritative(&self) -> bool {
        self.flags & flag::AA != 0
    }

    pub fn truncated(&self) -> bool {
        self.flags & flag::TC != 0
    }

    pub fn recursive(&self) -> bool {
        self.flags & flag::RA != 0
    }
}

/// Read a whole message.
///
/// The letter case of the question is the asker's (0x20), so names in rdata that point into the
/// question come out in lower case there: chance must not end up in a cache.
pub fn parse(data: &[u8]) -> Result<Message, Malformed> {
    let mut name = NameBuf::new();
    let question = match name::read(data, HEADER, &mut name) {
        Ok(end) if data.len() >= HEADER && u16_at(data, 4) == Ok(1) => HEADER..end,
        _ => return parse_settled(data),
    };
    if !data[question.clone()].iter().any(u8::is_ascii_uppercase) {
        return parse_settled(data);
    }
    let mut settled = data.to_vec();
    settled[question].make_ascii_lowercase();
    parse_settled(&settled)
}

fn parse_settled(data: &[u8]) -> Result<Message, Malformed> {
    if data.len() < HEADER {
        return Err(Malformed::Short);
    }
    let word = |index: usize| u16::from_be_bytes([data[2 * index], data[2 * index + 1]]);
    let mut reader = Reader { data, at: HEADER, edns: None, rcode_high: 0 };
    let question = match word(2) {
        0 => None,
        1 => Some(reader.question()?),
        _ => return Err(Malformed::Question),
    };
    let flags = word(1);
    let sections = reader.sections([word(3), word(4), word(5)]);
    let [answer, authority, additional] = match sections {
        Ok(sections) => sections,
        // RFC 2181 section 9: on TC "the client should ignore that response"; some servers cut
        // in the middle of a record.
        Err(Malformed::Short) if flags & flag::TC != 0 => Default::default(),
        Err(error) => return Err(error),
    };
    Ok(Message {
        id: word(0),
        flags,
        rcode: reader.rcode_high << 4 | flags & flag::RCODE,
        question,
        answer,
        authority,
        additional,
        edns: reader.edns,
    })
}

struct Reader<'a> {
    data: &'a [u8],
    at: usize,
    edns: Option<Edns>,
    rcode_high: u16,
}

/// One record as it stands in the message.
struct Raw {
    owner: NameBuf,
    rtype: u16,
    class: u16,
    ttl: u32,
    start: usize,
    end: usize,
}

impl Reader<'_> {
    fn question(&mut self) -> Result<Question, Malformed> {
        let mut name = NameBuf::new();
        let at = name::read(self.data, self.at, &mut name)?;
        let (qtype, qclass) = (u16_at(self.data, at)?, u16_at(self.data, at + 2)?);
        if qclass != CLASS_IN {
            return Err(Malformed::Question);
        }
        self.at = at + 4;
        name.lower();
        Ok(Question { name: Box::from(&*name), qtype })
    }

    fn sections(&mut self, counts: [u16; 3]) -> Result<[Vec<RRset>; 3], Malformed> {
        let mut sections: [Vec<RRset>; 3] = Default::default();
        for (index, (section, count)) in sections.iter_mut().zip(counts).enumerate() {
            let mut group = Group::default();
            for _ in 0..count {
                let raw = self.record()?;
                if raw.rtype == rtype::OPT {
                    // RFC 6891 section 6.1.1: OPT "MAY be placed anywhere within the additional
                    // data section", once.
                    if index != 2 {
                        return Err(Malformed::Opt);
                    }
                    self.opt(&raw)?;
                } else if raw.class == CLASS_IN {
                    let mut rdata = Vec::with_capacity(raw.end - raw.start);
                    rdata::expand(self.data, raw.rtype, raw.start, raw.end, &mut rdata)?;
                    group.add(&raw, rdata.into_boxed_slice());
                }
            }
            *section = group.finish();
        }
        Ok(sections)
    }

    fn record(&mut self) -> Result<Raw, Malformed> {
        let mut owner = NameBuf::new();
        let at = name::read(self.data, self.at, &mut owner)?;
        owner.lower();
        let start = at + 10;
        let end = start + usize::from(u16_at(self.data, at + 8)?);
        if end > self.data.len() {
            return Err(Malformed::Short);
        }
        self.at = end;
        Ok(Raw {
            owner,
            rtype: u16_at(self.data, at)?,
            class: u16_at(self.data, at + 2)?,
            ttl: u32_at(self.data, at + 4)?,
            start,
            end,
        })
    }

    fn opt(&mut self, raw: &Raw) -> Result<(), Malformed> {
        if self.edns.is_some() || raw.owner.len() != 1 {
            return Err(Malformed::Opt);
        }
        let mut options = Vec::new();
        let mut at = raw.start;
        while at < raw.end {
            let (code, length) = (u16_at(self.data, at)?, u16_at(self.data, at + 2)?);
            let end = at + 4 + usize::from(length);
            if end > raw.end {
                return Err(Malformed::Opt);
            }
            options.push((code, Box::from(&self.data[at + 4..end])));
            at = end;
        }
        self.rcode_high = (raw.ttl >> 24) as u16;
        self.edns = Some(Edns {
            payload: raw.class,
            version: (raw.ttl >> 16) as u8,
            do_bit: raw.ttl & 0x8000 != 0,
            options,
        });
        Ok(())
    }
}

/// RRsets of one section in the making. Owners and rdata are found again by a 64-bit keyed hash
/// first, so that a message of thousands of records costs no more than scans of small numbers.
#[derive(Default)]
struct Group {
    hasher: RandomState,
    sets: Vec<(u64, RRset)>,
    /// Hashes of the rdata and signatures of each set.
    seen: Vec<Vec<u64>>,
    /// Owner, covered type, TTL, rdata.
    signatures: Vec<(NameBuf, u16, u32, Box<[u8]>)>,
}

impl Group {
    fn add(&mut self, raw: &Raw, rdata: Box<[u8]>) {
        // RFC 2181 section 8: "treat TTL values received with the most significant bit set as
        // if the entire value received was zero".
        let ttl = if raw.ttl > i32::MAX as u32 { 0 } else { raw.ttl };
        if raw.rtype == rtype::RRSIG {
            let covered = u16::from_be_bytes([rdata[0], rdata[1]]);
            self.signatures.push((raw.owner, covered, ttl, rdata));
        } else {
            let index = self.find_or_add(&raw.owner, raw.rtype, ttl);
            self.push(index, ttl, rdata);
        }
    }

    fn hash(&self, owner: &[u8], rrtype: u16) -> u64 {
        self.hasher.hash_one((owner, rrtype))
    }

    fn find(&self, hash: u64, owner: &[u8], rrtype: u16) -> Option<usize> {
        self.sets
            .iter()
            .position(|(known, set)| *known == hash && set.rtype == rrtype && *set.name == *owner)
    }

    fn find_or_add(&mut self, owner: &[u8], rrtype: u16, ttl: u32) -> usize {
        let hash = self.hash(owner, rrtype);
        self.find(hash, owner, rrtype).unwrap_or_else(|| {
            let set = RRset { name: Box::from(owner), rtype: rrtype, ttl, ..RRset::default() };
            self.sets.push((hash, set));
            self.seen.push(Vec::new());
            self.sets.len() - 1
        })
    }

    fn push(&mut self, index: usize, ttl: u32, rdata: Box<[u8]>) {
        let hash = self.hasher.hash_one(&rdata);
        let set = &mut self.sets[index].1;
        // RFC 2181 section 5.2: one TTL for the RRset, the least.
        set.ttl = set.ttl.min(ttl);
        // RFC 2181 section 5: no two equal records in an RRset.
        if !(self.seen[index].contains(&hash) && set.rdatas.contains(&rdata)) {
            self.seen[index].push(hash);
            set.rdatas.push(rdata);
        }
    }

    fn finish(mut self) -> Vec<RRset> {
        for (owner, covered, ttl, rdata) in std::mem::take(&mut self.signatures) {
            let hash = self.hash(&owner, covered);
            if let Some(index) = self.find(hash, &owner, covered) {
                let hash = self.hasher.hash_one(&rdata);
                let set = &mut self.sets[index].1;
                // RFC 4035 section 5.3.3: the TTL of the RRSIG bounds that of the RRset.
                set.ttl = set.ttl.min(ttl);
                if !(self.seen[index].contains(&hash) && set.signatures.contains(&rdata)) {
                    self.seen[index].push(hash);
                    set.signatures.push(rdata);
                }
            } else {
                let index = self.find_or_add(&owner, rtype::RRSIG, ttl);
                self.push(index, ttl, rdata);
            }
        }
        self.sets.into_iter().map(|(_, set)| set).collect()
    }
}
