//! Files for stats: made under a temporary name, allocated, then renamed into origin whole.

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

/// A file that is not yet under its name.
pub(crate) struct NewFile {
    file: File,
    temporary: PathBuf,
    path: PathBuf,
    _making: PendingFile,
}

/// A file of this process's.
#[derive(Clone, Debug)]
pub(crate) struct OwnFile {
    pub(crate) path: PathBuf,
    device: u64,
    inode: u64,
    pub(crate) keep: bool,
}

impl NewFile {
    /// Creates and allocates `length` bytes of zeros.
    pub(crate) fn create(
        options: &Options,
        model: &str,
        length: usize,
    ) -> Result<(NewFile, Mapping), PublishError> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let making = PendingFile::begin()?;
        let path = path(options, model)?;
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
                // Left by a process that died with this PID, or being made in another container.
                Err(Errno::EXIST) => {}
                Err(error) => return Err(PublishError::io(&path, Attempt::Create)(error.into())),
            }
        };
        let new = NewFile { file, temporary, path, _making: making };
        allocate(&new.file, length)
            .map_err(PublishError::io(&new.path, Attempt::Allocate(length)))?;
        let mapping = Mapping::of_file(&new.file, length)
            .map_err(PublishError::io(&new.path, Attempt::Map))?;
        Ok((new, mapping))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it its name, or one with a number if that is taken, and has it removed at exit unless
    /// it is to be kept.
    pub(crate) fn publish(self, keep: bool) -> Result<OwnFile, PublishError> {
        let failed = |error: io::Error| PublishError::io(&self.path, Attempt::Publish)(error);
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
        // Gone already if it was renamed.
        let _ = std::fs::remove_file(&self.temporary);
    }
}

impl OwnFile {
    /// Removes the file, unless another has its name by now. Its first bytes are cleared before, so
    /// that who has it open sees that it is gone.
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

/// What this process does when it exits.
#[derive(Default)]
struct Exit {
    state: Mutex<State>,
    registered: AtomicBool,
}

#[derive(Default)]
struct State {
    /// To be removed.
    files: Vec<OwnFile>,
    /// How many are being made.
    making: u32,
    /// Whether it has come to that: now there are no more files.
    over: bool,
}

static EXIT: PerProcess<Exit> = PerProcess::new();

impl Exit {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file is being made: `exit` waits, so that none stays behind half made, or made too late to be
/// removed.
struct PendingFile;

impl PendingFile {
    fn begin() -> Result<PendingFile, PublishError> {
        let exit = EXIT.get();
        if !exit.registered.swap(true, Ordering::Relaxed) {
            on_exit(remove_all);
        }
        let mut state = exit.lock();
        if state.over {
            return Err(PublishError::too_late("the process is exiting"));
        }
        state.making += 1;
        Ok(PendingFile)
    }
}

impl Drop for PendingFile {
    fn drop(&mut self) {
        let mut state = EXIT.get().lock();
        state.making = state.making.saturating_sub(1);
    }
}

/// Threads that are making files have this long to finish. They take a thousandth of it, unless
/// `exit` was called by one of them, in a signal handler.
const PATIENCE: Duration = Duration::from_secs(1);

extern "C" fn remove_all() {
    let begun = Instant::now();
    let exit = EXIT.get();
    loop {
        let is_late = begun.elapsed() > PATIENCE;
        if let Ok(mut state) = exit.state.try_lock() {
            state.over = true;
            if state.making == 0 || is_late {
                let files = std::mem::take(&mut state.files);
                drop(state);
                files.iter().for_each(OwnFile::remove);
                return;
            }
        }
        if is_late {
            return;
        }
        thread::sleep(Duration::from_micros(50));
    }
}

/// Where the options or the environment want the file.
fn path(options: &Options, model: &str) -> Result<PathBuf, PublishError> {
    let unnamed = |error: io::Error| PublishError::io(Path::new(""), Attempt::Name)(error);
    let environment = Environment::read();
    let template = |given: Option<&str>, otherwise: io::Result<Template>| match given {
        Some(text) => Template::parse(text)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error)),
        None => otherwise,
    };
    let directory = template(options.directory, environment.directory()).map_err(unnamed)?;
    let name = template(options.file_name, environment.file_name()).map_err(unnamed)?;
    let names = TemplateVars::current(model);
    // Absolute, so that it is still found after a change of the working directory.
    std::path::absolute(directory.expand(&names).join(name.expand(&names))).map_err(unnamed)
}

/// `web-1-1.mmstats`, then `web-1-1.1.mmstats` and so on: what ends in `.mmstats` still does.
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
        // A file system that cannot: a hard link does not replace either.
        Err(Errno::INVAL | Errno::NOSYS) => {
            rustix::fs::linkat(CWD, from, CWD, to, AtFlags::empty())?;
            rustix::fs::unlink(from)
        }
        other => other,
    }
}

/// A store to a page that the file system has no room for would kill the program: so the blocks
/// have to be there before.
fn allocate(mut file: &File, length: usize) -> io::Result<()> {
    // Beyond this limit the system sends a signal that kills.
    let limit =
        rustix::process::getrlimit(rustix::process::Resource::Fsize).current.unwrap_or(u64::MAX);
    if length as u64 > limit.min(u32::MAX.into()) {
        return Err(Errno::FBIG.into());
    }
    match retry_on_intr(|| rustix::fs::fallocate(file, FallocateFlags::empty(), 0, length as u64)) {
        // A file system that cannot: written zeros have blocks too, but for one that compresses
        // them away.
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => file.write_all(&vec![0; length]),
        other => other.map_err(Into::into),
    }
}
