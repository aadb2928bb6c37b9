//! The help.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::app::App;
use super::text::put;
use super::{Palette, indented, line};

/// Keys and what they do; a line without keys is text, an empty one a gap.
const HELP: [(&str, &str); 35] = [
    ("↑ ↓  j k", "a line up, down; PgUp PgDn a page; Home End, g G all the way"),
    ("/", "filter as you type: words that must be there, * for a pattern of all"),
    ("s  < >", "sort by name, value, rate; r the other way round"),
    ("Tab  b", "group by prefix, dimension, process, file, or not"),
    ("← →", "fold and unfold a group; Enter either; [ ] all of them"),
    ("Enter", "details: help, unit, writers, a chart, the shape of a histogram"),
    ("Space  p", "pause and go on"),
    ("+ -  d", "a longer, a shorter, another interval"),
    ("z", "hide what is zero, then all that does not change, then nothing"),
    ("u", "numbers as they are stored, with all digits; or short, with units"),
    ("a", "over several writers: auto, sum, avg, min, max, last"),
    ("e", "what could not be read"),
    ("?  h  F1", "this help; Esc closes it, and everything else"),
    ("q  Ctrl-C", "quit; Ctrl-Z to the shell"),
    ("mouse", "click selects or sorts, double click opens, wheel scrolls"),
    ("", ""),
    ("†", "all writers of this are dead: their files were left behind"),
    ("–", "no value could be read"),
    ("NAME", "a row is a field over all writers; by file or process, of that one"),
    ("VALUE", "a sum; of seconds, ratios, volts and the like the average (avg);"),
    ("", "of dates the latest; of texts the text if all agree"),
    ("RATE/s", "of what counts up: how much it grew in a second, since the last look"),
    ("TREND", "the last looks, now at the right: rates of what counts up, from"),
    ("", "zero on; else values, from the smallest to the largest"),
    ("p50 p99", "half, and 99 of 100, of a histogram's values since the last look"),
    ("", "are not larger; in parentheses: of all values there ever were"),
    ("", ""),
    ("", "A counter's value goes on when it wraps, or when a writer ends."),
    ("", "Numbers: k M G T P E are thousands, m µ n p thousandths;"),
    ("", "Ki Mi Gi are steps of 1024, of bytes."),
    ("", "Times are UTC. 12:34:56 is a time within a day from now."),
    ("", ""),
    ("", "topstats --help tells how to choose files, dumps and devices."),
    ("", "NO_COLOR=1 turns colours off."),
    ("", "topstats -b prints the table and ends."),
];

/// Columns of the keys.
const KEYS: u16 = 11;

/// Draws as much of the help as there is room for.
pub(super) fn draw(buffer: &mut Buffer, area: Rect, app: &mut App, palette: &Palette) {
    let height = usize::from(area.height);
    app.hit_areas.page = area.height;
    app.scroll = app.scroll.min(HELP.len().saturating_sub(height));
    for (number, (keys, what)) in HELP.iter().skip(app.scroll).take(height).enumerate() {
        let area = line(area, number as u16);
        put(buffer, Rect { width: area.width.min(KEYS), ..area }, 1, keys, palette.key);
        put(buffer, indented(area, KEYS), 0, what, palette.plain);
    }
}
