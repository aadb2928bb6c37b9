//! The latest values of a quantity.

use std::collections::VecDeque;

use super::HISTORY_SCRAPES;

/// The last [`HISTORY_SCRAPES`] values, the oldest first.
#[derive(Clone, Debug)]
pub(crate) struct History<T>(VecDeque<T>);

impl<T: Copy> History<T> {
    pub(crate) const fn new() -> Self {
        History(VecDeque::new())
    }

    pub(crate) fn push(&mut self, value: T) {
        if self.0.len() == HISTORY_SCRAPES {
            self.0.pop_front();
        }
        self.0.push_back(value);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = T> + ExactSizeIterator + '_ {
        self.0.iter().copied()
    }

    /// Returns the latest values, at most this many, the oldest first.
    pub(crate) fn last(&self, count: usize) -> impl Iterator<Item = T> + '_ {
        self.iter().skip(self.len().saturating_sub(count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_are_forgotten() {
        let mut history = History::new();
        (0..HISTORY_SCRAPES + 10).for_each(|value| history.push(value));
        assert_eq!((history.len(), history.iter().next()), (HISTORY_SCRAPES, Some(10)));
        assert_eq!(history.last(2).collect::<Vec<_>>(), [HISTORY_SCRAPES + 8, HISTORY_SCRAPES + 9]);
    }
}
