//! Zone files (RFC 1035 section 5) read into the form of `resolver/mirrors/copy.py`: a million
//! records in about a second, off the interpreter.
//!
//! Understood are the types that response policy zones use (A, AAAA, CNAME, DNAME, MX, NS, PTR,
//! SOA, SRV, TXT) and every other one in the form of RFC 3597 section 5. What is not understood is
//! refused with its line; reading goes on, so that all that is wrong is told at once.
//!
//! Limitations: class IN; `$INCLUDE` and `$GENERATE` are not followed.

mod rdata;
mod words;

use crate::policy_zone::key_of;
use crate::wire::name::is_subdomain;
use words::{Entry, Word, Words};

/// What is wrong, and where.
#[derive(Debug, PartialEq, Eq, Clone)]
pub struct Wrong {
    pub line: u32,
    pub text: String,
}

/// Faults that are told at once.
const WRONG_MAX: usize = 20;

const CNAME: u16 = 5;
const SOA: u16 = 6;
const RRSIG: u16 = 46;
const NSEC3: u16 = 50;

/// The octets of a copy, where its nodes start, its records, and the lines of owners whose label
/// next to the apex begins with `rpz-`.
#[derive(Debug)]
pub struct Zone {
    pub data: Vec<u8>,
    pub offsets: Vec<u8>,
    pub records: usize,
    pub specials: Vec<(Vec<u8>, u32)>,
}

/// One record: where its owner's key and its rdata stand among the octets that were read.
#[derive(Clone, Copy)]
struct Record {
    key: (usize, u16),
    rdata: (usize, u16),
    rtype: u16,
    ttl: u32,
    line: u32,
}

/// The state between two entries.
struct Reading<'a> {
    apex: &'a [u8],
    origin: Vec<u8>,
    owner: Vec<u8>,
    /// Key of the owner, and where it stands.
    key: (usize, u16),
    ttl: Option<u32>,
    octets: Vec<u8>,
    records: Vec<Record>,
    specials: Vec<(Vec<u8>, u32)>,
    soa: Option<u32>,
}

/// Read a zone file. `apex`: plain, in lower case.
///
/// # Errors
/// All that is wrong with it, up to a bound.
pub fn read(apex: &[u8], text: &[u8], records_max: usize) -> Result<Zone, Vec<Wrong>> {
    let mut reading = Reading {
        apex,
        origin: apex.to_vec(),
        owner: Vec::new(),
        key: (0, 0),
        ttl: None,
        octets: Vec::new(),
        records: Vec::new(),
        specials: Vec::new(),
        soa: None,
    };
    let mut wrong = Vec::new();
    let mut words = Words::new(text);
    let mut entry = Entry::default();
    loop {
        match words.next(&mut entry) {
            Ok(false) => break,
            Ok(true) => {
                if let Err(text) = reading.take(&entry) {
                    wrong.push(Wrong { line: entry.line, text });
                }
            }
            Err((line, text)) => wrong.push(Wrong { line, text: text.to_owned() }),
        }
        if reading.records.len() > records_max {
            let text = format!("more than {records_max} records");
            wrong.push(Wrong { line: entry.line, text });
            break;
        }
        if wrong.len() >= WRONG_MAX {
            break;
        }
    }
    if wrong.is_empty() && reading.soa.is_none() {
        wrong.push(Wrong { line: words.line(), text: "no SOA at the apex of the zone".to_owned() });
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    reading.finish()
}

impl Reading<'_> {
    fn take(&mut self, entry: &Entry<'_>) -> Result<(), String> {
        let mut words = entry.words.iter().copied();
        let first = words.clone().next().ok_or("an empty entry")?;
        if !entry.indented && !first.quoted && first.text.starts_with(b"$") {
            return self.directive(first, words.skip(1));
        }
        if entry.indented {
            if self.owner.is_empty() {
                return Err("a record without an owner: none stands before it".to_owned());
            }
        } else {
            words.next();
            self.own(first, entry.line)?;
        }
        let (mut ttl, mut class) = (None, false);
        let rtype = loop {
            let word = words.next().ok_or("a record without a type")?;
            if ttl.is_none() && word.text.first().is_some_and(u8::is_ascii_digit) {
                ttl = Some(rdata::seconds(word)?);
            } else if !class && word.text.eq_ignore_ascii_case(b"IN") {
                class = true;
            } else {
                break rdata::type_of(word)?;
            }
        };
        let ttl = ttl.or(self.ttl).ok_or("no TTL: neither here nor by $TTL before it")?;
        // RFC 2308 section 4: what is left out is that of $TTL, else that of the record before.
        self.ttl.get_or_insert(ttl);
        let start = self.octets.len();
        rdata::write(rtype, words.collect(), &self.origin, &mut self.octets)?;
        let octets =
            u16::try_from(self.octets.len() - start).map_err(|_| "rdata over 65535 octets")?;
        if rtype == SOA {
            if self.owner != self.apex {
                return Err("a SOA that is not at the apex of the zone".to_owned());
            }
            if let Some(line) = self.soa.replace(entry.line) {
                return Err(format!("a second SOA; the first stands in line {line}"));
            }
        }
        let (key, rdata) = (self.key, (start, octets));
        self.records.push(Record { key, rdata, rtype, ttl, line: entry.line });
        Ok(())
    }

    fn directive<'b>(
        &mut self,
        name: Word<'b>,
        mut words: impl Iterator<Item = Word<'b>>,
    ) -> Result<(), String> {
        let word = words.next();
        let needed = || word.ok_or_else(|| format!("{} without a value", name.shown()));
        match name.text.to_ascii_uppercase().as_slice() {
            b"$ORIGIN" => self.origin = rdata::name(needed()?, &self.origin)?.to_ascii_lowercase(),
            b"$TTL" => self.ttl = Some(rdata::seconds(needed()?)?),
            _ => return Err(format!("{} is not understood", name.shown())),
        }
        match words.next() {
            Some(word) => Err(format!("{} is too much here", word.shown())),
            None => Ok(()),
        }
    }

    /// Another owner.
    fn own(&mut self, word: Word<'_>, line: u32) -> Result<(), String> {
        self.owner.clear(); // a bad owner is not that of the entries that follow
        let owner = rdata::name(word, &self.origin)?.to_ascii_lowercase();
        if !is_subdomain(&owner, self.apex) {
            return Err(format!("{} is not in the zone", word.shown()));
        }
        let key = key_of(&owner);
        let apex = key_of(self.apex).len();
        if key[apex..].starts_with(b"rpz-") {
            let mut below = owner[..owner.len() - self.apex.len()].to_vec();
            below.push(0);
            self.specials.push((below, line));
        }
        let length = key.len() as u16; // a name's key is at most twice its 255 octets
        self.key = (self.octets.len(), length);
        self.octets.extend_from_slice(&key);
        self.owner = owner;
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

    /// Put the records in canonical order and pack them.
    fn finish(self) -> Result<Zone, Vec<Wrong>> {
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
            if let Some(fault) = self.fault(node) {
                wrong.push(fault);
                if wrong.len() >= WRONG_MAX {
                    break;
                }
            }
            offsets.extend_from_slice(&(data.len() as u64).to_ne_bytes());
            data.push(u8::from(node.iter().any(|record| record.rtype == NSEC3)));
            data.extend_from_slice(&node[0].key.1.to_be_bytes());
            data.extend_from_slice(self.key_of(node[0]));
            let sets: Vec<_> = node.chunk_by(|a, b| self.kind(a) == self.kind(b)).collect();
            data.extend_from_slice(&(sets.len() as u16).to_be_bytes());
            for set in sets {
                records += self.pack(set, &mut data);
            }
        }
        if wrong.is_empty() {
            Ok(Zone { data, offsets, records, specials: self.specials })
        } else {
            wrong.sort_by_key(|one| one.line);
            Err(wrong)
        }
    }

    /// RFC 1034 section 3.6.2: beside an alias stands nothing else.
    fn fault(&self, node: &[&Record]) -> Option<Wrong> {
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

#[cfg(test)]
#[path = "zone_file_tests.rs"]
mod tests;
