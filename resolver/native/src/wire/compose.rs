//! Replies to clients: composed once, then patched for each client while being copied.
//!
//! RFC 1035 section 4.1.4 (compression), RFC 2181 section 9 and RFC 2308 (truncation, TTLs),
//! RFC 6891 section 6.2 (OPT), RFC 7828 (edns-tcp-keepalive), RFC 8914 (extended errors).
//!
//! Limitations: AA is never set and AD neither, until there is validation.

use std::collections::HashMap;

use super::message::RRset;
use super::query::{Client, ClientEdns, KEEPALIVE_OPTION};
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
/// The option edns-tcp-keepalive with a time.
const KEEPALIVE_OCTETS: usize = 6;
/// Room that a composed message leaves for OPT with all extended errors.
const OPT_ROOM: usize = OPT_OCTETS + KEEPALIVE_OCTETS + EDE_MAX * (6 + EDE_TEXT_MAX);

/// A composed reply without what is the client's: ID, RD, CD, letter case, OPT, truncation.
///
/// One run of octets, as the cache keeps it: a header of ours, then the message (ID 0), then where
/// TTLs stand in it as 16-bit numbers, then extended errors as options.
#[derive(Clone, Copy)]
pub struct View<'a>(&'a [u8]);

/// An [`Answer`] of its own.
#[derive(Debug)]
pub struct Answer(Box<[u8]>);

/// Our header: microseconds that TTLs count from; octets of the message; end of the question in
/// it; response code, whose upper bits go to OPT; number of TTLs.
mod head {
    pub const MADE: usize = 0;
    pub const LENGTH: usize = 8;
    pub const QUESTION_END: usize = 10;
    pub const RCODE: usize = 12;
    pub const TTLS: usize = 14;
    pub const OCTETS: usize = 16;
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
        let Writer { octets: message, ttls, .. } = writer;
        let mut octets = Vec::with_capacity(head::OCTETS + message.len() + 2 * ttls.len());
        octets.extend(micros(now).to_ne_bytes());
        for number in [message.len(), question_end, usize::from(rcode), ttls.len()] {
            octets.extend((number as u16).to_ne_bytes());
        }
        octets.extend(message);
        octets.extend(ttls.iter().flat_map(|offset| offset.to_ne_bytes()));
        octets.extend(ede_options(ede));
        Self(octets.into_boxed_slice())
    }

    /// Say that there is more over TCP.
    pub fn truncate(&mut self) {
        self.0[head::OCTETS + 2] |= (flag::TC >> 8) as u8;
    }

    /// To read it and to write replies of it.
    pub fn view(&self) -> View<'_> {
        View(&self.0)
    }

    /// As [`View::message`].
    pub fn message(&self, now: f64) -> Vec<u8> {
        self.view().message(micros(now))
    }

    /// As [`View::write`].
    pub fn write(
        &self,
        client: &Client,
        question: &[u8],
        now: f64,
        limit: usize,
        out: &mut [u8],
    ) -> usize {
        self.view().write(client, question, micros(now), limit, out)
    }
}

impl<'a> View<'a> {
    /// Of octets that [`View::octets`] gave.
    pub fn of(octets: &'a [u8]) -> Self {
        Self(octets)
    }

    /// What [`View::of`] takes.
    pub fn octets(self) -> &'a [u8] {
        self.0
    }

    fn number(self, at: usize) -> usize {
        usize::from(u16::from_ne_bytes([self.0[at], self.0[at + 1]]))
    }

    /// When it was composed, in microseconds.
    pub fn made(self) -> i64 {
        self.0[head::MADE..].first_chunk().map_or(0, |octets| i64::from_ne_bytes(*octets))
    }

    fn question_end(self) -> usize {
        self.number(head::QUESTION_END)
    }

    fn octets_of_message(self) -> &'a [u8] {
        &self.0[head::OCTETS..][..self.number(head::LENGTH)]
    }

    fn ttls(self) -> &'a [u8] {
        let start = head::OCTETS + self.number(head::LENGTH);
        &self.0[start..][..2 * self.number(head::TTLS)]
    }

    fn ede(self) -> &'a [u8] {
        &self.0[head::OCTETS + self.number(head::LENGTH) + 2 * self.number(head::TTLS)..]
    }

    /// Name and type of the question, in wire form.
    pub fn question(self) -> (&'a [u8], [u8; 2]) {
        let end = self.question_end() - 4;
        let octets = self.octets_of_message();
        (&octets[HEADER..end], [octets[end], octets[end + 1]])
    }

    /// Response code with its extended bits.
    pub fn rcode(self) -> u16 {
        self.number(head::RCODE) as u16
    }

    /// The reply with ID 0, RA set and no OPT, TTLs counted down to `now` (microseconds).
    pub fn message(self, now: i64) -> Vec<u8> {
        let mut out = self.octets_of_message().to_vec();
        self.count_down(now, &mut out);
        out
    }

    /// Write the reply for one client into `out`, at most `limit` octets; returns its length.
    ///
    /// What does not fit becomes the question alone with TC (and OPT where the client sent one).
    /// `question` is the question section as the client sent it; `out` holds `limit` octets and
    /// these 512 at least. `now` is in microseconds.
    pub fn write(
        self,
        client: &Client,
        question: &[u8],
        now: i64,
        limit: usize,
        out: &mut [u8],
    ) -> usize {
        let limit = limit.min(out.len());
        let (message, question_end, rcode) =
            (self.octets_of_message(), self.question_end(), self.rcode());
        let opt = client
            .edns
            .map(|edns| Opt::fit(edns, rcode, self.ede(), [message.len(), question_end], limit));
        let room = limit.saturating_sub(opt.as_ref().map_or(0, |opt| opt.length));
        let whole = message.len() <= room;
        let mut at = if whole { message.len() } else { question_end };
        out[..at].copy_from_slice(&message[..at]);
        let mut flags = u16::from_be_bytes([out[2], out[3]]);
        if whole {
            self.count_down(now, out);
        } else {
            flags |= flag::TC;
            out[6..HEADER].fill(0);
        }
        out[..2].copy_from_slice(&client.id.to_be_bytes());
        flags |= client.flags & (flag::RD | flag::CD);
        if opt.is_none() && rcode > flag::RCODE {
            // The lower bits alone would say something else.
            flags = flags & !flag::RCODE | rcode::SERVFAIL;
        }
        out[2..4].copy_from_slice(&flags.to_be_bytes());
        if question.len() == question_end - HEADER {
            out[HEADER..question_end].copy_from_slice(question);
        }
        if let Some(opt) = opt {
            at = opt.write(out, at);
        }
        at
    }

    fn count_down(self, now: i64, out: &mut [u8]) {
        let made = self.made();
        if now == made {
            return;
        }
        for offset in self.ttls().chunks_exact(2) {
            let at = usize::from(u16::from_ne_bytes([offset[0], offset[1]]));
            let field = &mut out[at..at + 4];
            let ttl = u32::from_be_bytes([field[0], field[1], field[2], field[3]]);
            field.copy_from_slice(&ttl_left(ttl, made, now).to_be_bytes());
        }
    }
}

/// The question alone with TC: the client is to come back by TCP. Returns its length.
pub fn truncated(client: &Client, question: &[u8], out: &mut [u8]) -> usize {
    let length = error(client, question, rcode::NOERROR, &[], out);
    out[2] |= (flag::TC >> 8) as u8;
    length
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
    let ede = ede_options(ede);
    let room = super::UDP_MIN - end;
    let kept = [EdeKept::Text, EdeKept::Codes, EdeKept::Nothing]
        .into_iter()
        .find(|kept| Opt::new(edns, rcode, &ede, *kept).length <= room)
        .unwrap_or(EdeKept::Nothing);
    Opt::new(edns, rcode, &ede, kept).write(out, end)
}

/// Extended errors as options, cut to `EDE_MAX` and `EDE_TEXT_MAX`.
fn ede_options(ede: &[(u16, &str)]) -> Vec<u8> {
    let mut octets = Vec::new();
    for (code, text) in ede.iter().take(EDE_MAX) {
        let text = &text[..text.floor_char_boundary(EDE_TEXT_MAX)];
        for number in [EDE_OPTION, (2 + text.len()) as u16, *code] {
            octets.extend(number.to_be_bytes());
        }
        octets.extend(text.as_bytes());
    }
    octets
}

/// The codes and texts of `ede_options`.
fn each_ede(mut options: &[u8]) -> impl Iterator<Item = ([u8; 2], &[u8])> {
    std::iter::from_fn(move || {
        let (head, rest) = options.split_at_checked(EDE_HEAD)?;
        let (text, rest) =
            rest.split_at_checked(usize::from(u16::from_be_bytes([head[2], head[3]])) - 2)?;
        options = rest;
        Some(([head[4], head[5]], text))
    })
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
    fn octets(self, ede: &[u8]) -> usize {
        match self {
            Self::Text => ede.len(),
            Self::Codes => EDE_HEAD * each_ede(ede).count(),
            Self::Nothing => 0,
        }
    }
}

/// Our OPT record for one client.
struct Opt<'a> {
    edns: ClientEdns,
    rcode: u16,
    ede: &'a [u8],
    kept: EdeKept,
    length: usize,
}

impl<'a> Opt<'a> {
    fn new(edns: ClientEdns, rcode: u16, ede: &'a [u8], kept: EdeKept) -> Self {
        let keepalive = if edns.keepalive.is_some() { KEEPALIVE_OCTETS } else { 0 };
        Self { edns, rcode, ede, kept, length: OPT_OCTETS + keepalive + kept.octets(ede) }
    }

    /// With as much of the extended errors as the whole message leaves room for; with all of them
    /// when the message does not fit anyway and only the question is sent.
    fn fit(edns: ClientEdns, rcode: u16, ede: &'a [u8], bodies: [usize; 2], limit: usize) -> Self {
        for body in bodies {
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
        if let Some(idle) = self.edns.keepalive {
            for number in [KEEPALIVE_OPTION, 2, idle] {
                put(&number.to_be_bytes());
            }
        }
        if self.kept != EdeKept::Nothing {
            for (code, text) in each_ede(self.ede) {
                let text = if self.kept == EdeKept::Text { text } else { &[] };
                put(&EDE_OPTION.to_be_bytes());
                put(&((2 + text.len()) as u16).to_be_bytes());
                put(&code);
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
/// Octets of such an option before its text.
const EDE_HEAD: usize = 6;

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
