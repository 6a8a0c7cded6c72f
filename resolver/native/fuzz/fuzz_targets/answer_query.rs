//! Any octets as a client's query: it is dropped, refused or answered within its size.

#![no_main]

use inland_native::wire::compose::{self, Answer};
use inland_native::wire::message::{self, RRset};
use inland_native::wire::query::{self, Parsed};
use inland_native::wire::{CLASS_IN, UDP_MIN};
use libfuzzer_sys::fuzz_target;

const EDE: [(u16, &str); 2] = [(3, "stale"), (22, "no reachable authority")];

fuzz_target!(|data: &[u8]| {
    let mut out = [0; 1232];
    match query::parse(data, Some(100)) {
        Parsed::Query(query) => {
            let rdatas = (0..60).map(|last| Box::from([192, 0, 2, last])).collect();
            let set = RRset {
                name: Box::from(&*query.name),
                rtype: 1,
                ttl: 300,
                rdatas,
                signatures: Vec::new(),
            };
            let (qtype, qclass) = (query.qtype, query.qclass);
            let sections = [&[set][..], &[], &[]];
            let answer = Answer::compose(&query.name, qtype, qclass, 3, sections, &EDE, 0.0);
            let limit = query.client.udp_limit(out.len());
            let length = answer.write(&query.client, query.question, 1.5, limit, &mut out);
            assert!(length <= limit);
            let read = message::parse(&out[..length]);
            assert_eq!(read.is_ok(), qclass == CLASS_IN);
        }
        Parsed::Reject { client, question, rcode } => {
            let length = compose::error(&client, question, rcode, &EDE, &mut out);
            assert!(length <= UDP_MIN && out[2] & 0x80 != 0);
        }
        Parsed::Drop => {}
    }
});
