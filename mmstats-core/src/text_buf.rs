//! Text in a buffer of fixed size.

use core::fmt;
use core::ops::Deref;

/// Text of up to `N` bytes, stored in place. It dereferences to `str`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TextBuf<const N: usize> {
    /// NULs after the text.
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> TextBuf<N> {
    /// Copies as many whole characters as fit.
    pub(crate) fn from_parts(parts: &[&str]) -> Self {
        let mut text = TextBuf { bytes: [0; N], length: 0 };
        for character in parts.iter().flat_map(|part| part.chars()) {
            let end = text.length + character.len_utf8();
            let Some(to) = text.bytes.get_mut(text.length..end) else { break };
            character.encode_utf8(to);
            text.length = end;
        }
        text
    }

    /// Takes the bytes before the first NUL; an empty text if they are not UTF-8.
    pub(crate) fn from_stored(mut bytes: [u8; N]) -> Self {
        let length = bytes.iter().position(|byte| *byte == 0).unwrap_or(N);
        bytes[length..].fill(0);
        TextBuf { bytes, length }
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

impl<const N: usize> Deref for TextBuf<N> {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl<const N: usize> AsRef<str> for TextBuf<N> {
    fn as_ref(&self) -> &str {
        self
    }
}

/// Keeps as many whole characters as fit.
impl<const N: usize> From<&str> for TextBuf<N> {
    fn from(text: &str) -> Self {
        TextBuf::from_parts(&[text])
    }
}

impl<const N: usize> PartialEq<str> for TextBuf<N> {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl<const N: usize> PartialEq<&str> for TextBuf<N> {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl<const N: usize> fmt::Debug for TextBuf<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl<const N: usize> fmt::Display for TextBuf<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}

#[cfg(feature = "defmt")]
impl<const N: usize> defmt::Format for TextBuf<N> {
    fn format(&self, f: defmt::Formatter<'_>) {
        self.as_str().format(f);
    }
}
