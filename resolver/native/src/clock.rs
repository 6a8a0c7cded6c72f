//! The one clock: lifetimes are monotonic, dates are wall time, both moved by one offset.
//!
//! The offset comes from a small text file, so that a test can move a running resolver through
//! time. The file is read on use, at most a few times a second: reading it costs as little as
//! asking when it was changed, and cannot miss two changes within one tick of the file system.
//!
//! Limitations: time while the machine sleeps does not count (`CLOCK_MONOTONIC`).

use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use crate::wire::micros;

/// How often the file is read: soon enough for a test, too seldom to cost.
const READ_MICROS: i64 = 100_000;

#[derive(Debug)]
pub struct Clock {
    offset_file: Option<PathBuf>,
    /// Monotonic microseconds when the file is due.
    due: AtomicI64,
    /// The offset in seconds, as the bits of an `f64`.
    offset: AtomicU64,
}

impl Clock {
    /// A clock that follows the file, if one is named. A file that is not there or not a number
    /// leaves the offset as it is.
    pub fn new(offset_file: Option<PathBuf>) -> Self {
        let offset = AtomicU64::new(0f64.to_bits());
        Self { offset_file, due: AtomicI64::new(i64::MIN), offset }
    }

    /// Monotonic seconds plus the offset.
    pub fn now(&self) -> f64 {
        let now = system_seconds(libc::CLOCK_MONOTONIC);
        now + self.offset(now)
    }

    /// Seconds since the epoch plus the offset.
    pub fn wall(&self) -> f64 {
        system_seconds(libc::CLOCK_REALTIME) + self.offset(system_seconds(libc::CLOCK_MONOTONIC))
    }

    fn offset(&self, now: f64) -> f64 {
        if let Some(path) = &self.offset_file {
            let now = micros(now);
            let due = self.due.load(Relaxed);
            let mine =
                || self.due.compare_exchange(due, now + READ_MICROS, Relaxed, Relaxed).is_ok();
            if now >= due && mine() {
                let text = std::fs::read_to_string(path).unwrap_or_default();
                if let Some(offset) = text.trim().parse().ok().filter(|n: &f64| n.is_finite()) {
                    self.offset.store(offset.to_bits(), Relaxed);
                }
            }
        }
        f64::from_bits(self.offset.load(Relaxed))
    }
}

fn system_seconds(id: libc::clockid_t) -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid place for the result; these two clocks exist on every Linux.
    unsafe { libc::clock_gettime(id, &mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
