//! How things look.
//!
//! Only the terminal's own colours are used, on its own background, so that they suit light and
//! dark ones; and nothing is told by colour alone.

use ratatui::style::{Color, Modifier, Style};

/// The styles of the parts.
pub(crate) struct Palette {
    pub(super) plain: Style,
    pub(super) title: Style,
    /// Heads of columns.
    pub(super) head: Style,
    pub(super) group: Style,
    pub(super) rate: Style,
    pub(super) trend: Style,
    /// Keys in the last line and in the help.
    pub(super) key: Style,
    /// What matters less: units, explanations, the dead.
    pub(super) note: Style,
    pub(super) error: Style,
    /// What is different from the usual: a pause, a filter.
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
