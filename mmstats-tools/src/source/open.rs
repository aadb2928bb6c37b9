//! What a command's arguments name, opened.

use std::cell::RefCell;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use mmstats_core::format::v2::Header;

use super::core_file::{self, Elf};
use super::firmware::Firmware;
use super::gdb::Gdb;
use super::hex;
use super::image::Image;
use super::memory::{Memory, MemoryError};
use super::qmp::Qmp;
use super::region::{Region, Shared};
use super::scan::scan;
use super::url::Url;

/// Where in memory the stats are, for all tools.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Memory of devices, dumps, cores")]
pub struct SourceOptions {
    /// A region is at this address (of a raw image without --load-address: at this offset). Can be repeated.
    #[arg(long, value_name = "ADDRESS", value_parser = parse_number)]
    pub at: Vec<u64>,

    /// The ELF file of the program that the memory belongs to: tells where its regions are, and has the directory of those that leave it in flash.
    #[arg(long, value_name = "FILE")]
    pub elf: Option<PathBuf>,

    /// Only the regions of this static, by its name or the end of its path. Can be repeated.
    #[arg(long, value_name = "NAME", requires = "elf")]
    pub symbol: Vec<String>,

    /// The address of a raw image's first byte.
    #[arg(long, value_name = "ADDRESS", value_parser = parse_number)]
    pub load_address: Option<u64>,

    /// Never halt a device to read it; fail instead.
    #[arg(long)]
    pub no_halt: bool,
}

/// Parses a number: decimal, or hexadecimal behind 0x.
fn parse_number(text: &str) -> Result<u64, String> {
    let digits = text.replace('_', "");
    let parsed = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hexadecimal) => u64::from_str_radix(hexadecimal, 16),
        None => digits.parse(),
    };
    parsed.map_err(|_| "not a number (4096, 0x2000_0000)".to_owned())
}

/// Opens what is named, in one and the same way.
#[derive(Debug)]
pub struct Sources {
    options: SourceOptions,
    firmware: Option<Rc<Firmware>>,
}

/// What one source holds.
#[derive(Default)]
pub struct Opened {
    /// The regions, by their addresses.
    pub regions: Vec<Region>,
    /// What is not a region but should be, by its name, and why.
    pub problems: Vec<(String, String)>,
    /// Whether it is memory for sure: a device, or a file of a format that holds memory.
    pub is_known: bool,
    /// For how long a target stood still to be read.
    pub halted: Option<Duration>,
}

impl Sources {
    /// Reads the ELF file, if there is one.
    ///
    /// # Errors
    /// The ELF file, and what is wrong with it.
    pub fn new(options: SourceOptions) -> Result<Sources, (PathBuf, String)> {
        let firmware = match &options.elf {
            Some(path) => Some(Rc::new(Firmware::open(path).map_err(|error| (path.clone(), error))?)),
            None => None,
        };
        Ok(Sources { options, firmware })
    }

    /// Whether this is no ordinary stats file for sure, so that [`Self::open`] is for it: a device, or anything if an option says where to look.
    #[must_use]
    pub fn is_memory(&self, path: &Path) -> bool {
        path.to_str().is_some_and(Url::is_meant) || !self.options.at.is_empty() || self.firmware.is_some() || self.options.load_address.is_some()
    }

    /// Opens a device, or a file that holds memory.
    ///
    /// # Errors
    /// If it cannot be read, or it is not known where to look. That there is no region in it is no error.
    pub fn open(&self, path: &Path) -> Result<Opened, String> {
        let name = path.display().to_string();
        match path.to_str().filter(|text| Url::is_meant(text)) {
            Some(url) => self.open_device(&name, &url.parse().map_err(|error: super::url::UrlError| error.to_string())?),
            None => self.open_file(&name, path),
        }
    }

    fn open_file(&self, name: &str, path: &Path) -> Result<Opened, String> {
        let (image, is_known) = self.image(path)?;
        let ranges = image.ranges();
        let memory: Shared = Rc::new(RefCell::new(Box::new(image)));
        let places = match self.named()? {
            Some(places) => places,
            None => {
                let found = scan(&mut **memory.borrow_mut(), &ranges).map_err(|error| error.to_string())?;
                // What the program says is there, and is not in order, is to be told.
                if found.is_empty() { self.firmware.as_ref().map_or_else(Vec::new, |firmware| firmware.descriptors()) } else { found }
            }
        };
        Ok(Opened { is_known, ..self.regions(name, &memory, &places) })
    }

    /// The memory in a file of any format, and whether that is one that can be told from others.
    fn image(&self, path: &Path) -> Result<(Image, bool), String> {
        let told = |error: std::io::Error| error.to_string();
        // Anything else could hang, or do something.
        if !path.metadata().map_err(told)?.is_file() {
            return Err("not a regular file".to_owned());
        }
        let mut file = File::open(path).map_err(told)?;
        match core_file::open(&file) {
            Some(Ok(Elf::Core(image))) => return Ok((image, true)),
            Some(Ok(Elf::Program)) => return Err("a program, not its memory (give it with --elf beside that)".to_owned()),
            Some(Err(error)) => return Err(error),
            None => {}
        }
        if is_text(path).map_err(told)? {
            let mut text = Vec::new();
            file.read_to_end(&mut text).map_err(told)?;
            if let Some(parsed) = hex::parse(&text) {
                return parsed.map(|image| (image, true));
            }
        }
        if !self.options.symbol.is_empty() && self.options.load_address.is_none() {
            return Err("symbols are addresses, so --load-address is needed for a raw image".to_owned());
        }
        let image = Image::raw(file, self.options.load_address.unwrap_or(0)).map_err(told)?;
        Ok((image, self.options.load_address.is_some()))
    }

    fn open_device(&self, name: &str, url: &Url) -> Result<Opened, String> {
        let named = self.named()?;
        if named.is_none() && self.firmware.is_none() {
            return Err("where are its stats? --elf FILE finds them, --at ADDRESS tells".to_owned());
        }
        let memory: Box<dyn Memory> = match url {
            Url::Gdb(_) if self.options.no_halt => {
                return Err(
                    "a server for debuggers halts the target, which --no-halt forbids (qmp:// does not, nor does memory that is a file)".to_owned()
                );
            }
            Url::Gdb(host) => Box::new(Gdb::connect(host).map_err(|error| error.to_string())?),
            Url::Qmp(socket) => Box::new(Qmp::connect(socket).map_err(|error| error.to_string())?),
        };
        let memory: Shared = Rc::new(RefCell::new(memory));
        let mut opened = match named.map_or_else(|| self.search(&memory), Ok) {
            Ok(places) => self.regions(name, &memory, &places),
            Err(error) => Opened { problems: vec![(name.to_owned(), error.to_string())], ..Opened::default() },
        };
        // What is live is read later, and then let go.
        if let Some(memory) = Rc::into_inner(memory) {
            match memory.into_inner().close() {
                Ok(closed) => opened.halted = closed.halted,
                Err(error) => opened.problems.push((name.to_owned(), format!("the target may still be halted: {error}"))),
            }
        }
        Ok(opened)
    }

    /// The addresses that the user names, if any.
    fn named(&self) -> Result<Option<Vec<u64>>, String> {
        let mut places = self.options.at.clone();
        if let Some(firmware) = &self.firmware {
            for name in &self.options.symbol {
                places.extend(firmware.symbol(name)?);
            }
        }
        Ok(if places.is_empty() { None } else { Some(places) })
    }

    /// The addresses of a target's regions: where the program has data that can be one, else anywhere in memory that it writes.
    fn search(&self, memory: &Shared) -> Result<Vec<u64>, MemoryError> {
        let Some(firmware) = &self.firmware else { return Ok(Vec::new()) };
        let mut memory = memory.borrow_mut();
        let candidates = firmware.candidates();
        let ranges: Vec<_> = candidates.iter().map(|address| *address..address.saturating_add(Header::SIZE as u64)).collect();
        let mut found = scan(&mut **memory, &ranges)?;
        if found.is_empty() && candidates.is_empty() {
            found = scan(&mut **memory, &firmware.writable())?;
        }
        Ok(if found.is_empty() { firmware.descriptors() } else { found })
    }

    fn regions(&self, name: &str, memory: &Shared, places: &[u64]) -> Opened {
        let mut opened = Opened::default();
        for address in places {
            let name = format!("{name}@{address:#x}");
            match Region::open(name.clone(), memory, *address, self.firmware.clone()) {
                Ok(region) => opened.regions.push(region),
                Err(failure) => opened.problems.push((name, failure.to_string())),
            }
        }
        opened
    }
}

/// Whether a file begins like text.
fn is_text(path: &Path) -> std::io::Result<bool> {
    let mut start = [0; 16];
    let there = File::open(path)?.read(&mut start)?;
    Ok(start[..there].iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace()))
}
