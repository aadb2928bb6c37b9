//! Creates and removes files: each is created under a temporary name, allocated, filled, and then
//! renamed, so that readers never see an incomplete one.

use crate::error::{Attempt, PublishError};
use crate::memory::{Mapping, PerProcess, on_exit};
use crate::options::Options;
use crate::template::{Environment, Template, TemplateVars};
use rustix::fs::{AtFlags, CWD, FallocateFlags, Mode, OFlags, RenameFlags};
use rustix::io::{Errno, retry_on_intr};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// A file under its temporary name, which is removed on drop.
pub(crate) struct NewFile {
    file: File,
    temporary: PathBuf,
    path: PathBuf,
    _pending: PendingFile,
}

/// A published file of this process.
#[derive(Clone, Debug)]
pub(crate) struct OwnFile {
    pub(crate) path: PathBuf,
    device: u64,
    inode: u64,
    pub(crate) keep: bool,
}

impl NewFile {
    /// Creates a file of `length` zeros, allocates its blocks and maps it.
    pub(crate) fn create(
        options: &Options,
        model: &str,
        length: usize,
    ) -> Result<(NewFile, Mapping), PublishError> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let pending = PendingFile::begin()?;
        let path = expand_path(options, model)
            .map_err(|error| PublishError::new(Path::new(""), Attempt::Name, error))?;
        let directory =
            path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let (file, temporary) = loop {
            let temporary = directory.join(format!(
                ".mmstats-{}-{}.tmp",
                std::process::id(),
                COUNT.fetch_add(1, Ordering::Relaxed)
            ));
            match rustix::fs::open(&temporary, flags, Mode::from_raw_mode(0o644)) {
                Ok(file) => break (File::from(file), temporary),
                // Left by a killed process that had this PID, or in use by another container.
                Err(Errno::EXIST) => {}
                Err(error) => {
                    let error = io::Error::from(error);
                    return Err(PublishError::new(&path, Attempt::Create, error));
                }
            }
        };
        let new = NewFile { file, temporary, path, _pending: pending };
        allocate(&new.file, length)
            .map_err(|error| PublishError::new(&new.path, Attempt::Allocate(length), error))?;
        let mapping = Mapping::map_file(&new.file, length)
            .map_err(|error| PublishError::new(&new.path, Attempt::Map, error))?;
        Ok((new, mapping))
    }

    /// Returns the path that the file is to have.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Renames the file to its path, or to one with a number if that is taken. Unless `keep` is
    /// set, the file is removed when the process exits.
    pub(crate) fn publish(self, keep: bool) -> Result<OwnFile, PublishError> {
        let failed = |error: io::Error| PublishError::new(&self.path, Attempt::Rename, error);
        let metadata = self.file.metadata().map_err(failed)?;
        for number in 0..1_000_000 {
            let path = numbered(&self.path, number);
            match rename_without_replacing(&self.temporary, &path) {
                Err(Errno::EXIST) => {}
                Err(error) => return Err(failed(error.into())),
                Ok(()) => {
                    let own = OwnFile { path, device: metadata.dev(), inode: metadata.ino(), keep };
                    if !keep {
                        EXIT.get().lock().files.push(own.clone());
                    }
                    return Ok(own);
                }
            }
        }
        Err(failed(Errno::EXIST.into()))
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        // Fails if the file has been renamed.
        let _ = std::fs::remove_file(&self.temporary);
    }
}

impl OwnFile {
    /// Removes the file, unless its name belongs to another one now. First clears the magic number,
    /// so that readers that have the file open see that it is gone.
    fn remove(&self) {
        let Ok(file) = rustix::fs::open(
            &self.path,
            OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC,
            Mode::empty(),
        ) else {
            return;
        };
        let file = File::from(file);
        if file
            .metadata()
            .is_ok_and(|found| (found.dev(), found.ino()) == (self.device, self.inode))
        {
            let _ = file.write_at(&[0; 4], 0);
            let _ = std::fs::remove_file(&self.path);
        }
    }

    /// Removes the file before the process exits.
    pub(crate) fn discard(&self) {
        EXIT.get().lock().files.retain(|file| file.inode != self.inode || file.path != self.path);
        self.remove();
    }
}

/// The files to remove when this process exits.
#[derive(Default)]
struct Exit {
    state: Mutex<State>,
    is_registered: AtomicBool,
}

#[derive(Default)]
struct State {
    files: Vec<OwnFile>,
    /// The number of [`PendingFile`]s.
    pending: u32,
    /// Whether the process is exiting: then no more files are created.
    is_exiting: bool,
}

static EXIT: PerProcess<Exit> = PerProcess::new();

impl Exit {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file that is being created. `exit` waits for it, so that no file is left incomplete or created
/// too late to be removed.
struct PendingFile;

impl PendingFile {
    fn begin() -> Result<PendingFile, PublishError> {
        let exit = EXIT.get();
        // Relaxed: the flag only makes sure that one thread registers, and guards no data.
        if !exit.is_registered.swap(true, Ordering::Relaxed) {
            on_exit(remove_all);
        }
        let mut state = exit.lock();
        if state.is_exiting {
            return Err(PublishError::too_late("the process is exiting"));
        }
        state.pending += 1;
        Ok(PendingFile)
    }
}

impl Drop for PendingFile {
    fn drop(&mut self) {
        let mut state = EXIT.get().lock();
        state.pending = state.pending.saturating_sub(1);
    }
}

/// How long `exit` waits for pending files. They take about a millisecond, but never finish if
/// `exit` was called by a signal handler that interrupted their thread.
const PENDING_FILES_TIMEOUT: Duration = Duration::from_secs(1);

/// How long `exit` waits between two checks of the pending files.
const POLL_INTERVAL: Duration = Duration::from_micros(50);

extern "C" fn remove_all() {
    let start = Instant::now();
    let exit = EXIT.get();
    loop {
        let is_late = start.elapsed() > PENDING_FILES_TIMEOUT;
        // Not `lock`: a signal handler may have interrupted the thread that holds it.
        if let Ok(mut state) = exit.state.try_lock() {
            state.is_exiting = true;
            if state.pending == 0 || is_late {
                let files = std::mem::take(&mut state.files);
                drop(state);
                files.iter().for_each(OwnFile::remove);
                return;
            }
        }
        if is_late {
            return;
        }
        thread::sleep(POLL_INTERVAL);
    }
}

/// Expands the templates of the options, or else of the environment, to a path.
fn expand_path(options: &Options, model: &str) -> io::Result<PathBuf> {
    let environment = Environment::read();
    let parse = |text| {
        Template::parse(text).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
    };
    let directory = options.directory.map_or_else(|| environment.directory(), parse)?;
    let file_name = options.file_name.map_or_else(|| environment.file_name(), parse)?;
    let vars = TemplateVars::current(model);
    // Absolute, so that it stays valid after a change of the working directory.
    std::path::absolute(directory.expand(&vars).join(file_name.expand(&vars)))
}

/// Inserts a number before the extension: `web-1-1.mmstats`, `web-1-1.1.mmstats` and so on.
fn numbered(path: &Path, number: u32) -> PathBuf {
    if number == 0 {
        return path.to_owned();
    }
    let mut name = OsString::from(path.file_stem().unwrap_or(OsStr::new("stats")));
    name.push(format!(".{number}"));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

fn rename_without_replacing(from: &Path, to: &Path) -> Result<(), Errno> {
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Not every file system can do this. A hard link does not replace a file either.
        Err(Errno::INVAL | Errno::NOSYS) => {
            rustix::fs::linkat(CWD, from, CWD, to, AtFlags::empty())?;
            rustix::fs::unlink(from)
        }
        other => other,
    }
}

/// Allocates the file's blocks. Without them, a store to a page that the file system has no space
/// for would kill the program.
fn allocate(mut file: &File, length: usize) -> io::Result<()> {
    // Above this limit, the system sends SIGXFSZ, which kills the process.
    let limit =
        rustix::process::getrlimit(rustix::process::Resource::Fsize).current.unwrap_or(u64::MAX);
    if length as u64 > limit.min(u32::MAX.into()) {
        return Err(Errno::FBIG.into());
    }
    match retry_on_intr(|| rustix::fs::fallocate(file, FallocateFlags::empty(), 0, length as u64)) {
        // Not every file system can do this. Written zeros get blocks too, except where they are
        // compressed.
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => file.write_all(&vec![0; length]),
        other => other.map_err(Into::into),
    }
}
