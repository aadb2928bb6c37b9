//! Renders values for people and programs: [`text`], [`json`] and [`metrics`], and the formatting
//! they share.

pub mod date;
pub mod distribution;
pub mod human;
pub mod json;
pub mod metrics;
pub mod number;
pub mod text;

use std::path::Path;

use mmstats_std::read::Sample;

use text::{FieldValue, TextStyle};

/// Renders rows of a file as text, or as JSON Lines without a style.
#[must_use]
pub fn file(
    path: &Path,
    sample: &Sample<'_>,
    rows: &[FieldValue<'_>],
    style: Option<TextStyle>,
) -> Vec<u8> {
    // Writing to a `String` or a `Vec` cannot fail.
    if let Some(style) = style {
        let mut output = String::new();
        let (verdict, owner) = (sample.verdict(), sample.other_owner());
        let _ = text::write_file(&mut output, path, verdict, owner, rows, style);
        return output.into_bytes();
    }
    let mut output = Vec::new();
    let (version, liveness) = (sample.layout().version, sample.verdict().liveness);
    let file =
        json::FileKeys::new(path, version, sample.pid(), liveness).with_owner(sample.other_owner());
    for row in rows {
        let _ = json::write_line(&mut output, &file, row);
    }
    output
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
