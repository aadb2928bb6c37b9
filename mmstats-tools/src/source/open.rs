//! Opens the files and devices that a command's arguments name.

use std::cell::RefCell;
use std::collections::HashSet;
use std::io::{BufReader, Seek};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use mmstats_core::format::v2::Header;
use mmstats_std::read::{FileError, Links, Sample, open_file};

use super::core_file::{self, Core, Elf};
use super::firmware::Firmware;
use super::gdb::Gdb;
use super::hex;
use super::image::Image;
use super::memory::{Memory, MemoryError};
use super::notes::Notes;
use super::qmp::Qmp;
use super::region::{Region, Shared};
use super::scan::{ALIGNMENT, scan};
use super::url::Url;
use crate::escape::lossless_path;
use crate::options::SourceOptions;

/// Opens files and devices with the options of one command.
#[derive(Debug)]
pub struct Sources {
    options: SourceOptions,
    firmware: Option<Rc<Firmware>>,
}

/// The content of one source.
#[derive(Default)]
pub struct Opened {
    /// The regions, in the order of their addresses.
    pub regions: Vec<Region>,
    /// The names and errors of regions that cannot be opened.
    pub errors: Vec<(String, String)>,
    /// Whether it is certainly memory: a device, a file of a memory format, or one with a region
    /// after its start.
    pub is_known: bool,
    /// The message for a source without regions and errors.
    pub why_nothing: String,
    /// How long the target was halted.
    pub halted: Option<Duration>,
}

/// The content of a file.
struct Contents {
    image: Image,
    /// Whether it is certainly memory.
    is_known: bool,
    /// Whether its addresses are those of the original memory, not offsets in the file.
    has_addresses: bool,
    /// The error in a file that is incomplete.
    error: Option<String>,
    notes: Notes,
}

impl Sources {
    /// Reads the ELF file, if the options name one.
    ///
    /// # Errors
    /// The ELF file's path, and why it cannot be used.
    pub fn new(options: SourceOptions) -> Result<Sources, (PathBuf, String)> {
        let firmware = match &options.elf {
            Some(path) => {
                Some(Rc::new(Firmware::open(path).map_err(|error| (path.clone(), error))?))
            }
            None => None,
        };
        Ok(Sources { options, firmware })
    }

    /// Returns `true` if the path is certainly not an ordinary stats file and needs [`Self::open`]:
    /// a device, or any path if the options give addresses.
    #[must_use]
    pub fn is_memory(&self, path: &Path) -> bool {
        path.to_str().is_some_and(Url::is_meant)
            || !self.options.region_address.is_empty()
            || self.firmware.is_some()
            || self.options.load_address.is_some()
    }

    /// Opens a device or a memory image.
    ///
    /// # Errors
    /// If it cannot be read, or the addresses to read are unknown. A source without regions is not
    /// an error.
    pub fn open(&self, path: &Path) -> Result<Opened, String> {
        let name = lossless_path(path);
        match path.to_str().filter(|text| Url::is_meant(text)) {
            Some(url) => self.open_device(
                &name,
                &url.parse().map_err(|error: super::url::UrlError| error.to_string())?,
            ),
            None => self.open_file(&name, path),
        }
    }

    fn open_file(&self, name: &str, path: &Path) -> Result<Opened, String> {
        let Contents { image, is_known, has_addresses, error, notes } = self.contents(path)?;
        let firmware = match (&self.firmware, notes.entry) {
            (Some(firmware), Some(entry)) => Some(Rc::new(firmware.loaded(entry))),
            (firmware, _) => firmware.clone(),
        };
        let why_nothing = why_nothing(&image, &notes);
        let filled = image.filled();
        let memory: Shared = Rc::new(RefCell::new(Box::new(image)));
        let places = match named(&self.options, firmware.as_deref())? {
            Some(places) => places,
            None => {
                // Alignment in memory is unknown if the file's address is.
                let alignment = if has_addresses { ALIGNMENT } else { 1 };
                let found = scan(&mut **memory.borrow_mut(), &filled, alignment)
                    .map_err(|error| error.to_string())?
                    .all();
                // Regions that the program declares are reported even if they are invalid.
                match &firmware {
                    Some(firmware) if found.is_empty() && has_addresses => firmware.descriptors(),
                    _ => found,
                }
            }
        };
        let is_known = is_known || places.iter().any(|address| *address > 0);
        let mut opened =
            Opened { is_known, why_nothing, ..regions(name, &memory, &places, firmware.as_ref()) };
        opened.errors.extend(error.map(|error| (name.to_owned(), error)));
        Ok(opened)
    }

    /// Reads the memory in a file of any format.
    fn contents(&self, path: &Path) -> Result<Contents, String> {
        let to_text = |error: std::io::Error| error.to_string();
        let file = open_file(path, Links::Follow).map_err(|error| error.to_string())?;
        let known = |image, error, notes| Contents {
            image,
            is_known: true,
            has_addresses: true,
            error,
            notes,
        };
        match core_file::open(&file) {
            Some(Ok(Elf::Core(Core { image, missing, notes }))) => {
                let error = (missing > 0)
                    .then(|| format!("cut short: {missing} bytes of its memory are missing"));
                return Ok(known(image, error, notes));
            }
            Some(Ok(Elf::Program)) => {
                return Err("a program, not a memory image (pass it with --elf)".to_owned());
            }
            Some(Err(error)) => return Err(error),
            None => {}
        }
        let mut start = [0; 64];
        let length = file.read_at(&mut start, 0).map_err(to_text)?;
        if hex::is_meant(&start[..length]) {
            (&file).rewind().map_err(to_text)?;
            let text = BufReader::new(&file);
            if let Some(hex::Parsed { image, error }) = hex::parse(text).map_err(to_text)? {
                return Ok(known(
                    image,
                    error.map(|error| error + " (the rest is not read)"),
                    Notes::default(),
                ));
            }
        }
        if !self.options.symbol.is_empty() && self.options.load_address.is_none() {
            return Err("--symbol needs --load-address for a raw image".to_owned());
        }
        let has_addresses = self.options.load_address.is_some();
        let image = Image::raw(file, self.options.load_address.unwrap_or(0)).map_err(to_text)?;
        Ok(Contents {
            image,
            is_known: has_addresses,
            has_addresses,
            error: None,
            notes: Notes::default(),
        })
    }

    fn open_device(&self, name: &str, url: &Url) -> Result<Opened, String> {
        let named = named(&self.options, self.firmware.as_deref())?;
        if named.is_none() && self.firmware.is_none() {
            return Err("address unknown: pass --elf FILE or --region-address ADDRESS".to_owned());
        }
        let memory: Box<dyn Memory> = match url {
            Url::Gdb(_) if self.options.no_halt => {
                return Err(
                    "gdb:// halts the target, which --no-halt forbids (qmp:// and files do not halt it)".to_owned()
                );
            }
            Url::Gdb(host) => Box::new(Gdb::connect(host).map_err(|error| error.to_string())?),
            Url::Qmp(socket) => Box::new(Qmp::connect(socket).map_err(|error| error.to_string())?),
        };
        let memory: Shared = Rc::new(RefCell::new(memory));
        let mut opened = match named.map_or_else(|| self.search(&memory), Ok) {
            Ok(places) => regions(name, &memory, &places, self.firmware.as_ref()),
            Err(error) => {
                Opened { errors: vec![(name.to_owned(), error.to_string())], ..Opened::default() }
            }
        };
        opened.is_known = true;
        opened.why_nothing = "none of its program's statics is a region of stats (not published yet? --region-address locates others)".to_owned();
        // Regions of a running target keep it open until they have been read.
        if let Some(memory) = Rc::into_inner(memory) {
            match memory.into_inner().close() {
                Ok(closed) => opened.halted = closed.halted,
                Err(error) => opened
                    .errors
                    .push((name.to_owned(), format!("the target may still be halted: {error}"))),
            }
        }
        Ok(opened)
    }

    /// Searches a target for regions: where the program has data that can be one, else in all its
    /// writable memory.
    fn search(&self, memory: &Shared) -> Result<Vec<u64>, MemoryError> {
        let Some(firmware) = &self.firmware else { return Ok(Vec::new()) };
        let mut memory = memory.borrow_mut();
        let candidates = firmware.candidates();
        let heads: Vec<Range<u64>> = candidates
            .iter()
            .map(|address| *address..address.saturating_add(Header::SIZE as u64))
            .collect();
        let mut found = scan(&mut **memory, &heads, ALIGNMENT)?;
        if candidates.is_empty() {
            found = scan(&mut **memory, &firmware.writable(), ALIGNMENT)?;
        }
        let found = found.all();
        Ok(if found.is_empty() { firmware.descriptors() } else { found })
    }
}

/// Returns `true` if a file may have regions after its start: it is not a valid stats file, or
/// longer than its first region.
#[must_use]
pub fn may_hold_regions(path: &Path, sample: &Result<Sample<'_>, FileError>) -> bool {
    match sample {
        Ok(sample) => match sample.layout().region_length() {
            Some(length) => path.metadata().is_ok_and(|file| file.len() > length.into()),
            None => !sample.layout().errors.is_empty() || sample.layout().fields.is_empty(),
        },
        Err(FileError::Format(_) | FileError::TooLarge { .. }) => true,
        Err(_) => false,
    }
}

/// Returns the addresses that the options name, if any.
fn named(options: &SourceOptions, firmware: Option<&Firmware>) -> Result<Option<Vec<u64>>, String> {
    let mut places = options.region_address.clone();
    if let Some(firmware) = firmware {
        for name in &options.symbol {
            places.extend(firmware.symbol(name)?);
        }
    }
    let mut seen = HashSet::new();
    places.retain(|address| seen.insert(*address));
    Ok(if places.is_empty() { None } else { Some(places) })
}

fn regions(name: &str, memory: &Shared, places: &[u64], firmware: Option<&Rc<Firmware>>) -> Opened {
    let mut opened = Opened::default();
    for address in places {
        let name = format!("{name}@{address:#x}");
        match Region::open(name.clone(), memory, *address, firmware.cloned()) {
            Ok(region) => opened.regions.push(region),
            Err(failure) => opened.errors.push((name, failure.to_string())),
        }
    }
    opened
}

fn why_nothing(image: &Image, notes: &Notes) -> String {
    let why = format!("no stats found (it has {})", image.describe());
    match notes.mapped.iter().find(|file| file.ends_with(".mmstats")) {
        Some(file) => {
            format!(
                "{why}; its process had mapped {file}, which may still exist; the core leaves it out (see coredump_filter in core(5))"
            )
        }
        None => why,
    }
}
