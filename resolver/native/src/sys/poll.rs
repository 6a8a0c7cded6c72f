//! Waiting: epoll, and an eventfd that one side rings and the other waits on.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use super::check;

/// Events taken from the kernel in one call.
pub const EVENTS_MAX: usize = 256;

pub const READ: u32 = libc::EPOLLIN as u32;
pub const WRITE: u32 = libc::EPOLLOUT as u32;
pub const HANGUP: u32 = (libc::EPOLLHUP | libc::EPOLLERR) as u32;
/// Report news once, not for as long as it lasts.
pub const EDGE: u32 = libc::EPOLLET as u32;

/// What is ready: the key given at registration, and the mask of events.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    pub key: u64,
    pub mask: u32,
}

/// An epoll instance with room for one batch of events.
pub struct Poll {
    fd: OwnedFd,
    ready: Vec<libc::epoll_event>,
}

impl Poll {
    /// A new instance.
    pub fn new() -> io::Result<Self> {
        // SAFETY: no pointers; the result is checked and owned at once.
        let fd = unsafe {
            let fd = check(libc::epoll_create1(libc::EPOLL_CLOEXEC))?;
            OwnedFd::from_raw_fd(fd)
        };
        Ok(Self { fd, ready: vec![libc::epoll_event { events: 0, u64: 0 }; EVENTS_MAX] })
    }

    fn control(&self, operation: libc::c_int, fd: RawFd, mask: u32, key: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events: mask, u64: key };
        // SAFETY: `event` is valid for the call; the kernel checks both descriptors.
        check(unsafe { libc::epoll_ctl(self.fd.as_raw_fd(), operation, fd, &raw mut event) })?;
        Ok(())
    }

    /// Report events of `mask` on `fd` under `key`. Closing the descriptor ends it.
    pub fn add(&self, fd: &impl AsRawFd, mask: u32, key: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd.as_raw_fd(), mask, key)
    }

    /// Change what is reported.
    pub fn modify(&self, fd: &impl AsRawFd, mask: u32, key: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, fd.as_raw_fd(), mask, key)
    }

    /// Wait for news, at most `timeout`; events go to `out`.
    pub fn wait(&mut self, timeout: Option<Duration>, out: &mut Vec<Event>) -> io::Result<()> {
        out.clear();
        // Rounded up: waking a moment early would mean a turn of the loop for nothing.
        let milliseconds = timeout
            .map_or(-1, |wait| i32::try_from(wait.as_micros().div_ceil(1000)).unwrap_or(i32::MAX));
        // SAFETY: `ready` has room for EVENTS_MAX events and is not touched during the call.
        let count = unsafe {
            libc::epoll_wait(
                self.fd.as_raw_fd(),
                self.ready.as_mut_ptr(),
                EVENTS_MAX as libc::c_int,
                milliseconds,
            )
        };
        let count = match check(count) {
            Ok(count) => count as usize,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            Err(error) => return Err(error),
        };
        out.extend(
            self.ready[..count].iter().map(|event| Event { key: event.u64, mask: event.events }),
        );
        Ok(())
    }
}

/// An eventfd: readable from a ring until it is cleared.
pub struct Bell(OwnedFd);

impl Bell {
    /// A silent bell.
    pub fn new() -> io::Result<Self> {
        // SAFETY: no pointers; the result is checked and owned at once.
        let fd = unsafe {
            let fd = check(libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK))?;
            OwnedFd::from_raw_fd(fd)
        };
        Ok(Self(fd))
    }

    /// Make it readable.
    pub fn ring(&self) {
        let one = 1u64.to_ne_bytes();
        // SAFETY: eight valid octets, as eventfd wants. It can only fail with EAGAIN when the
        // count is full, and then it is readable already.
        unsafe { libc::write(self.0.as_raw_fd(), one.as_ptr().cast(), one.len()) };
    }

    /// Make it silent.
    pub fn clear(&self) {
        let mut count = [0u8; 8];
        // SAFETY: room for eight octets, as eventfd wants. EAGAIN means that it was silent.
        unsafe { libc::read(self.0.as_raw_fd(), count.as_mut_ptr().cast(), count.len()) };
    }
}

impl AsRawFd for Bell {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}
