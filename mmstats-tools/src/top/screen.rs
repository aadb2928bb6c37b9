//! The terminal, which is restored on every way out.

use std::io::{self, BufWriter, Stdout};
use std::mem::ManuallyDrop;
use std::panic;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::event::{DisableMouseCapture, EnableMouseCapture};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    self, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::layout::Rect;
use ratatui::{Terminal, TerminalOptions, Viewport};

/// The size of terminals that do not report it.
const DEFAULT_SIZE: Rect = Rect { x: 0, y: 0, width: 80, height: 24 };

/// Whether the terminal is set up and not restored. Restoring it twice would move the cursor before
/// messages that were printed in between.
static IS_SET_UP: AtomicBool = AtomicBool::new(false);

/// The terminal in full-screen mode; dropping it restores the terminal.
pub(crate) struct Screen {
    /// Not dropped, as it would panic if the terminal is gone and standard error with it; this
    /// module restores the cursor.
    pub(crate) terminal: ManuallyDrop<Terminal<CrosstermBackend<BufWriter<Stdout>>>>,
    has_mouse: bool,
}

impl Screen {
    /// Sets the terminal up.
    ///
    /// # Errors
    /// If the terminal fails.
    pub(crate) fn new(has_mouse: bool) -> io::Result<Screen> {
        restore_in_panics();
        // A frame is written at once, not line by line.
        let output = BufWriter::with_capacity(1 << 16, io::stdout());
        // Some terminals, such as serial lines, do not report a size.
        let viewport = match terminal::size()? {
            (0, _) | (_, 0) => Viewport::Fixed(DEFAULT_SIZE),
            _ => Viewport::Fullscreen,
        };
        let backend = CrosstermBackend::new(output);
        let terminal = Terminal::with_options(backend, TerminalOptions { viewport })?;
        let mut screen = Screen { terminal: ManuallyDrop::new(terminal), has_mouse };
        screen.enter()?;
        Ok(screen)
    }

    /// Sets the terminal up again after [`restore`].
    ///
    /// # Errors
    /// If the terminal fails.
    pub(crate) fn enter(&mut self) -> io::Result<()> {
        IS_SET_UP.store(true, Ordering::SeqCst);
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

/// Restores the terminal if it is set up. Errors are ignored, as nothing else can be done.
pub(crate) fn restore() {
    if IS_SET_UP.swap(false, Ordering::SeqCst) {
        let _ = execute!(io::stdout(), DisableMouseCapture, LeaveAlternateScreen, Show);
        let _ = disable_raw_mode();
    }
}

/// Restores the terminal before a panic prints its message, which would be lost otherwise.
fn restore_in_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let default_hook = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            restore();
            default_hook(panic);
        }));
    });
}
