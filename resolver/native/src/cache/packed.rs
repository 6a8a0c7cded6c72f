//! RRsets as one run of octets: a cache of many small lists would lose as much memory between
//! them as in them.
//!
//! ```text
//! for each RRset: owner, u16 type, u32 TTL, u16 records, u16 signatures, then each as u16 length
//! and octets
//! ```
//!
//! An owner that is the name which the RRsets are kept under is one octet, `SAME`.

use crate::wire::message::RRset;
use crate::wire::name::plain_length;

/// No name begins with it: labels have at most 63 octets.
const SAME: u8 = u8::MAX;

/// Append RRsets that are kept under `name` to `out`. Lists of more than 65,535 are cut; no
/// message holds so many.
pub(super) fn pack(sets: &[RRset], name: &[u8], out: &mut Vec<u8>) {
    for set in sets {
        out.extend_from_slice(if *set.name == *name { &[SAME] } else { &set.name });
        out.extend(set.rtype.to_ne_bytes());
        out.extend(set.ttl.to_ne_bytes());
        for list in [&set.rdatas, &set.signatures] {
            out.extend((list.len().min(COUNT_MAX) as u16).to_ne_bytes());
        }
        for list in [&set.rdatas, &set.signatures] {
            for rdata in list.iter().take(COUNT_MAX) {
                out.extend((rdata.len() as u16).to_ne_bytes());
                out.extend_from_slice(rdata);
            }
        }
    }
}

const COUNT_MAX: usize = u16::MAX as usize;

/// RRsets that `pack` wrote for the same `name`.
pub(super) fn unpack(mut octets: &[u8], name: &[u8]) -> Vec<RRset> {
    let mut sets = Vec::new();
    while !octets.is_empty() {
        let name = if octets[0] == SAME {
            octets = &octets[1..];
            Box::from(name)
        } else {
            let length = plain_length(octets).expect("packed names are plain");
            Box::from(take(&mut octets, length))
        };
        let rtype = number(&mut octets);
        let ttl = take(&mut octets, 4).try_into().map_or(0, u32::from_ne_bytes);
        let counts = [number(&mut octets), number(&mut octets)];
        let [rdatas, signatures] = counts.map(|count| list(&mut octets, count));
        sets.push(RRset { name, rtype, ttl, rdatas, signatures });
    }
    sets
}

fn list(octets: &mut &[u8], count: u16) -> Vec<Box<[u8]>> {
    let one = |_| {
        let length = number(octets);
        Box::from(take(octets, usize::from(length)))
    };
    (0..count).map(one).collect()
}

fn number(octets: &mut &[u8]) -> u16 {
    take(octets, 2).try_into().map_or(0, u16::from_ne_bytes)
}

fn take<'a>(octets: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (taken, rest) = octets.split_at(length);
    *octets = rest;
    taken
}
