//! Drives full-screen programs by keys, and reads the screen of their terminal.
//!
//! Each terminal has its own tmux server, independent of the user's.

use std::process::{Command, Output};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::cli::without_environment;

/// The time after which a wait for a screen fails.
const TIMEOUT: Duration = Duration::from_secs(180);

/// The shell's prompt.
const PROMPT: &str = "ready$";

/// A terminal with a shell, closed on drop.
pub struct Tmux {
    socket: TempDir,
}

impl Tmux {
    /// Opens a terminal of 80 columns and 24 lines.
    #[must_use]
    pub fn new() -> Tmux {
        Tmux::sized(80, 24)
    }

    /// Opens a terminal of this size, and waits for the prompt.
    ///
    /// # Panics
    /// If tmux is not installed.
    #[must_use]
    pub fn sized(columns: u16, lines: u16) -> Tmux {
        let tmux = Tmux { socket: tempfile::tempdir().expect("a directory for the socket") };
        let size = [columns, lines].map(|number| number.to_string());
        let mut command = tmux.command(&[
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            &size[0],
            "-y",
            &size[1],
            "exec sh",
        ]);
        command
            .env("PS1", PROMPT)
            .env_remove("ENV")
            .env("SHELL", "/bin/sh")
            .env("LC_ALL", "C.UTF-8");
        let output = without_environment(&mut command)
            .output()
            .expect("these tests need tmux: apt-get install tmux");
        assert!(output.status.success(), "{output:?}");
        tmux.wait("a prompt", |screen| screen.contains(PROMPT));
        tmux
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("tmux");
        command.arg("-u").arg("-S").arg(self.socket.path().join("socket")).args(arguments);
        command
    }

    fn run_tmux(&self, arguments: &[&str]) -> String {
        let Output { status, stdout, stderr } =
            self.command(arguments).output().expect("tmux runs");
        assert!(status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&stderr));
        String::from_utf8(stdout).expect("UTF-8")
    }

    /// Presses keys, named as in tmux: `Enter`, `C-c`, `x`.
    pub fn keys(&self, keys: &[&str]) {
        self.run_tmux(&[&["send-keys"], keys].concat());
    }

    /// Types a text or an escape sequence.
    pub fn text(&self, text: &str) {
        self.run_tmux(&["send-keys", "-l", text]);
    }

    /// Types a command and Enter.
    pub fn run(&self, command: &str) {
        self.text(command);
        self.keys(&["Enter"]);
    }

    /// Clicks at a column and a line, counted from 0.
    pub fn click(&self, column: u16, line: u16) {
        let at = format!("{};{}", column + 1, line + 1);
        self.text(&format!("\x1b[<0;{at}M\x1b[<0;{at}m"));
    }

    /// Returns the text on the screen, without trailing spaces.
    #[must_use]
    pub fn screen(&self) -> String {
        self.run_tmux(&["capture-pane", "-p"])
    }

    /// Returns the screen with escape sequences for colours and attributes.
    #[must_use]
    pub fn styled_screen(&self) -> String {
        self.run_tmux(&["capture-pane", "-p", "-e"])
    }

    /// Returns a variable of tmux, such as `cursor_flag`.
    #[must_use]
    pub fn variable(&self, name: &str) -> String {
        self.run_tmux(&["display-message", "-p", &format!("#{{{name}}}")]).trim_end().to_owned()
    }

    /// Resizes the terminal.
    pub fn resize(&self, columns: u16, lines: u16) {
        self.run_tmux(&["resize-window", "-x", &columns.to_string(), "-y", &lines.to_string()]);
    }

    /// Waits for a screen that fulfils a condition.
    ///
    /// # Panics
    /// After a timeout; `what` names the condition.
    pub fn wait(&self, what: &str, condition: impl Fn(&str) -> bool) -> String {
        let start = Instant::now();
        let mut was_fulfilled = false;
        loop {
            let screen = self.screen();
            let is_fulfilled = condition(&screen);
            // The first screen may be half drawn.
            if is_fulfilled && was_fulfilled {
                return screen;
            }
            was_fulfilled = is_fulfilled;
            assert!(start.elapsed() < TIMEOUT, "still waiting for {what}; the screen:\n{screen}");
            sleep(Duration::from_millis(20));
        }
    }

    /// Waits for a text on the screen.
    pub fn wait_for(&self, text: &str) -> String {
        self.wait(text, |screen| screen.contains(text))
    }

    /// Waits until the shell prompts again.
    pub fn wait_for_prompt(&self) -> String {
        self.wait("a prompt at the end", |screen| screen.trim_end().ends_with(PROMPT))
    }
}

impl Default for Tmux {
    fn default() -> Self {
        Tmux::new()
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        let _ = self.command(&["kill-server"]).output();
    }
}
