//! How wide columns are on a terminal.

/// Between two columns.
const GAP: usize = 2;
/// A number for people fits, and most of its changes.
const NARROW: usize = 6;
/// Names are not cut to less.
const READABLE: usize = 8;

/// The columns' widths.
#[derive(Default)]
pub(super) struct Widths {
    widths: Vec<usize>,
    /// Columns for which there is no room.
    left_out: usize,
    /// Characters that are left on the right.
    spare: usize,
}

impl Widths {
    pub(super) fn all(&self) -> &[usize] {
        &self.widths
    }

    pub(super) fn spare(&self) -> usize {
        self.spare
    }

    /// These, whatever room there is.
    pub(super) fn set(&mut self, widths: impl Iterator<Item = usize>) {
        *self = Widths { widths: widths.collect(), left_out: 0, spare: 0 };
    }

    /// Whether values of these lengths fit into the columns that are shown.
    pub(super) fn have_room(&self, lengths: &[usize]) -> bool {
        self.widths.iter().zip(lengths).all(|(width, length)| length <= width)
    }

    /// Makes columns as wide as they like to be, else narrower, and leaves out those on the right
    /// that still do not fit. Each has the length of a value, and to how much that can be cut (0 if
    /// it cannot). They do not become narrower than they were.
    pub(super) fn fit(&mut self, names: &[String], needed: &[(usize, usize)], room: usize) {
        let before = |at: usize| self.widths.get(at).copied().unwrap_or(0);
        let columns: Vec<(usize, usize)> = names
            .iter()
            .zip(needed)
            .enumerate()
            .map(|(at, (name, (value, cut)))| {
                let least = if *cut > 0 { (*value).min(*cut) } else { *value }.max(NARROW);
                (least, length(name).max(*value).max(before(at)).max(least))
            })
            .collect();
        let total = |limit: usize, count: usize| -> usize {
            columns[..count]
                .iter()
                .map(|(least, liked)| (*liked).min(limit).max(*least) + GAP)
                .sum::<usize>()
                .saturating_sub(GAP)
        };
        // What does not fit at its narrowest does not fit at all, so there is no need to try all
        // widths of all columns, of which there may be thousands.
        let is_room_for_all = total(READABLE, columns.len()) <= room;
        let left = if is_room_for_all {
            room
        } else {
            room.saturating_sub(GAP + note(columns.len()).len())
        };
        let fitting =
            (1..=columns.len()).take_while(|count| total(READABLE, *count) <= left).last();
        // The first one is always there.
        let count = fitting.unwrap_or(columns.len().min(1));
        let longest =
            columns[..count].iter().map(|(_, liked)| *liked).max().unwrap_or(0).max(READABLE);
        let limit = (READABLE..=longest)
            .rev()
            .find(|limit| total(*limit, count) <= left)
            .unwrap_or(READABLE);
        self.spare = room.saturating_sub(total(limit, count));
        self.left_out = columns.len() - count;
        self.widths =
            columns[..count].iter().map(|(least, liked)| (*liked).min(limit).max(*least)).collect();
    }

    /// What to say of columns that do not fit.
    pub(super) fn left_out(&self) -> Option<String> {
        (self.left_out > 0).then(|| note(self.left_out))
    }
}

fn note(count: usize) -> String {
    format!("(+{count} do not fit)")
}

/// How many characters there are.
pub(super) fn length(text: &str) -> usize {
    text.chars().count()
}

/// The end of a text that is too long: it is there that labels and paths differ.
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
        (widths.all().to_vec(), widths.left_out())
    }

    #[test]
    fn columns_are_as_wide_as_they_like_if_there_is_room() {
        assert_eq!(fit(&["status.2XX", "x"], &[3, 9], 80), (vec![10, 9], None));
    }

    #[test]
    fn names_are_cut_before_columns_are_left_out() {
        assert_eq!(fit(&["a.rather.long.name", "x"], &[3, 9], 23), (vec![12, 9], None));
        assert_eq!(elided("a.rather.long.name", 12), "…r.long.name");
    }

    #[test]
    fn columns_that_do_not_fit_are_counted() {
        assert_eq!(
            fit(&["aaaaaaaaa"; 10], &[6; 10], 60),
            (vec![9; 4], Some("(+6 do not fit)".to_owned()))
        );
        // The first one is always there.
        assert_eq!(
            fit(&["aaaaaaaaa"; 3], &[6; 3], 1),
            (vec![8], Some("(+2 do not fit)".to_owned()))
        );
        assert_eq!(fit(&[], &[], 1), (vec![], None));
    }
}
