//! System calls behind safe faces: epoll, eventfd, sockets, threads, random octets.
//!
//! Every `unsafe` of the packet path stands here, but for the memory of the caches (`cache::store`,
//! `cache::blob`) and of the counters, so that the doors above read as protocol code.

pub mod address;
pub mod batch;
pub mod poll;
pub mod random;
pub mod slab;
pub mod socket;
pub mod stream;
pub mod thread;
pub mod timers;

use std::io;

/// The result of a system call that says failure with -1.
fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// The same for calls that return a count.
fn check_size(result: libc::ssize_t) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// Raise the soft limit of open files to the hard one and return it.
///
/// Every exchange in flight holds a socket, so the default soft limit of 1,024 would be the
/// first bound that a busy resolver meets.
pub fn raise_open_files() -> usize {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a valid rlimit for the kernel to fill.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
        return 1024;
    }
    let before = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: `limit` is a valid rlimit and lives through the call.
    let raised = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } == 0;
    let now = if raised { limit.rlim_max } else { before };
    usize::try_from(now).unwrap_or(usize::MAX)
}
