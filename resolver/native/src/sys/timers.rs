//! Deadlines of one thread: a heap whose dead entries are skipped, and swept when they are many.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

/// Entries below which a sweep is not worth it.
const SWEEP_MIN: usize = 4096;

/// Deadlines with what they are about. An entry is not removed when its subject ends early: the
/// subject is asked whether the entry still counts.
pub struct Timers<T: Ord> {
    heap: BinaryHeap<Reverse<(Instant, T)>>,
    sweep_at: usize,
}

impl<T: Ord + Copy> Default for Timers<T> {
    fn default() -> Self {
        Self { heap: BinaryHeap::new(), sweep_at: SWEEP_MIN }
    }
}

impl<T: Ord + Copy> Timers<T> {
    /// Remember a deadline.
    pub fn push(&mut self, deadline: Instant, subject: T) {
        self.heap.push(Reverse((deadline, subject)));
    }

    /// The next deadline, perhaps of an entry that no longer counts.
    pub fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((deadline, _))| *deadline)
    }

    /// One entry whose deadline has passed.
    pub fn pop_due(&mut self, now: Instant) -> Option<(Instant, T)> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry)
    }

    /// Drop what no longer counts, once the heap has doubled since the last sweep; so memory
    /// stays proportional to what is alive.
    pub fn sweep(&mut self, counts: impl Fn(Instant, T) -> bool) {
        if self.heap.len() >= self.sweep_at {
            self.heap.retain(|Reverse((deadline, subject))| counts(*deadline, *subject));
            self.heap.shrink_to(SWEEP_MIN);
            self.sweep_at = SWEEP_MIN.max(2 * self.heap.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn deadlines_come_in_order_and_only_when_due() {
        let mut timers = Timers::default();
        let start = Instant::now();
        for wait in [30, 10, 20] {
            timers.push(start + Duration::from_millis(wait), wait);
        }
        assert_eq!(timers.pop_due(start), None);
        let later = start + Duration::from_millis(25);
        assert_eq!(timers.pop_due(later).unwrap().1, 10);
        assert_eq!(timers.pop_due(later).unwrap().1, 20);
        assert_eq!(timers.pop_due(later), None);
    }

    #[test]
    fn dead_entries_are_swept() {
        let mut timers = Timers::default();
        let start = Instant::now();
        for subject in 0..SWEEP_MIN {
            timers.push(start, subject);
        }
        timers.sweep(|_, subject| subject < 10);
        assert_eq!(timers.heap.len(), 10);
    }
}
