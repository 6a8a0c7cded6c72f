//! A response policy zone as it is looked up: what its names trigger on, and which records they
//! have (draft-vixie-dnsop-dns-rpz section 4).
//!
//! It is made from a copy of the zone in the form of `resolver/mirrors/copy.py`: nodes in canonical
//! order, each with its records. Owners that trigger on the name of the question go into a table of
//! names, with the number of their records: most zones have a million names and three kinds of
//! records. All other owners (their label next to the apex begins with `rpz-`) are few and are
//! Python's to read.
//!
//! Limitations: what the records ask for is Python's to say.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::names::{Bad, Names};

/// Type, TTL, rdata of each record.
pub type Record<'a> = (u16, u32, Vec<&'a [u8]>);

const CNAME: u16 = 5;

/// Types that are of the zone itself and never of an answer: NS, SOA, DNAME, DS, RRSIG, NSEC,
/// DNSKEY, NSEC3, NSEC3PARAM, CDS, CDNSKEY, ZONEMD (draft-vixie-dnsop-dns-rpz section 3.6).
const UNUSABLE: [u16; 12] = [2, 6, 39, 43, 46, 47, 48, 50, 51, 59, 60, 63];

/// Actions that nobody uses any more are let go when they are more than this,
const LEFT_MIN: usize = 1024;

#[derive(Debug, PartialEq, Eq)]
pub enum Broken {
    /// The octets are not those of a copy.
    Torn,
    Names(Bad),
}

impl fmt::Display for Broken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Torn => out.write_str("not a copy of a zone"),
            Self::Names(bad) => bad.fmt(out),
        }
    }
}

impl From<Bad> for Broken {
    fn from(bad: Bad) -> Self {
        Self::Names(bad)
    }
}

/// See the module.
pub struct PolicyZone {
    pub names: Arc<Names>,
    apex: Vec<u8>,
    actions: Vec<Arc<[u8]>>,
    specials: Vec<(Vec<u8>, Vec<u8>)>,
    unusable: usize,
}

/// The key of a node and the octets of its sets.
type Packed<'a> = (&'a [u8], &'a [u8]);

/// Where reading stands.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Broken> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Broken::Torn)?;
        self.rest = rest;
        Ok(taken)
    }

    fn u16(&mut self) -> Result<u16, Broken> {
        Ok(u16::from_be_bytes(self.take(2)?.try_into().expect("two octets")))
    }

    fn u32(&mut self) -> Result<u32, Broken> {
        Ok(u32::from_be_bytes(self.take(4)?.try_into().expect("four octets")))
    }

    /// One set: type, type covered, the octets of all of it.
    fn set(&mut self) -> Result<(u16, u16, &'a [u8]), Broken> {
        let begin = self.rest;
        let (rtype, covers) = (self.u16()?, self.u16()?);
        self.u32()?;
        for _ in 0..self.u16()? {
            let octets = self.u16()?;
            self.take(usize::from(octets))?;
        }
        Ok((rtype, covers, &begin[..begin.len() - self.rest.len()]))
    }

    /// The next node: its key and the octets of its sets.
    fn node(&mut self) -> Result<Option<Packed<'a>>, Broken> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        self.take(1)?;
        let octets = self.u16()?;
        let key = self.take(usize::from(octets))?;
        let begin = self.rest;
        for _ in 0..self.u16()? {
            self.set()?;
        }
        Ok(Some((key, &begin[..begin.len() - self.rest.len()])))
    }
}

/// The key of a name: labels from the root down, escaped, each ended by a zero.
pub fn key_of(name: &[u8]) -> Vec<u8> {
    let mut labels = Vec::new();
    let mut at = 0;
    while name[at] != 0 {
        labels.push(&name[at + 1..=at + usize::from(name[at])]);
        at += 1 + usize::from(name[at]);
    }
    let mut out = Vec::with_capacity(name.len());
    for label in labels.into_iter().rev() {
        for &octet in label {
            match octet {
                0 => out.extend_from_slice(b"\x01\x01"),
                1 => out.extend_from_slice(b"\x01\x02"),
                _ => out.push(octet),
            }
        }
        out.push(0);
    }
    out
}

/// The name of a key; `None` when it is none.
fn name_of(key: &[u8]) -> Option<Vec<u8>> {
    let mut labels: Vec<Vec<u8>> = Vec::new();
    for part in key.split_inclusive(|&octet| octet == 0) {
        let part = part.strip_suffix(b"\0")?;
        let mut label = Vec::with_capacity(part.len());
        let mut octets = part.iter();
        while let Some(&octet) = octets.next() {
            label.push(match octet {
                1 => octets.next()?.checked_sub(1).filter(|&octet| octet < 2)?,
                _ => octet,
            });
        }
        labels.push(label);
    }
    let mut out = Vec::with_capacity(key.len() + 1);
    for label in labels.iter().rev() {
        out.push(u8::try_from(label.len()).ok()?);
        out.extend_from_slice(label);
    }
    out.push(0);
    Some(out)
}

/// The sets that an answer may be made of, packed again; nothing when there are none. An alias
/// stands alone (RFC 1034 section 3.6.2).
fn usable(sets: &[u8]) -> Result<Option<Vec<u8>>, Broken> {
    let mut reader = Reader { rest: sets };
    let mut kept: Vec<(u16, &[u8])> = Vec::new();
    for _ in 0..reader.u16()? {
        let (rtype, covers, octets) = reader.set()?;
        if covers == 0 && !UNUSABLE.contains(&rtype) {
            kept.push((rtype, octets));
        }
    }
    if let Some(&alias) = kept.iter().find(|(rtype, _)| *rtype == CNAME) {
        kept = vec![alias];
    }
    if kept.is_empty() {
        return Ok(None);
    }
    let mut out = (kept.len() as u16).to_be_bytes().to_vec();
    for (_, octets) in kept {
        out.extend_from_slice(octets);
    }
    Ok(Some(out))
}

fn unpack(sets: &[u8]) -> Result<Vec<Record<'_>>, Broken> {
    let mut reader = Reader { rest: sets };
    let mut out = Vec::new();
    for _ in 0..reader.u16()? {
        let rtype = reader.u16()?;
        reader.u16()?;
        let ttl = reader.u32()?;
        let mut rdatas = Vec::new();
        for _ in 0..reader.u16()? {
            let octets = reader.u16()?;
            rdatas.push(reader.take(usize::from(octets))?);
        }
        out.push((rtype, ttl, rdatas));
    }
    Ok(out)
}

/// Records by number, each kind once.
#[derive(Default)]
struct Actions {
    list: Vec<Arc<[u8]>>,
    known: HashMap<Arc<[u8]>, u32>,
}

impl Actions {
    fn number(&mut self, sets: &[u8]) -> u32 {
        if let Some(&number) = self.known.get(sets) {
            return number;
        }
        let number = self.list.len() as u32; // fewer than there are names, of which 4 GiB fit
        let kept: Arc<[u8]> = sets.into();
        self.list.push(kept.clone());
        self.known.insert(kept, number);
        number
    }
}

/// What a node is to a policy.
enum Node {
    /// The apex, or a name with nothing to answer with.
    Nothing {
        counts: bool,
    },
    Special(Vec<u8>, Vec<u8>),
    Name(Vec<u8>, Vec<u8>),
}

fn read_node(apex: &[u8], key: &[u8], sets: &[u8]) -> Result<Node, Broken> {
    let below = key.strip_prefix(apex).ok_or(Broken::Torn)?;
    if below.is_empty() {
        return Ok(Node::Nothing { counts: false });
    }
    let owner = name_of(below).ok_or(Broken::Torn)?;
    Ok(match usable(sets)? {
        None => Node::Nothing { counts: true },
        Some(sets) if below.starts_with(b"rpz-") => Node::Special(owner, sets),
        Some(sets) => Node::Name(owner, sets),
    })
}

impl PolicyZone {
    /// Read a copy. `apex` is a plain name in lower case, the end of every owner.
    ///
    /// # Errors
    /// The octets are not those of a copy of this zone.
    pub fn new(apex: &[u8], data: &[u8]) -> Result<Self, Broken> {
        let apex = key_of(apex);
        let mut actions = Actions::default();
        let (mut specials, mut unusable) = (Vec::new(), 0);
        let mut owners: Vec<u8> = Vec::new();
        let mut entries: Vec<(usize, u32)> = Vec::new();
        let mut reader = Reader { rest: data };
        while let Some((key, sets)) = reader.node()? {
            match read_node(&apex, key, sets)? {
                Node::Nothing { counts } => unusable += usize::from(counts),
                Node::Special(owner, sets) => specials.push((owner, sets)),
                Node::Name(owner, sets) => {
                    entries.push((owners.len(), actions.number(&sets)));
                    owners.extend_from_slice(&owner);
                }
            }
        }
        let ends = entries.iter().skip(1).map(|entry| entry.0).chain([owners.len()]);
        let rows: Vec<_> = entries
            .iter()
            .zip(ends)
            .map(|(&(start, number), end)| (&owners[start..end], number))
            .collect();
        let names = Arc::new(Names::new(rows.into_iter())?);
        Ok(Self { names, apex, actions: actions.list, specials, unusable })
    }

    /// The zone after a change: `before` is what this one was made from. Where little differs,
    /// little is made.
    ///
    /// # Errors
    /// As for [`PolicyZone::new`].
    pub fn changed(&self, before: &[u8], data: &[u8]) -> Result<Self, Broken> {
        let list = self.actions.clone();
        let numbered = list.iter().enumerate();
        let known = numbered.map(|(at, sets)| (sets.clone(), at as u32)).collect();
        let mut actions = Actions { list, known };
        let (mut specials, mut unusable) = (Vec::new(), 0);
        let mut changes: Vec<(Vec<u8>, Option<u32>)> = Vec::new();
        let (mut old, mut new) = (Reader { rest: before }, Reader { rest: data });
        let (mut left, mut right) = (old.node()?, new.node()?);
        loop {
            let order = match (left, right) {
                (None, None) => break,
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (Some((one, _)), Some((other, _))) => one.cmp(other),
            };
            if let (true, Some((key, sets))) = (order.is_le(), left)
                && (order.is_lt() || right.is_some_and(|(_, others)| others != sets))
                && let Node::Name(owner, _) = read_node(&self.apex, key, sets)?
            {
                changes.push((owner, None));
            }
            if let (true, Some((key, sets))) = (order.is_ge(), right) {
                let same = order.is_eq() && left.is_some_and(|(_, others)| others == sets);
                let special =
                    key.get(self.apex.len()..).is_some_and(|key| key.starts_with(b"rpz-"));
                if !same || special || usable(sets)?.is_none() {
                    match read_node(&self.apex, key, sets)? {
                        Node::Nothing { counts } => unusable += usize::from(counts),
                        Node::Special(owner, sets) => specials.push((owner, sets)),
                        Node::Name(owner, sets) => {
                            changes.push((owner, Some(actions.number(&sets))));
                        }
                    }
                }
            }
            if order.is_le() {
                left = old.node()?;
            }
            if order.is_ge() {
                right = new.node()?;
            }
        }
        if actions.list.len() > LEFT_MIN + 2 * (self.names.len() + changes.len()) {
            return Self::new_of_key(&self.apex, data);
        }
        let rows: Vec<_> =
            changes.iter().map(|(owner, value)| (owner.as_slice(), *value)).collect();
        let names = Arc::new(self.names.with(&rows)?);
        Ok(Self { names, apex: self.apex.clone(), actions: actions.list, specials, unusable })
    }

    fn new_of_key(apex: &[u8], data: &[u8]) -> Result<Self, Broken> {
        Self::new(&name_of(apex).ok_or(Broken::Torn)?, data)
    }

    /// The records of a number.
    #[must_use]
    pub fn action(&self, number: u32) -> Option<Vec<Record<'_>>> {
        let sets = self.actions.get(usize::try_from(number).ok()?)?;
        unpack(sets).ok()
    }

    /// How many kinds of records there are.
    #[must_use]
    pub fn actions(&self) -> usize {
        self.actions.len()
    }

    /// Owners that are not of the name of the question, below the apex, with their records.
    pub fn specials(&self) -> impl Iterator<Item = (&[u8], Vec<Record<'_>>)> {
        self.specials.iter().map(|(owner, sets)| (&**owner, unpack(sets).unwrap_or_default()))
    }

    /// Names that have no records to answer with.
    #[must_use]
    pub fn unusable(&self) -> usize {
        self.unusable
    }

    /// Octets held.
    #[must_use]
    pub fn size(&self) -> usize {
        let each = |sets: &Arc<[u8]>| sets.len() + 2 * size_of::<usize>() + size_of::<Arc<[u8]>>();
        let specials = self.specials.iter().map(|(owner, sets)| owner.len() + sets.len() + 48);
        self.names.size() + self.actions.iter().map(each).sum::<usize>() + specials.sum::<usize>()
    }
}

#[cfg(test)]
#[path = "policy_zone_tests.rs"]
mod tests;
