//! Selects fields by their labels.

use std::cell::Cell;
use std::str::Chars;

use glob::{Pattern, PatternError};

// The docs of the fields are printed as help.
/// A label filter: accepts labels that match any of `include` (all if it is empty) and none of
/// `exclude`.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Labels {
    /// Only fields whose whole label matches; * ? [abc] match any text, any character, one of
    /// these. Can be repeated.
    #[arg(short = 'f', long = "filter", value_name = "GLOB", value_parser = parse)]
    pub include: Vec<Glob>,

    /// Exclude fields whose whole label matches; wins over --filter. Can be repeated.
    #[arg(short = 'x', long, value_name = "GLOB", value_parser = parse)]
    pub exclude: Vec<Glob>,
}

impl Labels {
    /// Returns `true` if the filter accepts this label.
    #[must_use]
    pub fn accept(&self, label: &str) -> bool {
        (self.include.is_empty() || matches(&self.include, label)) && !matches(&self.exclude, label)
    }
}

fn matches(globs: &[Glob], label: &str) -> bool {
    globs.iter().any(|glob| glob.matches(label))
}

/// A pattern for a whole text: `*` matches any text, `?` any character, `[…]` one of several.
///
/// It means the same as a [`Pattern`], whose time grows with a power of the length of the text: the
/// number of stars. The time of this one is at most proportional to both lengths.
#[derive(Clone, Debug)]
pub struct Glob {
    text: String,
    tokens: Vec<Token>,
}

#[derive(Clone, Debug)]
enum Token {
    AnyText,
    AnyChar,
    Char(char),
    /// Brackets, as a pattern of their own.
    Class(Pattern),
}

impl Glob {
    /// Returns the pattern as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns `true` if it matches the whole text.
    #[must_use]
    pub(crate) fn matches(&self, text: &str) -> bool {
        self.matches_all(text.chars(), |_| true)
    }

    /// Like [`Glob::matches`], but only a slash in the pattern matches one.
    #[must_use]
    #[cfg(feature = "web")]
    pub(crate) fn matches_path(&self, path: &str) -> bool {
        self.matches_all(path.chars(), |character| character != '/')
    }

    fn matches_all(&self, mut text: Chars<'_>, is_wild: impl Fn(char) -> bool) -> bool {
        let mut tokens = &self.tokens[..];
        // What follows the last star, and the text that this has not been compared with. Earlier
        // stars need not match more: that would leave less text for the last one.
        let mut retry: Option<(&[Token], Chars<'_>)> = None;
        loop {
            let mut rest = text.clone();
            let (is_match, steps) = match (tokens.first(), rest.next()) {
                (None, None) => return true,
                (Some(Token::AnyText), _) => {
                    tokens = &tokens[1..];
                    retry = Some((tokens, text.clone()));
                    continue;
                }
                (Some(_), None) => return false,
                (None, Some(_)) => (false, 1),
                (Some(Token::Char(wanted)), Some(found)) => (*wanted == found, 1),
                (Some(Token::Class(class)), Some(found)) => {
                    let is_one = class.matches(found.encode_utf8(&mut [0; 4]));
                    (is_one && is_wild(found), class.as_str().len())
                }
                (Some(Token::AnyChar), Some(found)) => (is_wild(found), 1),
            };
            if !spend(steps) {
                return false;
            }
            if is_match {
                (tokens, text) = (&tokens[1..], rest);
                continue;
            }
            let Some((after_star, from)) = &mut retry else { return false };
            if !from.next().is_some_and(&is_wild) {
                return false;
            }
            (tokens, text) = (after_star, from.clone());
        }
    }
}

thread_local! {
    /// How many comparisons this thread may still make.
    static STEPS: Cell<u64> = const { Cell::new(u64::MAX) };
}

/// Takes comparisons from the limit of this thread. Returns `false`, from then on, if it has no
/// more.
pub(crate) fn spend(steps: usize) -> bool {
    let left = STEPS.get().saturating_sub(steps as u64);
    STEPS.set(left);
    left > 0
}

/// Runs a job that may make fewer than this many comparisons of characters with patterns. If it
/// makes more, nothing matches and the result is `None`.
#[cfg(feature = "web")]
pub(crate) fn limit_steps<T>(steps: u64, job: impl FnOnce() -> T) -> Option<T> {
    STEPS.set(steps);
    let result = job();
    (STEPS.replace(u64::MAX) > 0).then_some(result)
}

/// Parses a label pattern. Braces match themselves, as they are common in labels.
///
/// # Errors
/// If the syntax is invalid.
pub(crate) fn parse(pattern: &str) -> Result<Glob, String> {
    // `glob` treats `**` as a path component; labels are not paths.
    let mut single = String::with_capacity(pattern.len());
    for character in pattern.chars() {
        if character != '*' || !single.ends_with('*') {
            single.push(character);
        }
    }
    let tokens = Pattern::new(&single).and_then(|_| tokens(&single)).map_err(|error| {
        format!(
            "{} at character {}; * ? [abc] [!abc] can be used, and [*] for the character itself",
            error.msg,
            error.pos + 1
        )
    })?;
    Ok(Glob { text: single, tokens })
}

/// Splits a valid pattern.
fn tokens(mut pattern: &str) -> Result<Vec<Token>, PatternError> {
    let mut tokens = Vec::new();
    while let Some(first) = pattern.chars().next() {
        let mut bytes = first.len_utf8();
        tokens.push(match first {
            '*' => Token::AnyText,
            '?' => Token::AnyChar,
            '[' => {
                let start = if pattern.starts_with("[!") { 2 } else { 1 };
                // The first character may be a bracket itself.
                let end = pattern.char_indices().skip(start + 1).find(|(_, next)| *next == ']');
                bytes = end.map_or(pattern.len(), |(at, _)| at + 1);
                Token::Class(Pattern::new(&pattern[..bytes])?)
            }
            other => Token::Char(other),
        });
        pattern = &pattern[bytes..];
    }
    Ok(tokens)
}

/// Lifts the limit of the current job.
#[cfg(feature = "web")]
pub(crate) fn lift_limit() {
    STEPS.set(u64::MAX);
}

#[cfg(test)]
mod tests {
    use super::*;
    use glob::MatchOptions;

    fn labels(include: &[&str], exclude: &[&str]) -> Labels {
        let all =
            |patterns: &[&str]| patterns.iter().map(|pattern| parse(pattern).unwrap()).collect();
        Labels { include: all(include), exclude: all(exclude) }
    }

    #[test]
    fn excluded_labels_are_rejected_even_if_included() {
        let wanted = labels(&["web.*", "sys.pid"], &["*.5XX"]);
        for (label, accepted) in [
            ("web.status.2XX", true),
            ("web.status.5XX", false),
            ("sys.pid", true),
            ("sys.pid2", false),
            ("other", false),
        ] {
            assert_eq!(wanted.accept(label), accepted, "{label}");
        }
    }

    #[test]
    fn an_empty_filter_accepts_everything() {
        assert!(labels(&[], &[]).accept("anything"));
        assert!(!labels(&[], &["any*"]).accept("anything"));
    }

    #[test]
    fn braces_and_slashes_match_themselves() {
        assert!(
            labels(&["http{method=\"GET\",*"], &[]).accept("http{method=\"GET\",path=\"/a/b\"}")
        );
        assert!(labels(&["http**"], &[]).accept("http/.hidden"));
        assert!(!labels(&["http{a,b}"], &[]).accept("httpa"));
    }

    /// Returns all texts of up to this many of these characters.
    fn texts(characters: &str, length: usize) -> Vec<String> {
        let mut all = vec![String::new()];
        let mut from = 0;
        for _ in 0..length {
            let longer = all[from..]
                .iter()
                .flat_map(|text| characters.chars().map(move |next| format!("{text}{next}")));
            let longer: Vec<String> = longer.collect();
            from = all.len();
            all.extend(longer);
        }
        all
    }

    #[test]
    fn a_glob_matches_as_a_pattern_of_the_crate() {
        let by_parts = MatchOptions {
            case_sensitive: true,
            require_literal_separator: true,
            require_literal_leading_dot: false,
        };
        let patterns = [texts("a/*?[]!", 5), texts("aé-[]!", 6), texts("ab*", 7)].concat();
        for (pattern, glob) in patterns.iter().filter_map(|text| {
            let pattern = Pattern::new(text).ok().filter(|_| !text.contains("**"))?;
            Some((pattern, parse(text).unwrap()))
        }) {
            let alphabet = if pattern.as_str().contains(['é', '-']) { "aé]" } else { "ab/]" };
            for text in texts(alphabet, 4) {
                assert_eq!(
                    (glob.matches(&text), glob.matches_path(&text)),
                    (pattern.matches(&text), pattern.matches_with(&text, by_parts)),
                    "{pattern} {text}"
                );
            }
        }
    }

    #[test]
    fn the_steps_of_a_match_are_bounded_by_both_lengths() {
        let (globs, label) = ([parse(&"*a".repeat(100)).unwrap()], "a".repeat(99) + "b");
        assert_eq!(limit_steps(100 * 200, || matches(&globs, &label)), Some(false));
    }

    #[test]
    fn nothing_matches_after_too_many_steps() {
        let globs = [parse("*b").unwrap(), parse("*a").unwrap()];
        let label = "a".repeat(1000);
        assert_eq!(limit_steps(3000, || matches(&globs, &label)), Some(true));
        assert_eq!(limit_steps(1500, || matches(&globs, &label)), None);
        assert!(matches(&globs, &label), "the limit is that of one job");
    }

    #[test]
    fn an_error_names_the_position() {
        assert!(parse("status.[").unwrap_err().contains("at character 8"));
    }
}
