//! The table: rows, groups, filters, sorting.

use std::fs;

use mmstats_tests::cli::VersionOne;

use super::{Top, dead_pid, line, names, old_file, wait_for_scrapes, without_time};

const QUICK: &str = "-d 0.1 .";

#[test]
fn the_screen_has_its_designed_form() {
    let top = Top::new();
    top.file(
        "a.mmstats",
        &VersionOne::default()
            .field("web.requests", "Q", 1234567_u64.to_ne_bytes())
            .field("web.load", "d", 0.25_f64.to_ne_bytes())
            .finish(),
    );
    let text = VersionOne::default().field("web.requests", "Q", 1_u64.to_ne_bytes()).field(
        "web.host",
        "40s",
        format!("{:\0<40}", "a.example.org"),
    );
    top.file("b.mmstats", &text.field("web.failed", "Q", 0_u64.to_ne_bytes()).finish());
    top.file("c.mmstats", &old_file(dead_pid(), "old.requests", 7));
    top.file("d.mmstats", b"");
    top.start("-d 0.5 -f web -g prefix .");
    let screen = without_time(
        &top.tmux.wait("rates", |screen| line(screen, " requests").trim_end().ends_with(" 0")),
    );
    let expected = "\
topstats  3 writers: 1 dead †, 2 unknown  7 fields     every 500ms  HH:MM:SS UTC
1 error (e)  by prefix  filter: web                                  4 of 6 rows
  NAME↑                      VALUE    RATE/s TREND
  ▾ web  4 rows
    failed                       0         0
    host               a.example.org
    load                      0.25
    requests                 1.23M         0















? help  / filter  s sort  Tab group  Enter details  Space pause  z zeros  q quit
";
    // The number of scrapes varies.
    let screen: Vec<String> =
        screen.replace('▁', "").lines().map(|line| line.trim_end().to_owned()).collect();
    assert_eq!(screen, expected.lines().collect::<Vec<_>>(), "{screen:#?}");
}

#[test]
fn a_row_is_the_sum_of_all_writers() {
    let top = Top::new();
    let [one, other] = ["one.mmstats", "other.mmstats"].map(|name| top.shop(name));
    one.orders.add(1000);
    other.orders.add(234);
    other.temperature.set(235);
    top.start("-d 0.1 -f shop .");
    assert!(top.line("shop.orders ").contains(" 1.23k "));
    assert!(top.line("shop.memory").contains(" 2.42MiB"));
    assert!(top.line("shop.temperature").contains(" avg 22.5°C"));
    assert!(top.line("shop.open").contains(" 2 of 2"));
    assert!(top.line("shop.worker").contains(" idle"));
    other.worker.set("busy");
    top.tmux.wait("the difference", |screen| line(screen, "shop.worker").contains("2 different"));
    top.tmux.keys(&["a", "a", "a"]);
    top.tmux.wait_for("min over writers");
    assert!(top.line("shop.temperature").contains(" min 21.5°C"));
    assert!(top.line("shop.orders ").contains(" min 234"));
}

#[test]
fn a_total_does_not_decrease_when_a_writer_ends() {
    let top = Top::new();
    let [one, other] = ["one.mmstats", "other.mmstats"].map(|name| top.shop(name));
    one.orders.add(100);
    other.orders.add(23);
    top.start(&format!("{QUICK} -f orders"));
    top.tmux.wait("the sum", |screen| line(screen, "shop.orders ").contains(" 123 "));
    drop(other);
    top.tmux.wait_for("1 writer:");
    one.orders.incr();
    top.tmux.wait("the next order", |screen| line(screen, "shop.orders ").contains(" 124 "));
}

#[test]
fn rates_are_shown_for_cumulative_fields() {
    let top = Top::new();
    let shop = top.shop("shop.mmstats");
    top.start(&format!("{QUICK} -f shop"));
    top.tmux.wait("idleness", |screen| line(screen, "shop.orders ").contains("  0 "));
    for _ in 0..30 {
        shop.orders.add(1_000_000);
        shop.memory.add(10);
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let screen =
        top.tmux.wait("a trend", |screen| line(screen, "shop.orders ").contains(['█', '▇']));
    assert!(!line(&screen, "shop.memory").contains("M "), "a gauge has no rate:\n{screen}");
}

#[test]
fn a_filter_works_while_it_is_typed() {
    let top = Top::new();
    let _shop = top.shop("shop.mmstats");
    top.start(QUICK);
    top.tmux.wait_for("shop.memory");
    top.press(&["/"], "filter: ");
    top.tmux.text("ord");
    let screen = top.tmux.wait("fewer rows", |screen| !screen.contains("shop.memory"));
    assert_eq!(names(&screen), ["shop.orders", "shop.orders.failed"]);
    top.tmux.text(" fail");
    top.tmux.wait_for("1 of ");
    top.press(&["C-u"], "shop.memory");
    top.tmux.text("*.orders");
    top.tmux.wait("only what matches as a whole", |screen| names(screen) == ["shop.orders"]);
    let screen = top.press(&["Enter"], "? help");
    assert!(screen.contains("filter: *.orders"), "{screen}");
    // Keys are no longer typed into the filter.
    top.press(&["u"], "raw");
    top.press(&["Escape"], "shop.memory");
    // Esc also clears the filter while typing.
    top.press(&["/", "x", "y", "z"], "No row matches");
    top.press(&["Escape"], "shop.memory");
}

#[test]
fn rows_are_sorted_by_any_column_either_way() {
    let top = Top::new();
    let shop = top.shop("shop.mmstats");
    shop.orders.add(50);
    shop.orders_failed.add(70);
    top.start(&format!("{QUICK} -f order"));
    let order = |keys: &[&str], head: &str, expected: [&str; 2]| {
        top.tmux.keys(keys);
        let screen =
            top.tmux.wait(head, |screen| screen.contains(head) && names(screen) == expected);
        assert!(line(&screen, "NAME").contains(head));
    };
    let by_name = ["shop.orders", "shop.orders.failed"];
    let reversed = ["shop.orders.failed", "shop.orders"];
    order(&[], "NAME↑", by_name);
    order(&["r"], "NAME↓", reversed);
    order(&["s"], "VALUE↓", reversed);
    order(&["r"], "VALUE↑", by_name);
    order(&[">"], "RATE/s↓", by_name);
    order(&["<", "<"], "NAME↑", by_name);
}

#[test]
fn rows_are_grouped_and_folded() {
    let top = Top::new();
    let _shops = ["one.mmstats", "two.mmstats"].map(|name| top.shop(name));
    top.start(&format!("{QUICK} -f shop"));
    let screen = top.press(&["Tab"], "by prefix");
    assert!(screen.contains("  ▾ shop  ") && screen.contains("    orders.failed "), "{screen}");
    let screen = top.press(&["Tab"], "by dimension");
    assert!(line(&screen, "▾ shop.http").ends_with("2 rows"));
    assert!(screen.contains("  {method=\"GET\",code=\"200\"}"));
    top.press(&["Tab"], "by process");
    top.tmux.wait_for(&format!("▾ {} ", std::process::id()));
    let screen = top.press(&["Tab"], "by file");
    assert!(screen.contains("▾ ./one.mmstats  "), "{screen}");
    let screen = top.press(&["["], "▸ ./two.mmstats");
    assert_eq!(names(&screen).len(), 2, "{screen}");
    let screen = top.press(&["Down", "Right"], "▾ ./two.mmstats");
    assert!(screen.contains("▸ ./one.mmstats"), "{screen}");
    // Moves from a row to its group, and folds it.
    top.press(&["Down", "Down", "Left", "Left"], "▸ ./two.mmstats");
    top.press(&["]"], "▾ ./two.mmstats");
    top.press(&["g", "Enter"], "▸ ./one.mmstats");
    top.tmux.keys(&["Tab"]);
    top.tmux.wait("one list", |screen| {
        screen.contains("  shop.orders ") && !screen.contains(['▾', '▸']) && !screen.contains("by ")
    });
}

#[test]
fn zeros_and_then_unchanged_rows_are_hidden() {
    let top = Top::new();
    let shop = top.shop("shop.mmstats");
    shop.orders.incr();
    top.start(&format!("{QUICK} -f shop"));
    top.tmux.wait_for("shop.orders.failed");
    let screen = top.press(&["z"], "no zeros");
    assert!(!screen.contains("shop.orders.failed") && screen.contains("shop.memory"), "{screen}");
    top.press(&["z"], "changing only");
    shop.orders.incr();
    let screen = top.tmux.wait("what changed", |screen| names(screen) == ["shop.orders"]);
    assert!(screen.contains("1 of "));
    top.press(&["z"], "shop.orders.failed");
    top.tmux.keys(&["q"]);
    top.tmux.wait_for_prompt();
    let screen = top.start(&format!("{QUICK} -z -f shop"));
    assert!(!screen.contains("shop.orders.failed") && screen.contains("no zeros"), "{screen}");
}

#[test]
fn numbers_are_shortened_or_shown_as_stored() {
    let top = Top::new();
    let shop = top.shop("shop.mmstats");
    shop.orders.add(123_456_789);
    top.start(&format!("{QUICK} -f shop"));
    assert!(top.line("shop.orders ").contains(" 123M "));
    assert!(top.line("shop.temperature").contains(" 21.5°C"));
    top.press(&["u"], "raw");
    assert!(top.line("shop.orders ").contains(" 123456789 "));
    let screen = top.tmux.screen();
    assert!(line(&screen, "shop.temperature").contains(" 215"));
    assert!(line(&screen, "shop.memory").contains(" 1270000"));
}

#[test]
fn during_a_pause_values_stay() {
    let top = Top::new();
    let shop = top.shop("shop.mmstats");
    shop.orders.add(5);
    top.start(&format!("{QUICK} -f shop"));
    top.press(&["Space"], "PAUSED");
    shop.orders.add(6);
    wait_for_scrapes();
    assert!(top.line("shop.orders ").contains(" 5 "));
    top.tmux.keys(&["p"]);
    let screen =
        top.tmux.wait("the present", |screen| line(screen, "shop.orders ").contains(" 11 "));
    assert!(!screen.contains("PAUSED"));
}

#[test]
fn the_interval_can_be_changed() {
    let top = Top::new();
    let shop = top.shop("shop.mmstats");
    top.start("-d 300 -f shop .");
    top.tmux.wait_for("every 5m00s");
    // A second scrape follows after a second, for rates; none after that.
    top.tmux.wait("a rate", |screen| line(screen, "shop.orders ").trim_end().ends_with(" 0"));
    shop.orders.add(5);
    wait_for_scrapes();
    assert!(top.line("shop.orders ").contains(" 0 "));
    top.press(&["-"], "every 1m00s");
    top.tmux.wait("a scrape", |screen| line(screen, "shop.orders ").contains(" 5 "));
    top.press(&["d"], "interval: ");
    top.tmux.text("soon");
    top.press(&["Enter"], "soon: not a duration (2, 0.5, 500ms");
    top.press(&["d"], "interval: ");
    top.tmux.text("0.2");
    top.press(&["Enter"], "every 200ms");
    shop.orders.add(1);
    top.tmux.wait("a scrape", |screen| line(screen, "shop.orders ").contains(" 6 "));
    top.press(&["+"], "every 500ms");
}

#[test]
fn files_of_dead_writers_are_marked() {
    let top = Top::new();
    top.file("dead.mmstats", &old_file(dead_pid(), "old.count", 3));
    top.file("alive.mmstats", &old_file(std::process::id(), "new.count", 4));
    let screen = top.start(QUICK);
    assert!(screen.contains("2 writers: 1 alive, 1 dead †"), "{screen}");
    assert!(line(&screen, "old.count").starts_with("† old.count"));
    assert!(line(&screen, "new.count").starts_with("  new.count"));
    let screen = top.press(&["Tab", "Tab", "Tab", "Tab"], "by file");
    assert!(line(&screen, "dead.mmstats").starts_with('†'));
    assert!(line(&screen, "alive.mmstats").starts_with(' '));
}

#[test]
fn writers_appear_and_vanish() {
    let top = Top::new();
    let screen = top.start(QUICK);
    assert!(screen.contains("No stats found yet: searched ./*.mmstats"), "{screen}");
    let shop = top.shop("shop.mmstats");
    shop.orders.add(77);
    top.tmux.wait("the writer", |screen| {
        screen.contains("1 writer: 1 alive") && line(screen, "shop.orders ").contains(" 77 ")
    });
    drop(shop);
    top.tmux.wait_for("No stats found yet");
}

#[test]
fn errors_are_reported_and_the_rest_is_shown() {
    let top = Top::new();
    top.file("good.mmstats", &old_file(std::process::id(), "good", 4));
    let cut = top.file("cut.mmstats", &old_file(std::process::id(), "cut", 5));
    top.start(QUICK);
    top.tmux.wait_for("  cut ");
    fs::File::options().write(true).open(&cut).unwrap().set_len(3).unwrap();
    let screen = top.tmux.wait_for("1 error (e)");
    assert!(line(&screen, "  good ").contains(" 4 "), "{screen}");
    top.press(&["e"], "./cut.mmstats");
    let screen = top.press(&["Escape"], "  good ");
    assert!(!screen.contains("./cut.mmstats"), "{screen}");
}

#[test]
fn texts_of_a_file_cannot_control_the_terminal() {
    let top = Top::new();
    let hostile = "\x1b[2J\x1b]0;title\x07\n\u{9b}31m\u{202e}x";
    let wide = "東京e\u{301}👍";
    let file = VersionOne::default()
        .field(format!("l{hostile}"), "B", [1])
        .field(wide, "B", [2])
        .field("plain", "B", [3]);
    top.file("f\x1b[31m.mmstats", &file.field("text", "40s", format!("{hostile:\0<40}")).finish());
    let screen = top.start(QUICK);
    assert!(screen.contains("\\x1b"), "{screen}");
    assert!(!top.tmux.styled_screen().contains("\x1b]0"));
    // Columns after wide characters and accents are aligned with other lines.
    let ends = |text: &str| {
        let line = line(&screen, text);
        let cells: usize = line
            .chars()
            .map(|c| if "東京👍".contains(c) { 2 } else { usize::from(c != '\u{301}') })
            .sum();
        cells
    };
    assert_eq!(ends("東京"), ends("plain"));
    top.press(&["Tab", "Tab", "Tab", "Tab"], "f\\x1b[31m.mmstats");
}

#[test]
fn many_rows_are_paged_through() {
    let top = Top::new();
    let many = (0..100).fold(VersionOne::default(), |file, number| {
        file.field(format!("field.{number:02}"), "B", [number])
    });
    top.file("many.mmstats", &many.finish());
    let screen = top.start(QUICK);
    assert_eq!(names(&screen).len(), 20);
    top.press(&["G"], "field.99");
    top.press(&["k", "k", "PageUp", "PageUp"], "field.57");
    let screen = top.press(&["Home"], "field.00");
    assert!(!screen.contains("field.57"));
    let screen = top.press(&["PageDown", "Down"], "field.21");
    assert!(!screen.contains("field.01"), "{screen}");
}
