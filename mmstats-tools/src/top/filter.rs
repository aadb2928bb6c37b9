//! Which rows are shown, by words that are typed.

use glob::Pattern;

use crate::labels;

/// Words that a row has to hold, all of them; capital letters do not matter.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    words: Vec<Word>,
}

#[derive(Clone, Debug)]
enum Word {
    /// Somewhere in the text.
    Part(String),
    /// The whole text.
    Whole(Pattern),
}

impl Filter {
    /// The filter that this text means. It always means one: what is no pattern is looked for as it
    /// is.
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

    /// Whether all words are in the label or the name of its group.
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
    fn all_words_have_to_be_there() {
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
