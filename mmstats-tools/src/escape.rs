//! Escapes untrusted text for terminals.
//!
//! Labels, texts and file names can hold anything. Unescaped control characters could move the
//! cursor or start an escape sequence, and invisible format characters could disguise a text as
//! another. Python's `repr` treats the same set as not printable.

use std::ffi::OsStr;
use std::fmt::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Displays a text with control and format characters escaped as in a Python literal: `\n`,
/// `\x1b`, `\u202e`, `\U000e0001`. Everything else, backslashes included, is unchanged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Escaped<'t>(pub(crate) &'t str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(needs_escape) {
            f.write_str(&rest[..at])?;
            let mut characters = rest[at..].chars();
            if let Some(character) = characters.next() {
                escape(character, f)?;
            }
            rest = characters.as_str();
        }
        f.write_str(rest)
    }
}

/// Displays a path or another string of the operating system; bytes that are not UTF-8 are also
/// escaped, as `\xff`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EscapedPath<'p>(pub(crate) &'p OsStr);

impl<'p> EscapedPath<'p> {
    /// Wraps a path.
    #[must_use]
    pub(crate) fn new(path: &'p Path) -> Self {
        EscapedPath(path.as_os_str())
    }
}

impl fmt::Display for EscapedPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.as_bytes().utf8_chunks() {
            Escaped(chunk.valid()).fmt(f)?;
            chunk.invalid().iter().try_for_each(|byte| write!(f, "\\x{byte:02x}"))?;
        }
        Ok(())
    }
}

/// Converts a path to text for programs: only bytes that are not UTF-8 are escaped.
#[must_use]
pub(crate) fn lossless_path(path: &Path) -> String {
    let mut text = String::new();
    for chunk in path.as_os_str().as_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    text
}

fn escape(character: char, to: &mut impl Write) -> fmt::Result {
    match (character, u32::from(character)) {
        ('\n', _) => to.write_str("\\n"),
        ('\r', _) => to.write_str("\\r"),
        ('\t', _) => to.write_str("\\t"),
        (_, code @ ..=0xff) => write!(to, "\\x{code:02x}"),
        (_, code @ ..=0xffff) => write!(to, "\\u{code:04x}"),
        (_, code) => write!(to, "\\U{code:08x}"),
    }
}

/// Returns `true` for an invisible character that affects the terminal, the direction or shape of
/// its neighbours, or line breaks.
///
/// These are Unicode's categories Cc (control), Cf (format), Zl and Zp (line and paragraph
/// separators), except the few format characters that are visible, such as U+06DD, the Arabic end
/// of ayah.
#[must_use]
pub(crate) fn needs_escape(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_and_format_characters_are_escaped() {
        for (text, shown) in [
            ("plain, grüße, 東京 👍", "plain, grüße, 東京 👍"),
            ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
            ("a\nb\r\tc\0\x7f", "a\\nb\\r\\tc\\x00\\x7f"),
            ("\u{9b}31m", "\\x9b31m"),
            ("abc\u{202e}fed\u{2066}", "abc\\u202efed\\u2066"),
            ("line\u{2028}break", "line\\u2028break"),
            ("\u{e0041}", "\\U000e0041"),
            ("C:\\x1b", "C:\\x1b"),
        ] {
            assert_eq!(Escaped(text).to_string(), shown);
        }
    }

    #[test]
    fn a_path_need_not_be_utf_8() {
        let path = OsStr::from_bytes(b"/tmp/\xff\xfe\x1b[2J-\xc3\xa9.mmstats");
        assert_eq!(EscapedPath(path).to_string(), "/tmp/\\xff\\xfe\\x1b[2J-é.mmstats");
    }
}
