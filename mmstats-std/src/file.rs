//! Creates and removes files: each is created under a temporary name, allocated, filled, and then
//! renamed, so that readers never see an incomplete one.

use crate::discover::Directory;
use crate::error::PublishError;
use crate::identity::ProcessId;
use crate::mappings::mapped_files;
use crate::memory::{Magic, Mapping, ProcessLocal, may_write, on_exit};
use crate::options::Options;
use crate::read::{Links, Reader, open_at};
use crate::template::{Environment, Template, TemplateVars};
use rustix::fs::{AtFlags, CWD, FallocateFlags, Mode, OFlags, RenameFlags};
use rustix::io::{Errno, retry_on_intr};
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The permissions of files, within the umask. Nobody needs to write to them: their process has
/// them open. So a redirection to one (`: > FILE`), which would kill the process, fails, except for
/// root.
const DEFAULT_MODE: u32 = 0o444;

/// How many names are tried before other processes of this machine must have taken all of them.
const MAX_TRIES: u32 = 16;

/// How many of them have a number; the others have a random suffix, as other users can take all
/// names that they can predict.
const MAX_NUMBERS: u32 = 8;

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
    /// `None` once its memory is in another file.
    magic: Option<Magic>,
}

impl NewFile {
    /// Creates a file and moves the memory into it.
    pub(crate) fn create(
        options: &Options,
        model: &str,
        mapping: &Mapping,
    ) -> Result<NewFile, PublishError> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let pending = PendingFile::begin()?;
        if options.directory.is_none() && Environment::read().is_switched_off() {
            return Err(PublishError::switched_off("MMSTATS_PATH is none"));
        }
        let path = expand_path(options, model)
            .map_err(|error| PublishError::new(Path::new(""), "no name for the file", error))?;
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(options.mode.unwrap_or(DEFAULT_MODE));
        let mut tries = 0..MAX_TRIES;
        let (file, temporary) = loop {
            // `cleanstats` expects this form.
            let number = match tries.next() {
                Some(0..MAX_NUMBERS) => COUNT.fetch_add(1, Ordering::Relaxed).into(),
                _ => random(),
            };
            let name = format!(".mmstats-{}-{number}.tmp", std::process::id());
            let temporary = path.with_file_name(name);
            match retry_on_intr(|| rustix::fs::open(&temporary, flags, mode)) {
                Ok(file) => break (File::from(file), temporary),
                // Left by a killed process that had this PID, or in use by another container.
                Err(Errno::EXIST) if !tries.is_empty() => {}
                Err(error) => return Err(failed(&path, "cannot be created", error)),
            }
        };
        let new = NewFile { file, temporary, path, _pending: pending };
        if !options.keep {
            remove_files_of_earlier_program(&new.path);
        }
        let length = mapping.len();
        allocate(&new.file, length)
            .map_err(|error| failed(&new.path, format!("cannot allocate {length} bytes"), error))?;
        mapping.move_to(&new.file).map_err(|error| failed(&new.path, "cannot be mapped", error))?;
        if options.mode.is_some() {
            // Regardless of the umask.
            retry_on_intr(|| rustix::fs::fchmod(&new.file, mode))
                .map_err(|error| failed(&new.path, "cannot set its permissions", error))?;
        }
        Ok(new)
    }

    /// Renames the file to its path, or to one with a suffix if that is taken. Unless `keep` is
    /// set, the file is removed when the process exits.
    pub(crate) fn publish(self, magic: Magic, keep: bool) -> Result<OwnFile, PublishError> {
        let rename_failed =
            |error: io::Error| failed(&self.path, "cannot be renamed into place", error);
        let found = retry_on_intr(|| rustix::fs::fstat(&self.file));
        let found = found.map_err(|error| rename_failed(error.into()))?;
        let (device, inode) = (found.st_dev, found.st_ino);
        for number in 0..MAX_TRIES {
            let path = match number {
                0 => self.path.clone(),
                1..MAX_NUMBERS => with_suffix(&self.path, &number.to_string()),
                _ => with_suffix(&self.path, &format!("{:016x}", random())),
            };
            match rename_without_replacing(&self.temporary, &path) {
                Err(Errno::EXIST) => {}
                Err(error) => return Err(rename_failed(error.into())),
                Ok(()) => {
                    let own = OwnFile { path, device, inode, magic: Some(magic) };
                    if !keep {
                        EXIT.get().lock().files.push(own.clone());
                    }
                    return Ok(own);
                }
            }
        }
        Err(rename_failed(Errno::EXIST.into()))
    }
}

fn failed(path: &Path, attempt: impl Into<String>, error: impl Into<io::Error>) -> PublishError {
    PublishError::new(path, attempt, error.into())
}

/// Returns a number that other users cannot predict.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

impl Drop for NewFile {
    fn drop(&mut self) {
        // Fails if the file has been renamed.
        let _ = unlink(&self.temporary);
    }
}

impl OwnFile {
    /// Returns the file's length, or `None` if its name does not belong to it any more.
    fn length(&self) -> Result<Option<i64>, Errno> {
        match retry_on_intr(|| rustix::fs::lstat(&self.path)) {
            Ok(found) => {
                let is_same = (found.st_dev, found.st_ino) == (self.device, self.inode);
                Ok(is_same.then_some(found.st_size))
            }
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns `true` if the file has been removed, or its name belongs to another one now. If that
    /// cannot be determined, the file stays: a second one would count everything twice.
    pub(crate) fn is_lost(&self) -> bool {
        matches!(self.length(), Ok(None))
    }

    /// Removes the file, unless it is lost.
    fn remove(&self) -> Result<(), Errno> {
        let Some(length) = self.length()? else { return Ok(()) };
        // A store to a file that was truncated would kill the program.
        if let Some(magic) = self.magic.filter(|_| length > 0) {
            magic.clear();
        }
        unlink(&self.path)
    }

    /// Removes the file, whose memory has been moved to another one.
    pub(crate) fn discard_moved(self) {
        OwnFile { magic: None, ..self }.discard();
    }

    /// Removes the file before the process exits. If that fails, it is tried again then.
    pub(crate) fn discard(&self) {
        if self.remove().is_ok() {
            EXIT.get()
                .lock()
                .files
                .retain(|file| file.inode != self.inode || file.path != self.path);
        }
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
    /// The directories in which files of an earlier program were searched for.
    searched: BTreeSet<PathBuf>,
    /// The number of [`PendingFile`]s.
    pending: u32,
    /// Whether the process is exiting: then no more files are created.
    is_exiting: bool,
}

static EXIT: ProcessLocal<Exit> = ProcessLocal::new();

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
                for file in &files {
                    let _ = file.remove();
                }
                return;
            }
        }
        if is_late {
            return;
        }
        thread::sleep(POLL_INTERVAL);
    }
}

/// How many files of a directory are listed to find those of an earlier program, and how many of
/// them are read: other users can create any number of them.
const MAX_LISTED_FILES: usize = 50_000;
const MAX_READ_FILES: usize = 500;

/// Removes the files in the directory of `path` that this process created before it replaced its
/// program by the current one (`exec`), which has the same process ID and start time. Does so once
/// for each directory.
fn remove_files_of_earlier_program(path: &Path) {
    let Some(directory) = path.parent() else { return };
    if !EXIT.get().lock().searched.insert(directory.to_owned()) {
        return;
    }
    let Ok(directory) = Directory::open(directory) else { return };
    let Ok(names) = directory.names(directory.path()) else { return };
    let pid = std::process::id().to_string();
    let named_alike: Vec<OsString> = names
        .flatten()
        .take(MAX_LISTED_FILES)
        .filter(|name| Path::new(name).extension() == Some(OsStr::new("mmstats")))
        .filter(|name| name.to_string_lossy().contains(&pid))
        .take(MAX_READ_FILES)
        .collect();
    if named_alike.is_empty() {
        return;
    }
    let own = Some(ProcessId::current());
    // Another copy of this crate in this process may have created some. As files are mapped before
    // they get their names, the mappings are read after the names.
    let Ok(mapped) = mapped_files("self") else { return };
    let mut reader = Reader::new();
    for name in named_alike {
        let Ok((file, _)) = open_at(&directory, Path::new(&name), Links::Refuse) else { continue };
        let is_left = file
            .metadata()
            .is_ok_and(|found| mapped.iter().all(|mapped| mapped.inode != found.ino()));
        if is_left && reader.read_file(&file).is_ok_and(|sample| sample.process_id() == own) {
            let _ = rustix::fs::unlinkat(&directory, &name, AtFlags::empty());
        }
    }
}

/// Expands the templates of the options, or else of the environment, to a path.
pub(crate) fn expand_path(options: &Options, model: &str) -> io::Result<PathBuf> {
    let environment = Environment::read();
    let parse = |text| {
        Template::parse(text).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
    };
    let directory = options.directory.map_or_else(|| environment.directory(), parse)?;
    let file_name = options.file_name.map_or_else(|| environment.file_name(), parse)?;
    let vars = TemplateVars { tid: options.owner(), ..TemplateVars::current(model) };
    // Absolute, so that it stays valid after a change of the working directory.
    std::path::absolute(directory.expand(&vars).join(file_name.expand(&vars)))
}

/// Inserts a suffix before the extension: `web-1-1.mmstats` becomes `web-1-1.SUFFIX.mmstats`.
fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_stem().unwrap_or(OsStr::new("stats")).to_owned();
    for part in [Some(suffix.as_ref()), path.extension()].into_iter().flatten() {
        name.push(".");
        name.push(part);
    }
    path.with_file_name(name)
}

fn rename_without_replacing(from: &Path, to: &Path) -> Result<(), Errno> {
    match retry_on_intr(|| rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)) {
        // Not every file system can do this. A hard link does not replace a file either.
        Err(Errno::INVAL | Errno::NOSYS) => {
            retry_on_intr(|| rustix::fs::linkat(CWD, from, CWD, to, AtFlags::empty()))?;
            // It has its name, even if this fails. Then the drop of `NewFile` tries again.
            let _ = unlink(from);
            Ok(())
        }
        other => other,
    }
}

fn unlink(path: &Path) -> Result<(), Errno> {
    retry_on_intr(|| rustix::fs::unlink(path))
}

/// Allocates the file's blocks. Without them, a store to a page that the file system has no space
/// for would kill the program.
fn allocate(mut file: &File, length: usize) -> io::Result<()> {
    // Above this limit, the system sends SIGXFSZ, which kills the process.
    if !may_write(length) || u32::try_from(length).is_err() {
        return Err(Errno::FBIG.into());
    }
    match retry_on_intr(|| rustix::fs::fallocate(file, FallocateFlags::empty(), 0, length as u64)) {
        // Not every file system can do this. Written zeros get blocks too, except where they are
        // compressed.
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => file.write_all(&vec![0; length]),
        other => other.map_err(Into::into),
    }
}
