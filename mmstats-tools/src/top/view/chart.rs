//! Charts of histories.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::symbols::Marker;
use ratatui::text::Span;
use ratatui::widgets::{Axis, Chart, Dataset, GraphType, Widget};

use super::Palette;

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Formats values as bars of eight heights, one column each. With `from_zero`, zero is empty;
/// otherwise the smallest value is the lowest bar.
pub(super) fn sparkline(values: &[f32], from_zero: bool) -> String {
    let finite = || values.iter().copied().filter(|value| value.is_finite());
    let max = finite().fold(f32::NEG_INFINITY, f32::max);
    let min = finite().fold(f32::INFINITY, f32::min);
    let floor = if from_zero { min.min(0.0) } else { min };
    let bar = |value: &f32| match value {
        value if !value.is_finite() || (from_zero && *value == 0.0) => ' ',
        _ if max <= floor => BARS[0],
        value => BARS[((value - floor) / (max - floor) * 7.0).round().clamp(0.0, 7.0) as usize],
    };
    values.iter().map(bar).collect()
}

/// Draws a line over time. Points are seconds since the latest scrape (not positive) and values.
pub(super) fn draw(
    buffer: &mut Buffer,
    area: Rect,
    points: &[(f64, f64)],
    from_zero: bool,
    text: impl Fn(f64) -> String,
    palette: &Palette,
) {
    let finite: Vec<(f64, f64)> =
        points.iter().copied().filter(|(_, value)| value.is_finite()).collect();
    let Some((oldest, _)) = finite.first().copied().filter(|_| finite.len() > 1) else {
        super::text::put(buffer, area, 1, "no data yet", palette.note);
        return;
    };
    let max = finite.iter().map(|(_, value)| *value).fold(f64::NEG_INFINITY, f64::max);
    let min = finite.iter().map(|(_, value)| *value).fold(f64::INFINITY, f64::min);
    let min = if from_zero { min.min(0.0) } else { min };
    // A flat line is in the middle, or at the bottom if it is zero.
    let (low, high) = if max > min {
        (min, max)
    } else if max == 0.0 {
        (0.0, 1.0)
    } else {
        (min - max.abs() / 2.0, max + max.abs() / 2.0)
    };
    let note = |text: String| Span::styled(text, palette.note);
    let time = Axis::default()
        .bounds([oldest, 0.0])
        .labels([note(ago(-oldest)), note("now".to_owned())])
        .style(palette.note);
    let values = Axis::default().bounds([low, high]).labels([
        note(text(low)),
        note(text((low + high) / 2.0)),
        note(text(high)),
    ]);
    let line = Dataset::default()
        .marker(Marker::Braille)
        .graph_type(GraphType::Line)
        .style(palette.trend)
        .data(&finite);
    Chart::new(vec![line])
        .x_axis(time)
        .y_axis(values.style(palette.note))
        .style(Style::new())
        .render(area, buffer);
}

/// Formats a time in the past.
fn ago(seconds: f64) -> String {
    format!("{} ago", crate::render::human::quantity(seconds.round(), "seconds"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_proportional_to_values() {
        assert_eq!(sparkline(&[0.0, 1.0, 4.0, 8.0], true), " ▂▅█");
        assert_eq!(sparkline(&[100.0, 101.0, 107.0, f32::NAN], false), "▁▂█ ");
        assert_eq!(sparkline(&[5.0, 5.0], false), "▁▁");
        assert_eq!(sparkline(&[5.0, 5.0], true), "██");
        assert_eq!(sparkline(&[0.0, 0.0], true), "  ");
        assert_eq!(sparkline(&[-1.0, 0.0, 1.0], true), "▁ █");
        assert_eq!(sparkline(&[], true), "");
    }
}
