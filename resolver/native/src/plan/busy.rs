//! Which questions Python has: a counting filter without locks.
//!
//! A client that repeats its question while Python works on it must not start an exchange of its
//! own. The filter may say yes for another question; that one then goes to Python, too, which
//! costs time and nothing else.

use std::sync::atomic::{AtomicU16, Ordering};

/// Cells: with 20,000 questions waiting, one other question in thirteen is left to Python.
const CELLS: usize = 1 << 18;

/// Counts by a part of a question's mark.
pub struct Busy(Box<[AtomicU16]>);

impl Default for Busy {
    fn default() -> Self {
        Self(std::iter::repeat_with(AtomicU16::default).take(CELLS).collect())
    }
}

impl Busy {
    fn cell(&self, mark: u64) -> &AtomicU16 {
        &self.0[mark as usize % CELLS]
    }

    /// One more client waits for Python with this question.
    pub fn enter(&self, mark: u64) {
        self.cell(mark).fetch_add(1, Ordering::Relaxed);
    }

    /// One less.
    pub fn leave(&self, mark: u64) {
        self.cell(mark).fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether one waits.
    pub fn has(&self, mark: u64) -> bool {
        self.cell(mark).load(Ordering::Relaxed) != 0
    }
}
