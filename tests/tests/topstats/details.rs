//! The panes with details and help.

use super::{Top, line};

#[test]
fn details_show_all_properties_of_a_row() {
    let top = Top::new();
    let [one, other] = ["one.mmstats", "other.mmstats"].map(|name| top.shop(name));
    one.orders.add(1000);
    other.orders.add(234);
    top.start("-d 0.1 -f orders .");
    top.tmux.wait_for("shop.orders ");
    top.press(&["Enter"], "Orders that were taken.");
    let screen = top.tmux.wait_for("0 per second ");
    assert!(line(&screen, " shop.orders ").ends_with(" counter"), "{screen}");
    for text in [
        "value 1.23k   exact 1234   0 per second   sum 1.23k   avg 617   min 234",
        "max 1k",
        "VALUE",
        "RATE/s",
        "PID FILE",
        "per second",
    ] {
        assert!(screen.contains(text), "no {text:?} in:\n{screen}");
    }
    assert!(line(&screen, "./one.mmstats").trim_start().starts_with("1k "), "{screen}");
    assert!(line(&screen, "./other.mmstats").trim_start().starts_with("234 "), "{screen}");
    assert!(
        line(&screen, "./one.mmstats").contains(&format!(" {} ", std::process::id())),
        "{screen}"
    );
    // The chart has a line, and is drawn over time.
    let screen = top.tmux.wait("a chart", |screen| {
        screen.contains(" ago") && screen.chars().any(|c| ('\u{2801}'..='\u{28ff}').contains(&c))
    });
    assert!(screen.contains(" now"));
    one.orders.add(1);
    top.tmux.wait_for("exact 1235");
    // The next row.
    top.press(&["Down"], "shop.orders.failed");
    let screen = top.press(&["Escape"], "NAME");
    assert!(screen.contains("shop.orders "), "{screen}");
}

#[test]
fn units_and_scales_are_shown() {
    let top = Top::new();
    let _shop = top.shop("shop.mmstats");
    top.start("-d 0.1 -f temperature .");
    top.tmux.wait_for("shop.temperature");
    let screen = top.press(&["Enter"], "Of the machine room.");
    assert!(
        line(&screen, "shop.temperature").ends_with("gauge, celsius, stored × 10^-1"),
        "{screen}"
    );
    assert!(screen.contains("value 21.5°C   exact 21.5 celsius"), "{screen}");
    top.press(&["u"], "value 215");
}

#[test]
fn a_histogram_shows_its_shape_and_percentiles() {
    let top = Top::new();
    let shop = top.shop("shop.mmstats");
    for value in [10, 10, 10, 10, 10, 10, 10, 10, 1000, 90_000] {
        shop.latency.record(value);
    }
    top.start("-d 0.1 -f latency .");
    let screen = top.tmux.wait("percentiles of all", |screen| screen.contains("(p50 "));
    assert!(line(&screen, "shop.latency").contains(" 10 "), "{screen}");
    let screen = top.press(&["Enter"], "values, all time");
    assert!(
        line(&screen, "count")
            .split_whitespace()
            .eq(["count", "mean", "p50", "p90", "p99", "p99.9", "max"]),
        "{screen}"
    );
    assert_eq!(
        line(&screen, "all time  ").split_whitespace().next_back(),
        Some("98.3ms"),
        "{screen}"
    );
    assert!(line(&screen, "█").contains(" 8"), "{screen}");
    // Recent values are shown separately from all values.
    top.press(&["Space"], "PAUSED");
    for _ in 0..100 {
        shop.latency.record(500);
    }
    top.tmux.keys(&["Space"]);
    top.tmux.wait("all of them", |screen| {
        line(screen, "all time  ").split_whitespace().nth(2) == Some("110")
    });
}

#[test]
fn recent_values_have_separate_percentiles() {
    let top = Top::new();
    let shop = top.shop("shop.mmstats");
    (0..1000).for_each(|_| shop.latency.record(10));
    top.start("-d 300 -f latency .");
    // The last scrape for a long time.
    top.tmux.wait("a rate", |screen| {
        line(screen, "shop.latency").split_whitespace().nth(2) == Some("0")
    });
    (0..10).for_each(|_| shop.latency.record(500_000));
    let screen = top.press(&["-"], "p50 4");
    assert!(!screen.contains("(p50"), "{screen}");
    let screen = top.press(&["Enter"], "values, latest");
    assert_eq!(line(&screen, "latest  ").split_whitespace().nth(1), Some("10"), "{screen}");
    assert!(line(&screen, "all time  ").contains("1.01k"), "{screen}");
}

#[test]
fn many_writers_are_scrolled_through() {
    let top = Top::new();
    let names: [&'static str; 30] =
        std::array::from_fn(|number| &*format!("{number:02}.mmstats").leak());
    let _shops = names.map(|name| top.shop(name));
    top.start("-d 0.1 -f shop.orders .");
    top.tmux.wait_for("30 writers");
    top.press(&["Enter"], "./00.mmstats");
    let screen = top.press(&["PageDown", "PageDown", "PageDown", "PageDown"], "./29.mmstats");
    assert!(!screen.contains("./00.mmstats"), "{screen}");
    top.press(&["Home"], "./00.mmstats");
}

#[test]
fn wide_and_high_terminals_show_the_table_beside_details() {
    let top = Top::sized(160, 50);
    let shop = top.shop("shop.mmstats");
    shop.orders.add(3);
    let screen = top.start("-d 0.1 -f shop .");
    assert!(line(&screen, "NAME").contains("UNIT"), "{screen}");
    assert!(line(&screen, "shop.memory").contains(" 1.21MiB bytes"), "{screen}");
    let screen = top.press(&["/"], "filter: shop");
    assert!(screen.contains("NAME"));
    let screen = top.press(&["Escape", "End", "Enter"], "PID FILE");
    assert!(screen.contains("NAME") && screen.contains("shop.orders "), "{screen}");
}

#[test]
fn the_help_lists_all_keys() {
    let top = Top::new();
    let _shop = top.shop("shop.mmstats");
    top.start("-d 0.1 .");
    for key in ["?", "h", "F1"] {
        let screen = top.press(&[key], "filter as you type");
        for text in
            ["one line up or down", "fold or unfold", "pause or continue", "interval", "quit"]
        {
            assert!(screen.contains(text), "no {text:?} in:\n{screen}");
        }
        top.press(&["End"], "NO_COLOR=1");
        top.press(&["Escape"], "shop.orders");
    }
}
