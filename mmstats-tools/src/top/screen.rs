//! The terminal: taken, and given back on every way out.

use std::io::{self, BufWriter, Stdout};
use std::panic;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::event::{DisableMouseCapture, EnableMouseCapture};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};

/// Whether it has been taken, and not been given back. Giving it back twice would put the cursor
/// where it was before whatever was told in between.
static IS_TAKEN: AtomicBool = AtomicBool::new(false);

/// The whole screen, as long as it is not dropped.
pub(crate) struct Screen {
    pub(crate) terminal: Terminal<CrosstermBackend<BufWriter<Stdout>>>,
    has_mouse: bool,
}

impl Screen {
    /// Takes the terminal.
    ///
    /// # Errors
    /// If it cannot be set up.
    pub(crate) fn new(has_mouse: bool) -> io::Result<Screen> {
        restore_in_panics();
        // A frame goes out at once, not line by line.
        let output = BufWriter::with_capacity(1 << 16, io::stdout());
        let mut screen =
            Screen { terminal: Terminal::new(CrosstermBackend::new(output))?, has_mouse };
        screen.enter()?;
        Ok(screen)
    }

    /// Takes the terminal again.
    ///
    /// # Errors
    /// If it cannot be set up.
    pub(crate) fn enter(&mut self) -> io::Result<()> {
        IS_TAKEN.store(true, Ordering::SeqCst);
        enable_raw_mode()?;
        execute!(io::stdout(), EnterAlternateScreen)?;
        if self.has_mouse {
            execute!(io::stdout(), EnableMouseCapture)?;
        }
        self.terminal.hide_cursor()?;
        self.terminal.clear()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

/// Gives the terminal back as it was, if it is taken. What fails cannot be helped.
pub(crate) fn restore() {
    if IS_TAKEN.swap(false, Ordering::SeqCst) {
        let _ = execute!(io::stdout(), DisableMouseCapture, LeaveAlternateScreen, Show);
        let _ = disable_raw_mode();
    }
}

/// A panic's message is to be seen, so the terminal is given back before it is told.
fn restore_in_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let told = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            restore();
            told(panic);
        }));
    });
}
