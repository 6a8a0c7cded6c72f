//! A client's query and the reply to it: RFC 1035, 6891, 8914, 9619.

mod common;

use common::{Wire, name, parsed, query, rrset};
use inland_native::wire::ask::{Options, QUERY_MAX, ReplyMatch, build_query, match_reply};
use inland_native::wire::compose::{Answer, error};
use inland_native::wire::message::{self, Message};
use inland_native::wire::query::{Parsed, parse};
use inland_native::wire::{flag, rcode};

fn answer(records: u8, ede: &[(u16, &str)]) -> Answer {
    let rdatas: Vec<[u8; 4]> = (0..records).map(|index| [192, 0, 2, index]).collect();
    let rdatas: Vec<&[u8]> = rdatas.iter().map(|rdata| &rdata[..]).collect();
    let set = rrset("www.example.com", 1, 300, &rdatas);
    Answer::compose(&name("www.example.com"), 1, 1, 0, [&[set], &[], &[]], ede, 100.0)
}

/// The reply to a packet, read back.
fn reply(answer: &Answer, packet: &[u8], now: f64, limit: usize) -> (Vec<u8>, Message) {
    let query = parsed(packet);
    let mut out = vec![0xEE; limit.max(512)];
    let length = answer.write(&query.client, query.question, now, limit, &mut out);
    out.truncate(length);
    let message = message::parse(&out).expect("replies are good");
    (out, message)
}

fn rejection(packet: &[u8]) -> (u16, Vec<u8>) {
    let Parsed::Reject { client, question, rcode } = parse(packet, None) else {
        panic!("{:?}", parse(packet, None));
    };
    let mut out = [0; 512];
    let length = error(&client, question, rcode, &[], &mut out);
    (rcode, out[..length].to_vec())
}

#[test]
fn a_query_is_read_without_its_letter_case_which_the_reply_gives_back() {
    let packet = query("wWw.ExamplE.com", 1, None);
    let query = parsed(&packet);
    assert_eq!((*query.name).to_vec(), name("www.example.com").to_vec());
    assert_eq!((query.qtype, query.qclass, query.client.edns), (1, 1, None));
    let (wire, message) = reply(&answer(1, &[]), &packet, 100.0, 512);
    assert_eq!(wire[12..29], *name("wWw.ExamplE.com"));
    assert_eq!((message.id, message.flags), (0xABCD, flag::QR | flag::RD | flag::RA));
    assert_eq!(message.edns, None);
}

#[test]
fn rd_and_cd_are_those_of_the_query() {
    let mut packet = query("www.example.com", 1, None);
    packet[2..4].copy_from_slice(&(flag::CD | flag::AD).to_be_bytes());
    let (_, message) = reply(&answer(1, &[]), &packet, 100.0, 512);
    assert_eq!(message.flags, flag::QR | flag::RA | flag::CD);
}

#[test]
fn ttls_count_down_by_whole_seconds_and_stop_at_zero() {
    let packet = query("www.example.com", 1, None);
    for (now, ttl) in
        [(100.0, 300), (100.9, 300), (101.0, 299), (399.5, 1), (400.0, 0), (9999.0, 0)]
    {
        let (_, message) = reply(&answer(2, &[]), &packet, now, 512);
        assert_eq!(message.answer[0].ttl, ttl, "at {now}");
    }
}

#[test]
fn opt_is_sent_to_those_who_sent_it_with_do_as_it_came() {
    let (_, message) =
        reply(&answer(1, &[]), &query("www.example.com", 1, Some(4096)), 100.0, 1232);
    let edns = message.edns.expect("OPT");
    assert_eq!((edns.payload, edns.version, edns.do_bit), (1232, 0, true));
}

#[test]
fn a_reply_over_the_limit_becomes_the_question_with_tc_and_opt() {
    let packet = query("www.example.com", 1, Some(512));
    assert_eq!(parsed(&packet).client.udp_limit(1232), 512);
    let (wire, message) = reply(&answer(40, &[]), &packet, 100.0, 512);
    assert!(message.truncated() && message.answer.is_empty() && message.edns.is_some());
    assert!(wire.len() <= 512);
    let (wire, message) = reply(&answer(40, &[]), &packet, 100.0, 1232);
    assert_eq!((message.truncated(), message.answer[0].rdatas.len()), (false, 40));
    assert_eq!(reply(&answer(40, &[]), &packet, 100.0, wire.len()).1.answer.len(), 1);
    assert!(reply(&answer(40, &[]), &packet, 100.0, wire.len() - 1).1.truncated());
}

#[test]
fn sizes_below_512_count_as_512() {
    let packet = query("www.example.com", 1, Some(100));
    assert_eq!(parsed(&packet).client.udp_limit(1232), 512);
    let packet = query("www.example.com", 1, Some(65535));
    assert_eq!(parsed(&packet).client.udp_limit(1232), 1232);
}

#[test]
fn extended_errors_give_way_before_the_answer_does() {
    let packet = query("www.example.com", 1, Some(4096));
    let made = answer(2, &[(3, "old data"), (15, "law 7")]);
    let (full, message) = reply(&made, &packet, 100.0, 1232);
    let options = message.edns.expect("OPT").options;
    assert_eq!(options[0], (15, Box::from(*b"\0\x03old data")));
    assert_eq!(options[1], (15, Box::from(*b"\0\x0Flaw 7")));
    for (limit, count, octets) in [(full.len() - 1, 2, 2), (full.len() - 14, 0, 0)] {
        let (wire, message) = reply(&made, &packet, 100.0, limit);
        assert!(wire.len() <= limit && !message.truncated());
        let options = message.edns.expect("OPT").options;
        assert_eq!(options.len(), count);
        assert!(options.iter().all(|(_, data)| data.len() == octets));
    }
}

#[test]
fn an_extended_rcode_needs_opt_and_is_servfail_without() {
    let made = Answer::compose(&name("a"), 1, 1, 23, [&[], &[], &[]], &[], 0.0);
    assert_eq!(reply(&made, &query("a", 1, Some(1232)), 0.0, 512).1.rcode, 23);
    assert_eq!(reply(&made, &query("a", 1, None), 0.0, 512).1.rcode, rcode::SERVFAIL);
}

#[test]
fn records_beyond_65535_octets_are_left_out_as_whole_rrsets_with_tc() {
    let text = [&[255][..], &[b'x'; 255]].concat();
    let sets: Vec<_> = (0..300).map(|index| rrset(&format!("n{index}"), 16, 9, &[&text])).collect();
    let made = Answer::compose(&name("a"), 16, 1, 0, [&sets, &[], &[]], &[], 0.0);
    let message = message::parse(&made.message(0.0)).expect("good");
    assert!(message.truncated());
    assert!(message.answer.len() > 200 && message.answer.len() < 300);
    assert_eq!(message.answer, sets[..message.answer.len()]);
    // All types of extended error still fit behind it on a stream.
    let (_, message) = reply(&made, &query("a", 16, Some(1232)), 0.0, 65535);
    assert!(message.edns.is_some() && message.answer.len() > 200);
}

#[test]
fn responses_and_short_packets_are_dropped() {
    let mut response = query("a", 1, None);
    response[2] |= 0x80;
    assert!(matches!(parse(&response, None), Parsed::Drop));
    assert!(matches!(parse(&response[..11], None), Parsed::Drop));
    assert!(matches!(parse(&[], None), Parsed::Drop));
}

#[test]
fn other_opcodes_are_not_implemented_and_the_opcode_comes_back() {
    let mut notify = query("a", 6, None);
    notify[2] = 4 << 3;
    let (rcode, wire) = rejection(&notify);
    assert_eq!((rcode, wire.len()), (rcode::NOTIMP, 12));
    assert_eq!(wire[..4], [0xAB, 0xCD, 0x80 | 4 << 3, 0x80 | 4]);
}

#[test]
fn a_query_must_have_one_whole_question_and_nothing_unasked_rfc9619() {
    let question = |counts: [u16; 4]| Wire::new(0x0100, counts).question(&name("a"), 1);
    let none = Wire::new(0x0100, [0; 4]);
    let two = question([2, 0, 0, 0]).question(&name("b"), 1);
    let compressed = Wire::new(0x0100, [1, 0, 0, 0]).raw(b"\xC0\x0C\0\x01\0\x01");
    let record = question([1, 1, 0, 0]).record(&name("a"), 1, 1, 1, &[0; 4]);
    let torn = Wire::new(0x0100, [1, 0, 0, 0]).raw(b"\x01a\0\0\x01");
    let many = (0..3).fold(question([1, 0, 0, 3]), |w, _| w.record(b"\0", 250, 255, 0, &[]));
    for wire in [none, two, compressed, record, torn, many] {
        assert_eq!(rejection(&wire.0).0, rcode::FORMERR, "{:?}", wire.0);
    }
}

#[test]
fn a_bad_opt_is_a_format_error_and_the_question_comes_back() {
    let start = |count| Wire::new(0x0100, [1, 0, 0, count]).question(&name("A.b"), 1);
    let twice = start(2).opt(512, 0, &[]).opt(512, 0, &[]);
    let named = start(1).record(&name("a"), 41, 512, 0, &[]);
    let torn = start(1).opt(512, 0, &[0, 10, 0, 8, 1, 2]);
    let cut = start(1).raw(b"\0\0\x29\x04");
    for wire in [twice, named, torn, cut] {
        let (rcode, reply) = rejection(&wire.0);
        assert_eq!(rcode, rcode::FORMERR);
        assert_eq!(reply[12..21], *b"\x01A\x01b\0\0\x01\0\x01");
    }
}

#[test]
fn another_edns_version_is_answered_badvers_with_version_0() {
    let wire = Wire::new(0x0100, [1, 0, 0, 1]).question(&name("a"), 1).opt(1232, 1, &[]);
    let (_, reply) = rejection(&wire.0);
    let message = message::parse(&reply).expect("good");
    assert_eq!((message.rcode, message.edns.map(|edns| edns.version)), (rcode::BADVERS, Some(0)));
}

#[test]
fn options_and_trailing_octets_of_a_query_do_no_harm() {
    let wire = Wire::new(0x0100, [1, 0, 0, 1])
        .question(&name("a"), 1)
        .opt(1232, 0, &[0, 10, 0, 2, 1, 2, 0, 12, 0, 0])
        .raw(b"trailing");
    assert!(parsed(&wire.0).client.do_bit());
}

fn keepalive_query(data: &[u8]) -> Vec<u8> {
    let option = [&[0, 11, 0, data.len() as u8], data].concat();
    Wire::new(0x0100, [1, 0, 0, 1]).question(&name("a"), 1).opt(1232, 0, &option).0
}

/// RFC 7828 sections 3.2.1 and 3.3.
#[test]
fn keepalive_is_told_to_who_asks_on_a_stream_and_to_nobody_else() {
    let told = |packet: &[u8], idle| match parse(packet, idle) {
        Parsed::Query(query) => {
            let mut out = [0; 512];
            let owner = name("a");
            let answer = Answer::compose(&owner, 1, 1, 0, [&[], &[], &[]], &[(3, "stale")], 0.0);
            let length = answer.write(&query.client, query.question, 0.0, 512, &mut out);
            let replied = message::parse(&out[..length]).expect("good").edns.expect("OPT").options;
            let length = error(&query.client, query.question, 2, &[(3, "stale")], &mut out);
            let failed = message::parse(&out[..length]).expect("good").edns.expect("OPT").options;
            assert_eq!(replied, failed);
            Some(replied)
        }
        _ => None,
    };
    let stale = (15, Box::from(*b"\0\x03stale"));
    let keepalive = (11, Box::from(*b"\0\x64"));
    assert_eq!(told(&keepalive_query(b""), Some(100)), Some(vec![keepalive, stale.clone()]));
    assert_eq!(told(&keepalive_query(b""), None), Some(vec![stale.clone()]));
    assert_eq!(told(&query("a", 1, Some(1232)), Some(100)), Some(vec![stale.clone()]));
    // A time is not for clients to send; over UDP the option is not even read.
    assert_eq!(told(&keepalive_query(b"\0\x05"), Some(100)), None);
    assert_eq!(told(&keepalive_query(b"\0\x05"), None), Some(vec![stale]));
}

#[test]
fn an_error_carries_its_extended_error_to_clients_with_edns() {
    let packet = query("a", 1, Some(1232));
    let query = parsed(&packet);
    let mut out = [0; 512];
    let long = "x".repeat(400);
    let ede = [(22, "no reachable authority"), (0, &long)];
    let length = error(&query.client, query.question, rcode::SERVFAIL, &ede, &mut out);
    let message = message::parse(&out[..length]).expect("good");
    let options = message.edns.expect("OPT").options;
    assert_eq!((message.rcode, options.len()), (rcode::SERVFAIL, 2));
    assert_eq!(options[1].1.len(), 2 + 128);
}

#[test]
fn our_query_has_one_question_edns_and_do_and_is_matched_by_its_reply_only() {
    let mut out = [0; QUERY_MAX];
    let qname = name("www.example.com");
    let length = build_query(&qname, 28, 0x1234, Options::Edns, Some(&[0b1010_1010; 32]), &mut out);
    let query = &out[..length];
    assert_ne!(query[12..29], *qname);
    let message = message::parse(query).expect("good");
    let question = message.question.expect("one");
    assert_eq!((&question.name, question.qtype, message.flags), (&qname, 28, 0));
    assert_eq!(message.edns.map(|edns| (edns.payload, edns.do_bit)), Some((1232, true)));

    let mut reply = query.to_vec();
    assert_eq!(match_reply(query, &reply), ReplyMatch::No, "not a response");
    reply[2] |= 0x80;
    assert_eq!(match_reply(query, &reply), ReplyMatch::Exact);
    let changed = |at: usize, octet: u8| {
        let mut reply = reply.clone();
        reply[at] = octet;
        match_reply(query, &reply)
    };
    assert_eq!(changed(0, 0), ReplyMatch::No, "ID");
    assert_eq!(changed(13, query[13] ^ 0x20), ReplyMatch::Case);
    assert_eq!(changed(13, b'q'), ReplyMatch::No, "name");
    assert_eq!(changed(30, 1), ReplyMatch::No, "type");
    assert_eq!(match_reply(query, &reply[..32]), ReplyMatch::No, "cut");
    let formerr = Wire::new(0x8001, [0; 4]).0;
    assert_eq!(match_reply(&Wire::new(0, [1, 0, 0, 0]).0, &formerr), ReplyMatch::Bare);
    let noerror = Wire::new(0x8000, [0; 4]).0;
    assert_eq!(match_reply(&Wire::new(0, [1, 0, 0, 0]).0, &noerror), ReplyMatch::No);
}

#[test]
fn a_query_without_case_and_edns_is_plain() {
    let mut out = [0xFF; QUERY_MAX];
    let length = build_query(&name("a.b"), 2, 7, Options::Plain, None, &mut out);
    assert_eq!(out[..length], *b"\0\x07\0\0\0\x01\0\0\0\0\0\0\x01a\x01b\0\0\x02\0\x01");
}

/// RFC 5001 section 2.1.
#[test]
fn the_identity_is_asked_for_by_an_option_without_data() {
    let mut out = [0; QUERY_MAX];
    let longest = [[63; 64], [63; 64], [63; 64]].concat();
    for qname in [name("www.example.com").to_vec(), [&longest[..], &[61; 62], &[0]].concat()] {
        let length = build_query(&qname, 1, 7, Options::Identity, None, &mut out);
        let message = message::parse(&out[..length]).expect("good");
        assert_eq!(message.identity(), b"");
        let options = message.edns.expect("OPT").options;
        assert_eq!(options, [(3, Box::from(&[][..]))]);
    }
}
