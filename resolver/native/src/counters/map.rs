//! A shared memory mapping seen as atomic words: the only unsafe code of the counters.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

pub(super) struct Map {
    start: NonNull<AtomicU64>,
    size: usize,
}

// SAFETY: the memory is only ever seen as atomics, and is unmapped only on drop.
unsafe impl Send for Map {}
// SAFETY: as above.
unsafe impl Sync for Map {}

impl Map {
    /// A new file of zeros. Its blocks are allocated now: a full disk must show here and not as
    /// a signal in the middle of counting.
    pub fn create(path: &Path, size: usize) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        // SAFETY: a plain call on an open descriptor.
        let error = unsafe { libc::posix_fallocate(file.as_raw_fd(), 0, size as libc::off_t) };
        if error != 0 {
            return Err(io::Error::from_raw_os_error(error));
        }
        Self::with(size, libc::PROT_READ | libc::PROT_WRITE, Some(&file))
    }

    /// A file that is there, for reading.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let size = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
        if size < size_of::<AtomicU64>() {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
        Self::with(size, libc::PROT_READ, Some(&file))
    }

    pub fn anonymous(size: usize) -> io::Result<Self> {
        Self::with(size, libc::PROT_READ | libc::PROT_WRITE, None)
    }

    fn with(size: usize, protection: libc::c_int, file: Option<&File>) -> io::Result<Self> {
        let flags = libc::MAP_SHARED | if file.is_none() { libc::MAP_ANONYMOUS } else { 0 };
        let descriptor = file.map_or(-1, AsRawFd::as_raw_fd);
        // SAFETY: a new mapping at an address of the kernel's choice; the result is checked.
        let start =
            unsafe { libc::mmap(std::ptr::null_mut(), size, protection, flags, descriptor, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, size })
    }

    pub fn size(&self) -> usize {
        self.size
    }

    /// The word at an index. Panics outside the mapping.
    pub fn word(&self, index: usize) -> &AtomicU64 {
        assert!(index < self.size / size_of::<AtomicU64>());
        // SAFETY: inside the mapping by the line above; mappings start at a page, so words are
        // aligned; every bit pattern is a valid `AtomicU64`.
        unsafe { self.start.add(index).as_ref() }
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // SAFETY: the mapping made by `with`, which nothing refers to any more.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.size) };
    }
}
