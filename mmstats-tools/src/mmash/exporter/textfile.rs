//! Metrics in a file, for node_exporter's textfile collector. Each version is written to a
//! temporary file and renamed, so that readers never see half of it. The version in place is locked
//! by its writer, so that two writers of one file are noticed.

use std::fs::{self, File, Metadata, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Instant;

use mmstats_std::read::{Links, open_file};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use tempfile::Builder;

use crate::console::Console;
use crate::mmash::exporter;
use crate::mmash::exporter::dropped_field_log::DroppedFieldLog;
use crate::mmash::live::scrape_loop::{LiveTotals, SnapshotSource};
use crate::options::mmash::Options;
use crate::scraper::Scraper;
use crate::shutdown::{Shutdown, TERMINATION_SIGNALS};
use crate::source::Sources;

/// Writes the file at every interval until a signal ends the program. The file stays.
pub(crate) fn run(
    path: &Path,
    options: Options,
    sources: Sources,
    console: &mut Console<'_>,
) -> Result<(), String> {
    let shutdown =
        Shutdown::on(&TERMINATION_SIGNALS).map_err(|error| format!("signals: {error}"))?;
    let settings = exporter::settings(&options);
    let totals = LiveTotals::from_options(&options);
    let named = options.selection.files.clone();
    let mut scrapes = SnapshotSource::new(Scraper::new(options.selection.files, sources), totals);
    let (log, mut last_failure, mut current) = (DroppedFieldLog::default(), None, None);
    let mut next = Instant::now();
    loop {
        let snapshot = scrapes.scrape();
        if shutdown.requested() {
            // The scrape may be incomplete, so the file keeps the previous one.
            return Ok(());
        }
        for error in &snapshot.scrape.errors {
            if error.is_new && named.contains(&error.name) {
                console.report_path(&error.name, &error.what);
            }
        }
        let page = exporter::page(&snapshot, &settings);
        let failure = write_atomically(path, page.text.as_bytes(), &mut current).err();
        match &failure {
            Some(why) if snapshot.number == 1 => return Err(format!("{}: {why}", path.display())),
            // A full disk may have space again later.
            Some(why) if failure != last_failure => console.report_path(path, why),
            _ => {}
        }
        last_failure = failure;
        log.new_messages(&page.dropped).iter().for_each(|message| console.report(message));
        next = (next + options.interval).max(Instant::now());
        if shutdown.wait(next.saturating_duration_since(Instant::now())) {
            return Ok(());
        }
    }
}

/// Replaces the file; `current` is the version that this process wrote last.
fn write_atomically(path: &Path, page: &[u8], current: &mut Option<File>) -> Result<(), String> {
    let path = &resolve_target(path)?;
    let found = lock_existing(path, current.as_ref())?;
    let directory =
        path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // The collector reads files that end in `.prom`.
    let mut file = Builder::new()
        .prefix(".mmash-")
        .suffix(".tmp")
        .tempfile_in(directory)
        .map_err(error_text)?;
    file.write_all(page).map_err(error_text)?;
    // The collector runs as another user.
    file.as_file().set_permissions(Permissions::from_mode(0o644)).map_err(error_text)?;
    flock(file.as_file(), FlockOperation::NonBlockingLockExclusive).map_err(|e| e.to_string())?;
    let persisted = match found {
        Some(_) => file.persist(path),
        // Another process may have created the file meanwhile.
        None => file.persist_noclobber(path),
    };
    *current = Some(persisted.map_err(|error| error_text(error.error))?);
    Ok(())
}

/// Locks the file at this path, unless it is `current`. Returns `None` if there is no file.
fn lock_existing(path: &Path, current: Option<&File>) -> Result<Option<File>, String> {
    let id = |metadata: Metadata| (metadata.dev(), metadata.ino());
    loop {
        let Ok(found) = path.metadata().map(id) else { return Ok(None) };
        let is_found = |file: &File| file.metadata().is_ok_and(|metadata| id(metadata) == found);
        if let Some(current) = current.filter(|file| is_found(file)) {
            return current.try_clone().map(Some).map_err(error_text);
        }
        let file = open_file(path, Links::Follow).map_err(|error| error.to_string())?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            // Its writer may have replaced it before it was locked.
            Ok(()) if is_found(&file) && path.metadata().is_ok_and(|now| id(now) == found) => {
                return Ok(Some(file));
            }
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err("another mmash writes this file".to_owned()),
            Err(error) => return Err(error.to_string()),
        }
    }
}

/// Returns the text of an error without the name of the temporary file, which differs each time.
fn error_text(error: io::Error) -> String {
    let text = error.to_string();
    text.split_once(" at path ").map_or(text.clone(), |(what, _)| what.to_owned())
}

/// Returns the file to replace, with links resolved. Anything but a file, such as a terminal or
/// `/dev/null`, is refused, as renaming would remove it.
fn resolve_target(path: &Path) -> Result<PathBuf, String> {
    let refuse = |why: &str| Err(why.to_owned());
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => {
            path.canonicalize().map_err(|error| error.to_string())
        }
        Ok(metadata) if metadata.is_dir() => refuse("a directory (the name of a file expected)"),
        Ok(_) => refuse("a device or pipe (a file expected; see also slurpstats --prometheus)"),
        Err(error) if error.kind() == ErrorKind::NotFound && path.is_symlink() => {
            refuse("a link to a file that does not exist")
        }
        // Creating the file reports other errors.
        Err(_) => Ok(path.to_owned()),
    }
}
