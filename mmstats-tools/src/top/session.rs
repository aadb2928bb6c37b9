//! The loop: looks, keys, frames.

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

/// Signals are looked for so often.
const ATTENTION: Duration = Duration::from_millis(100);

/// How a session ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// As the user wished.
    Quit,
    /// By this signal.
    Signal(i32),
}

/// The screen in use.
pub(crate) struct Session {
    pub(crate) app: App,
    pub(crate) scraper: Scraper,
    pub(crate) shutdown: Shutdown,
    pub(crate) palette: Palette,
    pub(crate) clicks: Clicks,
}

impl Session {
    /// Shows, until there is a reason to end.
    ///
    /// # Errors
    /// Of the terminal.
    pub(crate) fn run(mut self, screen: &mut Screen) -> io::Result<End> {
        let events = listen();
        self.scrape();
        // The second look comes soon, for rates.
        let mut next = Instant::now() + self.app.interval.min(Duration::from_secs(1));
        let mut is_stale = true;
        loop {
            if is_stale {
                screen.terminal.draw(|frame| view::draw(frame, &mut self.app, &self.palette))?;
                is_stale = false;
            }
            let wait = if self.app.is_paused {
                ATTENTION
            } else {
                next.saturating_duration_since(Instant::now()).min(ATTENTION)
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
            // All that has been typed is shown at once.
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
                // Looks that were missed are not made up for.
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
            Event::Key(key) if key.kind != KeyEventKind::Release => return self.app.key(*key),
            Event::Mouse(mouse) => self.app.mouse(*mouse, &mut self.clicks),
            _ => {}
        }
        Action::Stay
    }
}

/// Keys and the like, by a thread of their own: whoever waits for them at a terminal that has hung
/// up may wait for ever, and not notice signals.
fn listen() -> Receiver<io::Result<Event>> {
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
