//! Lines of what is under way, by client or by zone: how many, and which came first.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

use crate::sys::slab::Key;

#[derive(Default)]
struct Line {
    alive: usize,
    /// Oldest first; keys of those that have left are dead.
    order: VecDeque<Key>,
}

/// Lines by what they are about; an empty one is forgotten.
pub struct Lines<K>(HashMap<K, Line>);

impl<K> Default for Lines<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash + Copy> Lines<K> {
    /// How many stand in a line.
    pub fn count(&self, of: K) -> usize {
        self.0.get(&of).map_or(0, |line| line.alive)
    }

    /// Join the end of a line. `lives` tells which keys are not dead.
    pub fn enter(&mut self, of: K, key: Key, lives: impl Fn(Key) -> bool) {
        let line = self.0.entry(of).or_default();
        while line.order.front().is_some_and(|key| !lives(*key)) {
            line.order.pop_front();
        }
        line.alive += 1;
        line.order.push_back(key);
    }

    /// One has left its line.
    pub fn leave(&mut self, of: K) {
        if let Some(line) = self.0.get_mut(&of) {
            line.alive -= 1;
            if line.alive == 0 {
                self.0.remove(&of);
            }
        }
    }

    /// Take the one that came first off the order; it still counts until it leaves.
    pub fn oldest(&mut self, of: K, lives: impl Fn(Key) -> bool) -> Option<Key> {
        let line = self.0.get_mut(&of)?;
        while let Some(key) = line.order.pop_front() {
            if lives(key) {
                return Some(key);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_that_lives_comes_first() {
        let mut lines = Lines::default();
        for key in 1..=3 {
            lines.enter("a", key, |_| true);
        }
        lines.leave("a");
        assert_eq!(lines.count("a"), 2);
        assert_eq!(lines.oldest("a", |key| key != 1), Some(2));
        assert_eq!(lines.oldest("b", |_| true), None);
        lines.leave("a");
        lines.leave("a");
        assert!(lines.0.is_empty());
    }
}
