//! Looks that are taken now, or were recorded; and recording them.

use std::fs::File;
use std::io::{self, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::pace::Pace;
use super::recording::{FIRST, Recorder, Replay};
use crate::command;
use crate::console::Console;
use crate::options::poll::Options;
use crate::scraper::{Scrape, Scraper};
use crate::shutdown::Shutdown;

/// Where looks come from.
pub(super) enum ScrapeSource {
    Live(Box<Scraper>, Pace),
    Recorded(Replay),
}

impl ScrapeSource {
    /// As the options have it.
    ///
    /// # Errors
    /// The exit status; why was said.
    pub(super) fn new(
        options: &Options,
        console: &mut Console<'_>,
    ) -> Result<ScrapeSource, ExitCode> {
        match options.replay.as_deref() {
            Some(path) if path == Path::new("-") => {
                Ok(ScrapeSource::Recorded(Replay::new(Box::new(BufReader::new(io::stdin())))))
            }
            Some(path) => match File::open(path) {
                Ok(file) => Ok(ScrapeSource::Recorded(Replay::new(Box::new(BufReader::new(file))))),
                Err(error) => {
                    console.report_path(path, error);
                    Err(ExitCode::FAILURE)
                }
            },
            None => {
                let sources = command::open_sources(&options.selection, console)?;
                let scraper = Scraper::new(options.selection.files.clone(), sources);
                Ok(ScrapeSource::Live(Box::new(scraper), Pace::new(options.delay)))
            }
        }
    }

    /// The next one, if there is one.
    ///
    /// # Errors
    /// What is wrong with a recording.
    pub(super) fn next(&mut self) -> Result<Option<Scrape>, String> {
        match self {
            ScrapeSource::Live(scraper, _) => Ok(Some(scraper.scrape())),
            ScrapeSource::Recorded(replay) => replay.scrape(),
        }
    }

    /// Waits until the next one is due.
    pub(super) fn wait(&self, shutdown: &Shutdown) {
        if let ScrapeSource::Live(_, pace) = self {
            pace.wait(shutdown);
        }
    }

    /// Where files were searched.
    pub(super) fn searched(&self) -> &[PathBuf] {
        match self {
            ScrapeSource::Live(scraper, _) => scraper.searched(),
            ScrapeSource::Recorded(_) => &[],
        }
    }
}

/// A recording that is being made.
pub(super) struct Record {
    pub(super) path: PathBuf,
    file: File,
    recorder: Recorder,
}

impl Record {
    /// Begins a recording, in the place of another one.
    ///
    /// # Errors
    /// Those of the operating system.
    pub(super) fn new(path: &Path) -> io::Result<Record> {
        let mut record = Record {
            path: path.to_owned(),
            file: File::create(path)?,
            recorder: Recorder::default(),
        };
        record.line(FIRST.to_owned())?;
        Ok(record)
    }

    pub(super) fn scrape(&mut self, scrape: &Scrape) -> io::Result<()> {
        let line = self.recorder.line(scrape)?;
        self.line(line)
    }

    /// In one piece, so that there is no half of a line if this ends.
    fn line(&mut self, line: String) -> io::Result<()> {
        self.file.write_all((line + "\n").as_bytes())
    }
}
