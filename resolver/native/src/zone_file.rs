//! Zone files (RFC 1035 section 5) read into the form of `resolver/mirrors/copy.py`: a million
//! records in about a second, off the interpreter.
//!
//! Understood are the types that response policy zones use (A, AAAA, CNAME, DNAME, MX, NS, PTR,
//! SOA, SRV, TXT) and every other one in the form of RFC 3597 section 5. What is not understood is
//! refused with its line; reading goes on, so that all that is wrong is told at once.
//!
//! Limitations: class IN; `$INCLUDE` and `$GENERATE` are not followed.

mod rdata;
mod stock;
pub mod transfer;
mod words;

use crate::policy_zone::key_of;
use crate::wire::name::is_subdomain;
use stock::Stock;
use words::{Entry, Word, Words};

/// What is wrong, and where.
#[derive(Debug, PartialEq, Eq, Clone)]
pub struct Wrong {
    pub line: u32,
    pub text: String,
}

/// Faults that are told at once.
const WRONG_MAX: usize = 20;

const SOA: u16 = 6;

/// The octets of a copy, where its nodes start, its records, and the lines of owners whose label
/// next to the apex begins with `rpz-`.
#[derive(Debug)]
pub struct Zone {
    pub data: Vec<u8>,
    pub offsets: Vec<u8>,
    pub records: usize,
    pub specials: Vec<(Vec<u8>, u32)>,
}

/// The state between two entries.
struct Reading<'a> {
    apex: &'a [u8],
    origin: Vec<u8>,
    owner: Vec<u8>,
    ttl: Option<u32>,
    stock: Stock,
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
        ttl: None,
        stock: Stock::default(),
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
        if reading.stock.len() > records_max {
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
    let Reading { stock, specials, .. } = reading;
    stock.finish(true).map(|(data, offsets, records)| Zone { data, offsets, records, specials })
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
        let start = self.stock.octets.len();
        rdata::write(rtype, words.collect(), &self.origin, &mut self.stock.octets)?;
        if rtype == SOA {
            if self.owner != self.apex {
                return Err("a SOA that is not at the apex of the zone".to_owned());
            }
            if let Some(line) = self.soa.replace(entry.line) {
                return Err(format!("a second SOA; the first stands in line {line}"));
            }
        }
        self.stock.add(start, rtype, ttl, entry.line)?;
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
        self.stock.own(&key);
        self.owner = owner;
        Ok(())
    }
}

#[cfg(test)]
#[path = "zone_file_tests.rs"]
mod tests;
