//! Selects fields by their labels.

use crate::label_glob::{Glob, parse};

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
