//! The widths of columns on a terminal.

/// Spaces between two columns.
const GAP: usize = 2;
/// Most short numbers fit, so that columns rarely change their width.
const MIN_COLUMN_WIDTH: usize = 6;
/// Names are not shortened further.
const MIN_NAME_WIDTH: usize = 8;

/// The widths of all columns.
#[derive(Default)]
pub(super) struct Widths {
    widths: Vec<usize>,
    /// The number of columns that do not fit.
    omitted: usize,
    /// Unused characters on the right.
    spare: usize,
}

impl Widths {
    pub(super) fn all(&self) -> &[usize] {
        &self.widths
    }

    pub(super) fn spare(&self) -> usize {
        self.spare
    }

    /// Sets widths regardless of the terminal.
    pub(super) fn set(&mut self, widths: impl Iterator<Item = usize>) {
        *self = Widths { widths: widths.collect(), omitted: 0, spare: 0 };
    }

    /// Returns `true` if values of these lengths fit into the visible columns.
    pub(super) fn fit_all(&self, lengths: &[usize]) -> bool {
        self.widths.iter().zip(lengths).all(|(width, length)| length <= width)
    }

    /// Gives columns the width of their names and values if there is room, else less, and omits
    /// columns on the right that do not fit even then. `needed` has the length of each value, and
    /// the length that it may be shortened to (0: not at all). Columns never become narrower.
    pub(super) fn fit(&mut self, names: &[String], needed: &[(usize, usize)], room: usize) {
        let before = |at: usize| self.widths.get(at).copied().unwrap_or(0);
        let columns: Vec<(usize, usize)> = names
            .iter()
            .zip(needed)
            .enumerate()
            .map(|(at, (name, (value, cut)))| {
                let minimum =
                    if *cut > 0 { (*value).min(*cut) } else { *value }.max(MIN_COLUMN_WIDTH);
                (minimum, length(name).max(*value).max(before(at)).max(minimum))
            })
            .collect();
        let total = |limit: usize, count: usize| -> usize {
            columns[..count]
                .iter()
                .map(|(minimum, preferred)| (*preferred).min(limit).max(*minimum) + GAP)
                .sum::<usize>()
                .saturating_sub(GAP)
        };
        // Checks the smallest widths first: there may be thousands of columns, too many to try all
        // widths.
        let is_room_for_all = total(MIN_NAME_WIDTH, columns.len()) <= room;
        let available = if is_room_for_all {
            room
        } else {
            room.saturating_sub(GAP + note(columns.len()).len())
        };
        let fitting = (1..=columns.len())
            .take_while(|count| total(MIN_NAME_WIDTH, *count) <= available)
            .last();
        // The first column is always shown.
        let count = fitting.unwrap_or(columns.len().min(1));
        let longest = columns[..count]
            .iter()
            .map(|(_, preferred)| *preferred)
            .max()
            .unwrap_or(0)
            .max(MIN_NAME_WIDTH);
        let limit = (MIN_NAME_WIDTH..=longest)
            .rev()
            .find(|limit| total(*limit, count) <= available)
            .unwrap_or(MIN_NAME_WIDTH);
        self.spare = room.saturating_sub(total(limit, count));
        self.omitted = columns.len() - count;
        self.widths = columns[..count]
            .iter()
            .map(|(minimum, preferred)| (*preferred).min(limit).max(*minimum))
            .collect();
    }

    /// Returns a note about columns that do not fit.
    pub(super) fn omitted_note(&self) -> Option<String> {
        (self.omitted > 0).then(|| note(self.omitted))
    }
}

fn note(count: usize) -> String {
    format!("(+{count} do not fit)")
}

/// Returns the number of characters.
pub(super) fn length(text: &str) -> usize {
    text.chars().count()
}

/// Shortens a text that is too long to its end, where labels and paths differ.
pub(super) fn elided(text: &str, width: usize) -> String {
    match length(text).checked_sub(width) {
        None | Some(0) => text.to_owned(),
        Some(over) => std::iter::once('…').chain(text.chars().skip(over + 1)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(names: &[&str], values: &[usize], room: usize) -> (Vec<usize>, Option<String>) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let needed: Vec<_> = values.iter().map(|value| (*value, 0)).collect();
        let mut widths = Widths::default();
        widths.fit(&names, &needed, room);
        (widths.all().to_vec(), widths.omitted_note())
    }

    #[test]
    fn columns_have_their_preferred_width_if_there_is_room() {
        assert_eq!(fit(&["status.2XX", "x"], &[3, 9], 80), (vec![10, 9], None));
    }

    #[test]
    fn names_are_shortened_before_columns_are_omitted() {
        assert_eq!(fit(&["a.rather.long.name", "x"], &[3, 9], 23), (vec![12, 9], None));
        assert_eq!(elided("a.rather.long.name", 12), "…r.long.name");
    }

    #[test]
    fn columns_that_do_not_fit_are_counted() {
        assert_eq!(
            fit(&["aaaaaaaaa"; 10], &[6; 10], 60),
            (vec![9; 4], Some("(+6 do not fit)".to_owned()))
        );
        // The first column is always shown.
        assert_eq!(
            fit(&["aaaaaaaaa"; 3], &[6; 3], 1),
            (vec![8], Some("(+2 do not fit)".to_owned()))
        );
        assert_eq!(fit(&[], &[], 1), (vec![], None));
    }
}
