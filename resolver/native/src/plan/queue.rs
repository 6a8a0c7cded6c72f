//! Lines by zone, served in turn: who waits under one zone does not make another zone wait.

use std::collections::{HashMap, VecDeque};

/// What waits, in the order in which it is served. Bounded by zone and over all: the oldest of
/// the line that is too long leave.
pub struct Queue<T> {
    lines: HashMap<u64, VecDeque<T>>,
    /// Zones with a line, the next one first.
    turns: VecDeque<u64>,
    length: usize,
    line_max: usize,
    length_max: usize,
}

impl<T> Queue<T> {
    pub fn new(line_max: usize, length_max: usize) -> Self {
        let (lines, turns) = (HashMap::new(), VecDeque::new());
        Self { lines, turns, length: 0, line_max, length_max }
    }

    pub fn len(&self) -> usize {
        self.length
    }

    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Add to the line of a zone; returns who is shed for it.
    pub fn push(&mut self, zone: u64, queued: T) -> Option<T> {
        let line = self.lines.entry(zone).or_default();
        if line.is_empty() {
            self.turns.push_back(zone);
        }
        line.push_back(queued);
        self.length += 1;
        let over = line.len() > self.line_max;
        if over {
            self.length -= 1;
            return line.pop_front();
        }
        if self.length > self.length_max { self.shed_longest() } else { None }
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

    /// Keep only what `wanted` says.
    pub fn retain(&mut self, wanted: impl Fn(&T) -> bool) {
        for line in self.lines.values_mut() {
            line.retain(&wanted);
        }
        self.lines.retain(|_, line| !line.is_empty());
        self.turns.retain(|zone| self.lines.contains_key(zone));
        self.length = self.lines.values().map(VecDeque::len).sum();
    }

    /// Many zones at once: the longest line gives way. At most `length_max` lines are looked at.
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
        let mut queue = Queue::new(8, 64);
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
        let mut queue = Queue::new(512, 4096);
        assert!(queue.push(2, 9999).is_none());
        for number in 0..512 {
            assert!(queue.push(1, number).is_none());
        }
        assert_eq!(queue.push(1, 600), Some(0));
        assert_eq!(queue.pop(), Some(9999));
    }

    #[test]
    fn many_zones_are_bounded_too() {
        let mut queue = Queue::new(512, 1000);
        let shed = (0..1100).filter_map(|zone| queue.push(zone, 1u16));
        assert_eq!(shed.count(), 100);
        assert_eq!(std::iter::from_fn(|| queue.pop()).count(), 1000);
        assert!(queue.turns.is_empty() && queue.lines.is_empty());
    }

    #[test]
    fn what_is_not_wanted_leaves_and_the_turns_go_on() {
        let mut queue = Queue::new(8, 64);
        for number in 0..6u16 {
            assert!(queue.push(u64::from(number % 3), number).is_none());
        }
        queue.retain(|number| number % 3 != 1);
        assert_eq!(queue.len(), 4);
        assert_eq!(std::iter::from_fn(|| queue.pop()).collect::<Vec<_>>(), [0, 2, 3, 5]);
    }
}
