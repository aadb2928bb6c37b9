//! Renders values for people and programs: [`text`], [`json`] and [`metrics`], and the formatting
//! they share.

pub mod date;
pub mod distribution;
pub mod human;
pub mod json;
pub mod metrics;
pub mod number;
pub mod text;

use std::io::{self, BufWriter, Write};
use std::path::Path;

use mmstats_std::read::Sample;

use text::{FieldValue, TextStyle};

/// Writes rows of a file as text, or as JSON Lines without a style. They are written line by line:
/// padded to the longest label, they can be much larger than the file.
///
/// # Errors
/// If `to` cannot be written.
pub fn write_file(
    to: &mut dyn Write,
    path: &Path,
    sample: &Sample<'_>,
    rows: &[FieldValue<'_>],
    style: Option<TextStyle>,
) -> io::Result<()> {
    let mut to = BufWriter::with_capacity(1 << 16, to);
    let (verdict, owner) = (sample.verdict(), sample.other_owner());
    match style {
        Some(style) => text::write_file(&mut to, path, verdict, owner, rows, style)?,
        None => {
            let (version, pid) = (sample.layout().version, sample.pid());
            let file = json::FileKeys::new(path, version, pid, verdict.liveness).with_owner(owner);
            for row in rows {
                json::write_line(&mut to, &file, row)?;
            }
        }
    }
    to.flush()
}

/// Aligns a text to the right of `width` characters. (`format!` pads to at most 65535, and a label
/// may be longer.)
#[must_use]
pub fn pad_left(text: &str, width: usize) -> String {
    spaces(width.saturating_sub(text.chars().count())) + text
}

/// Aligns a text to the left of `width` characters.
#[must_use]
pub fn pad_right(text: &str, width: usize) -> String {
    text.to_owned() + &spaces(width.saturating_sub(text.chars().count()))
}

/// Returns this many spaces.
#[must_use]
pub fn spaces(count: usize) -> String {
    " ".repeat(count)
}
