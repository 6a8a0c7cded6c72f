//! One planned exchange: its socket, its question, and who waits for it.

use std::sync::Arc;
use std::time::Instant;

use super::Plan;
use super::plain::{End, Plain};
use super::report::{Client, Lookup};
use crate::listen::{Miss, Origin};
use crate::sys::socket::Socket;
use crate::wire::compose::Answer;
use crate::wire::{CLASS_IN, rcode};

/// A miss whose exchange has not begun.
pub struct Queued {
    pub miss: Miss,
    pub name: Box<[u8]>,
    pub rtype: u16,
    pub arrived: Instant,
}

/// A socket of one exchange, under way or lingering.
pub struct Flight {
    pub socket: Socket,
    pub slot: u32,
    pub is_v4: bool,
    pub waiting: Option<Waiting>,
    /// Its wait is over without a reply: one that comes yet tells how fast the server is.
    pub overdue: Option<Overdue>,
}

/// What tells the reply to an exchange whose wait is over.
pub struct Overdue {
    pub plan: Arc<Plan>,
    pub server: usize,
    pub query: Box<[u8]>,
    pub sent: Instant,
}

/// An exchange under way, and who waits for it.
pub struct Waiting {
    pub plan: Arc<Plan>,
    pub server: usize,
    pub zone: u64,
    pub mark: u64,
    pub name: Box<[u8]>,
    pub rtype: u16,
    pub query: Box<[u8]>,
    pub sent: Instant,
    pub waiters: Vec<(Instant, Miss)>,
}

impl Flight {
    /// Whether the exchange has not ended.
    pub fn waits(&self) -> bool {
        self.waiting.is_some()
    }

    /// Whether it is under way for this question.
    pub fn asks(&self, name: &[u8], rtype: u16) -> bool {
        self.waiting
            .as_ref()
            .is_some_and(|waiting| waiting.rtype == rtype && *waiting.name == *name)
    }
}

impl Waiting {
    /// What is left of the exchange when Python goes on without its reply.
    pub fn overdue(&mut self) -> Overdue {
        let (plan, query) = (self.plan.clone(), std::mem::take(&mut self.query));
        Overdue { plan, server: self.server, query, sent: self.sent }
    }

    /// The lookup when it is shed now.
    pub fn lookup(&self, ended: bool) -> Lookup {
        Lookup {
            plan: self.plan.id,
            server: self.server as u8,
            name: self.name.clone(),
            rtype: self.rtype,
            rcode: rcode::SERVFAIL,
            end: End::Shed,
            rtt: if ended { self.sent.elapsed().as_secs_f64() } else { 0.0 },
        }
    }
}

/// A client as it is told to Python when its lookup ends now.
pub fn client(miss: &Miss, arrived: Instant) -> Client {
    let transport = u8::from(matches!(miss.origin, Origin::Tcp { .. }));
    let seconds = arrived.elapsed().as_secs_f64();
    Client { transport, address: miss.origin.client().ip(), seconds }
}

/// The answer for clients with or without DO, and its life in seconds.
pub fn compose(
    plain: &Plain,
    name: &[u8],
    rtype: u16,
    do_bit: bool,
    now: f64,
) -> (Arc<Answer>, u32) {
    let (answer, authority, ttl) = plain.sections(rtype, do_bit);
    let sections = [&*answer, &*authority, &[]];
    let made = Answer::compose(name, rtype, CLASS_IN, plain.rcode, sections, &[], now);
    (Arc::new(made), ttl)
}
