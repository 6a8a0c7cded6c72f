//! One allocation with octets, links to its neighbours and two marks: what `store` is made of.
//!
//! Readers look at the octets, which never change, and at the marks, which are atomic. Links
//! belong to the one writer of the shard.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// Used since the hand of the store last passed.
const USED: u8 = 1;
/// Its approaching end was told.
const TOLD: u8 = 2;

/// Octets that the allocator takes for a request.
pub(super) fn allocated(octets: usize) -> usize {
    // SAFETY: only computes.
    if octets == 0 { 0 } else { unsafe { libmimalloc_sys::mi_good_size(octets) } }
}

#[repr(C)]
struct Head {
    older: Option<Blob>,
    newer: Option<Blob>,
    hash: u32,
    octets: u32,
    marks: AtomicU8,
}

/// Where the octets begin: behind the last field, without the padding of the type.
const OCTETS_AT: usize = std::mem::offset_of!(Head, marks) + 1;

/// A pointer to an allocation that somebody else frees. Whoever holds one sees to it that it
/// still stands: all methods rely on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Blob(NonNull<Head>);

impl Blob {
    /// Allocate and copy.
    pub fn new(hash: u32, octets: &[u8]) -> Self {
        let layout = Self::layout(octets.len());
        let length = u32::try_from(octets.len()).expect("an entry is far below 4 GiB");
        // SAFETY: the layout has room for a Head and for the octets behind `OCTETS_AT`; all of
        // both is written here.
        unsafe {
            let Some(head) = NonNull::new(alloc(layout).cast::<Head>()) else {
                handle_alloc_error(layout);
            };
            head.write(Head {
                older: None,
                newer: None,
                hash,
                octets: length,
                marks: AtomicU8::new(0),
            });
            let room = head.as_ptr().cast::<u8>().add(OCTETS_AT);
            room.copy_from_nonoverlapping(octets.as_ptr(), octets.len());
            head.as_ptr().expose_provenance();
            Self(head)
        }
    }

    /// The one at an address that [`Blob::address`] gave; `None` for 0.
    pub fn at(address: usize) -> Option<Self> {
        NonNull::new(std::ptr::with_exposed_provenance_mut(address)).map(Self)
    }

    pub fn address(self) -> usize {
        self.0.addr().get()
    }

    fn layout(octets: usize) -> Layout {
        let size = (OCTETS_AT + octets).max(size_of::<Head>());
        Layout::from_size_align(size, align_of::<Head>()).expect("an entry is far below 4 GiB")
    }

    /// Octets of the allocation.
    pub fn allocation(self) -> usize {
        // SAFETY: it stands, as all holders see to; the length is never written again.
        Self::layout(unsafe { (*self.0.as_ptr()).octets } as usize).size()
    }

    /// The octets.
    ///
    /// # Safety
    ///
    /// Nobody frees it during `'a`.
    pub unsafe fn octets<'a>(self) -> &'a [u8] {
        // SAFETY: written by `new`, never changed, and there for `'a` as the caller says.
        unsafe {
            let head = self.0.as_ptr();
            let start = head.cast::<u8>().add(OCTETS_AT);
            std::slice::from_raw_parts(start, (*head).octets as usize)
        }
    }

    pub fn hash(self) -> u32 {
        // SAFETY: it stands, as all holders see to; never written again.
        unsafe { (*self.0.as_ptr()).hash }
    }

    fn marks<'a>(self) -> &'a AtomicU8 {
        // SAFETY: it stands, as all holders see to; the reference does not leave this file.
        unsafe { &(*self.0.as_ptr()).marks }
    }

    pub fn is_used(self) -> bool {
        self.marks().load(Relaxed) & USED != 0
    }

    /// Written only when it changes: entries in use are read by many threads.
    pub fn set_used(self, used: bool) {
        if self.is_used() != used {
            if used {
                self.marks().fetch_or(USED, Relaxed);
            } else {
                self.marks().fetch_and(!USED, Relaxed);
            }
        }
    }

    /// Whether it was not told before.
    pub fn set_told(self) -> bool {
        self.marks().load(Relaxed) & TOLD == 0 && self.marks().fetch_or(TOLD, Relaxed) & TOLD == 0
    }

    pub fn older(self) -> Option<Self> {
        // SAFETY: links are read and written by the one writer of the shard.
        unsafe { (*self.0.as_ptr()).older }
    }

    pub fn newer(self) -> Option<Self> {
        // SAFETY: as above.
        unsafe { (*self.0.as_ptr()).newer }
    }

    pub fn set_older(self, older: Option<Self>) {
        // SAFETY: as above.
        unsafe { (*self.0.as_ptr()).older = older }
    }

    pub fn set_newer(self, newer: Option<Self>) {
        // SAFETY: as above.
        unsafe { (*self.0.as_ptr()).newer = newer }
    }

    /// Give the memory back.
    ///
    /// # Safety
    ///
    /// Nobody has it any more, and this is the first time.
    pub unsafe fn free(self) {
        // SAFETY: allocated by `new` with the same layout.
        unsafe {
            let layout = Self::layout((*self.0.as_ptr()).octets as usize);
            dealloc(self.0.as_ptr().cast(), layout);
        }
    }
}
