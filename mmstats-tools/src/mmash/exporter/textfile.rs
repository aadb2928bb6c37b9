//! Metrics in a file, for node_exporter's textfile collector. Each version is written to a
//! temporary file and renamed, so that readers never see half of it.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

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
    let (log, mut last_failure) = (DroppedFieldLog::default(), None);
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
        let failure = write_atomically(path, page.text.as_bytes()).err();
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

fn write_atomically(path: &Path, page: &[u8]) -> Result<(), String> {
    let path = &resolve_target(path)?;
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
    file.persist(path).map_err(|error| error_text(error.error))?;
    Ok(())
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
