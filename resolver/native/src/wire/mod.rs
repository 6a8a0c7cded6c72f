//! The wire codec: DNS messages read and written (RFC 1035, 2181, 3597, 6891, 8914).
//!
//! `name` and `rdata` are the parts, `message` reads replies in full, `query` reads a client's
//! question, `compose` writes replies, `ask` writes our own questions and matches replies to them.
//!
//! Limitations: class IN only; TSIG, SIG(0), cookies and padding are not understood.

pub mod ask;
pub mod compose;
pub mod message;
pub mod name;
pub mod query;
pub mod rdata;

use std::fmt;

/// Octets of the fixed header (RFC 1035 section 4.1.1).
pub const HEADER: usize = 12;
/// The longest message that a stream can carry: its length field has 16 bits.
pub const MESSAGE_MAX: usize = 65_535;
/// UDP size of a client without EDNS (RFC 1035 section 4.2.1), and the least that EDNS may state.
pub const UDP_MIN: usize = 512;
/// UDP payload that we state in our OPT: it passes every path unfragmented (DNS flag day 2020).
pub const PAYLOAD: u16 = 1232;
pub const CLASS_IN: u16 = 1;

/// Record types that the packet path must know by name.
pub mod rtype {
    pub const A: u16 = 1;
    pub const CNAME: u16 = 5;
    pub const SOA: u16 = 6;
    pub const AAAA: u16 = 28;
    pub const DNAME: u16 = 39;
    pub const OPT: u16 = 41;
    pub const RRSIG: u16 = 46;
}

/// Response codes that the packet path gives by itself.
pub mod rcode {
    pub const NOERROR: u16 = 0;
    pub const FORMERR: u16 = 1;
    pub const SERVFAIL: u16 = 2;
    pub const NOTIMP: u16 = 4;
    pub const REFUSED: u16 = 5;
    pub const BADVERS: u16 = 16;
}

/// Bits of the second 16-bit word of the header.
pub mod flag {
    pub const QR: u16 = 0x8000;
    pub const OPCODE: u16 = 0x7800;
    pub const AA: u16 = 0x0400;
    pub const TC: u16 = 0x0200;
    pub const RD: u16 = 0x0100;
    pub const RA: u16 = 0x0080;
    pub const AD: u16 = 0x0020;
    pub const CD: u16 = 0x0010;
    pub const RCODE: u16 = 0x000F;
}

/// Why a message cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// It ends in the middle of something.
    Short,
    /// A name is over 255 octets.
    NameLong,
    /// A label of a reserved kind.
    LabelKind,
    /// A compression pointer that does not point backwards into the message, or one too many.
    Pointer,
    /// Rdata whose length or shape does not fit its type.
    Rdata,
    /// Not exactly one question, or one in a class other than IN.
    Question,
    /// An OPT record with a bad owner, a second one, one outside the additional section, or one
    /// whose options do not fill it.
    Opt,
}

impl fmt::Display for Malformed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Short => "message ends too early",
            Self::NameLong => "name over 255 octets",
            Self::LabelKind => "reserved label kind",
            Self::Pointer => "bad compression pointer",
            Self::Rdata => "rdata does not fit its type",
            Self::Question => "not one question in class IN",
            Self::Opt => "bad OPT record",
        })
    }
}

impl std::error::Error for Malformed {}

/// The 16-bit number at `at`.
pub(crate) fn u16_at(data: &[u8], at: usize) -> Result<u16, Malformed> {
    let octets = data.get(at..at + 2).ok_or(Malformed::Short)?;
    Ok(u16::from_be_bytes([octets[0], octets[1]]))
}

/// The 32-bit number at `at`.
pub(crate) fn u32_at(data: &[u8], at: usize) -> Result<u32, Malformed> {
    let octets = data.get(at..at + 4).ok_or(Malformed::Short)?;
    Ok(u32::from_be_bytes([octets[0], octets[1], octets[2], octets[3]]))
}

/// Seconds as whole microseconds: TTL arithmetic must not suffer from the rounding of `f64`.
pub fn micros(seconds: f64) -> i64 {
    (seconds * 1e6).round() as i64
}

/// What is left at `now` of a TTL that began at `made` (both microseconds): less one for each
/// whole second gone, as every resolver counts; 0 when none.
pub fn ttl_left(ttl: u32, made: i64, now: i64) -> u32 {
    let gone = now.saturating_sub(made).div_euclid(1_000_000);
    (i64::from(ttl) - gone).clamp(0, i64::from(ttl)) as u32
}
