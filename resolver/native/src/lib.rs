//! The packet path of Inland: what Python has decided, native repeats.
//!
//! Modules below know nothing of Python, except `border`, which holds every class and function
//! of the contract in `resolver/_native.pyi`.

#[cfg(feature = "python")]
mod border;
pub mod cache;
pub mod clock;
pub mod counters;
pub mod exchange;
pub mod listen;
pub mod names;
pub mod plan;
pub mod policy_zone;
pub mod ranges;
pub mod sys;
pub mod verify;
pub mod wire;
pub mod zone_file;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
