//! The state of the user interface.

use std::path::PathBuf;
use std::time::Duration;

use ratatui::layout::Rect;

use super::list::{Line, List};
use super::model::{Model, Row};
use super::settings::{ViewSettings, Visibility};
use crate::options::top::Sort;
use crate::scraper::Scrape;

/// The state that the screen shows and keys change.
pub(crate) struct App {
    pub(crate) model: Model,
    pub(crate) settings: ViewSettings,
    pub(crate) list: List,
    /// The selected line.
    pub(crate) selected: usize,
    /// The first visible line.
    pub(crate) first: usize,
    /// Whether the user selected the line; the selection then follows it when the order changes.
    is_chosen: bool,
    pub(crate) pane: Pane,
    /// The first visible line of the pane.
    pub(crate) scroll: usize,
    pub(crate) prompt: Option<Prompt>,
    /// The error in the last input.
    pub(crate) input_error: Option<String>,
    pub(crate) is_paused: bool,
    pub(crate) interval: Duration,
    pub(crate) searched: Vec<PathBuf>,
    pub(crate) hit_areas: HitAreas,
    changes: u64,
}

/// The content of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pane {
    Table,
    Detail,
    Errors,
    Help,
}

/// Input in the last line.
#[derive(Clone, Debug)]
pub(crate) struct Prompt {
    pub(crate) kind: PromptKind,
    pub(crate) text: String,
}

/// The purpose of a prompt.
#[derive(Clone, Debug)]
pub(crate) enum PromptKind {
    Filter {
        /// The previous filter, to restore.
        before: String,
    },
    Interval,
}

/// Areas of the screen that react to the mouse.
#[derive(Clone, Debug, Default)]
pub(crate) struct HitAreas {
    /// The lines of the table.
    pub(crate) lines: Rect,
    /// The lines of a page.
    pub(crate) page: u16,
    /// The headings of columns that can be sorted by.
    pub(crate) headings: Vec<(Rect, Sort)>,
}

impl App {
    pub(crate) fn new(settings: ViewSettings, interval: Duration) -> Self {
        let mut model = Model::new();
        model.set_scope(settings.scope());
        App {
            model,
            settings,
            list: List::default(),
            selected: 0,
            first: 0,
            is_chosen: false,
            pane: Pane::Table,
            scroll: 0,
            prompt: None,
            input_error: None,
            is_paused: false,
            interval,
            searched: Vec::new(),
            hit_areas: HitAreas::default(),
            changes: 0,
        }
    }

    /// Updates the rows from a scrape.
    pub(crate) fn apply(&mut self, scrape: Scrape) {
        self.model.apply(scrape);
        let changes = self.model.table().changes;
        // Rows in the order of names change only if rows are added or removed.
        if changes != self.changes
            || self.settings.sort != Sort::Name
            || self.settings.visibility != Visibility::All
        {
            self.relist();
        }
    }

    /// Rebuilds the lines after rows or settings have changed.
    pub(crate) fn relist(&mut self) {
        let chosen = self.selected_line().map(Line::id).filter(|_| self.is_chosen);
        self.model.set_scope(self.settings.scope());
        self.changes = self.model.table().changes;
        self.list = List::new(self.model.table(), &self.settings);
        if let Some(at) = chosen.and_then(|chosen| self.list.find(&chosen)) {
            self.selected = at;
        }
        self.selected = self.selected.min(self.list.lines.len().saturating_sub(1));
    }

    /// Returns the selected line.
    pub(crate) fn selected_line(&self) -> Option<&Line> {
        self.list.lines.get(self.selected)
    }

    /// Returns the selected row, or `None` if a group is selected.
    pub(crate) fn selected_row(&self) -> Option<&Row> {
        match self.selected_line()? {
            Line::Row { index, .. } => self.model.table().get(*index),
            Line::Group(_) => None,
        }
    }

    /// Moves the selection by a number of lines.
    pub(crate) fn move_selection(&mut self, lines: isize) {
        self.select(self.selected.saturating_add_signed(lines));
    }

    /// Selects a line, at most the last one.
    pub(crate) fn select(&mut self, line: usize) {
        self.selected = line.min(self.list.lines.len().saturating_sub(1));
        self.is_chosen = true;
        if self.pane == Pane::Detail {
            self.scroll = 0;
        }
    }

    /// Scrolls the table, and moves the selection if it would become invisible.
    pub(crate) fn scroll_lines(&mut self, lines: isize) {
        let height = usize::from(self.hit_areas.lines.height);
        if height == 0 {
            // The terminal is too small to show lines.
            return;
        }
        let last = self.list.lines.len().saturating_sub(height);
        self.first = self.first.saturating_add_signed(lines).min(last);
        let visible = self.selected.clamp(self.first, (self.first + height).saturating_sub(1));
        if visible != self.selected {
            self.select(visible);
        }
    }

    /// Folds or unfolds the selected group. Folding a row or a folded group selects its parent.
    pub(crate) fn fold(&mut self, folded: Option<bool>) {
        match self.selected_line() {
            Some(Line::Group(group)) if folded == Some(true) && group.is_folded => {
                self.select_parent();
            }
            Some(Line::Group(group)) => {
                let (path, folded) = (group.path.clone(), folded.unwrap_or(!group.is_folded));
                self.settings.folds.set(&path, folded);
                self.is_chosen = true;
                self.relist();
            }
            Some(Line::Row { .. }) if folded == Some(true) => self.select_parent(),
            _ => {}
        }
    }

    fn select_parent(&mut self) {
        let Some(depth) = self.selected_line().map(Line::depth) else { return };
        let before = self.list.lines.get(..self.selected).unwrap_or_default();
        if let Some(parent) = before
            .iter()
            .rposition(|line| matches!(line, Line::Group(group) if group.depth < depth))
        {
            self.select(parent);
        }
    }

    /// Folds or unfolds all groups.
    pub(crate) fn fold_all(&mut self, folded: bool) {
        self.settings.folds.set_all(folded);
        // The selected row becomes hidden, so its outermost group is selected.
        if let (true, Some(Line::Row { .. })) = (folded, self.selected_line()) {
            while self.selected_line().is_some_and(|line| line.depth() > 0) {
                let before = self.selected;
                self.select_parent();
                if self.selected == before {
                    break;
                }
            }
        }
        self.relist();
    }

    /// Opens a pane, or closes it if it is open.
    pub(crate) fn toggle_pane(&mut self, pane: Pane) {
        self.pane = if self.pane == pane { Pane::Table } else { pane };
        self.scroll = 0;
    }
}
