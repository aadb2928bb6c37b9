//! The settings of the table that users change.

use std::collections::HashSet;

use super::model::{Aggregation, Row, Scope};
use crate::options::top::{Grouping, Sort};
use crate::search::Search;

/// How rows are selected, sorted and formatted.
#[derive(Clone, Debug)]
pub(crate) struct ViewSettings {
    pub(crate) grouping: Grouping,
    pub(crate) sort: Sort,
    /// Whether the default order is reversed.
    pub(crate) is_reversed: bool,
    pub(crate) filter_text: String,
    pub(crate) filter: Search,
    pub(crate) visibility: Visibility,
    /// Whether numbers are shown as stored.
    pub(crate) is_raw: bool,
    pub(crate) aggregation: Aggregation,
    pub(crate) folds: Folds,
}

/// Which of the rows that match the filter are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Visibility {
    #[default]
    All,
    /// Rows that are not zero.
    NotZero,
    /// Rows that have changed.
    Changing,
}

/// Which groups are folded.
#[derive(Clone, Debug, Default)]
pub(crate) struct Folds {
    /// The state of groups that are not in `except`.
    all: bool,
    except: HashSet<String>,
}

impl Folds {
    pub(crate) fn is_folded(&self, group: &str) -> bool {
        self.all != self.except.contains(group)
    }

    pub(crate) fn set(&mut self, group: &str, folded: bool) {
        if folded == self.all {
            self.except.remove(group);
        } else {
            self.except.insert(group.to_owned());
        }
    }

    pub(crate) fn set_all(&mut self, folded: bool) {
        *self = Folds { all: folded, except: HashSet::new() };
    }
}

impl ViewSettings {
    pub(crate) fn new(grouping: Grouping, sort: Sort, filter: String, hide_zeros: bool) -> Self {
        ViewSettings {
            grouping,
            sort,
            is_reversed: false,
            filter: Search::new(&filter),
            filter_text: filter,
            visibility: if hide_zeros { Visibility::NotZero } else { Visibility::All },
            is_raw: false,
            aggregation: Aggregation::Auto,
            folds: Folds::default(),
        }
    }

    /// Returns the scope of the rows.
    pub(crate) fn scope(&self) -> Scope {
        match self.grouping {
            Grouping::File => Scope::File,
            Grouping::Process => Scope::Process,
            Grouping::None | Grouping::Prefix | Grouping::Dimension => Scope::All,
        }
    }

    pub(crate) fn accepts(&self, row: &Row) -> bool {
        let is_visible = match self.visibility {
            Visibility::All => true,
            Visibility::NotZero => !row.is_zero(),
            Visibility::Changing => row.has_changed,
        };
        is_visible && self.filter.matches(&row.label, row.group.as_deref())
    }

    /// Returns the number by which a row is sorted.
    pub(crate) fn sort_number(&self, row: &Row) -> Option<f64> {
        match self.sort {
            Sort::Name => None,
            Sort::Value => row.scaled(self.aggregation),
            Sort::Rate => row.scaled_rate(),
        }
    }

    pub(crate) fn set_filter(&mut self, text: String) {
        self.filter = Search::new(&text);
        self.filter_text = text;
    }

    pub(crate) fn group_by(&mut self, grouping: Grouping) {
        self.grouping = grouping;
        self.folds = Folds::default();
    }

    /// Sorts by this; reverses the order if it is already sorted by this.
    pub(crate) fn sort_by(&mut self, sort: Sort) {
        self.is_reversed = sort == self.sort && !self.is_reversed;
        self.sort = sort;
    }

    /// Returns `true` if the smallest number, or the first name, is first.
    pub(crate) fn is_ascending(&self) -> bool {
        (self.sort == Sort::Name) != self.is_reversed
    }
}

/// Returns the next or previous value, wrapping around.
pub(crate) fn cycle<T: Copy + PartialEq>(all: &[T], current: T, back: bool) -> T {
    let at = all.iter().position(|one| *one == current).unwrap_or(0);
    let step = if back { all.len() - 1 } else { 1 };
    all[(at + step) % all.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_folded_one_by_one_or_all_at_once() {
        let mut folds = Folds::default();
        folds.set("a", true);
        assert!(folds.is_folded("a") && !folds.is_folded("b"));
        folds.set_all(true);
        folds.set("b", false);
        assert!(folds.is_folded("a") && !folds.is_folded("b"));
        folds.set("b", true);
        folds.set_all(false);
        assert!(!folds.is_folded("a") && !folds.is_folded("b"));
    }

    #[test]
    fn sorting_again_reverses_the_order() {
        let mut settings = ViewSettings::new(Grouping::None, Sort::Name, String::new(), false);
        assert!(settings.is_ascending());
        settings.sort_by(Sort::Rate);
        assert!(!settings.is_ascending());
        settings.sort_by(Sort::Rate);
        assert!(settings.is_ascending());
        settings.sort_by(Sort::Name);
        assert!(settings.is_ascending());
    }

    #[test]
    fn cycling_wraps_around() {
        let all = [Sort::Name, Sort::Value, Sort::Rate];
        assert_eq!(cycle(&all, Sort::Rate, false), Sort::Name);
        assert_eq!(cycle(&all, Sort::Name, true), Sort::Rate);
    }
}
