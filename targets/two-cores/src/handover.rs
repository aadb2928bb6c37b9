//! Lends a value of core 0 to core 1.
#![allow(unsafe_code)]

use core::hint::spin_loop;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, Ordering};

/// A value that core 0 lends to core 1.
pub struct Handover<T>(AtomicPtr<T>);

impl<T: Sync> Handover<T> {
    /// Creates one without a value.
    #[must_use]
    pub const fn new() -> Self {
        Handover(AtomicPtr::new(null_mut()))
    }

    /// Lends a value, and goes on with `then`, which never returns: so the value stays.
    pub fn lend(&'static self, value: &T, then: fn(&T) -> !) -> ! {
        // Partner: the Acquire load in `borrow`.
        self.0.store(core::ptr::from_ref(value).cast_mut(), Ordering::Release);
        then(value)
    }

    /// Waits until a value is lent, and returns it.
    pub fn borrow(&'static self) -> &'static T {
        loop {
            // Partner: the Release store in `lend`.
            let value = self.0.load(Ordering::Acquire);
            // SAFETY: null, or a value that `lend` keeps borrowed for ever: it does not return, and
            // a panic of this program stops it. `T` is `Sync`.
            if let Some(value) = unsafe { value.as_ref() } {
                return value;
            }
            spin_loop();
        }
    }
}

impl<T: Sync> Default for Handover<T> {
    fn default() -> Self {
        Handover::new()
    }
}
