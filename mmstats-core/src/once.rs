//! "At most once", for statics on every target.

/// Lets the first caller through.
pub(crate) struct Once(imp::Once);

impl Once {
    #[cfg(not(loom))]
    pub(crate) const fn new() -> Once {
        Once(imp::Once::new())
    }

    /// Whether this caller is the first. Where there is no compare-and-swap, callers that come at
    /// the very same time may all be refused.
    pub(crate) fn first(&self) -> bool {
        self.0.first()
    }
}

#[cfg(all(target_has_atomic = "8", not(mmstats_splitter)))]
mod imp {
    use core::sync::atomic::{AtomicBool, Ordering};

    pub(super) struct Once(AtomicBool);

    impl Once {
        #[cfg(not(loom))]
        pub(super) const fn new() -> Once {
            Once(AtomicBool::new(false))
        }

        pub(super) fn first(&self) -> bool {
            // Partner: itself in other callers; nothing else is published through it.
            !self.0.swap(true, Ordering::AcqRel)
        }
    }
}

/// The splitter of Moir and Anderson ("Wait-free algorithms for fast, long-lived renaming", 1995):
/// at most one gets through, with loads and stores alone, however many come and however they
/// interrupt each other.
#[cfg(not(all(target_has_atomic = "8", not(mmstats_splitter))))]
mod imp {
    use portable_atomic::{AtomicBool, AtomicUsize, Ordering};

    pub(super) struct Once {
        last: AtomicUsize,
        closed: AtomicBool,
    }

    impl Once {
        #[cfg(not(loom))]
        pub(super) const fn new() -> Once {
            Once { last: AtomicUsize::new(0), closed: AtomicBool::new(false) }
        }

        pub(super) fn first(&self) -> bool {
            // Everyone who is in here now has another stack, or another frame of the same one: the
            // address tells them apart.
            let here = 0u8;
            let me = (&raw const here).addr();
            // SeqCst throughout: the proof needs one order of all four accesses.
            self.last.store(me, Ordering::SeqCst);
            if self.closed.load(Ordering::SeqCst) {
                return false;
            }
            self.closed.store(true, Ordering::SeqCst);
            self.last.load(Ordering::SeqCst) == me
        }
    }
}
