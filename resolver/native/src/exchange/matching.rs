//! Whether a message that arrived is the reply to a question that was sent (RFC 5452 section 3).
//!
//! Address and port are matched by the kernel (connected sockets); ID, question and letter case
//! by [`ask::match_reply`]. Here follows what that means for the exchange.

use crate::wire::ask::{self, ReplyMatch};
use crate::wire::message::{self, Message};
use crate::wire::name::{self, NameBuf};
use crate::wire::{HEADER, flag};

/// What a message is to a question.
#[derive(Debug)]
pub enum Match {
    /// Its reply.
    Reply(Box<Message>),
    /// Not its reply: go on waiting.
    Other,
    /// Its reply in all but the letter case of the name.
    Case,
    /// It bears the ID but cannot be read.
    Unreadable,
}

/// The ID of a message, if it has one.
pub fn id(message: &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes([*message.first()?, *message.get(1)?]))
}

/// Judge `message` as a reply to `query`, which this door has built. With `exact_case` the
/// letters of the name must come back as they were sent; a server that changes the case of a
/// name sent in lower case does no harm.
pub fn judge(query: &[u8], message: &[u8], exact_case: bool) -> Match {
    match ask::match_reply(query, message) {
        ReplyMatch::Case if exact_case => Match::Case,
        ReplyMatch::Exact | ReplyMatch::Case | ReplyMatch::Bare => match message::parse(message) {
            Ok(message) => Match::Reply(Box::new(message)),
            Err(_) => Match::Unreadable,
        },
        ReplyMatch::No if id(message) == id(query) && unreadable(message) => Match::Unreadable,
        ReplyMatch::No => Match::Other,
    }
}

/// Whether `message` is the reply to a query that Python has made, and whose replies Python reads.
pub fn is_raw_reply(query: &[u8], message: &[u8]) -> bool {
    !matches!(ask::match_reply(query, message), ReplyMatch::No)
}

/// Whether it is hopeless to look for a question in it. Who knows the ID has seen the query, so
/// waiting longer would only cost time.
fn unreadable(message: &[u8]) -> bool {
    if message.len() < HEADER {
        return true;
    }
    let (flags, questions) = (message[2], [message[4], message[5]]);
    flags & (flag::QR >> 8) as u8 != 0
        && match u16::from_be_bytes(questions) {
            0 => false,
            1 => name::read(message, HEADER, &mut NameBuf::new())
                .map_or(true, |end| message.len() < end + 4),
            _ => true,
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NAME: &[u8] = b"\x03www\x07example\x02in\0";

    fn query() -> Vec<u8> {
        let mut out = [0; ask::QUERY_MAX];
        let length = ask::build_query(NAME, 1, 0x1234, ask::Options::Edns, None, &mut out);
        out[..length].to_vec()
    }

    fn reply() -> Vec<u8> {
        let mut reply = query();
        reply.truncate(HEADER + NAME.len() + 4);
        reply[2] = 0x84;
        reply[7] = 1;
        reply[11] = 0;
        reply.extend(b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\x02\x01");
        reply
    }

    #[test]
    fn the_reply_as_it_should_be_matches() {
        assert!(matches!(judge(&query(), &reply(), true), Match::Reply(_)));
    }

    #[test]
    fn no_single_octet_of_header_or_question_can_change_unseen() {
        let (query, reply) = (query(), reply());
        // ID, QR and opcode, question count and question: what ties a reply to its query.
        let ties = (0..2).chain(4..6).chain(HEADER..HEADER + NAME.len() + 4);
        for at in ties {
            let mut forged = reply.clone();
            forged[at] ^= 0x01;
            assert!(!matches!(judge(&query, &forged, true), Match::Reply(_)), "octet {at}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn mutated_replies_never_match_another_question(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
            length in any::<prop::sample::Index>(),
            cut in any::<bool>(),
        ) {
            let (query, mut message) = (query(), reply());
            for (at, octet) in changes {
                let at = at.index(message.len());
                message[at] = octet;
            }
            if cut {
                message.truncate(length.index(message.len() + 1));
            }
            if let Match::Reply(read) = judge(&query, &message, true) {
                prop_assert_eq!(&message[..2], &query[..2]);
                prop_assert!(message[2] & 0x80 != 0);
                match read.question {
                    Some(question) => {
                        prop_assert_eq!(&*question.name, NAME);
                        prop_assert_eq!(question.qtype, 1);
                    }
                    None => prop_assert!(read.rcode & 0x0f != 0 && read.answer.is_empty()),
                }
            }
        }

        #[test]
        fn noise_is_judged_without_a_panic(
            message in prop::collection::vec(any::<u8>(), 0..600),
            exact in any::<bool>(),
        ) {
            judge(&query(), &message, exact);
        }
    }
}
