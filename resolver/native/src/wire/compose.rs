//! Replies to clients: composed once, then patched for each client while being copied.
//!
//! RFC 1035 section 4.1.4 (compression), RFC 2181 section 9 and RFC 2308 (truncation, TTLs),
//! RFC 6891 section 6.2 (OPT), RFC 8914 (extended errors).
//!
//! Limitations: AA is never set and AD neither, until there is validation.

use std::collections::HashMap;

use super::message::RRset;
use super::query::{Client, ClientEdns};
use super::rdata::{self, Field};
use super::{CLASS_IN, HEADER, MESSAGE_MAX, PAYLOAD, flag, micros, name, rcode, rtype, ttl_left};

/// Pointers have 14 bits (RFC 1035 section 4.1.4).
const POINTER_END: usize = 0x4000;
/// Extended errors in a reply: one that tells, one that refines, some room.
pub const EDE_MAX: usize = 4;
/// Octets of text in an extended error: RFC 8914 section 2 asks to keep it short.
pub const EDE_TEXT_MAX: usize = 128;
/// OPT without options: root, type, class, TTL, length.
const OPT_OCTETS: usize = 11;
/// Room that a composed message leaves for OPT with all extended errors.
const OPT_ROOM: usize = OPT_OCTETS + EDE_MAX * (6 + EDE_TEXT_MAX);

/// Extended errors, cut to `EDE_MAX` and `EDE_TEXT_MAX`.
pub type Ede = Box<[(u16, Box<str>)]>;

/// A composed reply without what is the client's: ID, RD, CD, letter case, OPT, truncation.
#[derive(Debug)]
pub struct Answer {
    /// Header with ID 0, question, records; then where TTLs stand in them, as 16-bit numbers: one
    /// allocation, since a cache holds many.
    octets: Box<[u8]>,
    /// Octets of the message alone.
    length: usize,
    question_end: usize,
    /// Upper bits go to OPT.
    rcode: u16,
    ede: Ede,
    /// Microseconds that TTLs count from.
    made: i64,
}

impl Answer {
    /// Compose; TTLs count from `now` (seconds). Signatures follow the records they cover. The
    /// first RRset that does not fit ends the message, and TC is set.
    ///
    /// `qname` and owners are plain names in lower case.
    pub fn compose(
        qname: &[u8],
        qtype: u16,
        qclass: u16,
        rcode: u16,
        sections: [&[RRset]; 3],
        ede: &[(u16, &str)],
        now: f64,
    ) -> Self {
        let mut writer = Writer::new();
        writer.name(qname, true);
        writer.number(qtype);
        writer.number(qclass);
        let question_end = writer.octets.len();
        let mut flags = flag::QR | flag::RA | (rcode & flag::RCODE);
        'all: for (index, section) in sections.into_iter().enumerate() {
            for set in section {
                let Some(count) = writer.rrset(set) else {
                    flags |= flag::TC;
                    break 'all;
                };
                writer.count(3 + index, count);
            }
        }
        writer.octets[2..4].copy_from_slice(&flags.to_be_bytes());
        writer.count(2, 1);
        let length = writer.octets.len();
        writer.octets.extend(writer.ttls.iter().flat_map(|offset| offset.to_be_bytes()));
        Self {
            octets: writer.octets.into_boxed_slice(),
            length,
            question_end,
            rcode,
            ede: cut_ede(ede),
            made: micros(now),
        }
    }

    /// The reply with ID 0, RA set and no OPT, TTLs counted down to `now`.
    pub fn message(&self, now: f64) -> Vec<u8> {
        let mut out = self.octets[..self.length].to_vec();
        self.count_down(now, &mut out);
        out
    }

    /// Write the reply for one client into `out`, at most `limit` octets; returns its length.
    ///
    /// What does not fit becomes the question alone with TC (and OPT where the client sent one).
    /// `question` is the question section as the client sent it; `out` holds `limit` octets and
    /// these 512 at least.
    pub fn write(
        &self,
        client: &Client,
        question: &[u8],
        now: f64,
        limit: usize,
        out: &mut [u8],
    ) -> usize {
        let limit = limit.min(out.len());
        let opt = client.edns.map(|edns| Opt::fit(edns, self.rcode, &self.ede, self, limit));
        let room = limit.saturating_sub(opt.as_ref().map_or(0, |opt| opt.length));
        let whole = self.length <= room;
        let mut at = if whole { self.length } else { self.question_end };
        out[..at].copy_from_slice(&self.octets[..at]);
        let mut flags = u16::from_be_bytes([out[2], out[3]]);
        if whole {
            self.count_down(now, out);
        } else {
            flags |= flag::TC;
            out[6..HEADER].fill(0);
        }
        out[..2].copy_from_slice(&client.id.to_be_bytes());
        flags |= client.flags & (flag::RD | flag::CD);
        if opt.is_none() && self.rcode > flag::RCODE {
            // The lower bits alone would say something else.
            flags = flags & !flag::RCODE | rcode::SERVFAIL;
        }
        out[2..4].copy_from_slice(&flags.to_be_bytes());
        if question.len() == self.question_end - HEADER {
            out[HEADER..self.question_end].copy_from_slice(question);
        }
        if let Some(opt) = opt {
            at = opt.write(out, at);
        }
        at
    }

    /// Response code with its extended bits.
    pub fn rcode(&self) -> u16 {
        self.rcode
    }

    /// Octets of the heap that this answer holds: those of each allocation.
    pub fn allocations(&self) -> impl Iterator<Item = usize> + '_ {
        [self.octets.len(), size_of_val(&*self.ede)]
            .into_iter()
            .chain(self.ede.iter().map(|(_, text)| text.len()))
    }

    fn count_down(&self, now: f64, out: &mut [u8]) {
        let now = micros(now);
        if now == self.made {
            return;
        }
        for offset in self.octets[self.length..].chunks_exact(2) {
            let at = usize::from(u16::from_be_bytes([offset[0], offset[1]]));
            let field = &mut out[at..at + 4];
            let ttl = u32::from_be_bytes([field[0], field[1], field[2], field[3]]);
            field.copy_from_slice(&ttl_left(ttl, self.made, now).to_be_bytes());
        }
    }
}

/// An error straight from the query: question and OPT echoed, no records. Returns its length;
/// `out` has 512 octets at least.
///
/// `question` is empty when it could not be read.
pub fn error(
    client: &Client,
    question: &[u8],
    rcode: u16,
    ede: &[(u16, &str)],
    out: &mut [u8],
) -> usize {
    let keep = flag::OPCODE | flag::RD | flag::CD;
    let flags = flag::QR | flag::RA | (client.flags & keep) | (rcode & flag::RCODE);
    out[..HEADER].fill(0);
    out[..2].copy_from_slice(&client.id.to_be_bytes());
    out[2..4].copy_from_slice(&flags.to_be_bytes());
    out[5] = u8::from(!question.is_empty());
    let end = HEADER + question.len();
    out[HEADER..end].copy_from_slice(question);
    let Some(edns) = client.edns else { return end };
    let ede = cut_ede(ede);
    let room = super::UDP_MIN - end;
    let kept = [EdeKept::Text, EdeKept::Codes, EdeKept::Nothing]
        .into_iter()
        .find(|kept| OPT_OCTETS + kept.octets(&ede) <= room)
        .unwrap_or(EdeKept::Nothing);
    Opt::new(edns, rcode, &ede, kept).write(out, end)
}

fn cut_ede(ede: &[(u16, &str)]) -> Ede {
    let cut = |text: &str| Box::from(&text[..text.floor_char_boundary(EDE_TEXT_MAX)]);
    ede.iter().take(EDE_MAX).map(|(code, text)| (*code, cut(text))).collect()
}

/// What of the extended errors goes into a reply. RFC 8914 section 3: they must not push out what
/// the client asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum EdeKept {
    Text,
    Codes,
    Nothing,
}

impl EdeKept {
    fn octets(self, ede: &Ede) -> usize {
        match self {
            Self::Text => ede.iter().map(|(_, text)| 6 + text.len()).sum(),
            Self::Codes => 6 * ede.len(),
            Self::Nothing => 0,
        }
    }
}

/// Our OPT record for one client.
struct Opt<'a> {
    edns: ClientEdns,
    rcode: u16,
    ede: &'a Ede,
    kept: EdeKept,
    length: usize,
}

impl<'a> Opt<'a> {
    fn new(edns: ClientEdns, rcode: u16, ede: &'a Ede, kept: EdeKept) -> Self {
        Self { edns, rcode, ede, kept, length: OPT_OCTETS + kept.octets(ede) }
    }

    /// With as much of the extended errors as the whole message leaves room for; with all of them
    /// when the message does not fit anyway and only the question is sent.
    fn fit(edns: ClientEdns, rcode: u16, ede: &'a Ede, answer: &Answer, limit: usize) -> Self {
        for body in [answer.length, answer.question_end] {
            for kept in [EdeKept::Text, EdeKept::Codes, EdeKept::Nothing] {
                let opt = Self::new(edns, rcode, ede, kept);
                if body + opt.length <= limit {
                    return opt;
                }
            }
        }
        Self::new(edns, rcode, ede, EdeKept::Nothing)
    }

    fn write(&self, out: &mut [u8], start: usize) -> usize {
        let mut at = start;
        let mut put = |octets: &[u8]| {
            out[at..at + octets.len()].copy_from_slice(octets);
            at += octets.len();
        };
        put(&[0, 0, rtype::OPT as u8]);
        put(&PAYLOAD.to_be_bytes());
        // Extended RCODE, version 0, DO copied (RFC 3225 section 3), Z.
        put(&[(self.rcode >> 4) as u8, 0, u8::from(self.edns.do_bit) << 7, 0]);
        put(&((self.length - OPT_OCTETS) as u16).to_be_bytes());
        if self.kept != EdeKept::Nothing {
            for (code, text) in self.ede {
                let text = if self.kept == EdeKept::Text { text.as_bytes() } else { &[] };
                put(&EDE_OPTION.to_be_bytes());
                put(&((2 + text.len()) as u16).to_be_bytes());
                put(&code.to_be_bytes());
                put(text);
            }
        }
        let count = u16::from_be_bytes([out[10], out[11]]) + 1;
        out[10..12].copy_from_slice(&count.to_be_bytes());
        at
    }
}

/// Option code of an extended error (RFC 8914 section 2).
const EDE_OPTION: u16 = 15;

/// A message in the making.
struct Writer<'a> {
    octets: Vec<u8>,
    ttls: Vec<u16>,
    /// Where each suffix stands first. Letter case counts, so that rdata keeps its own.
    suffixes: HashMap<&'a [u8], u16>,
}

impl<'a> Writer<'a> {
    fn new() -> Self {
        let mut octets = Vec::with_capacity(512);
        octets.resize(HEADER, 0);
        Self { octets, ttls: Vec::new(), suffixes: HashMap::new() }
    }

    fn number(&mut self, number: u16) {
        self.octets.extend_from_slice(&number.to_be_bytes());
    }

    fn count(&mut self, word: usize, more: u16) {
        let field = &mut self.octets[2 * word..2 * word + 2];
        let count = u16::from_be_bytes([field[0], field[1]]) + more;
        field.copy_from_slice(&count.to_be_bytes());
    }

    /// Write a plain name, pointing to the longest suffix that stands already.
    fn name(&mut self, mut name: &'a [u8], compress: bool) {
        while name[0] != 0 {
            let here = self.octets.len();
            match self.suffixes.get(name) {
                Some(offset) if compress => return self.number(0xC000 | offset),
                None if here < POINTER_END => {
                    self.suffixes.insert(name, here as u16);
                }
                _ => {}
            }
            let (label, rest) = name.split_at(1 + usize::from(name[0]));
            self.octets.extend_from_slice(label);
            name = rest;
        }
        self.octets.push(0);
    }

    /// Write an RRset with its signatures; the number of records, or `None` when it does not fit
    /// and nothing was written.
    fn rrset(&mut self, set: &'a RRset) -> Option<u16> {
        let (octets, ttls) = (self.octets.len(), self.ttls.len());
        let records = set.rdatas.iter().map(|rdata| (set.rtype, rdata));
        let signatures = set.signatures.iter().map(|rdata| (rtype::RRSIG, rdata));
        for (rrtype, rdata) in records.chain(signatures) {
            self.record(set, rrtype, rdata);
            if self.octets.len() + OPT_ROOM > MESSAGE_MAX {
                self.octets.truncate(octets);
                self.ttls.truncate(ttls);
                return None;
            }
        }
        Some((set.rdatas.len() + set.signatures.len()) as u16)
    }

    fn record(&mut self, set: &'a RRset, rrtype: u16, rdata: &'a [u8]) {
        self.name(&set.name, true);
        self.number(rrtype);
        self.number(CLASS_IN);
        self.ttls.push(self.octets.len() as u16);
        self.octets.extend_from_slice(&set.ttl.to_be_bytes());
        let start = self.octets.len();
        self.number(0);
        if rdata::compresses(rrtype) {
            self.rdata(rrtype, rdata);
        } else {
            self.octets.extend_from_slice(rdata);
        }
        let length = (self.octets.len() - start - 2) as u16;
        self.octets[start..start + 2].copy_from_slice(&length.to_be_bytes());
    }

    /// Rdata of a type of RFC 1035, its names compressed. What does not have the shape of its type
    /// is written as it is.
    fn rdata(&mut self, rrtype: u16, mut rest: &'a [u8]) {
        for field in rdata::layout(rrtype) {
            match field {
                Field::Octets(count) if *count <= rest.len() => {
                    let (octets, after) = rest.split_at(*count);
                    self.octets.extend_from_slice(octets);
                    rest = after;
                }
                Field::Name if name::plain_length(rest).is_ok() => {
                    let (name, after) = rest.split_at(name::plain_length(rest).unwrap_or(0));
                    self.name(name, true);
                    rest = after;
                }
                _ => break,
            }
        }
        self.octets.extend_from_slice(rest);
    }
}
