//! The help.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::app::App;
use super::text::put;
use super::{Palette, indented, line};

/// Keys and what they do; a line without keys is text.
const HELP: [(&str, &str); 36] = [
    ("↑ ↓  j k", "one line up or down; PgUp PgDn one page; Home End, g G all lines"),
    ("/", "filter as you type: words to contain; with * a pattern of the label"),
    ("s  < >", "sort by name, value or rate; r reverses the order"),
    ("Tab  b", "group by prefix, dimension, process or file, or do not group"),
    ("← →", "fold or unfold a group; Enter does both; [ ] all groups"),
    ("Enter", "details: help, unit, writers, a chart, the histogram"),
    ("Space  p", "pause or continue"),
    ("+ -  d", "a longer, shorter or other interval"),
    ("z", "hide zeros; then all that does not change; then nothing"),
    ("u", "numbers as stored, with all digits; or short, with units"),
    ("a", "aggregation over writers: auto (as stated), sum, avg, min, max, last"),
    ("e", "errors: files that could not be read"),
    ("?  h  F1", "this help; Esc closes it, and all else"),
    ("q  Ctrl-C", "quit; Ctrl-Z stops and returns to the shell"),
    ("mouse", "click selects or sorts, double click opens, wheel scrolls"),
    ("", ""),
    ("†", "all writers are dead: their processes left the files"),
    ("–", "no value yet, or it could not be read"),
    ("NAME", "a field over all writers, or of one file or process"),
    ("VALUE", "avg, min, max or last if the field states it; otherwise the sum;"),
    ("", "of seconds, ratios, volts and the like the average (avg);"),
    ("", "of timestamps the latest; of texts the text if all are equal"),
    ("RATE/s", "of counters: increase per second since the previous scrape"),
    ("TREND", "previous scrapes, the latest at the right: rates of counters, from"),
    ("", "zero; other values from the smallest to the largest"),
    ("p50 p99", "median and 99th percentile of a histogram's values since the"),
    ("", "previous scrape; in parentheses: of all values"),
    ("", ""),
    ("", "A counter's total continues when it wraps, or when a writer exits."),
    ("", "Numbers: k M G T P E are powers of 1000, m µ n p fractions of it;"),
    ("", "Ki Mi Gi are powers of 1024, for bytes."),
    ("", "Times are UTC. 12:34:56 is a time within a day from now."),
    ("", ""),
    ("", "topstats --help explains files, dumps and devices."),
    ("", "NO_COLOR=1 turns colours off."),
    ("", "topstats -b prints the table and exits."),
];

/// The width of the keys.
const KEYS_WIDTH: u16 = 11;

/// Draws the help from the scroll position on.
pub(super) fn draw(buffer: &mut Buffer, area: Rect, app: &mut App, palette: &Palette) {
    let height = usize::from(area.height);
    app.hit_areas.page = area.height;
    app.scroll = app.scroll.min(HELP.len().saturating_sub(height));
    for (number, (keys, what)) in HELP.iter().skip(app.scroll).take(height).enumerate() {
        let area = line(area, number as u16);
        put(buffer, Rect { width: area.width.min(KEYS_WIDTH), ..area }, 1, keys, palette.key);
        put(buffer, indented(area, KEYS_WIDTH), 0, what, palette.plain);
    }
}
