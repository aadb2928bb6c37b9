//! Messages on the standard error, each printed once.

use std::collections::HashMap;
use std::path::PathBuf;

use super::columns::FieldColumns;
use crate::console::Console;
use crate::escape::EscapedPath;
use crate::scraper::Scrape;

/// Reports errors, files of another owner than they state, and with `-v` files that appear or
/// vanish.
pub(super) struct Diagnostics {
    verbose: u8,
    /// The writers of the previous scrape; `None` before the first one.
    writers: Option<HashMap<u64, PathBuf>>,
    has_reported_no_files: bool,
    has_reported_halt: bool,
    /// The missing fields and dimensions that were reported, as on the command line; `None` before
    /// any file was found.
    reported_missing: Option<Vec<String>>,
}

impl Diagnostics {
    pub(super) fn new(verbose: u8) -> Diagnostics {
        Diagnostics {
            verbose,
            writers: None,
            has_reported_no_files: false,
            has_reported_halt: false,
            reported_missing: None,
        }
    }

    /// Reports a scrape; `all` is the number of files read before the filters. Returns `true` if a
    /// file could not be read.
    pub(super) fn report_scrape(
        &mut self,
        scrape: &Scrape,
        all: usize,
        searched: &[PathBuf],
        columns: &FieldColumns,
        console: &mut Console<'_>,
    ) -> bool {
        for error in scrape.errors.iter().filter(|error| error.is_new) {
            console.report_path(&error.name, &error.what);
        }
        if let Some(halted) = scrape.halted.filter(|_| !self.has_reported_halt || self.verbose > 1)
        {
            self.has_reported_halt = true;
            console.report(format_args!(
                "targets are halted while reading, this time for {:.1} ms",
                halted.as_secs_f64() * 1e3
            ));
        }
        self.report_new_and_gone(scrape, console);
        if self.verbose > 1 {
            let (matching, elapsed) = (scrape.samples.len(), scrape.elapsed.as_secs_f64());
            console.report(format_args!(
                "scrape at {elapsed:.3} s: {matching} of {all} files match the filters"
            ));
        }
        if !scrape.samples.is_empty() {
            if self.reported_missing.is_none() {
                self.reported_missing = Some(report_missing(columns, &[], " yet", console));
            }
        } else if scrape.errors.is_empty()
            && !self.has_reported_no_files
            && self.reported_missing.is_none()
        {
            self.has_reported_no_files = true;
            if all > 0 {
                console
                    .report(format_args!("none of {all} files matches the filters yet (--where)"));
            } else if !searched.is_empty() {
                let searched: Vec<_> =
                    searched.iter().map(|path| EscapedPath::new(path).to_string()).collect();
                console
                    .report(format_args!("no files found yet: searched {}", searched.join(", ")));
            }
        }
        !scrape.errors.is_empty()
    }

    fn report_new_and_gone(&mut self, scrape: &Scrape, console: &mut Console<'_>) {
        let now: HashMap<u64, PathBuf> = scrape
            .samples
            .iter()
            .map(|sample| (sample.writer_id.id, sample.writer_id.name.clone()))
            .collect();
        for sample in &scrape.samples {
            let id = &sample.writer_id;
            let is_known = |before: &HashMap<_, _>| before.contains_key(&id.id);
            if let Some(note) =
                id.owner_note().filter(|_| !self.writers.as_ref().is_some_and(is_known))
            {
                console.report_path(&id.name, note);
            }
        }
        if let Some(before) = self.writers.as_ref().filter(|_| self.verbose > 0) {
            for (what, some, others) in [("vanished", before, &now), ("appeared", &now, before)] {
                let mut names: Vec<_> = some
                    .iter()
                    .filter(|(id, _)| !others.contains_key(id))
                    .map(|(_, name)| name)
                    .collect();
                names.sort();
                names.into_iter().for_each(|name| console.report_path(name, what));
            }
        }
        self.writers = Some(now);
    }

    /// Reports fields that were never found. Returns `true` if there are any.
    pub(super) fn report_end(&self, columns: &FieldColumns, console: &mut Console<'_>) -> bool {
        report_missing(columns, self.reported_missing.as_deref().unwrap_or(&[]), "", console);
        columns.missing().next().is_some() || columns.missing_dimensions().next().is_some()
    }
}

/// Reports newly missing fields and dimensions, and returns them.
fn report_missing(
    columns: &FieldColumns,
    reported: &[String],
    yet: &str,
    console: &mut Console<'_>,
) -> Vec<String> {
    let mut new = Vec::new();
    let is_new = |name: &str| !reported.iter().any(|one| one == name);
    for (name, labels) in columns.missing().filter(|(name, _)| is_new(name)) {
        let labels = labels.join(", ");
        console.report(format_args!("no file has {name}{yet}: searched {labels}"));
        new.push(name.to_owned());
    }
    for name in columns.missing_dimensions() {
        let option = format!("--by {name}");
        if is_new(&option) {
            console.report(format_args!("none of these fields has the dimension {name}{yet}"));
            new.push(option);
        }
    }
    new
}
