//! What a signature is over: the RRset in canonical form behind the head of its RRSIG.
//!
//! RFC 4034 sections 3.1.8.1 (signature), 3.1.3 (labels), 3.1.5 (validity) and 6 (canonical form),
//! RFC 4035 section 5.3.2, RFC 6840 section 5.1 (whose names are brought to lower case).

use crate::wire::name::{OCTETS_MAX, labels, plain_length};
use crate::wire::rdata::{Field, layout};
use crate::wire::{CLASS_IN, Malformed, u16_at, u32_at};

/// Octets of an RRSIG before its signer's name.
const HEAD: usize = 18;
const NSEC: u16 = 47;

/// The fields of an RRSIG (RFC 4034 section 3.1).
#[derive(Clone, Copy, Debug)]
pub struct Rrsig<'a> {
    head: &'a [u8],
    pub covered: u16,
    pub algorithm: u8,
    pub labels: u8,
    pub original_ttl: u32,
    pub expiration: u32,
    pub inception: u32,
    pub key_tag: u16,
    /// Case as it came.
    pub signer: &'a [u8],
    pub signature: &'a [u8],
}

/// Octets that were signed.
#[derive(Debug, PartialEq, Eq)]
pub struct Signed {
    pub data: Vec<u8>,
    /// The signature is that of a wildcard, and the name was made from it (RFC 4035 5.3.4: the
    /// denial of the name itself must be there, too).
    pub expanded: bool,
}

impl<'a> Rrsig<'a> {
    pub fn read(rdata: &'a [u8]) -> Result<Self, Malformed> {
        let (head, rest) = rdata.split_at_checked(HEAD).ok_or(Malformed::Short)?;
        let (signer, signature) = rest.split_at(plain_length(rest)?);
        if signature.is_empty() {
            return Err(Malformed::Rdata);
        }
        Ok(Self {
            head,
            covered: u16_at(head, 0)?,
            algorithm: head[2],
            labels: head[3],
            original_ttl: u32_at(head, 4)?,
            expiration: u32_at(head, 8)?,
            inception: u32_at(head, 12)?,
            key_tag: u16_at(head, 16)?,
            signer,
            signature,
        })
    }

    /// Whether it is in force. RFC 4034 section 3.1.5: both dates "are in serial number
    /// arithmetic".
    pub fn holds_at(&self, wall: u32) -> bool {
        let not_before = |early: u32, late: u32| late.wrapping_sub(early) < 1 << 31;
        not_before(self.inception, wall) && not_before(wall, self.expiration)
    }

    /// The octets that it is over, for an RRset of this owner and type.
    pub fn signed<'r>(
        &self,
        owner: &[u8],
        rrtype: u16,
        rdatas: impl Iterator<Item = &'r [u8]>,
    ) -> Result<Signed, Malformed> {
        if rrtype != self.covered {
            return Err(Malformed::Rdata);
        }
        let (owner, expanded) = self.owner(owner)?;
        let mut sorted: Vec<Vec<u8>> = Vec::new();
        for rdata in rdatas {
            let mut out = Vec::with_capacity(rdata.len());
            canonical(rrtype, rdata, &mut out)?;
            sorted.push(out);
        }
        // RFC 4034 section 6.3: in the order of their octets, each once.
        sorted.sort_unstable();
        sorted.dedup();
        let fixed = owner.len() + 10;
        let size = sorted.iter().map(|rdata| fixed + rdata.len()).sum::<usize>();
        let mut data = Vec::with_capacity(HEAD + self.signer.len() + size);
        data.extend_from_slice(self.head);
        push_lower(self.signer, &mut data);
        for rdata in &sorted {
            let length = u16::try_from(rdata.len()).map_err(|_| Malformed::Rdata)?;
            data.extend_from_slice(&owner);
            data.extend_from_slice(&rrtype.to_be_bytes());
            data.extend_from_slice(&CLASS_IN.to_be_bytes());
            data.extend_from_slice(&self.original_ttl.to_be_bytes());
            data.extend_from_slice(&length.to_be_bytes());
            data.extend_from_slice(rdata);
        }
        Ok(Signed { data, expanded })
    }

    /// The owner as it was signed. RFC 4034 section 3.1.3: the labels "MUST NOT count either the
    /// null (root) label that terminates the owner name or the wildcard label (if present)".
    fn owner(&self, owner: &[u8]) -> Result<(Vec<u8>, bool), Malformed> {
        if plain_length(owner)? != owner.len() {
            return Err(Malformed::Rdata);
        }
        let asterisk = owner.starts_with(b"\x01*");
        let excess = (labels(owner) - u64::from(asterisk))
            .checked_sub(u64::from(self.labels))
            .ok_or(Malformed::Rdata)?;
        let mut out = Vec::with_capacity(OCTETS_MAX);
        if excess == 0 {
            push_lower(owner, &mut out);
            return Ok((out, false));
        }
        // RFC 4035 section 5.3.2: the rightmost labels, below an asterisk.
        let mut at = 0;
        for _ in 0..excess + u64::from(asterisk) {
            at += 1 + usize::from(owner[at]);
        }
        out.extend_from_slice(b"\x01*");
        push_lower(&owner[at..], &mut out);
        Ok((out, true))
    }
}

/// Append a name in lower case: its length octets are below every letter.
fn push_lower(name: &[u8], out: &mut Vec<u8>) {
    out.extend(name.iter().map(u8::to_ascii_lowercase));
}

/// Append uncompressed rdata in canonical form: names in lower case where RFC 4034 section 6.2 has
/// the type in its list, but for NSEC (RFC 6840 section 5.1).
pub fn canonical(rrtype: u16, rdata: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    let mut rest = rdata;
    for field in layout(rrtype) {
        let (length, is_name) = match field {
            Field::Octets(count) => (*count, false),
            Field::Text => (1 + usize::from(*rest.first().ok_or(Malformed::Short)?), false),
            Field::Name => (plain_length(rest)?, true),
            Field::A6 => {
                let prefix = usize::from(*rest.first().ok_or(Malformed::Short)?);
                let octets = 1 + 128usize.checked_sub(prefix).ok_or(Malformed::Rdata)?.div_ceil(8);
                let (suffix, after) = rest.split_at_checked(octets).ok_or(Malformed::Short)?;
                out.extend_from_slice(suffix);
                rest = after;
                if prefix == 0 { (0, false) } else { (plain_length(rest)?, true) }
            }
            Field::Rest => (rest.len(), false),
        };
        let (piece, after) = rest.split_at_checked(length).ok_or(Malformed::Short)?;
        if is_name && rrtype != NSEC {
            push_lower(piece, out);
        } else {
            out.extend_from_slice(piece);
        }
        rest = after;
    }
    if rest.is_empty() { Ok(()) } else { Err(Malformed::Rdata) }
}
