//! Our own questions to upstream servers, and the match of replies to them (RFC 5452).

use super::name::{self, NameBuf};
use super::{CLASS_IN, HEADER, PAYLOAD, flag, rcode, rtype};

/// Random octets that `build_query` needs for the letter case: one bit for each octet of a name.
pub const CASE_OCTETS: usize = 32;
/// The longest query of ours: header, name, type and class, OPT with NSID.
pub const QUERY_MAX: usize = HEADER + name::OCTETS_MAX + 4 + 11 + 4;

/// Option code of NSID (RFC 5001 section 4).
pub const NSID: u16 = 3;

/// What a query of ours has of EDNS; numbers are those of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Options {
    Plain = 0,
    Edns = 1,
    /// With the question for the server's identity (RFC 5001 section 2.1).
    Identity = 2,
    /// To a forwarder: RD is set.
    PlainRecursive = 4,
    EdnsRecursive = 5,
}

impl Options {
    /// By its number; any that is not known asks for most.
    pub fn from_number(number: u8) -> Self {
        match number {
            0 => Self::Plain,
            1 => Self::Edns,
            4 => Self::PlainRecursive,
            5 => Self::EdnsRecursive,
            _ => Self::Identity,
        }
    }

    fn has_edns(self) -> bool {
        !matches!(self, Self::Plain | Self::PlainRecursive)
    }

    fn is_recursive(self) -> bool {
        matches!(self, Self::PlainRecursive | Self::EdnsRecursive)
    }
}

/// Write the query that the door sends: as `edns` says, RD, OPT of 1232 octets and DO=1; letters
/// in the case that the bits of `case` say (draft-vixie-dnsext-dns0x20). Returns its length.
///
/// `name` is a plain wire name of at most 255 octets and `out` has `QUERY_MAX` octets or more.
pub fn build_query(
    name: &[u8],
    qtype: u16,
    id: u16,
    edns: Options,
    case: Option<&[u8; CASE_OCTETS]>,
    out: &mut [u8],
) -> usize {
    out[..HEADER].fill(0);
    out[..2].copy_from_slice(&id.to_be_bytes());
    out[5] = 1;
    out[2] = u8::from(edns.is_recursive());
    out[11] = u8::from(edns.has_edns());
    let mut at = HEADER;
    for (index, octet) in name.iter().enumerate() {
        let flip = case.is_some_and(|bits| bits[index / 8] >> (index % 8) & 1 == 1);
        // A length octet is at most 63, below every letter, so it is left as it is.
        out[at] = if flip { octet.to_ascii_uppercase() } else { *octet };
        at += 1;
    }
    for number in [qtype, CLASS_IN] {
        out[at..at + 2].copy_from_slice(&number.to_be_bytes());
        at += 2;
    }
    if edns.has_edns() {
        let [high, low] = PAYLOAD.to_be_bytes();
        let identity = edns == Options::Identity;
        let octets = if identity { 4 } else { 0 };
        // RFC 5001 section 2.1: the option of a query "SHOULD contain no data".
        let opt =
            [0, 0, rtype::OPT as u8, high, low, 0, 0, 0x80, 0, 0, octets, 0, NSID as u8, 0, 0];
        let length = 11 + usize::from(octets);
        out[at..at + length].copy_from_slice(&opt[..length]);
        at += length;
    }
    at
}

/// How a datagram relates to a query of ours that went to the address it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyMatch {
    /// ID and question are equal, letter case too.
    Exact,
    /// Equal but for letter case.
    Case,
    /// ID equal, an error without question and records, as servers that cannot read EDNS or the
    /// question send it. Good for a failure only.
    Bare,
    /// Not a reply to this query.
    No,
}

/// Compare a reply with the query that was sent (RFC 5452 section 9.1, except addresses).
pub fn match_reply(query: &[u8], reply: &[u8]) -> ReplyMatch {
    if query.len() < HEADER || reply.len() < HEADER || query[..2] != reply[..2] {
        return ReplyMatch::No;
    }
    let flags = u16::from_be_bytes([reply[2], reply[3]]);
    if flags & flag::QR == 0 || flags & flag::OPCODE != 0 {
        return ReplyMatch::No;
    }
    match u16::from_be_bytes([reply[4], reply[5]]) {
        0 if flags & flag::RCODE != rcode::NOERROR && reply[6..10] == [0; 4] => ReplyMatch::Bare,
        1 => match_question(query, reply),
        _ => ReplyMatch::No,
    }
}

fn match_question(query: &[u8], reply: &[u8]) -> ReplyMatch {
    let mut asked = NameBuf::new();
    let Ok(end) = name::read(query, HEADER, &mut asked) else {
        return ReplyMatch::No;
    };
    // Our query is uncompressed and nothing precedes the question of a reply, so an equal
    // question has equal octets.
    let (Some(ours), Some(theirs)) = (query.get(HEADER..end + 4), reply.get(HEADER..end + 4))
    else {
        return ReplyMatch::No;
    };
    let split = end - HEADER;
    if ours == theirs {
        ReplyMatch::Exact
    } else if ours[split..] == theirs[split..]
        && ours[..split].eq_ignore_ascii_case(&theirs[..split])
    {
        ReplyMatch::Case
    } else {
        ReplyMatch::No
    }
}
