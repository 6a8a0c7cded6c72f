//! One client's connection: what has come, what waits to go out, and whether it has had its time.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::census::Seat;
use crate::sys::poll::{READ, WRITE};
use crate::sys::socket::{Socket, would_block};

/// Queries of one connection that may wait for an answer; more are left unread, so that TCP
/// pushes back.
const WAITING_MAX: usize = 128;

/// Unsent octets from which on nothing more is read from the client.
const UNSENT_PAUSE: usize = 64 * 1024;

/// Unsent octets at which the client is given up: what may be waiting when reading stops fits
/// in with answers of 7 KiB each.
const UNSENT_MAX: usize = 1024 * 1024;

/// Unsent octets of all connections from which on one with more than `UNSENT_PAUSE` is given up,
/// so that a crowd of slow readers cannot fill the memory.
const UNSENT_ALL_MAX: usize = 256 * 1024 * 1024;

/// Octets of a buffer that is kept when nothing is in it: most connections are idle.
const KEPT: usize = 2048;

/// A client's connection.
pub struct Connection {
    pub socket: Socket,
    pub client: SocketAddr,
    seat: Seat,
    /// What has come and is not decided about.
    pub arrived: Vec<u8>,
    pub out: Vec<u8>,
    /// Queries that wait for their answer.
    pub waiting: usize,
    pub patience: Patience,
    /// The client has closed its side, or is not to be listened to any more.
    pub ended: bool,
    /// What epoll reports of it.
    pub mask: u32,
    /// It is in the list of those that have got replies in this turn.
    pub touched: bool,
    /// It is among those that are counted as idle.
    pub counted_idle: bool,
}

impl Connection {
    pub fn new(socket: Socket, client: SocketAddr, seat: Seat, now: Instant) -> Self {
        Self {
            socket,
            client,
            seat,
            arrived: Vec::new(),
            out: Vec::new(),
            waiting: 0,
            patience: Patience { active: now, owed: 0 },
            ended: false,
            mask: READ,
            touched: false,
            counted_idle: false,
        }
    }

    /// Whether another query may be decided about.
    pub fn may_decide(&self) -> bool {
        self.waiting < WAITING_MAX && self.out.len() < UNSENT_PAUSE
    }

    /// Whether nobody would miss it.
    pub fn is_idle(&self) -> bool {
        self.waiting == 0 && self.out.is_empty()
    }

    /// Whether nothing will come of it any more.
    pub fn is_over(&self) -> bool {
        self.ended && self.is_idle()
    }

    /// Whether its client leaves too much unread.
    pub fn is_slow(&self) -> bool {
        let unsent = self.out.len();
        unsent > UNSENT_MAX || (unsent > UNSENT_PAUSE && self.seat.unsent_of_all() > UNSENT_ALL_MAX)
    }

    /// What epoll should report.
    pub fn wanted(&self) -> u32 {
        let read = if !self.ended && self.may_decide() { READ } else { 0 };
        let write = if self.out.is_empty() { 0 } else { WRITE };
        read | write
    }

    /// Write what the kernel takes; false when the connection has failed.
    pub fn flush(&mut self, now: Instant) -> bool {
        let mut taken = 0;
        while taken < self.out.len() {
            match self.socket.send(&self.out[taken..]) {
                Ok(octets) => taken += octets,
                Err(error) if would_block(&error) => break,
                Err(_) => return false,
            }
        }
        if taken > 0 {
            self.out.drain(..taken);
            self.patience.taken(taken, now);
        }
        self.seat.set_unsent(self.out.len());
        true
    }

    /// Let go of memory that a burst has taken.
    pub fn shrink(&mut self) {
        self.out.shrink_to(KEPT);
        if self.arrived.is_empty() {
            self.arrived.shrink_to(KEPT);
        }
    }

    /// Look whether it has had its time.
    pub fn look(&mut self, now: Instant, idle: Duration) -> Look {
        self.patience.look(now, idle, self.out.len(), self.waiting)
    }
}

/// What became of a connection at a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// To be looked at again then.
    Again(Instant),
    Idle,
    /// Its client did not take what was there for it at the last look.
    Slow,
}

/// How long a connection is waited for.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// The last whole query, or the last octets that the client took.
    pub active: Instant,
    /// Octets that were unsent at the last look and still are.
    owed: usize,
}

impl Patience {
    fn taken(&mut self, octets: usize, now: Instant) {
        self.active = now;
        self.owed = self.owed.saturating_sub(octets);
    }

    /// All that is unsent at one look must have left by the next: a client that takes an octet
    /// now and then holds no memory for long. Neither queries that wait nor octets of half a
    /// query make a difference between an idle connection and one that is not (RFC 7766
    /// section 6.2.3) but the former, whose answers we owe.
    fn look(&mut self, now: Instant, idle: Duration, unsent: usize, waiting: usize) -> Look {
        if unsent > 0 {
            return if std::mem::replace(&mut self.owed, unsent) > 0 {
                Look::Slow
            } else {
                Look::Again(now + idle)
            };
        }
        self.owed = 0;
        let due = if waiting > 0 { now + idle } else { self.active + idle };
        if due <= now && waiting == 0 { Look::Idle } else { Look::Again(due) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Duration = Duration::from_secs(10);

    #[test]
    fn an_idle_connection_ends_after_its_last_query_and_one_that_waits_does_not() {
        let start = Instant::now();
        let mut patience = Patience { active: start, owed: 0 };
        assert_eq!(patience.look(start + IDLE / 2, IDLE, 0, 0), Look::Again(start + IDLE));
        patience.active = start + IDLE / 2;
        assert_eq!(patience.look(start + IDLE, IDLE, 0, 0), Look::Again(start + IDLE * 3 / 2));
        assert_eq!(patience.look(start + IDLE * 3, IDLE, 0, 1), Look::Again(start + IDLE * 4));
        assert_eq!(patience.look(start + IDLE * 4, IDLE, 0, 0), Look::Idle);
        assert_eq!(patience.look(start + IDLE * 4, Duration::ZERO, 0, 0), Look::Idle);
    }

    #[test]
    fn what_waits_at_one_look_must_have_left_by_the_next() {
        let start = Instant::now();
        let mut patience = Patience { active: start, owed: 0 };
        assert!(matches!(patience.look(start, IDLE, 1000, 5), Look::Again(_)));
        // More has come meanwhile, but the thousand have left.
        patience.taken(1000, start);
        assert!(matches!(patience.look(start, IDLE, 700, 5), Look::Again(_)));
        patience.taken(699, start);
        assert_eq!(patience.look(start, IDLE, 5000, 5), Look::Slow);
    }

    #[test]
    fn a_reader_that_has_caught_up_owes_nothing() {
        let start = Instant::now();
        let mut patience = Patience { active: start, owed: 0 };
        patience.look(start, IDLE, 1000, 0);
        patience.taken(1000, start);
        assert!(matches!(patience.look(start, IDLE, 0, 0), Look::Again(_)));
        assert!(matches!(patience.look(start, IDLE, 1000, 0), Look::Again(_)));
    }
}
