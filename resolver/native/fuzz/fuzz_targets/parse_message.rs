//! Any octets as an upstream's reply: what can be read is composed, and must read the same.

#![no_main]

use inland_native::wire::ask::match_reply;
use inland_native::wire::compose::Answer;
use inland_native::wire::message;
use libfuzzer_sys::fuzz_target;

const QUERY: &[u8] = b"\xAB\xCD\0\0\0\x01\0\0\0\0\0\0\x03wWw\x07Example\x03com\0\0\x01\0\x01";

fuzz_target!(|data: &[u8]| {
    let _ = match_reply(QUERY, data);
    let Ok(read) = message::parse(data) else { return };
    let Some(question) = &read.question else { return };
    let sections = [&read.answer[..], &read.authority, &read.additional];
    let (name, qtype) = (&question.name, question.qtype);
    let made = Answer::compose(name, qtype, 1, read.rcode, sections, &[], 0.0);
    let again = message::parse(&made.message(0.0)).expect("own messages are good");
    if !again.truncated() {
        assert_eq!(again.question.as_ref(), Some(question));
        assert_eq!(again.answer, read.answer);
        assert_eq!(again.authority, read.authority);
        assert_eq!(again.additional, read.additional);
    }
});
