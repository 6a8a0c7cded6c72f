//! Whether a reply from a signed zone proves itself: the one plain case that native decides.
//!
//! A plan of a zone that must be validated carries the zone's proven keys. Its answer is believed
//! here only when it is one positive RRset, with a signature by one of those keys over that very
//! name; negative answers, wildcards, aliases and whatever else are Python's.
//!
//! RFC 4035 sections 5.3.1 (what a signature must fulfil) and 5.3.3 (its bound of the TTL).

use super::Plan;
use crate::verify::keys::verify;
use crate::verify::signed::Rrsig;
use crate::verify::{Job, Outcome};
use crate::wire::message::{Message, RRset};
use crate::wire::{micros, rcode};

/// A key of the zone that Python has proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvenKey {
    pub algorithm: u8,
    pub tag: u16,
    /// The public key field of its DNSKEY.
    pub public: Box<[u8]>,
    /// Until when the proof holds, microseconds of the clock.
    pub until: i64,
}

/// What time it is: of the clock, and in seconds since the epoch.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    pub now: f64,
    pub wall: f64,
}

/// How long the answer to this question may live, in seconds, when it proves itself.
/// `tries_max`: signatures times keys that are tried.
pub fn life(
    message: &Message,
    plan: &Plan,
    keys: &[ProvenKey],
    (name, rtype): (&[u8], u16),
    times: Times,
    tries_max: usize,
) -> Option<u32> {
    let [set] = &*message.answer else { return None };
    if message.rcode != rcode::NOERROR || set.rtype != rtype || *set.name != *name {
        return None;
    }
    // The dates of signatures have 32 bits.
    let (now, wall) = (micros(times.now), times.wall as i64 as u32);
    let mut tries = 0;
    for signature in set.signatures.iter().filter_map(|rdata| Rrsig::read(rdata).ok()) {
        if !signature.signer.eq_ignore_ascii_case(&plan.zone) || !signature.holds_at(wall) {
            continue;
        }
        let fits = |key: &&ProvenKey| {
            (key.algorithm, key.tag) == (signature.algorithm, signature.key_tag) && key.until > now
        };
        for key in keys.iter().filter(fits) {
            if tries == tries_max {
                return None;
            }
            tries += 1;
            if is_right(&signature, set, key) {
                let left = signature.expiration.wrapping_sub(wall);
                return Some(signature.original_ttl.min(left));
            }
        }
    }
    None
}

/// Whether the key made the signature over this RRset under its own name.
fn is_right(signature: &Rrsig<'_>, set: &RRset, key: &ProvenKey) -> bool {
    let rdatas = set.rdatas.iter().map(|rdata| &**rdata);
    match signature.signed(&set.name, set.rtype, rdatas) {
        // RFC 4035 section 5.3.4: of a wildcard's the denial of the name must be there, too.
        Ok(signed) if !signed.expanded => {
            let job = Job {
                algorithm: key.algorithm,
                key: &key.public,
                data: &signed.data,
                signature: signature.signature,
            };
            verify(&job, false) == Outcome::Valid
        }
        _ => false,
    }
}
