//! The shape of rdata: where names stand in it, so that they can be uncompressed and compressed.
//!
//! RFC 3597 section 4: receivers "MUST decompress" the types of RFC 1035 and "SHOULD" RP, AFSDB,
//! RT, SIG, PX, NXT, NAPTR and SRV. KX, DNAME, A6, RRSIG and NSEC must not be sent compressed; we
//! read them either way. Only the types of RFC 1035 are written compressed.
//!
//! Limitations: types without names are opaque, save that A and AAAA must have their length.

use super::{Malformed, name, rtype};

/// One piece of rdata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// So many octets.
    Octets(usize),
    /// A character string (RFC 1035 section 3.3).
    Text,
    /// A domain name.
    Name,
    /// Prefix length, address suffix, and a name unless the prefix length is 0 (RFC 2874 3.1).
    A6,
    /// All that is left.
    Rest,
}

/// The pieces of rdata of a type in class IN.
pub fn layout(rrtype: u16) -> &'static [Field] {
    use Field::{A6, Name, Octets, Rest, Text};
    match rrtype {
        rtype::A => &[Octets(4)],
        rtype::AAAA => &[Octets(16)],
        // NS MD MF CNAME MB MG MR PTR, DNAME
        2..=5 | 7..=9 | 12 | 39 => &[Name],
        rtype::SOA => &[Name, Name, Octets(20)],
        // MINFO, RP
        14 | 17 => &[Name, Name],
        // MX, AFSDB, RT, KX
        15 | 18 | 21 | 36 => &[Octets(2), Name],
        // SIG, RRSIG
        24 | rtype::RRSIG => &[Octets(18), Name, Rest],
        // PX
        26 => &[Octets(2), Name, Name],
        // NXT, NSEC
        30 | 47 => &[Name, Rest],
        // SRV
        33 => &[Octets(6), Name],
        // NAPTR
        35 => &[Octets(4), Text, Text, Text, Name],
        38 => &[A6],
        _ => &[Rest],
    }
}

/// Whether names in rdata of this type may be written compressed (RFC 3597 section 4).
pub fn compresses(rrtype: u16) -> bool {
    matches!(rrtype, 2..=9 | 12 | 14 | 15)
}

/// Append the rdata that stands at `start..end` of `message`, names uncompressed and case kept.
pub fn expand(
    message: &[u8],
    rrtype: u16,
    start: usize,
    end: usize,
    out: &mut Vec<u8>,
) -> Result<(), Malformed> {
    let mut at = start;
    for field in layout(rrtype) {
        at = match field {
            Field::Octets(count) => copy(message, at, at + count, end, out)?,
            Field::Text => {
                let length = usize::from(*message.get(at).ok_or(Malformed::Short)?);
                copy(message, at, at + 1 + length, end, out)?
            }
            Field::Name => expand_name(message, at, end, out)?,
            Field::A6 => {
                let prefix = usize::from(*message.get(at).ok_or(Malformed::Short)?);
                let suffix = 128usize.checked_sub(prefix).ok_or(Malformed::Rdata)?.div_ceil(8);
                let next = copy(message, at, at + 1 + suffix, end, out)?;
                if prefix == 0 { next } else { expand_name(message, next, end, out)? }
            }
            Field::Rest => copy(message, at, end, end, out)?,
        };
    }
    if at == end { Ok(()) } else { Err(Malformed::Rdata) }
}

fn copy(
    message: &[u8],
    from: usize,
    to: usize,
    end: usize,
    out: &mut Vec<u8>,
) -> Result<usize, Malformed> {
    if from > to || to > end {
        return Err(Malformed::Rdata);
    }
    out.extend_from_slice(message.get(from..to).ok_or(Malformed::Short)?);
    Ok(to)
}

fn expand_name(
    message: &[u8],
    at: usize,
    end: usize,
    out: &mut Vec<u8>,
) -> Result<usize, Malformed> {
    let mut buffer = name::NameBuf::new();
    let next = name::read(message, at, &mut buffer)?;
    if next > end {
        return Err(Malformed::Rdata);
    }
    out.extend_from_slice(&buffer);
    Ok(next)
}
