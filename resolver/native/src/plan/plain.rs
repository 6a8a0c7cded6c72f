//! Which replies are plain, and what they become: facts, and an answer.
//!
//! RFC 2308 (negative answers), RFC 4035 section 3.2.1 (what a client without DO does not get).
//! The same as `resolver/response.py`, `resolver/descend.py` and `resolver/compose.py` do for the
//! replies that pass here; whatever is not plain is left to them.

use std::net::IpAddr;

use super::{Bounds, Plan};
use crate::cache::records::{Kind, RecordCache, Source};
use crate::wire::message::{Message, RRset};
use crate::wire::name::is_subdomain;
use crate::wire::{rcode, rtype};

/// RFC 2181 section 5.4.1: an answer with AA. The number is that of `resolver.model.Rank`.
const RANK_ANSWER: u8 = 3;
/// Nothing was validated. The number is that of `resolver.model.Security`.
const INDETERMINATE: u8 = 0;
/// Proven by a key of the zone; likewise.
const SECURE: u8 = 3;
const NXDOMAIN: u16 = 3;
const CNAME: u16 = 5;
const DNAME: u16 = 39;
const NS: u16 = 2;
const NSEC: u16 = 47;
const NSEC3: u16 = 50;
/// DS, RRSIG, NSEC, DNSKEY, NSEC3, NSEC3PARAM: left out for a client without DO.
const DNSSEC: [u16; 6] = [43, 46, 47, 48, 50, 51];

/// How a planned lookup ended; numbers are those of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Answer = 0,
    NoData = 1,
    NxDomain = 2,
    /// Given up for a later one.
    Shed = 3,
}

/// A plain reply.
#[derive(Debug, PartialEq, Eq)]
pub struct Plain {
    pub end: End,
    pub rcode: u16,
    /// The RRset that was asked for, or none.
    pub answer: Vec<RRset>,
    /// Of a denial: SOA with the negative TTL, then the proofs.
    pub authority: Vec<RRset>,
    /// By the numbers of `resolver.model.Security`.
    pub security: u8,
}

/// The plain meaning of a reply from a server of the plan's zone, if it has one. TTLs are kept
/// within bounds.
pub fn read(
    message: &mut Message,
    plan: &Plan,
    name: &[u8],
    qtype: u16,
    bounds: &Bounds,
) -> Option<Plain> {
    if !message.authoritative() || message.truncated() || message.question.is_none() {
        return None;
    }
    let alias = |set: &RRset| set.rtype == CNAME || set.rtype == DNAME;
    if message.answer.iter().any(alias) || shows_another_set(message, plan) {
        return None;
    }
    let asked = |set: &RRset| set.rtype == qtype && *set.name == *name;
    match message.rcode {
        rcode::NOERROR if message.answer.iter().any(asked) => {
            let at = message.answer.iter().position(asked)?;
            // A type of which a name has one record, with more: Python decides, on all that came.
            let rdatas = message.answer[at].rdatas.len();
            if rdatas == 0 || (qtype == rtype::SOA && rdatas > 1) {
                return None;
            }
            let mut set = message.answer.swap_remove(at);
            set.ttl = set.ttl.min(bounds.ttl_max);
            let (end, rcode, authority) = (End::Answer, rcode::NOERROR, Vec::new());
            Some(Plain { end, rcode, answer: vec![set], authority, security: INDETERMINATE })
        }
        rcode::NOERROR | NXDOMAIN if message.answer.is_empty() => {
            negative(message, &plan.zone, name, bounds)
        }
        _ => None,
    }
}

/// Whether the reply tells of name servers of the zone that Python has not seen.
fn shows_another_set(message: &Message, plan: &Plan) -> bool {
    let mut sets = message.answer.iter().chain(&message.authority);
    sets.any(|set| {
        let known = |rdata: &[u8]| plan.own_set.iter().any(|name| name.eq_ignore_ascii_case(rdata));
        set.rtype == NS
            && *set.name == *plan.zone
            && (set.rdatas.len() != plan.own_set.len()
                || !set.rdatas.iter().all(|rdata| known(rdata)))
    })
}

fn negative(message: &mut Message, zone: &[u8], name: &[u8], bounds: &Bounds) -> Option<Plain> {
    let own = |set: &RRset| is_subdomain(&set.name, zone);
    let mut soas = message.authority.iter().filter(|set| set.rtype == rtype::SOA);
    let (soa, more) = (soas.next()?, soas.next());
    if more.is_some() || soa.rdatas.len() != 1 || !own(soa) || !is_subdomain(name, &soa.name) {
        return None;
    }
    let minimum = soa.rdatas[0].last_chunk::<4>().map(|octets| u32::from_be_bytes(*octets))?;
    // RFC 2308 section 5: "the minimum of the SOA.MINIMUM field and SOA's TTL".
    let ttl = soa.ttl.min(bounds.ttl_max).min(minimum).min(bounds.ttl_negative_max);
    let mut authority = vec![RRset { ttl, ..soa.clone() }];
    authority.extend(
        message
            .authority
            .drain(..)
            .filter(|set| matches!(set.rtype, NSEC | NSEC3) && own(set) && !set.rdatas.is_empty()),
    );
    for set in &mut authority[1..] {
        set.ttl = set.ttl.min(bounds.ttl_max);
    }
    let end = if message.rcode == NXDOMAIN { End::NxDomain } else { End::NoData };
    let (rcode, answer, security) = (message.rcode, Vec::new(), INDETERMINATE);
    Some(Plain { end, rcode, answer, authority, security })
}

/// Addresses in an answer section.
pub fn addresses(answer: &[RRset]) -> impl Iterator<Item = IpAddr> {
    let of_addresses = |set: &&RRset| matches!(set.rtype, rtype::A | rtype::AAAA);
    answer.iter().filter(of_addresses).flat_map(|set| {
        set.rdatas.iter().filter_map(|rdata| {
            <[u8; 4]>::try_from(&**rdata)
                .map(IpAddr::from)
                .or_else(|_| <[u8; 16]>::try_from(&**rdata).map(IpAddr::from))
                .ok()
        })
    })
}

impl Plain {
    /// The same as proven, for so many seconds.
    pub fn secured(mut self, life: u32) -> Self {
        self.security = SECURE;
        for set in &mut self.answer {
            set.ttl = set.ttl.min(life);
        }
        self
    }

    /// Addresses in the answer.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        addresses(&self.answer)
    }

    /// The sections for a client with or without DO, and the least TTL in them.
    pub fn sections(&self, qtype: u16, do_bit: bool) -> (Vec<RRset>, Vec<RRset>, u32) {
        let keep = |set: &&RRset| do_bit || set.rtype == qtype || !DNSSEC.contains(&set.rtype);
        let strip = |set: &RRset| {
            let signatures = if do_bit { set.signatures.clone() } else { Vec::new() };
            RRset {
                name: set.name.clone(),
                rtype: set.rtype,
                ttl: set.ttl,
                rdatas: set.rdatas.clone(),
                signatures,
            }
        };
        let answer: Vec<RRset> = self.answer.iter().filter(keep).map(strip).collect();
        let authority: Vec<RRset> = self.authority.iter().filter(keep).map(strip).collect();
        let ttl = answer.iter().chain(&authority).map(|set| set.ttl).min().unwrap_or(0);
        (answer, authority, ttl)
    }

    /// Put what was learnt into the record cache.
    pub fn store(self, records: &RecordCache, name: &[u8], qtype: u16, server: IpAddr, now: f64) {
        let origin: Box<[u8]> = match server {
            IpAddr::V4(v4) => Box::from(v4.octets()),
            IpAddr::V6(v6) => Box::from(v6.octets()),
        };
        let kind = match self.end {
            End::NxDomain => Kind::NxDomain,
            End::NoData => Kind::NoData,
            End::Answer | End::Shed => {
                for set in self.answer {
                    let origin = origin.clone();
                    let source = Source { rank: RANK_ANSWER, security: self.security, origin };
                    records.put(set, source, now);
                }
                return;
            }
        };
        let Some(ttl) = self.authority.first().map(|soa| soa.ttl) else { return };
        records.put_negative(name, qtype, kind, ttl, self.authority, self.security, &origin, now);
    }
}
