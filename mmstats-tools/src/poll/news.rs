//! What is told on the standard error, each once.

use std::collections::HashMap;
use std::path::PathBuf;

use super::columns::Columns;
use crate::console::Console;
use crate::scraper::Scrape;

/// What was told, and what there was to tell of.
pub(super) struct News {
    verbose: u8,
    /// The writers of the look before; `None` before the first one.
    known: Option<HashMap<u64, PathBuf>>,
    has_told_of_nothing: bool,
    has_told_of_halts: bool,
    /// Fields that no file has, as they stood on the command line; `None` before there was any
    /// file.
    told_missing: Option<Vec<String>>,
}

impl News {
    pub(super) fn new(verbose: u8) -> News {
        News {
            verbose,
            known: None,
            has_told_of_nothing: false,
            has_told_of_halts: false,
            told_missing: None,
        }
    }

    /// Tells of a look, in which so many files were seen before filters left some out. Tells the
    /// caller whether some could not be read.
    pub(super) fn scrape(
        &mut self,
        scrape: &Scrape,
        all: usize,
        searched: &[PathBuf],
        columns: &Columns,
        console: &mut Console<'_>,
    ) -> bool {
        for problem in scrape.errors.iter().filter(|problem| problem.is_new) {
            console.report_path(&problem.name, &problem.what);
        }
        if let Some(halted) = scrape.halted.filter(|_| !self.has_told_of_halts || self.verbose > 1)
        {
            self.has_told_of_halts = true;
            console.report(format_args!(
                "devices stand still to be read, this time for {:.1} ms",
                halted.as_secs_f64() * 1e3
            ));
        }
        self.tell_who_came(scrape, console);
        if self.verbose > 1 {
            let (sample, elapsed) = (scrape.samples.len(), scrape.elapsed.as_secs_f64());
            console.report(format_args!(
                "looked after {elapsed:.3} s: {sample} of {all} files pass the filters"
            ));
        }
        if !scrape.samples.is_empty() {
            if self.told_missing.is_none() {
                self.told_missing = Some(tell_missing(columns, &[], " yet", console));
            }
        } else if scrape.errors.is_empty()
            && !self.has_told_of_nothing
            && self.told_missing.is_none()
        {
            self.has_told_of_nothing = true;
            if all > 0 {
                console.report(format_args!(
                    "none of {all} files passes the filters yet (see --filter)"
                ));
            } else if !searched.is_empty() {
                let places: Vec<_> =
                    searched.iter().map(|place| place.display().to_string()).collect();
                console
                    .report(format_args!("no files found yet: looked for {}", places.join(", ")));
            }
        }
        !scrape.errors.is_empty()
    }

    fn tell_who_came(&mut self, scrape: &Scrape, console: &mut Console<'_>) {
        let now: HashMap<u64, PathBuf> = scrape
            .samples
            .iter()
            .map(|sample| (sample.writer_id.id, sample.writer_id.name.clone()))
            .collect();
        if let Some(known) = self.known.as_ref().filter(|_| self.verbose > 0) {
            for (what, some, others) in [("is gone", known, &now), ("has come", &now, known)] {
                let mut names: Vec<_> = some
                    .iter()
                    .filter(|(id, _)| !others.contains_key(id))
                    .map(|(_, name)| name)
                    .collect();
                names.sort();
                names.into_iter().for_each(|name| console.report_path(name, what));
            }
        }
        self.known = Some(now);
    }

    /// Tells what never came. Tells the caller whether there is such a thing.
    pub(super) fn end(&self, columns: &Columns, console: &mut Console<'_>) -> bool {
        tell_missing(columns, self.told_missing.as_deref().unwrap_or(&[]), "", console);
        columns.missing().next().is_some()
    }
}

/// Tells of the fields that no file has, but not of those that were told of. Tells which it told
/// of.
fn tell_missing(
    columns: &Columns,
    told: &[String],
    yet: &str,
    console: &mut Console<'_>,
) -> Vec<String> {
    let mut now = Vec::new();
    for (name, labels) in
        columns.missing().filter(|(name, _)| !told.iter().any(|told| told == name))
    {
        let looked_for = labels.join(", ");
        console.report(format_args!("no file has {name}{yet}: looked for {looked_for}"));
        now.push(name.to_owned());
    }
    now
}
