//! What the caches keep, for how long, and what leaves first.

mod common;

use common::{name, parsed, query, rrset, signature};
use inland_native::cache::answers::{AnswerCache, Hit, Key, Marks};
use inland_native::cache::records::{Kind, RecordCache, Source};
use inland_native::wire::compose::Answer;
use inland_native::wire::message::{self, RRset};
use proptest::prelude::*;

const MIB: usize = 1 << 20;
const A: u16 = 1;
const MX: u16 = 15;

fn source(rank: u8) -> Source {
    Source { rank, security: 0, origin: Box::from([192, 0, 2, 1]) }
}

fn records() -> RecordCache {
    RecordCache::new(MIB, 86_400, 900)
}

fn a(owner: &str, ttl: u32, last: u8) -> RRset {
    rrset(owner, A, ttl, &[&[192, 0, 2, last]])
}

/// Last octet of the address that the cache gives, with its TTL.
fn got(cache: &RecordCache, owner: &str, now: f64) -> Option<(u8, u32)> {
    let fact = cache.get(&name(owner), A, now)?;
    assert_eq!(fact.kind, Kind::Records);
    Some((fact.sets[0].rdatas[0][3], fact.sets[0].ttl))
}

fn deny(cache: &RecordCache, owner: &str, rtype: u16, kind: Kind, now: f64) {
    let soa = [&*name("ns"), &*name("mail"), &[0; 20]].concat();
    let proofs = vec![rrset("example", 6, 3600, &[&soa])];
    cache.put_negative(&name(owner), rtype, kind, 600, proofs, 0, &[], now);
}

fn kind(cache: &RecordCache, owner: &str, rtype: u16, now: f64) -> Option<Kind> {
    cache.get(&name(owner), rtype, now).map(|fact| fact.kind)
}

#[test]
fn ttls_count_down_by_whole_seconds_and_an_entry_lives_as_long_as_its_ttl() {
    let cache = records();
    assert!(cache.put(a("a.example", 30, 1), source(3), 0.1));
    assert_eq!(got(&cache, "a.example", 0.1), Some((1, 30)));
    assert_eq!(got(&cache, "a.example", 0.2), Some((1, 30)));
    assert_eq!(got(&cache, "a.example", 1.2), Some((1, 29)));
    assert_eq!(got(&cache, "a.example", 30.0), Some((1, 1)));
    assert_eq!(got(&cache, "a.example", 30.2), None);
    assert_eq!(got(&cache, "b.example", 0.1), None);
}

#[test]
fn what_is_put_comes_back_whole() {
    let mut set = rrset("a.example", 16, 30, &[b"", b"\x01a", &[7; 300]]);
    set.signatures = vec![signature(16, 99), signature(16, 30)];
    let cache = records();
    cache.put(set.clone(), source(3), 0.0);
    let found = cache.get(&set.name, 16, 0.0).expect("live");
    assert_eq!((found.sets, found.source), (vec![set], source(3)));
}

#[test]
fn ttls_are_clamped_by_the_limit_and_by_the_original_ttl_of_signatures() {
    let cache = records();
    cache.put(a("long.example", 1 << 30, 1), source(3), 0.0);
    assert_eq!(got(&cache, "long.example", 0.0), Some((1, 86_400)));
    let mut set = a("signed.example", 3600, 1);
    set.signatures = vec![signature(A, 500), signature(A, 300)];
    cache.put(set, source(3), 0.0);
    assert_eq!(got(&cache, "signed.example", 0.0), Some((1, 300)));
}

#[test]
fn ttl_zero_is_not_stored() {
    let cache = records();
    assert!(!cache.put(a("a.example", 0, 1), source(3), 0.0));
    assert_eq!((got(&cache, "a.example", 0.0), cache.entries()), (None, 0));
}

#[test]
fn equal_or_better_rank_replaces_and_lower_waits_for_the_end_rfc2181_5_4_1() {
    let cache = records();
    assert!(cache.put(a("a.example", 30, 1), source(2), 0.0));
    assert!(!cache.put(a("a.example", 300, 2), source(1), 1.0));
    assert_eq!(got(&cache, "a.example", 1.0), Some((1, 29)));
    assert!(cache.put(a("a.example", 30, 3), source(2), 1.0));
    assert!(cache.put(a("a.example", 30, 4), source(3), 1.0));
    assert!(!cache.put(a("a.example", 30, 5), source(2), 1.0));
    assert_eq!(got(&cache, "a.example", 1.0), Some((4, 30)));
    assert!(cache.put(a("a.example", 30, 6), source(1), 31.0));
    assert_eq!(got(&cache, "a.example", 31.0), Some((6, 30)));
}

#[test]
fn nodata_speaks_for_its_type_and_nxdomain_for_every_type() {
    let cache = records();
    deny(&cache, "a.example", A, Kind::NoData, 0.0);
    assert_eq!(kind(&cache, "a.example", A, 1.0), Some(Kind::NoData));
    assert_eq!(kind(&cache, "a.example", MX, 1.0), None);
    deny(&cache, "a.example", A, Kind::NxDomain, 1.0);
    assert_eq!(kind(&cache, "a.example", MX, 2.0), Some(Kind::NxDomain));
    assert_eq!(kind(&cache, "b.a.example", A, 2.0), None);
}

#[test]
fn the_soa_of_a_negative_answer_lives_no_longer_than_it_and_counts_down() {
    let cache = records();
    deny(&cache, "a.example", A, Kind::NxDomain, 0.0);
    let fact = cache.get(&name("a.example"), A, 100.5).expect("live");
    assert_eq!((fact.sets[0].ttl, fact.source.rank), (500, 3));
    assert!(cache.get(&name("a.example"), A, 600.0).is_none());
}

#[test]
fn negative_ttl_is_clamped() {
    let cache = RecordCache::new(MIB, 86_400, 60);
    deny(&cache, "a.example", A, Kind::NoData, 0.0);
    assert!(cache.get(&name("a.example"), A, 59.5).is_some());
    assert!(cache.get(&name("a.example"), A, 60.0).is_none());
}

#[test]
fn records_that_come_after_nxdomain_show_that_the_name_exists() {
    let cache = records();
    cache.put(rrset("a.example", MX, 300, &[b"\0\x05\0"]), source(3), 0.0);
    deny(&cache, "a.example", A, Kind::NxDomain, 1.0);
    assert!(cache.put(a("a.example", 300, 1), source(1), 2.0));
    assert_eq!(got(&cache, "a.example", 2.0), Some((1, 300)));
    assert_eq!(kind(&cache, "a.example", MX, 2.0), None, "what NXDOMAIN denied stays denied");
    assert_eq!(cache.entries(), 1);
}

/// Kind and last octet of the address that is given as stale, with its TTL.
fn stale(cache: &RecordCache, owner: &str, now: f64) -> Option<(Kind, Option<u8>, u32)> {
    let fact = cache.get_stale(&name(owner), A, now)?;
    let last = (fact.kind == Kind::Records).then(|| fact.sets[0].rdatas[0][3]);
    Some((fact.kind, last, fact.sets[0].ttl))
}

#[test]
fn what_has_expired_is_kept_for_those_who_ask_for_it_rfc8767() {
    let cache = records().keeping(100);
    cache.put(a("a.example", 30, 1), source(3), 0.0);
    assert_eq!(stale(&cache, "a.example", 10.0), Some((Kind::Records, Some(1), 20)));
    assert_eq!(got(&cache, "a.example", 30.0), None);
    assert!(!cache.knows(&name("a.example"), A, 30.0));
    assert_eq!(stale(&cache, "a.example", 30.0), Some((Kind::Records, Some(1), 0)));
    assert_eq!(stale(&cache, "a.example", 129.0), Some((Kind::Records, Some(1), 0)));
    assert_eq!(stale(&cache, "a.example", 130.0), None);
    deny(&cache, "no.example", A, Kind::NxDomain, 0.0);
    assert_eq!(stale(&cache, "no.example", 650.0), Some((Kind::NxDomain, None, 0)));
    cache.flush(&name("no.example"), false);
    assert_eq!(stale(&cache, "no.example", 650.0), None);
}

#[test]
fn what_has_expired_is_gone_where_nothing_is_kept() {
    let cache = records();
    cache.put(a("a.example", 30, 1), source(3), 0.0);
    assert_eq!(stale(&cache, "a.example", 30.0), None);
}

#[test]
fn what_has_expired_gives_way_to_what_comes() {
    let cache = records().keeping(1000);
    cache.put(a("a.example", 30, 1), source(3), 0.0);
    cache.put(rrset("a.example", MX, 300, &[b"\0\x05\0"]), source(3), 40.0);
    assert_eq!(stale(&cache, "a.example", 40.0), Some((Kind::Records, Some(1), 0)));
    assert!(cache.put(a("a.example", 30, 2), source(1), 40.0), "whatever its rank");
    assert_eq!(got(&cache, "a.example", 40.0), Some((2, 30)));
    deny(&cache, "a.example", A, Kind::NoData, 80.0);
    assert_eq!(stale(&cache, "a.example", 80.0).map(|found| found.0), Some(Kind::NoData));
}

#[test]
fn what_has_expired_goes_when_the_name_becomes_an_alias_or_is_none_any_more() {
    const CNAME: u16 = 5;
    let cache = records().keeping(1000);
    let alias = || rrset("a.example", CNAME, 30, &[&name("b.example")]);
    cache.put(a("a.example", 30, 1), source(3), 0.0);
    cache.put(alias(), source(3), 40.0);
    assert_eq!(stale(&cache, "a.example", 40.0), None);
    assert!(cache.get_stale(&name("a.example"), CNAME, 80.0).is_some());
    cache.put(a("a.example", 30, 2), source(3), 80.0);
    assert!(cache.get_stale(&name("a.example"), CNAME, 80.0).is_none());
}

#[test]
fn records_and_nodata_of_a_type_replace_each_other() {
    let cache = records();
    cache.put(a("a.example", 300, 1), source(3), 0.0);
    deny(&cache, "a.example", A, Kind::NoData, 1.0);
    assert_eq!(kind(&cache, "a.example", A, 1.0), Some(Kind::NoData));
    cache.put(a("a.example", 300, 2), source(1), 2.0);
    assert_eq!(got(&cache, "a.example", 2.0), Some((2, 300)));
}

#[test]
fn many_types_of_one_name_are_bounded() {
    let cache = records();
    for rtype in 1000..1200 {
        cache.put(rrset("a.example", rtype, u32::from(rtype), &[b"x"]), source(3), 0.0);
    }
    assert_eq!(cache.entries(), 64);
    assert!(cache.get(&name("a.example"), 1199, 0.0).is_some());
    assert!(cache.get(&name("a.example"), 1000, 0.0).is_none());
}

#[test]
fn flush_takes_a_name_or_all_below_it() {
    let fill = || {
        let cache = records();
        for owner in ["example", "a.example", "b.a.example", "ba.example", "other"] {
            cache.put(a(owner, 300, 1), source(3), 0.0);
        }
        cache
    };
    let cache = fill();
    assert_eq!(cache.flush(&name("a.example"), false), 1);
    assert_eq!(cache.entries(), 4);
    let cache = fill();
    assert_eq!(cache.flush(&name("a.example"), true), 2);
    assert_eq!(got(&cache, "ba.example", 0.0), Some((1, 300)));
    assert_eq!(cache.flush(&name("."), true), 3);
    assert_eq!((cache.entries(), cache.bytes()), (0, 0));
}

#[test]
fn memory_is_bounded_and_a_scan_does_not_push_out_what_is_in_use() {
    let cache = RecordCache::new(MIB, 86_400, 900);
    for index in 0..50 {
        cache.put(a(&format!("hot{index}.example"), 86_400, 1), source(3), 0.0);
    }
    for index in 0..20_000 {
        cache.put(a(&format!("once{index}.example"), 86_400, 2), source(3), 1.0);
        assert!(cache.bytes() <= MIB);
        if index % 100 == 0 {
            for hot in 0..50 {
                assert!(got(&cache, &format!("hot{hot}.example"), 2.0).is_some(), "{hot} {index}");
            }
        }
    }
    assert!(cache.entries() > 1000);
}

#[test]
fn what_is_larger_than_the_cache_is_not_kept_and_pushes_nothing_out() {
    let cache = RecordCache::new(4096, 86_400, 900);
    cache.put(a("a.example", 300, 1), source(3), 0.0);
    cache.put(rrset("b.example", 16, 300, &[&[0; 5000]]), source(3), 0.0);
    assert_eq!((got(&cache, "a.example", 0.0), cache.entries()), (Some((1, 300)), 1));
}

fn key(name: &[u8]) -> Key<'_> {
    Key { view: 0, name, rtype: A, do_bit: false, cd: false }
}

fn answer(owner: &str) -> Answer {
    let set = a(owner, 300, 1);
    Answer::compose(&name(owner), A, 1, 0, [&[set], &[], &[]], &[], 0.0)
}

fn lookup(cache: &AnswerCache, owner: &str, now: f64) -> Option<(Hit, u32)> {
    let packet = query(owner, A, None);
    let query = parsed(&packet);
    let mut out = [0; 512];
    let hit = cache.lookup(
        &key(&query.name),
        cache.generation(),
        &query.client,
        query.question,
        now,
        512,
        &mut out,
    )?;
    let message = message::parse(&out[..hit.length]).expect("good");
    Some((hit, message.answer[0].ttl))
}

#[test]
fn an_answer_is_served_for_its_lifetime_with_its_destination() {
    let cache = AnswerCache::new(MIB);
    cache.put(&key(&name("a.example")), 0, &answer("a.example"), 60.0, 2, 0.0);
    let (hit, ttl) = lookup(&cache, "A.example", 10.0).expect("live");
    assert_eq!((hit.destination, ttl), (2, 290));
    assert!(lookup(&cache, "a.example", 60.0).is_none());
    assert!(cache.peek(&key(&name("a.example")), 59.9).is_some());
    assert!(cache.peek(&key(&name("a.example")), 60.0).is_none());
}

#[test]
fn a_popular_answer_that_ends_soon_is_told_once() {
    let cache = AnswerCache::new(MIB);
    for (owner, lifetime) in [("long.example", 100.0), ("short.example", 10.0)] {
        cache.put(&key(&name(owner)), 0, &answer(owner), lifetime, 0, 0.0);
    }
    lookup(&cache, "short.example", 9.5).expect("live");
    lookup(&cache, "short.example", 9.6).expect("live");
    lookup(&cache, "long.example", 91.0).expect("live");
    assert!(cache.take_due(9).is_empty(), "short lives and what was asked for once are not told");
    for _ in 0..3 {
        lookup(&cache, "long.example", 92.0).expect("live");
    }
    let due = cache.take_due(9);
    assert_eq!((due.len(), &*due[0].name), (1, &*name("long.example")));
    cache.put(&key(&name("long.example")), 0, &answer("long.example"), 100.0, 0, 92.0);
    lookup(&cache, "long.example", 100.0).expect("live");
    assert!(cache.take_due(9).is_empty());
}

#[test]
fn an_answer_of_stale_data_keeps_its_ttls_is_told_as_such_and_never_due() {
    let cache = AnswerCache::new(MIB);
    let marks = Marks { destination: 2, stale: true, ..Marks::default() };
    cache.put(&key(&name("a.example")), 0, &answer("a.example"), 100.0, marks, 0.0);
    for now in [1.0, 90.0, 95.0] {
        let (hit, ttl) = lookup(&cache, "a.example", now).expect("live");
        assert_eq!((hit.destination, hit.stale, ttl), (2, true, 300));
    }
    let message = cache.peek(&key(&name("a.example")), 95.0).expect("live");
    assert_eq!(message::parse(&message).expect("good").answer[0].ttl, 300);
    assert!(cache.take_due(9).is_empty());
    assert!(lookup(&cache, "a.example", 100.0).is_none());
    cache.put(&key(&name("a.example")), 0, &answer("a.example"), 60.0, 2, 50.0);
    assert!(!lookup(&cache, "a.example", 51.0).expect("live").0.stale);
}

#[test]
fn every_part_of_the_key_counts() {
    let cache = AnswerCache::new(MIB);
    let name = name("a.example");
    let base = key(&name);
    cache.put(&base, 0, &answer("a.example"), 60.0, 0, 0.0);
    let others = [
        Key { view: 1, ..base },
        Key { rtype: MX, ..base },
        Key { do_bit: true, ..base },
        Key { cd: true, ..base },
    ];
    assert!(others.iter().all(|key| cache.peek(key, 1.0).is_none()));
    assert!(cache.peek(&base, 1.0).is_some());
}

#[test]
fn another_generation_is_neither_served_nor_kept() {
    let cache = AnswerCache::new(MIB);
    cache.set_generation(7);
    cache.put(&key(&name("old.example")), 7, &answer("old.example"), 60.0, 0, 0.0);
    cache.set_generation(8);
    assert!(lookup(&cache, "old.example", 1.0).is_none());
    cache.put(&key(&name("late.example")), 7, &answer("late.example"), 60.0, 0, 1.0);
    cache.put(&key(&name("new.example")), 8, &answer("new.example"), 60.0, 0, 1.0);
    assert!(lookup(&cache, "late.example", 1.0).is_none());
    assert!(lookup(&cache, "new.example", 1.0).is_some());
    assert_eq!(cache.entries(), 2);
}

#[test]
fn answers_are_bounded_in_bytes_and_flushed_by_name() {
    let cache = AnswerCache::new(MIB);
    for index in 0..10_000 {
        let owner = format!("n{index}.example");
        cache.put(&key(&name(&owner)), 0, &answer(&owner), 600.0, 0, 0.0);
        assert!(cache.bytes() <= MIB);
    }
    assert!(cache.entries() > 1000);
    assert_eq!(cache.flush(&name("n9999.example"), false), 1);
    assert!(cache.flush(&name("example"), true) > 1000);
    assert_eq!((cache.entries(), cache.bytes()), (0, 0));
}

proptest! {
    /// Against a plain map: within the bound, the cache is one.
    #[test]
    fn without_eviction_the_record_cache_is_a_map_with_expiry(
        steps in proptest::collection::vec((0u8..6, 1u32..50, any::<u8>(), any::<bool>()), 1..60),
    ) {
        let cache = records();
        let mut model = std::collections::HashMap::new();
        let mut now = 0.0;
        for (index, ttl, last, flush) in steps {
            now += 7.0;
            let owner = format!("n{index}.example");
            if flush {
                // What has expired may be gone already, or still be counted.
                let live = model
                    .remove(&owner)
                    .is_some_and(|(_, ttl, made)| made + f64::from(ttl) > now);
                prop_assert!(cache.flush(&name(&owner), false) >= usize::from(live));
            } else {
                prop_assert!(cache.put(a(&owner, ttl, last), source(3), now));
                model.insert(owner, (last, ttl, now));
            }
            for (owner, (last, ttl, made)) in &model {
                let left = made + f64::from(*ttl) - now;
                let expected = (left >= 1.0).then_some((*last, left as u32));
                prop_assert_eq!(got(&cache, owner, now), expected);
            }
        }
    }
}
