//! Metrics in a file, for node_exporter's textfile collector: written beside it first, so that
//! nobody reads half of it.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use tempfile::Builder;

use crate::console::Console;
use crate::mmash::exporter;
use crate::mmash::exporter::dropped_fields::DroppedFields;
use crate::mmash::live::scrape_loop::{LiveTotals, ScrapeSource};
use crate::options::mmash::Options;
use crate::scraper::Scraper;
use crate::shutdown::{Shutdown, TERMINATION_SIGNALS};
use crate::source::Sources;

/// Writes again and again until it is told to end. The file stays then.
pub(crate) fn run(
    path: &Path,
    options: Options,
    sources: Sources,
    console: &mut Console<'_>,
) -> Result<(), String> {
    let shutdown =
        Shutdown::on(&TERMINATION_SIGNALS).map_err(|error| format!("signals: {error}"))?;
    let settings = exporter::settings(&options);
    let totals = LiveTotals::of(&options);
    let named = options.selection.files.clone();
    let mut scrapes = ScrapeSource::new(Scraper::new(options.selection.files, sources), totals);
    let (told, mut failed) = (DroppedFields::default(), None);
    let mut next = Instant::now();
    loop {
        let snapshot = scrapes.scrape();
        if shutdown.requested() {
            // It may have been interrupted: the file keeps the page of the one before.
            return Ok(());
        }
        for problem in snapshot
            .scrape
            .errors
            .iter()
            .filter(|problem| problem.is_new && named.contains(&problem.name))
        {
            console.report_path(&problem.name, &problem.what);
        }
        let page = exporter::page(&snapshot, &settings);
        let problem = write(path, page.text.as_bytes()).err();
        match &problem {
            Some(why) if snapshot.number == 1 => return Err(format!("{}: {why}", path.display())),
            // There may be room again later.
            Some(why) if problem != failed => console.report_path(path, why),
            _ => {}
        }
        failed = problem;
        told.news(&page.dropped).into_iter().for_each(|what| console.report(what));
        next = (next + options.interval).max(Instant::now());
        if shutdown.wait(next.saturating_duration_since(Instant::now())) {
            return Ok(());
        }
    }
}

fn write(path: &Path, page: &[u8]) -> Result<(), String> {
    let path = &replaced(path)?;
    let directory =
        path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // The collector takes what ends in `.prom`, whatever it begins with.
    let mut file =
        Builder::new().prefix(".mmash-").suffix(".tmp").tempfile_in(directory).map_err(explain)?;
    file.write_all(page).map_err(explain)?;
    // It runs as another user.
    file.as_file().set_permissions(Permissions::from_mode(0o644)).map_err(explain)?;
    file.persist(path).map_err(|error| explain(error.error))?;
    Ok(())
}

/// Of a temporary file, an error tells the name too, which is another one each time.
fn explain(error: io::Error) -> String {
    let text = error.to_string();
    text.split_once(" at path ").map_or(text.clone(), |(what, _)| what.to_owned())
}

/// The file that is to be replaced, behind any links. What is no file, a terminal or `/dev/null`,
/// would be gone.
fn replaced(path: &Path) -> Result<PathBuf, String> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => path.canonicalize().map_err(|error| error.to_string()),
        Ok(metadata) if metadata.is_dir() => Err("a directory; the name of a file is accepted".to_owned()),
        Ok(_) => Err("a device or a pipe, which a file would replace; slurpstats --prometheus prints metrics".to_owned()),
        Err(error) if error.kind() == ErrorKind::NotFound && path.is_symlink() => Err("a link to nothing".to_owned()),
        // Then it is made; or it is told why not.
        Err(_) => Ok(path.to_owned()),
    }
}
