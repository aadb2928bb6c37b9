//! Styles.
//!
//! Only the 16 colours of the terminal are used, on its own background, so that they suit light and
//! dark themes. No information is in colour alone.

use ratatui::style::{Color, Modifier, Style};

/// The styles of the parts of the screen.
pub(crate) struct Palette {
    pub(super) plain: Style,
    pub(super) title: Style,
    /// Headings of columns.
    pub(super) head: Style,
    pub(super) group: Style,
    pub(super) rate: Style,
    pub(super) trend: Style,
    /// Keys in the last line and in the help.
    pub(super) key: Style,
    /// Less important: units, explanations, dead writers.
    pub(super) note: Style,
    pub(super) error: Style,
    /// Settings that differ from the defaults: a pause, a filter.
    pub(super) notice: Style,
    pub(super) selected: Style,
}

impl Palette {
    pub(crate) fn new(colour: bool) -> Self {
        let plain = Style::new();
        let coloured = |colour_of: Color| if colour { plain.fg(colour_of) } else { plain };
        let bold = plain.add_modifier(Modifier::BOLD);
        Palette {
            plain,
            title: bold,
            head: bold.add_modifier(Modifier::UNDERLINED),
            group: coloured(Color::Blue).add_modifier(Modifier::BOLD),
            rate: coloured(Color::Green),
            trend: coloured(Color::Cyan),
            key: bold,
            note: plain.add_modifier(Modifier::DIM),
            error: coloured(Color::Red).add_modifier(Modifier::BOLD),
            notice: coloured(Color::Magenta).add_modifier(Modifier::BOLD),
            selected: plain.add_modifier(Modifier::REVERSED),
        }
    }
}
