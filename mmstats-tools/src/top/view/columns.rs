//! The widths of the columns of the table.

/// The width before the label: the mark of dead writers, and a space.
pub(super) const MARK_WIDTH: u16 = 2;

/// The widths of the columns; 0 hides one. They are separated by a space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ColumnWidths {
    pub(super) label: u16,
    pub(super) value: u16,
    pub(super) unit: u16,
    pub(super) rate: u16,
    pub(super) trend: u16,
}

impl ColumnWidths {
    /// Divides a width, for labels of up to `longest` characters.
    pub(super) fn new(width: u16, longest: usize, is_raw: bool) -> Self {
        let (value, rate) = if is_raw { (20, 12) } else { (11, 9) };
        let mut columns = ColumnWidths { label: 0, value, unit: 0, rate: 0, trend: 0 };
        let mut rest = width.saturating_sub(MARK_WIDTH + value + 1);
        if width >= 50 {
            columns.rate = rate;
            rest -= rate + 1;
        }
        if width >= 110 {
            columns.unit = 12;
            rest -= columns.unit + 1;
        }
        let longest = u16::try_from(longest).unwrap_or(u16::MAX);
        if width >= 60 {
            // Labels get what they need, but leave two fifths to the trend.
            let max = rest - (rest * 2 / 5).max(if is_raw { 12 } else { 22 }) - 1;
            columns.label = longest.clamp(20.min(max), max);
            columns.trend =
                (rest - columns.label - 1).min(super::super::model::HISTORY_SCRAPES as u16);
            rest -= columns.trend + 1;
        }
        columns.label = rest;
        columns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_fill_every_width() {
        for width in 20..500 {
            for longest in [0, 10, 33, 80, 70_000] {
                for is_raw in [false, true] {
                    if is_raw && width < 24 {
                        continue;
                    }
                    let ColumnWidths { label, value, unit, rate, trend } =
                        ColumnWidths::new(width, longest, is_raw);
                    let others: u16 = [unit, rate, trend]
                        .iter()
                        .filter(|column| **column > 0)
                        .map(|column| column + 1)
                        .sum();
                    assert_eq!(
                        MARK_WIDTH + label + 1 + value + others,
                        width,
                        "{width} {longest} {is_raw}"
                    );
                }
            }
        }
    }

    #[test]
    fn at_80_columns_there_is_room_for_everything() {
        assert_eq!(
            ColumnWidths::new(80, 50, false),
            ColumnWidths { label: 33, value: 11, unit: 0, rate: 9, trend: 22 }
        );
        assert_eq!(
            ColumnWidths::new(80, 25, false),
            ColumnWidths { label: 25, value: 11, unit: 0, rate: 9, trend: 30 }
        );
    }
}
