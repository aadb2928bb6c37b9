//! The main loop: scrapes, input and frames.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{self, Event, KeyEventKind};
use signal_hook::consts::SIGTSTP;

use super::app::App;
use super::keys::{Action, Clicks};
use super::screen::{self, Screen};
use super::view::{self, Palette};
use crate::scraper::Scraper;
use crate::shutdown::{self, Shutdown};

/// The interval at which signals are checked.
const SIGNAL_CHECK_INTERVAL: Duration = Duration::from_millis(100);

/// How a session ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// By the user.
    Quit,
    /// By a signal.
    Signal(i32),
}

/// A run of the user interface.
pub(crate) struct UiSession {
    pub(crate) app: App,
    pub(crate) scraper: Scraper,
    pub(crate) shutdown: Shutdown,
    pub(crate) palette: Palette,
    pub(crate) clicks: Clicks,
}

impl UiSession {
    /// Runs until the user or a signal ends it.
    ///
    /// # Errors
    /// If the terminal fails.
    pub(crate) fn run(mut self, screen: &mut Screen) -> io::Result<End> {
        let events = read_events();
        // A device may take seconds to answer.
        screen.terminal.draw(|frame| view::draw(frame, &mut self.app, &self.palette))?;
        self.scrape();
        // The second scrape follows soon, because rates need two.
        let mut next = Instant::now() + self.app.interval.min(Duration::from_secs(1));
        let mut is_stale = true;
        loop {
            if is_stale {
                screen.terminal.draw(|frame| view::draw(frame, &mut self.app, &self.palette))?;
                is_stale = false;
            }
            let wait = if self.app.is_paused {
                SIGNAL_CHECK_INTERVAL
            } else {
                next.saturating_duration_since(Instant::now()).min(SIGNAL_CHECK_INTERVAL)
            };
            let mut action = Action::Stay;
            match events.recv_timeout(wait) {
                Ok(event) => {
                    action = self.handle(&event?);
                    is_stale = true;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            // Handles all pending input before the next frame.
            while action == Action::Stay {
                let Ok(event) = events.try_recv() else { break };
                action = self.handle(&event?);
            }
            if let Some(signal) = self.shutdown.signal() {
                return Ok(End::Signal(signal));
            }
            if self.shutdown.take_suspend() {
                action = Action::Suspend;
            }
            match action {
                Action::Quit => return Ok(End::Quit),
                Action::Suspend => {
                    screen::restore();
                    shutdown::obey(SIGTSTP);
                    screen.enter()?;
                    is_stale = true;
                }
                Action::Scrape => next = Instant::now(),
                Action::Stay => {}
            }
            if !self.app.is_paused && Instant::now() >= next {
                next += self.app.interval;
                self.scrape();
                // Missed ticks are skipped.
                next = next.max(Instant::now());
                is_stale = true;
            }
        }
    }

    fn scrape(&mut self) {
        let scrape = self.scraper.scrape();
        self.app.apply(scrape);
        self.app.searched = self.scraper.searched().to_vec();
    }

    fn handle(&mut self, event: &Event) -> Action {
        match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => {
                return self.app.handle_key(*key);
            }
            Event::Mouse(mouse) => self.app.handle_mouse(*mouse, &mut self.clicks),
            _ => {}
        }
        Action::Stay
    }
}

/// Starts a thread that reads events. Reading from a terminal that has hung up may block forever,
/// and the main loop has to notice signals.
fn read_events() -> Receiver<io::Result<Event>> {
    let (sender, events) = channel();
    thread::spawn(move || {
        let mut is_wanted = true;
        while is_wanted {
            let event = event::read();
            is_wanted = event.is_ok();
            is_wanted &= sender.send(event).is_ok();
        }
    });
    events
}
