//! The terminal: the output that it receives, and its restored state.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use mmstats_tests::cli::{program, run};

use super::{Top, dead_pid, line, names, old_file};

/// Arguments that show one row.
const ONE: &str = "-d 0.1 -f shop.orders .";

/// Checks that the terminal is restored after an end, and the exit status that the shell sees.
fn check_restored(end: impl Fn(&Top, u32), status: i32) {
    let top = Top::new();
    let _shop = top.shop("shop.mmstats");
    top.tmux.run("echo before; stty -a > before");
    top.tmux.wait_for_prompt();
    top.start(ONE);
    assert_eq!(
        (top.tmux.variable("alternate_on"), top.tmux.variable("cursor_flag")),
        ("1".to_owned(), "0".to_owned())
    );
    assert_eq!(top.tmux.variable("mouse_any_flag"), "1");
    end(&top, top.pid());
    let screen = top.tmux.wait_for_prompt();
    assert!(screen.contains("before") && !screen.contains("NAME"), "{screen}");
    let flags =
        ["alternate_on", "cursor_flag", "mouse_any_flag"].map(|name| top.tmux.variable(name));
    assert_eq!(flags, ["0", "1", "0"]);
    top.tmux.run("echo status $?; stty -a > after; cmp before after && echo same");
    // A whole line, as the command contains the word too.
    let screen =
        top.tmux.wait("the same settings", |screen| screen.lines().any(|line| line == "same"));
    assert!(screen.contains(&format!("status {status}\n")), "{screen}");
    assert!(fs::read_to_string(top.path().join("after")).unwrap().contains(" icanon"));
    assert!(fs::read_to_string(top.path().join("after")).unwrap().contains(" echo "));
}

fn send(signal: &str, pid: u32) {
    assert!(Command::new("kill").args([signal, &pid.to_string()]).status().unwrap().success());
}

#[test]
fn the_screen_is_drawn_while_a_device_has_not_answered_yet() {
    let top = Top::new();
    // Connections are accepted by the kernel, and nobody answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("gdb://{}", silent.local_addr().unwrap());
    let program = program("--bin", "topstats");
    top.tmux.run(&format!("{} --region-address 0x20000000 {url}", program.display()));
    let screen = top.tmux.wait_for("Reading…");
    assert!(screen.starts_with("topstats") && screen.contains("NAME"), "{screen}");
}

#[test]
fn the_terminal_is_restored_after_q() {
    check_restored(|top, _| top.tmux.keys(&["q"]), 0);
}

#[test]
fn the_terminal_is_restored_after_control_c() {
    check_restored(|top, _| top.tmux.keys(&["C-c"]), 0);
}

#[test]
fn the_terminal_is_restored_after_signals() {
    for (signal, status) in [("-TERM", 143), ("-HUP", 129), ("-INT", 130)] {
        check_restored(|_, pid| send(signal, pid), status);
    }
}

#[test]
fn it_exits_when_its_terminal_is_closed() {
    let top = Top::new();
    let _shop = top.shop("shop.mmstats");
    top.start(ONE);
    let process = PathBuf::from(format!("/proc/{}", top.pid()));
    let Top { tmux, dir: _dir } = top;
    drop(tmux);
    let begin = Instant::now();
    while process.exists() {
        assert!(begin.elapsed() < Duration::from_secs(30), "it runs on without a terminal");
        sleep(Duration::from_millis(20));
    }
}

#[test]
fn control_z_suspends_it_and_fg_resumes_it() {
    let top = Top::new();
    let shop = top.shop("shop.mmstats");
    top.tmux.run("set -m; echo before");
    top.tmux.wait_for_prompt();
    for by_signal in [false, true] {
        if by_signal {
            top.tmux.run("sh -c 'sleep 0.1'");
            top.tmux.wait_for_prompt();
        }
        top.start(ONE);
        top.tmux.keys(&["C-z"]);
        let screen = top.tmux.wait_for("topped");
        assert!(screen.contains("before") && !screen.contains("NAME"), "{screen}");
        assert_eq!(
            (top.tmux.variable("alternate_on"), top.tmux.variable("cursor_flag")),
            ("0".to_owned(), "1".to_owned())
        );
        shop.orders.incr();
        top.tmux.run("fg");
        top.tmux.wait_for("NAME");
        assert_eq!(top.tmux.variable("alternate_on"), "1");
        top.tmux.keys(&["q"]);
        top.tmux.wait_for_prompt();
        top.tmux.run("clear; echo before");
        top.tmux.wait_for_prompt();
    }
}

#[test]
fn a_panic_restores_the_terminal_before_its_message() {
    let top = Top::new();
    let _shop = top.shop("shop.mmstats");
    // Also records everything that the terminal receives.
    top.tmux.run(&format!(
        "tmux pipe-pane 'cat > {}/got'; echo before; stty -a > before",
        top.path().display()
    ));
    top.tmux.wait_for_prompt();
    // No thread can have such a stack, and a thread that cannot be started causes a panic.
    let huge = 1_u64 << 62;
    top.tmux.run(&format!(
        "RUST_BACKTRACE=0 RUST_MIN_STACK={huge} {} {ONE}",
        program("--bin", "topstats").display()
    ));
    let screen = top.tmux.wait("panic and a prompt", |screen| {
        screen.contains("panicked at") && screen.trim_end().ends_with("ready$")
    });
    assert!(screen.contains("before") && !screen.contains("NAME"), "{screen}");
    // In raw mode, each line would start at the end of the previous one.
    assert!(screen.lines().any(|line| line.starts_with("note: ")), "{screen}");
    assert_eq!(
        ["alternate_on", "cursor_flag", "mouse_any_flag"].map(|name| top.tmux.variable(name)),
        ["0", "1", "0"]
    );
    top.tmux.run("echo status $?; stty -a > after; cmp before after && echo same");
    let screen =
        top.tmux.wait("the same settings", |screen| screen.lines().any(|line| line == "same"));
    assert!(screen.contains("status 101\n"), "{screen}");
    let begin = Instant::now();
    let got = loop {
        let got = String::from_utf8_lossy(&fs::read(top.path().join("got")).unwrap()).into_owned();
        if got.contains("status 101") {
            break got;
        }
        assert!(begin.elapsed() < Duration::from_secs(30), "{got:?}");
        sleep(Duration::from_millis(20));
    };
    let place = |text: &str| got.find(text).unwrap_or_else(|| panic!("no {text:?} in {got:?}"));
    let reported = place("panicked at");
    for (taken, given_back) in
        [("\x1b[?1049h", "\x1b[?1049l"), ("\x1b[?25l", "\x1b[?25h"), ("\x1b[?1000h", "\x1b[?1000l")]
    {
        assert!(
            place(taken) < place(given_back) && place(given_back) < reported,
            "{taken:?} {got:?}"
        );
    }
}

/// Returns the colour codes in a screen: `5` for magenta, whether it is `35` or `38;5;5`, `40` and
/// more for the background.
fn colours(screen: &str) -> Vec<u32> {
    let sequences = screen
        .split("\x1b[")
        .skip(1)
        .filter_map(|rest| rest.split_once('m').map(|(codes, _)| codes));
    let codes = sequences.flat_map(|codes| {
        match codes.strip_prefix("38;5;").or(codes.split_once(";38;5;").map(|(_, code)| code)) {
            Some(code) => vec![code.parse().unwrap()],
            None => codes
                .split(';')
                .filter_map(|code| code.parse().ok())
                .filter(|code| (30..=107).contains(code) && !matches!(code, 39 | 49))
                .collect(),
        }
    });
    codes.map(|code: u32| if (30..38).contains(&code) { code - 30 } else { code }).collect()
}

#[test]
fn without_colours_there_are_only_attributes() {
    let top = Top::new();
    let shop = top.shop("shop.mmstats");
    top.file("dead.mmstats", &old_file(dead_pid(), "shop.old", 3));
    top.file("bad.mmstats", b"");
    let arguments = "-d 0.1 -f shop -g prefix .";
    shop.orders.incr();
    top.start(arguments);
    top.tmux.wait_for("▾ shop");
    assert_ne!(colours(&top.tmux.styled_screen()), [0; 0]);
    let plain = top.tmux.screen();
    top.tmux.keys(&["q"]);
    top.tmux.wait_for_prompt();
    top.tmux.run("export NO_COLOR=1");
    top.start(arguments);
    top.tmux.wait_for("▾ shop");
    let styled = top.tmux.styled_screen();
    assert_eq!(colours(&styled), [0; 0], "{styled}");
    // The selected line is still visible, and no text is missing.
    assert!(styled.contains("\x1b[7m") || styled.contains(";7m"), "{styled}");
    assert_eq!(names(&top.tmux.screen()), names(&plain));
    assert!(line(&top.tmux.screen(), "old").starts_with('†'));
}

#[test]
fn only_the_terminals_own_sixteen_colours_are_used() {
    let top = Top::new();
    let _shop = top.shop("shop.mmstats");
    top.file("bad.mmstats", b"");
    top.start("-d 0.1 -f shop -g prefix .");
    top.press(&["Space"], "PAUSED");
    let styled = top.tmux.styled_screen();
    assert!(colours(&styled).len() > 3);
    for code in colours(&styled) {
        // Only foreground colours, and never white or black.
        assert!((1..=6).contains(&code), "{code} in {styled:?}");
    }
}

#[test]
fn the_mouse_selects_sorts_opens_and_scrolls() {
    let top = Top::new();
    let shop = top.shop("shop.mmstats");
    shop.orders.add(4);
    top.start("-d 0.1 -f shop .");
    let screen = top.tmux.wait_for("shop.orders.failed");
    let place = |screen: &str, text: &str| {
        u16::try_from(screen.lines().position(|line| line.contains(text)).unwrap()).unwrap()
    };
    let column = line(&screen, "VALUE").find("VALUE").unwrap() as u16;
    top.tmux.click(column, place(&screen, "VALUE"));
    let screen = top.tmux.wait_for("VALUE↓");
    let at = place(&screen, "shop.worker");
    top.tmux.click(5, at);
    top.press(&["Enter"], "shop.worker  ");
    top.tmux.wait_for("PID FILE");
    top.press(&["Escape"], "VALUE↓");
    let at = place(&top.tmux.screen(), "shop.memory");
    top.tmux.click(5, at);
    top.tmux.click(5, at);
    top.tmux.wait_for("Of the process.");
    top.press(&["Escape", "Escape"], "NAME");
    top.resize_to_scroll();
}

impl Top {
    /// Returns the PID of the process that runs in the shell.
    fn pid(&self) -> u32 {
        let shell = self.tmux.variable("pane_pid");
        fs::read_to_string(format!("/proc/{shell}/task/{shell}/children"))
            .unwrap()
            .trim()
            .parse()
            .unwrap()
    }

    /// Checks that the wheel scrolls in a terminal with few lines.
    fn resize_to_scroll(&self) {
        self.tmux.resize(80, 8);
        let before = self.tmux.wait("a small table", |screen| {
            screen.lines().count() <= 8 && names(screen).len() == 5
        });
        self.tmux.text("\x1b[<65;10;5M");
        self.tmux.wait("other lines", |screen| {
            names(screen).len() == 5 && names(screen)[0] == names(&before)[3]
        });
        self.tmux.text("\x1b[<64;10;5M");
        self.tmux.wait("the first lines", |screen| names(screen) == names(&before));
    }
}

#[test]
fn the_mouse_is_not_captured_on_request() {
    let top = Top::new();
    let _shop = top.shop("shop.mmstats");
    top.start("--no-mouse -d 0.1 .");
    assert_eq!(top.tmux.variable("mouse_any_flag"), "0");
}

#[test]
fn every_size_of_terminal_works() {
    let top = Top::new();
    let _shops = ["one.mmstats", "two.mmstats"].map(|name| top.shop(name));
    top.start("-d 0.1 -f shop -g prefix .");
    for keys in [&["Escape"][..], &["G", "Enter"], &["?"], &["Escape", "e"], &["Escape", "u", "/"]]
    {
        top.tmux.keys(keys);
        for (columns, lines) in [
            (10, 3),
            (1, 1),
            (19, 24),
            (80, 4),
            (20, 5),
            (21, 6),
            (30, 12),
            (50, 7),
            (60, 9),
            (79, 23),
            (200, 60),
            (80, 24),
        ] {
            top.tmux.resize(columns, lines);
            let is_too_small = columns < 20 || lines < 5;
            top.tmux.wait("a screen of this size", |screen| match is_too_small {
                true => {
                    !screen.starts_with("topstats") && (screen.starts_with("at") || columns < 2)
                }
                false => screen.starts_with("topstats"),
            });
            // The wheel, in every state.
            top.tmux.text("\x1b[<65;1;1M\x1b[<64;1;1M\x1b[<65;1;1M");
        }
    }
    top.press(&["Enter", "q"], "ready$");
}

#[test]
fn without_a_terminal_there_is_no_screen() {
    let top = Top::new();
    let outcome =
        run(Command::new(program("--bin", "topstats")).arg(top.path()).stderr(Stdio::piped()));
    assert_eq!(
        (outcome.status, outcome.out.as_str(), outcome.err.as_str()),
        (2, "", "topstats: standard output is not a terminal (-b prints a table)\n")
    );
}

#[test]
fn it_reports_no_panic_if_its_terminal_is_closed_while_hangups_are_ignored() {
    let top = Top::new();
    let _shop = top.shop("shop.mmstats");
    let topstats = program("--bin", "topstats");
    let script = format!("trap \"\" HUP; {} {ONE}; echo $? > status", topstats.display());
    top.tmux.run(&format!("sh -c '{script}'"));
    top.tmux.wait_for("NAME");
    let Top { tmux, dir } = top;
    drop(tmux);
    let begin = Instant::now();
    let status = loop {
        let status = fs::read_to_string(dir.path().join("status")).unwrap_or_default();
        if status.ends_with('\n') {
            break status;
        }
        assert!(begin.elapsed() < Duration::from_secs(30), "it runs on without a terminal");
        sleep(Duration::from_millis(20));
    };
    assert_eq!(status, "1\n");
}

#[test]
fn a_terminal_that_reports_no_size_has_80_columns_and_24_lines() {
    let top = Top::new();
    let _shop = top.shop("shop.mmstats");
    let topstats = program("--bin", "topstats");
    top.tmux.run(&format!("stty rows 0 cols 0; {} {ONE}", topstats.display()));
    top.tmux.wait_for("NAME");
    top.tmux.keys(&["q"]);
    top.tmux.wait_for_prompt();
}

#[test]
fn a_dumb_terminal_gets_a_message_and_no_escape_sequences() {
    let top = Top::new();
    for term in ["dumb", ""] {
        top.tmux.run(&format!("clear; TERM={term} {} .", program("--bin", "topstats").display()));
        top.tmux.wait_for("TERM is dumb (-b prints a table)");
        top.tmux.wait_for_prompt();
    }
}
