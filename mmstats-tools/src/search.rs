//! Searches labels for words.

use crate::label_glob::{self, Glob, spend};

/// The words of a search, all of which must match; case is ignored. A word may be anywhere in a
/// text; a word with `*` is a pattern for a whole text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Search(Vec<Word>);

#[derive(Clone, Debug)]
enum Word {
    Substring(String),
    Whole(Glob),
}

impl Search {
    /// Parses a search. Every text is one: a word that is not a valid pattern matches itself.
    #[must_use]
    pub(crate) fn new(text: &str) -> Search {
        let word = |word: &str| match label_glob::parse(word) {
            Ok(glob) if word.contains('*') => Word::Whole(glob),
            _ => Word::Substring(word.to_owned()),
        };
        Search(text.to_lowercase().split_whitespace().map(word).collect())
    }

    /// Returns `true` if each word matches the label or the name of its group.
    #[must_use]
    pub(crate) fn matches(&self, label: &str, group: Option<&str>) -> bool {
        if self.0.is_empty() {
            return true;
        }
        let texts = [Some(label), group].map(|text| text.map(str::to_lowercase));
        let matches = |word: &Word| {
            texts.iter().flatten().any(|text| match word {
                Word::Substring(part) => {
                    spend(1 + part.len() + text.len() / 4).is_some() && text.contains(part.as_str())
                }
                Word::Whole(glob) => glob.matches(text),
            })
        };
        self.0.iter().all(matches)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_words_of_a_search_must_match() {
        for (search, is_match) in [
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
                Search::new(search).matches("web.status.2XX", Some("77 pid")),
                is_match,
                "{search:?}"
            );
        }
        assert!(Search::new("{a=\"[").matches("http{a=\"[\"}", None));
        assert!(!Search::new("77").matches("web", None));
        assert!(Search::new("").matches("anything", None));
        assert!(Search::new(" STATUS  2x").matches("web.Status.2XX", None));
        assert!(!Search::new(" STATUS  2x").matches("web.status.4XX", None));
    }

    #[test]
    fn a_word_with_a_star_must_match_the_whole_label() {
        for (search, is_match) in [
            ("web.*", true),
            ("*2xx", true),
            ("WEB.*.?xx", true),
            ("*[0-9]xx stat", true),
            ("stat*", false),
            ("web.*.4xx", false),
            ("[*", false),
        ] {
            assert_eq!(Search::new(search).matches("web.status.2XX", None), is_match, "{search}");
        }
    }
}
