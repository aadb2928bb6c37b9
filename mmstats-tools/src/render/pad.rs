//! Pads text. `format!` pads to at most 65535 characters, and a label may be longer.

/// Aligns a text to the right of `width` characters.
#[must_use]
pub fn right(text: &str, width: usize) -> String {
    spaces(width.saturating_sub(text.chars().count())) + text
}

/// Aligns a text to the left of `width` characters.
#[must_use]
pub fn left(text: &str, width: usize) -> String {
    text.to_owned() + &spaces(width.saturating_sub(text.chars().count()))
}

/// Returns this many spaces.
#[must_use]
pub fn spaces(count: usize) -> String {
    " ".repeat(count)
}
