//! Misses that wait for their exchange to begin: a line for each zone, served in turn.
//!
//! An exchange costs several times what it costs to read a question or to answer it from the
//! cache. So a thread reads first, answers what it can, and begins a bounded number of exchanges
//! between two reads, one zone after the other: a flood under one zone fills its own line, and
//! the oldest of that line are shed.

use std::collections::{HashMap, VecDeque};

/// Misses in the line of one zone: what a thread begins in some 20 milliseconds. A longer line
/// would only make those wait who are shed in the end.
const LINE_MAX: usize = 512;

/// Misses in all lines.
const QUEUE_MAX: usize = 8 * LINE_MAX;

pub struct Queue<T> {
    lines: HashMap<u64, VecDeque<T>>,
    /// Zones with a line, the next one first.
    turns: VecDeque<u64>,
    length: usize,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { lines: HashMap::new(), turns: VecDeque::new(), length: 0 }
    }
}

impl<T> Queue<T> {
    /// Add to the line of a zone; returns who is shed for it.
    pub fn push(&mut self, zone: u64, queued: T) -> Option<T> {
        let line = self.lines.entry(zone).or_default();
        if line.is_empty() {
            self.turns.push_back(zone);
        }
        line.push_back(queued);
        self.length += 1;
        let over = line.len() > LINE_MAX;
        if over {
            self.length -= 1;
            return line.pop_front();
        }
        if self.length > QUEUE_MAX { self.shed_longest() } else { None }
    }

    /// The oldest of the next zone.
    pub fn pop(&mut self) -> Option<T> {
        let zone = self.turns.pop_front()?;
        let line = self.lines.get_mut(&zone)?;
        let queued = line.pop_front();
        if line.is_empty() {
            self.lines.remove(&zone);
        } else {
            self.turns.push_back(zone);
        }
        self.length -= usize::from(queued.is_some());
        queued
    }

    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Many zones at once: the longest line gives way. At most `QUEUE_MAX` lines are looked at.
    fn shed_longest(&mut self) -> Option<T> {
        let zone = *self.lines.iter().max_by_key(|(_, line)| line.len())?.0;
        let line = self.lines.get_mut(&zone)?;
        let queued = line.pop_front();
        if line.is_empty() {
            self.lines.remove(&zone);
            self.turns.retain(|turn| *turn != zone);
        }
        self.length -= usize::from(queued.is_some());
        queued
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn zones_are_served_in_turn_and_each_in_order() {
        let mut queue = Queue::default();
        for number in 0..3 {
            assert!(queue.push(1, number).is_none());
        }
        assert!(queue.push(2, 10u16).is_none());
        let order: Vec<u16> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(order, [0, 10, 1, 2]);
        assert!(queue.is_empty());
    }

    #[test]
    fn a_flood_under_one_zone_sheds_its_own_oldest() {
        let mut queue = Queue::default();
        assert!(queue.push(2, 9999).is_none());
        for number in 0..LINE_MAX as u16 {
            assert!(queue.push(1, number).is_none());
        }
        assert_eq!(queue.push(1, 600), Some(0));
        assert_eq!(queue.pop(), Some(9999));
    }

    #[test]
    fn many_zones_are_bounded_too() {
        let mut queue = Queue::default();
        let shed = (0..QUEUE_MAX as u64 + 100).filter_map(|zone| queue.push(zone, 1u16));
        assert_eq!(shed.count(), 100);
        assert_eq!(std::iter::from_fn(|| queue.pop()).count(), QUEUE_MAX);
        assert!(queue.turns.is_empty() && queue.lines.is_empty());
    }
}
