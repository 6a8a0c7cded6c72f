//! A client's query, read without copying: header, one question, OPT (RFC 1035, 6891, 7828, 9619).
//!
//! Limitations: options other than edns-tcp-keepalive (cookie, padding, client subnet) are walked
//! to see that they fill the OPT record, and ignored; TSIG and SIG(0) are ignored.

use super::name::{self, NameBuf};
use super::{HEADER, Malformed, UDP_MIN, flag, rcode, rtype, u16_at, u32_at};

/// OPT and one TSIG or SIG(0); a query has no use for more records.
const ADDITIONAL_MAX: u16 = 2;
/// Options walked in one OPT record; there are not so many kinds.
const OPTIONS_MAX: usize = 64;

/// Option code of edns-tcp-keepalive (RFC 7828 section 3.1).
pub const KEEPALIVE_OPTION: u16 = 11;

/// The OPT record of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientEdns {
    pub payload: u16,
    pub version: u8,
    pub do_bit: bool,
    /// To be told since the client asked: how long its connection may be idle, in units of 100 ms.
    pub keepalive: Option<u16>,
}

/// What of a query shapes its reply beside the question. Small, so that a miss can keep it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    pub id: u16,
    /// The header's second word as it came.
    pub flags: u16,
    pub edns: Option<ClientEdns>,
}

impl Client {
    pub fn rd(&self) -> bool {
        self.flags & flag::RD != 0
    }

    pub fn cd(&self) -> bool {
        self.flags & flag::CD != 0
    }

    pub fn do_bit(&self) -> bool {
        self.edns.is_some_and(|edns| edns.do_bit)
    }

    /// Octets that a UDP reply may have; values below 512 count as 512 (RFC 6891 section 6.2.3).
    pub fn udp_limit(&self, payload_max: usize) -> usize {
        let stated = self.edns.map_or(UDP_MIN, |edns| usize::from(edns.payload));
        stated.min(payload_max).max(UDP_MIN)
    }
}

/// A query that can be answered.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    pub client: Client,
    /// The question section as it came: name in the client's case, type, class.
    pub question: &'a [u8],
    /// The name in lower case.
    pub name: NameBuf,
    pub qtype: u16,
    pub qclass: u16,
}

/// What a datagram from a client is.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)] // The common case, on the stack; a box would cost more.
pub enum Parsed<'a> {
    Query(Query<'a>),
    /// To be answered with an error; `question` is empty when it could not be read.
    Reject {
        client: Client,
        question: &'a [u8],
        rcode: u16,
    },
    /// Shorter than a header, or a response: answering it would start a loop.
    Drop,
}

/// Read a query. Octets after the last counted record are ignored: they have no meaning, and
/// refusing them would protect nobody.
///
/// `idle` is what a client is told that asks how long its connection may be idle; `None` over UDP,
/// where the option must be ignored (RFC 7828 section 3.3.1).
pub fn parse(packet: &[u8], idle: Option<u16>) -> Parsed<'_> {
    if packet.len() < HEADER {
        return Parsed::Drop;
    }
    let word = |index: usize| u16::from_be_bytes([packet[2 * index], packet[2 * index + 1]]);
    let mut client = Client { id: word(0), flags: word(1), edns: None };
    if client.flags & flag::QR != 0 {
        return Parsed::Drop;
    }
    if client.flags & flag::OPCODE != 0 {
        return Parsed::Reject { client, question: &[], rcode: rcode::NOTIMP };
    }
    // RFC 9619 section 4: "a message with OPCODE = 0 and QDCOUNT > 1 MUST be treated as an
    // incorrectly formatted message". No question at all is of use with cookies only.
    if word(2) != 1 {
        return Parsed::Reject { client, question: &[], rcode: rcode::FORMERR };
    }
    let mut name = NameBuf::new();
    let Ok((question, qtype, qclass)) = read_question(packet, &mut name) else {
        return Parsed::Reject { client, question: &[], rcode: rcode::FORMERR };
    };
    let counts_ok = word(3) == 0 && word(4) == 0 && word(5) <= ADDITIONAL_MAX;
    let at = HEADER + question.len();
    if !counts_ok || read_additional(packet, at, word(5), idle, &mut client).is_err() {
        return Parsed::Reject { client, question, rcode: rcode::FORMERR };
    }
    // RFC 6891 section 6.1.3: "If a responder does not implement the VERSION level of the
    // request, then it MUST respond with RCODE=BADVERS".
    if client.edns.is_some_and(|edns| edns.version > 0) {
        return Parsed::Reject { client, question, rcode: rcode::BADVERS };
    }
    name.lower();
    Parsed::Query(Query { client, question, name, qtype, qclass })
}

/// The question section, plain: nothing stands before it that a pointer could go to.
fn read_question<'a>(
    packet: &'a [u8],
    name: &mut NameBuf,
) -> Result<(&'a [u8], u16, u16), Malformed> {
    let at = name::read(packet, HEADER, name)?;
    let (qtype, qclass) = (u16_at(packet, at)?, u16_at(packet, at + 2)?);
    Ok((&packet[HEADER..at + 4], qtype, qclass))
}

fn read_additional(
    packet: &[u8],
    mut at: usize,
    count: u16,
    idle: Option<u16>,
    client: &mut Client,
) -> Result<(), Malformed> {
    let mut owner = NameBuf::new();
    for _ in 0..count {
        at = name::read(packet, at, &mut owner)?;
        let rrtype = u16_at(packet, at)?;
        let rdata = at + 10;
        let end = rdata + usize::from(u16_at(packet, at + 8)?);
        if end > packet.len() {
            return Err(Malformed::Short);
        }
        if rrtype == rtype::OPT {
            // RFC 6891 section 6.1.1: "If a query message with more than one OPT RR is received,
            // a FORMERR (RCODE=1) MUST be returned".
            if client.edns.is_some() || owner.len() != 1 {
                return Err(Malformed::Opt);
            }
            let ttl = u32_at(packet, at + 4)?;
            client.edns = Some(ClientEdns {
                payload: u16_at(packet, at + 2)?,
                version: (ttl >> 16) as u8,
                do_bit: ttl & 0x8000 != 0,
                keepalive: None,
            });
            let keepalive = walk_options(&packet[rdata..end], idle)?;
            client.edns = client.edns.map(|edns| ClientEdns { keepalive, ..edns });
        }
        at = end;
    }
    Ok(())
}

/// `idle` when the client asks for it, with an empty option as RFC 7828 section 3.2.1 wants.
fn walk_options(rdata: &[u8], idle: Option<u16>) -> Result<Option<u16>, Malformed> {
    let (mut at, mut keepalive) = (0, None);
    for _ in 0..OPTIONS_MAX {
        if at == rdata.len() {
            return Ok(keepalive);
        }
        let octets = usize::from(u16_at(rdata, at + 2)?);
        if idle.is_some() && u16_at(rdata, at)? == KEEPALIVE_OPTION {
            if octets > 0 {
                return Err(Malformed::Opt);
            }
            keepalive = idle;
        }
        at += 4 + octets;
        if at > rdata.len() {
            return Err(Malformed::Opt);
        }
    }
    Err(Malformed::Opt)
}
