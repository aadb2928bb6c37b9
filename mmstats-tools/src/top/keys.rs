//! Keyboard and mouse input.

use std::time::{Duration, Instant};

use clap::ValueEnum;
use ratatui::crossterm::event::{
    KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};
use ratatui::layout::Position;

use super::app::{App, Pane, Prompt, PromptKind};
use super::list::Line;
use super::settings::{Visibility, cycle};
use crate::options::duration;
use crate::options::top::{Grouping, Sort};

/// The action of the session after an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Nothing.
    Stay,
    /// Exit.
    Quit,
    /// Stop, and return to the shell.
    Suspend,
    /// Scrape now, because the interval changed or a pause ended.
    Scrape,
}

/// The intervals that + and - choose from, in milliseconds.
const INTERVALS_MS: [u64; 10] = [100, 200, 500, 1000, 2000, 5000, 10_000, 30_000, 60_000, 300_000];

/// The longest time between two clicks of a double click.
const DOUBLE_CLICK_TIME: Duration = Duration::from_millis(400);

/// Lines per step of the mouse wheel.
const WHEEL_LINES: isize = 3;

/// The last click, to detect double clicks.
#[derive(Default)]
pub(crate) struct Clicks(Option<(Instant, usize)>);

impl App {
    /// Handles a key.
    pub(crate) fn handle_key(&mut self, key: KeyEvent) -> Action {
        self.input_error = None;
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            match key.code {
                KeyCode::Char('c') => return Action::Quit,
                KeyCode::Char('z') => return Action::Suspend,
                _ => {}
            }
        }
        if let Some(prompt) = self.prompt.take() {
            return self.handle_prompt_key(key, prompt);
        }
        if self.handle_movement(key) {
            return Action::Stay;
        }
        match key.code {
            KeyCode::Char('q') => return Action::Quit,
            KeyCode::Char(' ' | 'p') => {
                self.is_paused = !self.is_paused;
                return if self.is_paused { Action::Stay } else { Action::Scrape };
            }
            KeyCode::Char('+' | '=') => return self.change_interval(true),
            KeyCode::Char('-' | '_') => return self.change_interval(false),
            KeyCode::Char('d') => {
                self.prompt = Some(Prompt { kind: PromptKind::Interval, text: String::new() });
            }
            KeyCode::Char('?' | 'h') | KeyCode::F(1) => self.toggle_pane(Pane::Help),
            KeyCode::Char('e') => self.toggle_pane(Pane::Errors),
            KeyCode::Char('u') => self.settings.is_raw = !self.settings.is_raw,
            KeyCode::Esc => self.go_back(),
            _ => self.handle_table_key(key),
        }
        Action::Stay
    }

    /// Closes the open pane, or else removes the filter.
    fn go_back(&mut self) {
        if self.pane != Pane::Table {
            self.pane = Pane::Table;
        } else if !self.settings.filter_text.is_empty() {
            self.settings.set_filter(String::new());
            self.relist();
        }
    }

    fn handle_table_key(&mut self, key: KeyEvent) {
        match key.code {
            KeyCode::Char('a') => self.settings.aggregation = self.settings.aggregation.next(),
            KeyCode::Enter if matches!(self.pane, Pane::Errors | Pane::Help) => {
                self.pane = Pane::Table;
            }
            KeyCode::Enter if matches!(self.selected_line(), Some(Line::Group(_))) => {
                return self.fold(None);
            }
            KeyCode::Enter if self.selected_row().is_some() => {
                return self.toggle_pane(Pane::Detail);
            }
            KeyCode::Left => return self.fold(Some(true)),
            KeyCode::Right => return self.fold(Some(false)),
            KeyCode::Char('[') => return self.fold_all(true),
            KeyCode::Char(']') => return self.fold_all(false),
            KeyCode::Char('/') => {
                self.pane = Pane::Table;
                let before = self.settings.filter_text.clone();
                self.prompt =
                    Some(Prompt { text: before.clone(), kind: PromptKind::Filter { before } });
                return;
            }
            KeyCode::Char('s' | '>') => self.select_sort(false),
            KeyCode::Char('<') => self.select_sort(true),
            KeyCode::Char('r') => self.settings.is_reversed = !self.settings.is_reversed,
            KeyCode::Tab | KeyCode::Char('b') => self.select_grouping(false),
            KeyCode::BackTab => self.select_grouping(true),
            KeyCode::Char('z') => {
                self.settings.visibility = cycle(
                    &[Visibility::All, Visibility::NotZero, Visibility::Changing],
                    self.settings.visibility,
                    false,
                );
            }
            _ => return,
        }
        self.relist();
    }

    /// Handles keys that move the selection or scroll. Returns `true` if the key was one.
    fn handle_movement(&mut self, key: KeyEvent) -> bool {
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        let page = isize::from(i16::try_from(self.hit_areas.page).unwrap_or(i16::MAX)).max(1);
        let lines = match key.code {
            KeyCode::Up | KeyCode::Char('k') => -1,
            KeyCode::Down | KeyCode::Char('j') => 1,
            KeyCode::PageUp => -page,
            KeyCode::PageDown => page,
            KeyCode::Char('b') if is_control => -page,
            KeyCode::Char('f') if is_control => page,
            KeyCode::Char('u') if is_control => -page / 2,
            KeyCode::Char('d') if is_control => page / 2,
            KeyCode::Home | KeyCode::Char('g') => isize::MIN,
            KeyCode::End | KeyCode::Char('G') => isize::MAX,
            _ => return is_control,
        };
        let is_single = matches!(key.code, KeyCode::Up | KeyCode::Down | KeyCode::Char('j' | 'k'));
        match self.pane {
            Pane::Table => self.move_selection(lines),
            // In the details of a row, single steps select another row.
            Pane::Detail if is_single => self.move_selection(lines),
            Pane::Detail | Pane::Errors | Pane::Help => {
                self.scroll = self.scroll.saturating_add_signed(lines);
            }
        }
        true
    }

    fn select_sort(&mut self, back: bool) {
        self.settings.sort =
            cycle(&[Sort::Name, Sort::Value, Sort::Rate], self.settings.sort, back);
        self.settings.is_reversed = false;
    }

    fn select_grouping(&mut self, back: bool) {
        self.settings.group_by(cycle(Grouping::value_variants(), self.settings.grouping, back));
    }

    fn change_interval(&mut self, longer: bool) -> Action {
        let now = u64::try_from(self.interval.as_millis()).unwrap_or(u64::MAX);
        let next = if longer {
            INTERVALS_MS.iter().find(|one| **one > now)
        } else {
            INTERVALS_MS.iter().rfind(|one| **one < now)
        };
        let Some(next) = next else { return Action::Stay };
        self.interval = Duration::from_millis(*next);
        Action::Scrape
    }

    fn handle_prompt_key(&mut self, key: KeyEvent, mut prompt: Prompt) -> Action {
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        match (key.code, &prompt.kind) {
            (KeyCode::Enter, PromptKind::Filter { .. }) => return Action::Stay,
            (KeyCode::Enter, PromptKind::Interval) => return self.set_interval(&prompt.text),
            (KeyCode::Esc, PromptKind::Filter { .. }) => {
                self.settings.set_filter(String::new());
                self.relist();
                return Action::Stay;
            }
            (KeyCode::Esc, PromptKind::Interval) => return Action::Stay,
            (KeyCode::Backspace, PromptKind::Filter { before }) if prompt.text.is_empty() => {
                // Nothing is left to delete: restores the previous filter.
                let before = before.clone();
                self.settings.set_filter(before);
                self.relist();
                return Action::Stay;
            }
            (KeyCode::Up | KeyCode::Down | KeyCode::PageUp | KeyCode::PageDown, _) => {
                self.handle_movement(key);
            }
            (KeyCode::Backspace, _) => {
                prompt.text.pop();
            }
            (KeyCode::Char('u'), _) if is_control => prompt.text.clear(),
            (KeyCode::Char('w'), _) if is_control => {
                let kept = prompt.text.trim_end().rfind(' ').map_or(0, |space| space + 1);
                prompt.text.truncate(kept);
            }
            (KeyCode::Char(typed), _) if !is_control => prompt.text.push(typed),
            _ => {}
        }
        if matches!(prompt.kind, PromptKind::Filter { .. })
            && prompt.text != self.settings.filter_text
        {
            self.settings.set_filter(prompt.text.clone());
            self.relist();
        }
        self.prompt = Some(prompt);
        Action::Stay
    }

    fn set_interval(&mut self, text: &str) -> Action {
        match duration::parse_scrape_interval(text.trim()) {
            _ if text.trim().is_empty() => Action::Stay,
            Ok(interval) => {
                self.interval = interval;
                Action::Scrape
            }
            Err(input_error) => {
                self.input_error = Some(format!("{}: {input_error}", text.trim()));
                Action::Stay
            }
        }
    }

    /// Handles a mouse event.
    pub(crate) fn handle_mouse(&mut self, event: MouseEvent, clicks: &mut Clicks) {
        let is_table = self.pane == Pane::Table;
        match event.kind {
            MouseEventKind::ScrollDown if is_table => self.scroll_lines(WHEEL_LINES),
            MouseEventKind::ScrollUp if is_table => self.scroll_lines(-WHEEL_LINES),
            MouseEventKind::ScrollDown => {
                self.scroll = self.scroll.saturating_add_signed(WHEEL_LINES);
            }
            MouseEventKind::ScrollUp => {
                self.scroll = self.scroll.saturating_add_signed(-WHEEL_LINES);
            }
            MouseEventKind::Down(MouseButton::Left) => {
                self.handle_click(Position::new(event.column, event.row), clicks);
            }
            _ => {}
        }
    }

    fn handle_click(&mut self, at: Position, clicks: &mut Clicks) {
        let heading = self
            .hit_areas
            .headings
            .iter()
            .find(|(area, _)| area.contains(at))
            .map(|(_, sort)| *sort);
        if let Some(sort) = heading {
            self.settings.sort_by(sort);
            return self.relist();
        }
        let lines = self.hit_areas.lines;
        let line = self.first + usize::from(at.y.saturating_sub(lines.y));
        if !lines.contains(at) || line >= self.list.lines.len() {
            return;
        }
        let now = Instant::now();
        let is_double = clicks.0.is_some_and(|(before, other)| {
            other == line && now.duration_since(before) < DOUBLE_CLICK_TIME
        });
        clicks.0 = if is_double { None } else { Some((now, line)) };
        self.select(line);
        match &self.list.lines[line] {
            Line::Group(_) if is_double => self.fold(None),
            Line::Row { .. } if is_double => self.pane = Pane::Detail,
            _ => {}
        }
    }
}
