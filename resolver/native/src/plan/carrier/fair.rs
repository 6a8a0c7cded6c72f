//! Bounds of what is under way, for each client, each zone and over all: the oldest gives way.

use std::net::IpAddr;
use std::time::Instant;

use super::Carrier;
use crate::listen::Miss;
use crate::plan::flight::{Flight, client};
use crate::plan::report::Lookup;
use crate::sys::slab::Key;

impl Carrier {
    pub(super) fn enter_client(&mut self, client: IpAddr, key: Key) {
        let flights = &self.flights;
        let lives = |key| flights.get(key).is_some_and(Flight::waits);
        self.clients.enter(client, key, lives);
        if self.clients.count(client) > self.plans.bounds.per_client
            && let Some(oldest) = self.clients.oldest(client, lives)
        {
            self.shed_client(oldest, client);
        }
    }

    /// Shed the oldest of what is over its bound.
    pub(super) fn keep_bounds(&mut self, zone: u64) {
        let flights = &self.flights;
        let lives = |key| flights.get(key).is_some_and(Flight::waits);
        let bounds = &self.plans.bounds;
        let oldest = if self.zones.count(zone) > bounds.per_zone {
            self.zones.oldest(zone, lives)
        } else if self.under_way > bounds.flights_max {
            self.order.oldest((), lives)
        } else {
            None
        };
        if let Some(key) = oldest {
            self.give_up(key);
        }
    }

    /// One client's oldest question is shed; its exchange goes on if others wait for it.
    fn shed_client(&mut self, key: Key, client: IpAddr) {
        let Some(waiting) = self.flights.get_mut(key).and_then(|flight| flight.waiting.as_mut())
        else {
            return;
        };
        let is_his = |miss: &Miss| miss.origin.client().ip() == client;
        if waiting.waiters.iter().all(|(_, miss)| is_his(miss)) {
            return self.give_up(key);
        }
        let at = waiting.waiters.iter().position(|(_, miss)| is_his(miss));
        if let Some(at) = at {
            let (arrived, miss) = waiting.waiters.remove(at);
            let lookup = waiting.lookup(false);
            let destination = waiting.plan.destination;
            self.clients.leave(client);
            self.tell_shed(&lookup, vec![(arrived, miss)], destination, false);
        }
    }

    /// An exchange is given up for a later one: who waits is told, and it stays in the books.
    fn give_up(&mut self, key: Key) {
        if let Some(waiting) = self.end(key, false) {
            let lookup = waiting.lookup(true);
            let destination = waiting.plan.destination;
            self.tell_shed(&lookup, waiting.waiters, destination, true);
        }
    }

    fn tell_shed(
        &mut self,
        lookup: &Lookup,
        waiters: Vec<(Instant, Miss)>,
        destination: u8,
        mut first: bool,
    ) {
        let wall = self.clock.wall();
        for (arrived, miss) in waiters {
            let client = client(&miss, arrived);
            let bounds = &self.plans.reports.seconds_bounds;
            self.news.finished(bounds, lookup, &client, destination, first, wall);
            first = false;
            self.shed.push(miss);
        }
    }
}
