//! Selecting rows by words that the user types.

use glob::Pattern;

use crate::labels;

/// Words that a row must contain, in upper or lower case.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    words: Vec<Word>,
}

#[derive(Clone, Debug)]
enum Word {
    /// A part of the text.
    Part(String),
    /// A pattern of the whole text.
    Whole(Pattern),
}

impl Filter {
    /// Parses a filter. Every text is one: a word that is not a valid pattern matches itself.
    pub(crate) fn new(text: &str) -> Self {
        let word = |word: &str| {
            let word = word.to_lowercase();
            match labels::parse(&word) {
                Ok(pattern) if word.contains('*') => Word::Whole(pattern),
                _ => Word::Part(word),
            }
        };
        Filter { words: text.split_whitespace().map(word).collect() }
    }

    /// Returns `true` if the label or the name of its group contains every word.
    pub(crate) fn accepts(&self, label: &str, group: Option<&str>) -> bool {
        if self.words.is_empty() {
            return true;
        }
        let texts = [Some(label), group].map(|text| text.map(str::to_lowercase));
        let is_in = |word: &Word| texts.iter().flatten().any(|text| word.is_in(text));
        self.words.iter().all(is_in)
    }
}

impl Word {
    fn is_in(&self, text: &str) -> bool {
        match self {
            Word::Part(part) => text.contains(part.as_str()),
            Word::Whole(pattern) => pattern.matches(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_words_must_match() {
        for (filter, accepted) in [
            ("", true),
            ("  ", true),
            ("status", true),
            ("STATUS web", true),
            ("2xx", true),
            ("web status 5xx", false),
            ("web.*", true),
            ("*2xx", true),
            ("status*", false),
            ("w*x pid", true),
            ("[", false),
            ("77", true),
        ] {
            assert_eq!(
                Filter::new(filter).accepts("web.status.2XX", Some("77 pid")),
                accepted,
                "{filter:?}"
            );
        }
        assert!(Filter::new("{a=\"[").accepts("http{a=\"[\"}", None));
        assert!(!Filter::new("77").accepts("web", None));
    }
}
