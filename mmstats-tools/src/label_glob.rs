//! The patterns of labels, with a limit on the work of matching them.

use std::cell::Cell;

use glob::{Pattern, PatternError};

/// A pattern for a whole text: `*` matches any text, `?` any character, `[…]` one of several.
///
/// It means the same as a [`Pattern`], which compares the pattern from each character of a text on
/// and, in paths, tries all ways to place the stars. This one searches for literal parts, and its
/// time is at most proportional to both lengths.
#[derive(Clone, Debug)]
pub struct Glob {
    text: String,
    tokens: Vec<Token>,
}

#[derive(Clone, Debug)]
enum Token {
    AnyText,
    AnyChar,
    Literal(String),
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
        self.match_all(text, |_| true).is_some()
    }

    /// Like [`Glob::matches`], but only a slash in the pattern matches one.
    #[must_use]
    #[cfg(any(feature = "web", test))]
    pub(crate) fn matches_path(&self, path: &str) -> bool {
        self.match_all(path, |part| !part.contains('/')).is_some()
    }

    /// Returns `None` if it does not match. `is_wild` says which texts a star matches.
    fn match_all(&self, mut text: &str, is_wild: impl Fn(&str) -> bool) -> Option<()> {
        let mut tokens = &self.tokens[..];
        // What follows the last star, and where this was last tried. Earlier stars need not match
        // more: that would leave less text for the last one.
        let mut last_star: Option<(&[Token], &str)> = None;
        loop {
            let next = first_char(text);
            let (matched, steps) = match tokens.first() {
                None if text.is_empty() => return Some(()),
                None | Some(Token::AnyText) => (None, 1),
                Some(Token::Literal(literal)) => {
                    (text.starts_with(literal).then_some(literal.len()), 1 + literal.len() / 4)
                }
                Some(_) if text.is_empty() => return None,
                Some(Token::AnyChar) => (is_wild(next).then_some(next.len()), 1),
                Some(Token::Class(class)) => {
                    let is_match = class.matches(next) && is_wild(next);
                    (is_match.then_some(next.len()), class.as_str().len())
                }
            };
            spend(steps)?;
            if let Some(matched) = matched {
                (tokens, text) = (&tokens[1..], &text[matched..]);
                continue;
            }
            let (after, from) = if let Some((Token::AnyText, after)) = tokens.split_first() {
                (after, text)
            } else {
                // The star matches another character.
                let (after, from) = last_star?;
                let next = Some(first_char(from)).filter(|next| !next.is_empty() && is_wild(next));
                (after, &from[next?.len()..])
            };
            let skipped = match after {
                [Token::Literal(end)] => from.strip_suffix(end)?.len(),
                [Token::Literal(literal), ..] => {
                    spend(literal.len())?;
                    from.find(literal)?
                }
                _ => 0,
            };
            spend(skipped / 4)?;
            let (skipped, from) = from.split_at(skipped);
            if !is_wild(skipped) {
                return None;
            }
            (tokens, text, last_star) = (after, from, Some((after, from)));
        }
    }
}

/// Returns the first character of a text, which is empty at its end.
fn first_char(text: &str) -> &str {
    &text[..text.chars().next().map_or(0, char::len_utf8)]
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
    while !pattern.is_empty() {
        let mut bytes = 1;
        tokens.push(match pattern.as_bytes()[0] {
            b'*' => Token::AnyText,
            b'?' => Token::AnyChar,
            b'[' => {
                let start = if pattern.starts_with("[!") { 2 } else { 1 };
                // The first character may be a bracket itself.
                let end = pattern.char_indices().skip(start + 1).find(|(_, next)| *next == ']');
                bytes = end.map_or(pattern.len(), |(at, _)| at + 1);
                Token::Class(Pattern::new(&pattern[..bytes])?)
            }
            _ => {
                bytes = pattern.find(['*', '?', '[']).unwrap_or(pattern.len());
                Token::Literal(pattern[..bytes].to_owned())
            }
        });
        pattern = &pattern[bytes..];
    }
    Ok(tokens)
}

thread_local! {
    /// How many comparisons this thread may still make.
    static STEPS: Cell<u64> = const { Cell::new(u64::MAX) };
}

/// Takes comparisons from the limit of this thread. Returns `None`, from then on, if none are left.
pub(crate) fn spend(steps: usize) -> Option<()> {
    let left = STEPS.get().saturating_sub(steps as u64);
    STEPS.set(left);
    (left > 0).then_some(())
}

/// Runs a job that may make fewer than this many comparisons of characters with patterns. If it
/// makes more, nothing matches and the result is `None`.
#[cfg(any(feature = "web", test))]
pub(crate) fn limit_steps<T>(steps: u64, job: impl FnOnce() -> T) -> Option<T> {
    STEPS.set(steps);
    let result = job();
    (STEPS.replace(u64::MAX) > 0).then_some(result)
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

    fn matches(globs: &[Glob], label: &str) -> bool {
        globs.iter().any(|glob| glob.matches(label))
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
        let label = "a".repeat(100);
        for pattern in ["*a".repeat(90) + "b", "*a?".repeat(30) + "b", format!("*?{label}")] {
            let globs = [parse(&pattern).unwrap()];
            let steps = 4 * (pattern.len() * label.len()) as u64;
            assert_eq!(limit_steps(steps, || matches(&globs, &label)), Some(false), "{pattern}");
        }
    }

    #[test]
    fn nothing_matches_after_too_many_steps() {
        let globs = [parse("*?b").unwrap(), parse("*?a").unwrap()];
        let label = "a".repeat(1000);
        assert_eq!(limit_steps(9000, || matches(&globs, &label)), Some(true));
        assert_eq!(limit_steps(1500, || matches(&globs, &label)), None);
        assert!(matches(&globs, &label), "the limit is that of one job");
    }

    #[test]
    fn an_error_names_the_position() {
        assert!(parse("status.[").unwrap_err().contains("at character 8"));
    }
}
