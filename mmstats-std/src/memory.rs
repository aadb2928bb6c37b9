//! Mapped memory and the pointers into it: the only file of this crate with `unsafe`.
//!
//! - [`Mapping`] is memory for one writer. [`MappedFields`] keeps it as long as the fields that
//!   point into it.
//! - [`ThreadSlot`] is a thread's pointer to its fields. [`RcPart`] is a pointer to one field that
//!   keeps its owner.
//! - A [`LeakedList`] can be read in a forked child, whatever other threads were doing.
//! - A forked child inherits mappings that only its parent may write, and locks that may be held by
//!   threads it does not have. [`ForkRegistry`] replaces the mappings by private memory, and
//!   [`ProcessLocal`] replaces other state by new state. [`ForkHandler`] runs functions in the
//!   child.
//! - [`ReadMapping`] is memory of a file that another process writes and may truncate.
#![allow(unsafe_code)]

use memmap2::{MmapMut, MmapOptions, MmapRaw};
use mmstats_core::{Region, View};
use std::cell::Cell;
use std::fs::File;
use std::io;
use std::mem::{self, ManuallyDrop};
use std::ops::{Deref, Range};
use std::os::unix::fs::FileExt;
use std::ptr::{self, NonNull, null, null_mut};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Once, OnceLock};
use zerocopy::IntoBytes;

/// Memory for one writer: private at first, and a file's once that exists.
///
/// Addresses that were mapped stay mapped: when it is dropped, private zeros replace the content.
/// So a handle that was kept too long writes to that memory, and not to whatever would be mapped
/// there next. The file's memory is released all the same, and memory on the heap is freed.
#[derive(Debug)]
pub(crate) struct Mapping {
    base: NonNull<u8>,
    len: usize,
    /// Whether it is on the heap, where no file can replace it.
    is_heap: bool,
    /// Empty for private memory: a forked child has a copy of that anyway.
    registration: OnceLock<&'static ForkRegistry>,
}

// SAFETY: it only holds an address, of memory that all threads share.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps zeros that no other process sees. If the system has no more mappings to give, they are
    /// on the heap.
    pub(crate) fn private(len: usize) -> Mapping {
        let map = MmapMut::map_anon(len).map(|map| ManuallyDrop::new(MmapRaw::from(map)));
        let is_heap = map.is_err();
        let base = match map {
            Ok(map) => map.as_mut_ptr(),
            Err(_) => Box::into_raw(vec![0_u64; len.div_ceil(8)].into_boxed_slice()).cast(),
        };
        let base = NonNull::new(base).expect("no memory is at address 0");
        Mapping { base, len, is_heap, registration: OnceLock::new() }
    }

    /// Copies the memory to a file whose blocks are allocated, and maps the file in its place. If
    /// another thread writes meanwhile, that can be lost.
    pub(crate) fn move_to(&self, file: &File) -> io::Result<()> {
        if self.is_heap {
            return Err(io::Error::from_raw_os_error(libc::ENOMEM));
        }
        FORK_HANDLER.register();
        let mut content = vec![0; self.len / 8];
        self.view().read_at(0, &mut content);
        file.write_all_at(content.as_bytes(), 0)?;
        let map = MmapOptions::new().len(self.len).map_raw(file)?;
        // Before the file can be seen here, so that no child sees it.
        self.registration.get_or_init(|| ForkRegistry::register(self.base.as_ptr(), self.len));
        // An earlier file that was renamed would be counted beside the new one.
        let magic = self.magic().replace(0);
        // SAFETY: both are mappings of this process with this length, and `self` is accessed by
        // atomics only. Afterwards, the address of `map` is free.
        let moved = unsafe {
            libc::mremap(
                map.as_mut_ptr().cast(),
                self.len,
                self.len,
                libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED,
                self.base.as_ptr(),
            )
        };
        if moved == libc::MAP_FAILED {
            let error = io::Error::last_os_error();
            self.magic().replace(magic);
            return Err(error);
        }
        mem::forget(map);
        Ok(())
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Writes the changed pages to the file's disk; `asynchronous` only starts that.
    pub(crate) fn flush(&self, asynchronous: bool) -> io::Result<()> {
        let flag = if asynchronous { libc::MS_ASYNC } else { libc::MS_SYNC };
        // SAFETY: this memory is mapped.
        let result = unsafe { libc::msync(self.base.as_ptr().cast(), self.len, flag) };
        if self.is_heap || result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Returns the magic number at its start.
    pub(crate) fn magic(&self) -> Magic {
        Magic(self.base.cast())
    }

    pub(crate) fn addresses(&self) -> Range<usize> {
        let start = self.base.addr().get();
        start..start + self.len
    }

    /// Keeps it until the process ends, and returns it with its region.
    pub(crate) fn leak(self) -> (&'static Mapping, Region) {
        let mapping: &'static Mapping = Box::leak(Box::new(self));
        // SAFETY: the mapping is never dropped, and `self` is consumed, so this is its only region.
        (mapping, unsafe { mapping.region() })
    }

    /// Returns the memory as a region.
    ///
    /// # Safety
    /// The region and everything made from it are dropped before the mapping is, and nothing else
    /// writes to it meanwhile.
    unsafe fn region(&self) -> Region {
        // SAFETY: mapped memory is readable, writable and initialised; the caller guarantees the
        // rest.
        unsafe { Region::from_raw(self.base, self.len) }.expect(VALID)
    }

    fn view(&self) -> View<'_> {
        // SAFETY: mapped as long as `self`, and accessed by atomics only.
        unsafe { View::from_raw(self.base, self.len) }.expect(VALID)
    }
}

const VALID: &str = "a mapping is aligned and shorter than 4 GiB";

impl Drop for Mapping {
    fn drop(&mut self) {
        if let Some(registration) = self.registration.get() {
            registration.unregister();
        }
        let (base, len) = (self.base.as_ptr(), self.len);
        if self.is_heap {
            let words = ptr::slice_from_raw_parts_mut(base.cast::<u64>(), len.div_ceil(8));
            // SAFETY: from `Box::into_raw`; no region is left.
            drop(unsafe { Box::from_raw(words) });
        } else {
            // If it fails, the file stays mapped, which is as safe.
            // SAFETY: a mapping of this process with exactly this length, accessed by atomics only.
            unsafe { remap_anonymous(base, len, READ_WRITE) };
        }
    }
}

const READ_WRITE: libc::c_int = libc::PROT_READ | libc::PROT_WRITE;

/// The magic number at the start of a mapping.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Magic(NonNull<u32>);

// SAFETY: it only holds an address, of memory that all threads share.
unsafe impl Send for Magic {}

impl Magic {
    /// Clears the magic number, so that readers that have the file open see that it is gone. The
    /// file must not be empty.
    pub(crate) fn clear(self) {
        self.replace(0);
    }

    /// Stores a number and returns the earlier one. Relaxed: a reader that sees both files counts
    /// as one that came in between, and nothing is published by it.
    fn replace(self, number: u32) -> u32 {
        // SAFETY: the start of a mapping. That of a file is never unmapped, and memory on the heap
        // gets no file, so nothing keeps its magic.
        unsafe { AtomicU32::from_ptr(self.0.as_ptr()) }.swap(number, Ordering::Relaxed)
    }
}

/// Fields and the memory that holds their values.
#[derive(Debug)]
pub(crate) struct MappedFields<M> {
    // Declared first, so dropped first.
    fields: M,
    mapping: Mapping,
}

impl<M> MappedFields<M> {
    /// Creates fields in a mapping. `create` keeps the region in its result alone. A writer in that
    /// makes further fields, which the caller drops before this.
    pub(crate) fn new<E>(
        mapping: Mapping,
        create: impl FnOnce(Region) -> Result<M, E>,
    ) -> Result<MappedFields<M>, E> {
        // SAFETY: `create` keeps the region in `fields` alone. They are dropped before the mapping
        // and before it can have another writer, by the order of the members and by
        // `into_mapping`. Fields that a writer in them makes are dropped earlier, by the caller.
        let fields = create(unsafe { mapping.region() })?;
        Ok(MappedFields { fields, mapping })
    }

    pub(crate) fn fields(&self) -> &M {
        &self.fields
    }

    pub(crate) fn mapping(&self) -> &Mapping {
        &self.mapping
    }

    /// Drops the fields and returns the mapping.
    pub(crate) fn into_mapping(self) -> Mapping {
        let MappedFields { fields, mapping } = self;
        drop(fields);
        mapping
    }
}

/// A list that only grows. Its elements are never freed, so that it is whole in a forked child,
/// whatever the parent's other threads were doing during the fork.
#[derive(Debug)]
pub(crate) struct LeakedList<T> {
    first: AtomicPtr<ListNode<T>>,
}

#[derive(Debug)]
struct ListNode<T> {
    element: T,
    next: AtomicPtr<ListNode<T>>,
}

impl<T: Send + Sync + 'static> LeakedList<T> {
    pub(crate) const fn new() -> Self {
        LeakedList { first: AtomicPtr::new(null_mut()) }
    }

    /// Adds an element at the front and returns it.
    pub(crate) fn push(&self, element: T) -> &'static T {
        let node: &'static ListNode<T> =
            Box::leak(Box::new(ListNode { element, next: AtomicPtr::new(null_mut()) }));
        let mut first = self.first.load(Ordering::Relaxed);
        loop {
            node.next.store(first, Ordering::Relaxed);
            // Partner of Release: the Acquire load in `iter`.
            match self.first.compare_exchange_weak(
                first,
                (&raw const *node).cast_mut(),
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return &node.element,
                Err(other) => first = other,
            }
        }
    }

    /// Returns the elements; the one that was added last comes first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &'static T> {
        // Partner: the Release exchange in `push`. As each exchange there follows the one before
        // it, this load also covers the older elements.
        let mut next = self.first.load(Ordering::Acquire);
        std::iter::from_fn(move || {
            // SAFETY: nodes are leaked, and reachable only after they are initialised. All threads
            // may share the elements, by the bounds of this block.
            let node = unsafe { next.as_ref() }?;
            next = node.next.load(Ordering::Relaxed);
            Some(&node.element)
        })
    }
}

/// An entry of the list of mapped files, which a forked child walks to replace them. Entries are
/// reused.
#[derive(Debug)]
struct ForkRegistry {
    base: AtomicPtr<u8>,
    /// In bytes; 0 if there is no mapping.
    len: AtomicUsize,
    is_used: AtomicBool,
}

static FORK_REGISTRY: LeakedList<ForkRegistry> = LeakedList::new();

impl ForkRegistry {
    /// Adds a mapping to the list.
    fn register(base: *mut u8, len: usize) -> &'static ForkRegistry {
        let free = FORK_REGISTRY.iter().find(|entry| {
            // Partner of Acquire: the Release store in `unregister`.
            entry
                .is_used
                .compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed)
                .is_ok()
        });
        let entry = free.unwrap_or_else(|| {
            FORK_REGISTRY.push(ForkRegistry {
                base: AtomicPtr::new(null_mut()),
                len: AtomicUsize::new(0),
                is_used: AtomicBool::new(true),
            })
        });
        entry.base.store(base, Ordering::Relaxed);
        // Partner: the Acquire load in `remap`.
        entry.len.store(len, Ordering::Release);
        entry
    }

    /// Removes the mapping from the list, before it is replaced.
    fn unregister(&self) {
        self.len.store(0, Ordering::Relaxed);
        // Partner: the Acquire exchange in `register`.
        self.is_used.store(false, Ordering::Release);
    }

    /// Replaces the mapping by private memory. Runs in a forked child.
    fn remap(&self) {
        // Partner: the Release store in `register`.
        let len = self.len.load(Ordering::Acquire);
        let base = self.base.load(Ordering::Relaxed);
        if len == 0 {
            return;
        }
        // SAFETY: a mapping of this process with exactly this length. Handles may still write to
        // it; nothing borrows it.
        unsafe { remap_anonymous(base, len, READ_WRITE) };
    }
}

/// Replaces a mapping by private zeros; returns `false` if the system cannot.
///
/// # Safety
/// The `len` bytes at `base`, which is the start of a page, are a mapping of this process that is
/// accessed by atomics only.
unsafe fn remap_anonymous(base: *mut u8, len: usize, protection: libc::c_int) -> bool {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
    // SAFETY: by the caller's guarantee, no other memory is replaced.
    let mapped = unsafe { libc::mmap(base.cast(), len, protection, flags, -1, 0) };
    mapped != libc::MAP_FAILED
}

/// A function that runs in each forked child, once registered. A fork that has begun before does
/// not run it.
///
/// The child has one thread, and locks may be held by threads it does not have: the function must
/// not lock or allocate. It may run more than once in a child.
pub(crate) struct ForkHandler {
    in_child: extern "C" fn(),
    is_registered: AtomicBool,
}

impl ForkHandler {
    pub(crate) const fn new(in_child: extern "C" fn()) -> Self {
        ForkHandler { in_child, is_registered: AtomicBool::new(false) }
    }

    /// Makes forked children run the function from now on.
    pub(crate) fn register(&self) {
        // Not a `Once`: a child would wait forever if another thread was inside it during the
        // fork. The cost is that two threads may both register the function.
        // Partner: the Release store below.
        if !self.is_registered.load(Ordering::Acquire) {
            pin_library();
            // SAFETY: a function of this program, which may run in a forked child.
            unsafe { libc::pthread_atfork(None, None, Some(self.in_child)) };
            // Partner: the Acquire load above.
            self.is_registered.store(true, Ordering::Release);
        }
    }
}

static FORK_HANDLER: ForkHandler = ForkHandler::new(after_fork);

extern "C" fn after_fork() {
    FORKS.fetch_add(1, Ordering::Relaxed);
    // Handlers of the program that ran before this one may have set it.
    // Partner of Acquire: the Release half of the exchange in `map_page`.
    let page = GENERATION_PAGE.load(Ordering::Acquire);
    // SAFETY: null, or a page that is never unmapped, of a pointer.
    if let Some(current) = unsafe { page.as_ref() } {
        current.store(null_mut(), Ordering::Relaxed);
    }
    FORK_REGISTRY.iter().for_each(ForkRegistry::remap);
}

/// Changes in each forked child. Only the child's one thread changes it, so Relaxed suffices.
static FORKS: AtomicU32 = AtomicU32::new(0);

/// Differs between a process and its forked children: the address of the process's identity, which
/// is leaked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ForkGeneration(usize);

#[derive(Debug, PartialEq, Eq)]
struct ProcessIdentity {
    /// Not enough alone: a fork that had begun when the handler was registered does not run it.
    forks: u32,
    /// Not enough alone: in another PID namespace, a child may have its parent's.
    pid: u32,
}

/// A page that the kernel fills with zeros in a forked child, with a pointer to the identity of the
/// process. Null if there is no page yet.
static GENERATION_PAGE: AtomicPtr<AtomicPtr<ProcessIdentity>> = AtomicPtr::new(null_mut());

impl ForkGeneration {
    /// Returns that of the calling process, usually without a system call.
    #[inline(always)]
    pub(crate) fn current() -> ForkGeneration {
        // Partner: the Release half of the exchange in `map_page`.
        let page = GENERATION_PAGE.load(Ordering::Acquire);
        // SAFETY: null, or a page that is never unmapped, of a pointer.
        if let Some(current) = unsafe { page.as_ref() } {
            // Relaxed: only the address is used.
            let current = current.load(Ordering::Relaxed);
            if !current.is_null() {
                return ForkGeneration(current.addr());
            }
        }
        ForkGeneration::find(page)
    }

    #[cold]
    #[inline(never)]
    fn find(mut page: *mut AtomicPtr<ProcessIdentity>) -> ForkGeneration {
        static CURRENT: AtomicPtr<ProcessIdentity> = AtomicPtr::new(null_mut());
        let forks = FORKS.load(Ordering::Relaxed);
        let identity = ProcessIdentity { forks, pid: std::process::id() };
        // Partner: the Release half of the exchange below.
        let mut current = CURRENT.load(Ordering::Acquire);
        // SAFETY: null, or an identity that is leaked and initialised.
        if unsafe { current.as_ref() } != Some(&identity) {
            let new = Box::into_raw(Box::new(identity));
            // Partner of Release: the Acquire load above. Relaxed if it fails: another thread of
            // this process has stored the same identity, and only its address is used.
            match CURRENT.compare_exchange(current, new, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => current = new,
                Err(other) => {
                    // SAFETY: created above, and not shared with anything.
                    drop(unsafe { Box::from_raw(new) });
                    current = other;
                }
            }
        }
        if page.is_null() {
            page = map_page();
        }
        // SAFETY: null, or a page that is never unmapped, of a pointer.
        if let Some(cached) = unsafe { page.as_ref() } {
            cached.store(current, Ordering::Relaxed);
        }
        ForkGeneration(current.addr())
    }
}

/// Maps the page for the identity of the process. Returns null if the system has no such pages:
/// then each use is a system call.
fn map_page() -> *mut AtomicPtr<ProcessIdentity> {
    let Ok(map) = MmapMut::map_anon(size_of::<AtomicPtr<ProcessIdentity>>()).map(MmapRaw::from)
    else {
        return null_mut();
    };
    let base = map.as_mut_ptr();
    // SAFETY: the mapping was made above, and its length is rounded up to its page.
    if unsafe { libc::madvise(base.cast(), map.len(), libc::MADV_WIPEONFORK) } != 0 {
        return null_mut();
    }
    let new = base.cast();
    // Partner: the Acquire loads in `ForkGeneration::current` and `after_fork`.
    match GENERATION_PAGE.compare_exchange(null_mut(), new, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => {
            mem::forget(map);
            new
        }
        Err(other) => other,
    }
}

/// Returns `true` if the program has privileges that its caller has not (it is setuid, setgid or
/// has capabilities), so that it must not trust the environment.
pub(crate) fn is_privileged() -> bool {
    // SAFETY: it only reads memory that the kernel has filled.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// Keeps this code loaded if it is in a library: handlers of the process refer to it, which would
/// outlive it after a `dlclose`.
fn pin_library() {
    let library_of = |address: *const libc::c_void| {
        // SAFETY: a C struct of integers and nullable pointers.
        let mut info: libc::Dl_info = unsafe { mem::zeroed() };
        // SAFETY: it only writes to `info`.
        unsafe { libc::dladdr(address, &raw mut info) };
        info
    };
    let own = library_of(pin_library as fn() as *const libc::c_void);
    // SAFETY: it only reads memory that the kernel has filled.
    let headers = unsafe { libc::getauxval(libc::AT_PHDR) } as *const libc::c_void;
    if !own.dli_fname.is_null() && own.dli_fbase != library_of(headers).dli_fbase {
        let flags = libc::RTLD_LAZY | libc::RTLD_NOLOAD | libc::RTLD_NODELETE;
        // SAFETY: the name of a library that is loaded; so this runs no code of it.
        unsafe { libc::dlopen(own.dli_fname, flags) };
    }
}

/// Makes `function` run when the process exits in an orderly way.
pub(crate) fn on_exit(function: extern "C" fn()) {
    // If it cannot be registered, files stay, as after a crash.
    // SAFETY: a function of this program.
    unsafe { libc::atexit(function) };
}

/// A static with a new value in each forked child, as the inherited one may be locked by a thread
/// that the child does not have.
pub(crate) struct ProcessLocal<T> {
    /// With the fork generation that it belongs to.
    current: AtomicPtr<(ForkGeneration, T)>,
}

impl<T: Default> ProcessLocal<T> {
    pub(crate) const fn new() -> Self {
        ProcessLocal { current: AtomicPtr::new(null_mut()) }
    }

    /// Returns this process's value, which the first call creates.
    #[inline(always)]
    pub(crate) fn get(&self) -> &'static T {
        let fork_generation = ForkGeneration::current();
        // Partner: the Release half of the exchange in `create`.
        let current = self.current.load(Ordering::Acquire);
        // SAFETY: null, or a value that is leaked and initialised.
        match unsafe { current.as_ref() } {
            Some(value) if value.0 == fork_generation => &value.1,
            _ => self.create(fork_generation, current),
        }
    }

    #[cold]
    #[inline(never)]
    fn create(
        &self,
        fork_generation: ForkGeneration,
        mut current: *mut (ForkGeneration, T),
    ) -> &'static T {
        // SAFETY: null, or a value that is leaked and initialised.
        while unsafe { current.as_ref() }.is_none_or(|value| value.0 != fork_generation) {
            // Before any thread can lock the value, a child must be able to see that it has to
            // create its own.
            FORK_HANDLER.register();
            let new = Box::into_raw(Box::new((fork_generation, T::default())));
            // Partner of Release: the Acquire load in `get` and that in this exchange in other
            // threads.
            match self.current.compare_exchange(current, new, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => current = new,
                Err(other) => {
                    // SAFETY: created above, and not shared with anything.
                    drop(unsafe { Box::from_raw(new) });
                    current = other;
                }
            }
        }
        // SAFETY: leaked and initialised; the loop does not end at null.
        unsafe { &(*current).1 }
    }
}

// SAFETY: it gives `&'static T` to all threads and creates values in any of them.
unsafe impl<T: Send + Sync> Sync for ProcessLocal<T> {}

/// Returns `true` if this process may write files of this length (`RLIMIT_FSIZE`). (rustix panics
/// where a sandbox forbids to ask.)
pub(crate) fn may_write(length: usize) -> bool {
    let mut limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: it writes to `limit` alone, or not at all.
    unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &raw mut limit) };
    libc::rlim_t::try_from(length).is_ok_and(|length| length <= limit.rlim_cur)
}

/// A thread's pointer to its fields. A pointer in thread-local storage costs one load; the fields
/// themselves would have a destructor, and so cost a call.
#[derive(Debug)]
pub struct ThreadSlot<M>(Cell<*const M>);

impl<M> ThreadSlot<M> {
    /// Creates a slot without fields.
    #[allow(clippy::new_without_default, reason = "it only makes sense as a thread-local static")]
    #[must_use]
    pub const fn new() -> Self {
        ThreadSlot(Cell::new(null()))
    }

    /// Returns the fields. The reference must not be kept beyond the call that uses it.
    #[inline(always)]
    pub(crate) fn get(&self) -> Option<&M> {
        // SAFETY: null, or fields that `set`'s caller keeps until `clear`. They are dropped only at
        // the end of their thread, and not within a call that uses them.
        unsafe { self.0.get().as_ref() }
    }

    /// Points at fields in a box, which the caller keeps until [`Self::clear`].
    pub(crate) fn set(&self, fields: &M) {
        self.0.set(fields);
    }

    pub(crate) fn clear(&self) {
        self.0.set(null());
    }
}

/// A part of what an `Rc` holds, which it keeps.
pub(crate) struct RcPart<O, T> {
    part: NonNull<T>,
    _owner: Rc<O>,
}

impl<O, T> RcPart<O, T> {
    pub(crate) fn new(owner: Rc<O>, part: impl for<'o> FnOnce(&'o O) -> &'o T) -> Self {
        let part = NonNull::from(part(&owner));
        RcPart { part, _owner: owner }
    }
}

impl<O, T> Deref for RcPart<O, T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: a reference that is valid as long as one to the owner's content. That content
        // neither moves nor is borrowed exclusively while `_owner` shares it.
        unsafe { self.part.as_ref() }
    }
}

/// A read-only mapping of a file that another process writes.
#[derive(Debug)]
pub(crate) struct ReadMapping {
    map: MmapRaw,
}

thread_local! {
    /// The address and length of the mapping that this thread reads, for the handler of SIGBUS.
    static READING: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

/// The action for SIGBUS that ours has replaced.
static PREVIOUS_ACTION: AtomicPtr<libc::sigaction> = AtomicPtr::new(null_mut());

impl ReadMapping {
    pub(crate) fn new(file: &File, len: usize) -> io::Result<ReadMapping> {
        install_sigbus_handler();
        let map = MmapOptions::new().len(len).map_raw_read_only(file)?;
        Ok(ReadMapping { map })
    }

    /// Calls `read` with the memory. If the file has been truncated, all of it reads as zeros.
    pub(crate) fn with<R>(&self, read: impl FnOnce(&View<'_>) -> R) -> R {
        struct Restore((usize, usize));
        impl Drop for Restore {
            fn drop(&mut self) {
                READING.set(self.0);
            }
        }
        let base = NonNull::new(self.map.as_mut_ptr()).expect("no memory is at address 0");
        let _restore = Restore(READING.replace((base.addr().get(), self.map.len())));
        // SAFETY: mapped as long as the view is used; other processes write to it.
        let view = unsafe { View::from_raw(base, self.map.len()) }.expect(VALID);
        read(&view)
    }
}

/// Installs a handler for SIGBUS, which the kernel raises in a thread that loads from beyond the
/// end of a truncated file. The handler maps zeros there, and the load is repeated.
fn install_sigbus_handler() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        pin_library();
        let mut action = default_action();
        action.sa_sigaction = on_sigbus
            as extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void)
            as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        let previous = Box::into_raw(Box::new(default_action()));
        // Before the handler is installed, as it may run at once.
        // Partner: the Acquire load in `on_sigbus`.
        PREVIOUS_ACTION.store(previous, Ordering::Release);
        // SAFETY: both are initialised, and `previous` is leaked.
        unsafe { libc::sigaction(libc::SIGBUS, &raw const action, previous) };
    });
}

/// Returns the default action, without flags and with an empty mask.
fn default_action() -> libc::sigaction {
    // SAFETY: a C struct of integers and a nullable pointer.
    unsafe { mem::zeroed() }
}

extern "C" fn on_sigbus(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    // SAFETY: the kernel passes a valid one to a handler with SA_SIGINFO.
    let address = unsafe { (*info).si_addr() } as usize;
    let (base, len) = READING.get();
    if address.wrapping_sub(base) < len {
        // SAFETY: the mapping that this thread is reading, by atomics only.
        if unsafe { remap_anonymous(base as *mut u8, len, libc::PROT_READ) } {
            return;
        }
    }
    // The address is not in a mapping of ours: the previous action handles it.
    // Partner: the Release store in `install_sigbus_handler`.
    let previous = PREVIOUS_ACTION.load(Ordering::Acquire);
    // SAFETY: leaked and initialised.
    let action = unsafe { &*previous };
    match action.sa_sigaction {
        libc::SIG_DFL | libc::SIG_IGN => {
            // It takes effect when the load is repeated.
            // SAFETY: leaked and initialised.
            unsafe { libc::sigaction(libc::SIGBUS, previous, null_mut()) };
        }
        handler if action.sa_flags & libc::SA_SIGINFO != 0 => {
            // SAFETY: with this flag, a handler is a function of this type.
            let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) =
                unsafe { mem::transmute(handler) };
            handler(signal, info, context);
        }
        handler => {
            // SAFETY: without this flag, a handler is a function of this type.
            let handler: extern "C" fn(libc::c_int) = unsafe { mem::transmute(handler) };
            handler(signal);
        }
    }
}
