//! Mapped memory, and who may still point at it: the only file of this crate with `unsafe`.
//!
//! - [`Mapping`] is memory for one writer; [`MappedFields`] keeps it for as long as the fields that point
//!   into it.
//! - [`ThreadSlot`] is a thread's pointer to its fields.
//! - A forked child inherits mappings that are its parent's to write, and locks that nobody will
//!   ever open. The handler registered by [`prepare_for_fork`] puts private memory over the former;
//!   [`PerProcess`] leaves the latter behind.
//! - [`ReadMapping`] is memory that somebody else writes, and may cut short.
#![allow(unsafe_code)]

use memmap2::{MmapMut, MmapOptions, MmapRaw};
use mmstats_core::{Region, View};
use std::cell::Cell;
use std::fs::File;
use std::io;
use std::mem::ManuallyDrop;
use std::ptr::{NonNull, null, null_mut};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicUsize, Ordering};

/// Memory for one writer: a file's, or private.
///
/// It is never unmapped. When it is dropped, private zeros are put over it: so a handle that
/// somebody kept, against all advice, writes to nobody, and not to whatever would be mapped there
/// next. The file's memory is given back all the same.
pub(crate) struct Mapping {
    map: ManuallyDrop<MmapRaw>,
    inherited: &'static ForkRegistry,
}

impl Mapping {
    /// Maps the first `len` bytes of a file, whose blocks are allocated.
    pub(crate) fn of_file(file: &File, len: usize) -> io::Result<Mapping> {
        prepare_for_fork();
        let map = MmapOptions::new().len(len).map_raw(file)?;
        let inherited = ForkRegistry::register(map.as_mut_ptr(), map.len());
        Ok(Mapping { map: ManuallyDrop::new(map), inherited })
    }

    /// Memory that no other process sees.
    pub(crate) fn private(len: usize) -> io::Result<Mapping> {
        let map = MmapMut::map_anon(len)?.into();
        Ok(Mapping {
            map: ManuallyDrop::new(map),
            inherited: ForkRegistry::register(null_mut(), 0),
        })
    }

    pub(crate) fn flush(&self, asynchronous: bool) -> io::Result<()> {
        if asynchronous { self.map.flush_async() } else { self.map.flush() }
    }

    /// The memory as a region that is never unmapped.
    pub(crate) fn leak(self) -> Region {
        let mapping = ManuallyDrop::new(self);
        // SAFETY: the mapping stays for ever, and whoever has a region of it is gone: `self` is
        // consumed.
        unsafe { mapping.region() }
    }

    /// # Safety
    /// The region, and all that is made from it, is gone before the mapping is, and no other writer
    /// writes it.
    unsafe fn region(&self) -> Region {
        let base = NonNull::new(self.map.as_mut_ptr()).expect("a mapping is not at address 0");
        // SAFETY: mapped, so readable, writable and initialised; for the rest, the caller.
        unsafe { Region::from_raw(base, self.map.len()) }
            .expect("a mapping begins at a page and was asked to be of less than 4 GiB")
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        self.inherited.unregister();
        // SAFETY: a mapping of this program of just that length, which only atomics look at. If it
        // fails, the file stays mapped, which is as safe.
        unsafe {
            remap_anonymous(
                self.map.as_mut_ptr(),
                self.map.len(),
                libc::PROT_READ | libc::PROT_WRITE,
            )
        };
    }
}

/// Fields and the memory they are in.
pub(crate) struct MappedFields<M> {
    // Dropped first.
    fields: M,
    mapping: Mapping,
}

impl<M> MappedFields<M> {
    /// Lays fields into a mapping. `make` keeps nothing of the region but in what it returns.
    pub(crate) fn new<E>(
        mapping: Mapping,
        make: impl FnOnce(Region) -> Result<M, E>,
    ) -> Result<MappedFields<M>, E> {
        // SAFETY: a mapping is never unmapped; and the handles in `fields` go before it has another
        // writer: see `into_mapping`.
        let fields = make(unsafe { mapping.region() })?;
        Ok(MappedFields { fields, mapping })
    }

    pub(crate) fn fields(&self) -> &M {
        &self.fields
    }

    pub(crate) fn mapping(&self) -> &Mapping {
        &self.mapping
    }

    /// Ends the fields, and gives the mapping back.
    pub(crate) fn into_mapping(self) -> Mapping {
        let MappedFields { fields, mapping } = self;
        drop(fields);
        mapping
    }
}

/// A mapping as a forked child finds it. Entries are never freed, only used again, so that the
/// child's handler can walk them whatever other threads of the parent were doing.
struct ForkRegistry {
    base: AtomicPtr<u8>,
    len: AtomicUsize,
    used: AtomicU32,
    next: AtomicPtr<ForkRegistry>,
}

static FORK_REGISTRY: AtomicPtr<ForkRegistry> = AtomicPtr::new(null_mut());

impl ForkRegistry {
    fn register(base: *mut u8, len: usize) -> &'static ForkRegistry {
        let entry = Self::all().find(|entry| {
            entry.used.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed).is_ok()
        });
        let entry = entry.unwrap_or_else(Self::add);
        entry.base.store(base, Ordering::Relaxed);
        // Partner: the Acquire load in `ForkRegistry::remap`.
        entry.len.store(len, Ordering::Release);
        entry
    }

    fn add() -> &'static ForkRegistry {
        let entry: &'static ForkRegistry = Box::leak(Box::new(ForkRegistry {
            base: AtomicPtr::new(null_mut()),
            len: AtomicUsize::new(0),
            used: AtomicU32::new(1),
            next: AtomicPtr::new(null_mut()),
        }));
        let mut head = FORK_REGISTRY.load(Ordering::Relaxed);
        loop {
            entry.next.store(head, Ordering::Relaxed);
            // Partner: the Acquire load in `all`.
            match FORK_REGISTRY.compare_exchange_weak(
                head,
                (&raw const *entry).cast_mut(),
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return entry,
                Err(other) => head = other,
            }
        }
    }

    fn all() -> impl Iterator<Item = &'static ForkRegistry> {
        // Partner: the Release exchange in `add`.
        let mut next = FORK_REGISTRY.load(Ordering::Acquire);
        std::iter::from_fn(move || {
            // SAFETY: entries are leaked, and reachable only once they are whole.
            let entry = unsafe { next.as_ref() }?;
            next = entry.next.load(Ordering::Acquire);
            Some(entry)
        })
    }

    /// Before the mapping is unmapped.
    fn unregister(&self) {
        self.len.store(0, Ordering::Relaxed);
        // Partner: the Acquire exchange in `enter`.
        self.used.store(0, Ordering::Release);
    }

    /// Puts private memory over it.
    fn remap(&self) {
        // Partner: the Release store in `enter`.
        let len = self.len.load(Ordering::Acquire);
        let base = self.base.load(Ordering::Relaxed);
        if len == 0 {
            return;
        }
        // SAFETY: a mapping of this program of just that length, which handles may still write and
        // nobody borrows.
        unsafe { remap_anonymous(base, len, libc::PROT_READ | libc::PROT_WRITE) };
    }
}

/// Puts private zeros over a mapping.
///
/// # Safety
/// The `len` bytes at `base`, a page's start, are a mapping of this program's that only atomics
/// look at.
unsafe fn remap_anonymous(base: *mut u8, len: usize, protection: libc::c_int) -> bool {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
    // SAFETY: the caller's.
    let at = unsafe { libc::mmap(base.cast(), len, protection, flags, -1, 0) };
    at != libc::MAP_FAILED
}

/// How often this process has been forked off.
static FORKS: AtomicU32 = AtomicU32::new(0);

/// Tells a forked child from its parent, as a process id may not.
pub(crate) fn forks() -> u32 {
    FORKS.load(Ordering::Relaxed)
}

/// From here on, a forked child leaves its parent's stats alone.
pub(crate) fn prepare_for_fork() {
    static IS_PREPARED: AtomicBool = AtomicBool::new(false);
    // Not a `Once`, on which a child would wait for ever if another thread is in it during the
    // fork. The handler may run twice.
    if !IS_PREPARED.load(Ordering::Acquire) {
        // SAFETY: the handler only does what a child of many threads may do: no locks, no
        // allocation.
        unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
        // Partner: the load above.
        IS_PREPARED.store(true, Ordering::Release);
    }
}

/// Runs in the child, which has this one thread alone.
extern "C" fn in_child() {
    FORKS.fetch_add(1, Ordering::Relaxed);
    crate::per_thread::forget_this_thread();
    ForkRegistry::all().for_each(ForkRegistry::remap);
}

/// Calls `at_exit` when the process exits in an orderly way.
pub(crate) fn on_exit(at_exit: extern "C" fn()) {
    // SAFETY: a function of this program; if it cannot be registered, files stay, as after a crash.
    unsafe { libc::atexit(at_exit) };
}

/// A static of which a forked child has a fresh one: what it inherits may be locked by a thread
/// that it does not have.
pub(crate) struct PerProcess<T> {
    current: AtomicPtr<Tagged<T>>,
}

struct Tagged<T> {
    forks: u32,
    value: T,
}

impl<T: Default> PerProcess<T> {
    pub(crate) const fn new() -> Self {
        PerProcess { current: AtomicPtr::new(null_mut()) }
    }

    pub(crate) fn get(&self) -> &'static T {
        let forks = FORKS.load(Ordering::Relaxed);
        // Partner: the Release half of the exchange below.
        let mut current = self.current.load(Ordering::Acquire);
        // SAFETY: what is stored there is leaked and whole.
        while unsafe { current.as_ref() }.is_none_or(|tagged| tagged.forks != forks) {
            // What a thread locks from here on, a child leaves behind.
            prepare_for_fork();
            let fresh = Box::into_raw(Box::new(Tagged { forks, value: T::default() }));
            // Partner: the Acquire loads, above and by this exchange in other threads.
            match self.current.compare_exchange(current, fresh, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => current = fresh,
                Err(other) => {
                    // SAFETY: made above and given to nobody.
                    drop(unsafe { Box::from_raw(fresh) });
                    current = other;
                }
            }
        }
        // SAFETY: leaked and whole, and by the loop not null.
        unsafe { &(*current).value }
    }
}

// SAFETY: it gives out `&'static T` to all threads, and makes `T`s in any of them.
unsafe impl<T: Send + Sync> Sync for PerProcess<T> {}

/// A thread's pointer to its fields; in thread-local storage a pointer costs one load, the fields
/// themselves would cost a call.
#[doc(hidden)]
pub struct ThreadSlot<M>(Cell<*const M>);

impl<M> ThreadSlot<M> {
    #[allow(clippy::new_without_default, reason = "it only makes sense as a thread-local static")]
    #[must_use]
    pub const fn new() -> Self {
        ThreadSlot(Cell::new(null()))
    }

    /// The fields, for no longer than a call: they end when the thread does, and not while it is in
    /// one.
    #[inline(always)]
    pub(crate) fn get(&self) -> Option<&M> {
        // SAFETY: `set` and its caller.
        unsafe { self.0.get().as_ref() }
    }

    /// Points at fields in a box that is kept until [`Self::clear`].
    pub(crate) fn set(&self, fields: &M) {
        self.0.set(fields);
    }

    pub(crate) fn clear(&self) {
        self.0.set(null());
    }
}

/// Memory of a file that somebody else writes.
#[derive(Debug)]
pub(crate) struct ReadMapping {
    map: MmapRaw,
}

thread_local! {
    /// What this thread is reading, for the handler of SIGBUS.
    static READING: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

static BEFORE: AtomicPtr<libc::sigaction> = AtomicPtr::new(null_mut());

impl ReadMapping {
    pub(crate) fn new(file: &File, len: usize) -> io::Result<ReadMapping> {
        guard_against_cuts();
        let map = MmapOptions::new().len(len).map_raw_read_only(file)?;
        Ok(ReadMapping { map })
    }

    /// Looks at the memory. Where the file has been cut short, there are zeros.
    pub(crate) fn with<R>(&self, look: impl FnOnce(&View<'_>) -> R) -> R {
        struct Done((usize, usize));
        impl Drop for Done {
            fn drop(&mut self) {
                READING.set(self.0);
            }
        }
        let base = NonNull::new(self.map.as_mut_ptr()).expect("a mapping is not at address 0");
        let _done = Done(READING.replace((base.addr().get(), self.map.len())));
        // SAFETY: mapped for as long as the view is used; other processes write it.
        let view = unsafe { View::from_raw(base, self.map.len()) }
            .expect("a mapping begins at a page and was asked to be of less than 4 GiB");
        look(&view)
    }
}

/// A load behind the end of a file that was cut short raises SIGBUS in the thread that reads. Its
/// handler puts zeros there, and the load is done again.
fn guard_against_cuts() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let mut action = new_action();
        action.sa_sigaction = on_bus_error
            as extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void)
            as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        let before = Box::into_raw(Box::new(new_action()));
        // Partner: the Acquire load in `on_bus_error`, should one come at once.
        BEFORE.store(before, Ordering::Release);
        // SAFETY: both are whole, and `before` is leaked.
        unsafe { libc::sigaction(libc::SIGBUS, &raw const action, before) };
    });
}

fn new_action() -> libc::sigaction {
    // SAFETY: a C struct of integers and a null pointer: the default action, no flags, an empty
    // mask.
    unsafe { std::mem::zeroed() }
}

extern "C" fn on_bus_error(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    // SAFETY: the kernel's, for a handler with SA_SIGINFO.
    let address = unsafe { (*info).si_addr() } as usize;
    let (base, len) = READING.get();
    if address.wrapping_sub(base) < len {
        // SAFETY: the mapping that this thread is reading, by atomics.
        if unsafe { remap_anonymous(base as *mut u8, len, libc::PROT_READ) } {
            return;
        }
    }
    // Not ours: whoever was there before handles it.
    // Partner: the Release store in `guard_against_cuts`.
    let before = BEFORE.load(Ordering::Acquire);
    // SAFETY: leaked and whole.
    let action = unsafe { &*before };
    match action.sa_sigaction {
        libc::SIG_DFL | libc::SIG_IGN => {
            // When the load is done again.
            // SAFETY: the same.
            unsafe { libc::sigaction(libc::SIGBUS, before, null_mut()) };
        }
        handler if action.sa_flags & libc::SA_SIGINFO != 0 => {
            // SAFETY: with this flag, a handler is such a function.
            let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) =
                unsafe { std::mem::transmute(handler) };
            handler(signal, info, context);
        }
        handler => {
            // SAFETY: without this flag, a handler is such a function.
            let handler: extern "C" fn(libc::c_int) = unsafe { std::mem::transmute(handler) };
            handler(signal);
        }
    }
}
