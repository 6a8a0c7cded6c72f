//! Messages read in full: RFC 1035 section 4, RFC 2181, RFC 3597, RFC 6891.

mod common;

use common::{Wire, name, rrset, signature};
use inland_native::wire::compose::Answer;
use inland_native::wire::message::{RRset, parse};
use inland_native::wire::{Malformed, flag};
use proptest::prelude::*;

const RESPONSE: u16 = 0x8000;

fn answer(count: u16) -> Wire {
    Wire::new(RESPONSE, [1, count, 0, 0]).question(&name("Www.Example.com"), 1)
}

fn opt_reply(additional: u16) -> Wire {
    Wire::new(RESPONSE | 2, [1, 0, 0, additional]).question(&name("a"), 1)
}

#[test]
fn records_of_one_owner_and_type_become_one_rrset_with_the_least_ttl() {
    let wire = answer(4)
        .record(b"\xC0\x0C", 1, 1, 300, &[1, 1, 1, 1])
        .record(&name("wWW.example.COM"), 1, 1, 60, &[2, 2, 2, 2])
        .record(b"\xC0\x0C", 1, 1, 200, &[1, 1, 1, 1])
        .record(b"\xC0\x0C", 28, 1, 900, &[7; 16]);
    let message = parse(&wire.0).expect("good");
    let expected = [
        rrset("www.example.com", 1, 60, &[&[1, 1, 1, 1], &[2, 2, 2, 2]]),
        rrset("www.example.com", 28, 900, &[&[7; 16]]),
    ];
    assert_eq!(message.answer, expected);
}

#[test]
fn a_ttl_with_the_top_bit_set_counts_as_zero_rfc2181_8() {
    let wire = answer(1).record(b"\xC0\x0C", 1, 1, 0x8000_0000, &[1, 1, 1, 1]);
    assert_eq!(parse(&wire.0).expect("good").answer[0].ttl, 0);
}

#[test]
fn signatures_join_what_they_cover_wherever_they_stand_in_the_section() {
    let (over_a, over_mx) = (signature(1, 300), signature(15, 300));
    let wire = answer(3)
        .record(b"\xC0\x0C", 46, 1, 100, &over_a)
        .record(b"\xC0\x0C", 46, 1, 50, &over_mx)
        .record(b"\xC0\x0C", 1, 1, 300, &[1, 1, 1, 1]);
    let message = parse(&wire.0).expect("good");
    let mut covered = rrset("www.example.com", 1, 100, &[&[1, 1, 1, 1]]);
    covered.signatures = vec![over_a];
    assert_eq!(message.answer, [covered, rrset("www.example.com", 46, 50, &[&over_mx])]);
}

#[test]
fn names_in_rdata_are_uncompressed_and_keep_their_case_but_for_the_question() {
    let mx = [&[0, 10][..], b"\x04MaiL\xC0\x0C"].concat();
    let wire = answer(1).record(b"\xC0\x0C", 15, 1, 1, &mx);
    let expected = [&[0, 10][..], &name("MaiL.www.example.com")].concat();
    assert_eq!(*parse(&wire.0).expect("good").answer[0].rdatas[0], *expected);
}

#[test]
fn every_type_with_names_that_may_be_compressed_is_uncompressed_rfc3597_4() {
    let pointer: &[u8] = b"\xC0\x0C";
    let plain = name("www.example.com");
    let zeros = |count: usize| vec![0u8; count];
    let naptr = [&zeros(4)[..], b"\x01u\x00\x02ab"].concat();
    let cases: &[(u16, Vec<u8>, usize, Vec<u8>)] = &[
        (2, zeros(0), 1, zeros(0)),
        (5, zeros(0), 1, zeros(0)),
        (6, zeros(0), 2, zeros(20)),
        (12, zeros(0), 1, zeros(0)),
        (14, zeros(0), 2, zeros(0)),
        (15, zeros(2), 1, zeros(0)),
        (17, zeros(0), 2, zeros(0)),
        (18, zeros(2), 1, zeros(0)),
        (21, zeros(2), 1, zeros(0)),
        (24, zeros(18), 1, zeros(8)),
        (26, zeros(2), 2, zeros(0)),
        (30, zeros(0), 1, zeros(4)),
        (33, zeros(6), 1, zeros(0)),
        (35, naptr, 1, zeros(0)),
        (36, zeros(2), 1, zeros(0)),
        (38, [&[64][..], &zeros(8)].concat(), 1, zeros(0)),
        (39, zeros(0), 1, zeros(0)),
        (47, zeros(0), 1, zeros(3)),
    ];
    for (rtype, head, names, tail) in cases {
        let rdata = |name: &[u8]| [head, &name.repeat(*names)[..], tail].concat();
        let wire = answer(1).record(b"\xC0\x0C", *rtype, 1, 1, &rdata(pointer));
        let message = parse(&wire.0).unwrap_or_else(|error| panic!("type {rtype}: {error}"));
        assert_eq!(*message.answer[0].rdatas[0], *rdata(&plain), "type {rtype}");
    }
}

#[test]
fn rdata_that_does_not_fit_its_type_makes_the_message_malformed() {
    let cases: &[(u16, &[u8])] = &[
        (1, &[1, 2, 3]),
        (1, &[1, 2, 3, 4, 5]),
        (1, &[]),
        (28, &[0; 4]),
        (2, &[]),
        (2, b"\x01a\0\0"),
        (15, &[0]),
        (33, &[0; 6]),
        (6, &[0, 0, 1, 2, 3]),
        (46, &[0; 17]),
        (38, &[129, 0]),
    ];
    for (rtype, rdata) in cases {
        let wire = answer(1).record(b"\xC0\x0C", *rtype, 1, 1, rdata);
        assert!(
            matches!(parse(&wire.0), Err(Malformed::Rdata | Malformed::Short)),
            "type {rtype} {rdata:?}"
        );
    }
}

#[test]
fn a_name_in_rdata_may_not_run_past_the_rdata() {
    let wire =
        answer(2).record(b"\xC0\x0C", 2, 1, 1, b"\x03ab").record(b"\xC0\x0C", 1, 1, 1, &[0; 4]);
    assert_eq!(parse(&wire.0), Err(Malformed::Rdata));
}

#[test]
fn records_of_other_classes_are_skipped_and_unknown_types_are_opaque() {
    let wire = answer(2).record(b"\xC0\x0C", 1, 3, 1, b"chaos").record(
        b"\xC0\x0C",
        65280,
        1,
        1,
        b"\xC0\x0C",
    );
    let message = parse(&wire.0).expect("good");
    assert_eq!(message.answer, [rrset("www.example.com", 65280, 1, &[b"\xC0\x0C"])]);
}

#[test]
fn opt_gives_payload_options_and_the_upper_bits_of_the_rcode() {
    let mut wire = opt_reply(1).opt(1400, 0, &[0, 3, 0, 2, b'h', b'i', 0, 15, 0, 0]);
    let ttl = wire.0.len() - 10 - 6;
    wire.0[ttl] = 1;
    let message = parse(&wire.0).expect("good");
    let edns = message.edns.expect("OPT");
    assert_eq!(message.rcode, 0x12);
    assert_eq!((edns.payload, edns.version, edns.do_bit), (1400, 0, true));
    assert_eq!(edns.options, [(3, Box::from(*b"hi")), (15, Box::from(*b""))]);
    assert!(message.additional.is_empty());
}

#[test]
fn a_second_opt_a_named_one_a_misplaced_one_and_torn_options_are_malformed() {
    let twice = opt_reply(2).opt(512, 0, &[]).opt(512, 0, &[]);
    let named = opt_reply(1).record(&name("a"), 41, 512, 0, &[]);
    let misplaced = answer(1).opt(512, 0, &[]);
    let torn = opt_reply(1).opt(512, 0, &[0, 3, 0, 9, 1]);
    for wire in [twice, named, misplaced, torn] {
        assert_eq!(parse(&wire.0), Err(Malformed::Opt));
    }
}

#[test]
fn counts_beyond_the_end_are_malformed_unless_truncated() {
    let wire = answer(2).record(b"\xC0\x0C", 1, 1, 1, &[0; 4]);
    assert_eq!(parse(&wire.0), Err(Malformed::Short));
    let mut wire = wire.raw(b"\xC0\x0C\x00\x01");
    wire.0[2] |= 0x02;
    let message = parse(&wire.0).expect("the TC bit explains it");
    assert!(message.truncated() && message.answer.is_empty());
}

#[test]
fn octets_after_the_last_record_are_ignored() {
    let wire = answer(1).record(b"\xC0\x0C", 1, 1, 1, &[0; 4]).raw(b"garbage");
    assert_eq!(parse(&wire.0).expect("good").answer.len(), 1);
}

#[test]
fn two_questions_and_a_question_in_another_class_are_malformed() {
    let two = Wire::new(RESPONSE, [2, 0, 0, 0]).question(b"\0", 1).question(b"\0", 1);
    let chaos = Wire::new(RESPONSE, [1, 0, 0, 0]).raw(b"\0\0\x01\0\x03");
    for wire in [two, chaos] {
        assert_eq!(parse(&wire.0), Err(Malformed::Question));
    }
    assert_eq!(parse(&Wire::new(RESPONSE, [0; 4]).0).expect("empty").question, None);
}

fn labels() -> impl Strategy<Value = Box<[u8]>> {
    let label = proptest::collection::vec(prop::sample::select(b"ab1-\x00\xFF".to_vec()), 1..12);
    proptest::collection::vec(label, 0..6).prop_map(|labels| {
        let wire = labels.iter().flat_map(|label| [&[label.len() as u8], &label[..]].concat());
        wire.chain([0]).collect()
    })
}

fn rdata() -> impl Strategy<Value = (u16, Box<[u8]>)> {
    let opaque = proptest::collection::vec(any::<u8>(), 1..40);
    prop_oneof![
        any::<[u8; 4]>().prop_map(|rdata| (1, Box::from(rdata))),
        any::<[u8; 16]>().prop_map(|rdata| (28, Box::from(rdata))),
        labels().prop_map(|name| (2, name)),
        labels().prop_map(|name| (5, name)),
        (any::<[u8; 2]>(), labels()).prop_map(|(head, name)| (15, [&head, &*name].concat().into())),
        (labels(), labels(), any::<[u8; 20]>())
            .prop_map(|(one, two, rest)| (6, [&*one, &*two, &rest].concat().into())),
        (any::<[u8; 6]>(), labels()).prop_map(|(head, name)| (33, [&head, &*name].concat().into())),
        opaque.prop_map(|rdata| (65, rdata.into())),
    ]
}

fn section() -> impl Strategy<Value = Vec<RRset>> {
    let signatures = proptest::collection::vec(0u32..5, 0..3);
    let one = (labels(), rdata(), 0u32..0x8000_0000, signatures);
    proptest::collection::vec(one, 0..8).prop_map(|records| {
        let mut sets: Vec<RRset> = Vec::new();
        for (name, (rtype, rdata), ttl, signed) in records {
            if !sets.iter().any(|set| set.name == name && set.rtype == rtype) {
                let mut signatures: Vec<_> =
                    signed.iter().map(|ttl| signature(rtype, *ttl)).collect();
                signatures.dedup();
                signatures.truncate(1);
                sets.push(RRset { name, rtype, ttl, rdatas: vec![rdata], signatures });
            }
        }
        sets
    })
}

proptest! {
    #[test]
    fn what_is_composed_is_read_back_equal(
        qname in labels(), qtype in any::<u16>(), rcode in 0u16..16,
        answer in section(), authority in section(), additional in section(),
    ) {
        let sections = [&answer[..], &authority, &additional];
        let wire = Answer::compose(&qname, qtype, 1, rcode, sections, &[], 5.0).message(5.0);
        let message = parse(&wire).expect("own messages are good");
        prop_assert_eq!(message.flags, flag::QR | flag::RA | rcode);
        let question = message.question.expect("there is one");
        prop_assert_eq!((question.name, question.qtype), (qname, qtype));
        prop_assert_eq!(message.answer, answer);
        prop_assert_eq!(message.authority, authority);
        prop_assert_eq!(message.additional, additional);
    }

    #[test]
    fn no_input_makes_the_reader_panic(
        counts in any::<[u8; 4]>(), tail in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let wire = Wire::new(RESPONSE, counts.map(|count| u16::from(count % 4))).raw(&tail);
        let _ = parse(&wire.0);
    }
}
