//! Scrapes made now or read from a recording, and recording them.

use std::fs::File;
use std::io::{self, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::recording::{HEADER_LINE, Recorder, Replay};
use super::ticker::Ticker;
use crate::command;
use crate::console::Console;
use crate::options::poll::Options;
use crate::scraper::{Scrape, Scraper};
use crate::shutdown::Shutdown;

/// A source of scrapes.
pub(super) enum ScrapeSource {
    Live(Box<Scraper>, Ticker),
    Recorded(Replay),
}

impl ScrapeSource {
    /// Opens the source that the options select, and reports if it cannot be opened.
    ///
    /// # Errors
    /// The exit status.
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
                Ok(ScrapeSource::Live(Box::new(scraper), Ticker::new(options.interval)))
            }
        }
    }

    /// Returns the next scrape, or `None` at the end of a recording.
    ///
    /// # Errors
    /// If a recording cannot be read.
    pub(super) fn next(&mut self) -> Result<Option<Scrape>, String> {
        match self {
            ScrapeSource::Live(scraper, _) => Ok(Some(scraper.scrape())),
            ScrapeSource::Recorded(replay) => replay.next(),
        }
    }

    /// Waits until the next scrape is due.
    pub(super) fn wait(&self, shutdown: &Shutdown) {
        if let ScrapeSource::Live(_, ticker) = self {
            ticker.wait(shutdown);
        }
    }

    /// Returns the patterns that files were searched by.
    pub(super) fn searched(&self) -> &[PathBuf] {
        match self {
            ScrapeSource::Live(scraper, _) => scraper.searched(),
            ScrapeSource::Recorded(_) => &[],
        }
    }
}

/// A recording that is written.
pub(super) struct Record {
    pub(super) path: PathBuf,
    file: File,
    recorder: Recorder,
}

impl Record {
    /// Creates a recording; replaces an existing file.
    ///
    /// # Errors
    /// If the file cannot be created.
    pub(super) fn new(path: &Path) -> io::Result<Record> {
        let mut record = Record {
            path: path.to_owned(),
            file: File::create(path)?,
            recorder: Recorder::default(),
        };
        record.write_line(HEADER_LINE.to_owned())?;
        Ok(record)
    }

    /// Appends a scrape.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(super) fn write(&mut self, scrape: &Scrape) -> io::Result<()> {
        let line = self.recorder.encode(scrape)?;
        self.write_line(line)
    }

    /// Writes a line in one call, so that a killed process leaves no partial line.
    fn write_line(&mut self, line: String) -> io::Result<()> {
        self.file.write_all((line + "\n").as_bytes())
    }
}
