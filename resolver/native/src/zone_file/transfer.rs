//! Messages of a zone transfer (RFC 5936) read into the form of `resolver/mirrors/copy.py`: a
//! million records in seconds, off the interpreter.
//!
//! Nothing is there until [`Transfer::finish`], so a transfer that is torn leaves nothing. A
//! signature (RFC 8945) is only found here; whether it is good is for who holds the key.
//!
//! Limitations: AXFR, class IN. The rdata of types without names is opaque.

use super::stock::Stock;
use crate::policy_zone::key_of;
use crate::wire::name::{self, NameBuf, is_subdomain};
use crate::wire::{CLASS_IN, HEADER, Malformed, rdata};

const SOA: u16 = 6;
const TSIG: u16 = 250;
const AXFR: u16 = 252;
/// RFC 1995 section 4: its answer may be the whole zone, in the form of an AXFR.
const IXFR: u16 = 251;
const CLASS_ANY: u16 = 255;
/// OPT, and the types of questions and of messages.
const NOT_OF_A_ZONE: [u16; 8] = [41, 249, 250, 251, 252, 253, 254, 255];

/// Why a transfer cannot be used; numbers are those of the contract.
#[derive(Debug, PartialEq, Eq, Clone)]
pub enum Fault {
    /// Not what the protocol allows.
    Torn(&'static str),
    /// Too large.
    Size,
    /// Of no sound zone.
    Unsound(String),
}

impl From<Malformed> for Fault {
    fn from(_: Malformed) -> Self {
        Self::Torn("a message that cannot be read")
    }
}

/// Where a signature stands: its record, its owner, its rdata.
pub type Signature = (usize, Vec<u8>, (usize, usize));

/// What a message was.
#[derive(Debug, PartialEq, Eq)]
pub struct Taken {
    pub rcode: u8,
    /// The last record of the zone has come.
    pub done: bool,
    pub signature: Option<Signature>,
}

/// A transfer so far.
pub struct Transfer {
    apex: Vec<u8>,
    records_max: usize,
    stock: Stock,
    owner: NameBuf,
    /// Rdata of the first SOA.
    soa: Option<Vec<u8>>,
    done: bool,
}

/// A record without what it says.
struct Head {
    start: usize,
    owner: NameBuf,
    rtype: u16,
    class: u16,
    ttl: u32,
    rdata: (usize, usize),
}

impl Transfer {
    /// `apex`: plain, in lower case.
    pub fn new(apex: &[u8], records_max: usize) -> Self {
        // Numbers of records are u32 in the stock.
        let records_max = records_max.min(u32::MAX as usize - 1);
        let (stock, owner) = (Stock::default(), NameBuf::new());
        Self { apex: apex.to_vec(), records_max, stock, owner, soa: None, done: false }
    }

    /// Read the next message.
    ///
    /// # Errors
    /// What is wrong with it; then the transfer is of no use any more.
    pub fn take(&mut self, message: &[u8]) -> Result<Taken, Fault> {
        const RESPONSE: u8 = 0x80;
        const OPCODE_OR_TC: u8 = 0x7A;
        if message.len() < HEADER || message[2] & RESPONSE == 0 || message[2] & OPCODE_OR_TC != 0 {
            return Err(Fault::Torn("not a whole reply"));
        }
        let rcode = message[3] & 15;
        let count = |at: usize| u16::from_be_bytes([message[at], message[at + 1]]);
        let mut at = self.question(message, count(4))?;
        for _ in 0..count(6) {
            let head = head(message, &mut at)?;
            if rcode == 0 {
                self.record(message, &head)?;
            }
        }
        for _ in 0..count(8) {
            head(message, &mut at)?;
        }
        let mut signature = None;
        for _ in 0..count(10) {
            let head = head(message, &mut at)?;
            if signature.is_some() {
                return Err(Fault::Torn("a signature that is not the last record"));
            }
            if head.rtype == TSIG {
                if head.class != CLASS_ANY {
                    return Err(Fault::Torn("a signature of another class"));
                }
                signature = Some((head.start, head.owner.to_vec(), head.rdata));
            }
        }
        if at != message.len() {
            return Err(Fault::Torn("octets after the last record"));
        }
        Ok(Taken { rcode, done: self.done, signature })
    }

    /// RFC 5936 section 2.2.1: a question is a copy of ours; later messages may have none.
    fn question(&self, message: &[u8], count: u16) -> Result<usize, Fault> {
        let mut at = HEADER;
        if count > 1 {
            return Err(Fault::Torn("more than one question"));
        }
        if count == 1 {
            let mut asked = NameBuf::new();
            at = name::read(message, at, &mut asked)?;
            asked.lower();
            let kind = message.get(at..at + 4).ok_or(Malformed::Short)?;
            let rtype = u16::from_be_bytes([kind[0], kind[1]]);
            let right = matches!(rtype, IXFR | AXFR) && kind[2..] == CLASS_IN.to_be_bytes();
            if *asked != *self.apex || !right {
                return Err(Fault::Torn("another question than ours"));
            }
            at += 4;
        }
        Ok(at)
    }

    fn record(&mut self, message: &[u8], head: &Head) -> Result<(), Fault> {
        if self.done {
            return Err(Fault::Torn("records after the last SOA"));
        }
        if head.class != CLASS_IN || NOT_OF_A_ZONE.contains(&head.rtype) {
            return Err(Fault::Torn("a record that is of no zone"));
        }
        let start = self.stock.octets.len();
        if head.rtype == SOA && *head.owner == *self.apex {
            if let Some(first) = &self.soa {
                let mut last = Vec::with_capacity(first.len());
                rdata::expand(message, SOA, head.rdata.0, head.rdata.1, &mut last)?;
                self.done = last == *first;
                return if self.done {
                    Ok(())
                } else {
                    Err(Fault::Torn("it ends with another SOA than it began with"))
                };
            }
        } else if self.soa.is_none() {
            return Err(Fault::Torn("it does not begin with a SOA"));
        }
        if head.rtype == SOA && *head.owner != *self.apex {
            return Err(Fault::Unsound("a SOA that is not at the apex".to_owned()));
        }
        if self.stock.len() >= self.records_max {
            return Err(Fault::Size);
        }
        let start = self.own(head)?.unwrap_or(start);
        rdata::expand(message, head.rtype, head.rdata.0, head.rdata.1, &mut self.stock.octets)?;
        if head.rtype == SOA {
            self.soa = Some(self.stock.octets[start..].to_vec());
        }
        let number = self.stock.len() as u32;
        self.stock.add(start, head.rtype, head.ttl, number).map_err(Fault::Torn)
    }

    /// Another owner, if it is another one; then where its rdata will stand.
    fn own(&mut self, head: &Head) -> Result<Option<usize>, Fault> {
        if self.stock.len() > 0 && *head.owner == *self.owner {
            return Ok(None);
        }
        if !is_subdomain(&head.owner, &self.apex) {
            let text = format!("{} is not in the zone", head.owner.escape_ascii());
            return Err(Fault::Unsound(text));
        }
        self.stock.own(&key_of(&head.owner));
        self.owner = head.owner;
        Ok(Some(self.stock.octets.len()))
    }

    /// The octets of the copy, where its nodes start, its records.
    ///
    /// # Errors
    /// The last record has not come, or the zone is not sound.
    pub fn finish(&mut self) -> Result<(Vec<u8>, Vec<u8>, usize), Fault> {
        if !self.done {
            return Err(Fault::Torn("it has not ended"));
        }
        self.done = false;
        let found = std::mem::take(&mut self.stock).finish(false);
        found.map_err(|mut wrong| Fault::Unsound(wrong.swap_remove(0).text))
    }
}

/// Read a record up to its rdata; `at` is then behind it.
fn head(message: &[u8], at: &mut usize) -> Result<Head, Fault> {
    let (start, mut owner) = (*at, NameBuf::new());
    let fixed = name::read(message, start, &mut owner)?;
    owner.lower();
    let octets = message.get(fixed..fixed + 10).ok_or(Malformed::Short)?;
    let short = |at: usize| u16::from_be_bytes([octets[at], octets[at + 1]]);
    let ttl = u32::from(short(4)) << 16 | u32::from(short(6));
    let (begin, end) = (fixed + 10, fixed + 10 + usize::from(short(8)));
    if end > message.len() {
        return Err(Malformed::Short.into());
    }
    *at = end;
    Ok(Head { start, owner, rtype: short(0), class: short(2), ttl, rdata: (begin, end) })
}

#[cfg(test)]
#[path = "transfer_tests.rs"]
mod tests;
