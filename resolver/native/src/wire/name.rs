//! Domain names on the wire: reading with bounded decompression, and tests on plain wire names
//! (RFC 1035 sections 3.1 and 4.1.4, RFC 4343).

use std::ops::Deref;

use super::{HEADER, Malformed};

/// RFC 1035 section 2.3.4.
pub const OCTETS_MAX: usize = 255;
/// RFC 1035 section 2.3.4.
pub const LABEL_MAX: usize = 63;
/// A name has at most 127 labels, so an honest chain of pointers is not longer.
const POINTERS_MAX: usize = 127;

/// An uncompressed wire name on the stack.
#[derive(Clone, Copy)]
pub struct NameBuf {
    octets: [u8; OCTETS_MAX],
    length: u8,
}

impl NameBuf {
    /// The root.
    pub const fn new() -> Self {
        Self { octets: [0; OCTETS_MAX], length: 1 }
    }

    /// ASCII letters to lower case; length octets are below every letter.
    pub fn lower(&mut self) {
        self.octets[..usize::from(self.length)].make_ascii_lowercase();
    }
}

impl Default for NameBuf {
    fn default() -> Self {
        Self::new()
    }
}

impl Deref for NameBuf {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.octets[..usize::from(self.length)]
    }
}

impl std::fmt::Debug for NameBuf {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:?}", self.escape_ascii().to_string())
    }
}

/// Read the name at `start` into `out`, case kept; returns where the name ends in the message.
///
/// RFC 1035 section 4.1.4: a pointer is to "a prior occurance of the same name". Each pointer must
/// therefore go to before the piece that holds it, which also rules loops out.
pub fn read(message: &[u8], start: usize, out: &mut NameBuf) -> Result<usize, Malformed> {
    let (mut at, mut piece, mut length, mut pointers) = (start, start, 0, 0);
    let mut end = None;
    loop {
        let octet = *message.get(at).ok_or(Malformed::Short)?;
        match octet & 0xC0 {
            0 => {
                let step = 1 + usize::from(octet);
                let label = message.get(at..at + step).ok_or(Malformed::Short)?;
                let room = out.octets.get_mut(length..length + step).ok_or(Malformed::NameLong)?;
                room.copy_from_slice(label);
                length += step;
                at += step;
                if octet == 0 {
                    break;
                }
            }
            0xC0 => {
                let low = *message.get(at + 1).ok_or(Malformed::Short)?;
                let target = usize::from(octet & 0x3F) << 8 | usize::from(low);
                pointers += 1;
                if target >= piece || target < HEADER || pointers > POINTERS_MAX {
                    return Err(Malformed::Pointer);
                }
                end.get_or_insert(at + 2);
                (at, piece) = (target, target);
            }
            _ => return Err(Malformed::LabelKind),
        }
    }
    out.length = length as u8;
    Ok(end.unwrap_or(at))
}

/// Length of the uncompressed name at the start of `data`.
pub fn plain_length(data: &[u8]) -> Result<usize, Malformed> {
    let mut at = 0;
    loop {
        let octet = usize::from(*data.get(at).ok_or(Malformed::Short)?);
        if octet > LABEL_MAX {
            return Err(Malformed::LabelKind);
        }
        at += 1 + octet;
        if at > OCTETS_MAX {
            return Err(Malformed::NameLong);
        }
        if octet == 0 {
            return Ok(at);
        }
    }
}

/// Whether `name` is one whole uncompressed name.
pub fn is_plain(name: &[u8]) -> bool {
    plain_length(name) == Ok(name.len())
}

/// Labels of the uncompressed name at the start of `data`, the root's left out. What is cut short
/// has those that are there.
pub fn labels(data: &[u8]) -> u64 {
    let (mut at, mut count) = (0, 0);
    while let Some(octet @ 1..=63) = data.get(at) {
        at += 1 + usize::from(*octet);
        count += 1;
    }
    count
}

/// Whether `name` is `zone` or below it; both plain and in lower case.
pub fn is_subdomain(name: &[u8], zone: &[u8]) -> bool {
    if !name.ends_with(zone) {
        return false;
    }
    let (excess, mut at) = (name.len() - zone.len(), 0);
    while at < excess {
        at += 1 + usize::from(name[at]);
    }
    at == excess
}
