//! The entries of each thread for the statics that differ between threads: created at the first use
//! and released at the thread's end. A forked child forgets those of its parent.

use crate::memory::ForkHandler;
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::mem;
use std::rc::Rc;

/// The entry of a thread for one static. Its users have an `Rc` to it, except those that reached it
/// through a [`ThreadSlot`](crate::memory::ThreadSlot).
pub(crate) trait AnyThreadEntry {
    /// Returns `true` if it belongs to the static with this address.
    fn is_for(&self, address: usize) -> bool;
    fn as_any(self: Rc<Self>) -> Rc<dyn Any>;
    /// Removes the files; returns `true` if a caller may be using the fields uncounted.
    fn remove(&self) -> bool;
    /// Parks the regions at the thread's end.
    fn release(self: Rc<Self>);
    fn clear_slots(&self);
}

/// Returns this thread's entry for the static with this address. If there are several, the one
/// that was added last is in use.
pub(crate) fn find_entry<E: AnyThreadEntry + 'static>(address: usize) -> Option<Rc<E>> {
    let found = THREAD.try_with(|thread| {
        let entries = thread.entries.borrow();
        let entry = entries.iter().rev().find(|entry| entry.is_for(address))?.clone();
        entry.as_any().downcast().ok()
    });
    found.ok().flatten()
}

/// Makes forked children forget the entries that are added from now on.
pub(crate) fn register_fork_handler() {
    FORK_HANDLER.register();
}

/// Keeps an entry until the thread ends; not at all if it is ending.
pub(crate) fn add_entry(entry: Rc<dyn AnyThreadEntry>) {
    let _ = THREAD.try_with(|thread| thread.entries.borrow_mut().push(entry));
    IS_USED.set(true);
}

/// Removes the last of this thread's entries that `is_meant`. If the thread is ending, it has
/// parked the entry already.
pub(crate) fn remove_entry(is_meant: impl Fn(&dyn AnyThreadEntry) -> bool) {
    let _ = THREAD.try_with(|thread| {
        let mut entries = thread.entries.borrow_mut();
        if let Some(at) = entries.iter().rposition(|entry| is_meant(&**entry)) {
            let entry = entries.remove(at);
            if entry.remove() {
                thread.removed.borrow_mut().push(entry);
            }
        }
    });
}

/// Returns `true` if fields that were used this often may be put in a slot. Uses through a slot are
/// not counted, so the fields cannot be released before the thread ends, even if they are removed.
/// To bound that memory, each removed entry doubles the number of uses that the next one needs.
pub(crate) fn may_use_slot(uses: u64) -> bool {
    let removed = THREAD.try_with(|thread| thread.removed.borrow().len());
    removed.is_ok_and(|removed| uses >> removed.min(63) > 0)
}

/// Returns `true` in a destructor that runs at the thread's end after that of `Thread`.
pub(crate) fn is_ending() -> bool {
    THREAD.try_with(|_| ()).is_err()
}

/// All entries of a thread.
struct Thread {
    entries: RefCell<Vec<Rc<dyn AnyThreadEntry>>>,
    /// Removed entries that may still be in use.
    removed: RefCell<Vec<Rc<dyn AnyThreadEntry>>>,
}

thread_local! {
    static THREAD: Thread =
        const { Thread { entries: RefCell::new(Vec::new()), removed: RefCell::new(Vec::new()) } };
    /// Whether `THREAD` has been used. It has no destructor, so that a forked child may read it.
    static IS_USED: Cell<bool> = const { Cell::new(false) };
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.entries.take().into_iter().for_each(AnyThreadEntry::release);
    }
}

static FORK_HANDLER: ForkHandler = ForkHandler::new(forget_this_thread);

/// Runs in a forked child: this thread's entries belong to its parent. They are neither used again
/// nor freed.
extern "C" fn forget_this_thread() {
    if !IS_USED.get() {
        return;
    }
    let _ = THREAD.try_with(|thread| {
        if let Ok(mut entries) = thread.entries.try_borrow_mut() {
            entries.iter().for_each(|entry| entry.clear_slots());
            mem::forget(mem::take(&mut *entries));
            mem::forget(thread.removed.take());
        }
    });
}
