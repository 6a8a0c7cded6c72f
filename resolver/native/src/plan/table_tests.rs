//! The table of plans, the choice of a server, what is plain, and what is told.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::choice::Dice;
use super::concern::Concern;
use super::plain::{self, End};
use super::proof::ProvenKey;
use super::report::{Client, Lookup, News, Reports};
use super::{Bounds, Found, Plan, Plans, Server, Side};
use crate::cache::answers::AnswerCache;
use crate::cache::records::RecordCache;
use crate::sys::random::Random;
use crate::wire::ask::Options;
use crate::wire::message::{Message, Question, RRset};
use crate::wire::{flag, micros};

pub(super) const ZONE: &[u8] = b"\x07example\x02xa\0";
pub(super) const BELOW: &[u8] = b"\x03www\x07example\x02xa\0";
const DEEP: &[u8] = b"\x01a\x03www\x07example\x02xa\0";
const NS1: &[u8] = b"\x03ns1\x07example\x02xa\0";
pub(super) const A: u16 = 1;
const NS: u16 = 2;
const CNAME: u16 = 5;
const SOA: u16 = 6;
pub(super) const TXT: u16 = 16;
const DS: u16 = 43;
pub(super) const NSEC: u16 = 47;

fn bounds() -> Bounds {
    Bounds {
        flights_max: 10,
        per_zone: 10,
        per_client: 10,
        joiners_max: 10,
        tries_max: 2,
        backlog_max: 10,
        sides_max: 4,
        ttl_max: 1000,
        ttl_negative_max: 500,
        explore_one_in: 20,
        farther: 0.1,
        port: 53,
        linger: Duration::ZERO,
        kernel_ports: false,
    }
}

fn plans() -> Plans {
    let records = Arc::new(RecordCache::new(1 << 16, 1000, 500));
    Plans::new(Arc::new(AnswerCache::new(1 << 16)), records, bounds(), vec![0.1, 1.0]).unwrap()
}

fn server(last: u8, score: f32) -> Server {
    let address = IpAddr::V4(Ipv4Addr::new(192, 0, 2, last));
    Server { address, slot: 0, wait: Duration::from_millis(200), edns: Options::Plain, score }
}

pub(super) fn plan(zone: &[u8], any_depth: bool, expires: f64) -> Plan {
    Plan {
        id: 7,
        view: 0,
        zone: Box::from(zone),
        any_depth,
        needed: 3,
        randomise_case: true,
        own_set: vec![Box::from(NS1)],
        destination: 3,
        tag: 0,
        proven: None,
        generation: 0,
        servers: Box::from([server(1, 0.1), server(2, 0.2)]),
        expires: micros(expires),
    }
}

fn carried(plans: &Plans, name: &[u8], rtype: u16, now: f64) -> bool {
    matches!(plans.find(0, name, rtype, now), Found::Carry(_))
}

#[test]
fn a_plan_speaks_for_its_zone_and_one_label_below() {
    let plans = plans();
    plans.publish(plan(ZONE, false, 10.0), 100.0);
    for name in [ZONE, BELOW] {
        assert!(carried(&plans, name, A, 1.0));
    }
    assert!(!carried(&plans, DEEP, A, 1.0));
    assert!(!carried(&plans, b"\x02xa\0", A, 1.0));
    assert!(matches!(plans.find(1, BELOW, A, 1.0), Found::Leave(0)), "another view");
    plans.publish(plan(ZONE, true, 10.0), 100.0);
    assert!(carried(&plans, DEEP, A, 1.0));
    for rtype in [NS, CNAME, 39, DS, 46, 255] {
        assert!(!carried(&plans, BELOW, rtype, 1.0));
    }
}

#[test]
fn a_barrier_and_an_ended_plan_hide_what_is_planned_above() {
    let plans = plans();
    plans.publish(plan(b"\x02xa\0", true, 50.0), 100.0);
    assert!(carried(&plans, BELOW, A, 1.0));
    plans.publish(plan(ZONE, true, 10.0), 40.0);
    assert!(carried(&plans, BELOW, A, 9.9));
    assert!(!carried(&plans, BELOW, A, 10.1), "the plan has ended, the cut has not");
    assert!(carried(&plans, BELOW, A, 40.1), "now it has");
    plans.bar(0, ZONE, 60.0);
    assert!(!carried(&plans, BELOW, A, 45.0));
    let mark = |name, rtype| match plans.find(0, name, rtype, 45.0) {
        Found::Leave(mark) => mark,
        Found::Carry(_) => 0,
    };
    assert_ne!(mark(BELOW, A), 0, "of the deepest cut");
    assert_eq!(mark(BELOW, A), mark(DEEP, TXT));
    plans.forget(ZONE, false);
    assert!(carried(&plans, BELOW, A, 45.0));
    plans.forget(b"\0", true);
    assert_eq!(plans.count(), (0, 0));
}

#[test]
fn another_policy_voids_plans_and_sides_and_keeps_barriers() {
    let plans = plans();
    plans.publish(plan(ZONE, true, 10.0), 100.0);
    plans.locate([(server(9, 0.0).address, Side::Domestic)]);
    plans.set_policy(2, Concern::default());
    assert_eq!((plans.count(), plans.generation()), ((0, 1), 2));
    assert!(!carried(&plans, BELOW, A, 1.0));
    assert_eq!(plans.destination([server(9, 0.0).address], 3), None);
    plans.publish(plan(ZONE, true, 10.0), 100.0);
    assert!(carried(&plans, BELOW, A, 1.0));
    plans.stop();
    assert!(!carried(&plans, BELOW, A, 1.0));
}

#[test]
fn a_destination_is_that_of_all_addresses() {
    let plans = plans();
    let at = |last: u8| server(last, 0.0).address;
    plans.locate([(at(1), Side::Domestic), (at(2), Side::Foreign), (at(3), Side::Nowhere)]);
    for (addresses, destination) in [
        (vec![], Some(3)),
        (vec![at(1), at(1)], Some(0)),
        (vec![at(2)], Some(1)),
        (vec![at(1), at(2)], Some(2)),
        (vec![at(3)], Some(3)),
        (vec![at(3), at(2)], Some(1)),
        (vec![at(1), at(4)], None),
    ] {
        assert_eq!(plans.destination(addresses, 3), destination);
    }
    plans.locate((10..14).map(|last| (at(last), Side::Domestic)));
    assert_eq!(plans.destination([at(1)], 3), None, "past the bound all are forgotten");
}

#[test]
fn questions_are_left_until_their_time_and_within_the_bound() {
    let plans = plans();
    plans.leave(BELOW, A, 5.0, 1.0);
    assert!(plans.is_left(plans.mark(BELOW, A), 4.9));
    assert!(!plans.is_left(plans.mark(BELOW, A), 5.1));
    assert!(!plans.is_left(plans.mark(BELOW, TXT), 1.0));
    for rtype in 100..110 {
        plans.leave(BELOW, rtype, 50.0, 6.0);
    }
    let left = (100..110).filter(|rtype| plans.is_left(plans.mark(BELOW, *rtype), 6.0));
    assert_eq!(left.count(), 4, "what has ended makes room");
    plans.forgive();
    assert!(!plans.is_left(plans.mark(BELOW, 100), 6.0));
}

#[test]
fn nearly_always_the_least_score_is_chosen_and_every_near_server_now_and_then() {
    let mut dice = Dice::new(&mut Random::default());
    let plan = plan(ZONE, true, 10.0);
    let mut counts = [0u32; 2];
    for _ in 0..10_000 {
        counts[dice.choose(&plan, &bounds())] += 1;
    }
    assert!((100..500).contains(&counts[1]), "one choice in forty: {counts:?}");
    let even = Plan { servers: Box::from([server(1, 0.1), server(2, 0.1)]), ..plan };
    let second = (0..10_000).filter(|_| dice.choose(&even, &bounds()) == 1).count();
    assert!((4_000..6_000).contains(&second), "{second}");
    let far = Plan { servers: Box::from([server(1, 0.3), server(2, 0.1)]), ..even };
    assert!((0..10_000).all(|_| dice.choose(&far, &bounds()) == 1));
}

fn set(name: &[u8], rtype: u16, ttl: u32, rdata: &[u8]) -> RRset {
    let rdatas = vec![Box::from(rdata)];
    RRset { name: Box::from(name), rtype, ttl, rdatas, signatures: Vec::new() }
}

fn soa(name: &[u8], ttl: u32, minimum: u32) -> RRset {
    let mut rdata = vec![0; 18];
    rdata.extend(minimum.to_be_bytes());
    set(name, SOA, ttl, &rdata)
}

pub(super) fn reply(rcode: u16, answer: Vec<RRset>, authority: Vec<RRset>) -> Message {
    let question = Some(Question { name: Box::from(BELOW), qtype: A });
    let (additional, edns) = (Vec::new(), None);
    Message { id: 1, flags: flag::AA, rcode, question, answer, authority, additional, edns }
}

fn read(mut message: Message) -> Option<plain::Plain> {
    plain::read(&mut message, &plan(ZONE, true, 10.0), BELOW, A, &bounds())
}

#[test]
fn a_plan_of_a_signed_zone_ends_with_its_first_key_and_leaves_the_keys_to_python() {
    const DNSKEY: u16 = 48;
    let plans = plans();
    let key = |until: f64| {
        let public = Box::from(&b"key"[..]);
        ProvenKey { algorithm: 13, tag: 1, public, until: micros(until) }
    };
    let keys: Box<[ProvenKey]> = Box::from([key(30.0), key(5.0)]);
    let signed = Plan { proven: Some(keys.clone()), ..plan(ZONE, true, 10.0) };
    plans.publish(signed, 100.0);
    assert!(carried(&plans, BELOW, A, 4.9));
    assert!(!carried(&plans, BELOW, A, 5.1));
    assert!(!carried(&plans, ZONE, DNSKEY, 1.0));
    let shown = plans.shown(0, ZONE).unwrap();
    assert_eq!((shown.expires, shown.proven.as_ref()), (micros(5.0), Some(&keys)));
    assert!(plans.shown(0, BELOW).is_none());
    plans.publish(Plan { proven: Some(Box::from([])), ..plan(ZONE, true, 10.0) }, 100.0);
    assert!(carried(&plans, BELOW, A, 9.9), "whatever comes of it is Python's");
    plans.publish(plan(ZONE, true, 10.0), 100.0);
    assert!(carried(&plans, ZONE, DNSKEY, 1.0));
}

#[test]
fn plain_replies_keep_what_was_asked_for_with_bounded_ttls() {
    let found = read(reply(
        0,
        vec![set(b"\x01z\0", A, 5, &[6; 4]), set(BELOW, A, 9999, &[192, 0, 2, 9])],
        vec![set(ZONE, NS, 60, NS1)],
    ));
    let found = found.unwrap();
    assert_eq!((found.end, found.answer.len(), found.answer[0].ttl), (End::Answer, 1, 1000));
    assert_eq!(found.addresses().collect::<Vec<_>>(), [server(9, 0.0).address]);
    assert!(found.authority.is_empty());
    for (rcode, end) in [(0, End::NoData), (3, End::NxDomain)] {
        let proofs =
            vec![soa(ZONE, 9999, 700), set(BELOW, NSEC, 9999, b"x"), set(b"\0", NSEC, 1, b"")];
        let found = read(reply(rcode, vec![], proofs)).unwrap();
        assert_eq!(found.end, end);
        let kept: Vec<_> = found.authority.iter().map(|set| (set.rtype, set.ttl)).collect();
        assert_eq!(kept, [(SOA, 500), (NSEC, 1000)]);
        assert_eq!(found.sections(A, false).1.len(), 1);
        assert_eq!(found.sections(A, true).2, 500);
    }
}

#[test]
fn what_is_not_plain_is_left() {
    let good = || reply(0, vec![set(BELOW, A, 60, &[192, 0, 2, 9])], vec![]);
    assert!(read(good()).is_some());
    let other = b"\x03ns9\x07example\x02xa\0";
    for (case, message) in [
        ("not authoritative", Message { flags: 0, ..good() }),
        ("truncated", Message { flags: flag::AA | flag::TC, ..good() }),
        ("without a question", Message { question: None, ..good() }),
        ("an alias", reply(0, vec![set(BELOW, CNAME, 60, NS1)], vec![])),
        (
            "an alias beside",
            reply(0, [good().answer, vec![set(NS1, CNAME, 6, NS1)]].concat(), vec![]),
        ),
        ("another NS set", reply(0, good().answer, vec![set(ZONE, NS, 60, other)])),
        ("only a stranger", reply(0, vec![set(NS1, A, 60, &[6; 4])], vec![])),
        ("NXDOMAIN and an answer", reply(3, good().answer, vec![])),
        ("SERVFAIL", reply(2, vec![], vec![soa(ZONE, 60, 60)])),
        ("nothing", reply(0, vec![], vec![])),
        ("a referral", reply(0, vec![], vec![set(BELOW, NS, 60, NS1)])),
        ("two SOAs", reply(3, vec![], vec![soa(ZONE, 60, 60), soa(BELOW, 60, 60)])),
        ("SOA above the zone", reply(3, vec![], vec![soa(b"\x02xa\0", 60, 60)])),
        ("SOA beside the name", reply(3, vec![], vec![soa(NS1, 60, 60)])),
        ("a torn SOA", reply(3, vec![], vec![set(ZONE, SOA, 60, b"xyz")])),
        ("no rdata", reply(0, vec![RRset { rdatas: vec![], ..good().answer[0].clone() }], vec![])),
    ] {
        assert!(read(message).is_none(), "{case}");
    }
}

fn lookup(server: u8) -> Lookup {
    let (name, rtt) = (Box::from(BELOW), 0.02);
    Lookup { plan: 7, server, name, rtype: A, rcode: 0, end: End::Answer, rtt }
}

#[test]
fn news_are_summed_by_class_and_told_once() {
    let reports = Reports::new(vec![0.1, 1.0], 4).unwrap();
    let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let (mut news, mut more) = (News::default(), News::default());
    for (number, seconds) in [(0, 0.1), (0, 0.2), (1, 5.0)] {
        let client = Client { transport: 0, address, seconds };
        let into = if number == 0 { &mut news } else { &mut more };
        into.finished(&reports.seconds_bounds, &lookup(number), &client, 3, true, 1.0);
        into.replied(7, number, seconds, b"");
    }
    let now = Instant::now();
    assert!(news.due(now).is_some_and(|due| due > now), "it gathers");
    reports.tell(&mut news);
    assert!(news.due(now).is_none() && !reports.is_full());
    reports.tell(&mut more);
    let told = reports.take();
    let mut sums: Vec<_> = told
        .sums
        .iter()
        .map(|(class, sum)| (class.server, sum.count, sum.buckets.clone()))
        .collect();
    sums.sort();
    assert_eq!(sums, [(0, 2, vec![1, 1, 0]), (1, 1, vec![0, 0, 1])]);
    assert_eq!((told.records_count, told.rtts.len()), (3, 2));
    assert!(reports.take().sums.is_empty());
}

#[test]
fn a_backlog_is_full_until_it_is_taken() {
    let reports = Reports::new(vec![], 2).unwrap();
    let client = Client { transport: 0, address: IpAddr::V4(Ipv4Addr::LOCALHOST), seconds: 0.0 };
    for full in [false, true] {
        let mut news = News::default();
        news.finished(&[], &lookup(0), &client, 0, true, 0.0);
        reports.tell(&mut news);
        assert_eq!(reports.is_full(), full);
    }
    reports.take();
    assert!(!reports.is_full());
}

#[test]
fn round_trips_of_a_batch_are_bounded() {
    let mut news = News::default();
    for number in 0..1000 {
        news.replied(7, 0, f64::from(number), b"ams");
    }
    let kept = &news.rtts[&(7, 0)];
    assert_eq!((kept.len(), &*kept[0].identity), (1, &b"ams"[..]));
    assert!(kept[0].rtts.len() < 100);
    assert_eq!(kept[0].rtts.last(), Some(&999.0));
}
