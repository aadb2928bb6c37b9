//! The one place that chooses atomics.
//!
//! `portable-atomic` gives loads and stores on every target, also on those whose compiler has no
//! compare-and-swap (Cortex-M0, RISC-V without the A extension). Nothing here is ever a *fallback*
//! behind a lock: a lock is private to one program, and the readers are others. Under `--cfg loom`
//! the same protocols run on loom's model of memory.

cfg_if::cfg_if! {
    if #[cfg(loom)] {
        pub(crate) use loom::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering, fence};
    } else {
        pub(crate) use core::sync::atomic::{Ordering, fence};
        pub(crate) use portable_atomic::{AtomicU8, AtomicU16, AtomicU32};
        #[cfg(target_pointer_width = "64")]
        pub(crate) use portable_atomic::AtomicU64;
    }
}
