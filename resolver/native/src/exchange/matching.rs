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
