//! Reads files once ([`Reader`]) or repeatedly ([`StatsFile`]), and regions from any other memory
//! ([`RegionSource`]).
//!
//! ```
//! use mmstats_std::{Counter, Options, model, publish, read::{Reader, StatsFile}};
//! use mmstats_core::reader::Value;
//! model! { struct Cache { hits: Counter } }
//! let cache = publish::<Cache>(&Options::new())?;
//! cache.hits.add(3);
//!
//! let mut reader = Reader::new();
//! let sample = reader.read(&cache.path())?;
//! assert_eq!(sample.find("hits"), Some(Value::Unsigned(3)));
//!
//! let mut file = StatsFile::open(&cache.path(), &mut reader)?;
//! cache.hits.incr();
//! assert_eq!(file.sample(&mut reader)?.find("hits"), Some(Value::Unsigned(4)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
mod identity;
mod layout;
mod reader;
mod sample;
mod source;
mod stats_file;

pub use error::{FileError, MAX_FIELDS, MAX_REGION_BYTES};
pub use identity::{IdentityField, IdentityFields, LabelMatch};
pub use layout::{Field, Layout};
pub use reader::Reader;
pub use sample::Sample;
pub(crate) use source::open_at;
pub use source::{Links, RegionSource, open_file};
pub use stats_file::StatsFile;
