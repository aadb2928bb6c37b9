//! Makes text from elsewhere harmless to terminals, and to whoever reads what is on them.
//!
//! Labels, texts and file names can hold anything. Written as they are, control characters would
//! move the cursor or start an escape sequence, and invisible formatting characters would show a
//! text as another one. Python's `repr` knows the same set as not printable.

use std::ffi::OsStr;
use std::fmt::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// A text with every harmful character escaped as in a Python literal: `\n`, `\x1b`, `\u202e`,
/// `\U000e0001`. All else, backslashes included, is as it is.
#[derive(Clone, Copy, Debug)]
pub struct Harmless<'t>(pub &'t str);

impl fmt::Display for Harmless<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(is_harmful) {
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

/// A path, or another text of the system, that need not be UTF-8: bytes that are not are escaped
/// too, as `\xff`.
#[derive(Clone, Copy, Debug)]
pub struct HarmlessPath<'p>(pub &'p OsStr);

impl<'p> HarmlessPath<'p> {
    /// This path.
    #[must_use]
    pub fn new(path: &'p Path) -> Self {
        HarmlessPath(path.as_os_str())
    }
}

impl fmt::Display for HarmlessPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.as_bytes().utf8_chunks() {
            Harmless(chunk.valid()).fmt(f)?;
            chunk.invalid().iter().try_for_each(|byte| write!(f, "\\x{byte:02x}"))?;
        }
        Ok(())
    }
}

/// A path as a text for programs: only what is not UTF-8 is escaped.
#[must_use]
pub fn valid_path(path: &Path) -> String {
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

/// Whether a character is not shown but acts: on the terminal, on the direction or the shape of
/// what is around it, or on where a line ends.
///
/// These are Unicode's categories Cc (control), Cf (format), Zl and Zp (line and paragraph
/// separators), but not the few format characters that have a shape of their own, such as U+06DD,
/// the Arabic end of a verse.
#[must_use]
pub fn is_harmful(character: char) -> bool {
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
    fn what_acts_on_a_terminal_is_escaped() {
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
            assert_eq!(Harmless(text).to_string(), shown);
        }
    }

    #[test]
    fn a_path_need_not_be_utf_8() {
        let path = OsStr::from_bytes(b"/tmp/\xff\xfe\x1b[2J-\xc3\xa9.mmstats");
        assert_eq!(HarmlessPath(path).to_string(), "/tmp/\\xff\\xfe\\x1b[2J-é.mmstats");
    }
}
