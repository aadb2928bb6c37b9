//! The instances of a model: what all threads share, and each thread's fields.

use crate::field::{Fixed, Plain, ThreadField};
use crate::kind::Kind;
use crate::spec::{Spec, StoredField, Target};
use mmstats_core::{AddError, V1Exact, Writer};
use mmstats_std::{Flush, Options, Publication, Registry, WriterFile};
use pyo3::exceptions::{PyRuntimeError, PyRuntimeWarning, PyValueError};
use pyo3::prelude::*;
use std::cell::{Cell, RefCell};
use std::ffi::CString;
use std::fmt;
use std::io;
use std::mem;
use std::path::PathBuf;
use std::process;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, TryLockError};
use std::thread;

/// The fields about the process that files of version 2 have anyway.
const IDENTITY: [&str; 5] = ["sys.pid", "sys.tid", "sys.uid", "sys.gid", "sys.created"];

/// An instance of a model, which all threads share. It lives until the process ends.
pub(crate) struct Instance {
    /// The index in each thread's table.
    id: usize,
    name: String,
    options: Options,
    is_quiet: bool,
    /// `None` in version 1.
    registry: Option<&'static Registry>,
    /// The fields that the model declares, then the series of its families.
    specs: RwLock<Vec<Arc<Spec>>>,
    declared: usize,
    bytes: usize,
    parked: Mutex<Parked>,
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instance").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The fields and files of version 1 of threads that have ended.
#[derive(Default)]
struct Parked {
    /// The process that they belong to: a forked child leaves them to its parent.
    pid: u32,
    threads: Vec<(Vec<Box<dyn ThreadField + Send>>, WriterFile)>,
}

/// A thread's fields of one instance.
struct ThreadFields {
    instance: Arc<Instance>,
    /// `None` where a series has no field in this thread yet.
    fields: Vec<Option<StoredField>>,
    /// The file in version 1.
    file: Option<WriterFile>,
    is_removed: Cell<bool>,
}

thread_local! {
    static TABLE: RefCell<Vec<Option<Box<ThreadFields>>>> = const { RefCell::new(Vec::new()) };
}

/// The number of instances so far.
static INSTANCES: Mutex<usize> = Mutex::new(0);

/// The version of the format, and how an instance is published.
pub(crate) struct Publishing {
    pub(crate) name: String,
    pub(crate) format: u8,
    pub(crate) options: Options,
    pub(crate) prefix: &'static str,
    pub(crate) is_quiet: bool,
}

/// The longest prefix of labels, in bytes, that a registry accepts.
const MAX_PREFIX_BYTES: usize = 4096;
/// The bytes of the fields about the process and of the header, at most.
const IDENTITY_BYTES: usize = 1024;
const PAGE_BYTES: usize = 4096;

impl Instance {
    pub(crate) fn new(publishing: Publishing, specs: Vec<Arc<Spec>>) -> PyResult<Arc<Instance>> {
        let Publishing { name, format, options, prefix, is_quiet } = publishing;
        if prefix.len() > MAX_PREFIX_BYTES || prefix.contains('\0') {
            let message = format!("invalid prefix: {prefix:?} (at most 4096 bytes without NUL)");
            return Err(PyValueError::new_err(message));
        }
        let sizes = specs.iter().map(|spec| spec.bytes(prefix.len(), format));
        // Version 1 begins with its number and ends in an empty label.
        let fixed = if format == 1 { 3 } else { IDENTITY_BYTES + 8 * prefix.len() };
        let bytes = (sizes.sum::<usize>() + fixed).next_multiple_of(PAGE_BYTES);
        let registry = (format == 2).then(|| {
            let registry = Registry::new(leak(&name)).options(options).capacity(bytes);
            &*Box::leak(Box::new(registry))
        });
        let mut instances = INSTANCES.lock().unwrap_or_else(PoisonError::into_inner);
        let id = *instances;
        *instances += 1;
        Ok(Arc::new(Instance {
            id,
            name,
            options,
            is_quiet,
            registry,
            declared: specs.len(),
            specs: RwLock::new(specs),
            bytes,
            parked: Mutex::default(),
        }))
    }

    /// Adds a field to the instance, and returns its index.
    pub(crate) fn push(&self, spec: Spec) -> usize {
        let mut specs = self.specs.write().unwrap_or_else(PoisonError::into_inner);
        specs.push(Arc::new(spec));
        specs.len() - 1
    }

    pub(crate) fn spec(&self, index: usize) -> Arc<Spec> {
        self.specs.read().unwrap_or_else(PoisonError::into_inner)[index].clone()
    }

    /// Calls `f`, which must not run Python code, with this thread's field of this index.
    #[inline(always)]
    pub(crate) fn with<R>(
        self: &Arc<Self>,
        py: Python<'_>,
        index: usize,
        f: impl FnOnce(&dyn ThreadField) -> R,
    ) -> PyResult<R> {
        let mut f = Some(f);
        let mut attempt = || {
            TABLE.try_with(|table| {
                let table = table.borrow();
                let field = table.get(self.id)?.as_ref()?.fields.get(index)?.as_ref()?;
                Some(f.take()?(field.get()))
            })
        };
        if let Ok(Some(result)) = attempt() {
            return Ok(result);
        }
        self.open(py, Some(index))?;
        attempt().ok().flatten().ok_or_else(is_ending)
    }

    /// Creates this thread's fields, and that of the index.
    #[cold]
    pub(crate) fn open(self: &Arc<Self>, py: Python<'_>, index: Option<usize>) -> PyResult<()> {
        let is_open = |table: &RefCell<Vec<Option<Box<ThreadFields>>>>| {
            matches!(table.borrow().get(self.id), Some(Some(_)))
        };
        if !TABLE.try_with(is_open).map_err(|_| is_ending())? {
            let opened = Box::new(self.open_thread(py)?);
            let known = TABLE.try_with(|table| {
                let mut table = table.borrow_mut();
                if table.len() <= self.id {
                    table.resize_with(self.id + 1, || None);
                }
                // A function that returned an initial value may have opened them meanwhile.
                if table[self.id].is_some() { Some(opened) } else { table[self.id].replace(opened) }
            });
            drop(known);
        }
        let Some(index) = index.filter(|index| *index >= self.declared) else { return Ok(()) };
        let spec = self.spec(index);
        let initial = spec.initial(py)?;
        let field = self.add_to_registry(py, &spec, initial.as_ref())?;
        let replaced = TABLE.try_with(|table| {
            let mut table = table.borrow_mut();
            let thread = table.get_mut(self.id)?.as_mut()?;
            if thread.fields.len() <= index {
                thread.fields.resize_with(index + 1, || None);
            }
            // After a removal, the series has a new file.
            thread.is_removed.set(false);
            thread.fields[index].replace(field)
        });
        drop(replaced);
        Ok(())
    }

    fn open_thread(self: &Arc<Self>, py: Python<'_>) -> PyResult<ThreadFields> {
        let specs: Vec<_> = (0..self.declared).map(|index| self.spec(index)).collect();
        let initial =
            specs.iter().map(|spec| spec.initial(py)).collect::<PyResult<Vec<Option<Plain>>>>()?;
        let specs = specs.iter().zip(&initial);
        let instance = self.clone();
        let is_removed = Cell::new(false);
        if self.registry.is_some() {
            let fields = specs
                .map(|(spec, initial)| self.add_to_registry(py, spec, initial.as_ref()).map(Some));
            let fields = fields.collect::<PyResult<_>>()?;
            return Ok(ThreadFields { instance, fields, file: None, is_removed });
        }
        let parked = self.parked().and_then(|mut parked| parked.threads.pop());
        if let Some((fields, file)) = parked {
            for (field, (_, initial)) in fields.iter().zip(specs) {
                // A constant remains: `store` does nothing for it.
                if let Some(initial) = initial {
                    field.store(initial);
                }
            }
            let fields = fields.into_iter().map(|field| Some(StoredField::V1(field))).collect();
            return Ok(ThreadFields { instance, fields, file: Some(file), is_removed });
        }
        let mut failed = None;
        let add = |writer: &mut Writer<'static, V1Exact>| {
            let mut target = Target::V1(writer);
            let add = |(spec, initial): (&Arc<Spec>, &Option<Plain>)| {
                let field = spec.add(&mut target, initial.as_ref());
                field.map(Some).inspect_err(|_| failed = Some(spec.label.clone()))
            };
            specs.map(add).collect::<Result<Vec<_>, AddError>>()
        };
        let created = WriterFile::create(&self.name, self.bytes, &self.options, add);
        let (file, fields) =
            created.map_err(|error| exception(py, failed.as_deref().unwrap_or(""), &error))?;
        if let (Publication::Private(error), false) = (file.publication(), self.is_quiet) {
            let message = format!("{} is not published: {error}", self.name);
            let message = CString::new(message.replace('\0', "\\0"))?;
            PyErr::warn(py, &py.get_type::<PyRuntimeWarning>(), &message, 1)?;
        }
        Ok(ThreadFields { instance, fields, file: Some(file), is_removed })
    }

    fn add_to_registry(
        &self,
        py: Python<'_>,
        spec: &Spec,
        initial: Option<&Plain>,
    ) -> PyResult<StoredField> {
        let is_identity =
            matches!(spec.kind, Kind::Constant(_)) && IDENTITY.contains(&spec.label.as_str());
        let (Some(registry), false) = (self.registry, is_identity) else {
            let value = initial.cloned().unwrap_or(Plain::Bits(0));
            return Ok(StoredField::V2(Box::new(Fixed(value))));
        };
        spec.add(&mut Target::V2(registry), initial)
            .map_err(|error| exception(py, &spec.label, &error))
    }
}

impl Instance {
    /// Calls `f` with this thread's fields, which it creates at the first use.
    fn with_thread<R>(
        self: &Arc<Self>,
        py: Python<'_>,
        f: impl FnOnce(&ThreadFields) -> R,
    ) -> PyResult<R> {
        self.open(py, None)?;
        let result = TABLE.try_with(|table| table.borrow().get(self.id)?.as_deref().map(f));
        result.ok().flatten().ok_or_else(is_ending)
    }

    /// Returns the paths of this thread's files, or why it has none.
    pub(crate) fn paths(
        self: &Arc<Self>,
        py: Python<'_>,
    ) -> PyResult<Result<Vec<PathBuf>, String>> {
        let publications = self.with_thread(py, |thread| match (&thread.file, self.registry) {
            (Some(file), _) => vec![file.publication()],
            (None, Some(registry)) if !thread.is_removed.get() => registry.publications(),
            _ => Vec::new(),
        })?;
        let mut reason = String::from("removed by this program");
        let paths: Vec<PathBuf> = publications
            .into_iter()
            .filter_map(|publication| match publication {
                Publication::File(path) => Some(path),
                Publication::Private(error) => {
                    reason = error.to_string();
                    None
                }
            })
            .collect();
        Ok(if paths.is_empty() { Err(reason) } else { Ok(paths) })
    }

    /// Returns the bytes of this thread's files.
    pub(crate) fn size(self: &Arc<Self>, py: Python<'_>) -> PyResult<u64> {
        if let Some(length) =
            self.with_thread(py, |thread| thread.file.as_ref().map(|file| file.length() as u64))?
        {
            return Ok(length);
        }
        let paths = self.paths(py)?.unwrap_or_default();
        Ok(paths.iter().filter_map(|path| path.metadata().ok()).map(|found| found.len()).sum())
    }

    pub(crate) fn flush(self: &Arc<Self>, py: Python<'_>, mode: Flush) -> PyResult<()> {
        let flushed = self.with_thread(py, |thread| match (&thread.file, self.registry) {
            (Some(file), _) => file.flush(mode),
            (None, Some(registry)) if !thread.is_removed.get() => registry.flush(mode),
            _ => io::Result::Ok(()),
        })?;
        Ok(flushed?)
    }

    /// Removes this thread's files and those of threads that have ended. The fields keep working in
    /// memory that has no readers.
    pub(crate) fn remove(self: &Arc<Self>, py: Python<'_>) -> PyResult<()> {
        self.with_thread(py, |thread| {
            let is_first = !thread.is_removed.replace(true);
            match (&thread.file, self.registry) {
                (Some(file), _) => file.remove(),
                (None, Some(registry)) if is_first => registry.remove(),
                _ => {}
            }
        })?;
        if let Some(mut parked) = self.parked() {
            parked.threads.drain(..).for_each(|(_, file)| file.remove());
        }
        Ok(())
    }

    /// Locks the list of parked threads; `None` if a thread that this forked child does not have
    /// held the lock.
    fn parked(&self) -> Option<MutexGuard<'_, Parked>> {
        for _ in 0..MAX_LOCK_ATTEMPTS {
            let mut parked = match self.parked.try_lock() {
                Ok(parked) => parked,
                Err(TryLockError::Poisoned(error)) => error.into_inner(),
                Err(TryLockError::WouldBlock) => {
                    thread::yield_now();
                    continue;
                }
            };
            let pid = process::id();
            if parked.pid != pid {
                mem::forget(mem::replace(&mut *parked, Parked { pid, threads: Vec::new() }));
            }
            return Some(parked);
        }
        None
    }
}

const MAX_LOCK_ATTEMPTS: usize = 10_000;

impl Drop for ThreadFields {
    fn drop(&mut self) {
        let Some(file) = self.file.take() else { return };
        if !matches!(file.publication(), Publication::File(_)) {
            return;
        }
        let fields = mem::take(&mut self.fields).into_iter().flatten();
        let fields = fields.filter_map(|field| match field {
            StoredField::V1(field) => Some(field),
            StoredField::V2(_) => None,
        });
        let fields: Vec<_> = fields.inspect(|field| field.reset()).collect();
        if let Some(mut parked) = self.instance.parked() {
            parked.threads.push((fields, file));
        }
    }
}

/// Makes a forked child forget the fields of its parent. They are not freed: the memory belongs to
/// the parent's entries, which the child does not release either.
pub(crate) fn after_fork() {
    let _ = TABLE.try_with(|table| {
        if let Ok(mut table) = table.try_borrow_mut() {
            mem::forget(mem::take(&mut *table));
        }
    });
}

fn is_ending() -> PyErr {
    PyRuntimeError::new_err("the thread is ending: its stats are closed")
}

/// Converts an error about a field to Python's exception.
fn exception(py: Python<'_>, label: &str, error: &AddError) -> PyErr {
    let message = format!("{label}: {error}");
    if !matches!(error, AddError::DuplicateLabel { .. }) {
        return PyValueError::new_err(message);
    }
    match py.import("mmstats.fields").and_then(|module| module.getattr("DuplicateFieldName")) {
        Ok(class) => match class.call1((message,)) {
            Ok(exception) => PyErr::from_value(exception),
            Err(error) => error,
        },
        Err(error) => error,
    }
}

/// Keeps a text until the process ends, as options of statics are.
pub(crate) fn leak(text: &str) -> &'static str {
    Box::leak(text.into())
}
