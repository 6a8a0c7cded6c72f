//! Threads that cannot die unnoticed, and the queues between them and Python.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard};
use std::thread::JoinHandle;

use super::poll::Bell;

/// Start a thread. If `run` panics the process aborts: a resolver without one of its threads
/// would answer some clients and not others, and nobody would see why.
pub fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    let label = name.to_owned();
    std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        if catch_unwind(AssertUnwindSafe(run)).is_err() {
            eprintln!("inland: thread {label} has panicked; the process ends");
            std::process::abort();
        }
    })
}

/// Lock; a poisoned lock cannot be met, since a panic ends the process.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A queue with a descriptor that is readable exactly while something waits in it.
pub struct Queue<T> {
    items: Mutex<VecDeque<T>>,
    bell: Bell,
}

impl<T> Queue<T> {
    /// An empty queue.
    pub fn new() -> io::Result<Self> {
        Ok(Self { items: Mutex::new(VecDeque::new()), bell: Bell::new()? })
    }

    /// Append all; the bell rings once, and only if the queue was empty.
    pub fn push_all(&self, items: impl IntoIterator<Item = T>) {
        let mut queue = lock(&self.items);
        let was_empty = queue.is_empty();
        queue.extend(items);
        if was_empty && !queue.is_empty() {
            self.bell.ring();
        }
    }

    /// Take at most `most`, oldest first.
    pub fn take(&self, most: usize) -> Vec<T> {
        let mut queue = lock(&self.items);
        let count = most.min(queue.len());
        let taken = queue.drain(..count).collect();
        if queue.is_empty() {
            self.bell.clear();
            // A burst must not hold its memory for ever.
            if queue.capacity() > 65_536 {
                queue.shrink_to_fit();
            }
        }
        taken
    }

    /// Number of items that wait.
    pub fn len(&self) -> usize {
        lock(&self.items).len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> AsRawFd for Queue<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.bell.as_raw_fd()
    }
}
