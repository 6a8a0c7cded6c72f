//! What proves itself to a plan of a signed zone, and what does not.

use ring::signature::{Ed25519KeyPair, KeyPair};

use super::proof::{ProvenKey, Times, life};
use super::table_tests::{A, BELOW, NSEC, TXT, ZONE, plan, reply};
use crate::verify::signed::Rrsig;
use crate::wire::message::RRset;
use crate::wire::micros;

const ED25519: u8 = 15;
const TAG: u16 = 4711;
const WALL: u32 = 1_800_000_000;
const TIMES: Times = Times { now: 100.0, wall: WALL as f64 };
const TRIES: usize = 2;

fn pair() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[9; 32]).unwrap()
}

fn key() -> ProvenKey {
    let public = Box::from(pair().public_key().as_ref());
    ProvenKey { algorithm: ED25519, tag: TAG, public, until: micros(200.0) }
}

/// How a signature is bent before it is made.
#[derive(Clone, Copy)]
struct Form {
    labels: u8,
    inception: u32,
    expiration: u32,
    tag: u16,
    signer: &'static [u8],
}

const SOUND: Form =
    Form { labels: 3, inception: WALL - 10, expiration: WALL + 50, tag: TAG, signer: ZONE };

fn sign(set: &RRset, form: Form) -> Box<[u8]> {
    let mut rdata = set.rtype.to_be_bytes().to_vec();
    rdata.extend([ED25519, form.labels, 0, 0, 0, 60]);
    rdata.extend(form.expiration.to_be_bytes());
    rdata.extend(form.inception.to_be_bytes());
    rdata.extend(form.tag.to_be_bytes());
    rdata.extend(form.signer);
    let draft = [&rdata[..], b"?"].concat();
    let rdatas = set.rdatas.iter().map(|rdata| &**rdata);
    let signed = Rrsig::read(&draft).unwrap().signed(&set.name, set.rtype, rdatas).unwrap();
    rdata.extend(pair().sign(&signed.data).as_ref());
    Box::from(rdata)
}

fn www(form: Form) -> RRset {
    let mut set = RRset {
        name: Box::from(BELOW),
        rtype: A,
        ttl: 300,
        rdatas: vec![Box::from([192, 0, 2, 1]), Box::from([192, 0, 2, 2])],
        signatures: Vec::new(),
    };
    set.signatures = vec![sign(&set, form)];
    set
}

fn lives(answer: Vec<RRset>, keys: &[ProvenKey]) -> Option<u32> {
    let message = reply(0, answer, Vec::new());
    life(&message, &plan(ZONE, true, 500.0), keys, (BELOW, A), TIMES, TRIES)
}

#[test]
fn the_records_asked_for_prove_themselves_for_as_long_as_their_signature() {
    assert_eq!(lives(vec![www(SOUND)], &[key()]), Some(50), "until it ends");
    let long = Form { expiration: WALL + 5000, ..SOUND };
    assert_eq!(lives(vec![www(long)], &[key()]), Some(60), "the original TTL");
    let capital = Form { signer: b"\x07EXAMPLE\x02xa\0", ..SOUND };
    assert_eq!(lives(vec![www(capital)], &[key()]), Some(50), "names have no case");
}

#[test]
fn what_is_bent_does_not() {
    let bent = [
        Form { labels: 2, ..SOUND }, // a wildcard's
        Form { expiration: WALL - 1, ..SOUND },
        Form { inception: WALL + 1, ..SOUND },
        Form { tag: TAG + 1, ..SOUND },
        Form { signer: b"\x02xa\0", ..SOUND },
        Form { signer: BELOW, ..SOUND },
    ];
    for form in bent {
        assert_eq!(lives(vec![www(form)], &[key()]), None);
    }
    let mut forged = www(SOUND);
    forged.rdatas[0] = Box::from([192, 0, 2, 3]);
    assert_eq!(lives(vec![forged], &[key()]), None);
    let mut bare = www(SOUND);
    bare.signatures.clear();
    assert_eq!(lives(vec![bare], &[key()]), None);
    let mut torn = www(SOUND);
    torn.signatures = vec![Box::from(&b"torn"[..])];
    assert_eq!(lives(vec![torn], &[key()]), None);
}

#[test]
fn only_one_set_and_the_one_asked_for_is_looked_at() {
    assert_eq!(lives(Vec::new(), &[key()]), None);
    let other = RRset { rtype: TXT, ..www(SOUND) };
    assert_eq!(lives(vec![www(SOUND), other.clone()], &[key()]), None);
    assert_eq!(lives(vec![other], &[key()]), None);
    assert_eq!(lives(vec![RRset { name: Box::from(ZONE), ..www(SOUND) }], &[key()]), None);
    let message = reply(3, vec![www(SOUND)], Vec::new());
    let plan = plan(ZONE, true, 500.0);
    assert_eq!(life(&message, &plan, &[key()], (BELOW, A), TIMES, TRIES), None);
    let message = reply(0, Vec::new(), vec![RRset { rtype: NSEC, ..www(SOUND) }]);
    assert_eq!(life(&message, &plan, &[key()], (BELOW, A), TIMES, TRIES), None);
}

#[test]
fn keys_speak_while_their_proof_holds() {
    assert_eq!(lives(vec![www(SOUND)], &[]), None);
    let other = ProvenKey { public: Box::from([1; 32]), ..key() };
    assert_eq!(lives(vec![www(SOUND)], std::slice::from_ref(&other)), None);
    assert_eq!(lives(vec![www(SOUND)], &[other.clone(), key()]), Some(50), "they share a tag");
    assert_eq!(lives(vec![www(SOUND)], &[other.clone(), other, key()]), None, "two tries");
    let ended = ProvenKey { until: micros(TIMES.now), ..key() };
    assert_eq!(lives(vec![www(SOUND)], &[ended]), None);
    let another = ProvenKey { algorithm: 13, ..key() };
    assert_eq!(lives(vec![www(SOUND)], &[another]), None);
}

#[test]
fn wrong_signatures_before_the_right_one_cost_no_more_than_the_tries() {
    let mut set = www(SOUND);
    let mut wrong = set.signatures[0].clone();
    *wrong.last_mut().unwrap() ^= 1;
    set.signatures.insert(0, wrong.clone());
    assert_eq!(lives(vec![set.clone()], &[key()]), Some(50));
    set.signatures.insert(0, wrong);
    assert_eq!(lives(vec![set], &[key()]), None);
}
