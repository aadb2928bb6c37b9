//! What the words behind `-f` are, before the rest of the command line is looked at.
//!
//! The original took all words behind `-f` for filters, up to the next option: `pollstats FIELDS
//! FILE -f a b` has two. In `pollstats -f a FIELDS FILE` that left no FIELDS and failed. So they
//! are all filters if two other words remain elsewhere, which can be FIELDS and a FILE; else only
//! the first is.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use clap::Command;

const FILTER: &str = "filter";

/// A word's part in the command line.
enum Word {
    /// No option, nor what belongs to one.
    Positional,
    /// `--`: none behind it is an option.
    End,
    /// An option that needs no further word.
    Option,
    /// An option whose value is the next word.
    Before,
    /// `-f`, with letters before it that are options, too, or `--filter`, without a value in the
    /// same word.
    Filter(OsString),
}

/// Writes the filters in `words` (of which the first is the command's name) each as an option of
/// its own.
pub(super) fn separate_filters(words: Vec<OsString>, command: &Command) -> Vec<OsString> {
    let mut words = words.into_iter().peekable();
    let mut separated: Vec<Vec<OsString>> = Vec::new();
    // Behind which options there are filters, and how many words that could be.
    let mut filters: Vec<(usize, Vec<OsString>)> = Vec::new();
    let mut others = 0;
    separated.extend(words.next().map(|name| vec![name]));
    while let Some(word) = words.next() {
        match classify(&word, command) {
            Word::Positional => {
                others += 1;
                separated.push(vec![word]);
            }
            Word::Option => separated.push(vec![word]),
            Word::Before => separated.push([word].into_iter().chain(words.next()).collect()),
            Word::Filter(before) => {
                let mut behind = Vec::new();
                while let Some(word) =
                    words.next_if(|word| matches!(classify(word, command), Word::Positional))
                {
                    behind.push(word);
                }
                separated.push(if before.is_empty() { Vec::new() } else { vec![before] });
                filters.push((separated.len() - 1, behind));
            }
            Word::End => {
                let rest: Vec<_> = words.by_ref().collect();
                others += rest.len();
                separated.push([word].into_iter().chain(rest).collect());
            }
        }
    }
    for (at, behind) in filters {
        let count = if others >= 2 { behind.len() } else { 1 };
        for (index, word) in behind.into_iter().enumerate() {
            separated[at].push(if index < count { as_filter(&word) } else { word });
        }
    }
    separated.concat()
}

fn as_filter(word: &OsStr) -> OsString {
    let mut option = OsString::from("--filter=");
    option.push(word);
    option
}

fn classify(word: &OsStr, command: &Command) -> Word {
    match word.as_bytes() {
        b"--" => Word::End,
        [b'-', b'-', long @ ..] => classify_long(long, command),
        [b'-', _, ..] => classify_short(word, command),
        _ => Word::Positional,
    }
}

fn classify_long(name: &[u8], command: &Command) -> Word {
    if name.contains(&b'=') {
        return Word::Option;
    }
    let longs =
        || command.get_arguments().filter_map(|argument| Some((argument.get_long()?, argument)));
    let exact = longs().find(|(long, _)| long.as_bytes() == name);
    // As long as it is clear which one is meant, a beginning is enough.
    let mut begun = longs().filter(|(long, _)| long.as_bytes().starts_with(name));
    let found = exact.or_else(|| begun.next().filter(|_| begun.next().is_none()));
    match found {
        Some((FILTER, _)) => Word::Filter(OsString::new()),
        Some((_, argument)) if argument.get_action().takes_values() => Word::Before,
        _ => Word::Option,
    }
}

/// Options of one letter, which can stand together; one that takes a value ends them.
fn classify_short(word: &OsStr, command: &Command) -> Word {
    let Some(letters) = word.to_str() else { return Word::Option };
    for (at, letter) in letters.char_indices().skip(1) {
        let Some(argument) =
            command.get_arguments().find(|argument| argument.get_short() == Some(letter))
        else {
            continue;
        };
        if !argument.get_action().takes_values() {
            continue;
        }
        return match argument.get_long() {
            _ if at + letter.len_utf8() < letters.len() => Word::Option,
            Some(FILTER) if at == 1 => Word::Filter(OsString::new()),
            Some(FILTER) => Word::Filter(letters[..at].into()),
            _ => Word::Before,
        };
    }
    Word::Option
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::poll::Options;
    use clap::{CommandFactory, Parser};

    /// The filters, the fields, and the files.
    fn understood(line: &str) -> (String, String, String) {
        let words =
            ["pollstats"].into_iter().chain(line.split_whitespace()).map(OsString::from).collect();
        let options = Options::try_parse_from(separate_filters(words, &Options::command()))
            .unwrap_or_else(|error| panic!("{line}: {error}"));
        let files: Vec<_> =
            options.selection.files.iter().map(|file| file.to_str().unwrap()).collect();
        (options.filter.join(" "), options.fields.0.join(","), files.join(" "))
    }

    #[test]
    fn lines_that_the_original_took_mean_the_same() {
        for line in [
            "FIELDS FILE -f a b",
            "FIELDS FILE --filter a b",
            "FIELDS FILE --filt a b",
            "-f a b -p x. FIELDS FILE",
            "-f a b -v FIELDS FILE",
            "-vf a b -c1 FIELDS FILE",
            "-p x. -f a b -- FIELDS FILE",
            "-c 1 -d 2 -n 3 FIELDS FILE -p x -f a b -v",
            "--pre x --cou 1 FIELDS FILE -f a b",
        ] {
            assert_eq!(understood(line), ("a b".into(), "FIELDS".into(), "FILE".into()), "{line}");
        }
        assert_eq!(understood("F 1 -f a b 2"), ("a b 2".into(), "F".into(), "1".into()));
        for line in [
            "FIELDS FILE -f a",
            "FIELDS FILE -fa",
            "FIELDS FILE -f=a",
            "-f=a FIELDS FILE",
            "--filter=a FIELDS FILE",
            "-f a -c 1 FIELDS FILE",
        ] {
            assert_eq!(understood(line), ("a".into(), "FIELDS".into(), "FILE".into()), "{line}");
        }
        for line in ["FIELDS FILE -f", "FIELDS FILE -f -v", "-f -- FIELDS FILE", "FIELDS FILE -vf"]
        {
            assert_eq!(understood(line), (String::new(), "FIELDS".into(), "FILE".into()), "{line}");
        }
    }

    #[test]
    fn lines_that_the_original_refused_mean_what_was_wanted() {
        for line in [
            "-f a FIELDS FILE",
            "FIELDS -f a FILE",
            "-p x -f a FIELDS FILE",
            "-f a -- FIELDS FILE",
            "-vf a FIELDS FILE",
            "-f a FIELDS -c 1 FILE",
        ] {
            assert_eq!(understood(line), ("a".into(), "FIELDS".into(), "FILE".into()), "{line}");
        }
        assert_eq!(understood("-f a FIELDS"), ("a".into(), "FIELDS".into(), String::new()));
        assert_eq!(
            understood("-f a -f b FIELDS 1 2"),
            ("a b".into(), "FIELDS".into(), "1 2".into())
        );
        assert_eq!(understood("FIELDS -f a 1 2"), ("a".into(), "FIELDS".into(), "1 2".into()));
    }

    #[test]
    fn values_of_other_options_are_not_counted() {
        assert_eq!(
            understood("--by pid --agg max -f a FIELDS 1"),
            ("a".into(), "FIELDS".into(), "1".into())
        );
        assert_eq!(understood("--at 64 -yf a FIELDS 1"), ("a".into(), "FIELDS".into(), "1".into()));
    }
}
