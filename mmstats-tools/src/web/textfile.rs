//! Metrics in a file, for node_exporter's textfile collector: written beside it first, so that nobody reads half of it.

use std::fs::Permissions;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::flag;
use tempfile::Builder;

use super::sampling::Looks;
use super::{metrics, signals};
use crate::console::Console;
use crate::options::mash::Options;
use crate::render::metrics::{Totals, per_writer};
use crate::source::Sources;

/// How soon a signal is noticed.
const MOMENT: Duration = Duration::from_millis(20);

/// Writes again and again until it is told to end. The file stays then.
pub(super) fn run(path: &Path, options: Options, sources: Sources, console: &mut Console<'_>) -> Result<(), String> {
    let is_ending = Arc::new(AtomicBool::new(false));
    for signal in signals::ending() {
        flag::register(signal, is_ending.clone()).map_err(|error| format!("signals: {error}"))?;
    }
    let settings = metrics::settings(&options);
    let mut totals = options.sum.then(Totals::new);
    let mut looks = Looks::new(options.selection.files, sources);
    let mut told = None;
    let mut next = Instant::now();
    loop {
        let snapshot = looks.look();
        let page = match &mut totals {
            Some(totals) => {
                totals.add(&snapshot.look, settings.live);
                totals.page(&snapshot.look, snapshot.took, &settings)
            }
            None => per_writer(&snapshot.look, snapshot.took, &settings),
        };
        match write(path, page.text.as_bytes()) {
            Err(error) if snapshot.number == 1 => return Err(format!("{}: {error}", path.display())),
            // There may be room again later.
            Err(error) => console.tell_of(path, error),
            Ok(()) => {}
        }
        let left_out = page.left_out.first().map(ToString::to_string);
        if let Some(what) = left_out.filter(|what| told.as_ref() != Some(what)) {
            console.tell(format_args!("not in the metrics: {what}"));
            told = Some(what);
        }
        next = (next + options.interval).max(Instant::now());
        while Instant::now() < next {
            if is_ending.load(Ordering::Relaxed) {
                return Ok(());
            }
            thread::sleep(MOMENT.min(next.saturating_duration_since(Instant::now())));
        }
        if is_ending.load(Ordering::Relaxed) {
            return Ok(());
        }
    }
}

fn write(path: &Path, page: &[u8]) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // The collector takes what ends in `.prom`, whatever it begins with.
    let mut file = Builder::new().prefix(".mmash-").suffix(".tmp").tempfile_in(directory)?;
    file.write_all(page)?;
    // It runs as another user.
    file.as_file().set_permissions(Permissions::from_mode(0o644))?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}
