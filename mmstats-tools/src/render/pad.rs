//! Padding. What `format!` pads to ends at 65535 characters, and a label may have more.

/// A text with so many spaces before it that there are `width` characters.
#[must_use]
pub fn right(text: &str, width: usize) -> String {
    spaces(width.saturating_sub(text.chars().count())) + text
}

/// A text with so many spaces behind it that there are `width` characters.
#[must_use]
pub fn left(text: &str, width: usize) -> String {
    text.to_owned() + &spaces(width.saturating_sub(text.chars().count()))
}

/// So many spaces.
#[must_use]
pub fn spaces(count: usize) -> String {
    " ".repeat(count)
}
