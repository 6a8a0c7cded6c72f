//! A plain reply: answers for those who wait, facts for the caches, numbers for Python.

use std::sync::Arc;

use super::Carrier;
use crate::cache::answers::{Key, Marks};
use crate::plan::flight::{Waiting, client, compose};
use crate::plan::plain::Plain;
use crate::plan::report::{Lookup, Unlocated};
use crate::wire::compose::Answer;

/// An answer that was made, for clients with these of DO and CD, and its life in seconds.
type Made = (bool, bool, f64, Arc<Answer>);

impl Carrier {
    /// Answer all who wait, keep what was learnt, tell Python.
    pub(super) fn finish(&mut self, waiting: Waiting, plain: Plain, identity: &[u8]) {
        let now = self.clock.now();
        let rtt = waiting.sent.elapsed().as_secs_f64();
        let Waiting { plan, server, name, rtype, waiters, .. } = waiting;
        let destination = self.plans.destination(plain.addresses(), plan.destination);
        let address = plan.servers[server].address;
        let lookup = Lookup {
            plan: plan.id,
            server: server as u8,
            name,
            rtype,
            rcode: plain.rcode,
            end: plain.end,
            rtt,
        };
        self.news.replied(plan.id, server as u8, rtt, identity);
        let mut answers: Vec<Made> = Vec::with_capacity(1);
        // Under which keys they are kept: with the view and its generation.
        let mut kept: Vec<(u32, u64, bool, bool)> = Vec::with_capacity(1);
        let (wall, mut first) = (self.clock.wall(), true);
        let mut clients = Vec::new();
        for (arrived, miss) in waiters {
            let (do_bit, cd) = (miss.client.do_bit(), miss.client.cd());
            let answer = match answers.iter().find(|known| (known.0, known.1) == (do_bit, cd)) {
                Some(known) => Arc::clone(&known.3),
                None => {
                    let made = compose(&plain, &lookup.name, rtype, do_bit, now);
                    answers.push((do_bit, cd, f64::from(made.1), Arc::clone(&made.0)));
                    made.0
                }
            };
            let place = (miss.view, miss.generation, do_bit, cd);
            if !kept.contains(&place) {
                kept.push(place);
            }
            let client = client(&miss, arrived);
            if let Some(destination) = destination {
                let bounds = &self.plans.reports.seconds_bounds;
                self.news.finished(bounds, &lookup, &client, destination, first, wall);
                first = false;
            } else {
                clients.push(client);
            }
            self.replies.push((miss, answer));
        }
        match destination {
            Some(destination) => {
                let marks = Marks { destination, tag: plan.tag, ..Marks::default() };
                for (view, generation, do_bit, cd) in kept {
                    let made = answers.iter().find(|made| (made.0, made.1) == (do_bit, cd));
                    let Some((_, _, life, answer)) = made else { continue };
                    let key = Key { view, name: &lookup.name, rtype, do_bit, cd };
                    self.plans.answers.put(&key, generation, answer, *life, marks, now);
                }
                plain.store(&self.plans.records, &lookup.name, rtype, address, now);
            }
            None => {
                let addresses = plain.addresses().collect();
                plain.store(&self.plans.records, &lookup.name, rtype, address, now);
                let views = kept.iter().map(|place| (place.0, place.1)).collect();
                self.news.unlocated.push(Unlocated { lookup, addresses, answers, views, clients });
            }
        }
    }
}
