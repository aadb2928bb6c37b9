//! What is searched for, out of a URL's query.

/// The value of `q` as a browser sends it; empty without one. What is not UTF-8 in it is replaced.
pub(super) fn search(query: &str) -> String {
    let value = query.split('&').filter_map(|pair| pair.strip_prefix("q=")).next_back().unwrap_or_default();
    let bytes = value.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let hex = bytes.get(at + 1..at + 3).and_then(|digits| Some(16 * hex_digit(digits[0])? + hex_digit(digits[1])?));
        match (byte, hex) {
            (b'%', Some(decoded_byte)) => {
                decoded.push(decoded_byte);
                at += 2;
            }
            (b'+', _) => decoded.push(b' '),
            _ => decoded.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Whether a label has all words of a search, in capital or small letters; the same as the script does.
pub(super) struct Words(Vec<String>);

impl Words {
    pub(super) fn new(search: &str) -> Self {
        Words(search.to_lowercase().split_whitespace().map(str::to_owned).collect())
    }

    pub(super) fn are_in(&self, label: &str) -> bool {
        self.0.is_empty() || {
            let label = label.to_lowercase();
            self.0.iter().all(|word| label.contains(word))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_is_decoded() {
        for (query, found) in [
            ("", ""),
            ("group=none", ""),
            ("a=1&q=web+status%2E2xx", "web status.2xx"),
            ("q=gr%C3%BC%c3%9fe", "grüße"),
            ("q=%ff%", "\u{fffd}%"),
            ("q=100%2", "100%2"),
            ("q=%+1", "% 1"),
            ("q=é%é1", "é%é1"),
            ("q=a&q=b", "b"),
            ("q=%3Cb%3E%22", "<b>\""),
        ] {
            assert_eq!(search(query), found, "{query}");
        }
    }

    #[test]
    fn all_words_have_to_be_there() {
        let words = Words::new(" STATUS  2x");
        assert!(words.are_in("web.Status.2XX"));
        assert!(!words.are_in("web.status.4XX"));
        assert!(Words::new("").are_in("anything"));
    }
}
