//! The records of a zone as they come, and the copy that they become.

use super::{WRONG_MAX, Wrong};

const CNAME: u16 = 5;
const RRSIG: u16 = 46;
const NSEC3: u16 = 50;

/// Records of one set, and sets of one name: with fewer octets than 16 each, no message could hold
/// more (RFC 1035 section 4.2.2); what is sought in pairs stays cheap.
const SET_MAX: usize = 4096;

/// One record: where its owner's key and its rdata stand among the octets that were read.
#[derive(Clone, Copy)]
struct Record {
    key: (usize, u16),
    rdata: (usize, u16),
    rtype: u16,
    ttl: u32,
    line: u32,
}

/// What has been read so far.
#[derive(Default)]
pub(super) struct Stock {
    /// Keys of owners and rdata. Whoever adds a record writes its rdata here first.
    pub octets: Vec<u8>,
    records: Vec<Record>,
    /// Key of the owner, and where it stands.
    key: (usize, u16),
}

impl Stock {
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Another owner, by its key.
    pub fn own(&mut self, key: &[u8]) {
        // A name's key is at most twice its 255 octets.
        self.key = (self.octets.len(), key.len() as u16);
        self.octets.extend_from_slice(key);
    }

    /// A record of this owner, with the rdata that stands from `start` on. `line`: what faults are
    /// told by.
    pub fn add(
        &mut self,
        start: usize,
        rtype: u16,
        ttl: u32,
        line: u32,
    ) -> Result<(), &'static str> {
        let octets =
            u16::try_from(self.octets.len() - start).map_err(|_| "rdata over 65535 octets")?;
        self.records.push(Record { key: self.key, rdata: (start, octets), rtype, ttl, line });
        Ok(())
    }

    fn key_of(&self, record: &Record) -> &[u8] {
        &self.octets[record.key.0..record.key.0 + usize::from(record.key.1)]
    }

    fn rdata_of(&self, record: &Record) -> &[u8] {
        &self.octets[record.rdata.0..record.rdata.0 + usize::from(record.rdata.1)]
    }

    /// RRSIG records of different types covered are different sets.
    fn kind(&self, record: &Record) -> (u16, u16) {
        let covers = match (record.rtype, self.rdata_of(record)) {
            (RRSIG, [high, low, ..]) => u16::from_be_bytes([*high, *low]),
            _ => 0,
        };
        (record.rtype, covers)
    }

    /// Put the records in canonical order and pack them: octets of the copy, where its nodes start,
    /// how many records it has. `lonely`: beside an alias nothing else may stand.
    pub fn finish(self, lonely: bool) -> Result<(Vec<u8>, Vec<u8>, usize), Vec<Wrong>> {
        let mut order: Vec<u32> = (0..self.records.len() as u32).collect();
        let record = |at: &u32| &self.records[*at as usize];
        order.sort_by(|one, other| {
            let (one, other) = (record(one), record(other));
            let by_key = self.key_of(one).cmp(self.key_of(other));
            by_key.then_with(|| self.kind(one).cmp(&self.kind(other)))
        });
        let sorted: Vec<&Record> = order.iter().map(record).collect();
        let (mut data, mut offsets) = (Vec::new(), Vec::new());
        let (mut wrong, mut records) = (Vec::new(), 0);
        for node in sorted.chunk_by(|one, other| self.key_of(one) == self.key_of(other)) {
            let sets: Vec<_> = node.chunk_by(|a, b| self.kind(a) == self.kind(b)).collect();
            let alias = if lonely { self.beside_an_alias(node) } else { None };
            if let Some(fault) = alias.or_else(|| too_many(&sets)) {
                wrong.push(fault);
                if wrong.len() >= WRONG_MAX {
                    break;
                }
                continue;
            }
            offsets.extend_from_slice(&(data.len() as u64).to_ne_bytes());
            data.push(u8::from(node.iter().any(|record| record.rtype == NSEC3)));
            data.extend_from_slice(&node[0].key.1.to_be_bytes());
            data.extend_from_slice(self.key_of(node[0]));
            data.extend_from_slice(&(sets.len() as u16).to_be_bytes());
            for set in sets {
                records += self.pack(set, &mut data);
            }
        }
        if wrong.is_empty() {
            Ok((data, offsets, records))
        } else {
            wrong.sort_by_key(|one| one.line);
            Err(wrong)
        }
    }

    /// RFC 1034 section 3.6.2: beside an alias stands nothing else.
    fn beside_an_alias(&self, node: &[&Record]) -> Option<Wrong> {
        let alias = node.iter().find(|record| record.rtype == CNAME)?;
        let other = node.iter().find(|record| {
            record.rtype != CNAME && record.rtype < RRSIG
                || record.rtype == CNAME && self.rdata_of(record) != self.rdata_of(alias)
        })?;
        let line = alias.line.max(other.line);
        let first = alias.line.min(other.line);
        let text = format!("a CNAME beside other records of its name (line {first})");
        Some(Wrong { line, text })
    }

    /// Pack one set; how many records it has. Of equal ones there is but one, and the least TTL
    /// is that of all (RFC 2181 sections 5 and 5.2).
    fn pack(&self, set: &[&Record], data: &mut Vec<u8>) -> usize {
        let (rtype, covers) = self.kind(set[0]);
        let ttl = set.iter().map(|record| record.ttl).min().unwrap_or(0);
        let mut rdatas: Vec<&[u8]> = Vec::with_capacity(set.len());
        for record in set {
            let rdata = self.rdata_of(record);
            if !rdatas.contains(&rdata) {
                rdatas.push(rdata);
            }
        }
        data.extend_from_slice(&rtype.to_be_bytes());
        data.extend_from_slice(&covers.to_be_bytes());
        data.extend_from_slice(&ttl.to_be_bytes());
        data.extend_from_slice(&(rdatas.len() as u16).to_be_bytes());
        for rdata in &rdatas {
            data.extend_from_slice(&(rdata.len() as u16).to_be_bytes());
            data.extend_from_slice(rdata);
        }
        rdatas.len()
    }
}

fn too_many(sets: &[&[&Record]]) -> Option<Wrong> {
    let large = sets.iter().find(|set| set.len() > SET_MAX);
    let set = if sets.len() > SET_MAX { sets.last() } else { large };
    let text = format!("a name with more than {SET_MAX} records of a type, or types");
    set.and_then(|set| set.last()).map(|record| Wrong { line: record.line, text })
}
