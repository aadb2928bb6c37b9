//! Atomics, chosen for the target in this one place.
//!
//! `portable-atomic` has loads and stores on every target, also where the compiler has no
//! compare-and-swap (Cortex-M0, RISC-V without the A extension). Nothing here may fall back to a
//! lock: a lock is private to one program, and readers are other programs. With `--cfg loom` the
//! same protocols run on loom's memory model.

cfg_if::cfg_if! {
    if #[cfg(loom)] {
        pub(crate) use loom::sync::atomic::{
            AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering, fence,
        };
    } else {
        pub(crate) use core::sync::atomic::{Ordering, fence};
        pub(crate) use portable_atomic::{AtomicU8, AtomicU16, AtomicU32};
        #[cfg(target_pointer_width = "64")]
        pub(crate) use portable_atomic::AtomicU64;
    }
}

portable_atomic::cfg_has_atomic_cas! {
    /// Whether there are atomic read-modify-writes, by instructions or by critical sections.
    pub(crate) const HAS_READ_MODIFY_WRITE: bool = true;
    macro_rules! read_modify_write {
        ($operation:expr) => { $operation };
    }
}
portable_atomic::cfg_no_atomic_cas! {
    /// Whether there are atomic read-modify-writes, by instructions or by critical sections.
    pub(crate) const HAS_READ_MODIFY_WRITE: bool = false;
    macro_rules! read_modify_write {
        ($operation:expr) => { unreachable!("cells that need it do not compile") };
    }
}
pub(crate) use read_modify_write;

cfg_if::cfg_if! {
    if #[cfg(all(target_has_atomic = "8", not(mmstats_splitter)))] {
        use core::sync::atomic::AtomicBool;

        /// A flag that one caller claims.
        #[derive(Debug)]
        pub(crate) struct Claim(AtomicBool);

        impl Claim {
            #[cfg(not(loom))]
            pub(crate) const fn new() -> Claim {
                Claim(AtomicBool::new(false))
            }

            /// Returns `true` to the first caller.
            pub(crate) fn claim(&self) -> bool {
                // Relaxed: one swap comes first, and what is claimed was there before all of them.
                !self.0.swap(true, core::sync::atomic::Ordering::Relaxed)
            }
        }
    } else {
        use portable_atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

        /// A flag that one caller claims, without compare-and-swap: the splitter of Moir and
        /// Anderson ("Wait-free algorithms for fast, long-lived renaming", 1995). At most one
        /// caller succeeds, however many interrupt each other; of callers that arrive at the same
        /// time, none may.
        #[derive(Debug)]
        pub(crate) struct Claim {
            last: AtomicUsize,
            closed: AtomicBool,
        }

        impl Claim {
            #[cfg(not(loom))]
            pub(crate) const fn new() -> Claim {
                Claim { last: AtomicUsize::new(0), closed: AtomicBool::new(false) }
            }

            /// Returns `true` to at most one caller, and to the first if no other interrupts it.
            pub(crate) fn claim(&self) -> bool {
                // Callers that are in here at the same time have different stacks, or different
                // frames of one: the address identifies the caller.
                let here = 0u8;
                let me = (&raw const here).addr();
                // SeqCst: the proof needs one order of all four accesses.
                self.last.store(me, SeqCst);
                if self.closed.load(SeqCst) {
                    return false;
                }
                self.closed.store(true, SeqCst);
                self.last.load(SeqCst) == me
            }
        }
    }
}
