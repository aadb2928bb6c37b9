//! The state of the screen.

use std::path::PathBuf;
use std::time::Duration;

use ratatui::layout::Rect;

use super::list::{Line, List};
use super::model::{Model, Row};
use super::settings::{Settings, Shown};
use crate::options::top::Sort;
use crate::scraper::Scrape;

/// Everything that the screen shows.
pub(crate) struct App {
    pub(crate) model: Model,
    pub(crate) settings: Settings,
    pub(crate) list: List,
    /// The selected line.
    pub(crate) selected: usize,
    /// The first line that is seen.
    pub(crate) first: usize,
    /// Whether somebody chose the selected line, so that it stays selected wherever it goes.
    is_chosen: bool,
    pub(crate) pane: Pane,
    /// How far the pane is scrolled.
    pub(crate) scroll: usize,
    pub(crate) prompt: Option<Prompt>,
    /// What was wrong with what was typed last.
    pub(crate) input_error: Option<String>,
    pub(crate) is_paused: bool,
    pub(crate) interval: Duration,
    pub(crate) searched: Vec<PathBuf>,
    pub(crate) hit_areas: HitAreas,
    changes: u64,
}

/// What fills the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pane {
    Table,
    Detail,
    Errors,
    Help,
}

/// What is typed in the last line.
#[derive(Clone, Debug)]
pub(crate) struct Prompt {
    pub(crate) kind: PromptKind,
    pub(crate) text: String,
}

/// What it is for.
#[derive(Clone, Debug)]
pub(crate) enum PromptKind {
    Filter {
        /// What it was, to go back to.
        before: String,
    },
    Interval,
}

/// Where things were drawn, for the mouse.
#[derive(Clone, Debug, Default)]
pub(crate) struct HitAreas {
    /// The lines of the table.
    pub(crate) lines: Rect,
    /// How many lines a page has.
    pub(crate) page: u16,
    /// The heads of columns that can be sorted by.
    pub(crate) heads: Vec<(Rect, Sort)>,
}

impl App {
    pub(crate) fn new(settings: Settings, interval: Duration) -> Self {
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

    /// Takes a look in.
    pub(crate) fn apply(&mut self, scrape: Scrape) {
        self.model.apply(scrape);
        let changes = self.model.table().changes;
        // What is in the order of names stays so, as long as nothing comes or goes.
        if changes != self.changes
            || self.settings.sort != Sort::Name
            || self.settings.shown != Shown::All
        {
            self.relist();
        }
    }

    /// Makes the lines anew, after rows or settings have changed.
    pub(crate) fn relist(&mut self) {
        let chosen = self.selected_line().map(Line::identity).filter(|_| self.is_chosen);
        self.model.set_scope(self.settings.scope());
        self.changes = self.model.table().changes;
        self.list = List::new(self.model.table(), &self.settings);
        if let Some(at) = chosen.and_then(|chosen| self.list.find(&chosen)) {
            self.selected = at;
        }
        self.selected = self.selected.min(self.list.lines.len().saturating_sub(1));
    }

    pub(crate) fn selected_line(&self) -> Option<&Line> {
        self.list.lines.get(self.selected)
    }

    /// The selected row, if it is one.
    pub(crate) fn selected_row(&self) -> Option<&Row> {
        match self.selected_line()? {
            Line::Row { place, .. } => self.model.table().get(*place),
            Line::Group(_) => None,
        }
    }

    /// Selects the line so many further on.
    pub(crate) fn step(&mut self, lines: isize) {
        self.select(self.selected.saturating_add_signed(lines));
    }

    /// Selects a line, or the last one.
    pub(crate) fn select(&mut self, line: usize) {
        self.selected = line.min(self.list.lines.len().saturating_sub(1));
        self.is_chosen = true;
        if self.pane == Pane::Detail {
            self.scroll = 0;
        }
    }

    /// Scrolls the lines, and takes the selection along if it would be out of sight.
    pub(crate) fn scroll_lines(&mut self, lines: isize) {
        let height = usize::from(self.hit_areas.lines.height);
        if height == 0 {
            // The terminal is too small to show any.
            return;
        }
        let last = self.list.lines.len().saturating_sub(height);
        self.first = self.first.saturating_add_signed(lines).min(last);
        let sample = self.selected.clamp(self.first, (self.first + height).saturating_sub(1));
        if sample != self.selected {
            self.select(sample);
        }
    }

    /// Folds or unfolds the selected group, or the one that the selected row is in.
    pub(crate) fn fold(&mut self, folded: Option<bool>) {
        match self.selected_line() {
            Some(Line::Group(group)) if folded == Some(true) && group.is_folded => {
                self.select_parent()
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

    pub(crate) fn fold_all(&mut self, folded: bool) {
        self.settings.folds.set_all(folded);
        // The selected row may be gone: its outermost group stands for it.
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
    pub(crate) fn toggle(&mut self, pane: Pane) {
        self.pane = if self.pane == pane { Pane::Table } else { pane };
        self.scroll = 0;
    }
}
